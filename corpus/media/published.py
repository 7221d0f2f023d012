"""Recordings on their way into a dataset: for a row an utterance where it is, and its sound and its clip."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from corpus.media import run
from corpus.media.plan import Wanted, segments_folder
from corpus.media.segments import SEGMENTS_FILE, Segments, Status
from schemas.errors import InputError, Issue
from schemas.project import Project, Variant
from schemas.tables import read_provenance, read_table

CONFIGURATION = "media"
ROW_GROUP = 10
"""Rows of a row group: so many clips are in memory, and `datasets` takes as many at a time."""


_embedded = pa.struct([pa.field("bytes", pa.binary()), pa.field("path", pa.string())])

POINTERS = pa.schema(
    [
        pa.field("recording", pa.string()),
        pa.field("recording_hash", pa.string()),
        pa.field("audio_sha256", pa.string()),
        pa.field("video_sha256", pa.string()),
        pa.field("media_missing", pa.string()),
    ]
)
"""Where an utterance is: the recording's path in the project, a hash of it, of its sound and of its clip.

``start`` and ``end`` are columns of every utterance. ``media_missing`` says why an utterance was not cut.
"""

EMBEDDED = pa.schema([pa.field("audio", _embedded), pa.field("video", _embedded)])
"""The FLAC file (16 kHz, mono) and the MP4 file of an utterance; null where there is none."""


def chosen(project: Project, variant: str | None) -> Variant:
    """Return which variant of a dataset is built: as asked, or else as ``media`` in ``corpus.yaml`` says.

    Raises:
        InputError: No such variant, or ``corpus.yaml`` allows less.
    """
    policy = project.settings.media
    if variant is None:
        return Variant(policy or Variant.FEATURES)
    if variant not in list(Variant):
        raise InputError(Issue("no such variant", None, None, None, "--variant", variant, list(Variant)))
    order = list(Variant)
    if policy and order.index(Variant(variant)) > order.index(Variant(policy)):
        message = f"corpus.yaml says media: {policy}; what the rights in the sources allow is said there"
        raise InputError(Issue(message, str(project.root), None, None, "--variant", variant))
    return Variant(variant)


def faults(project: Project, variant: Variant) -> list[Issue]:
    """Say why recordings cannot be published: they were not cut, or are others than those that were cut."""
    if not Segments(project).tables:
        message = "no recording has been cut; run 'corpus media'"
        return [Issue(message, str(project.root))] if variant == Variant.FULL else []
    old = run.stale(project)
    if old:
        shown = ", ".join(old[:3]) + (f" and {len(old) - 3:,} more" if len(old) > 3 else "")
        return [
            Issue(f"segments were cut before {shown} changed; run 'corpus media' again", str(project.root))
        ]
    return []


@dataclass(frozen=True)
class _Cut:
    """What was cut from a recording."""

    fingerprint: str | None
    rows: Mapping[str, Mapping[str, Any]]


class Columns:
    """Gives the columns of recordings for utterances: the table of one recording is in memory at a time.

    Args:
        project: The project.
        embedded: Whether sound and clips are wanted, or only where they are.
    """

    def __init__(self, project: Project, *, embedded: bool) -> None:
        self._root = project.root
        self._embedded = embedded
        self._known: tuple[str | None, _Cut] = None, _Cut(None, {})

    def of(self, utterance_ids: Sequence[str], recordings: Sequence[str | None]) -> pa.Table:
        """Return a row an utterance under `POINTERS`, with `EMBEDDED` where that is wanted.

        Raises:
            InputError: A file is gone or has changed since it was cut.
        """
        rows = [self._row(*one) for one in zip(utterance_ids, recordings, strict=True)]
        schema = pa.schema([*POINTERS, *EMBEDDED]) if self._embedded else POINTERS
        return pa.Table.from_pylist(rows, schema)

    def _row(self, utterance_id: str, recording: str | None) -> dict[str, Any]:
        if recording is None:
            return {"media_missing": "it has no recording"}
        cut = self._cut(recording)
        row = cut.rows.get(utterance_id)
        found: dict[str, Any] = {"recording": recording, "recording_hash": cut.fingerprint}
        if row is None:
            return {**found, "media_missing": "its recording was not cut"}
        if row["status"] == Status.FAILED:
            return {**found, "media_missing": row["reason"]}
        found |= {"audio_sha256": row["audio_sha256"], "video_sha256": row["clip_sha256"]}
        files = {"audio": ("audio", "audio_sha256"), "video": ("clip", "clip_sha256")}
        for name, (path, sha256) in files.items() if self._embedded else ():
            if row[path] is not None:
                found[name] = self._file(utterance_id, row[path], row[sha256])
        return found

    def _cut(self, recording: str) -> _Cut:
        if self._known[0] != recording:
            path = self._root / segments_folder(recording) / SEGMENTS_FILE
            columns = ["utterance_id", "status", "reason", "audio", "audio_sha256", "clip", "clip_sha256"]
            rows = read_table(path, columns).to_pylist() if path.is_file() else []
            provenance = read_provenance(path) if path.is_file() else None
            fingerprint = provenance.inputs.get(recording) if provenance is not None else None
            self._known = recording, _Cut(fingerprint, {row["utterance_id"]: row for row in rows})
        return self._known[1]

    def _file(self, utterance_id: str, name: str, sha256: str) -> dict[str, Any]:
        path = self._root / name
        content = path.read_bytes() if path.is_file() else b""
        if hashlib.sha256(content).hexdigest() != sha256:
            message = "this file is gone or is not as it was cut; run 'corpus media' again"
            raise InputError(Issue(message, str(path)))
        return {"bytes": content, "path": f"{Wanted(utterance_id, None, None).name}{Path(name).suffix}"}
