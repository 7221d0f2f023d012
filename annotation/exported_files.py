"""Reading files that were exported from Label Studio by hand, which may hold anything."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from annotation.client import Json
from annotation.pulled import moment
from schemas.errors import InputError, Issue


def read_export(path: Path) -> list[Json]:
    """Read the tasks of an exported file.

    Raises:
        InputError: With every fault: it is no JSON, no such export, or tasks and ratings lack what they are
            known by.
    """
    try:
        tasks = json.loads(path.read_text("utf-8-sig"))
    except OSError as error:
        raise InputError(Issue(f"this file cannot be read: {error.strerror}", str(path))) from None
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise InputError(Issue(f"this is not a JSON file: {error}", str(path))) from None
    shape = isinstance(tasks, list) and all(
        isinstance(one, dict)
        and isinstance(one.get("data"), dict)
        and isinstance(one.get("annotations"), list)
        and all(isinstance(each, dict) for each in one["annotations"])
        and {"id", "created_at"} <= one.keys()
        for one in tasks
    )
    if not shape:
        message = "this is not Label Studio's export 'JSON' (JSON-MIN drops ratings and cannot be read)"
        raise InputError(Issue(message, str(path)))
    issues = [issue for row, task in enumerate(tasks, 1) for issue in _faults(task, str(path), row)]
    if issues:
        raise InputError(issues)
    return list(tasks)


def _faults(task: Json, where: str, row: int) -> Iterator[Issue]:
    """Yield what is wrong with the numbers and moments by which a task and its ratings are known."""
    if not _is_number(task["id"]):
        yield Issue("the number of the task is expected", where, None, row, "id", task["id"])
    project = task.get("project")
    if not (project is None or _is_number(project)):
        yield Issue("the number of a project is expected", where, None, row, "project", project)
    if not _is_moment(task["created_at"]):
        yield Issue("a date and time is expected", where, None, row, "created_at", task["created_at"])
    for place, one in enumerate(task["annotations"], 1):
        column, updated = f"annotations, {place}", one.get("updated_at")
        name = one.get("unique_id") or one.get("id")
        if not (_is_number(name) or (isinstance(name, str) and name)):
            yield Issue("an annotation has a 'unique_id' or an 'id'", where, None, row, column, name)
        if not _is_moment(updated):
            yield Issue("a date and time is expected as 'updated_at'", where, None, row, column, updated)


def _is_number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_moment(value: object) -> bool:
    try:
        return isinstance(value, str) and bool(moment(value))
    except (ValueError, OverflowError):
        return False
