"""Agreement on one field: which coefficients its level allows, their errors, intervals and reasons."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np
import pandas as pd
import pyarrow as pa

from annotation.agreement import coefficients, distances, icc, pairwise
from annotation.agreement.coefficients import Chance, Disagreement, Moments, Statistic
from annotation.agreement.estimation import MOST_CELLS, Measure, Units, coefficient_of, resample
from annotation.agreement.intervals import Interval, Method, jackknife_error
from annotation.agreement.patterns import (
    MISSING,
    Codes,
    Floats,
    Ints,
    OrderedPatterns,
    Patterns,
    distinct_rows,
    reduce_codes,
    tally,
)
from annotation.agreement.reading import Duplicates, Ratings, read_ratings
from annotation.agreement.results import Agreement
from schemas.fields import Field, Level

MOST_CATEGORIES = 100  # an interval field with more distinct numbers is taken as continuous
MOST_RATIO_VALUES = 4096  # the ratio metric needs a matrix of all values
MOST_PAIRS = 5_000_000  # pairs of ratings beyond which the pairwise jackknife is left out

KappaWeights = distances.Weighting | Floats

ONE_VALUE = "every rating that can be compared has the same value, so chance agreement is complete"
NO_PAIRS = "no item has two ratings"
UNKNOWN_RATERS = "raters are unknown"
SINGLE_ITEM = "a single item has two ratings: its agreement cannot be told from chance"
REPEATED = "raters rated items twice and both ratings are kept"


def agreement(
    ratings: pd.DataFrame | pa.Table,
    field: Field | str,
    *,
    item: str,
    rater: str | None,
    cluster: str | None = None,
    n_boot: int = 1000,
    seed: int = 0,
    duplicates: Duplicates = "error",
    interval: Method = "percentile",
    weights: KappaWeights = "identity",
    set_distance: distances.SetDistance = "masi",
) -> Agreement:
    """Agreement on one field of a table of ratings, one row a rating.

    Args:
        ratings: Table with a column for the field, items and raters. Multilabel cells are lists, or text
            ``a|b`` with ``[]`` for the empty set; null, nan and empty cells are missing.
        field: A field of a label schema, or ``"COLUMN:LEVEL"``, LEVEL one of nominal, ordinal, interval,
            ratio, set.
        item: Column of item ids.
        rater: Column of rater ids; None, or a column of nulls, when raters are unknown.
        cluster: Column of clusters (dialogues). Intervals then resample clusters, because utterances of one
            dialogue are not independent; else items.
        n_boot: Bootstrap resamples; 0 gives intervals from standard errors.
        seed: Seed of the resamples; the same numbers on every machine.
        duplicates: What to do when a rater rated an item twice: error, latest (last row) or both.
        interval: Bootstrap interval, percentile or bca.
        weights: Agreement weights of the kappas and Brennan-Prediger: a name of Gwet's families, or a
            symmetric matrix with 1 on the diagonal, shape (categories, categories).
        set_distance: Distance of label sets, a name of `distances.SET_DISTANCES`.

    Returns:
        All coefficients; one that does not exist is None with its reason.

    Raises:
        InputError: The table does not fit; every fault with its row.
    """
    coded = read_ratings(ratings, field, item=item, rater=rater, cluster=cluster, duplicates=duplicates)
    return measure(
        coded, n_boot=n_boot, seed=seed, interval=interval, weights=weights, set_distance=set_distance
    )


def measure(
    ratings: Ratings,
    *,
    n_boot: int = 1000,
    seed: int = 0,
    interval: Method = "percentile",
    weights: KappaWeights = "identity",
    set_distance: distances.SetDistance = "masi",
) -> Agreement:
    """Agreement of coded ratings; arguments and result as in `agreement`."""
    level, numbers = ratings.level, ratings.numbers
    continuous = level in (Level.INTERVAL, Level.RATIO) and len(ratings.values) > MOST_CATEGORIES
    codes = None if continuous else ratings.matrix()
    patterns, of_item = _patterns(ratings, codes) if not continuous else (None, None)
    per_value: dict[str, Measure] = {}
    if patterns is None:
        moments = Moments.of_long(ratings.item, numbers[ratings.code], ratings.items)
        units = Units(moments.items, None, ratings.cluster, ratings.clusters)
        exchangeable = _continuous(ratings, moments)
    else:
        units = Units(patterns.items, of_item, ratings.cluster, ratings.clusters)
        kappa, weighted = _weights(ratings, weights, set_distance)
        exchangeable = _alpha(ratings, patterns, set_distance) | _family(patterns, kappa, weighted)
        per_value = _per_value(ratings, patterns)
    known = (
        _known(ratings, codes, units, kappa) if patterns is not None else _unknown("the field is continuous")
    )
    correlations = _correlations(ratings)
    joint = exchangeable | {f"={name}": one for name, one in per_value.items()}
    resample(joint, units, n_boot, seed, interval)
    # Correlations are not made of patterns; their units are items.
    resample(
        correlations, replace(units, items=np.ones(ratings.items, np.int64), of_item=None), 0, seed, interval
    )
    order = (
        "alpha", "fleiss_kappa", "conger_kappa", "scott_pi", "cohen_kappa", "gwet_ac1", "gwet_ac2",
        "brennan_prediger", "percent_agreement", "icc_1_1", "icc_2_1", "icc_2_k",
    )  # fmt: skip
    every = exchangeable | known | correlations
    if np.count_nonzero(np.bincount(ratings.item) > 1) == 1:
        for name, one in (every | {f"={name}": one for name, one in per_value.items()}).items():
            if name != "percent_agreement" and np.isfinite(one.value):
                one.value, one.reason = float("nan"), SINGLE_ITEM
    return Agreement(
        field=ratings.field,
        level=str(level),
        items=ratings.items,
        raters=ratings.raters,
        ratings=len(ratings.item),
        missing=ratings.items * ratings.raters - len(ratings.item) if not ratings.repeated else 0,
        coefficients={name: coefficient_of(every[name], units) for name in order},
        clusters=ratings.clusters if ratings.cluster is not None else None,
        per_category={name: coefficient_of(one, units) for name, one in per_value.items()},
    )


def _patterns(ratings: Ratings, codes: Codes | None) -> tuple[Patterns, Ints | None]:
    """Patterns, and the pattern of each item when clusters ask for it (None: item i is pattern i)."""
    categories = len(ratings.values)
    if codes is not None:
        return reduce_codes(codes, categories, inverse=ratings.cluster is not None)
    # Unknown raters, or a crowd of whom each item knows a few: forget who they are, item by item.
    order = np.argsort(ratings.item, kind="stable")
    item = ratings.item[order]
    counts = np.bincount(item, minlength=ratings.items)
    width = int(counts.max(initial=0))
    if ratings.items * width > 8 * len(item) + 1000:
        return Patterns.from_long(ratings.item, ratings.code, ratings.items, categories), None
    place = np.arange(len(item)) - (np.cumsum(counts) - counts)[item]
    rows = np.full((ratings.items, width), MISSING, dtype=np.int32)
    rows[item, place] = ratings.code[order]
    return reduce_codes(rows, categories, inverse=ratings.cluster is not None)


def _weights(
    ratings: Ratings, weights: KappaWeights, set_distance: distances.SetDistance
) -> tuple[tuple[Floats | None, str], tuple[Floats | None, str]]:
    """Weights of the kappas and of AC2, each with its name; None is the identity."""
    if isinstance(weights, np.ndarray):
        kappa: tuple[Floats | None, str] = weights.astype(np.float64), "weights given"
    elif weights == "identity":
        kappa = None, "unweighted" + (", every set a category" if ratings.level is Level.SET else "")
    else:
        kappa = distances.agreement_weights(weights, ratings.numbers), f"{weights} weights"
    if ratings.level is Level.SET:
        return kappa, (
            1 - distances.set_distance(ratings.values, set_distance),
            f"weights 1 - {set_distance} distance",
        )
    family: dict[Level, Literal["ordinal", "quadratic", "ratio"]] = {
        Level.ORDINAL: "ordinal", Level.INTERVAL: "quadratic", Level.RATIO: "ratio"
    }  # fmt: skip
    if ratings.level not in family:
        return kappa, (None, "identity weights, so that it equals AC1")
    name = family[ratings.level]
    return kappa, (distances.agreement_weights(name, ratings.numbers), f"Gwet's {name} weights")


def _pair_reason(pairable: bool, otherwise: str = ONE_VALUE) -> str:
    return otherwise if pairable else NO_PAIRS


def _alpha(ratings: Ratings, patterns: Patterns, set_distance: distances.SetDistance) -> dict[str, Measure]:
    """Krippendorff's alpha under the metric of the level."""
    name = f"Krippendorff's alpha, {ratings.level} metric"
    level, numbers = ratings.level, ratings.numbers
    reason = _pair_reason(bool(patterns.pairable.any()))
    statistic: Statistic | None
    if level is Level.INTERVAL:
        moments = Moments.of_patterns(patterns, numbers)
        terms, statistic = Disagreement.of_moments(moments), coefficients.interval_statistic(moments)
    elif level is Level.ORDINAL:
        distance = distances.ordinal(patterns.sums(patterns.items * patterns.pairable))
        terms = Disagreement.of_patterns(patterns, distance)
        cells = len(patterns.items) * patterns.categories**2 / 2
        statistic = coefficients.ordinal_statistic(patterns) if cells < MOST_CELLS else None
    else:
        if level is Level.SET:
            name = f"Krippendorff's alpha, {distances.SET_DISTANCES[set_distance]}"
            distance = distances.set_distance(ratings.values, set_distance)
        else:
            distance = (
                distances.nominal(patterns.categories) if level is Level.NOMINAL else distances.ratio(numbers)
            )
        terms = Disagreement.of_patterns(patterns, distance)
        cells = len(patterns.items) * patterns.categories
        fixed = None if level is Level.NOMINAL else distance
        statistic = coefficients.alpha_statistic(patterns, fixed) if cells < MOST_CELLS else None
    estimate = coefficients.alpha(terms)
    # The ordinal metric moves with the data, which the linearised error does not see: the jackknife does.
    by_jackknife = level is Level.ORDINAL and statistic is not None
    se, se_name = (float("nan"), "") if by_jackknife else (estimate.se, "linearised (Gwet)")
    return {"alpha": Measure(name, estimate.value, reason, se, se_name, estimate.df, statistic)}


