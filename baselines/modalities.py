"""A trained model without some of its modalities: ablation at test time, and robustness to missing ones."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from baselines.data import Mask, Split
from baselines.seen import AUDIO, STREAMS, TEXT, VIDEO

RATES = (0.25, 0.5, 0.75)
"""Shares of utterances without a modality."""
_ENCODED = {
    TEXT: (STREAMS["text-encoder"],),
    AUDIO: (STREAMS["sound-encoder"],),
    VIDEO: (STREAMS["picture-encoder"],),
}
"""What a frozen encoder said of a modality, where a split was prepared."""


@dataclass(frozen=True)
class Masked:
    """A model's headline metrics where something was hidden from it.

    Attributes:
        hidden: The hidden modalities.
        rate: Share of the utterances from which each of them was hidden, each on its own.
        metrics: The headline metric by field; None where it does not exist.
    """

    hidden: tuple[str, ...]
    rate: float
    metrics: Mapping[str, float | None]


def hide(split: Split, modalities: Collection[str], where: Mapping[str, Mask] | None = None) -> Split:
    """Return a split in which modalities are missing.

    Args:
        split: The split.
        modalities: ``text``, ``audio``, ``video``, or names of precomputed features. ``text`` hides the words
            and, where there are some, the features of that name; ``audio`` and ``video`` likewise the sound
            and the pictures of recordings.
        where: By modality, the utterances from which it is hidden, shape (rows,); by default all.

    Returns:
        The split with empty texts, and features that are not present.
    """
    texts, features, clips = list(split.texts), dict(split.features), list(split.clips)
    for name in modalities:
        rows = np.ones(len(split), np.bool_) if where is None else where[name]
        if name == TEXT:
            texts = ["" if hidden else one for one, hidden in zip(texts, rows, strict=True)]
        if clips and name in (AUDIO, VIDEO):
            clips = [one.without(name) if hidden else one for one, hidden in zip(clips, rows, strict=True)]
        for held in {name, *_ENCODED.get(name, ())} & set(features):
            one = features[held]
            features[held] = dataclasses.replace(
                one, values=np.where(rows[:, None], 0, one.values), present=one.present & ~rows
            )
    return dataclasses.replace(split, texts=texts, features=features, clips=clips)


def ablate(
    split: Split,
    modalities: Sequence[str],
    headlines: Callable[[Split], Mapping[str, float | None]],
    seed: int = 0,
) -> tuple[Masked, ...]:
    """Judge a model without each of its modalities, with each alone, and with some missing at random.

    Args:
        split: The split.
        modalities: What the model sees; nothing is done for a model of one modality.
        headlines: Gives the headline metric of every field of a split.
        seed: Seed of what is missing at random.
    """
    if len(modalities) < 2:
        return ()
    without = [(name,) for name in modalities]
    alone = [tuple(other for other in modalities if other != name) for name in modalities]
    hidden = list(dict.fromkeys([*without, *alone]))  # of two modalities these are the same
    found = [Masked(one, 1.0, headlines(hide(split, one))) for one in hidden]
    random = np.random.Generator(np.random.PCG64(seed))
    draws = {name: random.random(len(split)) for name in modalities}  # what misses at .25 misses at .5
    for rate in RATES:
        where = {name: draw < rate for name, draw in draws.items()}
        found.append(Masked(tuple(modalities), rate, headlines(hide(split, modalities, where))))
    return tuple(found)
