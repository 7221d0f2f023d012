"""What came of deciding labels: the labels, how each field was decided, and what to know about it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from annotation.aggregation.answers import Answers
from annotation.aggregation.votes import Votes
from annotation.agreement.patterns import Floats
from annotation.agreement.results import number
from schemas.fields import IntervalField, MultilabelField

NAMED = 10
"""Most raters or values that a note names to people; its ``about`` has them all."""


class NoteKind(StrEnum):
    """What can be worth knowing about how a field was decided. None of these stops the step."""

    NO_ANSWERS = "no_answers"
    ONE_RATER = "one_rater"
    NO_OVERLAP = "no_overlap"
    UNKNOWN_RATERS = "unknown_raters"
    UNUSED_VALUE = "unused_value"
    NOT_CONVERGED = "not_converged"
    OTHER_METHOD = "other_method"


@dataclass(frozen=True)
class Note:
    """One thing to know about how a field was decided.

    Attributes:
        kind: What it is.
        message: The same for people.
        about: The raters or values that it is about.
    """

    kind: NoteKind
    message: str
    about: tuple[str, ...] = ()

    def __str__(self) -> str:
        more = f" and {len(self.about) - NAMED:,} more" if len(self.about) > NAMED else ""
        return f"{self.message}: {', '.join(self.about[:NAMED])}{more}" if self.about else self.message


@dataclass(frozen=True)
class FieldOutcome:
    """How one field was decided.

    Attributes:
        field: Its name.
        method: The method that was used for this type of field.
        notes: What to know about it.
        converged: Whether iterative methods settled.
        iterations: Iterations that they took, of the longest when there were several.
        raters: What was estimated about raters: part (a value of a set, "told", or "" for the field itself),
            then parameter, raters first in every shape.
        names: The raters, in the order of these shapes.
    """

    field: str
    method: str
    notes: tuple[Note, ...]
    converged: bool
    iterations: int
    raters: Mapping[str, Mapping[str, Floats]]
    names: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return what JSON can hold, without what is said about single raters."""
        return {
            "method": self.method,
            "converged": self.converged,
            "iterations": self.iterations,
            "notes": [{**vars(note), "about": list(note.about)} for note in self.notes],
        }

    def estimates(self) -> dict[str, Any]:
        """Return what was estimated about raters, by part and parameter; null for what does not exist."""
        return {
            part or self.field: {
                name: dict(zip(self.names, map(_plain, values), strict=True))
                for name, values in found.items()
            }
            for part, found in self.raters.items()
            if found
        }


def _plain(values: Floats | float) -> Any:  # noqa: ANN401 - a number, or lists of them
    if isinstance(values, np.ndarray):
        return [_plain(one) for one in values]
    return number(float(values))


@dataclass(frozen=True)
class Decided:
    """Decided labels and how they were decided.

    Attributes:
        labels: A table under `records.labels_schema`.
        method: The method that was asked for.
        min_agreement: The least agreement of a decided item, or None.
        fields: How each field was decided, in schema order.
    """

    labels: pa.Table
    method: str
    min_agreement: float | None
    fields: tuple[FieldOutcome, ...]

    def notes(self) -> Iterator[tuple[str, Note]]:
        """Every note with the name of its field."""
        for one in self.fields:
            for note in one.notes:
                yield one.field, note

    def to_dict(self) -> dict[str, Any]:
        """Return what JSON can hold, without what is said about single raters."""
        return {
            "method": self.method,
            "min_agreement": self.min_agreement,
            "fields": {one.field: one.to_dict() for one in self.fields},
        }

    def estimates(self) -> dict[str, Any]:
        """Return what was estimated about raters, by field, part and parameter, as JSON can hold it."""
        return {one.field: one.estimates() for one in self.fields}


def notes_on(answers: Answers, asked: str, used: str, converged: bool) -> tuple[Note, ...]:
    """Look for what is worth knowing about the answers to one field and how they were decided.

    Args:
        answers: The answers.
        asked: The method that was asked for.
        used: The method that was used.
        converged: Whether it settled.
    """
    notes = []
    if used != asked:
        kind = answers.field.type
        notes.append(Note(NoteKind.OTHER_METHOD, f"{asked} does not decide {kind} fields: {used} was used"))
    told = answers.told
    if not told.any():
        return (*notes, Note(NoteKind.NO_ANSWERS, "nobody answered"))
    if not answers.known:
        notes.append(
            Note(NoteKind.UNKNOWN_RATERS, "unknown raters are treated as one who rates an item several times")
        )
    who = np.unique(answers.rater[told])
    if len(who) == 1 and answers.known:
        name = answers.raters[who[0]]
        notes.append(Note(NoteKind.ONE_RATER, "all answers are one rater's, and were taken over", (name,)))
    else:
        alone = Votes(
            answers.item[told], answers.rater[told], np.zeros(int(told.sum()), dtype=np.int64),
            answers.items, len(answers.raters), 1, 1,
        ).alone  # fmt: skip
        if len(alone):
            names = tuple(answers.raters[rater] for rater in alone)
            notes.append(
                Note(
                    NoteKind.NO_OVERLAP, "raters who share no utterance with anybody cannot be judged", names
                )
            )
    unused = _unused(answers)
    if unused:
        notes.append(Note(NoteKind.UNUSED_VALUE, "values that nobody used", unused))
    if not converged:
        notes.append(
            Note(NoteKind.NOT_CONVERGED, f"{used} had not settled when it reached its most iterations")
        )
    return tuple(notes)


def _unused(answers: Answers) -> tuple[str, ...]:
    if isinstance(answers.field, IntervalField):
        return ()
    categories = answers.field.categories  # type: ignore[attr-defined]
    if isinstance(answers.field, MultilabelField):
        given = np.unique(answers.code[answers.given])
        used: NDArray[np.bool_] = np.asarray(answers.members[given].any(axis=0))
    else:
        used = np.bincount(answers.code[answers.given], minlength=len(categories)) > 0
    return tuple(str(name) for name, there in zip(categories, used, strict=True) if not there)
