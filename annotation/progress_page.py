"""The status of a project's annotation as files: a self-contained HTML page, and JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from urllib.parse import quote
from xml.etree.ElementTree import Element

from annotation.differences import Example, FieldProgress
from annotation.page import NO_VALUE, Column, Page, element, number, percent, table, text_in
from annotation.progress import ControlProgress, RaterProgress, Status, project_status
from schemas.project import Project

HTML_FILE = "reports/annotation-status.html"
JSON_FILE = "reports/annotation-status.json"


def write_status(project: Project, zone: str = "UTC") -> Status:
    """Measure where the annotation stands and write ``reports/annotation-status.html`` and ``.json``."""
    status = project_status(project, zone)
    with project.writing("annotation status") as staging:
        for name, text in ((HTML_FILE, status_page(status)), (JSON_FILE, _json(status))):
            (staging / name).parent.mkdir(parents=True, exist_ok=True)
            (staging / name).write_text(text, "utf-8")
    return status


def _json(status: Status) -> str:
    return json.dumps(status.to_dict(), ensure_ascii=False, indent=1, allow_nan=False) + "\n"


def status_page(status: Status) -> str:
    """Return the status as one self-contained HTML page."""
    page = Page(f"Annotation of {status.title}", lead="Who has done what, and where raters differ.")
    if status.simulated:
        page.notice("SIMULATED RATERS", f"{', '.join(status.simulated)} are simulated, not people.")
    page.section(
        "Progress",
        table(
            "Ratings by rater and round",
            [Column("rater"), Column("round"), *(Column(name, numeric=True) for name in _HEAD[2:])],
            [_progress_row(one) for one in status.raters],
            note="Fast: answered in less time than the keys and half of the clip take.",
        ),
    )
    page.section(
        "Raters against the others",
        table(
            "Agreement, drift and runs",
            [Column("rater"), Column("field"), *(Column(name, numeric=True) for name in _FIELD_HEAD[2:])],
            [_field_row(one) for one in status.fields],
            note=_FIELD_NOTE,
        ),
    )
    if status.control:
        page.section(
            "Control items",
            table(
                "Answers to items whose answers are known",
                [
                    Column("rater"),
                    Column("round"),
                    Column("field"),
                    *(Column(name, numeric=True) for name in _CONTROL_HEAD[3:]),
                ],
                [_control_row(one) for one in status.control],
                note="Score: 1 is the key, 0 is answering without looking; few items say little.",
            ),
        )
    if looks := list(to_look_at(status)):
        page.section(
            "Answers to look at",
            table(
                "Runs of one answer, and answers faster than anybody can give",
                [Column("rater"), Column("what"), Column("the first of these utterances", words=True)],
                [(rater, what, _list(status, examples)) for rater, what, examples in looks],
            ),
        )
    page.section(
        "Definitions that are confused most",
        table(
            "Pairs of values",
            [
                Column("field"), Column("values"), Column("count", numeric=True),
                Column("× chance", numeric=True), Column("utterances to look at", words=True),
            ],
            [
                (
                    one.field,
                    f"{one.first} / {one.second}",
                    one.count,
                    one.ratio,
                    _list(status, one.examples),
                )
                for one in status.confused
            ],
            note="Pairs of ratings of one utterance; × chance: how often against what chance would make.",
        ),
    )  # fmt: skip
    return page.html()


def to_look_at(status: Status) -> Iterator[tuple[str, str, tuple[Example, ...]]]:
    """Yield what single raters did that needs a look: who, what, and the first utterances."""
    for one in status.fields:
        if one.constant:
            yield one.rater, f"{one.field}: {one.run[1]} × {one.run[0]} in a row", one.examples
    for each in status.raters:
        if each.fast:
            yield each.rater, f"round {each.round}: {each.fast} faster than anybody can", each.fast_examples


def _list(status: Status, examples: Iterable[Example]) -> Element:
    return element("ul", *(_example(status, one) for one in examples))


def _example(status: Status, one: Example) -> Element:
    """Show an utterance, with a link to its clip, which stands beside the folder of reports."""
    link = None if one.clip is None else element("a", "▶ clip", href=f"../{quote(one.clip)}")
    text = text_in(one.text, status.languages.get(one.utterance_id))
    return element(
        "li", element("small", f"{one.utterance_id} "), text, " " if link is not None else None, link
    )


_HEAD = (
    "rater", "round", "assigned", "done", "done %", "skipped", "drafts", "fast",
    "active min", "idle min", "sittings",
)  # fmt: skip
_FIELD_NOTE = (
    "Agreement: mean closeness to the consensus of the others, 0 to 1. Drift: last third less first third of "
    "the answers. Tiring: second half less first half of sittings. A run marked with ! is longer than chance "
    "makes it. Differences may come from the utterances, the guidelines or the person."
)
_FIELD_HEAD = ("rater", "field", "answers", "agreement", "drift", "tiring", "longest run")

_CONTROL_HEAD = ("rater", "round", "field", "items", "same as the key", "score")


def _control_row(one: ControlProgress) -> tuple[str | int | float | None, ...]:
    return one.rater, one.round, one.field, one.items, one.same, one.score


def _progress_row(one: RaterProgress) -> tuple[str | int | float | None, ...]:
    share = percent(one.done / one.assigned, 0) if one.assigned else None
    return (
        one.rater, one.round, one.assigned, one.done, share, one.skipped, one.drafts, one.fast,
        number(one.active_minutes, 1), number(one.idle_minutes, 1), one.sittings,
    )  # fmt: skip


def _field_row(one: FieldProgress) -> tuple[str | int | float | None, ...]:
    run = f"{one.run[1]} × {one.run[0]}{' !' if one.constant else ''}" if one.run[1] else NO_VALUE
    return one.rater, one.field, one.answers, one.agreement, one.drift, one.tiring, run