def _family(
    patterns: Patterns, kappa: tuple[Floats | None, str], weighted: tuple[Floats | None, str]
) -> dict[str, Measure]:
    """Percent agreement, Brennan-Prediger, Fleiss and Gwet."""
    plain = "any number of raters, linearised for missing ratings (Gwet)"
    chosen: dict[str, tuple[str, Chance, Floats | None, str]] = {
        "fleiss_kappa": ("Fleiss' kappa", Chance.FLEISS, *kappa),
        "gwet_ac1": ("Gwet's AC1", Chance.GWET, None, "unweighted"),
        "gwet_ac2": ("Gwet's AC2", Chance.GWET, *weighted),
        "brennan_prediger": ("Brennan-Prediger coefficient", Chance.UNIFORM, *kappa),
        "percent_agreement": ("percent agreement, mean over items", Chance.NONE, None, "unweighted"),
    }
    pairable = bool(patterns.pairable.any())
    fits = len(patterns.items) * patterns.categories < MOST_CELLS
    shared: dict[int, Floats] = {}
    measures = {}
    for name, (title, chance, matrix, weighting) in chosen.items():
        estimate = coefficients.chance_corrected(patterns, matrix, chance)
        statistic = coefficients.chance_statistic(patterns, matrix, chance) if fits else None
        if statistic is not None:  # the same sums serve all coefficients of the same weights
            statistic = replace(statistic, rows=shared.setdefault(id(matrix), statistic.rows))
        categories = f", {patterns.categories} categories" if chance in (Chance.UNIFORM, Chance.GWET) else ""
        reason = _pair_reason(
            pairable, ONE_VALUE if patterns.categories != 1 else "only one category is known"
        )
        definition = f"{title}, {weighting}{categories}; {plain}"
        measures[name] = Measure(
            definition, estimate.value, reason, estimate.se, "linearised (Gwet)", estimate.df, statistic
        )
    return measures


