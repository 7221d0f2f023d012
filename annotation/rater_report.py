"""What is known about raters: one result that is printed, written as JSON and shown as a page."""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from rich.markup import escape
from rich.table import Table

from annotation.rater_measures import FEWEST, NOBODY_ELSE, FieldMeasures, Interval

SIDE_BY_SIDE = 6
"""Most raters who stand side by side on a terminal; of more there is a summary."""
WHOLE = 24
"""Names of fields up to this length stand in one line; those of raters take lines for it."""
LOOKS = 20
"""Most raters and fields that a terminal lists as worth looking at together."""
UNRELATED = 0.9
"""Probability from which answers are said to have no relation to those of the others."""


class Why(StrEnum):
    """Why a rater's answers to a field are worth looking at together; each is its mark."""

    DIFFERS = "≠"
    DRIFTS = "↓"
    UNRELATED = "?"


WORDS: Mapping[Why, str] = {
    Why.DIFFERS: "differs more than most",
    Why.DRIFTS: "further from the others later on",
    Why.UNRELATED: "no relation to the others shown",
}
MARKS = "   ".join(f"{why} {words}" for why, words in WORDS.items())


@dataclass(frozen=True)
class Look:
    """One rater in one field, to be looked at together with the rater.

    Attributes:
        rater: The pseudonym.
        field: The field.
        measures: The rater in the field.
        why: What is worth looking at.
    """

    rater: str
    field: str
    measures: FieldMeasures
    why: tuple[Why, ...]


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
        timed: Whether all ratings say when they were given; otherwise drift follows the order of the table.
        options: Rows and columns of the confusions, by field.
        made_from: What it was made from.
    """

    title: str
    raters: tuple[RaterMeasures, ...]
    unknown: int
    timed: bool
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
            "timed": self.timed,
            "look_at": [
                {"rater": look.rater, "field": look.field, "why": [why.name.casefold() for why in look.why]}
                for look in self.looks()
            ],
            "options": {name: list(options) for name, options in self.options.items()},
            "made_from": dict(self.made_from),
        }

    def looks(self) -> list[Look]:
        """Find what is worth looking at together, where there are most answers first."""
        found = []
        for name in self.options:
            middle = self.median(name)
            for one in self.raters:
                why = reasons(one.fields[name], middle)
                if why:
                    found.append(Look(one.rater, name, one.fields[name], why))
        return sorted(found, key=lambda look: (-look.measures.compared, look.rater))

    def median(self, field: str) -> float | None:
        """Return the median of the raters' agreement with the others; None of fewer than three."""
        values = self._accuracies(field)
        return statistics.median(values) if len(values) > 2 else None

    def _accuracies(self, field: str) -> list[float]:
        found = (one.fields[field].accuracy.value for one in self.raters)
        return [value for value in found if value is not None]

    def tables(self, most: int = LOOKS) -> list[Table]:
        """Return tables for a terminal: the raters side by side, or, of many, a summary and where to look.

        None where nothing could be compared: `lines` says so.

        Args:
            most: The most looks that are listed; the page and the JSON hold the rest.
        """
        if not self._is_compared():
            return []
        if len(self.raters) <= SIDE_BY_SIDE:
            return [self._side_by_side()]
        return [self._summary(), *([self._listed(most)] if self.looks() else [])]

    def lines(self) -> Iterator[str]:
        """Say what no table shows."""
        if not self._is_compared():
            yield f"nothing to compare: {NOBODY_ELSE}"
        if self.unknown:
            yield f"{self.unknown:,} ratings have no rater; they count among the others only"
        if not self.timed and self._is_compared():
            yield f"not all ratings say when they were given: {Why.DRIFTS} follows the order of the tables"

    def _is_compared(self) -> bool:
        return any(found.compared for one in self.raters for found in one.fields.values())

    def _side_by_side(self) -> Table:
        """A row a field and a column a rater."""
        table = Table(title=escape(f"Raters of {self.title}: agreement with the others"), caption=MARKS)
        table.add_column("field", overflow="fold", no_wrap=max(map(len, self.options)) <= WHOLE)
        for one in self.raters:
            table.add_column(escape(one.rater), justify="right", overflow="fold")
        for name in self.options:
            middle = self.median(name)
            table.add_row(name, *(_cell(one.fields[name], middle) for one in self.raters))
        return table

    def _summary(self) -> Table:
        """A row a field: how the agreement of all raters is spread, and how many have which mark."""
        title = f"{len(self.raters):,} raters of {self.title}: agreement with the others"
        table = Table(title=escape(title), caption=MARKS)
        table.add_column("field", overflow="fold")
        for head in ("raters compared", "lower quartile", "median", "upper quartile", *Why):
            table.add_column(head, justify="right")
        looks = self.looks()
        for name in self.options:
            values = self._accuracies(name)
            quarters = statistics.quantiles(values, n=4, method="inclusive") if len(values) > 1 else []
            shown = [f"{value:.2f}" for value in quarters] or [""] * 3
            counts = [sum(look.field == name and why in look.why for look in looks) for why in Why]
            table.add_row(name, f"{len(values):,}", *shown, *(f"{count:,}" for count in counts))
        return table

    def _listed(self, most: int) -> Table:
        """A row a rater and field that is worth looking at."""
        looks = self.looks()
        more = f"{len(looks) - most:,} more stand on the page" if len(looks) > most else None
        table = Table(title="Worth looking at together, most answers first", caption=more)
        for head in ("rater", "field"):
            table.add_column(head, overflow="fold")
        for head in ("compared", "agreement"):
            table.add_column(head, justify="right", no_wrap=True)
        table.add_column("what")
        for look in looks[:most]:
            found = look.measures
            what = "; ".join(WORDS[why] for why in look.why)
            agreement = _interval(found.accuracy)
            table.add_row(escape(look.rater), look.field, f"{found.compared:,}", agreement, what)
        return table


def reasons(found: FieldMeasures, middle: float | None) -> tuple[Why, ...]:
    """Return why one rater's answers to a field are worth looking at together.

    Args:
        found: The rater in the field.
        middle: The median of all raters' agreement with the others.
    """
    high, drift = found.accuracy.high, found.drift.high
    held = {
        Why.DIFFERS: found.compared >= FEWEST and high is not None and middle is not None and high < middle,
        Why.DRIFTS: drift is not None and drift < 0,
        Why.UNRELATED: found.no_information is not None and found.no_information >= UNRELATED,
    }
    return tuple(why for why, is_so in held.items() if is_so)


def _cell(found: FieldMeasures, middle: float | None) -> str:
    if found.accuracy.value is None:
        return ""
    return " ".join([f"{found.accuracy.value:.2f}", *reasons(found, middle)])


def _interval(found: Interval) -> str:
    if found.value is None or found.low is None or found.high is None:
        return "" if found.value is None else f"{found.value:.2f}"
    return f"{found.value:.2f} ({found.low:.2f} to {found.high:.2f})"
