"""Evaluated runs side by side: means over seeds, intervals over dialogues, paired tests between models."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from annotation.agreement.intervals import bootstrap_values, percentile_interval
from baselines.calibration import Bin, reliability
from baselines.data import Floats
from baselines.dialogue_sums import Measure
from baselines.groups import Group, read_groups
from baselines.metrics import HEADLINE, class_names
from baselines.permutation import N_PERMUTATIONS, holm, permutation_tests
from baselines.scoring import CALIBRATION, LABELS, N_BOOT, RATINGS, measures
from schemas.definition import parse_schema
from schemas.fields import Field, IntervalField, MultilabelField
from schemas.label_schema import LabelSchema

SHOWN = {
    "nominal": ("macro_f1", "weighted_f1", "accuracy", "uar"),
    "ordinal": ("macro_f1", "weighted_f1", "accuracy", "uar", "quadratic_kappa"),
    "multilabel": ("macro_f1", "weighted_f1", "micro_f1", "exact_match", "jaccard"),
    "relation": ("macro_f1", "weighted_f1", "accuracy", "uar", "quadratic_kappa"),
    "interval": ("ccc", "pearson", "mae"),
}
"""Which metrics against decided labels a comparison shows, by type of field."""

NOT_PREDICTED = "the model does not predict this field"
NO_VALUE = "the metric does not exist for a run"


@dataclass(frozen=True)
class Estimate:
    """One metric of one model.

    Attributes:
        value: Mean over its runs; None where a run has none.
        sd: Standard deviation over its runs; None with one run.
        low: Lower end of the 95% interval of the mean over dialogues.
        high: Upper end.
        reason: Why a number is missing.
    """

    value: float | None
    sd: float | None = None
    low: float | None = None
    high: float | None = None
    reason: str | None = None


@dataclass(frozen=True)
class Row:
    """One metric of one field.

    Attributes:
        field: Name of the field.
        kind: What the models are compared with: ``labels``, ``calibration``, ``soft`` or ``ratings``.
        metric: Name of the metric.
        cells: One of each model.
        human: The human ceiling; None where there is none.
        best_possible: Of a generated corpus, the best possible scores from ``text`` and from ``all``.
    """

    field: str
    kind: str
    metric: str
    cells: tuple[Estimate, ...]
    human: Estimate | None
    best_possible: Mapping[str, float]


@dataclass(frozen=True)
class PairedTest:
    """Whether two models differ in the headline metric of a field.

    Attributes:
        field: Name of the field.
        metric: Its headline metric.
        first: Place of the first model.
        second: Place of the second model.
        difference: First less second, means over runs.
        low: Lower end of the 95% interval of the difference over dialogues; None where there is none.
        high: Upper end.
        p: Of the permutation test.
        p_holm: Corrected for all tests of the comparison.
        multitask: Whether the first learnt several fields and the second is the same model with this one.
    """

    field: str
    metric: str
    first: int
    second: int
    difference: float
    low: float | None
    high: float | None
    p: float
    p_holm: float
    multitask: bool


@dataclass(frozen=True)
class FieldPicture:
    """What one model does with one field, all its runs together.

    Attributes:
        field: Name of the field.
        group: Place of the model.
        values: Names of the values.
        confusion: Mean counts over runs by label (row) and prediction (column); none for sets and numbers.
        reliability: Bins of predicted probability.
        f1: F1 of each value, mean over runs; None where it neither is labeled nor predicted.
        support: Utterances labeled so.
    """

    field: str
    group: int
    values: tuple[str, ...]
    confusion: tuple[tuple[float, ...], ...]
    reliability: tuple[Bin, ...]
    f1: tuple[float | None, ...]
    support: tuple[int, ...]


@dataclass(frozen=True)
class Note:
    """Something that must be known to read the results.

    Attributes:
        what: What it is: a `baselines.seen.Beyond.what`; ``same_seed``, two runs of one seed; ``other_data``,
            trained on another build; or ``simulated``, the raters are.
        group: Name of the model; empty where it is about all.
        model: Modalities that the model saw in addition to the raters.
        raters: Modalities that the raters were shown.
    """

    what: str
    group: str = ""
    model: tuple[str, ...] = ()
    raters: tuple[str, ...] = ()


@dataclass(frozen=True)
class Comparison:
    """Models that were evaluated on the same dataset.

    Attributes:
        groups: The models.
        schema: The label schema.
        protocol: How train and test were separated.
        utterances: Utterances that were judged.
        rows: The results.
        tests: Paired tests of every two models.
        pictures: Confusion matrices and reliability.
        notes: What must be known to read the results, see `Note`.
        n_boot: Resamples of dialogues.
        n_permutations: Exchanges of a paired test.
    """

    groups: tuple[Group, ...]
    schema: LabelSchema
    protocol: str
    utterances: int
    rows: tuple[Row, ...]
    tests: tuple[PairedTest, ...]
    pictures: tuple[FieldPicture, ...]
    notes: tuple[Note, ...]
    n_boot: int
    n_permutations: int


def compare(
    runs: Sequence[str | Path],
    *,
    n_boot: int = N_BOOT,
    n_permutations: int = N_PERMUTATIONS,
    seed: int = 0,
) -> Comparison:
    """Put evaluated runs side by side.

    Args:
        runs: Run folders with an ``evaluation.json``; runs that differ in their seed alone are one model.
        n_boot: Resamples of dialogues for the 95% intervals.
        n_permutations: Exchanges of a paired test.
        seed: Seed of both.

    Raises:
        InputError: A run was not evaluated, or they were evaluated on different data; all faults at once.
    """
    groups = read_groups(runs)
    first = groups[0].contents[0]
    schema = parse_schema(first["schema"], str(runs[0]))
    rows: list[Row] = []
    tests: list[PairedTest] = []
    for field in schema:
        if not any(field.name in group.fields() for group in groups):
            continue
        for kind, measure in measures(field).items():
            column = f"{field.name}/{kind}"
            sums = [[one.rows for one in group.rows(column)] for group in groups]
            resampled = [
                [bootstrap_values(one, measure.values, n_boot=n_boot, seed=seed) for one in runs_]
                for runs_ in sums
            ]
            rows += _rows(field, kind, measure, groups, sums, resampled, first)
            if kind == LABELS:
                tests += _tests(field, measure, groups, sums, resampled, n_permutations, seed)
    corrected = holm([one.p for one in tests])
    return Comparison(
        tuple(groups),
        schema,
        first["protocol"],
        first["utterances"],
        tuple(rows),
        tuple(PairedTest(**{**vars(one), "p_holm": p}) for one, p in zip(tests, corrected, strict=True)),
        tuple(_pictures(schema, groups)),
        tuple(_notes(groups)),
        n_boot,
        n_permutations,
    )


def _rows(
    field: Field,
    kind: str,
    measure: Measure,
    groups: Sequence[Group],
    sums: Sequence[Sequence[Floats]],
    resampled: Sequence[Sequence[Floats]],
    first: Mapping[str, Any],
) -> Iterator[Row]:
    if not any(sums):
        return
    best = first["best_possible"].get(field.name, {}) if kind == LABELS else {}
    human = first["ceiling"].get(field.name, {}).get("human", {}) if kind == LABELS else {}
    for place, metric in enumerate(measure.names):
        if kind in (LABELS, RATINGS) and metric not in (*SHOWN[field.type], *best):
            continue
        move = metric == "ece"
        cells = tuple(
            _estimate(measure, one, draws, place, move=move)
            for one, draws in zip(sums, resampled, strict=True)
        )
        if metric == "cross_entropy":
            cells = tuple(map(_without_probabilities, cells, groups, [field.name] * len(cells)))
        ceiling = human.get(metric)
        yield Row(
            field.name,
            kind,
            metric,
            cells,
            None if ceiling is None else Estimate(ceiling["value"], None, ceiling["low"], ceiling["high"]),
            best.get(metric, {}),
        )


def _estimate(
    measure: Measure, runs: Sequence[Floats], resampled: Sequence[Floats], place: int, *, move: bool
) -> Estimate:
    """Mean over runs, and the interval of that mean: the same dialogues are drawn for all runs."""
    if not runs:
        return Estimate(None, reason=NOT_PREDICTED)
    values = np.array([measure.values(one.sum(axis=0)[None])[0, place] for one in runs])
    if not np.isfinite(values).all():
        return Estimate(None, reason=NO_VALUE)
    mean = float(values.mean())
    sd = float(values.std(ddof=1)) if len(values) > 1 else None
    if len(runs[0]) < 2:
        return Estimate(mean, sd)
    drawn = np.mean([one[:, place] for one in resampled], axis=0)
    if move:
        drawn = np.maximum(drawn - (np.nanmean(drawn) - mean), 0.0)
    interval = percentile_interval(drawn)
    return Estimate(mean, sd, interval.low, interval.high)


def _without_probabilities(cell: Estimate, group: Group, field: str) -> Estimate:
    """Leave out the cross-entropy of answers that come without probabilities, as the evaluation does."""
    missing = group.contents[0]["fields"][field]["soft"].get("cross_entropy", {})
    if cell.value is not None and missing.get("value") is None:
        return Estimate(None, reason=missing.get("reason"))
    return cell


def _tests(
    field: Field,
    measure: Measure,
    groups: Sequence[Group],
    sums: Sequence[Sequence[Floats]],
    resampled: Sequence[Sequence[Floats]],
    n_permutations: int,
    seed: int,
) -> Iterator[PairedTest]:
    """Test every two models that predict a field; p values are not corrected yet."""
    metric = HEADLINE[field.type]
    place = measure.names.index(metric)
    there = [number for number, runs in enumerate(sums) if runs]
    only = Measure((metric,), lambda rows: measure.values(rows)[:, place : place + 1])
    found = permutation_tests([sums[one] for one in there], only, n_permutations=n_permutations, seed=seed)
    for (a, b), (difference, p) in found.items():
        if not np.isfinite(p[0]):
            continue
        one, other, change = there[a], there[b], float(difference[0])
        if _is_multitask(groups[other], groups[one], field.name):  # the multitask model comes first
            one, other, change = other, one, -change
        drawn = _mean_of(resampled[one], place) - _mean_of(resampled[other], place)
        interval = percentile_interval(drawn) if len(sums[one][0]) > 1 else percentile_interval(drawn[:0])
        multitask = _is_multitask(groups[one], groups[other], field.name)
        yield PairedTest(
            field.name, metric, one, other, change, interval.low, interval.high, float(p[0]), 1.0, multitask
        )


def _mean_of(resampled: Sequence[Floats], place: int) -> Floats:
    mean: Floats = np.mean([one[:, place] for one in resampled], axis=0)
    return mean


def _is_multitask(one: Group, other: Group, field: str) -> bool:
    """Say whether ``one`` learnt several fields and ``other``, the same model, this one alone."""
    same = _settings(one) == _settings(other) and one.model == other.model
    return same and len(one.fields()) > 1 and other.fields() == [field]


def _settings(group: Group) -> dict[str, Any]:
    settings = dict(group.contents[0].get("settings") or {})
    settings.pop("fields", None)
    return settings


def _pictures(schema: LabelSchema, groups: Sequence[Group]) -> Iterator[FieldPicture]:
    for field in schema:
        if isinstance(field, IntervalField):
            continue
        for number, group in enumerate(groups):
            runs = [one["fields"][field.name] for one in group.contents if field.name in one["fields"]]
            rows = group.rows(f"{field.name}/{LABELS}")
            if not rows:
                continue
            size = len(class_names(field))
            total = np.mean([one.rows.sum(axis=0) for one in rows], axis=0)
            confusion: tuple[tuple[float, ...], ...] = ()
            if not isinstance(field, MultilabelField):
                confusion = tuple(tuple(line) for line in total.reshape(size, size).tolist())
            calibrated = group.rows(f"{field.name}/{CALIBRATION}")
            bins = (
                reliability(np.sum([one.rows.sum(axis=0) for one in calibrated], axis=0))
                if calibrated
                else ()
            )
            names = tuple(class_names(field))
            f1 = tuple(_mean([one["per_class"][name]["f1"] for one in runs]) for name in names)
            support = tuple(runs[0]["per_class"][name]["support"] for name in names)
            yield FieldPicture(field.name, number, names, confusion, bins, f1, support)


def _mean(values: Sequence[float | None]) -> float | None:
    there = [one for one in values if one is not None]
    return float(np.mean(there)) if there else None


def _notes(groups: Sequence[Group]) -> Iterator[Note]:
    """Find what must be known to read the results."""
    for group in groups:
        warnings = {one["what"]: one for content in group.contents for one in content["warnings"]}
        for what, one in warnings.items():
            yield Note(what, group.name, tuple(one["model"]), tuple(one["raters"]))
        seeds = [one for one in group.seeds if one is not None]
        if len(seeds) != len(set(seeds)):
            yield Note("same_seed", group.name)
        if any(one.get("trained_on") not in (None, one.get("dataset")) for one in group.contents):
            yield Note("other_data", group.name)
    ceilings = groups[0].contents[0]["ceiling"].values()
    if any(one["design"]["simulated"] for one in ceilings if one["design"] is not None):
        yield Note("simulated")
