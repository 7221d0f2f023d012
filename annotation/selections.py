"""What the selections of a labeling page say: the answers to every field, the flags, the keys they took.

The reverse of `predictions.selections`. All that follows from the schema alone is worked out once, since a
round has a hundred thousand such pages.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from annotation.controls import FLAGS, PLAIN, Answer, Control, Role, Special, copies, page_controls, shown
from schemas.answers import intensity_slots
from schemas.fields import Field, Missing, MultilabelField, RelationField
from schemas.label_schema import LabelSchema

Row = dict[str, Any]

Selections = Mapping[str, Sequence[str]]
"""Aliases of the selected choices, by name of control."""


class SelectionReader:
    """Reads the selections of the pages of one schema.

    Args:
        schema: The schema by which the pages were made.

    Attributes:
        controls: The controls of the pages, by name.
    """

    def __init__(self, schema: LabelSchema) -> None:
        controls = page_controls(schema)
        self.controls = {control.name: control for control in controls}
        self._schema = schema
        self._relations = schema.relations
        self._fields = [
            _SetReader(one, controls) if isinstance(one, MultilabelField) else _OneReader(one, controls)
            for one in schema
        ]

    def shown(self, selected: Selections) -> Selections:
        """Drop the selections of hidden controls."""
        return shown(self.controls.values(), selected)

    def answers(self, selected: Selections) -> Row:
        """Return the answer columns of every field."""
        row: Row = {}
        for one in self._fields:
            row |= one.read(selected)
        for relation in self._relations:
            column = f"{relation.name}_missing"
            if row[column] == Missing.NOT_RATED and not self._asked(relation, row):
                row[column] = str(Missing.NOT_APPLICABLE)
        return row

    def _asked(self, relation: RelationField, row: Row) -> bool:
        """Say whether a relation without an answer should have one, as far as its parts are known."""
        applies = self._schema.applies(relation, row)
        parts = (relation.source, relation.target)
        left_open = any(row[f"{part}_missing"] == Missing.NOT_RATED for part in parts)
        return applies is True or (applies is None and left_open)

    def flags(self, selected: Selections) -> list[str]:
        """Return what the rater said is wrong with the item, in the order of the page."""
        aliases = selected.get(FLAGS, ())
        return [str(choice.answer) for choice in self.controls[FLAGS].choices if choice.alias in aliases]

    def presses(self, selected: Selections) -> int:
        """Return the fewest keys that make these selections."""
        made = sum(map(len, selected.values()))
        if PLAIN not in selected:
            return made
        by_plain_key = sum(
            any(len(self.controls[name].by_alias[alias].keys) > 1 for alias in aliases)
            for name, aliases in selected.items()
        )
        return made - len(selected[PLAIN]) - by_plain_key + 1


def _answers(control: Control, selected: Selections) -> list[Answer]:
    return [control.by_alias[alias].answer for alias in selected.get(control.name, ())]


class _OneReader:
    """Reads a field of one value, from whichever copy of its control was shown."""

    def __init__(self, one: Field, controls: Iterable[Control]) -> None:
        self._value, self._missing = one.name, f"{one.name}_missing"
        self._copies = copies(controls, one.name)

    def read(self, selected: Selections) -> Row:
        for control in self._copies:
            for answer in _answers(control, selected):
                if answer is Special.CANNOT_TELL:
                    return {self._value: None, self._missing: str(Missing.CANNOT_TELL)}
                return {self._value: answer, self._missing: None}
        return {self._value: None, self._missing: str(Missing.NOT_RATED)}


class _SetReader:
    """Reads a multilabel field: what excludes all else, the values, how strong each is."""

    def __init__(self, one: MultilabelField, controls: Iterable[Control]) -> None:
        self._field = one
        mine = [control for control in controls if control.field == one.name]
        self._values = [control for control in mine if control.role in (Role.ALONE, Role.SET)]
        self._strengths = [control for control in mine if control.role is Role.INTENSITY]

    def read(self, selected: Selections) -> Row:
        one = self._field
        said = {answer for control in self._values for answer in _answers(control, selected)}
        strengths = {
            str(control.value): answer
            for control in self._strengths
            for answer in _answers(control, selected)
            if isinstance(answer, int)
        }
        chosen: list[str] | None = None
        missing: Missing | None = Missing.NOT_RATED
        if Special.CANNOT_TELL in said:
            missing = Missing.CANNOT_TELL
        elif said or strengths:
            missing = None
            chosen = [name for name in one.categories if name in said or name in strengths]
        row: Row = {one.name: chosen, f"{one.name}_missing": None if missing is None else str(missing)}
        if one.intensity is not None:
            # What excludes everything else is not asked for its strength; it counts as the least.
            least = dict.fromkeys(chosen or (), one.intensity[0])
            slots = None if chosen is None else intensity_slots(one, least | strengths)
            row[f"{one.name}_intensity"] = slots
        return row
