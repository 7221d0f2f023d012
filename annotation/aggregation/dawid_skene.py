"""Dawid and Skene 1979, Maximum Likelihood Estimation of Observer Error-Rates Using the EM Algorithm.

Every rater has a confusion matrix P(answer | true option), every option a frequency; both, and the true
options, are estimated together. Defined for any options without regard to their order. "Cannot tell" is an
option like the others: it can be true, though only where somebody said so, and a rater can be prone to it.

The estimates of the paper need many votes: with a few dozen items, or rare options, they decide worse than a
majority does, and are sure of it. Two things are added, which lose their weight as votes grow. Matrices and
frequencies are drawn towards what raters have in common (`Shared`). And each item is judged by matrices
without its own votes, which otherwise shape the matrices by which they are then judged.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from annotation.aggregation.em import SMALLEST, Fit, Maximise, fit
from annotation.aggregation.estimate import Estimate, nothing
from annotation.aggregation.shared_confusions import EVEN, Shared, frequencies, with_shared
from annotation.aggregation.votes import VotePatterns, Votes
from annotation.agreement.patterns import Floats

ITERATIONS = 200
TOLERANCE = 1e-6
HELD_OUT_STEPS = 2


def dawid_skene(
    votes: Votes, *, iterations: int = ITERATIONS, tolerance: float = TOLERANCE, as_published: bool = False
) -> Estimate:
    """Estimate the true options and every rater's confusion matrix.

    Args:
        votes: Who voted for what.
        iterations: Most EM iterations.
        tolerance: EM ends when the mean log-likelihood of an item changes by less.
        as_published: Estimate and judge as the paper does, by likelihood alone.

    Returns:
        Posterior probabilities. ``raters["confusion"]`` is P(answer | true option), raters x true options x
        options; rows of a rater who never voted, or of an option that nobody used, are zeros.
    """
    if not len(votes.item):
        return nothing(votes)
    patterns = votes.patterns
    if as_published:
        plain = fit(
            patterns, _maximise(patterns), iterations=iterations, tolerance=tolerance, as_published=True
        )
        return estimate_of(votes, plain)

    def maximise(counts: Floats) -> Floats:
        chance, given = with_shared(patterns, counts)
        table: Floats = np.log(chance / given[patterns.rater])
        return table

    fitted = fit(patterns, maximise, iterations=iterations, tolerance=tolerance, frequencies=frequencies)
    judged = replace(fitted, posterior=held_out_posterior(patterns, fitted.posterior))
    return estimate_of(votes, judged, Shared.of(patterns, fitted.counts))


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
        all_votes, all_given = with_shared(patterns, patterns.by_cell @ expected)
        own = times * np.repeat(posterior, votes, axis=0)
        given = all_given[patterns.rater][cell]
        given -= own
        chance = all_votes[cell]
        chance -= own
        np.maximum(chance, SMALLEST, out=chance)
        chance /= given
        np.log(chance, out=chance)
        chance *= times
        joint = np.add.reduceat(chance, start, axis=0)
        joint += np.log(np.maximum(expected.sum(axis=0) - posterior, 0.0) + EVEN)
        joint[:, patterns.values :][patterns.impossible] = -np.inf
        joint -= joint.max(axis=1, keepdims=True)
        posterior = np.exp(joint)
        posterior /= posterior.sum(axis=1, keepdims=True)
    return posterior


def estimate_of(votes: Votes, fitted: Fit, shared: Shared | None = None) -> Estimate:
    """Make an estimate of a fitted model, with the confusion matrices that its expected counts imply.

    Args:
        votes: Who voted for what.
        fitted: The model.
        shared: What every rater is given besides their own votes.
    """
    patterns = votes.patterns
    confusion = np.zeros((votes.raters, patterns.options, patterns.options))  # rater, true option, answer
    confusion[patterns.rater, :, patterns.option] = fitted.counts
    if shared is not None:
        voted = np.unique(patterns.rater)
        confusion[voted] += shared.weight * shared.confusion.T
    total = confusion.sum(axis=2, keepdims=True)
    confusion = np.divide(confusion, total, out=np.zeros_like(confusion), where=total > 0)
    whole = np.zeros((votes.raters, votes.options, votes.options))
    whole[np.ix_(np.arange(votes.raters), votes.used, votes.used)] = confusion
    return Estimate.most_probable(
        patterns.of_items(fitted.posterior, votes.used, votes.options),
        fitted.converged,
        len(fitted.log_likelihood),
        {"confusion": whole},
    )
