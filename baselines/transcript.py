"""A transcript as a split without labels: what a model answers for when there is no dataset."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import numpy as np

from baselines.data import Split
from corpus.importers.reading import decode, read_source
from schemas.errors import InputError, Issue

TEXTS = (".txt",)
TABLES = (".csv", ".tsv", ".jsonl", ".parquet")
_LINE = re.compile(r"(?:([^:：]{1,40})[:：]\s*)?(.*)")


def is_transcript(path: Path) -> bool:
    """Say whether a path names a transcript by its ending."""
    return path.suffix.lower() in TEXTS + TABLES


def read_transcript(path: Path) -> Split:
    """Read a transcript.

    Args:
        path: Text with a turn a line, ``SPEAKER: WORDS`` or the words alone, and a blank line between
            dialogues; or a table (CSV, TSV, JSONL, Parquet) with ``text`` and, where they are known,
            ``speaker_id`` (or ``speaker``), ``dialogue_id`` and ``utterance_id``.

    Returns:
        A split called ``transcript``. Without ids of their own, utterances are called by the number of their
        line or row.

    Raises:
        InputError: The file cannot be read, has no turn, or a row of it has no text.
    """
    if path.suffix.lower() in TEXTS:
        return _from_lines(path)
    source = read_source(path)
    issues = [
        Issue(f"this row cannot be read: {source.fault}", str(path), row=row) for row, _ in source.broken
    ]
    issues += source.require(["text"])
    if issues:
        raise InputError(issues)
    rows = source.columns.to_pylist()
    numbers = source.rows.to_pylist()
    issues = [
        Issue("a text is missing", str(path), row=number, column="text")
        for number, row in zip(numbers, rows, strict=True)
        if row["text"] is None
    ]
    if issues:
        raise InputError(issues)
    dialogues = [row.get("dialogue_id") or "" for row in rows]
    return _split(
        path,
        [row.get("utterance_id") or str(number) for number, row in zip(numbers, rows, strict=True)],
        dialogues,
        [row.get("speaker_id") or row.get("speaker") for row in rows],
        [row["text"] for row in rows],
    )


def _from_lines(path: Path) -> Split:
    ids, dialogues, speakers, texts = [], [], [], []
    dialogue = 0
    for number, line in enumerate(decode(path)[0].splitlines(), 1):
        if not line.strip():
            dialogue = number
            continue
        match = _LINE.fullmatch(line.strip())
        assert match is not None  # the words alone match any line
        ids.append(str(number))
        dialogues.append(str(dialogue))
        speakers.append(match[1].strip() if match[1] else None)
        texts.append(match[2])
    return _split(path, ids, dialogues, speakers, texts)


def _split(
    path: Path, ids: list[str], dialogues: list[str], speakers: list[str | None], texts: list[str]
) -> Split:
    if not texts:
        raise InputError(Issue("this transcript has no turn", str(path)))
    doubled = {one for one in ids if ids.count(one) > 1} if len(set(ids)) < len(ids) else set()
    if doubled:
        first = min(doubled)
        raise InputError(Issue("two utterances have this id", str(path), column="utterance_id", value=first))
    # A model wants the turns of a dialogue together; a new name, or an old one again, begins a dialogue.
    begins = np.array([True, *(now != before for before, now in pairwise(dialogues))])
    return Split("transcript", ids, np.cumsum(begins) - 1, speakers, texts, {})
