"""Agreement of every rater with every other: Cohen's kappa with the weights that fit the level."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from annotation.agreement import distances
from annotation.agreement.pairwise import pair_tables
from annotation.agreement.patterns import Floats, OrderedPatterns
from annotation.agreement.reading import Ratings
from annotation.agreement.reasons import MOST_CATEGORIES, REPEATED, UNKNOWN_RATERS
from annotation.agreement.results import number
from schemas.fields import Level

MOST_RATERS = 16


@dataclass(frozen=True)
class RaterPairs:
    """Agreement rater by rater.

    Attributes:
        raters: Codes of the raters shown: those with most ratings, in the order of their codes.
        kappa: Of each pair, shape (raters, raters); None on the diagonal, and where two raters share no item
            or chance leaves nothing to agree on.
        items: How many items both rated, shape (raters, raters).
        definition: Which kappa it is.
        reason: Why there is nothing; None when there is.
    """

    raters: tuple[int, ...]
    kappa: tuple[tuple[float | None, ...], ...]
    items: tuple[tuple[int, ...], ...]
    definition: str
    reason: str | None = None


def rater_pairs(ratings: Ratings, most: int = MOST_RATERS) -> RaterPairs:
    """Cohen's kappa of every two of the ``most`` raters with most ratings."""
    if ratings.rater is None or ratings.repeated or ratings.raters < 2:
        reason = UNKNOWN_RATERS if ratings.rater is None else REPEATED
        return RaterPairs((), (), (), "", reason if ratings.raters > 1 else "there is only one rater")
    if len(ratings.values) > MOST_CATEGORIES:
        return RaterPairs((), (), (), "", f"more than {MOST_CATEGORIES} distinct values are no categories")
    counts = np.bincount(ratings.rater, minlength=ratings.raters)
    shown = np.sort(np.argsort(-counts, kind="stable")[:most])
    place = np.full(ratings.raters, -1)
    place[shown] = np.arange(len(shown))
    here = np.flatnonzero(place[ratings.rater] >= 0)
    items, item = np.unique(ratings.item[here], return_inverse=True)
    rater, code = place[ratings.rater[here]], ratings.code[here]
    order = np.lexsort((rater, item))
    ordered = OrderedPatterns(
        np.ones(len(items), np.int64), item[order], rater[order], code[order], len(shown), len(ratings.values)
    )
    weights, definition = _weights(ratings)
    tables = pair_tables(ordered, weights)
    kappa: list[list[float | None]] = [[None] * len(shown) for _ in shown]
    shared = np.zeros((len(shown), len(shown)), np.int64)
    for (one, two), value, both in zip(
        tables.raters.tolist(), tables.values.tolist(), tables.items.tolist(), strict=True
    ):
        kappa[one][two] = kappa[two][one] = number(value)
        shared[one, two] = shared[two, one] = round(both)
    return RaterPairs(
        tuple(shown.tolist()), tuple(map(tuple, kappa)), tuple(map(tuple, shared.tolist())), definition
    )


def _weights(ratings: Ratings) -> tuple[Floats | None, str]:
    if ratings.level is Level.NOMINAL:
        return None, "Cohen's kappa, unweighted"
    if ratings.level is Level.SET:
        return 1 - distances.set_distance(ratings.values), "Cohen's kappa, weights 1 - MASI distance"
    if ratings.level is Level.ORDINAL:
        return distances.agreement_weights("linear", ratings.numbers), "Cohen's kappa, linear weights"
    return distances.agreement_weights("quadratic", ratings.numbers), "Cohen's kappa, quadratic weights"
