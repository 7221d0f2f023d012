"""Who and what moves agreement: alpha without one rater, one dialogue or one item, each computed exactly.

A change above 0 says that agreement would be higher without the unit: it costs agreement. The ordinal metric
is that of the ratings that are left.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from annotation.agreement.alpha import alpha_reason, alpha_sums
from annotation.agreement.coefficients import Statistic
from annotation.agreement.estimation import Units
from annotation.agreement.patterns import Floats, Ints
from annotation.agreement.reading import Ratings
from annotation.agreement.reasons import REPEATED, TOO_LARGE, UNKNOWN_RATERS
from annotation.agreement.results import number
from annotation.agreement.unit_sums import leave_one_out, stacked, sum_by, value_at

NOTHING_LEFT = "what is left without it has no two ratings of an item, or one value only"


@dataclass(frozen=True)
class Influence:
    """What one unit does to alpha.

    Attributes:
        unit: Code of the rater, the cluster or the item in the coded ratings.
        ratings: How many ratings the unit has.
        without: Alpha of all other ratings; None where it does not exist.
        change: `without` minus alpha of all ratings: the delete-one contribution, above 0 for a unit that
            costs agreement.
    """

    unit: int
    ratings: int
    without: float | None
    change: float | None


@dataclass(frozen=True)
class Influences:
    """Influence of every unit of one kind.

    Attributes:
        alpha: Alpha of all ratings.
        units: The units; raters and clusters in the order of their codes, items most costly first.
        reason: Why there are none, or why some numbers are missing; None when all are there.
    """

    alpha: float | None
    units: tuple[Influence, ...]
    reason: str | None = None


def rater_influence(ratings: Ratings) -> Influences:
    """Alpha without each rater. An item that keeps a single rating no longer counts."""
    reason = alpha_reason(ratings)
    if ratings.rater is None or ratings.repeated:
        reason = UNKNOWN_RATERS if ratings.rater is None else REPEATED
    if reason is not None or ratings.rater is None:
        return Influences(None, (), reason)
    patterns, of_item = ratings.patterns, ratings.pattern_of_item
    left = leave_one_out(ratings, patterns, of_item)
    # One call for both, because the sums of numbers are taken from a centre that they must share.
    statistic = alpha_sums(ratings, stacked(patterns, left.patterns))
    if statistic is None:
        return Influences(None, (), TOO_LARGE)
    full, rest = statistic.rows[: len(patterns.items)], statistic.rows[len(patterns.items) :]
    change = rest - full[patterns.pattern]
    sums = (full * patterns.items[:, None]).sum(axis=0)
    without = sums + sum_by(change[left.of_rating], ratings.rater, ratings.raters)
    counts = np.bincount(ratings.rater, minlength=ratings.raters)
    return _influences(statistic, sums, without, counts)


def cluster_influence(ratings: Ratings) -> Influences:
    """Alpha without each cluster (dialogue)."""
    if ratings.cluster is None:
        return Influences(None, (), "there are no clusters")
    patterns = ratings.patterns
    statistic, reason = alpha_sums(ratings, patterns), alpha_reason(ratings)
    if statistic is None or reason is not None:
        return Influences(None, (), reason or TOO_LARGE)
    rows, _ = Units.of(ratings).rows(statistic.rows)
    sums = rows.sum(axis=0)
    counts = np.bincount(ratings.cluster[ratings.item], minlength=ratings.clusters)
    return _influences(statistic, sums, sums - rows, counts)


def item_influence(ratings: Ratings, most: int = 20) -> Influences:
    """The items that cost most agreement: alpha without each of them is the highest.

    Args:
        ratings: Coded ratings.
        most: How many items are listed, most costly first; equally costly ones in the order of their codes.
            Items with one rating have no part in alpha and are not listed.
    """
    reason = alpha_reason(ratings)
    patterns, of_item = ratings.patterns, ratings.pattern_of_item
    statistic = alpha_sums(ratings, patterns)
    if statistic is None or reason is not None:
        return Influences(None, (), reason or TOO_LARGE)
    rows, multiplicity = Units(patterns.items).rows(statistic.rows)
    assert multiplicity is not None
    sums = (rows * multiplicity[:, None]).sum(axis=0)
    every = _influences(statistic, sums, sums - rows, patterns.ratings.astype(np.int64))
    # Patterns that differ in the last bits only cost the same: twelve decimals decide.
    change = np.array([np.inf if one.change is None else -one.change for one in every.units])
    change[~patterns.pairable] = np.inf
    order = np.argsort(change[of_item], kind="stable")[:most]
    listed = [int(item) for item in order if np.isfinite(change[of_item[item]])]
    units = tuple(
        Influence(item, one.ratings, one.without, one.change)
        for item in listed
        for one in [every.units[int(of_item[item])]]
    )
    return Influences(every.alpha, units, every.reason)


def _influences(statistic: Statistic, sums: Floats, without: Floats, ratings: Ints) -> Influences:
    alpha = number(value_at(statistic, sums))
    units = tuple(
        Influence(
            unit,
            int(count),
            number(value),
            None if alpha is None or not np.isfinite(value) else number(value - alpha),
        )
        for unit, (value, count) in enumerate(zip(statistic.value(without).tolist(), ratings, strict=True))
    )
    missing = any(one.without is None for one in units)
    return Influences(alpha, units, NOTHING_LEFT if missing else None)
