"""Any table whose rows are lines of recordings: JSONL, CSV or Parquet with a column for each of `TARGETS`.

``media`` names the recording (a path beside the table), ``scene`` the dialogue, where the table knows it. A
row with a recording and without times is the whole recording. Recordings of one name in several folders are
called after their paths, others after their names.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from corpus.importers.cells import NOTHING, seconds
from corpus.importers.lines import Fault, Line, Scene, Transcript
from corpus.importers.quarantine import BLANK
from corpus.importers.reading import SourceTable, read_source
from corpus.importers.recordings import Material, recording_of
from schemas.errors import InputError, Issue

TARGETS = ("text", "start", "end", "media", "speaker", "scene")
REQUIRED = ("text",)
PLACES = ("start", "media")
"""A row needs one of them: without times it is the whole of the recording that it names."""
ENDINGS = (".jsonl", ".ndjson", ".csv", ".tsv", ".parquet")

_NO_TIME = "not a time, such as 01:02:03.5, 02:03.5 or 123.5 (seconds)"
_NO_START = "it has an end and no start"
_NOT_ALONE = "it has no times, and its recording has other rows: it is not all of it"
_NOWHERE = "it has neither times nor a recording that it could be the whole of"


def parse_map(entries: Sequence[str]) -> dict[str, str]:
    """Read ``TARGET=COLUMN`` entries.

    Raises:
        InputError: An entry is no such pair or has an unknown target; all at once.
    """
    columns: dict[str, str] = {}
    issues = []
    for entry in entries:
        target, _, column = (part.strip() for part in entry.partition("="))
        if not column:
            issues.append(Issue("a map entry is TARGET=COLUMN", "--map", value=entry))
        elif target not in TARGETS:
            issues.append(Issue("unknown target of a map entry", "--map", value=target, choices=TARGETS))
        columns[target] = column
    if issues:
        raise InputError(issues)
    return columns


def read(path: Path, columns: Mapping[str, str]) -> list[Transcript]:
    """Read a manifest: a transcript for every recording that it names.

    Args:
        path: The table.
        columns: Target to column; columns that have the name of a target need no entry.

    Raises:
        InputError: The file cannot be read, or lacks a column; all faults at once.
    """
    table = read_source(path)
    names = table.columns.column_names
    mapping = {**{one: one for one in TARGETS if one in names}, **columns}
    issues = table.require(mapping.values())
    issues += [
        Issue(f"no column says what {one!r} is; map one with --map {one}=COLUMN", str(path), choices=names)
        for one in REQUIRED
        if one not in mapping
    ]
    if not set(PLACES) & set(mapping):
        message = (
            "no column says where rows are: map --map start=COLUMN, or --map media=COLUMN if each is a whole"
        )
        issues.append(Issue(f"{message} recording", str(path), choices=names))
    if issues:
        raise InputError(issues)
    transcripts: dict[str, Transcript] = {}
    scenes: dict[str, dict[str, Scene]] = {}
    cells = {target: table.columns.column(column).to_pylist() for target, column in mapping.items()}
    for place, row in enumerate(table.rows.to_pylist()):
        found = {target: (column[place] or "").strip() for target, column in cells.items()}
        named = PurePosixPath(found.get("media", "").replace("\\", "/"))
        media = str(named) if named.name else ""
        transcript = transcripts.setdefault(
            media, Transcript(path, media=named.name or None, place=media or None)
        )
        transcript.read += 1
        line = _line(row, found, transcript)
        if line and found.get("scene"):
            marks = scenes.setdefault(media, {})
            mark = marks.get(found["scene"], Scene(line.start, line.until, found["scene"]))
            marks[found["scene"]] = Scene(
                min(mark.start, line.start), max(mark.end or 0, line.until), mark.name
            )
    shared = Counter(PurePosixPath(media).stem for media in transcripts)
    for media, transcript in transcripts.items():
        if media and shared[PurePosixPath(media).stem] > 1:
            transcript.media = media
        _keep_whole(transcript)
    for media, marks in scenes.items():
        transcripts[media].scenes = list(marks.values())
    first = next(iter(transcripts.values()), Transcript(path))
    _add_broken(first, table)
    first.notes.append(table.about)
    whole = sum(line.whole for one in transcripts.values() for line in one.lines)
    if whole:
        first.notes.append(f"{path.name}: {whole:,} row(s) without times, each the whole of its recording")
    return list(transcripts.values()) or [first]


def recordings_of(material: Material, columns: Mapping[str, str]) -> dict[str, Path]:
    """Return the recordings that manifests name and that are there, by what they are called in them."""
    found: dict[str, Path] = {}
    for path in material.transcripts:
        try:
            transcripts = read(path, columns)
        except InputError:  # said when the manifest is imported
            continue
        places = {one.place or path.name: recording_of(material, one) for one in transcripts}
        found |= {place: file for place, file in places.items() if file is not None}
    return found


def _line(row: int, cells: Mapping[str, str], transcript: Transcript) -> Line | None:
    original = ", ".join(f"{target}={cell}" for target, cell in cells.items())
    given = {one: cells.get(one, "").casefold() not in NOTHING for one in ("start", "end")}
    fault = None
    if not given["start"]:
        fault = _NO_START if given["end"] else None if cells.get("media") else _NOWHERE
    try:
        start = seconds(cells["start"]) if given["start"] else 0.0
    except ValueError:
        fault = _NO_TIME
    if fault:
        transcript.faults.append(Fault(row, fault, original))
        return None
    end = None
    if given["end"]:
        try:
            end = seconds(cells["end"])
        except ValueError:
            transcript.faults.append(Fault(row, _NO_TIME, cells["end"], "end"))
    speaker = cells.get("speaker") or None
    line = Line(row, start, end, cells["text"], cells["text"], speaker, whole=not given["start"])
    transcript.lines.append(line)
    return line


def _keep_whole(transcript: Transcript) -> None:
    """Set apart the lines that would be the whole recording, where it has others."""
    if len(transcript.lines) > 1:
        apart = [line for line in transcript.lines if line.whole]
        transcript.faults += [Fault(line.row, _NOT_ALONE, line.original) for line in apart]
        transcript.lines = [line for line in transcript.lines if not line.whole]


def _add_broken(transcript: Transcript, table: SourceTable) -> None:
    transcript.read += len(table.broken)
    transcript.faults += [
        Fault(row, table.fault if text.strip() else BLANK, text) for row, text in table.broken
    ]
