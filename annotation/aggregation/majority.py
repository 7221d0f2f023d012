"""Majority vote, ties marked and never broken; interval fields get the mean.

- One value (nominal, ordinal, relation): the value with most votes. "Cannot tell" and "not applicable" are
  answers too and can win. A tie is undecided.
- Sets: every value that more than half of the raters chose. A value chosen by exactly half leaves the item
  undecided, and so does a set that comes out empty although most raters chose something.
- The soft label is the share of the raters who answered; of a set, value by value.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from annotation.aggregation.votes import Votes, count_votes
from schemas.fields import Field, IntervalField, Missing, MultilabelField
from schemas.records import has_intensity, value_type

Columns = Mapping[str, pa.Array]


def majority(ratings: pa.Table, field: Field, item: np.ndarray, items: int) -> Columns:
    """Decide one field by majority.

    Args:
        ratings: A row a rating, with the answer columns of ``field``.
        field: The field.
        item: Item number of each row.
        items: Number of items.

    Returns:
        The columns of `records.decided_columns`, a row an item.
    """
    if isinstance(field, IntervalField):
        return _mean(ratings, field, item, items)
    votes = count_votes(ratings, field, item, items)
    decided = _sets(votes, field) if isinstance(field, MultilabelField) else _values(votes, field)
    shares = np.divide(
        votes.counts,
        votes.answered[:, None],
        out=np.zeros(votes.counts.shape),
        where=votes.answered[:, None] > 0,
    )
    return {
        **decided,
        f"{field.name}_soft": _lists(shares, votes.answered > 0, pa.float32()),
        f"{field.name}_agreement": pa.array(votes.agreement, pa.float32(), from_pandas=True),
        f"{field.name}_raters": pa.array(votes.answered, pa.int16()),
    }


def _values(votes: Votes, field: Field) -> Columns:
    """The option with most votes, among the values and the kinds of no answer."""
    options = np.c_[votes.counts, votes.cannot_tell, votes.not_applicable]
    most = options.max(axis=1, keepdims=True)
    winner = options.argmax(axis=1)
    tied = (options == most).sum(axis=1) > 1
    size = votes.counts.shape[1]
    answered = (most[:, 0] > 0) & ~tied & (winner < size)
    reasons = np.array(
        [None] * size + [Missing.CANNOT_TELL.value, Missing.NOT_APPLICABLE.value], dtype=object
    )
    missing = np.where(tied, Missing.UNDECIDED.value, reasons[winner])
    missing = np.where(most[:, 0] == 0, Missing.NOT_RATED.value, missing)
    missing[answered] = None
    names = pa.array(field.categories, value_type(field))  # type: ignore[attr-defined]
    chosen = names.take(pa.array(np.where(answered, winner, 0), mask=~answered))
    return {field.name: chosen, f"{field.name}_missing": pa.array(missing, pa.string())}


def _sets(votes: Votes, field: MultilabelField) -> Columns:
    """The values that more than half of the raters chose."""
    raters = votes.answered[:, None]
    inside = 2 * votes.counts > raters
    halved = ((2 * votes.counts == raters) & (raters > 0)).any(axis=1)
    scattered = ~inside.any(axis=1) & (2 * votes.empty <= votes.answered)
    unrated = votes.answered == 0
    untold = (votes.cannot_tell > votes.answered) | (unrated & (votes.cannot_tell > 0))
    even = (votes.cannot_tell == votes.answered) & ~unrated
    missing = np.full(len(unrated), None, dtype=object)
    missing[halved | scattered | even] = Missing.UNDECIDED.value
    missing[unrated] = Missing.NOT_RATED.value
    missing[untold] = Missing.CANNOT_TELL.value
    decided = np.equal(missing, None)
    inside &= decided[:, None]
    names = pa.array(field.categories).take(pa.array(np.nonzero(inside)[1]))
    columns = {
        field.name: _ragged(inside.sum(axis=1), names, decided),
        f"{field.name}_missing": pa.array(missing, pa.string()),
    }
    if has_intensity(field):
        strengths = np.zeros(votes.counts.shape, dtype=np.int8)
        if votes.intensity is not None:
            # Mean over the raters who chose the value, halves rounded up.
            given = np.divide(votes.intensity, votes.counts, out=np.zeros(votes.counts.shape), where=inside)
            strengths = np.floor(given + 0.5).astype(np.int8)
        known = decided & ~(inside & (strengths == 0)).any(axis=1)
        columns[f"{field.name}_intensity"] = _lists(strengths, known, pa.int8())
    return columns


def _mean(ratings: pa.Table, field: IntervalField, item: np.ndarray, items: int) -> Columns:
    """Mean and standard deviation; agreement is 1 - mean squared difference of two raters / range squared."""
    column = ratings.column(field.name).combine_chunks()
    given = np.asarray(column.is_valid())
    numbers = column.drop_null().to_numpy(zero_copy_only=False).astype(np.float64)
    rows = item[given]
    raters = np.bincount(rows, minlength=items)
    total = np.bincount(rows, weights=numbers, minlength=items)
    mean = np.divide(total, raters, out=np.full(items, np.nan), where=raters > 0)
    squares = np.bincount(rows, weights=(numbers - mean[rows]) ** 2, minlength=items)
    variance = np.divide(squares, raters - 1, out=np.full(items, np.nan), where=raters > 1)
    untold = np.asarray(
        pc.fill_null(pc.equal(ratings.column(f"{field.name}_missing"), Missing.CANNOT_TELL.value), False)
    )
    doubts = np.bincount(item[untold], minlength=items)
    missing = np.full(items, None, dtype=object)
    missing[raters == 0] = Missing.NOT_RATED.value
    missing[(doubts == raters) & (raters > 0)] = Missing.UNDECIDED.value
    missing[doubts > raters] = Missing.CANNOT_TELL.value
    mean = np.where(np.equal(missing, None), mean, np.nan)
    span = field.high - field.low
    columns = {
        field.name: mean,
        f"{field.name}_sd": np.sqrt(variance),
        f"{field.name}_agreement": 1 - 2 * variance / span**2,
    }
    return {
        **{name: pa.array(values, pa.float32(), from_pandas=True) for name, values in columns.items()},
        f"{field.name}_missing": pa.array(missing, pa.string()),
        f"{field.name}_raters": pa.array(raters, pa.int16()),
    }


def _lists(matrix: np.ndarray, valid: np.ndarray, kind: pa.DataType) -> pa.Array:
    """Return the rows of a matrix as lists; null where not ``valid``."""
    kept = matrix[valid]
    return _ragged(np.where(valid, matrix.shape[1], 0), pa.array(kept.ravel(), kind), valid)


def _ragged(lengths: np.ndarray, values: pa.Array, valid: np.ndarray) -> pa.Array:
    offsets = np.r_[0, np.cumsum(lengths)].astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), values, mask=pa.array(~valid))
