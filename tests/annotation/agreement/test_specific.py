"""Specific agreement and prevalence: published formulas, all pairs counted, honest ends."""

from __future__ import annotations

from collections import Counter
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annotation.agreement.specific import prevalence, specific_agreement


def two_by_two(a, b, c, d):
    """Both say yes a times, only the first b times, only the second c times, neither d times."""
    cells = [("yes", "yes")] * a + [("yes", "no")] * b + [("no", "yes")] * c + [("no", "no")] * d
    return [
        (f"i{i}", rater, answer, f"d{i}")
        for i, pair in enumerate(cells)
        for rater, answer in zip("pq", pair, strict=True)
    ]


@settings(max_examples=30, deadline=None)
@given(st.tuples(*[st.integers(1, 40)] * 4))
def test_two_raters(code, cells):
    """Cicchetti and Feinstein 1990: 2a / (2a + b + c) and 2d / (2d + b + c)."""
    a, b, c, d = cells
    found = specific_agreement(code(two_by_two(*cells), "nominal"), n_boot=2)["yes"]
    assert found.positive.value == pytest.approx(2 * a / (2 * a + b + c))
    assert found.negative.value == pytest.approx(2 * d / (2 * d + b + c))
    assert found.ratings == 2 * a + b + c


@pytest.mark.parametrize("level", ["nominal", "ordinal", "set"])
@pytest.mark.parametrize("seed", range(3))
def test_many_raters(level, seed, draw, code):
    rows = draw(level, seed)
    items: dict[str, list] = {}
    for item, _, answer, _ in rows:
        items.setdefault(item, []).append(answer if level == "set" else [str(answer)])
    found = specific_agreement(code(rows, level), n_boot=200, seed=1)
    for label, one in found.items():
        pairs = [(label in a, label in b) for answers in items.values() for a, b in permutations(answers, 2)]
        for sign, share in ((True, one.positive), (False, one.negative)):
            given_one = [b == sign for a, b in pairs if a == sign]
            assert share.value == pytest.approx(np.mean(given_one))
            assert share.low is None or share.low <= share.value <= share.high
        assert one.ratings == sum(label in answer for answers in items.values() for answer in answers)


def test_intervals_over_dialogues_are_wider(code):
    """Dialogues that agree or disagree as a whole tell less than their utterances would alone."""
    rows = []
    for item in range(200):
        pair = ("yes", "yes") if item // 20 % 2 else ("yes", "no")
        rows += [(f"i{item}", r, answer, f"d{item // 20}") for r, answer in zip("pq", pair, strict=True)]
    over = {
        clustered: specific_agreement(code(rows, "nominal", cluster=clustered))["yes"].positive
        for clustered in (True, False)
    }
    assert over[True].value == over[False].value
    assert over[True].high - over[True].low > 2 * (over[False].high - over[False].low)


@pytest.mark.parametrize("level", ["nominal", "set"])
def test_prevalence_counts_ratings(level, draw, code):
    rows = draw(level, 5)
    found = prevalence(code(rows, level), n_boot=200)
    counts = Counter(label for row in rows for label in (row[2] if level == "set" else [row[2]]))
    if level == "set":
        counts["[]"] = sum(not row[2] for row in rows)
    assert {name: one.value for name, one in found.items()} == pytest.approx(
        {name: count / len(rows) for name, count in counts.items()}
    )
    assert all(one.low < one.value < one.high for one in found.values())


def test_prevalence_of_numbers_is_mean_and_spread(draw, code):
    rows = draw("interval", 5)
    numbers = [row[2] for row in rows]
    found = prevalence(code(rows, "interval"))
    assert found["mean"].value == pytest.approx(np.mean(numbers))
    assert found["sd"].value == pytest.approx(np.std(numbers, ddof=1))
    assert found["mean"].low < found["mean"].value < found["mean"].high


def test_huge_integers_keep_their_mean(code):
    rows = [(f"i{i}", r, 2**60 + i, f"d{i}") for i in range(4) for r in "pq"]
    assert prevalence(code(rows, "interval"))["mean"].value == 2**60 + 1.5
    assert prevalence(code(rows, "interval"))["sd"].value == pytest.approx(
        np.std([0, 0, 1, 1, 2, 2, 3, 3], ddof=1)
    )


def test_nothing_and_everything_have_no_interval(code):
    rows = two_by_two(6, 0, 0, 6)
    found = specific_agreement(code(rows, "nominal"))["yes"].positive
    assert (found.value, found.low, found.high) == (1.0, None, None)
    assert "no interval" in (found.reason or "")
    one = prevalence(code(two_by_two(5, 0, 0, 0), "nominal"))["yes"]
    assert (one.value, one.low) == (1.0, None)
    assert "no interval" in (one.reason or "")
