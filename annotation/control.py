"""A control of a labeling page: a row of buttons, what each means, and when it is shown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum, StrEnum
from functools import cached_property

FLAGS = "page--flags"
PLAIN = "page--plain"


class Role(StrEnum):
    """What a control asks."""

    VALUE = "value"
    """The one value of a field."""
    SET = "set"
    """The values of a multilabel field, several at once."""
    ALONE = "alone"
    """The values of a multilabel field that exclude all others, or that there is none."""
    INTENSITY = "intensity"
    """How strong one value of a multilabel field is."""
    NEEDED = "needed"
    """Hidden; it is required as long as a multilabel field is not answered."""
    FLAGS = "flags"
    """What is wrong with the item."""
    PLAIN = "plain"
    """Hidden; it records that the key of the plain case was used."""


class Special(Enum):
    """Answers that are no value of the schema; none equals a text, so a value may have such a name."""

    CANNOT_TELL = "cannot_tell"
    NONE_OF_THEM = "[]"


Answer = str | float | int | Special


@dataclass(frozen=True)
class Choice:
    """One button.

    Attributes:
        alias: What Label Studio exports: the canonical name, with characters that it cannot take replaced.
        answer: A value's name, a number, or a `Special`.
        wording: What the button says.
        hint: What it says when the mouse rests on it.
        keys: Its keys, the first its own.
    """

    alias: str
    answer: Answer
    wording: str
    hint: str = ""
    keys: tuple[str, ...] = ()


@dataclass(frozen=True)
class Condition:
    """Whether one of some choices of an earlier control is selected; hidden controls have no selection."""

    control: str
    aliases: tuple[str, ...]
    selected: bool = True

    def holds(self, selections: Mapping[str, Sequence[str]]) -> bool:
        """Say whether it holds, given the selections of the controls that are shown."""
        return any(alias in self.aliases for alias in selections.get(self.control, ())) == self.selected

    def negated(self) -> Condition:
        """Return the opposite condition."""
        return replace(self, selected=not self.selected)


@dataclass(frozen=True)
class Control:
    """A row of buttons.

    Attributes:
        name: Its name in the configuration and in results.
        role: What it asks.
        field: The field that it belongs to; None for flags and the plain case.
        value: Which value of the field an intensity belongs to.
        title: What stands before it.
        choices: Its buttons.
        conditions: All of them hold where it is shown.
        required: Whether an annotation without it cannot be submitted.
        multiple: Whether several choices may be selected.
    """

    name: str
    role: Role
    field: str | None
    value: str | None
    title: str
    choices: tuple[Choice, ...]
    conditions: tuple[Condition, ...] = ()
    required: bool = False
    multiple: bool = False

    @property
    def hidden(self) -> bool:
        """Whether nobody sees it."""
        return self.role in (Role.NEEDED, Role.PLAIN)

    @cached_property
    def by_alias(self) -> dict[str, Choice]:
        """Its buttons by their aliases."""
        return {choice.alias: choice for choice in self.choices}

    def answering(self, answers: Iterable[object]) -> tuple[str, ...]:
        """Return the aliases of the choices that have these answers."""
        wanted = set(answers)
        return tuple(choice.alias for choice in self.choices if choice.answer in wanted)


def copies(controls: Iterable[Control], field: str) -> list[Control]:
    """Return the controls that ask for the value of a field, any one of which is shown."""
    return [control for control in controls if control.field == field and control.role is Role.VALUE]


def shown(controls: Iterable[Control], selections: Mapping[str, Sequence[str]]) -> dict[str, Sequence[str]]:
    """Drop the selections of hidden controls, as the page does, or should.

    Args:
        controls: The plan.
        selections: Aliases of selected choices by name of control.

    Returns:
        The selections of the controls that were shown with them.
    """
    kept: dict[str, Sequence[str]] = {}
    for control in controls:
        if control.name in selections and all(condition.holds(kept) for condition in control.conditions):
            kept[control.name] = selections[control.name]
    return kept
