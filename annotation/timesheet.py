"""Working time of raters: items, active and idle time by day and month, sittings and positions.

The clock of a rating runs backwards from when it was submitted, for the seconds it took. Ratings submitted
together (the utterances of one page) share one submission, and their seconds add up. Time that nothing
accounts for is idle where it is longer than `IDLE`, and then a new *sitting* begins; shorter gaps (the next
page loads, a thought) count as active. A rating of more than `IDLE` seconds was left open: the rest is idle.
No time before the previous submission is counted twice.

An edited rating has a version for each time it was submitted. The seconds of a version include those of all
before it (Label Studio adds them up), so each is charged with what it adds, when it was submitted.

Work counts whatever became of it: skipped and superseded ratings took time too, and so did training.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, tzinfo
from itertools import groupby
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pyarrow as pa
import pyarrow.compute as pc

from annotation.rounds import TRAINING
from schemas.errors import InputError, Issue
from schemas.project import Project
from schemas.records import RatingStatus
from schemas.tables import read_table

COMMAND = "annotation timesheet"
IDLE = 300.0
"""Seconds without any sign of work that are a break."""
COLUMNS = ["annotation_id", "rater", "round", "utterance_id", "status", "created", "updated", "seconds"]
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
HEAD = (
    "rater", "period", "items", "skipped", "sittings", "longest_sitting_items",
    "active_minutes", "idle_minutes", "first", "last",
)  # fmt: skip
WORK_HEAD = (
    "rater", "round", "utterance_id", "skipped", "submitted", "active", "idle", "sitting", "position",
)  # fmt: skip


@dataclass(frozen=True)
class Work:
    """One rating as work.

    Attributes:
        rater: Who.
        round: In which round; None where unknown.
        utterance_id: On which utterance.
        skipped: Whether it was skipped.
        day: The local day on which it was submitted.
        submitted: When, in local time.
        active: Seconds of work on it.
        idle: Seconds of break before or during it, on the same day.
        sitting: Number of the rater's sitting on this day, from 1.
        position: Place of the rating in the sitting, from 1.
    """

    rater: str
    round: str | None
    utterance_id: str
    skipped: bool
    day: date
    submitted: datetime
    active: float
    idle: float
    sitting: int
    position: int


@dataclass(frozen=True)
class Line:
    """A rater's work on one day, or in one month.

    Attributes:
        rater: Who.
        period: The day (``2026-03-05``) or the month (``2026-03``).
        items: Utterances rated, each once.
        skipped: Utterances skipped and not rated in the period.
        sittings: Number of sittings.
        longest_sitting_items: Ratings in the longest of them.
        active_minutes: Minutes of work.
        idle_minutes: Minutes of breaks between the first and the last work of each day; not part of the work.
        first: First submission, local time.
        last: Last submission.
    """

    rater: str
    period: str
    items: int
    skipped: int
    sittings: int
    longest_sitting_items: int
    active_minutes: float
    idle_minutes: float
    first: str
    last: str

    @property
    def is_month(self) -> bool:
        """Whether this adds up a month."""
        return len(self.period) == len("YYYY-MM")


def works(ratings: pa.Table, zone: str = "UTC", idle: float = IDLE) -> list[Work]:
    """Account for the time of every rating, by rater and time.

    Args:
        ratings: The columns `COLUMNS` of all ratings, superseded ones too. Rows without rater or time are
            left out: nobody knows when they were made.
        zone: Time zone whose days are meant, such as ``Asia/Shanghai``.
        idle: Seconds without any sign of work that are a break.

    Raises:
        InputError: There is no such time zone.
    """
    local = time_zone(zone)
    when = pc.coalesce(ratings.column("updated"), ratings.column("created"))
    ratings = ratings.append_column("when", pc.cast(when, pa.int64()))
    ratings = ratings.filter(
        pc.and_(pc.is_valid(ratings.column("rater")), pc.is_valid(ratings.column("when")))
    )
    rows = ratings.sort_by([("rater", "ascending"), ("when", "ascending"), ("utterance_id", "ascending")])
    listed = _added_seconds(rows.select([*COLUMNS, "when"]).to_pylist())
    done: list[Work] = []
    for rater, mine in groupby(listed, key=lambda row: row["rater"]):
        end, day, sitting, position = None, None, 0, 0
        for moment, together in groupby(mine, key=lambda row: row["when"]):
            pages = list(together)
            now = moment / 1000
            time = datetime.fromtimestamp(now, local)
            spent = sum(row["seconds"] or 0.0 for row in pages)
            gap = None
            if end is not None:
                spent = min(spent, now - end)
                gap = now - end - spent if day == time.date() else None
            longest = idle * len(pages)
            active, rest = min(spent, longest), max(spent - longest, 0.0)
            if gap is None or gap > idle:
                sitting, position = (sitting + 1 if day == time.date() else 1), 0
                rest += gap or 0.0
            else:
                active += gap
            end, day = now, time.date()
            for row in pages:
                position += 1
                done.append(
                    Work(
                        rater, row["round"], row["utterance_id"],
                        row["status"] == RatingStatus.SKIPPED, day, time,
                        active / len(pages), rest / len(pages), sitting, position,
                    )
                )  # fmt: skip
    return done


def _added_seconds(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return rows, which stand by time, with the seconds that each version adds to the one before it."""
    before: dict[tuple[str, str | None, str, str], float] = {}
    added = []
    for row in rows:
        version_of = row["annotation_id"].partition("@")[0]
        key = (row["rater"], row["round"], row["utterance_id"], version_of)
        total, known = row["seconds"] or 0.0, before.get(key, 0.0)
        before[key] = max(total, known)
        added.append(row | {"seconds": max(total - known, 0.0)})
    return added


