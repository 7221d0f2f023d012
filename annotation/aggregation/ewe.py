"""Evaluator-weighted estimator of interval fields.

From Grimm and Kroschel 2005, Evaluation of Natural Emotions Using Self Assessment Manikins (IEEE ASRU). The
weight of a rater is the correlation of their numbers with the mean of all raters, over the items they rated.
A rater whose weight would be negative does not count.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from annotation.aggregation.estimate import ScoreEstimate, Scores
from annotation.agreement.patterns import Floats

FEWEST = 3
"""Two items always lie on a line: a correlation needs at least so many."""


def ewe_score(scores: Scores) -> ScoreEstimate:
    """The mean of the numbers of each item, weighted by how well each rater follows the mean.

    Returns:
        The numbers; ``raters["weight"]`` holds the weights, 0 to 1, nan for raters without numbers. A rater
        with fewer than `FEWEST` shared items has the mean weight of the others; one who always gives the same
        number has none. An item whose raters all have none gets the plain mean.
    """
    weight = evaluator_weights(scores)
    value = scores.mean(weight[scores.rater])
    return ScoreEstimate(np.where(np.isnan(value), scores.mean(), value), {"weight": weight})


def evaluator_weights(scores: Scores) -> Floats:
    """Weight of each rater, 0 to 1; nan for raters without numbers."""
    # Where nobody else rated, the mean is the rater's own number and says nothing about them.
    shared = (np.bincount(scores.item, minlength=scores.items) > 1)[scores.item]
    rater = scores.rater[shared]
    number = np.bincount(rater, minlength=scores.raters)
    correlation = _correlation(scores.value[shared], scores.mean()[scores.item[shared]], rater, number)
    weight = np.maximum(correlation, 0.0)
    unknown = number < FEWEST
    usual = float(weight[~unknown].mean()) if (~unknown).any() else 1.0
    weight[unknown] = usual
    weight[np.bincount(scores.rater, minlength=scores.raters) == 0] = np.nan
    return weight


def _correlation(one: Floats, other: Floats, group: NDArray[Any], number: NDArray[Any]) -> Floats:
    """Pearson correlation within each group; 0 where a variable does not vary."""
    size = len(number)
    count = np.maximum(number, 1)

    def centred(values: Floats) -> Floats:
        from_mean: Floats = values - (np.bincount(group, values, size) / count)[group]
        return from_mean

    one, other = centred(one), centred(other)
    product, first, second = (
        np.bincount(group, values, size) for values in (one * other, one * one, other * other)
    )
    scale = np.sqrt(first * second)
    correlation: Floats = np.divide(product, scale, out=np.zeros(size), where=scale > 1e-12)
    return correlation
