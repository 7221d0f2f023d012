"""Cutting splits and putting them together."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from baselines.data import Labels, Split
from baselines.features import Features
from baselines.split_rows import join, keep_labels, take


def drawn(seed, rows=17):
    random = np.random.default_rng(seed)
    soft = random.dirichlet(np.ones(3), rows)
    labels = {
        "emotion": Labels(random.integers(0, 3, rows), random.random(rows) < 0.8, soft),
        "tags": Labels(random.random((rows, 3)) < 0.3, random.random(rows) < 0.8),
    }
    values = random.normal(size=(rows, 4)).astype(np.float32)
    features = {"audio": Features(values, random.random(rows) < 0.9, {"made": "here"})}
    dialogue = np.sort(random.integers(0, 5, rows))
    _, dialogue = np.unique(dialogue, return_inverse=True)
    ids = [f"{seed}-{one}" for one in range(rows)]
    speakers = [None if one == 0 else f"s{one}" for one in random.integers(0, 4, rows)]
    return Split("train", ids, dialogue, speakers, [f"text {one}" for one in ids], labels, features)


def same(one, other):
    assert one.utterance_ids == other.utterance_ids
    assert (one.dialogue == other.dialogue).all()
    assert (one.speakers, one.texts) == (other.speakers, other.texts)
    for name in one.labels:
        assert (one.labels[name].values == other.labels[name].values).all()
        assert (one.labels[name].known == other.labels[name].known).all()
    assert np.array_equal(one.labels["emotion"].soft, other.labels["emotion"].soft)
    assert (one.features["audio"].values == other.features["audio"].values).all()
    assert (one.features["audio"].present == other.features["audio"].present).all()


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10_000))
def test_parts_put_together_are_the_whole(seed):
    whole = drawn(seed)
    cut = int(np.flatnonzero(whole.dialogue > whole.dialogue.max() // 2)[0])
    parts = [take(whole, np.arange(cut)), take(whole, np.arange(cut, len(whole)))]
    assert all(one.dialogue[0] == 0 for one in parts)
    same(join("train", parts), whole)


def test_dialogues_are_numbered_as_they_come():
    whole = drawn(3)
    last, first = whole.dialogue[-1], whole.dialogue[0]
    rows = np.concatenate([np.flatnonzero(whole.dialogue == one) for one in (last, first)])
    found = take(whole, rows)
    assert found.dialogue.tolist() == sorted(found.dialogue.tolist())
    assert found.utterance_ids == [whole.utterance_ids[row] for row in rows]
    assert len(take(whole, np.arange(0))) == 0


def test_one_part_without_soft_labels():
    one, other = drawn(1), drawn(2)
    hard = {name: Labels(each.values, each.known) for name, each in other.labels.items()}
    other = Split(
        other.name, other.utterance_ids, other.dialogue, other.speakers, other.texts, hard, other.features
    )
    soft = join("both", [one, other]).labels["emotion"].soft
    assert np.isfinite(soft[: len(one)]).all()
    assert np.isnan(soft[len(one) :]).all()


def test_hidden_labels_hide_their_soft_ones_too_and_nothing_else():
    whole = drawn(4)
    where = np.arange(len(whole)) % 2 == 0
    found = keep_labels(whole, where)
    assert not found.labels["emotion"].known[~where].any()
    assert (found.labels["tags"].known[where] == whole.labels["tags"].known[where]).all()
    assert np.isnan(found.labels["emotion"].soft[~where]).all()
    assert found.texts == whole.texts
