"""Importing released corpora, tables and raw material into a project.

A format of released corpora is a module with ``read``, which says which column means what; raw material
(recordings with subtitles or other transcripts) is read by ``raw.py``; ``assembly.py`` does the rest. Sources
are merged here: importing a source again replaces its rows and leaves those of others.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from corpus.importers import (
    account,
    cmma,
    lewidi,
    manifest,
    meld,
    raw,
    raw_source,
    recordings,
    speakers,
    table,
)
from corpus.importers.account import REPORT, read_json, write_json
from corpus.importers.assembly import Imported, assemble
from corpus.importers.reading import source_files
from corpus.importers.source import Source
from schemas import project as folder
from schemas import records
from schemas.answers import map_distinct
from schemas.errors import InputError, Issue
from schemas.fields import Missing
from schemas.label_schema import LabelSchema
from schemas.project import Project
from schemas.tables import Provenance, concat, read_provenance, read_table, write_table

RELEASED = ("cmma", "meld", "lewidi", "table")
FORMATS = (*RELEASED, *raw.FORMATS)
PUBLISHED = "labels/published.parquet"
STEP = "corpus import"
VERSION = 1


def import_source(
    project: Project,
    format_name: str,
    paths: Sequence[Path],
    *,
    name: str | None = None,
    field: str | None = None,
    columns: Sequence[str] = (),
    rules: raw.Rules | None = None,
) -> Imported | None:
    """Import released files or raw material into a project.

    Args:
        project: The project.
        format_name: One of `FORMATS`.
        paths: Files or folders of the source.
        name: Name of the source in the project; by default that of the format.
        field: ``lewidi``: which field was rated.
        columns: ``table`` and ``manifest``: map entries, ``TARGET=COLUMN``.
        rules: Raw material: how it is imported; by default as `raw.Rules` says.

    Returns:
        What was imported and the account of its rows; None when this very source stands there already.

    Raises:
        InputError: With every fault found; the project is as it was.
    """
    name = _checked(format_name, name, field, columns, rules)
    if format_name in raw.FORMATS:
        return _import_raw(project, format_name, paths, name, columns, rules or raw.Rules())
    made_from = {
        "format": format_name,
        "version": VERSION,
        "schema": project.schema.digest,
        "field": field,
        # Map entries may name raters: only their digest is kept.
        "columns": hashlib.sha256("\0".join(columns).encode()).hexdigest(),
        "files": {file.name: _digest(file) for file in source_files(paths)},
    }
    if account.standing(project).get(name, {}).get("made_from") == made_from:
        return None
    return store(project, _read(format_name, paths, project.schema, name, field, columns), made_from)


def read_raw(
    format_name: str, paths: Sequence[Path], *, columns: Sequence[str] = (), rules: raw.Rules | None = None
) -> raw.Read:
    """Read raw material as an import does, and change nothing.

    Args:
        format_name: One of `raw.FORMATS`.
        paths: Files or folders of the source.
        columns: ``manifest``: map entries.
        rules: How the material is imported.

    Raises:
        InputError: With every fault found.
    """
    if format_name not in raw.FORMATS:
        raise InputError(
            Issue("only raw material has a preview", value=format_name, choices=list(raw.FORMATS))
        )
    _checked(format_name, None, None, columns, rules)
    material = recordings.gather(paths, raw.FORMATS[format_name])
    return raw.read(format_name, material, rules or raw.Rules(), manifest.parse_map(columns))


def _checked(
    format_name: str, name: str | None, field: str | None, columns: Sequence[str], rules: raw.Rules | None
) -> str:
    """Return the name of a source; refuse what does not go with its format."""
    if format_name == "rttm":
        message = (
            "RTTM says who speaks when, and not what: lay it beside the transcript under the same name "
            "(episode01.srt, episode01.rttm), or name both: corpus import srt episode01.srt episode01.rttm"
        )
        raise InputError(Issue(message, value=format_name))
    if format_name not in FORMATS:
        raise InputError(Issue("unknown format", value=format_name, choices=FORMATS))
    if (field and format_name != "lewidi") or (columns and format_name not in ("table", "manifest")):
        raise InputError("--field belongs to the format lewidi, --map to the formats table and manifest")
    if rules and format_name not in raw.FORMATS:
        formats = ", ".join(raw.FORMATS)
        raise InputError(f"rules for lines, times, scenes and languages belong to raw material: {formats}")
    name = name or format_name
    if "/" in name or name.startswith(".") or not name.strip():
        raise InputError(
            Issue("the name of a source becomes a file name; it may not hold / or begin with .", value=name)
        )
    return name


def _import_raw(
    project: Project,
    format_name: str,
    paths: Sequence[Path],
    name: str,
    columns: Sequence[str],
    rules: raw.Rules,
) -> Imported | None:
    mapping = manifest.parse_map(columns)
    if rules.language is None and len(project.settings.languages) == 1:
        rules = replace(rules, language=project.settings.languages[0])
    material = recordings.gather(paths, raw.FORMATS[format_name])
    named = manifest.recordings_of(material, mapping) if format_name == "manifest" else {}
    texts = [*material.transcripts, *material.rttm, *material.scenes.values()]
    made_from = {
        "format": format_name,
        "version": VERSION,
        "schema": project.schema.digest,
        "rules": vars(rules) | {"tiers": list(rules.tiers)},
        "columns": mapping,
        "files": {file.name: _digest(file) for file in texts},
        "media": {one: recordings.fingerprint(file) for one, file in {**material.by_name, **named}.items()},
    }
    about = account.standing(project).get(name, {})
    if about.get("made_from") == made_from and account.are_linked(project, about):
        return None
    read = raw.read(format_name, material, rules, mapping)
    known = raw_source.standing(project, name)
    return store(project, raw_source.make_source(name, read, known, simplify=rules.simplify), made_from)


def store(project: Project, source: Source, made_from: Mapping[str, Any]) -> Imported:
    """Write what was read from a source into the project's tables.

    Args:
        project: The project.
        source: What was read.
        made_from: What identifies the source's content; kept in the account and the provenance.

    Raises:
        InputError: The source holds nothing usable, its ids collide with those of another source, or ratings
            that no import made have its name.
    """
    identities = f"private/raters-{source.name}.json"
    # What is there is read under the lock too: otherwise two imports at once would lose one of them.
    with project.writing(STEP) as staging:
        source.rows = speakers.with_changes(project, source.rows)
        names = _pseudonymise(source, project.path(identities)) if source.raters_are_people else {}
        imported = assemble(source, project.schema)
        _refuse_foreign_ratings(project, source.name)
        merged = _merge(project, imported)
        sources = account.standing(project)
        lost = sorted(account.known(project).keys() - sources.keys() - {source.name})
        if lost:
            imported.notes.append(f"tables of other sources are gone; import these again: {', '.join(lost)}")
        sources[source.name] = {
            "made_from": {"schema": project.schema.digest, **made_from},
            "tables": sorted(merged),
            "rows": {
                "read": imported.rows_read,
                "imported": imported.rows_imported,
                "quarantined": imported.rows_quarantined,
                "ignored": imported.rows_ignored,
            },
            "cells": imported.cells,
            "notes": imported.notes,
            **({"recordings": imported.recordings} if imported.recordings else {}),
        }
        made = {one: about["made_from"] for one, about in sources.items()}
        for file, (rows, schema) in merged.items():
            inputs = _inputs(project, file, made)
            write_table(staging / file, rows, schema, Provenance(STEP, VERSION, inputs, made))
        media = recordings.FOLDER
        recordings.link(source.recordings, project.path(media), staging / media)
        write_json(staging / REPORT, sources)
        if names:
            write_json(staging / identities, names, mode=0o600)
    return imported


def _refuse_foreign_ratings(project: Project, name: str) -> None:
    ratings = f"annotations/{name}.parquet"
    provenance = read_provenance(project.path(ratings)) if project.has(ratings) else None
    if project.has(ratings) and (provenance is None or provenance.step != STEP):
        message = "ratings of this name are here already, and no import made them; choose another --name"
        raise InputError(Issue(message, str(project.root), value=name))


def _inputs(project: Project, file: str, sources: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Return what a table is made from in the project: tables with answers, from the schema.

    They are out of date as long as one source in them was read under another schema than the present one.
    """
    if not file.startswith(("labels/", "annotations/")):
        return {}
    present = project.schema.digest
    read = [sources[Path(file).stem]] if file.startswith("annotations/") else list(sources.values())
    return {folder.SCHEMA: next((one["schema"] for one in read if one["schema"] != present), present)}


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _pseudonymise(source: Source, known: Path) -> dict[str, str]:
    """Replace the names of raters by pseudonyms, the same ones as at an earlier import.

    Returns:
        Name by pseudonym, of all raters of this source so far; for ``private/`` only.
    """
    column = pc.utf8_trim_whitespace(source.rows.column("rater").combine_chunks())
    column = pc.if_else(pc.equal(column, ""), None, column)
    names: dict[str, str] = read_json(known)
    pseudonyms = {name: pseudonym for pseudonym, name in names.items()}
    for name in pc.unique(column).drop_null().to_pylist():
        pseudonyms.setdefault(name, f"{source.name}:r{len(pseudonyms) + 1}")
    place = source.rows.column_names.index("rater")
    replaced = map_distinct(column, lambda name: pseudonyms[str(name)], pa.string())
    source.rows = source.rows.set_column(place, "rater", replaced)
    return {pseudonym: name for name, pseudonym in pseudonyms.items()}


