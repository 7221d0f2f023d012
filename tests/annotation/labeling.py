"""Projects of single pages in a real Label Studio, for the tests of the pages: made, answered, read back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from annotation import hotkeys
from annotation.labeling_config import labeling_config
from annotation.results import Reading, read_annotation
from annotation.sheet import Design, Sheet
from annotation.tasks import Dialogue
from schemas import load_schema
from schemas.label_schema import LabelSchema
from schemas.records import Condition, Context
from tests.annotation.chromium import Rater
from tests.annotation.label_studio import Server
from tests.annotation.simulated_page import opinions, pressed, turn_page

AFFECT = load_schema("affect")
SHEET = Sheet("pilot", "1.0.0", "1.0.0+abc", condition=Condition.TEXT, turns=8)
DIALOGUES = replace(SHEET, design=Design.DIALOGUE, context=Context.FULL)


def make(server: Server, schema: LabelSchema, sheet: Sheet, tasks: list[dict[str, Any]]) -> int:
    return server.project(
        f"{schema.name} {sheet.design} {sheet.condition}", labeling_config(schema, sheet), tasks
    )


def read(server: Server, project: int, schema: LabelSchema) -> list[Reading]:
    return [
        read_annotation(annotation, task["data"], schema, rater="r1")
        for annotation, task in server.annotations(project)
    ]


def same(row: Mapping[str, Any], expected: Mapping[str, Any]) -> None:
    assert {name: row[name] for name in expected} == expected


def check_dialogue(
    server: Server, rater: Rater, project: int, sheet: Sheet, dialogue: Dialogue, how: str
) -> None:
    """Label a dialogue, and check that what was pressed or clicked comes back."""
    expected = []
    for number, answers in enumerate(opinions(AFFECT, len(dialogue.turns), seed=23), 1):
        if how == "keys":
            rater.press(hotkeys.NEXT_TURN)
        else:
            rater.pick_turn(number)
        rater.await_utterance(dialogue.turns[number - 1].text)
        page = turn_page(labeling_config(AFFECT, sheet))
        expected.append(pressed(page, AFFECT, answers))
        rater.answer(page, AFFECT, how)
    rater.submit() if how == "keys" else rater.submit_by_mouse()
    [reading] = read(server, project, AFFECT)
    assert not reading.quarantine
    assert [row["utterance_id"] for row in reading.rows] == [turn.utterance_id for turn in dialogue.turns]
    for row, wanted in zip(reading.rows, expected, strict=True):
        same(row, wanted)
