"""Validation: each kind of fault is found, in the right row, once, and nothing else is."""

from __future__ import annotations

from typing import Any

import hypothesis.strategies as st
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings

from schemas import LabelSchema, load_schema
from schemas.answer_sampling import draw_answers
from schemas.definition import parse_schema
from schemas.fields import (
    AppliesWhen,
    CategoricalField,
    Field,
    IntervalField,
    Missing,
    MultilabelField,
    NominalField,
    OrdinalField,
    RelationField,
    Text,
    Value,
)
from schemas.records import answer_columns, value_type
from schemas.sampling import ANNOTATIONS, LABELS, draw_corpus
from schemas.tables import from_rows
from schemas.validation import RATING_REASONS, validate_answers

AFFECT = load_schema("affect")
ROWS = 12


def answers() -> list[dict[str, Any]]:
    """Return rows in which everything is answered: anger 2, negative, sarcastic, humor none."""
    row: dict[str, Any] = {
        "sentiment": "negative",
        "emotion": ["anger"],
        "emotion_intensity": [2 if name == "anger" else 0 for name in AFFECT["emotion"].categories],  # type: ignore[attr-defined]
        "sarcasm": "sarcastic",
        "humor": "none",
        "valence": 2.0,
        "arousal": 7.0,
        "dominance": 5.0,
        "emotion_sentiment": 2,
        "sarcasm_humor": 0,
    }
    return [dict(row) for _ in range(ROWS)]


def table(rows: list[dict[str, Any]], schema: LabelSchema = AFFECT) -> pa.Table:
    return from_rows(rows, pa.schema([column for field in schema for column in answer_columns(field)]))


SLOTS = [0] * 7

FAULTS: list[tuple[str, dict[str, Any], str, str, object]] = [
    # what, changes to a row, message, column, value shown
    (
        "no reason",
        {"valence": None},
        "there is no answer, and valence_missing does not say why",
        "valence",
        None,
    ),
    (
        "a reason too many",
        {"humor_missing": "not_rated"},
        "there is an answer, and humor_missing excuses it",
        "humor",
        "not_rated",
    ),
    (
        "an unknown reason",
        {"valence": None, "valence_missing": "bored"},
        "unknown kind of no answer",
        "valence",
        "bored",
    ),
    ("an unknown category", {"sentiment": "Negative"}, "unknown value", "sentiment", "Negative"),
    ("an empty category", {"sarcasm": ""}, "unknown value", "sarcasm", ""),
    ("an unknown value in a set", {"emotion": ["anger", "spleen"]}, "unknown value", "emotion", "spleen"),
    (
        "an unsplit set",
        {"emotion": ["joy|anger"], "emotion_intensity": None},
        "unknown value",
        "emotion",
        "joy|anger",
    ),
    ("an empty name in a set", {"emotion": [""], "emotion_intensity": None}, "unknown value", "emotion", ""),
    ("a null in a set", {"emotion": ["anger", None]}, "unknown value", "emotion", None),
    (
        "an exclusive value beside another",
        {"emotion": ["neutral", "anger"], "emotion_intensity": [1, 0, 0, 2, 0, 0, 0]},
        "'neutral' excludes all other values",
        "emotion",
        "neutral|anger",
    ),
    (
        "a set out of order",
        {"emotion": ["anger", "joy"], "emotion_intensity": [0, 1, 0, 2, 0, 0, 0]},
        "the values of a set stand in schema order, each once",
        "emotion",
        "anger|joy",
    ),
    (
        "a value twice",
        {"emotion": ["anger", "anger"]},
        "the values of a set stand in schema order, each once",
        "emotion",
        "anger|anger",
    ),
    ("below the scale", {"valence": 0.5}, "this lies outside the range 1..9", "valence", 0.5),
    ("above the scale", {"arousal": 9.5}, "this lies outside the range 1..9", "arousal", 9.5),
    (
        "an infinite number",
        {"arousal": float("inf")},
        "this lies outside the range 1..9",
        "arousal",
        float("inf"),
    ),
    ("off the relation's scale", {"sarcasm_humor": 3}, "not on the scale", "sarcasm_humor", 3),
    (
        "a relation of nothing",
        {"sarcasm": "none", "sarcasm_humor": 1},
        "rated although neither sarcasm nor humor is present",
        "sarcasm_humor",
        1,
    ),
    (
        "a relation not applicable to something",
        {"sarcasm_humor": None, "sarcasm_humor_missing": "not_applicable"},
        "not applicable although sarcasm or humor is present",
        "sarcasm_humor",
        None,
    ),
    (
        "an intensity without an answer",
        {"emotion": None, "emotion_missing": "cannot_tell", "emotion_intensity": SLOTS},
        "an intensity without an answer",
        "emotion_intensity",
        SLOTS,
    ),
    (
        "too few slots",
        {"emotion_intensity": [1, 2]},
        "7 slots are expected",
        "emotion_intensity",
        [1, 2],
    ),
    (
        "a chosen value without intensity",
        {"emotion_intensity": SLOTS},
        "a chosen value has an intensity of 1..3, all others 0",
        "emotion_intensity",
        SLOTS,
    ),
    (
        "an intensity of what is not chosen",
        {"emotion_intensity": [1, 0, 0, 1, 0, 0, 0]},
        "a chosen value has an intensity of 1..3, all others 0",
        "emotion_intensity",
        [1, 0, 0, 1, 0, 0, 0],
    ),
    (
        "a null where nothing is chosen",
        {"emotion_intensity": [None, 0, 0, 2, 0, 0, 0]},
        "a chosen value has an intensity of 1..3, all others 0",
        "emotion_intensity",
        [None, 0, 0, 2, 0, 0, 0],
    ),
    (
        "a null intensity",
        {"emotion_intensity": [0, 0, 0, None, 0, 0, 0]},
        "a chosen value has an intensity of 1..3, all others 0",
        "emotion_intensity",
        [0, 0, 0, None, 0, 0, 0],
    ),
]


