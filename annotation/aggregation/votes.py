"""Counting the answers to one field, item by item: the ground of every method that decides labels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from schemas.answers import join_sets
from schemas.fields import Field, IntervalField, Missing, MultilabelField
from schemas.records import has_intensity


@dataclass(frozen=True)
class Votes:
    """The answers to one field.

    Attributes:
        counts: How often each value was answered, items x values (for sets: how many raters chose it).
        answered: How many raters answered, per item.
        cannot_tell: How many said that it cannot be told, per item.
        not_applicable: For how many the field did not apply, per item.
        identical: Pairs of raters with the very same answer, per item.
        empty: How many chose no value at all (sets), per item.
        intensity: Sum of the intensities given to each value, items x values (sets that ask for it).
    """

    counts: np.ndarray
    answered: np.ndarray
    cannot_tell: np.ndarray
    not_applicable: np.ndarray
    identical: np.ndarray
    empty: np.ndarray
    intensity: np.ndarray | None

    @property
    def agreement(self) -> np.ndarray:
        """Share of pairs of raters with the very same answer (Fleiss 1971, P_i); nan below two raters."""
        pairs = self.answered * (self.answered - 1) / 2
        return np.divide(self.identical, pairs, out=np.full(len(pairs), np.nan), where=pairs > 0)


def count_votes(ratings: pa.Table, field: Field, item: np.ndarray, items: int) -> Votes:
    """Count the answers to a categorical, set or relation field.

    Args:
        ratings: A row a rating, with the answer columns of ``field``.
        field: Any field but an interval one.
        item: Item number of each row, 0 <= item < ``items``.
        items: Number of items.

    Raises:
        TypeError: The field is an interval field; it has no votes.
    """
    if isinstance(field, IntervalField):
        raise TypeError("interval fields have no votes")
    column = ratings.column(field.name).combine_chunks()
    given = np.asarray(column.is_valid())
    categories = field.categories  # type: ignore[attr-defined]
    size = len(categories)
    keys = (join_sets(column) if isinstance(field, MultilabelField) else column).dictionary_encode()
    codes = keys.indices.fill_null(-1).to_numpy(zero_copy_only=False)[given]
    rows = item[given]
    answered = np.bincount(rows, minlength=items)
    distinct = max(len(keys.dictionary), 1)
    pairs, times = np.unique(rows * distinct + codes, return_counts=True)
    identical = np.bincount(pairs // distinct, weights=times * (times - 1) / 2, minlength=items)
    intensity = None
    if isinstance(field, MultilabelField):
        lengths = np.asarray(pc.list_value_length(column.drop_null()))
        values = pc.index_in(column.drop_null().flatten(), pa.array(categories))
        cell = np.repeat(rows, lengths) * size + values.to_numpy(zero_copy_only=False)
        empty = np.bincount(rows[lengths == 0], minlength=items)
        if has_intensity(field):
            intensity = _intensities(ratings, field, item, items)
    else:
        kind = pa.int8() if column.type == pa.int8() else pa.string()
        values = pc.index_in(column.drop_null(), pa.array(categories, kind))
        cell = rows * size + values.to_numpy(zero_copy_only=False)
        empty = np.zeros(items, dtype=np.int64)
    counts = np.bincount(cell, minlength=items * size).reshape(items, size)
    missing = ratings.column(f"{field.name}_missing")
    return Votes(
        counts,
        answered,
        *(
            np.bincount(
                item[np.asarray(pc.fill_null(pc.equal(missing, reason.value), False))], minlength=items
            )
            for reason in (Missing.CANNOT_TELL, Missing.NOT_APPLICABLE)
        ),
        identical,
        empty,
        intensity,
    )


def _intensities(ratings: pa.Table, field: MultilabelField, item: np.ndarray, items: int) -> np.ndarray:
    slots = ratings.column(f"{field.name}_intensity").combine_chunks()
    given = np.asarray(slots.is_valid())
    size = len(field.categories)
    flat = slots.drop_null().flatten().fill_null(0).to_numpy(zero_copy_only=False)
    cell = np.repeat(item[given] * size, size) + np.tile(np.arange(size), int(given.sum()))
    return np.bincount(cell, weights=flat, minlength=items * size).reshape(items, size)
