from __future__ import annotations

import pytest

from corpus.checks import Severity
from corpus.checks.speakers import check_speakers

PUBLISHED = "labels/published.parquet"


def pair(gap: float | None, second: dict | None = None) -> list[dict]:
    end = None if gap is None else 1.0
    return [{"start": 0.0, "end": end}, {"start": 1.0 + (gap or 0), "end": 9.0, **(second or {})}]


def test_known_speakers_who_take_turns_pass(make) -> None:
    turns = pair(0.1, {"speaker_id": "bob"})
    assert list(check_speakers(make(turns, labels={"published": [{}, {}]}), PUBLISHED)) == []


def test_speakers_without_role_card_generic_ones_and_nobody(make, only) -> None:
    speakers = [
        {"speaker_id": "ann"},
        {"speaker_id": "bob", "name": "Bob", "attributes": []},
        {"speaker_id": "man", "name": "man", "attributes": [], "generic": True},
    ]
    project = make([{}, {"speaker_id": "bob"}, {"speaker_id": None}], speakers=speakers)
    found = list(check_speakers(project, None))
    bare = only(found, "speakers.no_attributes")
    assert (bare.severity, bare.count, bare.of, bare.examples) == (Severity.WARNING, 2, 3, ("Bob", "man"))
    assert only(found, "speakers.generic").examples == ("man",)
    unknown = only(found, "speakers.unknown")
    assert (unknown.count, unknown.of, unknown.examples) == (1, 3, ("u2",))


def test_a_corpus_without_any_role_card_is_for_information(make, only) -> None:
    project = make(speakers=[{"speaker_id": "ann", "attributes": []}])
    assert only(list(check_speakers(project, None)), "speakers.no_attributes").severity is Severity.INFO


@pytest.mark.parametrize(
    ("gap", "second", "close"),
    [
        (0.0, {}, True),
        (0.15, {}, True),
        (0.25, {}, False),
        (-0.1, {}, False),
        (None, {}, False),
        (0.1, {"speaker_id": "bob"}, False),
        (0.1, {"dialogue_id": "d1"}, False),
        (0.1, {"end": None}, False),
    ],
)
def test_what_a_short_gap_is(make, gap: float | None, second: dict, close: bool, of) -> None:
    found = of(list(check_speakers(make(pair(gap, second)), None)), "speakers.short_gap")
    assert [one.examples for one in found] == ([("u1",)] if close else [])


@pytest.mark.parametrize(
    ("first", "second", "differ"),
    [
        ({"emotion": "joy"}, {"emotion": "joy"}, False),
        ({"emotion": "joy"}, {"emotion": "fear"}, True),
        ({"emotion": "joy"}, {}, False),
        ({}, {"emotion": "joy"}, False),
        ({"emotion": "joy", "emotion_sentiment": 1}, {"emotion": "joy", "emotion_sentiment": -1}, True),
    ],
)
def test_what_differing_labels_are(make, first: dict, second: dict, differ: bool, of) -> None:
    project = make(pair(0.1), labels={"published": [first, second]})
    found = of(list(check_speakers(project, PUBLISHED)), "speakers.split_turn")
    assert [(one.count, one.of, one.examples) for one in found] == ([(1, 1, ("u1",))] if differ else [])


def test_sets_and_numbers_differ_too(make, only, of) -> None:
    for first, second in [
        ({"emotion": ["joy"]}, {"emotion": ["joy", "surprise"]}),
        ({"valence": 1}, {"valence": 2}),
    ]:
        project = make(pair(0.1), schema="affect", labels={"published": [first, second]})
        assert only(list(check_speakers(project, PUBLISHED)), "speakers.split_turn").count == 1
    project = make(pair(0.1), schema="affect", labels={"published": [{"emotion": []}] * 2})
    assert of(list(check_speakers(project, PUBLISHED)), "speakers.split_turn") == []
