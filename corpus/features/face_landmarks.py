"""Face landmarks from MediaPipe's FaceLandmarker."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from corpus.features.extractor import Absent, Extractor, Floats, Item, Modality, require
from corpus.features.landmarks import SHAPE, shape_of
from corpus.features.pooling import mean_and_deviation
from corpus.media.segments import Pixels
from schemas.errors import InputError, Issue


def _landmarker(path: str) -> Any:  # noqa: ANN401 - untyped library
    """Open the model, a context manager: MediaPipe complains when it is left to the end of Python."""
    tasks: Any = require("mediapipe").tasks
    # From memory: MediaPipe itself cannot open every path.
    base = tasks.BaseOptions(model_asset_buffer=Path(path).read_bytes())
    options = tasks.vision.FaceLandmarkerOptions(base_options=base)
    return tasks.vision.FaceLandmarker.create_from_options(options)


def _find(landmarker: Any, image: Pixels) -> Floats | None:  # noqa: ANN401
    """Return the landmarks of the face in a picture, shape (2 * landmarks,); None when there is none."""
    mediapipe: Any = require("mediapipe")
    picture = mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=np.ascontiguousarray(image))
    faces = landmarker.detect(picture).face_landmarks
    if not faces:
        return None
    height, width = image.shape[:2]
    return shape_of(np.array([(point.x * width, point.y * height) for point in faces[0]]))


@dataclass(frozen=True)
class FaceLandmarks(Extractor):
    """The shape of the face in every picture, by MediaPipe's 478 landmarks; pictures without a face left out.

    Attributes:
        model: The file of the model, ``face_landmarker.task``.
    """

    packages: ClassVar[tuple[str, ...]] = ("mediapipe", "numpy")
    name: str = "face-landmarks"
    modality: Modality = Modality.FRAMES
    sequence: bool = False
    model: str = ""

    def parameters(self) -> dict[str, Any]:
        """Return all that decides the numbers.

        Raises:
            InputError: The file is not there, or is not such a model.
        """
        path = Path(self.model)
        if not path.is_file():
            message = "there is no such file; face_landmarker.task comes from the MediaPipe project"
            raise InputError(Issue(message, column="--model", value=self.model))
        try:
            _landmarker(self.model).close()
        except (RuntimeError, ValueError, OSError) as error:
            message = f"this is not a model of FaceLandmarker: {error}"
            raise InputError(Issue(message, self.model)) from None
        return {
            "model": path.name,
            "weights_sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
            "images": str(self.modality),
            "shape": SHAPE,
            "pooling": "none" if self.sequence else "mean of each number, then standard deviation of each",
        }

    def extract(self, items: Iterable[Item]) -> Iterator[Floats | Absent]:
        """Give the features of each item, in order."""
        with _landmarker(self.model) as landmarker:
            for item in items:
                found = [_find(landmarker, image) for image in item.images]
                shapes = [one for one in found if one is not None]
                if not shapes:
                    yield Absent("no face was found in its pictures")
                else:
                    yield np.stack(shapes) if self.sequence else mean_and_deviation(np.stack(shapes))
