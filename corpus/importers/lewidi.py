"""The JSON format of the Learning With Disagreements tasks (Leonardelli et al. 2023), texts with raters.

An item is an object with ``text`` (a text, or a mapping of turns of which the last one is rated),
``annotators`` ("Ann1,Ann2", or a list), ``annotations`` (a mapping from rater to answer, or a list or "1,0"
in the order of ``annotators``), and optionally ``lang`` and ``split``. An item without a text, or whose
ratings do not go with its raters, is set apart.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from corpus.importers.quarantine import ROW_SET_APART
from corpus.importers.reading import as_cell, read_json, source_files
from corpus.importers.source import LABEL, SOURCE_ROWS, Source, concat_rows
from schemas.errors import InputError, Issue
from schemas.fields import RelationField
from schemas.label_schema import LabelSchema
from schemas.tables import from_rows

METADATA = "annotators_meta"


def read(paths: Sequence[Path], schema: LabelSchema, name: str, field: str | None = None) -> Source:
    """Read items with the ratings of each rater; the turns before the rated one are context only.

    Args:
        paths: JSON files, or folders of them; ``*annotators_meta.json`` describes raters.
        schema: The label schema.
        name: Name of the source.
        field: Which field of the schema was rated; may be left out where there is only one.

    Raises:
        InputError: No file of items, an item id in two files, or a field to choose; all faults at once.
    """
    plain = [one.name for one in schema if not isinstance(one, RelationField)]
    if field is None and len(plain) != 1:
        raise InputError(Issue("say with --field which field of the schema was rated", choices=plain))
    rated = schema[field or plain[0]].name
    source = Source(name, concat_rows([]))
    issues: list[Issue] = []
    rows: list[dict[str, Any]] = []
    attributes: dict[str, dict[str, str]] = {}
    seen: dict[str, str] = {}
    files = [file for file in source_files(paths) if file.suffix.lower() == ".json"]
    if not files:
        raise InputError(Issue("there is no JSON file here", str(paths[0])))
    for file in files:
        content, encoding = read_json(file)
        source.notes.append(f"{file.name}: {encoding}")
        if not isinstance(content, dict):
            issues.append(Issue("a mapping from item ids to items is expected", str(file)))
        elif METADATA in file.stem:
            attributes.update(
                {
                    f"{name}:{rater}": {key.lower(): str(value) for key, value in about.items()}
                    for rater, about in content.items()
                    if isinstance(about, dict)
                }
            )
        else:
            for number, (key, item) in enumerate(content.items(), 1):
                if seen.setdefault(key, file.name) != file.name:
                    message = f"this item id stands in {seen[key]} too; give the items ids of their own"
                    issues.append(Issue(message, str(file), row=number, value=key))
                place = {"file": file.name, "row": number}
                source.read += 1
                fault = _fault(item)
                if fault:
                    original = json.dumps(item, ensure_ascii=False)
                    apart = {"source": name, "original": original, "action": ROW_SET_APART, "reason": fault}
                    source.quarantine.append({**place, **apart})
                else:
                    rows += [{**place, **row} for row in _rows(key, item, rated)]
    if issues:
        raise InputError(issues)
    columns = dict.fromkeys([*SOURCE_ROWS.names, f"{LABEL}{rated}"])
    extended = SOURCE_ROWS.append(SOURCE_ROWS.field("text").with_name(f"{LABEL}{rated}"))
    for row in rows:
        for column in ("dialogue_id", "utterance_id"):
            row[column] = f"{name}_{row[column]}"
        if row.get("rater"):
            row["rater"] = f"{name}:{row['rater']}"
    source.rows = concat_rows([from_rows(rows, extended).select(list(columns))])
    source.rater_attributes = attributes
    return source


def _fault(item: object) -> str | None:
    """Say what an item lacks."""
    if not isinstance(item, dict):
        return "the item is not a mapping"
    if not item.get("text") or not isinstance(item["text"], str | dict):
        return "the item has no text"
    return "its annotations do not go with its annotators" if _ratings(item) is None else None


def _rows(key: str, item: Mapping[str, Any], field: str) -> Iterator[dict[str, Any]]:
    """Give a row for every turn of context and one for every rating of the last turn."""
    turns = list(item["text"].values()) if isinstance(item["text"], dict) else [item["text"]]
    common = {
        "dialogue_id": key,
        "language": as_cell(item.get("lang")),
        "source_split": as_cell(item.get("split")),
    }
    for place, turn in enumerate(turns[:-1]):
        yield {**common, "utterance_id": f"{key}_{place}", "text": as_cell(turn), "context_only": True}
    last = {**common, "utterance_id": f"{key}_{len(turns) - 1}", "text": as_cell(turns[-1])}
    for rater, answer in (_ratings(item) or {None: None}).items():
        yield {**last, "rater": rater, f"{LABEL}{field}": as_cell(answer)}


def _ratings(item: Mapping[str, Any]) -> dict[str | None, Any] | None:
    """Return the answers by rater, in the order of ``annotators``; None where the two do not fit."""
    annotations, raters = item.get("annotations") or {}, item.get("annotators")
    if isinstance(annotations, dict):
        return annotations
    answers = annotations.split(",") if isinstance(annotations, str) else annotations
    names = [
        str(one).strip() for one in (raters if isinstance(raters, list) else str(raters or "").split(","))
    ]
    if not isinstance(answers, list) or not all(names) or not len(answers) == len(names) == len(set(names)):
        return None
    return dict(zip(names, answers, strict=True))
