"""Standard errors and intervals of many coefficients from the same resamples of items or clusters."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from annotation.agreement.coefficients import Statistic
from annotation.agreement.intervals import (
    NO_INTERVAL,
    Interval,
    Method,
    bca_interval,
    bootstrap_values,
    jackknife_error,
    percentile_interval,
    student_interval,
    totals,
)
from annotation.agreement.patterns import Floats, Ints
from annotation.agreement.reading import Ratings
from annotation.agreement.results import Coefficient, number

MOST_UNITS = 200_000  # different units beyond which the bootstrap only repeats the normal interval
MOST_CELLS = 1 << 25  # 256 MB of sums of units: beyond, intervals come from the standard error


@dataclass
class Measure:
    """One coefficient on its way to a result."""

    definition: str
    value: float
    reason: str
    se: float = float("nan")
    se_name: str = ""
    df: int = 0
    statistic: Statistic | None = None
    interval: Interval | None = None
    interval_name: str = ""
    no_error: str = "the resamples, or leaving a unit out, leave too little to compute it from"


@dataclass
class Units:
    """What is resampled: rating patterns with their items, or clusters of items."""

    items: Ints
    of_item: Ints | None = None
    cluster: Ints | None = None
    clusters: int = 0

    @classmethod
    def of(cls, ratings: Ratings) -> Units:
        """Clusters where there are some, else items; for sums with a row a pattern of the ratings."""
        patterns, of_item = ratings.patterns, ratings.pattern_of_item
        return cls(patterns.items, of_item, ratings.cluster, ratings.clusters)

    @classmethod
    def of_items(cls, ratings: Ratings) -> Units:
        """The same for sums with a row an item."""
        return cls(np.ones(ratings.items, np.int64), None, ratings.cluster, ratings.clusters)

    @property
    def number(self) -> int:
        """Number of units."""
        return self.clusters if self.cluster is not None else int(self.items.sum())

    def rows(self, rows: Floats) -> tuple[Floats, Ints | None]:
        """Sums of each unit and the multiplicity of units (None: one each)."""
        if self.cluster is None:
            return rows, self.items
        pattern = np.arange(len(rows)) if self.of_item is None else self.of_item
        counts = sparse.csr_array(
            (np.ones(len(pattern)), (self.cluster, pattern)), shape=(self.clusters, len(rows))
        )
        return np.asarray(counts @ rows), None


def resample(measures: dict[str, Measure], units: Units, n_boot: int, seed: int, method: Method) -> None:
    """Jackknife errors and bootstrap intervals of all measures from the same resamples."""
    live = {
        name: one for name, one in measures.items() if one.statistic is not None and np.isfinite(one.value)
    }
    if not live or units.number < 2:
        return
    offsets: dict[int, slice] = {}
    blocks: list[Floats] = []
    for one in live.values():
        assert one.statistic is not None
        if id(one.statistic.rows) not in offsets:
            start = sum(block.shape[1] for block in blocks)
            offsets[id(one.statistic.rows)] = slice(start, start + one.statistic.rows.shape[1])
            blocks.append(one.statistic.rows)
    if max(len(blocks[0]), units.clusters) * sum(block.shape[1] for block in blocks) > MOST_CELLS:
        return
    rows, multiplicity = units.rows(np.column_stack(blocks))
    parts: list[tuple[slice, Callable[[Floats], Floats]]] = [
        (offsets[id(one.statistic.rows)], one.statistic.value)
        for one in live.values()
        if one.statistic is not None
    ]

    def values(sums: Floats) -> Floats:
        return np.column_stack([value(sums[:, part]) for part, value in parts])

    without = values(totals(rows, multiplicity) - rows)
    errors = jackknife_error(without, multiplicity)
    clustered = units.cluster is not None
    replicates = (
        bootstrap_values(rows, values, n_boot=n_boot, seed=seed, multiplicity=multiplicity)
        if n_boot > 1 and len(rows) <= MOST_UNITS
        else None
    )
    for column, one in enumerate(live.values()):
        one.df = units.number - 1
        if clustered or not np.isfinite(one.se):
            one.se = float(errors[column])
            one.se_name = "delete-one jackknife over " + ("clusters" if clustered else "items")
        if replicates is None or one.interval is not None:
            continue
        if method == "percentile":
            one.interval = percentile_interval(replicates[:, column])
        else:
            one.interval = bca_interval(replicates[:, column], one.value, without[:, column], multiplicity)
        name = "percentile" if method == "percentile" else "BCa"
        one.interval_name = f"{name} bootstrap, {n_boot} resamples of " + (
            "clusters" if clustered else "items"
        )


def coefficient_of(one: Measure, units: Units) -> Coefficient:
    """The result: numbers where they exist, reasons where not."""
    if not np.isfinite(one.value):
        return Coefficient(None, None, None, None, one.definition, one.reason)
    ends, name = one.interval, one.interval_name
    if ends is None:
        ends = student_interval(one.value, one.se, one.df) if np.isfinite(one.se) else NO_INTERVAL
        name = f"t, {one.df} degrees of freedom"
    definition = one.definition
    if np.isfinite(one.se):
        definition += f"; standard error: {one.se_name}"
    reason = None
    if ends.low is None or not np.isfinite(one.se):
        what = "clusters" if units.cluster is not None else "items"
        few = f"fewer than two {what} cannot show how much it would vary" if units.number < 2 else None
        reason = few or one.no_error
    if ends.low is not None:
        definition += f"; 95% interval: {name}"
    return Coefficient(
        number(one.value), number(one.se), number(ends.low), number(ends.high), definition, reason
    )
