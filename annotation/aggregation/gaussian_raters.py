"""The Dawid-Skene idea for numbers: each rater has an offset and a noise of their own.

A number is the true one, plus an offset of the rater, plus normal noise with a variance of the rater (as in
Raykar et al. 2010, Learning From Crowds, section 5, with offsets). The weight of a rater is one over the
variance. Defined for interval fields.
"""

from __future__ import annotations

import numpy as np

from annotation.aggregation.estimate import ScoreEstimate, Scores
from annotation.agreement.patterns import Floats, tally

ITERATIONS = 200
TOLERANCE = 1e-6
TYPICAL = 5.0
"""Numbers of a typical rater that every rater is given, so that few numbers do not make anybody precise."""


def gaussian_raters(
    scores: Scores, *, iterations: int = ITERATIONS, tolerance: float = TOLERANCE
) -> ScoreEstimate:
    """Estimate the true numbers and every rater's offset and noise.

    Args:
        scores: Who gave which number.
        iterations: Most iterations.
        tolerance: They end when no number changes by more than this share of the deviation of all numbers.

    Returns:
        The numbers. ``raters["offset"]`` and ``raters["noise"]`` (a standard deviation) are in units of the
        scale, nan for raters without numbers; the offsets of all ratings add up to 0.
    """
    items, raters, rater = scores.items, scores.raters, scores.rater
    given = np.bincount(rater, minlength=raters)
    deviation = float(scores.value.std()) if len(scores.value) else 0.0
    weight: Floats = np.ones(raters)
    value = scores.mean()
    offset: Floats = np.zeros(raters)
    step, converged = 0, deviation == 0.0
    variance: Floats = np.zeros(raters)
    while step < iterations and not converged:
        step += 1
        rest = scores.value - value[scores.item]
        pooled = max(float(np.mean((rest - offset[rater]) ** 2)), (1e-6 * deviation) ** 2)
        between = max(float(np.average(offset**2, weights=given)), 1e-3 * pooled) if step > 1 else pooled
        # Offsets and variances of raters with few numbers are drawn towards those of all.
        offset = tally(rater, rest, raters) / (given + pooled / between)
        offset -= np.average(offset, weights=given)
        # What the rater adds to the estimate pulls it towards their own number: that is no precision.
        share = weight[rater] / tally(scores.item, weight[rater], items)[scores.item]
        squares = tally(rater, (rest - offset[rater]) ** 2, raters)
        freedom = tally(rater, 1 - share, raters)
        typical = max(float(squares.sum() / max(freedom.sum(), 1e-9)), pooled)
        variance = (squares + TYPICAL * typical) / (freedom + TYPICAL)
        weight = 1 / variance
        moved = Scores(scores.item, rater, scores.value - offset[rater], items, raters).mean(weight[rater])
        change = float(np.nanmax(np.abs(moved - value)))
        value, converged = moved, change <= tolerance * deviation
    unknown = given == 0
    return ScoreEstimate(
        value,
        {
            "offset": np.where(unknown, np.nan, offset),
            "noise": np.where(unknown, np.nan, np.sqrt(variance)),
        },
        converged,
        step,
    )
