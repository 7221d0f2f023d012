"""Columns of a project's tables as the checks want them: whole, and few at a time."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from corpus.checks.finding import MAX_EXAMPLES, Finding, Severity
from schemas.answers import join_sets
from schemas.project import Project
from schemas.tables import read_table

Mask = NDArray[np.bool_]
Codes = NDArray[np.int64]


def read(project: Project, name: str, *columns: str) -> pa.Table:
    """Read some columns of a table."""
    return read_table(project.path(name), columns)


def mask(condition: pa.Array) -> Mask:
    """Return a condition as numpy booleans; what is null does not hold."""
    return np.asarray(pc.fill_null(condition, False), dtype=bool)


def codes(column: pa.Array) -> tuple[Codes, pa.Array]:
    """Number the distinct values of a column.

    Args:
        column: Any column; the values of lists are compared as ``a|b``.

    Returns:
        A number for each row, -1 where it is null, and the distinct values in the order of the numbers.
    """
    plain = join_sets(column) if pa.types.is_list(column.type) else column
    encoded = plain.dictionary_encode()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.combine_chunks()
    numbers = pc.fill_null(encoded.indices, -1).to_numpy(zero_copy_only=False)
    return numbers.astype(np.int64), encoded.dictionary


def same_as_before(column: pa.Array) -> Mask:
    """Say for every row whether its value is that of the row before; null is like nothing."""
    same = np.zeros(len(column), dtype=bool)
    if len(column) > 1:
        same[1:] = mask(pc.equal(column.slice(1), column.slice(0, len(column) - 1)))
    return same


def row_before(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return for every row the number of the row before; nan for the first."""
    shifted = np.full(len(values), np.nan)
    shifted[1:] = values[:-1]
    return shifted


def examples(column: pa.Array, places: Mask) -> tuple[str, ...]:
    """Return the values of the first rows at ``places``."""
    rows = np.flatnonzero(places)[:MAX_EXAMPLES]
    return tuple(str(value) for value in column.take(pa.array(rows)).to_pylist())


def located(
    check: str,
    severity: Severity,
    places: Mask,
    of: int,
    what: str,
    ids: pa.Array,
    subject: str | None = None,
) -> Iterator[Finding]:
    """Yield the finding that ``places`` hold, as "N of M WHAT."; nothing where no place does.

    Args:
        check: Name of the check.
        severity: How bad it is.
        places: The rows concerned.
        of: Out of how many rows.
        what: The rest of the sentence, without its full stop.
        ids: A name for each row, for the examples.
        subject: What it is about.
    """
    count = int(places.sum())
    if count:
        message = f"{count:,} of {of:,} {what}."
        yield Finding(check, severity, message, count, of, subject, examples(ids, places))
