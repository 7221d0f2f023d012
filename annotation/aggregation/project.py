"""Deciding the labels of a project: ``labels/METHOD.parquet`` and the account of how it was done."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from annotation.aggregation.adjudication import adjudicated
from annotation.aggregation.labels import decide, fit_relations
from annotation.aggregation.methods import METHODS
from annotation.aggregation.outcome import Decided, Note, NoteKind
from annotation.aggregation.ratings_table import rating_faults
from annotation.ratings import oldest_first, project_ratings, require_ratings
from annotation.roster import write_private
from schemas import project as folder
from schemas import records
from schemas.errors import InputError, Issue
from schemas.fields import Missing
from schemas.label_schema import LabelSchema
from schemas.project import Project
from schemas.tables import read_table, write_table

VERSION = 10
COMMAND = "annotation aggregate"
ADJUDICATION = "adjudication"
"""Origin of the ratings that decide, rather than count among others: ``annotations/adjudication.parquet``."""


def aggregate_project(
    project: Project, method: str = "majority", min_agreement: float | None = None
) -> pa.Table | None:
    """Decide the labels of a project, as `decide_project` does, and return the table alone."""
    decided = decide_project(project, method, min_agreement)
    return None if decided is None else decided.labels


def decide_project(
    project: Project, method: str = "majority", min_agreement: float | None = None
) -> Decided | None:
    """Decide the labels of a project.

    Writes ``labels/METHOD.parquet``, a row for every utterance, and ``reports/labels-METHOD.json``: how each
    field was decided and what is worth knowing about it. What was estimated about raters stands in
    ``private/estimates-METHOD.json``. Adjudicators' answers take the place of what the raters' would decide.

    Returns:
        The labels and how they were decided; None when they stand there already, from the same ratings.

    Raises:
        InputError: There are no ratings, the method is unknown, or the least agreement is not a share.
    """
    if method not in METHODS:
        raise InputError(Issue("unknown method", value=method, choices=list(METHODS)))
    target, account, estimates = f"labels/{method}.parquet", _account(method), _estimates(method)
    inputs = [folder.SCHEMA, folder.UTTERANCES, *require_ratings(project)]
    parameters = {
        "method": method,
        "min_agreement": min_agreement,
        "fields": {field.name: METHODS[method].of(field) for field in project.schema},
    }
    provenance = project.provenance(COMMAND, VERSION, inputs, parameters)
    if project.is_current(target, provenance) and project.has(estimates) and _has_account(project, method):
        return None
    ratings = project_ratings(project)
    ruling = pc.equal(ratings.column("origin"), ADJUDICATION)
    with faults_by_file(project):
        decided = decide(ratings.filter(pc.invert(ruling)), project.schema, method, min_agreement)
    utterances = read_table(project.path(folder.UTTERANCES), ["utterance_id", "context_only"])
    labels = spread(decided.labels, utterances, project.schema)
    rulings = ratings.filter(ruling)
    if rulings.num_rows:
        rulings = rulings.take(pa.array(oldest_first(rulings)))
        labels = fit_relations(adjudicated(labels, rulings, project.schema), project.schema)
    project.path("private").mkdir(mode=0o700, exist_ok=True)
    with project.writing(COMMAND) as staging:
        write_table(staging / target, labels, records.labels_schema(project.schema), provenance)
        (staging / account).parent.mkdir(parents=True, exist_ok=True)
        (staging / account).write_text(_json(decided.to_dict()), "utf-8")
        write_private(staging / estimates, _json(decided.estimates()))
    return Decided(labels, method, min_agreement, decided.fields)


def notes_of(project: Project, method: str) -> list[str]:
    """Return what is to be known about decided labels, a line a note with its fields, from their account."""
    account = json.loads(project.path(_account(method)).read_text("utf-8"))
    fields: dict[Note, list[str]] = {}
    for field, one in account["fields"].items():
        for found in one["notes"]:
            note = Note(NoteKind(found["kind"]), found["message"], tuple(found["about"]))
            fields.setdefault(note, []).append(field)
    return [f"{', '.join(names)}: {note}" for note, names in fields.items()]


def _has_account(project: Project, method: str) -> bool:
    try:
        notes_of(project, method)
    except (FileNotFoundError, ValueError, KeyError, TypeError, AttributeError):
        return False  # it is gone, or somebody has written something else there
    return True


def _json(content: dict[str, Any]) -> str:
    return json.dumps(content, ensure_ascii=False, indent=1, allow_nan=False) + "\n"


def _account(method: str) -> str:
    return f"reports/labels-{method}.json"


def _estimates(method: str) -> str:
    return f"private/estimates-{method}.json"


@contextmanager
def faults_by_file(project: Project) -> Iterator[None]:
    """Name file and row of faults of ratings that were found in the ratings of all files together."""
    try:
        yield
    except InputError as error:
        tables = {file: read_table(project.path(file)) for file in project.annotation_files()}
        issues = [
            issue for file, table in tables.items() for issue in rating_faults(table, project.schema, file)
        ]
        raise InputError(issues or error.issues) from None


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
