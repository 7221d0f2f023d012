"""Confused values against a count of all pairs, and a hand-made table."""

from __future__ import annotations

from itertools import combinations

import pytest

from annotation.agreement.confusions import confusions


@pytest.mark.parametrize("level", ["nominal", "ordinal"])
@pytest.mark.parametrize("seed", range(3))
def test_pairs_are_counted(level, seed, draw, code):
    rows = draw(level, seed)
    found = confusions(code(rows, level))
    items: dict[str, list[str]] = {}
    for item, _, answer, _ in rows:
        items.setdefault(item, []).append(str(answer))
    units = [one for one in items.values() if len(one) > 1]
    paired = [answer for one in units for answer in one]
    n = len(paired)
    for pair in found.pairs:
        names = {pair.first, pair.second}
        count = sum({a, b} == names for one in units for a, b in combinations(one, 2))
        weighted = sum(
            2 / (len(one) - 1) for one in units for a, b in combinations(one, 2) if {a, b} == names
        )
        assert pair.count == count
        assert pair.share == pytest.approx(weighted / n)
        expected = 2 * paired.count(pair.first) * paired.count(pair.second) / (n * (n - 1))
        assert pair.expected == pytest.approx(expected)
        assert pair.ratio == pytest.approx(weighted / n / expected)
    assert [one.share for one in found.pairs] == sorted((one.share for one in found.pairs), reverse=True)
    assert found.coincidences is not None
    assert sum(map(sum, found.coincidences)) == pytest.approx(n)
    # Alpha of the coincidences is alpha: what is off the diagonal is the observed disagreement.
    off = sum(one.share for one in found.pairs)
    diagonal = sum(row[k] for k, row in enumerate(found.coincidences))
    assert off == pytest.approx(1 - diagonal / n)


def test_krippendorff_coincidences(code):
    """Krippendorff 2011, section C: four observers, twelve units, nominal data with missing values."""
    observers = [
        "1 2 3 3 2 1 4 1 2 . . .",
        "1 2 3 3 2 2 4 1 2 5 . 3",
        ". 3 3 3 2 3 4 2 2 5 1 .",
        "1 2 3 3 2 4 4 1 2 5 1 .",
    ]
    rows = [
        (f"i{i}", f"r{r}", cell, "d")
        for r, line in enumerate(observers)
        for i, cell in enumerate(line.split())
        if cell != "."
    ]
    found = confusions(code(rows, "nominal"))
    assert found.values == ("1", "2", "3", "4", "5")
    assert found.coincidences is not None
    published = [
        [7, 4 / 3, 1 / 3, 1 / 3, 0],
        [4 / 3, 10, 4 / 3, 1 / 3, 0],
        [1 / 3, 4 / 3, 8, 1 / 3, 0],
        [1 / 3, 1 / 3, 1 / 3, 4, 0],
        [0, 0, 0, 0, 3],
    ]
    for row, expected in zip(found.coincidences, published, strict=True):
        assert row == pytest.approx(expected)


def test_labels_of_sets_that_stand_in_for_each_other(code):
    rows = []
    for item, (one, two) in enumerate(
        [(["a"], ["b"]), (["a", "c"], ["b", "c"]), (["a"], ["a", "b"]), ([], ["c"])]
    ):
        rows += [(f"i{item}", "p", one, "d"), (f"i{item}", "q", two, "d")]
    found = confusions(code(rows, "set"))
    assert [(one.first, one.second, one.count) for one in found.pairs] == [("a", "b", 2)]
    # a without b: 3 of 8 ratings; b without a: 2 of 8.
    assert found.pairs[0].share == pytest.approx(2 * 2 / 8)
    assert found.pairs[0].expected == pytest.approx(2 * 3 * 2 / (8 * 7))
    assert found.coincidences is None


def test_numbers_are_not_confused(code):
    rows = [("i", "p", 1.0, "d"), ("i", "q", 2.0, "d")]
    assert confusions(code(rows, "interval")).reason == "the values of this field are numbers (interval)"
