"""Coefficients whose raters are exchangeable: Krippendorff's alpha and the chance-corrected family.

They need the multiset of labels of each item only, so they are computed over `Patterns`. Every coefficient
comes twice: as an `Estimate` with its published linearised standard error, and as a `Statistic`, a function
of sums over items, from which `intervals` makes jackknife and bootstrap. Undefined values are nan inside the
engine; `measure` turns them into a reason.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property, partial

import numpy as np
from numpy.typing import NDArray

from annotation.agreement import distances
from annotation.agreement.intervals import jackknife_error
from annotation.agreement.patterns import CHUNK, Floats, Ints, Patterns, tally


@dataclass(frozen=True)
class Estimate:
    """A coefficient with its analytic standard error.

    Attributes:
        value: The coefficient, nan where undefined.
        se: Linearised standard error, nan where undefined.
        df: Degrees of freedom of the t interval: items minus one.
        observed: Observed agreement, or disagreement for alpha.
        expected: The same by chance.
    """

    value: float
    se: float
    df: int
    observed: float
    expected: float


@dataclass(frozen=True)
class Statistic:
    """A coefficient as a function of sums over items.

    Attributes:
        rows: What one item of each pattern adds to the sums, shape (patterns, sums).
        value: The coefficient of such sums, shapes (n, sums) -> (n,); nan where undefined.
    """

    rows: Floats
    value: Callable[[Floats], Floats]


def divide(numerator: Floats | float, denominator: Floats | float) -> Floats:
    """Quotient, nan where the denominator is zero or not a number."""
    denominator = np.asarray(denominator, dtype=np.float64)
    quotient: Floats = np.divide(
        numerator,
        denominator,
        out=np.full(np.broadcast(numerator, denominator).shape, np.nan),
        where=np.abs(denominator) > 0,
    )
    return quotient


# Krippendorff's alpha


@dataclass(frozen=True)
class Disagreement:
    """What alpha is made of, one row a pattern of items; rows with fewer than two ratings hold zeros.

    Attributes:
        items: Items of each pattern, shape (patterns,).
        ratings: Pairable ratings of one such item.
        within: Sum of distances over the ordered pairs of ratings within the item.
        across: Sum of distances from the item's ratings to all pairable ratings of the data.
    """

    items: Ints
    ratings: Floats
    within: Floats
    across: Floats

    @classmethod
    def of_patterns(cls, patterns: Patterns, distance: Floats | None) -> Disagreement:
        """Terms of alpha under a fixed distance matrix, shape (categories, categories); None is nominal."""
        pairable, m = patterns.pairable, patterns.ratings
        totals = patterns.sums(patterns.items * pairable)
        if distance is None:
            across, within = m * totals.sum() - patterns.dot(totals), m * (m - 1) - patterns.pairs(None)
        else:
            across, within = patterns.dot(distance @ totals), patterns.pairs(distance)
        return cls(patterns.items, m * pairable, within * pairable, across * pairable)

    @classmethod
    def of_moments(cls, moments: Moments) -> Disagreement:
        """Terms of interval alpha from sums of squares; no matrix of values is made."""
        m, first, second = moments.ratings, moments.first, moments.second
        n, total, squares = (float((moments.items * x).sum()) for x in (m, first, second))
        within = 2 * (m * second - first**2)
        across = n * second - 2 * first * total + m * squares
        return cls(moments.items, m, np.maximum(within, 0.0), across)

    @cached_property
    def shared(self) -> Floats:
        """The within-item distances, each rating paired with the m - 1 others: within / (m - 1)."""
        shared: Floats = self.within / np.maximum(self.ratings - 1, 1)
        return shared

    @property
    def sums(self) -> tuple[float, float, float]:
        """Pairable ratings, observed and expected sums of distances."""
        n, within, across = (float((self.items * x).sum()) for x in (self.ratings, self.shared, self.across))
        return n, within, across


@dataclass(frozen=True)
class Moments:
    """Numbers of the pairable ratings of each item, centred; zeros for an item with fewer than two ratings.

    Attributes:
        items: Items of each row.
        ratings: Number of ratings, shape (rows,).
        first: Sum of the ratings, minus the centre.
        second: Sum of their squares.
    """

    items: Ints
    ratings: Floats
    first: Floats
    second: Floats

    @classmethod
    def of_numbers(cls, numbers: NDArray[np.floating]) -> Moments:
        """From ratings, shape (items, raters), nan where missing."""
        # Centre first: at an offset of 1e9 the squares would leave no digits for the differences. Any number
        # near the data will do, such as the mean of the first ratings.
        start = numbers[:CHUNK][~np.isnan(numbers[:CHUNK])]
        centre = float(start.mean()) if len(start) else 0.0
        m, first, second = np.zeros((3, len(numbers)))
        for begin in range(0, len(numbers), CHUNK):
            part = slice(begin, begin + CHUNK)
            for column in numbers[part].T:
                centred = column - centre
                present = centred == centred  # not nan
                centred[~present] = 0.0
                m[part] += present
                first[part] += centred
                second[part] += np.square(centred, out=centred)
        for sums in (first, second, m):
            sums *= m > 1
        return cls(np.ones(len(numbers), np.int64), m, first, second)

    @classmethod
    def of_long(cls, item: Ints, number: Floats, items: int) -> Moments:
        """From one row a rating."""
        m = np.bincount(item, minlength=items).astype(np.float64)
        kept = m[item] > 1
        item, number = item[kept], number[kept]
        centred = number - (float(number.mean()) if len(number) else 0.0)
        first, second = (tally(item, x, items) for x in (centred, centred**2))
        return cls(np.ones(items, np.int64), m * (m > 1), first, second)

    @classmethod
    def of_patterns(cls, patterns: Patterns, values: Floats) -> Moments:
        """From patterns whose category k is the number values[k]."""
        totals = patterns.sums(patterns.items * patterns.pairable)
        centred = values - float((totals * values).sum() / max(totals.sum(), 1.0))
        first, second = (patterns.dot(x) * patterns.pairable for x in (centred, centred**2))
        return cls(patterns.items, patterns.ratings * patterns.pairable, first, second)


def alpha(terms: Disagreement) -> Estimate:
    """Krippendorff's alpha with the linearised standard error of irrCAC.

    Krippendorff, Computing Krippendorff's Alpha-Reliability (2011): observed over expected disagreement,
    items with m ratings weighing their pairs 1/(m - 1). Standard error: Gwet, Handbook of Inter-Rater
    Reliability (4th edition), section 6.4, as in the R package irrCAC 1.4, with the distances held fixed.
    """
    n, within, across = terms.sums
    observed, expected = float(divide(within, n)), float(divide(across, n * (n - 1)))
    value = float(1.0 - divide(observed, expected))
    return Estimate(value, _alpha_error(terms), int(terms.items.sum()) - 1, observed, expected)


def _alpha_error(terms: Disagreement) -> float:
    """Spread of each item's share in alpha, which is taken as a ratio of means over the paired items."""
    n, within, across = terms.sums
    paired = float(terms.items[terms.ratings > 0].sum())
    if paired < 2 or not across > 0:
        return float("nan")
    # Without Krippendorff's small-sample term n - 1 the expected disagreement is a quadratic form of means.
    observed, expected = within / n, across / n**2
    share = observed / expected
    influence = terms.across * (-2 * share / n)
    influence += terms.shared
    influence += terms.ratings * (share * expected)
    influence /= expected * n / paired
    return float(np.sqrt((terms.items * np.square(influence, out=influence)).sum() / (paired * (paired - 1))))


