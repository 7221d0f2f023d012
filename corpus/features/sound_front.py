"""What a pretrained encoder of sound takes in, and which of its frames are of whose sound."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from corpus.features.batches import by_length
from corpus.features.extractor import SAMPLE_RATE, Floats
from schemas.errors import InputError, Issue

LONGEST_SECONDS = 30.0
"""Longer sound goes through the model in windows, one after the other."""
BATCH_SAMPLES = 60 * SAMPLE_RATE
"""Sound of like length that goes through the model at once."""


@dataclass(frozen=True)
class SoundInput:
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


class SoundFront:
    """Prepares sound for an encoder and finds its frames in what comes out.

    Attributes:
        window: How many samples go through the model at once.
        takes_mask: Whether the model takes a mask. Where it takes none its normalisation runs over the whole
            sound, padding would change its output, and only inputs of the very same length share a batch.
        padding: The value that pads.
    """

    def __init__(self, front: Any, encoder: Any) -> None:  # noqa: ANN401 - untyped library
        """Take the feature extractor and the model."""
        self._front = front
        self._encoder = encoder
        self.takes_mask = bool(getattr(front, "return_attention_mask", False))
        self.window = window_of(front)
        self.padding = float(front.padding_value)

    @property
    def input_name(self) -> str:
        """What the model calls its input."""
        return str(self._front.model_input_names[0])

    def pieces(self, sound: Floats) -> list[Floats]:
        """Cut sound into windows."""
        return [sound[first : first + self.window] for first in range(0, len(sound), self.window)]

    def prepare(self, piece: Floats) -> SoundInput | None:
        """Prepare a window of sound; None where it is too short for the model.

        Args:
            piece: Shape (samples,).
        """
        if self._convolved(len(piece)) == 0:
            return None
        mask = {"return_attention_mask": True} if self.takes_mask else {}
        with np.errstate(invalid="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # of a sound too short to have a variance
            made = self._front(piece, sampling_rate=SAMPLE_RATE, return_tensors="np", **mask)
        values = made[self.input_name][0]
        known = int(made["attention_mask"][0].sum()) if mask and len(values) else len(values)
        if not known or not np.isfinite(values).all():
            return None
        samples = getattr(self._front, "n_samples", len(piece))  # some pad all sound to one length
        return SoundInput(values, known, samples, len(piece) / samples)

    def collate(self, members: Sequence[SoundInput]) -> dict[str, npt.NDArray[Any]]:
        """Stack inputs, padded to the longest; only those of models with masks differ in length."""
        longest = max(len(one.values) for one in members)
        padded = [
            np.pad(
                one.values,
                [(0, longest - len(one.values)), *[(0, 0)] * (one.values.ndim - 1)],
                constant_values=self.padding,
            )
            for one in members
        ]
        given: dict[str, npt.NDArray[Any]] = {self.input_name: np.stack(padded)}
        if self.takes_mask:
            known = np.array([one.known for one in members])
            given["attention_mask"] = (np.arange(longest) < known[:, None]).astype(np.int64)
        return given

    def batches(self, samples: Sequence[int], lengths: Sequence[int]) -> list[list[int]]:
        """Group inputs that go through the model together; places, from short to long.

        Args:
            samples: `SoundInput.samples` of each.
            lengths: Length of the values of each.
        """
        return by_length(samples, BATCH_SAMPLES, None if self.takes_mask else lengths)

    def frames(self, known: int, share: float, longest: int, steps: int) -> int:
        """Return how many of the output frames of an input are of its own sound.

        Args:
            known: `SoundInput.known`.
            share: `SoundInput.share`.
            longest: Length of the batch that it was in.
            steps: Frames that came out.
        """
        if not self.takes_mask:
            return math.ceil(steps * share)
        convolved = self._convolved(known)
        return math.ceil(steps * known / longest) if convolved is None else convolved

    def _convolved(self, samples: int) -> int | None:
        """Return how many frames the convolutions of wav2vec 2.0 and its kind make; None for other models."""
        count = getattr(self._encoder, "_get_feat_extract_output_lengths", None)
        if count is None or self.input_name != "input_values":
            return None
        return max(0, int(count(samples)))


def window_of(front: Any) -> int:  # noqa: ANN401 - untyped library
    """Return how many samples go through a model at once: what lies beyond, some would cut off unsaid."""
    if is_picture_of_sound(front):
        return int(front.max_length * SAMPLE_RATE / 100)  # its frames stand every 10 ms
    return int(getattr(front, "n_samples", LONGEST_SECONDS * SAMPLE_RATE))


def is_picture_of_sound(front: Any) -> bool:  # noqa: ANN401 - untyped library
    """Say whether the model is an Audio Spectrogram Transformer, whose tokens are patches."""
    return bool(front.__class__.__name__ == "ASTFeatureExtractor")


def refuse_other_rate(front: Any, name: str) -> None:  # noqa: ANN401 - untyped library
    """Refuse a model that wants sound at another rate.

    Raises:
        InputError: It does.
    """
    if front.sampling_rate != SAMPLE_RATE:
        message = "this model wants sound at another rate than the 16,000 Hz of the segments"
        raise InputError(Issue(message, name, value=front.sampling_rate))
