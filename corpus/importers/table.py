"""Any CSV, TSV, JSONL or Parquet table, with a map from its columns to the project's.

The map names a target and the column it comes from: ``text=Utterance``, ``sentiment=Polarity``. Ratings come
in long form (a ``rater`` column, a row a rating) or in wide form (``sarcasm@r1=first_annotator``: the answer
of rater r1 to the field sarcasm). Columns that already have the project's names need no entry. Cells of sets
are ``joy|anger``, with intensities ``joy=2|anger=1``, and ``[]`` for the empty set; ``cannot_tell`` is an
answer too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa

from corpus.importers.assembly import LABEL, SOURCE_ROWS, Source, broken_rows, concat_rows, source_rows
from corpus.importers.reading import SourceTable, read_source, source_files
from schemas.errors import InputError, Issue
from schemas.label_schema import LabelSchema

TARGETS = tuple(name for name in SOURCE_ROWS.names if name not in {"file", "row", "context_only"})
REQUIRED = ("dialogue_id", "text")


def parse_map(entries: Sequence[str], schema: LabelSchema) -> dict[str, str]:
    """Read ``TARGET=COLUMN`` entries.

    Raises:
        InputError: An entry is no such pair or has an unknown target; all at once.
    """
    targets: dict[str, str] = {}
    issues = []
    for entry in entries:
        target, equals, column = (part.strip() for part in entry.partition("="))
        field = target.partition("@")[0]
        valid = [*TARGETS, *schema.by_name]
        if not equals or not column:
            issues.append(Issue("a map entry is TARGET=COLUMN", "--map", value=entry))
        elif target not in valid and field not in schema:
            issues.append(Issue("unknown target of a map entry", "--map", value=target, choices=valid))
        elif target in targets:
            issues.append(Issue("two map entries have this target", "--map", value=target))
        targets[target] = column
    if issues:
        raise InputError(issues)
    return targets


def read(
    paths: Sequence[Path], schema: LabelSchema, name: str, columns: Mapping[str, str] | None = None
) -> Source:
    """Read tables under a column map.

    Args:
        paths: Files, or folders of them; every file needs the mapped columns.
        schema: Labels whose names the schema has are imported.
        name: Name of the source.
        columns: Target (a column of `SOURCE_ROWS`, a field, or ``FIELD@RATER``) to column of the file.

    Raises:
        InputError: A file lacks a column, or long and wide ratings are mixed; all faults at once.
    """
    source = Source(name, concat_rows([]), raters_are_people=True)
    issues: list[Issue] = []
    found = []
    for path in source_files(paths):
        table = read_source(path)
        found_columns = table.columns.column_names
        own = {one: one for one in (*TARGETS, *schema.by_name) if one in found_columns}
        mapping = {**own, **(columns or {})}
        lacking = table.require(mapping.values())
        lacking += [
            Issue(
                f"no column says what {one!r} is; map one with --map {one}=COLUMN",
                str(path),
                choices=found_columns,
            )
            for one in REQUIRED
            if one not in mapping
        ]
        issues += lacking
        if lacking:
            continue
        source.read += table.columns.num_rows + len(table.broken)
        source.quarantine += broken_rows(name, table)
        source.notes.append(f"{path.name}: {table.encoding or 'Parquet'}")
        found.append(_mapped(table, mapping, schema, name, issues))
    if issues:
        raise InputError(issues)
    source.rows = concat_rows(found)
    return source


def _mapped(
    table: SourceTable, mapping: Mapping[str, str], schema: LabelSchema, name: str, issues: list[Issue]
) -> pa.Table:
    """Rename the columns of one file, number utterances that have no id, and make wide ratings long."""
    fixed = {target: column for target, column in mapping.items() if target in TARGETS}
    labels = {f"{LABEL}{target}": column for target, column in mapping.items() if target in schema}
    wide: dict[str, dict[str, str]] = {}
    for target, column in mapping.items():
        field, at, rater = target.partition("@")
        if at:
            wide.setdefault(rater, {})[f"{LABEL}{field}"] = column
    if wide and (labels or "rater" in fixed):
        issues.append(
            Issue(
                "ratings come in long form (a rater column) or in wide form (FIELD@RATER), not in both",
                str(table.path),
            )
        )
    if "rater" in fixed and "utterance_id" not in fixed:
        issues.append(Issue("ratings in long form need a column for utterance_id", str(table.path)))
    rows = (
        pa.concat_tables(
            [source_rows(table, {**fixed, **columns}, rater=rater) for rater, columns in wide.items()],
            promote_options="default",
        )
        if wide
        else source_rows(table, {**fixed, **labels})
    )
    if "utterance_id" not in fixed:
        prefix = f"{name}_{table.path.stem}_"
        rows = rows.append_column(
            "utterance_id", pa.array([f"{prefix}{number}" for number in rows.column("row").to_pylist()])
        )
    return rows
