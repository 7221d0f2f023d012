"""The field types of a label schema and the closed vocabularies of the project.

A field is what an annotator is asked about one utterance. Its type decides its level of measurement, and the
level decides everything downstream: Arrow type, control on the page, agreement coefficient, model head.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import ClassVar


class Level(StrEnum):
    """Level of measurement (Stevens 1946), with sets of categories beside the classical four."""

    NOMINAL = "nominal"
    ORDINAL = "ordinal"
    INTERVAL = "interval"
    RATIO = "ratio"
    SET = "set"


class Missing(StrEnum):
    """Why there is no answer. A null value always comes with one of these in ``FIELD_missing``."""

    NOT_RATED = "not_rated"
    NOT_APPLICABLE = "not_applicable"
    CANNOT_TELL = "cannot_tell"
    CONTEXT_ONLY = "context_only"
    UNDECIDED = "undecided"
    """Decided labels only: there are ratings, but they do not decide (a tie, too little agreement)."""


class Flag(StrEnum):
    """What is wrong with an item itself; flagged items form the repair list."""

    BAD_CUT = "bad_cut"
    WRONG_SPEAKER = "wrong_speaker"
    INAUDIBLE = "inaudible"
    WRONG_TEXT = "wrong_text"


class AppliesWhen(StrEnum):
    """When a relation is asked for."""

    ANY_PART_PRESENT = "any_part_present"
    ALWAYS = "always"


LANGUAGES = ("en", "zh")
"""The languages of every wording."""


@dataclass(frozen=True)
class Text:
    """A wording in both languages of the toolkit."""

    en: str
    zh: str

    def get(self, language: str) -> str:
        """Return the wording in ``language`` (``zh...`` gives Chinese, all else English)."""
        return self.zh if language.startswith("zh") else self.en


@dataclass(frozen=True)
class Value:
    """One value that a categorical field can take.

    Attributes:
        name: Canonical name, as it stands in tables.
        title: Wording shown to annotators.
        definition: What counts as this value.
        examples: Utterances that have it, by language (``en``, ``zh``).
        counterexamples: Utterances that seem to have it and do not, by language.
        aliases: Other spellings found in released files; imports accept them and say so.
    """

    name: str
    title: Text
    definition: Text | None = None
    examples: tuple[tuple[str, tuple[str, ...]], ...] = ()
    counterexamples: tuple[tuple[str, tuple[str, ...]], ...] = ()
    aliases: tuple[str, ...] = ()

    def examples_in(self, language: str) -> tuple[str, ...]:
        """Return the examples written in ``language`` (``en`` or ``zh``)."""
        return dict(self.examples).get(language, ())

    def counterexamples_in(self, language: str) -> tuple[str, ...]:
        """Return the counterexamples written in ``language`` (``en`` or ``zh``)."""
        return dict(self.counterexamples).get(language, ())


@dataclass(frozen=True)
class Field(ABC):
    """What every field has.

    Attributes:
        name: Column name, ``[a-z][a-z0-9_]*``.
        title: Wording shown to annotators.
        question: The question put to the annotator.
        rule: How to decide in doubt.
        absent: Values that mean "not there" (sarcasm: none; emotion: neutral).
    """

    name: str
    title: Text
    question: Text | None
    rule: Text | None
    absent: tuple[str, ...]

    type: ClassVar[str]
    level: ClassVar[Level]

    @abstractmethod
    def is_absent(self, value: object) -> bool:
        """Say whether ``value``, a valid answer to this field, means that nothing is there."""


@dataclass(frozen=True)
class CategoricalField(Field):
    """A field whose answers come from a closed list of values."""

    values: tuple[Value, ...]

    @cached_property
    def categories(self) -> tuple[str, ...]:
        """Canonical value names in schema order."""
        return tuple(value.name for value in self.values)

    @cached_property
    def spellings(self) -> dict[str, str]:
        """Every accepted spelling, case-folded, to its canonical name."""
        return {
            spelling.casefold(): value.name
            for value in self.values
            for spelling in (value.name, *value.aliases)
        }

    def is_absent(self, value: object) -> bool:
        """Say whether ``value`` is one of the field's absent values."""
        return value in self.absent


@dataclass(frozen=True)
class NominalField(CategoricalField):
    """Exactly one of several values without an order."""

    type: ClassVar[str] = "nominal"
    level: ClassVar[Level] = Level.NOMINAL


@dataclass(frozen=True)
class OrdinalField(CategoricalField):
    """Exactly one of several values, listed lowest first."""

    type: ClassVar[str] = "ordinal"
    level: ClassVar[Level] = Level.ORDINAL


@dataclass(frozen=True)
class MultilabelField(CategoricalField):
    """A set of values; the empty set means "none of them".

    Attributes:
        exclusive: Values that exclude all others (neutral).
        intensity: Lowest and highest intensity of a chosen value; None when intensity is not asked.
        intensity_anchors: Wordings of intensities.
    """

    exclusive: tuple[str, ...] = ()
    intensity: tuple[int, int] | None = None
    intensity_anchors: tuple[tuple[int, Text], ...] = ()

    type: ClassVar[str] = "multilabel"
    level: ClassVar[Level] = Level.SET

    def is_absent(self, value: object) -> bool:
        """Say whether every chosen value is an absent one (so the empty set is absent)."""
        return isinstance(value, Collection) and all(chosen in self.absent for chosen in value)


@dataclass(frozen=True)
class IntervalField(Field):
    """A number on a scale with equal steps.

    Attributes:
        low: Smallest valid value.
        high: Largest valid value.
        anchors: Wordings at points of the scale.
    """

    low: float
    high: float
    anchors: tuple[tuple[float, Text], ...] = ()

    type: ClassVar[str] = "interval"
    level: ClassVar[Level] = Level.INTERVAL

    def is_absent(self, value: object) -> bool:
        """Say whether ``value`` is one of the numbers declared absent."""
        # Tables hold 32-bit numbers, which agree with the decimals of the schema to seven digits.
        return isinstance(value, int | float) and any(
            math.isclose(value, float(number), rel_tol=1e-6) for number in self.absent
        )


@dataclass(frozen=True)
class RelationField(Field):
    """A directed, graded relation between two fields of one utterance.

    Negative values say that ``source`` works against ``target``, positive ones that it pushes in the same
    direction, 0 that the relation was judged and is not there.

    Attributes:
        source: Name of the field the relation starts from.
        target: Name of the field it leads to.
        low: Lowest value of the scale (strongest reverse).
        high: Highest value of the scale (strongest positive).
        applies_when: Whether the relation is asked for every utterance.
        values: One value for every integer of the scale, lowest first.
    """

    source: str
    target: str
    low: int
    high: int
    applies_when: AppliesWhen
    values: tuple[Value, ...]

    type: ClassVar[str] = "relation"
    level: ClassVar[Level] = Level.ORDINAL

    @cached_property
    def categories(self) -> tuple[int, ...]:
        """The integers of the scale, lowest first."""
        return tuple(range(self.low, self.high + 1))

    def is_absent(self, value: object) -> bool:
        """Say whether the relation was judged and found not to be there."""
        return value == 0


FIELD_TYPES: dict[str, type[Field]] = {
    cls.type: cls for cls in (NominalField, OrdinalField, IntervalField, MultilabelField, RelationField)
}
