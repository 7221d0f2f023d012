"""Runs of one model with different seeds, read together."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from baselines.evaluation_files import EPOCHS, FLOORS, StoredSums, read_evaluation
from baselines.runs import EVALUATION, read_json
from schemas.errors import InputError, Issue

_SEED = re.compile(r"seed-\d+")
FLOOR, OUTSIDE, MODEL = "floor", "outside", "model"
StoredRun = Mapping[str, StoredSums]


@dataclass(frozen=True)
class Group:
    """The runs of one model, alike in all but their seed.

    Attributes:
        name: Name of the model, with what tells it from others of that name.
        model: Name of the model.
        kind: ``model``, ``floor``, or ``outside`` for predictions that came from elsewhere.
        runs: Names of the run folders; none of a floor that an evaluation brought along.
        seeds: Their seeds.
        contents: What was found, of each run: an `Evaluation`, or of a floor a `Judged`, as JSON.
        sums: The sums of each run.
        epochs: What choosing the epoch on test would gain, of each run that says so (`EpochReport`).
    """

    name: str
    model: str
    kind: str
    runs: tuple[str, ...]
    seeds: tuple[int | None, ...]
    contents: tuple[Mapping[str, Any], ...]
    sums: tuple[StoredRun, ...]
    epochs: tuple[Mapping[str, Any], ...] = ()

    def fields(self) -> list[str]:
        """Return the fields that the model predicts."""
        return sorted({column.rpartition("/")[0] for one in self.sums for column in one})

    def rows(self, column: str) -> list[StoredSums]:
        """Return the sums of one field and kind, of every run; none where a run lacks them."""
        found = [one[column] for one in self.sums if column in one]
        return found if len(found) == len(self.sums) else []


@dataclass(frozen=True)
class _Run:
    path: Path
    content: Mapping[str, Any]
    sums: Mapping[str, StoredRun]

    @property
    def key(self) -> str:
        """What runs of one model share."""
        return json.dumps([self.content["model"], self.content["settings"]], sort_keys=True)


def read_groups(paths: Sequence[str | Path]) -> list[Group]:
    """Read evaluated runs and put those of one model together, in the order in which they come.

    The floors that the evaluations brought along stand at the end, unless there are runs of them.

    Args:
        paths: Run folders; a folder that holds run folders stands for them.

    Raises:
        InputError: A run was not evaluated, is named twice, or was evaluated on other data or by another
            protocol than the first; all faults at once.
    """
    runs, issues = [], []
    for path in _run_folders(paths):
        try:
            content, sums = read_evaluation(path)
            runs.append(_Run(path, content, sums))
        except InputError as error:
            issues += error.issues
    issues += _misfits(runs)
    if issues:
        raise InputError(issues)
    by_key: dict[str, list[_Run]] = {}
    for run in runs:
        by_key.setdefault(run.key, []).append(run)
    groups = [_group(one, list(by_key.values())) for one in by_key.values()]
    groups = list(_apart(groups))
    return groups + list(_floors(runs, {one.model for one in groups if one.kind == FLOOR}))


def _run_folders(paths: Sequence[str | Path]) -> Iterator[Path]:
    for path in map(Path, paths):
        inner = [] if (path / EVALUATION).exists() else sorted(path.glob(f"*/{EVALUATION}"))
        yield from (one.parent for one in inner)
        if not inner:
            yield path


def _misfits(runs: Sequence[_Run]) -> Iterator[Issue]:
    seen: set[Path] = set()
    for run in runs:
        if run.path.resolve() in seen:
            yield Issue("this run is named twice", str(run.path))
        seen.add(run.path.resolve())
        if run.content["dataset"] != runs[0].content["dataset"]:
            yield Issue(
                "this run was evaluated on other data than the first one; evaluate it again", str(run.path)
            )
        elif run.content["protocol"] != runs[0].content["protocol"]:
            message = "this run was evaluated by another protocol than the first one"
            yield Issue(
                message,
                str(run.path),
                None,
                None,
                None,
                run.content["protocol"],
                [runs[0].content["protocol"]],
            )
        elif not _same_dialogues(run, runs[0]):
            yield Issue("this run was evaluated on other dialogues; evaluate it again", str(run.path))


def _same_dialogues(one: _Run, first: _Run) -> bool:
    mine, others = one.sums.get("", {}), first.sums.get("", {})
    return all(
        np.array_equal(mine[column].dialogues, others[column].dialogues) for column in set(mine) & set(others)
    )


def _group(runs: Sequence[_Run], all_groups: Sequence[Sequence[_Run]]) -> Group:
    model = runs[0].content["model"]
    alike = [one for one in all_groups if one[0].content["model"] == model]
    names = [_run_name(run.path) for run in runs]
    kind = OUTSIDE if runs[0].content["seed"] is None else FLOOR if model in FLOORS else MODEL
    return Group(
        model if len(alike) == 1 else f"{model} ({_common(names)})",
        model,
        kind,
        tuple(names),
        tuple(run.content["seed"] for run in runs),
        tuple(run.content for run in runs),
        tuple(run.sums.get("", {}) for run in runs),
        tuple(
            read_json(run.path / EPOCHS, f"baselines evaluate {run.path} DATASET --every-epoch")
            for run in runs
            if (run.path / EPOCHS).exists()
        ),
    )


def _apart(groups: Sequence[Group]) -> Iterator[Group]:
    """Number models whose names and folders are called the same."""
    seen: dict[str, int] = {}
    for one in groups:
        seen[one.name] = seen.get(one.name, 0) + 1
        number = seen[one.name]
        yield one if number == 1 else dataclasses.replace(one, name=f"{one.name} {number}")


def _run_name(path: Path) -> str:
    """Return the name of a run folder; one that is named after its seed stands in that of its model."""
    name = path.resolve().name
    return f"{path.resolve().parent.name}/{name}" if _SEED.fullmatch(name) else name


def _common(names: Sequence[str]) -> str:
    """Return what the names of runs have in common, without the number at the end."""
    shortest = min(names, key=len)
    end = next(end for end in range(len(shortest), -1, -1) if _all_begin(names, shortest[:end]))
    alike = shortest[:end]
    if len(names) > 1 or "/" in alike:
        alike = alike.rstrip("0123456789").removesuffix("seed-").rstrip("-_. /")
    return alike or names[0]


def _all_begin(names: Sequence[str], prefix: str) -> bool:
    return all(name.startswith(prefix) for name in names)


def _floors(runs: Sequence[_Run], there: set[str]) -> Iterator[Group]:
    for name in FLOORS:
        brought = next((run for run in runs if name in run.content["floors"]), None)
        if name not in there and brought is not None:
            content = brought.content["floors"][name]
            yield Group(name, name, FLOOR, (), (), (content,), (brought.sums[name],))
