"""Ratings as they come from Python, a table or a data frame: typed as a project's are; all faults at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from schemas import records
from schemas.errors import InputError, Issue
from schemas.fields import Missing
from schemas.label_schema import LabelSchema
from schemas.records import RatingStatus
from schemas.validation import RATING_REASONS, validate_field

WHERE = "the ratings"
NEEDED = "utterance_id"
_CAST_FAULTS = (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError)


def ratings_table(annotations: pa.Table | pd.DataFrame, schema: LabelSchema, where: str = WHERE) -> pa.Table:
    """Return ratings under the types of the project's tables.

    Args:
        annotations: A row a rating: ``utterance_id``, a column a field, and any of
            `records.annotations_schema`. Where neither an answer nor a reason stands, it was not rated.
        schema: The label schema.
        where: Name of the table, for messages.

    Raises:
        InputError: With every fault: what is no table, lacks columns or has them twice, holds other types, or
            answers that the schema does not have.
    """
    if not isinstance(annotations, pa.Table | pd.DataFrame):
        kind = type(annotations).__name__
        raise InputError(Issue("a pyarrow table or a pandas data frame is expected", where, value=kind))
    wanted = records.annotations_schema(schema)
    names = [str(name) for name in _names(annotations)]
    issues = [
        Issue("the ratings lack a column", where, value=name, choices=names)
        for name in (NEEDED, *schema.by_name)
        if name not in names
    ]
    columns: dict[str, pa.ChunkedArray | pa.Array] = {}
    for place, name in enumerate(names):
        if name in columns and name in wanted.names:
            issues.append(Issue("two columns have this name", where, column=name))
            continue
        type_ = wanted.field(name).type if name in wanted.names else None
        try:
            columns[name] = _column(annotations, place, type_)
        except _CAST_FAULTS as error:
            if type_ is not None:
                reason = str(error).splitlines()[0]
                issues.append(Issue(f"this column cannot be read as {type_}: {reason}", where, column=name))
    if NEEDED in columns and columns[NEEDED].null_count:
        rows = np.flatnonzero(np.asarray(columns[NEEDED].is_null()))
        issues.append(
            Issue("a rating is of no utterance", where, None, int(rows[0]) + 1, NEEDED, count=len(rows))
        )
    if issues:
        raise InputError(issues)
    for column in (one for field in schema for one in records.answer_columns(field)):
        columns.setdefault(column.name, pa.nulls(len(columns[NEEDED]), column.type))
    table = _with_reasons(pa.table(columns), schema)
    faults = list(rating_faults(table, schema, where))
    if faults:
        raise InputError(faults)
    return table


def rating_faults(table: pa.Table, schema: LabelSchema, where: str) -> Iterator[Issue]:
    """Find what is wrong with the submitted ratings of a table; others may be of an earlier schema.

    That a relation was rated where it does not apply is no fault here: labels are held against their parts.

    Args:
        table: Columns under the types of `records.annotations_schema`.
        schema: The label schema.
        where: Name of the table, for messages.
    """
    rows = np.arange(table.num_rows)
    if "status" in table.column_names:
        status = table.column("status").combine_chunks()
        known = pc.is_in(status, value_set=pa.array([str(one) for one in RatingStatus]))
        for row in np.flatnonzero(~np.asarray(known))[:1].tolist():
            count = int((~np.asarray(known)).sum())
            yield Issue(
                "unknown status",
                where,
                None,
                row + 1,
                "status",
                status[row].as_py(),
                list(RatingStatus),
                count,
            )
        submitted = np.asarray(pc.fill_null(pc.equal(status, RatingStatus.SUBMITTED.value), False))
        rows = np.flatnonzero(submitted)
        table = table.filter(pa.array(submitted))
    for field in schema:
        for issue in validate_field(table, field, where, RATING_REASONS):
            yield issue if issue.row is None else replace(issue, row=int(rows[issue.row - 1]) + 1)


def _names(annotations: pa.Table | pd.DataFrame) -> list[object]:
    return list(annotations.column_names if isinstance(annotations, pa.Table) else annotations.columns)


def _column(
    annotations: pa.Table | pd.DataFrame, place: int, type_: pa.DataType | None
) -> pa.ChunkedArray | pa.Array:
    """One column, of the type that is wanted, or of its own (None)."""
    if isinstance(annotations, pa.Table):
        column = annotations.column(place)
    else:
        column = pa.array(annotations.iloc[:, place], from_pandas=True)
    if type_ is None or column.type == type_:
        return column
    if pa.types.is_null(column.type):
        return pa.nulls(len(column), type_)
    # Other times may be finer than milliseconds, or bear no zone.
    return column.cast(type_, safe=not pa.types.is_timestamp(type_))


def _with_reasons(table: pa.Table, schema: LabelSchema) -> pa.Table:
    """Say of each answer that is not there, without a reason, that it was not rated."""
    for field in schema:
        name = f"{field.name}_missing"
        silent = pc.and_(pc.is_null(table.column(field.name)), pc.is_null(table.column(name)))
        if pc.any(silent).as_py():
            filled = pc.if_else(silent, Missing.NOT_RATED.value, table.column(name))
            table = table.set_column(table.column_names.index(name), name, filled)
    return table
