from __future__ import annotations

from corpus.checks import Severity, check
from corpus.checks.splits import check_splits

PUBLISHED = "labels/published.parquet"
TURNS = [{"dialogue_id": f"d{number}", "speaker_id": f"s{number}"} for number in range(3)]
PARTS = ("train", "validation", "test")


def dialogues(**columns: tuple) -> list[dict]:
    return [
        {"dialogue_id": f"d{number}", **{name: values[number] for name, values in columns.items()}}
        for number in range(3)
    ]


def test_splits_that_share_nothing_pass(make) -> None:
    apart = dialogues(source_split=PARTS, show=("a", "b", "c"), episode=("1", "1", "1"))
    labels = {"published": [{"emotion": "joy"}] * 3}
    assert list(check_splits(make(TURNS, dialogues=apart, labels=labels), PUBLISHED)) == []


def test_without_any_split_there_is_nothing_to_say(make) -> None:
    same = [{**turn, "speaker_id": "ann", "text": "same"} for turn in TURNS]
    assert list(check_splits(make(same), None)) == []


def test_speakers_of_train_in_test(make, only) -> None:
    turns = [*TURNS, {"dialogue_id": "d2", "speaker_id": "s0"}, {"dialogue_id": "d2", "speaker_id": "man"}]
    turns.insert(0, {"dialogue_id": "d0", "speaker_id": "man"})
    speakers = [
        *({"speaker_id": f"s{number}"} for number in range(3)),
        {"speaker_id": "man", "generic": True},
    ]
    project = make(turns, dialogues=dialogues(source_split=PARTS), speakers=speakers)
    found = only(list(check_splits(project, None)), "splits.speaker")
    assert (found.severity, found.subject) == (Severity.WARNING, "source: train, test")
    assert (found.count, found.of, set(found.examples)) == (2, 3, {"s0", "man"})
    assert "1 of them nobody in particular" in found.message


def test_generic_speakers_alone_are_for_information(make, only) -> None:
    turns = [{**turn, "speaker_id": "man"} for turn in TURNS[:2]] + TURNS[2:]
    speakers = [{"speaker_id": "man", "generic": True}, {"speaker_id": "s2"}]
    project = make(turns, dialogues=dialogues(source_split=PARTS), speakers=speakers)
    assert only(list(check_splits(project, None)), "splits.speaker").severity is Severity.INFO


def test_episodes_and_shows(make, only, of) -> None:
    about = dialogues(source_split=PARTS, show=("a", "a", "b"), episode=("1", "1", "1"))
    found = list(check_splits(make(TURNS, dialogues=about), None))
    episode, show = only(found, "splits.episode"), only(found, "splits.show")
    assert (episode.subject, episode.count, episode.of) == ("source: train, validation", 1, 1)
    assert (show.severity, show.count, show.examples) == (Severity.INFO, 1, ("s a",))
    unknown = dialogues(source_split=PARTS, show=("a", "b", "c"), episode=(None, None, None))
    assert of(list(check_splits(make(TURNS, dialogues=unknown), None)), "splits.episode") == []


def test_texts_the_longest_first(make, only) -> None:
    turns = [
        {"dialogue_id": dialogue, "text": text, "speaker_id": dialogue}
        for dialogue, text in [
            ("d0", "no"),
            ("d0", "never"),
            ("d2", "never"),
            ("d2", "no"),
            ("d2", "no"),
            ("d2", "x"),
        ]
    ]
    found = only(
        list(check_splits(make(turns, dialogues=dialogues(source_split=PARTS)), None)), "splits.text"
    )
    assert (found.subject, found.count, found.of) == ("source: train, test", 3, 4)
    assert found.examples == ("never", "no")


def test_a_class_that_train_lacks(make, of) -> None:
    labels = [{"emotion": "joy", "emotion_sentiment": 1}, {"emotion": "fear"}, {"emotion_sentiment": -1}]
    project = make(TURNS, dialogues=dialogues(source_split=PARTS), labels={"published": labels})
    found = of(list(check_splits(project, PUBLISHED)), "splits.class_absent")
    assert [(one.subject, one.count, one.of, one.examples) for one in found] == [
        ("source: emotion", 1, 2, ("fear",)),
        ("source: emotion_sentiment", 1, 2, ("-1",)),
    ]


def test_a_class_of_a_set_that_train_lacks(make, only) -> None:
    labels = [{"emotion": ["joy"]}, {"emotion": []}, {"emotion": ["joy", "fear"]}]
    project = make(
        TURNS, schema="affect", dialogues=dialogues(source_split=PARTS), labels={"published": labels}
    )
    assert only(list(check_splits(project, PUBLISHED)), "splits.class_absent").examples == ("fear",)


def test_own_splits_take_the_place_of_the_published_ones(make, only, of) -> None:
    turns = [{**turn, "speaker_id": "ann"} for turn in TURNS]
    splits = [{"dialogue_id": f"d{number}", "split": split} for number, split in enumerate(("train", "test"))]
    project = make(turns, dialogues=dialogues(source_split=PARTS), splits=splits)
    found = list(check_splits(project, None))
    assert [one.subject for one in of(found, "splits.speaker")] == ["dialogue: train, test"]
    unsplit = only(found, "splits.unsplit")
    assert (unsplit.count, unsplit.of, unsplit.examples) == (1, 3, ("d2",))


def test_every_fold_is_looked_at(make, of) -> None:
    splits = [
        {"dialogue_id": f"d{number}", "fold": fold, "split": "test" if number == fold else "train"}
        for fold in range(2)
        for number in range(3)
    ]
    turns = [{**turn, "speaker_id": "ann" if number else "bob"} for number, turn in enumerate(TURNS)]
    found = list(check_splits(make(turns, splits=splits), None))
    assert [one.subject for one in of(found, "splits.speaker")] == ["dialogue fold 1: train, test"]


def test_a_dialogue_that_is_split_twice_is_an_error(make, only) -> None:
    splits = [{"dialogue_id": "d0", "split": split} for split in ("train", "test")]
    found = only(check(make(splits=splits)), "splits.duplicate")
    assert (found.severity, found.count, found.examples) == (Severity.ERROR, 1, ("d0",))
