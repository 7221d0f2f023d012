"""Data that show nothing: every statistic answers with a typed result and a reason, never nan or an error."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pytest

from annotation.agreement.ceiling import human_ceiling
from annotation.agreement.comparison import compare
from annotation.agreement.confusions import confusions
from annotation.agreement.influence import cluster_influence, item_influence, rater_influence
from annotation.agreement.planning import plan
from annotation.agreement.reading import read_ratings
from annotation.agreement.results import Coefficient
from annotation.agreement.retest import retest
from annotation.agreement.source import Source
from annotation.agreement.specific import prevalence, specific_agreement
from annotation.agreement.split_half import split_half
from annotation.agreement.subsets import agreement_by, agreement_with_others

RATERS = "pqs"


def grid(answers, raters=RATERS):
    """One list of answers an item, in dialogues of two items."""
    return [
        (f"i{i}", rater, answer, f"d{i // 2}")
        for i, row in enumerate(answers)
        for rater, answer in zip(raters, row, strict=False)
    ]


CASES = {
    "no ratings": ("nominal", []),
    "one rating": ("nominal", grid([["a"]])),
    "one rater": ("nominal", grid([["a"], ["b"], ["a"]])),
    "one category": ("nominal", grid([["a"] * 3] * 4)),
    "a single item": ("nominal", grid([["a", "b", "a"]])),
    "one item with two ratings": ("nominal", grid([["a", "b"], ["a"], ["b"]])),
    "no two alike": ("nominal", grid([["a", "b", "c"], ["d", "e", "f"]])),
    "a constant rater": ("nominal", grid([["a", "a"], ["a", "b"], ["a", "a"], ["a", "b"]])),
    "all agree": ("nominal", grid([["a"] * 3, ["b"] * 3] * 2)),
    "all missing but one item": ("ordinal", grid([[1, 2, 3], [None] * 3, [None] * 3])),
    "empty sets": ("set", grid([[[]] * 3] * 3)),
    "empty sets and one label": ("set", grid([[[], [], ["a"]], [[], [], []]])),
    "constant numbers": ("interval", grid([[2.0] * 3] * 3)),
    "huge integers": ("interval", grid([[2**60, 2**60 + 1], [2**60 + 5, 2**60 + 4], [2**60 + 9] * 2])),
    "continuous numbers": ("interval", grid(np.random.default_rng(0).normal(size=(60, 3)).tolist())),
    "zeros of a ratio": ("ratio", grid([[0.0, 0.0], [0.0, 0.0]])),
    "one dialogue": ("nominal", grid([["a", "b"], ["b", "b"]])),
}


def check(result, path="result"):
    """No nan or infinity anywhere; a coefficient without a number says why."""
    if isinstance(result, Coefficient):
        if None in (result.value, result.se, result.low, result.high):
            assert result.reason, path
        if result.value is None:
            assert (result.se, result.low, result.high) == (None, None, None), path
    if dataclasses.is_dataclass(result):
        for one in dataclasses.fields(result):
            check(getattr(result, one.name), f"{path}.{one.name}")
    elif isinstance(result, Mapping):
        for name, one in result.items():
            check(one, f"{path}[{name}]")
    elif isinstance(result, tuple | list):
        for k, one in enumerate(result):
            check(one, f"{path}[{k}]")
    elif isinstance(result, float):
        assert math.isfinite(result), path
    else:
        assert result is None or isinstance(result, str | int | bool), (path, type(result))


def make(rows, level, table):
    if rows:
        return table(rows)
    kind = {"set": pa.list_(pa.string()), "interval": pa.float64()}.get(level, pa.string())
    text = pa.string()
    return pa.table(
        {
            n: pa.array([], k)
            for n, k in zip(("item", "rater", "x", "dialogue"), (text, text, kind, text), strict=True)
        }
    )


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("raters_known", [True, False], ids=["raters", "no raters"])
@pytest.mark.parametrize("clustered", [True, False], ids=["clusters", "items"])
@pytest.mark.parametrize("case", CASES)
def test_every_statistic_answers(case, clustered, raters_known, table):
    level, rows = CASES[case]
    rated = make(rows, level, table)
    columns = {
        "item": "item",
        "rater": "rater" if raters_known else None,
        "cluster": "dialogue" if clustered else None,
    }
    ratings = read_ratings(rated, f"x:{level}", **columns)
    for statistic in (specific_agreement, prevalence, human_ceiling, split_half):
        check(statistic(ratings, n_boot=20), statistic.__name__)
    for statistic in (rater_influence, cluster_influence, item_influence, confusions):
        check(statistic(ratings), statistic.__name__)
    found = plan(ratings, 0.1)
    check(found, "plan")
    assert found.reason or found.units_needed
    group = pa.array([f"g{k % 2}" for k in range(rated.num_rows)], pa.string())
    grouped = rated.append_column("group", group)
    source = Source(grouped, **columns)
    check(agreement_with_others(source, f"x:{level}", "group", n_boot=20), "groups")
    check(agreement_by(source, f"x:{level}", "group", n_boot=20), "groups")
    if len(rows) > 1:
        check(compare(source, f"x:{level}", column="group", first="g0", second="g1", n_boot=20))
    check(retest(source, f"x:{level}", round_="group", n_boot=20))