def time_zone(name: str) -> tzinfo:
    """Return a time zone by its name, such as ``Asia/Shanghai``.

    Raises:
        InputError: There is none of this name.
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        message = "there is no such time zone; it is called as in Asia/Shanghai"
        raise InputError(Issue(message, column="zone", value=name)) from None


def timesheet(
    ratings: pa.Table, month: str | None = None, zone: str = "UTC", idle: float = IDLE
) -> list[Line]:
    """Add up the work of each rater by day, with a line a month under its days.

    Args:
        ratings: As `works` takes them.
        month: Which month (``2026-03``); None for all.
        zone: Time zone whose days are meant.
        idle: Seconds without any sign of work that are a break.

    Raises:
        InputError: The month or the time zone is none.
    """
    return add_up(works_in(ratings, month, zone, idle))


def works_in(ratings: pa.Table, month: str | None, zone: str = "UTC", idle: float = IDLE) -> list[Work]:
    """Account for the time of every rating, as `works` does, in one month or (None) in all.

    Raises:
        InputError: The month or the time zone is none.
    """
    if month is not None and not re.fullmatch(r"\d{4}-(0[1-9]|1[0-2])", month):
        raise InputError(Issue("a month is YYYY-MM", column="month", value=month))
    return [one for one in works(ratings, zone, idle) if month in (None, f"{one.day:%Y-%m}")]


def add_up(chosen: Sequence[Work]) -> list[Line]:
    """Add up work, which stands by rater and time, by day, with a line a month under its days."""
    lines = []
    for (rater, period), in_month in groupby(chosen, key=lambda one: (one.rater, f"{one.day:%Y-%m}")):
        of_month = list(in_month)
        for day, of_day in groupby(of_month, key=lambda one: one.day):
            lines.append(_line(rater, day.isoformat(), list(of_day)))
        lines.append(_line(rater, period, of_month))
    return lines


def _line(rater: str, period: str, done: list[Work]) -> Line:
    rated = {one.utterance_id for one in done if not one.skipped}
    sittings: dict[tuple[date, int], int] = {}
    for one in done:
        sittings[one.day, one.sitting] = max(one.position, sittings.get((one.day, one.sitting), 0))
    return Line(
        rater,
        period,
        len(rated),
        len({one.utterance_id for one in done} - rated),
        len(sittings),
        max(sittings.values()),
        round(sum(one.active for one in done) / 60, 1),
        round(sum(one.idle for one in done) / 60, 1),
        f"{done[0].submitted:%Y-%m-%d %H:%M}",
        f"{done[-1].submitted:%Y-%m-%d %H:%M}",
    )


def csv_text(lines: Sequence[Line] | Sequence[Work], head: Sequence[str] = HEAD) -> str:
    """Write the attributes that ``head`` names as CSV that spreadsheet programs open as they stand.

    It starts with a byte order mark, by which Excel knows UTF-8, and a name that would be a formula gets an
    apostrophe in front.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(head)
    for line in lines:
        writer.writerow(_cell(getattr(line, name)) for name in head)
    return "\ufeff" + text.getvalue()


def _cell(cell: object) -> object:
    """Text that no spreadsheet takes for a formula (leading spaces do not protect); seconds in tenths."""
    if isinstance(cell, datetime):
        return f"{cell:%Y-%m-%d %H:%M:%S}"
    if isinstance(cell, float):
        return round(cell, 1)
    if isinstance(cell, str) and cell.lstrip(" \u3000\u00a0").startswith(_FORMULA):
        return "'" + cell
    return cell


def write_timesheet(
    project: Project, month: str | None = None, zone: str = "UTC", idle: float = IDLE
) -> tuple[list[Line], str]:
    """Add up the work of a project's raters and write it as CSV under ``private/``, readable by its owner.

    Beside ``timesheet-MONTH.csv``, ``work-MONTH.csv`` has a line a rating with its sitting and position.

    Returns:
        The lines, and the path of the timesheet in the project.

    Raises:
        InputError: The month or the time zone is none, there are no ratings, or another command is writing.
    """
    files = [*project.annotation_files(), *([TRAINING] if project.has(TRAINING) else [])]
    if not files:
        raise InputError(Issue("this project has no ratings: pull them first", str(project.root)))
    ratings = pa.concat_tables([read_table(project.path(file), COLUMNS) for file in files])
    done = works_in(ratings, month, zone, idle)
    lines, name = add_up(done), f"private/timesheet-{month or 'all'}.csv"
    texts = {name: csv_text(lines), f"private/work-{month or 'all'}.csv": csv_text(done, WORK_HEAD)}
    project.path("private").mkdir(mode=0o700, exist_ok=True)
    with project.writing(COMMAND) as staging:
        for file, text in texts.items():
            path = staging / file
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.touch(mode=0o600)
            path.write_bytes(text.encode())
    return lines, name
