"""The Arrow schemas of tables, as section 1 of the design gives them."""

from __future__ import annotations

import pyarrow as pa
import pytest

from schemas import LabelSchema, load_schema, records
from schemas.definition import shipped_definitions
from schemas.records import (
    RESERVED_COLUMNS,
    annotations_schema,
    answer_columns,
    decided_columns,
    derived_columns,
    labels_schema,
    soft_length,
    value_type,
)

AFFECT = load_schema("affect")


@pytest.mark.parametrize(
    ("field", "columns"),
    [
        (
            "sarcasm",
            {
                "sarcasm": "string",
                "sarcasm_missing": "string",
                "sarcasm_soft": "list<item: float>",
                "sarcasm_agreement": "float",
                "sarcasm_raters": "int16",
            },
        ),
        (
            "sentiment",
            {
                "sentiment": "string",
                "sentiment_missing": "string",
                "sentiment_soft": "list<item: float>",
                "sentiment_agreement": "float",
                "sentiment_raters": "int16",
            },
        ),
        (
            "emotion",
            {
                "emotion": "list<item: string>",
                "emotion_intensity": "list<item: int8>",
                "emotion_missing": "string",
                "emotion_soft": "list<item: float>",
                "emotion_agreement": "float",
                "emotion_raters": "int16",
            },
        ),
        (
            "valence",
            {
                "valence": "float",
                "valence_missing": "string",
                "valence_sd": "float",
                "valence_agreement": "float",
                "valence_raters": "int16",
            },
        ),
        (
            "sarcasm_humor",
            {
                "sarcasm_humor": "int8",
                "sarcasm_humor_missing": "string",
                "sarcasm_humor_soft": "list<item: float>",
                "sarcasm_humor_agreement": "float",
                "sarcasm_humor_raters": "int16",
            },
        ),
    ],
)
def test_columns_of_a_decided_label(field: str, columns: dict[str, str]) -> None:
    found = decided_columns(AFFECT[field])
    types = {column.name: str(column.type).replace("element", "item") for column in found}
    assert types == columns
    assert list(types) == list(columns) == derived_columns(AFFECT[field])
    assert all(column.nullable for column in found)


def test_a_set_without_intensity_has_no_column_for_it() -> None:
    emotion = load_schema("iemocap")["emotion"]
    assert [column.name for column in answer_columns(emotion)] == ["emotion", "emotion_missing"]
    assert value_type(emotion) == pa.list_(pa.string())


def test_soft_labels_have_a_slot_a_value() -> None:
    assert [soft_length(field) for field in AFFECT] == [3, 7, 2, 2, 0, 0, 0, 5, 5]


@pytest.mark.parametrize("name", shipped_definitions())
def test_tables_hold_every_field_in_order_after_the_common_columns(name: str) -> None:
    schema = load_schema(name)
    ratings, labels = annotations_schema(schema), labels_schema(schema)
    own = [column.name for field in schema for column in answer_columns(field)]
    assert ratings.names[-len(own) :] == own
    assert ratings.names[:3] == ["annotation_id", "utterance_id", "rater"]
    assert labels.names == ["utterance_id", "method", "decided_by", "decided_at"] + [
        column for field in schema for column in derived_columns(field)
    ]
    for arrow in (ratings, labels):
        assert len(set(arrow.names)) == len(arrow.names)


def test_common_columns_are_reserved_and_those_of_fields_are_not() -> None:
    own = {column for field in AFFECT for column in derived_columns(field)}
    common = set(annotations_schema(AFFECT).names) | set(labels_schema(AFFECT).names)
    assert common - own <= RESERVED_COLUMNS
    assert not own & RESERVED_COLUMNS
    for table in (records.DIALOGUES, records.UTTERANCES, records.SPEAKERS, records.SPLITS):
        assert set(table.names) <= RESERVED_COLUMNS


def test_no_table_has_structs_or_lists_of_fixed_size() -> None:
    tables = [records.DIALOGUES, records.UTTERANCES, records.SPEAKERS, records.RATERS, records.SPLITS]
    for arrow in [*tables, records.QUARANTINE, annotations_schema(AFFECT), labels_schema(AFFECT)]:
        for column in arrow:
            assert not pa.types.is_struct(column.type), column
            assert not pa.types.is_fixed_size_list(column.type), column


def test_the_columns_of_the_design_are_there() -> None:
    assert records.DIALOGUES.names == "dialogue_id source show episode topic language source_split".split()
    assert records.UTTERANCES.names == [
        *("utterance_id", "dialogue_id", "index", "speaker_id", "text", "text_original", "start", "end"),
        *("language", "media", "context_only"),
    ]
    assert records.SPLITS.names == "dialogue_id scheme fold split".split()


def test_adding_a_field_adds_its_columns_and_changes_no_other() -> None:
    shorter = LabelSchema("s", "1", AFFECT.title, AFFECT.description, None, AFFECT.fields[:-1], "")
    before, after = annotations_schema(shorter), annotations_schema(AFFECT)
    assert pa.schema(list(after)[: len(before)]).equals(before)
    assert after.names[len(before) :] == ["sarcasm_humor", "sarcasm_humor_missing"]
