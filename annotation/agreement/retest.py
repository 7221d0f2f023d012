"""Test-retest: does a rater who meets an item again in another round give the same answer?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from annotation.agreement.alpha import alpha_agreement
from annotation.agreement.columns import answer_column, answered, combination, require_columns
from annotation.agreement.measure import measure
from annotation.agreement.reading import Ratings
from annotation.agreement.reasons import UNKNOWN_RATERS
from annotation.agreement.results import Agreement
from annotation.agreement.source import Source
from schemas.fields import Field

UNIT = "rater and item"
NO_RETEST = "no rater rated an item in two rounds"


@dataclass(frozen=True)
class Retest:
    """Agreement of raters with themselves.

    Attributes:
        overall: Agreement whose items are the pairs (rater, item) that were rated in two rounds or more, and
            whose raters are the rounds; its clusters are those of the items. None without such pairs.
        by_rater: Alpha of each rater who has such pairs, by rater id.
        reason: Why there is nothing; None when there is.
    """

    overall: Agreement | None
    by_rater: Mapping[str, Agreement]
    reason: str | None = None


def retest(
    source: Source, field: Field | str, *, round_: str = "round", n_boot: int = 1000, seed: int = 0
) -> Retest:
    """Test-retest agreement of each rater and of all.

    Args:
        source: The ratings; several rows of the same rater and item are different rounds. Within a round the
            latest row counts. Rows without rater, round or answer have no part.
        field: A schema field or ``"COLUMN:LEVEL"``.
        round_: Column of the rounds.
        n_boot: Bootstrap resamples.
        seed: Their seed.

    Raises:
        InputError: A column is not there, or the table does not fit.
    """
    item, rater = source.item, source.rater
    require_columns(source.table, [answer_column(field), item, rater, round_, source.cluster])
    if rater is None:
        return Retest(None, {}, UNKNOWN_RATERS)
    table = answered(source.table, [answer_column(field), item, rater, round_])
    unit, unit_round = combination(table, [rater, item]), combination(table, [rater, item, round_])
    _, first = np.unique(unit_round, return_index=True)
    again = np.bincount(unit[first]) > 1
    if not again.any():
        return Retest(None, {}, NO_RETEST)
    table = table.append_column(UNIT, pa.array(unit)).filter(pa.array(again[unit]))

    def read(rows: pa.Table) -> Ratings:
        return replace(source, table=rows, item=UNIT, rater=round_, duplicates="latest").read(field)

    ids = pc.cast(table.column(rater), pa.string())
    by_rater = {
        one: alpha_agreement(read(table.filter(pc.equal(ids, one))), n_boot=n_boot, seed=seed)
        for one in sorted(pc.unique(ids).to_pylist())
    }
    return Retest(measure(read(table), n_boot=n_boot, seed=seed), by_rater)
