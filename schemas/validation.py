"""Validation of answers against the schema, a whole column at a time, every fault located."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from schemas.answers import SET_SEPARATOR, applies, join_sets
from schemas.errors import Issue
from schemas.fields import (
    CategoricalField,
    Field,
    IntervalField,
    Missing,
    MultilabelField,
    RelationField,
)
from schemas.label_schema import LabelSchema
from schemas.records import answer_columns, has_intensity

RATING_REASONS = (Missing.NOT_RATED, Missing.NOT_APPLICABLE, Missing.CANNOT_TELL)


def validate_answers(
    table: pa.Table, schema: LabelSchema, where: str, reasons: tuple[Missing, ...] = tuple(Missing)
) -> list[Issue]:
    """Check every answer of a table of ratings or decided labels.

    Args:
        table: Columns as `records.answer_columns` declares them.
        schema: The label schema.
        where: Name of the table, for messages.
        reasons: Which kinds of no answer this table may hold.

    Returns:
        One issue for each distinct fault, with the row of its first occurrence and how often it occurs.
    """
    return [
        issue
        for field in schema
        for issue in (
            *validate_field(table, field, where, reasons),
            *(_relation(table, schema, field, where) if isinstance(field, RelationField) else ()),
        )
    ]


def validate_field(
    table: pa.Table, field: Field, where: str, reasons: tuple[Missing, ...] = tuple(Missing)
) -> list[Issue]:
    """Check the answers to one field as they stand, as `validate_answers` does, without those to others."""
    lacking = [column.name for column in answer_columns(field) if column.name not in table.column_names]
    if lacking:
        message = "this table lacks a column of the schema"
        return [Issue(message, where, column=name, choices=table.column_names) for name in lacking]
    return list(_answers(table, field, where, reasons))


def _answers(table: pa.Table, field: Field, where: str, reasons: tuple[Missing, ...]) -> Iterator[Issue]:
    values = table.column(field.name).combine_chunks()
    missing = table.column(f"{field.name}_missing").combine_chunks()
    given, excused = pc.is_valid(values), pc.is_valid(missing)
    column = field.name

    def report(
        rows: pa.Array, message: str, shown: pa.Array | None = None, choices: Iterable[object] = ()
    ) -> Iterator[Issue]:
        yield from _report(rows, message, where, column, values if shown is None else shown, choices)

    yield from report(
        pc.and_(pc.invert(given), pc.invert(excused)),
        f"there is no answer, and {column}_missing does not say why",
        choices=reasons,
    )
    yield from report(
        pc.and_(given, excused), f"there is an answer, and {column}_missing excuses it", missing
    )
    valid = pa.array([str(reason) for reason in reasons])
    unknown = pc.and_(excused, pc.invert(pc.is_in(missing, value_set=valid)))
    yield from report(unknown, "unknown kind of no answer", missing, reasons)

    if isinstance(field, MultilabelField):
        yield from _sets(table, field, where)
    elif isinstance(field, CategoricalField):
        known = pc.is_in(values, value_set=pa.array(field.categories))
        yield from report(pc.and_(given, pc.invert(known)), "unknown value", choices=field.categories)
    elif isinstance(field, IntervalField):
        # The ends as the table's 32-bit numbers: 0.7 itself is not among them.
        low, high = pa.scalar(field.low, values.type), pa.scalar(field.high, values.type)
        inside = pc.and_(pc.greater_equal(values, low), pc.less_equal(values, high))
        outside = pc.and_(given, pc.invert(pc.fill_null(inside, False)))
        yield from report(outside, f"this lies outside the range {field.low:g}..{field.high:g}")
    elif isinstance(field, RelationField):
        known = pc.is_in(values, value_set=pa.array(field.categories, pa.int8()))
        yield from report(pc.and_(given, pc.invert(known)), "not on the scale", choices=field.categories)


def _sets(table: pa.Table, field: MultilabelField, where: str) -> Iterator[Issue]:
    """Check sets: known values, each once, in schema order, exclusive ones alone; and their intensities."""
    sets = table.column(field.name).combine_chunks()
    chosen, owners = sets.flatten(), pc.list_parent_indices(sets)
    strange = pc.invert(pc.is_in(chosen, value_set=pa.array(field.categories)))
    rows = owners.filter(strange)
    yield from _distinct(rows, chosen.filter(strange), "unknown value", where, field.name, field.categories)
    known = np.asarray(pc.is_valid(sets))
    known[np.asarray(rows)] = False

    # The names of known values hold no separator, so that distinct sets have distinct keys.
    encoded = join_sets(sets).dictionary_encode()
    codes = np.where(known, encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False), -1)
    order = {name: position for position, name in enumerate(field.categories)}
    for code in np.unique(codes[known]).tolist():
        key = encoded.dictionary[code].as_py()
        names = key.split(SET_SEPARATOR) if key else []
        alone = [name for name in names if name in field.exclusive]
        places = [order[name] for name in names]
        if alone and len(names) > 1:
            message = f"{alone[0]!r} excludes all other values"
        elif places != sorted(set(places)):
            message = "the values of a set stand in schema order, each once"
        else:
            continue
        found = np.flatnonzero(codes == code)
        yield Issue(message, where, None, int(found[0]) + 1, field.name, key, (), len(found))
    if has_intensity(field):
        yield from _intensities(table, field, where, known)


def _intensities(
    table: pa.Table, field: MultilabelField, where: str, known: npt.NDArray[np.bool_]
) -> Iterator[Issue]:
    """Check the intensities of the sets that are known to hold valid values."""
    column = f"{field.name}_intensity"
    sets = table.column(field.name).combine_chunks()
    slots = table.column(column).combine_chunks()
    low, high = field.intensity or (0, 0)
    size = len(field.categories)
    orphans = pc.and_(pc.is_valid(slots), pc.is_null(sets))
    yield from _report(orphans, "an intensity without an answer", where, column, slots)
    both = pc.and_(pc.is_valid(slots), pc.is_valid(sets))
    right = pc.and_(both, pc.fill_null(pc.equal(pc.list_value_length(slots), size), False))
    wrong = pc.and_(both, pc.invert(right))
    yield from _report(wrong, f"{size} slots are expected", where, column, slots)
    rows = np.flatnonzero(np.asarray(right) & known)
    if not len(rows):
        return
    found = slots.take(pa.array(rows)).flatten().fill_null(-1).to_numpy(zero_copy_only=False)
    picked = sets.take(pa.array(rows))
    place = pc.index_in(picked.flatten(), pa.array(field.categories)).to_numpy(zero_copy_only=False)
    chosen = np.zeros((len(rows), size), bool)
    chosen[np.asarray(pc.list_parent_indices(picked)), place] = True
    found = found.reshape(len(rows), size)
    bad = np.where(chosen, (found < low) | (found > high), found != 0).any(axis=1)
    mask = np.zeros(table.num_rows, bool)
    mask[rows[bad]] = True
    message = f"a chosen value has an intensity of {low}..{high}, all others 0"
    yield from _report(pa.array(mask), message, where, column, slots)


def _relation(table: pa.Table, schema: LabelSchema, field: RelationField, where: str) -> Iterator[Issue]:
    """A relation is rated where it applies, and nowhere else."""
    if not {field.source, field.target, field.name, f"{field.name}_missing"} <= set(table.column_names):
        return
    asked = applies(schema, field, table)
    values = table.column(field.name).combine_chunks()
    refused = pc.equal(table.column(f"{field.name}_missing").combine_chunks(), Missing.NOT_APPLICABLE)
    column = field.name
    yield from _report(
        pc.and_(pc.is_valid(values), pc.fill_null(pc.invert(asked), False)),
        f"rated although neither {field.source} nor {field.target} is present",
        where,
        column,
        values,
    )
    yield from _report(
        pc.and_(pc.fill_null(refused, False), pc.fill_null(asked, False)),
        f"not applicable although {field.source} or {field.target} is present",
        where,
        column,
        values,
    )


def _report(
    rows: pa.Array, message: str, where: str, column: str, shown: pa.Array, choices: Iterable[object] = ()
) -> Iterator[Issue]:
    """One issue for each distinct value shown in the rows that are marked."""
    found = pa.array(np.flatnonzero(np.asarray(rows.fill_null(False))))
    yield from _distinct(found, shown.take(found), message, where, column, choices)


def _distinct(
    rows: pa.Array, values: pa.Array, message: str, where: str, column: str, choices: Iterable[object]
) -> Iterator[Issue]:
    """One issue for each distinct value, which stands in the row beside it."""
    places: dict[str, dict[int, object]] = {}
    for row, value in zip(rows.to_pylist(), values.to_pylist(), strict=True):
        places.setdefault(repr(value), {})[row] = value
    for found in places.values():
        first, value = next(iter(found.items()))
        yield Issue(message, where, None, first + 1, column, value, tuple(map(str, choices)), len(found))
