"""Folders and packages of a user that are called like ours."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

COMMANDS = [Path(sys.executable).with_name(name) for name in ("corpus", "annotation", "baselines")]

pytestmark = pytest.mark.skipif(not COMMANDS[0].exists(), reason="the commands are not installed here")


def run(place: Path, *words: str | Path, python_path: str = "") -> subprocess.CompletedProcess[str]:
    """Run a command in a folder, with that folder's own packages on Python's path or not."""
    return subprocess.run(
        words,
        cwd=place,
        env={**os.environ, "PYTHONPATH": python_path},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("python_path", ["", "."])
def test_data_folders_of_such_names_do_no_harm(tmp_path: Path, python_path: str) -> None:
    for name in ("corpus", "schemas", "annotation", "baselines"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "data.csv").write_text("a,b\n")
    done = run(tmp_path, COMMANDS[0], "init", "project", python_path=python_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "project" / "corpus.yaml").exists()


def test_packages_in_the_working_directory_do_no_harm(tmp_path: Path) -> None:
    (tmp_path / "schemas").mkdir()
    (tmp_path / "schemas" / "__init__.py").write_text("raise RuntimeError('imported')\n")
    assert run(tmp_path, COMMANDS[0], "init", "project").returncode == 0


@pytest.mark.parametrize("file", ["schemas/__init__.py", "schemas.py", "annotation/__init__.py", "corpus.py"])
def test_a_users_own_package_on_the_path_is_named_and_not_imported(tmp_path: Path, file: str) -> None:
    path = tmp_path / "own" / file
    path.parent.mkdir(parents=True)
    path.write_text("raise RuntimeError('imported')\n")
    done = run(tmp_path, COMMANDS[0], "init", "project", python_path=str(tmp_path / "own"))
    name = file.partition("/")[0].removesuffix(".py")
    assert done.returncode == 2
    first, hint = done.stderr.splitlines()
    assert first.startswith(f"error: package '{name}' is found at {path}, not at ")
    assert "rename it or take it out of PYTHONPATH" in hint
    assert not (tmp_path / "project").exists()


def test_programs_are_told_in_json(tmp_path: Path) -> None:
    (tmp_path / "schemas.py").write_text("")
    done = run(tmp_path, COMMANDS[0], "status", "--json", python_path=".")
    assert done.returncode == 2
    assert "package 'schemas' is found at" in json.loads(done.stderr)["errors"][0]["text"]
