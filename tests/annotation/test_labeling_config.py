"""The labeling page, generated from any schema."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from xml.etree.ElementTree import fromstring

import pytest
from hypothesis import HealthCheck, given, settings

from annotation import hotkeys
from annotation.controls import PLAIN, Role, page_controls, scale_points
from annotation.labeling_config import labeling_config
from annotation.rounds import narrowed
from annotation.sheet import Design, Sheet
from schemas import InputError, load_schema
from schemas.definition import parse_schema, shipped_definitions
from schemas.fields import CategoricalField, IntervalField, RelationField
from schemas.label_schema import LabelSchema
from schemas.records import Condition, Context
from tests.annotation.drawn_schemas import label_schemas
from tests.annotation.simulated_page import SimulatedPage

SHEET = Sheet("pilot", "1", "1+0", context=Context.FULL, turns=3)
RESERVED = {
    "u",
    "shift+u",
    "tab",
    "enter",
    "ctrl+enter",
    "ctrl+space",
    "ctrl+z",
    "escape",
    "backspace",
    "shift+.",
}


def sheets() -> list[Sheet]:
    """Every design, condition and language."""
    return [
        replace(SHEET, design=design, condition=condition, language=language)
        for design, condition, language in product(Design, Condition, ("zh", "en"))
    ]


def check_page(schema: LabelSchema, sheet: Sheet) -> None:
    """Check what must hold for every page."""
    config = labeling_config(schema, sheet)
    root = fromstring(config)
    assert "Repeater" not in config
    assert "selected=" not in config, "something is pre-filled"
    names = [one.get("name") for one in root.iter() if one.get("name")]
    assert len(names) == len(set(names))
    controls = {one.get("name"): one for one in root.iter("Choices")}
    own: dict[str, tuple[str, str]] = {}
    for name, control in controls.items():
        assert control.get("toName") in names
        assert (control.get("perRegion") == "true") == (sheet.design is Design.DIALOGUE)
        aliases = [choice.get("alias") for choice in control]
        wordings = [choice.get("value") for choice in control]
        assert len(set(aliases)) == len(aliases) == len(set(wordings))
        for choice in control:
            keys = choice.get("hotkey", "").split(",")
            assert keys[0], f"{name}: a choice without a key"
            assert not RESERVED & {key.lower() for key in keys}
            assert set(keys[1:]) <= {hotkeys.PLAIN_CASE}
            # Copies of a control share keys, nothing else does.
            group = (str(name).split("--")[0], str(choice.get("alias")))
            if name != PLAIN and keys[0] not in hotkeys.LABEL_KEYS:
                assert own.setdefault(keys[0], group) == group
    for one in root.iter():
        if "choice" in one.get("visibleWhen", ""):
            target = controls[one.get("whenTagName")]
            aliases = {choice.get("alias") for choice in target}
            assert set(one.get("whenChoiceValue", "").split(",")) <= aliases


@pytest.mark.parametrize("name", shipped_definitions())
def test_every_shipped_schema_has_a_page(name: str) -> None:
    for sheet in sheets():
        check_page(load_schema(name), sheet)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(label_schemas())
def test_any_schema_has_a_page(schema: LabelSchema) -> None:
    for sheet in (SHEET, replace(SHEET, design=Design.DIALOGUE, language="en")):
        check_page(schema, sheet)


def test_canonical_names_are_exported_under_translated_wordings() -> None:
    root = fromstring(labeling_config(load_schema("affect"), SHEET))
    sentiment = next(one for one in root.iter("Choices") if one.get("name") == "sentiment")
    assert [(one.get("value"), one.get("alias")) for one in sentiment] == [
        ("消极", "negative"),
        ("中性", "neutral"),
        ("积极", "positive"),
        ("无法判断", "cannot_tell"),
    ]


@pytest.mark.parametrize("name", shipped_definitions())
def test_every_answer_of_a_schema_can_be_given(name: str) -> None:
    schema = load_schema(name)
    controls = page_controls(schema)
    for field in schema:
        given = {
            answer
            for control in controls
            if control.field == field.name
            for answer in [control.value, *(choice.answer for choice in control.choices)]
        }
        if isinstance(field, CategoricalField | RelationField):
            assert set(field.categories) <= given
        elif isinstance(field, IntervalField):
            assert {field.low, field.high, *(point for point, _ in field.anchors)} <= given


@pytest.mark.parametrize("design", list(Design))
@pytest.mark.parametrize("name", shipped_definitions())
def test_a_page_of_some_fields_has_the_keys_of_the_handbook(name: str, design: Design) -> None:
    whole, sheet = load_schema(name), replace(SHEET, design=design)
    keys = {
        (control.name, choice.alias): choice.keys
        for control in page_controls(whole)
        for choice in control.choices
    }
    for field in whole:
        parts = (field.source, field.target) if isinstance(field, RelationField) else ()
        page = fromstring(labeling_config(narrowed(whole, (field.name, *parts)), sheet, whole))
        found = {
            (control.get("name"), choice.get("alias")): tuple((choice.get("hotkey") or "").split(","))
            for control in page.iter("Choices")
            for choice in control
        }
        assert found
        assert found == {each: keys[each] for each in found}


@pytest.mark.parametrize(
    ("span", "points"),
    [
        ("1..9", [1, 2, 3, 4, 5, 6, 7, 8, 9]),
        ("-1..1", [-1, 0, 1]),
        ("0..100", [0, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100]),
        ("0..1", [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1]),
        ("-0.5..0.5", [-0.5, -0.4, -0.3, -0.2, -0.1, 0, 0.1, 0.2, 0.3, 0.4, 0.5]),
    ],
)
def test_points_of_a_scale(span: str, points: list[float]) -> None:
    text = f"""
