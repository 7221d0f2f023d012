"""Dawid and Skene 1979, Maximum Likelihood Estimation of Observer Error-Rates Using the EM Algorithm.

Every rater has a confusion matrix P(answer | true option), every option a frequency; both, and the true
options, are estimated together. Defined for any options without regard to their order. "Cannot tell" is an
option like the others: it can be true, and a rater can be prone to it.

The posterior of the paper is far too sure of itself where raters have few votes: an item's own votes shape
the matrices by which they are then judged. So each item is judged by matrices without its own votes, in which
every rater has a few votes of a typical one besides.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from annotation.aggregation.em import SMALLEST, Fit, Maximise, fit
from annotation.aggregation.estimate import Estimate, nothing
from annotation.aggregation.votes import VotePatterns, Votes
from annotation.agreement.patterns import Floats

ITERATIONS = 200
TOLERANCE = 1e-6
TYPICAL = 2.0
"""Votes of a typical rater under each true option that every rater is given when items are judged."""
HELD_OUT_STEPS = 2


def dawid_skene(
    votes: Votes, *, iterations: int = ITERATIONS, tolerance: float = TOLERANCE, held_out: bool = True
) -> Estimate:
    """Estimate the true options and every rater's confusion matrix.

    Args:
        votes: Who voted for what.
        iterations: Most EM iterations.
        tolerance: EM ends when the mean log-likelihood of an item changes by less.
        held_out: Judge each item by matrices without its own votes; False gives the posterior of the paper.

    Returns:
        Posterior probabilities. ``raters["confusion"]`` is P(answer | true option), raters x true options x
        options; rows of a rater who never voted, or of an option that nobody used, are zeros.
    """
    if not len(votes.item):
        return nothing(votes)
    fitted = fit(votes.patterns, _maximise(votes.patterns), iterations=iterations, tolerance=tolerance)
    if held_out:
        fitted = replace(fitted, posterior=held_out_posterior(votes.patterns, fitted.posterior))
    return estimate_of(votes, fitted)


def _maximise(patterns: VotePatterns) -> Maximise:
    first = np.flatnonzero(np.diff(patterns.rater, prepend=-1))  # cells stand rater by rater
    lengths = np.diff(np.append(first, len(patterns.rater)))

    def maximise(counts: Floats) -> Floats:
        counts = np.maximum(counts, SMALLEST)
        table: Floats = np.log(counts / np.repeat(np.add.reduceat(counts, first), lengths, axis=0))
        return table

    return maximise


def held_out_posterior(patterns: VotePatterns, posterior: Floats) -> Floats:
    """Judge each item by the votes on all the others.

    Args:
        patterns: At least one pattern.
        posterior: P(true option | votes) of each pattern to start from, patterns x options.

    Returns:
        The same after `HELD_OUT_STEPS` rounds.
    """
    items = patterns.items[:, None].astype(np.float64)
    start, votes = patterns.cells.indptr[:-1], np.diff(patterns.cells.indptr)  # no pattern is without votes
    cell, times = patterns.cells.indices, patterns.cells.data[:, None]
    for _ in range(HELD_OUT_STEPS):
        expected = items * posterior
        counts = patterns.by_cell @ expected
        typical = np.full((patterns.options, patterns.options), 1 / patterns.options)  # answer x true
        np.add.at(typical, patterns.option, counts)
        typical /= typical.sum(axis=0)
        own = times * np.repeat(posterior, votes, axis=0)
        given = (patterns.by_rater(counts)[patterns.rater] + TYPICAL)[cell]
        given -= own
        chance = (counts + TYPICAL * typical[patterns.option])[cell]
        chance -= own
        np.maximum(chance, SMALLEST, out=chance)
        chance /= given
        np.log(chance, out=chance)
        chance *= times
        joint = np.add.reduceat(chance, start, axis=0)
        joint += np.log(np.maximum(expected.sum(axis=0) - posterior, 0.0) + 1)
        joint -= joint.max(axis=1, keepdims=True)
        posterior = np.exp(joint)
        posterior /= posterior.sum(axis=1, keepdims=True)
    return posterior


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
