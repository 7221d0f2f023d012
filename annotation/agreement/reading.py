"""From tables of ratings (one row a rating) to integer codes, with every fault of the input at once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from annotation.agreement.cells import (
    encode,
    is_list_of_labels,
    missing_cells,
    names_of,
    numbers_of,
    row_issues,
    sets_of,
)
from annotation.agreement.patterns import MISSING, Floats, Ints, Patterns, reduce_codes
from annotation.agreement.reasons import MOST_CATEGORIES
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
        labels: Labels of the sets, in order; `values` of a nominal or ordinal field; none of numbers.
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
        return np.arange(1, len(self.values) + 1, dtype=np.float64)

    @property
    def continuous(self) -> bool:
        """Whether there are so many numbers that they are no categories."""
        return self.level in (Level.INTERVAL, Level.RATIO) and len(self.values) > MOST_CATEGORIES

    @cached_property
    def matrix(self) -> NDArray[np.int32] | None:
        """Codes, shape (items, raters), -1 missing; None when most cells would be empty or raters unknown."""
        if self.rater is None or self.repeated or self.items * self.raters > 8 * len(self.item) + 1000:
            return None
        codes = np.full(self.items * self.raters, MISSING, dtype=np.int32)
        codes[self.item * self.raters + self.rater] = self.code
        return codes.reshape(self.items, self.raters)

    @property
    def patterns(self) -> Patterns:
        """The rating patterns."""
        return self._reduced[0]

    @property
    def pattern_of_item(self) -> Ints:
        """Pattern of each item, shape (items,)."""
        return self._reduced[1]

    @cached_property
    def _reduced(self) -> tuple[Patterns, Ints]:
        categories = len(self.values)
        rows = None if self.continuous else self.matrix if self.matrix is not None else self._anonymous()
        if rows is None:
            patterns = Patterns.from_long(self.item, self.code, self.items, categories)
            return patterns, np.arange(self.items)
        found, of_item = reduce_codes(rows, categories, inverse=True)
        assert of_item is not None
        return found, of_item

    def _anonymous(self) -> NDArray[np.int32] | None:
        """Codes without their raters, item by item, -1 padded: raters are unknown, or a crowd."""
        counts = np.bincount(self.item, minlength=self.items)
        width = int(counts.max(initial=0))
        if self.items * width > 8 * len(self.item) + 1000:
            return None
        order = np.argsort(self.item, kind="stable")
        item = self.item[order]
        place = np.arange(len(item)) - (np.cumsum(counts) - counts)[item]
        rows = np.full((self.items, width), MISSING, dtype=np.int32)
        rows[item, place] = self.code[order]
        return rows

    @cached_property
    def label_places(self) -> dict[str, int]:
        """Place of each label in the order of the field."""
        return {label: place for place, label in enumerate(self.labels)}

    @cached_property
    def label_matrix(self) -> Floats:
        """Which labels each value has, 0 and 1, shape (values, labels); none of numbers."""
        if self.level is not Level.SET:
            return np.eye(len(self.values), len(self.labels))
        member = [[label in one for label in self.labels] for one in self.values]
        return np.array(member, dtype=np.float64).reshape(len(self.values), len(self.labels))


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
    name, level, declared = parse_field(field)
    wanted = [column for column in (item, rater, cluster, name) if column is not None]
    columns = list(ratings.column_names if isinstance(ratings, pa.Table) else ratings.columns)
    issues = [
        Issue("there is no such column", column=one, choices=columns)
        for one in dict.fromkeys(wanted)
        if one not in columns
    ]
    issues += [
        Issue("there are several columns of this name", column=one)
        for one in dict.fromkeys(wanted)
        if columns.count(one) > 1
    ]
    if issues:
        raise InputError(issues)
    if duplicates not in ("error", "latest", "both"):
        raise InputError(
            Issue("no way to treat repeated ratings", value=duplicates, choices=("error", "latest", "both"))
        )
    arrays = {
        column: _column(ratings, column, as_set=column == name and level is Level.SET)
        for column in set(wanted)
    }
    issues = [
        Issue("these cells are no single values", column=column, value=str(arrays[column].type))
        for column in dict.fromkeys(wanted)
        if pa.types.is_nested(arrays[column].type)
        and not (column == name and level is Level.SET and is_list_of_labels(arrays[column].type))
    ]
    if issues:
        raise InputError(issues)
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
    repeated = rater_code is not None and _repeats(item_code * raters + rater_code, items * raters)
    if repeated and rater is not None and rater_code is not None:
        last = _last(item_code * raters + rater_code)
        if duplicates == "error":
            again = rated[last != np.arange(len(rated))]
            raise InputError(
                row_issues("the rater rates this item again in a later row", rater, again, arrays[item])
            )
        if duplicates == "latest":
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
    code = code if len(rated) == len(code) else code[rated]
    if not declared or level is Level.SET:  # what nobody used is no category
        used = np.bincount(code, minlength=len(values)) > 0
        if not used.all():
            code = (np.cumsum(used) - 1)[code]
            values = tuple(one for one, kept in zip(values, used, strict=True) if kept)
        if level in (Level.NOMINAL, Level.ORDINAL):
            labels = tuple(str(one) for one in values)
    return Ratings(
        name, level, item_code, rater_code, code, values, items, raters,
        labels, cluster_code, clusters, repeated, offset,
    )  # fmt: skip


def parse_field(field: Field | str) -> tuple[str, Level, tuple[Any, ...]]:
    """Column, level, and the declared categories in order (empty when none are declared).

    Raises:
        InputError: A text is not ``"COLUMN:LEVEL"``.
    """
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
    if pa.types.is_list_view(column.type) or pa.types.is_large_list_view(column.type):
        # pyarrow's own cast loses cells.
        column = pa.chunked_array([pa.array(column.to_pylist(), pa.large_list(column.type.value_type))])
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
    codes = codes if len(rows) == len(codes) else codes[rows]
    used = np.zeros(len(dictionary), dtype=bool)
    used[codes] = True
    number = int(used.sum())
    if number < len(used):
        codes = (np.cumsum(used) - 1)[codes]
    return number, codes


def _repeats(key: Ints, keys: int) -> bool:
    """Whether any of the keys 0 to `keys` - 1 occurs twice."""
    if keys > 8 * len(key) + 1000:
        return len(np.unique(key)) < len(key)
    seen = np.zeros(keys, dtype=bool)
    seen[key] = True
    return int(np.count_nonzero(seen)) < len(key)


def _last(key: Ints) -> Ints:
    """Index of the last entry with the same key, for each entry."""
    distinct, key = np.unique(key, return_inverse=True)
    last = np.zeros(len(distinct), dtype=np.int64)
    last[key] = np.arange(len(key))  # NumPy keeps the last of repeated assignments
    return last[key]
