"""Dawid and Skene 1979, Maximum Likelihood Estimation of Observer Error-Rates Using the EM Algorithm.

Every rater has a confusion matrix P(answer | true option), every option a frequency; both, and the true
options, are estimated together. Defined for any options without regard to their order. "Cannot tell" is an
option like the others: it can be true, and a rater can be prone to it.
"""

from __future__ import annotations

import numpy as np

from annotation.aggregation.em import SMALLEST, Fit, Maximise, fit
from annotation.aggregation.estimate import Estimate, nothing
from annotation.aggregation.votes import VotePatterns, Votes
from annotation.agreement.patterns import Floats

ITERATIONS = 200
TOLERANCE = 1e-6


def dawid_skene(votes: Votes, *, iterations: int = ITERATIONS, tolerance: float = TOLERANCE) -> Estimate:
    """Estimate the true options and every rater's confusion matrix.

    Args:
        votes: Who voted for what.
        iterations: Most EM iterations.
        tolerance: EM ends when the mean log-likelihood of an item changes by less.

    Returns:
        Posterior probabilities. ``raters["confusion"]`` is P(answer | true option), raters x true options x
        options; rows of a rater who never voted, or of an option that nobody used, are zeros.
    """
    if not len(votes.item):
        return nothing(votes)
    fitted = fit(votes.patterns, _maximise(votes.patterns), iterations=iterations, tolerance=tolerance)
    return estimate_of(votes, fitted)


def _maximise(patterns: VotePatterns) -> Maximise:
    first = np.flatnonzero(np.diff(patterns.rater, prepend=-1))  # cells stand rater by rater
    lengths = np.diff(np.append(first, len(patterns.rater)))

    def maximise(counts: Floats) -> Floats:
        counts = np.maximum(counts, SMALLEST)
        table: Floats = np.log(counts / np.repeat(np.add.reduceat(counts, first), lengths, axis=0))
        return table

    return maximise


def estimate_of(votes: Votes, fitted: Fit) -> Estimate:
    """Make an estimate of a fitted model, with the confusion matrices that its expected counts imply."""
    patterns = votes.patterns
    confusion = np.zeros((votes.raters, votes.options, votes.options))
    confusion[patterns.rater, :, votes.used[patterns.option]] = _columns(fitted.counts, votes)
    total = confusion.sum(axis=2, keepdims=True)
    confusion = np.divide(confusion, total, out=np.zeros_like(confusion), where=total > 0)
    return Estimate.most_probable(
        patterns.of_items(fitted.posterior, votes.used, votes.options),
        fitted.converged,
        len(fitted.log_likelihood),
        {"confusion": confusion},
    )


def _columns(counts: Floats, votes: Votes) -> Floats:
    """Expected counts with a column for every option, used or not."""
    whole = np.zeros((len(counts), votes.options))
    whole[:, votes.used] = counts
    return whole
