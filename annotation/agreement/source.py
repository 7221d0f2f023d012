"""A table of ratings together with what its columns are: what every statistic on parts of it is asked of."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pyarrow as pa

from annotation.agreement.reading import Duplicates, Ratings, read_ratings
from schemas.fields import Field


@dataclass(frozen=True)
class Source:
    """Ratings, one row a rating, and which columns say what.

    Attributes:
        table: The rows.
        item: Column of item ids.
        rater: Column of rater ids; None when raters are unknown.
        cluster: Column of clusters (dialogues), which intervals resample; None for items.
        duplicates: What to do when a rater rated an item twice.
    """

    table: pa.Table
    item: str
    rater: str | None
    cluster: str | None = None
    duplicates: Duplicates = "error"

    def read(self, field: Field | str) -> Ratings:
        """Code the ratings of one field, a schema field or ``"COLUMN:LEVEL"``.

        Raises:
            InputError: The ratings do not fit; see `read_ratings`.
        """
        return read_ratings(
            self.table,
            field,
            item=self.item,
            rater=self.rater,
            cluster=self.cluster,
            duplicates=self.duplicates,
        )

    def of(self, table: pa.Table) -> Source:
        """The same columns of other rows."""
        return replace(self, table=table)
