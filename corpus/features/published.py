"""Features on their way into a dataset: checked, and read a few whole dialogues at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from corpus.features import imported, inputs, making, table
from corpus.features.extractor import Modality
from corpus.features.table import FOLDER, RECIPE, SEQUENCES, VECTORS
from schemas import project as folder
from schemas.errors import InputError, Issue
from schemas.project import Project
from schemas.records import SPLIT_NAMES
from schemas.tables import open_table, read_provenance, read_table

Splits = npt.NDArray[np.int32]
PREFIX = "features-"
"""How the configurations of a dataset are called."""


def input_files(project: Project, name: str) -> list[str]:
    """Return the files that tell features from others: inputs of a dataset, by their path in the project."""
    recipe = table.read_recipe(project, name) or {}
    found = [f"{FOLDER}/{name}/{RECIPE}"]
    if recipe.get("made_by") not in (making.STEP, imported.STEP):
        # Ours have a digest of their content in the recipe; those of other programs may change under one.
        found += [f"{FOLDER}/{name}/{path.name}" for path in table.parts(project, name)]
    return found


def faults(project: Project, name: str) -> list[Issue]:
    """Say why features cannot be published: not complete, or older than what they were made of."""
    where = f"{FOLDER}/{name}"
    recipe = table.read_recipe(project, name)
    if recipe is None:
        message = "these features are not complete; make them again, or delete the folder"
        return [Issue(message, where)]
    old = outdated(project, name, recipe)
    if old:
        message = f"these features were made before {', '.join(old)} changed; run '{recipe['made_by']}' again"
        return [Issue(message, where)]
    return []


def outdated(project: Project, name: str, recipe: dict[str, Any]) -> list[str]:
    """Return what has changed since features were made."""
    known = [read_provenance(path) for path in table.parts(project, name)]
    identities = [one.parameters["identity"] for one in known if one and "identity" in one.parameters]
    if recipe.get("made_by") == imported.STEP:
        now = imported.utterances_digest(project)
        changed = any(one["utterances_sha256"] != now for one in identities)
        return [folder.UTTERANCES] if changed else []
    if recipe.get("made_by") != making.STEP:
        return []  # of another program; their ids are compared when they are read
    modality = Modality(recipe["modality"])
    same = [one["utterances_sha256"] for one in identities] == inputs.digests(project, modality)
    return [] if same else [folder.UTTERANCES if modality in (Modality.TEXT, Modality.FILES) else "clips"]


def is_sequence(project: Project, name: str) -> bool:
    """Say whether features are a vector a step.

    Raises:
        InputError: There are no parts, or they are no tables of features.
    """
    paths = table.parts(project, name)
    if not paths:
        raise InputError(Issue("these features have no part-*.parquet", f"{FOLDER}/{name}"))
    with open_table(paths[0]) as file:
        schema = file.schema_arrow
    if "features" not in schema.names or "utterance_id" not in schema.names:
        message = "a table of features has the columns utterance_id and features"
        raise InputError(Issue(message, str(paths[0]), value=schema.names))
    kind = schema.field("features").type
    if not imported.is_list(kind):
        raise InputError(
            Issue("features are lists of numbers", str(paths[0]), column="features", value=str(kind))
        )
    return imported.is_list(kind.value_type)


def pieces(project: Project, name: str) -> Iterator[tuple[pa.Table, Splits]]:
    """Give the features of a project in the order of its utterances, in pieces of whole dialogues.

    Yields:
        Rows under `VECTORS` or `SEQUENCES`, and the number in `SPLIT_NAMES` of the split of each.

    Raises:
        InputError: Features do not stand row for row beside the utterances, or cannot be read.
    """
    rows = read_table(project.path(folder.UTTERANCES), ["utterance_id", "dialogue_id"])
    split_of = _split_numbers(project, rows.column("dialogue_id"))
    schema = SEQUENCES if is_sequence(project, name) else VECTORS
    done, waiting = 0, schema.empty_table()
    for piece in _read(project, name, schema):
        beside = rows.slice(done + waiting.num_rows, piece.num_rows)
        if not beside.column("utterance_id").equals(piece.column("utterance_id")):
            _refuse(name)
        waiting = pa.concat_tables([waiting, piece])
        dialogues = rows.column("dialogue_id").slice(done, waiting.num_rows)
        whole = _whole(dialogues)
        if whole:
            yield waiting.slice(0, whole), split_of[done : done + whole]
            done, waiting = done + whole, waiting.slice(whole)
    if done + waiting.num_rows != rows.num_rows:
        _refuse(name)
    if waiting.num_rows:
        yield waiting, split_of[done:]


def _split_numbers(project: Project, dialogues: pa.ChunkedArray) -> Splits:
    """Return the number of every utterance's split; -1 where it has none."""
    splits = read_table(project.path(folder.SPLITS), ["dialogue_id", "split"])
    place = pc.index_in(dialogues, value_set=splits.column("dialogue_id").combine_chunks())
    number = pc.index_in(splits.column("split").take(place), value_set=pa.array(SPLIT_NAMES))
    return np.asarray(pc.fill_null(number, -1))


def _refuse(name: str) -> None:
    message = "these features do not stand row for row beside the utterances; make or import them again"
    raise InputError(Issue(message, f"{FOLDER}/{name}"))


def _whole(dialogues: pa.ChunkedArray) -> int:
    """Return how many rows come before the last dialogue, which may go on."""
    same = np.asarray(pc.equal(dialogues, dialogues[-1]))
    return int(len(same) - np.argmin(same[::-1])) if not same.all() else 0


def _read(project: Project, name: str, schema: pa.Schema) -> Iterator[pa.Table]:
    for path in table.parts(project, name):
        with open_table(path) as file:
            for batch in file.iter_batches(inputs.SHARD_ROWS):
                rows = pa.Table.from_batches([batch])
                if "missing" not in rows.column_names:  # of another program
                    rows = rows.append_column("missing", pa.nulls(rows.num_rows, pa.string()))
                try:
                    yield rows.select(schema.names).cast(schema)
                except (pa.ArrowInvalid, pa.ArrowNotImplementedError, ValueError) as error:
                    raise InputError(Issue(f"this is not a table of features: {error}", str(path))) from None
