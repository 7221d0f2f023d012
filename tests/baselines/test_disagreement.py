"""Distances to soft labels against scipy and hand computations."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import entropy, wasserstein_distance

from baselines.data import Labels, Split
from baselines.disagreement import SMALLEST, soft_sums, spread_sums
from baselines.ratings import Ratings
from baselines.scoring import Answers, score_answers


def test_by_hand(maker):
    soft = np.array([[0.5, 0.5, 0.0], [0.0, 0.0, 1.0]])
    scores = np.array([[0.25, 0.5, 0.25], [0.0, 0.5, 0.5]])
    found = soft_sums(maker.schema["sentiment"], np.arange(2), soft, scores).total()
    assert found["manhattan"] == pytest.approx((0.5 + 1) / 2)
    assert found["wasserstein"] == pytest.approx(((0.25 + 0.25) + 0.5) / 2)
    assert found["cross_entropy"] == pytest.approx((0.5 * np.log(4) + 0.5 * np.log(2) + np.log(2)) / 2)
    assert found["label_entropy"] == pytest.approx(np.log(2) / 2)
    # A certain mistake costs much, not infinitely much.
    wrong = soft_sums(maker.schema["emotion"], np.arange(1), soft[1:], np.array([[1.0, 0.0, 0.0]])).total()
    assert wrong["cross_entropy"] == pytest.approx(-np.log(SMALLEST))
    assert "wasserstein" not in wrong


def test_every_value_of_a_set_is_a_yes_or_no_distribution(maker):
    soft, scores = np.array([[0.5, 1.0, 0.0]]), np.array([[0.25, 1.0, 0.5]])
    found = soft_sums(maker.schema["tags"], np.zeros(1), soft, scores).total()
    assert found["manhattan"] == pytest.approx((2 * 0.25 + 0 + 2 * 0.5) / 3)
    first = -(0.5 * np.log(0.25) + 0.5 * np.log(0.75))
    assert found["cross_entropy"] == pytest.approx((first + 0 + np.log(2)) / 3, abs=1e-6)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**32 - 1), st.integers(1, 20))
def test_distributions_over_a_scale_are_compared_as_scipy_does(maker, seed, rows):
    random = np.random.default_rng(seed)
    soft, scores = (random.dirichlet(np.ones(3), rows) for _ in range(2))
    for name in ("sentiment", "pull"):
        found = soft_sums(maker.schema[name], random.integers(0, 4, rows), soft, scores).total()
        steps = np.arange(3)
        theirs = [wasserstein_distance(steps, steps, p, q) for p, q in zip(soft, scores, strict=True)]
        assert found["wasserstein"] == pytest.approx(np.mean(theirs))
        assert found["label_entropy"] == pytest.approx(np.mean([entropy(p) for p in soft]), abs=1e-5)
        kl = np.mean([entropy(p, q) for p, q in zip(soft, scores, strict=True)])
        assert found["cross_entropy"] - found["label_entropy"] == pytest.approx(kl, abs=1e-4)


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 2**32 - 1))
def test_a_number_is_compared_with_all_numbers_of_the_raters(maker, seed):
    random = np.random.default_rng(seed)
    of, ratings = random.integers(0, 6, 15), random.uniform(1, 9, 15)
    predicted = random.uniform(1, 9, 6)
    found = spread_sums(maker.schema["valence"], np.arange(6) // 2, ratings, of, predicted).total()
    theirs = [wasserstein_distance(ratings[of == one], [predicted[one]]) for one in np.unique(of)]
    assert found["wasserstein"] == pytest.approx(np.mean(theirs))


def test_ties_count_where_the_label_is_undecided_and_raters_are_judged_each(maker):
    field = maker.schema["emotion"]
    soft = np.array([[0.5, 0.5, 0.0], [1.0, 0.0, 0.0], [np.nan] * 3])
    labels = {field.name: Labels(np.array([0, 0, 2]), np.array([False, True, True]), soft)}
    split = Split("test", ["a", "b", "c"], np.array([0, 1, 2]), [None] * 3, [""] * 3, labels)
    answers = {field.name: Labels(np.array([0, 1, 0, 0]), np.ones(4, bool))}
    ratings = Ratings(np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1]), ("r1", "r2"), answers, (), (), 0, False)
    predicted = np.array([1, 0, 2])
    found, sums = score_answers(field, split, Answers(predicted), ratings, 20)
    assert (found.utterances, found.soft_utterances) == (2, 2)
    assert found.soft["manhattan"].value == pytest.approx((1 + 0) / 2)
    assert found.soft["cross_entropy"].value is None
    assert found.soft["cross_entropy"].reason == "the model gives no probabilities"
    assert found.ratings["accuracy"].value == pytest.approx(3 / 4)
    assert found.by_rater["r1"]["accuracy"] == pytest.approx(1 / 2)
    assert found.by_rater["r2"]["accuracy"] == 1
    assert set(sums) == {"labels", "soft", "ratings"}
