"""The hidden world: its tables, and that no single modality tells sarcasm, whatever its context."""

from __future__ import annotations

from collections import Counter
from itertools import product

import numpy as np
import pyarrow as pa
import pytest

from corpus.sample import world
from corpus.sample.bayes import posteriors
from corpus.sample.cues import (
    FACE_MEANS,
    FAMILY_SAID,
    INTENT_SAID,
    POLARITY_SAID,
    SHOWN,
    TEXT_CELLS,
    draw_cues,
    log_likelihood,
)
from corpus.sample.meaning import AFFECT, TRUTHS
from corpus.sample.truth_tables import answer_row
from corpus.sample.world import (
    CARRY,
    FELT,
    INTENT,
    INTENTS,
    LONGEST,
    MOVE,
    MOVES,
    OPEN,
    SARCASM,
    SARCASM_PRIOR,
    SHORTEST,
    STATES,
    WORDS,
    Chain,
    SarcasmIsVisibleError,
    check_hidden_sarcasm,
    make_chain,
)
from schemas import load_schema
from schemas.records import annotations_schema
from schemas.tables import from_rows
from schemas.validation import validate_answers

SCHEMA = load_schema("affect")
CHAIN = make_chain()


def generator(*seed):
    return np.random.Generator(np.random.PCG64(list(seed)))


def test_tables_are_distributions():
    for table in (CHAIN.first, CHAIN.step, POLARITY_SAID, FAMILY_SAID, INTENT_SAID):
        assert (table >= 0).all()
        np.testing.assert_allclose(table.sum(axis=-1), 1)
    np.testing.assert_allclose(TEXT_CELLS.reshape(STATES, -1).sum(axis=1), 1)


def test_a_step_is_that_of_the_large_matrix():
    belief = generator(1).random((3, 2, STATES))
    np.testing.assert_allclose(CHAIN.ahead(belief), belief @ CHAIN.step)
    np.testing.assert_allclose(CHAIN.back(belief), belief @ CHAIN.step.T)


def test_sarcasm_is_where_words_and_feeling_part():
    assert ((WORDS != FELT) == SARCASM).all()
    for priors in CHAIN.priors(LONGEST):
        assert priors @ SARCASM == pytest.approx(SARCASM_PRIOR, abs=1e-12)
        assert priors @ WORDS == pytest.approx(0.5, abs=1e-12)
        assert priors @ FELT == pytest.approx(0.5, abs=1e-12)


def test_an_answer_follows_a_question_and_what_is_taken_up_was_told():
    for seed in range(200):
        states = CHAIN.draw(LONGEST, generator(seed))
        intents = [INTENTS[one] for one in INTENT[states]]
        for before, now, state in zip(intents[:-1], intents[1:], states[1:], strict=True):
            assert now != "answer" or before == "ask"
            assert bool(OPEN[state]) == (before == "tell" and now in ("judge", "joke"))


def test_an_emotion_carries_over_turns():
    """Shares of turns in which a part is that of the turn before, against the tables."""
    pairs = np.concatenate(
        [
            np.lib.stride_tricks.sliding_window_view(CHAIN.draw(LONGEST, generator(9, n)), 2)
            for n in range(800)
        ]
    )
    before, now = pairs.T
    shares = world.FAMILY_SHARES
    expected = {
        "family": (world.FAMILY, world.FAMILY_CARRY + (1 - world.FAMILY_CARRY) * (shares**2).sum()),
        "words": (WORDS, CARRY + (1 - CARRY) / 2),
    }
    for part, share in expected.values():
        found = (part[before] == part[now]).mean()
        assert found == pytest.approx(share, abs=4.5 * np.sqrt(share * (1 - share) / len(now)))


# -- sarcasm ----------------------------------------------------------------------------------------------


def test_no_modality_tells_sarcasm():
    check_hidden_sarcasm(CHAIN, SHOWN)


@pytest.mark.parametrize("modality", ["text", "audio", "video"])
def test_posterior_of_sarcasm_is_the_prior_in_every_context(modality):
    """Monte Carlo: not on average but for every single turn of random dialogues."""
    rng = generator(11)
    lengths = rng.integers(SHORTEST, LONGEST + 1, 60)
    table = np.zeros((60, LONGEST, STATES))
    for place, length in enumerate(lengths.tolist()):
        table[place, :length] = log_likelihood(draw_cues(CHAIN.draw(length, rng), rng))[modality]
    inside = np.arange(LONGEST) < lengths[:, None]
    for belief in posteriors(CHAIN, table, lengths).values():
        np.testing.assert_allclose((belief @ SARCASM)[inside], SARCASM_PRIOR, atol=1e-9)


def test_together_the_modalities_tell_sarcasm():
    rng = generator(12)
    states = np.stack([CHAIN.draw(8, rng) for _ in range(100)])
    table = np.stack([sum(log_likelihood(draw_cues(one, rng)).values()) for one in states])
    belief = posteriors(CHAIN, table, np.full(100, 8))
    for known in belief.values():
        right = ((known @ SARCASM > 0.5) == (SARCASM[states] == 1)).mean()
        assert right > 1 - SARCASM_PRIOR + 0.08


