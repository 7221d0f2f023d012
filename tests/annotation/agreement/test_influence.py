"""Influence: leaving out a rater, a dialogue or an item is what leaving out its rows is."""

from __future__ import annotations

import numpy as np
import pytest

from annotation.agreement.influence import cluster_influence, item_influence, rater_influence
from annotation.agreement.reading import read_ratings

LEVELS = ("nominal", "ordinal", "interval", "ratio", "set")


def codes_of(rows, place):
    """Ids in the order of their codes: of first appearance."""
    return list(dict.fromkeys(row[place] for row in rows))


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("seed", range(4))
def test_leaving_out_a_unit_is_leaving_out_its_rows(level, seed, draw, code, naive_alpha):
    rows = draw(level, seed)
    ratings = code(rows, level)
    for place, found in ((1, rater_influence(ratings)), (3, cluster_influence(ratings))):
        names = codes_of(rows, place)
        assert found.alpha == pytest.approx(naive_alpha(rows, level), abs=1e-10)
        assert len(found.units) == len(names)
        for name, one in zip(names, found.units, strict=True):
            rest = [row for row in rows if row[place] != name]
            assert one.without == pytest.approx(naive_alpha(rest, level), abs=1e-10)
            assert one.change == pytest.approx(one.without - found.alpha, abs=1e-10)
            assert one.ratings == len(rows) - len(rest)


@pytest.mark.parametrize("level", LEVELS)
def test_items_are_listed_by_what_they_cost(level, draw, code, naive_alpha):
    rows = draw(level, 7)
    names = codes_of(rows, 0)
    found = item_influence(code(rows, level), most=1000)
    sizes = {name: sum(row[0] == name for row in rows) for name in names}
    assert {names[one.unit] for one in found.units} == {name for name in names if sizes[name] > 1}
    changes = [one.change for one in found.units]
    assert changes == sorted(changes, reverse=True)
    whole = naive_alpha(rows, level)
    for one in found.units:
        rest = [row for row in rows if row[0] != names[one.unit]]
        assert one.change == pytest.approx(naive_alpha(rest, level) - whole, abs=1e-10)


def test_equally_costly_items_keep_their_order(code):
    rows = []
    for item in range(120):  # enough for a sort that is not stable to show
        answers = ("a", "b") if item % 3 == 0 else ("a", "a") if item % 3 == 1 else ("b", "b")
        rows += [(f"i{item}", rater, answer, "d") for rater, answer in zip("pq", answers, strict=True)]
    ratings = code(rows, "nominal", cluster=False)
    assert [one.unit for one in item_influence(ratings, 40).units] == list(range(0, 120, 3))
    swapped = [(item, rater, {"a": "b", "b": "a"}[answer], d) for item, rater, answer, d in rows]
    assert item_influence(code(swapped, "nominal", cluster=False), 40) == item_influence(ratings, 40)


def test_a_careless_rater_costs_agreement(code):
    rows = [(f"i{i}", rater, "ab"[i % 2], "d") for i in range(30) for rater in "pqr"]
    random = np.random.default_rng(0)
    rows += [(f"i{i}", "careless", "ab"[random.integers(2)], "d") for i in range(30)]
    found = rater_influence(code(rows, "nominal"))
    assert max(found.units, key=lambda one: one.change).unit == 3
    assert found.units[3].without == 1.0
    assert all(one.change < 0 for one in found.units[:3])


def test_continuous_numbers_have_influence_too(code, naive_alpha):
    random = np.random.default_rng(3)
    rows = [
        (f"i{i}", f"r{r}", float(random.normal() + i / 20), f"d{i // 10}")
        for i in range(60)
        for r in range(3)
    ]
    found = rater_influence(code(rows, "interval"))
    for k, one in enumerate(found.units):
        rest = [row for row in rows if row[1] != f"r{k}"]
        assert one.without == pytest.approx(naive_alpha(rest, "interval"), abs=1e-10)


def test_two_raters_cannot_spare_one(code):
    rows = [(f"i{i}", rater, "ab"[i % 2], "d") for i in range(6) for rater in "pq"]
    found = rater_influence(code(rows, "nominal"))
    assert [one.without for one in found.units] == [None, None]
    assert found.reason


def test_unknown_raters_have_no_influence(table):
    rows = table([("i", "p", "a", "d"), ("i", "q", "b", "d"), ("j", "p", "a", "d"), ("j", "q", "a", "d")])
    ratings = read_ratings(rows, "x:nominal", item="item", rater=None)
    assert rater_influence(ratings).reason == "raters are unknown"
    assert cluster_influence(ratings).reason == "there are no clusters"
    assert item_influence(ratings).units
