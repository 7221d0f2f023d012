"""What a method makes of votes or of scores: the one result that all of them give."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from annotation.aggregation.votes import Votes, clear_winner
from annotation.agreement.patterns import Floats, Ints


@dataclass(frozen=True)
class Estimate:
    """Decided options.

    Attributes:
        probability: Probability of each option, or its share of the votes, items x options; rows without
            votes are zeros.
        choice: The decided option of each item, -1 where none is decided.
        converged: Whether an iterative method settled; True for methods that do not iterate.
        iterations: Iterations that it took; 0 for methods that do not iterate.
        raters: What was found out about raters, by name of the parameter; raters first in every shape.
    """

    probability: Floats
    choice: Ints
    converged: bool = True
    iterations: int = 0
    raters: Mapping[str, Floats] = field(default_factory=dict)

    @classmethod
    def most_probable(
        cls,
        probability: Floats,
        converged: bool = True,
        iterations: int = 0,
        raters: Mapping[str, Floats] | None = None,
    ) -> Estimate:
        """Choose the option with the highest probability of each item; a tie decides nothing."""
        return cls(probability, clear_winner(probability), converged, iterations, raters or {})


@dataclass(frozen=True)
class Scores:
    """Numbers that raters gave, one entry a score.

    Attributes:
        item: Item of each score, 0 to `items` - 1.
        rater: Rater of each score, 0 to `raters` - 1.
        value: The number.
        items: Number of items; some may have no score.
        raters: Number of raters; some may have no score.
    """

    item: Ints
    rater: Ints
    value: Floats
    items: int
    raters: int

    def mean(self, weight: Floats | None = None) -> Floats:
        """Mean of each item, weighted by a number a score; nan without scores or weight."""
        total = np.bincount(self.item, weight, self.items).astype(np.float64)
        weighted = self.value if weight is None else weight * self.value
        sums = np.bincount(self.item, weighted, self.items)
        means: Floats = np.divide(sums, total, out=np.full(self.items, np.nan), where=total > 0)
        return means


@dataclass(frozen=True)
class ScoreEstimate:
    """Decided numbers.

    Attributes:
        value: The number of each item, nan without scores.
        raters: What was found out about raters, by name of the parameter; shape (raters,) each.
        converged: Whether an iterative method settled; True for methods that do not iterate.
        iterations: Iterations that it took; 0 for methods that do not iterate.
    """

    value: Floats
    raters: Mapping[str, Floats] = field(default_factory=dict)
    converged: bool = True
    iterations: int = 0


def nothing(votes: Votes) -> Estimate:
    """The estimate when nobody voted."""
    return Estimate.most_probable(np.zeros((votes.items, votes.options)))
