"""Any pretrained encoder of sound, on the fly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from baselines.batches import Tensors
from baselines.clips import ClipRows, without_recordings
from baselines.data import Integers, Split
from baselines.pretrained import PretrainedEncoder, describe
from corpus.features.pretrained import load, rebuilt
from corpus.features.sound_front import SoundFront, refuse_other_rate

LOADER = "AutoFeatureExtractor"


def describe_sound_encoder(name: str, tuning: str, layers: int) -> dict[str, Any]:
    """Say of an encoder, by its name on the Hub or its folder, all that a model must know to build it again.

    Raises:
        InputError: There is no such encoder, or it wants sound at another rate than 16 kHz.
    """
    recipe, model = describe(SoundEncoder.kind, name, "audio_encoder", tuning, layers)
    front = load(LOADER, model)
    refuse_other_rate(front, name)
    return recipe | {"width": load("AutoModel", model).config.hidden_size, "front": front.to_dict()}


@dataclass(frozen=True)
class SoundRows(ClipRows):
    """The sound of utterances.

    Attributes:
        front: What prepares it.
    """

    front: SoundFront

    def take(self, rows: Integers) -> Tensors:
        """Return the sound of some rows in windows: ``sound``, padded, and of every window what it is.

        ``owner``: its row; ``lengths`` of its values; ``known``, ``samples`` and ``share`` as `SoundInput`.
        """
        owners, inputs = [], []
        for place, row in enumerate(rows.tolist()):
            sound = self.clips[row].sound()
            for piece in () if sound is None else self.front.pieces(sound):
                one = self.front.prepare(piece)
                if one is not None:
                    owners.append(place)
                    inputs.append(one)
        present = np.isin(np.arange(len(rows)), owners)
        found: dict[str, Any] = {"present": present, "owner": np.array(owners, np.int64)}
        found["known"] = np.array([one.known for one in inputs], np.int64)
        found["lengths"] = np.array([len(one.values) for one in inputs], np.int64)
        found["samples"] = np.array([one.samples for one in inputs], np.int64)
        found["share"] = np.array([one.share for one in inputs], np.float64)
        found["sound"] = _padded([one.values for one in inputs])
        return {name: torch.from_numpy(one) for name, one in found.items()}


def _padded(values: Sequence[Any]) -> Any:  # noqa: ANN401 - an array
    """Stack arrays that differ in their first dimension, zeros at the end."""
    longest = max(map(len, values), default=0)
    rest = values[0].shape[1:] if values else ()
    stacked = np.zeros((len(values), longest, *rest), np.float32)
    for place, one in enumerate(values):
        stacked[place, : len(one)] = one
    return stacked


class SoundEncoder(PretrainedEncoder):
    """The mean over the frames of the last hidden layer."""

    kind = "sound-encoder"
    at_once = 16

    def __init__(self, recipe: Mapping[str, Any]) -> None:
        super().__init__(recipe)
        self._prepares = rebuilt(LOADER, recipe["front"])

    def inputs(self, split: Split) -> SoundRows:
        """Return the recordings of the split."""
        return SoundRows(split.clips or without_recordings(split.utterance_ids), self._front())

    def _front(self) -> SoundFront:
        return SoundFront(self._prepares, self.model)

    def encode(self, stream: Tensors) -> Tensor:
        """Encode sound, that of like length together."""
        front, sound, owner = self._front(), stream["sound"], stream["owner"]
        known, lengths, samples = (stream[name].tolist() for name in ("known", "lengths", "samples"))
        share = stream["share"].tolist()
        sums = torch.zeros(len(stream["present"]), self.width, device=sound.device)
        frames = torch.zeros(len(stream["present"]), device=sound.device)
        for batch in front.batches(samples, lengths):
            longest = max(lengths[place] for place in batch)
            given = _cut(sound[batch, :longest], stream["lengths"][batch], front.padding)
            mask = _inside(stream["known"][batch], longest).long()
            more = {"attention_mask": mask} if front.takes_mask else {}
            hidden = self.model(**{front.input_name: given}, **more).last_hidden_state.float()
            count = [front.frames(known[one], share[one], longest, hidden.shape[1]) for one in batch]
            counts = torch.tensor(count, device=sound.device)
            own = _inside(counts, hidden.shape[1])[..., None]  # (pieces, frames, 1)
            sums = sums.index_add(0, owner[batch], (hidden * own).sum(dim=1))
            frames = frames.index_add(0, owner[batch], counts.float())
        return sums / frames.clamp(min=1)[:, None]


def _inside(lengths: Tensor, longest: int) -> Tensor:
    """Return where rows of these lengths are not padding, shape (rows, longest)."""
    return torch.arange(longest, device=lengths.device) < lengths[:, None]


def _cut(sound: Tensor, lengths: Tensor, padding: float) -> Tensor:
    """Put the padding of a model beyond the lengths."""
    inside = _inside(lengths, sound.shape[1])
    return torch.where(inside.view(*inside.shape, *[1] * (sound.ndim - 2)), sound, padding)
