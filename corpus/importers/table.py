"""Any CSV, TSV, JSONL or Parquet table, with a map from its columns to the project's.

The map names a target and the column it comes from: ``text=Utterance``, ``sentiment=Polarity``. Ratings come
in long form (a ``rater`` column, a row a rating) or in wide form (``sarcasm@r1=first_annotator``: the answer
of rater r1 to the field sarcasm). Columns that already have such names need no entry. Cells of sets are
``joy|anger``, with intensities ``joy=2|anger=1``, and ``[]`` for the empty set; ``cannot_tell`` is an answer
too. Raters get pseudonyms; ids are kept as they stand, so they should name nobody.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from corpus.importers.quarantine import BLANK
from corpus.importers.reading import READERS, SourceTable, read_source, source_files
from corpus.importers.source import LABEL, SOURCE_ROWS, Source, broken_rows, concat_rows, source_rows
from schemas.errors import InputError, Issue
from schemas.label_schema import LabelSchema

TARGETS = tuple(name for name in SOURCE_ROWS.names if name not in {"file", "row", "context_only"})
REQUIRED = ("dialogue_id", "text")
AT = "@"


def parse_map(entries: Sequence[str], schema: LabelSchema) -> dict[str, str]:
    """Read ``TARGET=COLUMN`` entries.

    Raises:
        InputError: An entry is no such pair or has an unknown target; all at once.
    """
    targets: dict[str, str] = {}
    issues = []
    valid = [*TARGETS, *schema.by_name, *(f"{name}{AT}RATER" for name in schema.by_name)]
    for entry in entries:
        target, equals, column = (part.strip() for part in entry.partition("="))
        if not equals or not column:
            issues.append(Issue("a map entry is TARGET=COLUMN", "--map", value=entry))
        elif target not in TARGETS and target not in schema and not _is_wide(target, schema):
            issues.append(Issue("unknown target of a map entry", "--map", value=target, choices=valid))
        elif target in targets:
            issues.append(Issue("two map entries have this target", "--map", value=target))
        targets[target] = column
    if issues:
        raise InputError(issues)
    return targets


def _is_wide(target: str, schema: LabelSchema) -> bool:
    field, _, rater = target.partition(AT)
    return field in schema and bool(rater.strip())


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
        InputError: A file lacks a column, long and wide ratings are mixed, or a dialogue stands in two
            files; all faults at once.
    """
    source = Source(name, concat_rows([]), raters_are_people=True)
    issues: list[Issue] = []
    found = []
    for path in _table_files(paths, source):
        table = read_source(path)
        mapping = _mapping(table, schema, columns or {})
        faults = _faults(table, mapping, schema)
        issues += faults
        if faults:
            continue
        source.read += table.columns.num_rows + len(table.broken)
        source.quarantine += _broken(name, table, mapping)
        source.notes += [table.about, *_left_out(table, mapping)]
        found.append(_mapped(table, mapping, schema, name))
    if issues:
        raise InputError(issues)
    source.rows = concat_rows(found)
    _refuse_torn_dialogues(source)
    _tell_utterances_apart(source)
    return source


def _table_files(paths: Sequence[Path], source: Source) -> list[Path]:
    """Return the files named, and of the folders named those that can be tables."""
    files = source_files(paths)
    others = [one for one in files if one not in paths and one.suffix.lower() not in READERS]
    if others:
        source.notes.append(
            f"files of the folder that are no tables: {', '.join(one.name for one in others)}"
        )
    found = [one for one in files if one not in others]
    if not found:
        raise InputError(Issue("there is no table in this folder", str(paths[0]), choices=list(READERS)))
    return found


def _mapping(table: SourceTable, schema: LabelSchema, columns: Mapping[str, str]) -> dict[str, str]:
    """Complete the map by the columns that have the project's names.

    Where raters have columns of their own, a column ``rater`` or one of decided labels is not meant.
    """
    names = table.columns.column_names
    wide = [one for one in names if _is_wide(one, schema)]
    own = [one for one in TARGETS if one in names]
    if wide or any(AT in target for target in columns):
        own = [*(one for one in own if one != "rater"), *wide]
    else:
        own += [one for one in schema.by_name if one in names]
    return {**{one: one for one in own}, **columns}


def _faults(table: SourceTable, mapping: Mapping[str, str], schema: LabelSchema) -> list[Issue]:
    place, names = str(table.path), table.columns.column_names
    issues = table.require(mapping.values())
    issues += [
        Issue(f"no column says what {one!r} is; map one with --map {one}=COLUMN", place, choices=names)
        for one in REQUIRED
        if one not in mapping
    ]
    if any(AT in target for target in mapping) and any(one in schema or one == "rater" for one in mapping):
        message = "ratings come in long form (a rater column) or in wide form (FIELD@RATER), not in both"
        issues.append(Issue(message, place))
    if "rater" in mapping and "utterance_id" not in mapping:
        message = (
            "ratings in long form need a column for utterance_id; map one with --map utterance_id=COLUMN"
        )
        issues.append(Issue(message, place, choices=names))
    return issues


