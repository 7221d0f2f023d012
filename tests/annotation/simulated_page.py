"""A labeling page as Label Studio runs it, from the XML alone: keys toggle, views hide, hidden answers stay.

`SimulatedPage` knows nothing of `annotation.controls`, so it is a second opinion on what a page does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from xml.etree.ElementTree import Element, fromstring

from annotation import hotkeys
from annotation.controls import Role, Special, page_controls, scale_points
from schemas.answer_sampling import draw_answers
from schemas.fields import Field, IntervalField, MultilabelField, RelationField
from schemas.label_schema import LabelSchema


class SimulatedPage:
    """The state of one page, or of one turn of a dialogue page.

    Attributes:
        selected: Aliases by name of control.
        pressed: The keys that were pressed.
    """

    def __init__(self, config: str) -> None:
        self.root = fromstring(config)
        self.parents = {child: parent for parent in self.root.iter() for child in parent}
        self.controls = {one.get("name", ""): one for one in self.root.iter("Choices")}
        self.selected: dict[str, list[str]] = {}
        self.pressed: list[str] = []

    def press(self, key: str) -> None:
        """Press a key: every choice that has it toggles, hidden ones too."""
        self.pressed.append(key)
        for name, control in self.controls.items():
            for choice in control.iter("Choice"):
                if key in choice.get("hotkey", "").split(","):
                    self._toggle(name, control.get("choice") == "multiple", choice.get("alias", ""))

    def _toggle(self, name: str, multiple: bool, alias: str) -> None:
        now = self.selected.get(name, [])
        if alias in now:
            self.selected[name] = [one for one in now if one != alias]
        else:
            self.selected[name] = [*now, alias] if multiple else [alias]

    def visible(self, element: Element) -> bool:
        """Say whether an element is shown: it, and all views around it."""
        kind = element.get("visibleWhen")
        if kind in ("choice-selected", "choice-unselected"):
            tag = element.get("whenTagName", "")
            wanted = element.get("whenChoiceValue", "").split(",")
            met = self.visible(self.controls[tag]) and any(self._finds(tag, one) for one in wanted)
            if met != (kind == "choice-selected"):
                return False
        parent = self.parents.get(element)
        return parent is None or self.visible(parent)

    def _finds(self, name: str, wanted: str) -> bool:
        """Label Studio looks a choice up by alias or wording, whichever choice comes first."""
        for choice in self.controls[name].iter("Choice"):
            if wanted in (choice.get("alias"), choice.get("value")):
                return choice.get("alias") in self.selected.get(name, [])
        return False

    def missing(self) -> list[str]:
        """Return the required controls that keep the page from being submitted."""
        return [
            name
            for name, one in self.controls.items()
            if one.get("required") == "true" and self.visible(one) and not self.selected.get(name)
        ]

    def results(self, region: str | None = None) -> Iterator[dict[str, object]]:
        """Return what is exported, hidden answers among it."""
        for name, aliases in self.selected.items():
            if aliases:
                yield {
                    "id": region or f"i{name}",
                    "from_name": name,
                    "to_name": self.controls[name].get("toName"),
                    "type": "choices",
                    "value": {"choices": aliases},
                    "origin": "manual",
                }


def turn_page(config: str) -> SimulatedPage:
    """Return a dialogue page on which one turn is selected."""
    page = SimulatedPage(config)
    page.parents = {
        child: parent
        for child, parent in page.parents.items()
        if "region" not in parent.get("visibleWhen", "")
    }
    return page


def pressed(page: SimulatedPage, schema: LabelSchema, answers: Mapping[str, Any]) -> dict[str, Any]:
    """Answer a page as a rater with these opinions would; return the columns that should come back."""
    controls = page_controls(schema)
    expected: dict[str, Any] = {}

    def press(one: Field, answer: object, role: Role, value: str | None = None) -> bool:
        for control in controls:
            if (control.field, control.role, control.value) == (one.name, role, value):
                for choice in control.choices:
                    if choice.answer == answer and page.visible(page.controls[control.name]):
                        page.press(choice.keys[0])
                        return True
        return False

    for one in sorted(schema, key=lambda one: isinstance(one, RelationField)):
        value, missing = answers[one.name], answers[f"{one.name}_missing"]
        alone = Role.ALONE if isinstance(one, MultilabelField) else Role.VALUE
        if isinstance(one, RelationField):
            copies = [name for name in page.controls if name == one.name or name.startswith(f"{one.name}--")]
            shown = [name for name in copies if page.visible(page.controls[name])]
            assert len(shown) <= 1, "two copies of a relation are shown"
            applies = schema.applies(one, expected)
            if applies is not None:
                assert bool(shown) == applies
            if not shown:
                parts = [expected[f"{part}_missing"] for part in (one.source, one.target)]
                unknown = applies is None and "not_rated" in parts
                value, missing = None, "not_rated" if unknown else "not_applicable"
            elif value is None and missing == "not_applicable":
                missing = "not_rated"
        if isinstance(one, IntervalField) and value is not None:
            value = min(scale_points(one), key=lambda point: abs(point - value))
        if missing == "cannot_tell":
            assert press(one, Special.CANNOT_TELL, alone)
        elif isinstance(one, MultilabelField) and value is not None:
            slots = answers.get(f"{one.name}_intensity") or [1] * len(one.categories)
            kept = []
            for name, slot in zip(one.categories, slots, strict=True):
                if name in value:
                    done = (
                        press(one, slot, Role.INTENSITY, name)
                        or press(one, name, Role.SET)
                        or press(one, name, Role.ALONE)
                    )
                    assert done, f"{name} cannot be chosen"
                    kept.append(name)
            if not value and not press(one, Special.NONE_OF_THEM, Role.ALONE):
                value, missing = None, "not_rated"  # the page has a value that says so, such as neutral
        elif value is not None:
            assert press(one, value, Role.VALUE), f"{value!r} of {one.name} cannot be chosen"
        expected |= {one.name: value, f"{one.name}_missing": missing}
    return expected


def opinions(schema: LabelSchema, rows: int, seed: int) -> list[dict[str, Any]]:
    """Draw complete answers about utterances: a page cannot be submitted with a question left open."""
    found = draw_answers(schema, rows * 8, seed).to_pylist()
    complete = [
        row
        for row in found
        if all(row[f"{one.name}_missing"] in (None, "cannot_tell", "not_applicable") for one in schema)
        and all(row[one.name] != [] for one in schema)
    ]
    return complete[:rows]


# Two utterances as the ``affect`` schema has them: the keys, without playing and submitting, and the row.
PLAIN_KEYS = (hotkeys.PLAIN_CASE, "5", "t", "g")
PLAIN_ROW = {
    "sentiment": "neutral",
    "emotion": ["neutral"],
    "emotion_intensity": [1, 0, 0, 0, 0, 0, 0],
    "sarcasm": "none",
    "humor": "none",
    "valence": 5.0,
    "arousal": 5.0,
    "dominance": 5.0,
    "emotion_sentiment": None,
    "emotion_sentiment_missing": "not_applicable",
    "sarcasm_humor": None,
    "sarcasm_humor_missing": "not_applicable",
    "flags": [],
}
# Two emotions with their strength, sarcasm, humor, both relations, one flag.
RICH_KEYS = ("c", "shift+5", "shift+q", "n", "shift+2", "7", "o", "k", "shift+l", "shift+v", "shift+d")
RICH_ROW = {
    "sentiment": "positive",
    "emotion": ["joy", "anger"],
    "emotion_intensity": [0, 2, 0, 1, 0, 0, 0],
    "sarcasm": "sarcastic",
    "humor": "humorous",
    "valence": 7.0,
    "arousal": 8.0,
    "dominance": 8.0,
    "emotion_sentiment": 2,
    "sarcasm_humor": 1,
    "flags": ["inaudible"],
}
