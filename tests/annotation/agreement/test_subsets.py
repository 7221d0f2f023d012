"""Agreement in parts of the ratings, and how the parts make up the whole."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pytest

from annotation.agreement import agreement
from annotation.agreement.source import Source
from annotation.agreement.subsets import (
    agreement_by,
    agreement_with_others,
    before_adjudication,
    hour_of_day,
)
from schemas.errors import InputError

COLUMNS = {"item": "item", "rater": "rater", "cluster": "dialogue"}


def with_groups(rows, table, seed=0):
    random = np.random.default_rng(seed)
    return table(rows).append_column("group", pa.array([f"g{k}" for k in random.integers(3, size=len(rows))]))


def test_adjudicated_ratings_are_left_out(table):
    rows = table([("i", r, "a", "d") for r in "pqst"])
    origin = pa.array(["label-studio", "adjudication", "adjudication-2", None])
    assert before_adjudication(rows.append_column("origin", origin))["rater"].to_pylist() == ["p", "t"]
    with pytest.raises(InputError, match="origin"):
        before_adjudication(rows)


def test_hours_are_those_of_the_raters(table):
    times = [datetime(2026, 1, 1, 23, 30, tzinfo=UTC), None]
    rows = table([("i", r, "a", "d") for r in "pq"])
    rows = rows.append_column("created", pa.array(times, pa.timestamp("ms", tz="UTC")))
    assert hour_of_day(rows).to_pylist() == [23, None]
    assert hour_of_day(rows, "Asia/Shanghai").to_pylist() == [7, None]
    with pytest.raises(InputError, match="no hour"):
        hour_of_day(rows, "Nowhere/Atlantis")


def test_within_a_group_is_the_group_alone(draw, table):
    rows = with_groups(draw("nominal", 1), table)
    found = agreement_by(Source(rows, **COLUMNS), "x:nominal", "group", n_boot=50)
    assert list(found) == ["g0", "g1", "g2"]
    for name, one in found.items():
        mask = pa.array([group == name for group in rows["group"].to_pylist()])
        alone = agreement(rows.filter(mask), "x:nominal", n_boot=50, **COLUMNS)
        alpha = {"alpha": alone.coefficients["alpha"]}
        assert one == replace(alone, coefficients=alpha, per_category={})


@pytest.mark.parametrize("level", ["nominal", "ordinal", "interval", "ratio", "set"])
def test_alpha_is_the_mean_of_its_groups(level, draw, table, naive_alpha, distance):
    raw = draw(level, 2)
    rows = with_groups(raw, table)
    found = agreement_with_others(Source(rows, **COLUMNS), f"x:{level}", "group", n_boot=50)
    groups = rows["group"].to_pylist()
    items: dict[str, list[int]] = {}
    for k, row in enumerate(raw):
        items.setdefault(row[0], []).append(k)
    paired = [k for ratings in items.values() if len(ratings) > 1 for k in ratings]
    counts = {name: sum(groups[k] == name for k in paired) for name in found}
    whole = sum(counts[name] * one.value for name, one in found.items()) / len(paired)
    assert whole == pytest.approx(naive_alpha(raw, level))
    # One group by its definition.
    metric = distance(level, [raw[k][2] for k in paired])
    far = [
        np.mean([metric(raw[k][2], raw[j][2]) for j in items[raw[k][0]] if j != k])
        for k in paired
        if groups[k] == "g1"
    ]
    pairs = [metric(raw[k][2], raw[j][2]) for k in paired for j in paired if k != j]
    assert found["g1"].value == pytest.approx(1 - np.mean(far) / np.mean(pairs))
    assert found["g1"].low < found["g1"].value < found["g1"].high


def test_careless_hours_show(table):
    """Ratings of one group are random; nobody else is, and no item is rated twice within a group."""
    random = np.random.default_rng(0)
    rows, groups = [], []
    for item in range(100):
        for k, rater in enumerate("pqs"):
            hour = (item + k) % 3
            answer = "abc"[random.integers(3)] if hour == 2 else "abc"[item % 3]
            rows.append((f"i{item}", rater, answer, f"d{item // 10}"))
            groups.append(str(hour))
    rated = table(rows).append_column("hour", pa.array(groups))
    found = agreement_with_others(Source(rated, **COLUMNS), "x:nominal", "hour")
    assert found["2"].high < found["0"].low
    assert all(one.coefficients["alpha"].value is None for one in
               agreement_by(Source(rated, **COLUMNS), "x:nominal", "hour", n_boot=0).values())  # fmt: skip


def test_of_repeated_ratings_the_last_counts(table):
    rows = [("i", "p", "b", "d"), *[(f"{i}", r, "ab"[i == "j"], "d") for i in "ij" for r in "pq"]]
    rated = table(rows).append_column("group", pa.array(["x", "y", "y", "y", "y"]))
    found = agreement_with_others(Source(rated, **COLUMNS), "x:nominal", "group")
    assert list(found) == ["y"]
    assert found["y"].value == 1.0


def test_no_groups(table):
    rows = table([("i", "p", "a", "d")]).append_column("group", pa.array(["x"]))
    assert agreement_with_others(Source(rows, **COLUMNS), "x:nominal", "group")["x"].reason
    nulls = table([("i", "p", "a", "d")]).append_column("group", pa.nulls(1, pa.string()))
    assert agreement_with_others(Source(nulls, **COLUMNS), "x:nominal", "group") == {}
    assert agreement_by(Source(nulls, **COLUMNS), "x:nominal", "group") == {}
    with pytest.raises(InputError, match="no such column"):
        agreement_with_others(Source(rows, **COLUMNS), "x:nominal", "hour")
