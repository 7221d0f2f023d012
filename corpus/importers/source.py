"""What an importer reads: the cells of released files under the project's names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from corpus.importers.quarantine import BLANK, ROW_SET_APART
from corpus.importers.reading import SourceTable

LABEL = "label:"
"""Prefix of the columns of `SourceRows` that hold answers."""

SOURCE_ROWS = pa.schema(
    [
        pa.field(name, pa.string())
        for name in (
            *("file", "dialogue_id", "utterance_id", "speaker", "text", "text_original", "start", "end"),
            *("language", "media", "show", "episode", "topic", "source_split", "rater", "annotation_id"),
            *("round", "condition"),
        )
    ]
    + [pa.field("row", pa.int64()), pa.field("context_only", pa.bool_())]
)
"""Cells of the released files under the project's names; columns that a format lacks are null.

Where ``text_original`` is null, ``text`` is the original too."""


@dataclass
class Source:
    """What an importer read, before it is assembled.

    Attributes:
        name: Name of the source in the project.
        rows: A row an utterance, or a row a rating (``rater`` is then set); columns of `SOURCE_ROWS` and
            ``label:FIELD`` columns of text cells.
        attributes: What is known of speakers, by name.
        rater_attributes: What is known of raters.
        raters_are_people: Names of raters may be those of people; they are replaced by pseudonyms.
        read: Rows that the files hold.
        ignored: Rows left out on purpose, by reason.
        quarantine: Rows that could not be read at all, as `records.QUARANTINE` rows.
        cells: Cells that could not be read, likewise; their rows are imported.
        merged: Rows that became part of the utterance of another row.
        recordings: Files that the project's ``media/`` will link to, by their paths there.
        account: What was done with each recording, for ``reports/import.json``.
        notes: What people should know (encodings, renamed headers).
    """

    name: str
    rows: pa.Table
    attributes: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    rater_attributes: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    raters_are_people: bool = False
    read: int = 0
    ignored: dict[str, int] = field(default_factory=dict)
    quarantine: list[dict[str, object]] = field(default_factory=list)
    cells: list[dict[str, object]] = field(default_factory=list)
    merged: int = 0
    recordings: dict[str, Path] = field(default_factory=dict)
    account: list[dict[str, object]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def source_rows(table: SourceTable, columns: Mapping[str, str], **constants: object) -> pa.Table:
    """Rename the columns of a file.

    Args:
        table: The file.
        columns: Name in `SOURCE_ROWS` (or ``label:FIELD``) to name in the file.
        constants: Values that all rows share.
    """
    size = table.columns.num_rows
    found: dict[str, object] = {name: table.columns.column(column) for name, column in columns.items()}
    found["file"] = pa.array([table.path.name] * size, pa.string())
    found["row"] = table.rows
    for name, value in constants.items():
        found[name] = pa.array([value] * size, SOURCE_ROWS.field(name).type)
    return pa.table(found)


def concat_rows(tables: Iterable[pa.Table]) -> pa.Table:
    """Concatenate renamed files; every column of `SOURCE_ROWS` is there afterwards."""
    rows = pa.concat_tables([SOURCE_ROWS.empty_table(), *tables], promote_options="default")
    return rows.combine_chunks()


def broken_rows(source: str, table: SourceTable) -> list[dict[str, object]]:
    """Return the quarantine rows of a file's unreadable rows."""
    return [
        {
            **{"source": source, "file": table.path.name, "row": number, "original": text},
            **{"action": ROW_SET_APART, "reason": table.fault if text.strip() else BLANK},
        }
        for number, text in table.broken
    ]
