"""The human ceiling against loops over raters."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from baselines.ceiling import by_rater, human_sums, leave_one_out, model_sums
from baselines.data import Labels, Split
from baselines.metrics import score
from baselines.ratings import UNKNOWN, Ratings


def rated(utterance, rater, answers, names=("a", "b", "c", "d"), simulated=False, **fields):
    known = {name: Labels(np.asarray(values), np.ones(len(values), bool)) for name, values in fields.items()}
    return Ratings(np.asarray(utterance), np.asarray(rater), names, known or answers, (), (), 0, simulated)


def split_of(size):
    numbers = [str(one) for one in range(size)]
    return Split("test", numbers, np.arange(size) // 2, [None] * size, [""] * size, {})


def test_by_hand(maker):
    field = maker.schema["emotion"]
    # Utterance 0: a 0, b 0, c 1. a: others 0, 1 tie; b: the same; c: others say 0, c says 1.
    # Utterance 1: a 2, b 2. Each against the other.
    ratings = rated([0, 0, 0, 1, 1], [0, 1, 2, 0, 1], None, emotion=[0, 0, 1, 2, 2])
    found = leave_one_out(field, ratings)
    assert found.others.tolist() == [0, 2, 2]
    assert found.answers.tolist() == [1, 2, 2]
    design = found.design
    assert (design.raters, design.utterances, design.fewest, design.most) == (3, 2, 2, 3)
    assert (design.scored, design.undecided, design.crossed, design.simulated) == (3, 2, False, False)
    assert human_sums(field, split_of(2), found).total()["accuracy"] == pytest.approx(2 / 3)
    assert by_rater(field, ratings, found)["c"]["accuracy"] == 0
    # A model that always says 2 is judged on the same three.
    assert model_sums(field, split_of(2), found, np.array([2, 2])).total()["accuracy"] == pytest.approx(2 / 3)


def naive(kind, utterance, rater, answers):
    pairs = []
    for row in range(len(utterance)):
        others = [answers[i] for i in range(len(utterance)) if utterance[i] == utterance[row] and i != row]
        if not others or rater[row] == UNKNOWN:
            continue
        if kind == "interval":
            pairs.append((np.mean(others), answers[row]))
            continue
        if kind == "multilabel":
            counts = np.sum(others, axis=0)
            inside = 2 * counts > len(others)
            empty = sum(not one.any() for one in others)
            tied = (2 * counts == len(others)).any() or (not inside.any() and 2 * empty <= len(others))
            if not tied:
                pairs.append((inside, answers[row]))
            continue
        ranked = Counter(others).most_common()
        if len(ranked) == 1 or ranked[0][1] > ranked[1][1]:
            pairs.append((ranked[0][0], answers[row]))
    return pairs


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 2**32 - 1), st.sampled_from(["emotion", "sentiment", "pull", "tags", "valence"]))
def test_it_is_what_a_loop_over_ratings_gives(maker, seed, name):
    random = np.random.default_rng(seed)
    field = maker.schema[name]
    there = random.random((7, 4)) < 0.7
    utterance, rater = np.nonzero(there)
    size = len(utterance)
    if name == "tags":
        answers = random.random((size, 3)) < 0.4
    elif name == "valence":
        answers = random.integers(1, 10, size).astype(float)
    else:
        answers = random.integers(0, 3, size)
    rater = np.where(random.random(size) < 0.1, UNKNOWN, rater)
    found = leave_one_out(field, rated(utterance, rater, None, **{name: answers}))
    expected = naive(field.type, utterance, rater, answers)
    if isinstance(found, str):
        assert not expected
        return
    assert found.design.scored == len(expected)
    wanted, given_ = (np.array(one) for one in zip(*expected, strict=True))
    assert np.allclose(found.others, wanted)
    assert (found.answers == given_).all()
    total = human_sums(field, split_of(7), found).total()
    for metric, one in score(field, wanted, given_).metrics.items():
        assert (total[metric] is None) == (one.value is None)
        if one.value is not None:
            assert total[metric] == pytest.approx(one.value, abs=1e-9)


def test_of_two_ratings_by_one_rater_the_last_counts(maker):
    ratings = rated([0, 0, 0], [0, 1, 0], None, emotion=[1, 2, 2])
    found = leave_one_out(maker.schema["emotion"], ratings)
    assert (found.answers.tolist(), found.others.tolist()) == ([2, 2], [2, 2])


@pytest.mark.parametrize(
    ("utterance", "rater", "reason"),
    [
        ([], [], "no ratings"),
        ([0, 0], [UNKNOWN, UNKNOWN], "not known"),
        ([0, 1], [0, 1], "no utterance has two raters"),
        ([0, 0, 0, 0], [0, 1, 2, 3], None),
    ],
)
def test_reasons(maker, utterance, rater, reason):
    ratings = rated(utterance, rater, None, emotion=np.array([0, 0, 1, 1][: len(utterance)], int))
    found = leave_one_out(maker.schema["emotion"], ratings)
    if reason is None:
        assert found.design.crossed  # 0 against 0, 1, 1
        return
    assert reason in found
