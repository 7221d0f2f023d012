"""Majority vote in which a rater counts as much as they agree with the others.

The weight of a rater is the share of the other raters' votes on the same items that are the same as theirs.
Defined for any options without regard to their order.
"""

from __future__ import annotations

import numpy as np

from annotation.aggregation.estimate import Estimate
from annotation.aggregation.votes import Votes, normalised
from annotation.agreement.patterns import Floats


def weighted_majority(votes: Votes) -> Estimate:
    """Decide for the option with the largest sum of weights; a tie decides nothing.

    Returns:
        Shares of the weight; ``raters["weight"]`` holds the weights, 0 to 1, nan for raters without votes.
    """
    weight = agreement_with_others(votes)
    support = votes.weighted(weight[votes.rater])
    # Where nobody on an item ever agrees with anybody, all votes count the same.
    silent = support.sum(axis=1) == 0
    support[silent] = votes.counts[silent]
    return Estimate.most_probable(normalised(support), raters={"weight": weight})


def agreement_with_others(votes: Votes) -> Floats:
    """Share of the others' votes on the same items that are the same as each rater's own, shape (raters,).

    A rater who shares no item with anybody gets the mean of those who do (1 when nobody does).
    """
    same = votes.counts[votes.item, votes.option] - 1.0
    others = votes.counts.sum(axis=1)[votes.item] - 1.0
    met = np.bincount(votes.rater, others, votes.raters)
    agreed = np.bincount(votes.rater, same, votes.raters)
    weight = np.divide(agreed, met, out=np.full(votes.raters, np.nan), where=met > 0)
    usual = float(agreed.sum() / met.sum()) if met.sum() > 0 else 1.0
    voted = np.bincount(votes.rater, minlength=votes.raters) > 0
    return np.where(np.isnan(weight) & voted, usual, weight)
