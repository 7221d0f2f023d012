"""Mel-frequency cepstral coefficients with deltas, and prosody: pitch, energy, voice activity."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import scipy.fft
from scipy.ndimage import convolve1d
from scipy.signal import savgol_coeffs

from corpus.features import pitch as pitch_tracker
from corpus.features.extractor import Absent, Extractor, Floats, Item, Modality
from corpus.features.pooling import mean_and_deviation
from corpus.features.sound import FRAMES, HOP, WINDOW, cut, decibels, mel_db

COEFFICIENTS = 13
BANDS = 40
DELTA_WIDTH = 9
"""Frames over which a slope is fitted."""
ACTIVE_RANGE = 30.0
"""Decibels: a frame is active when it is at most this far below the loud ones (the 95th percentile) ..."""
ACTIVE_FROM = -60.0
"""... and at least this loud, against full scale."""

COLUMNS = (
    *(f"mfcc_{number}" for number in range(COEFFICIENTS)),
    *(f"mfcc_{number}_delta" for number in range(COEFFICIENTS)),
    *(f"mfcc_{number}_delta_delta" for number in range(COEFFICIENTS)),
    "energy_db",
    "pitch_log2_hz",
    "periodic_share",
    "voiced",
    "active",
)
"""A frame. The pitch is 0 where the frame is not voiced."""
_SLOPES = [
    savgol_coeffs(DELTA_WIDTH, order, deriv=order).astype(np.float32) for order in (1, 2)
]  # of a straight line and of a parabola fitted to the frames around (Savitzky and Golay 1964)
_PITCH, _VOICED = COLUMNS.index("pitch_log2_hz"), COLUMNS.index("voiced")


def frame_features(audio: Floats) -> Floats:
    """Describe every frame of 10 ms.

    Args:
        audio: Mono, 16 kHz, shape (samples,).

    Returns:
        Shape (1 + samples // 160, columns of `COLUMNS`).
    """
    # No floor below the loudest frame, as librosa sets by default: it would depend on the whole utterance.
    cepstrum = scipy.fft.dct(mel_db(audio, BANDS), axis=1, norm="ortho")[:, :COEFFICIENTS]
    slopes = [convolve1d(cepstrum, slope, axis=0, mode="nearest") for slope in _SLOPES]
    energy = energy_db(audio)
    active = energy >= max(float(np.percentile(energy, 95)) - ACTIVE_RANGE, ACTIVE_FROM)
    hertz, share = pitch_tracker.pitch(audio, HOP)
    voiced = active & (share >= pitch_tracker.PERIODIC)
    prosody = [energy, np.where(voiced, np.log2(hertz), 0), share, voiced, active]
    return np.column_stack([cepstrum, *slopes, *prosody]).astype(np.float32)


def energy_db(audio: Floats) -> Floats:
    """Return the mean power of each frame in decibels against full scale, shape (1 + samples // 160,)."""
    frames = cut(audio, WINDOW, HOP)
    return decibels(np.einsum("fs,fs->f", frames, frames) / WINDOW)


def pool(frames: Floats) -> Floats:
    """Pool frames: means of all columns, then standard deviations; the pitch over voiced frames alone."""
    pooled = mean_and_deviation(frames)
    voiced = frames[frames[:, _VOICED] > 0][:, [_PITCH]]
    pooled[[_PITCH, len(COLUMNS) + _PITCH]] = mean_and_deviation(voiced) if len(voiced) else 0
    return pooled


@dataclass(frozen=True)
class Mfcc(Extractor):
    """13 coefficients, their slopes and the slopes of these (Davis and Mermelstein 1980), and prosody.

    Attributes:
        sequence: Whether every frame is given; otherwise the mean and the standard deviation of each column.
    """

    version: ClassVar[int] = 2
    packages: ClassVar[tuple[str, ...]] = ("numpy", "scipy", "librosa")
    name: str = field(default="mfcc", init=False)
    modality: Modality = field(default=Modality.AUDIO, init=False)
    sequence: bool = False

    def parameters(self) -> dict[str, Any]:
        """Return all that decides the numbers."""
        return {
            **FRAMES,
            "mel_bands": BANDS,
            "coefficients": COEFFICIENTS,
            "delta_frames": DELTA_WIDTH,
            "pitch": pitch_tracker.PARAMETERS,
            "active_range_db": ACTIVE_RANGE,
            "active_from_db": ACTIVE_FROM,
            "columns": list(COLUMNS),
            "pooling": "none"
            if self.sequence
            else "mean of each column, then standard deviation of each; of the pitch over voiced frames, "
            "0 where there are none",
        }

    def extract(self, items: Iterable[Item]) -> Iterator[Floats | Absent]:
        """Give the features of each item, in order."""
        for item in items:
            assert item.audio is not None
            frames = frame_features(item.audio)
            yield frames if self.sequence else pool(frames)
