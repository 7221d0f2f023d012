"""The pitch of speech by autocorrelation (Boersma 1993).

The autocorrelation of each windowed frame is divided by that of its window; the height of the chosen peak is
the share of the signal that is periodic. All frames go through one Fourier transform, several times faster
than YIN and 50 times faster than probabilistic YIN. There is no search for a path over frames: each stands
for itself.
"""

from __future__ import annotations

import numpy as np
import scipy.fft
from scipy.signal import resample_poly

from corpus.features.extractor import SAMPLE_RATE, Floats
from corpus.features.sound import BLOCK, cut

LOWEST = 65.0
HIGHEST = 500.0
"""Pitches that are looked for, in Hz: voices of adults and children."""
RATE = 8_000
"""Samples a second that the tracker works on: no pitch lies above 500 Hz."""
WINDOW = 480
"""Samples of a frame: 60 ms, nearly four periods of the lowest pitch."""
OCTAVE_COST = 0.05
"""How much less a peak counts for each octave below: two periods repeat as well as one does."""
PERIODIC = 0.5
"""A frame is periodic when its peak is at least this high, of 1."""
PARAMETERS = {
    "method": "autocorrelation (Boersma 1993), no path search",
    "lowest_hz": LOWEST,
    "highest_hz": HIGHEST,
    "sample_rate": RATE,
    "window_samples": WINDOW,
    "octave_cost": OCTAVE_COST,
    "periodic_from": PERIODIC,
}
_FIRST, _LAST = int(RATE / HIGHEST), int(np.ceil(RATE / LOWEST))
_SIZE = int(scipy.fft.next_fast_len(WINDOW + _LAST + 2, real=True))
_SLOWER = SAMPLE_RATE // RATE
_TAPER = np.hanning(WINDOW).astype(np.float32)
_COST = (OCTAVE_COST * np.log2(LOWEST * np.arange(_FIRST, _LAST + 1) / RATE)).astype(np.float32)
_SILENCE = 1e-12
"""Energy of a frame under which nothing is to be found in it."""


def _autocorrelation(frames: Floats) -> Floats:
    """Return the autocorrelation at lags 0 to `_LAST` + 1, shape (frames, lags)."""
    spectrum = scipy.fft.rfft(frames, _SIZE, axis=1)
    power = spectrum.real**2 + spectrum.imag**2
    lags: Floats = scipy.fft.irfft(power, _SIZE, axis=1)[:, : _LAST + 2]
    return lags


_TAPERED = _autocorrelation(_TAPER[None])[0]


def pitch(audio: Floats, hop: int) -> tuple[Floats, Floats]:
    """Track the pitch of sound.

    Args:
        audio: Mono, 16 kHz, shape (samples,).
        hop: Samples between frames, even; frame n has sample n * hop in its middle.

    Returns:
        The most likely pitch in Hz and the periodic share from 0 to 1, shape (1 + samples // hop,) each.
        Where a frame has no peak, the share is 0 and the pitch means nothing.
    """
    slow = resample_poly(audio, 1, _SLOWER).astype(np.float32)
    frames = cut(slow, WINDOW, hop // _SLOWER)[: 1 + len(audio) // hop]
    parts = [_best_peaks(frames[first : first + BLOCK]) for first in range(0, len(frames), BLOCK)]
    hertz, share = (np.concatenate(part) for part in zip(*parts, strict=True))
    return hertz, share


def _best_peaks(frames: Floats) -> tuple[Floats, Floats]:
    tapered = (frames - frames.mean(axis=1, keepdims=True)) * _TAPER
    lags = _autocorrelation(tapered)
    lags *= 1 / np.maximum(lags[:, :1], _SILENCE)
    lags *= _TAPERED[0] / _TAPERED

    middle, left, right = lags[:, _FIRST:-1], lags[:, _FIRST - 1 : -2], lags[:, _FIRST + 1 :]
    is_peak = (middle >= left) & (middle > right)
    # Heights between samples: a short period falls between two of them, and twice the period may not.
    bends = np.where(is_peak, np.minimum(left - 2 * middle + right, -_SILENCE), -1).astype(np.float32)
    heights = middle - (left - right) ** 2 / (8 * bends)
    best = np.where(is_peak, heights - _COST, np.float32(-np.inf)).argmax(axis=1)

    # A parabola through the peak and its neighbours gives the period between two samples.
    row = np.arange(len(frames))
    before, peak, after = left[row, best], middle[row, best], right[row, best]
    found = is_peak[row, best]
    bend = np.where(found, before - 2 * peak + after, -1)
    shift = np.where(found, (before - after) / (2 * bend), 0)
    share = np.where(found, peak - (before - after) * shift / 4, 0)
    period = (_FIRST + best + shift) / RATE
    return (1 / period).astype(np.float32), np.clip(share, 0, 1).astype(np.float32)
