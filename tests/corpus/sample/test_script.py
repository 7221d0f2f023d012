"""What is said: lines follow from the cues of the words alone, and can be read back from them."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest

from corpus.sample.grammar import LANGUAGES, load_grammar
from corpus.sample.script import DIALOGUES_PER_EPISODE, write_script
from corpus.sample.world import FAMILIES, INTENTS, LONGEST, POLARITIES, SHORTEST, make_chain

CHAIN = make_chain()
each_language = pytest.mark.parametrize("language", LANGUAGES)


def script(dialogues=48, seed=1, languages=LANGUAGES):
    return list(write_script(dialogues, seed, languages, CHAIN))


def lines_of(language):
    """Every line of the grammar with its polarity and intent."""
    for topic in load_grammar(language)["topics"]:
        for polarity, facts, questions, judgements in (
            ("positive", "good", "ask_good", "praise"),
            ("negative", "bad", "ask_bad", "blame"),
        ):
            for told, cheerful, gloomy in topic[facts]:
                yield told, polarity, "tell"
                yield cheerful, "positive", "joke"
                yield gloomy, "negative", "joke"
            for asked, pleasant, unpleasant in topic[questions]:
                yield asked, polarity, "ask"
                yield pleasant, "positive", "answer"
                yield unpleasant, "negative", "answer"
            yield from ((line, polarity, "judge") for line in topic[judgements])


@each_language
def test_a_line_shows_one_polarity_and_one_intent(language):
    cells = {}
    for line, polarity, intent in lines_of(language):
        assert line == line.strip() != ""
        assert line[-1] in ".!?。！？", line
        assert cells.setdefault(line.casefold(), (polarity, intent)) == (polarity, intent), line
        assert any("\u4e00" <= letter <= "\u9fff" for letter in line) == (language == "zh")


@each_language
def test_an_opener_shows_one_family_and_one_polarity(language):
    openers = load_grammar(language)["openers"]
    assert set(openers) == set(FAMILIES) - {"calm"}
    flat = [one for by_polarity in openers.values() for ones in by_polarity.values() for one in ones]
    assert len(flat) == len(set(flat))
    for by_polarity in openers.values():
        for ones in by_polarity.values():
            assert any(one[-1] in ".!?。！？…" for one in ones), "questions need a whole sentence before them"


def read_back(language, text):
    """Polarity, family and intent that a line shows."""
    grammar = load_grammar(language)
    family = "calm"
    for name, by_polarity in grammar["openers"].items():
        for openers in by_polarity.values():
            for opener in openers:
                if text.startswith(opener):
                    family, text = name, text.removeprefix(opener).strip()
    text = (
        text.removeprefix(grammar["again"].format(""))
        .removeprefix(grammar["again"].format("").lower())
        .strip()
    )
    cells = {line.casefold(): (polarity, intent) for line, polarity, intent in lines_of(language)}
    polarity, intent = cells[text.casefold()]
    return polarity, family, intent


def test_the_cues_of_the_words_can_be_read_from_the_text():
    for episode in script():
        for turn in episode.turns:
            polarity, family, intent = turn.words
            shown = (POLARITIES[polarity], FAMILIES[family], INTENTS[intent])
            assert read_back(episode.language, turn.text) == shown, turn.text


def test_answers_answer_the_question_before_and_jokes_take_up_what_was_told():
    for episode in script():
        topics = load_grammar(episode.language)["topics"]
        facts = {fact[0]: fact for topic in topics for key in ("good", "bad") for fact in topic[key]}
        questions = {one[0]: one for topic in topics for key in ("ask_good", "ask_bad") for one in topic[key]}
        for dialogue in episode.dialogues:
            for before, now in pairwise(dialogue.turns):
                told = [
                    fact for line, fact in facts.items() if before.text.casefold().endswith(line.casefold())
                ]
                asked = [
                    one for line, one in questions.items() if before.text.casefold().endswith(line.casefold())
                ]
                intent = INTENTS[now.words[2]]
                if intent == "answer":
                    assert any(now.text.casefold().endswith(one.casefold()) for one in asked[0][1:])
                if intent == "joke" and told:
                    assert any(now.text.casefold().endswith(one.casefold()) for one in told[0][1:])


def test_shape_of_a_script():
    episodes = script(50)
    dialogues = [dialogue for episode in episodes for dialogue in episode.dialogues]
    assert len(dialogues) == 50
    assert {len(episode.dialogues) for episode in episodes[:-1]} == {DIALOGUES_PER_EPISODE}
    assert [episode.language for episode in episodes[:4]] == ["zh", "en", "zh", "en"]
    ids = [turn.utterance_id for episode in episodes for turn in episode.turns]
    assert len(ids) == len(set(ids))
    assert len({episode.episode_id for episode in episodes}) == len(episodes)
    for episode in episodes:
        topics = [dialogue.topic for dialogue in episode.dialogues]
        assert len(set(topics)) == len(topics)
    for dialogue in dialogues:
        assert SHORTEST <= len(dialogue.turns) <= LONGEST
        keys = [turn.speaker.key for turn in dialogue.turns]
        assert 2 <= len(set(keys)) <= 4
        assert all(one != other for one, other in pairwise(keys))


def test_lines_are_varied():
    texts = Counter(turn.text for episode in script(24, 2026) for turn in episode.turns)
    assert len(texts) > 0.9 * texts.total()


def test_dialogues_do_not_depend_on_how_many_there_are():
    def texts(number):
        return [[turn.text for turn in episode.turns] for episode in script(number)]

    assert texts(16)[:2] == texts(8)
    assert script(8, seed=1)[0].turns[0].state is not None
    assert texts(8) != [[turn.text for turn in episode.turns] for episode in script(8, seed=2)]
