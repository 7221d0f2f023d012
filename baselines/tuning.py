"""Decision thresholds, tuned on validation: the shift of every value's logit that a metric likes best."""

from __future__ import annotations

import numpy as np

from baselines.data import Floats, Labels, Values
from baselines.decoding import decode
from baselines.dialogue_sums import dialogue_sums
from baselines.metrics import HEADLINE, metric_names
from schemas.fields import Field, IntervalField

STEPS = np.linspace(-2, 2, 17)
ROUNDS = 3
LEAST_GAIN = 1e-4
"""A smaller gain is rounding."""


def metric_of(field: Field, wanted: str) -> str:
    """Return the metric that a field is tuned by: the wanted one where it exists, else its headline."""
    return wanted if wanted in metric_names(field) else HEADLINE[field.type]


def value_of(field: Field, metric: str, labels: Values, predicted: Values) -> float:
    """Return a metric of complete labels; 0 where it does not exist."""
    sums = dialogue_sums(field, np.zeros(len(labels), np.int64), labels, predicted)
    return float(np.nan_to_num(sums.values(sums.rows)[0, sums.names.index(metric)]))


def tune(field: Field, scores: Floats, labels: Labels, wanted: str) -> Floats | None:
    """Shift one value after the other to where the metric is best, until nothing gets better.

    Args:
        field: The field.
        scores: Probabilities of all rows, shape (rows, values).
        labels: Labels of the same rows.
        wanted: The metric; a field without it is tuned by its headline.

    Returns:
        Shifts of the logits, shape (values,); None for interval fields and where there are no labels.
    """
    if isinstance(field, IntervalField) or not labels.known.any():
        return None
    metric = metric_of(field, wanted)
    scores, values = scores[labels.known], labels.values[labels.known]
    shifts = np.zeros(scores.shape[1])
    best = value_of(field, metric, values, decode(field, scores, shifts))
    for _ in range(ROUNDS):
        before = best
        for value in range(len(shifts)):
            for step in STEPS:
                tried = shifts.copy()
                tried[value] = step
                found = value_of(field, metric, values, decode(field, scores, tried))
                if found > best + LEAST_GAIN:
                    best, shifts = found, tried
        if best <= before + LEAST_GAIN:
            break
    return shifts
