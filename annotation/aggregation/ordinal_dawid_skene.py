"""Dawid-Skene for ordered values: each rater sees the true place on the scale through a lens of their own.

The confusion matrix of a rater follows from four numbers, as in rater models of signal detection (Patz,
Junker, Johnson and Mariano 2002, The Hierarchical Rater Model): the place of the true value, 0 for the lowest
and 1 for the highest, is drawn towards the middle (shrink), moved (shift) and blurred (noise, a standard
deviation); thresholds half-way between neighbouring places give the answer, save for a share of the answers
that may be any value (guess). Near misses are then likelier
than far ones, and a few dozen ratings tell what a free matrix would need hundreds for.

Defined for ordinal fields and relations. Kinds of no answer are not on the scale: each rater gives them at a
rate of their own where there is a true value; where one of them is true, the answers are free.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy.special import ndtr

from annotation.aggregation.dawid_skene import ITERATIONS, TOLERANCE
from annotation.aggregation.em import SMALLEST, fit
from annotation.aggregation.estimate import Estimate, nothing
from annotation.aggregation.shared_confusions import with_shared
from annotation.aggregation.votes import VotePatterns, Votes
from annotation.agreement.patterns import Floats, Ints

SHIFTS = np.linspace(-0.3, 0.3, 13)
SHRINKS = np.linspace(0.4, 1.2, 5)
NOISES = np.geomspace(0.04, 0.8, 12)
GUESSES = np.array([0.0, 0.05, 0.15, 0.3, 0.5, 0.75])
TYPICAL = 2.0
"""Votes of a typical rater that every rater is given, so that few votes do not make anybody perfect."""


def ordinal_dawid_skene(
    votes: Votes, *, iterations: int = ITERATIONS, tolerance: float = TOLERANCE
) -> Estimate:
    """Estimate the true options and every rater's lens.

    Args:
        votes: Who voted for what; the values are in order.
        iterations: Most EM iterations.
        tolerance: EM ends when the mean log-likelihood of an item changes by less.

    Returns:
        Posterior probabilities. For each rater ``shift``, ``shrink``, ``noise`` (in shares of the scale) and
        ``guess``, nan without votes for values; and ``confusion``, P(answer | true value), raters x values x
        values.
    """
    if not len(votes.item):
        return nothing(votes)
    model = _Model(votes.patterns, votes.used, votes.values)
    fitted = fit(votes.patterns, model.maximise, iterations=iterations, tolerance=tolerance)
    lens = model.lenses(fitted.counts)
    rated = np.bincount(votes.rater, votes.option < votes.values, votes.raters) > 0
    shift, shrink, noise, guess = np.where(rated, _grid()[:, lens], np.nan)
    return Estimate.most_probable(
        votes.patterns.of_items(fitted.posterior, votes.used, votes.options),
        fitted.converged,
        len(fitted.log_likelihood),
        {
            "shift": shift,
            "shrink": shrink,
            "noise": noise,
            "guess": guess,
            "confusion": np.exp(_log_confusions(votes.values)[lens]),
        },
    )


def _grid() -> Floats:
    """All lenses: shift, shrink, noise, guess, shape (4, lenses)."""
    grid = np.meshgrid(SHIFTS, SHRINKS, NOISES, GUESSES, indexing="ij")
    return np.stack([one.ravel() for one in grid])


@lru_cache(maxsize=8)
def _log_confusions(values: int) -> Floats:
    """Log P(answer | true value) through each lens, lenses x values x values."""
    shift, shrink, noise, guess = _grid()
    place = np.linspace(0, 1, values) if values > 1 else np.full(1, 0.5)
    seen = 0.5 + shift[:, None] + shrink[:, None] * (place - 0.5)
    thresholds = (place[:-1] + place[1:]) / 2
    below = ndtr((thresholds - seen[:, :, None]) / noise[:, None, None])
    ends = [np.zeros((*seen.shape, 1)), below, np.ones((*seen.shape, 1))]
    chance = np.diff(np.concatenate(ends, axis=2), axis=2)
    chance = (1 - guess[:, None, None]) * chance + guess[:, None, None] / values
    logs: Floats = np.log(np.maximum(chance, SMALLEST))
    return logs


def _centred(lens: Ints, votes: Floats) -> Ints:
    """Lenses without what they shift in common.

    That all raters see everything higher, or that everything is, gives the same votes: the scale is held in
    its place by raters who together have no shift.
    """
    if not votes.sum():
        return lens
    place, rest = np.divmod(lens, len(_grid()[0]) // len(SHIFTS))  # shifts vary slowest
    common = np.average(SHIFTS[place], weights=votes)
    steps = int(np.rint(common / (SHIFTS[1] - SHIFTS[0])))
    centred: Ints = np.clip(place - steps, 0, len(SHIFTS) - 1) * (len(_grid()[0]) // len(SHIFTS)) + rest
    return centred


class _Model:
    """The M-step: the best lens of each rater on a grid, and the rates of kinds of no answer."""

    def __init__(self, patterns: VotePatterns, used: Ints, values: int) -> None:
        self.patterns = patterns
        self.value = used[used < values]  # used values come before used kinds of no answer
        self.on_scale = np.arange(patterns.options) < len(self.value)
        self.is_value = patterns.option < len(self.value)
        self.tables = _log_confusions(values)[:, self.value][:, :, self.value]

    def lenses(self, counts: Floats) -> Ints:
        """The lens of each rater under which the expected counts are likeliest."""
        size = len(self.value)
        table = np.zeros((self.patterns.raters, size, size))  # rater, true value, answer
        rater, answer = self.patterns.rater[self.is_value], self.patterns.option[self.is_value]
        table[rater, :, answer] = counts[self.is_value][:, :size]
        total = table.sum()
        typical = table.sum(axis=0) / total if total > 0 else np.zeros((size, size))
        weights = (table + TYPICAL * typical).reshape(len(table), -1)
        best: Ints = (weights @ self.tables.reshape(len(self.tables), -1).T).argmax(axis=1)
        return _centred(best, table.sum(axis=(1, 2)))

    def maximise(self, counts: Floats) -> Floats:
        counts = np.maximum(counts, SMALLEST)
        rater, option, size = self.patterns.rater, self.patterns.option, len(self.value)
        # Where a kind of no answer is true, and for kinds of no answer anywhere: shares of the rater's votes,
        # drawn towards what raters share, for such items are few.
        chance, sums = with_shared(self.patterns, counts)
        given = self.patterns.by_rater(counts)[rater]
        table = np.log(chance / sums[rater])
        if size:
            under_value = counts[:, :size].sum(axis=1)
            share = under_value / given[:, :size].sum(axis=1)
            table[:, :size] = np.log(share)[:, None]
            values = np.full(self.patterns.raters, SMALLEST)
            np.add.at(values, rater[self.is_value], share[self.is_value])
            seen = self.tables[self.lenses(counts)[rater], :, np.minimum(option, size - 1)]
            table[self.is_value, :size] = seen[self.is_value] + np.log(values[rater])[self.is_value, None]
        return table
