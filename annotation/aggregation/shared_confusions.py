"""What raters have in common, and how much: the prior of Dawid-Skene, estimated from the same votes.

Confusion matrices are many numbers. Raters with a few dozen votes tell little about theirs, and rare options
tell little about anybody's. So the matrix of a rater is drawn towards that of all raters together, and that
one towards a rater who is right with one probability and wrong in any way equally often. By how many votes is
what makes the counts likeliest under Dirichlet distributions (empirical Bayes; Minka 2000, Estimating a
Dirichlet Distribution): by few where raters differ, by many where they are alike.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import gammaln

from annotation.aggregation.votes import VotePatterns
from annotation.agreement.patterns import Floats

RIGHT, WRONG = 8.0, 2.0
"""Votes that count before any are seen: raters are right rather than wrong."""
EVEN = 2.0
"""Items of each option that count before any are seen."""
WEIGHTS = np.geomspace(1, 64, 7)
"""Votes of the level above that a level may be given; between these a parabola finds the likeliest number.

More would lock raters in who look alike at the first step, when labels are still those of the majority.
"""


@dataclass(frozen=True)
class Shared:
    """What raters have in common.

    Attributes:
        confusion: P(answer | true option) of all raters together, options x true options.
        weight: How many votes of it, under each true option, every rater is given.
    """

    confusion: Floats
    weight: float

    @classmethod
    def of(cls, patterns: VotePatterns, counts: Floats) -> Shared:
        """Estimate it.

        Args:
            patterns: At least one pattern.
            counts: Expected votes of each cell by true option, cells x true options.
        """
        size = patterns.options
        pooled = np.zeros((size, size))
        np.add.at(pooled, patterns.option, counts)
        total = pooled.sum(axis=0)
        right = (np.trace(pooled) + RIGHT) / (total.sum() + RIGHT + WRONG)
        coin = np.full((size, size), (1 - right) / max(size - 1, 1))
        np.fill_diagonal(coin, right if size > 1 else 1.0)
        weight = likeliest_weight(pooled, coin, total[None])
        confusion = (pooled + weight * coin) / (total + weight)
        return cls(confusion, likeliest_weight(counts, confusion[patterns.option], patterns.by_rater(counts)))


def with_shared(patterns: VotePatterns, counts: Floats) -> tuple[Floats, Floats]:
    """Expected votes with those that all raters share, cells x true options, and their sums by rater."""
    shared = Shared.of(patterns, counts)
    votes: Floats = counts + shared.weight * shared.confusion[patterns.option]
    return votes, patterns.by_rater(counts) + shared.weight


def frequencies(mass: Floats) -> Floats:
    """P(option) from the expected number of items of each option, `EVEN` of each being known beforehand."""
    items = mass + EVEN
    found: Floats = items / items.sum()
    return found


def likeliest_weight(counts: Floats, mean: Floats, total: Floats) -> float:
    """The concentration of Dirichlet distributions around known means under which counts are likeliest.

    Args:
        counts: Counts, cells x columns; cells of the same rater and column come from one distribution.
        mean: Its mean at each cell, above 0, of the same shape.
        total: Sum of the counts of each distribution, raters x columns.

    Returns:
        A number within `WEIGHTS`.
    """
    likelihood = np.array(
        [
            (gammaln(counts + weight * mean) - gammaln(weight * mean)).sum()
            - (gammaln(total + weight) - gammaln(weight)).sum()
            for weight in WEIGHTS
        ]
    )
    best = int(likelihood.argmax())
    if 0 < best < len(WEIGHTS) - 1:
        before, here, after = likelihood[best - 1 : best + 2]
        bend = before - 2 * here + after
        step = 0.5 * (before - after) / bend if bend < 0 else 0.0
        return float(WEIGHTS[best] * (WEIGHTS[1] / WEIGHTS[0]) ** step)
    return float(WEIGHTS[best])
