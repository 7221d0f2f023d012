"""Whether probabilities mean what they say: expected calibration error, Brier score and reliability bins.

Of fields with one value, what is judged is the probability of the value that was predicted (Guo et al. 2017);
of sets, the probability of each value, all values together. Bins are of equal width.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from baselines.data import Floats, Integers, Values
from baselines.dialogue_sums import DialogueSums, Measure, ratio, sum_dialogues
from schemas.fields import Field, MultilabelField

BINS = 15
"""Bins of equal width between 0 and 1, each with its lower end and without its upper one (1 in the last)."""

NAMES = ("ece", "brier")


@dataclass(frozen=True)
class Bin:
    """Predictions of about the same probability.

    Attributes:
        low: Lower end of the bin.
        high: Upper end.
        count: Predictions in it.
        probability: Their mean probability; None without any.
        right: How many of them came true, 0..1; None without any.
    """

    low: float
    high: float
    count: int
    probability: float | None
    right: float | None


def calibration_sums(
    field: Field, dialogue: Integers, labels: Values, predicted: Values, scores: Floats
) -> DialogueSums:
    """Reduce the labeled utterances of a categorical field to sums over their dialogues.

    Args:
        field: A nominal, ordinal, relation or multilabel field.
        dialogue: The dialogue of each utterance, any numbers.
        labels: Decided labels, as in `baselines.data.Labels`.
        predicted: Predicted ones, of the same shape.
        scores: Probabilities in schema order, shape (rows, values).
    """
    rows = len(labels)
    if isinstance(field, MultilabelField):
        probability, right = scores, labels.astype(np.float64)
        brier = ((scores - right) ** 2).mean(axis=1)
    else:
        each = np.arange(rows)
        probability = scores[each, predicted][:, None]
        right = (labels == predicted).astype(np.float64)[:, None]
        truth = np.zeros_like(scores)
        truth[each, labels] = 1.0
        brier = ((scores - truth) ** 2).sum(axis=1)
    place = np.minimum((probability * BINS).astype(np.int64), BINS - 1)
    binned = place + BINS * np.arange(rows)[:, None]

    def by_bin(weights: Floats) -> Floats:
        sums = np.bincount(binned.ravel(), weights=weights.ravel(), minlength=rows * BINS)
        return np.asarray(sums.reshape(rows, BINS), np.float64)

    sums = np.column_stack(
        [by_bin(np.ones_like(probability)), by_bin(probability), by_bin(right), brier, np.ones(rows)]
    )
    return sum_dialogues(calibration_measure(), dialogue, sums)


def calibration_measure() -> Measure:
    """Return the expected calibration error and the Brier score (1950) as functions of sums."""
    return Measure(NAMES, _values)


def _values(sums: Floats) -> Floats:
    """Sum over the bins what probability and frequency differ by; divide by all predictions."""
    count, probability, right = (sums[:, part * BINS : (part + 1) * BINS] for part in range(3))
    ece = ratio(np.abs(probability - right).sum(axis=1), count.sum(axis=1))
    return np.stack([ece, ratio(sums[:, -2], sums[:, -1])], axis=-1)


def reliability(total: Floats) -> tuple[Bin, ...]:
    """Return the bins of a reliability diagram.

    Args:
        total: Sums of `calibration_sums` over all dialogues, shape (sums,).
    """
    count, probability, right = (total[part * BINS : (part + 1) * BINS] for part in range(3))
    return tuple(
        Bin(
            place / BINS,
            (place + 1) / BINS,
            round(float(count[place])),
            float(probability[place] / count[place]) if count[place] else None,
            float(right[place] / count[place]) if count[place] else None,
        )
        for place in range(BINS)
    )
