"""What segmentation wrote, and how it is read: the sound, frames and faces of an utterance.

``clips/`` mirrors ``media/``: a folder for each recording, under its name. It holds

* ``UTTERANCE.flac``: 16 kHz mono sound,
* ``UTTERANCE.mp4``: the clip that people watch,
* ``pictures.parquet``: frames and face crops as JPEG, under `PICTURES`, a row group an utterance,
* ``segments.parquet``: what became of each utterance, under `SEGMENTS`. It is there when all else is.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from schemas.errors import InputError, Issue
from schemas.project import Project
from schemas.tables import open_table, read_table

CLIPS = "clips"
SEGMENTS_FILE = "segments.parquet"
PICTURES_FILE = "pictures.parquet"
RATE = 16_000
"""Samples a second of the sound of an utterance."""

_text = pa.string()

SEGMENTS = pa.schema(
    [
        pa.field("utterance_id", _text, nullable=False),
        pa.field("start", pa.float64()),
        pa.field("end", pa.float64()),
        pa.field("status", _text, nullable=False),
        pa.field("reason", _text),
        pa.field("audio", _text),
        pa.field("audio_samples", pa.int64()),
        pa.field("audio_sha256", _text),
        pa.field("clip", _text),
        pa.field("clip_seconds", pa.float64()),
        pa.field("clip_streams", _text),
        pa.field("clip_sha256", _text),
        pa.field("frames", pa.int32()),
        pa.field("faces", pa.int32()),
        pa.field("row_group", pa.int32()),
    ]
)
"""A row an utterance of a recording, in the order of the table of utterances.

``start``, ``end``: seconds of the recording that were cut. ``status``: `Status`; ``reason``: why it failed.
``audio``, ``clip``: paths in the project, null where the recording has no sound, or no picture.
``clip_streams``: codecs of the clip, such as ``h264+aac``. ``row_group``: of its pictures, null without any.
"""

PICTURES = pa.schema(
    [
        pa.field("utterance_id", _text, nullable=False),
        pa.field("time", pa.float64(), nullable=False),
        pa.field("kind", _text, nullable=False),
        pa.field("box", pa.list_(pa.int32())),
        pa.field("jpeg", pa.binary(), nullable=False),
    ]
)
"""A row a picture: the frame of each time, then the faces in it, the largest first.

``time``: seconds from the start of the utterance. ``kind``: `Kind`. ``box``: left, top, width and height of a
face in pixels of the upright picture of the recording; null for frames.
"""

Samples = npt.NDArray[np.float32]
Pixels = npt.NDArray[np.uint8]


class Status(StrEnum):
    """What became of an utterance."""

    DONE = "done"
    FAILED = "failed"


class Kind(StrEnum):
    """What a picture shows."""

    FRAME = "frame"
    FACE = "face"


@dataclass(frozen=True)
class Face:
    """A face in a frame.

    Attributes:
        time: Seconds from the start of the utterance.
        box: Left, top, width and height in pixels of the upright picture of the recording.
        pixels: The crop, RGB, shape (side, side, 3): the box with a margin around it.
    """

    time: float
    box: tuple[int, int, int, int]
    pixels: Pixels


class Segments:
    """The segments of a project, by utterance.

    Tables are read when they are first asked for; asking in the order of `utterances` reads each file once.

    Args:
        project: The project; it may have no segments yet.
    """

    def __init__(self, project: Project) -> None:
        self._root = project.root
        self._pictures_file: tuple[str, pq.ParquetFile] | None = None

    @cached_property
    def tables(self) -> list[str]:
        """The tables of segments, one a recording: paths in the project, inputs of what is made of them."""
        found = (self._root / CLIPS).rglob(SEGMENTS_FILE)
        names = (path.relative_to(self._root) for path in found)
        return sorted(name.as_posix() for name in names if not any(part[0] == "." for part in name.parts))

    @cached_property
    def _rows(self) -> dict[str, tuple[str, dict[str, Any]]]:
        """Table and row of each utterance that was cut."""
        columns = ["utterance_id", "status", "audio", "row_group"]
        return {
            row["utterance_id"]: (name, row)
            for name in self.tables
            for row in read_table(self._root / name, columns).to_pylist()
            if row["status"] == Status.DONE
        }

    def utterances(self, table: str | None = None) -> Iterator[str]:
        """Give the ids of the utterances that were cut: all of them, or those of one of `tables`."""
        return (one for one, (name, _) in self._rows.items() if table in (None, name))

    def audio(self, utterance_id: str) -> Samples | None:
        """Return the sound of an utterance.

        Returns:
            Samples at 16 kHz, mono, in -1..1, shape (samples,); None where there is none.

        Raises:
            InputError: The file is gone or not readable.
        """
        _, row = self._rows.get(utterance_id, ("", {}))
        return None if row.get("audio") is None else read_flac(self._root / row["audio"])

    def frames(self, utterance_id: str) -> list[tuple[float, Pixels]]:
        """Return the frames of an utterance.

        Returns:
            Of each frame its time in seconds from the start of the utterance, and its pixels, RGB, shape
            (height, width, 3); empty where there are none.

        Raises:
            InputError: The file is gone or not readable.
        """
        return [(row["time"], _decode(row["jpeg"])) for row in self._pictures(utterance_id, Kind.FRAME)]

    def faces(self, utterance_id: str) -> list[Face]:
        """Return the faces in the frames of an utterance, those of a frame by size, the largest first.

        Raises:
            InputError: The file is gone or not readable.
        """
        return [
            Face(row["time"], tuple(row["box"]), _decode(row["jpeg"]))
            for row in self._pictures(utterance_id, Kind.FACE)
        ]

    def _pictures(self, utterance_id: str, kind: Kind) -> list[dict[str, Any]]:
        table, row = self._rows.get(utterance_id, ("", {}))
        if row.get("row_group") is None:
            return []
        if self._pictures_file is None or self._pictures_file[0] != table:
            self._pictures_file = table, open_table(self._root / Path(table).with_name(PICTURES_FILE))
        rows = self._pictures_file[1].read_row_group(row["row_group"]).to_pylist()
        return [one for one in rows if one["kind"] == kind]


def _decode(jpeg: bytes) -> Pixels:
    return np.asarray(Image.open(io.BytesIO(jpeg)).convert("RGB"))


def read_flac(path: Path) -> Samples:
    """Read a file of sound as it was written.

    Returns:
        Samples in -1..1, shape (samples,).

    Raises:
        InputError: It is gone or not readable.
    """
    import av

    try:
        with av.open(str(path)) as file:
            parts = [frame.to_ndarray()[0] for frame in file.decode(audio=0)]
    except (av.error.FFmpegError, IndexError, OSError) as error:
        message = f"this sound cannot be read ({error}); run 'corpus media' again"
        raise InputError(Issue(message, str(path))) from None
    whole = np.concatenate(parts) if parts else np.zeros(0, np.int16)
    return whole.astype(np.float32) / np.float32(32768)
