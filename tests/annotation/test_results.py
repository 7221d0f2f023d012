"""Reading what the labeling page returns: all that was pressed, nothing that was hidden, no exception."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from annotation.controls import page_controls
from annotation.labeling_config import labeling_config, turn_label
from annotation.results import NULLED, Reading, implausibly_fast, read_annotation
from annotation.sheet import Design, Sheet
from annotation.tasks import Dialogue, Turn, dialogue_task, utterance_task
from schemas import load_schema, records
from schemas.answer_sampling import draw_answers
from schemas.definition import shipped_definitions
from schemas.label_schema import LabelSchema
from schemas.records import Condition, Context
from schemas.tables import from_rows
from schemas.validation import RATING_REASONS, validate_answers
from tests.annotation.drawn_schemas import label_schemas
from tests.annotation.simulated_page import SimulatedPage, pressed, turn_page

AFFECT = load_schema("affect")
SHEET = Sheet("pilot", "1.0.0", "1.0.0+abc", condition=Condition.TEXT, context=Context.FULL, turns=4)
DIALOGUE = Dialogue("d", tuple(Turn(f"d_{n}", "A", f"said {n}", float(n), n + 1.0) for n in range(3)))
DATA = utterance_task(DIALOGUE, 1, SHEET)["data"]


def made(results: list[Any], **more: Any) -> dict[str, Any]:
    """Return an annotation as Label Studio exports it."""
    return {
        "id": 7,
        "unique_id": "00000000-0000-4000-8000-000000000001",
        "completed_by": 2,
        "was_cancelled": False,
        "created_at": "2026-11-20T17:32:25.146099Z",
        "updated_at": "2026-11-20T18:32:25+01:00",
        "lead_time": 30.5,
        "prediction": {},
        "result": results,
        **more,
    }


def chose(control: str, *aliases: str, region: str = "r") -> dict[str, Any]:
    return {"id": region, "from_name": control, "type": "choices", "value": {"choices": list(aliases)}}


def read(
    results: list[Any], data: Mapping[str, Any] = DATA, schema: LabelSchema = AFFECT, **more: Any
) -> Reading:
    return read_annotation(made(results, **more), data, schema, rater="r1")


def check_valid(reading: Reading, schema: LabelSchema) -> None:
    """Check that rows go into the project's table, and hold nothing that the schema forbids."""
    table = from_rows(reading.rows, records.annotations_schema(schema))
    assert not validate_answers(table, schema, "read", RATING_REASONS)
    from_rows(reading.quarantine, records.QUARANTINE)


# -- what was pressed comes back ---------------------------------------------------------------------------


def same(found: Mapping[str, Any], expected: Mapping[str, Any]) -> None:
    assert {name: found[name] for name in expected} == expected


def check_round_trip(schema: LabelSchema, seed: int, rows: int) -> None:
    config = labeling_config(schema, SHEET)
    for answers in draw_answers(schema, rows, seed).to_pylist():
        page = SimulatedPage(config)
        expected = pressed(page, schema, answers)
        reading = read_annotation(made(list(page.results())), DATA, schema, rater="r1")
        assert not reading.quarantine
        same(reading.rows[0], expected)
        check_valid(reading, schema)


@pytest.mark.parametrize("name", shipped_definitions())
def test_what_is_pressed_on_the_page_of_a_shipped_schema_comes_back(name: str) -> None:
    check_round_trip(load_schema(name), seed=5, rows=60)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(label_schemas(), st.integers(0, 1000))
def test_what_is_pressed_on_the_page_of_any_schema_comes_back(schema: LabelSchema, seed: int) -> None:
    check_round_trip(schema, seed, rows=8)


def test_each_turn_of_a_dialogue_gets_its_own_answers() -> None:
    sheet = replace(SHEET, design=Design.DIALOGUE)
    task = dialogue_task(DIALOGUE, sheet)
    config = labeling_config(AFFECT, sheet)
    results: list[Any] = list(task["predictions"][0]["result"])
    expected = []
    for number, answers in enumerate(draw_answers(AFFECT, 3, seed=1).to_pylist(), 1):
        page = turn_page(config)
        expected.append(pressed(page, AFFECT, answers))
        results += page.results(region=turn_label(number))
    reading = read_annotation(made(results), task["data"], AFFECT, rater="r1")
    assert [row["utterance_id"] for row in reading.rows] == ["d_0", "d_1", "d_2"]
    assert len({row["annotation_id"] for row in reading.rows}) == 3
    for row, wanted in zip(reading.rows, expected, strict=True):
        same(row, wanted)
        assert row["seconds"] == pytest.approx(30.5 / 3)
    check_valid(reading, AFFECT)


