"""Metrics as functions of sums over dialogues: bootstraps and permutation tests never go back to utterances.

`baselines.metrics` gives the values; these are the same metrics for the many resamples of
`annotation.agreement.intervals` and for the exchanges of `baselines.permutation`. Sums of two runs over the
same dialogues are also all that a comparison needs, so that a run keeps them and no label of an utterance.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from baselines.data import Floats, Integers, Mask, Values
from baselines.metrics import class_names, metric_names
from schemas.fields import Field, IntervalField, MultilabelField


@dataclass(frozen=True)
class Measure:
    """Metrics as a function of sums.

    Attributes:
        names: Names of the metrics.
        values: The metrics of sums, shapes (n, sums) -> (n, metrics); nan where one does not exist.
    """

    names: tuple[str, ...]
    values: Callable[[Floats], Floats]


@dataclass(frozen=True)
class DialogueSums:
    """What each dialogue adds to the metrics of one field.

    Attributes:
        measure: The metrics.
        dialogues: The number of the dialogue of each row, ascending, shape (dialogues,).
        rows: Sums of each dialogue, shape (dialogues, sums).
    """

    measure: Measure
    dialogues: Integers
    rows: Floats

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the metrics."""
        return self.measure.names

    def values(self, sums: Floats) -> Floats:
        """Return the metrics of sums, shapes (n, sums) -> (n, metrics); nan where one does not exist."""
        return self.measure.values(sums)

    def total(self) -> dict[str, float | None]:
        """Return the metrics over all dialogues; None where one does not exist."""
        found = self.values(self.rows.sum(axis=0)[None])[0]
        return {
            name: float(value) if np.isfinite(value) else None
            for name, value in zip(self.names, found, strict=True)
        }


def label_measure(field: Field) -> Measure:
    """Return how well labels are predicted, as a function of sums."""
    names = metric_names(field)
    if isinstance(field, IntervalField):
        return Measure(names, _number_values)
    if isinstance(field, MultilabelField):
        return Measure(names, _set_values)
    size = len(class_names(field))
    return Measure(names, lambda sums: _class_values(sums, size, kappa="quadratic_kappa" in names))


def dialogue_sums(field: Field, dialogue: Integers, labels: Values, predicted: Values) -> DialogueSums:
    """Reduce the labeled utterances of one field to sums over their dialogues.

    Args:
        field: The field.
        dialogue: The dialogue of each utterance, any numbers.
        labels: Decided labels, as in `baselines.data.Labels`.
        predicted: Predicted ones, of the same shape.
    """
    if isinstance(field, IntervalField):
        # Around the middle of the scale the sums of squares keep their digits, and no metric changes.
        middle = (field.low + field.high) / 2
        rows = _moments(labels - middle, predicted - middle)
    elif isinstance(field, MultilabelField):
        rows = _set_counts(labels, predicted)
    else:
        return _confusions(field, dialogue, labels, predicted)
    return sum_dialogues(label_measure(field), dialogue, rows)


def sum_dialogues(measure: Measure, dialogue: Integers, rows: Floats) -> DialogueSums:
    """Sum the rows of each dialogue, shape (rows, sums).

    Args:
        measure: The metrics of the sums.
        dialogue: The dialogue of each row, any numbers.
        rows: What each row adds, shape (rows, sums).
    """
    numbers, place = np.unique(dialogue, return_inverse=True)
    order = np.argsort(place, kind="stable")
    starts = np.searchsorted(place[order], np.arange(len(numbers)))
    sums = np.add.reduceat(rows[order], starts, axis=0) if len(numbers) else rows[:0]
    return DialogueSums(measure, numbers, sums.astype(np.float64))


def _confusions(field: Field, dialogue: Integers, labels: Integers, predicted: Integers) -> DialogueSums:
    """Count the pairs of label and prediction in each dialogue: a confusion matrix, a row a label."""
    numbers, place = np.unique(dialogue, return_inverse=True)
    size = len(class_names(field))
    cells = np.bincount((place * size + labels) * size + predicted, minlength=len(numbers) * size**2)
    return DialogueSums(label_measure(field), numbers, cells.reshape(-1, size**2).astype(np.float64))


