"""Tasks: what a rater may see, and nothing else."""

from __future__ import annotations

import json
from dataclasses import replace
from html.parser import HTMLParser
from itertools import product
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import fromstring

import hypothesis.strategies as st
import pytest
from hypothesis import given

from annotation.controls import scale_points
from annotation.labeling_config import labeling_config
from annotation.predictions import Prediction, predicted
from annotation.pulled import prediction_shown
from annotation.results import read_annotation
from annotation.sheet import Design, Sheet
from annotation.tasks import (
    FRAME_RATE,
    TURNS_MODEL,
    Dialogue,
    Turn,
    dialogue_task,
    media_url,
    read_dialogues,
    utterance_task,
)
from schemas import InputError, load_schema
from schemas.definition import shipped_definitions
from schemas.fields import IntervalField, RelationField
from schemas.label_schema import LabelSchema
from schemas.project import Project
from schemas.records import Condition, Context
from schemas.sampling import draw_corpus
from schemas.tables import write_table
from tests.annotation.simulated_page import opinions

SAID = ('alpha <b>bold</b> & "q"', "beta 😀 two\nlines", "gamma", "delta $text")
DIALOGUE = Dialogue(
    "d/1",
    tuple(
        Turn(f"d/1_u{n}", None if n == 3 else "王芳", said, n * 1.5, n * 1.5 + 1)
        for n, said in enumerate(SAID)
    ),
    "zh",
    "media/show.mp4",
)
SHEET = Sheet("pilot", "1.0.0", "1.0.0+abc", turns=6)
CLIP = media_url("clips/d%1 u0.mp4")


