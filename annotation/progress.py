"""Where a project's annotation stands: who has done what, in which time, and where raters differ.

Composed of what others measure: work and breaks (`timesheet`), closeness to the other raters and its drift
(`raters`), confusions (`agreement.confusions`). Numbers that differ may come from the utterances, the
guidelines or the person, so raters stand by name and are never ranked.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from annotation.aggregation.answers import Answers, Rows, read_answers
from annotation.aggregation.project import ADJUDICATION
from annotation.agreement.confusions import confusions
from annotation.agreement.reading import read_ratings
from annotation.page import NO_VALUE, Column, Page, element, number, percent, table, text_in
from annotation.pulled import Index, read_index
from annotation.pushing import Clips
from annotation.qualification import control_scores
from annotation.rater_measures import compare
from annotation.raters import measure_raters
from annotation.ratings import project_ratings
from annotation.rounds import REPEAT, TRAINING, Round, read_rounds
from annotation.tasks import read_dialogues
from annotation.timesheet import COLUMNS, works
from schemas import project as folder
from schemas import records
from schemas.errors import InputError
from schemas.fields import Field
from schemas.label_schema import LabelSchema
from schemas.project import Project
from schemas.records import Condition, RatingStatus
from schemas.tables import concat, read_table

HTML_FILE = "reports/annotation-status.html"
JSON_FILE = "reports/annotation-status.json"

LONG_RUN = 10
"""Fewest equal answers in a row that can be called constant."""
RARE = 1e-3
"""A run is called constant where chance, given what others say, makes one as long less often than this."""
_PAIRS = 3
_EXAMPLES = 5


@dataclass(frozen=True)
class RaterProgress:
    """What one rater has done in one round.

    Attributes:
        round: The round; repeats of a round count as its own.
        rater: The pseudonym.
        assigned: Ratings that are asked for.
        done: Of these, submitted.
        skipped: Of these, skipped.
        drafts: Tasks with a draft.
        fast: Ratings given faster than anybody can.
        active_minutes: Minutes of work.
        idle_minutes: Minutes of breaks within days of work.
        sittings: Number of sittings.
    """

    round: str
    rater: str
    assigned: int
    done: int
    skipped: int
    drafts: int
    fast: int
    active_minutes: float
    idle_minutes: float
    sittings: int


@dataclass(frozen=True)
class FieldProgress:
    """One rater in one field.

    Attributes:
        rater: The pseudonym.
        field: The field.
        answers: Answers given, "cannot tell" included.
        agreement: Mean closeness to the consensus of the others, 0 to 1; None where there is none.
        drift: Agreement in the last third of the answers less that in the first.
        tiring: Agreement in the second half of sittings less that in the first half.
        run: The longest run of one answer: which, and how long.
        constant: Whether that run is longer than chance would make it, see `RARE`.
    """

    rater: str
    field: str
    answers: int
    agreement: float | None
    drift: float | None
    tiring: float | None
    run: tuple[str, int]
    constant: bool


@dataclass(frozen=True)
class ControlProgress:
    """One rater's answers to the control items of one round, in one field.

    Attributes:
        round: The round.
        rater: The pseudonym.
        field: The field.
        items: Control items that the rater has answered.
        same: How many of the answers are the known ones.
        score: The measure of `annotation.key_scores`; None where it does not exist.
    """

    round: str
    rater: str
    field: str
    items: int
    same: int
    score: float | None


@dataclass(frozen=True)
class Confused:
    """Two values that raters confuse with each other.

    Attributes:
        field: The field.
        first: One value.
        second: The other.
        count: Pairs of ratings of one utterance that have both.
        ratio: How much more often than chance would; None without chance.
        examples: Utterances to look at: id, text, and path of the clip where there is one.
    """

    field: str
    first: str
    second: str
    count: int
    ratio: float | None
    examples: tuple[tuple[str, str, str | None], ...]


@dataclass(frozen=True)
class Status:
    """Where a project's annotation stands."""

    title: str
    raters: tuple[RaterProgress, ...]
    fields: tuple[FieldProgress, ...]
    confused: tuple[Confused, ...]
    languages: Mapping[str, str | None] = field(default_factory=dict)
    control: tuple[ControlProgress, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return what JSON can hold; numbers that do not exist are null."""
        known = asdict(self)
        return {name: known[name] for name in ("title", "raters", "fields", "control", "confused")}


def project_status(project: Project, zone: str = "UTC") -> Status:
    """Measure where the annotation of a project stands, from what was pulled.

    Args:
        project: The project.
        zone: Time zone of the raters' days.

    Raises:
        InputError: No round was set up.
    """
    rounds = read_rounds(project)
    if not rounds:
        raise InputError("no round was set up; 'annotation setup --round NAME' makes one")
    table = _all_ratings(project)
    progress = tuple(_progress(project, rounds, table, read_index(project), zone))
    utterances = read_table(project.path(folder.UTTERANCES), ["utterance_id", "text", "language"]).to_pylist()
    texts = {one["utterance_id"]: one["text"] for one in utterances}
    languages = {one["utterance_id"]: one["language"] for one in utterances}
    fields: tuple[FieldProgress, ...] = ()
    confused: tuple[Confused, ...] = ()
    ratings = records.annotations_schema(project.schema).empty_table()
    if project.annotation_files():
        ratings = project_ratings(project)
        ratings = ratings.filter(pc.not_equal(ratings.column("origin"), ADJUDICATION))
        ratings = _one_a_rater(ratings)
    if ratings.num_rows:
        fields = tuple(field_progress(ratings, project.schema, zone))
        clips = Clips(project)
        confused = tuple(
            found for one in project.schema for found in most_confused(ratings, one, texts, clips)
        )
    control = tuple(
        ControlProgress(round_, rater, name, one.items, one.same, one.value)
        for (round_, rater), found in control_scores(project).items()
        for name, one in found.items()
    )
    title = project.settings.title or project.settings.name
    return Status(title, progress, fields, confused, languages, control)


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


def _all_ratings(project: Project) -> pa.Table:
    """Return the rows of all rating tables but those of adjudicators, with training, skipped, superseded."""
    names = [name for name in project.annotation_files() if not name.endswith(f"/{ADJUDICATION}.parquet")]
    names += [TRAINING] if project.has(TRAINING) else []
    arrow = records.annotations_schema(project.schema)
    arrow = pa.schema([arrow.field(name) for name in COLUMNS])
    return concat((read_table(project.path(name), COLUMNS) for name in names), arrow)


def _progress(
    project: Project, rounds: Sequence[Round], ratings: pa.Table, index: Index, zone: str
) -> Iterator[RaterProgress]:
    sizes = {
        one.dialogue_id: sum(not turn.context_only for turn in one.turns) for one in read_dialogues(project)
    }
    latest = index.latest()
    for one in rounds:
        own = ratings.filter(
            pc.is_in(
                ratings.column("round"), value_set=pa.array([one.name, f"{one.name}{REPEAT}"], pa.string())
            )
        )
        for rater, queue in one.queues.items():
            mine = own.filter(pc.equal(own.column("rater"), rater))
            status = mine.column("status")
            done = works(mine, zone) if mine.num_rows else []
            yield RaterProgress(
                one.name,
                rater,
                sum(sizes.get(stop.dialogue, 0) for stop in queue),
                pc.sum(pc.equal(status, RatingStatus.SUBMITTED.value)).as_py() or 0,
                pc.sum(pc.equal(status, RatingStatus.SKIPPED.value)).as_py() or 0,
                index.drafts.get(f"{one.name}|{rater}", 0),
                sum(
                    known.fast
                    for name, known in index.annotations.items()
                    if name in latest and (known.round, known.owner) == (one.name, rater)
                ),
                round(sum(each.active for each in done) / 60, 1),
                round(sum(each.idle for each in done) / 60, 1),
                len({(each.day, each.sitting) for each in done}),
            )


def _one_a_rater(ratings: pa.Table) -> pa.Table:
    """Leave out repeats, which say how steady a rater is and not how the raters agree."""
    repeated = pc.ends_with(pc.fill_null(ratings.column("round"), ""), REPEAT)
    return ratings.filter(pc.invert(repeated))


# -- raters and fields --------------------------------------------------------------------------------------


def field_progress(ratings: pa.Table, schema: LabelSchema, zone: str = "UTC") -> Iterator[FieldProgress]:
    """Measure every rater in every field.

    Args:
        ratings: Submitted ratings, as `ratings.project_ratings` gives them.
        schema: The label schema.
        zone: Time zone of the raters' days.
    """
    rows = Rows.of(ratings)
    report = {one.rater: one for one in measure_raters(ratings, schema).raters}
    halves = _halves(ratings, zone)
    for name in schema.by_name:
        answers = read_answers(ratings, schema[name], rows)
        found = compare(answers)
        for place, rater in enumerate(answers.raters):
            mine = np.flatnonzero(answers.rater == place)
            if not len(mine) or rater not in report:
                continue
            measured = report[rater].fields[name]
            value, length, chance = _longest_run(answers, mine, ratings)
            yield FieldProgress(
                rater,
                name,
                measured.answers,
                measured.accuracy.value,
                measured.drift.value,
                _tiring(found.closeness[mine], halves[answers.row[mine]]),
                (value, length),
                length >= LONG_RUN and chance < RARE,
            )


def _halves(ratings: pa.Table, zone: str) -> NDArray[Any]:
    """Return for each row 1 in the first half of its sitting, 2 in the second, 0 where that is not known."""
    done = works(ratings, zone)
    longest: dict[tuple[object, ...], int] = {}
    for one in done:
        key = (one.rater, one.day, one.sitting)
        longest[key] = max(longest.get(key, 0), one.position)
    half = {
        (one.rater, one.utterance_id): 1 + (one.position > longest[one.rater, one.day, one.sitting] / 2)
        for one in done
    }
    pairs = zip(ratings.column("rater").to_pylist(), ratings.column("utterance_id").to_pylist(), strict=True)
    return np.array([half.get(pair, 0) for pair in pairs])


def _tiring(closeness: NDArray[Any], half: NDArray[Any]) -> float | None:
    known = np.isfinite(closeness)
    first, second = closeness[known & (half == 1)], closeness[known & (half == 2)]
    return float(second.mean() - first.mean()) if len(first) and len(second) else None


def _longest_run(answers: Answers, mine: NDArray[Any], ratings: pa.Table) -> tuple[str, int, float]:
    """Return the longest run of one answer of a rater, and how likely chance makes one as long.

    Chance: each answer is drawn as the other raters answer the same utterances.
    """
    mine = mine[answers.given[mine]]
    if not len(mine):
        return "", 0, 1.0
    column = ratings.column(answers.field.name).to_pylist()
    said = np.array(["|".join(one) if isinstance(one, list) else str(one) for one in column], dtype=object)
    own = said[answers.row[mine]]  # oldest first
    best, start = (0, 1), 0
    for stop in range(1, len(own) + 1):
        if stop == len(own) or own[stop] != own[start]:
            best = max(best, (stop - start, start), key=lambda one: one[0])
            start = stop
    length, start = best
    value = own[start]
    items = answers.item[mine[start : start + length]]
    others = np.isin(answers.item, items) & (answers.rater != answers.rater[mine[0]])
    share = float((said[answers.row[others]] == value).mean()) if others.any() else 1.0
    return str(value), int(length), min(1.0, len(own) * share**length)


def most_confused(
    ratings: pa.Table, one: Field, texts: Mapping[str, str], clips: Clips
) -> Iterator[Confused]:
    """Find the values of a field that raters confuse most, with utterances to look at.

    Args:
        ratings: Submitted ratings.
        one: The field.
        texts: Text of each utterance.
        clips: The clips of the project.
    """
    coded = read_ratings(ratings, one, item="utterance_id", rater="rater", duplicates="latest")
    for pair in confusions(coded).pairs[:_PAIRS]:
        said: dict[str, set[str]] = {}
        names = zip(
            ratings.column("utterance_id").to_pylist(), ratings.column(one.name).to_pylist(), strict=True
        )
        for utterance, value in names:
            if value is not None:
                said.setdefault(utterance, set()).update(
                    map(str, value) if isinstance(value, list) else [str(value)]
                )
        both = [name for name, values in said.items() if {str(pair.first), str(pair.second)} <= values]
        examples = tuple(
            (name, texts.get(name, ""), clips.path(name, Condition.FULL)) for name in both[:_EXAMPLES]
        )
        yield Confused(one.name, str(pair.first), str(pair.second), pair.count, pair.ratio, examples)


# -- faces --------------------------------------------------------------------------------------------------


def status_page(status: Status) -> str:
    """Return the status as one self-contained HTML page."""
    page = Page(f"Annotation of {status.title}", lead="Who has done what, and where raters differ.")
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
                    element("ul", *(_example(status, *each) for each in one.examples)),
                )
                for one in status.confused
            ],
            note="Pairs of ratings of one utterance; × chance: how often against what chance would make.",
        ),
    )  # fmt: skip
    return page.html()


def _example(status: Status, name: str, text: str, clip: str | None) -> Any:  # noqa: ANN401 - an element
    shown = text_in(text, status.languages.get(name))
    return element("li", element("small", f"{name} "), shown, None if clip is None else f" ({clip})")


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


def status_tables(status: Status) -> list[Any]:
    """Return the status as tables for a terminal (`rich.table.Table`)."""
    from rich.table import Table

    found = []
    faces: tuple[tuple[str, Sequence[str], list[tuple[Any, ...]]], ...] = (
        ("Progress", _HEAD, [_progress_row(one) for one in status.raters]),
        ("Raters against the others", _FIELD_HEAD, [_field_row(one) for one in status.fields]),
        ("Control items", _CONTROL_HEAD, [_control_row(one) for one in status.control]),
        (
            "Confused most",
            ("field", "values", "count", "× chance", "look at"),
            [
                (one.field, f"{one.first} / {one.second}", one.count, one.ratio,
                 ", ".join(each[0] for each in one.examples))
                for one in status.confused
            ],
        ),
    )  # fmt: skip
    for title, head, rows in faces:
        if not rows and head is _CONTROL_HEAD:
            continue
        made = Table(title=title)
        for place, name in enumerate(head):
            made.add_column(name, justify="left" if place < 2 else "right")
        for row in rows:
            made.add_row(*(cell if isinstance(cell, str) else number(cell, 2) for cell in row))
        found.append(made)
    return found
