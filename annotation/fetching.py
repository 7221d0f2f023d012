"""Fetching exported tasks from the server, some at a time; while some are read, the server makes the next."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from annotation.ahead import ahead
from annotation.client import Client, Json
from annotation.installation import Tell
from annotation.pulled import Index, moment, slot
from annotation.server_faults import NotFound


@dataclass(frozen=True)
class Place:
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
        """Its name in the index."""
        return slot(self.round, self.owner)


@dataclass(frozen=True)
class About:
    """What the server says of a project before its tasks are exported.

    Attributes:
        began: The server's time before.
        counted: Annotations that the server counts; None when it has no such project.
        drafts: Tasks with a draft.
        whole: Whether all tasks are exported, or those alone that changed.
    """

    began: datetime
    counted: int | None
    drafts: int
    whole: bool


@dataclass(frozen=True)
class Fetched:
    """Some exported tasks of a project; None says that those were all."""

    place: Place
    about: About
    tasks: list[Json] | None


def fetched(client: Client, places: Sequence[Place], index: Index, tell: Tell) -> Iterator[Fetched]:
    """Fetch project after project.

    Args:
        client: The server.
        places: The projects.
        index: What is known; of each project, it may be changed once all of the project was given.
        tell: Gets a line for each project.
    """
    return ahead(_fetched(client, places, index, tell))


def _fetched(client: Client, places: Sequence[Place], index: Index, tell: Tell) -> Iterator[Fetched]:
    for place in places:
        tell(f"pulling {place.round} · {place.owner}")
        seen = index.seen.get(place.slot)
        try:
            about = client.project(place.number)
        except NotFound:
            yield Fetched(place, About(client.date, None, 0, True), None)
            continue
        began = client.date
        counted = int(about["useful_annotation_number"] or 0) + int(about["skipped_annotations_number"] or 0)
        said = About(began, counted, client.drafts(place.number), seen is None)
        numbers: list[int] | None = None
        if seen is not None:
            recent = index.recent.get(place.slot, {})
            changed = client.tasks(place.number, datetime.fromisoformat(seen))
            numbers = [
                int(one["id"]) for one in changed if moment(one["updated_at"]) != recent.get(str(one["id"]))
            ]
        for tasks in client.pages(place.number, numbers):
            yield Fetched(place, said, tasks)
        yield Fetched(place, said, None)
