"""Everything that is measured of one model's answers to one field, with intervals over dialogues."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from annotation.agreement.intervals import bootstrap_values, percentile_interval
from baselines.calibration import Bin, calibration_measure, calibration_sums, reliability
from baselines.data import Floats, Integers, Labels, Split, Values
from baselines.dialogue_sums import DialogueSums, Measure, dialogue_sums, label_measure
from baselines.disagreement import soft_measure, soft_sums, spread_sums
from baselines.metrics import NO_LABELS, FieldScores, Score, class_names, score
from baselines.ratings import Ratings
from schemas.fields import Field, IntervalField

N_BOOT = 1000
NO_PROBABILITIES = "the model gives no probabilities"
NO_SOFT_LABELS = "the dataset has no soft labels of this split"
NO_RATINGS = "the dataset has no ratings of this split"
FEW_RESAMPLES = "the metric exists in too few resamples for an interval"
ONE_DIALOGUE = "one dialogue has labels: there is no interval over dialogues"

LABELS, CALIBRATION, SOFT, RATINGS = "labels", "calibration", "soft", "ratings"
"""Kinds of sums: against decided labels, of probabilities, against soft labels, against single ratings."""

Sums = Mapping[str, DialogueSums]


@dataclass(frozen=True)
class Answers:
    """A model's answers to one field.

    Attributes:
        predicted: Its labels for all utterances of a split, as in `baselines.data.Labels`.
        scores: Its probabilities in schema order, shape (rows, values); None where it gives none.
    """

    predicted: Values
    scores: Floats | None = None


@dataclass(frozen=True)
class Scored(FieldScores):
    """How well a field is predicted, and how well the model knows that.

    Attributes:
        reliability: Bins of predicted probability; none for interval fields and without probabilities.
        soft: Distances to the soft labels.
        soft_utterances: Utterances with soft labels.
        ratings: The metrics against single ratings, all raters pooled.
        by_rater: The metrics against the ratings of each rater.
    """

    reliability: tuple[Bin, ...] = ()
    soft: Mapping[str, Score] = dataclasses.field(default_factory=dict)
    soft_utterances: int = 0
    ratings: Mapping[str, Score] = dataclasses.field(default_factory=dict)
    by_rater: Mapping[str, Mapping[str, float | None]] = dataclasses.field(default_factory=dict)


def measures(field: Field) -> dict[str, Measure]:
    """Return all measures of a field by kind."""
    found = {LABELS: label_measure(field), SOFT: soft_measure(field), RATINGS: label_measure(field)}
    if not isinstance(field, IntervalField):
        found[CALIBRATION] = calibration_measure()
    return found


def score_answers(
    field: Field, split: Split, answers: Answers, ratings: Ratings | None, n_boot: int = N_BOOT, seed: int = 0
) -> tuple[Scored, Sums]:
    """Judge a model's answers to one field.

    Args:
        field: The field.
        split: The utterances with their labels.
        answers: The model's answers to all of them.
        ratings: The raters' own answers; None where they are not known.
        n_boot: Resamples of dialogues.
        seed: Seed of the resamples.

    Returns:
        The scores with 95% intervals, and the sums over dialogues behind them, by kind.
    """
    labels = split.labels[field.name]
    base, sums = score_field(field, split.dialogue, labels, answers.predicted, n_boot, seed)
    found: dict[str, DialogueSums] = {LABELS: sums} if sums is not None else {}
    metrics = dict(base.metrics)
    bins: tuple[Bin, ...] = ()
    if not isinstance(field, IntervalField):
        calibration, bins = _calibration(field, split.dialogue, labels, answers, found, n_boot, seed)
        metrics |= calibration
    soft, soft_utterances = _soft(field, split, labels, answers, ratings, found, n_boot, seed)
    single, by_rater = _single_ratings(field, split, answers, ratings, found, n_boot, seed)
    shown = {one.name: getattr(base, one.name) for one in dataclasses.fields(base)} | {"metrics": metrics}
    scored = Scored(
        **shown,
        reliability=bins,
        soft=soft,
        soft_utterances=soft_utterances,
        ratings=single,
        by_rater=by_rater,
    )
    return scored, found


def score_field(
    field: Field, dialogue: Integers, labels: Labels, predicted: Values, n_boot: int = N_BOOT, seed: int = 0
) -> tuple[FieldScores, DialogueSums | None]:
    """Judge the predictions of one field where there are labels, with 95% intervals.

    Args:
        field: The field.
        dialogue: The dialogue of each utterance, shape (rows,).
        labels: Decided labels.
        predicted: Predictions for all rows.
        n_boot: Resamples of dialogues.
        seed: Seed of the resamples.

    Returns:
        The scores, and the sums over dialogues behind them; None without labels.
    """
    values, answers, clusters = (one[labels.known] for one in (labels.values, predicted, dialogue))
    found = score(field, values, answers)
    if not len(values):
        return found, None
    sums = dialogue_sums(field, clusters, values, answers)
    metrics = with_intervals(sums, found.metrics, n_boot, seed)
    return dataclasses.replace(found, dialogues=len(sums.rows), metrics=metrics), sums


def _calibration(
    field: Field,
    dialogue: Integers,
    labels: Labels,
    answers: Answers,
    found: dict[str, DialogueSums],
    n_boot: int,
    seed: int,
) -> tuple[dict[str, Score], tuple[Bin, ...]]:
    known, names = labels.known, calibration_measure().names
    if answers.scores is None:
        return dict.fromkeys(names, Score(None, reason=NO_PROBABILITIES)), ()
    if not known.any():
        return dict.fromkeys(names, Score(None, reason=NO_LABELS)), ()
    sums = calibration_sums(
        field, dialogue[known], labels.values[known], answers.predicted[known], answers.scores[known]
    )
    found[CALIBRATION] = sums
    scores = with_intervals(sums, values_of(sums), n_boot, seed, move=("ece",))
    return scores, reliability(sums.rows.sum(axis=0))


def _soft(
    field: Field,
    split: Split,
    labels: Labels,
    answers: Answers,
    ratings: Ratings | None,
    found: dict[str, DialogueSums],
    n_boot: int,
    seed: int,
) -> tuple[dict[str, Score], int]:
    names = soft_measure(field).names
    if isinstance(field, IntervalField):
        nothing = dict.fromkeys(names, Score(None, reason=NO_RATINGS))
        if ratings is None:
            return nothing, 0
        utterance, _, numbers = ratings.of(field)
        if not len(utterance):
            return nothing, 0
        sums = spread_sums(field, split.dialogue, numbers, utterance, answers.predicted)
        rows = len(np.unique(utterance))
    else:
        known = (
            np.zeros(len(split), np.bool_) if labels.soft is None else np.isfinite(labels.soft).all(axis=1)
        )
        if labels.soft is None or not known.any():
            return dict.fromkeys(names, Score(None, reason=NO_SOFT_LABELS)), 0
        given = answers.scores if answers.scores is not None else certain(field, answers.predicted)
        sums = soft_sums(field, split.dialogue[known], labels.soft[known], given[known])
        rows = int(known.sum())
    found[SOFT] = sums
    values = values_of(sums)
    if answers.scores is None and "cross_entropy" in values:
        values["cross_entropy"] = Score(None, reason=NO_PROBABILITIES)
    return with_intervals(sums, values, n_boot, seed), rows


def certain(field: Field, predicted: Values) -> Floats:
    """Return the probabilities of a model that gives labels alone: 1 for what it says."""
    if predicted.ndim == 2:
        return predicted.astype(np.float64)
    return np.asarray(predicted[:, None] == np.arange(len(class_names(field))), np.float64)


def _single_ratings(
    field: Field,
    split: Split,
    answers: Answers,
    ratings: Ratings | None,
    found: dict[str, DialogueSums],
    n_boot: int,
    seed: int,
) -> tuple[dict[str, Score], dict[str, dict[str, float | None]]]:
    if ratings is None:
        return {}, {}
    utterance, rater, given = ratings.of(field)
    if not len(utterance):
        return {}, {}
    predicted, clusters = answers.predicted[utterance], split.dialogue[utterance]
    sums = dialogue_sums(field, clusters, given, predicted)
    found[RATINGS] = sums
    by_rater = {
        name: dialogue_sums(field, clusters[mine], given[mine], predicted[mine]).total()
        for number, name in enumerate(ratings.raters)
        if (mine := rater == number).any()
    }
    return with_intervals(sums, values_of(sums), n_boot, seed), by_rater


def values_of(sums: DialogueSums) -> dict[str, Score]:
    """Return the metrics of sums without intervals."""
    return {
        name: Score(
            value, reason=None if value is not None else "the metric does not exist for these answers"
        )
        for name, value in sums.total().items()
    }


def with_intervals(
    sums: DialogueSums, values: Mapping[str, Score], n_boot: int, seed: int, move: tuple[str, ...] = ()
) -> dict[str, Score]:
    """Give metrics their 95% percentile intervals over dialogues.

    Args:
        sums: The sums behind them.
        values: The metrics, by name, at least those of the sums.
        n_boot: Resamples of dialogues.
        seed: Seed of the resamples.
        move: Metrics whose resamples are moved by their bias. A calibration error counts every deviation as
            a loss, so that resamples, which deviate from the sample, are always worse than the sample is.
    """
    if len(sums.rows) < 2:
        return {
            name: dataclasses.replace(one, reason=one.reason or ONE_DIALOGUE) for name, one in values.items()
        }
    replicates = bootstrap_values(sums.rows, sums.values, n_boot=n_boot, seed=seed)
    found = {}
    for place, name in enumerate(sums.names):
        one, resampled = values[name], replicates[:, place]
        if one.value is None:
            found[name] = one
            continue
        if name in move:
            resampled = np.maximum(resampled - (np.nanmean(resampled) - one.value), 0.0)
        interval = percentile_interval(resampled)
        if interval.low is None:
            found[name] = Score(one.value, reason=FEW_RESAMPLES)
        else:
            found[name] = Score(one.value, interval.low, interval.high)
    return found
