"""What an import of raw material would do to lines, shown before it is done."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from corpus.importers.lines import Line
from corpus.importers.merging import Utterance
from corpus.importers.raw import Read, Recorded


def as_json(read: Read) -> dict[str, Any]:
    """Return all that an import would do, as plain values.

    Each recording has its account and ``changes``: ``merged`` (several rows become one utterance) and
    ``split`` (one row becomes several), in the order of their times, with pauses between lines in seconds.
    """
    return {
        "recordings": [
            {
                **one.about(),
                "ignored": dict(one.transcript.ignored),
                "set_apart": [vars(fault) for fault in one.transcript.faults],
                "changes": changes(one),
            }
            for one in read.recorded
        ],
        "set_apart": [{"file": file, **vars(fault)} for file, fault in read.faults],
        "notes": read.notes,
    }


def changes(one: Recorded) -> list[dict[str, Any]]:
    """Return what would be merged and split in a recording."""
    parts: dict[int, list[Line]] = defaultdict(list)
    for line in one.transcript.lines:
        parts[line.row].append(line)
    found = [_merged(utterance) for utterance in one.utterances if len(utterance.lines) > 1]
    found += [_split(row, lines) for row, lines in parts.items() if len(lines) > 1]
    return sorted(found, key=lambda change: (change["start"], change["rows"]))


def _merged(one: Utterance) -> dict[str, Any]:
    ends = [line.until for line in one.lines]
    pauses = [round(line.start - end, 3) for line, end in zip(one.lines[1:], ends, strict=False)]
    return {
        "change": "merged",
        "rows": [line.row for line in one.lines],
        "start": one.start,
        "speakers": [one.speaker],
        "pauses": pauses,
        "texts": [line.text for line in one.lines],
    }


def _split(row: int, lines: list[Line]) -> dict[str, Any]:
    return {
        "change": "split",
        "rows": [row],
        "start": lines[0].start,
        "speakers": [line.speaker for line in lines],
        "pauses": [],
        "texts": [line.text for line in lines],
    }
