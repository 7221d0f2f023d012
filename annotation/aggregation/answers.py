"""The answers to one field as integers: the ground of every method that decides labels.

"Cannot tell" and "not applicable" are answers here; only what was never rated is missing. Of a rater who
rated an utterance more than once, the latest answer to each field counts: a round that asks one field again
leaves those to the others as they were.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from annotation.aggregation.votes import Votes
from annotation.agreement.patterns import MISSING, Floats, Ints
from annotation.ratings import oldest_first
from schemas.answers import SET_SEPARATOR, join_sets
from schemas.fields import Field, IntervalField, Missing, MultilabelField
from schemas.records import RatingStatus, has_intensity

CANNOT_TELL, NOT_APPLICABLE = -2, -3
UNKNOWN_RATER = "unknown"


@dataclass(frozen=True)
class Rows:
    """Who rated which utterance, for each row of a table of ratings.

    Attributes:
        ids: The utterances in order of first appearance.
        item: Utterance of each row, 0 to len(`ids`) - 1.
        raters: The raters by name; the last one is `UNKNOWN_RATER` where rows have none.
        rater: Rater of each row, 0 to len(`raters`) - 1.
        known: Whether the rater of a row is known; unknown ones may be several people.
        order: The submitted rows, oldest first; skipped and superseded ones are none.
    """

    ids: pa.Array
    item: Ints
    raters: tuple[str, ...]
    rater: Ints
    known: NDArray[np.bool_]
    order: Ints

    @classmethod
    def of(cls, table: pa.Table) -> Rows:
        """Code ``utterance_id`` and, where they are, ``rater``, ``updated``, ``created`` and ``status``."""
        ids = table.column("utterance_id").combine_chunks().dictionary_encode()
        item = ids.indices.to_numpy(zero_copy_only=False).astype(np.int64)
        names, rater = _raters(table)
        known = rater != MISSING
        if not known.all():
            names, rater = (*names, UNKNOWN_RATER), np.where(known, rater, len(names))
        order = oldest_first(table)
        if "status" in table.column_names:
            submitted = pc.equal(table.column("status"), RatingStatus.SUBMITTED.value)
            order = order[np.asarray(pc.fill_null(submitted, False))[order]]
        return cls(ids.dictionary, item, names, rater, known, order)


def _raters(table: pa.Table) -> tuple[tuple[str, ...], Ints]:
    """Names in order, so that the order of rows does not matter, and the rater of each row (-1 unknown)."""
    if "rater" not in table.column_names:
        return (), np.full(table.num_rows, MISSING, dtype=np.int64)
    column = pc.cast(table.column("rater"), pa.string())
    names = sorted(name for name in pc.unique(column).to_pylist() if name is not None)
    codes = pc.index_in(column, value_set=pa.array(names, pa.string()))
    return tuple(names), pc.fill_null(codes, MISSING).to_numpy().astype(np.int64)


@dataclass(frozen=True)
class Answers:
    """The answers to one field, one entry a rater and utterance.

    Attributes:
        field: The field.
        items: Number of utterances, answered or not.
        raters: The raters by name.
        row: Row of the table of each answer.
        item: Utterance of each answer.
        rater: Rater of each answer.
        known: Whether the raters of all answers are known.
        code: The answer: place of the value in the schema, of a set in `members`; 0 for any number;
            `CANNOT_TELL` or `NOT_APPLICABLE`.
        numbers: The numbers of an interval field; nan where there is none. Empty for other fields.
        members: The distinct sets that were given, sets x values; empty for other fields.
        strengths: Intensity given to each value, answers x values; None where none is asked.
    """

    field: Field
    items: int
    raters: tuple[str, ...]
    row: Ints
    item: Ints
    rater: Ints
    known: bool
    code: Ints
    numbers: Floats
    members: NDArray[np.bool_]
    strengths: NDArray[np.int8] | None = None

    @property
    def given(self) -> NDArray[np.bool_]:
        """Which answers are values, sets or numbers."""
        given: NDArray[np.bool_] = self.code >= 0
        return given

    @property
    def told(self) -> NDArray[np.bool_]:
        """Which answers were given to the question: "cannot tell" is one, "not applicable" was not asked."""
        told: NDArray[np.bool_] = self.code != NOT_APPLICABLE
        return told

    def per_item(self, chosen: NDArray[np.bool_]) -> Ints:
        """Number of the chosen answers of each utterance."""
        return np.bincount(self.item[chosen], minlength=self.items)

    def agreement(self) -> Floats:
        """Share of pairs of raters with the very same answer (Fleiss 1971, P_i); nan below two raters."""
        codes = self.code[self.told] - CANNOT_TELL
        size = int(codes.max(initial=0)) + 1
        cells, times = np.unique(self.item[self.told] * size + codes, return_counts=True)
        same = np.bincount(cells // size, times * (times - 1.0), self.items)
        raters = self.per_item(self.told)
        pairs = raters * (raters - 1.0)
        agreement: Floats = np.divide(same, pairs, out=np.full(self.items, np.nan), where=pairs > 0)
        return agreement

    def votes(self) -> Votes:
        """Votes for the values in schema order, then "cannot tell", then "not applicable"."""
        values = len(self.field.categories)  # type: ignore[attr-defined]
        option = np.where(self.code == CANNOT_TELL, values, self.code)
        option[self.code == NOT_APPLICABLE] = values + 1
        return Votes(self.item, self.rater, option, self.items, len(self.raters), values + 2, values)

    def told_votes(self) -> Votes:
        """Votes on whether it can be told: option 0 an answer, option 1 "cannot tell"."""
        chosen = self.told
        option = (self.code[chosen] == CANNOT_TELL).astype(np.int64)
        return Votes(self.item[chosen], self.rater[chosen], option, self.items, len(self.raters), 2, 1)

    def member_votes(self, member: NDArray[np.bool_]) -> Votes:
        """Votes of those who could tell on a property of sets: option 1 where `member` holds."""
        chosen = self.given
        option = member[self.code[chosen]].astype(np.int64)
        return Votes(self.item[chosen], self.rater[chosen], option, self.items, len(self.raters), 2, 2)


def read_answers(table: pa.Table, field: Field, rows: Rows) -> Answers:
    """Code the answers to one field.

    Args:
        table: A row a rating, with the answer columns of ``field``.
        field: The field.
        rows: Who rated what, `Rows.of` the same table.
    """
    column = table.column(field.name).combine_chunks()
    given = np.asarray(pc.is_valid(column))
    code = np.where(given, 0, MISSING)
    reason = table.column(f"{field.name}_missing")
    for place, missing in ((CANNOT_TELL, Missing.CANNOT_TELL), (NOT_APPLICABLE, Missing.NOT_APPLICABLE)):
        stated = np.asarray(pc.fill_null(pc.equal(reason, missing.value), False))
        code[stated & ~given] = place
    numbers: Floats = np.zeros(0)
    members: NDArray[np.bool_] = np.zeros((0, 0), dtype=bool)
    if isinstance(field, IntervalField):
        numbers = pc.fill_null(column, np.nan).to_numpy(zero_copy_only=False).astype(np.float64)
    elif isinstance(field, MultilabelField):
        code[given], members = _sets(column.drop_null(), field)
    else:
        categories = pa.array(field.categories, column.type)  # type: ignore[attr-defined]
        code[given] = pc.index_in(column.drop_null(), value_set=categories).to_numpy(zero_copy_only=False)
    kept = rows.order[code[rows.order] != MISSING]
    kept = _latest(kept, rows)
    return Answers(
        field,
        len(rows.ids),
        rows.raters,
        kept,
        rows.item[kept],
        rows.rater[kept],
        bool(rows.known[kept].all()),
        code[kept],
        numbers[kept] if len(numbers) else numbers,
        members,
        _strengths(table, field, kept) if has_intensity(field) else None,
    )


def _latest(kept: Ints, rows: Rows) -> Ints:
    """Of rows, oldest first, those that the same known rater did not answer again; in table order."""
    key = rows.item[kept] * (len(rows.raters) + 1) + rows.rater[kept]
    _, back = np.unique(key[::-1], return_index=True)
    newest = np.zeros(len(kept), dtype=bool)
    newest[len(kept) - 1 - back] = True
    return np.sort(kept[newest | ~rows.known[kept]])


def _sets(column: pa.Array, field: MultilabelField) -> tuple[Ints, NDArray[np.bool_]]:
    """Code of each set, and which values the distinct sets have; in an order that rows do not change."""
    encoded = join_sets(column).dictionary_encode()
    texts = encoded.dictionary.to_pylist()
    order = sorted(range(len(texts)), key=texts.__getitem__)
    place = np.empty(len(texts), dtype=np.int64)
    place[order] = np.arange(len(texts))
    members = np.zeros((len(texts), len(field.categories)), dtype=bool)
    for text, row in zip(texts, place.tolist(), strict=True):
        for name in text.split(SET_SEPARATOR) if text else ():
            members[row, field.categories.index(name)] = True
    return place[encoded.indices.to_numpy(zero_copy_only=False)], members


def _strengths(table: pa.Table, field: Field, kept: Ints) -> NDArray[np.int8]:
    slots = table.column(f"{field.name}_intensity").combine_chunks().take(pa.array(kept))
    size = len(field.categories)  # type: ignore[attr-defined]
    strengths = np.zeros((len(kept), size), dtype=np.int8)
    flat = slots.drop_null().flatten().fill_null(0).to_numpy(zero_copy_only=False)
    strengths[np.asarray(slots.is_valid())] = flat.reshape(-1, size)
    return strengths