def test_what_stands_around_the_answers() -> None:
    row = read([chose("page--flags", "wrong_text", "bad_cut")]).rows[0]
    assert row["annotation_id"] == "00000000-0000-4000-8000-000000000001"
    assert row["utterance_id"] == "d_1"
    assert (row["rater"], row["round"], row["condition"], row["context"]) == ("r1", "pilot", "text", "full")
    assert (row["schema_version"], row["guideline_version"]) == ("1.0.0", "1.0.0+abc")
    assert row["created"] == datetime(2026, 11, 20, 17, 32, 25, 146099, tzinfo=UTC)
    assert row["updated"] == datetime(2026, 11, 20, 17, 32, 25, tzinfo=UTC)
    assert row["seconds"] == 30.5
    assert row["flags"] == ["bad_cut", "wrong_text"]
    assert row["status"] == "submitted"
    assert row["prediction_shown"] is None


# -- hidden, doubled, skipped -----------------------------------------------------------------------------


def test_values_of_hidden_controls_are_dropped() -> None:
    row = read(
        [
            chose("sentiment", "neutral"),
            chose("emotion--alone", "neutral"),
            chose("emotion-joy", "3"),
            chose("emotion_sentiment", "2"),
            chose("emotion_sentiment--2", "2"),
        ]
    ).rows[0]
    assert row["emotion"] == ["neutral"]
    assert row["emotion_intensity"] == [1, 0, 0, 0, 0, 0, 0]
    assert (row["emotion_sentiment"], row["emotion_sentiment_missing"]) == (None, "not_applicable")


@pytest.mark.parametrize(
    ("sentiment", "shown", "value"),
    [("positive", "emotion_sentiment", 1), ("neutral", "emotion_sentiment--2", -2)],
)
def test_of_doubled_controls_the_shown_one_counts(sentiment: str, shown: str, value: int) -> None:
    answers = {"emotion_sentiment": "1", "emotion_sentiment--2": "-2"}
    row = read(
        [
            chose("sentiment", sentiment),
            chose("emotion-joy", "3"),
            *(chose(name, alias) for name, alias in answers.items()),
        ]
    ).rows[0]
    assert row["emotion_sentiment"] == value == int(answers[shown])


def test_a_skipped_annotation_keeps_no_answer_even_if_it_holds_some() -> None:
    row = read([chose("sentiment", "positive")], was_cancelled=True).rows[0]
    assert row["status"] == "skipped"
    assert row["sentiment"] is None
    assert {row[f"{one.name}_missing"] for one in AFFECT} == {"not_rated"}


def test_cannot_tell_is_an_answer_of_its_own() -> None:
    row = read([chose("valence", "cannot_tell"), chose("emotion--alone", "cannot_tell")]).rows[0]
    assert (row["valence"], row["valence_missing"]) == (None, "cannot_tell")
    assert (row["emotion"], row["emotion_missing"]) == (None, "cannot_tell")
    assert row["sentiment_missing"] == "not_rated"


# -- what cannot be taken -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("result", "column", "reason"),
    [
        (chose("valence", "99"), "valence", "unknown value; valid: 1, 2, 3, 4, 5, 6, 7, 8, 9, cannot_tell"),
        (chose("sentiment", "Positive"), "sentiment", "unknown value; valid: negative, neutral"),
        (chose("sentiment", "positive", "neutral"), "sentiment", "one answer is expected here"),
        ({"from_name": "sentiment", "value": {"rating": 3}}, "sentiment", "is a list of choices"),
        ({"from_name": "sentiment", "value": None}, "sentiment", "is a list of choices"),
        (chose("page--flags", "ugly"), "flags", "unknown value; valid: bad_cut"),
        (chose("pride", "no"), None, "the page of this schema has no such control"),
        ("text", None, "a result is an object"),
    ],
)
def test_what_cannot_be_taken_is_quarantined_with_its_reason(
    result: Any, column: str | None, reason: str
) -> None:
    reading = read([result, chose("sarcasm", "none")])
    [fault] = reading.quarantine
    assert fault["column"] == column
    assert reason in fault["reason"]
    assert fault["row"] == 1
    assert fault["file"] == "annotation 00000000-0000-4000-8000-000000000001"
    [row] = reading.rows
    assert row["sarcasm"] == "none"
    if column not in (None, "flags"):
        assert (row[column], row[f"{column}_missing"]) == (None, "not_rated")
        assert fault["action"] == NULLED
    check_valid(reading, AFFECT)


