"""Test-retest: does a rater who meets an item again in another round give the same answer?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from annotation.agreement.columns import answer_column, answered, combination, require_columns
from annotation.agreement.measure import agreement
from annotation.agreement.results import Agreement
from schemas.fields import Field

UNIT = "rater and item"
NO_RETEST = "no rater rated an item in two rounds"


@dataclass(frozen=True)
class Retest:
    """Agreement of raters with themselves.

    Attributes:
        overall: Agreement whose items are the pairs (rater, item) that were rated in two rounds or more, and
            whose raters are the rounds; its clusters are those of the items. None without such pairs.
        by_rater: The same for each rater who has such pairs, by rater id.
        reason: Why there is nothing; None when there is.
    """

    overall: Agreement | None
    by_rater: Mapping[str, Agreement]
    reason: str | None = None


def retest(
    ratings: pa.Table,
    field: Field | str,
    *,
    item: str,
    rater: str,
    round_: str = "round",
    cluster: str | None = None,
    n_boot: int = 1000,
    seed: int = 0,
) -> Retest:
    """Test-retest agreement of each rater and of all.

    Args:
        ratings: One row a rating; several rows of the same rater and item are different rounds. Within a
            round the latest row counts. Rows without rater, round or answer have no part.
        field: A schema field or ``"COLUMN:LEVEL"``.
        item: Column of item ids.
        rater: Column of rater ids.
        round_: Column of the rounds.
        cluster: Column of clusters (dialogues).
        n_boot: Bootstrap resamples.
        seed: Their seed.

    Raises:
        InputError: A column is not there, or the table does not fit.
    """
    known = [answer_column(field), item, rater, round_]
    require_columns(ratings, [*known, cluster])
    table = answered(ratings, known)
    unit, unit_round = combination(table, [rater, item]), combination(table, [rater, item, round_])
    _, first = np.unique(unit_round, return_index=True)
    again = np.bincount(unit[first]) > 1
    if not again.any():
        return Retest(None, {}, NO_RETEST)
    table = table.append_column(UNIT, pa.array(unit)).filter(pa.array(again[unit]))

    def of(rows: pa.Table) -> Agreement:
        return agreement(
            rows, field, item=UNIT, rater=round_, cluster=cluster, n_boot=n_boot, seed=seed,
            duplicates="latest",
        )  # fmt: skip

    ids = pc.cast(table.column(rater), pa.string())
    by_rater = {one: of(table.filter(pc.equal(ids, one))) for one in sorted(pc.unique(ids).to_pylist())}
    return Retest(of(table), by_rater)
