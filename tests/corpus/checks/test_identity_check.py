from __future__ import annotations

from corpus.checks import Severity
from corpus.checks.identity import check_identity


def test_sound_tables_pass(make) -> None:
    turns = [{}, {}, {"dialogue_id": "d1", "speaker_id": None}]
    project = make(turns, labels={"a": [{}, {}, {}]}, ratings=[{"rater": "r"}, {"rater": "r"}])
    assert list(check_identity(project)) == []


def test_an_id_that_stands_twice(make, only) -> None:
    turns = [{}, {"utterance_id": "u0"}, {}, {"utterance_id": "u0"}]
    project = make(turns, dialogues=[{"dialogue_id": "d0"}, {"dialogue_id": "d0"}])
    found = list(check_identity(project))
    utterances = only(found, "identity.duplicate_id", "utterances.parquet")
    assert (utterances.count, utterances.of, utterances.examples) == (2, 4, ("u0", "u0"))
    assert only(found, "identity.duplicate_id", "dialogues.parquet").count == 1


def test_a_dialogue_and_a_speaker_that_are_in_no_table(make, only) -> None:
    turns = [{}, {"dialogue_id": "d1", "speaker_id": "bob"}, {"dialogue_id": "d1", "speaker_id": None}]
    project = make(
        turns, dialogues=[{"dialogue_id": "d0"}, {"dialogue_id": "d9"}], speakers=[{"speaker_id": "ann"}]
    )
    found = list(check_identity(project))
    dialogues = only(found, "identity.unknown_id", "dialogues.parquet")
    assert (dialogues.severity, dialogues.count, dialogues.examples) == (Severity.ERROR, 2, ("u1", "u2"))
    assert only(found, "identity.unknown_id", "speakers.parquet").examples == ("u1",)
    empty = only(found, "identity.empty_dialogue")
    assert (empty.severity, empty.count, empty.of, empty.examples) == (Severity.WARNING, 1, 2, ("d9",))


def test_an_index_with_a_gap(make, only) -> None:
    found = only(list(check_identity(make([{}, {"index": 2}, {"dialogue_id": "d1"}]))), "identity.order")
    assert (found.severity, found.count, found.examples) == (Severity.ERROR, 1, ("u1",))


def test_a_dialogue_cut_in_two(make, only) -> None:
    turns = [{}, {"dialogue_id": "d1"}, {"index": 0}]
    assert only(list(check_identity(make(turns))), "identity.order").examples == ("u2",)


def test_labels_in_another_order_and_of_another_length(make, of) -> None:
    swapped = [{"utterance_id": "u1"}, {"utterance_id": "u0"}, {}]
    project = make([{}, {}, {}], labels={"good": [{}, {}, {}], "short": [{}, {}], "swapped": swapped})
    found = of(list(check_identity(project)), "identity.label_rows")
    assert [(one.subject, one.count) for one in found] == [
        ("labels/short.parquet", 1),
        ("labels/swapped.parquet", 2),
    ]


def test_a_rating_of_an_utterance_that_is_not_there(make, only) -> None:
    ratings = [{"rater": "r"}, {"rater": "r", "utterance_id": "gone"}, {"rater": "r", "annotation_id": "a0"}]
    found = list(check_identity(make([{}, {}, {}], ratings=ratings)))
    assert only(found, "identity.unknown_id").examples == ("a1",)
    assert only(found, "identity.duplicate_id", "annotations/s.parquet").count == 1