def _standard_error(influence: Floats, value: float, items: Ints) -> float:
    """Standard error of a mean of influences."""
    number = float(items.sum())
    if number < 2:
        return float("nan")
    return float(np.sqrt((items * (influence - value) ** 2).sum() / (number * (number - 1))))


def alpha_without_each(terms: Disagreement) -> Floats:
    """Alpha without one item of each pattern, under fixed distances; shape (patterns,)."""
    n, within, across = terms.sums
    remaining = n - terms.ratings
    observed = divide(within - terms.shared, remaining)
    # The expected disagreement is quadratic in the counts: its last term is the item's own pairs.
    left = across - 2 * terms.across + terms.within
    left = np.where(left > 1e-12 * across, left, 0.0)  # one value left, up to rounding
    expected = divide(left, remaining * (remaining - 1))
    return 1.0 - divide(observed, expected)


def alpha_jackknife(terms: Disagreement) -> float:
    """Exact delete-one standard error of alpha under fixed distances, each pattern once."""
    return float(jackknife_error(alpha_without_each(terms), terms.items))


def alpha_statistic(patterns: Patterns, distance: Floats | None) -> Statistic:
    """Alpha under a fixed distance matrix; None is the nominal metric."""
    pairable = patterns.pairable
    m = patterns.ratings
    within = m * (m - 1) - patterns.pairs(None) if distance is None else patterns.pairs(distance)
    own = np.where(pairable, within / np.maximum(m - 1, 1), 0.0)
    rows = np.column_stack([own, patterns.table() * pairable[:, None]])
    return Statistic(rows, partial(_fixed_alpha, distance=distance))


