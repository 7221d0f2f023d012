"""Encoders: from one stream of a split to a vector an utterance; here what they share, and the plainest one.

An encoder is fitted to train (what n-grams there are, how features are scaled), reads a split into a stream
that batches are cut from, and encodes packed rows. What it fitted is in its buffers and is saved with it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from baselines.batches import Stream, Tensors
from baselines.data import Integers, Split
from baselines.features import Features
from schemas.errors import InputError, Issue

Encoded = tuple[Tensor, Tensor]
"""Vectors (rows, width), zeros where the stream has nothing, and where it has something (rows,)."""


class Encoder(nn.Module, ABC):
    """What every encoder is."""

    kind: ClassVar[str]
    width: int
    turns_at_once: int | None = None
    """The most turns of a batch when nothing is learnt; None: as many as the network takes."""

    @abstractmethod
    def fit(self, split: Split) -> None:
        """Learn from the inputs of train, before training."""

    @abstractmethod
    def read(self, split: Split) -> Stream:
        """Read the stream of a split."""

    @abstractmethod
    def forward(self, stream: Tensors) -> Encoded:
        """Encode the rows of a batch."""

    def prepare(self, split: Split) -> Split:
        """Return a split with what need not be read twice; most encoders have nothing of the kind."""
        return split

    def pretrained_parameters(self) -> Iterator[nn.Parameter]:
        """Give the parameters that were learnt elsewhere and are tuned, at a rate of their own."""
        return iter(())


@dataclass(frozen=True)
class FeatureRows:
    """Precomputed vectors of a split."""

    features: Features

    def take(self, rows: Integers) -> Tensors:
        """Return the vectors of some rows."""
        return {
            "values": torch.from_numpy(self.features.values[rows]),
            "present": torch.from_numpy(self.features.present[rows]),
        }


class FeatureEncoder(Encoder):
    """Precomputed features, scaled by the means and deviations of train."""

    kind = "features"
    mean: Tensor
    deviation: Tensor

    def __init__(self, name: str, width: int) -> None:
        super().__init__()
        self.name = name
        self.width = width
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("deviation", torch.ones(width))

    def fit(self, split: Split) -> None:
        """Take means and deviations."""
        features = split.features[self.name]
        values = features.values[features.present].astype(np.float64)
        if not len(values):
            raise InputError(Issue("no utterance of train has these features", value=self.name))
        deviation = values.std(axis=0)
        self.mean.copy_(torch.from_numpy(values.mean(axis=0)))
        # What never varies says nothing: it becomes zero.
        self.deviation.copy_(torch.from_numpy(np.where(deviation > 1e-8, deviation, np.inf)))

    def read(self, split: Split) -> Stream:
        """Take the features of the split.

        Raises:
            InputError: It has none of this name, or of another width.
        """
        if self.name not in split.features:
            message = f"split {split.name!r} lacks features that the model was trained with"
            raise InputError(Issue(message, value=self.name, choices=list(split.features)))
        features = split.features[self.name]
        # Of a split where nobody has them there is no width to compare.
        if features.present.any() and features.width != self.width:
            message = f"features {self.name!r} have another width than those the model was trained with"
            raise InputError(Issue(message, value=features.width, choices=[self.width]))
        if not features.present.any():
            empty = np.zeros((len(split), self.width), np.float32)
            features = Features(empty, features.present, features.recipe)
        return FeatureRows(features)

    def forward(self, stream: Tensors) -> Encoded:
        """Scale the vectors."""
        scaled = (stream["values"] - self.mean) / self.deviation
        return scaled * stream["present"][:, None], stream["present"]
