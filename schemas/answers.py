"""Columns of answers, a whole column at a time: what is present, and when a relation applies."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from schemas.fields import AppliesWhen, Field, MultilabelField, RelationField
from schemas.label_schema import LabelSchema

SET_SEPARATOR = "|"


def map_distinct(column: pa.Array, function: Callable[[object], object], kind: pa.DataType) -> pa.Array:
    """Apply a function to each distinct value of a column once.

    Args:
        column: Any column; the values of lists are joined by ``|`` before they are compared.
        function: Takes a value (a tuple of texts for lists), gives a value of type ``kind`` or None.
        kind: Arrow type of the result.

    Returns:
        A column of the same length; null where ``column`` is null.
    """
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    is_list = pa.types.is_list(column.type)
    encoded = (join_sets(column) if is_list else column).dictionary_encode()
    distinct = encoded.dictionary.to_pylist()
    if is_list:
        distinct = [tuple(text.split(SET_SEPARATOR)) if text else () for text in distinct]
    mapped = pa.array([function(value) for value in distinct], kind)
    return mapped.take(encoded.indices)


def join_sets(column: pa.Array) -> pa.Array:
    """Write every set of a list column as one text, ``joy|surprise``; the empty set as ``""``."""
    return pc.binary_join(column, SET_SEPARATOR)


def present(field: Field, column: pa.Array) -> pa.Array:
    """Say for every answer whether something is there; null where there is no answer."""
    return map_distinct(column, lambda value: not field.is_absent(value), pa.bool_())


def applies(schema: LabelSchema, relation: RelationField, answers: pa.Table) -> pa.Array:
    """Say for every row of answers whether a relation is to be rated.

    Args:
        schema: The label schema.
        relation: One of its relations.
        answers: A table with a column for each part of the relation.

    Returns:
        Booleans; null where it cannot be known because a part has no answer and the other is absent.
    """
    if relation.applies_when is AppliesWhen.ALWAYS:
        return pa.array(np.ones(answers.num_rows, dtype=bool))
    source, target = (
        present(schema[name], answers.column(name)) for name in (relation.source, relation.target)
    )
    return pc.or_kleene(source, target)


def intensity_slots(field: MultilabelField, chosen: dict[str, int]) -> list[int]:
    """Return an intensity for every value of the schema, 0 where a value is not chosen."""
    return [chosen.get(name, 0) for name in field.categories]
