"""Split-half reliability against all splits written out, and against a population that is known."""

from __future__ import annotations

from collections import Counter
from itertools import permutations

import numpy as np
import pytest

from annotation.agreement.split_half import split_half


def every_split(answers):
    """All ways to deal the ratings of an item to two halves, as (first half, second half)."""
    half = len(answers) // 2
    deals = {
        (frozenset(order[:half]), frozenset(order[half : 2 * half]))
        for order in permutations(range(len(answers)))
    }
    return [([answers[k] for k in one], [answers[k] for k in two]) for one, two in deals]


def decide(level, answers):
    if level in ("interval", "ratio"):
        return float(np.mean(answers))
    if level == "set":
        counts = Counter(label for one in answers for label in one)
        chosen = frozenset(label for label, count in counts.items() if 2 * count > len(answers))
        halved = any(2 * count == len(answers) for count in counts.values())
        scattered = not chosen and 2 * sum(not one for one in answers) <= len(answers)
        return None if halved or scattered else chosen
    (first, most), *more = Counter(answers).most_common()
    return None if more and more[0][1] == most else first


@pytest.mark.parametrize("level", ["nominal", "set", "interval"])
@pytest.mark.parametrize("seed", range(2))
def test_every_split_counts(level, seed, draw, code, distance):
    rows = draw(level, seed, items=20, raters=5)
    items: dict[str, list] = {}
    for item, _, answer, _ in rows:
        items.setdefault(item, []).append(answer)
    weighted, decided, number = [], 0.0, 0
    for answers in items.values():
        if len(answers) < 2:
            continue
        number += 1
        splits = every_split(answers)
        for one, two in splits:
            pair = decide(level, one), decide(level, two)
            if None not in pair:
                weighted.append((*pair, 1 / len(splits)))
                decided += 1 / len(splits)
    metric = distance(level, [])
    n = 2 * decided
    observed = sum(2 * weight * metric(a, b) for a, b, weight in weighted) / n
    values: Counter = Counter()
    for a, b, weight in weighted:
        values[a] += weight
        values[b] += weight
    expected = sum(x * y * metric(a, b) for a, x in values.items() for b, y in values.items()) / (n * (n - 1))
    found = split_half(code(rows, level), n_boot=50)
    assert found.items == number
    assert found.decided == pytest.approx(decided / number)
    assert found.alpha.value == pytest.approx(1 - observed / expected)
    if level == "interval":
        assert found.percent.value is None
    else:
        equal = sum(weight for a, b, weight in weighted if a == b) / decided
        assert found.percent.value == pytest.approx(equal)
        assert found.spearman_brown.value is None
    assert found.alpha.low < found.alpha.high


@pytest.mark.parametrize("level", ["nominal", "ordinal", "interval", "set"])
def test_two_ratings_are_their_own_halves(level, draw, code, naive_alpha):
    rows = draw(level, 3, raters=2, missing=0.0)
    found = split_half(code(rows, level), n_boot=20)
    alpha = naive_alpha(rows, level)
    assert found.alpha.value == pytest.approx(alpha)
    assert found.decided == 1.0
    if level == "interval":
        assert found.spearman_brown.value == pytest.approx(2 * alpha / (1 + alpha))


@pytest.mark.parametrize("raters", [4, 5])
def test_spearman_brown_finds_the_reliability_of_the_mean(raters, code):
    """Items vary with variance 1, raters with 2: the mean of k ratings has reliability 1 / (1 + 2 / k)."""
    random = np.random.default_rng(raters)
    kind = random.normal(size=3000)
    scores = kind[:, None] + random.normal(size=(3000, raters)) * np.sqrt(2)
    rows = [(f"i{i}", f"r{r}", float(scores[i, r]), f"d{i}") for i in range(3000) for r in range(raters)]
    found = split_half(code(rows, "interval", cluster=False), n_boot=200)
    truth = 1 / (1 + 2 / raters)
    assert found.half == 2
    assert found.alpha.value == pytest.approx(1 / (1 + 2 / 2), abs=0.03)
    assert found.spearman_brown.value == pytest.approx(truth, abs=0.03)
    assert found.spearman_brown.low < truth < found.spearman_brown.high


def test_random_splits_come_near_all_splits(code):
    random = np.random.default_rng(0)
    rows = [
        (f"i{i}", f"r{r}", "ab"[int(random.random() < 0.25 + 0.5 * (i % 2))], "d")
        for i in range(300)
        for r in range(10)
    ]
    ratings = code(rows, "nominal", cluster=False)
    every, some = (split_half(ratings, n_splits=n, n_boot=10) for n in (126, 125))
    assert some == split_half(ratings, n_splits=125, n_boot=10)
    assert some.alpha.value != every.alpha.value
    assert some.alpha.value == pytest.approx(every.alpha.value, abs=0.05)


def test_no_halves(code):
    assert split_half(code([("i", "p", "a", "d")], "nominal")).alpha.reason == "no item has two ratings"
    same = [(f"i{i}", r, "a", "d") for i in range(3) for r in "pq"]
    found = split_half(code(same, "nominal"))
    assert found.alpha.value is None
    assert found.percent.value == 1.0
    tied = [("i", r, a, "d") for r, a in zip("pqst", ("a", "b", "c", "e"), strict=True)]
    assert split_half(code(tied, "nominal")).alpha.reason == "no item has two halves that both decide a label"
