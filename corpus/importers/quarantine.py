"""What could not be taken as it stood: the rows of ``reports/quarantine.parquet``."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

BLANK = "blank row"
ROW_SET_APART = "row set apart"
CELL_TO_NULL = "cell set to null"
CELL_LEFT_OUT = "cell left out"
RESPELLED = "value respelled"


class Quarantine:
    """Collects cells and rows that could not be taken as they stood, with their originals.

    Args:
        source: Name of the source.
        rows: Its rows, as `corpus.importers.source.SOURCE_ROWS` declares them.
    """

    def __init__(self, source: str, rows: pa.Table) -> None:
        self.source = source
        self.rows = rows
        self.found: list[pa.Table] = []

    def cells(self, name: str, places: NDArray[Any], action: str, reason: str, column: str | None) -> None:
        """Note the cells of column ``name`` at ``places``; with ``column`` None, whole rows."""
        where = pa.array(np.flatnonzero(places))
        if not len(where):
            return
        hit = self.rows.take(where)
        size = len(where)
        self.found.append(
            pa.table(
                {
                    "source": pa.array([self.source] * size),
                    "file": hit.column("file"),
                    "row": hit.column("row"),
                    "utterance_id": hit.column("utterance_id"),
                    "column": pa.array([column] * size, pa.string()),
                    "original": hit.column(name).fill_null(""),
                    "action": pa.array([action] * size),
                    "reason": pa.array([reason] * size),
                }
            )
        )
