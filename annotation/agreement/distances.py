"""Distances between two values (for Krippendorff's alpha) and agreement weights (for kappas, Gwet's AC2).

Every function returns a symmetric matrix, shape (categories, categories). Distances are 0 on the diagonal and
are named after their source because the same name means different things elsewhere: two definitions of MASI
are in use, and Gwet's "ordinal" weights are not Krippendorff's ordinal metric.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from types import MappingProxyType
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

SetDistance = Literal["masi", "masi_dkpro", "jaccard", "exact", "subset_dkpro"]
Weighting = Literal["identity", "linear", "quadratic", "ordinal", "radical", "ratio", "circular", "bipolar"]
WEIGHTINGS: tuple[Weighting, ...] = get_args(Weighting)

SET_DISTANCES: MappingProxyType[SetDistance, str] = MappingProxyType(
    {
        "masi": "MASI distance 1 - J*M (Passonneau 2006), two empty sets at distance 0",
        "masi_dkpro": "MASI distance of DKPro, (1 - J) * {0, 1/3, 2/3, 1}, the empty set a subset of all",
        "jaccard": "Jaccard distance, two empty sets at distance 0",
        "exact": "sets are equal or not",
        "subset_dkpro": "set distance of DKPro, {0, 1/3, 2/3, 1} for equal, subset, overlap, disjoint "
        "(Passonneau 2004), the empty set a subset of every set",
    }
)


def nominal(categories: int) -> Floats:
    """Krippendorff's nominal metric: 1 for different categories."""
    return 1.0 - np.eye(categories)


def interval(values: NDArray[np.floating]) -> Floats:
    """Krippendorff's interval metric: the squared difference."""
    difference = np.asarray(np.subtract.outer(values, values), dtype=np.float64)
    squares: Floats = np.square(difference)
    return squares


def ratio(values: NDArray[np.floating]) -> Floats:
    """Krippendorff's ratio metric: the squared difference over the sum, 0 for two zeros."""
    total = np.add.outer(values, values)
    relative = np.subtract.outer(values, values) / np.where(total == 0, 1.0, total)
    squares: Floats = np.square(relative)
    return squares


def midranks(totals: Floats) -> Floats:
    """Mean rank of the ratings in each category; `totals` has the categories, in order, on its last axis."""
    ranks: Floats = np.cumsum(totals, axis=-1) - totals / 2
    return ranks


def ordinal(totals: Floats) -> Floats:
    """Krippendorff's ordinal metric (2011, section E).

    The distance of c and k is the squared number of ratings from c to k, half of those in c and k themselves:
    the squared difference of their mean ranks. It depends on the data.

    Args:
        totals: Pairable ratings in each category, categories in order.
    """
    return interval(midranks(totals))


def set_distance(sets: Sequence[Set[str]], distance: SetDistance = "masi") -> Floats:
    """Distance of every two label sets.

    Args:
        sets: Distinct sets; the empty set is a value like any other.
        distance: A name of `SET_DISTANCES`, which states each convention.
    """
    labels = sorted(set().union(*sets)) if sets else []
    member = np.array([[label in one for label in labels] for one in sets], dtype=np.float64)
    member = member.reshape(len(sets), len(labels))
    size = member.sum(axis=1)
    common = member @ member.T
    union = size[:, None] + size - common
    equal = union == common
    subset = common == np.minimum.outer(size, size)  # the empty set is one of every set
    jaccard = np.where(union > 0, common / np.maximum(union, 1), 1.0)
    # With an empty set the Jaccard part is 0, so that its subset relation does not matter to Passonneau.
    monotonicity = np.select([equal, subset, common > 0], [1.0, 2 / 3, 1 / 3], 0.0)
    found: Floats
    if distance == "exact":
        found = 1.0 - equal
    elif distance == "jaccard":
        found = 1.0 - jaccard
    elif distance == "masi":
        found = 1.0 - jaccard * monotonicity
    elif distance == "subset_dkpro":
        found = 1.0 - monotonicity
    else:
        found = (1.0 - jaccard) * (1.0 - monotonicity)
    return found


def agreement_weights(name: Weighting, values: NDArray[np.floating]) -> Floats:
    """Gwet's weight families (Handbook of Inter-Rater Reliability, 4th edition, chapter 3).

    Args:
        name: identity and ordinal look at the order only, the others at the numbers.
        values: Ascending numbers of the categories (ranks 1, 2, .. for names), shape (categories,).

    Returns:
        Weights between 0 and 1, 1 on the diagonal.
    """
    x = np.asarray(values, dtype=np.float64)
    distance: Floats
    if len(x) < 2 or name == "identity":
        return np.eye(len(x))
    low, span = x.min(), x.max() - x.min()
    gap = np.abs(np.subtract.outer(x, x))
    total = np.add.outer(x, x)
    if name == "linear":
        distance = gap / span
    elif name == "quadratic":
        distance = (gap / span) ** 2
    elif name == "radical":
        distance = np.sqrt(gap / span)
    elif name == "ordinal":
        rank = np.arange(len(x))
        between = np.abs(np.subtract.outer(rank, rank)) + 1.0
        distance = between * (between - 1) / (len(x) * (len(x) - 1))
    elif name == "ratio":
        distance = ratio(x) / (span / (x.max() + low)) ** 2
    elif name == "circular":
        distance = np.sin(np.pi * gap / (span + 1)) ** 2
        distance = distance / distance.max()
    else:
        ends = (total - 2 * low) * (2 * x.max() - total)
        distance = gap**2 / np.where(ends == 0, 1.0, ends)
        distance = distance / distance.max()
    return 1.0 - distance
