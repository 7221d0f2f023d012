"""Deciding all fields of a schema at once, and fitting relations to their decided parts."""

from __future__ import annotations

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from annotation.aggregation.answers import Rows, read_answers
from annotation.aggregation.deciding import require_agreement
from annotation.aggregation.methods import METHODS, decide_field
from annotation.aggregation.outcome import Decided
from annotation.aggregation.ratings_table import ratings_table
from schemas import records
from schemas.answers import applies
from schemas.errors import InputError, Issue
from schemas.fields import Missing, RelationField
from schemas.label_schema import LabelSchema
from schemas.tables import concat


def aggregate(
    annotations: pa.Table | pd.DataFrame,
    schema: LabelSchema,
    method: str = "majority",
    min_agreement: float | None = None,
) -> pa.Table:
    """Decide the labels of all rated utterances; `decide` says how it was done too.

    Returns:
        A table under `records.labels_schema`, a row an utterance in order of first appearance.

    Raises:
        InputError: With every fault of the ratings (`ratings_table`); or the method is unknown, or the least
            agreement is not a share.
    """
    return decide(annotations, schema, method, min_agreement).labels


def decide(
    annotations: pa.Table | pd.DataFrame,
    schema: LabelSchema,
    method: str = "majority",
    min_agreement: float | None = None,
) -> Decided:
    """Decide the labels of all rated utterances.

    Args:
        annotations: A row a rating: ``utterance_id`` and a column a field; ``FIELD_missing`` says why there
            is no answer, where that is known; ``rater`` for the methods that know raters, ``updated`` or
            ``created`` where a rater rated an utterance twice.
        schema: The label schema.
        method: One of `METHODS`.
        min_agreement: Items whose own agreement on a field is lower, or unknown (one rater), stay undecided;
            0 to 1. None decides whatever the agreement.

    Raises:
        InputError: With every fault of the ratings (`ratings_table`); or the method is unknown, or the least
            agreement is not a share.
    """
    _require(method, min_agreement)
    table = ratings_table(annotations, schema)
    rows = Rows.of(table)
    columns: dict[str, pa.Array] = {
        "utterance_id": rows.ids,
        "method": pa.array([method] * len(rows.ids), pa.string()),
    }
    outcomes = []
    for field in schema:
        decided, outcome = decide_field(read_answers(table, field, rows), method)
        if min_agreement is not None:
            decided = require_agreement(decided, field.name, min_agreement)
        columns.update(decided)
        outcomes.append(outcome)
    labels = concat([pa.table(columns)], records.labels_schema(schema))
    return Decided(fit_relations(labels, schema), method, min_agreement, tuple(outcomes))


def _require(method: str, min_agreement: float | None) -> None:
    issues = []
    if method not in METHODS:
        issues.append(Issue("unknown method", value=method, choices=list(METHODS)))
    is_number = isinstance(min_agreement, int | float) and not isinstance(min_agreement, bool)
    if min_agreement is not None and not (is_number and 0 <= min_agreement <= 1):
        issues.append(Issue("agreement is a share, 0 to 1", column="min_agreement", value=min_agreement))
    if issues:
        raise InputError(issues)


def fit_relations(labels: pa.Table, schema: LabelSchema) -> pa.Table:
    """Keep the decided relations to where they apply, given their decided parts."""
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
