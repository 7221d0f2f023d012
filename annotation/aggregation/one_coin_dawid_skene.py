"""Dawid-Skene with one number a rater: Zhang, Chen, Zhou and Jordan 2016, Spectral Methods Meet EM.

A rater gives the true option with one probability, and any other option equally often. It needs far fewer
ratings a rater than confusion matrices do. Defined for any options without regard to their order.
"""

from __future__ import annotations

import numpy as np

from annotation.aggregation.dawid_skene import ITERATIONS, TOLERANCE
from annotation.aggregation.em import SMALLEST, Maximise, fit
from annotation.aggregation.estimate import Estimate, nothing
from annotation.aggregation.votes import VotePatterns, Votes
from annotation.agreement.patterns import Floats


def one_coin_dawid_skene(
    votes: Votes, *, iterations: int = ITERATIONS, tolerance: float = TOLERANCE
) -> Estimate:
    """Estimate the true options and every rater's accuracy.

    Args:
        votes: Who voted for what.
        iterations: Most EM iterations.
        tolerance: EM ends when the mean log-likelihood of an item changes by less.

    Returns:
        Posterior probabilities; ``raters["accuracy"]`` is P(answer is the true option), nan without votes.
    """
    if not len(votes.item):
        return nothing(votes)
    patterns = votes.patterns
    fitted = fit(patterns, _maximise(patterns), iterations=iterations, tolerance=tolerance)
    return Estimate.most_probable(
        patterns.of_items(fitted.posterior, votes.used, votes.options),
        fitted.converged,
        len(fitted.log_likelihood),
        {"accuracy": _accuracy(patterns, fitted.counts)},
    )


def _accuracy(patterns: VotePatterns, counts: Floats) -> Floats:
    """Expected share of each rater's votes that are right; nan without votes."""
    right = patterns.by_rater(counts[np.arange(len(counts)), patterns.option])
    given = patterns.by_rater(counts.sum(axis=1))
    accuracy: Floats = np.divide(right, given, out=np.full(patterns.raters, np.nan), where=given > 0)
    return accuracy


def _maximise(patterns: VotePatterns) -> Maximise:
    others = max(patterns.options - 1, 1)
    is_right = patterns.option[:, None] == np.arange(patterns.options)

    def maximise(counts: Floats) -> Floats:
        accuracy = _accuracy(patterns, counts)[patterns.rater][:, None]
        chance = np.where(is_right, accuracy, (1 - accuracy) / others)
        table: Floats = np.log(np.clip(chance, SMALLEST, 1 - SMALLEST))
        return table

    return maximise
