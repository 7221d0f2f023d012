"""Test-retest: the same rater, the same item, another round."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from annotation.agreement.retest import retest
from annotation.agreement.source import Source
from schemas.errors import InputError

NAMES = ("item", "rater", "round", "x", "dialogue")


def rounds(rows):
    columns = list(zip(*rows, strict=True)) if rows else [()] * 5
    return pa.table({n: pa.array(c, pa.string()) for n, c in zip(NAMES, columns, strict=True)})


def rated(seed=0, change=0.3):
    random = np.random.default_rng(seed)
    rows = []
    for item in range(40):
        for rater in "pqs":
            first = "abc"[random.integers(3)]
            rows.append((f"i{item}", rater, "1", first, f"d{item // 5}"))
            if rater != "s" and item % 2:
                again = "abc"[random.integers(3)] if random.random() < change else first
                rows.append((f"i{item}", rater, "2", again, f"d{item // 5}"))
    return rows


def test_a_rater_is_compared_with_herself_only(naive_alpha):
    rows = rated()
    found = retest(Source(rounds(rows), "item", "rater", "dialogue"), "x:nominal")
    twice = {(row[0], row[1]) for row in rows if row[2] == "2"}
    pairs = [((row[0], row[1]), row[2], row[3], row[4]) for row in rows if (row[0], row[1]) in twice]
    assert found.reason is None
    assert found.overall is not None
    assert found.overall.items == len(twice) == 40
    assert found.overall.clusters == 8
    alpha = found.overall.coefficients["alpha"]
    assert alpha.value == pytest.approx(naive_alpha(pairs, "nominal"))
    assert alpha.low < alpha.value < alpha.high
    same = {}
    for unit, round_, answer, _ in pairs:
        same.setdefault(unit, {})[round_] = answer
    percent = np.mean([one["1"] == one["2"] for one in same.values()])
    assert found.overall.coefficients["percent_agreement"].value == pytest.approx(percent)
    assert list(found.by_rater) == ["p", "q"]  # s never came back
    assert found.by_rater["p"].items == 20
    own = [row for row in pairs if row[0][1] == "p"]
    assert found.by_rater["p"].coefficients["alpha"].value == pytest.approx(naive_alpha(own, "nominal"))


def test_raters_who_disagree_but_never_change_are_perfectly_consistent():
    rows = [
        (f"i{i}", r, t, a if i % 2 else "c", "d") for i in range(10) for r, a in ("pa", "qb") for t in "12"
    ]
    found = retest(Source(rounds(rows), "item", "rater"), "x:nominal")
    assert found.overall is not None
    assert found.overall.coefficients["alpha"].value == 1.0


def test_within_a_round_the_latest_counts():
    rows = [("i", "p", "1", "a", "d"), ("i", "p", "1", "b", "d"), ("i", "p", "2", "b", "d")]
    found = retest(Source(rounds(rows), "item", "rater"), "x:nominal")
    assert found.overall is not None
    assert found.overall.coefficients["percent_agreement"].value == 1.0


@pytest.mark.parametrize(
    "rows",
    [
        [],
        [("i", "p", "1", "a", "d"), ("i", "q", "2", "a", "d")],
        [("i", "p", "1", "a", "d"), ("i", "p", "1", "b", "d")],
        [("i", "p", None, "a", "d"), ("i", "p", "2", "b", "d")],
        [("i", None, "1", "a", "d"), ("i", None, "2", "b", "d")],
        [("i", "p", "1", None, "d"), ("i", "p", "2", "b", "d")],
    ],
)
def test_no_retest(rows):
    found = retest(Source(rounds(rows), "item", "rater"), "x:nominal")
    assert (found.overall, found.by_rater) == (None, {})
    assert found.reason == "no rater rated an item in two rounds"


def test_columns_that_are_not_there_are_all_named():
    with pytest.raises(InputError, match=r"who(.|\n)*when") as caught:
        retest(Source(rounds([]), "item", "who"), "x:nominal", round_="when")
    assert len(caught.value.issues) == 2
