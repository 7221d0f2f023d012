"""What the tests of the generated sample share."""

from __future__ import annotations

import os
import shutil

import pytest

from corpus.sample.generate import generate
from schemas.project import Project


def needs_espeak():
    """Leave a test out where eSpeak NG is not installed; where tests must be complete, fail it."""
    if shutil.which("espeak-ng"):
        return
    message = "eSpeak NG is not installed: speech was not tested (apt-get install espeak-ng)"
    if os.environ.get("CI") == "true":
        pytest.fail(message)
    pytest.skip(message)


@pytest.fixture(scope="session")
def espeak():
    needs_espeak()


@pytest.fixture(scope="session")
def rendered(espeak, tmp_path_factory):
    """A small generated project: one Chinese and one English episode, the second one cut short."""
    folder = tmp_path_factory.mktemp("rendered") / "project"
    generate(folder, 5, seed=3, processes=1)
    return Project(folder)


@pytest.fixture(scope="session")
def as_features(tmp_path_factory):
    """The same dialogues as features."""
    folder = tmp_path_factory.mktemp("features") / "project"
    generate(folder, 5, seed=3, features_only=True)
    return Project(folder)
