"""Log-mel spectrogram."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar

from corpus.features.extractor import Absent, Extractor, Floats, Item, Modality
from corpus.features.pooling import mean_and_deviation
from corpus.features.sound import FRAMES, mel_db

BANDS = 80


@dataclass(frozen=True)
class LogMel(Extractor):
    """Power in 80 mel bands, in decibels, every 10 ms.

    Attributes:
        sequence: Whether every frame is given; otherwise the mean and the standard deviation of each band.
    """

    packages: ClassVar[tuple[str, ...]] = ("numpy", "scipy", "librosa")
    name: str = field(default="log-mel", init=False)
    modality: Modality = field(default=Modality.AUDIO, init=False)
    sequence: bool = False

    def parameters(self) -> dict[str, Any]:
        """Return all that decides the numbers."""
        pooling = "none" if self.sequence else "mean of each band, then standard deviation of each"
        return {**FRAMES, "mel_bands": BANDS, "unit": "dB", "pooling": pooling}

    def extract(self, items: Iterable[Item]) -> Iterator[Floats | Absent]:
        """Give the features of each item, in order."""
        for item in items:
            assert item.audio is not None
            frames = mel_db(item.audio, BANDS)
            yield frames if self.sequence else mean_and_deviation(frames)
