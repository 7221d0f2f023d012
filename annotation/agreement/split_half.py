"""Split-half reliability: would other raters of the same kind have decided the same labels?

The ratings of each item are split into two halves, each half decides a label, and the two are compared. All
splits of an item count, or as many random ones as asked for, because any one of them is an accident.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, replace

import numpy as np

from annotation.agreement.coefficients import Statistic, divide
from annotation.agreement.consensus import majority, majority_set
from annotation.agreement.estimation import MOST_CELLS
from annotation.agreement.measure import MOST_CATEGORIES, NO_PAIRS, ONE_VALUE
from annotation.agreement.patterns import MISSING, Codes, Floats, Ints, Patterns, reduce_codes
from annotation.agreement.reading import Ratings
from annotation.agreement.results import Coefficient
from annotation.agreement.unit_sums import (
    TOO_LARGE,
    alpha_sums,
    estimates,
    patterns_of,
    rows_by_size,
    units_of,
)
from schemas.fields import Level

MOST_HALVES = 1 << 22  # split patterns held at a time
MOST_LABELS = 62  # labels of a set that fit one integer

NOT_LINEAR = "Spearman and Brown's formula is for means of ratings, not for majorities"
UNDECIDED = "no item has two halves that both decide a label"


@dataclass(frozen=True)
class SplitHalf:
    """Agreement of the labels that two halves of the raters decide.

    Attributes:
        alpha: Krippendorff's alpha of the two decided labels, under the metric of the level (for ratios the
            interval metric), all splits pooled. For numbers the label is the mean and this is the split-half
            correlation, absolute agreement.
        percent: Share of equal labels; None for numbers.
        spearman_brown: What `alpha` would be for the mean of all ratings of an item (numbers only).
        items: Items with two ratings or more.
        decided: Share of the splits in which both halves decide a label, 0 to 1.
        half: Ratings of a half, mean over items; of an odd number of ratings one is left out at random.
    """

    alpha: Coefficient
    percent: Coefficient
    spearman_brown: Coefficient
    items: int
    decided: float | None
    half: float | None


def split_half(ratings: Ratings, *, n_splits: int = 200, n_boot: int = 1000, seed: int = 0) -> SplitHalf:
    """Split-half reliability of the decided label.

    Halves are formed item by item, because raters are taken as exchangeable and few of them share items.

    Args:
        ratings: Coded ratings.
        n_splits: At most so many splits of an item; all of them when there are fewer.
        n_boot: Bootstrap resamples of clusters, or of items where there are none.
        seed: Seed of splits and resamples.
    """
    titles = {
        "alpha": "Krippendorff's alpha of the labels decided by two halves of the ratings of each item",
        "percent": "share of equal labels decided by two halves of the ratings of each item",
        "spearman_brown": "split-half alpha, stepped up to all ratings (Spearman 1910; Brown 1910)",
    }
    patterns, of_item = patterns_of(ratings)
    numeric = ratings.level in (Level.INTERVAL, Level.RATIO)
    sizes = patterns.ratings * patterns.pairable
    items = int(patterns.items[patterns.pairable].sum())
    too_large = not numeric and max(len(ratings.labels), 1) > min(MOST_LABELS, MOST_CATEGORIES)
    if not items or too_large:
        reason = TOO_LARGE if too_large else NO_PAIRS
        nothing = [Coefficient(None, None, None, None, title, reason) for title in titles.values()]
        return SplitHalf(nothing[0], nothing[1], nothing[2], items, None, None)
    whole, half = (float((patterns.items * x).sum()) / items for x in (sizes, sizes // 2))
    random = np.random.Generator(np.random.PCG64(seed))
    splits = min(n_splits, max(1, MOST_HALVES // len(patterns.items)))
    halves = _Halves.of(ratings, patterns, splits, random)
    decided = float((halves.percent.rows[:, 1] * patterns.items).sum()) / items
    reason = ONE_VALUE if decided else UNDECIDED
    statistics = {"percent": (titles["percent"], halves.percent, UNDECIDED)}
    if halves.alpha is not None:
        factor = whole / half
        alpha = halves.alpha

        def stepped(sums: Floats) -> Floats:
            value = alpha.value(sums)
            below = 1 + (factor - 1) * value
            return divide(factor * value, np.where(below > 0, below, 0.0))

        statistics["alpha"] = titles["alpha"], alpha, reason
        statistics["spearman_brown"] = titles["spearman_brown"], Statistic(alpha.rows, stepped), reason
    found = estimates(statistics, units_of(ratings, patterns, of_item), n_boot, seed)
    if halves.alpha is None:
        none = Coefficient(None, None, None, None, titles["alpha"], TOO_LARGE)
        found |= {"alpha": none, "spearman_brown": none}
    wrong = {"percent": "numbers are not equal or different"} if numeric else {"spearman_brown": NOT_LINEAR}
    for name, why in wrong.items():
        found[name] = Coefficient(None, None, None, None, titles[name], why)
    return SplitHalf(found["alpha"], found["percent"], found["spearman_brown"], items, decided, half)


@dataclass(frozen=True)
class _Halves:
    """Sums of alpha and of (equal, decided), mean over the splits, a row a pattern."""

    alpha: Statistic | None
    percent: Statistic

    @classmethod
    def of(cls, ratings: Ratings, patterns: Patterns, most: int, random: np.random.Generator) -> _Halves:
        numeric = ratings.level in (Level.INTERVAL, Level.RATIO)
        where: list[Ints] = []
        pairs: list[Floats | Ints] = []
        shares: list[Floats] = []
        for here, codes in rows_by_size(patterns):
            if codes.shape[1] < 2:
                continue
            splits = _splits(codes.shape[1], most, random)
            for split in splits:
                halves = [codes[:, split == side] for side in (0, 1)]
                if numeric:
                    decided = [ratings.numbers[one].mean(axis=1) for one in halves]
                else:
                    decided = [_decide(ratings, one) for one in halves]
                where.append(here)
                pairs.append(np.column_stack(decided))
                shares.append(np.full(len(here), 1 / len(splits)))
        place, pair, share = np.concatenate(where), np.concatenate(pairs), np.concatenate(shares)
        known = np.ones(len(pair), bool) if numeric else (pair != MISSING).all(axis=1)
        equal = known & (pair[:, 0] == pair[:, 1])
        statistic = (
            interval_statistic(Moments.of_numbers(pair.astype(np.float64)))
            if numeric
            else _codes(ratings, np.where(known[:, None], pair, MISSING))
        )
        number = len(patterns.items)

        def mean(rows: Floats) -> Floats:
            sums = [np.bincount(place, share * column, number) for column in rows.T]
            return np.column_stack(sums)

        percent = Statistic(mean(np.column_stack([equal, known]).astype(np.float64)), _percent)
        if statistic is None:
            return cls(None, percent)
        return cls(Statistic(mean(statistic.rows), statistic.value), percent)


def _percent(sums: Floats) -> Floats:
    return divide(sums[..., 0], sums[..., 1])


def _splits(size: int, most: int, random: np.random.Generator) -> Ints:
    """Halves (0 and 1) of `size` ratings, 2 for one left out; shape (splits, size)."""
    half = size // 2
    number = math.comb(size, 2 * half) * math.comb(2 * half, half) // 2
    if number > most:
        sides = np.repeat([0, 1, 2], [half, half, size - 2 * half])
        return random.permuted(np.tile(sides, (most, 1)), axis=1)
    splits = []
    for kept in itertools.combinations(range(size), 2 * half):
        # The two halves are alike: the first of the kept ratings is always in the first half.
        for others in itertools.combinations(kept[1:], half - 1):
            split = np.full(size, 2)
            split[list(kept)] = 1
            split[[kept[0], *others]] = 0
            splits.append(split)
    return np.array(splits, dtype=np.int64)


def _decide(ratings: Ratings, codes: Codes) -> Ints:
    """Decided label of each row of codes: a category, or the bits of a label set; -1 where undecided."""
    rows, size = len(codes), len(ratings.labels)
    if ratings.level is not Level.SET:
        return majority(_counts(codes, rows, len(ratings.values)))
    member = np.array([[label in one for label in ratings.labels] for one in ratings.values], dtype=float)
    member = member.reshape(len(ratings.values), size)
    chosen = member[codes]
    ratings_of_row = np.full(rows, float(codes.shape[1]))
    inside, decided = majority_set(chosen.sum(axis=1), ratings_of_row, (~chosen.any(axis=2)).sum(axis=1))
    bits = inside @ (np.int64(1) << np.arange(size, dtype=np.int64))
    return np.where(decided, bits, MISSING)


def _counts(codes: Codes, rows: int, categories: int) -> Floats:
    cells = np.arange(rows)[:, None] * categories + codes
    return np.bincount(cells.ravel(), minlength=rows * categories).reshape(rows, categories).astype(float)


def _codes(ratings: Ratings, pairs: Ints) -> Statistic | None:
    """Alpha of pairs of decided labels, a row a pair; a pair with -1 adds nothing."""
    if ratings.level is Level.SET:
        keys, codes = np.unique(pairs, return_inverse=True)
        codes = codes.reshape(pairs.shape) - (1 if keys[0] == MISSING else 0)
        keys = keys[keys != MISSING]
        labels = ratings.labels
        sets = [frozenset(one for bit, one in enumerate(labels) if key >> bit & 1) for key in keys.tolist()]
        ratings = replace(ratings, values=tuple(sets))
    else:
        codes = pairs
    patterns, of_pair = reduce_codes(codes, len(ratings.values), inverse=True)
    assert of_pair is not None
    statistic = alpha_sums(ratings, patterns)
    if statistic is None or len(pairs) * statistic.rows.shape[1] > 4 * MOST_CELLS:
        return None
    empty = np.zeros((1, statistic.rows.shape[1]))
    return Statistic(np.concatenate([statistic.rows, empty])[of_pair], statistic.value)