def _fixed_alpha(sums: Floats, distance: Floats | None) -> Floats:
    within, totals = sums[..., 0], sums[..., 1:]
    n = totals.sum(axis=-1)
    squares = totals**2 if distance is None else totals * (totals @ distance)
    across = n**2 - squares.sum(axis=-1) if distance is None else squares.sum(axis=-1)
    observed, expected = divide(within, n), divide(across, n * (n - 1))
    return 1.0 - divide(observed, expected)


def interval_statistic(moments: Moments) -> Statistic:
    """Interval alpha by sums of squares: four sums, however many values there are."""
    m = moments.ratings
    within = 2 * (m * moments.second - moments.first**2)
    own = np.where(m > 1, within / np.maximum(m - 1, 1), 0.0)
    return Statistic(np.column_stack([own, m, moments.first, moments.second]), _interval_alpha)


def _interval_alpha(sums: Floats) -> Floats:
    within, n, first, second = np.moveaxis(sums, -1, 0)
    across = 2 * (n * second - first**2)
    across = np.where(across > 1e-12 * n * second, across, 0.0)  # one value left, up to rounding
    observed, expected = divide(within, n), divide(across, n * (n - 1))
    return 1.0 - divide(observed, expected)


def ordinal_statistic(patterns: Patterns) -> Statistic:
    """Ordinal alpha. Its metric changes with every resample, so its sums are Krippendorff's coincidences."""
    pairable = patterns.pairable
    table = patterns.table().astype(np.float64)
    one, two = np.triu_indices(patterns.categories, 1)
    share = pairable / np.maximum(patterns.ratings - 1, 1)
    coincidences = table[:, one] * table[:, two] * share[:, None]
    rows = np.column_stack([table * pairable[:, None], coincidences])
    return Statistic(rows, partial(_ordinal_alpha, one=one, two=two))


def _ordinal_alpha(sums: Floats, one: Ints, two: Ints) -> Floats:
    categories = sums.shape[-1] - len(one)
    totals, coincidences = sums[..., :categories], sums[..., categories:]
    n = totals.sum(axis=-1)
    ranks = distances.midranks(totals)
    distance = (ranks[..., one] - ranks[..., two]) ** 2
    observed = divide(2 * (coincidences * distance).sum(axis=-1), n)
    expected = divide(2 * (totals[..., one] * totals[..., two] * distance).sum(axis=-1), n * (n - 1))
    return 1.0 - divide(observed, expected)


# The chance-corrected family: percent agreement, Brennan-Prediger, Fleiss, Gwet


class Chance(StrEnum):
    """What two raters are expected to agree on by chance."""

    NONE = "none"  # nothing: percent agreement
    UNIFORM = "uniform"  # every category alike: Brennan and Prediger 1981 (Randolph's kappa)
    FLEISS = "fleiss"  # as often as all raters together use it: Fleiss 1971, Scott 1955
    GWET = "gwet"  # only hard items are rated at random: Gwet 2008


