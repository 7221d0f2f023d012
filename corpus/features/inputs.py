"""What extractors get: utterances of a project with their text, sound or pictures, a shard at a time."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from corpus.features.extractor import Item, Modality
from corpus.media.segments import Segments
from schemas import project as folder
from schemas.errors import InputError, Issue
from schemas.project import Project
from schemas.tables import open_table, read_provenance, read_table

COLUMNS = ("utterance_id", "text", "language", "media", "start", "end")
SHARD_ROWS = 256
TEXT_SHARD_ROWS = 1_024
"""Utterances of a shard: minutes of work, so that little is lost when a worker is."""
_DEPENDS_ON: dict[Modality, tuple[str, ...]] = {
    Modality.TEXT: ("text", "language"),
    Modality.FILES: ("media", "start", "end"),
}
_SEGMENT_COLUMNS: dict[Modality, tuple[str, ...]] = {
    Modality.AUDIO: ("audio_sha256",),
    Modality.FRAMES: ("start", "end", "frames"),
    Modality.FACES: ("start", "end", "faces"),
}


def shard_rows(modality: Modality) -> int:
    """Return how many utterances a shard has."""
    return TEXT_SHARD_ROWS if modality is Modality.TEXT else SHARD_ROWS


def digests(project: Project, modality: Modality) -> list[str]:
    """Return a digest a shard, of all that its features are made of.

    Raises:
        InputError: Utterances or segments are not there yet.
    """
    path = project.require(folder.UTTERANCES, "corpus import")
    segments = _segment_rows(project, modality) if modality in _SEGMENT_COLUMNS else {}
    rows = read_table(path, ["utterance_id", *_DEPENDS_ON.get(modality, ())])
    found = []
    for first in range(0, rows.num_rows, shard_rows(modality)):
        shard = rows.slice(first, shard_rows(modality)).to_pylist()
        content = [[*row.values(), segments.get(row["utterance_id"])] for row in shard]
        found.append(hashlib.sha256(json.dumps(content).encode()).hexdigest())
    return found


def _segment_rows(project: Project, modality: Modality) -> dict[str, list[Any]]:
    """Return of each utterance what tells its sound or pictures from others."""
    segments = Segments(project)
    if not segments.tables:
        message = "there is no sound and there are no pictures of utterances yet; 'corpus media' makes them"
        raise InputError(Issue(message, str(project.root)))
    columns = _SEGMENT_COLUMNS[modality]
    found: dict[str, list[Any]] = {}
    for name in segments.tables:
        made_by = None
        if modality is not Modality.AUDIO:
            # Pictures have no checksum of their own; they are those of a source, cut in a certain way.
            provenance = read_provenance(project.path(name))
            made_by = provenance.to_json() if provenance else None
        for row in read_table(project.path(name), ["utterance_id", *columns]).to_pylist():
            found[row["utterance_id"]] = [made_by, *(row[column] for column in columns)]
    return found


@lru_cache(maxsize=1)
def _segments(root: str, run: str) -> Segments:  # noqa: ARG001 - another run may find other segments
    """Return the segments of a project: their tables are read once a process and run."""
    return Segments(Project(root))


def items(project: Project, modality: Modality, first: int, size: int, run: str) -> Iterator[Item]:
    """Give the utterances of a shard, one by one.

    Args:
        project: The project.
        modality: What is read of them.
        first: Row of the first in the table of utterances.
        size: How many, fewer at the end of the table.
        run: A name for the state of the project.
    """
    for row in _rows(project, first, size):
        item = Item(**row)
        match modality:
            case Modality.AUDIO:
                item = Item(**row, audio=_segments(str(project.root), run).audio(item.utterance_id))
            case Modality.FRAMES:
                frames = _segments(str(project.root), run).frames(item.utterance_id)
                item = Item(**row, images=[pixels for _, pixels in frames])
            case Modality.FACES:
                # Of the faces in a frame the largest one, which comes first: who speaks is not known.
                faces = _segments(str(project.root), run).faces(item.utterance_id)
                largest = {face.time: face for face in reversed(faces)}
                item = Item(**row, images=[largest[time].pixels for time in sorted(largest)])
        yield item


def _rows(project: Project, first: int, size: int) -> list[dict[str, Any]]:
    """Read some rows of the table of utterances, and no more row groups than they are in."""
    with open_table(project.path(folder.UTTERANCES)) as file:
        groups, begin, skipped = [], 0, 0
        for group in range(file.num_row_groups):
            rows = file.metadata.row_group(group).num_rows
            if begin + rows <= first:
                skipped += rows
            elif begin < first + size:
                groups.append(group)
            begin += rows
        found: list[dict[str, Any]] = (
            file.read_row_groups(groups, list(COLUMNS)).slice(first - skipped, size).to_pylist()
        )
    return found