def _broken(name: str, table: SourceTable, mapping: Mapping[str, str]) -> list[dict[str, object]]:
    """Return the unreadable rows; without their text where it would tell the name of a rater."""
    rows = broken_rows(name, table)
    if "rater" not in mapping:
        return rows
    hidden = "; its text is not kept, it may name a rater"
    return [
        {**row, "original": "", "reason": f"{row['reason']}{hidden}"} if row["reason"] != BLANK else row
        for row in rows
    ]


def _left_out(table: SourceTable, mapping: Mapping[str, str]) -> list[str]:
    """Say which columns are not imported; only how many where their names may be those of raters."""
    others = [one for one in table.columns.column_names if one not in mapping.values()]
    if not others:
        return []
    wide = any(AT in target for target in mapping)
    return [f"{table.path.name}: columns left out: {len(others) if wide else ', '.join(others)}"]


def _mapped(table: SourceTable, mapping: Mapping[str, str], schema: LabelSchema, name: str) -> pa.Table:
    """Rename the columns of one file, number utterances that have no id, and make wide ratings long."""
    fixed = {target: column for target, column in mapping.items() if target in TARGETS}
    labels = {f"{LABEL}{target}": column for target, column in mapping.items() if target in schema}
    wide: dict[str, dict[str, str]] = {}
    for target, column in mapping.items():
        field, at, rater = target.partition(AT)
        if at:
            wide.setdefault(rater.strip(), {})[f"{LABEL}{field}"] = column
    rows = _lengthened(table, fixed, wide) if wide else source_rows(table, {**fixed, **labels})
    if "utterance_id" not in fixed:
        prefix = f"{name}_{table.path.stem}_"
        ids = pa.array([f"{prefix}{number}" for number in rows.column("row").to_pylist()], pa.string())
        rows = rows.append_column("utterance_id", ids)
    return rows


def _lengthened(
    table: SourceTable, fixed: Mapping[str, str], wide: Mapping[str, Mapping[str, str]]
) -> pa.Table:
    """Make a row of every rater's answers; a rater who left all cells of a row empty did not rate it."""
    parts = []
    answered = np.zeros(table.columns.num_rows, dtype=bool)
    for rater, columns in wide.items():
        given = np.zeros(table.columns.num_rows, dtype=bool)
        for column in columns.values():
            cells = pc.utf8_trim_whitespace(table.columns.column(column).fill_null(""))
            given |= np.asarray(pc.not_equal(cells, ""))
        rows = source_rows(table, {**fixed, **columns}, rater=rater)
        parts.append(rows.filter(pa.array(given)))
        answered |= given
    # An utterance that nobody rated is one all the same.
    parts.append(source_rows(table, fixed).filter(pa.array(~answered)))
    rows = pa.concat_tables(parts, promote_options="default")
    return rows.sort_by("row")


def _refuse_torn_dialogues(source: Source) -> None:
    """Refuse a dialogue id that comes again in another file, unless a file holds another rater's answers."""
    rows = source.rows
    if pc.any(pc.is_valid(rows.column("rater"))).as_py():
        return
    counts = rows.group_by("dialogue_id").aggregate([("file", "count_distinct"), ("file", "max")])
    torn = counts.filter(pc.greater(counts.column("file_count_distinct"), 1))
    message = "this dialogue stands in another file too; give dialogues of different files ids of their own"
    issues = [
        Issue(message, f"{source.name}: {one['file_max']}", column="dialogue_id", value=one["dialogue_id"])
        for one in torn.to_pylist()
        if one["dialogue_id"] and one["dialogue_id"].strip()
    ]
    if issues:
        raise InputError(issues)


def _tell_utterances_apart(source: Source) -> None:
    """Put the dialogue's id before utterance ids that begin anew in every dialogue.

    That they do is seen from most of them occurring in several dialogues: an id repeated by mistake does not
    change all others.
    """
    rows = source.rows
    ids, dialogues = (pc.utf8_trim_whitespace(rows.column(one)) for one in ("utterance_id", "dialogue_id"))
    given = pc.fill_null(pc.and_(pc.not_equal(ids, ""), pc.not_equal(dialogues, "")), False)
    pairs = pa.table({"id": ids, "dialogue": dialogues}).filter(given)
    counts = (
        pairs.group_by("id").aggregate([("dialogue", "count_distinct")]).column("dialogue_count_distinct")
    )
    several = pc.sum(pc.greater(counts, 1)).as_py() or 0
    if several * 2 <= len(counts):
        return
    source.notes.append("utterance ids begin anew in every dialogue: they got the dialogue's id before them")
    joined = pc.if_else(given, pc.binary_join_element_wise(dialogues, ids, "_"), rows.column("utterance_id"))
    source.rows = rows.set_column(rows.column_names.index("utterance_id"), "utterance_id", joined)
