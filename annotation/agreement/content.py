"""What an agreement report holds, as Python objects and as the stable JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from annotation.agreement.field_report import FieldReport, Options
from annotation.agreement.results import Coefficient
from schemas.fields import Level

MEASURES = {
    "prevalence": "prevalence",
    "alpha": "alpha",
    "ac1": "AC1",
    "ac2": "AC2",
    "positive": "positive agreement",
    "negative": "negative agreement",
    "retest": "retest alpha",
    "split_half": "split-half alpha",
    "ceiling": "human ceiling",
}
"""What the table of a field shows, with its titles."""
GWET = {"gwet_ac1": "AC1", "gwet_ac2": "AC2"}
ALL_VALUES = ""


def gwet_of(level: str) -> str:
    """Which of Gwet's coefficients tells most: AC2, with the distances of the level, where it has any."""
    return "gwet_ac1" if level == Level.NOMINAL else "gwet_ac2"


def titles(level: str) -> dict[str, str]:
    """Titles of `MEASURES`; numbers have a mean and a standard deviation instead of prevalences."""
    numeric = level in (Level.INTERVAL, Level.RATIO)
    return MEASURES | ({"prevalence": "mean, sd"} if numeric else {})


def shown_measures(level: str, known: set[str]) -> list[str]:
    """Which measures the table of a field shows, of those that are known.

    Numbers have AC2 instead of AC1, which would ask them to be equal; where values have rows of their own,
    AC1 is that of "this value or not".
    """
    left_out = "ac1" if level in (Level.INTERVAL, Level.RATIO) else "ac2"
    return [key for key in MEASURES if key in known and key != left_out]


@dataclass(frozen=True)
class Row:
    """A row of the table of a field.

    Attributes:
        value: A value, ``mean`` or ``sd`` of a field of numbers, or `ALL_VALUES`.
        ratings: How many ratings it is about.
        measures: By the names of `MEASURES`; those that have no meaning here are left out.
    """

    value: str
    ratings: int
    measures: Mapping[str, Coefficient]


def rows(one: FieldReport) -> Iterator[Row]:
    """The table of a field: a row for all values together, and a row a value."""
    found = one.agreement
    again = one.retest.overall
    score = "ccc" if "ccc" in one.ceiling.scores else "macro_f1"
    missing = Coefficient(None, None, None, None, "test-retest alpha of each rater", one.retest.reason)
    yield Row(
        ALL_VALUES,
        found.ratings,
        {
            "alpha": found.coefficients["alpha"],
            "ac1": found.coefficients["gwet_ac1"],
            "ac2": found.coefficients["gwet_ac2"],
            "retest": missing if again is None else again.coefficients["alpha"],
            "split_half": one.split_half.alpha,
            "ceiling": one.ceiling.scores[score],
        },
    )
    numbers = not one.specific and "mean" in one.prevalence
    for value, share in one.prevalence.items():
        if numbers:
            yield Row(value, found.ratings, {"prevalence": share})
            continue
        measures = {"prevalence": share}
        if value in found.per_category:
            measures["alpha"] = found.per_category[value]
        if value in one.value_ac1:
            measures["ac1"] = one.value_ac1[value]
        if value in one.specific:
            measures["positive"] = one.specific[value].positive
            measures["negative"] = one.specific[value].negative
        if again is not None and value in again.per_category:
            measures["retest"] = again.per_category[value]
        yield Row(value, round((share.value or 0.0) * found.ratings), measures)


@dataclass(frozen=True)
class Report:
    """Agreement on several fields.

    Attributes:
        title: What was rated: the project or the file.
        item: What items are called.
        cluster: What intervals resample, in words.
        fields: A report a field.
        options: How it was measured.
        simulated: Raters that are simulated.
        made_from: Content hashes of the inputs, parameters and version.
    """

    title: str
    item: str
    cluster: str
    fields: tuple[FieldReport, ...]
    options: Options
    simulated: tuple[str, ...]
    made_from: Mapping[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """The stable JSON, under ``fields``; what else there is to tell stands beside it."""
        return {
            "fields": {one.name: one.agreement.to_dict() for one in self.fields},
            "relations": {
                one.name: {
                    "applicable": one.relation.applicable.to_dict(),
                    "given_parts": one.relation.given_parts.to_dict(),
                    "told_by_parts": None if one.told is None else asdict(one.told),
                }
                for one in self.fields
                if one.relation is not None
            },
            "summary": {one.name: [asdict(row) for row in rows(one)] for one in self.fields},
            "unanswered": {one.name: dict(one.unanswered) for one in self.fields},
            "simulated_raters": list(self.simulated),
            "made_from": dict(self.made_from),
        }
