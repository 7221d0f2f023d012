"""Any pretrained encoder of images, on the fly: pictures of an utterance, evenly spread over it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from baselines.batches import Tensors
from baselines.clips import ClipRows, without_recordings
from baselines.data import Integers, Split
from baselines.pretrained import PretrainedEncoder, describe
from corpus.features.image_encoder import BATCH_IMAGES, over_positions
from corpus.features.pretrained import load, rebuilt

LOADER = "AutoImageProcessor"


def describe_picture_encoder(name: str, tuning: str, layers: int, pictures: int) -> dict[str, Any]:
    """Say of an encoder, by its name on the Hub or its folder, all that a model must know to build it again.

    Raises:
        InputError: There is no such encoder.
    """
    recipe, model = describe(PictureEncoder.kind, name, "image_encoder", tuning, layers)
    processor, encoder = load(LOADER, model), load("AutoModel", model)
    blank = processor(images=[np.zeros((64, 64, 3), np.uint8)], return_tensors="pt")["pixel_values"]
    with torch.no_grad():  # its configuration does not always tell its width
        states = encoder(pixel_values=blank.to(encoder.device, encoder.dtype)).last_hidden_state
    width = over_positions(states).shape[1]
    return recipe | {"width": width, "pictures": pictures, "front": processor.to_dict()}


@dataclass(frozen=True)
class PictureRows(ClipRows):
    """Pictures of utterances.

    Attributes:
        processor: What prepares them.
        most: The most pictures of an utterance.
    """

    processor: Any
    most: int

    def take(self, rows: Integers) -> Tensors:
        """Return the pictures of some rows, one after the other, and to which row each belongs."""
        found = [self.clips[row].pictures(self.most) for row in rows.tolist()]
        owner = torch.repeat_interleave(torch.tensor([len(one) for one in found]))
        pictures = [picture for one in found for picture in one]
        pixels = torch.zeros(0)
        if pictures:
            pixels = self.processor(images=pictures, return_tensors="pt")["pixel_values"]
        present = torch.tensor([bool(len(one)) for one in found])
        return {"pixels": pixels, "owner": owner, "present": present}


class PictureEncoder(PretrainedEncoder):
    """The mean of the last layer over positions and pictures."""

    kind = "picture-encoder"
    at_once = 16

    def __init__(self, recipe: Mapping[str, Any]) -> None:
        super().__init__(recipe)
        self._processor = rebuilt(LOADER, recipe["front"])

    def inputs(self, split: Split) -> PictureRows:
        """Return the recordings of the split."""
        return PictureRows(
            split.clips or without_recordings(split.utterance_ids), self._processor, self.recipe["pictures"]
        )

    def encode(self, stream: Tensors) -> Tensor:
        """Encode pictures."""
        owner = stream["owner"]
        sums = torch.zeros(len(stream["present"]), self.width, device=owner.device)
        for start in range(0, len(owner), BATCH_IMAGES):
            part = slice(start, start + BATCH_IMAGES)
            states = self.model(pixel_values=stream["pixels"][part]).last_hidden_state
            sums = sums.index_add(0, owner[part], over_positions(states).float())
        counts = torch.bincount(owner, minlength=len(sums)).clamp(min=1)
        return sums / counts[:, None]
