"""What an extractor is: from utterances to numbers, with a recipe that says how.

An extractor is a small frozen dataclass, so that it travels to workers and can be compared; models are loaded
where they are used. It turns each utterance into a vector, or with ``sequence`` into a vector a step (a frame
of sound, a picture, a token), or says why there is none.
"""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from importlib.metadata import version
from types import ModuleType
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from corpus.media.segments import RATE, Pixels
from schemas.errors import InputError, Issue

Floats = npt.NDArray[np.float32]
SAMPLE_RATE = RATE
"""Samples a second of all sound that extractors get."""
_MODULES = {"scikit-learn": "sklearn", "pillow": "PIL"}
"""Packages that are imported under another name."""


class Modality(StrEnum):
    """What an extractor looks at."""

    TEXT = "text"
    AUDIO = "audio"
    FRAMES = "frames"
    FACES = "faces"
    FILES = "files"
    """Files of another program."""


@dataclass(frozen=True)
class Item:
    """An utterance as an extractor gets it; of the modalities only the one that it looks at.

    Attributes:
        utterance_id: The utterance.
        text: What is said.
        language: Language code; None where unknown.
        media: The source it was cut from; None where there is none.
        start: Where it begins in the source, in seconds.
        end: Where it ends.
        audio: Sound, mono, 16 kHz, -1 to 1, shape (samples,); None where there is none.
        images: Frames or face crops in the order of time, RGB, shape (height, width, 3) each; empty where
            there are none.
    """

    utterance_id: str
    text: str = ""
    language: str | None = None
    media: str | None = None
    start: float | None = None
    end: float | None = None
    audio: Floats | None = None
    images: Sequence[Pixels] = ()


@dataclass(frozen=True)
class Absent:
    """There are no features of an utterance.

    Attributes:
        reason: Why; the same words for the same cause, so that they can be counted.
    """

    reason: str


@dataclass(frozen=True)
class Extractor(ABC):
    """Turns utterances into features.

    Attributes:
        name: Name of the extractor, and of its features unless they are given another.
        modality: What it looks at.
        sequence: Whether an utterance gets a vector a step, and not one alone.
        version: Raised when the same input would give other numbers.
        packages: The libraries whose versions belong to the recipe.
    """

    name: str
    modality: Modality
    sequence: bool
    version: ClassVar[int] = 1
    packages: ClassVar[tuple[str, ...]] = ("numpy",)

    @abstractmethod
    def parameters(self) -> dict[str, Any]:
        """Return all that decides the numbers, for the recipe.

        Raises:
            InputError: A library, a model or a file that it needs is not there.
        """

    @abstractmethod
    def extract(self, items: Iterable[Item]) -> Iterator[Floats | Absent]:
        """Give the features of each item, in order.

        Args:
            items: Utterances that have the modality: sound is finite and not empty, images are there.

        Yields:
            Shape (width,), with ``sequence`` (steps, width); or why there are none.
        """

    def recipe(self) -> dict[str, Any]:
        """Return how the features are made: what must be known to make them again.

        Raises:
            InputError: A library, a model or a file that it needs is not there.
        """
        for package in self.packages:
            require(package)
        return {
            "extractor": self.name,
            "version": self.version,
            "modality": str(self.modality),
            "shape": "steps, width" if self.sequence else "width",
            "parameters": self.parameters(),
        }

    def libraries(self) -> dict[str, str]:
        """Return the versions of the libraries that it calculates with, on the machine where it does."""
        return {package: version(package) for package in self.packages}

    def computed_in(self) -> str:
        """Return the arithmetic and the kind of device, on the machine where it calculates."""
        return "float32 on cpu"


def require(package: str) -> ModuleType:
    """Import a library that not everybody has installed, by the name of its package.

    Raises:
        InputError: It is not installed, or cannot be loaded.
    """
    try:
        return importlib.import_module(_MODULES.get(package, package))
    except (ImportError, OSError) as error:
        message = f"this extractor needs {package}, which cannot be loaded ({error}): pip install {package}"
        raise InputError(Issue(message)) from None


def results(extractor: Extractor, items: Iterable[Item]) -> list[Floats | Absent]:
    """Extract the features of utterances, those without the modality left out before the extractor sees them.

    Args:
        extractor: The extractor.
        items: The utterances; taken one by one, so that not all of their images are in memory at once.

    Returns:
        For each utterance its features, all finite, or why there are none.
    """
    places: list[int] = []
    found: list[Floats | Absent] = []

    def usable() -> Iterator[Item]:
        for item in items:
            reason = lacks(extractor.modality, item)
            if reason is None:
                places.append(len(found))
            found.append(Absent(reason or "nothing was extracted"))
            if reason is None:
                yield item

    for number, made in enumerate(extractor.extract(usable())):
        broken = not isinstance(made, Absent) and not np.isfinite(made).all()
        found[places[number]] = Absent("the extractor gave values that are not numbers") if broken else made
    return found


def lacks(modality: Modality, item: Item) -> str | None:
    """Say why an utterance lacks a modality; None where it has it."""
    if modality is Modality.TEXT:
        return None if item.text.strip() else "there is no text"
    if modality is Modality.AUDIO:
        if item.audio is None:
            return "there is no sound"
        if not len(item.audio):
            return "the sound is empty"
        return None if np.isfinite(item.audio).all() else "the sound holds values that are not numbers"
    if modality in (Modality.FRAMES, Modality.FACES) and not len(item.images):
        return "there is no picture" if modality is Modality.FRAMES else "there is no picture of a face"
    return None
