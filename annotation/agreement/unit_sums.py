"""What one item adds to alpha, and how that changes when one of its ratings is left out.

Alpha is a function of sums over items (`coefficients.Statistic`). Whoever leaves out a rater, an item or a
dialogue, or compares two rounds, adds and subtracts such sums and never goes back to the ratings.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from annotation.agreement import coefficients, distances
from annotation.agreement.coefficients import Moments, Statistic
from annotation.agreement.estimation import MOST_CELLS, Measure, Units, coefficient_of, resample
from annotation.agreement.intervals import totals
from annotation.agreement.measure import MOST_CATEGORIES, MOST_RATIO_VALUES, NO_PAIRS, ONE_VALUE, SINGLE_ITEM
from annotation.agreement.patterns import Codes, Floats, Ints, Patterns, reduce_codes, tally
from annotation.agreement.reading import Ratings
from annotation.agreement.results import Coefficient
from schemas.fields import Level

TOO_LARGE = "too many distinct values for the number of items to keep the sums of every item"


def patterns_of(ratings: Ratings) -> tuple[Patterns, Ints]:
    """Rating patterns, and the pattern of each item."""
    categories = len(ratings.values)
    codes = ratings.matrix() if categories <= MOST_CATEGORIES else None
    if codes is None:
        patterns = Patterns.from_long(ratings.item, ratings.code, ratings.items, categories)
        return patterns, np.arange(ratings.items)
    found, of_item = reduce_codes(codes, categories, inverse=True)
    assert of_item is not None
    return found, of_item


def distance_of(ratings: Ratings, patterns: Patterns) -> Floats | None:
    """Distances of the values under the metric of the level (sets: MASI); None for interval fields."""
    if ratings.level is Level.INTERVAL:
        return None
    if ratings.level is Level.ORDINAL:
        return distances.ordinal(patterns.sums(patterns.items * patterns.pairable))
    if ratings.level is Level.RATIO:
        return distances.ratio(ratings.numbers)
    if ratings.level is Level.SET:
        return distances.set_distance(ratings.values)
    return distances.nominal(patterns.categories)


def label_matrix(ratings: Ratings) -> Floats:
    """Which labels each value has: itself, or the labels of a set; 0 and 1, shape (values, labels)."""
    if ratings.level is not Level.SET:
        return np.eye(len(ratings.values))
    member = [[label in one for label in ratings.labels] for one in ratings.values]
    return np.array(member, dtype=np.float64).reshape(len(ratings.values), len(ratings.labels))


def alpha_sums(ratings: Ratings, patterns: Patterns) -> Statistic | None:
    """Alpha under the metric of the level as a function of sums over items, a row a pattern.

    Args:
        ratings: Where level, numbers and sets come from.
        patterns: Patterns of these ratings, or of parts of them in the same category codes.

    Returns:
        The statistic; None when its sums would not fit memory.
    """
    if ratings.level is Level.INTERVAL:
        return coefficients.interval_statistic(Moments.of_patterns(patterns, ratings.numbers))
    width = patterns.categories**2 / 2 if ratings.level is Level.ORDINAL else patterns.categories
    if max(len(patterns.items), patterns.categories) * width > MOST_CELLS:
        return None
    if ratings.level is Level.ORDINAL:
        return coefficients.ordinal_statistic(patterns)
    if ratings.level is Level.RATIO and patterns.categories > MOST_RATIO_VALUES:
        return None
    distance = None if ratings.level is Level.NOMINAL else distance_of(ratings, patterns)
    return coefficients.alpha_statistic(patterns, distance)


def alpha_reason(ratings: Ratings) -> str | None:
    """Why agreement cannot be told from chance before anything is computed; None when it may be."""
    paired = np.bincount(ratings.item, minlength=1) > 1
    if not paired.any():
        return NO_PAIRS
    if np.count_nonzero(paired) == 1:
        return SINGLE_ITEM
    codes = ratings.code[paired[ratings.item]]
    return ONE_VALUE if (codes == codes[0]).all() else None


def value_at(statistic: Statistic, sums: Floats) -> float:
    """The coefficient of one vector of sums."""
    return float(statistic.value(sums[None])[0])


def sum_by(rows: Floats, unit: Ints, units: int) -> Floats:
    """Rows summed by unit, shape (units, sums)."""
    sums = [tally(unit, column, units) for column in rows.T]
    return np.column_stack(sums) if sums else np.zeros((units, 0))


@dataclass(frozen=True)
class LeftOut:
    """What is left of an item when one of its ratings is taken out, a row a cell of the patterns.

    Attributes:
        patterns: The patterns of `rest`, one a cell (pattern, category) of the original ones; empty for an
            item with that rating only.
        of_rating: The cell of each rating.
    """

    patterns: Patterns
    of_rating: Ints


def leave_one_out(ratings: Ratings, patterns: Patterns, of_item: Ints) -> LeftOut:
    """The other ratings of each rating's item."""
    categories, cells = patterns.categories, len(patterns.pattern)
    keys = patterns.pattern * categories + patterns.category
    of_rating = np.searchsorted(keys, of_item[ratings.item] * categories + ratings.code)
    width = np.bincount(patterns.pattern, minlength=len(patterns.items))
    start = np.cumsum(width) - width
    wide = width[patterns.pattern]
    cell = np.repeat(np.arange(cells), wide)
    other = start[patterns.pattern[cell]] + np.arange(len(cell)) - np.repeat(np.cumsum(wide) - wide, wide)
    count = patterns.count[other] - (other == cell)
    kept = count > 0
    none = np.zeros(cells, dtype=np.int64)
    rest = Patterns(none, cell[kept], patterns.category[other[kept]], count[kept], categories)
    return LeftOut(rest, of_rating)


