"""CMMA (Zhang et al., NeurIPS 2023): train.csv, dev.csv and test.csv, role cards, topics."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa

from corpus.importers.reading import SourceTable, decode, read_delimited, source_files
from corpus.importers.source import LABEL, Source, broken_rows, concat_rows, source_rows
from schemas.errors import InputError, Issue
from schemas.label_schema import LabelSchema

SPLITS = {"train": "train", "dev": "validation", "test": "test"}
ROLES = "CMMA-RoleIntroduction.csv"
TOPICS = "CMMA-TopicDescription.csv"

COLUMNS = {
    "utterance_id": "UtteranceID",
    "text": "Utterance",
    "speaker": "Speaker",
    "start": "StartTime",
    "end": "EndTime",
}
# test.csv was released with the second spelling.
DIALOGUE_COLUMNS = ("ConversationID", "CoversationID")
LABELS = {
    "emotion": "Emotion",
    "sentiment": "Sentiment",
    "sarcasm": "Sarcasm",
    "humor": "Humor",
    "emotion_sentiment": "Relevancy(Emo→Sen)",
    "sarcasm_humor": "Relevancy(Sar→Hum)",
    "pride": "Pride",
    "love": "Love",
}


def read(paths: Sequence[Path], schema: LabelSchema, name: str) -> Source:
    """Read the released text part of CMMA.

    Args:
        paths: The folder, or its files.
        schema: Labels whose names the schema has are imported.
        name: Name of the source.

    Raises:
        InputError: No split is there, or a file lacks a column; all faults at once.
    """
    files = {file.name: file for file in source_files(paths)}
    tables = {split: read_delimited(files[f"{split}.csv"]) for split in SPLITS if f"{split}.csv" in files}
    if not tables:
        wanted = [f"{split}.csv" for split in SPLITS]
        raise InputError(Issue("none of the files of CMMA is here", str(paths[0]), choices=wanted))
    labels = {f"{LABEL}{field}": column for field, column in LABELS.items() if field in schema}
    source = Source(name, concat_rows([]))
    source.notes += [f"{split}.csv is not here" for split in SPLITS if split not in tables]
    topics = _topics(files.get(TOPICS), source)
    issues: list[Issue] = []
    found = []
    for split, table in tables.items():
        dialogue = next((one for one in DIALOGUE_COLUMNS if one in table.columns.column_names), None)
        if dialogue == DIALOGUE_COLUMNS[1]:
            source.notes.append(f"{table.path.name}: column {dialogue!r} read as {DIALOGUE_COLUMNS[0]!r}")
        columns = {"dialogue_id": dialogue or DIALOGUE_COLUMNS[0], **COLUMNS, **labels}
        lacking = table.require(columns.values())
        issues += lacking
        if lacking:
            continue
        source.read += table.columns.num_rows + len(table.broken)
        source.quarantine += broken_rows(name, table)
        source.notes.append(table.about)
        rows = source_rows(table, columns, language="zh", source_split=SPLITS[split])
        found.append(_with_topics(rows, topics))
    if issues:
        raise InputError(issues)
    source.rows = concat_rows(found)
    source.attributes = _roles(files.get(ROLES), source)
    return source


def _with_topics(rows: pa.Table, topics: Mapping[str, str]) -> pa.Table:
    ids = rows.column("dialogue_id").to_pylist()
    return rows.append_column("topic", pa.array([topics.get(one) for one in ids], pa.string()))


def _topics(path: Path | None, source: Source) -> dict[str, str]:
    """Read what each dialogue is about."""
    if path is None:
        source.notes.append(f"{TOPICS} is not here: dialogues have no topic")
        return {}
    table = read_delimited(path)
    issues = table.require(["ConversationID", "TopicDescription"])
    if issues:
        raise InputError(issues)
    return dict(_pairs(table, "ConversationID", "TopicDescription"))


def _pairs(table: SourceTable, key: str, value: str) -> list[tuple[str, str]]:
    return list(zip(table.columns[key].to_pylist(), table.columns[value].to_pylist(), strict=True))


def _roles(path: Path | None, source: Source) -> dict[str, dict[str, str]]:
    """Read the role cards; a personality may itself hold commas, so the cell counts differ."""
    if path is None:
        source.notes.append(f"{ROLES} is not here: speakers have no role card")
        return {}
    text, _ = decode(path)
    cards = {}
    for row in list(csv.reader(io.StringIO(text, newline="")))[1:]:
        cells = [cell.strip() for cell in row]
        if len(cells) < 5 or not cells[0]:
            continue
        personality = "，".join(cell for cell in cells[3:-1] if cell)
        card = {"gender": cells[1], "profession": cells[2], "personality": personality, "age": cells[-1]}
        cards[cells[0]] = {key: value for key, value in card.items() if value}
    return cards
