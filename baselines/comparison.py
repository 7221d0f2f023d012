"""Evaluated runs side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from baselines.metrics import Score
from baselines.runs import EVALUATION, read_json
from schemas.errors import InputError, Issue

SHOWN = {
    "nominal": ("macro_f1", "weighted_f1"),
    "ordinal": ("macro_f1", "weighted_f1", "quadratic_kappa"),
    "multilabel": ("macro_f1", "micro_f1", "jaccard"),
    "relation": ("macro_f1", "quadratic_kappa"),
    "interval": ("ccc", "mae"),
}
"""Which metrics a comparison shows, by type of field."""


@dataclass(frozen=True)
class Row:
    """One metric of one field.

    Attributes:
        field: Name of the field.
        metric: Name of the metric.
        scores: One of each run.
        best_possible: Of a generated corpus, the best possible scores from ``text`` and from ``all``.
    """

    field: str
    metric: str
    scores: tuple[Score, ...]
    best_possible: Mapping[str, float]


@dataclass(frozen=True)
class Comparison:
    """Runs that were evaluated on the same dataset.

    Attributes:
        runs: Name of each run folder.
        models: Name of each model.
        rows: The results.
    """

    runs: tuple[str, ...]
    models: tuple[str, ...]
    rows: tuple[Row, ...]


def compare(runs: Sequence[str | Path]) -> Comparison:
    """Put evaluated runs side by side.

    Args:
        runs: Run folders with an ``evaluation.json``.

    Raises:
        InputError: A run was not evaluated, or they were evaluated on different data; all faults at once.
    """
    found, issues = {}, []
    for run in runs:
        try:
            found[str(run)] = read_json(Path(run) / EVALUATION, f"baselines evaluate {run} DATASET")
        except InputError as error:
            issues += error.issues
    datasets = {run: one["dataset"] for run, one in found.items()}
    first = next(iter(datasets.values()), None)
    issues += [
        Issue("this run was evaluated on other data than the first one; evaluate it again", run)
        for run, digest in datasets.items()
        if digest != first
    ]
    if issues:
        raise InputError(issues)
    evaluations = list(found.values())
    types = {name: one["type"] for each in evaluations for name, one in each["fields"].items()}
    best = evaluations[0]["best_possible"] if evaluations else {}
    rows = tuple(
        Row(
            name,
            metric,
            tuple(_score(one, name, metric) for one in evaluations),
            best.get(name, {}).get(metric, {}),
        )
        for name, kind in types.items()
        for metric in dict.fromkeys((*SHOWN[kind], *best.get(name, {})))
    )
    return Comparison(tuple(found), tuple(one["model"] for one in evaluations), rows)


def _score(evaluation: dict[str, Any], name: str, metric: str) -> Score:
    if name not in evaluation["fields"]:
        return Score(None, reason="the model has no such field")
    return Score(**evaluation["fields"][name]["metrics"][metric])
