"""The extended Geneva minimalistic acoustic parameter set (Eyben et al. 2016), through openSMILE."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Any, ClassVar

import numpy as np

from corpus.features.extractor import SAMPLE_RATE, Absent, Extractor, Floats, Item, Modality, require


@cache
def _smile(level: str) -> Any:  # noqa: ANN401 - untyped library
    opensmile: Any = require("opensmile")
    return opensmile.Smile(opensmile.FeatureSet.eGeMAPSv02, opensmile.FeatureLevel[level])


@dataclass(frozen=True)
class Egemaps(Extractor):
    """eGeMAPS version 02: 88 functionals of an utterance.

    openSMILE is free for research only; its licence says for what.

    Attributes:
        sequence: Its 25 low-level descriptors every 10 ms in place of the functionals.
    """

    packages: ClassVar[tuple[str, ...]] = ("opensmile",)
    name: str = field(default="egemaps", init=False)
    modality: Modality = field(default=Modality.AUDIO, init=False)
    sequence: bool = False

    @property
    def _level(self) -> str:
        return "LowLevelDescriptors" if self.sequence else "Functionals"

    def parameters(self) -> dict[str, Any]:
        """Return all that decides the numbers."""
        return {
            "set": "eGeMAPSv02",
            "level": self._level,
            "sample_rate": SAMPLE_RATE,
            "pooling": "none" if self.sequence else "the functionals of the set",
            "columns": list(_smile(self._level).feature_names),
        }

    def extract(self, items: Iterable[Item]) -> Iterator[Floats | Absent]:
        """Give the features of each item, in order."""
        smile = _smile(self._level)
        for item in items:
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", "Segment too short", UserWarning)
                rows = smile.process_signal(item.audio, SAMPLE_RATE).to_numpy(np.float32)
            if np.isnan(rows).all():  # openSMILE's way to say so
                yield Absent("the sound is shorter than openSMILE's window")
            else:
                yield rows if self.sequence else rows[0]
