"""The generated pages in a real Label Studio and a real browser: what is pressed is what comes back."""

from __future__ import annotations

from dataclasses import replace

import pytest
import yaml
from hypothesis import HealthCheck, given, settings

from annotation import hotkeys
from annotation.labeling_config import labeling_config
from annotation.sheet import Design
from annotation.tasks import Dialogue, Turn, dialogue_task, utterance_task
from schemas import load_schema
from schemas.definition import parse_schema, shipped_definitions
from schemas.label_schema import LabelSchema
from schemas.records import Condition
from tests.annotation.chromium import Rater
from tests.annotation.drawn_schemas import NAMES, label_schemas
from tests.annotation.label_studio import Server
from tests.annotation.labeling import AFFECT, DIALOGUES, SHEET, check_dialogue, make, read, same
from tests.annotation.simulated_page import (
    PLAIN_KEYS,
    PLAIN_ROW,
    SimulatedPage,
    opinions,
    pressed,
)

# -- the server takes the pages ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", shipped_definitions())
def test_the_server_accepts_every_page_of_a_shipped_schema(server: Server, name: str) -> None:
    for design in Design:
        for condition in Condition:
            for language in ("zh", "en"):
                sheet = replace(DIALOGUES, design=design, condition=condition, language=language)
                server.accepts(labeling_config(load_schema(name), sheet))


@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(schema=label_schemas())
def test_the_server_accepts_the_pages_of_any_schema_and_their_tasks(
    server: Server, schema: LabelSchema
) -> None:
    dialogue = Dialogue("d", (Turn("u0", "A", "one"), Turn("u1", "B", "two")))
    make(server, schema, SHEET, [utterance_task(dialogue, 1, SHEET)])
    make(server, schema, DIALOGUES, [dialogue_task(dialogue, DIALOGUES)])


# -- what is pressed is what comes back --------------------------------------------------------------------


@pytest.mark.parametrize("how", ["keys", "mouse"])
@pytest.mark.parametrize("language", ["zh", "en"])
def test_utterances_of_the_sample(
    server: Server, rater: Rater, sample: dict[str, Dialogue], language: str, how: str
) -> None:
    sheet, dialogue = replace(SHEET, language=language), sample[language]
    project = make(
        server,
        AFFECT,
        sheet,
        [utterance_task(dialogue, index, sheet) for index in range(len(dialogue.turns))],
    )
    rater.open(project)
    expected = []
    for answers in opinions(AFFECT, len(dialogue.turns), seed=11):
        page = SimulatedPage(labeling_config(AFFECT, sheet))
        expected.append(pressed(page, AFFECT, answers))
        rater.answer(page, AFFECT, how)
        rater.submit() if how == "keys" else rater.submit_by_mouse()
        assert (rater.clicks if how == "keys" else rater.keys) == 0
        if len(expected) < len(dialogue.turns):
            rater.next(dialogue.turns[len(expected)].text)
    readings = read(server, project, AFFECT)
    assert [one.rows[0]["utterance_id"] for one in readings] == [turn.utterance_id for turn in dialogue.turns]
    for reading, wanted in zip(readings, expected, strict=True):
        assert not reading.quarantine
        same(reading.rows[0], wanted)


@pytest.mark.parametrize("how", ["keys", "mouse"])
@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_dialogue_of_the_sample(
    server: Server, rater: Rater, sample: dict[str, Dialogue], language: str, how: str
) -> None:
    sheet, dialogue = replace(DIALOGUES, language=language), sample[language]
    project = make(server, AFFECT, sheet, [dialogue_task(dialogue, sheet)])
    rater.open(project)
    check_dialogue(server, rater, project, sheet, dialogue, how)


@pytest.mark.parametrize("name", ["cmma", "mosei", "iemocap"])
def test_utterances_under_other_schemas(
    server: Server, rater: Rater, sample: dict[str, Dialogue], name: str
) -> None:
    schema, dialogue = load_schema(name), sample["zh"]
    project = make(server, schema, SHEET, [utterance_task(dialogue, index, SHEET) for index in range(2)])
    rater.open(project)
    expected = []
    for answers in opinions(schema, 2, seed=3):
        page = SimulatedPage(labeling_config(schema, SHEET))
        expected.append(pressed(page, schema, answers))
        rater.answer(page, schema, "keys")
        rater.submit()
        if len(expected) < 2:
            rater.next(dialogue.turns[len(expected)].text)
    for reading, wanted in zip(read(server, project, schema), expected, strict=True):
        assert not reading.quarantine
        same(reading.rows[0], wanted)


