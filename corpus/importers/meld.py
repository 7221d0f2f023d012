"""MELD (Poria et al., ACL 2019): train_sent_emo.csv, dev_sent_emo.csv, test_sent_emo.csv."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from corpus.importers.reading import read_delimited, source_files
from corpus.importers.source import LABEL, Source, broken_rows, concat_rows, source_rows
from schemas.errors import InputError, Issue
from schemas.label_schema import LabelSchema

# Split of the project, and the folder of clips that the release unpacks to.
SPLITS = {
    "train": ("train", "train_splits"),
    "dev": ("validation", "dev_splits_complete"),
    "test": ("test", "output_repeated_splits_test"),
}
SHOW = "Friends"
COLUMNS = {"text": "Utterance", "speaker": "Speaker", "start": "StartTime", "end": "EndTime"}
LABELS = {"emotion": "Emotion", "sentiment": "Sentiment"}
NUMBERS = ("Dialogue_ID", "Utterance_ID", "Season", "Episode")


def read(paths: Sequence[Path], schema: LabelSchema, name: str) -> Source:
    """Read the released text part of MELD; times are those of the episode.

    Args:
        paths: The folder, or its files.
        schema: Labels whose names the schema has are imported.
        name: Name of the source.

    Raises:
        InputError: No split is there, or a file lacks a column; all faults at once.
    """
    files = {file.name: file for file in source_files(paths)}
    names = {split: f"{split}_sent_emo.csv" for split in SPLITS}
    tables = {split: read_delimited(files[file]) for split, file in names.items() if file in files}
    if not tables:
        wanted = list(names.values())
        raise InputError(Issue("none of the files of MELD is here", str(paths[0]), choices=wanted))
    labels = {f"{LABEL}{field}": column for field, column in LABELS.items() if field in schema}
    source = Source(name, concat_rows([]))
    source.notes += [f"{file} is not here" for split, file in names.items() if split not in tables]
    issues: list[Issue] = []
    found = []
    for split, table in tables.items():
        lacking = table.require([*COLUMNS.values(), *labels.values(), *NUMBERS])
        issues += lacking
        if lacking:
            continue
        source.read += table.columns.num_rows + len(table.broken)
        source.quarantine += broken_rows(name, table)
        source.notes.append(table.about)
        kind, clips = SPLITS[split]
        rows = source_rows(table, {**COLUMNS, **labels}, language="en", show=SHOW, source_split=kind)
        dialogue, utterance, season, episode = (_number(table.columns.column(one)) for one in NUMBERS)
        clip = pc.binary_join_element_wise("dia", dialogue, "_utt", utterance, "")
        for column, value in (
            (
                "dialogue_id",
                pc.binary_join_element_wise(
                    name, split, pc.binary_join_element_wise("dia", dialogue, ""), "_"
                ),
            ),
            ("utterance_id", pc.binary_join_element_wise(name, split, clip, "_")),
            ("episode", pc.binary_join_element_wise("S", _padded(season), "E", _padded(episode), "")),
            ("media", pc.binary_join_element_wise(clips, "/", clip, ".mp4", "")),
        ):
            rows = rows.append_column(column, value)
        found.append(rows)
    if issues:
        raise InputError(issues)
    source.rows = concat_rows(found)
    ignored = sorted(set(files) - set(names.values()))
    if ignored and any(path.is_dir() for path in paths):
        source.notes.append(f"files of the folder that are not MELD's: {', '.join(ignored)}")
    return source


def _number(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return the digits of a number cell; null where there are none, so that the row has no identity."""
    cells = pc.utf8_trim_whitespace(column)
    return pc.if_else(pc.match_substring_regex(cells, r"^\d+$"), cells, None)


def _padded(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.utf8_lpad(column, 2, "0")
