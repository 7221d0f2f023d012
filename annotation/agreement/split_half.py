"""Split-half reliability: would other raters of the same kind have decided the same labels?

The ratings of each item are split into two halves, each half decides a label, and the two are compared. All
splits of an item count, or as many random ones as asked for, because any one of them is an accident.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse

from annotation.agreement.alpha import alpha_sums
from annotation.agreement.coefficients import Moments, Statistic, divide, interval_statistic
from annotation.agreement.consensus import majority, majority_set
from annotation.agreement.estimation import Units
from annotation.agreement.patterns import MISSING, Codes, Floats, Ints, Patterns, reduce_codes
from annotation.agreement.reading import Ratings
from annotation.agreement.reasons import MOST_CATEGORIES, NO_PAIRS, ONE_VALUE, TOO_LARGE
from annotation.agreement.results import Coefficient
from annotation.agreement.unit_sums import estimates, rows_by_size
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


def split_half(ratings: Ratings, *, n_splits: int = 1000, n_boot: int = 1000, seed: int = 0) -> SplitHalf:
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
    patterns = ratings.patterns
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
    found = estimates(statistics, Units.of(ratings), n_boot, seed)
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
            if len(splits) == most:  # the same splits of every pattern would err in the same way
                codes = random.permuted(codes, axis=1)
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
        if numeric:
            statistic: Statistic | None = interval_statistic(Moments.of_numbers(pair.astype(np.float64)))
            of_pair: Ints = np.arange(len(pair))
        else:
            statistic, of_pair = _codes(ratings, np.where(known[:, None], pair, MISSING))
        shape = (len(patterns.items), len(pair))
        mean = sparse.csr_matrix((share, (place, np.arange(len(pair)))), shape)
        percent = Statistic(mean @ np.column_stack([equal, known]).astype(np.float64), _percent)
        if statistic is None:
            return cls(None, percent)
        of_pattern = sparse.csr_matrix(
            (share[of_pair >= 0], (place[of_pair >= 0], of_pair[of_pair >= 0])),
            (len(patterns.items), len(statistic.rows)),
        )
        return cls(Statistic(np.asarray(of_pattern @ statistic.rows), statistic.value), percent)


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
    chosen = ratings.label_matrix[codes]
    ratings_of_row = np.full(rows, float(codes.shape[1]))
    inside, decided = majority_set(chosen.sum(axis=1), ratings_of_row, (~chosen.any(axis=2)).sum(axis=1))
    bits = inside @ (np.int64(1) << np.arange(size, dtype=np.int64))
    return np.where(decided, bits, MISSING)


def _counts(codes: Codes, rows: int, categories: int) -> Floats:
    cells = np.arange(rows)[:, None] * categories + codes
    return np.bincount(cells.ravel(), minlength=rows * categories).reshape(rows, categories).astype(float)


def _codes(ratings: Ratings, pairs: Ints) -> tuple[Statistic | None, Ints]:
    """Alpha of pairs of decided labels, a row a distinct pair, and the row of each pair (-1 undecided)."""
    codes = pairs
    if ratings.level is Level.SET:
        keys, codes = np.unique(np.append(pairs, MISSING), return_inverse=True)
        codes = codes[:-1].reshape(pairs.shape) - 1
        labels = ratings.labels
        sets = [frozenset(one for k, one in enumerate(labels) if key >> k & 1) for key in keys[1:].tolist()]
        ratings = replace(ratings, values=tuple(sets))
    patterns, of_pair = reduce_codes(codes, len(ratings.values), inverse=True)
    assert of_pair is not None
    return alpha_sums(ratings, patterns), of_pair
