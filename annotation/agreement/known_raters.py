"""Coefficients of coded ratings that know raters: Cohen and Scott, mean over pairs of raters, and Conger."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from annotation.agreement import pairwise
from annotation.agreement.coefficients import Statistic
from annotation.agreement.estimation import MOST_CELLS, Measure, Units
from annotation.agreement.intervals import jackknife_error
from annotation.agreement.pairwise import Marginals
from annotation.agreement.patterns import Floats, Ints, OrderedPatterns, distinct_rows
from annotation.agreement.reading import Ratings
from annotation.agreement.reasons import (
    MOST_COMPARED,
    MOST_PAIRS,
    NO_PAIRS,
    ONE_RATER,
    REPEATED,
    TOO_MANY_PAIRS,
    TOO_MANY_VALUES,
    UNKNOWN_RATERS,
    pair_reason,
)

MOST_LEFT_OUT = 5_000_000  # pairs of ratings beyond which the pairwise jackknife is left out
TITLES = {"conger_kappa": "Conger's kappa", "scott_pi": "Scott's pi", "cohen_kappa": "Cohen's kappa"}
PAIRWISE: dict[str, Marginals] = {"scott_pi": "pooled", "cohen_kappa": "own"}


def no_kappas(reason: str) -> dict[str, Measure]:
    """The coefficients of this file, none of which exists."""
    return {name: Measure(title, float("nan"), reason) for name, title in TITLES.items()}


def kappas(ratings: Ratings, weights: Floats | None, weighting: str) -> dict[str, Measure]:
    """Conger's kappa, Scott's pi and Cohen's kappa.

    Args:
        ratings: Coded ratings of a field that has categories.
        weights: Agreement weights, shape (categories, categories); None is the identity.
        weighting: Name of the weights.
    """
    if ratings.rater is None or ratings.repeated:
        return no_kappas(UNKNOWN_RATERS if ratings.rater is None else REPEATED)
    if ratings.raters < 2:
        return no_kappas(ONE_RATER)
    if len(ratings.values) > MOST_COMPARED:
        return no_kappas(TOO_MANY_VALUES)
    panel = _Panel.of(ratings, weights, weighting)
    found = {"conger_kappa": _conger(panel)}
    if panel.pairs > MOST_PAIRS:
        return no_kappas(TOO_MANY_PAIRS) | found
    return found | {name: _pairwise(name, marginals, panel) for name, marginals in PAIRWISE.items()}


@dataclass(frozen=True)
class _Panel:
    """Ratings reduced to ordered patterns, what is resampled, and the weights with their name."""

    ratings: Ratings
    ordered: OrderedPatterns
    units: Units
    pairs: int
    weights: Floats | None
    weighting: str

    @classmethod
    def of(cls, ratings: Ratings, weights: Floats | None, weighting: str) -> _Panel:
        ordered, of_item = _ordered(ratings)
        units = Units(ordered.items, of_item, ratings.cluster, ratings.clusters)
        m = np.bincount(ordered.pattern, minlength=len(ordered.items))
        return cls(ratings, ordered, units, int((m * (m - 1) // 2).sum()), weights, weighting)

    @property
    def largest(self) -> int:
        """The most rows that sums of units take."""
        return max(len(self.ordered.items), self.ratings.clusters)


def _pairwise(name: str, marginals: Marginals, panel: _Panel) -> Measure:
    """Mean over the pairs of raters, with the error that their number allows."""
    ratings, ordered, units = panel.ratings, panel.ordered, panel.units
    tables = pairwise.pair_tables(ordered, panel.weights, marginals)
    count, defined = len(tables.items), int(np.isfinite(tables.values).sum())
    definition = f"{TITLES[name]}, {panel.weighting}"
    if ratings.raters > 2:
        definition += f", mean over the {defined} of {count} pairs of raters where it exists (Light)"
    reason = NO_PAIRS if not count else "no pair of raters used two values on the items that both rated"
    clustered = ratings.cluster is not None
    one = Measure(definition, tables.mean, reason, df=units.number - 1)
    one.se_name = "delete-one jackknife over " + ("clusters" if clustered else "items")
    cells = panel.largest * count * (2 + 2 * len(ratings.values))
    if defined and ratings.raters == 2 and not clustered:
        one.se = pairwise.pair_error(pairwise.contingency(ordered, 0, 1), panel.weights, marginals)
        one.se_name = "large-sample (Fleiss, Cohen and Everitt 1969)"
    elif defined and units.of_item is not None and cells < MOST_CELLS:
        one.se = _cluster_jackknife(pairwise.pair_statistic(ordered, tables), units)
    elif defined and units.of_item is None and panel.pairs <= MOST_LEFT_OUT:
        one.se = pairwise.pairwise_jackknife(ordered, tables, ratings.cluster)
    else:
        one.no_error = f"no standard error: more than {MOST_LEFT_OUT:,} pairs of ratings to leave out"
    return one


def _conger(panel: _Panel) -> Measure:
    ratings, weights = panel.ratings, panel.weights
    estimate = pairwise.conger(panel.ordered, weights)
    definition = f"{TITLES['conger_kappa']}, {panel.weighting}"
    reason = pair_reason(bool(panel.pairs))
    one = Measure(definition, estimate.value, reason, estimate.se, "linearised (Gwet)", estimate.df)
    if ratings.cluster is not None:
        one.se, one.se_name, one.df = float("nan"), "", panel.units.number - 1
        if panel.largest * ratings.raters * len(ratings.values) < MOST_CELLS:
            one.se = _cluster_jackknife(pairwise.conger_statistic(panel.ordered, weights), panel.units)
            one.se_name = "delete-one jackknife over clusters"
        else:
            one.no_error = "no standard error: too many raters and clusters for the cluster jackknife"
    return one


def _cluster_jackknife(statistic: Statistic, units: Units) -> float:
    rows, _ = units.rows(statistic.rows)
    return float(jackknife_error(statistic.value(rows.sum(axis=0) - rows)))


def _ordered(ratings: Ratings) -> tuple[OrderedPatterns, Ints | None]:
    """Ordered patterns, and the pattern of each item; without a matrix of codes, item i is pattern i."""
    assert ratings.rater is not None
    categories = len(ratings.values)
    if ratings.matrix is not None:
        rows, items, of_item = distinct_rows(ratings.matrix, categories, inverse=ratings.cluster is not None)
        return OrderedPatterns.from_codes(rows, categories, items), of_item
    order = np.lexsort((ratings.rater, ratings.item))
    ones = np.ones(ratings.items, dtype=np.int64)
    item, rater, code = (x[order].astype(np.int64) for x in (ratings.item, ratings.rater, ratings.code))
    return OrderedPatterns(ones, item, rater, code, ratings.raters, categories), None