@pytest.mark.parametrize(
    ("changes", "message", "column", "shown"), [fault[1:] for fault in FAULTS], ids=[one[0] for one in FAULTS]
)
@pytest.mark.parametrize("places", [[0], [11], [3, 4, 9]])
def test_each_fault_gives_one_issue_with_its_row_and_count(
    changes: dict[str, Any], message: str, column: str, shown: object, places: list[int]
) -> None:
    rows = answers()
    assert not validate_answers(table(rows), AFFECT, "t")
    for place in places:
        rows[place] |= changes
    found = validate_answers(table(rows), AFFECT, "t")
    assert [(one.message, one.column, one.value) for one in found] == [(message, column, shown)]
    assert (found[0].row, found[0].count, found[0].where) == (places[0] + 1, len(places), "t")


def test_numbers_that_are_none_are_outside() -> None:
    rows = answers()
    rows[2]["valence"] = float("nan")
    found = validate_answers(table(rows), AFFECT, "t")
    assert [(one.row, one.column) for one in found] == [(3, "valence")]


def test_faults_of_different_values_are_told_apart_and_all_reported() -> None:
    rows = answers()
    rows[1]["sentiment"], rows[2]["sentiment"], rows[5]["sentiment"] = "bad", "good", "bad"
    rows[5]["valence"] = 0.0
    found = validate_answers(table(rows), AFFECT, "t")
    assert [(one.value, one.row, one.count) for one in found] == [("bad", 2, 2), ("good", 3, 1), (0.0, 6, 1)]
    assert str(found[0]) == (
        "t, row 2, column 'sentiment': unknown value, got 'bad'; valid: negative, neutral, positive"
        " (2 rows, this is the first)"
    )


def test_rows_are_right_whatever_the_chunks() -> None:
    rows = answers()
    rows[7]["emotion"] = ["anger", "spleen"]
    rows[8]["sentiment"] = "bad"
    whole = table(rows)
    pieces = pa.concat_tables([whole.slice(0, 3), whole.slice(3, 5), whole.slice(8)])
    assert validate_answers(pieces, AFFECT, "t") == validate_answers(whole, AFFECT, "t")
    assert [one.row for one in validate_answers(whole.slice(6), AFFECT, "t")] == [3, 2]


def test_a_table_may_hold_fewer_kinds_of_no_answer() -> None:
    rows = answers()
    rows[0] |= {"valence": None, "valence_missing": "undecided"}
    assert not validate_answers(table(rows), AFFECT, "labels")
    found = validate_answers(table(rows), AFFECT, "ratings", RATING_REASONS)
    assert [(one.message, one.value) for one in found] == [("unknown kind of no answer", "undecided")]
    assert list(found[0].choices) == ["not_rated", "not_applicable", "cannot_tell"]


