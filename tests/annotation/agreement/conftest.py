"""Small tables of ratings, and alpha written down as it is defined, for tests of what is built on it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from annotation.agreement.reading import Ratings, read_ratings

Row = tuple[str, str, Any, str]
"""Item, rater, answer, cluster."""


def table_of(rows: Sequence[Row]) -> pa.Table:
    names = ("item", "rater", "x", "dialogue")
    columns = [list(column) for column in zip(*rows, strict=True)] if rows else [[]] * 4
    kinds = [pa.string(), pa.string(), None if rows else pa.string(), pa.string()]
    return pa.table({name: pa.array(c, k) for name, c, k in zip(names, columns, kinds, strict=True)})


def code_rows(rows: Sequence[Row], level: str, *, cluster: bool = True) -> Ratings:
    return read_ratings(
        table_of(rows), f"x:{level}", item="item", rater="rater", cluster="dialogue" if cluster else None
    )


def distance_function(level: str, values: Sequence[Any]) -> Callable[[Any, Any], float]:
    """The metric of a level; `values` are all paired ratings."""
    if level == "nominal":
        return lambda a, b: float(a != b)
    if level == "interval":
        return lambda a, b: float(a - b) ** 2
    if level == "ratio":
        return lambda a, b: 0.0 if a == b else ((a - b) / (a + b)) ** 2
    if level == "set":

        def masi(a: Sequence[str], b: Sequence[str]) -> float:
            one, two = set(a), set(b)
            if one == two:
                return 0.0
            share = len(one & two) / len(one | two)
            if one <= two or two <= one:
                return 1 - share * 2 / 3
            return 1 - share / 3

        return masi
    counts = Counter(values)

    def ordinal(a: Any, b: Any) -> float:
        low, high = sorted((a, b))
        between = sum(number for value, number in counts.items() if low <= value <= high)
        return float(between - (counts[low] + counts[high]) / 2) ** 2

    return ordinal


def alpha_of_rows(rows: Sequence[Row], level: str) -> float:
    """Krippendorff's alpha by its definition, all pairs one by one; nan where undefined."""
    items: dict[str, list[Any]] = {}
    for item, _, answer, _ in rows:
        items.setdefault(item, []).append(answer)
    units = [answers for answers in items.values() if len(answers) > 1]
    paired = [answer for answers in units for answer in answers]
    distance = distance_function(level, paired)
    n = len(paired)
    observed = sum(
        distance(a, b) / (len(answers) - 1)
        for answers in units
        for i, a in enumerate(answers)
        for j, b in enumerate(answers)
        if i != j
    )
    expected = sum(distance(a, b) for i, a in enumerate(paired) for j, b in enumerate(paired) if i != j)
    if n < 2 or expected <= 0:
        return float("nan")
    return 1 - observed / n / (expected / (n * (n - 1)))


def random_rows(
    level: str, seed: int, *, items: int = 24, raters: int = 5, missing: float = 0.3, values: int = 4
) -> list[Row]:
    """Raters who answer more or less what the item is, some of them missing."""
    random = np.random.default_rng(seed)
    rows: list[Row] = []
    for item in range(items):
        kind = int(random.integers(values))
        for rater in range(raters):
            if random.random() < missing:
                continue
            answer = kind if random.random() < 0.6 else int(random.integers(values))
            rows.append((f"i{item}", f"r{rater}", answer_at(level, answer), f"d{item // 4}"))
    return rows


def answer_at(level: str, number: int) -> Any:
    if level == "nominal":
        return "abcdefgh"[number]
    if level == "set":
        return [[], ["a"], ["a", "b"], ["b"], ["c"], ["a", "c"]][number % 6]
    return float(number) if level in ("interval", "ratio") else number


@pytest.fixture(scope="session")
def code() -> Callable[..., Ratings]:
    return code_rows


@pytest.fixture(scope="session")
def table() -> Callable[..., pa.Table]:
    return table_of


@pytest.fixture(scope="session")
def naive_alpha() -> Callable[..., float]:
    return alpha_of_rows


@pytest.fixture(scope="session")
def draw() -> Callable[..., list[Row]]:
    return random_rows


@pytest.fixture(scope="session")
def distance() -> Callable[..., Callable[[Any, Any], float]]:
    return distance_function
