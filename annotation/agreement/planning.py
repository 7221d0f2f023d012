"""How much more to annotate: items or raters that an interval of alpha of a wanted width takes.

Assumptions, stated in every plan: new dialogues are like those rated, with as many utterances, and new raters
are like those who rated. The half-width is that of the t interval of the delete-one jackknife.

More dialogues: the variance of alpha falls with one over their number.

More raters: linearised alpha is a mean over items of a U-statistic of their ratings (Hoeffding, Annals of
Mathematical Statistics 19, 1948). Its variance with m ratings an item follows from three moments, the mean
products of the kernel over two pairs of ratings of an item that share no rating, one and both:

    V(m) = ((m - 2)(m - 3) M0 + 4 (m - 2) M1 + 2 M2) / (m (m - 1)).

M0 needs four ratings of an item; with three it is taken as its upper limit M1, so that more raters are not
promised more than they give. What utterances of a dialogue share is taken not to shrink with more raters.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import stats

from annotation.agreement.alpha import Metric, alpha_reason, alpha_sums
from annotation.agreement.estimation import Units
from annotation.agreement.intervals import DECIMALS, jackknife
from annotation.agreement.patterns import CHUNK, Codes, Floats, Patterns
from annotation.agreement.reading import Ratings
from annotation.agreement.reasons import MOST_COMPARED, TOO_LARGE
from annotation.agreement.results import number
from annotation.agreement.unit_sums import rows_by_width, value_at

MOST_RATERS = 1000
MOST_UNITS = 10**9
FEWEST_SHARE = 0.5  # share of items with m ratings that makes a moment of m ratings usable

ASSUMPTIONS = (
    "new clusters are like those rated and as large, new raters are like those who rated, the half-width is "
    "that of the t interval with the jackknife standard error"
)


@dataclass(frozen=True)
class Precision:
    """How precise alpha is, and what the precision is made of.

    Attributes:
        alpha: Krippendorff's alpha.
        se: Delete-one jackknife standard error over units.
        units: Clusters, or items where there are no clusters.
        items: Items with two ratings or more.
        raters: Ratings of such an item, mean.
        shared: Part of `se` squared, times units, that is left when the variance of independent items with
            the present ratings is taken off: what items of a cluster share.
        moments: M0, M1 and M2 of the kernel of linearised alpha, times units per item; None when too few
            items have three ratings.
    """

    alpha: float
    se: float
    units: int
    items: int
    raters: float
    shared: float
    moments: tuple[float, float, float] | None

    def half_width(self, units: int, raters: int | None = None) -> float:
        """Half-width of the 95% interval with so many units, and so many raters of every item.

        Raises:
            ValueError: Raters are asked for and `moments` are not known.
        """
        if units < 2:
            return math.inf
        variance = self.se**2 * self.units
        if raters is not None:
            if self.moments is None:
                raise ValueError("the effect of raters is not known")
            variance = self.shared + rater_variance(self.moments, raters)
        return float(stats.t.ppf(0.975, units - 1)) * math.sqrt(variance / units)


@dataclass(frozen=True)
class Plan:
    """What a half-width takes, one thing changed at a time.

    Attributes:
        target: The wanted half-width of the 95% interval of alpha.
        half_width: The present one.
        unit: What is added: "clusters" or "items".
        units: How many there are.
        units_needed: How many it takes, raters as now; None when it cannot be told.
        items: Items with two ratings or more.
        items_needed: The items of so many units.
        raters: Ratings of an item, mean.
        raters_needed: Raters of every item that it takes, items as now; None when they cannot do it.
        raters_reason: Why there is no such number.
        least_half_width: What any number of raters would leave.
        precision: What all this comes from; other combinations can be asked of it.
        reason: Why nothing can be told; None when it can.
        assumptions: What the numbers rest on.
    """

    target: float
    half_width: float | None = None
    unit: str = "items"
    units: int = 0
    units_needed: int | None = None
    items: int = 0
    items_needed: int | None = None
    raters: float | None = None
    raters_needed: int | None = None
    raters_reason: str | None = None
    least_half_width: float | None = None
    precision: Precision | None = None
    reason: str | None = None
    assumptions: str = ASSUMPTIONS


def plan(ratings: Ratings, half_width: float) -> Plan:
    """How many items, or raters, an interval of alpha of this half-width takes.

    Args:
        ratings: A pilot: coded ratings, with clusters when the interval is to be over clusters.
        half_width: Above 0.

    Raises:
        ValueError: The half-width is not above 0.
    """
    if not half_width > 0:
        raise ValueError(f"a half-width is above 0, got {half_width}")
    unit = "items" if ratings.cluster is None else "clusters"
    known = precision(ratings)
    if isinstance(known, str):
        return Plan(half_width, unit=unit, reason=known)
    units_needed = _fewest_units(known, half_width)
    items_needed = None if units_needed is None else math.ceil(units_needed * known.items / known.units)
    raters_needed, raters_reason, least = _fewest_raters(known, half_width)
    return Plan(
        half_width, number(known.half_width(known.units)), unit, known.units, units_needed, known.items,
        items_needed, number(known.raters), raters_needed, raters_reason, least, known,
    )  # fmt: skip


def precision(ratings: Ratings) -> Precision | str:
    """The precision of alpha and its parts, or the reason why it cannot be told."""
    patterns = ratings.patterns
    statistic, reason = alpha_sums(ratings, patterns), alpha_reason(ratings)
    if statistic is None or reason is not None:
        return reason or TOO_LARGE
    units = Units.of(ratings)
    if ratings.cluster is None:  # an item with one rating has no part in alpha
        units.items = patterns.items * patterns.pairable
    rows, multiplicity = units.rows(statistic.rows)
    se = float(jackknife(rows, statistic.value, multiplicity))
    alpha = value_at(statistic, (statistic.rows * patterns.items[:, None]).sum(axis=0))
    if not (np.isfinite(se) and np.isfinite(alpha)):
        return "fewer than two clusters or items, or leaving one out leaves too little to compute alpha from"
    items = int(patterns.items[patterns.pairable].sum())
    raters = float((patterns.items * patterns.ratings * patterns.pairable).sum()) / items
    found = kernel_moments(ratings, patterns, alpha)
    shared, moments = 0.0, None
    if found is not None:
        m0, m1, m2 = (round(one * units.number / items, DECIMALS) for one in found)
        moments = (m0, m1, m2)
        paired = patterns.pairable
        now = np.array([rater_variance(moments, int(m)) for m in patterns.ratings[paired]])
        present = float((patterns.items[paired] * now).sum()) / items
        shared = round(max(se**2 * units.number - present, 0.0), DECIMALS)
    found_alpha, found_se = round(alpha, DECIMALS), round(se, DECIMALS)
    return Precision(found_alpha, found_se, units.number, items, raters, shared, moments)


def rater_variance(moments: tuple[float, float, float], raters: int) -> float:
    """Variance of a U-statistic of order two with so many ratings, see the head of this file."""
    m0, m1, m2 = moments
    m = float(raters)
    return ((m - 2) * (m - 3) * m0 + 4 * (m - 2) * m1 + 2 * m2) / (m * (m - 1))


def kernel_moments(ratings: Ratings, patterns: Patterns, alpha: float) -> tuple[float, float, float] | None:
    """M0, M1 and M2 of the kernel of linearised alpha; None when too few items have three ratings.

    Each moment is the mean over the items that have enough ratings for it, distances held fixed.
    """
    totals = patterns.sums(patterns.items * patterns.pairable)
    metric = Metric.of(ratings, patterns)
    n = float(totals.sum())
    like_all = metric.to_all(totals) / n
    expected = float(totals @ like_all) / (n - 1)
    observed = (1 - alpha) * expected

    def kernel(codes: Codes) -> Floats:
        """Kernel of two ratings with every two values of each row, shape (rows, width, width)."""
        first, second = np.broadcast_arrays(codes[:, :, None], codes[:, None, :])
        chance = like_all[first] + like_all[second]
        distance = metric.between(first, second)
        return np.asarray((observed - distance + (1 - alpha) * (chance - 2 * expected)) / expected)

    sums, counts = np.zeros(3), np.zeros(3)
    for here, codes, times in rows_by_width(patterns):
        width = codes.shape[1]
        if width > MOST_COMPARED:
            return None
        step = max(1, CHUNK // width**2)
        for start in range(0, len(here), step):
            part = slice(start, start + step)
            items, k = patterns.items[here[part]].astype(np.float64), times[part].astype(np.float64)
            h = kernel(codes[part])
            own = np.diagonal(h, axis1=1, axis2=2)  # two ratings with the same value
            row = (h * k[:, None, :]).sum(axis=2) - own
            squares = ((h**2 * k[:, None, :]).sum(axis=2) * k).sum(axis=1) - (own**2 * k).sum(axis=1)
            both = 2 * squares
            one = 4 * ((row**2 * k).sum(axis=1) - squares)
            none = (row * k).sum(axis=1) ** 2 - both - one
            m = k.sum(axis=1)
            ways = [m * (m - 1) * (m - 2) * (m - 3), 4 * m * (m - 1) * (m - 2), 2 * m * (m - 1)]
            for place, (total, way) in enumerate(zip((none, one, both), ways, strict=True)):
                sums[place] += float((items * np.where(way > 0, total / np.maximum(way, 1), 0.0)).sum())
                counts[place] += float((items * (way > 0)).sum())
    usable = counts >= FEWEST_SHARE * counts[2]
    if not usable[1] or not counts[2]:
        return None
    m2 = float(sums[2] / counts[2])
    m1 = min(max(float(sums[1] / counts[1]), 0.0), m2)
    m0 = min(max(float(sums[0] / counts[0]), 0.0), m1) if usable[0] else m1
    return m0, m1, m2


def _fewest_units(known: Precision, half_width: float) -> int | None:
    low, high = 1, 2
    while known.half_width(high) > half_width:
        low, high = high, high * 2
        if high > MOST_UNITS:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if known.half_width(middle) <= half_width else (middle, high)
    return high


def _fewest_raters(known: Precision, half_width: float) -> tuple[int | None, str | None, float | None]:
    """Raters of an item, why there is no such number, and the half-width that any number would leave."""
    if known.moments is None:
        return (
            None,
            "fewer than half of the items have three ratings: raters and items cannot be told apart",
            None,
        )
    t = float(stats.t.ppf(0.975, known.units - 1))
    least = number(t * math.sqrt((known.shared + known.moments[0]) / known.units))
    for raters in range(2, MOST_RATERS + 1):
        if known.half_width(known.units, raters) <= half_width:
            return raters, None, least
    return None, f"even {MOST_RATERS} raters of these items leave a wider interval: add items", least
