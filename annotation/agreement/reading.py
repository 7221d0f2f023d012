"""From tables of ratings (one row a rating) to integer codes, with every fault of the input at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from annotation.agreement.cells import encode, missing_cells, names_of, numbers_of, row_issues, sets_of
from annotation.agreement.patterns import MISSING, Floats, Ints
from schemas.errors import InputError, Issue
from schemas.fields import Field, Level

Duplicates = Literal["error", "latest", "both"]


@dataclass(frozen=True)
class Ratings:
    """Ratings of one field as integers, one entry a rating that is not missing.

    Attributes:
        field: Name of the field.
        level: Level of measurement.
        item: Item of each rating, 0 to `items` - 1; every item has a rating.
        rater: Rater of each rating, 0 to `raters` - 1; None when raters are unknown.
        code: Category of each rating, codes in the order of `values`; numbers are categories too.
        values: The categories: names, numbers (float) or label sets, in order.
        items: Number of items.
        raters: Number of raters; with unknown raters, the most ratings of an item.
        labels: Labels of the sets, in order; the names of `values` at other levels.
        cluster: Cluster of each item; None without clusters.
        clusters: Number of clusters.
        repeated: Whether a rater's repeated ratings of an item were kept.
        offset: What was taken off integer numbers, so that huge ones keep their digits.
    """

    field: str
    level: Level
    item: Ints
    rater: Ints | None
    code: Ints
    values: tuple[Any, ...]
    items: int
    raters: int
    labels: tuple[str, ...] = ()
    cluster: Ints | None = None
    clusters: int = 0
    repeated: bool = False
    offset: int = 0

    @property
    def numbers(self) -> Floats:
        """Numbers of the categories: the values themselves, or ranks 1, 2, .. of names."""
        if self.level in (Level.INTERVAL, Level.RATIO):
            return np.asarray(self.values, dtype=np.float64)
        return np.arange(1.0, len(self.values) + 1)

    def matrix(self) -> NDArray[np.int32] | None:
        """Codes, shape (items, raters), -1 missing; None when most cells would be empty or raters unknown."""
        if self.rater is None or self.repeated or self.items * self.raters > 8 * len(self.item) + 1000:
            return None
        codes = np.full(self.items * self.raters, MISSING, dtype=np.int32)
        codes[self.item * self.raters + self.rater] = self.code
        return codes.reshape(self.items, self.raters)


def read_ratings(
    ratings: pd.DataFrame | pa.Table,
    field: Field | str,
    *,
    item: str,
    rater: str | None,
    cluster: str | None = None,
    duplicates: Duplicates = "error",
) -> Ratings:
    """Code the ratings of one field.

    Args:
        ratings: One row a rating.
        field: A schema field, whose name is the column, or ``"COLUMN:LEVEL"``.
        item: Column of item ids.
        rater: Column of rater ids. None, or a column of nulls only: raters are unknown.
        cluster: Column of cluster ids (dialogues); the same in all rows of an item.
        duplicates: What to do when a rater rated an item twice: error, latest (the last row) or both.

    Raises:
        InputError: A column is not there, an id is missing, a value does not fit the level, a rater rated an
            item twice, an item is in two clusters. Rows are counted from 1.
    """
    name, level, declared = _parse_field(field)
    wanted = [column for column in (item, rater, cluster, name) if column is not None]
    columns = list(ratings.column_names if isinstance(ratings, pa.Table) else ratings.columns)
    absent = [column for column in dict.fromkeys(wanted) if column not in columns]
    if absent:
        raise InputError([Issue("there is no such column", column=one, choices=columns) for one in absent])
    if duplicates not in ("error", "latest", "both"):
        raise InputError(
            Issue("no way to treat repeated ratings", value=duplicates, choices=("error", "latest", "both"))
        )
    arrays = {
        column: _column(ratings, column, as_set=column == name and level is Level.SET)
        for column in set(wanted)
    }
    issues: list[Issue] = []
    known_rater = rater is not None and (
        arrays[rater].null_count < len(arrays[rater]) or not len(arrays[rater])
    )
    ids = [one for one in (item, rater if known_rater else None, cluster) if one is not None]
    for column in ids:
        issues += row_issues("the id is missing", column, np.flatnonzero(missing_cells(arrays[column])))
    values: tuple[Any, ...]
    labels: tuple[str, ...] = ()
    offset = 0
    if level is Level.SET:
        code, values, labels = sets_of(arrays[name], name, declared, issues)
    elif level in (Level.INTERVAL, Level.RATIO):
        code, values, offset = numbers_of(arrays[name], name, level, issues)
    else:
        code, values = names_of(arrays[name], name, level, declared, issues)
        labels = values
    if issues:
        raise InputError(issues)
    rated = np.flatnonzero(code != MISSING)
    items, item_code = _codes(arrays[item], rated)
    raters, rater_code = _codes(arrays[rater], rated) if rater is not None and known_rater else (0, None)
    repeated = False
    if rater_code is not None and len(rated):
        last = _last(item_code * raters + rater_code, items * raters)
        repeated = bool((last != np.arange(len(rated))).any())
        if rater is not None and repeated and duplicates == "error":
            again = rated[last != np.arange(len(rated))]
            raise InputError(
                row_issues("the rater rates this item again in a later row", rater, again, arrays[item])
            )
        if repeated and duplicates == "latest":
            kept = np.unique(last)
            rated, item_code, rater_code, repeated = rated[kept], item_code[kept], rater_code[kept], False
    if rater_code is None:
        raters = int(np.bincount(item_code).max(initial=0))
    clusters, cluster_code = 0, None
    if cluster is not None:
        clusters, of_row = _codes(arrays[cluster], rated)
        cluster_code = np.zeros(items, dtype=np.int64)
        cluster_code[item_code] = of_row
        torn = rated[cluster_code[item_code] != of_row]
        if len(torn):
            raise InputError(
                row_issues("the item is in another cluster in a later row", cluster, torn, arrays[item])
            )
    code = code[rated]
    if not declared or level is Level.SET:  # what nobody used is no category
        used = np.bincount(code, minlength=len(values)) > 0
        code, values = (
            (np.cumsum(used) - 1)[code],
            tuple(one for one, kept in zip(values, used, strict=True) if kept),
        )
        labels = labels if level is Level.SET else values
    return Ratings(
        name, level, item_code, rater_code, code, values, items, raters,
        labels, cluster_code, clusters, repeated, offset,
    )  # fmt: skip


def _parse_field(field: Field | str) -> tuple[str, Level, tuple[Any, ...]]:
    """Column, level, and the declared categories in order (empty when none are declared)."""
    if isinstance(field, Field):
        return field.name, field.level, tuple(str(value) for value in getattr(field, "categories", ()))
    name, _, level = field.rpartition(":")
    if not name or level not in list(Level):
        raise InputError(
            Issue("a field is COLUMN:LEVEL", value=field, choices=[f"{name or field}:{one}" for one in Level])
        )
    return name, Level(level), ()


def _column(ratings: pd.DataFrame | pa.Table, name: str, *, as_set: bool) -> pa.Array:
    """One column as one Arrow array; cells of mixed types become text."""
    if isinstance(ratings, pa.Table):
        column = ratings.column(name)
    else:
        try:
            column = pa.chunked_array([pa.array(ratings[name], from_pandas=True)])
        except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, OverflowError):
            column = pa.chunked_array(
                [pa.array([_text(cell, as_set) for cell in ratings[name]], pa.string())]
            )
    if pa.types.is_dictionary(column.type):
        column = column.unify_dictionaries()
    combined = column.combine_chunks()
    return combined.chunk(0) if isinstance(combined, pa.ChunkedArray) else combined


def _text(cell: object, as_set: bool) -> str | None:
    if isinstance(cell, list | tuple | set | frozenset | np.ndarray):
        parts = sorted(str(part) for part in cell) if as_set else [str(cell)]
        return "|".join(parts) or "[]"
    return None if cell is None or cell is pd.NA or cell != cell else str(cell)


def _codes(array: pa.Array, rows: Ints) -> tuple[int, Ints]:
    """Number of ids in `rows`, and the id of each, renumbered without gaps."""
    codes, dictionary = encode(array)
    codes = codes[rows]
    used = np.zeros(len(dictionary), dtype=bool)
    used[codes] = True
    number = int(used.sum())
    if number < len(used):
        codes = (np.cumsum(used) - 1)[codes]
    return number, codes


def _last(key: Ints, keys: int) -> Ints:
    """Index of the last entry with the same key, for each entry."""
    index = np.arange(len(key))
    if keys > 8 * len(key) + 1000:
        distinct, key = np.unique(key, return_inverse=True)
        keys = len(distinct)
    last = np.zeros(keys, dtype=np.int64)
    last[key] = index  # NumPy keeps the last of repeated assignments
    return last[key]
