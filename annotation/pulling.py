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
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from annotation.client import OWN, Client, Json
from annotation.exported_files import read_export
from annotation.fetching import About, Place, fetched
from annotation.installation import Tell, silent
from annotation.pulled import (
    FOLDER,
    Index,
    Known,
    News,
    moment,
    name_of,
    read_index,
    read_journal,
    record,
    write_journal,
)
from annotation.pulled_table import COMMAND, Reader, is_stale, made_from, write_ratings
from annotation.roster import Accounts, read_accounts
from annotation.rounds import REPEAT, Round, read_rounds
from annotation.server import clear_exports
from annotation.server_faults import PASSING
from annotation.taking_turns import pulls_alone
from schemas.errors import InputError, Issue, ProjectBusy
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
        returned: Annotations that stand there again: its database was restored.
        kept: Annotations whose task or project was deleted there; they still count.
        skipped: Tasks that count as skipped, of all that is known.
        drafts: Tasks with a draft, which is not pulled.
        strangers: Annotations made in a rater's project by somebody else.
        edited: Annotations whose latest version was made by somebody else.
        fast: Utterances answered faster than anybody can.
        quarantined: Results that could not be taken, in this pull.
        faults: What does not fit the schema in the table that was written.
        rows: Rows of the table.
        aside: Where a table was put of which the journal lacks ratings: a backup was restored.
        wrote: Whether anything was written.
    """

    new: int = 0
    changed: int = 0
    withdrawn: int = 0
    returned: int = 0
    kept: int = 0
    skipped: int = 0
    drafts: int = 0
    strangers: int = 0
    edited: int = 0
    fast: int = 0
    quarantined: int = 0
    faults: list[Issue] = field(default_factory=list)
    rows: int = 0
    aside: str | None = None
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
    # Of two at once, the one that ends later would not know what the other has found.
    with pulls_alone(project, tell):
        return _pull(project, files, client, tell)


@_no_search_for_cycles()
def _pull(project: Project, files: Sequence[Path], client: Client | None, tell: Tell) -> Pulled:
    rounds = read_rounds(project)
    if not rounds:
        raise InputError("no round was set up; 'annotation setup --round NAME' makes one")
    project.path(FOLDER).mkdir(mode=0o700, parents=True, exist_ok=True)
    index, accounts = read_index(project), read_accounts(project)
    before = json.dumps([index.seen, index.surplus, index.drafts], sort_keys=True)
    depends_on = made_from(project)
    stale = is_stale(project, rounds, index, depends_on)
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
        places = [Place(one.name, owner, number) for one in here for owner, number in one.projects.items()]
        for some in fetched(client, places, index, tell):
            if some.tasks is None:
                intake.end(client, some.place, some.about)
            else:
                intake.tasks(some.place, some.tasks)
        if client.name == OWN:
            clear_exports(project)
    found, news = intake.found, intake.news
    if news.count or found.withdrawn or found.returned or found.kept or stale:
        written = write_ratings(project, reader, index, news, rebuild=stale)
        found.rows, found.wrote = written.rows, True
        found.quarantined, found.faults = written.quarantined, written.faults
        found.aside = written.aside
    elif before != json.dumps([index.seen, index.surplus, index.drafts], sort_keys=True):
        with project.writing(COMMAND) as staging:
            write_journal(staging, index, news)
    _count(index, accounts, found)
    return found


def watch(project: Project, *, every: float, after: Callable[[Pulled], None], tell: Tell = silent) -> None:
    """Pull again and again until Ctrl-C; failures that pass (of the server, or a busy project) do not end it.

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
            except (*PASSING, ProjectBusy) as fault:
                tell(f"{fault}; trying again in {every:.0f} s")
            time.sleep(every)
    except KeyboardInterrupt:
        tell("the watch has ended")


class _Intake:
    """Takes exported annotations: into the index, the journal and the rows; counts what it finds.

    Attributes:
        news: What the journal lacks.
        found: What was found.
    """

    def __init__(self, index: Index, reader: Reader) -> None:
        self.news, self.found = News(), Pulled()
        self._index, self._reader = index, reader
        self._begin()

    def _begin(self) -> None:
        """Forget the tasks of the project before."""
        self._before = self.news.count
        self._exported: set[str] = set()
        self._standing: set[tuple[int, str]] = set()
        self._changed: dict[str, str] = {}

    def tasks(self, place: Place, tasks: Iterable[Json]) -> None:
        """Take some tasks of a project."""
        for task in tasks:
            stands = _task(task)
            self._standing.add(stands)
            self._exported.update(map(name_of, task["annotations"]))
            self._changed[str(task["id"])] = moment(task["updated_at"])
            for annotation in task["annotations"]:
                self.annotation(task, annotation, place.round, place.owner)
                known = self._index.annotations[name_of(annotation)]
                # A restored backup brings back what was gone.
                self.found.returned += known.gone == "annotation"
                known.gone, known.task = "", stands

    def end(self, client: Client, place: Place, about: About) -> None:
        """Settle a project; export all of it when the numbers of annotations do not add up."""
        index, whole = self._index, about.whole
        if about.counted is None:
            self._gone(place)
            return
        surplus = about.counted - len(index.standing(place.round, place.owner))
        if not whole and surplus != index.surplus.get(place.slot, 0):
            whole = True
            for tasks in client.pages(place.number):
                self.tasks(place, tasks)
        if whole:
            self._gone(place)
            index.surplus[place.slot] = about.counted - len(index.standing(place.round, place.owner))
        if whole or self.news.count > self._before:
            seen = moment((about.began - _OVERLAP).isoformat())
            known = index.recent.get(place.slot, {}) | self._changed
            index.seen[place.slot] = seen
            index.recent[place.slot] = {
                number: changed for number, changed in known.items() if changed > seen
            }
        index.drafts[place.slot] = about.drafts
        self._begin()

    def annotation(self, task: Json, annotation: Json, round_: str, owner: str) -> None:
        """Take an annotation of an exported task, unless this version of it is known.

        Whether it stands on the server is not said by that: a file may be older than a deletion.
        """
        name, index = name_of(annotation), self._index
        user = _user(annotation.get("completed_by"))
        version = (moment(annotation["updated_at"]), annotation.get("was_cancelled") is True)
        known = index.annotations.get(name)
        if known is None:
            known = index.annotations[name] = Known(
                round_, owner, user, str(task["data"].get("key")), _task(task)
            )
            self.found.new += 1
        elif version[0] in {made for made, _ in known.versions}:
            return
        else:
            self.found.changed += 1
        known.versions = sorted([*known.versions, version])
        if version == known.versions[-1]:
            known.edited = _user(annotation.get("updated_by"), user) != user
        one = record(known, annotation, task["data"])
        self.news.add(one)
        self._reader.read(one)

    def _gone(self, place: Place) -> None:
        """Mark what no longer stands on the server: single annotations, or whole tasks with theirs."""
        for name, known in self._index.standing(place.round, place.owner).items():
            if name not in self._exported:
                known.gone = "annotation" if known.task in self._standing else "task"
                self.found.withdrawn += known.gone == "annotation"
                self.found.kept += known.gone == "task"


def _task(task: Json) -> tuple[int, str]:
    """Return by what a task is known: its number and when it was made, since numbers are used again."""
    return int(task["id"]), moment(task["created_at"])


def _user(value: object, default: int = -1) -> int:
    if isinstance(value, Mapping):
        value = value.get("id")
    return value if isinstance(value, int) else default


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
            tasks = read_export(path)
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
            found.fast += len(one.fast)
            found.strangers += (one.owner, one.user) not in own
    found.drafts = sum(index.drafts.values())
