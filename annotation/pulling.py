"""Pulling ratings: incremental, lossless, idempotent; from a server or from exported files.

What the server gives goes into the journal as it is (`annotation.pulled`); `annotation.pulled_table` derives
the table of ratings from it. A rating that somebody deleted on the server is withdrawn: it stays, superseded.
Where a whole task or project is gone, its ratings stay as they were.
"""

from __future__ import annotations

import gc
import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from annotation.client import PASSING, Client, Json, NotFound
from annotation.installation import Tell
from annotation.pulled import (
    Index,
    Known,
    News,
    moment,
    name_of,
    read_index,
    read_journal,
    record,
    slot,
    write_journal,
)
from annotation.pulled_table import COMMAND, Reader, made_from, tables, write_ratings
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


@contextmanager
def _no_search_for_cycles() -> Iterator[None]:
    """Hold Python's collector of reference cycles back.

    It looks at millions of objects of an export again and again, longer than all else takes; they have no
    cycles.
    """
    before = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if before:
            gc.enable()


@_no_search_for_cycles()
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
    index, accounts = read_index(project), read_accounts(project)
    before = json.dumps([index.seen, index.surplus, index.drafts], sort_keys=True)
    depends_on = made_from(project)
    lacking = [name for name in tables(rounds) if not project.has(name)]
    stale = bool(index.annotations) and (bool(lacking) or index.made_from != depends_on)
    index.made_from = depends_on
    reader = Reader(project, rounds, accounts, index)
    for one in read_journal(project) if stale else ():
        reader.read(one)
    intake = _Intake(index, reader)
    if files:
        _from_files(files, rounds, accounts, intake)
    else:
        client = client or Client.of(project)
        here = [one for one in rounds if one.server == client.name]
        if not here:
            raise InputError(Issue("no round was set up on this server", client.url))
        places = [_Place(one.name, owner, number) for one in here for owner, number in one.projects.items()]
        for place, fetched in _fetched(client, places, index, tell):
            intake.project(client, place, fetched)
    found, news = intake.found, intake.news
    if news.count or found.withdrawn or found.kept or stale:
        written = write_ratings(project, reader, index, news, rebuild=stale)
        found.rows, found.wrote = written.rows, True
        found.quarantined, found.faults = written.quarantined, written.faults
    elif before != json.dumps([index.seen, index.surplus, index.drafts], sort_keys=True):
        with project.writing(COMMAND) as staging:
            write_journal(staging, index, news)
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
class _Place:
    """A rater's project on the server.

    Attributes:
        round: Name of the round.
        owner: Pseudonym of the rater.
        number: Number of the project.
    """

    round: str
    owner: str
    number: int

    @property
    def slot(self) -> str:
        return slot(self.round, self.owner)


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
    client: Client, places: Sequence[_Place], index: Index, tell: Tell
) -> Iterator[tuple[_Place, _Fetched]]:
    """Fetch project after project; while one is read, the server works on the next, and on no more."""

    def fetch(place: _Place) -> _Fetched:
        seen, recent = index.seen.get(place.slot), index.recent.get(place.slot, {})
        return _fetch(client, place.number, seen, recent)

    coming = iter(places)
    with ThreadPoolExecutor(1) as ahead:

        def begin() -> tuple[_Place, Future[_Fetched]] | None:
            place = next(coming, None)
            if place is None:
                return None
            tell(f"pulling {place.round} · {place.owner}")
            return place, ahead.submit(fetch, place)

        waiting = begin()
        while waiting is not None:
            place, fetching = waiting
            fetched = fetching.result()
            waiting = begin()
            yield place, fetched


def _fetch(client: Client, number: int, seen: str | None, recent: Mapping[str, str]) -> _Fetched:
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
        numbers = [
            int(one["id"]) for one in changed if moment(one["updated_at"]) != recent.get(str(one["id"]))
        ]
        tasks = client.export(number, numbers) if numbers else []
    return _Fetched(began, counted, client.drafts(number), seen is None, tasks)


