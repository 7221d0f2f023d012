"""Expectation maximisation over rating patterns, for every model in which raters have confusion tables.

A model is what its M-step makes of expected counts: the log-probability of each vote of each rater, given the
true option. The E-step is the same for all.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from annotation.aggregation.votes import VotePatterns
from annotation.agreement.patterns import Floats

SMALLEST = 1e-10
"""No probability of a table is smaller, so that a single vote never rules an option out."""

Maximise = Callable[[Floats], Floats]
"""From expected counts (cells x true options) to log P(cell | true option) of the same shape."""


@dataclass(frozen=True)
class Fit:
    """A fitted model.

    Attributes:
        posterior: P(true option | votes) of each pattern, patterns x options.
        prior: P(true option), shape (options,).
        counts: Expected votes of each cell by true option, cells x options.
        log_likelihood: Mean log-likelihood of an item at each iteration.
        converged: Whether the last two differ by less than the tolerance.
    """

    posterior: Floats
    prior: Floats
    counts: Floats
    log_likelihood: tuple[float, ...]
    converged: bool


def log_prior(mass: Floats) -> Floats:
    """Logarithms of P(true option) from the expected number of items of each option."""
    logs: Floats = np.log(np.maximum(mass / mass.sum(), SMALLEST))
    return logs


def vote_shares(patterns: VotePatterns) -> Floats:
    """Share of the votes for each used option, patterns x options: where the estimation starts."""
    counts = patterns.cells @ np.eye(patterns.options)[patterns.option]
    shares: Floats = counts / counts.sum(axis=1, keepdims=True)
    return shares


def fit(
    patterns: VotePatterns,
    maximise: Maximise,
    *,
    iterations: int,
    tolerance: float,
    start: Floats | None = None,
    uniform: bool = False,
) -> Fit:
    """Alternate E-step and M-step until the likelihood settles.

    Args:
        patterns: At least one pattern.
        maximise: The M-step.
        iterations: Most iterations.
        tolerance: The mean log-likelihood of an item settles when it changes by less; 0 never settles.
        start: Log-probabilities to start from, cells x options; by default those of the shares of votes.
        uniform: Whether all options are held to be equally frequent; otherwise that is estimated too.
    """
    items = patterns.items[:, None].astype(np.float64)
    flat = np.zeros(patterns.options) - np.log(patterns.options)
    posterior = vote_shares(patterns)
    prior = flat if uniform else log_prior((items * posterior).sum(axis=0))
    table = maximise(patterns.by_cell @ (items * posterior)) if start is None else start
    history: list[float] = []
    converged = False
    counts = np.zeros_like(table)
    while len(history) < iterations and not converged:
        joint = patterns.cells @ table
        joint += prior
        # The products of many probabilities underflow; shifted by the largest one, they do not.
        largest = joint.max(axis=1, keepdims=True)
        joint -= largest
        np.exp(joint, out=joint)
        total = joint.sum(axis=1, keepdims=True)
        posterior = joint
        posterior /= total
        expected = items * posterior
        if not uniform:
            prior = log_prior(expected.sum(axis=0))
        counts = patterns.by_cell @ expected
        table = maximise(counts)
        history.append(float((items * (np.log(total) + largest)).sum() / items.sum()))
        converged = len(history) > 1 and abs(history[-1] - history[-2]) < tolerance
    return Fit(posterior, np.exp(prior), counts, tuple(history), converged)
