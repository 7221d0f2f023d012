"""The parts that networks are made of, and what steadies them, against answers worked out by other means."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix
from torch import nn

from baselines.averaging import WeightAverage
from baselines.context import (
    BOTH,
    PAST,
    REACH,
    AttentiveLayer,
    RecurrentContext,
    StackedContext,
    hidden_turns,
)
from baselines.data import Labels
from baselines.evidence_context import TRUST, EvidenceContext
from baselines.fusion import Projection
from baselines.heads import make_head
from baselines.linear_evidence import fit_evidence
from baselines.tuning import tune

PLACES = torch.tensor([[0, 1, 2, 3], [4, 5, -1, -1], [6, -1, -1, -1]])


@pytest.mark.parametrize("context", [BOTH, PAST])
def test_stacked_units_are_those_of_torch(context):
    torch.manual_seed(0)
    stacked = StackedContext(2, 5, 3, context)
    nn.init.normal_(stacked.bias)
    rows = torch.randn(2, 7, 5)
    found = stacked(rows, PLACES)
    for stack in range(2):
        plain = RecurrentContext(5, 3, context)
        layers = [plain.forwards] if plain.backwards is None else [plain.forwards, plain.backwards]
        for direction, layer in enumerate(layers):
            group = 2 * direction + stack
            with torch.no_grad():
                layer.weight_ih_l0.copy_(stacked.of_rows[group].T)
                layer.weight_hh_l0.copy_(stacked.of_state[group].T)
                layer.bias_ih_l0.copy_(stacked.bias[0, group, 0])
                layer.bias_hh_l0.copy_(stacked.bias[1, group, 0])
        assert torch.allclose(found[stack], plain(rows[stack], PLACES), atol=1e-6)


def test_the_average_of_weights_forgets_the_start_and_can_be_put_in_place():
    layer = nn.Linear(1, 1, bias=False)
    average = WeightAverage(layer, 0.9)
    for step in range(200):
        with torch.no_grad():
            layer.weight.fill_(1.0 if step < 100 else 3.0)
        average.update()
    expected = 3 - 2 * 0.9**100
    with average.in_place():
        assert layer.weight.item() == pytest.approx(expected, abs=1e-4)
    assert layer.weight.item() == 3.0
    assert average.averages[0].item() == pytest.approx(expected, abs=1e-4)


def test_without_a_share_that_stays_the_average_is_the_last_step():
    layer = nn.Linear(2, 2)
    average = WeightAverage(layer, 0.0)
    with torch.no_grad():
        layer.weight.add_(1.0)
    average.update()
    assert torch.equal(average.averages[0], layer.weight)


def labels_of(values):
    return Labels(np.asarray(values), np.ones(len(values), np.bool_))


def test_thresholds_lean_to_rare_values_as_far_as_the_metric_likes(maker):
    field = maker.schema["emotion"]
    rng = np.random.default_rng(0)
    truth = rng.choice(len(field.categories), 4000, p=[0.8, 0.15, 0.05])
    prior = np.array([0.8, 0.15, 0.05])
    evidence = rng.normal(size=(4000, 3)) + np.eye(3)[truth]
    scores = prior * np.exp(evidence - 0.5)
    scores /= scores.sum(axis=1, keepdims=True)
    leaning = tune(field, scores, labels_of(truth), prior, "macro_f1")
    strength = leaning / -np.log(prior)
    assert np.allclose(strength, strength[0])  # one number a field
    assert 0.3 < strength[0] < 1.1
    plain = tune(field, scores, labels_of(truth), prior, "accuracy")
    assert abs((plain / -np.log(prior))[0]) < 0.25


def test_of_equal_thresholds_none_is_taken(maker):
    field = maker.schema["emotion"]
    truth = np.array([0, 1, 2, 0])
    shifts = tune(field, np.eye(3)[truth] * 0.98 + 0.01, labels_of(truth), np.full(3, 1 / 3), "macro_f1")
    assert np.allclose(shifts, 0, atol=1e-9)


@pytest.mark.parametrize("context", [BOTH, PAST])
def test_evidence_of_neighbours_is_within_the_dialogue(maker, context):
    fields = {name: maker.schema[name] for name in ("emotion", "valence")}
    layer = EvidenceContext(fields, context)
    evidence = torch.arange(28.0).view(7, 4)
    at_first = layer(evidence, PLACES)
    assert torch.allclose(at_first["emotion"], TRUST * evidence[:, :3])
    assert torch.allclose(at_first["valence"], TRUST * evidence[:, 3:])
    nn.init.ones_(layer.linear.weight)
    sums = evidence.sum(dim=1)
    reach = 2 if context == BOTH else 0
    for dialogue in ([0, 1, 2, 3], [4, 5], [6]):
        for turn, row in enumerate(dialogue):
            near = dialogue[max(turn - 2, 0) : turn + reach + 1]
            assert torch.allclose(layer(evidence, PLACES)["valence"][row], sums[near].sum())


def test_heads_add_to_what_is_told_beforehand(maker):
    torch.manual_seed(0)
    for field in maker.schema:
        head = make_head(field, 6, "continuation-ratio")
        rows = torch.randn(5, 6)
        told = torch.randn(5, len(getattr(field, "categories", [0])))
        alone, both = head(rows), head(rows, told)
        assert torch.allclose(both.reshape(5, -1), alone.reshape(5, -1) + told, atol=1e-6), field.name


def test_the_head_of_a_relation_sees_its_parts(maker):
    torch.manual_seed(0)
    head = make_head(maker.schema["pull"], 6, "continuation-ratio", parts=4)
    rows = torch.randn(1, 6).expand(2, -1)
    logits = head(rows, None, torch.eye(4)[:2])
    assert (logits[0] - logits[1]).abs().max() > 1e-3


def test_evidence_is_asked_of_models_that_did_not_see_the_dialogue(maker):
    """A term that one dialogue alone has says nothing of it, whatever the labels there."""
    fields = {"emotion": maker.schema["emotion"]}
    dialogue = np.repeat(np.arange(8), 3)
    terms = np.zeros((24, 9), np.float32)
    terms[np.arange(24), dialogue] = 1  # a term of its own for every dialogue
    truth = dialogue % 3
    terms[:, 8] = truth == 0  # and one that tells
    evidence, held_out = fit_evidence(csr_matrix(terms), dialogue, fields, {"emotion": labels_of(truth)})
    assert evidence.weights.shape == (9, 3)
    assert (held_out[truth == 0, 0] > held_out[truth != 0, 0].max()).all()
    in_sample = evidence.of(csr_matrix(terms))
    gap = lambda one: one[truth == 1, 1].mean() - one[truth == 2, 1].mean()  # noqa: E731
    assert gap(in_sample) > 0.1 + abs(gap(held_out)) / 2


def test_at_first_heads_look_at_the_same_turn_the_one_before_and_the_next():
    layer = AttentiveLayer(8, 4, 0.0).eval()
    assert layer.liking.shape == (4, 2 * REACH + 1)
    assert layer.liking.argmax(dim=1)[:3].tolist() == [REACH, REACH - 1, REACH + 1]
    assert not layer.liking[3].any()


def test_a_projection_keeps_how_much_of_something_is_shown():
    layer = Projection(2, 4, 0.0, stacks=2)
    with torch.no_grad():
        layer.layers[0].weight.copy_(torch.ones(8, 2))
        layer.layers[0].bias.zero_()
    weak, strong, nothing = layer(
        torch.tensor([[1.0, 2.0], [4.0, 8.0], [4.0, 8.0]]), torch.tensor([True, True, False])
    )
    assert torch.allclose(strong, 4 * weak, rtol=0.01)
    assert torch.equal(nothing, layer.missing)


@pytest.mark.parametrize("context", [BOTH, PAST])
def test_attention_goes_by_distance_and_not_by_place(context):
    """The same turns later in a dialogue get the same answers, as far as they see the same."""
    torch.manual_seed(0)
    layer = AttentiveLayer(8, 4, 0.0).eval()
    with torch.no_grad():
        layer.liking[:, : REACH - 3] = -1e9  # nobody looks further than three turns back, or two ahead
        layer.liking[:, REACH + 3 :] = -1e9
    turns = torch.randn(1, 12, 8)
    places = torch.arange(12)[None]
    whole = layer(turns, turns, hidden_turns(places, context))
    rest = layer(turns[:, 2:], turns[:, 2:], hidden_turns(places[:, 2:], context))
    assert torch.allclose(whole[:, 5:], rest[:, 3:], atol=1e-6)