def _read(
    format_name: str,
    paths: Sequence[Path],
    schema: LabelSchema,
    name: str,
    field: str | None,
    columns: Sequence[str],
) -> Source:
    if format_name == "cmma":
        return cmma.read(paths, schema, name)
    if format_name == "meld":
        return meld.read(paths, schema, name)
    if format_name == "lewidi":
        return lewidi.read(paths, schema, name, field)
    return table.read(paths, schema, name, table.parse_map(columns, schema))


def _merge(project: Project, imported: Imported) -> dict[str, tuple[pa.Table, pa.Schema]]:
    """Return the project's tables with the rows of this source in place of those it had."""
    schema, name, new = project.schema, imported.source, imported.tables
    merged: dict[str, tuple[pa.Table, pa.Schema]] = {}
    kept: dict[str, pa.Table] = {}
    for file, key, arrow in (
        (folder.DIALOGUES, "dialogues", records.DIALOGUES),
        (folder.SPEAKERS, "speakers", records.SPEAKERS),
        (folder.RATERS, "raters", records.RATERS),
        (folder.QUARANTINE, "quarantine", records.QUARANTINE),
    ):
        kept[key] = _others(project, file, name)
        rows = concat([kept[key], new.get(key, arrow.empty_table())], arrow)
        if rows.num_rows or file != folder.RATERS or project.has(file):
            merged[file] = (rows, arrow)
    utterances = _of_dialogues(project, folder.UTTERANCES, kept["dialogues"], records.UTTERANCES)
    _refuse_collisions(imported, kept["dialogues"], utterances)
    rows = concat([utterances, new["utterances"]], records.UTTERANCES)
    merged[folder.UTTERANCES] = (rows, records.UTTERANCES)
    published = _published(project, utterances, new, schema)
    if published is not None:
        merged[PUBLISHED] = (published, records.labels_schema(schema))
    annotations = f"annotations/{name}.parquet"
    if "annotations" in new or project.has(annotations):
        arrow = records.annotations_schema(schema)
        merged[annotations] = (new.get("annotations", arrow.empty_table()), arrow)
    return merged