def _continuous(ratings: Ratings, moments: Moments) -> dict[str, Measure]:
    """Interval alpha by sums of squares; no other coefficient of categories fits a continuous field."""
    many = f"the field is continuous: {len(ratings.values)} distinct numbers are no categories"
    names = ("fleiss_kappa", "gwet_ac1", "gwet_ac2", "brennan_prediger", "percent_agreement")
    measures = {name: Measure(name.replace("_", " "), float("nan"), many) for name in names}
    reason = _pair_reason(bool((moments.ratings > 1).any()))
    if ratings.level is Level.RATIO:
        name = "Krippendorff's alpha, ratio metric"
        if len(ratings.values) > MOST_RATIO_VALUES:
            reason = f"more than {MOST_RATIO_VALUES} distinct numbers: the ratio metric compares every two"
            return measures | {"alpha": Measure(name, float("nan"), reason)}
        patterns = Patterns.from_long(ratings.item, ratings.code, ratings.items, len(ratings.values))
        terms = Disagreement.of_patterns(patterns, distances.ratio(ratings.numbers))
        estimate = coefficients.alpha(terms)
        statistic = None
    else:
        name = "Krippendorff's alpha, interval metric, by sums of squares"
        estimate = coefficients.alpha(Disagreement.of_moments(moments))
        statistic = coefficients.interval_statistic(moments)
    return measures | {
        "alpha": Measure(
            name, estimate.value, reason, estimate.se, "linearised (Gwet)", estimate.df, statistic
        )
    }


