"""What is wrong with an input: located issues, all reported at once.

An `Issue` is one fault with its place. An `InputError` carries every fault that a step found; the three
commands print it and exit with status 2. Steps that merely *report* faults (``corpus check``) return issues
instead of raising.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

MAX_LISTED_CHOICES = 20
MAX_SHOWN_VALUE = 100


@dataclass(frozen=True)
class Issue:
    """One fault and its place.

    Attributes:
        message: What is wrong, one sentence without the place.
        where: File (or dotted part of a definition) that holds the fault.
        line: Line in that file, from 1.
        row: Row of a table, from 1, the header not counted.
        column: Column of a table, or key of a mapping.
        value: The bad value as it was found.
        choices: The values that would have been valid.
        count: How many rows have this fault; ``row`` is the first of them.
    """

    message: str
    where: str | None = None
    line: int | None = None
    row: int | None = None
    column: str | None = None
    value: object = None
    choices: Sequence[object] = ()
    count: int = 1

    def __str__(self) -> str:
        place = self.where or ""
        if self.line is not None:
            place += f":{self.line}"
        parts = [place] if place else []
        if self.row is not None:
            parts.append(f"row {self.row}")
        if self.column is not None:
            parts.append(f"column {self.column!r}" if self.row is not None else f"{self.column}")
        text = ": ".join([", ".join(parts), self.message]) if parts else self.message
        if self.value is not None:
            shown = repr(self.value)
            text += f", got {shown if len(shown) <= MAX_SHOWN_VALUE else shown[:MAX_SHOWN_VALUE] + '…'}"
        if self.choices:
            text += f"; {_valid(self.value, self.choices)}"
        if self.count > 1:
            text += f" ({self.count:,} rows, this is the first)"
        return text


def _valid(value: object, choices: Sequence[object]) -> str:
    """Say which values are valid, the closest one first when the list is long."""
    names = [str(choice) for choice in choices]
    close = get_close_matches(str(value), names, n=1) if value is not None else []
    hint = f"did you mean {close[0]!r}? " if close else ""
    listed = ", ".join(names[:MAX_LISTED_CHOICES])
    more = len(names) - MAX_LISTED_CHOICES
    return f"{hint}valid: {listed}" + (f" and {more} more" if more > 0 else "")


class InputError(Exception):
    """Input that a step cannot work with; carries every fault found, never only the first."""

    def __init__(self, issues: Issue | str | Iterable[Issue]) -> None:
        if isinstance(issues, str):
            issues = Issue(issues)
        self.issues: list[Issue] = [issues] if isinstance(issues, Issue) else list(issues)
        super().__init__("\n".join(str(issue) for issue in self.issues))


class ProjectBusy(InputError):  # noqa: N818 - a fault of the moment, as InputError is one of the input
    """Another command is writing to the project; it passes by itself."""
