"""MobileNetV2 and other pretrained encoders of images, on frames or face crops."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, ClassVar

import numpy as np

from corpus.features.extractor import Absent, Extractor, Floats, Item, Modality
from corpus.features.pretrained import Pretrained, computed_in, load, run
from corpus.media.segments import Pixels

BATCH_IMAGES = 32


@dataclass(frozen=True)
class ImageEncoder(Extractor):
    """The last layer of an encoder of images: the mean over an utterance's pictures, or one a picture.

    Attributes:
        model: The model.
    """

    packages: ClassVar[tuple[str, ...]] = ("torch", "transformers", "pillow")
    name: str
    modality: Modality = Modality.FRAMES
    sequence: bool = False
    model: Pretrained = field(kw_only=True)

    def parameters(self) -> dict[str, Any]:
        """Return all that decides the numbers."""
        about = self.model.describe()
        return {
            **about,
            "images": str(self.modality),
            "preprocessing": load("AutoImageProcessor", self.model).to_dict(),
            "layer": "last, mean over positions",
            "pooling": "none" if self.sequence else "mean over pictures",
        }

    def computed_in(self) -> str:
        """Return the arithmetic and the kind of device, on the machine where it calculates."""
        return computed_in()

    def extract(self, items: Iterable[Item]) -> Iterator[Floats | Absent]:
        """Give the features of each item, in order; batches run across utterances."""
        counts: list[int] = []

        def images() -> Iterator[Pixels]:
            for item in items:
                counts.append(len(item.images))
                yield from item.images

        waiting: list[Floats] = []
        done = 0
        for vector in self._encode(images()):
            waiting.append(vector)
            while done < len(counts) and len(waiting) >= counts[done]:
                mine, waiting = np.stack(waiting[: counts[done]]), waiting[counts[done] :]
                yield mine if self.sequence else mine.mean(axis=0)
                done += 1

    def _encode(self, images: Iterator[Pixels]) -> Iterator[Floats]:
        processor, model = load("AutoImageProcessor", self.model), load("AutoModel", self.model)
        while batch := list(islice(images, BATCH_IMAGES)):
            pixels = processor(images=batch, return_tensors="pt")["pixel_values"]
            yield from over_positions(run(model, {"pixel_values": pixels}))


def over_positions(hidden: Any) -> Any:  # noqa: ANN401 - an array or a tensor
    """Return the mean over positions.

    Args:
        hidden: Shape (images, channels, height, width) of convolutions, (images, patches, channels) of
            transformers.
    """
    return hidden.mean((2, 3) if hidden.ndim == 4 else 1)
