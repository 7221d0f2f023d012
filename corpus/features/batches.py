"""Batches of utterances of like length, the same whatever machine they run on."""

from __future__ import annotations

from collections.abc import Hashable, Sequence


def by_length(lengths: Sequence[int], budget: int, keys: Sequence[Hashable] | None = None) -> list[list[int]]:
    """Group utterances so that padding is little and a batch is not too big.

    Args:
        lengths: Steps of each utterance.
        budget: Most steps of a batch, padding counted; a longer utterance is alone.
        keys: Utterances of different keys are never in one batch.

    Returns:
        Positions by batch, from short to long; every position is in one batch.
    """
    kinds = {key: number for number, key in enumerate(dict.fromkeys(keys or [None]))}
    place = [kinds[key] for key in keys] if keys else [0] * len(lengths)
    batches: list[list[int]] = []
    for index in sorted(range(len(lengths)), key=lambda one: (place[one], lengths[one], one)):
        last = batches[-1] if batches else []
        fits = last and place[last[0]] == place[index] and (len(last) + 1) * lengths[index] <= budget
        if fits:
            last.append(index)
        else:
            batches.append([index])
    return batches
