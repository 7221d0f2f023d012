"""Value by value: how often it is used, and how far raters agree on its presence and on its absence.

For a rare value the share of agreeing raters is high because nobody sees it; agreement on its presence alone
is what shows whether it can be seen (Cicchetti and Feinstein, Journal of Clinical Epidemiology 43, 1990).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from annotation.agreement.coefficients import Statistic, divide
from annotation.agreement.estimation import MOST_CELLS, Units
from annotation.agreement.patterns import Floats, Ints, Patterns, tally
from annotation.agreement.reading import Ratings
from annotation.agreement.reasons import MOST_CATEGORIES, NO_PAIRS
from annotation.agreement.results import Coefficient
from annotation.agreement.unit_sums import estimates
from schemas.fields import Level

NO_VARIATION = "0 and 1 have no interval: no resample differs from them"


@dataclass(frozen=True)
class SpecificAgreement:
    """Agreement on one value.

    Attributes:
        positive: Of the pairs of ratings of an item whose one rating has the value, the share whose other
            rating has it too, 0 to 1.
        negative: The same for not having it.
        ratings: How many ratings have the value.
    """

    positive: Coefficient
    negative: Coefficient
    ratings: int


def specific_agreement(
    ratings: Ratings, *, n_boot: int = 1000, seed: int = 0
) -> Mapping[str, SpecificAgreement]:
    """Positive and negative specific agreement of every value; for sets, of every label.

    With two raters it is 2a / (2a + b + c) and 2d / (2d + b + c) of the two-by-two table; with more, agreeing
    pairs over possible pairs: sum n_k (n_k - 1) / sum n_k (n - 1) over items with n ratings, n_k of them of
    the value.

    Returns:
        By value in the order of the field; empty for numbers, and for more values than can be told apart.
    """
    numeric = ratings.level in (Level.INTERVAL, Level.RATIO)
    if numeric or not 0 < len(ratings.labels) <= MOST_CATEGORIES:
        return {}
    patterns = ratings.patterns
    chosen = _label_counts(ratings, patterns)
    n = patterns.ratings[:, None]
    rest = n - chosen
    rows = np.hstack([chosen * (chosen - 1), chosen * (n - 1), rest * (rest - 1), rest * (n - 1)])
    statistics = {}
    size = len(ratings.labels)
    for k, label in enumerate(ratings.labels):
        for sign, block in (("positive", 0), ("negative", 2)):
            statistics[f"{sign} {label}"] = (
                f"{sign} specific agreement on {label!r} (Cicchetti and Feinstein 1990), pairs of ratings",
                Statistic(rows, partial(_share, top=block * size + k, bottom=(block + 1) * size + k)),
                NO_PAIRS if not patterns.pairable.any() else _nobody(sign),
            )
    found = estimates(statistics, Units.of(ratings), n_boot, seed)
    totals = (chosen * patterns.items[:, None]).sum(axis=0)
    return {
        label: SpecificAgreement(
            _varied(found[f"positive {label}"]), _varied(found[f"negative {label}"]), round(float(total))
        )
        for label, total in zip(ratings.labels, totals, strict=True)
    }


def _nobody(sign: str) -> str:
    used = "nobody" if sign == "positive" else "everybody"
    return f"{used} chose this value on an item with two ratings"


def prevalence(ratings: Ratings, *, n_boot: int = 1000, seed: int = 0) -> Mapping[str, Coefficient]:
    """How ratings are spread over the values.

    Returns:
        Share of the ratings that have each value (of a set: each label, and ``"[]"`` for the empty set), 0 to
        1; for numbers their ``"mean"`` and their standard deviation ``"sd"``.
    """
    if ratings.level in (Level.INTERVAL, Level.RATIO):
        return _moments(ratings, n_boot, seed)
    patterns = ratings.patterns
    if len(patterns.items) * (len(ratings.labels) + 2) > MOST_CELLS:
        return {}
    counts, names = _label_counts(ratings, patterns), list(map(str, ratings.labels))
    if ratings.level is Level.SET:
        empty = np.array([not one for one in ratings.values], dtype=np.float64)
        counts, names = np.column_stack([counts, patterns.dot(empty)]), [*names, "[]"]
    rows = np.column_stack([counts, patterns.ratings])
    statistics = {
        name: (
            "share of all ratings",
            Statistic(rows, partial(_share, top=k, bottom=len(names))),
            "there are no ratings",
        )
        for k, name in enumerate(names)
    }
    found = estimates(statistics, Units.of(ratings), n_boot, seed)
    return {name: _varied(one) for name, one in found.items()}


def _label_counts(ratings: Ratings, patterns: Patterns) -> Floats:
    """Ratings of an item of each pattern that have each label, shape (patterns, labels)."""
    counts = [patterns.dot(chosen) for chosen in ratings.label_matrix.T]
    return np.column_stack(counts) if counts else np.zeros((len(patterns.items), 0))


def _share(sums: Floats, top: int, bottom: int) -> Floats:
    return divide(sums[..., top], sums[..., bottom])


def _varied(share: Coefficient) -> Coefficient:
    """A share of 0 or 1 without the interval from 0 to 0 that resampling would claim."""
    if share.value not in (0.0, 1.0):
        return share
    return replace(share, se=None, low=None, high=None, reason=share.reason or NO_VARIATION)


def _moments(ratings: Ratings, n_boot: int, seed: int) -> Mapping[str, Coefficient]:
    number_of = ratings.numbers[ratings.code]
    centre = float(number_of.mean()) if len(number_of) else 0.0
    centred = number_of - centre
    rows = _item_moments(ratings.item, centred, ratings.items)

    def mean(sums: Floats) -> Floats:
        return divide(sums[..., 1], sums[..., 0]) + centre + ratings.offset

    def deviation(sums: Floats) -> Floats:
        square = sums[..., 2] - divide(sums[..., 1] ** 2, sums[..., 0])
        return np.asarray(np.sqrt(divide(np.maximum(square, 0.0), np.maximum(sums[..., 0] - 1, 0))))

    few = "fewer than two ratings"
    statistics = {
        "mean": ("mean of all ratings", Statistic(rows, mean), "there are no ratings"),
        "sd": ("standard deviation of all ratings (n - 1)", Statistic(rows, deviation), few),
    }
    return estimates(statistics, Units.of_items(ratings), n_boot, seed)


def _item_moments(item: Ints, number_of: Floats, items: int) -> Floats:
    powers = (np.ones(len(number_of)), number_of, number_of**2)
    return np.column_stack([tally(item, one, items) for one in powers])
