"""Annotations hang on ids: what is the same keeps its id, and nothing else gets it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.importers.identity import Stretch, dialogue_ids, recording_prefix, utterance_ids

WORDS = ["好的", "你去哪儿了", "好的", "I went home", "really?", "好的", "走吧，天黑了", "wait for me"]


def stretches(texts: list[str], shift: float = 0.0, name: str = "k") -> list[Stretch]:
    return [
        Stretch(3 * n + shift, 3 * n + 2 + shift, text, f"{name}{n}", "d") for n, text in enumerate(texts)
    ]


KNOWN = stretches(WORDS)
KEYS = [one.key for one in KNOWN]


def test_the_same_words_keep_their_ids_wherever_they_move() -> None:
    assert utterance_ids(stretches(WORDS, 7.5, "n"), KNOWN) == KEYS
    drifting = [Stretch(1.04 * one.start, 1.04 * one.end, one.text, f"n{n}") for n, one in enumerate(KNOWN)]
    assert utterance_ids(drifting, KNOWN) == KEYS


def test_a_corrected_spelling_keeps_its_id() -> None:
    corrected = [text.replace("went", "walked").replace("你去哪儿了", "妳去哪裡了") for text in WORDS]
    assert utterance_ids(stretches(corrected, 1.0, "n"), KNOWN) == KEYS


def test_other_words_at_the_same_place_are_another_utterance() -> None:
    new = stretches([*WORDS[:3], "something else entirely", *WORDS[4:]], 0, "n")
    assert utterance_ids(new, KNOWN) == [*KEYS[:3], "n3", *KEYS[4:]]


def test_a_line_that_goes_takes_no_other_id_with_it() -> None:
    left = [one for n, one in enumerate(stretches(WORDS, 0, "n")) if n != 0]
    assert utterance_ids(left, KNOWN) == KEYS[1:]
    put_in = sorted([*stretches(WORDS, 0, "n"), Stretch(2.2, 2.8, "好的", "new")], key=lambda one: one.start)
    assert utterance_ids(put_in, KNOWN) == [KEYS[0], "new", *KEYS[1:]]


def test_merged_lines_are_another_utterance_and_come_back_as_what_they_were() -> None:
    whole = Stretch(9, 14, "I went home really?", "k3-k4", "d")
    merged = [*KNOWN[:3], whole, *KNOWN[5:]]
    ids = utterance_ids(merged, KNOWN)
    assert ids == [*KEYS[:3], "k3-k4", *KEYS[5:]]
    stands = [Stretch(one.start, one.end, one.text, key) for one, key in zip(merged, ids, strict=True)]
    assert utterance_ids(KNOWN, stands) == KEYS


def test_an_id_that_another_one_has_is_not_given_again() -> None:
    known = [Stretch(0, 1, "old words here", "x")]
    assert utterance_ids([Stretch(50, 51, "quite different", "x")], known) == ["xa"]


@given(st.lists(st.sampled_from(WORDS), max_size=12), st.lists(st.sampled_from(WORDS), max_size=12))
def test_ids_are_unique(old: list[str], new: list[str]) -> None:
    ids = utterance_ids(stretches(new, 0.5, "k"), stretches(old))
    assert len(set(ids)) == len(new)


@given(st.lists(st.sampled_from(WORDS), max_size=12), st.floats(-20, 20))
def test_importing_again_changes_nothing(texts: list[str], shift: float) -> None:
    known = stretches(texts, shift)
    assert utterance_ids(known, known) == [one.key for one in known]


def test_a_dialogue_that_keeps_most_of_itself_keeps_its_id() -> None:
    known = [Stretch(n, n + 1, "", f"u{n}", "a" if n < 5 else "b") for n in range(10)]
    cut = [["u0", "u1", "u2"], ["u3", "u4"], ["u5", "u6", "x"], ["u7"], ["u8"]]
    assert dialogue_ids(cut, ["n0", "n1", "n2", "n3", "a"], known) == ["a", "n1", "n2", "n3", "aa"]
    assert dialogue_ids([[f"u{n}" for n in range(10)]], ["n"], known) == ["a"]
    assert dialogue_ids([], [], known) == []


@pytest.mark.parametrize(
    ("recording", "prefix"),
    [("episode01", "srt_episode01"), ("第一集 上", "srt_第一集_上"), ("a/b:c*", "srt_a_b_c")],
)
def test_ids_can_be_names_of_files(recording: str, prefix: str) -> None:
    assert recording_prefix("srt", recording) == prefix
