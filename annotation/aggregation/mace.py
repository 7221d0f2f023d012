"""MACE: Hovy, Berg-Kirkpatrick, Vaswani and Hovy 2013, Learning Whom to Trust with MACE.

A rater either knows and gives the true option, or guesses from a distribution of their own. How often each
rater guesses is estimated with the true options. Defined for any options without regard to their order; made
for raters of whom some do not look at the items.

The paper holds all options for equally frequent. Where nearly all items are "none", careful raters who
nearly always say "none" then look like guessers, and neither the paper's priors nor its restarts mend that:
it is what the model takes for likeliest. So the frequencies of the options are estimated, too.
"""

from __future__ import annotations

import numpy as np
from scipy.special import digamma

from annotation.aggregation.em import SMALLEST, equal, fit, shares
from annotation.aggregation.estimate import Estimate, nothing
from annotation.aggregation.votes import VotePatterns, Votes
from annotation.agreement.patterns import Floats

ITERATIONS = 500
TOLERANCE = 1e-6
GUESSING_PRIOR = 0.5
"""Of the Beta prior on how often a rater guesses, both parameters."""
STRATEGY_PRIOR = 10.0
"""Of the Dirichlet prior on what a rater guesses, each parameter."""


def mace(
    votes: Votes,
    *,
    iterations: int = ITERATIONS,
    tolerance: float = TOLERANCE,
    uniform: bool = False,
    start: tuple[Floats, Floats] | None = None,
) -> Estimate:
    """Estimate the true options and how often each rater guesses, by variational Bayes.

    Args:
        votes: Who voted for what.
        iterations: Most EM iterations.
        tolerance: EM ends when the mean log-likelihood of an item changes by less.
        uniform: Hold all options for equally frequent, as the paper does.
        start: P(guess), P(know) of each rater, raters x 2, and P(option | guess), raters x used options; by
            default each rater guesses half of the time, any option equally often. A rater's knowledge is tied
            to the option they named, so that this even start leaves nothing undetermined.

    Returns:
        Posterior probabilities; ``raters["guessing"]`` is the share of each rater's answers that were
        guessed, nan without votes.
    """
    if not len(votes.item):
        return nothing(votes)
    patterns = votes.patterns
    model = _Model(patterns)
    guess, strategy = start or (
        np.full((votes.raters, 2), 0.5),
        np.full((votes.raters, patterns.options), 1 / patterns.options),
    )
    first = model.table(guess, strategy)
    fitted = fit(
        patterns,
        model.maximise,
        iterations=iterations,
        tolerance=tolerance,
        start=first,
        frequencies=equal if uniform else shares,
    )
    guessed, known = model.expected(fitted.counts)
    given = guessed + known
    return Estimate.most_probable(
        patterns.of_items(fitted.posterior, votes.used, votes.options),
        fitted.converged,
        len(fitted.log_likelihood),
        {"guessing": np.divide(guessed, given, out=np.full(votes.raters, np.nan), where=given > 0)},
    )


class _Model:
    """How each cell comes about: the rater guessed it, or knew that it is true."""

    def __init__(self, patterns: VotePatterns) -> None:
        self.patterns = patterns
        self.is_true = patterns.option[:, None] == np.arange(patterns.options)
        self.guessed = np.zeros(len(patterns.option))
        self.known = np.zeros(len(patterns.option))

    def table(self, guess: Floats, strategy: Floats) -> Floats:
        """Log P(cell | true option)."""
        rater, option = self.patterns.rater, self.patterns.option
        self.guessed = guess[rater, 0] * strategy[rater, option]
        self.known = guess[rater, 1]
        chance = self.guessed[:, None] + self.known[:, None] * self.is_true
        table: Floats = np.log(np.maximum(chance, SMALLEST))
        return table

    def _guesses(self, counts: Floats) -> tuple[Floats, Floats]:
        """Expected guesses and knowledgeable votes of each cell."""
        right = counts[self.is_true]
        known = right * self.known / (self.guessed + self.known)
        return counts.sum(axis=1) - known, known

    def expected(self, counts: Floats) -> tuple[Floats, Floats]:
        """Expected guesses and knowledgeable votes of each rater."""
        guessed, known = self._guesses(counts)
        return self.patterns.by_rater(guessed), self.patterns.by_rater(known)

    def maximise(self, counts: Floats) -> Floats:
        """The variational M-step (section 3.1 of the paper)."""
        patterns = self.patterns
        guessed, known = self._guesses(counts)
        strategy = np.zeros((patterns.raters, patterns.options))
        strategy[patterns.rater, patterns.option] = guessed
        knowing = np.stack([strategy.sum(axis=1), patterns.by_rater(known)], axis=1)
        return self.table(_expected_logs(knowing + GUESSING_PRIOR), _expected_logs(strategy + STRATEGY_PRIOR))


def _expected_logs(parameters: Floats) -> Floats:
    """Exponentials of expected logarithms of Dirichlet variables, row by row (sums below 1)."""
    weights: Floats = np.exp(digamma(parameters) - digamma(parameters.sum(axis=1, keepdims=True)))
    return weights
