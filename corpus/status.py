"""Where a project stands: which steps are done, and which are out of date."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from corpus.build import PROVENANCE
from corpus.build import stale_inputs as stale_dataset_inputs
from corpus.features.published import outdated
from corpus.features.table import FOLDER, parts, read_recipe
from corpus.features.table import names as feature_names
from corpus.media.run import stale as stale_segments
from corpus.media.segments import CLIPS, Segments
from schemas import project as folder
from schemas.project import Project
from schemas.tables import read_provenance, row_count

MAJORITY = "labels/majority.parquet"


class State(StrEnum):
    """The state of one table."""

    MISSING = "missing"
    CURRENT = "current"
    STALE = "stale"


@dataclass(frozen=True)
class TableStatus:
    """One table of a project.

    Attributes:
        name: Path in the project.
        state: Whether it is there, and up to date.
        rows: Number of rows; None when missing and for the dataset.
        changed: Inputs that have changed since it was made.
        made_by: The command that makes it.
    """

    name: str
    state: State
    rows: int | None
    changed: tuple[str, ...]
    made_by: str


def status(project: Project) -> list[TableStatus]:
    """Return the state of every table of a project, in the order of the steps."""
    steps = [(name, "corpus import") for name in (folder.DIALOGUES, folder.UTTERANCES, folder.SPEAKERS)]
    steps += [(name, "") for name in project.annotation_files()]
    steps += [(name, "annotation aggregate") for name in project.label_files() or [MAJORITY]]
    steps.append((folder.SPLITS, "corpus split"))
    found = [_table(project, name, command) for name, command in steps]
    found += _segments(project)
    found += [_features(project, name) for name in feature_names(project)]
    if not project.has(PROVENANCE):
        return [*found, TableStatus(folder.DATASET, State.MISSING, None, (), "corpus build")]
    changed = tuple(stale_dataset_inputs(project))
    state = State.STALE if changed else State.CURRENT
    return [*found, TableStatus(folder.DATASET, state, None, changed, "corpus build")]


def _segments(project: Project) -> list[TableStatus]:
    """Return the state of what was cut out of recordings; nothing where utterances have none."""
    if not project.has(folder.UTTERANCES):
        return []
    changed = tuple(stale_segments(project))
    rows = sum(1 for _ in Segments(project).utterances())
    if not rows and not changed:
        return []
    state = State.MISSING if not rows else State.STALE if changed else State.CURRENT
    return [TableStatus(CLIPS, state, rows or None, changed if rows else (), "corpus media")]


def _features(project: Project, name: str) -> TableStatus:
    """Return the state of features."""
    recipe = read_recipe(project, name) or {}
    rows = sum(row_count(path) for path in parts(project, name))
    made_by = str(recipe.get("made_by", "corpus features"))
    # Without a recipe they are not complete.
    changed = tuple(outdated(project, name, recipe)) if recipe else (f"{FOLDER}/{name}",)
    state = State.STALE if changed else State.CURRENT
    return TableStatus(f"{FOLDER}/{name}", state, rows, changed, made_by)


def _table(project: Project, name: str, command: str) -> TableStatus:
    """Return the state of a table; ``command`` makes it where it is missing or does not say what made it."""
    if not project.has(name):
        return TableStatus(name, State.MISSING, None, (), command)
    provenance = read_provenance(project.path(name))
    command = provenance.step if provenance else command
    changed = tuple(project.stale_inputs(name))
    state = State.STALE if changed else State.CURRENT
    return TableStatus(name, state, row_count(project.path(name)), changed, command)