name: one
version: "1"
title: {{en: x, zh: x}}
description: {{en: x, zh: x}}
fields:
  v: {{type: interval, range: {span}, absent: [], title: {{en: v, zh: v}}}}
"""
    field = parse_schema(text)["v"]
    assert isinstance(field, IntervalField)
    assert list(scale_points(field)) == pytest.approx(points)


def test_anchors_and_absent_numbers_are_points_of_their_scale() -> None:
    field = load_schema("ch-sims")["sentiment"]
    assert isinstance(field, IntervalField)
    assert {-0.6, -0.2, 0.0, 0.2, 0.6} <= set(scale_points(field))


def test_a_scale_of_nine_has_the_digits() -> None:
    valence = next(one for one in page_controls(load_schema("affect")) if one.name == "valence")
    assert [choice.keys[0] for choice in valence.choices] == [*"1234567890"]


def test_a_relation_is_asked_once_where_any_part_is_present_and_nowhere_else() -> None:
    page = SimulatedPage(labeling_config(load_schema("affect"), SHEET))
    keys = {
        (name, choice.get("alias")): choice.get("hotkey", "").split(",")[0]
        for name, control in page.controls.items()
        for choice in control
    }

    def asked() -> int:
        return sum(
            page.visible(one) for name, one in page.controls.items() if name.startswith("emotion_sentiment")
        )

    for sentiment, emotion, times in [
        ("neutral", "neutral", 0),
        ("neutral", "joy", 1),
        ("positive", "neutral", 1),
        ("positive", "joy", 1),
        ("cannot_tell", "neutral", 0),
        ("cannot_tell", "joy", 1),
        ("positive", "cannot_tell", 1),
        ("neutral", "cannot_tell", 0),
    ]:
        page.selected.clear()
        page.press(keys["sentiment", sentiment])
        page.press(keys["emotion-joy", "2"] if emotion == "joy" else keys["emotion--alone", emotion])
        assert asked() == times, (sentiment, emotion)


def test_the_plain_case_is_one_key_and_leaves_only_the_scales() -> None:
    page = SimulatedPage(labeling_config(load_schema("affect"), SHEET))
    page.press(hotkeys.PLAIN_CASE)
    assert page.missing() == ["valence", "arousal", "dominance"]
    assert page.selected[PLAIN] == ["plain"]


def test_a_page_without_an_emotion_cannot_be_submitted() -> None:
    page = SimulatedPage(labeling_config(load_schema("affect"), SHEET))
    assert "emotion--needed" in page.missing()
    page.press("shift+5")
    assert "emotion--needed" not in page.missing()
    assert page.selected["emotion-joy"] == ["2"]


def test_the_style_has_no_sign_that_is_lost_in_it() -> None:
    for sheet in sheets():
        [style] = fromstring(labeling_config(load_schema("affect"), sheet)).iter("Style")
        assert style.text
        assert not set("<>&") & set(style.text)
        assert style.text.count("{") == style.text.count("}")


def test_a_dialogue_page_cannot_hide_later_turns() -> None:
    with pytest.raises(InputError, match="past context needs the utterance design"):
        labeling_config(load_schema("affect"), replace(SHEET, design=Design.DIALOGUE, context=Context.PAST))


def test_a_schema_with_more_choices_than_keys_is_refused_with_their_numbers() -> None:
    values = "\n".join(
        f"      v{number}: {{title: {{en: v{number}, zh: v{number}}}}}" for number in range(300)
    )
    text = (
        "name: wide\nversion: '1'\ntitle: {en: x, zh: x}\ndescription: {en: x, zh: x}\nfields:\n"
        f"  one:\n    type: nominal\n    absent: []\n    title: {{en: x, zh: x}}\n    values:\n{values}\n"
    )
    with pytest.raises(InputError, match="needs 305 keys and there are"):
        labeling_config(parse_schema(text), SHEET)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(label_schemas())
def test_no_wording_becomes_a_column_of_the_task(schema: LabelSchema) -> None:
    for one in fromstring(labeling_config(schema, SHEET)).iter():
        if one.tag in ("Header", "Choice", "Choices"):
            assert not any(
                "$" in value
                for name, value in one.attrib.items()
                if name in ("value", "hint", "requiredMessage")
            )


def test_the_plan_does_not_depend_on_the_language() -> None:
    schema = load_schema("affect")
    english, chinese = page_controls(schema, "en"), page_controls(schema, "zh")
    assert [one.name for one in english] == [one.name for one in chinese]
    keys = [[(choice.alias, choice.keys) for choice in one.choices] for one in english]
    assert keys == [[(choice.alias, choice.keys) for choice in one.choices] for one in chinese]
    assert {one.role for one in english} >= {Role.VALUE, Role.ALONE, Role.INTENSITY, Role.FLAGS, Role.NEEDED}
