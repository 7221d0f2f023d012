"""The daily load cap: a rater's project never holds more than one day's work.

The open-source edition of Label Studio cannot stop a rater who has tasks. So tasks are released in portions:
what a rater has open and what they have done today never add up to more than the limit. Whoever has done a
day's work meets Label Studio's page that says that there are no more tasks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, tzinfo
from typing import TypeVar

from annotation.client import Json

Make = TypeVar("Make", bound=Callable[[], Json])


def midnight(now: datetime, zone: tzinfo) -> datetime:
    """Return when the day of a moment began, in a time zone."""
    return now.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)


def portion(
    wanted: Mapping[str, Make],
    tasks: Sequence[Json],
    rated: frozenset[str],
    limit: int,
    since: datetime,
) -> dict[str, Make]:
    """Return the tasks that may stand in a rater's project today; the rest waits for another day.

    A task that alone is larger than the limit (a long dialogue) is a day's work.

    Args:
        wanted: How to make each task of the rater, by key, in order.
        tasks: The tasks on the server. A rated one that changed today counts as today's work.
        rated: Keys whose ratings were pulled; they are not pushed again.
        limit: The most utterances of a day.
        since: When the day began.
    """
    left, standing = limit, set()
    for task in tasks:
        standing.add(task["data"].get("key"))
        is_open = not int(task["total_annotations"]) + int(task["cancelled_annotations"])
        if is_open or datetime.fromisoformat(task["updated_at"]) >= since:
            left -= _utterances(task)
    found: dict[str, Make] = {}
    for key, make in wanted.items():
        if key in standing or key in rated:
            found[key] = make
        elif left > 0:
            size = _utterances(make())
            fits = size <= left or left == limit
            left = left - size if fits else 0
            if fits:
                found[key] = make
    return found


def _utterances(task: Json) -> int:
    return len(task["data"].get("turns", ("one",)))
