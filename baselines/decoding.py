"""From a model's scores to labels: one rule for all models."""

from __future__ import annotations

import numpy as np
from scipy.special import expit, logit

from baselines.data import Floats, Mask, Values
from schemas.fields import Field, IntervalField, MultilabelField

THRESHOLD = 0.5


def decode(field: Field, scores: Floats, shifts: Floats | None = None) -> Values:
    """Decide the labels of one field.

    Args:
        field: The field.
        scores: Probabilities in schema order, shape (rows, values), of each value on its own for multilabel
            fields; numbers of shape (rows,) for interval fields.
        shifts: What is added to the logit (to the log probability where one value is chosen) of every value
            before the decision, shape (values,): thresholds tuned on validation. By default nothing.

    Returns:
        Labels as in `baselines.data.Labels`: the likeliest value (of equals the first in schema order), the
        set of values likelier than not, or the number brought within the scale.
    """
    if isinstance(field, IntervalField):
        return scores.clip(field.low, field.high)
    if isinstance(field, MultilabelField):
        if shifts is not None:
            scores = expit(logit(scores) + shifts)
        exclusive = np.array([name in field.exclusive for name in field.categories])
        return _settle_exclusive(scores, scores > THRESHOLD, exclusive)
    if shifts is not None:
        scores = scores * np.exp(shifts)
    likeliest: Values = scores.argmax(axis=1)
    return likeliest


def _settle_exclusive(scores: Floats, chosen: Mask, exclusive: Mask) -> Mask:
    """Let an exclusive value stand alone where it is the likeliest, and drop it elsewhere."""
    best = scores.argmax(axis=1)
    alone = np.zeros_like(chosen)
    alone[np.arange(len(scores)), best] = True
    settled: Mask = np.where(exclusive[best][:, None], alone, ~exclusive) & chosen
    return settled
