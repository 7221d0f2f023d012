"""Paired tests between models over the same dialogues, corrected for how many there are.

Under the null hypothesis it does not matter which of two models judged a dialogue, so the answers of the two
may change places dialogue by dialogue (Fisher's randomization test; in language processing since Noreen
1989). Utterances of a dialogue are not independent and never change places alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations
from math import lcm

import numpy as np

from baselines.data import Floats
from baselines.dialogue_sums import Measure

N_PERMUTATIONS = 10_000
CELLS_AT_ONCE = 1 << 21  # numbers held at a time: 16 MB
SAME = 1e-12  # sums in another order differ in the last bits


Runs = Sequence[Floats]
"""Sums of each run (seed) of one model, each of shape (dialogues, sums)."""


def permutation_tests(
    models: Sequence[Runs], measure: Measure, *, n_permutations: int = N_PERMUTATIONS, seed: int = 0
) -> dict[tuple[int, int], tuple[Floats, Floats]]:
    """Test every two models for a difference over the same dialogues; two-sided.

    With several runs of a model the statistic is the difference of the means over its runs, and all runs of
    both models change places in a dialogue together: the test is about these runs on such dialogues.

    Args:
        models: The runs of each model.
        measure: The metrics of the sums.
        n_permutations: Random exchanges. Where all 2^dialogues ways are no more than that, all are taken and
            the test is exact.
        seed: Seed of the exchanges.

    Returns:
        By pair of models, differences (first less second) and p values of every metric, shape (metrics,)
        each; nan where a metric does not exist. p counts the exchanges that are as extreme as what was found,
        which is one of them.
    """
    pairs = list(combinations(range(len(models)), 2))
    if not pairs:
        return {}
    dialogues = len(models[0][0])
    totals = [[rows.sum(axis=0) for rows in runs] for runs in models]
    found = {
        pair: _difference(pair, totals, _moved(models, np.zeros((1, dialogues))), measure)[0]
        for pair in pairs
    }
    extreme = {pair: np.zeros(len(measure.names)) for pair in pairs}
    drawn = 0
    for exchanged in _exchanges(dialogues, n_permutations, seed):
        moved = _moved(models, exchanged)
        for pair in pairs:
            differences = np.nan_to_num(_difference(pair, totals, moved, measure), nan=0.0)
            extreme[pair] += (np.abs(differences) >= np.abs(found[pair]) - SAME).sum(axis=0)
        drawn += len(exchanged)
    exact = _all_ways(dialogues) <= n_permutations
    return {
        pair: (
            found[pair],
            np.where(
                np.isfinite(found[pair]),
                extreme[pair] / drawn if exact else (extreme[pair] + 1) / (drawn + 1),
                np.nan,
            ),
        )
        for pair in pairs
    }


def _all_ways(dialogues: int) -> int:
    return int(2**dialogues)


def _exchanges(dialogues: int, n_permutations: int, seed: int) -> Iterator[Floats]:
    """Give which dialogues change places, 0 or 1, in blocks of shape (n, dialogues)."""
    if _all_ways(dialogues) <= n_permutations:
        ways = np.arange(_all_ways(dialogues))
        yield ((ways[:, None] >> np.arange(dialogues)) & 1).astype(np.float64)
        return
    random = np.random.Generator(np.random.PCG64(seed))
    step = max(1, min(n_permutations, CELLS_AT_ONCE // dialogues))
    for start in range(0, n_permutations, step):
        size = min(step, n_permutations - start)
        yield random.integers(0, 2, (size, dialogues), dtype=np.int8).astype(np.float64)


def _moved(models: Sequence[Runs], exchanged: Floats) -> list[list[Floats]]:
    """Sum, of each run, the dialogues that change places, shape (n, sums) each."""
    return [[exchanged @ rows for rows in runs] for runs in models]


def _difference(
    pair: tuple[int, int], totals: list[list[Floats]], moved: list[list[Floats]], measure: Measure
) -> Floats:
    """Return the difference of the means over runs after each exchange, shape (n, metrics)."""
    first, second = pair
    number = lcm(len(totals[first]), len(totals[second]))
    differences = []
    for one, other in ((place % len(totals[first]), place % len(totals[second])) for place in range(number)):
        change = moved[second][other] - moved[first][one]
        differences.append(
            measure.values(totals[first][one] + change) - measure.values(totals[second][other] - change)
        )
    mean: Floats = np.mean(differences, axis=0)
    return mean


def holm(p_values: Sequence[float]) -> list[float]:
    """Correct p values for their number (Holm 1979): the chance of one false finding or more stays below p.

    Args:
        p_values: P values of one family of tests.

    Returns:
        The corrected ones, in the same order.
    """
    corrected = [0.0] * len(p_values)
    highest = 0.0
    for rank, place in enumerate(sorted(range(len(p_values)), key=lambda one: p_values[one])):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[place]))
        corrected[place] = highest
    return corrected
