"""Which tasks stand in a project of the server.

Listing them is slow: Label Studio loads every annotation of every task for it. So a push notes what stands
there when it ends: the keys, how many tasks there are, and the newest one by number and time. As long as the
server shows the same number and the same newest task, nothing was added and nothing deleted; otherwise
(somebody deleted tasks, a push was cut, a backup was restored) they are listed.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from annotation.client import Client
from annotation.roster import read_kept, write_private
from schemas.project import Project

FOLDER = "private/pushed"


@dataclass
class Standing:
    """The tasks of a project on the server, by key: number and how many annotations each has.

    Tasks without a key are of somebody else, and left alone.
    """

    tasks: dict[str, list[tuple[int, int]]] = field(default_factory=dict)

    @classmethod
    def of(cls, client: Client, project: int) -> Standing:
        """Look at the server; an empty project is not listed."""
        found = cls()
        if client.project(project)["task_number"]:
            for task in client.tasks(project):
                key = task["data"].get("key")
                rated = int(task["total_annotations"]) + int(task["cancelled_annotations"])
                if isinstance(key, str):
                    found.tasks.setdefault(key, []).append((int(task["id"]), rated))
        return found


class Receipts:
    """What stood in the projects of the server when the last push to each ended; a file a project."""

    def __init__(self, project: Project) -> None:
        self._project = project

    def keys(self, client: Client, number: int) -> frozenset[str] | None:
        """Return the keys of the tasks that stand in a project; None when something changed there since."""
        path = self._path(client, number)
        if not path.exists():
            return None
        known = read_kept(path)
        same = _mark(client, number) == [known["total"], known["newest"]]
        return frozenset(known["keys"]) if same else None

    def note(self, client: Client, number: int, keys: Collection[str]) -> bool:
        """Note what stands in a project now; return False, and note nothing, where other tasks do."""
        total, newest = _mark(client, number)
        path = self._path(client, number)
        if total != len(keys):
            path.unlink(missing_ok=True)
            return False
        known = {"total": total, "newest": newest, "keys": sorted(keys)}
        write_private(path, json.dumps(known, ensure_ascii=False, separators=(",", ":")) + "\n")
        return True

    def _path(self, client: Client, number: int) -> Path:
        return self._project.path(f"{FOLDER}/{quote(client.name, safe='')}-{number}.json")


def _mark(client: Client, number: int) -> list[object]:
    """Return how many tasks a project has, and the newest one: numbers are used again, moments are not."""
    total, task = client.end(number, newest=True)
    return [total, None if task is None else [task["id"], task["created_at"]]]
