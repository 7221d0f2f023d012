"""Evaluation: the only place where the test split is opened with its labels."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from annotation.agreement.intervals import bootstrap_values, percentile_interval
from baselines.data import Description, Integers, Labels, Split, Values, describe, read_split
from baselines.dialogue_sums import dialogue_sums
from baselines.metrics import FieldScores, Score, no_scores, score
from baselines.models import load_model
from baselines.models.base import Floor
from baselines.runs import EVALUATION, write_json
from schemas.errors import InputError, Issue
from schemas.fields import CategoricalField, Field, IntervalField, RelationField

TEST = "test"
N_BOOT = 1000
NOT_LEARNT = "the model did not learn this field: train has no label of it"


@dataclass(frozen=True)
class Evaluation:
    """How well a model predicts the decided labels of a test split.

    Attributes:
        model: Name of the model.
        seed: Seed of its training.
        trained_on: Digest of the dataset that it was trained on.
        dataset: Digest of the dataset that it is evaluated on.
        utterances: Utterances of the test split.
        intervals: How the intervals were made.
        fields: By field.
        best_possible: Of a generated corpus, the best possible scores; see `Description`.
    """

    model: str
    seed: int
    trained_on: str
    dataset: str
    utterances: int
    intervals: Mapping[str, Any]
    fields: Mapping[str, FieldScores]
    best_possible: Mapping[str, Mapping[str, Mapping[str, float]]]


def evaluate(
    run: str | Path,
    dataset: str | Path,
    *,
    n_boot: int = N_BOOT,
    seed: int = 0,
    cache_dir: Path | None = None,
) -> Evaluation:
    """Evaluate a trained run on the test split and write its ``evaluation.json``.

    Args:
        run: A run folder.
        dataset: A dataset folder or the name of a Hub repository, with the fields of the model.
        n_boot: Resamples of dialogues for the 95% intervals.
        seed: Seed of the resamples.
        cache_dir: Where ``datasets`` keeps its cache; by default its own place.

    Raises:
        InputError: There is no such run or dataset, it has no test split, or its fields are others.
    """
    model = load_model(run)
    description = describe(dataset)
    require_same_fields(model, description, str(dataset))
    test = read_split(dataset, description, TEST, cache_dir)
    evaluation = Evaluation(
        model.config.model_type,
        model.config.seed,
        model.config.dataset,
        description.digest,
        len(test),
        {"resampled": "dialogues", "method": "percentile", "level": 0.95, "n_boot": n_boot, "seed": seed},
        score_split(model, test, n_boot=n_boot, seed=seed),
        description.best_possible,
    )
    write_json(Path(run) / EVALUATION, dataclasses.asdict(evaluation))
    return evaluation


def require_same_fields(model: Floor, description: Description, where: str) -> None:
    """Refuse a dataset whose fields are not those of a model.

    Raises:
        InputError: A field is missing, or has another type, other values or another scale; all at once.
    """
    issues = []
    for field in model.schema:
        if field.name not in description.schema:
            choices = list(description.schema.by_name)
            issues.append(
                Issue("the dataset lacks a field of the model", where, value=field.name, choices=choices)
            )
        elif _answers(field) != _answers(description.schema[field.name]):
            message = "this field has another type or other values in the dataset than in the model"
            issues.append(Issue(message, where, column=field.name, choices=_answers(field)))
    if issues:
        raise InputError(issues)


def _answers(field: Field) -> list[object]:
    """Return all that defines which answers a field takes."""
    if isinstance(field, IntervalField):
        return [field.type, field.low, field.high]
    return [field.type, *(field.categories if isinstance(field, CategoricalField | RelationField) else ())]


def score_split(model: Floor, split: Split, *, n_boot: int = N_BOOT, seed: int = 0) -> dict[str, FieldScores]:
    """Judge a model on the labels of a split, with intervals over dialogues."""
    predicted = model.predict(split)
    found = {}
    for field in model.schema:
        labels = split.labels[field.name]
        if field.name in predicted:
            found[field.name] = score_field(
                field, split.dialogue, labels, predicted[field.name], n_boot, seed
            )
        else:
            found[field.name] = no_scores(field, NOT_LEARNT, int(labels.known.sum()))
    return found


def score_field(
    field: Field, dialogue: Integers, labels: Labels, predicted: Values, n_boot: int = N_BOOT, seed: int = 0
) -> FieldScores:
    """Judge the predictions of one field where there are labels, with 95% intervals.

    Args:
        field: The field.
        dialogue: The dialogue of each utterance, shape (rows,).
        labels: Decided labels.
        predicted: Predictions for all rows.
        n_boot: Resamples of dialogues.
        seed: Seed of the resamples.
    """
    values, answers, clusters = (one[labels.known] for one in (labels.values, predicted, dialogue))
    found = score(field, values, answers)
    if not len(values):
        return found
    sums = dialogue_sums(field, clusters, values, answers)
    dialogues = len(sums.rows)
    if dialogues < 2:
        reason = "one dialogue has labels: there is no interval over dialogues"
        metrics = {
            name: dataclasses.replace(one, reason=one.reason or reason) for name, one in found.metrics.items()
        }
        return dataclasses.replace(found, dialogues=dialogues, metrics=metrics)
    replicates = bootstrap_values(sums.rows, sums.values, n_boot=n_boot, seed=seed)
    metrics = {}
    for place, name in enumerate(sums.names):
        one = found.metrics[name]
        interval = percentile_interval(replicates[:, place])
        if one.value is None:
            metrics[name] = one
        elif interval.low is None:
            metrics[name] = Score(one.value, reason="the metric exists in too few resamples for an interval")
        else:
            metrics[name] = Score(one.value, interval.low, interval.high)
    return dataclasses.replace(found, dialogues=dialogues, metrics=metrics)
