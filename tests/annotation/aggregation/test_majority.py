"""Majority labels: hand-made votes with known outcomes, and properties."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from annotation.aggregation import aggregate, aggregate_project, notes_of, spread
from corpus.sample.packaged import create_sample
from schemas import load_schema
from schemas.errors import InputError
from schemas.records import answer_columns, labels_schema
from schemas.sampling import ANNOTATIONS, draw_corpus
from schemas.tables import read_table
from schemas.validation import validate_answers

SCHEMA = load_schema("affect")


def ratings(**fields: list[Any]) -> pa.Table:
    """Make ratings of one item: an answer a rater, or the name of a kind of no answer behind ``!``."""
    size = len(next(iter(fields.values())))
    columns: dict[str, pa.Array] = {"utterance_id": pa.array(["u"] * size)}
    for one in SCHEMA:
        given = fields.get(one.name, ["!not_rated"] * size)
        missing = [
            answer[1:] if isinstance(answer, str) and answer.startswith("!") else None for answer in given
        ]
        values = [None if reason else answer for answer, reason in zip(given, missing, strict=True)]
        for column in answer_columns(one):
            columns[column.name] = pa.nulls(size, column.type)
        columns[one.name] = pa.array(values, columns[one.name].type)
        columns[f"{one.name}_missing"] = pa.array(missing, pa.string())
        if one.name == "emotion" and "strengths" in fields:
            columns["emotion_intensity"] = pa.array(fields["strengths"], pa.list_(pa.int8()))
    return pa.table(columns)


def decided(name: str, answers: list[Any], **others: list[Any]) -> tuple[Any, str | None]:
    row = aggregate(ratings(**{name: answers}, **others), SCHEMA).to_pylist()[0]
    return row[name], row[f"{name}_missing"]


@pytest.mark.parametrize(
    ("answers", "outcome"),
    [
        (["none", "none", "sarcastic"], ("none", None)),
        (["none", "sarcastic"], (None, "undecided")),
        (["none", "sarcastic", "!cannot_tell"], (None, "undecided")),
        (["none", "!cannot_tell", "!cannot_tell"], (None, "cannot_tell")),
        (["none", "!cannot_tell"], (None, "undecided")),
        (["none", "!not_rated", "!not_rated"], ("none", None)),
        (["!not_rated", "!not_rated"], (None, "not_rated")),
    ],
)
def test_one_value(answers: list[str], outcome: tuple[str | None, str | None]) -> None:
    assert decided("sarcasm", answers) == outcome


@pytest.mark.parametrize(
    ("answers", "outcome"),
    [
        ([["joy"], ["joy", "surprise"], ["anger"]], (["joy"], None)),
        ([["joy", "surprise"], ["joy", "surprise"], ["anger"]], (["joy", "surprise"], None)),
        ([["joy"], ["anger"]], (None, "undecided")),
        ([["joy"], ["anger"], ["fear"]], (None, "undecided")),
        ([[], [], ["joy"]], ([], None)),
        ([[], ["joy"], ["fear"]], (None, "undecided")),
        ([["neutral"], ["neutral"], ["joy"]], (["neutral"], None)),
        ([["joy"], "!cannot_tell", "!cannot_tell"], (None, "cannot_tell")),
        (["!not_rated", ["joy"]], (["joy"], None)),
    ],
)
def test_sets(answers: list[Any], outcome: tuple[Any, str | None]) -> None:
    assert decided("emotion", answers) == outcome


def test_intensity_is_the_mean_of_those_who_chose_the_value() -> None:
    place = SCHEMA["emotion"].categories.index("joy")  # type: ignore[attr-defined]
    slots = [[0] * 7 for _ in range(3)]
    slots[0][place], slots[1][place] = 1, 2
    slots[2][SCHEMA["emotion"].categories.index("anger")] = 3  # type: ignore[attr-defined]
    table = ratings(emotion=[["joy"], ["joy"], ["anger"]], strengths=slots)
    row = aggregate(table, SCHEMA).to_pylist()[0]
    assert row["emotion"] == ["joy"]
    assert row["emotion_intensity"][place] == 2  # 1.5, halves are rounded up
    assert sum(row["emotion_intensity"]) == 2


def test_interval_fields_get_mean_and_deviation() -> None:
    row = aggregate(ratings(valence=[2.0, 4.0, 6.0]), SCHEMA).to_pylist()[0]
    assert row["valence"] == pytest.approx(4.0)
    assert row["valence_sd"] == pytest.approx(2.0)
    # Mean squared difference of two raters: (4 + 4 + 16) / 3 = 8; the range is 1..9.
    assert row["valence_agreement"] == pytest.approx(1 - 8 / 64)
    assert decided("valence", [3.0, "!cannot_tell"]) == (None, "undecided")


def test_soft_labels_and_agreement_count_those_who_answered() -> None:
    row = aggregate(
        ratings(sentiment=["negative", "negative", "positive", "!not_rated"]), SCHEMA
    ).to_pylist()[0]
    assert row["sentiment_soft"] == pytest.approx([2 / 3, 0, 1 / 3])
    assert row["sentiment_raters"] == 3
    assert row["sentiment_agreement"] == pytest.approx(1 / 3)
    alone = aggregate(ratings(sentiment=["negative"]), SCHEMA).to_pylist()[0]
    assert alone["sentiment_agreement"] is None


def test_a_relation_needs_a_decided_part() -> None:
    parts = {
        "emotion": [["joy"], ["neutral"], ["neutral"]],
        "sentiment": ["neutral", "positive", "neutral"],
    }
    # Two raters saw a part, each another one; neither part is decided as present.
    assert decided("emotion_sentiment", [1, 1, "!not_applicable"], **parts) == (None, "not_applicable")
    parts["emotion"] = [["joy"], ["joy"], ["neutral"]]
    assert decided("emotion_sentiment", [1, 1, "!not_applicable"], **parts) == (1, None)
    assert decided("emotion_sentiment", [1, "!cannot_tell", "!not_applicable"], **parts) == (
        None,
        "undecided",
    )
    assert decided("emotion_sentiment", [1, -1, -1], **parts) == (-1, None)


def test_labels_of_drawn_ratings_are_valid_whatever_the_order() -> None:
    drawn = draw_corpus(SCHEMA, 80, seed=5)[ANNOTATIONS]
    labels = aggregate(drawn, SCHEMA)
    assert labels.schema.equals(labels_schema(SCHEMA))
    assert validate_answers(labels, SCHEMA, "labels") == []
    order = np.random.default_rng(1).permutation(drawn.num_rows)
    again = aggregate(drawn.take(pa.array(order)), SCHEMA)
    assert labels.sort_by("utterance_id").equals(again.sort_by("utterance_id"))


def test_against_counting_by_hand() -> None:
    drawn = draw_corpus(SCHEMA, 30, seed=6)[ANNOTATIONS]
    labels = {row["utterance_id"]: row for row in aggregate(drawn, SCHEMA).to_pylist()}
    by_item: dict[str, Counter[str]] = {}
    latest = {
        (row["utterance_id"], row["rater"]): row
        for row in sorted(drawn.to_pylist(), key=lambda row: row["updated"])
        if row["status"] == "submitted"
    }
    for row in latest.values():
        answer = row["humor"] or {"cannot_tell": "cannot_tell"}.get(row["humor_missing"])
        by_item.setdefault(row["utterance_id"], Counter())
        if answer:
            by_item[row["utterance_id"]][answer] += 1
    assert len(by_item) > 100
    for item, counts in by_item.items():
        label = labels[item]
        best = [one for one, count in counts.items() if count == max(counts.values())]
        expected = None if len(best) != 1 or best == ["cannot_tell"] else best[0]
        assert label["humor"] == expected


def test_a_project_gets_a_row_for_every_utterance_and_is_then_up_to_date(tmp_path: Any) -> None:
    project, _ = create_sample(tmp_path / "p")
    labels = aggregate_project(project)
    assert labels is not None
    utterances = read_table(project.path("utterances.parquet"))
    assert labels.column("utterance_id").equals(utterances.column("utterance_id"))
    assert aggregate_project(project) is None


def test_what_is_gone_or_damaged_beside_labels_is_made_again(tmp_path: Path) -> None:
    project, _ = create_sample(tmp_path / "p")
    aggregate_project(project)
    notes = notes_of(project, "majority")
    for file in ("reports/labels-majority.json", "private/estimates-majority.json"):
        project.path(file).unlink()
        assert aggregate_project(project) is not None
        assert project.has(file)
    for text in ("{", "{}", "[]", '{"fields": []}', '{"fields": {"humor": {"notes": [{}]}}}'):
        project.path("reports/labels-majority.json").write_text(text, "utf-8")
        assert aggregate_project(project) is not None, text
        assert notes_of(project, "majority") == notes


def test_context_only_utterances_say_so() -> None:
    labels = aggregate(ratings(sarcasm=["none", "none"]), SCHEMA)
    utterances = pa.table({"utterance_id": ["before", "u"], "context_only": [True, False]})
    rows = spread(labels, utterances, SCHEMA).to_pylist()
    assert rows[0]["sarcasm_missing"] == rows[0]["emotion_missing"] == "context_only"
    assert rows[1]["sarcasm"] == "none"


def test_unknown_method_and_lacking_columns() -> None:
    with pytest.raises(InputError, match="did you mean 'majority'"):
        aggregate(ratings(sarcasm=["none"]), SCHEMA, method="majorty")
    with pytest.raises(InputError, match="lack a column, got 'sarcasm'"):
        aggregate(ratings(sarcasm=["none"]).drop_columns(["sarcasm"]), SCHEMA)
