"""From label cells to published labels, or to ratings where the raters are known."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from corpus.importers.cells import parse_answers, valid_answers
from corpus.importers.grouping import first_alike, number_jointly
from corpus.importers.quarantine import CELL_TO_NULL, RESPELLED, Quarantine
from corpus.importers.source import LABEL, Source
from schemas import records
from schemas.answers import applies
from schemas.fields import Missing, RelationField
from schemas.label_schema import LabelSchema
from schemas.tables import concat, from_rows


def rating_rows(rows: pa.Table) -> NDArray[Any]:
    """Say which rows are ratings: those of a named rater, and answers of unknown raters among them.

    All False where no rater is known: the labels were published without them.
    """
    named = np.asarray(pc.is_valid(rows.column("rater")))
    if not named.any():
        return named
    given = np.zeros(rows.num_rows, dtype=bool)
    for name in rows.column_names:
        if name.startswith(LABEL):
            given |= np.asarray(pc.not_equal(pc.utf8_trim_whitespace(rows.column(name).fill_null("")), ""))
    return named | given


def answers(kept: pa.Table, schema: LabelSchema, quarantine: Quarantine) -> dict[str, pa.Array]:
    """Parse the label columns; a bad cell becomes null, a respelled one is noted."""
    columns: dict[str, pa.Array] = {}
    for name in kept.column_names:
        if not name.startswith(LABEL):
            continue
        one = schema[name.removeprefix(LABEL)]
        parsed, intensity = parse_answers(one, kept.column(name))
        quarantine.cells(name, parsed.bad, CELL_TO_NULL, f"not {valid_answers(one)}", one.name)
        quarantine.cells(name, parsed.respelled, RESPELLED, "another spelling of a value", one.name)
        columns[one.name] = parsed.values
        if intensity is not None:
            columns[f"{one.name}_intensity"] = intensity
        untold = pc.equal(
            pc.utf8_lower(pc.utf8_trim_whitespace(kept.column(name))), Missing.CANNOT_TELL.value
        )
        if pc.any(untold).as_py():
            columns[f"{one.name}_missing"] = pc.if_else(untold, Missing.CANNOT_TELL.value, None)
    for relation in schema.relations:
        if not {relation.name, relation.source, relation.target} <= set(columns):
            continue
        asked = np.asarray(applies(schema, relation, pa.table(columns)).fill_null(True))
        value = columns[relation.name]
        reason = f"neither {relation.source} nor {relation.target} is present"
        unasked = ~asked & np.asarray(value.is_valid())
        quarantine.cells(f"{LABEL}{relation.name}", unasked, CELL_TO_NULL, reason, relation.name)
        columns[relation.name] = pc.if_else(pa.array(asked), value, pa.scalar(None, value.type))
    return columns


def _answer_columns(
    answers: Mapping[str, pa.Array], schema: LabelSchema, context_only: pa.Array
) -> dict[str, pa.Array]:
    """Complete answers to the columns of the schema, saying for each null why it is null."""
    size = len(context_only)
    columns: dict[str, pa.Array] = {}
    for one in schema:
        for column in records.answer_columns(one):
            columns[column.name] = answers.get(column.name, pa.nulls(size, column.type))
    for one in schema:
        reason = pc.if_else(context_only, Missing.CONTEXT_ONLY.value, Missing.NOT_RATED.value)
        reason = pc.coalesce(columns[f"{one.name}_missing"], reason)
        if isinstance(one, RelationField):
            unasked = pc.fill_null(pc.invert(applies(schema, one, pa.table(columns))), False)
            reason = pc.if_else(unasked, Missing.NOT_APPLICABLE.value, reason)
        given = pc.is_valid(columns[one.name])
        columns[f"{one.name}_missing"] = pc.if_else(given, pa.scalar(None, pa.string()), reason)
    return columns


def published(kept: pa.Table, answers: Mapping[str, pa.Array], schema: LabelSchema) -> pa.Table:
    """Make the labels of a corpus that was published without its raters, a row a kept row."""
    columns = _answer_columns(answers, schema, kept.column("context_only").fill_null(False))
    table = pa.table(
        {
            "utterance_id": kept.column("utterance_id"),
            "method": pa.array(["published"] * kept.num_rows),
            **columns,
        }
    )
    return concat([table], records.labels_schema(schema))


def ratings(
    kept: pa.Table,
    answers: Mapping[str, pa.Array],
    schema: LabelSchema,
    first: NDArray[Any],
    rated: NDArray[Any],
) -> pa.Table:
    """Make a row a rating, in utterance order and within an utterance in the order of the file."""
    columns = _answer_columns(answers, schema, pc.fill_null(kept.column("context_only"), False))
    numbered = pc.cast(pa.array(range(kept.num_rows)), pa.string())
    own_ids = kept.column("annotation_id")
    rater = kept.column("rater").fill_null("")
    made = pc.binary_join_element_wise(kept.column("utterance_id"), rater, numbered, "/")
    table = pa.table(
        {
            "annotation_id": pc.coalesce(own_ids, made),
            **{name: kept.column(name) for name in ("utterance_id", "rater", "round", "condition")},
            "status": pa.array([records.RatingStatus.SUBMITTED.value] * kept.num_rows),
            **columns,
        }
    )
    ids = kept.column("utterance_id").combine_chunks()
    place = pc.index_in(ids, ids.take(pa.array(first))).to_numpy(zero_copy_only=False)
    order = np.argsort(place, kind="stable")
    order = order[rated[order]]
    return concat([_supersede(table.take(pa.array(order)))], records.annotations_schema(schema))


def _supersede(ratings: pa.Table) -> pa.Table:
    """Of several ratings of an utterance by one rater in one round and condition, the last one counts.

    Unknown raters are not taken for one.
    """
    same = number_jointly(*(ratings.column(name) for name in ("utterance_id", "rater", "round", "condition")))
    last = (first_alike(same[::-1]) == np.arange(ratings.num_rows))[::-1]
    counts = pc.or_(pa.array(last), pc.is_null(ratings.column("rater")))
    status = pc.if_else(counts, records.RatingStatus.SUBMITTED.value, records.RatingStatus.SUPERSEDED.value)
    return ratings.set_column(ratings.column_names.index("status"), "status", status)


def raters(annotations: pa.Table, source: Source) -> pa.Table:
    """Make a row a rater."""
    names = pc.unique(annotations.column("rater")).drop_null().to_pylist()
    return from_rows(
        [
            {
                "rater": one,
                "source": source.name,
                "attributes": list(source.rater_attributes.get(one, {}).items()),
            }
            for one in sorted(names)
        ],
        records.RATERS,
    )
