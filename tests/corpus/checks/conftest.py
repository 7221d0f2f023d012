"""Tiny hand-made projects, sound unless a test says otherwise."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from corpus.checks import Finding
from schemas import records
from schemas.project import DIALOGUES, QUARANTINE, SPEAKERS, SPLITS, UTTERANCES, Project
from schemas.tables import from_rows, write_table

Rows = Sequence[Mapping[str, Any]]


def utterances(*turns: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Complete turns to rows: dialogue ``d0``, its speaker ``ann``, numbered, a text of their own."""
    rows: list[dict[str, Any]] = []
    for number, turn in enumerate(turns):
        dialogue = turn.get("dialogue_id", "d0")
        before = [row for row in rows if row["dialogue_id"] == dialogue]
        rows.append(
            {
                "utterance_id": f"u{number}",
                "dialogue_id": dialogue,
                "index": len(before),
                "speaker_id": "ann",
                "text": f"text {number}",
                "text_original": f"text {number}",
                "context_only": False,
                **turn,
            }
        )
    return rows


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., Project]:
    """Return a function that makes tiny projects."""

    def made(
        turns: Rows = ({}, {}),
        *,
        schema: str | Path = "cmma",
        dialogues: Rows | None = None,
        speakers: Rows | None = None,
        labels: Mapping[str, Rows] | None = None,
        ratings: Rows | None = None,
        splits: Rows | None = None,
        quarantine: Rows | None = None,
    ) -> Project:
        project = Project.create(tmp_path / f"p{len(list(tmp_path.iterdir()))}", schema)
        rows = utterances(*turns)
        ids = dict.fromkeys(row["dialogue_id"] for row in rows)
        people = dict.fromkeys(row["speaker_id"] for row in rows if row["speaker_id"])
        if dialogues is None:
            dialogues = [{"dialogue_id": one} for one in ids]
        if speakers is None:
            speakers = [{"speaker_id": one} for one in people]
        known = {"source": "s", "aliases": [], "attributes": [("gender", "f")], "generic": False}
        tables: dict[str, tuple[Rows, Any]] = {
            UTTERANCES: (rows, records.UTTERANCES),
            DIALOGUES: ([{"source": "s", **one} for one in dialogues], records.DIALOGUES),
            SPEAKERS: ([{**known, **one} for one in speakers], records.SPEAKERS),
        }
        for method, answers in (labels or {}).items():
            arrow = records.labels_schema(project.schema)
            tables[f"labels/{method}.parquet"] = (_answered(project, answers, rows), arrow)
        if ratings is not None:
            numbered = [
                {"annotation_id": f"a{number}", "status": "submitted", **rating}
                for number, rating in enumerate(ratings)
            ]
            arrow = records.annotations_schema(project.schema)
            tables["annotations/s.parquet"] = (_answered(project, numbered, rows), arrow)
        if splits is not None:
            tables[SPLITS] = ([{"scheme": "dialogue", "fold": 0, **one} for one in splits], records.SPLITS)
        if quarantine is not None:
            cell = {"source": "s", "file": "f.csv", "row": 1, "original": "", "action": "cell set to null"}
            tables[QUARANTINE] = ([{**cell, **one} for one in quarantine], records.QUARANTINE)
        for name, (content, arrow) in tables.items():
            write_table(project.path(name), from_rows(content, arrow), arrow)
        return project

    return made


def _answered(project: Project, answers: Rows, rows: Rows) -> list[dict[str, Any]]:
    """Give each answer its utterance, and a reason to each null that has none."""
    found = []
    for number, answer in enumerate(answers):
        reasons = {
            f"{one.name}_missing": "not_rated" for one in project.schema if answer.get(one.name) is None
        }
        place = rows[number]["utterance_id"] if number < len(rows) else f"u{number}"
        found.append({"utterance_id": place, **reasons, **answer})
    return found


@pytest.fixture
def of() -> Callable[..., list[Finding]]:
    """Return a function that picks the findings of one check, about one subject."""

    def picked(findings: Sequence[Finding], check: str, subject: str | None = None) -> list[Finding]:
        return [one for one in findings if one.check == check and subject in (None, one.subject)]

    return picked


@pytest.fixture
def only(of: Callable[..., list[Finding]]) -> Callable[..., Finding]:
    """Return a function that picks the one finding of a check, about one subject."""

    def picked(findings: Sequence[Finding], check: str, subject: str | None = None) -> Finding:
        found = of(findings, check, subject)
        assert len(found) == 1, (check, subject, found)
        return found[0]

    return picked