def ratio(above: Floats, below: Floats) -> Floats:
    """Divide; nan where there is nothing to divide by."""
    found = np.full(np.broadcast(above, below).shape, np.nan)
    np.divide(above, below, out=found, where=below > 0)
    return found


def _mean(values: Floats) -> Floats:
    """Return the mean over the last axis of the values that exist; nan where none does."""
    exists = np.isfinite(values)
    return ratio(np.where(exists, values, 0).sum(axis=-1), exists.sum(axis=-1))


def _class_values(sums: Floats, size: int, *, kappa: bool) -> Floats:
    """Macro F1, weighted F1, accuracy, UAR and, if asked, kappa of confusion matrices, a row a label."""
    matrix = sums.reshape(-1, size, size)
    total = matrix.sum(axis=(1, 2))
    right = np.diagonal(matrix, axis1=1, axis2=2)
    support, predicted = matrix.sum(axis=2), matrix.sum(axis=1)
    f1 = ratio(2 * right, support + predicted)
    weighted = ratio((np.nan_to_num(f1) * support).sum(axis=1), total)
    metrics = [_mean(f1), weighted, ratio(right.sum(axis=1), total), _mean(ratio(right, support))]
    if kappa:
        scale = np.arange(size)
        distance = (scale[:, None] - scale) ** 2.0
        observed = sums.reshape(len(sums), -1) @ distance.ravel() * total
        expected = ((support @ distance) * predicted).sum(axis=1)
        metrics.append(1 - ratio(observed, expected))
    return np.stack(metrics, axis=-1)


def _set_counts(labels: Mask, predicted: Mask) -> Floats:
    """Of each utterance: hits, labels and predictions of every value, and whether and how far sets agree."""
    hits, either = labels & predicted, (labels | predicted).sum(axis=1)
    jaccard = np.where(either > 0, hits.sum(axis=1) / np.maximum(either, 1), 1.0)
    exact = (labels == predicted).all(axis=1)
    return np.column_stack([hits, labels, predicted, exact, jaccard, np.ones(len(labels))]).astype(np.float64)


def _set_values(sums: Floats) -> Floats:
    """Macro F1, weighted F1, micro F1, exact match and Jaccard index."""
    size = (sums.shape[-1] - 3) // 3
    hits, support, predicted = (sums[:, part * size : (part + 1) * size] for part in range(3))
    exact, jaccard, total = sums[:, -3], sums[:, -2], sums[:, -1]
    f1 = ratio(2 * hits, support + predicted)
    return np.stack(
        [
            _mean(f1),
            ratio((np.nan_to_num(f1) * support).sum(axis=1), support.sum(axis=1)),
            ratio(2 * hits.sum(axis=1), (support + predicted).sum(axis=1)),
            ratio(exact, total),
            ratio(jaccard, total),
        ],
        axis=-1,
    )


def _moments(labels: Floats, predicted: Floats) -> Floats:
    error = np.abs(labels - predicted)
    return np.column_stack(
        [np.ones(len(labels)), error, labels, predicted, labels**2, predicted**2, labels * predicted]
    )


def _number_values(sums: Floats) -> Floats:
    """Mean absolute error, Pearson's correlation and Lin's concordance correlation."""
    total = sums[:, 0]
    error, first, second, first2, second2, product = (ratio(sums[:, i], total) for i in range(1, 7))
    variance = _positive(first2 - first**2, first2), _positive(second2 - second**2, second2)
    covariance = product - first * second
    pearson = ratio(covariance, np.sqrt(variance[0] * variance[1]))
    ccc = ratio(2 * covariance, variance[0] + variance[1] + (first - second) ** 2)
    return np.stack([error, pearson, ccc], axis=-1)


def _positive(variance: Floats, scale: Floats) -> Floats:
    """Take for zero what rounding leaves of a variance that is zero."""
    settled: Floats = np.where(variance > 1e-12 * scale, variance, 0.0)
    return settled