def _others(project: Project, file: str, source: str) -> pa.Table:
    """Return the rows of a table that belong to other sources."""
    if not project.has(file):
        return pa.table({})
    rows = read_table(project.path(file))
    return rows.filter(pc.not_equal(rows.column("source"), source))


def _of_dialogues(project: Project, file: str, dialogues: pa.Table, schema: pa.Schema) -> pa.Table:
    if not dialogues.num_rows or not project.has(file):
        return schema.empty_table()
    rows = read_table(project.path(file))
    return rows.filter(pc.is_in(rows.column("dialogue_id"), value_set=dialogues.column("dialogue_id")))


def _refuse_collisions(imported: Imported, dialogues: pa.Table, utterances: pa.Table) -> None:
    """Refuse ids that another source of the project has already."""
    issues: list[Issue] = []
    for column, key, old in (
        ("dialogue_id", "dialogues", dialogues),
        ("utterance_id", "utterances", utterances),
    ):
        if not old.num_rows:
            continue
        new = imported.tables[key].column(column)
        known = new.filter(pc.is_in(new, value_set=old.column(column)))
        if len(known):
            message = "another source of this project has this id"
            value = known[0].as_py()
            issues.append(Issue(message, imported.source, column=column, value=value, count=len(known)))
    if issues:
        raise InputError(issues)


def _published(
    project: Project, others: pa.Table, new: Mapping[str, pa.Table], schema: LabelSchema
) -> pa.Table | None:
    """Return the published labels of all sources, a row for every utterance; None where there were none."""
    arrow = records.labels_schema(schema)
    old = read_table(project.path(PUBLISHED)) if project.has(PUBLISHED) else None
    if old is None and "published" not in new:
        return None
    ids = others.column("utterance_id")
    kept = (
        old.filter(pc.is_in(old.column("utterance_id"), value_set=ids))
        if old is not None
        else _unrated(others, schema)
    )
    return concat([kept, new.get("published", _unrated(new["utterances"], schema))], arrow)


def _unrated(utterances: pa.Table, schema: LabelSchema) -> pa.Table:
    """Return label rows of utterances that were published without labels."""
    reason = pc.if_else(
        utterances.column("context_only"), Missing.CONTEXT_ONLY.value, Missing.NOT_RATED.value
    )
    columns = {f"{one.name}_missing": reason for one in schema}
    return pa.table({"utterance_id": utterances.column("utterance_id"), **columns})


__all__ = ["FORMATS", "Imported", "Source", "import_source", "read_raw", "store"]
