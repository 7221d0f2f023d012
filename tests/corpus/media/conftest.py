"""A project to cut recordings in."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from corpus.engine import Outcome
from schemas.project import UTTERANCES, Project
from schemas.records import UTTERANCES as COLUMNS
from schemas.tables import from_rows, write_table

Cuts = dict[str, list[tuple[float | None, float | None]]]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Return a project with an empty ``media/``."""
    made = Project.create(tmp_path / "project")
    made.path("media").mkdir()
    return made


@pytest.fixture
def in_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have shards done in this process, one after the other: starting others takes longer than the films."""

    def run(work: Any, tasks: Sequence[Any], **_: Any) -> Iterator[Outcome[Any, Any]]:
        return (Outcome(task, work(task), None) for task in tasks)

    monkeypatch.setattr("corpus.media.run.run", run)


@pytest.fixture
def name_utterances(project: Project) -> Callable[[Cuts], None]:
    """Return what writes the table of utterances: the times of those of each recording."""

    def write(cuts: Cuts) -> None:
        rows = [
            {
                **{"utterance_id": f"{Path(media).stem}_{n}", "dialogue_id": media, "index": n},
                **{"text": "words", "text_original": "words", "start": start, "end": end},
                **{"media": f"media/{media}", "context_only": False},
            }
            for media, times in cuts.items()
            for n, (start, end) in enumerate(times)
        ]
        write_table(project.path(UTTERANCES), from_rows(rows, COLUMNS), COLUMNS)

    return write
