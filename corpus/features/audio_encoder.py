"""wav2vec 2.0, HuBERT and other pretrained encoders of sound."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from corpus.features.batches import by_length
from corpus.features.extractor import SAMPLE_RATE, Absent, Extractor, Floats, Item, Modality
from corpus.features.pretrained import Pretrained, computed_in, load, run
from schemas.errors import InputError, Issue

LONGEST_SECONDS = 30.0
"""Longer sound goes through the model in windows, one after the other."""
BATCH_SAMPLES = 60 * SAMPLE_RATE


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
        if front.sampling_rate != SAMPLE_RATE:
            message = "this model wants sound at another rate than the 16,000 Hz of the segments"
            raise InputError(Issue(message, self.model.name, value=front.sampling_rate))
        if self.sequence and _is_picture_of_sound(front):
            message = "this model sees sound as a picture in patches: it has no frames in time to give"
            raise InputError(Issue(message, self.model.name, column="--sequence"))
        return {
            **about,
            "layer": "last",
            "sample_rate": SAMPLE_RATE,
            "window_seconds": _window(front) / SAMPLE_RATE,
            "pooling": "none" if self.sequence else "mean over frames",
        }

    def computed_in(self) -> str:
        """Return the arithmetic and the kind of device, on the machine where it calculates."""
        return computed_in()

    def extract(self, items: Iterable[Item]) -> Iterator[Floats | Absent]:
        """Give the features of each item, in order."""
        window = _window(load("AutoFeatureExtractor", self.model))
        owners: list[int] = []
        pieces: list[Floats] = []
        count = 0
        for number, item in enumerate(items):
            assert item.audio is not None
            for first in range(0, len(item.audio), window):
                owners.append(number)
                pieces.append(item.audio[first : first + window])
            count = number + 1
        frames: list[list[Floats]] = [[] for _ in range(count)]
        for owner, vectors in zip(owners, _encode(self.model, pieces), strict=True):
            frames[owner].append(vectors)
        for parts in frames:
            whole = np.concatenate(parts)
            if not len(whole):
                yield Absent("the sound is shorter than the model's window")
            else:
                yield whole if self.sequence else whole.mean(axis=0)


def _is_picture_of_sound(front: Any) -> bool:  # noqa: ANN401 - untyped library
    """Say whether the model is an Audio Spectrogram Transformer, whose tokens are patches."""
    return bool(front.__class__.__name__ == "ASTFeatureExtractor")


def _window(front: Any) -> int:  # noqa: ANN401 - untyped library
    """Return how many samples go through a model at once: what lies beyond, some would cut off unsaid."""
    if _is_picture_of_sound(front):
        return int(front.max_length * SAMPLE_RATE / 100)  # its frames stand every 10 ms
    return int(getattr(front, "n_samples", LONGEST_SECONDS * SAMPLE_RATE))


def _encode(model: Pretrained, pieces: list[Floats]) -> list[Floats]:
    """Return the vectors of the frames of each piece of sound, shape (frames, width); empty if too short."""
    front, encoder = load("AutoFeatureExtractor", model), load("AutoModel", model)
    found: dict[int, Floats] = {}
    given: dict[int, _Input] = {}
    for number, piece in enumerate(pieces):
        found[number] = np.zeros((0, encoder.config.hidden_size), np.float32)
        if _convolved(front, encoder, len(piece)) != 0:
            ready = _prepare(front, piece)
            if ready.known and np.isfinite(ready.values).all():
                given[number] = ready

    numbers, inputs = list(given), list(given.values())
    # Some models take no mask, since their normalisation runs over the whole sound: padding would change
    # their output. There only sound of the very same length shares a batch.
    keys = None if _takes_mask(front) else [one.values.shape for one in inputs]
    for batch in by_length([one.samples for one in inputs], BATCH_SAMPLES, keys):
        members = [inputs[place] for place in batch]
        hidden = run(encoder, _collate(front, members))
        for row, place in enumerate(batch):
            steps = _steps(front, encoder, inputs[place], members, hidden.shape[1])
            found[numbers[place]] = hidden[row, :steps].copy()
    return [found[number] for number in range(len(pieces))]


@dataclass(frozen=True)
class _Input:
    """A piece of sound as a model takes it.

    Attributes:
        values: Shape (samples,), (steps, bands) or, for models without masks, what they want.
        known: How many of its samples or steps are sound and not padding.
        samples: Samples that the model works through.
        share: Share of these that is sound.
    """

    values: Floats
    known: int
    samples: int
    share: float


def _prepare(front: Any, piece: Floats) -> _Input:  # noqa: ANN401 - untyped library
    name = front.model_input_names[0]
    mask = {"return_attention_mask": True} if _takes_mask(front) else {}
    with np.errstate(invalid="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of a sound too short to have a variance
        made = front(piece, sampling_rate=SAMPLE_RATE, return_tensors="np", **mask)
    values = made[name][0]
    known = int(made["attention_mask"][0].sum()) if mask and len(values) else len(values)
    samples = getattr(front, "n_samples", len(piece))  # some pad all sound to one length
    return _Input(values, known, samples, len(piece) / samples)


def _collate(front: Any, members: list[_Input]) -> dict[str, npt.NDArray[Any]]:  # noqa: ANN401 - untyped library
    """Stack inputs, padded at the end to the longest; only those of models with masks differ in length."""
    longest = max(len(one.values) for one in members)
    padded = [
        np.pad(
            one.values,
            [(0, longest - len(one.values)), *[(0, 0)] * (one.values.ndim - 1)],
            constant_values=front.padding_value,
        )
        for one in members
    ]
    given: dict[str, npt.NDArray[Any]] = {front.model_input_names[0]: np.stack(padded)}
    if _takes_mask(front):
        known = np.array([one.known for one in members])
        given["attention_mask"] = (np.arange(longest) < known[:, None]).astype(np.int64)
    return given


def _steps(front: Any, encoder: Any, one: _Input, members: list[_Input], steps: int) -> int:  # noqa: ANN401
    """Return how many of a row's output frames are of its own sound."""
    if not _takes_mask(front):
        return math.ceil(steps * one.share)
    convolved = _convolved(front, encoder, one.known)
    longest = max(len(other.values) for other in members)
    return math.ceil(steps * one.known / longest) if convolved is None else convolved


def _convolved(front: Any, encoder: Any, samples: int) -> int | None:  # noqa: ANN401 - untyped library
    """Return how many frames the convolutions of wav2vec 2.0 and its kind make; None for other models."""
    count = getattr(encoder, "_get_feat_extract_output_lengths", None)
    if count is None or front.model_input_names[0] != "input_values":
        return None
    return max(0, int(count(samples)))


def _takes_mask(front: Any) -> bool:  # noqa: ANN401 - untyped library
    return bool(getattr(front, "return_attention_mask", False))
