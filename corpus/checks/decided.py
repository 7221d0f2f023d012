"""The decided labels that the checks look into."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from corpus.checks.columns import read
from schemas.project import UTTERANCES, Project
from schemas.tables import open_table


def labels_to_check(project: Project) -> str | None:
    """Return the labels table that will be built; None where there is none or several and none is named.

    Raises:
        InputError: ``corpus.yaml`` has faults.
    """
    chosen = project.settings.labels
    names = {Path(name).stem: name for name in project.label_files()}
    if chosen:
        return names.get(chosen)
    return next(iter(names.values())) if len(names) == 1 else None


def read_labels(project: Project, labels: str, *columns: str) -> pa.Table | None:
    """Read columns of a labels table, a row an utterance.

    Returns:
        None where a column lacks or there is not a row for each utterance: ``labels.invalid`` and
        ``identity.label_rows`` say so, and nothing else can be said.
    """
    with open_table(project.path(labels)) as file, open_table(project.path(UTTERANCES)) as utterances:
        names, rows = file.schema_arrow.names, file.metadata.num_rows
        if rows != utterances.metadata.num_rows or not set(columns) <= set(names):
            return None
    return read(project, labels, *columns)
