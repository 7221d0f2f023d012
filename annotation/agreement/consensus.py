"""The label that a few ratings of an item decide by majority, in the integer codes of the engine.

The rules are those of `annotation.aggregation.majority` for ratings with an answer: ties decide nothing.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from annotation.agreement.patterns import MISSING, Floats, Ints


def majority(counts: Floats) -> Ints:
    """The most frequent category of each row, -1 for a tie or a row without ratings.

    Args:
        counts: Ratings in each category, shape (rows, categories).
    """
    if not counts.shape[1]:
        return np.full(len(counts), MISSING, dtype=np.int64)
    most = counts.max(axis=1)
    single = (counts == most[:, None]).sum(axis=1) == 1
    return np.where(single & (most > 0), counts.argmax(axis=1), MISSING)


def majority_set(
    counts: Floats, ratings: Floats, empty: Floats
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """The labels that more than half of the ratings have.

    A row is undecided when a label has exactly half of the ratings, or when no label has more than half
    although half of the ratings or more have some label.

    Args:
        counts: Ratings with each label, shape (rows, labels).
        ratings: Ratings of each row.
        empty: Ratings of each row without any label.

    Returns:
        The decided labels, shape (rows, labels), and which rows are decided.
    """
    inside = 2 * counts > ratings[:, None]
    halved = (2 * counts == ratings[:, None]).any(axis=1)
    scattered = ~inside.any(axis=1) & (2 * empty <= ratings)
    decided = (ratings > 0) & ~halved & ~scattered
    return inside & decided[:, None], decided
