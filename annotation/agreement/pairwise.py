"""Coefficients that know raters: Cohen's and Scott's for every pair of raters, and Conger's kappa."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from annotation.agreement.coefficients import (
    Chance,
    Estimate,
    Statistic,
    chance_corrected,
    divide,
    item_agreement,
)
from annotation.agreement.intervals import jackknife_error
from annotation.agreement.patterns import Floats, Ints, OrderedPatterns, tally

GROUPS_AT_ONCE = 1 << 15  # (unit, pair) groups whose delete-one tables are held at a time

Marginals = Literal["own", "pooled"]


@dataclass(frozen=True)
class PairTables:
    """Contingency tables of every pair of raters who share an item, as marginals and agreement.

    Attributes:
        raters: The two rater codes of each pair, shape (pairs, 2).
        items: Items that both rated, shape (pairs,).
        agreeing: Sum of agreement weights over those items.
        first: How often the first rater used each category on them, shape (pairs, categories).
        second: The same for the second rater.
        weights: Agreement weights, shape (categories, categories).
        marginals: own gives Cohen's kappa, pooled gives Scott's pi.
    """

    raters: Ints
    items: Floats
    agreeing: Floats
    first: Floats
    second: Floats
    weights: Floats
    marginals: Marginals

    @cached_property
    def values(self) -> Floats:
        """Coefficient of each pair, nan where chance leaves nothing to agree on."""
        return pair_coefficient(
            self.items, self.agreeing, self.first, self.second, self.weights, self.marginals
        )

    @property
    def mean(self) -> float:
        """Unweighted mean over the pairs for which the coefficient exists (Light 1971)."""
        defined = self.values[np.isfinite(self.values)]
        return float(defined.mean()) if len(defined) else float("nan")


def pair_coefficient(
    items: Floats, agreeing: Floats, first: Floats, second: Floats, weights: Floats, marginals: Marginals
) -> Floats:
    """Cohen's weighted kappa (Cohen 1968) or Scott's pi (1955) from marginals; see `PairTables`."""
    if marginals == "pooled":
        first = second = (first + second) / 2
    observed = divide(agreeing, items)
    expected = divide(((first @ weights) * second).sum(axis=-1), items**2)
    return divide(observed - expected, np.where(1 - expected > 1e-12, 1 - expected, 0.0))


def pair_tables(ordered: OrderedPatterns, weights: Floats | None, marginals: Marginals = "own") -> PairTables:
    """Tables of all pairs of raters who share an item."""
    matrix = np.eye(ordered.categories) if weights is None else weights
    one, two, code = ordered.pairs()
    pairs, place = np.unique(code, return_inverse=True)
    items = ordered.items[ordered.pattern[one]].astype(np.float64)
    q, number = ordered.categories, len(pairs)
    x, y = ordered.category[one], ordered.category[two]
    return PairTables(
        np.column_stack([pairs // ordered.raters, pairs % ordered.raters]),
        tally(place, items, number),
        tally(place, items * matrix[x, y], number),
        tally(place * q + x, items, number * q).reshape(number, q),
        tally(place * q + y, items, number * q).reshape(number, q),
        matrix,
        marginals,
    )


def contingency(ordered: OrderedPatterns, first: int, second: int) -> Ints:
    """Items by the category of two raters (first < second), shape (categories, categories)."""
    one, two, code = ordered.pairs()
    here = code == first * ordered.raters + second
    one, two, q = one[here], two[here], ordered.categories
    cell = ordered.category[one] * q + ordered.category[two]
    counts = tally(cell, ordered.items[ordered.pattern[one]], q * q)
    return counts.astype(np.int64).reshape(q, q)


def pair_error(table: Floats | Ints, weights: Floats | None, marginals: Marginals = "own") -> float:
    """Large-sample standard error of kappa or pi of two raters (Fleiss, Cohen and Everitt 1969, eq. 9).

    Args:
        table: Items by category of both raters, shape (categories, categories).
        weights: Agreement weights, None is the identity.
        marginals: own for Cohen's kappa, pooled for Scott's pi.
    """
    n = float(table.sum())
    if n < 2:
        return float("nan")
    share = table / n
    matrix = np.eye(len(table)) if weights is None else weights
    rows, columns = share.sum(axis=1), share.sum(axis=0)
    if marginals == "pooled":
        rows = columns = (rows + columns) / 2
    observed, expected = float((matrix * share).sum()), float(rows @ matrix @ columns)
    if 1 - expected <= 1e-12:
        return float("nan")
    value = (observed - expected) / (1 - expected)
    chance = (matrix @ columns)[:, None] + rows @ matrix
    spread = float((share * (matrix - (1 - value) * chance) ** 2).sum())
    variance = (spread - (observed - 2 * (1 - value) * expected) ** 2) / (n * (1 - expected) ** 2)
    return float(np.sqrt(max(variance, 0.0)))


def pairwise_jackknife(ordered: OrderedPatterns, tables: PairTables, unit: Ints | None = None) -> float:
    """Delete-one standard error of the mean over pairs, leaving out items or clusters.

    A unit changes only the tables of the pairs of raters who share an item in it.

    Args:
        ordered: Ordered patterns.
        tables: Their `pair_tables`.
        unit: Unit (cluster) of each ordered pattern; the patterns themselves, with their number of items, by
            default.
    """
    one, two, code = ordered.pairs()
    pattern = ordered.pattern[one]
    clustered = unit is not None
    units = ordered.items if unit is None else np.ones(int(unit.max(initial=-1)) + 1, np.int64)
    times = ordered.items[pattern].astype(np.float64) if clustered else np.ones(len(one))
    if unit is not None:
        pattern = unit[pattern]
    pairs = tables.raters[:, 0] * ordered.raters + tables.raters[:, 1]
    group, place = np.unique(pattern * len(pairs) + np.searchsorted(pairs, code), return_inverse=True)
    q = ordered.categories
    x, y = ordered.category[one], ordered.category[two]
    order = np.argsort(place, kind="stable")
    ends = np.searchsorted(place[order], np.arange(0, len(group) + GROUPS_AT_ONCE, GROUPS_AT_ONCE))
    change = np.zeros(len(units))
    defined = np.isfinite(tables.values)
    number = int(defined.sum())
    for block, (start, stop) in enumerate(itertools.pairwise(ends)):
        rows = order[start:stop]
        base = block * GROUPS_AT_ONCE
        keys = group[base : base + GROUPS_AT_ONCE]
        local, size, pair = place[rows] - base, len(keys), keys % len(pairs)
        weight = times[rows]
        without = pair_coefficient(
            tables.items[pair] - tally(local, weight, size),
            tables.agreeing[pair] - tally(local, weight * tables.weights[x[rows], y[rows]], size),
            tables.first[pair] - tally(local * q + x[rows], weight, size * q).reshape(size, q),
            tables.second[pair] - tally(local * q + y[rows], weight, size * q).reshape(size, q),
            tables.weights,
            tables.marginals,
        )
        shift = np.where(defined[pair], without - tables.values[pair], 0.0)
        change += tally(keys // len(pairs), shift, len(units))
    if not number:
        return float("nan")
    return float(jackknife_error(tables.mean + change / number, units))


def pair_statistic(ordered: OrderedPatterns, tables: PairTables) -> Statistic:
    """The mean over pairs as a function of (items, agreement, both marginals) of every pair of `tables`."""
    one, two, code = ordered.pairs()
    q, width = ordered.categories, 2 + 2 * ordered.categories
    place = np.searchsorted(tables.raters[:, 0] * ordered.raters + tables.raters[:, 1], code)
    x, y = ordered.category[one], ordered.category[two]
    rows = np.zeros((len(ordered.items), len(tables.items), width))
    pattern = ordered.pattern[one]
    rows[pattern, place, 0] = 1.0
    rows[pattern, place, 1] = tables.weights[x, y]
    rows[pattern, place, 2 + x] = 1.0
    rows[pattern, place, 2 + q + y] = 1.0
    defined = np.flatnonzero(np.isfinite(tables.values))

    def value(sums: Floats) -> Floats:
        each = sums.reshape(*sums.shape[:-1], -1, width)[..., defined, :]
        first, second = each[..., 2 : 2 + q], each[..., 2 + q :]
        values = pair_coefficient(each[..., 0], each[..., 1], first, second, tables.weights, tables.marginals)
        return np.asarray(values.mean(axis=-1))

    return Statistic(rows.reshape(len(rows), -1), value)


def conger(ordered: OrderedPatterns, weights: Floats | None) -> Estimate:
    """Conger's kappa (1980): Fleiss' kappa whose chance agreement keeps the raters apart.

    Chance agreement is the mean over pairs of raters of what their own shares of the categories let expect,
    so that with two raters it is Cohen's kappa. Missing ratings and standard error as in Gwet's Handbook of
    Inter-Rater Reliability (4th edition) and irrCAC.
    """
    patterns = ordered.unordered()
    observed = chance_corrected(patterns, weights, Chance.NONE).observed
    matrix = np.eye(ordered.categories) if weights is None else weights
    q, items = ordered.categories, ordered.items
    used = tally(ordered.rater * q + ordered.category, items[ordered.pattern], ordered.raters * q)
    used = used.reshape(ordered.raters, q)
    rated = used.sum(axis=1)
    raters = int(np.count_nonzero(rated))
    shares = np.where(rated[:, None] > 0, used / np.maximum(rated, 1)[:, None], 0.0)
    expected = float(_between_raters(shares.sum(axis=0), shares, matrix, raters))
    number = float(items.sum())
    value = float(divide(observed - expected, 1 - expected if 1 - expected > 1e-12 else 0.0))
    df = int(number) - 1
    if np.isnan(value) or number < 2:
        return Estimate(value, float("nan"), df, observed, expected)
    # Influence of a rating (rater g, category l) on the chance agreement, and of a rater who did not rate.
    others = shares.sum(axis=0) - shares
    like_others = others @ (matrix + matrix.T) / 2
    absent = (like_others * shares).sum(axis=1)
    present = number / np.maximum(rated, 1)[:, None] * (like_others - absent[:, None])
    own_chance = absent.sum() + tally(ordered.pattern, present[ordered.rater, ordered.category], len(items))
    own_chance = own_chance / (raters * (raters - 1))
    paired = float(items[patterns.pairable].sum())
    agreement = item_agreement(patterns, weights)
    own = number / paired * (agreement - expected * patterns.pairable) / (1 - expected)
    influence = own - 2 * (1 - value) * (own_chance - expected) / (1 - expected)
    spread = float((items * (influence - value) ** 2).sum())
    return Estimate(value, float(np.sqrt(spread / (number * (number - 1)))), df, observed, expected)


def _between_raters(total: Floats, shares: Floats, weights: Floats, raters: int | Floats) -> Floats:
    """Mean over pairs of different raters of their chance agreement; shapes (.., q) and (.., raters, q)."""
    same = ((shares @ weights) * shares).sum(axis=(-1, -2))
    return divide(((total @ weights) * total).sum(axis=-1) - same, np.asarray(raters * (raters - 1.0)))


def conger_statistic(ordered: OrderedPatterns, weights: Floats | None) -> Statistic:
    """Conger's kappa as a function of (agreement, items with a pair, category counts of each rater)."""
    matrix = np.eye(ordered.categories) if weights is None else weights
    patterns = ordered.unordered()
    agreement = [item_agreement(patterns, weights), patterns.pairable]
    used = np.zeros((len(ordered.items), ordered.raters * ordered.categories))
    used[ordered.pattern, ordered.rater * ordered.categories + ordered.category] = 1.0

    def value(sums: Floats) -> Floats:
        observed = divide(sums[..., 0], sums[..., 1])
        counts = sums[..., 2:].reshape(*sums.shape[:-1], ordered.raters, ordered.categories)
        rated = counts.sum(axis=-1, keepdims=True)
        shares = np.where(rated > 0.5, counts / np.maximum(rated, 1), 0.0)
        expected = _between_raters(shares.sum(axis=-2), shares, matrix, (rated > 0.5).sum(axis=(-1, -2)))
        return divide(observed - expected, np.where(1 - expected > 1e-12, 1 - expected, 0.0))

    return Statistic(np.column_stack([*agreement, used]), value)
