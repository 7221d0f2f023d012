"""The ratings of a project as one table: the latest submitted ones, with the dialogue they belong to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from schemas import project as folder
from schemas import records
from schemas.answers import join_sets
from schemas.errors import InputError, Issue
from schemas.project import Project
from schemas.records import RatingStatus
from schemas.tables import read_table

EMPTY_SET = "[]"
CONTEXT_COLUMNS = ("source", "show", "episode", "language", "source_split")
"""Columns of the dialogues that ratings can be selected by."""


def require_ratings(project: Project) -> list[str]:
    """Return the project's rating tables.

    Raises:
        InputError: There are none.
    """
    files = project.annotation_files()
    if not files:
        raise InputError(
            Issue("this project has no ratings: import a corpus with raters, or pull them", str(project.root))
        )
    return files


def simulated_raters(project: Project) -> tuple[list[str], int]:
    """Return which raters of a project are simulated, and how many raters there are.

    Whoever shows ratings, or what was made of them, says so.
    """
    if not project.has(folder.RATERS):
        return [], 0
    raters = read_table(project.path(folder.RATERS), ["rater", "attributes"]).to_pylist()
    return [one["rater"] for one in raters if dict(one["attributes"]).get("simulated") == "true"], len(raters)


def project_ratings(
    project: Project, fields: Iterable[str] | None = None, where: Sequence[str] = ()
) -> pa.Table:
    """Read the submitted ratings of all origins.

    Args:
        project: The project.
        fields: Fields whose answers are wanted; None for all.
        where: Conditions ``COLUMN=VALUE`` that every row must meet, on columns of the ratings or on
            `CONTEXT_COLUMNS`.

    Returns:
        The columns of `records.annotations_schema` for these fields, ``origin`` (name of the rating table),
        ``dialogue_id`` and `CONTEXT_COLUMNS`.

    Raises:
        InputError: There are no ratings, a field is unknown, or a condition cannot be met by any column.
    """
    files = require_ratings(project)
    names = list(project.schema.by_name) if fields is None else [project.schema[name].name for name in fields]
    answers = {column.name for name in names for column in records.answer_columns(project.schema[name])}
    fixed = records.annotations_schema(project.schema)
    labels = {column.name for one in project.schema for column in records.answer_columns(one)}
    columns = [column for column in fixed.names if column not in labels or column in answers]
    parts = []
    for file in files:
        rows = read_table(project.path(file), columns)
        rows = rows.filter(pc.equal(rows.column("status"), RatingStatus.SUBMITTED.value))
        parts.append(rows.append_column("origin", pa.array([Path(file).stem] * rows.num_rows, pa.string())))
    return select(_with_dialogues(project, pa.concat_tables(parts)), where, "the ratings of the project")


def _with_dialogues(project: Project, ratings: pa.Table) -> pa.Table:
    """Add the dialogue of each rating and what is known of it."""
    utterances = read_table(project.path(folder.UTTERANCES), ["utterance_id", "dialogue_id"])
    place = pc.index_in(ratings.column("utterance_id"), value_set=utterances.column("utterance_id"))
    dialogue = utterances.column("dialogue_id").take(place)
    dialogues = read_table(project.path(folder.DIALOGUES), ["dialogue_id", *CONTEXT_COLUMNS])
    row = pc.index_in(dialogue, value_set=dialogues.column("dialogue_id"))
    ratings = ratings.append_column("dialogue_id", dialogue)
    for name in CONTEXT_COLUMNS:
        ratings = ratings.append_column(name, dialogues.column(name).take(row))
    return ratings


def select(table: pa.Table, where: Sequence[str], what: str) -> pa.Table:
    """Keep the rows that meet every condition ``COLUMN=VALUE``.

    Cells are compared as text, sets as ``a|b`` and ``[]``.

    Raises:
        InputError: A condition is not of this form, names no column, or names a value that no row has.
    """
    issues = []
    for condition in where:
        name, equals, value = (part.strip() for part in condition.partition("="))
        if not equals:
            issues.append(Issue("a condition is COLUMN=VALUE", "--where", value=condition))
        elif name not in table.column_names:
            issues.append(Issue("no such column", what, value=name, choices=table.column_names))
        else:
            cells = _texts(table.column(name))
            met = pc.fill_null(pc.equal(cells, value), False)
            if not pc.any(met).as_py():
                found = [one for one in pc.unique(cells).to_pylist() if one is not None]
                issues.append(Issue("no row has this value", what, column=name, value=value, choices=found))
            table = table.filter(met)
    if issues:
        raise InputError(issues)
    return table


def oldest_first(ratings: pa.Table) -> NDArray[np.int64]:
    """Return the rows in the order in which they were given; those without a time first, as they stand."""
    times = [ratings.column(name) for name in ("updated", "created") if name in ratings.column_names]
    if not times:
        return np.arange(ratings.num_rows)
    moments = pc.fill_null(pc.coalesce(*times).cast(pa.int64()), np.iinfo(np.int64).min)
    return np.argsort(moments.to_numpy(), kind="stable")


def _texts(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """The cells of a column as text."""
    if not (pa.types.is_list(column.type) or pa.types.is_large_list(column.type)):
        return pc.cast(column, pa.string())
    sets = join_sets(pc.cast(column, pa.list_(pa.string())))
    return pc.if_else(pc.equal(sets, ""), EMPTY_SET, sets)
