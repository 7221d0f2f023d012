"""Medians: of numbers, of ordered values, and of the signed scale of relations.

An ordered scale has nothing between two values. Where the median falls between two different ones, an ordinal
field is undecided. A relation has a direction too. Its median may be 0 ("judged, and not there") only because
opposite answers cancel, so it is decided only where more than half of the raters agree on the direction;
where its median falls between two strengths of that direction, the weaker one is decided.
"""

from __future__ import annotations

import numpy as np

from annotation.aggregation.estimate import Estimate, ScoreEstimate, Scores
from annotation.aggregation.votes import Votes, clear_winner
from annotation.agreement.patterns import MISSING, Ints


def median(votes: Votes) -> Estimate:
    """Decide for the median of the values, which are in order.

    Whether there is a value at all is decided first, by majority among values and each kind of no answer.
    """
    low, high = _middle(votes)
    return _with_no_answer(votes, np.where(low == high, low, MISSING))


def signed_median(votes: Votes, zero: int) -> Estimate:
    """Decide for the median of a relation.

    Args:
        votes: Votes for the values of the scale, lowest first, and kinds of no answer.
        zero: Place of the value 0 among the values.
    """
    low, high = _middle(votes)
    counts = votes.counts[:, : votes.values]
    sides = np.stack(
        [counts[:, :zero].sum(axis=1), counts[:, zero], counts[:, zero + 1 :].sum(axis=1)], axis=1
    )
    one_way = 2 * sides.max(axis=1) > counts.sum(axis=1)
    weaker = np.where(np.abs(low - zero) <= np.abs(high - zero), low, high)
    return _with_no_answer(votes, np.where(one_way, weaker, MISSING))


def median_score(scores: Scores) -> ScoreEstimate:
    """The median of the numbers of each item; of an even number of them, the mean of the middle two."""
    order = np.lexsort((scores.value, scores.item))
    number = np.bincount(scores.item, minlength=scores.items)
    rated = np.flatnonzero(number)
    start = (np.cumsum(number) - number)[rated]
    sorted_values = scores.value[order]
    value = np.full(scores.items, np.nan)
    middle = sorted_values[start + (number[rated] - 1) // 2] + sorted_values[start + number[rated] // 2]
    value[rated] = middle / 2
    return ScoreEstimate(value)


def _middle(votes: Votes) -> tuple[Ints, Ints]:
    """The lower and the upper of the two middle values of each item (0 without values)."""
    below = np.cumsum(votes.counts[:, : votes.values], axis=1)
    total = below[:, -1:]
    low = (below < (total + 1) // 2).sum(axis=1)
    high = (below < total // 2 + 1).sum(axis=1)
    without = total[:, 0] == 0
    return np.where(without, 0, low), np.where(without, 0, high)


def _with_no_answer(votes: Votes, choice: Ints) -> Estimate:
    """Let kinds of no answer win where more raters gave one of them than gave values."""
    values = votes.counts[:, : votes.values].sum(axis=1, keepdims=True)
    kind = clear_winner(np.concatenate([values, votes.counts[:, votes.values :]], axis=1).astype(np.float64))
    chosen = np.where(kind == 0, choice, np.where(kind > 0, votes.values + kind - 1, MISSING))
    return Estimate(votes.shares, chosen)
