"""Backups of what cannot be made again: the labeling server's data and everything else in ``private/``."""

from __future__ import annotations

import os
import sqlite3
import tarfile
import tempfile
from pathlib import Path

from filelock import FileLock, Timeout

from annotation.installation import Tell, silent
from annotation.server import DATABASE, FOLDER, LOCK
from annotation.taking_turns import in_turn, pulls_alone
from schemas.errors import InputError, Issue
from schemas.project import Project

_LEFT_OUT = (f"{FOLDER}/shown", f"{FOLDER}/server.log", f"{FOLDER}/data/export", DATABASE)
"""Made anew at every start, or copied in another way."""


@in_turn
def back_up(project: Project, file: Path, *, tell: Tell = silent) -> None:
    """Write a backup of ``private/``; the server may be running.

    The database is copied at one moment, by SQLite itself. A PostgreSQL database is not part of it, nor are
    earlier backups: the ``.tar`` files in ``private/``.

    Args:
        project: The project.
        file: A new tar file; only its owner can read it.
        tell: Gets a line when it has to wait for another command.

    Raises:
        InputError: There is nothing to back up, or the file stands there already.
    """
    private = project.path("private")
    if not private.is_dir() or not any(private.iterdir()):
        raise InputError(Issue("there is nothing to back up: private/ is empty", str(project.root)))
    if file.exists():
        raise InputError(Issue("this file stands there already; name another one", str(file)))
    part = file.with_name(f"{file.name}.part")
    part.unlink(missing_ok=True)
    opened = os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")
    with (
        pulls_alone(project, tell),  # a rating pulled after the database was copied would seem deleted there
        tempfile.TemporaryDirectory() as scratch,
        opened,
        tarfile.open(fileobj=opened, mode="w") as tar,
    ):
        if project.path(DATABASE).exists():
            copy = Path(scratch) / "database"
            _copy_database(project.path(DATABASE), copy)
            tar.add(copy, DATABASE)
        for path in sorted(private.rglob("*")):
            name = path.relative_to(project.root).as_posix()
            if (
                path.is_file()
                and not path.is_symlink()
                and _belongs(name)
                and path.resolve() != part.resolve()
            ):
                tar.add(path, name)
    part.rename(file)


def _belongs(name: str) -> bool:
    # Backups are no part of a backup: each would hold all earlier ones. Locks say what runs just now.
    if name.endswith((".tar", ".tar.part", "/.lock")):
        return False
    return not any(name == one or name.startswith((f"{one}/", f"{one}-")) for one in _LEFT_OUT)


def _copy_database(database: Path, copy: Path) -> None:
    source, target = sqlite3.connect(f"file:{database}?mode=ro", uri=True), sqlite3.connect(copy)
    try:
        source.backup(target)
    finally:
        source.close()
        target.close()


def restore(project: Project, file: Path) -> None:
    """Put a backup back into ``private/``, which must not hold what the backup brings.

    Raises:
        InputError: The file is not a backup, the server runs, or files stand in the way.
    """
    names = _names(file)
    project.path(FOLDER).mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = FileLock(project.path(LOCK))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise InputError(Issue("the project's server is running; stop it first", str(project.root))) from None
    try:
        standing = [name for name in names if project.has(name)]
        if standing:
            message = f"{len(standing)} files of the backup stand here already; move private/ away first"
            raise InputError(Issue(message, str(project.path("private")), value=standing[0]))
        with tarfile.open(file, "r:") as tar:
            tar.extractall(project.root, filter="data")
        for name in names:
            project.path(name).chmod(0o600)
            for folder in Path(name).parents[:-1]:
                project.path(str(folder)).chmod(0o700)
    finally:
        lock.release()


def _names(file: Path) -> list[str]:
    """Return the files of a backup.

    Raises:
        InputError: It is none.
    """
    try:
        with tarfile.open(file, "r:") as tar:
            names = [one.name for one in tar.getmembers()]
    except OSError as error:
        raise InputError(Issue(f"this file cannot be read: {error.strerror}", str(file))) from None
    except tarfile.TarError as error:
        raise InputError(Issue(f"this is not a backup: {error}", str(file))) from None
    if not names or not all(name.startswith("private/") for name in names):
        raise InputError(Issue("this is not a backup of a project's private/", str(file)))
    return names
