"""GLAD: Whitehill, Ruvolo, Wu, Bergsma and Movellan 2009, Whose Vote Should Count More.

Raters have an ability a, items an ease e; a vote is right with probability 1 / (1 + exp(-a e)), and any wrong
option is equally likely. Defined for any options without regard to their order.

Items with the same votes have the same ease, so that rating patterns take the place of items. The paper's EM
climbs the posterior of abilities and log-eases (normal priors around 1); here quasi-Newton steps climb the
same hill, with the E-step inside.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit, logsumexp

from annotation.aggregation.estimate import Estimate, nothing
from annotation.aggregation.votes import VotePatterns, Votes
from annotation.agreement.patterns import Floats, tally

ITERATIONS = 500
PRIOR = 1.0
"""Mean of the normal priors (variance 1) of abilities and of the logarithms of eases."""


def glad(votes: Votes, *, iterations: int = ITERATIONS) -> Estimate:
    """Estimate the true options, every rater's ability and every item's ease.

    Args:
        votes: Who voted for what.
        iterations: Most quasi-Newton iterations.

    Returns:
        Posterior probabilities; ``raters["ability"]`` is above 0 for raters who are right more often than
        chance, 0 for guessing, nan without votes.
    """
    if not len(votes.item):
        return nothing(votes)
    model = Model(votes.patterns)
    # Curvature grows with the votes behind a number: in units of its square root all numbers are alike.
    unit = 1 / np.sqrt(np.concatenate([np.bincount(votes.rater, minlength=votes.raters), model.items]) + 1)

    def scaled(point: Floats) -> tuple[float, Floats]:
        value, slope = model.loss(point * unit)
        return value, slope * unit

    found = minimize(
        scaled,
        np.full(model.raters + model.patterns, PRIOR) / unit,
        method="L-BFGS-B",
        jac=True,
        options={"maxiter": iterations, "maxfun": 2 * iterations},
    )
    point = found.x * unit
    ability, _ = np.split(point, [model.raters])
    voted = np.bincount(votes.rater, minlength=votes.raters) > 0
    return Estimate.most_probable(
        votes.patterns.of_items(np.exp(model.log_posterior(point)), votes.used, votes.options),
        bool(found.success),
        int(found.nit),
        {"ability": np.where(voted, ability, np.nan)},
    )


class Model:
    """The posterior of abilities and log-eases, given votes.

    Args:
        patterns: At least one pattern.
    """

    def __init__(self, patterns: VotePatterns) -> None:
        votes = patterns.cells.tocoo()
        self.pattern, cell = votes.coords
        self.times = votes.data
        self.rater, self.option = patterns.rater[cell], patterns.option[cell]
        self.items = patterns.items.astype(np.float64)
        self.raters, self.patterns, self.options = patterns.raters, len(patterns.items), patterns.options
        self.values, self.impossible = patterns.values, patterns.impossible

    def _joint(self, point: Floats) -> tuple[Floats, Floats, Floats]:
        """Strength a * e of each vote; log-joint of each true option less a number a pattern; that number."""
        ability, log_ease = np.split(point, [self.raters])
        strength = ability[self.rater] * np.exp(log_ease)[self.pattern]
        others = np.log(max(self.options - 1, 1))
        # log P(right) - log P(one wrong option) = strength + log(options - 1)
        cell = self.pattern * self.options + self.option
        gain = tally(cell, self.times * (strength + others), self.patterns * self.options)
        wrong = tally(self.pattern, -self.times * (np.logaddexp(0, strength) + others), self.patterns)
        gain = gain.reshape(self.patterns, self.options)
        gain[:, self.values :][self.impossible] = -np.inf
        return strength, gain, wrong

    def log_posterior(self, point: Floats) -> Floats:
        """Log P(true option | votes), patterns x options."""
        gain = self._joint(point)[1]
        normalised: Floats = gain - logsumexp(gain, axis=1, keepdims=True)
        return normalised

    def loss(self, point: Floats) -> tuple[float, Floats]:
        """Negative log-posterior of abilities and log-eases, and its gradient."""
        strength, gain, wrong = self._joint(point)
        total = logsumexp(gain, axis=1)
        right = np.exp(gain - total[:, None])[self.pattern, self.option]
        ability, log_ease = np.split(point, [self.raters])
        off, away = ability - PRIOR, log_ease - PRIOR
        value = self.items @ (total + wrong - away**2 / 2) - (off**2).sum() / 2
        slope = self.items[self.pattern] * self.times * (right - expit(strength))
        by_ability = np.bincount(self.rater, slope * np.exp(log_ease)[self.pattern], self.raters) - off
        by_ease = np.bincount(self.pattern, slope * strength, self.patterns) - self.items * away
        return -float(value), -np.concatenate([by_ability, by_ease])
