"""Rating patterns: items with the same labels are the same item.

The coefficients never look at a million items. They look at the distinct multisets of labels (`Patterns`, for
coefficients whose raters are exchangeable) or the distinct rows of (rater, label) pairs (`OrderedPatterns`,
for coefficients that know raters), each with the number of items that have it. Five raters and seven
categories leave at most 792 patterns, however many items there are. Counts are exact integers, so the
patterns of two shards add up to the patterns of the whole.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Codes = NDArray[np.integer[Any]]

MISSING = -1
CHUNK = 1 << 16  # rows packed at a time: keys stay in the processor's cache
DENSE_KEYS = 1 << 17  # up to so many possible keys are tallied in a table, more are sorted
KEY_LIMIT = 1 << 62  # keys are int64


def tally(place: Codes, weight: NDArray[Any], size: int) -> Floats:
    """Sum of the weights at each place, shape (size,); exact for whole weights below 2**53."""
    return np.bincount(place, np.asarray(weight, dtype=np.float64), size).astype(np.float64, copy=False)


@dataclass(frozen=True)
class Patterns:
    """Distinct multisets of labels, stored as cells (pattern, category, count), sorted by pattern.

    Attributes:
        items: How many items have each pattern, shape (patterns,).
        pattern: The pattern of each cell, ascending, shape (cells,).
        category: The category code of each cell, 0 to `categories` - 1, shape (cells,).
        count: How many raters gave the category, at least 1, shape (cells,).
        categories: Number of categories, used or not.
    """

    items: Ints
    pattern: Ints
    category: Ints
    count: NDArray[Any]
    categories: int

    @cached_property
    def ratings(self) -> Floats:
        """Ratings of an item of each pattern, shape (patterns,)."""
        return self.dot(np.ones(self.categories))

    @property
    def totals(self) -> Floats:
        """Ratings in each category over all items, shape (categories,)."""
        return self.sums(self.items)

    @property
    def pairable(self) -> NDArray[np.bool_]:
        """Patterns with two ratings or more: only they show agreement or disagreement."""
        return self.ratings > 1

    def sums(self, weight: NDArray[Any]) -> Floats:
        """Category counts summed over patterns, each times its `weight`; shape (categories,)."""
        return tally(self.category, self.count * weight[self.pattern], self.categories)

    def dot(self, vector: NDArray[Any]) -> Floats:
        """Sum of `vector` (one number a category) over the ratings of each pattern; shape (patterns,)."""
        return tally(self.pattern, self.count * vector[self.category], len(self.items))

    def pairs(self, matrix: Floats | None) -> Floats:
        """Sum of `matrix` over the ordered pairs of different ratings of each pattern.

        Args:
            matrix: Weight or distance of two categories, shape (categories, categories); None: identity.

        Returns:
            Shape (patterns,).
        """
        own = self.count * (self.count - 1)
        if matrix is None:
            return tally(self.pattern, own, len(self.items))
        sums = tally(self.pattern, own * np.diagonal(matrix)[self.category], len(self.items))
        both = matrix + matrix.T
        for step in range(1, self._widest):
            same = np.flatnonzero(self.pattern[step:] == self.pattern[:-step])
            weight = both[self.category[same], self.category[same + step]]
            sums += tally(
                self.pattern[same], self.count[same] * self.count[same + step] * weight, len(self.items)
            )
        return sums

    @property
    def _widest(self) -> int:
        """The most categories that any one pattern uses."""
        return int(np.bincount(self.pattern).max(initial=0))

    def table(self) -> NDArray[Any]:
        """Category counts of each pattern, shape (patterns, categories)."""
        table = np.zeros((len(self.items), self.categories), dtype=self.count.dtype)
        table[self.pattern, self.category] = self.count
        return table

    def recode(self, category: Codes, categories: int) -> Patterns:
        """Join categories: `category[old]` is the new code. Patterns that become equal stay apart."""
        key = self.pattern * categories + np.asarray(category, dtype=np.int64)[self.category]
        cells, inverse = np.unique(key, return_inverse=True)
        count = np.bincount(inverse, self.count).astype(self.count.dtype)
        return Patterns(self.items, cells // categories, cells % categories, count, categories)

    def __add__(self, other: Patterns) -> Patterns:
        """Patterns of two shards together; both must use the same category codes."""
        if self.categories != other.categories:
            raise ValueError(f"shards with {self.categories} and {other.categories} categories")
        rows = np.concatenate([_padded(self, other._longest), _padded(other, self._longest)])
        return patterns_of_rows(rows, np.concatenate([self.items, other.items]), self.categories)

    @property
    def _longest(self) -> int:
        return int(self.ratings.max(initial=0))

    @classmethod
    def from_counts(cls, counts: NDArray[Any]) -> Patterns:
        """Published tables: one row an item, one column a category, cells are numbers of raters.

        Args:
            counts: Shape (items, categories), not negative. Items without a rating are left out.
        """
        counts = np.asarray(counts)
        counts = counts[counts.sum(axis=1) > 0]
        rows, items = np.unique(counts, axis=0, return_counts=True)
        pattern, category = np.nonzero(rows)
        return cls(items.astype(np.int64), pattern, category, rows[pattern, category], counts.shape[1])

    @classmethod
    def from_long(cls, item: Ints, category: Ints, items: int, categories: int) -> Patterns:
        """From one row a rating, every item its own pattern; each of the `items` items has a rating."""
        cells, count = np.unique(item * categories + category, return_counts=True)
        ones = np.ones(items, dtype=np.int64)
        return cls(ones, cells // categories, cells % categories, count.astype(np.int64), categories)

    @classmethod
    def from_codes(cls, codes: Codes, categories: int) -> Patterns:
        """Patterns of a matrix of category codes.

        Args:
            codes: Shape (items, raters), 0 to `categories` - 1, -1 where the rating is missing.
            categories: Number of categories.
        """
        return reduce_codes(codes, categories)[0]


@dataclass(frozen=True)
class OrderedPatterns:
    """Distinct rows of (rater, category) pairs, stored as cells sorted by pattern, then rater.

    Attributes:
        items: How many items have each pattern, shape (patterns,).
        pattern: Pattern of each cell, shape (cells,).
        rater: Rater code of each cell, 0 to `raters` - 1.
        category: Category code of each cell.
        raters: Number of raters.
        categories: Number of categories.
    """

    items: Ints
    pattern: Ints
    rater: Ints
    category: Ints
    raters: int
    categories: int

    @classmethod
    def from_codes(cls, codes: Codes, categories: int, items: Ints | None = None) -> OrderedPatterns:
        """Ordered patterns of a matrix of codes (items, raters), -1 missing; `items` counts equal rows."""
        if items is None:
            rows, items, _ = distinct_rows(codes, categories)
        else:
            rows = codes
        rated = (rows != MISSING).any(axis=1)  # an item without a rating is not an item
        rows, items = rows[rated], items[rated]
        pattern, rater = np.nonzero(rows != MISSING)
        category = rows[pattern, rater].astype(np.int64)
        return cls(items, pattern, rater, category, codes.shape[1], categories)

    def unordered(self) -> Patterns:
        """The same items with their raters forgotten; pattern i is ordered pattern i."""
        key = self.pattern * self.categories + self.category
        cells, count = np.unique(key, return_counts=True)
        pattern, category = cells // self.categories, cells % self.categories
        return Patterns(self.items, pattern, category, count.astype(np.int64), self.categories)

    def pairs(self) -> tuple[Ints, Ints, Ints]:
        """Cells of any two raters who share an item: (first cell, second cell, pair code).

        The pair code is rater * raters + other, with rater < other.
        """
        first, second = [], []
        for step in range(1, int(np.bincount(self.pattern).max(initial=0))):
            same = np.flatnonzero(self.pattern[step:] == self.pattern[:-step])
            first.append(same)
            second.append(same + step)
        empty = [np.zeros(0, np.int64)]
        one, two = np.concatenate(first or empty), np.concatenate(second or empty)
        return one, two, self.rater[one] * self.raters + self.rater[two]


def reduce_codes(codes: Codes, categories: int, *, inverse: bool = False) -> tuple[Patterns, Ints | None]:
    """Patterns of a matrix of codes and, if asked, the pattern of each item.

    Args:
        codes: Shape (items, raters), -1 where the rating is missing.
        categories: Number of categories; codes are below it.
        inverse: Whether the pattern of each item is wanted (for clusters).

    Returns:
        The patterns, and the pattern of each item (-1 for an item without a rating) or None.
    """
    if _fits(codes, categories, DENSE_KEYS):
        # Few possible rows: tally them as they are, then sort within the few distinct ones.
        rows, items, of_item = distinct_rows(codes, categories, inverse=inverse)
        patterns, of_row = _unordered(rows, items, categories)
        return patterns, None if of_item is None else of_row[of_item]
    rows = np.sort(codes, axis=1)
    if not inverse:
        rows, items, _ = distinct_rows(rows, categories)
        return patterns_of_rows(rows, items, categories), None
    return _unordered(rows, np.ones(len(rows), np.int64), categories)


def patterns_of_rows(rows: Codes, items: Ints, categories: int) -> Patterns:
    """Patterns of rows of codes in any order (-1 padded), `items[i]` items having row i."""
    return _unordered(rows, items, categories)[0]


def _unordered(rows: Codes, items: Ints, categories: int) -> tuple[Patterns, Ints]:
    """Patterns, and the pattern of each row."""
    distinct, _, of_row = distinct_rows(np.sort(rows, axis=1), categories, inverse=True)
    assert of_row is not None
    items = np.bincount(of_row, items, len(distinct)).astype(np.int64)  # exact below 2**53 items
    if (
        distinct.size and (distinct[0] == MISSING).all()
    ):  # items without a rating are not items; they sort first
        distinct, items, of_row = distinct[1:], items[1:], of_row - 1
    pattern, column = np.nonzero(distinct != MISSING)
    category = distinct[pattern, column].astype(np.int64)
    starts = np.ones(len(pattern), dtype=bool)
    starts[1:] = (pattern[1:] != pattern[:-1]) | (category[1:] != category[:-1])
    first = np.flatnonzero(starts)
    count = np.diff(np.append(first, len(pattern)))
    return Patterns(items, pattern[first], category[first], count, categories), of_row


def distinct_rows(rows: Codes, categories: int, *, inverse: bool = False) -> tuple[Codes, Ints, Ints | None]:
    """Distinct rows of codes with their multiplicity.

    A row is packed into one integer, base `categories` + 1. Few possible integers are tallied, more are
    sorted, and when a row does not fit 62 bits its columns are packed and renumbered in turn, which stays
    exact.

    Returns:
        Distinct rows in ascending order, how often each occurs, and the distinct row of each row (if asked).
    """
    if _fits(rows, categories, DENSE_KEYS):
        return _tally_rows(rows, categories, inverse)
    base = categories + 1
    if _fits(rows, categories, KEY_LIMIT):
        key: Ints = np.empty(len(rows), dtype=np.int64)
        for start in range(0, len(rows), CHUNK):
            key[start : start + CHUNK] = _pack(rows[start : start + CHUNK], base)
        if not inverse:
            keys, items = np.unique(key, return_counts=True)
            return _unpack(keys, base, rows.shape[1]), items, None
        keys, of_row, items = np.unique(key, return_inverse=True, return_counts=True)
        return _unpack(keys, base, rows.shape[1]), items, of_row
    key = np.zeros(len(rows), dtype=np.int64)
    largest = 1
    for column in rows.T:
        if largest * base >= KEY_LIMIT:
            key = np.unique(key, return_inverse=True)[1].astype(np.int64, copy=False)
            largest = len(rows)
        key = key * base + column + 1
        largest *= base
    _, index, of_row, items = np.unique(key, return_index=True, return_inverse=True, return_counts=True)
    return rows[index], items, of_row if inverse else None


def _tally_rows(rows: Codes, categories: int, inverse: bool) -> tuple[Codes, Ints, Ints | None]:
    base = categories + 1
    tally = np.zeros(base ** rows.shape[1], dtype=np.int64)
    key = np.empty(len(rows), dtype=np.int32) if inverse else None
    for start in range(0, len(rows), CHUNK):
        packed = _pack(rows[start : start + CHUNK], base)
        tally += np.bincount(packed, minlength=len(tally))
        if key is not None:
            key[start : start + CHUNK] = packed
    keys = np.flatnonzero(tally)
    of_row = None
    if key is not None:
        place = np.zeros(len(tally), dtype=np.int64)
        place[keys] = np.arange(len(keys))
        of_row = place[key]
    return _unpack(keys, base, rows.shape[1]), tally[keys], of_row


def _fits(rows: Codes, categories: int, limit: int) -> bool:
    return bool((categories + 1) ** rows.shape[1] < limit)


def _pack(rows: Codes, base: int) -> Ints:
    """One integer a row; a missing label is digit 0, the first column the most significant digit."""
    small = base ** rows.shape[1] < 1 << 31
    key: NDArray[Any] = np.zeros(len(rows), dtype=np.int32 if small else np.int64)
    for column in rows.T:
        key *= base
        key += column
        key += 1
    return key.astype(np.int64)


def _unpack(keys: Ints, base: int, width: int) -> Codes:
    rows = np.empty((len(keys), width), dtype=np.int16 if base < 1 << 15 else np.int32)
    for column in range(width - 1, -1, -1):
        keys, digit = np.divmod(keys, base)
        rows[:, column] = digit - 1
    return rows


def _padded(patterns: Patterns, at_least: int) -> Codes:
    """Rows of codes of each pattern, padded with -1 to a common width."""
    width = max(patterns._longest, at_least)
    rows = np.full((len(patterns.items), width), MISSING, dtype=np.int32)
    pattern = np.repeat(patterns.pattern, patterns.count)
    starts = np.concatenate([[0], np.cumsum(patterns.ratings).astype(np.int64)])
    rows[pattern, np.arange(len(pattern)) - starts[pattern]] = np.repeat(patterns.category, patterns.count)
    return rows
