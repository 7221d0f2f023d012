"""The run folder: what ``baselines train`` leaves and the other commands read."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from schemas.errors import InputError, Issue

CONFIG = "config.json"
TRAINING = "training.json"
EVALUATION = "evaluation.json"
CHECKPOINTS = "checkpoints"
TENSORBOARD = "tensorboard"


def leads() -> bool:
    """Say whether this process writes the run: of those that torchrun started, the first."""
    return os.environ.get("RANK", "0") == "0"


def processes() -> int:
    """Return how many processes torchrun started for one training."""
    return int(os.environ.get("WORLD_SIZE", "1"))


@contextmanager
def new_run(out: Path) -> Iterator[Path]:
    """Open a folder aside that takes the place of ``out`` when the block ends well.

    Raises:
        InputError: ``out`` is there already, or another command is making it.
    """
    if not leads():
        with tempfile.TemporaryDirectory() as thrown_away:
            yield Path(thrown_away)
        return
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(Issue("a run is written to a new or empty folder; this one is neither", str(out)))
    out.parent.mkdir(parents=True, exist_ok=True)
    staging = out.with_name(f".{out.name}-partial")
    staging.mkdir(exist_ok=True)
    lock = FileLock(staging / "lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise InputError(Issue("another command is making this run", str(out))) from None
    try:
        folder = staging / "run"
        shutil.rmtree(folder, ignore_errors=True)  # of a command that was killed
        folder.mkdir()
        yield folder
        folder.replace(out)
    finally:
        lock.release()
        shutil.rmtree(staging, ignore_errors=True)


@contextmanager
def unfinished(out: Path, what: Mapping[str, Any]) -> Iterator[Path]:
    """Open the folder beside ``out`` in which a long training keeps its checkpoints.

    It goes when the block ends. When the process is killed it stays, and the training goes on from there.

    Args:
        out: The run folder that is to be.
        what: What is trained on what, for JSON: a training that differs does not go on from there.

    Raises:
        InputError: Another training for ``out`` was begun and not ended.
    """
    folder = out.with_name(f".{out.name}-unfinished")
    begun = folder / TRAINING
    if folder.exists() and begun.exists() and read_json(begun, "baselines train") != what:
        message = "another training for this run was begun and not ended; delete its folder to begin anew"
        raise InputError(Issue(message, str(folder)))
    folder.mkdir(parents=True, exist_ok=True)
    if not leads():
        yield folder
        return
    write_json(begun, what)
    try:
        yield folder
    except Exception:
        # A fault before the first checkpoint leaves nothing to go on from.
        if not any(folder.glob("checkpoint-*")):
            shutil.rmtree(folder, ignore_errors=True)
        raise
    shutil.rmtree(folder, ignore_errors=True)


def write_json(path: Path, content: object) -> None:
    """Write JSON, whole or not at all."""
    text = json.dumps(content, ensure_ascii=False, indent=1, allow_nan=False)
    aside = path.with_name(f".{path.name}-{os.getpid()}")
    aside.write_text(text + "\n", "utf-8")
    aside.replace(path)


def read_json(path: Path, made_by: str) -> dict[str, Any]:
    """Read a JSON file of a run.

    Args:
        path: The file.
        made_by: The command that makes it, for the message.

    Raises:
        InputError: It is not there or is damaged.
    """
    try:
        found = json.loads(path.read_text("utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        raise InputError(Issue(f"{path.name} is not there; '{made_by}' makes it", str(path.parent))) from None
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise InputError(Issue(f"this is not readable JSON: {error}", str(path))) from None
    if not isinstance(found, dict):
        raise InputError(Issue("a JSON object is expected here", str(path)))
    return found
