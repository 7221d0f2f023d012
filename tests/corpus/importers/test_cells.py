"""Cells: times, texts and answers."""

from __future__ import annotations

import unicodedata

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.importers.cells import normalise, parse_answers, seconds, split_name, valid_answers
from schemas import load_schema

AFFECT = load_schema("affect")


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("01:02:03,456", 3723.456),
        ("1:02:03.456", 3723.456),
        ("02:03", 123),
        ("0:59.999", 59.999),
        ("123.5", 123.5),
        ("0", 0),
        ("100:00:00", 360_000),
    ],
)
def test_times(cell: str, value: float) -> None:
    assert seconds(cell) == value


@pytest.mark.parametrize(
    "cell", ["-1", "nan", "inf", "1:60", "1:2:3:4", "00:61:00", "1e999", "x", "0:0:", ">1"]
)
def test_what_is_no_time(cell: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the cell is the message
        seconds(cell)


def test_full_width_letters_and_control_characters_are_normalised() -> None:
    assert normalise("ＡＢ１２　ｃ\x07\n d，好！") == "AB12 c d，好！"


@given(st.text())
def test_normalising_twice_changes_nothing(text: str) -> None:
    once = normalise(text)
    assert normalise(once) == once
    assert not any(unicodedata.category(letter) in {"Cc", "Cs"} for letter in once)


def _values(field: str, *cells: str) -> list[object]:
    parsed, _ = parse_answers(AFFECT[field], pa.array(cells))
    return [None if bad else value for value, bad in zip(parsed.values.to_pylist(), parsed.bad, strict=True)]


def _is_bad(field: str, *cells: str) -> list[bool]:
    return parse_answers(AFFECT[field], pa.array(cells))[0].bad.tolist()


def test_answers() -> None:
    assert _values("sentiment", " Positive", "NA", "cannot_tell") == ["positive", None, None]
    assert _values("valence", "5", "1e0", "") == [5.0, 1.0, None]
    assert _values("emotion_sentiment", "2", "-1.0") == [2, -1]
    assert _values("emotion", "joy|anger", "[]", "joy=2") == [
        [one for one in AFFECT["emotion"].categories if one in {"joy", "anger"}],
        [],
        ["joy"],
    ]


@pytest.mark.parametrize(
    ("field", "cell"),
    [
        ("sentiment", "very positive"),
        ("valence", "0.5"),
        ("valence", "-nan"),
        ("valence", "inf"),
        ("emotion_sentiment", "0.5"),
        ("emotion_sentiment", "3"),
        ("emotion", "joy|"),
        ("emotion", "neutral|joy"),
        ("emotion", "joy=9"),
        ("emotion", "joy=two"),
        ("emotion", "joy=1|joy=2"),
        ("emotion", "joy=1|anger"),
    ],
)
def test_bad_answers(field: str, cell: str) -> None:
    assert _is_bad(field, cell) == [True]


def test_intensities_have_a_slot_for_every_value() -> None:
    _, slots = parse_answers(AFFECT["emotion"], pa.array(["joy=2", "joy", "[]", None]))
    joy = AFFECT["emotion"].categories.index("joy")
    size = len(AFFECT["emotion"].categories)
    assert slots.to_pylist() == [[2 * (place == joy) for place in range(size)], None, [0] * size, None]


def test_what_a_cell_may_hold_is_said_in_words() -> None:
    assert valid_answers(AFFECT["sentiment"]).startswith("one of negative, ")
    assert valid_answers(AFFECT["emotion"]).startswith("a set of ")
    assert valid_answers(AFFECT["valence"]) == "a number from 1 to 9"
    assert valid_answers(AFFECT["emotion_sentiment"]) == "a whole number from -2 to 2"


def test_names_of_splits() -> None:
    assert [split_name(one) for one in ("Train", "dev", "val", "test")] == [
        "train",
        "validation",
        "validation",
        "test",
    ]
    with pytest.raises(ValueError, match="challenge"):
        split_name("challenge")
