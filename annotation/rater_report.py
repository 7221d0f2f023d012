"""What is known about raters: one result that is printed, written as JSON and shown as a page."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rich.table import Table

from annotation.rater_measures import FieldMeasures, Interval


@dataclass(frozen=True)
class Pace:
    """Seconds that a rating took; None where no times are known."""

    median: float | None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class RaterMeasures:
    """One rater.

    Attributes:
        rater: The pseudonym.
        simulated: Whether this is a simulated rater.
        ratings: Utterances rated.
        first: Day of the first rating, None where unknown.
        last: Day of the last one.
        seconds: Median seconds a rating took, with lower and upper quartile.
        fields: The rater in each field.
        by_dialogue: Mean closeness to the others over all fields and number of compared answers.
    """

    rater: str
    simulated: bool
    ratings: int
    first: str | None
    last: str | None
    seconds: Pace
    fields: Mapping[str, FieldMeasures]
    by_dialogue: Mapping[str, tuple[float, int]]


@dataclass(frozen=True)
class RaterReport:
    """All raters of a project.

    Attributes:
        title: Name of the project.
        raters: The raters by name.
        unknown: Ratings without a rater, which are in no comparison of a rater but count as others.
        options: Rows and columns of the confusions, by field.
        made_from: What it was made from.
    """

    title: str
    raters: tuple[RaterMeasures, ...]
    unknown: int
    options: Mapping[str, tuple[str, ...]]
    made_from: Mapping[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """Return what JSON can hold; numbers that do not exist are null."""
        return {
            "title": self.title,
            "raters": {
                one.rater: {key: value for key, value in dataclasses.asdict(one).items() if key != "rater"}
                for one in self.raters
            },
            "ratings_without_rater": self.unknown,
            "options": {name: list(options) for name, options in self.options.items()},
            "made_from": dict(self.made_from),
        }

    def table(self) -> Table:
        """Return a table for a terminal, a row a rater and field."""
        table = Table(title=f"Raters of {self.title}, each against the others")
        for head in ("rater", "field"):
            table.add_column(head)
        for head in ("answers", "cannot tell", "accuracy", "bias", "drift", "guessing", "no information"):
            table.add_column(head, justify="right")
        for one in self.raters:
            for name, found in one.fields.items():
                table.add_row(
                    one.rater,
                    name,
                    f"{found.answers:,}",
                    _share(found.cannot_tell),
                    _interval(found.accuracy),
                    _interval(found.bias),
                    _interval(found.drift),
                    _share(found.guessing),
                    _share(found.no_information),
                )
        return table


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def _interval(found: Interval) -> str:
    if found.value is None:
        return ""
    ends = "" if found.low is None else f" [{found.low:.2f}, {found.high:.2f}]"
    return f"{found.value:.2f}{ends}"
