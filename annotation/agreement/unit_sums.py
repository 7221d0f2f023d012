"""What one item adds to alpha, and how that changes when one of its ratings is left out.

Alpha is a function of sums over items (`coefficients.Statistic`). Whoever leaves out a rater, an item or a
dialogue, or compares two rounds, adds and subtracts such sums and never goes back to the ratings.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from annotation.agreement.coefficients import Statistic
from annotation.agreement.estimation import Measure, Units, coefficient_of, resample
from annotation.agreement.intervals import totals
from annotation.agreement.patterns import Codes, Floats, Ints, Patterns, tally
from annotation.agreement.reading import Ratings
from annotation.agreement.results import Coefficient


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


def rows_by_width(patterns: Patterns) -> Iterator[tuple[Ints, Codes, Codes]]:
    """Patterns with the same number of distinct values: their indices, values and how often each is given.

    Values and counts have the shape (patterns, distinct values).
    """
    widths = np.bincount(patterns.pattern, minlength=len(patterns.items))
    for width in np.unique(widths[widths > 0]):
        here = np.flatnonzero(widths == width)
        cells = widths[patterns.pattern] == width
        shape = len(here), int(width)
        yield here, patterns.category[cells].reshape(shape), patterns.count[cells].reshape(shape)


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
