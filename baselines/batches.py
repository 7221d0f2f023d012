"""Batches of whole dialogues.

What belongs to an utterance is *packed*: the rows of a batch follow one another, dialogue after dialogue,
without padding. Only where turns follow turns are rows laid out as sequences, padded at the end, by the
places that a batch carries: of each dialogue (`TURNS`), and of each speaker within a dialogue (`OWN_TURNS`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import torch
from torch.utils.data import Dataset, Sampler

from baselines.data import Integers, Labels, Split

TURNS = "turns"
OWN_TURNS = "own_turns"
PADDING = -1
Tensors = dict[str, torch.Tensor]
Batch = dict[str, Any]
"""``turns``, shape (dialogues, turns), and ``own_turns``, shape (speakers of dialogues, turns): rows, and -1
beyond the end. ``streams``: tensors of every stream by its name. ``targets``: by field ``values``, ``known``
and ``soft`` where there are soft labels; absent where nothing is to be learnt."""


class Stream(Protocol):
    """One input of a split, ready to be cut into batches."""

    def take(self, rows: Integers) -> Tensors:
        """Return the tensors of some rows."""


class Dialogues(Dataset[Integers]):
    """The dialogues of a split: an item is the rows of one, and `collate` makes batches of them.

    Attributes:
        lengths: Turns of every dialogue, shape (dialogues,).
    """

    def __init__(self, split: Split, streams: Mapping[str, Stream], fields: Sequence[str] = ()) -> None:
        """Take a split.

        Args:
            split: The utterances.
            streams: Its inputs.
            fields: The fields whose labels are targets.
        """
        self._streams = streams
        starts = np.flatnonzero(np.diff(split.dialogue, prepend=-1))
        self._starts = np.append(starts, len(split))
        self.lengths: Integers = np.diff(self._starts)
        self._speakers = _speaker_numbers(split)
        self._targets = {name: _targets(split.labels[name]) for name in fields}

    def __len__(self) -> int:
        return len(self.lengths)

    def __getitem__(self, dialogue: int) -> Integers:
        return np.arange(self._starts[dialogue], self._starts[dialogue + 1])

    def collate(self, dialogues: Sequence[Integers]) -> Batch:
        """Make a batch of the rows of some dialogues."""
        rows = np.concatenate(dialogues)
        owner = np.repeat(np.arange(len(dialogues)), [len(one) for one in dialogues])
        who = owner * (self._speakers.max() + 1) + self._speakers[rows]
        _, speaker = np.unique(who, return_inverse=True)
        picked = torch.from_numpy(rows)
        batch: Batch = {
            TURNS: torch.from_numpy(places(owner)),
            OWN_TURNS: torch.from_numpy(places(speaker)),
            "streams": {name: stream.take(rows) for name, stream in self._streams.items()},
        }
        if self._targets:
            batch["targets"] = {
                name: {part: values[picked] for part, values in target.items()}
                for name, target in self._targets.items()
            }
        return batch


def places(owner: Integers) -> Integers:
    """Lay rows out as sequences.

    Args:
        owner: The sequence of every row, from 0, shape (rows,).

    Returns:
        The rows of each sequence in order, `PADDING` beyond its end, shape (sequences, longest).
    """
    order = np.argsort(owner, kind="stable")
    lengths = np.bincount(owner)
    laid_out = np.full((len(lengths), lengths.max()), PADDING)
    laid_out[np.arange(lengths.max()) < lengths[:, None]] = order
    return laid_out


def _speaker_numbers(split: Split) -> Integers:
    """Number the speakers; an unknown one is somebody else in every turn."""
    names = dict.fromkeys(one for one in split.speakers if one is not None)
    numbers = {name: number for number, name in enumerate(names)}
    return np.array(
        [len(numbers) + row if one is None else numbers[one] for row, one in enumerate(split.speakers)],
        np.int64,
    )


def _targets(labels: Labels) -> Tensors:
    values = labels.values
    kind = np.int64 if values.dtype.kind == "i" else np.float32
    found = {"values": torch.from_numpy(values.astype(kind)), "known": torch.from_numpy(labels.known.copy())}
    if labels.soft is not None:
        found["soft"] = torch.from_numpy(labels.soft.astype(np.float32))
    return found


class DialogueBatches(Sampler[list[int]]):
    """Batches of dialogues of about one length, as many as fit a budget of turns, in a new order every epoch.

    Where batches are cut depends on the lengths alone, so that every epoch has the same number of them; which
    of the dialogues of one length share a batch, and the order of the batches, follow from seed and epoch.
    """

    def __init__(
        self,
        lengths: Integers,
        max_turns: int,
        *,
        seed: int | None = None,
        processes: int = 1,
    ) -> None:
        """Cut the batches.

        Args:
            lengths: Turns of every dialogue.
            max_turns: The most turns of a batch, padding included; a longer dialogue has a batch of its own.
            seed: Seed of the order; by default dialogues come in order of their length.
            processes: How many processes share the batches: their number is brought to a multiple of it.
        """
        self._lengths = lengths
        self._seed = seed
        self._epoch = 0
        self._processes = processes
        self._cuts = _cuts(np.sort(lengths, kind="stable"), max_turns)

    def set_epoch(self, epoch: int) -> None:
        """Say which epoch comes next."""
        self._epoch = epoch

    def __len__(self) -> int:
        return -(-(len(self._cuts) - 1) // self._processes) * self._processes

    def __iter__(self) -> Iterator[list[int]]:
        if self._seed is None:
            order: Integers = np.argsort(self._lengths, kind="stable")
            turn: Integers = np.arange(len(self._cuts) - 1)
        else:
            rng = np.random.default_rng([self._seed, self._epoch])
            order = np.lexsort((rng.random(len(self._lengths)), self._lengths))
            turn = rng.permutation(len(self._cuts) - 1)
        for number in np.resize(turn, len(self)):
            yield order[self._cuts[number] : self._cuts[number + 1]].tolist()


def _cuts(lengths: Integers, max_turns: int) -> list[int]:
    """Cut dialogues in order of length into batches within the budget; return where each batch begins."""
    cuts = [0]
    for place, length in enumerate(lengths.tolist()):
        # Longest last, so the newest one sets the padded length.
        if place > cuts[-1] and (place - cuts[-1] + 1) * length > max_turns:
            cuts.append(place)
    return [*cuts, len(lengths)]
