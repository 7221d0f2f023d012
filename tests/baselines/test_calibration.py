"""Calibration against torchmetrics, scikit-learn and hand computations."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import brier_score_loss

from baselines.calibration import BINS, calibration_sums, reliability
from baselines.data import Labels, Split
from baselines.scoring import Answers, score_answers


def probabilities(random, rows, size):
    scores = random.dirichlet(np.full(size, 0.6), rows)
    return scores / scores.sum(axis=1, keepdims=True)


def test_by_hand(maker):
    # Two predictions of .8, one right: .8 against .5; one of .95 (another bin), right: .95 against 1.
    scores = np.array([[0.8, 0.2, 0.0], [0.8, 0.1, 0.1], [0.0, 0.05, 0.95]])
    labels, predicted = np.array([0, 1, 2]), np.array([0, 0, 2])
    sums = calibration_sums(maker.schema["emotion"], np.array([0, 0, 1]), labels, predicted, scores)
    found = sums.total()
    assert found["ece"] == pytest.approx((2 * 0.3 + 0.05) / 3)
    brier = (0.2**2 + 0.2**2) + (0.8**2 + 0.9**2 + 0.1**2) + (0.05**2 + 0.05**2)
    assert found["brier"] == pytest.approx(brier / 3)
    bins = reliability(sums.rows.sum(axis=0))
    assert len(bins) == BINS
    assert [(one.count, one.right) for one in bins if one.count] == [(2, 0.5), (1, 1.0)]
    assert [one.probability for one in bins if one.count] == pytest.approx([0.8, 0.95])
    assert bins[0].probability is None


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 2**32 - 1), st.integers(1, 60))
def test_one_value_fields_are_those_of_torchmetrics_and_scikit_learn(maker, seed, rows):
    torch = pytest.importorskip("torch")
    classification = pytest.importorskip("torchmetrics.functional.classification")
    random = np.random.default_rng(seed)
    scores, labels = probabilities(random, rows, 3), random.integers(0, 3, rows)
    found = calibration_sums(
        maker.schema["emotion"], random.integers(0, 5, rows), labels, scores.argmax(axis=1), scores
    ).total()
    theirs = classification.multiclass_calibration_error(
        torch.tensor(scores), torch.tensor(labels), num_classes=3, n_bins=BINS, norm="l1"
    )
    assert found["ece"] == pytest.approx(float(theirs), abs=1e-6)
    assert found["brier"] == pytest.approx(
        brier_score_loss(labels, scores, labels=[0, 1, 2], scale_by_half=False)
    )


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 2**32 - 1), st.integers(1, 40))
def test_every_value_of_a_set_is_a_prediction(maker, seed, rows):
    classification = pytest.importorskip("torchmetrics.functional.classification")
    torch = pytest.importorskip("torch")
    random = np.random.default_rng(seed)
    scores, labels = random.random((rows, 3)), random.random((rows, 3)) < 0.4
    found = calibration_sums(maker.schema["tags"], np.arange(rows) // 4, labels, scores > 0.5, scores).total()
    assert found["brier"] == pytest.approx(((scores - labels) ** 2).mean())
    # torchmetrics' binary error takes p of the positive class, as here.
    theirs = classification.binary_calibration_error(
        torch.tensor(scores.ravel()), torch.tensor(labels.ravel().astype(int)), n_bins=BINS, norm="l1"
    )
    assert found["ece"] == pytest.approx(float(theirs), abs=1e-6)


def test_the_probability_of_what_was_predicted_counts_even_if_another_is_likelier(maker):
    scores = np.array([[0.6, 0.4, 0.0]])
    found = calibration_sums(maker.schema["emotion"], np.zeros(1), np.array([1]), np.array([1]), scores)
    assert found.total()["ece"] == pytest.approx(0.6)


def test_the_interval_of_the_error_holds_its_value(maker):
    # Resamples of a well calibrated model are worse calibrated than the sample: the interval is moved.
    random = np.random.default_rng(3)
    scores = probabilities(random, 300, 3)
    labels = np.array([random.choice(3, p=one) for one in scores])
    known = np.ones(300, bool)
    split = Split("test", [str(i) for i in range(300)], np.arange(300) // 5, [None] * 300, [""] * 300, {})
    labels_of = {field.name: Labels(labels, known) for field in maker.schema}
    split = Split(split.name, split.utterance_ids, split.dialogue, split.speakers, split.texts, labels_of)
    field = maker.schema["emotion"]
    found, _ = score_answers(field, split, Answers(scores.argmax(axis=1), scores), None, 300)
    ece = found.metrics["ece"]
    assert 0 <= ece.low <= ece.value <= ece.high
    assert sum(one.count for one in found.reliability) == 300
    without, _ = score_answers(field, split, Answers(scores.argmax(axis=1)), None, 10)
    assert without.metrics["ece"].value is None
    assert without.metrics["ece"].reason == "the model gives no probabilities"