def test_every_missing_column_is_named() -> None:
    short = table(answers()).drop_columns(["humor_missing", "emotion_intensity", "sarcasm"])
    found = validate_answers(short, AFFECT, "t")
    assert [one.column for one in found] == ["emotion_intensity", "sarcasm", "humor_missing"]
    assert {one.message for one in found} == {"this table lacks a column of the schema"}


def test_an_empty_table_is_valid() -> None:
    assert not validate_answers(table([]), AFFECT, "t")


def test_a_relation_of_a_part_without_answer_may_be_left_out_or_not() -> None:
    rows = answers()
    unknown = {"sarcasm": None, "sarcasm_missing": "cannot_tell", "sarcasm_humor": None}
    for row, reason in zip(rows, ("not_rated", "cannot_tell", "not_applicable"), strict=False):
        row |= {**unknown, "sarcasm_humor_missing": reason}
    assert not validate_answers(table(rows), AFFECT, "t")


def test_a_relation_that_applies_always_is_never_not_applicable() -> None:
    cmma = load_schema("cmma")
    sample = draw_answers(cmma, 400, 0)
    assert "not_applicable" not in sample["sarcasm_humor_missing"].to_pylist()
    rows = sample.to_pylist()
    rows[7] |= {"sarcasm_humor": None, "sarcasm_humor_missing": "not_applicable"}
    found = validate_answers(pa.Table.from_pylist(rows, sample.schema), cmma, "t")
    assert [(one.row, one.column) for one in found] == [(8, "sarcasm_humor")]


def test_the_ends_of_a_range_are_inside_in_32_bits() -> None:
    text = Text("V", "效")
    field = IntervalField("v", text, None, None, (), 0.1, 0.7)
    schema = LabelSchema("s", "1", text, text, None, (field,), "")
    ends = pa.table({"v": pa.array([0.1, 0.7], pa.float32()), "v_missing": pa.nulls(2, pa.string())})
    assert not validate_answers(ends, schema, "t")


# -- any schema ------------------------------------------------------------------------------------------

WORDING = Text("word", "词")
names = st.lists(st.sampled_from([f"v{n}" for n in range(8)] + ["no", "1.0", "怒", "a b"]), unique=True)


@st.composite
def plain_field(draw: st.DrawFn, name: str) -> Field:
    kind = draw(st.sampled_from(["nominal", "ordinal", "multilabel", "interval"]))
    common = (name, WORDING, None, None)
    if kind == "interval":
        low = draw(st.floats(-100, 100, width=32))
        high = low + draw(st.floats(0.0625, 50, width=32))
        absent = (repr(draw(st.floats(low, high))),) if draw(st.booleans()) else ()
        return IntervalField(*common, absent, low, high)
    values = tuple(Value(one, WORDING) for one in draw(names.filter(lambda found: len(found) > 1)))
    some = st.lists(st.sampled_from([value.name for value in values]), unique=True, max_size=3).map(tuple)
    absent = draw(some)
    if kind == "nominal":
        return NominalField(*common, absent, values)
    if kind == "ordinal":
        return OrdinalField(*common, absent, values)
    low_high = draw(st.none() | st.tuples(st.integers(1, 5), st.integers(6, 127)))
    return MultilabelField(*common, absent, values, draw(some), low_high)


@st.composite
def schemas(draw: st.DrawFn) -> LabelSchema:
    """Any valid schema; relations may stand before their parts."""
    fields = [draw(plain_field(f"f{n}")) for n in range(draw(st.integers(1, 4)))]
    for number in range(draw(st.integers(0, 2)) if len(fields) > 1 else 0):
        source, target = draw(st.permutations([one.name for one in fields if one.name[0] == "f"]))[:2]
        low, high = draw(st.integers(-3, -1)), draw(st.integers(1, 3))
        values = tuple(Value(str(one), WORDING) for one in range(low, high + 1))
        when = draw(st.sampled_from(list(AppliesWhen)))
        relation = RelationField(
            f"r{number}", WORDING, None, None, ("0",), source, target, low, high, when, values
        )
        fields.insert(draw(st.integers(0, len(fields))), relation)
    return LabelSchema("any", "1", WORDING, WORDING, None, tuple(fields), "")


