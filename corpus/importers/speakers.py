"""Who speaks, filled in by hand: a table that goes out, is filled in with a spreadsheet, and comes back.

The table goes out as CSV in UTF-8 with a byte order mark, which Excel opens with its Chinese intact; it comes
back in whatever encoding and with whatever delimiter the spreadsheet writes. Each change is kept in
``speaker_changes.parquet``: an import puts them on again, so that nothing filled in is lost.
"""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from corpus.importers.assembly import is_generic
from corpus.importers.reading import read_source
from schemas import project as folder
from schemas import records
from schemas.errors import InputError, Issue
from schemas.project import Project
from schemas.tables import Provenance, from_rows, read_provenance, read_table, write_table

CHANGES = "speaker_changes.parquet"
STEP = "corpus speakers"
VERSION = 1

COLUMNS = ("utterance_id", "dialogue_id", "start", "end", "speaker", "text")
"""Columns of the table that goes out; ``utterance_id`` and ``speaker`` are read when it comes back."""

SPEAKER_CHANGES = pa.schema(
    [
        pa.field("change", pa.int32(), nullable=False),
        pa.field("utterance_id", pa.string(), nullable=False),
        pa.field("before", pa.string()),
        pa.field("after", pa.string()),
    ]
)
"""A row a change, oldest first; ``change`` counts the tables that came back. Names as in the source."""

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def write_sheet(project: Project, path: Path) -> int:
    """Write the table to be filled in.

    Args:
        project: The project.
        path: A new CSV file.

    Returns:
        How many utterances have no speaker.

    Raises:
        InputError: Nothing is imported yet, or the file is there already: it may have been filled in.
    """
    rows = read_table(project.require(folder.UTTERANCES, "corpus import")).to_pylist()
    if path.exists():
        raise InputError(
            Issue("this file is there already, and may be filled in; choose another name", str(path))
        )
    names = _names(project)
    written = io.StringIO(newline="")
    sheet = csv.writer(written)
    sheet.writerow(COLUMNS)
    for row in rows:
        cells = {**row, "speaker": names.get(row["speaker_id"]), "text": _harmless(row["text"])}
        sheet.writerow(["" if cells[name] is None else cells[name] for name in COLUMNS])
    path.write_text(written.getvalue(), "utf-8-sig")
    return sum(row["speaker_id"] is None for row in rows)


def _harmless(text: str) -> str:
    """Keep a spreadsheet from taking a text for a formula."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def _names(project: Project) -> dict[str, str]:
    speakers = read_table(project.require(folder.SPEAKERS, "corpus import"))
    ids, sources = speakers.column("speaker_id").to_pylist(), speakers.column("source").to_pylist()
    return {key: key.removeprefix(f"{source}:") for key, source in zip(ids, sources, strict=True)}


def read_sheet(project: Project, path: Path) -> int:
    """Take a filled-in table back.

    Utterances that the table does not have stay as they are; an emptied cell takes the speaker away.

    Returns:
        How many utterances have another speaker now.

    Raises:
        InputError: The file cannot be read or lacks a column, names an utterance that is not there or names
            one twice; all faults at once.
    """
    project.require(folder.UTTERANCES, "corpus import")
    table = read_source(path)
    issues = table.require(["utterance_id", "speaker"])
    if issues:
        raise InputError(issues)
    keys = [(one or "").strip() for one in table.columns.column("utterance_id").to_pylist()]
    names = [(one or "").strip() or None for one in table.columns.column("speaker").to_pylist()]
    with project.writing(STEP) as staging:
        utterances = read_table(project.path(folder.UTTERANCES))
        now = _speaker_of(project, utterances)
        issues = [
            Issue("this row cannot be read", str(path), row=row, value=text) for row, text in table.broken
        ]
        seen: set[str] = set()
        for row, key in zip(table.rows.to_pylist(), keys, strict=True):
            if key not in now:
                issues.append(
                    Issue("no utterance of this project has this id", str(path), row=row, value=key)
                )
            elif key in seen:
                issues.append(
                    Issue("this utterance stands in the table twice", str(path), row=row, value=key)
                )
            seen.add(key)
        if issues:
            raise InputError(issues)
        changed = {key: name for key, name in zip(keys, names, strict=True) if now[key] != name}
        if not changed:
            return 0
        history = _history(project)
        number = (pc.max(history.column("change")).as_py() or 0) + 1
        rows = [
            {"change": number, "utterance_id": key, "before": now[key], "after": name}
            for key, name in changed.items()
        ]
        history = pa.concat_tables([history, from_rows(rows, SPEAKER_CHANGES)])
        write_table(staging / CHANGES, history, SPEAKER_CHANGES, Provenance(STEP, VERSION))
        _write_tables(project, staging, utterances, changed)
    return len(changed)


def _speaker_of(project: Project, utterances: pa.Table) -> dict[str, str | None]:
    names = _names(project)
    pairs = zip(
        utterances.column("utterance_id").to_pylist(),
        utterances.column("speaker_id").to_pylist(),
        strict=True,
    )
    return {key: names.get(speaker) for key, speaker in pairs}


def _history(project: Project) -> pa.Table:
    if not project.has(CHANGES):
        return SPEAKER_CHANGES.empty_table()
    return read_table(project.path(CHANGES))


def _write_tables(
    project: Project, staging: Path, utterances: pa.Table, changed: dict[str, str | None]
) -> None:
    """Write utterances and speakers with the changes on them, under the provenance of their import."""
    dialogues = read_table(project.path(folder.DIALOGUES), ["dialogue_id", "source"])
    source = dict(
        zip(dialogues.column("dialogue_id").to_pylist(), dialogues.column("source").to_pylist(), strict=True)
    )
    rows = utterances.select(["utterance_id", "dialogue_id", "speaker_id"]).to_pylist()
    ids = []
    known = {one["speaker_id"]: one for one in read_table(project.path(folder.SPEAKERS)).to_pylist()}
    for row in rows:
        name = changed.get(row["utterance_id"])
        home = source[row["dialogue_id"]]
        speaker = row["speaker_id"] if row["utterance_id"] not in changed else name and f"{home}:{name}"
        ids.append(speaker)
        if name and speaker not in known:
            about = {"speaker_id": speaker, "source": home, "name": name, "generic": is_generic(name)}
            known[str(speaker)] = {**about, "aliases": [], "attributes": []}
    place = utterances.column_names.index("speaker_id")
    given = utterances.set_column(place, "speaker_id", pa.array(ids, pa.string()))
    left = from_rows([one for key, one in known.items() if key in set(ids)], records.SPEAKERS)
    for file, table, arrow in (
        (folder.UTTERANCES, given, records.UTTERANCES),
        (folder.SPEAKERS, left, records.SPEAKERS),
    ):
        write_table(staging / file, table, arrow, read_provenance(project.path(file)))


def with_changes(project: Project, rows: pa.Table) -> pa.Table:
    """Put what was filled in by hand on the rows of a source (columns of `source.SOURCE_ROWS`)."""
    history = _history(project)
    latest = dict(
        zip(history.column("utterance_id").to_pylist(), history.column("after").to_pylist(), strict=True)
    )
    if not latest:
        return rows
    pairs = zip(rows.column("utterance_id").to_pylist(), rows.column("speaker").to_pylist(), strict=True)
    speakers = pa.array([latest.get(key, name) for key, name in pairs], pa.string())
    return rows.set_column(rows.column_names.index("speaker"), "speaker", speakers)
