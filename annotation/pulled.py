"""Everything that was ever pulled: a journal of annotations as the server gave them, and an index of it.

The journal is only added to: each pull that finds something new writes one more file to ``private/pulled/``.
It holds every version of every annotation that was seen, with the numbers of accounts, so it is private. The
index says what is known of each annotation, so that a pull that finds nothing new need not read the journal.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from annotation.roster import read_kept
from schemas.errors import InputError, Issue
from schemas.project import Project

FOLDER = "private/pulled"
INDEX = f"{FOLDER}/index.json"

PREDICTION_SHOWN = "prediction_shown"
"""Where a task says which model's prediction it was pushed with; in a dialogue, of each turn."""

Json = dict[str, Any]

_SHOWN_ONLY = ("context", "transcript", "text", "media", "fps")
"""Parts of a task's data that only its page needs."""


@dataclass
class Known:
    """What is known of one annotation.

    Attributes:
        round: Name of the round in whose project it was made.
        owner: Pseudonym of the rater whose project it is.
        user: The server's number of whoever made it.
        key: Key of its task.
        task: Number of its task on the server, and when that was made: numbers are used again.
        versions: Of every version seen, oldest first: when it was made, and whether the task was skipped.
        edited: Whether its latest version was made by somebody else.
        fast: The utterances that it answers faster than anybody can.
        plain: Utterances that it answers with the key of the plain case.
        gone: Empty while it stands on the server; ``annotation`` when it was deleted there; ``task`` when
            its whole task was.
    """

    round: str
    owner: str
    user: int
    key: str
    task: tuple[int, str]
    versions: list[tuple[str, bool]] = field(default_factory=list)
    edited: bool = False
    fast: list[str] = field(default_factory=list)
    plain: int = 0
    gone: str = ""


@dataclass
class Index:
    """What is known of all annotations.

    Attributes:
        files: How many files the journal has.
        made_from: What the table of ratings was made from besides the journal.
        tables: SHA-256 of the files of the tables derived from the journal, by path; a restored backup, of
            this folder or of theirs, shows in it.
        seen: Of each project (``ROUND|RATER``): the moment up to which all changes were seen.
        recent: Of each project: when the tasks that changed after that moment, and were seen, had changed.
        surplus: Of each project: annotations that the server counts and does not export.
        drafts: Of each project: tasks with a draft.
        annotations: The annotations by their unique id.
    """

    files: int = 0
    made_from: str = ""
    tables: dict[str, str] = field(default_factory=dict)
    seen: dict[str, str] = field(default_factory=dict)
    recent: dict[str, dict[str, str]] = field(default_factory=dict)
    surplus: dict[str, int] = field(default_factory=dict)
    drafts: dict[str, int] = field(default_factory=dict)
    annotations: dict[str, Known] = field(default_factory=dict)

    def standing(self, round_: str, owner: str) -> dict[str, Known]:
        """Return the annotations of a project that stand on the server, as far as is known."""
        return {
            name: one
            for name, one in self.annotations.items()
            if one.round == round_ and one.owner == owner and not one.gone
        }

    def latest(self) -> set[str]:
        """Return the annotations that count: of each person and task the one that was changed last."""
        best: dict[tuple[int, str, str], tuple[str, str]] = {}
        for name, one in self.annotations.items():
            if one.gone == "annotation":
                continue
            place = (one.user, one.round, one.key)
            best[place] = max(best.get(place, ("", "")), (one.versions[-1][0], name))
        return {name for _, name in best.values()}


def name_of(annotation: Mapping[str, Any]) -> str:
    """Return by what an annotation is known: its unique id, since other numbers are used again."""
    return str(annotation.get("unique_id") or annotation["id"])


def moment(text: str) -> str:
    """Write a moment so that texts sort as moments do."""
    return datetime.fromisoformat(text).astimezone(UTC).isoformat(timespec="microseconds")


