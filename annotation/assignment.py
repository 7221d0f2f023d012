"""Who rates what, in which order: a balanced incomplete block design over dialogues.

Every dialogue goes to ``k`` of ``n`` raters. Dialogues are dealt one after the other, largest first, to the
raters with the fewest so far, among these to those who have met each other least: loads differ by at most one
dialogue, and pairs of raters share as equal a number of dialogues as that allows. Where ``k`` and ``n`` admit
a balanced incomplete block design and the dialogues fill it, this is (nearly) one; where they do not, it is
as near to one as dealing gets.

Each rater meets the dialogues in an order of their own, and some of them a second time, late, for
test-retest. Everything follows from the seed.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from zlib import crc32

import numpy as np
import numpy.typing as npt

from schemas.errors import InputError, Issue

_EXCHANGES = 20  # attempts a dialogue

Assignment = Mapping[str, tuple[str, ...]]
"""The raters of each dialogue."""


@dataclass(frozen=True)
class Stop:
    """A place in a rater's queue.

    Attributes:
        dialogue: The dialogue to be rated.
        occasion: 1, or 2 when the rater meets it again for test-retest.
    """

    dialogue: str
    occasion: int = 1


def assign(
    sizes: Mapping[str, int],
    raters: Sequence[str],
    k: int,
    *,
    seed: int = 0,
    barred: Mapping[str, Collection[str]] | None = None,
) -> dict[str, tuple[str, ...]]:
    """Deal dialogues to raters.

    Args:
        sizes: How many utterances are to be rated in each dialogue.
        raters: The raters, each once.
        k: How many raters a dialogue gets.
        seed: The same seed gives the same assignment.
        barred: Dialogues that a rater may not get, because they have seen more of them already.

    Returns:
        The ``k`` raters of each dialogue in the order of ``raters``, dialogues in the order of ``sizes``.

    Raises:
        InputError: There are fewer raters than ``k``, a dialogue has fewer than ``k`` raters who may rate it,
            or two raters would share no dialogue, so that their agreement could not be measured.
    """
    barred = {name: frozenset(dialogues) for name, dialogues in (barred or {}).items()}
    _refuse_impossible(sizes, raters, k, barred)
    rng = np.random.default_rng(seed)
    place = {name: position for position, name in enumerate(raters)}
    load = dict.fromkeys(raters, 0)
    met = np.zeros((len(raters), len(raters)), np.int64)
    chance = rng.permutation(len(sizes)).tolist()
    dealt: dict[str, tuple[str, ...]] = {}
    for _, _, dialogue in sorted(
        zip((-size for size in sizes.values()), chance, sizes, strict=True), key=lambda one: one[:2]
    ):
        lot = dict(zip(raters, rng.permutation(len(raters)).tolist(), strict=True))
        free = [name for name in raters if dialogue not in barred.get(name, ())]
        chosen: list[str] = []
        for _ in range(k):
            best = min(
                (name for name in free if name not in chosen),
                key=lambda name: (load[name], sum(met[place[name], place[one]] for one in chosen), lot[name]),
            )
            chosen.append(best)
        for one, other in itertools.permutations(chosen, 2):
            met[place[one], place[other]] += 1
        for name in chosen:
            load[name] += 1
        dealt[dialogue] = tuple(chosen)
    _even_out(dealt, met, place, barred, rng)
    found = {dialogue: tuple(sorted(dealt[dialogue], key=place.__getitem__)) for dialogue in sizes}
    _refuse_strangers(found, raters, k)
    return found


def _even_out(
    dealt: dict[str, tuple[str, ...]],
    met: npt.NDArray[np.int64],
    place: Mapping[str, int],
    barred: Mapping[str, Collection[str]],
    rng: np.random.Generator,
) -> None:
    """Exchange raters between dialogues where that makes pairs meet more equally.

    Dialogues that were dealt one soon after the other are of like size, so exchanges leave loads as they are,
    in dialogues and nearly in utterances. ``met`` is kept up to date.
    """
    names = list(dealt)
    near = 2 * len(place)
    for first, step in zip(
        rng.integers(len(names), size=_EXCHANGES * len(names)).tolist(),
        rng.integers(1, near + 1, size=_EXCHANGES * len(names)).tolist(),
        strict=True,
    ):
        one, other = names[first], names[(first + step) % len(names)]
        if first + step >= len(names) or not np.ptp(met[np.triu_indices(len(place), 1)]) > 1:
            continue
        mine, theirs = set(dealt[one]) - set(dealt[other]), set(dealt[other]) - set(dealt[one])
        if not mine:
            continue
        out, into = rng.choice(sorted(mine)), rng.choice(sorted(theirs))
        if one in barred.get(into, ()) or other in barred.get(out, ()):
            continue
        stay = [place[name] for name in dealt[one] if name != out]
        there = [place[name] for name in dealt[other] if name != into]
        gone, come = place[out], place[into]
        change = np.zeros_like(met)
        for row, column, by in (
            *((gone, each, -1) for each in stay), *((come, each, 1) for each in stay),
            *((come, each, -1) for each in there), *((gone, each, 1) for each in there),
        ):  # fmt: skip
            change[row, column] += by
            change[column, row] += by
        if ((met + change) ** 2).sum() < (met**2).sum():
            met += change
            dealt[one] = tuple(into if name == out else name for name in dealt[one])
            dealt[other] = tuple(out if name == into else name for name in dealt[other])


def _refuse_impossible(
    sizes: Mapping[str, int], raters: Sequence[str], k: int, barred: Mapping[str, Collection[str]]
) -> None:
    if len(set(raters)) < len(raters):
        raise InputError("a rater stands twice in the list of raters")
    if not sizes:
        raise InputError("there are no dialogues to assign")
    if not 1 <= k <= len(raters):
        raise InputError(
            Issue(f"each dialogue cannot get {k} of {len(raters)} raters", "k", value=k,
                  choices=range(1, len(raters) + 1))
        )  # fmt: skip
    issues = []
    for dialogue in sizes:
        free = sum(dialogue not in barred.get(name, ()) for name in raters)
        if free < k:
            message = (
                f"only {free} raters may rate this dialogue, {k} are needed: the others have seen more of it"
            )
            issues.append(Issue(message, "dialogue", value=dialogue))
    if issues:
        raise InputError(issues)


def _refuse_strangers(found: Assignment, raters: Sequence[str], k: int) -> None:
    """Refuse a design in which two raters share no dialogue."""
    shared = overlap(found)
    strangers = [pair for pair in itertools.combinations(raters, 2) if not shared.get(frozenset(pair))]
    if k > 1 and strangers:
        least = math.ceil(len(raters) * (len(raters) - 1) / (k * (k - 1)))
        raise InputError(
            Issue(
                f"{len(strangers)} pairs of raters would share no dialogue, so their agreement could not be "
                f"measured: {len(raters)} raters, {k} a dialogue, need at least {least} dialogues and "
                f"usually twice as many ({len(found)} are given); take fewer raters or more a dialogue",
                "assignment",
                value=" and ".join(strangers[0]),
            )
        )


def overlap(assignment: Assignment) -> dict[frozenset[str], int]:
    """Count the dialogues that every two raters share."""
    shared: dict[frozenset[str], int] = {}
    for raters in assignment.values():
        for pair in itertools.combinations(raters, 2):
            shared[frozenset(pair)] = shared.get(frozenset(pair), 0) + 1
    return shared


def queues(assignment: Assignment, *, seed: int = 0, repeats: float = 0.0) -> dict[str, tuple[Stop, ...]]:
    """Put the dialogues of every rater into an order of the rater's own.

    Args:
        assignment: The raters of each dialogue.
        seed: The same seed gives the same orders; a rater's order does not depend on who else takes part.
        repeats: Share of each rater's dialogues, 0 to 0.5, that the rater meets again. They come from the
            first half of the queue and stand at random places of its last third, so that about a third of
            the queue or more lies between (in queues of a few dialogues, less).

    Returns:
        The queue of each rater, raters in the order in which they first occur.

    Raises:
        InputError: ``repeats`` is out of range.
    """
    if not 0 <= repeats <= 0.5:
        raise InputError(Issue("the share of repeats lies between 0 and 0.5", "repeats", value=repeats))
    own: dict[str, list[str]] = {}
    for dialogue, raters in assignment.items():
        for name in raters:
            own.setdefault(name, []).append(dialogue)
    return {name: _queue(dialogues, name, seed, repeats) for name, dialogues in own.items()}


def _queue(dialogues: Sequence[str], rater: str, seed: int, repeats: float) -> tuple[Stop, ...]:
    rng = np.random.default_rng([seed, crc32(rater.encode())])
    order = [dialogues[place] for place in rng.permutation(len(dialogues))]
    count = math.ceil(repeats * len(order)) if len(order) > 1 else 0
    early = order[: max(count, (len(order) - 1) // 3)]
    again = [early[place] for place in rng.permutation(len(early))[:count]]
    queue = [Stop(dialogue) for dialogue in order]
    for dialogue in again:
        # Later places first exist when earlier repeats are in: the draw reaches up to the end.
        first = max(queue.index(Stop(dialogue)) + 2, math.ceil(len(order) * 2 / 3))
        queue.insert(int(rng.integers(min(first, len(queue)), len(queue) + 1)), Stop(dialogue, 2))
    return tuple(queue)
