"""Comparing two rounds: the difference is exact, its interval and p value mean what they say."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from annotation.agreement.comparison import compare
from annotation.agreement.source import Source
from schemas.errors import InputError

COLUMNS = {"column": "round", "first": "1", "second": "2"}


def rounds(table, first, second):
    rows = table([*first, *second])
    return rows.append_column("round", pa.array([1] * len(first) + [2] * len(second)))


def source(rows, cluster=None):
    return Source(rows, "item", "rater", cluster)


def rated(random, care, *, items=60, size=3, prefix="", difficulty=None):
    """Three raters who know the answer with probability `care` times the ease of the dialogue."""
    rows = []
    for item in range(items):
        dialogue = item // size
        ease = 1.0 if difficulty is None else difficulty[dialogue]
        for rater in "pqs":
            answer = "ab"[item % 2] if random.random() < care * ease else "ab"[random.integers(2)]
            rows.append((f"{prefix}i{item}", rater, answer, f"{prefix}d{dialogue}"))
    return rows


@pytest.mark.parametrize("level", ["nominal", "ordinal", "interval", "set"])
@pytest.mark.parametrize("clustered", [True, False])
def test_the_difference_is_that_of_both_alphas(level, clustered, draw, table, naive_alpha):
    one, two = draw(level, 1), draw(level, 2)
    cluster = "dialogue" if clustered else None
    found = compare(source(rounds(table, one, two), cluster), f"x:{level}", n_boot=200, **COLUMNS)
    alphas = naive_alpha(one, level), naive_alpha(two, level)
    assert (found.first.value, found.second.value) == pytest.approx(alphas)
    assert found.difference.value == pytest.approx(alphas[1] - alphas[0])
    assert found.difference.low <= found.difference.value <= found.difference.high
    assert found.paired
    assert found.shared == 6 if clustered else found.shared <= 24
    assert 0 < found.p_value <= 1


def test_the_same_round_twice(draw, table):
    rows = draw("nominal", 1)
    found = compare(source(rounds(table, rows, rows), "dialogue"), "x:nominal", **COLUMNS)
    assert (found.difference.value, found.difference.low, found.difference.high) == (0.0, 0.0, 0.0)
    assert found.p_value == 1.0


def test_a_real_difference_is_found(table):
    random = np.random.default_rng(0)
    for prefix in ("", "new"):  # the same dialogues again, and others
        rows = rounds(table, rated(random, 0.5), rated(random, 0.95, prefix=prefix))
        found = compare(source(rows, "dialogue"), "x:nominal", **COLUMNS)
        assert found.difference.low > 0
        assert found.p_value < 0.01
        assert found.paired is (prefix == "")
        assert found.shared == (0 if prefix else 20)
        assert found == compare(source(rows, "dialogue"), "x:nominal", **COLUMNS)


@pytest.mark.parametrize("prefix", ["", "new"])
def test_no_difference_is_rarely_found(prefix, table):
    """Rounds of the same quality: at 5% about one comparison in twenty says otherwise."""
    random = np.random.default_rng(1)
    found = []
    for seed in range(120):
        ease = random.random(20)
        second = ease if not prefix else random.random(20)
        rows = rounds(
            table,
            rated(random, 1.0, difficulty=ease),
            rated(random, 1.0, difficulty=second, prefix=prefix),
        )
        found.append(compare(source(rows, "dialogue"), "x:nominal", n_boot=200, seed=seed, **COLUMNS).p_value)
    assert np.mean(np.array(found) < 0.05) < 0.12
    assert 0.3 < np.mean(found) < 0.7


def test_common_dialogues_make_the_comparison_sharper(table):
    """Dialogues differ in difficulty; the same ones in both rounds do not blur the difference."""
    random = np.random.default_rng(2)
    ease = np.repeat([0.1, 1.0], 10)
    one, two = rated(random, 1.0, difficulty=ease), rated(random, 0.9, difficulty=ease)
    other = [("new" + item, rater, answer, "new" + dialogue) for item, rater, answer, dialogue in two]
    widths = []
    for second in (two, other):
        found = compare(source(rounds(table, one, second), "dialogue"), "x:nominal", **COLUMNS)
        widths.append(found.difference.high - found.difference.low)
    assert widths[0] < 0.8 * widths[1]


def test_rounds_that_cannot_be_compared(table):
    pair = [("i", "p", "a", "d"), ("i", "q", "b", "d"), ("j", "p", "a", "d"), ("j", "q", "a", "d")]
    alone = [("i", "p", "a", "d"), ("j", "p", "b", "d")]
    same = [(item, rater, "a", d) for item, rater, _, d in pair]
    assert (
        compare(source(rounds(table, pair, alone)), "x:nominal", **COLUMNS).reason
        == "no item has two ratings"
    )
    single = compare(source(rounds(table, pair, pair[:2])), "x:nominal", **COLUMNS)
    assert single.reason.startswith("a single item")
    assert "same value" in compare(source(rounds(table, pair, same)), "x:nominal", **COLUMNS).reason
    few = compare(source(rounds(table, pair, pair), "dialogue"), "x:nominal", **COLUMNS)
    assert few.difference.value == 0.0
    assert few.p_value is None
    assert few.reason.startswith("fewer than two clusters")
    with pytest.raises(InputError, match="no row has this value") as caught:
        compare(source(rounds(table, pair, pair)), "x:nominal", **{**COLUMNS, "first": "0", "second": "3"})
    assert len(caught.value.issues) == 2
    nothing = [(item, rater, None, d) for item, rater, _, d in pair]
    assert (
        compare(source(rounds(table, pair, nothing)), "x:nominal", **COLUMNS).reason
        == "no item has two ratings"
    )
