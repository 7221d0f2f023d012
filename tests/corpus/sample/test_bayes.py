"""The best possible scores: exact posteriors against brute force, Monte Carlo against analytic values."""

from __future__ import annotations

import json
from itertools import product

import numpy as np
import pytest

from corpus.sample.bayes import COLUMNS, CONTEXTS, SEEN, bayes_optimal, markdown, posteriors
from corpus.sample.meaning import TRUTHS
from corpus.sample.world import LONGEST, SARCASM_PRIOR, SHORTEST, Chain, make_chain
from schemas import load_schema

SCHEMA = load_schema("affect")


@pytest.fixture(scope="module")
def best():
    return bayes_optimal(SCHEMA, dialogues=600, seed=4)


def random_chain(rng, left, right):
    def shares(*shape):
        table = rng.random(shape) + 0.05
        return table / table.sum(axis=-1, keepdims=True)

    return Chain((shares(left), shares(right)), (shares(left, left), shares(right, right)))


@pytest.mark.parametrize("length", [1, 2, 4])
def test_posteriors_are_those_of_brute_force(length):
    """Sum over all paths of a small chain, for a dialogue that ends before the padding does."""
    rng = np.random.Generator(np.random.PCG64([7, length]))
    chain = random_chain(rng, 2, 3)
    turns, states = 4, 6
    likelihood = np.log(rng.random((1, turns, states)))
    found = posteriors(chain, likelihood, np.array([length]))
    likely = np.exp(likelihood[0])

    def brute(known):
        """P(state at each turn | cues up to turn ``known(turn)``)."""
        tables = np.zeros((length, states))
        for turn in range(length):
            last = known(turn)
            for path in product(range(states), repeat=max(last, turn) + 1):
                chance = chain.first[path[0]] * likely[0, path[0]]
                for at in range(1, len(path)):
                    chance *= chain.step[path[at - 1], path[at]] * likely[at, path[at]]
                tables[turn, path[turn]] += chance
        return tables / tables.sum(axis=1, keepdims=True)

    np.testing.assert_allclose(found["past"][0, :length], brute(lambda turn: turn), rtol=1e-9)
    np.testing.assert_allclose(found["full"][0, :length], brute(lambda _: length - 1), rtol=1e-9)
    pooled = chain.priors(turns)[:length].mean(axis=0) * likely[:length]
    pooled /= pooled.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(found["none"][0, :length], pooled, rtol=1e-9)


def test_measures_and_columns(best):
    names = set(best["measures"])
    assert {"sentiment/accuracy", "emotion/exact_set", "emotion=joy/accuracy", "sarcasm/accuracy"} <= names
    assert {"valence/r2", "valence/mae", "emotion_sentiment/accuracy", "sarcasm_humor/accuracy"} <= names
    seen = {"prior"} | {f"{name}/{context}" for name in SEEN for context in CONTEXTS}
    assert all(set(one) == seen for one in best["measures"].values())
    table = markdown(best).splitlines()
    assert len(table) == 2 + len(names)
    assert all(line.count("|") == len(COLUMNS) + 2 for line in table)
    assert json.loads(json.dumps(best)) == best


def test_prior_scores_are_the_analytic_ones(best):
    chain = make_chain()
    reached = [(LONGEST - max(turn, SHORTEST - 1)) / (LONGEST - SHORTEST + 1) for turn in range(LONGEST)]
    prior = np.average(chain.priors(LONGEST), axis=0, weights=reached)
    measures = best["measures"]
    for field in ("sentiment", "sarcasm", "humor"):
        shares = {}
        for chance, truth in zip(prior, TRUTHS, strict=True):
            shares[truth[field]] = shares.get(truth[field], 0) + chance
        found = measures[f"{field}/accuracy"]["prior"]
        assert found["value"] == pytest.approx(max(shares.values()), abs=4.5 * found["se"])
    valence = np.array([truth["valence"] for truth in TRUTHS])
    found = measures["valence/mae"]["prior"]
    assert found["value"] == pytest.approx(prior @ np.abs(valence - prior @ valence), abs=4.5 * found["se"])
    assert measures["valence/r2"]["prior"]["value"] == pytest.approx(0, abs=1e-9)


def test_one_modality_gives_the_prior_of_sarcasm_and_all_together_more(best):
    measure = best["measures"]["sarcasm/accuracy"]
    prior = measure["prior"]
    assert prior["value"] == pytest.approx(1 - SARCASM_PRIOR, abs=4.5 * prior["se"])
    for modality in ("text", "audio", "video"):
        for context in CONTEXTS:
            assert measure[f"{modality}/{context}"]["value"] == prior["value"]
    for context in CONTEXTS:
        assert measure[f"all/{context}"]["value"] > prior["value"] + 0.1


def test_knowing_more_never_costs_more_than_chance(best):
    """More modalities and more context help; how much they may seem to cost is a matter of chance."""
    for measure, found in best["measures"].items():
        sign = -1 if measure.endswith("mae") else 1

        def at_least(more, less, found=found, sign=sign, measure=measure):
            slack = 3 * (found[more]["se"] + found[less]["se"]) + 1e-9
            assert sign * (found[more]["value"] - found[less]["value"]) >= -slack, (measure, more, less)

        for name in SEEN:
            at_least(f"{name}/none", "prior")
            at_least(f"{name}/past", f"{name}/none")
            at_least(f"{name}/full", f"{name}/past")
        for context in CONTEXTS:
            for name in ("text", "audio", "video"):
                at_least(f"all/{context}", f"{name}/{context}")


def test_context_matters(best):
    """Humor is mostly a matter of the line before; emotions carry over."""
    measures = best["measures"]
    assert (
        measures["humor/accuracy"]["text/past"]["value"]
        > measures["humor/accuracy"]["text/none"]["value"] + 0.03
    )
    exact = measures["emotion/exact_set"]
    assert exact["all/past"]["value"] > exact["all/none"]["value"] + 0.01


def test_same_seed_same_scores(best):
    again = bayes_optimal(SCHEMA, dialogues=300, seed=4)
    assert again == bayes_optimal(SCHEMA, dialogues=300, seed=4)
    assert again != bayes_optimal(SCHEMA, dialogues=300, seed=5)
