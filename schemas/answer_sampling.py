"""Answers drawn at random from any schema: values, why there is none, relations where they apply."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from schemas import records
from schemas.answers import applies
from schemas.fields import CategoricalField, Field, IntervalField, Missing, MultilabelField, RelationField
from schemas.label_schema import LabelSchema

RATED = 0.9
"""How often a rater answers what is asked."""

ABSENT = 0.25
"""How often a number or a set is one that means "not there"."""

NO_ANSWER = (Missing.NOT_RATED, Missing.CANNOT_TELL)
"""Why a rater may give no answer to what is asked."""

Numbers = npt.NDArray[Any]  # one number a row, or for sets a row of them
Mask = npt.NDArray[np.bool_]


def draw_answers(schema: LabelSchema, rows: int, seed: int) -> pa.Table:
    """Draw the answers of one rater to ``rows`` utterances: the columns `records.answer_columns` declares."""
    rng = np.random.default_rng(seed)
    codes = {
        field.name: draw_codes(field, rows, rng) for field in schema if not isinstance(field, RelationField)
    }
    columns: dict[str, pa.Array] = {}
    for one in complete(schema, codes, rows, NO_ANSWER, None, rng):
        columns |= one.columns()
    return pa.table(columns)


@dataclass(frozen=True)
class Answers:
    """Answers to one field.

    Attributes:
        field: The field.
        codes: Positions in the schema's order, numbers of a scale, or for sets (rows, values) intensities, 0
            where a value is not chosen.
        missing: Why there is no answer, a position in `Missing`; -1 where there is one.
    """

    field: Field
    codes: Numbers
    missing: npt.NDArray[np.int8]

    @property
    def given(self) -> Mask:
        """Where there is an answer."""
        return self.missing < 0

    @cached_property
    def value(self) -> pa.Array:
        """The answers as tables hold them."""
        if isinstance(self.field, MultilabelField):
            chosen = (self.codes > 0) & self.given[:, None]
            names = pa.array(self.field.categories).take(pa.array(np.nonzero(chosen)[1]))
            return lists(chosen.sum(axis=1), names, self.given)
        if isinstance(self.field, CategoricalField):
            return pa.array(self.field.categories).take(pa.array(self.codes, mask=~self.given))
        return pa.array(self.codes, records.value_type(self.field), mask=~self.given)

    def columns(self) -> dict[str, pa.Array]:
        """Return the columns that `records.answer_columns` declares."""
        name = self.field.name
        columns = {name: self.value}
        if records.has_intensity(self.field):
            columns[f"{name}_intensity"] = _rows(self.codes, self.given)
        reasons = pa.array([str(reason) for reason in Missing])
        return {**columns, f"{name}_missing": reasons.take(pa.array(self.missing, mask=self.given))}

    def decided_columns(self, rng: np.random.Generator) -> dict[str, pa.Array]:
        """Return the columns that `records.decided_columns` declares; what is likeliest is the answer."""
        name, rows = self.field.name, len(self.missing)
        rated = self.given | (self.missing == _code(Missing.UNDECIDED))
        if isinstance(self.field, IntervalField):
            spread = {f"{name}_sd": pa.array(rng.random(rows, np.float32), mask=~rated)}
        else:
            noise = rng.random((rows, records.soft_length(self.field)), np.float32)
            if isinstance(self.field, MultilabelField):
                soft = (noise + (self.codes > 0)) / 2
            else:
                low = self.field.low if isinstance(self.field, RelationField) else 0
                soft = noise / noise.sum(axis=1, keepdims=True) / 2
                soft[np.arange(rows), self.codes.astype(np.intp) - low] += 0.5
            spread = {f"{name}_soft": _rows(soft.astype(np.float32), rated)}
        counts = np.where(rated, rng.integers(2, 6, rows), 0).astype(np.int16)
        agreement = pa.array(rng.random(rows, np.float32), mask=~rated)
        return {
            **self.columns(),
            **spread,
            f"{name}_agreement": agreement,
            f"{name}_raters": pa.array(counts),
        }


def draw_codes(field: Field, rows: int, rng: np.random.Generator) -> Numbers:
    """Draw codes of ``rows`` answers, as `Answers` describes them."""
    if isinstance(field, MultilabelField):
        return _sets(field, rows, rng)
    if isinstance(field, CategoricalField):
        return rng.integers(len(field.values), size=rows, dtype=np.int32)
    if isinstance(field, RelationField):
        return rng.integers(field.low, field.high + 1, rows, dtype=np.int8)
    if not isinstance(field, IntervalField):
        raise TypeError(f"there is no way to draw a {field.type} field")
    # Nine even steps, the ends among them, as the 32-bit numbers that tables hold.
    steps = rng.integers(9, size=rows) / 8
    numbers = (field.low + (field.high - field.low) * steps).astype(np.float32)
    numbers = np.clip(numbers, np.float32(field.low), np.float32(field.high))
    if field.absent:
        absent = np.array([float(number) for number in field.absent], np.float32)
        numbers = np.where(rng.random(rows) < ABSENT, rng.choice(absent, rows), numbers)
    return numbers


def _sets(field: MultilabelField, rows: int, rng: np.random.Generator) -> Numbers:
    """Draw sets, about one value each: the empty one too, and exclusive values alone."""
    size = len(field.values)
    chosen = rng.random((rows, size)) < 1.4 / size
    exclusive = np.flatnonzero([name in field.exclusive for name in field.categories])
    chosen[:, exclusive] = False
    if len(exclusive):
        alone = np.flatnonzero(rng.random(rows) < ABSENT)
        chosen[alone] = False
        chosen[alone, rng.choice(exclusive, len(alone))] = True
    low, high = field.intensity or (1, 1)
    return rng.integers(low, high + 1, (rows, size), dtype=np.int8) * chosen


def complete(
    schema: LabelSchema,
    codes: Mapping[str, Numbers],
    rows: int,
    reasons: Sequence[Missing],
    unanswered: tuple[Missing, Mask] | None,
    rng: np.random.Generator,
) -> list[Answers]:
    """Draw which answers are missing and why, and the relations where they apply.

    Args:
        schema: The label schema.
        codes: Codes of all fields but the relations.
        rows: How many rows.
        reasons: Why a field that was asked may have no answer.
        unanswered: Why some rows have no answer at all, and which.
        rng: Source of randomness.

    Returns:
        Answers to every field, in schema order.
    """
    drawn: dict[str, Answers] = {}
    for field in sorted(schema, key=lambda field: isinstance(field, RelationField)):
        missing = np.where(rng.random(rows) < RATED, -1, _draw_reasons(reasons, rows, rng)).astype(np.int8)
        if isinstance(field, RelationField):
            parts = pa.table({name: drawn[name].value for name in (field.source, field.target)})
            asked = applies(schema, field, parts)
            unknown = _draw_reasons((*reasons, Missing.NOT_APPLICABLE), rows, rng)
            missing = np.where(np.asarray(asked.is_null()), unknown, missing)
            missing[np.asarray(pc.invert(asked).fill_null(False))] = _code(Missing.NOT_APPLICABLE)
        if unanswered is not None:
            reason, whole_rows = unanswered
            missing[whole_rows] = _code(reason)
        own = draw_codes(field, rows, rng) if isinstance(field, RelationField) else codes[field.name]
        drawn[field.name] = Answers(field, own, missing)
    return [drawn[field.name] for field in schema]


def _code(reason: Missing) -> int:
    return list(Missing).index(reason)


def _draw_reasons(reasons: Sequence[Missing], rows: int, rng: np.random.Generator) -> npt.NDArray[np.int8]:
    return rng.choice(np.array([_code(reason) for reason in reasons], np.int8), rows)


def lists(lengths: npt.NDArray[np.int64], values: pa.Array, given: Mask | None = None) -> pa.Array:
    """Cut ``values`` into lists of ``lengths``; null where not ``given``."""
    offsets = pa.array(np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32))
    return pa.ListArray.from_arrays(offsets, values, mask=None if given is None else pa.array(~given))


def _rows(matrix: Numbers, given: Mask) -> pa.Array:
    """Write a row of ``matrix`` as a list; null where not ``given``."""
    return lists(given * matrix.shape[1], pa.array(matrix[given].ravel()), given)