@pytest.mark.parametrize("how", ["keys", "mouse"])
def test_names_that_break_pages(server: Server, rater: Rater, how: str) -> None:
    values = {name: {"title": {"en": name, "zh": f"{name}？"}} for name in NAMES}
    definition = {
        "name": "nasty",
        "version": "1",
        "title": {"en": "x", "zh": "x"},
        "description": {"en": "x", "zh": "x"},
        "fields": {
            "one": {
                "type": "nominal",
                "title": {"en": "$one", "zh": "$one"},
                "absent": ["a,b"],
                "values": values,
            },
            "many": {
                "type": "multilabel",
                "title": {"en": "many", "zh": "many"},
                "absent": ["a,b"],
                "exclusive": ["a,b"],
                "values": values,
            },
        },
    }
    schema = parse_schema(yaml.safe_dump(definition, allow_unicode=True, sort_keys=False))
    dialogue = Dialogue("d", tuple(Turn(f"u{number}", "A", f"<b>{number}</b> $x") for number in range(6)))
    sheet = replace(SHEET, language="en")
    project = make(server, schema, sheet, [utterance_task(dialogue, index, sheet) for index in range(6)])
    rater.open(project)
    expected = []
    for answers in opinions(schema, 6, seed=9):
        page = SimulatedPage(labeling_config(schema, sheet))
        expected.append(pressed(page, schema, answers))
        rater.answer(page, schema, how)
        rater.submit()
        if len(expected) < 6:
            rater.next(dialogue.turns[len(expected)].text)
    for reading, wanted in zip(read(server, project, schema), expected, strict=True):
        assert not reading.quarantine
        same(reading.rows[0], wanted)


# -- budget, screen, keys -----------------------------------------------------------------------------------


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("name", shipped_definitions())
def test_a_page_fits_on_one_screen(
    server: Server, rater: Rater, sample: dict[str, Dialogue], name: str, language: str
) -> None:
    schema, sheet = load_schema(name), replace(SHEET, language=language)
    rater.open(make(server, schema, sheet, [utterance_task(sample[language], 3, sheet)]))
    if name == "affect":
        rater.ask_relations()
    rater.check_fits()


def test_nothing_is_pre_filled_and_an_empty_page_cannot_be_submitted(
    server: Server, rater: Rater, sample: dict[str, Dialogue]
) -> None:
    project = make(server, AFFECT, SHEET, [utterance_task(sample["zh"], 0, SHEET)])
    rater.open(project)
    assert rater.page.locator(".ant-checkbox-wrapper-checked").count() == 0
    rater.press(hotkeys.SUBMIT)
    rater.page.get_by_text("请选择“情感极性”").wait_for()
    assert not server.annotations(project)


def test_a_set_cannot_be_left_open(server: Server, rater: Rater, sample: dict[str, Dialogue]) -> None:
    project = make(server, AFFECT, SHEET, [utterance_task(sample["zh"], 0, SHEET)])
    rater.open(project)
    rater.press("x", "b", "shift+1", "5", "t", "g", hotkeys.SUBMIT)
    rater.page.get_by_text("请选择“情绪”").wait_for()
    assert not server.annotations(project)


def test_a_bar_marks_open_questions_since_a_dialogue_page_takes_an_open_set(
    server: Server, rater: Rater, sample: dict[str, Dialogue]
) -> None:
    dialogue = replace(sample["zh"], turns=sample["zh"].turns[:2])
    project = make(server, AFFECT, DIALOGUES, [dialogue_task(dialogue, DIALOGUES)])
    rater.open(project)
    rater.press(hotkeys.NEXT_TURN)
    # The relation stands there until the emotion says whether it applies.
    rater.await_open("情感极性", "情绪", "讽刺", "幽默", "效价", "唤醒度", "支配度", "情绪→情感极性")
    rater.press("c", "b", "shift+1", "5", "t")
    rater.await_open("情绪", "支配度", "情绪→情感极性")
    rater.press(hotkeys.NEXT_TURN)
    rater.await_utterance(dialogue.turns[1].text)
    rater.press(*PLAIN_KEYS)
    rater.await_open()
    # What Label Studio can require it does: it says so and goes to the turn.
    rater.press(hotkeys.SUBMIT)
    rater.page.get_by_text("请选择“支配度”").wait_for()
    rater.await_utterance(dialogue.turns[0].text)
    rater.press("enter", "g")
    rater.submit()
    [reading] = read(server, project, AFFECT)
    first, second = reading.rows
    assert (first["sentiment"], first["dominance"]) == ("positive", 5.0)
    for name in ("emotion", "emotion_sentiment"):
        assert (first[name], first[f"{name}_missing"]) == (None, "not_rated")
    same(second, PLAIN_ROW)


def test_u_and_backspace_do_not_lose_the_turn(
    server: Server, rater: Rater, sample: dict[str, Dialogue]
) -> None:
    project = make(server, AFFECT, DIALOGUES, [dialogue_task(sample["zh"], DIALOGUES)])
    rater.open(project)
    rater.press(hotkeys.NEXT_TURN)
    rater.await_utterance(sample["zh"].turns[0].text)
    shown = rater.shown()
    assert shown
    rater.press("u", "Backspace")
    assert rater.shown() == shown
    assert rater.page.locator(".htx-highlight").count() == len(sample["zh"].turns)


def test_a_skipped_task_comes_back_as_skipped(
    server: Server, rater: Rater, sample: dict[str, Dialogue]
) -> None:
    project = make(server, AFFECT, SHEET, [utterance_task(sample["zh"], 0, SHEET)])
    rater.open(project)
    rater.press("c")
    rater.submit(hotkeys.SKIP)
    [reading] = read(server, project, AFFECT)
    assert reading.rows[0]["status"] == "skipped"
    assert reading.rows[0]["sentiment"] is None
