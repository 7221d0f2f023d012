"""The answer key: what is read, every fault with its line, and its dialogues in the assignment of rounds."""

from __future__ import annotations

import stat

import pytest

from annotation.answer_key import (
    ANSWER_KEY,
    AnswerKey,
    KnownItem,
    parse_answer_key,
    read_answer_key,
    require_answer_key,
)
from annotation.known_items import with_control
from schemas import InputError, load_schema
from schemas.fields import Missing
from tests.annotation.served import small_project

SCHEMA = load_schema("affect")
RATED = {"u1": "d1", "u2": "d1", "u3": "d2", "u4": "d3", "c": None}

GOOD = """\
training:
  u1:
    answers: {sentiment: negative, emotion: [anger, sadness], valence: 3.2, sarcasm: cannot_tell}
    reason: {en: He shouts., zh: 他在喊。}
control:
  u3: {answers: {emotion: [], emotion_to_sentiment: -1}}
  u4: {answers: {sarcasm: none}}
"""


def test_a_key_is_read():
    relation = SCHEMA.relations[0].name
    key = parse_answer_key(GOOD.replace("emotion_to_sentiment", relation), "key", SCHEMA, RATED)
    assert key.training["u1"].answers == {
        "sentiment": "negative",
        "emotion": frozenset({"anger", "sadness"}),
        "valence": pytest.approx(3.2),
        "sarcasm": Missing.CANNOT_TELL,
    }
    assert key.training["u1"].reason.get("zh") == "他在喊。"
    assert key.control["u3"].answers == {"emotion": frozenset(), relation: -1}
    assert key.training_dialogues() == {"d1"}
    assert key.control_dialogues() == {"d2", "d3"}
    assert parse_answer_key("", "key", SCHEMA, RATED) == AnswerKey()


BAD = """\
training:
  nobody: {answers: {sentiment: neutral}, reason: {en: a, zh: b}}
  c: {answers: {sentiment: neutral}, reason: {en: a, zh: b}}
  u1: {answers: {sentiment: bad, emotion: joy, valence: 12, humour: none}, reason: {en: a, zh: b}}
  u2: {answers: {emotion: [neutral, joy]}, reason: {en: a}}
control:
  u2: {answers: {}}
  u3: {answers: {sentiment: [neutral]}, why: x}
gold: {}
"""


def test_a_list_in_a_set_is_a_fault():
    text = "control:\n  u3: {answers: {emotion: [anger, [joy]]}}\n"
    with pytest.raises(InputError) as refused:
        parse_answer_key(text, "key", SCHEMA, RATED)
    [fault] = refused.value.issues
    assert (fault.message, fault.line) == ("unknown value", 2)


def test_another_encoding_is_a_fault(tmp_path):
    project = small_project(tmp_path / "p")
    project.path("private").mkdir(exist_ok=True)
    project.path(ANSWER_KEY).write_bytes(GOOD.encode("gbk"))
    with pytest.raises(InputError, match="save this as UTF-8"):
        read_answer_key(project)


def test_every_fault_is_told_with_its_line():
    with pytest.raises(InputError) as refused:
        parse_answer_key(BAD, "key", SCHEMA, RATED)
    found = {(one.line, one.message.partition(";")[0].partition(":")[0]) for one in refused.value.issues}
    assert found == {
        (2, "no such utterance"),
        (3, "nobody rates this utterance"),
        (4, "unknown value"),
        (4, "a list of values is expected here"),
        (4, "a number from 1 to 9 is expected here"),
        (4, "unknown field"),
        (5, "this value excludes all others"),
        (5, "a reason has the wordings en and zh"),
        (7, "a mapping of fields to their answers is expected here"),
        (8, "one value is expected here"),
        (8, "unknown key of an item"),
        (9, "unknown part of the key"),
    }


@pytest.mark.parametrize("text", ["- u1", "training: [u1]", "control: {u1: none}"])
def test_other_shapes_are_refused(text):
    with pytest.raises(InputError, match="mapping"):
        parse_answer_key(text, "key", SCHEMA, RATED)


def test_trained_dialogues_are_no_control():
    text = GOOD + "  u2: {answers: {sarcasm: none}}\n"
    with pytest.raises(InputError, match="another utterance of this dialogue"):
        parse_answer_key(text.replace(", emotion_to_sentiment: -1", ""), "key", SCHEMA, RATED)


def test_without_a_key_a_template_is_put_there(tmp_path):
    project = small_project(tmp_path / "p", dialogues=2)
    for _ in range(2):
        with pytest.raises(InputError, match="write known answers here under 'training'"):
            require_answer_key(project, "training")
    assert stat.S_IMODE(project.path(ANSWER_KEY).stat().st_mode) == 0o600


def control(count):
    names = [f"c{number}" for number in range(count)]
    return AnswerKey(
        {}, {f"u-{name}": KnownItem({}) for name in names}, {f"u-{name}": name for name in names}
    )


def test_each_rater_gets_control_dialogues_of_their_own():
    dealt = {f"d{number}": ("r1", "r2") for number in range(16)}
    found = with_control(dealt, control(12), 0.2, [], seed=1)
    own = {rater: {name for name, who in found.items() if rater in who} for rater in ("r1", "r2")}
    for names in own.values():
        assert len(names - dealt.keys()) == 4  # 4 of 20
    assert own["r1"] != own["r2"]
    assert with_control(dealt, control(12), 0.2, [], seed=1) == found
    assert with_control(dealt, control(12), 0.2, [], seed=2) != found
    assert with_control(dealt, control(12), 0.0, [], seed=1) == dealt


def test_too_few_control_dialogues_are_told_for_each_rater():
    dealt = {f"d{number}": ("r1", "r2") for number in range(16)}
    with pytest.raises(InputError) as refused:
        with_control(dealt, control(3), 0.2, [], seed=1)
    assert len(refused.value.issues) == 2
    assert "4 of 20 dialogues are to be control dialogues, and the key has 3" in str(refused.value)
