"""The account of what was imported: of each source what it was made from, its tables, rows and recordings."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from corpus.importers.recordings import FOLDER
from schemas.errors import InputError, Issue
from schemas.project import Project

REPORT = "reports/import.json"


def known(project: Project) -> dict[str, Any]:
    """Return the account of all sources, by name.

    Raises:
        InputError: It is damaged.
    """
    account = read_json(project.path(REPORT))
    if not all(isinstance(one, dict) and {"made_from", "tables"} <= one.keys() for one in account.values()):
        raise _damaged(project.path(REPORT))
    return account


def standing(project: Project) -> dict[str, Any]:
    """Return the account of the sources whose tables are all there still."""
    return {
        name: about
        for name, about in known(project).items()
        if all(project.has(table) for table in about["tables"])
    }


def are_linked(project: Project, about: Mapping[str, Any]) -> bool:
    """Say whether the recordings of a source are still there, given its account."""
    places = [one["media"] for one in about.get("recordings", ())]
    return all(project.has(f"{FOLDER}/{place}") for place in places if place)


def read_json(path: Path) -> dict[str, Any]:
    """Read a mapping; one that is not there is empty.

    Raises:
        InputError: It is damaged.
    """
    if not path.exists():
        return {}
    try:
        content = json.loads(path.read_text("utf-8"))
    except ValueError:
        raise _damaged(path) from None
    if not isinstance(content, dict):
        raise _damaged(path)
    return content


def _damaged(path: Path) -> InputError:
    return InputError(Issue("this file of the project is damaged; delete it and import again", str(path)))


def write_json(path: Path, content: object, mode: int = 0o644) -> None:
    """Write a mapping, the same bytes for the same content."""
    path.parent.mkdir(exist_ok=True)
    path.touch(mode)
    path.write_text(json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False), "utf-8")
