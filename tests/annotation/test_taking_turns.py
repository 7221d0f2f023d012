"""Two commands at once on one project: the second waits for the first, and finds what that one has done."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from filelock import FileLock

from annotation import pushing
from annotation.adjudication import pull_decisions, push_disagreements
from annotation.backup import back_up
from annotation.client import Client
from annotation.pushing import push
from annotation.qualification import override
from annotation.qualification_report import qualify
from annotation.taking_turns import LOCK, PULL_LOCK
from annotation.workflow import Plan, set_up
from schemas import InputError
from schemas.records import Condition
from tests.annotation.served import small_project


def at_once(run):
    """Call a function twice at the same moment, each time with what it shall tell to; return both results."""
    start, told = Barrier(2), []

    def one(_):
        start.wait()
        return run(told.append)

    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(one, range(2))), told


def test_two_setups_and_two_pushes_at_once_are_as_one(copied, monkeypatch):
    project, served, _, _ = copied
    monkeypatch.setattr(pushing, "BATCH", 3)
    plan = Plan("together", k=2, condition=Condition.TEXT)
    before = len(served.client.projects())
    (first, second), told = at_once(lambda tell: set_up(project, plan, tell=tell))
    assert first.round == second.round
    assert sorted(map(len, (first.made, second.made))) == [0, len(first.round.queues)]
    assert len(served.client.projects()) == before + len(first.round.queues)
    assert any("waiting for another" in line for line in told)

    pushed, _ = at_once(lambda tell: push(project, "together", tell=tell))
    for one, other in zip(*pushed, strict=True):
        keys = Counter(task["data"]["key"] for task in served.client.tasks(first.round.projects[one.rater]))
        assert set(keys.values()) == {1}
        assert sorted([one.new, other.new]) == sorted([one.there, other.there]) == [0, len(keys)]
        assert one.removed == other.removed == 0


class WaitsError(Exception):
    pass


@pytest.mark.parametrize(
    "run",
    [
        lambda project, **tell: set_up(project, Plan("main"), **tell),
        push,
        push_disagreements,
        pull_decisions,
        qualify,
        lambda project, **tell: override(project, "ann", "why", **tell),
        lambda project, **tell: back_up(project, project.path("backup.tar"), **tell),
    ],
)
def test_what_changes_the_server_or_private_takes_its_turn(tmp_path, run):
    project = small_project(tmp_path / "p", dialogues=1)

    def tell(line):
        assert "waiting for another annotation command" in line
        raise WaitsError

    with FileLock(project.path(LOCK)), pytest.raises(WaitsError):
        run(project, tell=tell)


@pytest.mark.parametrize("lock", [LOCK, PULL_LOCK])
def test_a_backup_waits_for_a_command_that_changes_what_it_copies(tmp_path, lock):
    project, told = small_project(tmp_path / "p", dialogues=1), []
    file = tmp_path / "backup.tar"
    other = FileLock(project.path(lock))
    other.acquire()

    def tell(line):
        told.append((line, file.exists()))
        other.release()

    back_up(project, file, tell=tell)
    [(line, early)] = told
    assert "waiting" in line
    assert not early
    assert file.exists()


def test_whoever_fails_gives_the_turn_back(tmp_path):
    project = small_project(tmp_path / "p", dialogues=1)
    for _ in range(2):
        with pytest.raises(InputError, match="no round"):
            push(project, client=Client("http://127.0.0.1:9", "key"))
    with FileLock(project.path(LOCK)).acquire(timeout=0):
        pass
