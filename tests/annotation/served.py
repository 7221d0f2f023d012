"""A small project with its own real server and raters who log in, for the tests of the workflow."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pyarrow.compute as pc

from annotation import roster, server
from annotation.client import OWN, Client
from annotation.installation import LABEL_STUDIO
from annotation.rounds import Round
from schemas.project import Project
from schemas.sampling import draw_corpus
from schemas.tables import write_table
from tests.annotation.label_studio import installed, template
from tests.availability import unavailable

SCHEMA = """\
name: small
version: 1.0.0
title: {en: Small, zh: 小}
description: {en: Two fields for tests., zh: 测试用的两个字段。}
fields:
  sentiment:
    type: ordinal
    title: {en: Sentiment, zh: 情感}
    absent: [neutral]
    values:
      negative: {title: {en: Negative, zh: 消极}}
      neutral: {title: {en: Neutral, zh: 中性}}
      positive: {title: {en: Positive, zh: 积极}}
  sarcasm:
    type: nominal
    title: {en: Sarcasm, zh: 讽刺}
    absent: [none]
    values:
      none: {title: {en: None, zh: 无}}
      sarcastic: {title: {en: Sarcastic, zh: 讽刺}}
"""
PEOPLE = """\
raters:
  ann: {name: Ann Lee, language: en}
  bo: {name: Bo Wang, language: zh, attributes: {age: 30s}}
  cy: {name: Cy Fox}
  judge: {name: Judy Hall, role: adjudicator}
"""
RATERS = ("ann", "bo", "cy")


def small_project(folder: Path, dialogues: int = 6, schema: str = SCHEMA) -> Project:
    """Make a project of a few drawn dialogues of up to four turns, with a roster."""
    definition = folder.parent / f"{folder.name}.yaml"
    definition.write_text(schema, "utf-8")
    project = Project.create(folder, definition)
    for name, table in draw_corpus(project.schema, dialogues, seed=3, raters=0).items():
        if "/" not in name and name != "splits.parquet":
            if "index" in table.column_names:
                table = table.filter(pc.less(table.column("index"), 4))
            write_table(folder / name, table, table.schema)
    roster.write_private(project.path(roster.ROSTER), PEOPLE)
    return project


def free_port(host: str = "127.0.0.1") -> int:
    """Return a port that nobody uses."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def python() -> Path:
    """Return the Python of an environment with Label Studio."""
    try:
        return installed()
    except (OSError, RuntimeError, subprocess.SubprocessError) as error:
        unavailable("the workflow with a real Label Studio", error)


def migrated(project: Project) -> None:
    """Give a project the data of a server that was started before, so that the first start takes seconds."""
    try:
        source = template()
    except (OSError, RuntimeError, subprocess.SubprocessError) as error:
        unavailable("the workflow with a real Label Studio", error)
    target = project.path(f"{server.FOLDER}/data")
    shutil.copytree(source, target)
    roster.write_private(project.path(f"{server.FOLDER}/version"), LABEL_STUDIO)


@dataclass
class Served:
    """A project and its running server."""

    project: Project
    url: str

    @property
    def client(self) -> Client:
        return Client.of(self.project)

    @contextmanager
    def log_in(self, key: str) -> Iterator[httpx.Client]:
        """Open a web session of a rater."""
        account = roster.read_accounts(self.project).on(OWN)[key]
        with httpx.Client(base_url=self.url, timeout=120) as web:
            token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', web.get("/user/login/").text)
            assert token
            form = {"csrfmiddlewaretoken": token[1], "email": account.login, "password": account.password}
            answer = web.post("/user/login/", data=form, headers={"Referer": self.url})
            assert answer.status_code == 302, answer.text
            web.headers.update({"X-CSRFToken": web.cookies["csrftoken"], "Referer": self.url})
            yield web

    def predictions(self, task: int) -> list[dict[str, Any]]:
        """Return the predictions of a task, oldest first; exports hold their numbers alone."""
        found = self.client.sdk.tasks.get(str(task)).model_dump(mode="json")["predictions"]
        return sorted(found, key=lambda one: one["id"])

    def pseudonym(self, key: str) -> str:
        return roster.read_accounts(self.project).pseudonyms[key]

    def number(self, made: Round, key: str) -> int:
        """Return the number of a rater's project."""
        return made.projects[self.pseudonym(key)]

    def annotate(
        self,
        made: Round,
        key: str,
        answer: Callable[[dict[str, Any]], dict[str, str]],
        most: int | None = None,
    ) -> dict[str, dict[str, str]]:
        """Submit a rater's answers to the first tasks, as a page does; return them by key of the task."""
        number, given = self.number(made, key), {}
        with self.log_in(key) as web:
            for task in self.client.tasks(number)[:most]:
                answers = answer(task["data"])
                submit(web, number, task["id"], answers)
                given[task["data"]["key"]] = answers
        return given


def results(answers: dict[str, str]) -> list[dict[str, Any]]:
    """Write answers as the page of an utterance does."""
    return [
        {"from_name": name, "to_name": "utterance", "type": "choices", "value": {"choices": [value]}}
        for name, value in answers.items()
    ]


def submit(
    web: httpx.Client,
    project: int,
    task: int,
    answers: dict[str, str],
    *,
    skip: bool = False,
    seconds: float = 9.5,
) -> dict[str, Any]:
    """Submit one task as a page does."""
    body = {"result": results(answers), "lead_time": seconds, "was_cancelled": skip}
    answer = web.post(f"/api/tasks/{task}/annotations/", params={"project": project}, json=body)
    assert answer.status_code == 201, (answer.status_code, answer.text)
    return dict(answer.json())


@contextmanager
def serving(project: Project, host: str = "127.0.0.1") -> Iterator[Served]:
    """Run the project's server."""
    if not project.has(server.DATABASE):
        migrated(project)
    with server.running(project, host=host, port=free_port(host), python=python()) as running:
        yield Served(project, running.url)


def neighbour(served: Served, folder: Path, dialogues: int) -> Served:
    """Return another project that uses the server of the first, as projects of one lead do."""
    project = small_project(folder, dialogues)
    credentials = served.project.path(server.CREDENTIALS).read_text("utf-8")
    roster.write_private(project.path(server.CREDENTIALS), credentials)
    return Served(project, served.url)