def test_sequences_of_each_polarity_are_independent_of_sarcasm_by_enumeration():
    """All histories of (words, sarcasm) over four turns, one by one, with the documented rule alone."""
    turns = 4
    joint = Counter()
    for words in product((0, 1), repeat=turns):
        for sarcasm in product((0, 1), repeat=turns):
            chance = 1.0
            for turn in range(turns):
                fresh = 0.5 * (SARCASM_PRIOR if sarcasm[turn] else 1 - SARCASM_PRIOR)
                same = turn > 0 and words[turn] == words[turn - 1] and sarcasm[turn] == sarcasm[turn - 1]
                chance *= fresh if turn == 0 else CARRY * same + (1 - CARRY) * fresh
            felt = tuple(one ^ other for one, other in zip(words, sarcasm, strict=True))
            for turn in range(turns):
                for name, shown in (("words", words), ("felt", felt)):
                    joint[name, shown, turn, sarcasm[turn]] += chance
    for (name, shown, turn, sarcastic), chance in joint.items():
        if sarcastic:
            total = chance + joint[name, shown, turn, 0]
            assert chance / total == pytest.approx(SARCASM_PRIOR, abs=1e-12), (name, shown, turn)


def test_check_refuses_polarity_that_carries_over_while_sarcasm_is_drawn_anew():
    words = CARRY * np.eye(2) + (1 - CARRY) / 2
    sarcasm = np.tile([1 - SARCASM_PRIOR, SARCASM_PRIOR], (2, 1))
    family = world._stay_or_redraw(world.FAMILY_SHARES, world.FAMILY_CARRY)
    leaky = Chain(CHAIN.firsts, (np.kron(np.kron(words, sarcasm), family), CHAIN.steps[1]))
    with pytest.raises(SarcasmIsVisibleError, match="audio"):
        check_hidden_sarcasm(leaky, SHOWN)


@pytest.mark.parametrize(
    "shown",
    [
        {"video": (FELT, FACE_MEANS + 1e-6 * SARCASM[:, None])},
        {"text": (WORDS, TEXT_CELLS * np.where(SARCASM, 0.999, 1)[:, None, None, None])},
        {"audio": (FELT, np.column_stack([FACE_MEANS, WORDS]))},
    ],
)
def test_check_refuses_a_modality_that_shows_more(shown):
    with pytest.raises(SarcasmIsVisibleError, match="more than its side"):
        check_hidden_sarcasm(CHAIN, shown)


def test_check_refuses_a_first_turn_that_is_not_fair():
    uneven = np.array([0.5, 0.1, 0.25, 0.15])
    leaky = Chain((np.kron(uneven, world.FAMILY_SHARES), CHAIN.firsts[1]), CHAIN.steps)
    with pytest.raises(SarcasmIsVisibleError, match="first turn"):
        check_hidden_sarcasm(leaky, SHOWN)


# -- truths -----------------------------------------------------------------------------------------------


def test_truths_of_all_states_are_valid_in_the_schema():
    rows = [
        {"annotation_id": str(state), "utterance_id": str(state), "status": "submitted"}
        | answer_row(state, SCHEMA)
        for state in range(STATES)
    ]
    table = from_rows(rows, annotations_schema(SCHEMA))
    assert isinstance(table, pa.Table)
    assert [str(one) for one in validate_answers(table, SCHEMA, "truth")] == []


def test_truths_hold_every_field_and_relations_apply_where_the_schema_says():
    for truth in TRUTHS:
        assert list(truth) == list(SCHEMA.by_name)
        for relation in SCHEMA.relations:
            assert (truth[relation.name] is not None) == SCHEMA.applies(relation, truth)


def test_every_value_of_every_field_occurs():
    for field in SCHEMA:
        found = {one for truth in TRUTHS for one in _answers(truth[field.name])}
        if hasattr(field, "categories"):
            assert set(field.categories) <= found, field.name
    assert {strength for truth in TRUTHS for strength in truth["emotion"].values()} == {1, 2, 3}


def _answers(value):
    return set(value) if isinstance(value, dict) else {value}


def test_relations_follow_the_decision_rules_of_the_schema():
    for state, truth in enumerate(TRUTHS):
        about = f"{MOVES[MOVE[state]]} {truth}"
        carried = truth["emotion_sentiment"] or 0
        if "neutral" in truth["emotion"]:
            assert carried == 0, about
        if truth["sentiment"] == "neutral":
            assert carried <= 0, about
        if carried < 0:  # the emotion pulls the other way
            pulls = {"positive": {"sadness"}, "negative": {"joy"}}[truth["sentiment"]]
            assert pulls & set(truth["emotion"]), about
        spoils = truth["sarcasm_humor"] or 0
        if truth["sarcasm"] == "none":
            assert spoils == 0, about
        if truth["humor"] == "none":
            assert spoils <= 0, about
        if spoils > 0:
            assert truth["humor"] == "humorous", about


def test_humor_depends_on_the_turn_before():
    by_intent = {}
    for state, truth in enumerate(TRUTHS):
        by_intent.setdefault((INTENT[state], SARCASM[state], bool(OPEN[state])), set()).add(truth["humor"])
    joke = INTENTS.index("joke")
    assert by_intent[joke, 0, True] == {"humorous"}
    assert by_intent[joke, 0, False] == {"none"}


def test_affect_lies_on_the_scale_and_valence_has_the_sign_of_the_felt_polarity():
    assert AFFECT.min() >= 1
    assert AFFECT.max() <= 9
    assert (np.round(AFFECT * 2) == AFFECT * 2).all()
    assert ((AFFECT[:, 0] > 5) == (FELT == 1)).all()
