"""Which values raters confuse with each other, against what chance would make of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from annotation.agreement.patterns import Floats, Patterns
from annotation.agreement.reading import Ratings
from annotation.agreement.reasons import MOST_CATEGORIES, NO_PAIRS
from annotation.agreement.results import number
from schemas.fields import Level


@dataclass(frozen=True)
class Confusion:
    """Two values that different raters gave to the same item.

    Attributes:
        first: One value, earlier in the order of the field.
        second: The other.
        count: Pairs of ratings of one item of which one is `first` and the other `second`.
        share: Share of these among all pairs, 0 to 1; items with m ratings weigh their pairs 1/(m - 1), as
            in Krippendorff's coincidences.
        expected: The share that chance would give: both values drawn from all paired ratings, without
            replacement.
        ratio: `share` over `expected`: above 1, confused more often than chance would; None without chance.
    """

    first: str
    second: str
    count: int
    share: float
    expected: float
    ratio: float | None


@dataclass(frozen=True)
class Confusions:
    """All pairs of values, and the matrix they come from.

    Attributes:
        values: The values in the order of the field; for sets its labels.
        coincidences: Krippendorff's coincidence matrix, symmetric, its sum the number of paired ratings;
            None for sets, whose ratings have more than one label.
        pairs: Pairs of values that were confused at least once, most frequent first. For sets: one rater
            chose `first` without `second`, the other `second` without `first`.
        reason: Why there is nothing to show.
    """

    values: tuple[str, ...]
    coincidences: tuple[tuple[float, ...], ...] | None
    pairs: tuple[Confusion, ...]
    reason: str | None = None


def confusions(ratings: Ratings) -> Confusions:
    """Pairs of values that raters of the same item confuse."""
    if ratings.level in (Level.INTERVAL, Level.RATIO):
        return Confusions((), None, (), f"the values of this field are numbers ({ratings.level})")
    if max(len(ratings.values), len(ratings.labels)) > 10 * MOST_CATEGORIES:
        return Confusions((), None, (), f"more than {10 * MOST_CATEGORIES} values to compare")
    patterns = ratings.patterns
    if not patterns.pairable.any():
        return Confusions(tuple(map(str, ratings.labels)), None, (), NO_PAIRS)
    weight = np.where(patterns.pairable, 1 / np.maximum(patterns.ratings - 1, 1), 0.0)
    items: Floats = patterns.items.astype(np.float64)
    counts, coincidences = _ordered_pairs(patterns, items), _ordered_pairs(patterns, items * weight)
    totals = patterns.sums(patterns.items * patterns.pairable)
    n = float(totals.sum())
    if ratings.level is Level.SET:
        chosen = ratings.label_matrix
        size = len(ratings.labels)
        pairs = [
            _confusion(ratings.labels[a], ratings.labels[b], counts, coincidences, totals, n, one, other)
            for a in range(size)
            for b in range(a + 1, size)
            for one in [chosen[:, a] * (1 - chosen[:, b])]
            for other in [chosen[:, b] * (1 - chosen[:, a])]
        ]
        matrix = None
    else:
        single = np.eye(len(ratings.values))
        pairs = [
            _confusion(str(ratings.values[a]), str(ratings.values[b]), counts, coincidences, totals, n,
                       single[a], single[b])
            for a, b in zip(*np.nonzero(np.triu(counts, 1)), strict=True)
        ]  # fmt: skip
        matrix = tuple(tuple(number(cell) or 0.0 for cell in row) for row in coincidences.tolist())
    found = [one for one in pairs if one.count]
    order = sorted(found, key=lambda one: (-one.share, -one.count))
    return Confusions(tuple(map(str, ratings.labels)), matrix, tuple(order))


def _ordered_pairs(patterns: Patterns, weight: Floats) -> Floats:
    """Ordered pairs of ratings of the same item by their two values, shape (categories, categories)."""
    q = patterns.categories
    cell_weight = weight[patterns.pattern]
    matrix = np.zeros((q, q))
    np.add.at(
        matrix,
        (patterns.category, patterns.category),
        cell_weight * patterns.count * (patterns.count - 1),
    )
    widest = int(np.bincount(patterns.pattern).max(initial=0))
    for step in range(1, widest):
        same = np.flatnonzero(patterns.pattern[step:] == patterns.pattern[:-step])
        one, two = patterns.category[same], patterns.category[same + step]
        times = cell_weight[same] * patterns.count[same] * patterns.count[same + step]
        np.add.at(matrix, (one, two), times)
        np.add.at(matrix, (two, one), times)
    return matrix


def _confusion(
    first: str,
    second: str,
    counts: Floats,
    coincidences: Floats,
    totals: Floats,
    n: float,
    one: Floats,
    other: Floats,
) -> Confusion:
    """The pair of two disjoint groups of categories, given as 0 and 1."""
    share = 2 * float(one @ coincidences @ other) / n
    expected = 2 * float(one @ totals) * float(other @ totals) / (n * (n - 1))
    ratio = number(share / expected) if expected > 0 else None
    count = round(float(one @ counts @ other))
    return Confusion(first, second, count, number(share) or 0.0, number(expected) or 0.0, ratio)