def chance_corrected(patterns: Patterns, weights: Floats | None, chance: Chance) -> Estimate:
    """A chance-corrected coefficient with Gwet's linearised standard error, for any number of raters.

    Gwet, Handbook of Inter-Rater Reliability (4th edition), chapters 5 and 6, as in irrCAC: observed
    agreement is the mean over items with two ratings or more, the share of a category the mean over all rated
    items.

    Args:
        patterns: Rating patterns.
        weights: Agreement weights, shape (categories, categories); None is the identity.
        chance: Which coefficient.
    """
    q, items, m = patterns.categories, patterns.items, patterns.ratings
    agreement = item_agreement(patterns, weights)
    both, rated = float(items[patterns.pairable].sum()), float(items[m > 0].sum())
    observed = float(divide((items * agreement).sum(), both))
    shares = divide(patterns.sums(items / np.maximum(m, 1)), rated)
    expected = float(_expected(shares, weights, chance))
    value = float(divide(observed - expected, 1 - expected)) if _apart(expected) else float("nan")
    if np.isnan(value):
        return Estimate(value, float("nan"), int(items.sum()) - 1, observed, expected)
    own = rated / both * (agreement - expected * patterns.pairable) / (1 - expected)
    if chance is Chance.FLEISS:
        like_all = shares if weights is None else (weights + weights.T) @ shares / 2
        own_chance = patterns.dot(like_all) / m
    elif chance is Chance.GWET:
        own_chance = _weight_sum(weights, q) / (q * (q - 1)) * patterns.dot(1 - shares) / m
    else:
        own_chance = np.full(len(m), expected)
    influence = own - 2 * (1 - value) * (own_chance - expected) / (1 - expected)
    return Estimate(value, _standard_error(influence, value, items), int(items.sum()) - 1, observed, expected)


def item_agreement(patterns: Patterns, weights: Floats | None) -> Floats:
    """Share of agreeing pairs of ratings of an item of each pattern, 0 without a pair; shape (patterns,)."""
    m = patterns.ratings
    share: Floats = np.where(m > 1, patterns.pairs(weights) / np.maximum(m * (m - 1), 1), 0.0)
    return share


def chance_statistic(patterns: Patterns, weights: Floats | None, chance: Chance) -> Statistic:
    """The coefficient as a function of (agreement, items with a pair, items, share of each category)."""
    m = patterns.ratings
    agreement, pairable = item_agreement(patterns, weights), patterns.pairable
    rows = np.column_stack([agreement, pairable, m > 0, patterns.table() / np.maximum(m, 1)[:, None]])
    return Statistic(rows, partial(_chance_corrected, weights=weights, chance=chance))


def _chance_corrected(sums: Floats, weights: Floats | None, chance: Chance) -> Floats:
    observed = divide(sums[..., 0], sums[..., 1])
    expected = _expected(divide(sums[..., 3:], sums[..., 2:3]), weights, chance)
    return divide(observed - expected, np.where(_apart(expected), 1 - expected, 0.0))


def _apart(expected: Floats | float) -> NDArray[np.bool_]:
    """Whether chance leaves anything to agree on, up to rounding."""
    return np.asarray(1 - np.asarray(expected) > 1e-12)


def _expected(shares: Floats, weights: Floats | None, chance: Chance) -> Floats:
    """Agreement expected by chance from the share of each category, last axis."""
    q = shares.shape[-1]
    if chance is Chance.FLEISS:
        product: Floats = shares**2 if weights is None else shares * (shares @ weights)
        return np.asarray(product.sum(axis=-1))
    if chance is Chance.GWET:
        return np.asarray(
            divide(_weight_sum(weights, q), float(q * (q - 1))) * (shares * (1 - shares)).sum(axis=-1)
        )
    constant: float = _weight_sum(weights, q) / q**2 if chance is Chance.UNIFORM and q else 0.0
    return np.full(shares.shape[:-1], constant)


def _weight_sum(weights: Floats | None, categories: int) -> float:
    return float(categories) if weights is None else float(weights.sum())


def one_against_rest(patterns: Patterns, category: int) -> Patterns:
    """The patterns of "is it this category?", for alpha or kappa of one category (Fleiss 1971)."""
    chosen = np.zeros(patterns.categories, dtype=np.int64)
    chosen[category] = 1
    return patterns.recode(chosen, 2)
