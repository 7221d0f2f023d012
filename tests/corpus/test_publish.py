"""Publishing: to folders, and to a Hub that this test plays."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

from corpus.build import build
from corpus.publish import publish
from corpus.sample.packaged import create_sample
from corpus.splits import split_project
from schemas.errors import InputError
from schemas.project import Project


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Return a built project with raters."""
    from annotation.aggregation import aggregate_project

    project, _ = create_sample(tmp_path / "p")
    aggregate_project(project)
    split_project(project)
    build(project)
    return project


def files(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_a_folder_gets_the_same_files_and_again(project: Project, tmp_path: Path) -> None:
    target = tmp_path / "out" / "published"
    done = publish(project.path("dataset"), str(target))
    assert files(target) == files(project.path("dataset"))
    assert done.done
    assert set(done.files) == set(files(target))
    publish(project.path("dataset"), str(target))
    assert files(target) == files(project.path("dataset"))
    assert [path.name for path in target.parent.iterdir()] == ["published"]


def test_a_dry_run_writes_nothing(project: Project, tmp_path: Path) -> None:
    done = publish(project.path("dataset"), str(tmp_path / "out"), dry_run=True)
    assert not done.done
    assert not (tmp_path / "out").exists()
    assert not publish(project.path("dataset"), "hub:org/name", dry_run=True).done


def test_a_folder_with_other_things_is_left_alone(project: Project, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("precious")
    with pytest.raises(InputError, match="neither a new or empty folder nor an earlier publication"):
        publish(project.path("dataset"), str(tmp_path / "mine"))
    assert files(tmp_path / "mine") == {"thesis.txt": b"precious"}
    with pytest.raises(InputError, match="into itself"):
        publish(project.path("dataset"), str(project.path("dataset/copy")))


def test_a_stale_dataset_is_not_published(project: Project, tmp_path: Path) -> None:
    split_project(project, seed=77)
    with pytest.raises(InputError, match=r"built before splits.parquet changed"):
        publish(project.path("dataset"), str(tmp_path / "out"))


def test_what_is_no_dataset(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="'corpus build' makes one"):
        publish(tmp_path / "nothing", str(tmp_path / "out"))


def test_a_raters_name_is_not_published(project: Project, tmp_path: Path) -> None:
    private = project.path("private")
    private.mkdir(exist_ok=True)
    (private / "raters-sample.json").write_text(json.dumps({"sample:r1": "simulated-r1"}))
    with pytest.raises(
        InputError, match=r"identity stands in the dataset; nothing was published.*simulated-r1"
    ):
        publish(project.path("dataset"), str(tmp_path / "out"))
    assert not (tmp_path / "out").exists()


class _Hub(BaseHTTPRequestHandler):
    """A Hub that answers every request with one status, and remembers what it was asked."""

    status = 401
    answer: ClassVar[dict[str, object]] = {"error": "no"}
    asked: ClassVar[list[tuple[str, dict[str, object]]]] = []

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        type(self).asked.append((self.path, json.loads(body) if body else {}))
        self.send_response(self.status)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(self.answer).encode())

    do_GET = do_POST = _answer  # noqa: N815

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def hub() -> Iterator[tuple[type[_Hub], str]]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    _Hub.asked, _Hub.answer = [], {"error": "no"}
    yield _Hub, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


def command(project: Project, to: str, *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the real command with another Hub in its environment."""
    keep = {key: value for key, value in os.environ.items() if not key.startswith("HF_")}
    return subprocess.run(
        [
            Path(sys.executable).with_name("corpus"),
            "publish",
            "--to",
            to,
            "--project",
            project.root,
            *options,
        ],
        env={**keep, "HF_HOME": str(project.root / "private" / "hf"), **environment},
        capture_output=True,
        text=True,
    )


def test_a_hub_that_refuses_the_token(project: Project, hub: tuple[type[_Hub], str]) -> None:
    answering, address = hub
    answering.status = 401
    done = command(project, "hub:org/name", HF_ENDPOINT=address, HF_TOKEN="hf_secret")
    assert done.returncode == 2
    assert "the Hub refused (401); set HF_TOKEN" in done.stderr
    assert "Traceback" not in done.stderr
    assert "hf_secret" not in done.stdout + done.stderr
    created = [asked for path, asked in answering.asked if path == "/api/repos/create"]
    # Older Hub clients say private: true, newer ones visibility: private.
    assert [one.get("visibility", one.get("private")) for one in created] in (["private"], [True])
    assert created[0]["type"] == "dataset"


def test_a_hub_that_cannot_be_reached(project: Project) -> None:
    done = command(project, "hub:org/name", HF_ENDPOINT="http://127.0.0.1:9", HF_TOKEN="hf_secret")
    assert done.returncode == 2
    assert "cannot be reached" in done.stderr
    assert "Traceback" not in done.stderr


def test_no_token(project: Project, hub: tuple[type[_Hub], str]) -> None:
    answering, address = hub
    answering.status = 401
    done = command(project, "hub:org/name", HF_ENDPOINT=address)
    assert done.returncode == 2
    assert "HF_TOKEN" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_name_that_is_none(project: Project) -> None:
    done = command(project, "hub:a name/with spaces/and more", HF_ENDPOINT="http://127.0.0.1:9", HF_TOKEN="x")
    assert done.returncode == 2
    assert "no name of a repository" in done.stderr


def test_a_name_that_is_none_is_told_before_anything_is_published(project: Project) -> None:
    done = command(project, "hub:a/b/c", "--dry-run")
    assert done.returncode == 2
    assert "no name of a repository" in done.stderr


def test_nothing_goes_unasked_to_a_public_repository(project: Project, hub: tuple[type[_Hub], str]) -> None:
    answering, address = hub
    answering.status = 200
    answering.answer = {"url": f"{address}/datasets/org/name", "id": "org/name", "private": False}
    done = command(project, "hub:org/name", HF_ENDPOINT=address, HF_TOKEN="hf_secret")
    assert done.returncode == 2
    assert "this repository is public already; say --public to publish there" in done.stderr
    assert not [path for path, _ in answering.asked if "commit" in path or "preupload" in path]
