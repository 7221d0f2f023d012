"""The human ceiling: each rater against the others' consensus, in the metrics that models are scored with.

A model that is scored against a consensus of raters cannot be expected to do better than a rater who is
scored against the consensus of the others. Where the others tie there is no consensus and nothing is scored;
what remains is the easier part of the items, so the share that was scored belongs to the result.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from annotation.agreement.coefficients import Statistic, divide
from annotation.agreement.consensus import majority, majority_set
from annotation.agreement.estimation import MOST_CELLS, Units
from annotation.agreement.patterns import CHUNK, MISSING, Floats, Ints, Patterns, tally
from annotation.agreement.reading import Ratings
from annotation.agreement.reasons import MOST_CATEGORIES, NO_PAIRS, TOO_LARGE
from annotation.agreement.results import Coefficient, number
from annotation.agreement.unit_sums import estimates, leave_one_out, sum_by, value_at
from schemas.fields import Level

CONSTANT = "the ratings do not vary"
NO_LABEL = "no rating and no consensus has any label"
NO_CONSENSUS = "the others of no rating agree on a label"
TITLES = {
    "macro_f1": "macro F1 (mean over the values that occur in ratings or consensus)",
    "weighted_f1": "weighted F1 (weights: how often the consensus has the value)",
    "accuracy": "accuracy (of sets: exact match)",
    "mae": "mean absolute error",
    "ccc": "concordance correlation coefficient (Lin 1989)",
}
AGAINST = {
    "label": " of each rating against the majority of the other ratings of its item, all raters pooled",
    "number": " of each rating against the mean of the other ratings of its item, all raters pooled",
}


@dataclass(frozen=True)
class Ceiling:
    """How well people do when they are scored as models are.

    Attributes:
        scores: macro_f1, weighted_f1 and accuracy; for numbers mae (in units of the scale) and ccc.
        by_rater: The same scores of each rater, by rater code; None where a score does not exist. Empty when
            raters are unknown.
        scored: Ratings that were scored.
        undecided: Ratings that were not, because the other ratings of the item tie.
        reason: Why there are no scores; None when there are.
    """

    scores: Mapping[str, Coefficient]
    by_rater: Mapping[int, Mapping[str, float | None]] = field(default_factory=dict)
    scored: int = 0
    undecided: int = 0
    reason: str | None = None


def human_ceiling(ratings: Ratings, *, n_boot: int = 1000, seed: int = 0) -> Ceiling:
    """Score every rating against the consensus of the other ratings of its item.

    The consensus is the majority (of sets: every label that more than half chose), of numbers the mean.
    Intervals resample clusters, or items where there are none.
    """
    numeric = ratings.level in (Level.INTERVAL, Level.RATIO)
    names = ("mae", "ccc") if numeric else ("macro_f1", "weighted_f1", "accuracy")
    paired = bool((np.bincount(ratings.item, minlength=1) > 1).any())
    many = max(len(ratings.labels), 1) > MOST_CATEGORIES
    if not paired or (not numeric and many):
        return _nothing(names, NO_PAIRS if not paired else TOO_LARGE)
    rows, by_rater, undecided, units = _numbers(ratings) if numeric else _labels(ratings)
    if rows is None or by_rater is None:
        return _nothing(names, TOO_LARGE)
    scored = round(float((rows[:, 0] * units.items).sum()))
    if not scored:
        return _nothing(names, NO_CONSENSUS, undecided)
    values = {name: partial(_concordance if numeric else _f1, score=name) for name in names}
    against = AGAINST["number" if numeric else "label"]
    statistics = {
        name: (TITLES[name] + against, Statistic(rows, value), CONSTANT if numeric else NO_LABEL)
        for name, value in values.items()
    }
    known = ratings.rater is not None and not ratings.repeated
    single = {
        rater: {name: number(value_at(Statistic(rows, value), sums)) for name, value in values.items()}
        for rater, sums in enumerate(by_rater if known else [])
    }
    return Ceiling(estimates(statistics, units, n_boot, seed), single, scored, undecided)


def _nothing(names: tuple[str, ...], reason: str, undecided: int = 0) -> Ceiling:
    scores = {name: Coefficient(None, None, None, None, TITLES[name], reason) for name in names}
    return Ceiling(scores, undecided=undecided, reason=reason)


Scored = tuple[Floats | None, Floats | None, int, Units]
"""Sums of each unit row, sums of each rater, ratings without a consensus, and the units."""


def _labels(ratings: Ratings) -> Scored:
    """Sums (scored, exact hits, then a value each: hits, times rated, times decided)."""
    patterns, of_item = ratings.patterns, ratings.pattern_of_item
    units = Units.of(ratings)
    size = len(ratings.labels)
    width = 2 + 3 * size
    raters = ratings.raters if ratings.rater is not None else 0
    if max(len(patterns.items), raters) * width > MOST_CELLS:
        return None, None, 0, units
    left = leave_one_out(ratings, patterns, of_item)
    is_set = ratings.level is Level.SET
    chosen = ratings.label_matrix
    empty = np.array([is_set and not one for one in ratings.values], dtype=np.float64)
    by_pattern, by_rater = np.zeros((len(patterns.items), width)), np.zeros((raters, width))
    by_cell = tally(left.of_rating, np.ones(len(ratings.item)), len(patterns.pattern))
    alone = patterns.ratings[patterns.pattern] < 2
    undecided = 0.0
    order = np.argsort(left.of_rating, kind="stable")
    for start in range(0, len(patterns.pattern), CHUNK):
        cells = np.arange(start, min(start + CHUNK, len(patterns.pattern)))
        counts = _label_counts(left.patterns, cells, chosen)
        others = patterns.ratings[patterns.pattern[cells]] - 1
        if is_set:
            without = _label_counts(left.patterns, cells, empty[:, None])[:, 0]
            inside, decided = majority_set(counts, others, without)
        else:
            label = majority(counts)
            decided = label != MISSING
            inside = (label[:, None] == np.arange(size)) & decided[:, None]
        own = chosen[patterns.category[cells]] * decided[:, None]
        exact = decided & (own == inside).all(axis=1)
        rows = np.column_stack([decided, exact, own * inside, own, inside]).astype(np.float64)
        undecided += float((by_cell[cells] * ~decided * ~alone[cells]).sum())
        by_pattern += sum_by(rows * patterns.count[cells, None], patterns.pattern[cells], len(patterns.items))
        if ratings.rater is not None:
            ends = np.searchsorted(left.of_rating[order], [start, cells[-1] + 1])
            here = order[ends[0] : ends[1]]
            by_rater += sum_by(rows[left.of_rating[here] - start], ratings.rater[here], raters)
    return by_pattern, by_rater, round(undecided), units


def _label_counts(patterns: Patterns, rows: Ints, chosen: Floats) -> Floats:
    """Ratings with each label in consecutive patterns, shape (rows, labels)."""
    start, stop = np.searchsorted(patterns.pattern, [rows[0], rows[-1] + 1])
    pattern, weight = patterns.pattern[start:stop] - rows[0], patterns.count[start:stop]
    member = chosen[patterns.category[start:stop]] * weight[:, None]
    return sum_by(member, pattern, len(rows))


def _f1(sums: Floats, score: str) -> Floats:
    size = (sums.shape[-1] - 2) // 3
    hits, rated, decided = (sums[..., 2 + k * size : 2 + (k + 1) * size] for k in range(3))
    if score == "accuracy":
        return divide(sums[..., 1], sums[..., 0])
    used = rated + decided > 0
    f1 = np.where(used, divide(2 * hits, rated + decided), 0.0)
    weights = decided if score == "weighted_f1" else used.astype(np.float64)
    return divide((weights * f1).sum(axis=-1), weights.sum(axis=-1))


def _numbers(ratings: Ratings) -> Scored:
    """Sums (scored, absolute error, rating x, mean of the others y, x squared, y squared, x times y)."""
    value = ratings.numbers[ratings.code]
    value = value - value.mean()
    m = np.bincount(ratings.item, minlength=ratings.items)[ratings.item]
    others = divide(tally(ratings.item, value, ratings.items)[ratings.item] - value, (m - 1).astype(float))
    paired = m > 1
    x, y = value[paired], others[paired]
    rows = np.column_stack([np.ones(len(x)), np.abs(x - y), x, y, x**2, y**2, x * y])
    by_rater: Floats = np.zeros((0, rows.shape[1]))
    if ratings.rater is not None:
        by_rater = sum_by(rows, ratings.rater[paired], ratings.raters)
    return sum_by(rows, ratings.item[paired], ratings.items), by_rater, 0, Units.of_items(ratings)


def _concordance(sums: Floats, score: str) -> Floats:
    n, error, x, y, xx, yy, xy = np.moveaxis(sums, -1, 0)
    if score == "mae":
        return divide(error, n)
    mean_x, mean_y = divide(x, n), divide(y, n)
    covariance = divide(xy, n) - mean_x * mean_y
    spread = divide(xx + yy, n) - 2 * mean_x * mean_y  # both variances and the squared difference of means
    return divide(2 * covariance, np.where(spread > 1e-12 * divide(xx + yy, n), spread, 0.0))
