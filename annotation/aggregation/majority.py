"""Majority vote, ties marked and never broken. Defined for any options without regard to their order.

"Cannot tell" and "not applicable" are options too and can win. The soft label is the share of the votes.
"""

from __future__ import annotations

from annotation.aggregation.estimate import Estimate
from annotation.aggregation.votes import Votes


def majority(votes: Votes) -> Estimate:
    """Decide for the option with most votes; a tie decides nothing."""
    return Estimate.most_probable(votes.shares)