def _per_value(ratings: Ratings, patterns: Patterns) -> dict[str, Measure]:
    """Nominal alpha of each value against the rest; for sets, of each label."""
    if (
        ratings.level in (Level.INTERVAL, Level.RATIO)
        or len(patterns.items) * len(ratings.labels) > MOST_CELLS
    ):
        return {}
    measures: dict[str, Measure] = {}
    sets = tuple(ratings.values)
    for code, label in enumerate(ratings.labels):
        if ratings.level is Level.SET:
            chosen = np.array([label in one for one in sets], dtype=np.int64)
            binary = patterns.recode(chosen, 2)
        else:
            binary = coefficients.one_against_rest(patterns, code)
        estimate = coefficients.alpha(Disagreement.of_patterns(binary, distances.nominal(2)))
        reason = _pair_reason(bool(binary.pairable.any()), "nobody, or everybody, chose this value")
        name = f"Krippendorff's alpha, nominal metric, {label!r} or not"
        statistic = coefficients.alpha_statistic(binary, None)
        measures[label] = Measure(
            name, estimate.value, reason, estimate.se, "linearised (Gwet)", estimate.df, statistic
        )
    return measures


def _unknown(reason: str) -> dict[str, Measure]:
    titles = {"conger_kappa": "Conger's kappa", "scott_pi": "Scott's pi", "cohen_kappa": "Cohen's kappa"}
    return {name: Measure(title, float("nan"), reason) for name, title in titles.items()}


