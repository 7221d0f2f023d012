"""The hand-written dialogues keep what they promise, and their truths follow the `affect` schema."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from schemas import load_schema
from schemas.fields import IntervalField, MultilabelField, OrdinalField
from tests.handwritten import DIALOGUES

AFFECT = load_schema("affect")
EMOTION = AFFECT["emotion"]
DIALOGUES = [json.loads(line) for line in DIALOGUES.read_text("utf-8").splitlines()]
UTTERANCES = [(dialogue, utterance) for dialogue in DIALOGUES for utterance in dialogue["utterances"]]
TRUTHS = [utterance["truth"] for _, utterance in UTTERANCES]
each_dialogue = pytest.mark.parametrize("dialogue", DIALOGUES, ids=lambda one: one["dialogue_id"])


def faults(rule):
    """The texts of all utterances whose truth breaks a rule."""
    return [utterance["text"] for _, utterance in UTTERANCES if not rule(utterance["truth"])]


def test_amount():
    assert Counter(dialogue["language"] for dialogue in DIALOGUES) == {"en": 8, "zh": 8}
    assert len({dialogue["dialogue_id"] for dialogue in DIALOGUES}) == len(DIALOGUES)
    assert len(UTTERANCES) >= 150
    texts = [utterance["text"] for _, utterance in UTTERANCES]
    assert len(set(texts)) == len(texts)


@each_dialogue
def test_dialogue(dialogue):
    assert list(dialogue) == [
        *("dialogue_id", "language", "show", "episode", "topic", "speakers", "utterances"),
    ]
    assert dialogue["dialogue_id"].startswith(dialogue["language"])
    assert 2 <= len(dialogue["speakers"]) <= 4
    assert 8 <= len(dialogue["utterances"]) <= 12
    assert {utterance["speaker"] for utterance in dialogue["utterances"]} == set(dialogue["speakers"])
    for utterance in dialogue["utterances"]:
        assert list(utterance) == ["speaker", "text", "start", "end", "truth"]
        assert utterance["text"] == utterance["text"].strip() != ""
        chinese = any("\u4e00" <= character <= "\u9fff" for character in utterance["text"])
        assert chinese == (dialogue["language"] == "zh")


@each_dialogue
def test_times(dialogue):
    previous = 0.0
    for utterance in dialogue["utterances"]:
        assert utterance["start"] >= previous, "overlap"
        seconds = utterance["end"] - utterance["start"]
        words = len(utterance["text"].split())
        units = words if dialogue["language"] == "en" else len(utterance["text"])
        fast, slow = (5.0, 1.5) if dialogue["language"] == "en" else (8.0, 2.0)
        assert units / fast <= seconds <= 1.0 + units / slow, utterance["text"]
        previous = utterance["end"]


def test_a_speaker_is_one_person_of_one_show():
    described, show = {}, {}
    for dialogue in DIALOGUES:
        for speaker, attributes in dialogue["speakers"].items():
            assert list(attributes) == ["name", "gender", "age"]
            assert attributes["gender"] in ("female", "male")
            assert attributes["age"] in ("child", "adult", "senior")
            assert described.setdefault(speaker, attributes) == attributes
            assert show.setdefault(speaker, dialogue["show"]) == dialogue["show"]
    assert len({(show[one], attributes["name"]) for one, attributes in described.items()}) == len(described)


def test_truths_hold_every_field_of_the_schema():
    assert faults(lambda truth: list(truth) == list(AFFECT.by_name)) == []


def test_values_are_those_of_the_schema():
    def valid(truth):
        for field in AFFECT:
            value = truth[field.name]
            if isinstance(field, MultilabelField):
                names = list(value)
                low, high = field.intensity
                ordered = [name for name in field.categories if name in value] == names and names
                alone = len(names) == 1 or not set(names) & set(field.exclusive)
                if not (ordered and alone and all(low <= strength <= high for strength in value.values())):
                    return False
            elif isinstance(field, IntervalField):
                if not (field.low <= value <= field.high and value * 2 == int(value * 2)):
                    return False
            elif field not in AFFECT.relations and value not in field.categories:
                return False
        return True

    assert faults(valid) == []


def test_relations_are_rated_where_they_apply_and_nowhere_else():
    for relation in AFFECT.relations:
        assert faults(lambda t, r=relation: (t[r.name] is not None) == AFFECT.applies(r, t)) == []
        assert faults(lambda t, r=relation: t[r.name] is None or t[r.name] in r.categories) == []


def test_relations_follow_the_decision_rules_of_the_schema():
    def emotion_sentiment(truth):
        value = truth["emotion_sentiment"] or 0
        if EMOTION.is_absent(truth["emotion"]):
            return value == 0
        return truth["sentiment"] != "neutral" or value <= 0

    def sarcasm_humor(truth):
        value = truth["sarcasm_humor"] or 0
        if truth["sarcasm"] == "none":
            return value == 0
        return truth["humor"] == "humorous" or value <= 0

    assert faults(emotion_sentiment) == []
    assert faults(sarcasm_humor) == []


def test_reverse_relations_are_about_an_emotion_that_pulls_the_other_way():
    pulls = {"positive": {"sadness", "anger", "fear", "disgust"}, "negative": {"joy"}}

    def reverse(truth):
        opposed = pulls.get(truth["sentiment"], set(EMOTION.categories))
        return (truth["emotion_sentiment"] or 0) >= 0 or opposed & set(truth["emotion"])

    assert faults(reverse) == []


def test_every_value_is_there_often_enough():
    assert sum(truth["sarcasm"] == "sarcastic" for truth in TRUTHS) >= 20
    assert sum(truth["humor"] == "humorous" for truth in TRUTHS) >= 25
    emotions = Counter(name for truth in TRUTHS for name in truth["emotion"])
    assert min(emotions[name] for name in EMOTION.categories) >= 8
    sentiments = Counter(truth["sentiment"] for truth in TRUTHS)
    assert isinstance(AFFECT["sentiment"], OrdinalField)
    assert min(sentiments[name] for name in AFFECT["sentiment"].categories) >= 30
    for relation in AFFECT.relations:
        counts = Counter(truth[relation.name] for truth in TRUTHS)
        assert min(counts[value] for value in relation.categories) >= 3, relation.name


def test_both_languages_hold_sarcasm_humor_mixed_emotions_and_reverse_relations():
    for language in ("en", "zh"):
        truths = [
            utterance["truth"] for dialogue, utterance in UTTERANCES if dialogue["language"] == language
        ]
        assert sum(truth["sarcasm"] == "sarcastic" for truth in truths) >= 10
        assert sum(truth["humor"] == "humorous" for truth in truths) >= 10
        assert sum({"joy", "sadness"} <= set(truth["emotion"]) for truth in truths) >= 3
        for relation in AFFECT.relations:
            assert sum((truth[relation.name] or 0) < 0 for truth in truths) >= 3


def test_valence_goes_with_sentiment_except_in_reverse_relations():
    """Felt state and conveyed attitude may part (a brave face, gloating), but then the relation says so."""

    def consistent(truth):
        felt, said = truth["valence"] - 5, {"negative": -1, "neutral": 0, "positive": 1}[truth["sentiment"]]
        emotions = set(truth["emotion"])
        mixed = "joy" in emotions and truth["sentiment"] == "negative"
        return felt * said >= 0 or (truth["emotion_sentiment"] or 0) < 0 or mixed

    assert faults(consistent) == []
