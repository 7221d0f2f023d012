"""Sound on the clock of its recording: resampled once, cut at sample positions, written as FLAC."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt

from corpus.media.recording import Sound
from corpus.media.segments import RATE

Samples = npt.NDArray[Any]
"""Shape (channels, samples), 16-bit whole numbers or float32."""

Block = tuple[int, Samples]
"""Position of the first sample, counted from the start of the recording, and samples, shape (channels, n)."""

_JUMP = 0.010
"""Seconds by which the times of a file may disagree with the count of its samples: Matroska rounds to
milliseconds. More is a gap (filled with silence when it is cut) or an overlap (left out)."""


class Resampler:
    """Gives the sound of a recording at another rate, on the recording's clock.

    Positions are those of the output: sample n is heard at n / rate seconds. Samples are counted on from the
    first one, so that they do not jitter with the times of the file.

    Args:
        rate: Samples a second.
        layout: ``mono`` or ``stereo``; more channels are mixed down as FFmpeg does.
        kind: Sample format: ``s16p`` or ``fltp``.
    """

    def __init__(self, rate: int, layout: str, kind: str) -> None:
        self._rate, self._layout, self._kind = rate, layout, kind
        self._resampler: av.AudioResampler | None = None
        self._input: tuple[int, str, str] | None = None
        self._expected = 0.0  # time of the next input sample
        self._next = 0  # position of the next output sample
        self._given = -(2**62)  # all before has been given

    def feed(self, sound: Sound) -> Iterator[Block]:
        """Give the blocks that a frame completes, in order and without overlap."""
        frame = sound.frame
        start = self._expected if sound.start is None else sound.start
        shape = frame.sample_rate, frame.layout.name, frame.format.name
        if self._resampler is None or shape != self._input or abs(start - self._expected) > _JUMP:
            yield from self.flush()
            self._resampler = av.AudioResampler(self._kind, self._layout, self._rate, self._rate // 4)
            self._input, self._next, self._expected = shape, round(start * self._rate), start
        self._expected += frame.samples / frame.sample_rate
        frame.pts = None  # counted here
        for resampled in self._resampler.resample(frame):
            yield from self._block(resampled)

    def flush(self) -> Iterator[Block]:
        """Give what is left at the end."""
        if self._resampler is not None:
            for resampled in self._resampler.resample(None):
                yield from self._block(resampled)
            self._resampler = None

    def _block(self, frame: av.AudioFrame) -> Iterator[Block]:
        samples = frame.to_ndarray()
        position, self._next = self._next, self._next + frame.samples
        late = max(0, self._given - position)
        if late < frame.samples:
            self._given = self._next
            yield position + late, samples[:, late:]


class Cut:
    """Cuts the samples of one utterance out of the blocks of its recording; silence where none come.

    Args:
        first: Position of its first sample.
        last: Position after its last sample; None: as far as the recording goes.
    """

    def __init__(self, first: int, last: int | None) -> None:
        self._next, self._last = first, last

    def take(self, block: Block) -> Iterator[Samples]:
        """Give the part of a block that belongs to the utterance, after silence where a gap was."""
        position, samples = block
        begin = max(self._next, position)
        end = position + samples.shape[1]
        if self._last is not None:
            end = min(end, self._last)
        if begin < end:
            if begin > self._next:
                yield _silence(samples, begin - self._next)
            yield samples[:, begin - position : end - position]
            self._next = end

    def rest(self, like: Samples) -> Iterator[Samples]:
        """Give silence up to the end of the utterance, if sound ended before."""
        if self._last is not None and self._next < self._last:
            yield _silence(like, self._last - self._next)


def _silence(like: Samples, size: int) -> Samples:
    return np.zeros((like.shape[0], size), like.dtype)


def audio_frame(samples: Samples, rate: int, position: int) -> av.AudioFrame:
    """Return samples of shape (1 or 2, n) as a frame of the encoder, which counts them from ``position``."""
    kind = "s16p" if samples.dtype == np.int16 else "fltp"
    layout = "mono" if len(samples) == 1 else "stereo"
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples), format=kind, layout=layout)
    frame.sample_rate, frame.pts, frame.time_base = rate, position, Fraction(1, rate)
    return frame


def write_flac(path: Path, samples: npt.NDArray[np.int16]) -> None:
    """Write 16 kHz mono sound.

    Args:
        path: The file.
        samples: Shape (1, n).

    Raises:
        OSError: It could not be written.
    """
    with av.open(str(path), "w", format="flac", container_options={"fflags": "+bitexact"}) as file:
        stream = file.add_stream("flac", rate=RATE, layout="mono", format="s16")
        stream.codec_context.flags |= av.codec.context.Flags.bitexact
        file.mux(stream.encode(audio_frame(samples, RATE, 0)))
        file.mux(stream.encode(None))
