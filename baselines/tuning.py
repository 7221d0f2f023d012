"""Decision thresholds, chosen on validation: how far decisions lean to rare values.

Logits are shifted by a share of the log prior of every value (post-hoc logit adjustment, Menon et al. 2021):
one number a field. A shift of its own for every value gains more on validation, and loses it on other shows.
"""

from __future__ import annotations

import numpy as np
from scipy.special import logit

from baselines.data import Floats, Labels, Values
from baselines.decoding import decode
from baselines.dialogue_sums import dialogue_sums
from baselines.metrics import HEADLINE, metric_names
from schemas.fields import Field, IntervalField, MultilabelField

STRENGTHS = np.linspace(-0.5, 1.2, 18)
"""Shares of the negative log prior that are tried: 0 takes the likeliest value, 1 aims at equal recall."""


def metric_of(field: Field, wanted: str) -> str:
    """Return the metric that a field is tuned by: the wanted one where it exists, else its headline."""
    return wanted if wanted in metric_names(field) else HEADLINE[field.type]


def value_of(field: Field, metric: str, labels: Values, predicted: Values) -> float:
    """Return a metric of complete labels; 0 where it does not exist."""
    sums = dialogue_sums(field, np.zeros(len(labels), np.int64), labels, predicted)
    return float(np.nan_to_num(sums.values(sums.rows)[0, sums.names.index(metric)]))


def tune(field: Field, scores: Floats, labels: Labels, prior: Floats, wanted: str) -> Floats | None:
    """Shift the logits to where the metric is best.

    Args:
        field: The field.
        scores: Probabilities of all rows, shape (rows, values).
        labels: Labels of the same rows.
        prior: Share of every value in train, above 0 and below 1, shape (values,).
        wanted: The metric; a field without it is tuned by its headline.

    Returns:
        Shifts of the logits, shape (values,); None for interval fields and where there are no labels.
    """
    if isinstance(field, IntervalField) or not labels.known.any():
        return None
    metric = metric_of(field, wanted)
    scores, values = scores[labels.known], labels.values[labels.known]
    rarity: Floats = -logit(prior) if isinstance(field, MultilabelField) else -np.log(prior)
    reached = [value_of(field, metric, values, decode(field, scores, one * rarity)) for one in STRENGTHS]
    # The mean of neighbours: a peak of one strength alone is chance. Of equals the one nearest to 0.
    smooth = np.convolve(np.pad(reached, 1, mode="edge"), np.ones(3) / 3, mode="valid")
    best = max(range(len(STRENGTHS)), key=lambda one: (round(float(smooth[one]), 6), -abs(STRENGTHS[one])))
    return np.asarray(STRENGTHS[best] * rarity)
