"""Ratings and decided labels: whether they fit the schema, and how much of it they use."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from corpus.checks.columns import codes, read
from corpus.checks.finding import MAX_EXAMPLES, Finding, Severity
from schemas.errors import InputError, Issue
from schemas.fields import CategoricalField, Field, Missing, MultilabelField, RelationField
from schemas.project import Project
from schemas.records import RatingStatus, answer_columns
from schemas.tables import ROW_GROUP, iter_tables, open_table
from schemas.validation import RATING_REASONS, validate_answers

_BATCH = 16 * ROW_GROUP
_BY_DESIGN = (Missing.NOT_APPLICABLE, Missing.CONTEXT_ONLY)


def check_labels(project: Project, labels: str | None) -> Iterator[Finding]:
    """Check answers against the schema.

    - ``labels.invalid``: what `schemas.validation` finds in any table of labels or of submitted ratings (an
      error), one finding for each distinct fault and value.
    - ``labels.ambiguous``: it is not known which labels are built (an error), because ``corpus.yaml`` names
      none of several or one that is not there.
    - ``labels.no_label``: a field without a single label.
    - ``labels.null``: utterances without a label of a field, by reason. Those that were never to be asked
      (not applicable, context only) are counted neither here nor in the denominator.
    - ``labels.unused_value``: values of the schema that nobody used: neither the labels nor, where no
      labels are known, the ratings.

    Args:
        project: The project.
        labels: The table of decided labels, if there is one.
    """
    for name in project.label_files():
        yield from _validated(project, name, tuple(Missing))
    for name in project.annotation_files():
        yield from _validated(project, name, RATING_REASONS)
    if labels is None and project.label_files():
        try:
            project.labels_built()
        except InputError as error:
            message = f"It is not known which labels are built: {error.issues[0].message}."
            names = tuple(Path(name).stem for name in project.label_files())[:MAX_EXAMPLES]
            yield Finding("labels.ambiguous", Severity.ERROR, message, len(names), examples=names)
    tables = [labels] if labels is not None else project.annotation_files()
    for field in project.schema:
        present = [name for name in tables if _has_answers(project, name, field)]
        if labels in present:
            yield from _nulls(project, labels, field)
        if present:
            yield from _unused(project, present, field)


def _has_answers(project: Project, table: str, field: Field) -> bool:
    wanted = {field.name, f"{field.name}_missing"}
    with open_table(project.path(table)) as file:
        return wanted <= set(file.schema_arrow.names)


def _validated(project: Project, table: str, reasons: tuple[Missing, ...]) -> Iterator[Finding]:
    found: dict[tuple[str, str | None, str], Finding] = {}
    for batch in _answers(project, table):
        for issue in validate_answers(batch, project.schema, table, reasons):
            key = (issue.message, issue.column, repr(issue.value))
            if key in found and issue.row is None:
                continue  # a column that lacks in one batch lacks in all
            before = found.get(key)
            found[key] = _finding(issue, batch, table, before)
    yield from found.values()


def _finding(issue: Issue, batch: pa.Table, table: str, before: Finding | None) -> Finding:
    count = issue.count + (before.count if before else 0)
    rows = f"{count:,} row(s): " if issue.row is not None else ""
    value = "" if issue.value is None else f", got {issue.value!r}"
    message = f"{table}, {issue.column}: {rows}{issue.message}{value}."
    if before is not None:
        examples = before.examples
    elif issue.row is not None:
        examples = (str(batch.column("utterance_id")[issue.row - 1]),)
    else:
        examples = ()
    return Finding("labels.invalid", Severity.ERROR, message, count, None, issue.column, examples)


def _answers(project: Project, table: str) -> Iterator[pa.Table]:
    """Read the answers of a table in batches: all labels, or the ratings that count."""
    with open_table(project.path(table)) as file:
        names = file.schema_arrow.names
    wanted = ["utterance_id", *(column.name for field in project.schema for column in answer_columns(field))]
    status = ["status"] if "status" in names else []
    for batch in iter_tables(
        project.path(table), [name for name in wanted + status if name in names], _BATCH
    ):
        yield (
            batch.filter(pc.equal(batch.column("status"), RatingStatus.SUBMITTED.value)) if status else batch
        )


def _nulls(project: Project, labels: str, field: Field) -> Iterator[Finding]:
    table = read(project, labels, "utterance_id", field.name, f"{field.name}_missing")
    reasons, kinds = codes(table.column(2))
    names = kinds.to_pylist()
    asked = ~np.isin(reasons, [number for number, name in enumerate(names) if name in _BY_DESIGN])
    null = asked & np.asarray(pc.is_null(table.column(1)))
    of, count = int(asked.sum()), int(null.sum())
    if not count:
        return
    if count == of:
        message = f"None of the {of:,} utterances has a label of {field.name!r}."
        yield Finding("labels.no_label", Severity.WARNING, message, count, of, field.name)
        return
    why = np.bincount(reasons[null] + 1, minlength=len(names) + 1)
    told = ", ".join(f"{n:,} {name}" for name, n in sorted(zip(["no reason", *names], why, strict=True)) if n)
    message = f"{count:,} of {of:,} utterances have no label of {field.name!r} ({told})."
    rows = pa.array(np.flatnonzero(null)[:MAX_EXAMPLES])
    examples = tuple(table.column(0).take(rows).to_pylist())
    yield Finding("labels.null", Severity.INFO, message, count, of, field.name, examples)


def _unused(project: Project, tables: list[str], field: Field) -> Iterator[Finding]:
    if not isinstance(field, CategoricalField | RelationField):
        return
    used: set[object] = set()
    for name in tables:
        column = read(project, name, field.name).column(0)
        flat = pc.list_flatten(column) if isinstance(field, MultilabelField) else column
        used |= set(pc.unique(flat).to_pylist())
    unused = [value for value in field.categories if value not in used]
    if unused and used - {None}:
        names = ", ".join(map(str, unused))
        count, of = len(unused), len(field.categories)
        message = f"{count} of the {of} values of {field.name!r} were never used: {names}."
        examples = tuple(map(str, unused))[:MAX_EXAMPLES]
        yield Finding("labels.unused_value", Severity.INFO, message, count, of, field.name, examples)
