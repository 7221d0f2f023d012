"""Pulling ratings: incremental, lossless, idempotent; from a server or from exported files.

What the server gives goes into the journal as it is (`annotation.pulled`); `annotation.pulled_table` derives
the table of ratings from it. A rating that somebody deleted on the server is withdrawn: it stays, superseded.
Where a whole task or project is gone, its ratings stay as they were.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from annotation.client import PASSING, Client, Json, NotFound
from annotation.installation import Tell
from annotation.pulled import Index, Known, moment, name_of, read_index, record, slot, write_journal
from annotation.pulled_table import COMMAND, TABLE, Reader, made_from, write_ratings
from annotation.roster import Accounts, read_accounts
from annotation.rounds import REPEAT, Round, read_rounds
from annotation.workflow import silent
from schemas.errors import InputError, Issue
from schemas.project import Project

_OVERLAP = timedelta(seconds=10)
"""A change may become visible this much after its own time, while it is being written."""


@dataclass
class Pulled:
    """What a pull found.

    Attributes:
        new: Annotations that were not known.
        changed: New versions of known ones.
        withdrawn: Annotations that were deleted on the server.
        kept: Annotations whose task or project was deleted there; they still count.
        skipped: Tasks that count as skipped, of all that is known.
        drafts: Tasks with a draft, which is not pulled.
        strangers: Annotations made in a rater's project by somebody else.
        edited: Annotations whose latest version was made by somebody else.
        fast: Utterances answered faster than anybody can.
        quarantined: Results that could not be taken, in this pull.
        faults: What does not fit the schema in the table that was written.
        rows: Rows of the table.
        wrote: Whether anything was written.
    """

    new: int = 0
    changed: int = 0
    withdrawn: int = 0
    kept: int = 0
    skipped: int = 0
    drafts: int = 0
    strangers: int = 0
    edited: int = 0
    fast: int = 0
    quarantined: int = 0
    faults: list[Issue] = field(default_factory=list)
    rows: int = 0
    wrote: bool = False


def pull(
    project: Project,
    files: Sequence[Path] = (),
    *,
    client: Client | None = None,
    tell: Tell = silent,
) -> Pulled:
    """Pull what is new.

    Args:
        project: The project.
        files: Exported JSON files to read instead of a server.
        client: The server; None for the one the project works with.
        tell: Gets a line for each step.

    Returns:
        What was found. Nothing is written when nothing changed.

    Raises:
        InputError: No round was set up, a file is no export, or the server fails; nothing is written then.
    """
    rounds = read_rounds(project)
    if not rounds:
        raise InputError("no round was set up; 'annotation setup --round NAME' makes one")
    index, accounts, found = read_index(project), read_accounts(project), Pulled()
    before = json.dumps([index.seen, index.surplus, index.drafts], sort_keys=True)
    depends_on = made_from(project)
    stale = bool(index.annotations) and (not project.has(TABLE) or index.made_from != depends_on)
    index.made_from = depends_on
    news: list[Json] = []
    reader = Reader(project, rounds, accounts, index)
    if files:
        _from_files(files, rounds, accounts, index, news, found)
        for one in news:
            reader.read(one)
    else:
        client = client or Client.of(project)
        here = [one for one in rounds if one.server == client.name]
        if not here:
            raise InputError(Issue("no round was set up on this server", client.url))
        places = [(one.name, owner, number) for one in here for owner, number in one.projects.items()]
        for (name, owner, number), fetched in _fetched(client, places, index):
            tell(f"pulling {name} · {owner}")
            known = len(news)
            _absorb(client, name, owner, number, fetched, index, news, found)
            for record_ in news[known:]:
                reader.read(record_)
    if news or found.withdrawn or found.kept or stale:
        written = write_ratings(project, reader, index, news, rebuild=stale)
        found.rows, found.wrote = written.rows, True
        found.quarantined, found.faults = written.quarantined, written.faults
    elif before != json.dumps([index.seen, index.surplus, index.drafts], sort_keys=True):
        with project.writing(COMMAND) as staging:
            write_journal(staging, index, [])
    _count(index, accounts, found)
    return found


def watch(project: Project, *, every: float, after: Callable[[Pulled], None], tell: Tell = silent) -> None:
    """Pull again and again until Ctrl-C; a server that fails in passing is tried again.

    Args:
        project: The project.
        every: Seconds between pulls.
        after: Is called after each pull.
        tell: Gets a line for each step.
    """
    client = Client.of(project)
    try:
        while True:
            try:
                after(pull(project, client=client))
            except PASSING as fault:
                tell(f"{fault}; trying again in {every:.0f} s")
            time.sleep(every)
    except KeyboardInterrupt:
        tell("the watch has ended")


# -- from a server ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Fetched:
    """What was fetched of one project.

    Attributes:
        began: The server's time before.
        counted: Annotations that the server counts; None when it has no such project.
        drafts: Tasks with a draft.
        whole: Whether all tasks were exported, or those alone that changed.
        tasks: The exported tasks.
    """

    began: datetime
    counted: int | None
    drafts: int
    whole: bool
    tasks: list[Json]


def _fetched(
    client: Client, places: Sequence[tuple[str, str, int]], index: Index
) -> Iterator[tuple[tuple[str, str, int], _Fetched]]:
    """Fetch project after project; while one is read, the server works on the next."""

    def fetch(place: tuple[str, str, int]) -> _Fetched:
        return _fetch(client, place[2], index.seen.get(slot(place[0], place[1])))

    with ThreadPoolExecutor(1) as ahead:
        waiting = [ahead.submit(fetch, place) for place in places]
        try:
            for place, one in zip(places, waiting, strict=True):
                yield place, one.result()
        finally:
            for one in waiting:
                one.cancel()


def _fetch(client: Client, number: int, seen: str | None) -> _Fetched:
    try:
        about = client.project(number)
    except NotFound:
        return _Fetched(client.date, None, 0, True, [])
    began = client.date
    counted = int(about["useful_annotation_number"] or 0) + int(about["skipped_annotations_number"] or 0)
    if seen is None:
        tasks = client.export(number) if about["task_number"] else []
    else:
        changed = client.tasks(number, datetime.fromisoformat(seen))
        tasks = client.export(number, [int(one["id"]) for one in changed]) if changed else []
    return _Fetched(began, counted, client.drafts(number), seen is None, tasks)


def _absorb(
    client: Client,
    round_: str,
    owner: str,
    number: int,
    fetched: _Fetched,
    index: Index,
    news: list[Json],
    found: Pulled,
) -> None:
    """Take what is new in one project; export all of it when the numbers of annotations do not add up."""
    name, before = slot(round_, owner), len(news)
    if fetched.counted is None:
        _mark_gone(index.standing(round_, owner), [], found)
        return
    tasks, whole = fetched.tasks, fetched.whole
    for task in tasks:
        _take(task, round_, owner, index, news, found)
    if not whole and fetched.counted - len(index.standing(round_, owner)) != index.surplus.get(name, 0):
        tasks, whole = client.export(number), True
        for task in tasks:
            _take(task, round_, owner, index, news, found)
    if whole:
        _mark_gone(index.standing(round_, owner), tasks, found)
        index.surplus[name] = fetched.counted - len(index.standing(round_, owner))
    if whole or len(news) > before:
        index.seen[name] = moment((fetched.began - _OVERLAP).isoformat())
    index.drafts[name] = fetched.drafts


def _take(
    task: Mapping[str, Any], round_: str, owner: str, index: Index, news: list[Json], found: Pulled
) -> None:
    """Take the annotations of an exported task that are not known."""
    key = task["data"].get("key")
    place = (int(task["id"]), moment(task["created_at"]))
    for annotation in task.get("annotations") or ():
        name = name_of(annotation)
        user = _user(annotation.get("completed_by"))
        version = (moment(annotation["updated_at"]), annotation.get("was_cancelled") is True)
        known = index.annotations.get(name)
        if known is None:
            known = index.annotations[name] = Known(round_, owner, user, str(key), place)
            found.new += 1
        elif version[0] in {made for made, _ in known.versions}:
            # A restored backup brings back what was gone.
            known.gone, known.task = "", place
            continue
        else:
            found.changed += 1
        known.gone = ""
        known.versions = sorted([*known.versions, version])
        if version == known.versions[-1]:
            known.edited = _user(annotation.get("updated_by"), user) != user
        news.append(record(known, annotation, task["data"]))


def _user(value: object, default: int = -1) -> int:
    if isinstance(value, Mapping):
        value = value.get("id")
    return value if isinstance(value, int) else default


def _mark_gone(standing: Mapping[str, Known], tasks: Iterable[Mapping[str, Any]], found: Pulled) -> None:
    """Mark what no longer stands on the server: single annotations, or whole tasks with theirs."""
    exported, places = set(), set()
    for task in tasks:
        place = (int(task["id"]), moment(task["created_at"]))
        places.add(place)
        for one in task["annotations"]:
            exported.add(name_of(one))
    for name, known in standing.items():
        if name not in exported:
            known.gone = "annotation" if known.task in places else "task"
            found.withdrawn += known.gone == "annotation"
            found.kept += known.gone == "task"


# -- from files ---------------------------------------------------------------------------------------------


def _from_files(
    files: Sequence[Path],
    rounds: Sequence[Round],
    accounts: Accounts,
    index: Index,
    news: list[Json],
    found: Pulled,
) -> None:
    """Take what exported JSON files hold; what they lack says nothing about the server."""
    names = {one.name: one for one in rounds}
    issues = []
    for path in files:
        tasks = _exported(path)
        for place, task in enumerate(tasks, 1):
            name = str(task["data"].get("round") or "").removesuffix(REPEAT)
            if name not in names:
                message = "this task is of no round of the project"
                issues.append(Issue(message, str(path), row=place, value=name or None, choices=list(names)))
                continue
            one = names[name]
            owner = {number: rater for rater, number in one.projects.items()}.get(task.get("project", -1))
            users = accounts.pseudonym_of_user(one.server)
            for annotation in task["annotations"]:
                who = owner or users.get(_user(annotation.get("completed_by")), "")
                _take({**task, "annotations": [annotation]}, name, who, index, news, found)
    if issues:
        raise InputError(issues)


def _exported(path: Path) -> list[Json]:
    try:
        tasks = json.loads(path.read_text("utf-8-sig"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise InputError(Issue(f"this is not a JSON file: {error}", str(path))) from None
    shape = isinstance(tasks, list) and all(
        isinstance(one, dict)
        and isinstance(one.get("data"), dict)
        and isinstance(one.get("annotations"), list)
        and all(isinstance(each, dict) and "updated_at" in each for each in one["annotations"])
        and {"id", "created_at"} <= one.keys()
        for one in tasks
    )
    if not shape:
        message = "this is not Label Studio's export 'JSON' (JSON-MIN drops ratings and cannot be read)"
        raise InputError(Issue(message, str(path)))
    return list(tasks)


def _count(index: Index, accounts: Accounts, found: Pulled) -> None:
    """Fill in what is counted over all that is known."""
    latest = index.latest()
    own = {
        (pseudonym, user)
        for server in accounts.servers
        for user, pseudonym in accounts.pseudonym_of_user(server).items()
    }
    for name, one in index.annotations.items():
        if name in latest:
            found.skipped += one.versions[-1][1]
            found.edited += one.edited
            found.fast += one.fast
            found.strangers += (one.owner, one.user) not in own
    found.drafts = sum(index.drafts.values())
