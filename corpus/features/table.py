"""Features on disk: a folder a name under ``features/``, a Parquet file a shard, and their recipe."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from filelock import FileLock, Timeout

from corpus.features.extractor import Absent, Floats
from schemas.errors import InputError, Issue
from schemas.project import Project
from schemas.tables import Provenance, write_table

FOLDER = "features"
RECIPE = "recipe.json"
"""Stands there when all parts do."""


def _schema(features: pa.DataType) -> pa.Schema:
    return pa.schema(
        [
            pa.field("utterance_id", pa.string(), nullable=False),
            pa.field("features", features),
            pa.field("missing", pa.string()),
        ]
    )


VECTORS = _schema(pa.list_(pa.float32()))
"""A row an utterance, in the order of the utterances; ``missing`` says why ``features`` is null."""
SEQUENCES = _schema(pa.list_(pa.list_(pa.float32())))
"""The same with a vector a step."""


def names(project: Project) -> list[str]:
    """Return the names of all features of a project."""
    folders = (path for path in project.path(FOLDER).glob("*") if path.is_dir())
    return sorted(path.name for path in folders if not path.name.startswith("."))


def folder_of(project: Project, name: str) -> Path:
    """Return the folder of features."""
    return project.path(f"{FOLDER}/{name}")


def part_path(folder: Path, number: int) -> Path:
    """Return the path of a part."""
    return folder / f"part-{number:05d}.parquet"


def parts(project: Project, name: str) -> list[Path]:
    """Return the parts of features, in the order of the utterances."""
    return sorted(folder_of(project, name).glob("part-*.parquet"))


def read_recipe(project: Project, name: str) -> dict[str, Any] | None:
    """Return the recipe of features; None when it is not there: they are not complete.

    Raises:
        InputError: It is not JSON.
    """
    path = folder_of(project, name) / RECIPE
    if not path.exists():
        return None
    try:
        found = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise InputError(Issue(f"this is not JSON: {error}", str(path))) from None
    if not isinstance(found, dict):
        raise InputError(Issue("a recipe is a mapping", str(path)))
    return found


def write_recipe(folder: Path, recipe: dict[str, Any]) -> None:
    """Write the recipe of complete features: all of it or nothing."""
    part = folder / f".{RECIPE}.tmp"
    part.write_text(json.dumps(recipe, indent=1, ensure_ascii=False) + "\n", "utf-8")
    part.replace(folder / RECIPE)


def write_part(
    path: Path,
    ids: Sequence[str],
    found: Sequence[Floats | Absent],
    *,
    sequence: bool,
    provenance: Provenance,
) -> None:
    """Write the features of a shard: all of it or nothing.

    Args:
        path: The file.
        ids: The utterances.
        found: Their features, or why there are none.
        sequence: Whether features are (steps, width) and not (width,).
        provenance: What they were made from.
    """
    known = [one for one in found if not isinstance(one, Absent)]
    absent = np.array([isinstance(one, Absent) for one in found], np.bool_)
    width = known[0].shape[-1] if known else 0
    numbers = pa.array(np.concatenate([one.ravel() for one in known]) if known else np.zeros(0, np.float32))
    if sequence:
        steps = np.arange(sum(len(one) for one in known) + 1, dtype=np.int32) * width
        numbers = pa.ListArray.from_arrays(pa.array(steps), numbers)
    lengths = np.zeros(len(found), np.int32)
    lengths[~absent] = [len(one) for one in known]
    column = pa.ListArray.from_arrays(
        pa.array(np.r_[0, np.cumsum(lengths)], pa.int32()), numbers, mask=pa.array(absent)
    )
    reasons = pa.array([one.reason if isinstance(one, Absent) else None for one in found], pa.string())
    schema = SEQUENCES if sequence else VECTORS
    table = pa.table([pa.array(ids, pa.string()), column, reasons], schema.names)
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        write_table(temporary, table, schema, provenance)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def writing(project: Project, name: str) -> Iterator[Path]:
    """Take the lock of features, so that nobody else writes them; other steps may go on.

    Yields:
        Their folder, which is there.

    Raises:
        InputError: Another command is making them.
    """
    lock = FileLock(project.path(f".lock-features-{name}"))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        message = f"another command is making features/{name}; run this again when it is done"
        raise InputError(Issue(message, str(project.root))) from None
    folder = folder_of(project, name)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for left in folder.glob(".*.tmp"):  # by a command that was killed
            left.unlink()
        yield folder
    finally:
        lock.release()
