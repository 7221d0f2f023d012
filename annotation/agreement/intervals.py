"""How sure a number is: jackknife and bootstrap over items or clusters. The project's only cluster bootstrap.

A coefficient is written as a function of *sums over sampling units* (items, rating patterns with their
multiplicity, or dialogues). Leaving a unit out is then a subtraction and a bootstrap replicate is a weighted
sum, so that neither ever goes back to the ratings.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Floats = NDArray[np.float64]
Value = Callable[[Floats], Floats]
Method = Literal["percentile", "bca"]
METHODS: tuple[Method, ...] = get_args(Method)

DRAWS_A_ROW = 20  # units of a row from which a multinomial draw of its count is cheaper than drawing units
CELLS_AT_ONCE = 1 << 21  # numbers held at a time while resampling: 16 MB
DECIMALS = 12  # sums in another order differ in the last bits; twelve decimals do not
FEWEST_REPLICATES = 0.5  # share of replicates in which the value must exist


@dataclass(frozen=True)
class Interval:
    """An interval and the standard error that belongs to it; None where it does not exist."""

    low: float | None
    high: float | None
    se: float | None = None


NO_INTERVAL = Interval(None, None)


def totals(rows: Floats, multiplicity: NDArray[np.int64] | None = None) -> Floats:
    """Sums over all units, each row counted `multiplicity` times."""
    total: Floats = rows.sum(axis=0) if multiplicity is None else (rows * multiplicity[:, None]).sum(axis=0)
    return total


def jackknife(rows: Floats, value: Value, multiplicity: NDArray[np.int64] | None = None) -> Floats:
    """Exact delete-one standard error, each distinct row once (Efron and Tibshirani 1993, eq. 11.5).

    Args:
        rows: Shape (rows, sums).
        value: Shapes (..., sums) -> (...) or (..., coefficients).
        multiplicity: Units of each row; 1 each by default.

    Returns:
        Standard error of each coefficient, shape () or (coefficients,); nan where leaving a unit out leaves
        nothing to compute.
    """
    without = value(totals(rows, multiplicity) - rows)
    return jackknife_error(without, multiplicity)


def jackknife_error(without: Floats, multiplicity: NDArray[np.int64] | None = None) -> Floats:
    """Standard error from delete-one values, shape (rows,) or (rows, coefficients)."""
    units = np.ones(len(without)) if multiplicity is None else multiplicity.astype(np.float64)
    number = units.sum()
    if number < 2:
        return np.full(without.shape[1:], np.nan)
    share = (units / number).reshape((-1,) + (1,) * (without.ndim - 1))
    mean = (share * without).sum(axis=0)
    variance = (number - 1) * (share * (without - mean) ** 2).sum(axis=0)
    error: Floats = np.sqrt(variance)
    return error


def bootstrap_values(
    rows: Floats,
    value: Value,
    *,
    n_boot: int = 1000,
    seed: int = 0,
    multiplicity: NDArray[np.int64] | None = None,
) -> Floats:
    """Coefficients of `n_boot` resamples of the units, drawn with replacement.

    Args:
        rows: What one unit (an item, a dialogue) adds to each sum, shape (rows, sums).
        value: The coefficients as a function of sums, shapes (n, sums) -> (n,) or (n, coefficients); nan
            where a coefficient does not exist.
        n_boot: Number of resamples.
        seed: Seed of PCG64. The same seed gives the same resamples on every machine and thread count.
        multiplicity: Units of each row, when equal units share a row.

    Returns:
        Shape (n_boot,) or (n_boot, coefficients).
    """
    random = np.random.Generator(np.random.PCG64(seed))
    number = len(rows)
    units = number if multiplicity is None else int(multiplicity.sum())
    one_by_one = units < DRAWS_A_ROW * number
    row_of_unit = (
        None if multiplicity is None or units == number else np.repeat(np.arange(number), multiplicity)
    )
    replicates = []
    step = max(1, min(n_boot, CELLS_AT_ONCE // max(number, 1)))
    for start in range(0, n_boot, step):
        weights = np.empty((min(step, n_boot - start), number))
        if multiplicity is None or one_by_one:
            for replicate in weights:
                drawn = random.integers(0, units, units, dtype=np.int32)
                rows_drawn = drawn if row_of_unit is None else row_of_unit[drawn]
                replicate[:] = np.bincount(rows_drawn, minlength=number)
        else:
            weights[:] = random.multinomial(units, multiplicity / units, size=len(weights))
        replicates.append(value(weights @ rows))
    return np.concatenate(replicates)


def percentile_interval(replicates: Floats, level: float = 0.95) -> Interval:
    """Percentile interval and standard deviation of the replicates of one coefficient, shape (n_boot,)."""
    finite = replicates[np.isfinite(replicates)]
    if len(finite) < max(2, FEWEST_REPLICATES * len(replicates)):
        return NO_INTERVAL
    low, high = np.quantile(finite, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high), float(finite.std(ddof=1)))


def bca_interval(
    replicates: Floats,
    value: float,
    without: Floats,
    multiplicity: NDArray[np.int64] | None = None,
    level: float = 0.95,
) -> Interval:
    """Bias-corrected and accelerated interval (Efron 1987; Efron and Tibshirani 1993, eq. 14.9 to 14.15).

    Args:
        replicates: Bootstrap values, shape (n_boot,).
        value: The coefficient itself.
        without: Delete-one values, shape (rows,).
        multiplicity: Units of each row of `without`.
        level: Coverage.
    """
    finite = np.round(replicates[np.isfinite(replicates)], DECIMALS)
    if len(finite) < max(2, FEWEST_REPLICATES * len(replicates)) or not np.isfinite(without).all():
        return NO_INTERVAL
    # Ties count half: agreement takes few distinct values in small data.
    point = round(value, DECIMALS)
    below = (np.count_nonzero(finite < point) + np.count_nonzero(finite == point) / 2) / len(finite)
    if not 0 < below < 1:
        return percentile_interval(replicates, level)
    bias = float(stats.norm.ppf(below))
    units = np.ones(len(without)) if multiplicity is None else multiplicity
    deviation = np.average(without, weights=units) - without
    spread = float((units * deviation**2).sum())
    acceleration = float((units * deviation**3).sum()) / (6 * spread**1.5) if spread > 0 else 0.0
    ends = []
    for tail in ((1 - level) / 2, (1 + level) / 2):
        z = bias + float(stats.norm.ppf(tail))
        ends.append(float(stats.norm.cdf(bias + z / (1 - acceleration * z))))
    low, high = np.quantile(finite, ends)
    return Interval(float(low), float(high), float(finite.std(ddof=1)))


def bootstrap_interval(
    rows: Floats,
    value: Value,
    *,
    n_boot: int = 1000,
    seed: int = 0,
    multiplicity: NDArray[np.int64] | None = None,
    method: Method = "percentile",
    level: float = 0.95,
) -> Interval:
    """Bootstrap interval of one statistic over clusters (or items).

    Args:
        rows: Sums of each cluster, shape (clusters, sums).
        value: The statistic of sums, shapes (n, sums) -> (n,).
        n_boot: Number of resamples.
        seed: Seed of PCG64.
        multiplicity: Units of each row, when equal units share a row.
        method: percentile or bca.
        level: Coverage.

    Returns:
        The interval and the bootstrap standard error; None where there are fewer than two units or the
        statistic exists in fewer than half of the resamples.
    """
    if (len(rows) if multiplicity is None else int(multiplicity.sum())) < 2:
        return NO_INTERVAL
    replicates = bootstrap_values(rows, value, n_boot=n_boot, seed=seed, multiplicity=multiplicity)
    if method == "percentile":
        return percentile_interval(replicates, level)
    total = totals(rows, multiplicity)
    return bca_interval(replicates, float(value(total[None])[0]), value(total - rows), multiplicity, level)


def student_interval(value: float, se: float, df: float, level: float = 0.95) -> Interval:
    """Interval value -+ t * se with `df` degrees of freedom, cut at 1, the most that agreement can be."""
    if not (math.isfinite(se) and df > 0):
        return NO_INTERVAL
    half = float(stats.t.ppf((1 + level) / 2, df)) * se
    return Interval(value - half, min(1.0, value + half), se)
