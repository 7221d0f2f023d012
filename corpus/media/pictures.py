"""Frames and face crops of utterances: upright, scaled, as JPEG in one Parquet file a recording."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import av
import numpy as np
import pyarrow.parquet as pq
from av.video.reformatter import ColorRange, Interpolation, VideoReformatter
from PIL import Image

from corpus.media.faces import FaceDetector
from corpus.media.segments import PICTURES, Kind, Pixels
from schemas.tables import from_rows

FRAME_SIDE = 256
"""Pixels of the shorter side of a frame; smaller ones keep their size."""

_QUALITY = 90
_BT709, _BT601 = 1, 6  # matrix, primaries and transfer alike, as H.264 numbers them
_UNSPECIFIED = 2


def colours(frame: av.VideoFrame) -> int:
    """Return the colours of a picture, and the usual ones of its size where it does not say."""
    if frame.colorspace != _UNSPECIFIED:
        return int(frame.colorspace)
    return _BT709 if frame.height > 576 else _BT601


def scaled(size: tuple[int, int], aspect: float, side: int, *, shorter: bool = False) -> tuple[int, int]:
    """Return width and height with square pixels, even, and no larger than they are.

    Args:
        size: Width and height.
        aspect: Width of a pixel to its height.
        side: Most pixels of the height, or of the shorter side.
        shorter: Whether ``side`` is of the shorter side.
    """
    width, height = size[0] * aspect, float(size[1])
    scale = min(1.0, side / (min(width, height) if shorter else height))
    return max(2, round(width * scale / 2) * 2), max(2, round(height * scale / 2) * 2)


class PictureScaler:
    """Scales frames to one size and format; keeps what FFmpeg needs from one frame to the next."""

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._reformatter = VideoReformatter()

    def scale(self, frame: av.VideoFrame, width: int, height: int, known: int | None = None) -> av.VideoFrame:
        """Return a new frame of that size; video of full range becomes one of limited range.

        Args:
            frame: The frame.
            width: Of the new one.
            height: Of the new one.
            known: Its colours; None: see `colours`.
        """
        squeezed = self._kind != "rgb24" and frame.color_range == ColorRange.JPEG
        return self._reformatter.reformat(
            frame,
            width,
            height,
            self._kind,
            src_colorspace=(known or colours(frame)) if self._kind == "rgb24" else None,
            src_color_range=ColorRange.JPEG if squeezed else None,
            dst_color_range=ColorRange.MPEG if squeezed else None,
            interpolation=Interpolation.AREA if height * 2 <= frame.height else Interpolation.BILINEAR,
            threads=1,
        )


def rotation(frame: av.VideoFrame) -> int:
    """Return the degrees, counterclockwise, by which a picture is turned to stand upright."""
    return round(frame.rotation / 90) * 90 % 360


def upright(frame: av.VideoFrame, degrees: int) -> av.VideoFrame:
    """Turn a yuv420p frame counterclockwise by 0, 90, 180 or 270 degrees."""
    if not degrees:
        return frame
    planes = [
        np.rot90(
            np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)[:, : plane.width],
            degrees // 90,
        )
        for plane in frame.planes
    ]
    height, width = planes[0].shape
    flat = np.concatenate([plane.ravel() for plane in planes])
    return av.VideoFrame.from_ndarray(flat.reshape(height * 3 // 2, width), format="yuv420p")


class PictureMaker:
    """Makes the pictures that are stored of one decoded frame.

    Args:
        detector: Finds faces; None: they are not wanted.
    """

    def __init__(self, detector: FaceDetector | None) -> None:
        self._scaler, self._rgb, self._whole = map(PictureScaler, ("yuv420p", "rgb24", "rgb24"))
        self._detector = detector

    def make(self, frame: av.VideoFrame, aspect: float) -> list[dict[str, Any]]:
        """Return the rows of a frame and of the faces in it, without utterance and time."""
        size = frame.width, frame.height
        rows: list[dict[str, Any]] = [
            {"kind": Kind.FRAME, "box": None, "jpeg": jpeg(self._small(frame, aspect))}
        ]
        if self._detector is not None:
            whole = _pixels(self._whole.scale(frame, *scaled(size, aspect, frame.height)), frame)
            for box in self._detector.find(whole):
                crop = self._detector.crop(whole, box)
                rows.append({"kind": Kind.FACE, "box": list(box), "jpeg": jpeg(crop)})
        return rows

    def _small(self, frame: av.VideoFrame, aspect: float) -> Pixels:
        size = scaled((frame.width, frame.height), aspect, FRAME_SIDE, shorter=True)
        small = frame
        if frame.format.name == "yuv420p":  # scaled first: turning fewer pixels into RGB takes a third
            small = self._scaler.scale(frame, *size)
        return _pixels(self._rgb.scale(small, *size, colours(frame)), frame)


def _pixels(converted: av.VideoFrame, frame: av.VideoFrame) -> Pixels:
    return np.rot90(converted.to_ndarray(), rotation(frame) // 90)


def jpeg(pixels: Pixels) -> bytes:
    """Return an RGB picture as JPEG."""
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(file, "JPEG", quality=_QUALITY)
    return file.getvalue()


class PicturesWriter:
    """Writes the pictures of a recording, a row group an utterance; no file when there are none.

    Use as a context manager.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._groups = path, 0
        self._writer: pq.ParquetWriter | None = None

    def __enter__(self) -> PicturesWriter:
        return self

    def __exit__(self, *error: object) -> None:
        if self._writer is not None:
            self._writer.close()

    def write(self, rows: Sequence[dict[str, Any]]) -> int | None:
        """Write the pictures of an utterance; return their row group, None when there are none."""
        if not rows:
            return None
        if self._writer is None:  # uncompressed: JPEG does not get smaller
            self._writer = pq.ParquetWriter(self._path, PICTURES, compression="none", use_dictionary=False)
        self._writer.write_table(from_rows(rows, PICTURES), row_group_size=len(rows))
        self._groups += 1
        return self._groups - 1
