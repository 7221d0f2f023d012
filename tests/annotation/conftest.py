"""A pilot that three raters have finished, for the workflow; a rater at a browser, for pages."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from annotation.pushing import push
from annotation.tasks import Dialogue, read_dialogues
from annotation.workflow import Plan, set_up
from schemas.project import Project
from schemas.records import Condition
from tests.annotation.chromium import Rater, chromium
from tests.annotation.label_studio import Server, fresh_server
from tests.annotation.served import (
    RATERS,
    serving,
    small_project,
)
from tests.handwritten import create_sample

if TYPE_CHECKING:
    from playwright.sync_api import Browser

PLAN = Plan("pilot", k=2, condition=Condition.TEXT, seed=1)
VALUES = ("negative", "neutral", "positive")
AT_THE_BROWSER = ("rater@example.org", "a-rater-of-the-tests")


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


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with fresh_server(tmp_path_factory.mktemp("label-studio")) as running:
        running.sign_up(*AT_THE_BROWSER)
        yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def rater(server: Server, browser: Browser) -> Rater:
    return Rater(browser, server.url, *AT_THE_BROWSER)


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Dialogue]:
    """A short hand-written dialogue in each language."""
    project, _ = create_sample(tmp_path_factory.mktemp("sample") / "corpus")
    found: dict[str, Dialogue] = {}
    for dialogue in read_dialogues(project):
        found.setdefault(dialogue.language or "", replace(dialogue, turns=dialogue.turns[:4]))
    return found