def check_rows(found: pa.Table, schema: LabelSchema, reasons: tuple[Missing, ...]) -> None:
    """Check answers one by one, by plain Python: what `validate_answers` does by columns."""
    for row in found.to_pylist():
        for field in schema:
            value, missing = row[field.name], row[f"{field.name}_missing"]
            assert (value is None) == (missing is not None)
            assert missing is None or missing in reasons
            if isinstance(field, RelationField):
                asked = schema.applies(field, row)
                assert value is None or asked is True
                assert missing != "not_applicable" or asked is not True
                assert asked is not False or missing in ("not_applicable", "not_rated", "context_only")
            if value is None:
                assert row.get(f"{field.name}_intensity") is None
            elif isinstance(field, MultilabelField):
                places = [field.categories.index(name) for name in value]
                assert places == sorted(set(places))
                assert len(value) < 2 or not set(value) & set(field.exclusive)
                if field.intensity:
                    low, high = field.intensity
                    slots = row[f"{field.name}_intensity"]
                    for name, slot in zip(field.categories, slots, strict=True):
                        assert low <= slot <= high if name in value else slot == 0
            elif isinstance(field, CategoricalField | RelationField):
                assert value in field.categories
            elif isinstance(field, IntervalField):
                assert np.float32(field.low) <= value <= np.float32(field.high)


@given(schemas(), st.integers(0, 2**32 - 1))
@settings(max_examples=60, deadline=None)
def test_drawn_records_are_valid_in_any_schema(schema: LabelSchema, seed: int) -> None:
    drawn = draw_answers(schema, 60, seed)
    assert validate_answers(drawn, schema, "t", RATING_REASONS) == []
    check_rows(drawn, schema, RATING_REASONS)
    corpus = draw_corpus(schema, 4, seed, raters=2)
    assert validate_answers(corpus[LABELS], schema, "t") == []
    assert validate_answers(corpus[ANNOTATIONS], schema, "t", RATING_REASONS) == []
    check_rows(corpus[LABELS], schema, tuple(Missing))
    check_rows(corpus[ANNOTATIONS], schema, RATING_REASONS)


@given(schemas(), plain_field("added"), st.integers(0, 2**32 - 1))
@settings(max_examples=40, deadline=None)
def test_adding_a_field_keeps_old_answers_valid(schema: LabelSchema, added: Field, seed: int) -> None:
    larger = LabelSchema("any", "2", WORDING, WORDING, None, (*schema.fields, added), "")
    old = draw_answers(schema, 30, seed)
    for column in answer_columns(added):
        missing = column.name == "added_missing"
        old = old.append_column(column, pa.array(["not_rated" if missing else None] * 30, column.type))
    assert validate_answers(old, larger, "t", RATING_REASONS) == []
    assert value_type(added) == old.schema.field("added").type


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_any_value_that_is_not_in_the_schema_is_found(data: st.DataObject) -> None:
    schema = data.draw(schemas().filter(lambda one: any(isinstance(f, CategoricalField) for f in one)))
    field = data.draw(st.sampled_from([one for one in schema if isinstance(one, CategoricalField)]))
    row = data.draw(st.integers(0, 29))
    drawn = draw_answers(schema, 30, 1).to_pylist()
    drawn[row] |= {f"{field.name}_missing": None, f"{field.name}_intensity": None}
    drawn[row][field.name] = ["strange"] if isinstance(field, MultilabelField) else "strange"
    columns = pa.schema([column for one in schema for column in answer_columns(one)])
    found = validate_answers(pa.Table.from_pylist(drawn, columns), schema, "t")
    own = [one for one in found if one.column == field.name]
    assert [(one.message, one.row, one.value) for one in own] == [("unknown value", row + 1, "strange")]


def test_a_field_added_to_the_yaml_is_drawn_and_validated() -> None:
    text = """\
name: s
version: "1"
title: {en: S, zh: 式}
description: {en: S, zh: 式}
fields:
  tone:
    type: nominal
    title: {en: Tone, zh: 语气}
    absent: []
    values:
      calm: {title: {en: Calm, zh: 平静}}
      harsh: {title: {en: Harsh, zh: 严厉}}
"""
    added = text + text.partition("fields:\n")[2].replace("tone:", "pace:")
    drawn = draw_answers(parse_schema(added), 50, 0)
    assert drawn.column_names == ["tone", "tone_missing", "pace", "pace_missing"]
    assert validate_answers(drawn, parse_schema(added), "t") == []
    found = validate_answers(draw_answers(parse_schema(text), 50, 0), parse_schema(added), "t")
    assert [one.column for one in found] == ["pace", "pace_missing"]