class Visible(HTMLParser):
    """Collects the text and the tags of a piece of HTML."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.text = ""
        self.tags: set[str] = set()
        self.feed(html)

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)


def everything(task: dict[str, Any]) -> str:
    """Return all texts of a task as a rater could read them, in the page or behind it."""
    raw = json.dumps(task, ensure_ascii=False)
    return raw + Visible(str(task["data"].get("context", "")) + str(task["data"].get("later", ""))).text


@pytest.mark.parametrize("condition", list(Condition))
@pytest.mark.parametrize("index", range(4))
def test_past_context_holds_no_later_turn(condition: Condition, index: int) -> None:
    task = utterance_task(DIALOGUE, index, replace(SHEET, condition=condition), CLIP)
    words = everything(task)
    for later in range(index + 1, 4):
        assert SAID[later].split()[0] not in words


@pytest.mark.parametrize("condition", [Condition.AUDIO, Condition.VIDEO])
@pytest.mark.parametrize("context", list(Context))
def test_a_page_of_sound_or_pictures_holds_no_word_of_the_transcript(
    condition: Condition, context: Context
) -> None:
    sheet = replace(SHEET, condition=condition, context=context)
    tasks = [utterance_task(DIALOGUE, index, sheet, CLIP) for index in range(4)]
    if context is Context.FULL:
        tasks.append(dialogue_task(DIALOGUE, replace(sheet, design=Design.DIALOGUE), CLIP))
    for task in tasks:
        words = everything(task)
        assert not [said for said in SAID if said.split()[0] in words]
        assert task["data"]["media"] == CLIP


def test_a_page_of_text_holds_no_clip() -> None:
    sheet = replace(SHEET, condition=Condition.TEXT)
    assert "local-files" not in everything(utterance_task(DIALOGUE, 0, sheet, CLIP))


def test_full_context_shows_what_was_said_before_and_after() -> None:
    data = utterance_task(DIALOGUE, 1, replace(SHEET, context=Context.FULL), CLIP)["data"]
    before, after = Visible(data["context"]).text, Visible(data["later"]).text
    assert [said.split()[0] in before for said in SAID] == [True, False, False, False]
    assert [said.split()[0] in after for said in SAID] == [False, False, True, True]
    assert "later" not in utterance_task(DIALOGUE, 1, SHEET, CLIP)["data"]


def test_texts_are_escaped() -> None:
    html = utterance_task(DIALOGUE, 1, SHEET, CLIP)["data"]["context"]
    assert Visible(html).tags == {"div", "p"}
    assert SAID[0] in Visible(html).text


@given(st.text(st.characters(exclude_categories=[]), min_size=1))
def test_any_text_can_be_sent_and_breaks_nothing(text: str) -> None:
    dialogue = Dialogue("d", (Turn("u0", text, text, 0.0, 1.0), Turn("u1", "B", text, 1.0, 2.0)))
    task = utterance_task(dialogue, 1, SHEET, CLIP)
    json.dumps(task).encode("utf-8")
    task["data"]["text"].encode("utf-8")
    assert "\0" not in task["data"]["text"]
    assert Visible(task["data"]["context"]).tags <= {"div", "p"}


@given(st.lists(st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=12), min_size=1, max_size=5))
def test_regions_of_a_transcript_are_its_turns_as_a_browser_counts(said: list[str]) -> None:
    dialogue = Dialogue("d", tuple(Turn(f"u{n}", "S", text) for n, text in enumerate(said)))
    sheet = replace(SHEET, design=Design.DIALOGUE, condition=Condition.TEXT, context=Context.FULL)
    task = dialogue_task(dialogue, sheet)
    units = task["data"]["transcript"].encode("utf-16-le")
    for number, region in enumerate(task["predictions"][0]["result"], 1):
        value = region["value"]
        cut = units[2 * value["start"] : 2 * value["end"]].decode("utf-16-le")
        assert cut == value["text"]
        assert cut.startswith(f"{number}. S")
        assert "\n" not in cut


def test_regions_of_sound_and_pictures_are_the_times_of_the_turns() -> None:
    sheet = replace(SHEET, design=Design.DIALOGUE, context=Context.FULL)
    frames = dialogue_task(DIALOGUE, sheet, CLIP)["predictions"][0]
    assert frames["model_version"] == TURNS_MODEL
    assert [one["value"]["ranges"] for one in frames["result"]][1] == [
        {"start": round(1.5 * FRAME_RATE), "end": round(2.5 * FRAME_RATE)}
    ]
    sound = dialogue_task(DIALOGUE, replace(sheet, condition=Condition.AUDIO), CLIP)["predictions"][0]
    assert [(one["value"]["start"], one["value"]["end"]) for one in sound["result"]][2] == (3.0, 4.0)


def test_a_task_has_every_column_that_its_page_names() -> None:
    schema = load_schema("affect")
    for design, condition in product(Design, Condition):
        sheet = replace(SHEET, design=design, condition=condition, context=Context.FULL)
        task = (
            utterance_task(DIALOGUE, 1, sheet, CLIP)
            if design is Design.UTTERANCE
            else dialogue_task(DIALOGUE, sheet, CLIP)
        )
        named = {
            value[1:]
            for one in fromstring(labeling_config(schema, sheet)).iter()
            for name, value in one.attrib.items()
            if name in ("value", "frameRate") and value.startswith("$")
        }
        assert named <= set(task["data"])


def test_a_task_says_what_it_is_and_is_the_same_every_time() -> None:
    task = utterance_task(DIALOGUE, 2, SHEET, CLIP)
    assert task == utterance_task(DIALOGUE, 2, SHEET, CLIP)
    data = task["data"]
    assert data["key"] == "pilot/utterance/full/past/d/1_u2"
    assert (data["utterance_id"], data["dialogue_id"], data["seconds"]) == ("d/1_u2", "d/1", 1.0)
    assert (data["round"], data["schema_version"], data["guideline_version"]) == (
        "pilot",
        "1.0.0",
        "1.0.0+abc",
    )
    keys = {
        utterance_task(DIALOGUE, index, replace(SHEET, round=round_, condition=condition), CLIP)["data"][
            "key"
        ]
        for index in range(4)
        for round_ in ("pilot", "main")
        for condition in Condition
    }
    assert len(keys) == 4 * 2 * 4


def test_context_only_turns_are_shown_and_not_rated() -> None:
    turns = tuple(replace(turn, context_only=number == 1) for number, turn in enumerate(DIALOGUE.turns))
    dialogue = replace(DIALOGUE, turns=turns)
    assert "beta" in utterance_task(dialogue, 2, SHEET, CLIP)["data"]["context"]
    with pytest.raises(InputError, match="context only"):
        utterance_task(dialogue, 1, SHEET, CLIP)
    sheet = replace(SHEET, design=Design.DIALOGUE, context=Context.FULL)
    task = dialogue_task(dialogue, sheet, CLIP)
    assert task["data"]["turns"] == ["d/1_u0", "d/1_u2", "d/1_u3"]
    assert "beta" in task["data"]["transcript"]


def test_faults_name_the_item() -> None:
    with pytest.raises(InputError, match=r"needs a clip, and there is none.*'d/1_u0'"):
        utterance_task(DIALOGUE, 0, SHEET)
    sheet = replace(SHEET, design=Design.DIALOGUE, context=Context.FULL)
    timeless = replace(DIALOGUE, turns=tuple(replace(turn, start=None) for turn in DIALOGUE.turns))
    with pytest.raises(InputError, match="no times") as caught:
        dialogue_task(timeless, sheet, CLIP)
    assert len(caught.value.issues) == 4
    with pytest.raises(InputError, match="4 turns to rate and the page takes 2"):
        dialogue_task(DIALOGUE, replace(sheet, turns=2), CLIP)
    with pytest.raises(InputError, match="shows later turns"):
        dialogue_task(DIALOGUE, replace(sheet, context=Context.PAST), CLIP)


def test_dialogues_of_a_project_have_the_names_of_their_speakers(tmp_path: Path) -> None:
    project = Project.create(tmp_path / "p", "meld")
    tables = draw_corpus(project.schema, 5, seed=2, raters=0)
    for name, table in tables.items():
        (project.path(name)).parent.mkdir(parents=True, exist_ok=True)
        write_table(project.path(name), table, table.schema)
    found = read_dialogues(project)
    assert [one.dialogue_id for one in found] == tables["dialogues.parquet"]["dialogue_id"].to_pylist()
    rows = tables["utterances.parquet"].to_pylist()
    turns = [turn for one in found for turn in one.turns]
    assert [turn.utterance_id for turn in turns] == [row["utterance_id"] for row in rows]
    assert [turn.speaker for turn in turns] == [
        row["speaker_id"].upper() if row["speaker_id"] else None for row in rows
    ]


def test_paths_of_clips_are_quoted() -> None:
    assert media_url("clips/a b%#?/名.mp4") == "/data/local-files/?d=clips/a%20b%25%23%3F/%E5%90%8D.mp4"


# -- predictions ------------------------------------------------------------------------------------------

MODEL = {"u0": ("floor-1", 0.5), "u1": ("floor-2", None), "u3": ("floor-1", 0.9)}


def said_by_models(schema: LabelSchema) -> dict[str, Prediction]:
    """Predictions of three of four turns, of two models."""
    rows = opinions(schema, 3, seed=8)
    return {
        f"d/1_{name}": Prediction(version, score, answers)
        for (name, (version, score)), answers in zip(MODEL.items(), rows, strict=True)
    }


@pytest.mark.parametrize("name", shipped_definitions())
@pytest.mark.parametrize("condition", list(Condition))
@pytest.mark.parametrize("design", list(Design))
def test_a_page_that_is_submitted_as_it_was_filled_in_says_what_the_model_said(
    design: Design, condition: Condition, name: str
) -> None:
    schema = load_schema(name)
    sheet = replace(SHEET, design=design, condition=condition, context=Context.FULL)
    said = said_by_models(schema)
    made = (
        [dialogue_task(DIALOGUE, sheet, CLIP)]
        if design is Design.DIALOGUE
        else [utterance_task(DIALOGUE, index, sheet, CLIP) for index in range(4)]
    )
    before = json.dumps(made)
    rows = []
    for task in (predicted(one, said, schema) for one in made):
        shown = task.get("predictions", [{"result": []}])[0]["result"]
        reading = read_annotation({"id": 1, "result": shown}, task["data"], schema, rater="r1")
        assert not reading.quarantine
        for row in reading.rows:
            row["prediction_shown"] = prediction_shown(task["data"], row["utterance_id"])
        rows += reading.rows
    assert json.dumps(made) == before
    assert [row["prediction_shown"] for row in rows] == ["floor-1", "floor-2", None, "floor-1"]
    for row in rows:
        model = said.get(row["utterance_id"])
        for one in schema:
            value, missing = (
                (model.answers[one.name], model.answers[f"{one.name}_missing"])
                if model
                else (None, "not_rated")
            )
            if isinstance(one, IntervalField) and value is not None:
                value = min(scale_points(one), key=lambda point: abs(point - value))
            if not isinstance(one, RelationField):
                assert (row[one.name], row[f"{one.name}_missing"]) == (value, missing)


def test_a_dialogue_that_a_model_saw_has_one_prediction_with_all_turns_and_the_mean_score() -> None:
    schema = load_schema("affect")
    sheet = replace(SHEET, design=Design.DIALOGUE, context=Context.FULL)
    task = dialogue_task(DIALOGUE, sheet, CLIP)
    [part] = predicted(task, said_by_models(schema), schema)["predictions"]
    assert part["result"][:4] == task["predictions"][0]["result"]
    assert part["score"] == pytest.approx(0.7)
    regions = {one["id"]: one["value"]["ranges"] for one in part["result"][:4]}
    assert {one["id"] for one in part["result"][4:]} == {"T01", "T02", "T04"}
    assert all(one["value"]["ranges"] == regions[one["id"]] for one in part["result"][4:])
    assert predicted(task, {}, schema) == task