def prediction_shown(data: Mapping[str, Any], utterance: str) -> str | None:
    """Return which model's prediction of an utterance its task was pushed with; None for none."""
    shown = data.get(PREDICTION_SHOWN)
    found = shown.get(utterance) if isinstance(shown, Mapping) else shown
    return found if isinstance(found, str) else None


def slot(round_: str, owner: str) -> str:
    """Return the name of a rater's project in the index."""
    return f"{round_}|{owner}"


def read_index(project: Project) -> Index:
    """Read the index; it is empty before the first pull."""
    path = project.path(INDEX)
    if not path.exists():
        return Index()
    known = read_kept(path)
    annotations = {
        name: Known(**{**one, "task": tuple(one["task"]), "versions": [tuple(v) for v in one["versions"]]})
        for name, one in known.pop("annotations").items()
    }
    return Index(**known, annotations=annotations)


def answered_keys(index: Index, round_: str, owner: str, *, skipped: bool) -> frozenset[str]:
    """Return the keys of the tasks of a rater whose ratings were pulled, by whomever, and count.

    Args:
        index: What was pulled.
        round_: The round.
        owner: The rater.
        skipped: Whether tasks that were skipped count too.
    """
    return frozenset(
        one.key
        for one in index.annotations.values()
        if one.round == round_
        and one.owner == owner
        and one.gone != "annotation"
        and (skipped or not one.versions[-1][1])
    )


def record(known: Known, annotation: Mapping[str, Any], data: Mapping[str, Any]) -> Json:
    """Return what the journal keeps of one version of an annotation."""
    kept = {
        name: value
        for name, value in data.items()
        if name not in _SHOWN_ONLY and not (name.startswith("turn_") and name[5:].isdigit())
    }
    place = {"round": known.round, "owner": known.owner, "user": known.user, "task": known.task}
    return {**place, "data": kept, "annotation": dict(annotation)}


class News:
    """Versions of annotations that the journal lacks, packed as they come: unpacked, many fill the memory."""

    def __init__(self) -> None:
        self.count = 0
        self._packed = io.BytesIO()
        packing = gzip.GzipFile(fileobj=self._packed, mode="wb", compresslevel=3, mtime=0)
        self._file = io.BufferedWriter(packing, 1 << 20)

    def add(self, one: Json) -> None:
        """Add a version of an annotation, as `record` returns it."""
        self.count += 1
        self._file.write(json.dumps(one, separators=(",", ":")).encode() + b"\n")

    def packed(self) -> bytes:
        """Return the file of the journal that holds them; nothing can be added any more."""
        self._file.close()
        return self._packed.getvalue()


def digest(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_journal(staging: Path, index: Index, news: News) -> None:
    """Add news to the journal and write the index, in a project's staging folder."""
    (staging / FOLDER).mkdir(mode=0o700, parents=True, exist_ok=True)
    if news.count:
        index.files += 1
        path = staging / FOLDER / f"{index.files:06d}.jsonl.gz"
        path.write_bytes(news.packed())
        path.chmod(0o600)
    path = staging / INDEX
    known = {name: vars(one) for name, one in index.annotations.items()}
    path.write_text(json.dumps({**vars(index), "annotations": known}, separators=(",", ":")), "utf-8")
    path.chmod(0o600)


def read_journal(project: Project) -> Iterator[Json]:
    """Yield every version of every annotation that was ever pulled, in the order of the pulls.

    Raises:
        InputError: A file of the journal is damaged.
    """
    for path in sorted(project.path(FOLDER).glob("*.jsonl.gz")):
        try:
            with gzip.open(path, "rt", encoding="utf-8") as lines:
                for line in lines:
                    yield json.loads(line)
        except (gzip.BadGzipFile, EOFError, zlib.error, ValueError) as error:
            message = f"this file is damaged ({error}); put it back from a backup of private/"
            raise InputError(Issue(message, str(path))) from None
