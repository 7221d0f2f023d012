"""A pilot that three raters have finished, for the tests of the workflow."""

from __future__ import annotations

import shutil

import pytest

from annotation.pushing import push
from annotation.workflow import Plan, set_up
from schemas.project import Project
from schemas.records import Condition
from tests.annotation.served import (
    RATERS,
    serving,
    small_project,
)

PLAN = Plan("pilot", k=2, condition=Condition.TEXT, seed=1)
VALUES = ("negative", "neutral", "positive")


def by_id(data):
    """An answer that follows from the utterance: a rater who can be predicted."""
    return {"sentiment": VALUES[sum(data["utterance_id"].encode()) % 3], "sarcasm": "none"}


def otherwise(data):
    return {"sentiment": VALUES[(sum(data["utterance_id"].encode()) + 1) % 3], "sarcasm": "sarcastic"}


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """A pilot that three raters have finished: a served project, the round, and what each of them said."""
    project = small_project(tmp_path_factory.mktemp("workflow") / "p", dialogues=4)
    with serving(project) as served:
        made = set_up(project, PLAN).round
        push(project)
        given = {key: served.annotate(made, key, otherwise if key == "cy" else by_id) for key in RATERS}
        yield served, made, given


@pytest.fixture
def copied(done, tmp_path):
    """The same project in a folder of its own, without what was pulled; the server is the same."""
    served, made, given = done
    root = tmp_path / "p"
    shutil.copytree(
        served.project.root, root, symlinks=True,
        ignore=shutil.ignore_patterns("data", "pulled", "annotations", ".lock*", "shown"),
    )  # fmt: skip
    return Project(root), served, made, given
