"""wav2vec 2.0, HuBERT and other pretrained encoders of sound."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from corpus.features.extractor import SAMPLE_RATE, Absent, Extractor, Floats, Item, Modality
from corpus.features.pretrained import Pretrained, computed_in, load, run
from corpus.features.sound_front import SoundFront, is_picture_of_sound, refuse_other_rate, window_of
from schemas.errors import InputError, Issue


@dataclass(frozen=True)
class AudioEncoder(Extractor):
    """The last hidden layer of an encoder of sound: the mean over its frames, or every frame's vector.

    Attributes:
        model: The model.
    """

    packages: ClassVar[tuple[str, ...]] = ("torch", "transformers")
    name: str
    modality: Modality = field(default=Modality.AUDIO, init=False)
    sequence: bool = False
    model: Pretrained = field(kw_only=True)

    def parameters(self) -> dict[str, Any]:
        """Return all that decides the numbers.

        Raises:
            InputError: The model is not there, wants sound at another rate, or has no frames in time.
        """
        about = self.model.describe()
        front = load("AutoFeatureExtractor", self.model)
        refuse_other_rate(front, self.model.name)
        if self.sequence and is_picture_of_sound(front):
            message = "this model sees sound as a picture in patches: it has no frames in time to give"
            raise InputError(Issue(message, self.model.name, column="--sequence"))
        return {
            **about,
            "layer": "last",
            "sample_rate": SAMPLE_RATE,
            "window_seconds": window_of(front) / SAMPLE_RATE,
            "pooling": "none" if self.sequence else "mean over frames",
        }

    def computed_in(self) -> str:
        """Return the arithmetic and the kind of device, on the machine where it calculates."""
        return computed_in()

    def extract(self, items: Iterable[Item]) -> Iterator[Floats | Absent]:
        """Give the features of each item, in order."""
        front = SoundFront(load("AutoFeatureExtractor", self.model), load("AutoModel", self.model))
        owners: list[int] = []
        pieces: list[Floats] = []
        count = 0
        for number, item in enumerate(items):
            assert item.audio is not None
            windows = front.pieces(item.audio)
            owners += [number] * len(windows)
            pieces += windows
            count = number + 1
        frames: list[list[Floats]] = [[] for _ in range(count)]
        for owner, vectors in zip(owners, _encode(self.model, front, pieces), strict=True):
            frames[owner].append(vectors)
        for parts in frames:
            whole = np.concatenate(parts)
            if not len(whole):
                yield Absent("the sound is shorter than the model's window")
            else:
                yield whole if self.sequence else whole.mean(axis=0)


def _encode(model: Pretrained, front: SoundFront, pieces: list[Floats]) -> list[Floats]:
    """Return the vectors of the frames of each piece of sound, shape (frames, width); empty if too short."""
    encoder = load("AutoModel", model)
    prepared = [front.prepare(piece) for piece in pieces]
    found = [np.zeros((0, encoder.config.hidden_size), np.float32) for _ in pieces]
    numbers = [number for number, one in enumerate(prepared) if one is not None]
    inputs = [one for one in prepared if one is not None]
    for batch in front.batches([one.samples for one in inputs], [len(one.values) for one in inputs]):
        members = [inputs[place] for place in batch]
        hidden = run(encoder, front.collate(members))
        longest = max(len(one.values) for one in members)
        for row, place in enumerate(batch):
            steps = front.frames(inputs[place].known, inputs[place].share, longest, hidden.shape[1])
            found[numbers[place]] = hidden[row, :steps].copy()
    return found
