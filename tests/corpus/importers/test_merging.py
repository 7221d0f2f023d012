"""Lines become utterances, and utterances dialogues, by rule."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.importers.dialogues import cut, read_scenes, scene_numbers
from corpus.importers.lines import Line, Scene
from corpus.importers.merging import MergeRule, merged
from schemas.errors import InputError


def line(row: int, start: float, end: float | None, text: str, speaker: str | None = "A") -> Line:
    return Line(row, start, end, text, text, speaker)


def rows(lines: list[Line], rule: MergeRule = MergeRule()) -> list[list[int]]:  # noqa: B008
    return [[one.row for one in utterance.lines] for utterance in merged(lines, [None] * len(lines), rule)]


def test_half_sentences_of_one_speaker_become_one() -> None:
    lines = [line(1, 0, 1, "我不知道"), line(2, 1.1, 2, "你在说什么。"), line(3, 2.1, 3, "走吧")]
    assert rows(lines) == [[1, 2], [3]]
    (first, _) = merged(lines, [None] * 3, MergeRule())
    assert (first.text, first.original, first.start, first.end) == (
        "我不知道 你在说什么。",
        "我不知道\n你在说什么。",
        0,
        2,
    )


@pytest.mark.parametrize(
    ("second", "together"),
    [
        (line(2, 1.2, 2, "and so on"), True),
        (line(2, 1.21, 2, "and so on"), False),  # a longer pause
        (line(2, 1.1, 2, "and so on", "B"), False),
        (line(2, 1.1, 2, "and so on", None), False),
        (line(2, 1.1, 15.0, "and so on"), True),
        (line(2, 1.1, 15.1, "and so on"), False),  # too long
        (line(2, 0.9, 2, "and so on"), True),  # a little overlap
        (line(2, 0.5, 2, "and so on"), False),
        (line(2, 1.1, None, "and so on"), False),
        (line(1, 1.1, 2, "and so on"), False),  # two speakers of one row, of one name
    ],
)
def test_when_a_line_goes_on(second: Line, together: bool) -> None:
    assert (len(rows([line(1, 0, 1, "I thought"), second])) == 1) is together


@pytest.mark.parametrize("text", ["Done.", "真的？", "No!", "去吧……", "Oh~", "“去吧。”", "Well...", "(Go.)"])
def test_a_sentence_that_ended_does_not_go_on(text: str) -> None:
    assert rows([line(1, 0, 1, text), line(2, 1, 2, "next")]) == [[1], [2]]


@pytest.mark.parametrize(
    ("first", "second", "together"),
    [
        ("我想，", "你是对的", True),
        ("我想", "你是对的", False),
        ("I thought", "you were right", True),
        ("I thought", "You were right", False),
        ("Because -", "You know", True),
    ],
)
def test_without_a_speaker_the_text_must_show_it(first: str, second: str, together: bool) -> None:
    found = rows([line(1, 0, 1, first, None), line(2, 1, 2, second, None)])
    assert (len(found) == 1) is together


def test_scenes_and_a_gap_of_zero_keep_lines_apart() -> None:
    lines = [line(1, 0, 1, "so"), line(2, 1, 2, "what")]
    assert rows(lines, MergeRule(gap=0)) == [[1], [2]]
    assert len(merged(lines, [0, 1], MergeRule())) == 2


_lines = st.lists(
    st.tuples(
        st.floats(0, 3), st.floats(0.1, 4), st.sampled_from(["a,", "b.", "C", "你"]), st.sampled_from("AB")
    ),
    max_size=30,
)


@given(_lines, st.floats(0, 2), st.floats(1, 20))
def test_merging_keeps_every_line_once_and_its_bounds(
    drawn: list[tuple[float, float, str, str]], gap: float, longest: float
) -> None:
    lines, at = [], 0.0
    for row, (pause, length, text, who) in enumerate(drawn, 1):
        lines.append(line(row, at + pause, at + pause + length, text, who))
        at += pause + length
    found = merged(lines, [None] * len(lines), MergeRule(gap, longest))
    assert [one for utterance in found for one in utterance.lines] == lines
    for utterance in found:
        assert len({one.speaker for one in utterance.lines}) == 1
        if len(utterance.lines) > 1:
            assert utterance.end is not None
            assert utterance.end - utterance.start <= longest
    assert len(merged(lines, [None] * len(lines), MergeRule(0, longest))) == len(lines)


def test_dialogues_end_at_long_pauses() -> None:
    lines = [line(1, 0, 9, "a."), line(2, 1, 2, "b.", "B"), line(3, 13, 14, "c."), line(4, 19.5, 20, "d.")]
    utterances = merged(lines, [None] * 4, MergeRule())
    assert [len(one) for one in cut(utterances, 5, at_scenes=False)] == [3, 1]
    assert [len(one) for one in cut(utterances, 3, at_scenes=False)] == [2, 1, 1]
    assert cut([], 5, at_scenes=False) == []


def test_dialogues_begin_at_scene_marks() -> None:
    lines = [line(n, n, n + 0.8, f"{n}.") for n in range(6)]
    numbers = scene_numbers(lines, [Scene(3.2), Scene(1, 2.5)])
    assert numbers == [None, 0, 0, 1, 1, 1]
    utterances = merged(lines, numbers, MergeRule())
    assert [len(one) for one in cut(utterances, 0.1, at_scenes=True)] == [1, 2, 3]


def test_a_table_of_scenes(write: Callable[..., Path]) -> None:
    path = write("start,end,name\n00:00:01,2.5,厨房\nx,,\n00:01:00,,\n", "ep.scenes.csv")
    scenes, read, faults = read_scenes(path)
    assert scenes == [Scene(1, 2.5, "厨房"), Scene(60, None, None)]
    assert (read, [fault.row for fault in faults]) == (3, [2])
    with pytest.raises(InputError, match="lacks a column"):
        read_scenes(write("begin\n1\n", "b.scenes.csv"))
