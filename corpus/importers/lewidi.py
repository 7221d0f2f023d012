"""The JSON format of the Learning With Disagreements tasks (Leonardelli et al. 2023), texts with raters.

An item is an object with ``text`` (a text, or a mapping of turns of which the last one is rated),
``annotators`` ("Ann1,Ann2"), ``annotations`` (a mapping from rater to answer, or a list or "1,0" in the order
of ``annotators``), and optionally ``lang`` and ``split``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from corpus.importers.assembly import LABEL, SOURCE_ROWS, Source, concat_rows
from corpus.importers.reading import as_cell, read_json, source_files
from schemas.errors import InputError, Issue
from schemas.fields import RelationField
from schemas.label_schema import LabelSchema
from schemas.tables import from_rows

SPLITS = {"train": "train", "dev": "validation", "test": "test"}
METADATA = "annotators_meta"


def read(paths: Sequence[Path], schema: LabelSchema, name: str, field: str | None = None) -> Source:
    """Read items with the ratings of each rater; the turns before the rated one are context only.

    Args:
        paths: JSON files, or folders of them; ``*annotators_meta.json`` describes raters.
        schema: The label schema.
        name: Name of the source.
        field: Which field of the schema was rated; may be left out where there is only one.

    Raises:
        InputError: No item, an item without what it needs, or a field to choose; all faults at once.
    """
    plain = [one.name for one in schema if not isinstance(one, RelationField)]
    if field is None and len(plain) != 1:
        raise InputError(Issue("say with --field which field of the schema was rated", choices=plain))
    rated = schema[field or plain[0]].name
    source = Source(name, concat_rows([]))
    issues: list[Issue] = []
    rows: list[dict[str, Any]] = []
    attributes: dict[str, dict[str, str]] = {}
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
                    f"{name}:{rater}": {key.lower(): str(v) for key, v in about.items()}
                    for rater, about in content.items()
                }
            )
        else:
            for number, (key, item) in enumerate(content.items(), 1):
                place = {"file": file.name, "row": number}
                rows += [{**place, **row} for row in _rows(key, item, rated, issues, file, number)]
                source.read += 1
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


def _rows(
    key: str, item: Mapping[str, Any], field: str, issues: list[Issue], file: Path, number: int
) -> Iterator[dict[str, Any]]:
    """Give a row for every turn of context and one for every rating of the last turn."""

    def fault(message: str, column: str, value: object = None, choices: Sequence[object] = ()) -> None:
        issues.append(Issue(message, str(file), None, number, column, value, choices))

    if not isinstance(item, dict):
        return fault(f"item {key!r} is not a mapping", key)
    text = item.get("text")
    if not text or not isinstance(text, str | dict):
        return fault(f"item {key!r} has no text", "text", text)
    turns = list(text.values()) if isinstance(text, dict) else [text]
    ratings = _ratings(item)
    if ratings is None:
        return fault(
            f"the annotations of item {key!r} do not go with its annotators",
            "annotations",
            item.get("annotations"),
        )
    common = {
        "dialogue_id": key,
        "language": item.get("lang"),
        "source_split": SPLITS.get(str(item.get("split")), item.get("split")),
    }
    for place, turn in enumerate(turns[:-1]):
        yield {**common, "utterance_id": f"{key}_{place}", "text": str(turn), "context_only": True}
    last = {**common, "utterance_id": f"{key}_{len(turns) - 1}", "text": str(turns[-1])}
    for rater, answer in ratings.items() or [(None, None)]:
        yield {**last, "rater": rater, f"{LABEL}{field}": as_cell(answer)}


def _ratings(item: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the answers by rater, in the order of ``annotators``; None where the two do not fit."""
    annotations = item.get("annotations")
    raters = [one.strip() for one in str(item.get("annotators") or "").split(",") if one.strip()]
    if isinstance(annotations, dict):
        return annotations
    answers = annotations.split(",") if isinstance(annotations, str) else annotations
    if not isinstance(answers, list) or len(answers) != len(raters):
        return None
    return dict(zip(raters, (one.strip() if isinstance(one, str) else one for one in answers), strict=True))
