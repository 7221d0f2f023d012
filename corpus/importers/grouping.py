"""Which rows share a cell: numbers in the place of strings, which would cost a copy of the column each."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Numbers = npt.NDArray[np.int64]


def number(column: pa.Array) -> Numbers:
    """Number the distinct values of a column in the order in which they appear; null is one of them."""
    column = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    found = column.dictionary_encode("encode").indices.to_numpy(zero_copy_only=False)
    return np.asarray(found, np.int64)


def number_jointly(*columns: pa.Array) -> Numbers:
    """Number the distinct combinations of several columns, in no particular order."""
    joint = number(columns[0])
    for column in columns[1:]:
        more = number(column)
        joint = np.unique(joint * (more.max(initial=0) + 1) + more, return_inverse=True)[1]
    return joint


def first_alike(numbers: Numbers) -> Numbers:
    """Return for each row the first row that has the same number."""
    _, first, place = np.unique(numbers, return_index=True, return_inverse=True)
    return np.asarray(first[place])
