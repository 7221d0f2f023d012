"""How much a recording sounds like speech, a hundred times a second.

The sound is decoded once, from front to end, and only one number for each hundredth of a second is kept, so
that memory does not grow with the pictures or the sound of a long recording (an hour takes 1.4 MB).

The number is the energy between 200 and 4,000 Hz above the floor of its surroundings. It is no detector of
speech: it is there to be held against hundreds of subtitle lines at once, where what is not speech averages
out.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from schemas.errors import InputError, Issue

Floats = npt.NDArray[np.float64]

RATE = 100
"""Values a second."""

_SAMPLE_RATE = 16_000
_HOP = _SAMPLE_RATE // RATE
_WINDOW = 400
_FFT = 512
_BAND = slice(200 * _FFT // _SAMPLE_RATE, 4_000 * _FFT // _SAMPLE_RATE)
_BLOCK = 1_000 * _HOP  # samples that are worked on at once
_FLOOR_SECONDS = 20
_FLOOR_SHARE = 15  # per cent of the surroundings that are taken for the background
_RANGE_DB = (3.0, 15.0)  # above the floor: surely background, surely more
_SILENCE = 1e-9  # of full scale squared: below it there is nothing to hear


def speech_activity(path: Path) -> Floats:
    """Measure how much a recording sounds like speech.

    Args:
        path: A file with sound; its first audio track that players choose is taken.

    Returns:
        A value from 0 (background) to 1 for each hundredth of a second from the start of the recording.

    Raises:
        InputError: The file cannot be read or has no sound.
    """
    return activity(
        np.concatenate([energies(block) for block in _overlapping(decoded(path))] or [np.zeros(0)])
    )


def decoded(path: Path) -> Iterator[Floats]:
    """Give the sound of a recording piece by piece: 16 kHz, mono, -1 to 1, gaps filled with silence."""
    import av  # takes a while to load

    try:
        with av.open(str(path)) as file:
            stream = file.streams.best("audio")
            if stream is None:
                raise InputError(Issue("this recording has no sound", str(path)))
            beginning = (file.start_time or 0) / av.time_base
            resampler = av.AudioResampler("fltp", "mono", _SAMPLE_RATE)
            given = 0
            for packet in file.demux(stream):
                try:
                    frames = packet.decode()
                except av.error.InvalidDataError:
                    continue  # damage: what follows has its own times, the gap is filled
                for frame in (one for one in frames if isinstance(one, av.AudioFrame)):
                    for piece in resampler.resample(frame):
                        samples = piece.to_ndarray()[0].astype(np.float64)
                        due = given if piece.time is None else round((piece.time - beginning) * _SAMPLE_RATE)
                        # Rounded time stamps are no gaps.
                        if due - given > _HOP:
                            yield np.zeros(due - given)
                            given = due
                        elif given - due > _HOP:
                            samples = samples[given - due :]
                        yield samples
                        given += len(samples)
    except (av.error.FFmpegError, OSError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(Issue(f"this recording cannot be read: {reason}", str(path))) from None


def _overlapping(pieces: Iterator[Floats]) -> Iterator[Floats]:
    """Cut a stream of samples into blocks that overlap by what a window needs."""
    rest = np.zeros((_WINDOW - _HOP) // 2)
    waiting: list[Floats] = [rest]
    size = len(rest)
    for piece in pieces:
        waiting.append(piece)
        size += len(piece)
        while size >= _BLOCK + _WINDOW:
            samples = np.concatenate(waiting)
            yield samples[: _BLOCK + _WINDOW - _HOP]
            waiting = [samples[_BLOCK:]]
            size = len(waiting[0])
    samples = np.concatenate([*waiting, np.zeros((_WINDOW - _HOP) // 2)])
    if len(samples) >= _WINDOW:
        yield samples


def energies(samples: Floats) -> Floats:
    """Return the energy between 200 and 4,000 Hz in windows of 25 ms, a hundred a second."""
    windows = np.lib.stride_tricks.sliding_window_view(samples, _WINDOW)[::_HOP]
    spectra = np.fft.rfft(windows * np.hanning(_WINDOW), _FFT)[:, _BAND]
    return np.asarray((np.abs(spectra) ** 2).sum(axis=1) / (_WINDOW * _FFT))


def activity(energy: Floats) -> Floats:
    """Return how far energies lie above the floor of their surroundings, 0 to 1.

    Args:
        energy: Shape (n,), `RATE` a second.
    """
    from scipy.ndimage import percentile_filter, uniform_filter1d  # takes a while to load

    if not len(energy):
        return energy
    decibels = 10 * np.log10(uniform_filter1d(energy, 5) + _SILENCE)
    tenths = (
        decibels[: len(decibels) // 10 * 10].reshape(-1, 10).min(axis=1)
        if len(decibels) >= 10
        else decibels[:1]
    )
    floor = percentile_filter(tenths, _FLOOR_SHARE, size=_FLOOR_SECONDS * 10 + 1, mode="nearest")
    floor = uniform_filter1d(floor, 51, mode="nearest")
    low, high = _RANGE_DB
    above = decibels - np.repeat(floor, 10)[np.minimum(np.arange(len(decibels)), 10 * len(floor) - 1)]
    return np.asarray(np.clip((above - low) / (high - low), 0, 1))
