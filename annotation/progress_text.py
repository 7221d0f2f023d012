"""The status of a project's annotation for a terminal; it can be read at 80 columns.

Numbers are never cut; long names of fields, rounds and values go on in the next line, long texts are cut.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from annotation.differences import Confused, Example
from annotation.page import NO_VALUE, number, percent
from annotation.progress import RaterProgress, Status
from annotation.progress_page import HTML_FILE, to_look_at
from annotation.roster import short

_SHOWN = 3
"""Most utterances shown with a finding; the page has more."""


def status_parts(status: Status) -> Iterator[RenderableType]:
    """Yield the parts of a status, as rich prints them."""
    yield _table(
        "Progress",
        "rater|round",
        "done|%|skip|draft|fast|active|idle|sits",
        [_progress(one) for one in status.raters],
    )
    if status.fields:
        yield _table(
            "Raters against the others",
            "field|rater",
            "answers|agreement|drift|tiring|run",
            [
                (
                    one.field, short(one.rater), f"{one.answers:,}", number(one.agreement, 2),
                    number(one.drift, 2), number(one.tiring, 2), f"{one.run[1]}{'!' if one.constant else ''}",
                )
                for one in sorted(status.fields, key=lambda one: _place(status, one.field))
            ],
            "Agreement: closeness to the consensus of the others, 0 to 1; drift: its change over all "
            "answers, tiring: within sittings; run: equal answers in a row, ! where chance makes fewer.",
        )  # fmt: skip
    if status.control:
        yield _table(
            "Control items",
            "field|rater|round",
            "items|same|score",
            [
                (one.field, short(one.rater), one.round, str(one.items), str(one.same), number(one.score, 2))
                for one in status.control
            ],
        )
    if status.confused:
        yield _table(
            "Confused most",
            "field|values",
            "count|× chance",
            [
                (one.field, f"{one.first} / {one.second}", f"{one.count:,}", number(one.ratio, 2))
                for one in status.confused
            ],
        )
    looks: dict[tuple[Example, ...], list[str]] = {}
    for rater, what, examples in to_look_at(status):
        looks.setdefault(examples, []).append(f"{short(rater)}, {what}")
    most: dict[str, Confused] = {}
    for one in status.confused:
        most.setdefault(one.field, one)
    for one in most.values():
        looks.setdefault(one.examples, []).append(f"{one.field}: {one.first} or {one.second}?")
    if looks:
        yield Text("Look at", style="italic", justify="center")
        for examples, findings in looks.items():
            yield Group(*map(Text, findings), *_examples(examples[:_SHOWN]))
        yield Text(f"\nMore stands in {HTML_FILE}.")
    if status.simulated:
        yield Text("SIMULATED RATERS: not all of these numbers come from people.", style="bold yellow")


def _place(status: Status, field: str) -> int:
    return next(place for place, one in enumerate(status.fields) if one.field == field)


def _progress(one: RaterProgress) -> tuple[str, ...]:
    share = percent(one.done / one.assigned, 0) if one.assigned else NO_VALUE
    return (
        short(one.rater), one.round, f"{one.done:,}/{one.assigned:,}", share, f"{one.skipped:,}",
        f"{one.drafts:,}", f"{one.fast:,}", _hours(one.active_minutes), _hours(one.idle_minutes),
        str(one.sittings),
    )  # fmt: skip


def _hours(minutes: float) -> str:
    return f"{round(minutes) // 60}:{round(minutes) % 60:02}"


def _table(
    title: str, names: str, numbers: str, rows: Sequence[Sequence[str]], note: str | None = None
) -> Table:
    made = Table(
        title=title,
        caption=note,
        caption_justify="left",
        box=SIMPLE_HEAD,
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )
    for name in names.split("|"):
        made.add_column(name, overflow="fold")
    for name in numbers.split("|"):
        made.add_column(name, justify="right", no_wrap=True)
    before = None
    for row in rows:
        made.add_row("" if row[0] == before else Text(row[0]), *map(Text, row[1:]))
        before = row[0]
    return made


def _examples(examples: Sequence[Example]) -> Iterator[Text]:
    """Say where an utterance is, in full, and its text as far as the line goes."""
    for one in examples:
        where = one.utterance_id if one.clip is None else one.clip
        line = f"  {where}  {' '.join(one.text.split())}"
        yield Text(line, no_wrap=True, overflow="ellipsis")
