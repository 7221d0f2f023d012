"""Intraclass correlations of coded ratings, and why one does not exist."""

from __future__ import annotations

import numpy as np

from annotation.agreement import icc
from annotation.agreement.coefficients import Statistic
from annotation.agreement.estimation import Measure
from annotation.agreement.intervals import Interval
from annotation.agreement.patterns import Floats, Ints, tally
from annotation.agreement.reading import Ratings
from annotation.agreement.reasons import NO_PAIRS, ONE_RATER, REPEATED, UNKNOWN_RATERS
from schemas.fields import Level


def correlations(ratings: Ratings) -> dict[str, Measure]:
    """ICC(1,1), ICC(2,1) and ICC(2,k) of an interval or ratio field."""
    names = {
        "icc_1_1": "ICC(1,1)",
        "icc_2_1": "ICC(2,1), absolute agreement",
        "icc_2_k": "ICC(2,k), absolute agreement",
    }
    if ratings.level not in (Level.INTERVAL, Level.RATIO):
        reason = f"an intraclass correlation needs numbers, the field is {ratings.level}"
        return {name: Measure(title, float("nan"), reason) for name, title in names.items()}
    number_of = ratings.numbers[ratings.code]
    centred = number_of - (float(number_of.mean()) if len(number_of) else 0.0)
    m, first, second = (
        tally(ratings.item, x, ratings.items) for x in (np.ones(len(centred)), centred, centred**2)
    )
    one_way = icc.icc_1_1(m, first, second)
    varied = bool((m != m.max(initial=0)).any())
    title = "ICC(1,1), one-way random effects" + (", unbalanced analysis of variance" if varied else "")
    constant = "the ratings do not vary" if len(set(number_of[:1000])) < 2 else "too few items or ratings"
    reason = NO_PAIRS if not (m > 1).any() else "a single item" if ratings.items < 2 else constant
    interval_of = icc.one_way_interval(one_way.rows.sum(axis=0))
    name = "F (Shrout and Fleiss 1979)" + (", approximate for unequal numbers of ratings" if varied else "")
    measures = {"icc_1_1": _correlation(title, reason, one_way, ratings, interval_of, name)}
    whole, why = _complete(ratings, centred, m)
    for key, average in (("icc_2_1", False), ("icc_2_k", True)):
        if whole is None:
            measures[key] = Measure(names[key], float("nan"), why)
            continue
        numbers, rows = whole
        statistic = icc.icc_2(numbers, average=average)
        interval_of = icc.two_way_interval(statistic.rows.sum(axis=0), average=average)
        every = Statistic(np.zeros((ratings.items, statistic.rows.shape[1])), statistic.value)
        every.rows[rows] = statistic.rows
        title = (
            f"{names[key]}, two-way random effects, on {len(rows)} items rated by all {ratings.raters} raters"
        )
        measures[key] = _correlation(
            title, why or constant, every, ratings, interval_of, "F (McGraw and Wong 1996)"
        )
    return measures


def _correlation(
    title: str, reason: str, statistic: Statistic, ratings: Ratings, interval: Interval, name: str
) -> Measure:
    value = float(statistic.value(statistic.rows.sum(axis=0)[None])[0])
    one = Measure(title, value, reason, df=ratings.items - 1, statistic=statistic)
    if ratings.cluster is None and interval.low is not None:  # F takes items as independent
        one.interval, one.interval_name = interval, name
    return one


def _complete(ratings: Ratings, centred: Floats, m: Floats) -> tuple[tuple[Floats, Ints] | None, str]:
    """Numbers and item codes of the items that every rater rated, or why there are none."""
    if ratings.rater is None or ratings.repeated:
        return None, UNKNOWN_RATERS if ratings.rater is None else REPEATED
    if ratings.raters < 2:
        return None, ONE_RATER
    rows = np.flatnonzero(m == ratings.raters)
    if len(rows) < 2:
        return None, f"fewer than two items were rated by all {ratings.raters} raters"
    whole = m[ratings.item] == ratings.raters
    place = np.cumsum(m == ratings.raters) - 1
    numbers = np.empty((len(rows), ratings.raters))
    numbers[place[ratings.item[whole]], ratings.rater[whole]] = centred[whole]
    return (numbers, rows), ""
