"""What the import could not take as it stood."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc

from corpus.checks.columns import read
from corpus.checks.finding import MAX_EXAMPLES, Finding, Severity
from corpus.importers.assembly import BLANK
from schemas.project import QUARANTINE, Project

RESPELLED = "value respelled"
_TIMES = pa.array(["start", "end"])


def check_quarantine(project: Project) -> Iterator[Finding]:
    """Sum up ``reports/quarantine.parquet``, one finding a column and reason.

    The start and the end of an utterance count as one column, ``time``. Examples are the original cells with
    how often each occurs, the commonest first. Blank rows and other spellings of a value are for information,
    everything else is a warning.
    """
    if not project.has(QUARANTINE):
        return
    found = read(project, QUARANTINE, "column", "action", "reason", "original")
    column = found.column("column")
    column = pc.if_else(pc.is_in(column, value_set=_TIMES), "time", column)
    found = found.set_column(0, "column", column)
    cells = found.group_by(found.column_names).aggregate([([], "count_all")])
    keys = ["column", "action", "reason"]
    order = [(key, "ascending") for key in keys]
    cells = cells.sort_by([*order, ("count_all", "descending"), ("original", "ascending")])
    for group in cells.group_by(keys).aggregate([("count_all", "sum")]).sort_by(order).to_pylist():
        where = [_is(cells.column(key), group[key]) for key in keys]
        originals = cells.filter(pc.and_(pc.and_(where[0], where[1]), where[2])).slice(0, MAX_EXAMPLES)
        count = group["count_all_sum"]
        whole = group["column"] is None
        what = "row(s)" if whole else f"cell(s) of {group['column']!r}"
        harmless = group["reason"] == BLANK or group["action"] == RESPELLED
        yield Finding(
            "quarantine.row" if whole else "quarantine.cell",
            Severity.INFO if harmless else Severity.WARNING,
            f"{count:,} {what} of the imported files: {group['reason']} ({group['action']}).",
            count,
            subject=group["column"],
            examples=tuple(
                f"{cell['original']!r} ({cell['count_all']:,})"
                for cell in originals.to_pylist()
                if cell["original"]
            ),
        )


def _is(column: pa.Array, value: str | None) -> pa.Array:
    return pc.is_null(column) if value is None else pc.fill_null(pc.equal(column, value), False)
