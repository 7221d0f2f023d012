"""Heads and losses, against answers worked out by other means."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import norm
from sklearn.metrics import log_loss
from torch.nn.functional import cross_entropy

from baselines.data import Labels
from baselines.heads import CERTAIN, CONTINUATION, CUMULATIVE, NominalHead, OrdinalHead, make_head
from baselines.losses import FieldLoss, LossSettings, concordance_loss
from baselines.weighting import TaskWeights


def target(values, known=None, soft=None):
    values = torch.as_tensor(values)
    found = {"values": values, "known": torch.ones(len(values), dtype=torch.bool) if known is None else known}
    return found if soft is None else {**found, "soft": torch.as_tensor(soft)}


def labels_of(values):
    values = np.array(values)
    return Labels(values, np.ones(len(values), np.bool_))


@pytest.fixture
def emotion(maker):
    head = make_head(maker.schema["emotion"], 4, CONTINUATION)
    labels = labels_of([0] * 6 + [1] * 3 + [2])
    head.fit(labels)
    return maker.schema["emotion"], head, labels


def test_cross_entropy_is_the_known_one(emotion):
    field, head, labels = emotion
    logits, values = torch.randn(5, 3), torch.tensor([0, 1, 2, 1, 0])
    loss = FieldLoss(field, labels, LossSettings())
    assert loss(head, logits, target(values)) == pytest.approx(cross_entropy(logits, values).item(), rel=1e-5)
    smooth = FieldLoss(field, labels, LossSettings(smoothing=0.2))
    expected = cross_entropy(logits, values, label_smoothing=0.2).item()
    assert smooth(head, logits, target(values)) == pytest.approx(expected, rel=1e-5)


def test_logit_adjustment_adds_the_log_of_the_prior(emotion):
    field, head, labels = emotion
    logits, values = torch.randn(5, 3), torch.tensor([0, 1, 2, 1, 0])
    adjusted = FieldLoss(field, labels, LossSettings(imbalance="logit-adjustment"))
    expected = cross_entropy(logits + torch.log(torch.tensor([0.6, 0.3, 0.1])), values).item()
    assert adjusted(head, logits, target(values)) == pytest.approx(expected, rel=1e-5)


def test_effective_numbers_weigh_rare_values_more(emotion):
    field, _, labels = emotion
    loss = FieldLoss(field, labels, LossSettings(imbalance="effective-number", effective_beta=0.9))
    effective = (1 - 0.9 ** np.array([6, 3, 1])) / 0.1
    expected = 1 / effective / ((1 / effective) @ [6, 3, 1]) * 10
    assert np.allclose(loss.weight.numpy(), expected, rtol=1e-5)


def test_the_focal_loss_is_the_published_formula(emotion):
    field, head, labels = emotion
    logits, values = torch.randn(5, 3), torch.tensor([0, 1, 2, 1, 0])
    loss = FieldLoss(field, labels, LossSettings(imbalance="focal", focal_gamma=2))
    chance = logits.softmax(1).gather(1, values[:, None])
    expected = (-((1 - chance) ** 2) * chance.log()).mean().item()
    assert loss(head, logits, target(values)) == pytest.approx(expected, rel=1e-4)


def test_soft_labels_are_learnt_where_they_are_known(emotion):
    field, head, labels = emotion
    logits, values = torch.randn(2, 3), torch.tensor([0, 1])
    soft = np.array([[0.7, 0.2, 0.1], [np.nan] * 3], np.float32)
    loss = FieldLoss(field, labels, LossSettings(soft_labels=True))
    likely = logits.log_softmax(1)
    expected = -(likely[0] @ torch.tensor([0.7, 0.2, 0.1]) + likely[1, 1]).item() / 2
    assert loss(head, logits, target(values, soft=soft)) == pytest.approx(expected, rel=1e-5)
    plain = FieldLoss(field, labels, LossSettings())
    hard = cross_entropy(logits, values).item()
    assert plain(head, logits, target(values, soft=soft)) == pytest.approx(hard, rel=1e-5)


def test_missing_labels_say_nothing(emotion):
    field, head, labels = emotion
    loss = FieldLoss(field, labels, LossSettings())
    logits = torch.randn(4, 3, requires_grad=True)
    known = torch.tensor([True, False, False, True])
    one = loss(head, logits, target(torch.tensor([0, 1, 2, 1]), known))
    other = loss(head, logits, target(torch.tensor([0, 2, 0, 1]), known))
    assert one == other
    one.backward()
    assert (logits.grad[1:3] == 0).all()
    nobody = loss(head, logits, target(torch.tensor([0, 1, 2, 1]), torch.zeros(4, dtype=torch.bool)))
    assert nobody == 0


def test_a_value_that_train_never_has_is_impossible(maker):
    head = NominalHead(4, 3)
    head.fit(labels_of([0, 2, 2]))
    logits = head(torch.randn(6, 4))
    assert head.scores(logits)[:, 1].max() == 0
    loss = FieldLoss(maker.schema["emotion"], labels_of([0, 2, 2]), LossSettings(smoothing=0.1))
    assert torch.isfinite(loss(head, logits, target(torch.tensor([0, 2, 0, 0, 2, 2]))))


@pytest.mark.parametrize("form", [CUMULATIVE, CONTINUATION])
@pytest.mark.parametrize("values", [3, 5, 7])
def test_ordinal_heads_give_distributions(form, values):
    head = OrdinalHead(4, values, form)
    logits = head(4 * torch.randn(50, 4))
    assert torch.allclose(logits.exp().sum(1), torch.ones(50), atol=1e-5)
    assert torch.isfinite(head(1e3 * torch.randn(50, 4))).all()


def test_cumulative_probabilities_are_sigmoids_of_ordered_thresholds():
    head = OrdinalHead(1, 4, CUMULATIVE)
    with torch.no_grad():
        head.linear.weight.fill_(1)
        head.gaps.copy_(torch.tensor([-2.0, 3.0]))
    numbers = torch.linspace(-6, 6, 60)[:, None]
    above = 1 - head(numbers).exp().cumsum(1)[:, :-1]  # P(y > k)
    assert (above[1:] >= above[:-1] - 1e-5).all()  # grows with the number
    logit = torch.logit(above.clamp(1e-6, 1 - 1e-6))
    middle = slice(20, 40)
    gaps = (logit - numbers)[middle]
    assert torch.allclose(gaps, gaps[:1].expand_as(gaps), atol=2e-2)  # thresholds that are the same for all
    assert (gaps[:, :-1] > gaps[:, 1:]).all()


def test_continuation_ratios_fit_any_distribution():
    wanted = torch.tensor([[0.49, 0.02, 0.49]])  # no single threshold model has it
    head = OrdinalHead(1, 3, CONTINUATION)
    head.linear.weight.data.zero_()
    head.linear.bias.data.copy_(torch.logit(torch.tensor([0.51, 0.49 / 0.51])))
    assert torch.allclose(head(torch.zeros(1, 1)).exp(), wanted, atol=1e-5)


def test_sets_with_exclusive_values(maker):
    field = maker.schema["tags"]  # none stands alone
    head = make_head(field, 4, CONTINUATION)
    head.fit(labels_of([[True, False, False], [False, True, True], [False, True, False]]))
    logits = torch.tensor([[0.0, 2.0, -1.0]])
    chances = head.scores(logits)[0]
    assert chances.tolist() == pytest.approx([0.5, 0.5 * 0.8807970, 0.5 * 0.2689414], rel=1e-5)
    loss = FieldLoss(field, labels_of([[True, False, False], [False, True, True]]), LossSettings())
    alone = loss(head, logits, target(torch.tensor([[1.0, 0.0, 0.0]])))
    assert alone == pytest.approx(np.log(2), rel=1e-5)  # nothing is learnt about the others
    others = loss(head, logits, target(torch.tensor([[0.0, 1.0, 0.0]])))
    both = log_loss([1, 0], [0.8807970, 0.2689414], labels=[0, 1], normalize=False)
    assert others == pytest.approx(np.log(2) + both, rel=1e-5)


def test_values_that_all_or_none_have(maker):
    head = make_head(maker.schema["tags"], 4, CONTINUATION)
    head.fit(labels_of([[False, True, False], [False, True, True]]))
    logits = head(torch.randn(3, 4))
    assert (logits[:, 0] == -CERTAIN).all()
    assert (logits[:, 1] == CERTAIN).all()
    assert torch.allclose(head.scores(logits)[:, 1], torch.ones(3))


def test_numbers_are_told_on_their_scale(maker):
    head = make_head(maker.schema["valence"], 2, CONTINUATION)
    head.fit(labels_of([2.0, 4.0, 9.0]))
    raw = torch.tensor([0.0, 1.0])
    spread = np.std([2, 4, 9])
    assert head.scores(raw).tolist() == pytest.approx([5, 5 + spread])
    assert head.standardise(head.scores(raw)).tolist() == pytest.approx([0, 1], abs=1e-6)


def test_the_concordance_loss_is_one_minus_lins_coefficient_plus_the_squared_error():
    rng = np.random.default_rng(4)
    x, y = norm.rvs(size=(2, 30), random_state=rng)
    ccc = 2 * np.cov(x, y, bias=True)[0, 1] / (x.var() + y.var() + (x.mean() - y.mean()) ** 2)
    found = concordance_loss(torch.from_numpy(x), torch.from_numpy(y))
    assert found.item() == pytest.approx(1 - ccc + ((x - y) ** 2).mean())
    one = concordance_loss(torch.tensor([2.0]), torch.tensor([3.0]))
    assert one == 1
    same = torch.zeros(4, requires_grad=True)
    concordance_loss(same, torch.zeros(4)).backward()
    assert torch.isfinite(same.grad).all()


def test_relations_are_ordinal(maker):
    assert isinstance(make_head(maker.schema["pull"], 4, CONTINUATION), OrdinalHead)


class Pulls(torch.nn.Module):
    """Two tasks over one shared number, of which the second pulls ten times as hard."""

    def __init__(self):
        super().__init__()
        self.shared = torch.nn.Parameter(torch.tensor([1.0]))

    def losses(self):
        return {"a": (self.shared**2).sum(), "b": 10 * (self.shared**2).sum()}


def test_fixed_weights_are_one():
    model = Pulls()
    assert TaskWeights(["a", "b"], "fixed")(model.losses()) == 11


def test_uncertainty_is_settled_where_the_variance_is_the_loss():
    weights = TaskWeights(["a", "b"], "uncertainty")
    losses = torch.tensor([0.5, 3.0])
    for factor, sign in ((1.0, 0), (0.5, -1), (2.0, 1)):
        weights.log_variance.data = torch.log(factor * losses)
        weights.log_variance.grad = None
        weights(dict(zip("ab", losses, strict=True))).backward()
        assert torch.sign(weights.log_variance.grad.round(decimals=5)).tolist() == [sign, sign]


def test_gradnorm_evens_out_the_pulls():
    model, weights = Pulls(), TaskWeights(["a", "b"], "gradnorm")
    for _ in range(200):
        weights(model.losses(), [model.shared])
    assert weights.weight.sum() == pytest.approx(2, rel=1e-5)
    pulls = weights.weight * torch.tensor([2.0, 20.0])
    # At one rate of training the pulls come to be the same, up to the size of a step.
    assert pulls[0].item() == pytest.approx(pulls[1].item(), rel=0.5)
    assert weights.weight[0] > weights.weight[1]


def test_dwa_follows_the_published_weights():
    weights = TaskWeights(["a", "b"], "dwa", temperature=2.0)
    for a, b in ((1.0, 1.0), (0.5, 1.0)):
        for _ in range(3):
            weights({"a": torch.tensor(a), "b": torch.tensor(b)})
        weights.end_epoch()
    ratios = np.exp(np.array([0.5, 1.0]) / 2)
    assert weights.weight.tolist() == pytest.approx((2 * ratios / ratios.sum()).tolist(), rel=1e-5)
    weights.eval()
    weights({"a": torch.tensor(9.0), "b": torch.tensor(9.0)})
    assert (weights.sums == 0).all()  # what is judged is not what is learnt
