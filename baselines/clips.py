"""Recorded sound and pictures of utterances: nothing is read before an encoder asks for it."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from baselines.clip_decoding import decode_pictures, decode_sound, spread
from baselines.dataset_files import configurations, folder_of, load_rows
from corpus.features.extractor import Floats
from corpus.media.segments import Pixels, Segments
from schemas.errors import InputError, Issue
from schemas.project import SETTINGS, Project

MEDIA = "media"
"""The configuration of a dataset that holds sound and clips, a row an utterance."""
AUDIO, VIDEO = "audio", "video"
"""Its columns."""


class Source(Protocol):
    """Where recordings are read from, by utterance."""

    def sound(self, utterance_id: str) -> Floats | None:
        """Return the sound of an utterance, mono, 16 kHz, shape (samples,); None where there is none."""

    def pictures(self, utterance_id: str, most: int) -> Sequence[Pixels]:
        """Return pictures of an utterance, evenly spread over it, RGB; empty where there are none."""


@dataclass(frozen=True)
class Clip:
    """The recording of one utterance.

    Attributes:
        source: Where it is read from.
        utterance_id: The utterance.
        heard: Whether its sound is there for a model; not where it was hidden.
        seen: The same of its pictures.
    """

    source: Source
    utterance_id: str
    heard: bool = True
    seen: bool = True

    def sound(self) -> Floats | None:
        """Return its sound, as `Source.sound`."""
        return self.source.sound(self.utterance_id) if self.heard else None

    def without(self, column: str) -> Clip:
        """Return it with its sound (`AUDIO`) or its pictures (`VIDEO`) hidden."""
        return replace(self, heard=False) if column == AUDIO else replace(self, seen=False)

    def pictures(self, most: int) -> Sequence[Pixels]:
        """Return its pictures, as `Source.pictures`."""
        return self.source.pictures(self.utterance_id, most) if self.seen else ()


@dataclass(frozen=True)
class ClipRows:
    """The recordings of utterances, which an encoder reads when they are asked for.

    Attributes:
        clips: A recording an utterance.
    """

    clips: Sequence[Clip]

    @property
    def size(self) -> int:
        """How many utterances there are."""
        return len(self.clips)

    def order(self) -> npt.NDArray[np.int64]:
        """Return the utterances as they come: how long they are is not known before they are read."""
        return np.arange(self.size)


class NoMedia:
    """The source of utterances without recordings: a transcript."""

    def sound(self, utterance_id: str) -> None:
        """Return nothing."""

    def pictures(self, utterance_id: str, most: int) -> Sequence[Pixels]:  # noqa: ARG002
        """Return nothing."""
        return ()


def without_recordings(utterance_ids: Sequence[str]) -> list[Clip]:
    """Return clips of which there is nothing."""
    return [Clip(NoMedia(), one) for one in utterance_ids]


class Recordings:
    """The recordings of one split, opened when the first of them is asked for.

    It leads to no other split: whoever trains holds neither the dataset nor where it lies.
    """

    def __init__(self, open_source: Callable[[], Source]) -> None:
        self._open_source = open_source

    @cached_property
    def _source(self) -> Source:
        return self._open_source()

    def sound(self, utterance_id: str) -> Floats | None:
        """Return the sound of an utterance.

        Raises:
            InputError: The dataset has no recordings, or this one is damaged.
        """
        return self._source.sound(utterance_id)

    def pictures(self, utterance_id: str, most: int) -> Sequence[Pixels]:
        """Return pictures of an utterance.

        Raises:
            InputError: The dataset has no recordings, or this one is damaged.
        """
        return self._source.pictures(utterance_id, most)


def recordings_of(dataset: str | Path, split: str, cache_dir: Path | None = None) -> Recordings:
    """Return the recordings of a split of a dataset.

    They come from its configuration ``media``; of a folder that holds none, from the project it was built in.

    Args:
        dataset: A dataset folder or the name of a Hub repository.
        split: Name of the split.
        cache_dir: Where ``datasets`` keeps its cache; by default its own place.
    """

    def open_source() -> Source:
        if configurations(dataset, MEDIA):
            rows = load_rows(dataset, MEDIA, split, cache_dir)
            if AUDIO in rows.features or VIDEO in rows.features:  # else it says only where they are
                return MediaRows(rows.with_format("arrow"), f"{dataset}, {MEDIA}")
        folder = folder_of(dataset)
        if folder is not None and (folder.resolve().parent / SETTINGS).is_file():
            segments = Segments(Project(folder.resolve().parent))
            if segments.tables:
                return ProjectMedia(segments)
        message = "this dataset has no recordings, which an encoder of sound or pictures reads"
        raise InputError(Issue(message, str(dataset), value=MEDIA))

    return Recordings(open_source)


@dataclass(frozen=True)
class MediaRows:
    """The rows of the configuration ``media``.

    Attributes:
        rows: A ``datasets.Dataset`` that gives Arrow tables.
        where: Its name for messages.
    """

    rows: Any
    where: str

    def sound(self, utterance_id: str) -> Floats | None:
        """Return the sound of an utterance."""
        content = self._content(utterance_id, AUDIO)
        return None if content is None else decode_sound(io.BytesIO(content), self._place(utterance_id))

    def pictures(self, utterance_id: str, most: int) -> Sequence[Pixels]:
        """Return pictures of an utterance."""
        content = self._content(utterance_id, VIDEO)
        if content is None:
            return ()
        return decode_pictures(io.BytesIO(content), most, self._place(utterance_id))

    def _place(self, utterance_id: str) -> str:
        return f"{self.where}, {utterance_id}"

    @cached_property
    def _numbers(self) -> dict[str, int]:
        ids = self.rows.select_columns("utterance_id")[:].column(0).to_pylist()
        return {one: row for row, one in enumerate(ids)}

    def _content(self, utterance_id: str, column: str) -> bytes | None:
        """Return the file of a recording, undecoded; null in the dataset, or no row of it: None."""
        if column not in self.rows.features:
            raise InputError(Issue("the dataset holds no such recordings", self.where, column=column))
        number = self._numbers.get(utterance_id)
        if number is None:
            return None
        cell = self.rows.select_columns(column)[number].column(0)[0].as_py()
        if cell is None:
            return None
        if cell["bytes"] is None:
            message = "the dataset names this recording, but does not hold it"
            raise InputError(Issue(message, self._place(utterance_id), column=column, value=cell["path"]))
        content: bytes = cell["bytes"]
        return content


@dataclass(frozen=True)
class ProjectMedia:
    """The recordings of a project, as ``corpus media`` cut them."""

    segments: Segments

    def sound(self, utterance_id: str) -> Floats | None:
        """Return the sound of an utterance."""
        return self.segments.audio(utterance_id)

    def pictures(self, utterance_id: str, most: int) -> Sequence[Pixels]:
        """Return frames of an utterance."""
        frames = self.segments.frames(utterance_id)
        return [frames[place][1] for place in spread(len(frames), most)]