def test_a_set_with_one_bad_intensity_is_null_as_a_whole() -> None:
    row = read([chose("emotion-joy", "9"), chose("emotion-fear", "2")]).rows[0]
    assert (row["emotion"], row["emotion_intensity"], row["emotion_missing"]) == (None, None, "not_rated")


def test_a_task_that_is_not_ours_is_quarantined_as_a_whole() -> None:
    reading = read([chose("sentiment", "positive")], data={"text": "hello"})
    assert not reading.rows
    assert "does not say which utterance" in reading.quarantine[0]["reason"]


def test_a_region_somebody_drew_by_hand_is_left_out() -> None:
    task = dialogue_task(DIALOGUE, replace(SHEET, design=Design.DIALOGUE))
    regions = task["predictions"][0]["result"]
    stray = {
        "id": "x",
        "from_name": "turn",
        "type": "labels",
        "value": {"labels": ["T02"], "start": 0, "end": 3},
    }
    results = [
        *regions,
        stray,
        chose("sarcasm", "sarcastic", region="x"),
        chose("sarcasm", "none", region="T02"),
    ]
    reading = read(results, data=task["data"])
    assert [row["sarcasm"] for row in reading.rows] == [None, "none", None]
    assert [fault["row"] for fault in reading.quarantine] == [4, 5]


# -- too fast -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seconds", "presses", "exposure", "fast"),
    [
        (0.3, 4, None, True),
        (2.0, 4, None, False),
        (1.4, 4, 2.0, True),
        (4.0, 4, 2.0, False),
        (None, 4, 2.0, False),
    ],
)
def test_what_is_too_fast(seconds: float | None, presses: int, exposure: float | None, fast: bool) -> None:
    assert implausibly_fast(seconds, presses, exposure) is fast


def test_the_plain_case_counts_as_one_key_and_is_recorded() -> None:
    page = SimulatedPage(labeling_config(AFFECT, SHEET))
    for key in ("space", "5", "t", "g"):
        page.press(key)
    assert not page.missing()
    reading = read(list(page.results()), lead_time=0.61)
    assert reading.plain == ["d_1"]
    assert not reading.fast
    assert read(list(page.results()), lead_time=0.59).fast == ["d_1"]


# -- nothing raises -----------------------------------------------------------------------------------------

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(exclude_categories=[])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
NAMES = [control.name for control in page_controls(AFFECT)]
ALIASES = sorted({choice.alias for control in page_controls(AFFECT) for choice in control.choices})
results_like = st.fixed_dictionaries(
    {},
    optional={
        "id": json_values | st.sampled_from(["T01", "T02"]),
        "from_name": st.sampled_from([*NAMES, "turn"]) | json_values,
        "value": st.fixed_dictionaries(
            {},
            optional={
                "choices": st.lists(st.sampled_from(ALIASES) | json_values, max_size=3) | json_values,
                "labels": st.lists(st.sampled_from(["T01", "T02", "T09"]) | json_values, max_size=2)
                | json_values,
            },
        )
        | json_values,
    },
)
annotations_like = st.fixed_dictionaries(
    {"unique_id": st.just("a") | json_values},
    optional={
        "result": st.lists(results_like | json_values, max_size=8) | json_values,
        "was_cancelled": json_values,
        "lead_time": json_values,
        "created_at": json_values | st.text(),
        "updated_at": json_values,
        "prediction": json_values | st.fixed_dictionaries({"model_version": json_values}),
    },
)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    annotations_like, st.booleans(), st.dictionaries(st.sampled_from(sorted(DATA)), json_values, max_size=3)
)
def test_nothing_in_an_annotation_raises(annotation: Any, dialogue: bool, spoiled: dict[str, Any]) -> None:
    sheet = replace(SHEET, design=Design.DIALOGUE)
    data = dialogue_task(DIALOGUE, sheet)["data"] if dialogue else DATA
    reading = read_annotation(annotation, {**data, **spoiled}, AFFECT, rater="r1")
    check_valid(reading, AFFECT)


def test_reading_is_the_same_after_a_journey_through_json() -> None:
    page = SimulatedPage(labeling_config(AFFECT, SHEET))
    for key in ("z", "shift+5", "n", "m", "7", "p", "g", "shift+l"):
        page.press(key)
    there = made(list(page.results()))
    again = json.loads(json.dumps(there))
    assert read_annotation(there, DATA, AFFECT, rater=None) == read_annotation(
        again, DATA, AFFECT, rater=None
    )
    assert np.isfinite(read_annotation(again, DATA, AFFECT, rater=None).rows[0]["valence"])
