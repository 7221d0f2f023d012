"""The design keeps its promises over many shapes: k raters each, balanced loads and pairs, own orders."""

from __future__ import annotations

import itertools
import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotation.assignment import Stop, assign, overlap, queues
from schemas import InputError


def names(n):
    return [f"r{place}" for place in range(n)]


def dialogues(count, seed=0):
    return {f"d{place}": 1 + (place * 7 + seed) % 20 for place in range(count)}


designs = st.integers(2, 9).flatmap(
    lambda n: st.tuples(
        st.just(n), st.integers(2, min(n, 4)), st.integers(0, 1000), st.floats(2, 6), st.integers(0, 30)
    )
)


@given(designs)
def test_every_dialogue_gets_k_raters_loads_and_pairs_are_balanced(design):
    n, k, seed, often, more = design
    count = math.ceil(often * n * (n - 1) / (k * (k - 1))) + more
    found = assign(dialogues(count), names(n), k, seed=seed)
    assert list(found) == list(dialogues(count))
    assert all(len(set(raters)) == len(raters) == k for raters in found.values())
    load = Counter(itertools.chain.from_iterable(found.values()))
    assert max(load.values()) - min(load[name] for name in names(n)) <= 1
    shared = overlap(found)
    counts = [shared.get(frozenset(pair), 0) for pair in itertools.combinations(names(n), 2)]
    assert min(counts) >= 1
    assert sum(counts) == count * k * (k - 1) / 2
    mean = sum(counts) / len(counts)
    assert max(abs(one - mean) for one in counts) <= max(2.5, 0.35 * mean)


@pytest.mark.parametrize(("n", "k", "blocks"), [(4, 2, 6), (6, 2, 15), (3, 2, 3), (5, 5, 4), (4, 3, 4)])
def test_complete_designs_are_nearly_met(n, k, blocks):
    """With as many dialogues as the complete design has blocks, thrice, pairs meet nearly equally often."""
    for seed in range(20):
        found = assign(dict.fromkeys(map(str, range(3 * blocks)), 5), names(n), k, seed=seed)
        assert len(set(Counter(itertools.chain(*found.values())).values())) == 1
        counts = overlap(found)
        assert len(counts) == n * (n - 1) / 2
        assert max(counts.values()) - min(counts.values()) <= 2, counts


def test_utterances_are_balanced_too():
    found = assign(dialogues(200), names(5), 2, seed=3)
    load = Counter()
    for dialogue, raters in found.items():
        for name in raters:
            load[name] += dialogues(200)[dialogue]
    assert max(load.values()) - min(load.values()) <= 0.05 * sum(load.values()) / 5


@given(designs)
def test_the_same_seed_gives_the_same_design(design):
    n, k, seed, _, more = design
    arguments = dialogues(n * n + more), names(n), k
    assert assign(*arguments, seed=seed) == assign(*arguments, seed=seed)


def test_another_seed_gives_another_design():
    assert assign(dialogues(60), names(5), 2, seed=1) != assign(dialogues(60), names(5), 2, seed=2)


@given(st.integers(0, 100))
def test_who_has_seen_more_is_left_out(seed):
    barred = {"r0": {f"d{place}" for place in range(10)}, "r1": {"d3", "d30"}}
    found = assign(dialogues(60), names(4), 2, seed=seed, barred=barred)
    for dialogue, raters in found.items():
        assert all(dialogue not in barred.get(name, ()) for name in raters)
    load = Counter(itertools.chain(*found.values()))
    assert max(load.values()) - min(load.values()) <= 2


@pytest.mark.parametrize(
    ("sizes", "raters", "k", "barred", "words"),
    [
        (dialogues(5), ["a"], 2, {}, "cannot get 2 of 1"),
        (dialogues(5), ["a", "a"], 1, {}, "twice"),
        ({}, ["a", "b"], 1, {}, "no dialogues"),
        (dialogues(5), ["a", "b"], 2, {"a": {"d1"}}, "d1"),
        (dialogues(3), names(6), 2, {}, "at least 15 dialogues"),
        (dialogues(5), ["a", "b"], 0, {}, "cannot get 0"),
    ],
)
def test_what_cannot_be_is_refused_with_a_way_out(sizes, raters, k, barred, words):
    with pytest.raises(InputError, match=words):
        assign(sizes, raters, k, barred=barred)


@given(designs, st.floats(0, 0.5))
def test_queues_hold_each_dialogue_once_and_the_repeats_late(design, share):
    n, k, seed, _, more = design
    found = assign(dialogues(n * n + more), names(n), k, seed=seed)
    lines = queues(found, seed=seed, repeats=share)
    assert set(lines) == set(names(n))
    for name, queue in lines.items():
        own = {dialogue for dialogue, raters in found.items() if name in raters}
        assert {stop.dialogue for stop in queue if stop.occasion == 1} == own
        assert len(set(queue)) == len(queue)
        again = [stop for stop in queue if stop.occasion == 2]
        assert len(again) == (math.ceil(share * len(own)) if len(own) > 1 else 0)
        for stop in again:
            assert queue.index(stop) > queue.index(Stop(stop.dialogue)) + 1 or len(own) < 4


@pytest.mark.parametrize("share", [0.05, 0.1, 0.2, 0.33])
def test_a_third_of_a_long_queue_lies_between_the_two_occasions(share):
    found = assign(dialogues(300), names(3), 2)
    for queue in queues(found, repeats=share).values():
        own = sum(stop.occasion == 1 for stop in queue)
        gaps = [queue.index(one) - queue.index(Stop(one.dialogue)) for one in queue if one.occasion == 2]
        assert gaps
        assert min(gaps) >= 0.3 * own


def test_orders_are_the_raters_own():
    found = assign(dialogues(40), names(3), 3)
    first = queues(found, seed=5)
    assert len({tuple(queue) for queue in first.values()}) == 3
    fewer = {dialogue: raters[:2] for dialogue, raters in found.items()}
    assert queues(fewer, seed=5)["r0"] == first["r0"]
    assert queues(found, seed=6)["r0"] != first["r0"]


def test_a_share_out_of_range_is_refused():
    with pytest.raises(InputError, match=r"between 0 and 0\.5"):
        queues({"d": ("a",)}, repeats=0.7)
