"""``corpus media`` and ``corpus status``, as people run them."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from corpus.cli import app
from corpus.media.segments import Segments
from schemas.project import Project
from tests.corpus.media.film import shoot
from tests.corpus.media.test_faults import CUTS, Name


def command(project: Project, *words: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, [*words, "--project", str(project.root)], env={"COLUMNS": "200"})
    return done.exit_code, done.stdout


@pytest.mark.usefixtures("in_process")
def test_media(project: Project, name_utterances: Name) -> None:
    shoot(project.path("media/one.mp4"), seconds=2.5)
    project.path("media/empty.mp4").touch()
    name_utterances({"one.mp4": [*CUTS, (9.0, 9.5)], "empty.mp4": [*CUTS, *CUTS], "gone.mp4": CUTS})
    code, said = command(project, "media", "--rate", "2")
    assert code == 1
    assert "media/one.mp4 one_3: it ends at 9.5 s, beyond the pictures of the recording" in said
    assert "media/empty.mp4 empty_0, empty_1, empty_2 and 3 more: the file is empty" in said
    assert "media/gone.mp4 this recording is not there; 3 utterances wait for it" in said
    assert "3 recordings, 2 of them cut now; 3 utterances cut, 8 failures" in said
    assert [time for time, _ in Segments(project).frames("one_0")] == [0.0, 0.5]
    code, said = command(project, "status")
    line = next(line for line in said.splitlines() if "clips" in line)
    assert code == 0
    assert "current" in line
    assert "corpus media" in line
    code, said = command(project, "media", "--rate", "2", "--json")
    account = json.loads(said)
    assert (code, account["cut"], account["utterances"], len(account["failures"])) == (1, [], 3, 8)
    name_utterances({"one.mp4": CUTS})
    assert command(project, "media", "--rate", "2")[0] == 0
    code, said = command(project, "media", "--rate", "2")
    assert (code, said.strip()) == (0, "Nothing to do: it is up to date.")


def test_without_recordings_there_is_nothing_to_show(project: Project, name_utterances: Name) -> None:
    name_utterances({})
    assert "clips" not in command(project, "status")[1]
    assert command(project, "media") == (0, "No utterance names a recording: nothing was cut.\n")
