"""What an evaluation leaves in a run folder, and how a comparison reads it.

``evaluation.json`` holds the scores. ``evaluation.parquet`` holds what each test dialogue adds to them, of
the run and of the floors: enough for paired tests between runs, and no label of an utterance.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from baselines.data import Floats, Integers
from baselines.runs import EVALUATION, read_json, write_json
from baselines.scoring import Sums
from schemas.errors import InputError, Issue
from schemas.tables import Provenance, read_table, write_table

SUMS = "evaluation.parquet"
EPOCHS = "epochs.json"
FLOORS = ("majority", "tfidf-logistic")
"""The models that stand in every evaluation, whatever is evaluated."""
STEP = "baselines evaluate"
VERSION = 1


@dataclass(frozen=True)
class StoredSums:
    """Sums over dialogues as they were kept.

    Attributes:
        dialogues: Numbers of the dialogues in the test split, ascending.
        rows: Their sums, shape (dialogues, sums).
    """

    dialogues: Integers
    rows: Floats


def write_evaluation(
    folder: Path, content: Mapping[str, Any], sums: Mapping[str, Mapping[str, Sums]]
) -> None:
    """Write the two files of an evaluation, the scores last.

    Args:
        folder: The run folder.
        content: The evaluation, for JSON.
        sums: By model (``""`` for the run itself, otherwise the name of a floor), field and kind.
    """
    columns = sorted({f"{name}/{kind}" for one in sums.values() for name, by in one.items() for kind in by})
    kind = pa.list_(pa.float64())
    schema = pa.schema(
        [("model", pa.string()), ("dialogue", pa.int64()), *((column, kind) for column in columns)]
    )
    rows: list[dict[str, Any]] = []
    for model, one in sums.items():
        by_dialogue: dict[int, dict[str, Any]] = {}
        for name, by in one.items():
            for which, found in by.items():
                for dialogue, added in zip(found.dialogues.tolist(), found.rows.tolist(), strict=True):
                    by_dialogue.setdefault(dialogue, {})[f"{name}/{which}"] = added
        rows += [
            {"model": model, "dialogue": number, **by_dialogue[number]} for number in sorted(by_dialogue)
        ]
    table = pa.table(
        {column.name: pa.array([row.get(column.name) for row in rows], column.type) for column in schema},
        schema=schema,
    )
    aside = folder / f".{SUMS}"
    write_table(aside, table, schema, Provenance(STEP, VERSION, {"dataset": content["dataset"]}))
    aside.replace(folder / SUMS)
    write_json(folder / EVALUATION, content)


def read_evaluation(folder: Path) -> tuple[dict[str, Any], dict[str, dict[str, StoredSums]]]:
    """Read an evaluation back.

    Returns:
        The content of ``evaluation.json``, and the sums by model and ``FIELD/KIND``.

    Raises:
        InputError: The run was not evaluated, or by another version, or a file is damaged.
    """
    command = f"baselines evaluate {folder} DATASET"
    content = read_json(folder / EVALUATION, command)
    if "protocol" not in content or not (folder / SUMS).exists():
        raise InputError(Issue(f"this run was evaluated by another version; run '{command}'", str(folder)))
    table = read_table(folder / SUMS)
    found: dict[str, dict[str, StoredSums]] = {}
    models = np.array(table.column("model").to_pylist())
    numbers = np.asarray(table.column("dialogue"))
    for name in dict.fromkeys(models.tolist()):
        mine = np.flatnonzero(models == name)
        found[name] = {}
        for column in table.column_names[2:]:
            cells = table.column(column).take(pa.array(mine))
            there = np.asarray(cells.is_valid())
            if there.any():
                rows = np.array(cells.filter(pa.array(there)).to_pylist(), np.float64)
                found[name][column] = StoredSums(numbers[mine][there], rows)
    return content, found
