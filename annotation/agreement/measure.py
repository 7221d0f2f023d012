"""Agreement on one field: which coefficients its level allows, their errors, intervals and reasons."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np
import pandas as pd
import pyarrow as pa

from annotation.agreement import coefficients, distances
from annotation.agreement.alpha import alpha_measure, alpha_reason
from annotation.agreement.coefficients import Chance, Disagreement
from annotation.agreement.correlations import correlations
from annotation.agreement.estimation import MOST_CELLS, Measure, Units, coefficient_of, resample
from annotation.agreement.intervals import METHODS, Method
from annotation.agreement.known_raters import kappas, no_kappas
from annotation.agreement.patterns import Floats, Patterns
from annotation.agreement.reading import Duplicates, Ratings, read_ratings
from annotation.agreement.reasons import (
    MOST_CATEGORIES,
    MOST_COMPARED,
    ONE_VALUE,
    SINGLE_ITEM,
    TOO_MANY_VALUES,
    pair_reason,
)
from annotation.agreement.results import COEFFICIENTS, Agreement
from schemas.errors import InputError, Issue
from schemas.fields import Field, Level

KappaWeights = distances.Weighting | Floats
Weights = tuple[Floats | None, str]
"""Agreement weights, None for the identity, and their name."""


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
    """Agreement of coded ratings; arguments, result and faults as in `agreement`."""
    _check(ratings, n_boot, seed, interval, weights, set_distance)
    units = Units.of(ratings)
    found = {"alpha": alpha_measure(ratings, set_distance)}
    per_value: dict[str, Measure] = {}
    if ratings.continuous:
        found |= _no_categories(ratings)
    else:
        kappa = _kappa_weights(ratings, weights)
        found |= _family(ratings.patterns, kappa, _ac2_weights(ratings, set_distance))
        found |= kappas(ratings, *kappa)
        per_value = _per_value(ratings)
    joint = found | {f"={name}": one for name, one in per_value.items()}
    resample(joint, units, n_boot, seed, interval)
    # Correlations are not made of patterns; their units are items.
    by_item = correlations(ratings)
    resample(by_item, Units.of_items(ratings), 0, seed, interval)
    found |= by_item
    if alpha_reason(ratings) == SINGLE_ITEM:
        for name, one in (found | joint).items():
            if name != "percent_agreement" and np.isfinite(one.value):
                one.value, one.reason = float("nan"), SINGLE_ITEM
    every = {name: coefficient_of(found[name], units) for name in COEFFICIENTS}
    return Agreement.of(ratings, every, {name: coefficient_of(one, units) for name, one in per_value.items()})


def _check(
    ratings: Ratings,
    n_boot: int,
    seed: int,
    interval: Method,
    weights: KappaWeights,
    set_distance: distances.SetDistance,
) -> None:
    """Refuse arguments that mean nothing, all at once."""
    issues = [
        Issue(f"{name} is not negative", value=value)
        for name, value in (("n_boot", n_boot), ("seed", seed))
        if value < 0
    ]
    if interval not in METHODS:
        issues.append(Issue("no such bootstrap interval", value=interval, choices=METHODS))
    if set_distance not in distances.SET_DISTANCES:
        issues.append(
            Issue("no such distance of sets", value=set_distance, choices=list(distances.SET_DISTANCES))
        )
    if isinstance(weights, str):
        if weights not in distances.WEIGHTINGS:
            issues.append(Issue("no such weights", value=weights, choices=distances.WEIGHTINGS))
    else:
        q, matrix = len(ratings.values), np.asarray(weights, dtype=np.float64)
        if matrix.shape != (q, q):
            issues.append(Issue(f"weights need the shape {(q, q)}, a row a category", value=matrix.shape))
        elif not (np.isfinite(matrix).all() and (matrix == matrix.T).all() and (np.diag(matrix) == 1).all()):
            issues.append(Issue("weights are finite, symmetric and 1 on the diagonal"))
    if issues:
        raise InputError(issues)


def _kappa_weights(ratings: Ratings, weights: KappaWeights) -> Weights:
    """Weights of the kappas and of Brennan-Prediger."""
    if not isinstance(weights, str):
        return np.asarray(weights, dtype=np.float64), "weights given"
    if weights == "identity":
        return None, "unweighted" + (", every set a category" if ratings.level is Level.SET else "")
    return distances.agreement_weights(weights, ratings.numbers), f"{weights} weights"


def _ac2_weights(ratings: Ratings, set_distance: distances.SetDistance) -> Weights | None:
    """Weights of AC2, as the level has them; None where there are too many values for a matrix."""
    families: dict[Level, Literal["ordinal", "quadratic", "ratio"]] = {
        Level.ORDINAL: "ordinal", Level.INTERVAL: "quadratic", Level.RATIO: "ratio"
    }  # fmt: skip
    if ratings.level is Level.NOMINAL:
        return None, "identity weights, so that it equals AC1"
    if len(ratings.values) > MOST_COMPARED:
        return None
    if ratings.level is Level.SET:
        distance = distances.set_distance(ratings.values, set_distance)
        return 1 - distance, f"weights 1 - {set_distance} distance"
    name = families[ratings.level]
    return distances.agreement_weights(name, ratings.numbers), f"Gwet's {name} weights"


def _family(patterns: Patterns, kappa: Weights, weighted: Weights | None) -> dict[str, Measure]:
    """Percent agreement, Brennan-Prediger, Fleiss and Gwet."""
    plain = "any number of raters, linearised for missing ratings (Gwet)"
    chosen: dict[str, tuple[str, Chance, Weights | None]] = {
        "fleiss_kappa": ("Fleiss' kappa", Chance.FLEISS, kappa),
        "gwet_ac1": ("Gwet's AC1", Chance.GWET, (None, "unweighted")),
        "gwet_ac2": ("Gwet's AC2", Chance.GWET, weighted),
        "brennan_prediger": ("Brennan-Prediger coefficient", Chance.UNIFORM, kappa),
        "percent_agreement": ("percent agreement, mean over items", Chance.NONE, (None, "unweighted")),
    }
    one_value = ONE_VALUE if patterns.categories != 1 else "only one category is known"
    reason = pair_reason(bool(patterns.pairable.any()), one_value)
    fits = len(patterns.items) * patterns.categories < MOST_CELLS
    shared: dict[int, Floats] = {}
    measures = {}
    for name, (title, chance, weights) in chosen.items():
        if weights is None:
            measures[name] = Measure(title, float("nan"), TOO_MANY_VALUES)
            continue
        matrix, weighting = weights
        estimate = coefficients.chance_corrected(patterns, matrix, chance)
        statistic = coefficients.chance_statistic(patterns, matrix, chance) if fits else None
        if statistic is not None:  # the same sums serve all coefficients of the same weights
            statistic = replace(statistic, rows=shared.setdefault(id(matrix), statistic.rows))
        categories = f", {patterns.categories} categories" if chance in (Chance.UNIFORM, Chance.GWET) else ""
        measures[name] = Measure(
            f"{title}, {weighting}{categories}; {plain}",
            estimate.value, reason, estimate.se, "linearised (Gwet)", estimate.df, statistic,
        )  # fmt: skip
    return measures


def _no_categories(ratings: Ratings) -> dict[str, Measure]:
    """Of a continuous field no coefficient of categories exists."""
    many = f"the field is continuous: {len(ratings.values)} distinct numbers are no categories"
    names = ("fleiss_kappa", "gwet_ac1", "gwet_ac2", "brennan_prediger", "percent_agreement")
    measures = {name: Measure(name.replace("_", " "), float("nan"), many) for name in names}
    return measures | no_kappas("the field is continuous")


def _per_value(ratings: Ratings) -> dict[str, Measure]:
    """Nominal alpha of each value against the rest; for sets, of each label."""
    if len(ratings.labels) > MOST_CATEGORIES:
        return {}
    measures: dict[str, Measure] = {}
    for label, chosen in zip(ratings.labels, ratings.label_matrix.T, strict=True):
        binary = ratings.patterns.recode(chosen.astype(np.int64), 2)
        estimate = coefficients.alpha(Disagreement.of_patterns(binary, None))
        reason = pair_reason(bool(binary.pairable.any()), "nobody, or everybody, chose this value")
        name = f"Krippendorff's alpha, nominal metric, {label!r} or not"
        statistic = coefficients.alpha_statistic(binary, None)
        measures[label] = Measure(
            name, estimate.value, reason, estimate.se, "linearised (Gwet)", estimate.df, statistic
        )
    return measures
