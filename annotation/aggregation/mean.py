"""The mean of the raters' numbers, each counting the same. Defined for interval fields."""

from __future__ import annotations

from annotation.aggregation.estimate import ScoreEstimate, Scores


def mean_score(scores: Scores) -> ScoreEstimate:
    """The mean of the numbers of each item."""
    return ScoreEstimate(scores.mean())
