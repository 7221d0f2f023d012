"""Columns of a table of ratings by which rows are told apart: ids, rounds, the answers to other fields."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pyarrow as pa

from annotation.agreement.cells import encode, missing_cells
from annotation.agreement.patterns import Ints
from schemas.answers import join_sets
from schemas.errors import InputError, Issue
from schemas.fields import Field


def answer_column(field: Field | str) -> str:
    """Name of the column of a schema field or of ``"COLUMN:LEVEL"``."""
    return field.rpartition(":")[0] if isinstance(field, str) else field.name


def require_columns(table: pa.Table, names: Iterable[str | None]) -> None:
    """Check that the table has the columns; None asks for nothing.

    Raises:
        InputError: Columns are not there; all of them at once.
    """
    absent = [one for one in dict.fromkeys(names) if one is not None and one not in table.column_names]
    if absent:
        raise InputError(
            [Issue("there is no such column", column=one, choices=table.column_names) for one in absent]
        )


def cells_of(table: pa.Table, name: str) -> pa.Array:
    """A column as one array; lists as text, so that they can be compared."""
    column = table.column(name)
    if pa.types.is_list(column.type):
        column = join_sets(column.cast(pa.list_(pa.string())))
    combined = column.combine_chunks()
    if isinstance(combined, pa.ChunkedArray):
        return combined.chunk(0) if combined.num_chunks else pa.array([], combined.type)
    return combined


def answered(table: pa.Table, names: Sequence[str]) -> pa.Table:
    """The rows in which none of the columns is empty."""
    missing = np.zeros(table.num_rows, dtype=bool)
    for name in names:
        column = table.column(name)
        is_set = pa.types.is_nested(column.type)  # an empty set is an answer
        missing |= np.asarray(column.is_null()) if is_set else missing_cells(cells_of(table, name))
    return table.filter(pa.array(~missing))


def latest(table: pa.Table, names: Sequence[str]) -> pa.Table:
    """The last row of each distinct combination of the columns' cells."""
    _, back = np.unique(combination(table, names)[::-1], return_index=True)
    return table.take(pa.array(np.sort(table.num_rows - 1 - back)))


def combination(table: pa.Table, names: Sequence[str]) -> Ints:
    """A number for each distinct combination of the columns' cells, from 0 without gaps, shape (rows,)."""
    combined = np.zeros(table.num_rows, dtype=np.int64)
    for name in names:
        codes = encode(cells_of(table, name))[0] + 1
        combined = np.unique(combined * (codes.max(initial=0) + 1) + codes, return_inverse=True)[1]
    return combined