def _known(
    ratings: Ratings, codes: Codes | None, units: Units, kappa: tuple[Floats | None, str]
) -> dict[str, Measure]:
    """Coefficients that know raters: Cohen and Scott, mean over pairs of raters, and Conger."""
    if ratings.rater is None or ratings.repeated:
        return _unknown(UNKNOWN_RATERS if ratings.rater is None else REPEATED)
    if ratings.raters < 2:
        return _unknown("there is only one rater")
    matrix, weighting = kappa
    ordered, of_item = _ordered(ratings, codes)
    resampled = Units(ordered.items, of_item, ratings.cluster, ratings.clusters)
    clustered = ratings.cluster is not None
    largest = max(len(ordered.items), ratings.clusters)
    m = np.bincount(ordered.pattern, minlength=len(ordered.items))
    pairs = int((m * (m - 1) // 2).sum())
    measures = {}
    for name, title, marginals in (
        ("scott_pi", "Scott's pi", "pooled"), ("cohen_kappa", "Cohen's kappa", "own"),
    ):  # fmt: skip
        tables = pairwise.pair_tables(ordered, matrix, "pooled" if marginals == "pooled" else "own")
        count = len(tables.items)
        defined = int(np.isfinite(tables.values).sum())
        definition = f"{title}, {weighting}" + (
            ""
            if ratings.raters == 2
            else f", mean over the {defined} of {count} pairs of raters where it exists (Light)"
        )
        reason = NO_PAIRS if not count else "no pair of raters used two values on the items that both rated"
        one = Measure(definition, tables.mean, reason, df=units.number - 1)
        one.se_name = "delete-one jackknife over " + ("clusters" if clustered else "items")
        cells = largest * count * (2 + 2 * len(ratings.values))
        if defined and ratings.raters == 2 and not clustered:
            one.se = pairwise.pair_error(pairwise.contingency(ordered, 0, 1), matrix, tables.marginals)
            one.se_name = "large-sample (Fleiss, Cohen and Everitt 1969)"
        elif defined and of_item is not None and cells < MOST_CELLS:
            one.se = _cluster_jackknife(pairwise.pair_statistic(ordered, tables), resampled)
        elif defined and of_item is None and pairs <= MOST_PAIRS:
            one.se = pairwise.pairwise_jackknife(ordered, tables, ratings.cluster)
        else:
            one.no_error = f"no standard error: more than {MOST_PAIRS:,} pairs of ratings to leave out"
        measures[name] = one
    estimate = pairwise.conger(ordered, matrix)
    reason = _pair_reason(bool(pairs))
    conger = Measure(
        f"Conger's kappa, {weighting}", estimate.value, reason, estimate.se, "linearised (Gwet)", estimate.df
    )
    if clustered:
        conger.se, conger.se_name, conger.df = float("nan"), "", units.number - 1
        if largest * ratings.raters * len(ratings.values) < MOST_CELLS:
            conger.se = _cluster_jackknife(pairwise.conger_statistic(ordered, matrix), resampled)
            conger.se_name = "delete-one jackknife over clusters"
        else:
            conger.no_error = "no standard error: too many raters and clusters for the cluster jackknife"
    measures["conger_kappa"] = conger
    return measures


def _cluster_jackknife(statistic: Statistic, units: Units) -> float:
    rows, _ = units.rows(statistic.rows)
    return float(jackknife_error(statistic.value(rows.sum(axis=0) - rows)))


def _ordered(ratings: Ratings, codes: Codes | None) -> tuple[OrderedPatterns, Ints | None]:
    """Ordered patterns, and the pattern of each item; without a matrix of codes, item i is pattern i."""
    assert ratings.rater is not None
    categories = len(ratings.values)
    if codes is not None:
        rows, items, of_item = distinct_rows(codes, categories, inverse=ratings.cluster is not None)
        return OrderedPatterns.from_codes(rows, categories, items), of_item
    order = np.lexsort((ratings.rater, ratings.item))
    ones = np.ones(ratings.items, dtype=np.int64)
    item, rater, code = (x[order].astype(np.int64) for x in (ratings.item, ratings.rater, ratings.code))
    return OrderedPatterns(ones, item, rater, code, ratings.raters, categories), None


def _correlations(ratings: Ratings) -> dict[str, Measure]:
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
        return None, "there is only one rater"
    rows = np.flatnonzero(m == ratings.raters)
    if len(rows) < 2:
        return None, f"fewer than two items were rated by all {ratings.raters} raters"
    whole = m[ratings.item] == ratings.raters
    place = np.cumsum(m == ratings.raters) - 1
    numbers = np.empty((len(rows), ratings.raters))
    numbers[place[ratings.item[whole]], ratings.rater[whole]] = centred[whole]
    return (numbers, rows), ""