def stacked(patterns: Patterns, others: Patterns) -> Patterns:
    """The rows of both, one after the other, not merged."""
    return Patterns(
        np.concatenate([patterns.items, others.items]),
        np.concatenate([patterns.pattern, others.pattern + len(patterns.items)]),
        np.concatenate([patterns.category, others.category]),
        np.concatenate([patterns.count, others.count]),
        patterns.categories,
    )


def rows_by_size(patterns: Patterns) -> Iterator[tuple[Ints, Codes]]:
    """Patterns with the same number of ratings m: their indices and codes, shape (patterns, m)."""
    sizes = patterns.ratings.astype(np.int64)
    of_rating = np.repeat(patterns.pattern, patterns.count)
    codes = np.repeat(patterns.category, patterns.count)
    for size in np.unique(sizes[sizes > 0]):
        here = np.flatnonzero(sizes == size)
        yield here, codes[sizes[of_rating] == size].reshape(len(here), int(size))


def estimates(
    statistics: dict[str, tuple[str, Statistic, str]], units: Units, n_boot: int, seed: int
) -> dict[str, Coefficient]:
    """Values, jackknife errors and bootstrap intervals of statistics of the same units.

    Args:
        statistics: By name: definition, the statistic with a row a pattern of `units`, and the reason to give
            when it does not exist.
        units: What is resampled.
        n_boot: Bootstrap resamples.
        seed: Their seed.
    """
    measures = {}
    for name, (definition, statistic, reason) in statistics.items():
        sums = totals(statistic.rows, units.items)
        measures[name] = Measure(definition, value_at(statistic, sums), reason, statistic=statistic)
    resample(measures, units, n_boot, seed, "percentile")
    return {name: coefficient_of(one, units) for name, one in measures.items()}


def units_of(ratings: Ratings, patterns: Patterns, of_item: Ints) -> Units:
    """Clusters where there are some, else items."""
    return Units(patterns.items, of_item, ratings.cluster, ratings.clusters)


def item_units(ratings: Ratings) -> Units:
    """The same for statistics with a row an item."""
    return Units(np.ones(ratings.items, np.int64), None, ratings.cluster, ratings.clusters)