class _Intake:
    """Takes exported annotations: into the index, the journal and the rows; counts what it finds.

    Attributes:
        news: What the journal lacks.
        found: What was found.
    """

    def __init__(self, index: Index, reader: Reader) -> None:
        self.news, self.found = News(), Pulled()
        self._index, self._reader = index, reader

    def project(self, client: Client, place: _Place, fetched: _Fetched) -> None:
        """Take what is new in a project; export all of it when the numbers of annotations do not add up."""
        index, before = self._index, self.news.count
        if fetched.counted is None:
            self._gone(place, [])
            return
        tasks, whole = fetched.tasks, fetched.whole
        self._tasks(place, tasks)
        surplus = fetched.counted - len(index.standing(place.round, place.owner))
        if not whole and surplus != index.surplus.get(place.slot, 0):
            tasks, whole = client.export(place.number), True
            self._tasks(place, tasks)
        if whole:
            self._gone(place, tasks)
            index.surplus[place.slot] = fetched.counted - len(index.standing(place.round, place.owner))
        if whole or self.news.count > before:
            seen = moment((fetched.began - _OVERLAP).isoformat())
            known = index.recent.get(place.slot, {})
            known |= {str(task["id"]): moment(task["updated_at"]) for task in tasks}
            index.seen[place.slot] = seen
            index.recent[place.slot] = {
                number: changed for number, changed in known.items() if changed > seen
            }
        index.drafts[place.slot] = fetched.drafts

    def _tasks(self, place: _Place, tasks: Iterable[Json]) -> None:
        for task in tasks:
            for annotation in task.get("annotations") or ():
                self.annotation(task, annotation, place.round, place.owner)

    def annotation(self, task: Json, annotation: Json, round_: str, owner: str) -> None:
        """Take an annotation of an exported task, unless this version of it is known."""
        name, index = name_of(annotation), self._index
        user = _user(annotation.get("completed_by"))
        stands = (int(task["id"]), moment(task["created_at"]))
        version = (moment(annotation["updated_at"]), annotation.get("was_cancelled") is True)
        known = index.annotations.get(name)
        if known is None:
            known = index.annotations[name] = Known(round_, owner, user, str(task["data"].get("key")), stands)
            self.found.new += 1
        elif version[0] in {made for made, _ in known.versions}:
            # A restored backup brings back what was gone.
            known.gone, known.task = "", stands
            return
        else:
            self.found.changed += 1
        known.gone = ""
        known.versions = sorted([*known.versions, version])
        if version == known.versions[-1]:
            known.edited = _user(annotation.get("updated_by"), user) != user
        one = record(known, annotation, task["data"])
        self.news.add(one)
        self._reader.read(one)

    def _gone(self, place: _Place, tasks: Iterable[Json]) -> None:
        """Mark what no longer stands on the server: single annotations, or whole tasks with theirs."""
        exported: set[str] = set()
        standing: set[tuple[int, str]] = set()
        for task in tasks:
            standing.add((int(task["id"]), moment(task["created_at"])))
            exported.update(map(name_of, task["annotations"]))
        for name, known in self._index.standing(place.round, place.owner).items():
            if name not in exported:
                known.gone = "annotation" if known.task in standing else "task"
                self.found.withdrawn += known.gone == "annotation"
                self.found.kept += known.gone == "task"


def _user(value: object, default: int = -1) -> int:
    if isinstance(value, Mapping):
        value = value.get("id")
    return value if isinstance(value, int) else default


# -- from files ---------------------------------------------------------------------------------------------


def _from_files(
    files: Sequence[Path],
    rounds: Sequence[Round],
    accounts: Accounts,
    intake: _Intake,
) -> None:
    """Take what exported JSON files hold; what they lack says nothing about the server."""
    names = {one.name: one for one in rounds}
    issues: list[Issue] = []
    for path in files:
        try:
            tasks = _exported(path)
        except InputError as fault:
            issues += fault.issues
            continue
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
                intake.annotation(task, annotation, name, who)
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
