"""Metrics as functions of sums over dialogues, so that a bootstrap never goes back to the utterances.

`baselines.metrics` gives the values; these are the same metrics for the many resamples of
`annotation.agreement.intervals`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from baselines.data import Floats, Integers, Mask, Values
from baselines.metrics import class_names, metric_names
from schemas.fields import Field, IntervalField, MultilabelField


@dataclass(frozen=True)
class DialogueSums:
    """What each dialogue adds to the metrics of one field.

    Attributes:
        names: Names of the metrics.
        rows: Sums of each dialogue, shape (dialogues, sums).
        values: The metrics of sums, shapes (n, sums) -> (n, metrics); nan where one does not exist.
    """

    names: tuple[str, ...]
    rows: Floats
    values: Callable[[Floats], Floats]


def dialogue_sums(field: Field, dialogue: Integers, labels: Values, predicted: Values) -> DialogueSums:
    """Reduce the labeled utterances of one field to sums over their dialogues.

    Args:
        field: The field.
        dialogue: The dialogue of each utterance, any numbers.
        labels: Decided labels, as in `baselines.data.Labels`.
        predicted: Predicted ones, of the same shape.
    """
    _, place = np.unique(dialogue, return_inverse=True)
    names = metric_names(field)
    if isinstance(field, IntervalField):
        # Around a common centre the sums of squares keep their digits, and no metric changes.
        centre = labels.mean() if len(labels) else 0.0
        return DialogueSums(names, _sum(_moments(labels - centre, predicted - centre), place), _number_values)
    if isinstance(field, MultilabelField):
        return DialogueSums(names, _sum(_set_counts(labels, predicted), place), _set_values)
    size = len(class_names(field))
    cells = np.bincount(
        (place * size + labels) * size + predicted, minlength=(place.max(initial=-1) + 1) * size**2
    )
    rows = cells.reshape(-1, size**2).astype(np.float64)
    return DialogueSums(names, rows, lambda sums: _class_values(sums, size)[..., : len(names)])


def _sum(rows: Floats, place: Integers) -> Floats:
    """Sum the rows of each dialogue."""
    sums = np.zeros((place.max(initial=-1) + 1, rows.shape[1]))
    np.add.at(sums, place, rows)
    return sums


def _ratio(above: Floats, below: Floats) -> Floats:
    """Divide; nan where there is nothing to divide by."""
    ratio = np.full(np.broadcast(above, below).shape, np.nan)
    np.divide(above, below, out=ratio, where=below > 0)
    return ratio


def _mean(values: Floats) -> Floats:
    """Return the mean over the last axis of the values that exist; nan where none does."""
    exists = np.isfinite(values)
    return _ratio(np.where(exists, values, 0).sum(axis=-1), exists.sum(axis=-1))


def _class_values(sums: Floats, size: int) -> Floats:
    """Macro F1, weighted F1, accuracy, UAR and quadratic kappa of confusion matrices, a row a label."""
    matrix = sums.reshape(-1, size, size)
    total = matrix.sum(axis=(1, 2))
    right = np.diagonal(matrix, axis1=1, axis2=2)
    support, predicted = matrix.sum(axis=2), matrix.sum(axis=1)
    f1 = _ratio(2 * right, support + predicted)
    weighted = _ratio((np.nan_to_num(f1) * support).sum(axis=1), total)
    scale = np.arange(size)
    distance = (scale[:, None] - scale) ** 2.0
    observed = (matrix * distance).sum(axis=(1, 2)) * total
    expected = np.einsum("ni,nj,ij->n", support, predicted, distance)
    kappa = 1 - _ratio(observed, expected)
    return np.stack(
        [_mean(f1), weighted, _ratio(right.sum(axis=1), total), _mean(_ratio(right, support)), kappa], axis=-1
    )


def _set_counts(labels: Mask, predicted: Mask) -> Floats:
    """Of each utterance: the hits and the marks of every value, and whether and how far the sets agree."""
    hits, either = labels & predicted, (labels | predicted).sum(axis=1)
    jaccard = np.where(either > 0, hits.sum(axis=1) / np.maximum(either, 1), 1.0)
    exact = (labels == predicted).all(axis=1)
    marks = labels.astype(np.float64) + predicted
    return np.column_stack([hits, marks, exact, jaccard, np.ones(len(labels))])


def _set_values(sums: Floats) -> Floats:
    """Macro F1, micro F1, exact match and Jaccard index."""
    size = (sums.shape[-1] - 3) // 2
    hits, marks = sums[:, :size], sums[:, size : 2 * size]
    exact, jaccard, total = sums[:, -3], sums[:, -2], sums[:, -1]
    return np.stack(
        [
            _mean(_ratio(2 * hits, marks)),
            _ratio(2 * hits.sum(axis=1), marks.sum(axis=1)),
            _ratio(exact, total),
            _ratio(jaccard, total),
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
    error, first, second, first2, second2, product = (_ratio(sums[:, i], total) for i in range(1, 7))
    variance = _positive(first2 - first**2, first2), _positive(second2 - second**2, second2)
    covariance = product - first * second
    pearson = _ratio(covariance, np.sqrt(variance[0] * variance[1]))
    ccc = _ratio(2 * covariance, variance[0] + variance[1] + (first - second) ** 2)
    return np.stack([error, pearson, ccc], axis=-1)


def _positive(variance: Floats, scale: Floats) -> Floats:
    """Take for zero what rounding leaves of a variance that is zero."""
    settled: Floats = np.where(variance > 1e-12 * scale, variance, 0.0)
    return settled
