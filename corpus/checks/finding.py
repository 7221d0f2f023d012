"""What a check found."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

MAX_EXAMPLES = 5


class Severity(StrEnum):
    """How bad a finding is."""

    ERROR = "error"
    """The tables contradict each other or the schema: what is built from them would be wrong."""
    WARNING = "warning"
    """A defect of the data that can spoil what is learned or measured from them."""
    INFO = "info"
    """Worth knowing before the corpus is used."""


@dataclass(frozen=True)
class Finding:
    """What one check found, counted and located.

    Attributes:
        check: Name of the check, ``FILE.CONCERN`` (``times.overlap``).
        severity: How bad it is.
        message: One sentence, with the counts.
        count: How many rows, pairs, values or units are concerned.
        of: Out of how many; None where there is no such number.
        subject: The column, field, table or pair of splits that it is about; None if it is the only one.
        examples: At most five of those concerned: utterance ids or values.
    """

    check: str
    severity: Severity
    message: str
    count: int
    of: int | None = None
    subject: str | None = None
    examples: tuple[str, ...] = ()
