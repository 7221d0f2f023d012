"""Votes of raters for options, and the rating patterns on which models of raters are estimated."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from annotation.agreement.patterns import MISSING, Codes, Floats, Ints, distinct_rows

SPARSE = 8
"""A table of items by raters is made when it has at most so many cells a vote."""
TIE = 1e-9
"""Options whose support differs by no more than this are tied."""


@dataclass(frozen=True)
class Votes:
    """Who voted for which option, one entry a vote.

    Attributes:
        item: Item of each vote, 0 to `items` - 1.
        rater: Rater of each vote, 0 to `raters` - 1.
        option: Option of each vote, 0 to `options` - 1: first the values, then kinds of no answer.
        items: Number of items; some may have no vote.
        raters: Number of raters; some may have no vote.
        options: Number of options; some may have no vote.
        values: How many of the options, the first ones, are values. In an ordered field they are in order.
    """

    item: Ints
    rater: Ints
    option: Ints
    items: int
    raters: int
    options: int
    values: int

    @cached_property
    def counts(self) -> Ints:
        """Votes for each option, items x options."""
        return self.weighted(None).astype(np.int64)

    def weighted(self, weight: Floats | None) -> Floats:
        """Sum of the weights (one a vote; None: 1 each) for each option, items x options."""
        cells = np.bincount(self.item * self.options + self.option, weight, self.items * self.options)
        return cells.astype(np.float64).reshape(self.items, self.options)

    @cached_property
    def used(self) -> Ints:
        """The options that somebody voted for, in order."""
        return np.flatnonzero(np.bincount(self.option, minlength=self.options))

    @cached_property
    def shares(self) -> Floats:
        """Share of the votes for each option, items x options; 0 without votes."""
        return normalised(self.counts.astype(np.float64))

    @cached_property
    def alone(self) -> Ints:
        """The raters who voted, but on no item on which somebody else did."""
        together = (self.counts.sum(axis=1) > 1)[self.item]
        voted = np.bincount(self.rater, minlength=self.raters) > 0
        return np.flatnonzero(voted & (np.bincount(self.rater, together, self.raters) == 0))

    @cached_property
    def patterns(self) -> VotePatterns:
        """Items with the same votes of the same raters, taken together."""
        return VotePatterns.of(self)


def normalised(weights: Floats) -> Floats:
    """Rows divided by their sums; rows of zeros stay zeros."""
    total = weights.sum(axis=1, keepdims=True)
    shares: Floats = np.divide(weights, total, out=np.zeros_like(weights), where=total > 0)
    return shares


def clear_winner(support: Floats) -> Ints:
    """The option with most support in each row; -1 for a tie or a row without support."""
    best = support.max(axis=1, initial=0.0)
    tied = (support >= best[:, None] - TIE).sum(axis=1) > 1
    return np.where((best > 0) & ~tied, support.argmax(axis=1) if support.shape[1] else MISSING, MISSING)


@dataclass(frozen=True)
class VotePatterns:
    """Distinct rows of votes, each with the number of items that have it.

    Models of raters treat items with the same votes of the same raters alike, so that they are estimated on
    these. A *cell* is a rater with an option that this rater has used.

    Attributes:
        cells: How often each cell stands in each pattern, patterns x cells.
        items: How many items have each pattern.
        of_item: Pattern of each item, -1 for an item without votes.
        rater: Rater of each cell, ascending.
        option: Option of each cell, as its place among the used options.
        raters: Number of raters, whether they voted or not.
        options: Number of used options.
        values: How many of them, the first ones, are values; the others are kinds of no answer.
    """

    cells: csr_array
    items: Ints
    of_item: Ints
    rater: Ints
    option: Ints
    raters: int
    options: int
    values: int

    @classmethod
    def of(cls, votes: Votes) -> VotePatterns:
        """Take the items with the same votes together."""
        used = np.zeros(votes.options, dtype=np.int64)
        used[votes.used] = np.arange(len(votes.used))
        options = max(len(votes.used), 1)
        key = votes.rater * options + used[votes.option]
        names = np.flatnonzero(np.bincount(key, minlength=votes.raters * options))
        place = np.zeros(votes.raters * options, dtype=np.int64)
        place[names] = np.arange(len(names))
        rows, items, of_item = _distinct(votes, used[votes.option], place.reshape(-1, options), len(names))
        filled = rows != MISSING
        start = np.concatenate([[0], np.cumsum(filled.sum(axis=1))])
        matrix = csr_array((np.ones(int(start[-1])), rows[filled], start), shape=(len(rows), len(names)))
        values = int((votes.used < votes.values).sum())
        return cls(matrix, items, of_item, names // options, names % options, votes.raters, options, values)

    @cached_property
    def by_cell(self) -> csr_array:
        """How often each cell stands in each pattern, cells x patterns."""
        return self.cells.T.tocsr()

    @cached_property
    def impossible(self) -> NDArray[np.bool_]:
        """Which kinds of no answer nobody gave to the items of each pattern, patterns x kinds used.

        A value can be true although all raters miss it. Whether it can be told is what raters say of
        themselves: where nobody said that they cannot, it is not true that one cannot.
        """
        kinds = np.eye(self.options, dtype=np.float64)[self.option, self.values :]
        said: NDArray[np.bool_] = self.cells @ kinds == 0
        return said

    def of_items(self, rows: Floats, options: Ints, size: int) -> Floats:
        """Numbers of patterns and used options, spread to items and all options; 0 elsewhere."""
        whole = np.zeros((len(self.of_item), size))
        rated = np.flatnonzero(self.of_item != MISSING)
        whole[np.ix_(rated, options)] = rows[self.of_item[rated]]
        return whole

    def by_rater(self, numbers: Floats) -> Floats:
        """Sum of numbers over the cells of each rater; shape (raters, ...)."""
        total = np.zeros((self.raters, *numbers.shape[1:]))
        np.add.at(total, self.rater, numbers)
        return total


def _is_panel(votes: Votes) -> bool:
    """Whether most raters voted on most items, once each."""
    if votes.items * votes.raters > SPARSE * len(votes.item) + 1000:
        return False
    key = votes.item * votes.raters + votes.rater
    return int(np.bincount(key).max(initial=0)) <= 1


def _distinct(votes: Votes, option: Ints, cell_of: Ints, cells: int) -> tuple[Codes, Ints, Ints]:
    """Distinct rows of cells, how many items have each, and the row of each item (-1 without votes)."""
    raters, options = cell_of.shape
    if _is_panel(votes):
        codes = np.full(votes.items * raters, MISSING, dtype=np.int16)
        codes[votes.item * raters + votes.rater] = option
        rows, items, of_item = distinct_rows(codes.reshape(votes.items, raters), options, inverse=True)
        rows = np.where(rows == MISSING, MISSING, cell_of[np.arange(raters), rows])
    else:
        number = np.bincount(votes.item, minlength=votes.items)
        order = np.sort(votes.item * cells + cell_of[votes.rater, option])  # by item, then rater
        item, cell = np.divmod(order, max(cells, 1))
        place = np.arange(len(order)) - np.repeat(np.cumsum(number) - number, number)
        padded = np.full((votes.items, int(number.max(initial=0))), MISSING, dtype=np.int64)
        padded[item, place] = cell
        rows, items, of_item = distinct_rows(padded, cells, inverse=True)
    assert of_item is not None
    rated: NDArray[np.bool_] = (rows != MISSING).any(axis=1)
    new = np.where(rated, np.cumsum(rated) - 1, MISSING)
    return rows[rated], items[rated], new[of_item]
