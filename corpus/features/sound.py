"""Frames of sound, and what the extractors that look at them share."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import scipy.fft
from numpy.lib.stride_tricks import sliding_window_view

from corpus.features.extractor import SAMPLE_RATE, Floats

WINDOW = 400
HOP = 160
"""Samples of a frame and between frames at 16 kHz: 25 ms every 10 ms, as is usual for speech."""
FOURIER = 512
FLOOR = 1e-10
"""The least power, so that silence has a logarithm: -100 dB."""
BLOCK = 256
"""Frames that are transformed together: so many stay in the processor's cache."""
FRAMES: dict[str, Any] = {
    "sample_rate": SAMPLE_RATE,
    "window_samples": WINDOW,
    "hop_samples": HOP,
    "fourier_samples": FOURIER,
    "window": "hann",
    "centred": True,
    "floor": FLOOR,
}
"""How frames are cut, for recipes."""
_TAPER = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW) / WINDOW)).astype(np.float32)


def cut(audio: Floats, window: int, hop: int) -> Floats:
    """Cut sound into frames; frame n has sample n * hop in its middle, beyond the ends is silence.

    Args:
        audio: Shape (samples,).
        window: Samples of a frame, even.
        hop: Samples between frames.

    Returns:
        A view of shape (1 + samples // hop, window).
    """
    padded = np.pad(audio, window // 2)
    return sliding_window_view(padded, window)[::hop]


@cache
def _mel_filters(bands: int) -> Floats:
    from librosa.filters import mel

    filters: Floats = mel(sr=SAMPLE_RATE, n_fft=FOURIER, n_mels=bands).T
    return filters


def mel_db(audio: Floats, bands: int) -> Floats:
    """Return the power in mel bands (Slaney's scale), in decibels.

    What ``librosa.feature.melspectrogram`` gives, several times faster for short sound.

    Args:
        audio: Mono, 16 kHz, shape (samples,).
        bands: How many bands, from 0 to 8 kHz.

    Returns:
        Shape (1 + samples // 160, bands), from -100 up.
    """
    frames = cut(audio, WINDOW, HOP)
    power = np.empty((len(frames), bands), np.float32)
    for first in range(0, len(frames), BLOCK):
        spectrum = scipy.fft.rfft(frames[first : first + BLOCK] * _TAPER, FOURIER, axis=1)
        power[first : first + BLOCK] = (spectrum.real**2 + spectrum.imag**2) @ _mel_filters(bands)
    return decibels(power)


def decibels(power: Floats) -> Floats:
    """Return power in decibels, at least -100."""
    return np.asarray(10 * np.log10(np.maximum(power, FLOOR)), np.float32)
