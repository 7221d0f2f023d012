"""A real Label Studio server for tests: the installation that the command uses, migrated once, copied."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from filelock import FileLock

from annotation.hotkeys import USER_HOTKEYS
from annotation.installation import install, installation
from schemas.errors import InputError
from tests.availability import unavailable

ADMIN = ("admin@example.org", "a-password-of-the-tests")
TOKEN = "0123456789abcdef0123456789abcdef01234567"
STARTS_WITHIN = 1800.0  # seconds; migrations on a slow and busy machine


def installed() -> Path:
    """Return the Python of the server's environment; the first call makes it (about 1 GB, minutes)."""
    try:
        return install(installation(), lambda step: print(f"\n{step}", file=sys.stderr))
    except InputError as error:
        raise RuntimeError(str(error)) from error


def made_once(name: str, make: Callable[[Path], None]) -> Path:
    """Return a folder beside the server's environment; the first call has it made."""
    folder = installation().with_name(f"{installation().name}-{name}")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_name(f".{folder.name}.lock")):
        if not (folder / ".complete").exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            make(folder)
            (folder / ".complete").touch()
    return folder


def template() -> Path:
    """Return a migrated data folder with an administrator."""

    def migrate(folder: Path) -> None:
        with running(folder, folder):
            pass

    return made_once("migrated", migrate)


@dataclass
class Server:
    """A running server."""

    url: str
    data: Path

    def api(self, method: str, path: str, body: Any = None) -> Any:
        """Call the REST interface as the administrator."""
        headers = {"Authorization": f"Token {TOKEN}"}
        answer = httpx.request(method, self.url + path, json=body, headers=headers, timeout=60)
        if answer.is_error:
            raise AssertionError(f"{method} {path}: {answer.status_code} {answer.text[:1000]}")
        return answer.json() if answer.content else None

    def accepts(self, config: str) -> None:
        """Have the server validate a labeling configuration."""
        self.api("POST", "/api/projects/validate/", {"label_config": config})

    def project(self, title: str, config: str, tasks: list[dict[str, Any]]) -> int:
        """Make a project whose stream of labeling gives its tasks in order; return its id."""
        made = self.api(
            "POST",
            "/api/projects/",
            {"title": title, "label_config": config, "sampling": "Sequential sampling"},
        )
        self.api("PATCH", f"/api/projects/{made['id']}/", {"show_collab_predictions": True})
        self.api("POST", f"/api/projects/{made['id']}/import", tasks)
        return int(made["id"])

    def annotations(self, project: int) -> list[tuple[dict[str, Any], dict[str, Any]]]:
        """Return the annotations of a project, each with its task."""
        tasks = self.api("GET", f"/api/projects/{project}/export?exportType=JSON&download_all_tasks=true")
        tasks.sort(key=lambda task: task["id"])
        return [(annotation, task) for task in tasks for annotation in task["annotations"]]

    def sign_up(self, email: str, password: str) -> None:
        """Make an account through an invitation, as people do, with the key map of the pages."""
        invite = self.api("GET", "/api/invite")["invite_url"]
        with httpx.Client(base_url=self.url, follow_redirects=False, timeout=60) as web:
            form = web.get(invite).text
            csrf = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', form)
            assert csrf
            fields = {
                "csrfmiddlewaretoken": csrf[1],
                "email": email,
                "password": password,
                "allow_newsletters": "false",
            }
            answer = web.post(invite, data=fields, headers={"Referer": self.url})
            assert answer.status_code == 302, answer.text[-2000:]
            headers = {"X-CSRFToken": web.cookies["csrftoken"], "Referer": self.url}
            answer = web.patch("/api/current-user/hotkeys/", json=USER_HOTKEYS, headers=headers)
            assert answer.status_code == 200, answer.text


@contextmanager
def running(data: Path, media: Path, **database: str) -> Iterator[Server]:
    """Start a server on a data folder, serving files below ``media``; stop it in the end.

    Args:
        data: The data folder.
        media: Folder of what it shows.
        database: Its settings of another database than SQLite in the data folder.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    settings = {
        "LABEL_STUDIO_COLLECT_ANALYTICS": "false",
        "LABEL_STUDIO_LATEST_VERSION_CHECK": "false",
        "LABEL_STUDIO_FEATURE_FLAGS_OFFLINE": "true",
        "LABEL_STUDIO_ENABLE_LEGACY_API_TOKEN": "true",
        "LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED": "true",
        "LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT": str(media),
        "LABEL_STUDIO_USERNAME": ADMIN[0],
        "LABEL_STUDIO_PASSWORD": ADMIN[1],
        "LABEL_STUDIO_USER_TOKEN": TOKEN,
        "LABEL_STUDIO_HOST": f"http://127.0.0.1:{port}",
        **dict.fromkeys(
            (
                "SENTRY_DSN",
                "LABEL_STUDIO_SENTRY_DSN",
                "FRONTEND_SENTRY_DSN",
                "LABEL_STUDIO_FRONTEND_SENTRY_DSN",
            ),
            "",
        ),
        **database,
    }
    command = [installed().with_name("label-studio"), "start", "--no-browser", "--data-dir", data]
    command += ["--internal-host", "127.0.0.1", "--port", str(port)]
    log = data / "server.log"
    with log.open("w") as out:
        process = subprocess.Popen(command, env={**os.environ, **settings}, stdout=out, stderr=out)
    try:
        server = Server(f"http://127.0.0.1:{port}", data)
        deadline = time.monotonic() + STARTS_WITHIN
        while not _healthy(server.url):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"Label Studio did not start: {log.read_text()[-800:]}")
            time.sleep(0.3)
        yield server
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _healthy(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health", timeout=5).status_code == 200
    except httpx.HTTPError:
        return False


@contextmanager
def fresh_server(folder: Path) -> Iterator[Server]:
    """Start a server on a copy of the migrated data folder; ``folder/media`` is what it serves."""
    (folder / "media" / "clips").mkdir(parents=True)
    with ExitStack() as stack:
        try:
            shutil.copytree(template(), folder / "server")
            server = stack.enter_context(running(folder / "server", folder / "media"))
        except (OSError, RuntimeError, subprocess.SubprocessError) as error:
            unavailable("the pages in a real Label Studio", error)
        yield server
