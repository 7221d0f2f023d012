from __future__ import annotations

from corpus.checks.text import check_text


def test_other_texts_other_speakers_and_other_dialogues_pass(make) -> None:
    turns = [
        {"text": "yes"},
        {"text": "yes", "speaker_id": "bob"},
        {"text": "no", "speaker_id": "bob"},
        {"text": "no", "speaker_id": "bob", "dialogue_id": "d1"},
        {"text": "yes", "speaker_id": None, "dialogue_id": "d1"},
        {"text": "yes", "speaker_id": None, "dialogue_id": "d1"},
    ]
    assert list(check_text(make(turns))) == []


def test_each_fault_is_counted_and_located(make) -> None:
    turns = [{"text": "yes"}, {"text": "yes"}, {"text": " "}, {"text": " "}, {"text": "wh\ufffdt"}]
    found = {one.check: (one.count, one.of, one.examples) for one in check_text(make(turns))}
    assert found == {
        "text.empty": (2, 5, ("u2", "u3")),
        "text.replacement_character": (1, 5, ("u4",)),
        "text.repeated": (1, 4, ("u1",)),
    }
