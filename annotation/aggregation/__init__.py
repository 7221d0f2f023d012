"""Deciding labels from ratings: every method takes the same table and gives the same columns."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from annotation.aggregation.majority import Columns, majority
from annotation.ratings import project_ratings, require_ratings
from schemas import project as folder
from schemas import records
from schemas.answers import applies
from schemas.errors import InputError, Issue
from schemas.fields import Field, Missing, RelationField
from schemas.label_schema import LabelSchema
from schemas.project import Project
from schemas.tables import concat, read_table, write_table

Method = Callable[[pa.Table, Field, np.ndarray, int], Columns]
METHODS: dict[str, Method] = {"majority": majority}
VERSION = 1


def aggregate(
    annotations: pa.Table | pd.DataFrame, schema: LabelSchema, method: str = "majority"
) -> pa.Table:
    """Decide the labels of all rated utterances.

    Args:
        annotations: A row a rating: ``utterance_id`` and the answer columns of the schema.
        schema: The label schema.
        method: One of `METHODS`.

    Returns:
        A table under `records.labels_schema`, a row an utterance in order of first appearance.

    Raises:
        InputError: The method is unknown, or the table lacks columns.
    """
    if method not in METHODS:
        raise InputError(Issue("unknown method", value=method, choices=list(METHODS)))
    table = pa.Table.from_pandas(annotations) if isinstance(annotations, pd.DataFrame) else annotations
    needed = ["utterance_id", *(column.name for one in schema for column in records.answer_columns(one))]
    lacking = [name for name in needed if name not in table.column_names]
    if lacking:
        raise InputError(
            [Issue("the ratings lack a column", value=name, choices=table.column_names) for name in lacking]
        )
    ids = table.column("utterance_id").combine_chunks().dictionary_encode()
    item = ids.indices.to_numpy(zero_copy_only=False).astype(np.int64)
    columns: dict[str, pa.Array] = {"utterance_id": ids.dictionary}
    for one in schema:
        columns.update(METHODS[method](table, one, item, len(ids.dictionary)))
    columns["method"] = pa.array([method] * len(ids.dictionary), pa.string())
    labels = concat([pa.table(columns)], records.labels_schema(schema))
    for relation in schema.relations:
        labels = _fit_parts(labels, schema, relation)
    return labels


def _fit_parts(labels: pa.Table, schema: LabelSchema, relation: RelationField) -> pa.Table:
    """Keep a decided relation to where it applies, given the decided parts.

    Raters who differ on the parts rate the relation on different grounds: without a decided part it does not
    apply, and with one a majority for "not applicable" decides nothing.
    """
    asked = applies(schema, relation, labels)
    name = f"{relation.name}_missing"
    value, missing = labels.column(relation.name), labels.column(name)
    unasked = pc.fill_null(pc.invert(asked), False)
    refused = pc.fill_null(pc.equal(missing, Missing.NOT_APPLICABLE.value), False)
    missing = pc.if_else(pc.and_(refused, pc.fill_null(asked, False)), Missing.UNDECIDED.value, missing)
    missing = pc.if_else(unasked, Missing.NOT_APPLICABLE.value, missing)
    labels = labels.set_column(labels.column_names.index(name), name, missing)
    value = pc.if_else(unasked, pa.scalar(None, value.type), value)
    return labels.set_column(labels.column_names.index(relation.name), relation.name, value)


def aggregate_project(project: Project, method: str = "majority") -> pa.Table | None:
    """Decide the labels of a project and write ``labels/METHOD.parquet``, a row for every utterance.

    Returns:
        The labels; None when they stand there already, decided from the same ratings.

    Raises:
        InputError: There are no ratings, or the method is unknown.
    """
    inputs = [folder.SCHEMA, folder.UTTERANCES, *require_ratings(project)]
    provenance = project.provenance("annotation aggregate", VERSION, inputs, {"method": method})
    target = f"labels/{method}.parquet"
    if project.is_current(target, provenance):
        return None
    decided = aggregate(project_ratings(project), project.schema, method)
    labels = spread(
        decided, read_table(project.path(folder.UTTERANCES), ["utterance_id", "context_only"]), project.schema
    )
    with project.writing("annotation aggregate") as staging:
        write_table(staging / target, labels, records.labels_schema(project.schema), provenance)
    return labels


def spread(decided: pa.Table, utterances: pa.Table, schema: LabelSchema) -> pa.Table:
    """Bring decided labels into utterance order, with a row that says why for each undecided utterance.

    Args:
        decided: Labels of some utterances.
        utterances: ``utterance_id`` and ``context_only`` of all of them, in order.
        schema: The label schema.
    """
    ids = utterances.column("utterance_id")
    labels = decided.take(pc.index_in(ids, value_set=decided.column("utterance_id")))
    reason = pc.if_else(
        utterances.column("context_only"), Missing.CONTEXT_ONLY.value, Missing.NOT_RATED.value
    )
    labels = labels.set_column(labels.column_names.index("utterance_id"), "utterance_id", ids)
    for one in schema:
        name = f"{one.name}_missing"
        unanswered = pc.and_(pc.is_null(labels.column(one.name)), pc.is_null(labels.column(name)))
        filled = pc.if_else(unanswered, reason, labels.column(name))
        labels = labels.set_column(labels.column_names.index(name), name, filled)
    return labels
