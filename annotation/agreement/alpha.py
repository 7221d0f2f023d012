"""Krippendorff's alpha of coded ratings, under the metric of their level."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from annotation.agreement import coefficients, distances
from annotation.agreement.coefficients import Disagreement, Moments, Statistic
from annotation.agreement.distances import SET_DISTANCES, SetDistance
from annotation.agreement.estimation import MOST_CELLS, Measure, Units, coefficient_of, resample
from annotation.agreement.patterns import Floats, Ints, Patterns
from annotation.agreement.reading import Ratings
from annotation.agreement.reasons import (
    MOST_COMPARED,
    NO_PAIRS,
    ONE_VALUE,
    SINGLE_ITEM,
    TOO_MANY_VALUES,
    pair_reason,
)
from annotation.agreement.results import Agreement
from schemas.fields import Level


@dataclass(frozen=True)
class Metric:
    """Distance of two categories. A matrix is made only where the distance is neither of the two short ones.

    Attributes:
        matrix: Shape (categories, categories); None where no matrix is needed.
        positions: Numbers whose squared differences are the distances, shape (categories,); None otherwise.
            With neither, different categories are at distance 1.
    """

    matrix: Floats | None = None
    positions: Floats | None = None

    @classmethod
    def of(cls, ratings: Ratings, patterns: Patterns, set_distance: SetDistance = "masi") -> Metric:
        """The metric of the level; that of an ordinal field depends on how often its values are used."""
        if ratings.level is Level.INTERVAL:
            return cls(positions=ratings.numbers)
        if ratings.level is Level.ORDINAL:
            return cls(positions=distances.midranks(patterns.sums(patterns.items * patterns.pairable)))
        if ratings.level is Level.RATIO:
            return cls(distances.ratio(ratings.numbers))
        if ratings.level is Level.SET:
            return cls(distances.set_distance(ratings.values, set_distance))
        return cls()

    def between(self, first: Ints, second: Ints) -> Floats:
        """Distances of categories, element by element."""
        if self.matrix is not None:
            return np.asarray(self.matrix[first, second])
        if self.positions is not None:
            return np.asarray((self.positions[first] - self.positions[second]) ** 2)
        return np.asarray(first != second, dtype=np.float64)

    def to_all(self, totals: Floats) -> Floats:
        """Sum of the distances of each category to `totals` ratings of the categories; same shape."""
        if self.matrix is not None:
            return np.asarray(self.matrix @ totals)
        n = float(totals.sum())
        if self.positions is not None:
            squares: Floats = np.square(self.positions - float(totals @ self.positions) / max(n, 1.0))
            return np.asarray(n * squares + float(totals @ squares))
        return np.asarray(n - totals)

    def terms(self, patterns: Patterns) -> Disagreement:
        """What alpha is made of under this metric."""
        if self.positions is not None:
            return Disagreement.of_moments(Moments.of_patterns(patterns, self.positions))
        return Disagreement.of_patterns(patterns, self.matrix)


def comparable(ratings: Ratings) -> bool:
    """Whether alpha can be computed: the metrics of ratios and sets compare every two distinct values."""
    return ratings.level not in (Level.RATIO, Level.SET) or len(ratings.values) <= MOST_COMPARED


def alpha_reason(ratings: Ratings) -> str | None:
    """Why agreement cannot be told from chance before anything is computed; None when it may be."""
    paired = np.bincount(ratings.item, minlength=1) > 1
    if not paired.any():
        return NO_PAIRS
    if np.count_nonzero(paired) == 1:
        return SINGLE_ITEM
    codes = ratings.code[paired[ratings.item]]
    return ONE_VALUE if (codes == codes[0]).all() else None


def alpha_sums(ratings: Ratings, patterns: Patterns, set_distance: SetDistance = "masi") -> Statistic | None:
    """Alpha under the metric of the level as a function of sums over items, a row a pattern.

    Args:
        ratings: Where level, numbers and sets come from.
        patterns: Patterns of these ratings, or of parts of them in the same category codes.
        set_distance: Distance of label sets.

    Returns:
        The statistic; None when its sums would not fit memory.
    """
    if ratings.level is Level.INTERVAL:
        return coefficients.interval_statistic(Moments.of_patterns(patterns, ratings.numbers))
    width = patterns.categories**2 / 2 if ratings.level is Level.ORDINAL else patterns.categories
    if max(len(patterns.items), patterns.categories) * width > MOST_CELLS or not comparable(ratings):
        return None
    if ratings.level is Level.ORDINAL:
        return coefficients.ordinal_statistic(patterns)
    return coefficients.alpha_statistic(patterns, Metric.of(ratings, patterns, set_distance).matrix)


def alpha_measure(ratings: Ratings, set_distance: SetDistance = "masi") -> Measure:
    """Alpha with its linearised standard error; an ordinal one is left to the jackknife."""
    level, patterns = ratings.level, ratings.patterns
    name = f"Krippendorff's alpha, {level} metric"
    if level is Level.SET:
        name = f"Krippendorff's alpha, {SET_DISTANCES[set_distance]}"
    elif level is Level.INTERVAL and ratings.continuous:
        name += ", by sums of squares"
    if not comparable(ratings):
        return Measure(name, float("nan"), TOO_MANY_VALUES)
    statistic = alpha_sums(ratings, patterns, set_distance)
    estimate = coefficients.alpha(Metric.of(ratings, patterns, set_distance).terms(patterns))
    # The ordinal metric moves with the data, which the linearised error does not see: the jackknife does.
    by_jackknife = level is Level.ORDINAL and statistic is not None
    se, se_name = (float("nan"), "") if by_jackknife else (estimate.se, "linearised (Gwet)")
    reason = pair_reason(bool(patterns.pairable.any()))
    return Measure(name, estimate.value, reason, se, se_name, estimate.df, statistic)


def alpha_agreement(ratings: Ratings, *, n_boot: int = 1000, seed: int = 0) -> Agreement:
    """Agreement whose only coefficient is alpha, as `measure` has it: what a small part of the data needs."""
    units = Units.of(ratings)
    one = alpha_measure(ratings)
    resample({"alpha": one}, units, n_boot, seed, "percentile")
    if alpha_reason(ratings) == SINGLE_ITEM:
        one.value, one.reason = float("nan"), SINGLE_ITEM
    return Agreement.of(ratings, {"alpha": coefficient_of(one, units)})
