"""The command as people type it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from corpus.cli import app
from schemas.errors import InputError
from schemas.project import Project
from tests.corpus.features.conftest import write_project


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return write_project(tmp_path / "p", [{"text": text} for text in ("Oh no!", " ", "well, well")])


def command(project: Project, *words: object) -> Result:
    asked = ["features", *map(str, words), "--project", str(project.root)]
    return CliRunner().invoke(app, asked, catch_exceptions=False)


def test_without_a_name_extractors_are_listed(project: Project) -> None:
    assert "eGeMAPS" in command(project).output
    assert {"mfcc", "bert", "ngrams"} <= set(json.loads(command(project, "--json").output))


@pytest.mark.usefixtures("inline")
def test_making_says_what_is_there_and_what_is_not(project: Project) -> None:
    made = command(project, "ngrams")
    assert made.exit_code == 0
    assert "features/ngrams: 2 of 3 utterances have features, 1,024 numbers." in made.output
    assert "1 there is no text" in made.output
    assert "up to date" in command(project, "ngrams").output
    (account,) = json.loads(command(project, "ngrams", "--as", "words", "--json").output)
    assert account == {
        "name": "words",
        "changed": True,
        "utterances": 3,
        "missing": {"there is no text": 1},
        "width": 1024,
        "failed": {},
    }


def test_importing(project: Project, tmp_path: Path) -> None:
    np.savez(tmp_path / "f.npz", u0=np.ones(3), u2=np.zeros(3))
    made = command(project, "--import", "theirs", tmp_path / "f.npz")
    assert "features/theirs: 2 of 3 utterances have features, 3 numbers." in made.output
    with pytest.raises(InputError, match="takes no extractor"):
        command(project, "ngrams", "--import", "theirs", tmp_path / "f.npz")
