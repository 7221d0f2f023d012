"""Faces in frames, found by the frontal cascade that comes inside OpenCV: nothing is downloaded.

Viola and Jones (2001), as trained by Lienhart, Kuranov and Pisarevsky (2003). It finds upright faces that
look about at the camera; profiles and small faces are missed.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from corpus.media.segments import Pixels
from schemas.errors import InputError, Issue

CROP_SIDE = 224
"""Pixels of the side of a face crop."""

_MARGIN = 0.2  # of the box, on each side
_SEARCHED = 360  # height in pixels at which faces are looked for
_SMALLEST = 36  # side in pixels, at that height
_CASCADE = "haarcascade_frontalface_alt2.xml"

Box = tuple[int, int, int, int]


def opencv() -> Any:  # noqa: ANN401 - its types depend on how it is installed
    """Return OpenCV with its cascades.

    Raises:
        InputError: It is not installed, or as a version without them.
    """
    try:
        cv2 = import_module("cv2")
        found = Path(cv2.data.haarcascades, _CASCADE).is_file()
    except (ImportError, AttributeError):
        found = False
    if not found:
        raise InputError(
            Issue(
                "face crops need OpenCV 4, which has the cascades inside: "
                "pip install 'opencv-python-headless<5'",
                column="--faces",
            )
        )
    return cv2


class FaceDetector:
    """Finds faces.

    Raises:
        InputError: OpenCV with its cascades is not installed.
    """

    def __init__(self) -> None:
        self._cv2 = opencv()
        self._cv2.setNumThreads(1)  # boxes come in another order from several
        self._cascade = self._cv2.CascadeClassifier(str(Path(self._cv2.data.haarcascades, _CASCADE)))

    def find(self, pixels: Pixels) -> list[Box]:
        """Return the faces in a picture, the largest first: left, top, width and height in its pixels.

        Args:
            pixels: RGB, shape (height, width, 3).
        """
        height, width = pixels.shape[:2]
        scale = min(1.0, _SEARCHED / height)
        grey = self._cv2.cvtColor(np.ascontiguousarray(pixels), self._cv2.COLOR_RGB2GRAY)
        size = max(1, round(width * scale)), max(1, round(height * scale))
        small = self._cv2.resize(grey, size, interpolation=self._cv2.INTER_AREA)
        found = self._cascade.detectMultiScale(small, 1.15, 4, minSize=(_SMALLEST, _SMALLEST))
        boxes = []
        for box in found:
            left, top, across, down = (round(float(side) / scale) for side in box)
            boxes.append((left, top, min(across, width - left), min(down, height - top)))
        return sorted(boxes, key=lambda box: (-box[2] * box[3], box))

    def crop(self, pixels: Pixels, box: Box) -> Pixels:
        """Return a face with a margin around it, shape (side, side, 3); black beyond the picture's edge."""
        left, top, width, height = box
        margin = _MARGIN * max(width, height)
        half = max(width, height) / 2 + margin
        across, down = left + width / 2, top + height / 2
        edges = round(across - half), round(down - half), round(across + half), round(down + half)
        cut = Image.fromarray(np.ascontiguousarray(pixels)).crop(edges)
        return np.asarray(cut.resize((CROP_SIDE, CROP_SIDE), Image.Resampling.BILINEAR))
