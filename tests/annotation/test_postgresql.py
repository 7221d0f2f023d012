"""``annotation serve --database-url``: a real PostgreSQL, six raters at once, nothing lost."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from annotation import roster, server
from annotation.pulled_table import TABLE
from annotation.pulling import pull
from annotation.pushing import push
from annotation.workflow import Plan, set_up
from schemas.project import Project
from schemas.records import Condition
from schemas.tables import read_table
from tests.annotation.postgresql import Database, postgresql
from tests.annotation.served import Served, free_port, python, results, small_project, submit

KEYS = tuple(f"k{number}" for number in range(6))
VALUES = ("negative", "neutral", "positive")


@contextmanager
def served_by_command(project: Project, database: Database, passwords: Path) -> Iterator[tuple[Served, str]]:
    """Run ``annotation serve`` as a lead does whose password stands in a file; yield what it said, too."""
    python()
    command = [sys.executable, "-c", "import affect_corpus; affect_corpus.annotation()", "serve"]
    command += ["--project", project.root, "--port", str(free_port()), "--database-url", database.url(None)]
    environment = {**os.environ, "PGPASSFILE": str(passwords)}
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        said = ""
        for line in process.stdout:
            said += line
            if found := re.search(r"Label Studio runs at (http://\S+?);", said.replace("\n", " ")):
                break
        else:
            pytest.fail(f"the server did not start: {said}")
        try:
            yield Served(project, found[1]), said
        finally:
            os.kill(process.pid, signal.SIGINT)
            process.communicate(timeout=60)
    assert process.returncode == 0


def said_by(key: str, utterance: str) -> dict[str, str]:
    """What a rater answers: it follows from the rater and the utterance."""
    place = sum(f"{key} {utterance}".encode())
    return {"sentiment": VALUES[place % 3], "sarcasm": ("none", "sarcastic")[place % 2]}


def test_six_raters_at_once_on_postgresql_lose_nothing(tmp_path):
    project = small_project(tmp_path / "p", dialogues=3)
    people = "raters:\n" + "".join(f"  {key}: {{name: Name {key}}}\n" for key in KEYS)
    roster.write_private(project.path(roster.ROSTER), people)
    with postgresql() as database:
        passwords = database.password_file(tmp_path / "passwords")
        with served_by_command(project, database, passwords) as (served, said):
            assert "SQLite" not in said
            made = set_up(project, Plan("pilot", k=6, condition=Condition.TEXT, seed=2)).round
            push(project)

            def work(key: str) -> dict[str, dict[str, str]]:
                """Open every task, leave a draft, submit; change one's mind about the first."""
                number, given = served.number(made, key), {}
                with served.log_in(key) as web:
                    for place, task in enumerate(served.client.tasks(number)):
                        utterance = task["data"]["utterance_id"]
                        first = said_by("" if place == 0 else key, utterance)
                        draft = {"result": results(first), "lead_time": 1.0}
                        path = f"/api/tasks/{task['id']}/drafts"
                        answer = web.post(path, params={"project": number}, json=draft)
                        assert answer.status_code == 201, answer.text
                        standing = submit(web, number, task["id"], first)
                        given[utterance] = said_by(key, utterance)
                        if place == 0:
                            body = {"result": results(given[utterance]), "lead_time": 20.0}
                            assert web.patch(f"/api/annotations/{standing['id']}/", json=body).is_success
                return given

            with ThreadPoolExecutor(len(KEYS)) as pool:
                given = dict(zip(KEYS, pool.map(work, KEYS), strict=True))
            found = pull(project)
            count = sum(map(len, given.values()))
            assert count == len(KEYS) * len(given["k0"])
            assert (found.new, found.strangers, found.quarantined, found.faults) == (count, 0, 0, [])
            assert database.ask("select count(*) from task_completion") == str(count)
            assert not project.has(server.DATABASE)
            rows = read_table(project.path(TABLE)).to_pylist()
            assert Counter(row["status"] for row in rows) == {"submitted": count}
            for key in KEYS:
                mine = [row for row in rows if row["rater"] == served.pseudonym(key)]
                back = {
                    row["utterance_id"]: {"sentiment": row["sentiment"], "sarcasm": row["sarcasm"]}
                    for row in mine
                }
                assert back == given[key]

        # A second start, with the password in the address: the same data, and they have been pulled.
        with server.running(project, port=free_port(), database_url=database.url(), python=python()) as again:
            assert not any("SQLite" in notice for notice in again.notices)
            found = pull(project)
            assert (found.new, found.changed, found.withdrawn, found.wrote) == (0, 0, 0, False)
