"""How close a rater's answers come to a key, corrected for chance.

One measure for all levels: 1 - observed / expected distance, the expected one that of the rater's answers
shuffled over the items (Cohen 1960, 1968). By level this is Cohen's kappa (nominal), linearly weighted kappa
(ordinal, relation), Lin's concordance correlation coefficient (interval; Lin 1989), and kappa with the MASI
distance (sets; Passonneau 2006). 1: as the key; 0: no closer than somebody who does not look at the item but
answers as often this or that. A share of right answers would pass whoever always says "none" where that is
nearly always so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from annotation.agreement.distances import set_distance
from annotation.answer_key import Answer
from schemas.fields import (
    Field,
    IntervalField,
    Missing,
    MultilabelField,
    OrdinalField,
    RelationField,
    Text,
)

MEASURES: Mapping[str, Text] = {
    "nominal": Text("Cohen's kappa", "Cohen's kappa"),
    "ordinal": Text("linearly weighted kappa", "线性加权 kappa"),
    "relation": Text("linearly weighted kappa", "线性加权 kappa"),
    "interval": Text("Lin's concordance correlation", "Lin 一致性相关系数"),
    "multilabel": Text("kappa with MASI distance", "MASI 距离 kappa"),
}
"""The name of the measure by type of field."""

ONE_ANSWER = "the key has one answer only"


@dataclass(frozen=True)
class Score:
    """One rater's answers to one field against the key.

    Attributes:
        items: Items with a known answer; what was not answered counts as wrong.
        same: How many of the answers are the known ones.
        value: The measure, at most 1; None where it does not exist.
        reason: Why it does not.
    """

    items: int
    same: int
    value: float | None
    reason: str | None = None


def score(one: Field, given: Sequence[Answer], known: Sequence[Answer]) -> Score:
    """Score answers against the known ones.

    Args:
        one: The field.
        given: The answers; a `Missing` where there is none.
        known: The known answers of the same items, in the same order.
    """
    pairs = Counter(zip(given, known, strict=True))
    observed = sum(count * distance(one, *pair) for pair, count in pairs.items())
    expected = sum(
        often * times * distance(one, mine, right)
        for mine, often in Counter(given).items()
        for right, times in Counter(known).items()
    )
    same = sum(count for (mine, right), count in pairs.items() if mine == right)
    if len(set(known)) < 2 or expected <= 0:
        return Score(len(known), same, None, ONE_ANSWER if known else "no item has a known answer")
    return Score(len(known), same, 1 - observed * len(known) / expected)


def distance(one: Field, mine: Answer, right: Answer) -> float:
    """Return how far two answers are apart, 0 to 1; of no answer and an answer: 1."""
    if mine == right:
        return 0.0
    if isinstance(mine, Missing) or isinstance(right, Missing):
        return 1.0
    if isinstance(one, MultilabelField):
        assert isinstance(mine, frozenset)
        assert isinstance(right, frozenset)
        return float(set_distance([mine, right], "masi")[0, 1])
    if isinstance(one, IntervalField):
        return float(((float(mine) - float(right)) / (one.high - one.low)) ** 2)  # type: ignore[arg-type]
    if isinstance(one, OrdinalField | RelationField):
        places: list[object] = list(one.categories)
        return abs(places.index(mine) - places.index(right)) / (len(places) - 1)
    return 1.0
