"""Intraclass correlations of numeric ratings (Shrout and Fleiss 1979; McGraw and Wong 1996)."""

from __future__ import annotations

from functools import partial

import numpy as np
from scipy import stats

from annotation.agreement.coefficients import Statistic, divide
from annotation.agreement.intervals import NO_INTERVAL, Interval
from annotation.agreement.patterns import Floats


def icc_1_1(ratings: Floats, first: Floats, second: Floats) -> Statistic:
    """ICC(1,1): one-way random effects, one rating; items may have different numbers of ratings.

    (MSB - MSW) / (MSB + (k - 1) MSW), where k is the number of ratings of an item or, with missing ratings,
    the average of unbalanced analysis of variance, (N - sum m**2 / N) / (n - 1).

    Args:
        ratings: Number of ratings m of each item, shape (items,).
        first: Their sum. Ratings must be centred, so that a large offset does not cost digits.
        second: Sum of their squares.
    """
    rows = [ratings > 0, ratings, ratings**2, first, first**2 / np.maximum(ratings, 1), second]
    return Statistic(np.column_stack(rows), _icc_1_1)


def _one_way(sums: Floats) -> tuple[Floats, Floats, Floats, Floats, Floats]:
    """Mean squares between and within items, average ratings an item, both degrees of freedom."""
    items, ratings, squares, first, between, second = np.moveaxis(sums, -1, 0)
    mean_between = divide(_positive(between - divide(first**2, ratings), second), items - 1)
    mean_within = divide(_positive(second - between, second), np.maximum(ratings - items, 0))
    average = divide(ratings - divide(squares, ratings), items - 1)
    return mean_between, mean_within, average, items - 1, ratings - items


def _icc_1_1(sums: Floats) -> Floats:
    between, within, k, _, _ = _one_way(sums)
    return divide(between - within, between + (k - 1) * within)


def icc_2(numbers: Floats, *, average: bool) -> Statistic:
    """ICC(2,1) or, for the average of all k raters, ICC(2,k): two-way random effects, absolute agreement.

    (MSR - MSE) / (MSR + (k - 1) MSE + k (MSC - MSE) / n) and (MSR - MSE) / (MSR + (MSC - MSE) / n).

    Args:
        numbers: Centred ratings, shape (items, raters), none missing.
        average: Whether the average of the raters is meant.
    """
    ones, first, second = np.ones(len(numbers)), numbers.sum(axis=1), (numbers**2).sum(axis=1)
    return Statistic(np.column_stack([ones, first**2, second, numbers]), partial(_icc_2, average=average))


def _two_way(sums: Floats) -> tuple[Floats, Floats, Floats, Floats, int]:
    """Mean squares of items, raters and rest, number of items and of raters."""
    n, rows, squares, columns = sums[..., 0], sums[..., 1], sums[..., 2], sums[..., 3:]
    k = columns.shape[-1]
    grand = divide(columns.sum(axis=-1) ** 2, n * k)
    items = _positive(rows / k - grand, squares)
    raters = _positive(divide((columns**2).sum(axis=-1), n) - grand, squares)
    rest = _positive(squares - grand - items - raters, squares)
    degrees = (n - 1) * (k - 1)
    return divide(items, n - 1), divide(raters, float(k - 1)), divide(rest, degrees), n, k


def _icc_2(sums: Floats, average: bool) -> Floats:
    items, raters, rest, n, k = _two_way(sums)
    if average:
        return divide(items - rest, items + divide(raters - rest, n))
    return divide(items - rest, items + (k - 1) * rest + divide(k * (raters - rest), n))


def _positive(square: Floats, scale: Floats) -> Floats:
    """A sum of squares, 0 when it is only rounding."""
    kept: Floats = np.where(square > 1e-12 * scale, square, 0.0)
    return kept


def one_way_interval(sums: Floats, level: float = 0.95) -> Interval:
    """F-based interval of ICC(1,1) (Shrout and Fleiss 1979); approximate when items differ in ratings."""
    between, within, k, df1, df2 = (float(x) for x in _one_way(sums))
    if not (np.isfinite(between) and within > 0 and df1 > 0 and df2 > 0):
        return NO_INTERVAL
    ratio, tail = between / within, (1 + level) / 2
    low = ratio / float(stats.f.ppf(tail, df1, df2))
    high = ratio * float(stats.f.ppf(tail, df2, df1))
    return Interval((low - 1) / (low + k - 1), (high - 1) / (high + k - 1))


def two_way_interval(sums: Floats, *, average: bool, level: float = 0.95) -> Interval:
    """F-based interval of ICC(2,1) and ICC(2,k) (McGraw and Wong 1996, table 7)."""
    mean_items, mean_raters, mean_rest, number, k = _two_way(sums)
    items, raters, rest, n = float(mean_items), float(mean_raters), float(mean_rest), float(number)
    single = float(_icc_2(sums, average=False))
    if not (np.isfinite(single) and rest > 0 and n > 1 and single < 1):
        return NO_INTERVAL
    a = k * single / (n * (1 - single))
    b = 1 + k * single * (n - 1) / (n * (1 - single))
    degrees = (a * raters + b * rest) ** 2 / (
        (a * raters) ** 2 / (k - 1) + (b * rest) ** 2 / ((n - 1) * (k - 1))
    )
    tail = (1 + level) / 2
    f_low, f_high = float(stats.f.ppf(tail, n - 1, degrees)), float(stats.f.ppf(tail, degrees, n - 1))
    noise = k * raters + (k * n - k - n) * rest
    low = n * (items - f_low * rest) / (f_low * noise + n * items)
    high = n * (f_high * items - rest) / (noise + n * f_high * items)
    if average:  # Spearman and Brown
        low, high = (float(divide(k * x, 1 + (k - 1) * x)) for x in (np.float64(low), np.float64(high)))
        if not (np.isfinite(low) and np.isfinite(high)):
            return NO_INTERVAL
    return Interval(low, high)
