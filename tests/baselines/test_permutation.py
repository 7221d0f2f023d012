"""Paired permutation tests against scipy, and Holm's correction against statsmodels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from baselines.dialogue_sums import Measure, dialogue_sums
from baselines.permutation import holm, permutation_tests

MEAN = Measure(("mean",), lambda sums: sums[:, :1] / sums[:, 1:])


def of(values):
    return np.column_stack([values, np.ones(len(values))]).astype(float)


@pytest.mark.parametrize("seed", range(4))
def test_all_ways_are_taken_where_they_are_few_as_scipy_does(seed):
    random = np.random.default_rng(seed)
    one, other = random.normal(0.3 * seed, 1, 9), random.normal(0, 1, 9)
    found = permutation_tests([[of(one)], [of(other)]], MEAN)
    difference, p = found[0, 1]
    theirs = stats.permutation_test(
        (one, other), lambda a, b: a.mean() - b.mean(), permutation_type="samples", n_resamples=np.inf
    )
    assert difference[0] == pytest.approx(one.mean() - other.mean())
    assert p[0] == pytest.approx(theirs.pvalue)


def test_random_exchanges_come_near_all_ways():
    random = np.random.default_rng(5)
    one, other = random.normal(0.6, 1, 12), random.normal(0, 1, 12)
    exact = permutation_tests([[of(one)], [of(other)]], MEAN)[0, 1][1][0]
    drawn = permutation_tests([[of(one)], [of(other)]], MEAN, n_permutations=4000)[0, 1][1][0]
    assert exact != drawn
    assert drawn == pytest.approx(exact, abs=4 * np.sqrt(exact * (1 - exact) / 4000))


def test_a_model_does_not_differ_from_itself_and_order_does_not_matter():
    rows = [of(np.arange(20)), of(np.arange(20) * 0.9)]
    same = permutation_tests([[rows[0]], [rows[0]]], MEAN, n_permutations=99)
    assert (same[0, 1][0][0], same[0, 1][1][0]) == (0, 1)
    there = permutation_tests([[rows[0]], [rows[1]]], MEAN, n_permutations=200)[0, 1]
    back = permutation_tests([[rows[1]], [rows[0]]], MEAN, n_permutations=200)[0, 1]
    assert there[0] == pytest.approx(-back[0])
    assert there[1] == pytest.approx(back[1])
    assert there[1][0] == pytest.approx(1 / 201)


def test_several_runs_are_compared_by_their_means():
    random = np.random.default_rng(0)
    first = [of(random.normal(0.5, 1, 10)) for _ in range(3)]
    second = [of(random.normal(0.0, 1, 10)) for _ in range(2)]
    difference, p = permutation_tests([first, second], MEAN)[0, 1]
    means = [np.mean([one[:, 0].mean() for one in runs]) for runs in (first, second)]
    assert difference[0] == pytest.approx(means[0] - means[1])
    # The mean is linear, so that it is the same to exchange the means of the runs.
    averaged = [np.mean([one[:, 0] for one in runs], axis=0) for runs in (first, second)]
    theirs = stats.permutation_test(
        tuple(averaged),
        lambda a, b: a.mean() - b.mean(),
        permutation_type="samples",
        n_resamples=np.inf,
    )
    assert p[0] == pytest.approx(theirs.pvalue)


def test_many_dialogues():
    random = np.random.default_rng(1)
    one = of(random.normal(0, 1, 1100))
    found = permutation_tests([[one], [one + np.array([0.5, 0.0])]], MEAN, n_permutations=50)[0, 1]
    assert found[1][0] == pytest.approx(1 / 51)


def test_whole_dialogues_change_places(maker):
    # One dialogue of many right utterances is one observation, whatever its length.
    field = maker.schema["emotion"]
    labels = np.zeros(60, int)
    dialogue = np.repeat([0, 1], 30)
    right, wrong = np.zeros(60, int), np.ones(60, int)
    sums = [dialogue_sums(field, dialogue, labels, one) for one in (right, wrong)]
    place = sums[0].names.index("accuracy")
    difference, p = permutation_tests([[sums[0].rows], [sums[1].rows]], sums[0].measure)[0, 1]
    assert (difference[place], p[place]) == (1, 0.5)


def test_p_is_even_when_nothing_differs(maker):
    field = maker.schema["emotion"]
    values = []
    for seed in range(60):
        random = np.random.default_rng(seed)
        labels = random.integers(0, 3, 120)
        dialogue = np.repeat(np.arange(24), 5)
        # Mistakes come in whole dialogues.
        answers = [
            np.where(np.repeat(random.random(24) < 0.6, 5), labels, random.integers(0, 3, 120))
            for _ in range(2)
        ]
        rows = [dialogue_sums(field, dialogue, labels, one) for one in answers]
        found = permutation_tests([[rows[0].rows], [rows[1].rows]], rows[0].measure, n_permutations=300)
        values.append(found[0, 1][1][rows[0].names.index("macro_f1")])
    assert stats.kstest(values, "uniform").pvalue > 0.01


@settings(deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_is_that_of_statsmodels(p_values):
    multitest = pytest.importorskip("statsmodels.stats.multitest")
    assert holm(p_values) == pytest.approx(multitest.multipletests(p_values, method="holm")[1])


def test_holm_by_hand_and_of_nothing():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([]) == []
