"""Metrics against hand computations, scikit-learn, and the sums that the bootstrap uses."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from baselines.data import Labels
from baselines.dialogue_sums import dialogue_sums
from baselines.metrics import metric_names, score
from baselines.scoring import score_field


def values(found):
    return {name: one.value for name, one in found.metrics.items()}


def test_nominal_by_hand(maker):
    # neutral: tp 2, fp 1, fn 1; joy: tp 1, fp 1, fn 0; anger: tp 0, fp 0, fn 1.
    labels, predicted = np.array([0, 0, 0, 1, 2]), np.array([0, 0, 1, 1, 0])
    found = score(maker.schema["emotion"], labels, predicted)
    assert values(found) == pytest.approx(
        {
            "macro_f1": (2 / 3 + 2 / 3 + 0) / 3,
            "weighted_f1": (3 * 2 / 3 + 1 * 2 / 3) / 5,
            "accuracy": 3 / 5,
            "uar": (2 / 3 + 1 + 0) / 3,
        }
    )
    assert found.per_class["anger"].precision is None
    assert found.per_class["anger"].reason == "this value is never predicted"
    assert (found.per_class["anger"].recall, found.per_class["anger"].f1) == (0, 0)
    assert [one.support for one in found.per_class.values()] == [3, 1, 1]
    assert found.per_class["joy"].precision == 0.5


def test_quadratic_kappa_by_hand(maker):
    # Cohen (1968): observed squared distance 1 + 4 of 4 items; expected from the margins.
    labels, predicted = np.array([0, 1, 2, 2]), np.array([0, 2, 2, 0])
    observed = (1 + 4) / 4
    expected = np.mean([(a - b) ** 2 for a in labels for b in predicted])
    for name in ("sentiment", "pull"):
        found = values(score(maker.schema[name], labels, predicted))
        assert found["quadratic_kappa"] == pytest.approx(1 - observed / expected)
    assert "quadratic_kappa" not in metric_names(maker.schema["emotion"])


def test_sets_by_hand(maker):
    labels = np.array([[0, 1, 1], [1, 0, 0], [0, 0, 0], [0, 1, 0]], bool)
    predicted = np.array([[0, 1, 0], [0, 0, 0], [0, 0, 0], [0, 1, 1]], bool)
    found = score(maker.schema["tags"], labels, predicted)
    assert values(found) == pytest.approx(
        {
            "macro_f1": (0 + 1 + 0) / 3,
            "weighted_f1": (1 * 0 + 2 * 1 + 1 * 0) / 4,
            "micro_f1": 2 * 2 / (4 + 3),
            "exact_match": 1 / 4,
            "jaccard": (1 / 2 + 0 + 1 + 1 / 2) / 4,
        }
    )
    assert found.per_class["none"].precision is None
    assert found.per_class["loud"].f1 == 1


def test_numbers_by_hand(maker):
    labels, predicted = np.array([1.0, 2.0, 3.0]), np.array([2.0, 2.0, 5.0])
    found = values(score(maker.schema["valence"], labels, predicted))
    # variances 2/3 and 2, covariance 1, means 2 and 3
    assert found == pytest.approx(
        {"mae": 1.0, "pearson": 1 / math.sqrt(2 / 3 * 2), "ccc": 2 / (2 / 3 + 2 + 1)}
    )


def test_what_does_not_exist_is_none_with_a_reason(maker):
    constant = np.full(4, 2)
    found = score(maker.schema["sentiment"], constant, constant)
    assert found.metrics["quadratic_kappa"].value is None
    assert found.metrics["quadratic_kappa"].reason
    assert found.per_class["negative"].f1 is None
    assert found.per_class["negative"].reason
    numbers = score(maker.schema["valence"], np.array([1.0, 2.0]), np.array([3.0, 3.0]))
    assert numbers.metrics["pearson"].reason == "all predictions are equal"
    assert numbers.metrics["ccc"].value == 0
    same = score(maker.schema["valence"], np.array([3.0, 3.0]), np.array([3.0, 3.0]))
    assert same.metrics["ccc"].reason
    assert same.metrics["mae"].value == 0
    one = score(maker.schema["valence"], np.array([3.0]), np.array([4.0]))
    assert (one.metrics["pearson"].value, one.metrics["mae"].value) == (None, 1)
    empty = score(maker.schema["tags"], np.zeros((2, 3), bool), np.zeros((2, 3), bool))
    assert empty.metrics["macro_f1"].reason == "no value is labeled or predicted"
    assert empty.metrics["jaccard"].value == empty.metrics["exact_match"].value == 1
    for field in maker.schema:
        shape = (0, 3) if field.name == "tags" else (0,)
        nothing = score(field, np.zeros(shape, int), np.zeros(shape, int))
        assert {one.value for one in nothing.metrics.values()} == {None}
        assert all(one.reason for one in nothing.metrics.values())


@pytest.mark.parametrize("rows", [1, 7, 60])
def test_macro_f1_is_scikit_learns_on_any_classes(maker, rows):
    random = np.random.default_rng(rows)
    labels, predicted = random.integers(0, 3, rows), random.integers(0, 2, rows)
    found = values(score(maker.schema["emotion"], labels, predicted))
    assert found["macro_f1"] == pytest.approx(
        sk.f1_score(labels, predicted, average="macro", zero_division=0)
    )


@st.composite
def answers(draw):
    """Labels and predictions of one field, with dialogues of uneven length."""
    name = draw(st.sampled_from(["emotion", "sentiment", "tags", "valence", "pull"]))
    rows = draw(st.integers(2, 25))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    high = draw(st.integers(1, 3))  # sometimes a class that never occurs, or one class alone
    if name == "tags":
        pair = random.random((2, rows, 3)) < draw(st.sampled_from([0.0, 0.2, 0.6]))
    elif name == "valence":
        pair = np.clip(random.normal(5, draw(st.sampled_from([0.0, 1.5])), (2, rows)), 1, 9)
        pair[1] += 1e-3
    else:
        pair = random.integers(0, high, (2, rows))
    return name, random.integers(0, draw(st.integers(1, 6)), rows), pair[0], pair[1]


@settings(deadline=None, max_examples=150)
@given(answers())
def test_the_sums_give_the_same_metrics(maker, drawn):
    name, dialogue, labels, predicted = drawn
    field = maker.schema[name]
    sums = dialogue_sums(field, dialogue, labels, predicted)
    assert len(sums.rows) == len(set(dialogue.tolist()))
    expected = values(score(field, labels, predicted))
    assert tuple(expected) == sums.names
    found = sums.values(sums.rows.sum(axis=0)[None])[0]
    for metric, value in zip(sums.names, found, strict=True):
        if expected[metric] is None:
            assert not np.isfinite(value), metric
        else:
            assert value == pytest.approx(expected[metric], abs=1e-9), metric


@settings(deadline=None, max_examples=30)
@given(answers(), st.integers(0, 10))
def test_a_resample_of_sums_is_a_resample_of_dialogues(maker, drawn, seed):
    name, dialogue, labels, predicted = drawn
    field = maker.schema[name]
    sums = dialogue_sums(field, dialogue, labels, predicted)
    numbers = np.unique(dialogue)
    picked = np.random.default_rng(seed).integers(0, len(numbers), len(numbers))
    rows = np.concatenate([np.flatnonzero(dialogue == numbers[one]) for one in picked])
    if len(rows) < 2:
        return
    expected = values(score(field, labels[rows], predicted[rows]))
    found = sums.values(sums.rows[picked].sum(axis=0)[None])[0]
    for metric, value in zip(sums.names, found, strict=True):
        assert expected[metric] is None or value == pytest.approx(expected[metric], abs=1e-9), metric


def test_metrics_do_not_depend_on_the_order_of_the_values(maker):
    random = np.random.default_rng(5)
    labels, predicted = random.integers(0, 3, (2, 200))
    permutation = np.array([2, 0, 1])
    field = maker.schema["emotion"]
    before, after = (
        score(field, a, b) for a, b in ((labels, predicted), (permutation[labels], permutation[predicted]))
    )
    assert values(before) == pytest.approx(values(after))
    names = list(before.per_class)
    for place, name in enumerate(names):
        assert before.per_class[name] == after.per_class[names[permutation[place]]]


def test_missing_labels_do_not_count_and_dialogues_make_the_interval(maker):
    random = np.random.default_rng(1)
    field = maker.schema["emotion"]
    dialogue = np.repeat(np.arange(40), 5)
    truth = random.integers(0, 3, 200)
    predicted = np.where(random.random(200) < 0.7, truth, random.integers(0, 3, 200))
    known = random.random(200) < 0.8
    found, _ = score_field(field, dialogue, Labels(np.where(known, truth, 0), known), predicted)
    assert found.utterances == known.sum()
    assert found.dialogues == 40
    assert found.metrics["accuracy"].value == pytest.approx((truth == predicted)[known].mean())
    for one in found.metrics.values():
        assert one.low < one.value < one.high
    # Twice the same dialogue tells no more than once: item resampling would narrow the interval.
    twice, _ = score_field(
        field,
        np.tile(dialogue, 4),
        Labels(np.tile(np.where(known, truth, 0), 4), np.tile(known, 4)),
        np.tile(predicted, 4),
    )
    assert twice.metrics == found.metrics


def test_the_interval_covers_a_known_accuracy(maker):
    covered = 0
    for seed in range(60):
        random = np.random.default_rng(seed)
        dialogue = np.repeat(np.arange(60), 6)
        skill = np.repeat(random.choice([0.5, 0.9], 60), 6)  # utterances of a dialogue are alike
        right = random.random(360) < skill
        labels = Labels(np.zeros(360, np.int64), np.ones(360, bool))
        found, _ = score_field(maker.schema["emotion"], dialogue, labels, np.where(right, 0, 1), 400)
        covered += found.metrics["accuracy"].low <= 0.7 <= found.metrics["accuracy"].high
    assert covered >= 52  # 57 expected; below 52 once in a hundred


def test_one_dialogue_has_no_interval_and_says_so(maker):
    labels = Labels(np.array([0, 1, 2]), np.ones(3, bool))
    found, _ = score_field(maker.schema["emotion"], np.zeros(3, int), labels, np.array([0, 1, 1]))
    assert found.metrics["accuracy"].value == pytest.approx(2 / 3)
    assert found.metrics["accuracy"].low is None
    assert found.metrics["accuracy"].reason
    assert dataclasses.asdict(found)["dialogues"] == 1


@pytest.mark.parametrize(("rows", "seed"), [(2, 0), (7, 1), (40, 2), (500, 3)])
def test_numbers_and_ordered_values_are_those_of_torchmetrics(maker, rows, seed):
    torch = pytest.importorskip("torch")
    regression = pytest.importorskip("torchmetrics.functional.regression")
    classification = pytest.importorskip("torchmetrics.functional.classification")
    random = np.random.default_rng(seed)
    labels = random.uniform(1, 9, rows)
    predicted = 0.6 * labels + random.normal(1, 1.5, rows)
    found = score(maker.schema["valence"], labels, predicted).metrics
    given = torch.from_numpy(predicted), torch.from_numpy(labels)
    assert found["mae"].value == pytest.approx(float(regression.mean_absolute_error(*given)))
    assert found["pearson"].value == pytest.approx(float(regression.pearson_corrcoef(*given)), abs=1e-6)
    # torchmetrics divides by n - 1 in the variances alone; Lin's coefficient has one divisor.
    mean = ((labels.mean() - predicted.mean()) ** 2) * rows / (rows - 1)
    theirs = regression.concordance_corrcoef(*given)
    spread = labels.var(ddof=1) + predicted.var(ddof=1)
    gap = (labels.mean() - predicted.mean()) ** 2
    assert found["ccc"].value == pytest.approx(float(theirs) * (spread + gap) / (spread + mean), abs=1e-5)

    ordered = random.integers(0, 3, (2, max(rows, 10)))
    ordered[:, :3] = [0, 1, 2]
    kappa = classification.multiclass_cohen_kappa(
        *map(torch.from_numpy, ordered[::-1].copy()), num_classes=3, weights="quadratic"
    )
    ours = score(maker.schema["sentiment"], ordered[0], ordered[1]).metrics["quadratic_kappa"].value
    assert ours == pytest.approx(float(kappa), abs=1e-6)
