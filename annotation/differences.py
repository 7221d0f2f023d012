"""Where raters differ from each other: each in each field, and which values are confused most.

Composed of what others measure: closeness to the other raters and its drift (`raters`), work and its breaks
(`timesheet`), confusions (`agreement.confusions`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from annotation.aggregation.answers import Answers, Rows, read_answers
from annotation.agreement.confusions import confusions
from annotation.agreement.reading import read_ratings
from annotation.pushing import Clips
from annotation.rater_measures import compare
from annotation.raters import measure_raters
from annotation.timesheet import works
from schemas.fields import Field
from schemas.label_schema import LabelSchema
from schemas.records import Condition

LONG_RUN = 10
"""Fewest equal answers in a row that can be called constant."""
RARE = 1e-3
"""A run is called constant where chance, given what others say, makes one as long less often than this."""
_PAIRS = 3
_EXAMPLES = 5


@dataclass(frozen=True)
class Example:
    """An utterance to look at: its id, text, and the path of its clip where there is one."""

    utterance_id: str
    text: str
    clip: str | None


class Examples:
    """Makes examples of utterances.

    Args:
        texts: Text of each utterance.
        clips: The clips of the project.
    """

    def __init__(self, texts: Mapping[str, str], clips: Clips) -> None:
        self._texts, self._clips = texts, clips

    def of(self, utterances: Iterable[str]) -> tuple[Example, ...]:
        """Return the first few of some utterances."""
        return tuple(
            Example(name, self._texts.get(name, ""), self._clips.path(name, Condition.FULL))
            for name in islice(utterances, _EXAMPLES)
        )


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
        examples: Of a constant run: the utterances with which it begins.
    """

    rater: str
    field: str
    answers: int
    agreement: float | None
    drift: float | None
    tiring: float | None
    run: tuple[str, int]
    constant: bool
    examples: tuple[Example, ...] = ()


@dataclass(frozen=True)
class Confused:
    """Two values that raters confuse with each other.

    Attributes:
        field: The field.
        first: One value.
        second: The other.
        count: Pairs of ratings of one utterance that have both.
        ratio: How much more often than chance would; None without chance.
        examples: Utterances that have both.
    """

    field: str
    first: str
    second: str
    count: int
    ratio: float | None
    examples: tuple[Example, ...]


def field_progress(
    ratings: pa.Table, schema: LabelSchema, examples: Examples, zone: str = "UTC"
) -> Iterator[FieldProgress]:
    """Measure every rater in every field.

    Args:
        ratings: Submitted ratings, as `ratings.project_ratings` gives them.
        schema: The label schema.
        examples: Makes the examples.
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
            value, run, chance = _longest_run(answers, mine, ratings)
            constant = len(run) >= LONG_RUN and chance < RARE
            yield FieldProgress(
                rater,
                name,
                measured.answers,
                measured.accuracy.value,
                measured.drift.value,
                _tiring(found.closeness[mine], halves[answers.row[mine]]),
                (value, len(run)),
                constant,
                examples.of(run) if constant else (),
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


def _longest_run(answers: Answers, mine: NDArray[Any], ratings: pa.Table) -> tuple[str, list[str], float]:
    """Return the longest run of one answer of a rater, where it was given, and how likely chance makes one.

    Chance: each answer is drawn as the other raters answer the same utterances.
    """
    mine = mine[answers.given[mine]]
    if not len(mine):
        return "", [], 1.0
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
    rows = answers.row[mine[start : start + length]]
    names = ratings.column("utterance_id").take(pa.array(rows)).to_pylist()
    return str(value), names, min(1.0, len(own) * share**length)


def most_confused(ratings: pa.Table, one: Field, examples: Examples) -> Iterator[Confused]:
    """Find the values of a field that raters confuse most, with utterances to look at.

    Args:
        ratings: Submitted ratings.
        one: The field.
        examples: Makes the examples.
    """
    coded = read_ratings(ratings, one, item="utterance_id", rater="rater", duplicates="latest")
    for pair in confusions(coded).pairs[:_PAIRS]:
        said: dict[str, set[str]] = {}
        given = zip(
            ratings.column("utterance_id").to_pylist(), ratings.column(one.name).to_pylist(), strict=True
        )
        for utterance, value in given:
            if value is not None:
                said.setdefault(utterance, set()).update(
                    map(str, value) if isinstance(value, list) else [str(value)]
                )
        both = [name for name, values in said.items() if {str(pair.first), str(pair.second)} <= values]
        names = str(pair.first), str(pair.second)
        yield Confused(one.name, *names, pair.count, pair.ratio, examples.of(both))
