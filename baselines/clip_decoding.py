"""The sound and the pictures in the file of one utterance."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

import av
import numpy as np

from corpus.features.extractor import SAMPLE_RATE, Floats
from corpus.media.pictures import FRAME_SIDE, rotation, scaled
from corpus.media.segments import Pixels
from schemas.errors import InputError, Issue


def decode_sound(file: BinaryIO, where: str) -> Floats:
    """Decode sound to 16 kHz, mono.

    Args:
        file: A file of any kind that FFmpeg knows.
        where: Its name for messages.

    Returns:
        Samples in -1..1, shape (samples,); empty where it has no sound.

    Raises:
        InputError: It is damaged.
    """
    resampler = av.AudioResampler(format="s16", layout="mono", rate=SAMPLE_RATE)
    parts: list[Floats] = []
    with _opened(file, where) as container:
        if container.streams.audio:
            for frame in [*container.decode(container.streams.audio[0]), None]:
                parts += [one.to_ndarray()[0] for one in resampler.resample(frame)]
    whole = np.concatenate(parts) if parts else np.zeros(0, np.int16)
    return whole.astype(np.float32) / np.float32(32768)


def decode_pictures(file: BinaryIO, most: int, where: str) -> list[Pixels]:
    """Decode pictures, evenly spread over a clip, scaled as `corpus media` scales frames.

    Args:
        file: A file of any kind that FFmpeg knows.
        most: How many, at most.
        where: Its name for messages.

    Returns:
        Pictures, RGB, shape (height, width, 3) each; empty where it has none.

    Raises:
        InputError: It is damaged.
    """
    with _opened(file, where) as container:
        if not container.streams.video:
            return []
        # Counted by packets: not every file says how many there are.
        number = sum(1 for packet in container.demux(container.streams.video[0]) if packet.size)
        container.seek(0)
        places = set(spread(number, most))
        return [
            _pixels(frame)
            for place, frame in enumerate(container.decode(container.streams.video[0]))
            if place in places
        ]


def _pixels(frame: av.VideoFrame) -> Pixels:
    width, height = scaled((frame.width, frame.height), 1.0, FRAME_SIDE, shorter=True)
    small = frame.reformat(width, height, "rgb24").to_ndarray()
    return np.ascontiguousarray(np.rot90(small, rotation(frame) // 90))


def spread(number: int, most: int) -> list[int]:
    """Choose at most so many of a number of places, evenly, each in the middle of its part."""
    wanted = min(number, most)
    return [int(one) for one in (np.arange(wanted) + 0.5) * number / max(wanted, 1)]


@contextmanager
def _opened(file: BinaryIO, where: str) -> Iterator[av.container.InputContainer]:
    try:
        with av.open(file, "r") as container:
            yield container
    except (av.error.FFmpegError, IndexError) as error:
        raise InputError(Issue(f"this recording is damaged: {error}", where)) from None
