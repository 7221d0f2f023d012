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
Frequencies = Callable[[Floats], Floats]
"""From the expected number of items of each true option to P(true option)."""


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


def shares(mass: Floats) -> Floats:
    """P(true option) as the expected share of the items."""
    found: Floats = mass / mass.sum()
    return found


def equal(mass: Floats) -> Floats:
    """P(true option) when all are held to be equally frequent."""
    return np.full(len(mass), 1 / len(mass))


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
    frequencies: Frequencies = shares,
    as_published: bool = False,
) -> Fit:
    """Alternate E-step and M-step until the likelihood settles.

    Args:
        patterns: At least one pattern.
        maximise: The M-step.
        iterations: Most iterations.
        tolerance: The mean log-likelihood of an item settles when it changes by less; 0 never settles.
        start: Log-probabilities to start from, cells x options; by default those of the shares of votes.
        frequencies: How frequent the options are, from their expected numbers.
        as_published: Let "cannot tell" be true where nobody said so, as an option like any other.
    """
    items = patterns.items[:, None].astype(np.float64)
    posterior = vote_shares(patterns)
    prior = _logs(frequencies((items * posterior).sum(axis=0)))
    table = maximise(patterns.by_cell @ (items * posterior)) if start is None else start
    history: list[float] = []
    converged = False
    counts = np.zeros_like(table)
    while len(history) < iterations and not converged:
        joint = patterns.cells @ table
        joint += prior
        if not as_published:
            joint[:, patterns.values :][patterns.impossible] = -np.inf
        # The products of many probabilities underflow; shifted by the largest one, they do not.
        largest = joint.max(axis=1, keepdims=True)
        joint -= largest
        np.exp(joint, out=joint)
        total = joint.sum(axis=1, keepdims=True)
        posterior = joint
        posterior /= total
        expected = items * posterior
        prior = _logs(frequencies(expected.sum(axis=0)))
        counts = patterns.by_cell @ expected
        table = maximise(counts)
        history.append(float((items * (np.log(total) + largest)).sum() / items.sum()))
        converged = len(history) > 1 and abs(history[-1] - history[-2]) < tolerance
    return Fit(posterior, np.exp(prior), counts, tuple(history), converged)


def _logs(chance: Floats) -> Floats:
    logs: Floats = np.log(np.maximum(chance, SMALLEST))
    return logs
