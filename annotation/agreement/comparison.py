"""Two rounds of annotation: is the difference in agreement real?"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from annotation.agreement.alpha import alpha_sums
from annotation.agreement.coefficients import Statistic
from annotation.agreement.columns import answer_column, answered, combination, require_columns
from annotation.agreement.intervals import Interval, bootstrap_values, percentile_interval
from annotation.agreement.patterns import Floats
from annotation.agreement.reasons import NO_PAIRS, ONE_VALUE, SINGLE_ITEM, TOO_LARGE
from annotation.agreement.results import Coefficient, number
from annotation.agreement.source import Source
from annotation.agreement.unit_sums import sum_by, value_at
from schemas.errors import InputError, Issue
from schemas.fields import Field

SIDE, UNIT = "side", "side and item"


@dataclass(frozen=True)
class Comparison:
    """Alpha in two groups of ratings.

    Attributes:
        first: Alpha of the first group.
        second: Alpha of the second group.
        difference: `second` minus `first`.
        p_value: Two-sided: how often the difference of a resample is as far from the difference found as
            that is from 0 (Efron and Tibshirani 1993, chapter 16), at least 1 / (n_boot + 1).
        shared: Clusters (or items) that both groups have.
        paired: Whether both groups were resampled together.
        reason: Why the difference or its interval does not exist; None when both do.
    """

    first: Coefficient
    second: Coefficient
    difference: Coefficient
    p_value: float | None
    shared: int
    paired: bool
    reason: str | None = None


def compare(
    source: Source,
    field: Field | str,
    *,
    column: str,
    first: str,
    second: str,
    n_boot: int = 1000,
    seed: int = 0,
) -> Comparison:
    """Compare alpha of two rounds (or conditions, languages, sources).

    Clusters that both rounds have are resampled together, so that what makes a dialogue easy or hard does not
    count as a difference; rounds without a common cluster are resampled each on its own.

    Args:
        source: The ratings.
        field: A schema field or ``"COLUMN:LEVEL"``.
        column: Column of the rounds.
        first: The one round, as text.
        second: The other.
        n_boot: Bootstrap resamples.
        seed: Their seed.

    Raises:
        InputError: A column is not there, a round has no ratings, or the table does not fit.
    """
    ratings, item = source.table, source.item
    unit = source.cluster if source.cluster is not None else item
    require_columns(ratings, [column, item, source.rater, unit, answer_column(field)])
    group = pc.cast(ratings.column(column), pa.string())
    sides = [ratings.filter(pc.equal(group, one)) for one in (first, second)]
    found = [one for one in pc.unique(group).to_pylist() if one is not None]
    absent = [one for one, side in zip((first, second), sides, strict=True) if not side.num_rows]
    if absent:
        raise InputError(
            [Issue("no row has this value", column=column, value=one, choices=found) for one in absent]
        )
    both = pa.concat_tables(
        [side.append_column(SIDE, pa.array([k] * side.num_rows)) for k, side in enumerate(sides)]
    )
    both = answered(both, [answer_column(field)])
    both = both.append_column(UNIT, pa.array(combination(both, [SIDE, item])))
    joined = replace(source, table=both, item=UNIT, cluster=unit)
    coded = joined.read(field)
    # The same ratings again, clustered by side, say on which side each item is.
    side_of = replace(joined, cluster=SIDE).read(field).cluster
    assert coded.cluster is not None
    assert side_of is not None
    patterns, of_item = coded.patterns, coded.pattern_of_item
    statistic = alpha_sums(coded, patterns)
    if statistic is None:
        return _nothing(TOO_LARGE)
    if len(np.unique(side_of)) < 2:
        return _nothing(NO_PAIRS)
    paired = patterns.pairable[of_item]
    sums, there = [], []
    for side in (0, 1):
        here = np.flatnonzero((side_of == side) & paired)
        sums.append(sum_by(statistic.rows[of_item[here]], coded.cluster[here], coded.clusters))
        there.append(np.bincount(coded.cluster[here], minlength=coded.clusters) > 0)
    items = [int(np.count_nonzero((side_of == side) & paired)) for side in (0, 1)]
    what = "items" if source.cluster is None else "clusters"
    return _compare(statistic, sums, there, items, what, n_boot, seed)


def _compare(
    statistic: Statistic,
    sums: list[Floats],
    there: list[NDArray[np.bool_]],
    items: list[int],
    what: str,
    n_boot: int,
    seed: int,
) -> Comparison:
    values = [value_at(statistic, one.sum(axis=0)) for one in sums]
    for value, number_of in zip(values, items, strict=True):
        if number_of < 2 or not np.isfinite(value):
            return _nothing(NO_PAIRS if not number_of else SINGLE_ITEM if number_of == 1 else ONE_VALUE)
    shared = int(np.count_nonzero(there[0] & there[1]))
    width = sums[0].shape[1]
    if shared:
        either = there[0] | there[1]
        rows = np.hstack([one[either] for one in sums])

        def pair(total: Floats) -> Floats:
            return np.column_stack([statistic.value(total[..., :width]), statistic.value(total[..., width:])])

        few = len(rows) < 2
        resampled = np.zeros((0, 2)) if few else bootstrap_values(rows, pair, n_boot=n_boot, seed=seed)
    else:
        own = [one[here] for one, here in zip(sums, there, strict=True)]
        few = min(len(one) for one in own) < 2
        resampled = np.zeros((0, 2))
        if not few:
            # Two streams of random numbers, or equally large rounds would be resampled alike.
            columns = [
                bootstrap_values(one, statistic.value, n_boot=n_boot, seed=seed + k)
                for k, one in enumerate(own)
            ]
            resampled = np.column_stack(columns)
    gap = values[1] - values[0]
    differences = resampled[:, 1] - resampled[:, 0]
    finite = differences[np.isfinite(differences)]
    reason = f"fewer than two {what} cannot show how much the difference would vary" if few else None
    p_value = None
    interval = percentile_interval(differences)
    if interval.low is None:
        reason = reason or "alpha exists in too few resamples"
    else:
        far = np.count_nonzero(np.abs(finite - gap) >= abs(gap) - 1e-12)
        p_value = (1 + far) / (1 + len(finite))
    how = "resampled together" if shared else "each round resampled on its own"
    definition = f"Krippendorff's alpha; percentile bootstrap of {what}, {how}"
    ends = [percentile_interval(resampled[:, k]) for k in (0, 1)] + [interval]
    first, second, difference = (
        _coefficient(value, end, definition, reason) for value, end in zip([*values, gap], ends, strict=True)
    )
    return Comparison(first, second, difference, p_value, shared, shared > 0, reason)


def _coefficient(value: float, ends: Interval, definition: str, reason: str | None) -> Coefficient:
    return Coefficient(
        number(value), number(ends.se), number(ends.low), number(ends.high), definition, reason
    )


def _nothing(reason: str) -> Comparison:
    none = Coefficient(None, None, None, None, "Krippendorff's alpha", reason)
    return Comparison(none, none, none, None, 0, False, reason)
