"""What is known about raters: one result that is printed, written as JSON and shown as a page."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rich.table import Table

from annotation.rater_measures import FieldMeasures


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
        """Return a table for a terminal, a row a field and a column a rater: closeness to the others.

        The page and the JSON hold the rest. A mark says what to look at together: ``↓`` the last third of the
        answers is further from the others than the first, and its interval excludes 0; ``?`` the answers more
        probably than not carry no information.
        """
        marks = "↓ further from the others towards the end   ? answers may carry no information"
        table = Table(title=f"Raters of {self.title}: agreement with the others", caption=marks)
        table.add_column("field", no_wrap=True)
        for one in self.raters:
            table.add_column(one.rater, justify="right", overflow="fold")
        for name in self.options:
            table.add_row(name, *(_closeness(one.fields.get(name)) for one in self.raters))
        return table


def _closeness(found: FieldMeasures | None) -> str:
    if found is None or found.accuracy.value is None:
        return ""
    drifts = found.drift.high is not None and found.drift.high < 0
    empty = found.no_information is not None and found.no_information > 0.5
    return f"{found.accuracy.value:.2f}{' ↓' * drifts}{' ?' * empty}"
