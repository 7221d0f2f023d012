"""Checks of what was written: a file counts only when it reads back as what it was meant to be."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import av
from av.error import FFmpegError

from corpus.media.segments import RATE


@dataclass(frozen=True)
class Checked:
    """A file that is as it should be.

    Attributes:
        seconds: How long it is.
        streams: Its codecs, such as ``h264+aac``.
        sha256: Of its bytes.
    """

    seconds: float
    streams: str
    sha256: str


def check_file(path: Path, seconds: float, streams: str, tolerance: float) -> Checked:
    """Read a file's index back, and hash it.

    Args:
        path: The file.
        seconds: How long it should be.
        streams: Which codecs it should have.
        tolerance: Seconds by which each of its streams may be longer or shorter.

    Raises:
        OSError: It is not what it should be, so it was not written whole.
    """
    try:
        with av.open(str(path)) as file:
            lengths = [float((one.duration or 0) * (one.time_base or 0)) for one in file.streams]
            found = "+".join(one.codec_context.name for one in file.streams)
    except FFmpegError as error:
        raise OSError(f"{path.name} was not written whole: {error.strerror}") from None
    if found != streams or any(abs(one - seconds) > tolerance for one in lengths):
        about = f"{found} of {lengths} s in place of {streams} of {seconds} s"
        raise OSError(f"{path.name} was not written whole: {about}")
    with path.open("rb") as file:
        return Checked(max(lengths), found, hashlib.file_digest(file, "sha256").hexdigest())


def check_flac(path: Path, samples: int) -> Checked:
    """Check a file of sound; see `check_file`.

    Raises:
        OSError: It is not what it should be.
    """
    return check_file(path, samples / RATE, "flac", 0.5 / RATE)
