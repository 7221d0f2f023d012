"""Batches of whole dialogues."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from baselines.batches import PADDING, DialogueBatches, Dialogues, places
from baselines.context import flip, hidden_turns, lay_out, take_back

LENGTHS = st.lists(st.integers(1, 40), min_size=1, max_size=40).map(np.array)


@given(LENGTHS, st.integers(1, 60), st.integers(0, 9), st.integers(1, 3))
def test_every_dialogue_comes_once_within_the_budget(lengths, budget, epoch, processes):
    batches = DialogueBatches(lengths, budget, seed=3, processes=processes)
    batches.set_epoch(epoch)
    found = list(batches)
    assert len(found) == len(batches)
    assert len(found) % processes == 0
    once = {number for batch in found for number in batch}
    assert once == set(range(len(lengths)))
    if processes == 1:
        assert sorted(number for batch in found for number in batch) == list(range(len(lengths)))
    for batch in found:
        assert len(batch) == 1 or len(batch) * lengths[batch].max() <= budget


def test_the_order_follows_from_seed_and_epoch():
    lengths = np.arange(60) % 7 + 1

    def order(seed, epoch):
        batches = DialogueBatches(lengths, 30, seed=seed)
        batches.set_epoch(epoch)
        return list(batches)

    assert order(0, 0) == order(0, 0)
    assert order(0, 0) != order(0, 1)
    assert order(0, 0) != order(1, 0)
    assert len(order(0, 0)) == len(order(5, 9))
    plain = [number for batch in DialogueBatches(lengths, 30) for number in batch]
    assert (np.diff(lengths[plain]) >= 0).all()


@given(st.lists(st.integers(0, 5), min_size=1, max_size=30))
def test_rows_are_laid_out_and_taken_back(owners):
    owner = np.unique(np.array(owners), return_inverse=True)[1]
    laid_out = places(owner)
    for sequence, rows in enumerate(laid_out):
        inside = rows[rows != PADDING]
        assert inside.tolist() == np.flatnonzero(owner == sequence).tolist()
        assert (rows[len(inside) :] == PADDING).all()
    rows = torch.randn(len(owner), 3)
    where = torch.from_numpy(laid_out)
    sequences = lay_out(rows, where)
    assert torch.equal(take_back(sequences, where, len(owner)), rows)
    assert (sequences[where < 0] == 0).all()
    assert torch.equal(flip(flip(sequences, where >= 0), where >= 0), sequences)
    assert torch.equal(flip(sequences, where >= 0)[:, 0], rows[[one.max() for one in laid_out]])


def test_nobody_attends_to_padding_or_with_past_context_to_what_comes():
    where = torch.tensor([[0, 1, 2], [3, -1, -1]])
    both = hidden_turns(where, "both")
    assert both[0].sum() == 0
    assert both[1].tolist() == [[False, True, True], [False, False, True], [False, True, False]]
    past = hidden_turns(where, "past")
    assert past[0].tolist() == [[False, True, True], [False, False, True], [False, False, False]]


def test_a_batch_holds_turns_of_dialogues_and_of_speakers(maker):
    rows = maker.rows(3)  # of 2, 3 and 4 turns; speakers take turns
    rows[1]["speaker_id"] = None
    rows[3]["emotion"] = None
    split = maker.split(rows)
    dialogues = Dialogues(split, {}, ["emotion", "tags"])
    assert dialogues.lengths.tolist() == [2, 3, 4]
    batch = dialogues.collate([dialogues[2], dialogues[0]])
    assert batch["turns"].tolist() == [[0, 1, 2, 3], [4, 5, -1, -1]]
    # s0 and s1 of the first, and in the second s0 and somebody unknown.
    assert sorted(batch["own_turns"].tolist()) == [[0, 2], [1, 3], [4, -1], [5, -1]]
    assert batch["targets"]["tags"]["values"].shape == (6, 3)
    second = dialogues.collate([dialogues[1]])
    assert second["targets"]["emotion"]["known"].tolist() == [True, False, True]


@pytest.mark.parametrize("length", [1, 2000])
def test_short_and_long_dialogues_are_batches(length):
    assert list(DialogueBatches(np.array([length]), 64, seed=0)) == [[0]]
