"""Evaluator-weighted estimator of interval fields.

From Grimm and Kroschel 2005, Evaluation of Natural Emotions Using Self Assessment Manikins (IEEE ASRU). The
weight of a rater is the correlation of their numbers with the mean of all raters, over the items they rated.
A rater whose weight would be negative does not count.

That mean has the rater's own numbers in it, and a correlation over a few items is mostly chance. So a rater
is held against the mean of the *others*, and correlations are drawn towards that of a typical rater by as
much as they are chance: on Fisher's scale their error variance is 1 / (items - 3), and how far raters really
differ is estimated from all of them (DerSimonian and Laird 1986, Meta-Analysis in Clinical Trials).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from annotation.aggregation.estimate import ScoreEstimate, Scores
from annotation.agreement.patterns import Floats

FEWEST = 3
"""Two items always lie on a line: a published weight needs at least so many."""
HIGHEST = 0.999
"""Correlations beyond this count as this, for Fisher's scale has no end."""


def ewe_score(scores: Scores, *, as_published: bool = False) -> ScoreEstimate:
    """The mean of the numbers of each item, weighted by how well each rater follows the others.

    Args:
        scores: Who gave which number.
        as_published: Weigh by the correlation with the mean of all, however few items it comes from.

    Returns:
        The numbers; ``raters["weight"]`` holds the weights, 0 to 1, nan for raters without numbers. A rater
        who always gives the same number has none. An item whose raters all have none gets the plain mean.
    """
    weight = published_weights(scores) if as_published else evaluator_weights(scores)
    value = scores.mean(weight[scores.rater])
    return ScoreEstimate(np.where(np.isnan(value), scores.mean(), value), {"weight": weight})


def evaluator_weights(scores: Scores) -> Floats:
    """Weight of each rater, 0 to 1: the correlation with the others, less what is chance in it.

    Raters with too few shared items have that of a typical rater (1 where nobody can be compared); nan for
    raters without numbers.
    """
    number = np.bincount(scores.item, minlength=scores.items)[scores.item]
    shared = number > 1
    rater, value = scores.rater[shared], scores.value[shared]
    others = (scores.mean()[scores.item] * number - scores.value)[shared] / (number[shared] - 1)
    items = np.bincount(rater, minlength=scores.raters)
    correlation, varies = _correlation(value, others, rater, items)
    typical, certainty = _typical(correlation, items, varies)
    z = np.arctanh(np.clip(correlation, -HIGHEST, HIGHEST))
    weight: Floats = np.maximum(np.tanh(typical + certainty * (z - typical)), 0.0)
    weight[~varies & (items >= FEWEST)] = 0.0
    weight[np.bincount(scores.rater, minlength=scores.raters) == 0] = np.nan
    return weight


def _typical(correlation: Floats, items: NDArray[Any], varies: NDArray[np.bool_]) -> tuple[float, Floats]:
    """A typical correlation on Fisher's scale, and what share of the distances from it is no chance."""
    precision = np.where(varies, np.maximum(items - 3.0, 0.0), 0.0)
    total = float(precision.sum())
    if total == 0:
        return float(np.arctanh(HIGHEST)), np.zeros(len(items))
    z = np.arctanh(np.clip(correlation, -HIGHEST, HIGHEST))
    mean = float(precision @ z) / total
    spread = float(precision @ (z - mean) ** 2) - (np.count_nonzero(precision) - 1)
    room = total - float(precision @ precision) / total
    between = max(spread / room, 0.0) if room > 0 else 0.0
    weight = np.divide(
        1.0, between + 1 / np.maximum(precision, 1e-12), where=precision > 0, out=np.zeros(len(z))
    )
    typical = float(weight @ z) / float(weight.sum())
    return typical, np.where(precision > 0, between * precision / (between * precision + 1), 0.0)


def published_weights(scores: Scores) -> Floats:
    """Weight of each rater, 0 to 1, as published: the correlation with the mean of all raters.

    Raters with fewer than `FEWEST` shared items have the mean weight of the others; nan for raters without
    numbers.
    """
    # Where nobody else rated, the mean is the rater's own number and says nothing about them.
    shared = (np.bincount(scores.item, minlength=scores.items) > 1)[scores.item]
    rater = scores.rater[shared]
    number = np.bincount(rater, minlength=scores.raters)
    correlation, _ = _correlation(scores.value[shared], scores.mean()[scores.item[shared]], rater, number)
    weight = np.maximum(correlation, 0.0)
    unknown = number < FEWEST
    usual = float(weight[~unknown].mean()) if (~unknown).any() else 1.0
    weight[unknown] = usual
    weight[np.bincount(scores.rater, minlength=scores.raters) == 0] = np.nan
    return weight


def _correlation(
    one: Floats, other: Floats, group: NDArray[Any], number: NDArray[Any]
) -> tuple[Floats, NDArray[np.bool_]]:
    """Pearson correlation within each group, 0 where a variable does not vary; and where both vary."""
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
    varies = scale > 1e-12
    correlation: Floats = np.divide(product, scale, out=np.zeros(size), where=varies)
    return correlation, varies
