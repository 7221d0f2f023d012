"""What the tests of the generated sample share."""

from __future__ import annotations

import shutil

import pytest

from corpus.sample.generate import generate
from schemas.project import Project
from tests.availability import unavailable


def needs_espeak():
    """Leave a test out where eSpeak NG is not installed; where tests must be complete, fail it."""
    if not shutil.which("espeak-ng"):
        unavailable("speech", "eSpeak NG is not installed (apt-get install espeak-ng)")


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
