"""Scores against a key: published definitions, independent implementations, and who must not pass by them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nltk.metrics.agreement import AnnotationTask
from nltk.metrics.distance import masi_distance
from sklearn.metrics import cohen_kappa_score

from annotation.key_scores import distance, score
from schemas import load_schema
from schemas.fields import Missing

SCHEMA = load_schema("affect")
SENTIMENT, SARCASM, EMOTION, VALENCE = (
    SCHEMA[name] for name in ("sentiment", "sarcasm", "emotion", "valence")
)
RELATION = SCHEMA.relations[0]


def draws(values, size=25, seed=0):
    random = np.random.default_rng(seed)
    return [[values[place] for place in random.integers(len(values), size=size)] for _ in range(2)]


@pytest.mark.parametrize("seed", range(5))
def test_nominal_is_cohens_kappa(seed):
    mine, right = draws(SARCASM.categories, seed=seed)
    assert score(SARCASM, mine, right).value == pytest.approx(cohen_kappa_score(mine, right))


@pytest.mark.parametrize("field", [SENTIMENT, RELATION], ids=lambda one: one.name)
def test_ordered_values_have_linear_weights(field):
    mine, right = draws(field.categories, seed=3)
    labels = list(field.categories)
    assert score(field, mine, right).value == pytest.approx(
        cohen_kappa_score(mine, right, labels=labels, weights="linear")
    )


def test_numbers_have_lins_concordance():
    random = np.random.default_rng(1)
    right = random.uniform(1, 9, 40)
    mine = np.clip(right + random.normal(0.5, 1, 40), 1, 9)
    lin = 2 * np.cov(mine, right, bias=True)[0, 1]
    lin /= mine.var() + right.var() + (mine.mean() - right.mean()) ** 2
    found = score(VALENCE, mine.tolist(), right.tolist())
    assert found.value == pytest.approx(lin)
    assert found.same == 0


def test_sets_have_masi():
    sets = [
        frozenset(one) for one in (["joy"], ["joy", "surprise"], ["anger"], ["anger", "sadness"], ["joy"])
    ]
    mine, right = draws(sets, seed=2)
    task = AnnotationTask(
        [("m", place, one) for place, one in enumerate(mine)]
        + [("k", place, one) for place, one in enumerate(right)],
        distance=lambda one, other: masi_distance(set(one), set(other)),
    )
    observed = np.mean([masi_distance(set(one), set(other)) for one, other in zip(mine, right, strict=True)])
    expected = np.mean([[masi_distance(set(one), set(other)) for other in right] for one in mine])
    assert task.Do_Kw_pairwise("m", "k") == pytest.approx(observed)
    assert score(EMOTION, mine, right).value == pytest.approx(1 - observed / expected, abs=1e-3)


def test_always_none_is_worth_nothing_where_nearly_all_is_none():
    right = ["none"] * 9 + ["sarcastic"]
    found = score(SARCASM, ["none"] * 10, right)
    assert (found.same, found.value) == (9, pytest.approx(0))
    assert score(SARCASM, right, right).value == 1


def test_no_answer_is_as_far_as_can_be():
    right = ["negative", "neutral", "positive", Missing.CANNOT_TELL]
    assert score(SENTIMENT, right, right).value == 1
    assert score(SENTIMENT, [Missing.NOT_RATED] * 4, right).value == pytest.approx(0)
    assert distance(SENTIMENT, Missing.NOT_RATED, "neutral") == 1
    assert distance(SENTIMENT, "negative", "neutral") == 0.5


@pytest.mark.parametrize("right", [[], ["none"], ["none", "none", "none"]])
def test_a_key_of_one_answer_measures_nothing(right):
    found = score(SARCASM, right, right)
    assert found.value is None
    assert found.reason


@settings(deadline=None)
@given(st.data())
def test_a_score_is_a_number_up_to_one(data):
    field = data.draw(st.sampled_from([SENTIMENT, SARCASM, RELATION]))
    values = st.sampled_from([*field.categories, Missing.CANNOT_TELL])
    pairs = data.draw(st.lists(st.tuples(values, values), min_size=1, max_size=12))
    found = score(field, [one for one, _ in pairs], [other for _, other in pairs])
    assert found.items == len(pairs)
    if found.value is not None:
        assert math.isfinite(found.value)
        assert found.value <= 1
        assert (found.value == 1) == (found.same == len(pairs))
