"""The methods, and which one decides which type of field when a method is asked for.

A schema has fields of several types, and hardly a method is defined for all of them. The table says what
stands in, so that swapping methods is one word; the account of a step names what was used for each field.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from annotation.aggregation.answers import Answers
from annotation.aggregation.dawid_skene import dawid_skene
from annotation.aggregation.deciding import (
    Columns,
    Scoring,
    Voting,
    decide_number,
    decide_set,
    decide_value,
)
from annotation.aggregation.estimate import Estimate
from annotation.aggregation.ewe import ewe_score
from annotation.aggregation.gaussian_raters import gaussian_raters
from annotation.aggregation.glad import glad
from annotation.aggregation.mace import mace
from annotation.aggregation.majority import majority
from annotation.aggregation.mean import mean_score
from annotation.aggregation.median import median, median_score, signed_median
from annotation.aggregation.one_coin_dawid_skene import one_coin_dawid_skene
from annotation.aggregation.ordinal_dawid_skene import ordinal_dawid_skene
from annotation.aggregation.outcome import FieldOutcome, notes_on
from annotation.aggregation.weighted_majority import weighted_majority
from schemas.fields import Field, IntervalField, MultilabelField, RelationField

VOTING: Mapping[str, Voting] = MappingProxyType(
    {
        "majority": majority,
        "weighted_majority": weighted_majority,
        "median": median,
        "dawid_skene": dawid_skene,
        "one_coin_dawid_skene": one_coin_dawid_skene,
        "ordinal_dawid_skene": ordinal_dawid_skene,
        "mace": mace,
        "glad": glad,
    }
)
SCORING: Mapping[str, Scoring] = MappingProxyType(
    {"mean": mean_score, "median": median_score, "ewe": ewe_score, "gaussian_raters": gaussian_raters}
)
SIGNED_MEDIAN = "signed_median"
VOTE_SHARES = ("majority", "weighted_majority", "median", "mean", "ewe", SIGNED_MEDIAN)
"""Methods whose soft labels are shares of votes or of weights, and not what a model holds for probable."""


class ByType(NamedTuple):
    """The method that decides each type of field."""

    nominal: str
    ordinal: str
    multilabel: str
    interval: str
    relation: str

    def of(self, field: Field) -> str:
        """Return the method for a field."""
        return str(getattr(self, field.type))


def _by_votes(name: str, interval: str) -> ByType:
    return ByType(name, name, name, interval, SIGNED_MEDIAN)


METHODS: Mapping[str, ByType] = MappingProxyType(
    {
        "majority": ByType("majority", "majority", "majority", "mean", SIGNED_MEDIAN),
        "weighted_majority": _by_votes("weighted_majority", "ewe"),
        "median": ByType("majority", "median", "majority", "median", SIGNED_MEDIAN),
        "mean": ByType("majority", "median", "majority", "mean", SIGNED_MEDIAN),
        "ewe": _by_votes("weighted_majority", "ewe"),
        "dawid_skene": _by_votes("dawid_skene", "gaussian_raters"),
        "one_coin_dawid_skene": _by_votes("one_coin_dawid_skene", "gaussian_raters"),
        "ordinal_dawid_skene": ByType(
            "dawid_skene", "ordinal_dawid_skene", "dawid_skene", "gaussian_raters", "ordinal_dawid_skene"
        ),
        "gaussian_raters": _by_votes("dawid_skene", "gaussian_raters"),
        "mace": _by_votes("mace", "gaussian_raters"),
        "glad": _by_votes("glad", "gaussian_raters"),
    }
)
"""By the name that is asked for."""


def decide_field(answers: Answers, method: str) -> tuple[Columns, FieldOutcome]:
    """Decide one field.

    Args:
        answers: Its answers.
        method: One of `METHODS`.

    Returns:
        The columns of `records.decided_columns`, a row an item, and how they were decided.
    """
    field = answers.field
    used = METHODS[method].of(field)
    raters = {}
    if isinstance(field, IntervalField):
        columns, scored = decide_number(answers, SCORING[used])
        converged, iterations, raters[""] = scored.converged, scored.iterations, scored.raters
    else:
        if isinstance(field, MultilabelField):
            columns, estimates = decide_set(answers, VOTING[used])
        else:
            estimates = {"": _estimate(answers, field, used)}
            columns = decide_value(answers, estimates[""])
        converged = all(one.converged for one in estimates.values())
        iterations = max(one.iterations for one in estimates.values())
        raters = {part: one.raters for part, one in estimates.items()}
    notes = notes_on(answers, method, used, converged)
    return columns, FieldOutcome(field.name, used, notes, converged, iterations, raters, answers.raters)


def _estimate(answers: Answers, field: Field, used: str) -> Estimate:
    if used == SIGNED_MEDIAN:
        assert isinstance(field, RelationField)
        return signed_median(answers.votes(), field.categories.index(0))
    return VOTING[used](answers.votes())
