"""What goes wrong between the toolkit and the server, through a proxy: nothing is lost or doubled."""

from __future__ import annotations

from collections import Counter

import pytest

from annotation import client as client_module
from annotation import pulled, pulling, pushing, server
from annotation.client import OWN, Client
from annotation.pulled_table import TABLE
from annotation.pulling import pull
from annotation.pushing import push
from annotation.server_faults import ServerDown
from annotation.workflow import Plan, set_up
from schemas import InputError
from schemas import project as folder
from schemas.records import Condition
from schemas.tables import read_table
from tests.annotation.conftest import PLAN
from tests.annotation.proxy import Rule, faulty
from tests.annotation.served import (
    RATERS,
    free_port,
    neighbour,
    submit,
)


@pytest.fixture
def small_batches(monkeypatch):
    monkeypatch.setattr(client_module, "_FIRST_PAUSE", 0.02)
    monkeypatch.setattr(pushing, "BATCH", 5)


def through(project, served, proxy, timeout=2.0):
    """A client behind the proxy that counts as the project's own server."""
    return Client(proxy.url, server.read_credentials(project).token, timeout=timeout, name=OWN)


@pytest.mark.parametrize("fault", ["503", "cut before", "cut after", "cut within", "hang"])
@pytest.mark.parametrize("skip", [0, 2])
def test_a_push_that_is_cut_ends_with_each_task_once(copied, small_batches, fault, skip):
    project, served, _, _ = copied
    name = f"cut-{fault.replace(' ', '-')}-{skip}"
    made = set_up(project, Plan(name, k=2, condition=Condition.TEXT, seed=4)).round
    with faulty(served.url) as proxy:
        proxy.hang = 2.5
        proxy.rules = [Rule(fault, "POST", "/import", skip=skip, times=2)]
        done = push(project, name, client=through(project, served, proxy))
        assert sum(one[2] == fault for one in proxy.seen) == 2
    assert all(one.new > 0 and one.there == 0 for one in done)
    for rater, number in made.projects.items():
        keys = [task["data"]["key"] for task in served.client.tasks(number)]
        assert len(keys) == len(set(keys)) == next(one.new for one in done if one.rater == rater)
    assert all(one.new == one.removed == 0 for one in push(project, name))


def test_a_push_that_failed_for_good_is_continued_by_the_next(copied, small_batches):
    project, served, _, _ = copied
    made = set_up(project, Plan("gives-up", k=2, condition=Condition.TEXT, seed=5)).round
    with faulty(served.url) as proxy:
        proxy.rules = [Rule("503", "POST", "/import", skip=3, times=1000)]
        with pytest.raises(InputError, match="continues where it stopped"):
            push(project, "gives-up", client=through(project, served, proxy))
    halfway = sum(len(served.client.tasks(number)) for number in made.projects.values())
    done = push(project, "gives-up")
    assert sum(one.there for one in done) == halfway
    assert all(one.removed == 0 for one in done)
    assert 0 < halfway < sum(one.there + one.new for one in done)
    whole = sum(len(served.client.tasks(number)) for number in made.projects.values())
    assert whole == sum(one.there + one.new for one in done)


def test_tasks_that_came_twice_are_removed_but_never_a_rated_one(copied):
    project, served, _, _ = copied
    made = set_up(project, Plan("twice", k=2, condition=Condition.TEXT, seed=6)).round
    push(project, "twice")
    number = served.number(made, "ann")
    tasks = served.client.tasks(number)
    doubles = served.client.import_tasks(number, [{"data": task["data"]} for task in tasks[:4]])
    with served.log_in("ann") as web:
        submit(web, number, doubles[0], {"sentiment": "neutral", "sarcasm": "none"})
        submit(web, number, doubles[1], {"sentiment": "neutral", "sarcasm": "none"})
        submit(web, number, tasks[1]["id"], {"sentiment": "positive", "sarcasm": "none"})
    done = {one.rater: one for one in push(project, "twice")}
    assert done[served.pseudonym("ann")].removed == 3
    left = {task["id"] for task in served.client.tasks(number)}
    assert {doubles[0], doubles[1], tasks[1]["id"]} <= left
    pull(project)
    rows = [row for row in read_table(project.path(TABLE)).to_pylist() if row["round"] == "twice"]
    assert Counter(row["status"] for row in rows) == {"submitted": 2, "superseded": 1}


@pytest.mark.parametrize("fault", ["503", "cut before", "cut after", "cut within", "hang"])
def test_a_setup_that_is_cut_makes_nothing_twice(done, tmp_path, small_batches, fault):
    served = neighbour(done[0], tmp_path / "p", dialogues=3)
    project = served.project
    before = len(served.client.projects()), len(served.client.users())
    with faulty(served.url) as proxy:
        client = through(project, served, proxy)
        proxy.hang = 2.5
        # The answer to a form has no body that could be cut.
        for part in ("/user/signup/", "/api/projects/")[fault == "cut within" :]:
            proxy.rules = [Rule(fault, "POST", part, skip=1)]
            with pytest.raises(InputError):
                set_up(project, PLAN, client=client)
        proxy.rules = []
        made = set_up(project, PLAN, client=client).round
    assert len(made.projects) == 3
    assert (len(served.client.projects()), len(served.client.users())) == (before[0] + 3, before[1] + 4)
    for key in RATERS:
        with served.log_in(key) as web:
            assert web.get("/api/current-user/whoami").status_code == 200


@pytest.mark.parametrize("fault", ["503", "cut before", "cut within", "hang", "401", "html"])
def test_a_pull_that_fails_writes_nothing_and_the_next_one_has_all(copied, small_batches, fault):
    project, served, _, given = copied
    with faulty(served.url) as proxy:
        proxy.hang = 2.5
        proxy.rules = [Rule(fault, "GET", "/export", skip=1, times=1000)]
        client = through(project, served, proxy)
        with pytest.raises(InputError):
            pull(project, client=client)
        assert not project.has(TABLE)
        assert not project.has(pulled.INDEX)
        proxy.rules = [Rule(fault, "GET", "/export", times=2)] if fault not in ("401", "html") else []
        assert pull(project, client=client).new == sum(map(len, given.values()))


def test_another_program_at_the_address_is_no_deleted_project(copied):
    """A page of a proxy says nothing about what stands on the server."""
    project, served, _, _ = copied
    pull(project)
    index = project.path(pulled.INDEX).read_bytes()
    with faulty(served.url) as proxy:
        proxy.rules = [Rule("html", times=1000)]
        for step in (pull, push):
            with pytest.raises(InputError, match="no Label Studio"):
                step(project, client=through(project, served, proxy))
    assert project.path(pulled.INDEX).read_bytes() == index


def test_a_server_that_is_down(copied):
    project, _, _, _ = copied
    down = Client(f"http://127.0.0.1:{free_port()}", "x", name=OWN)
    for step in (push, pull):
        with pytest.raises(ServerDown, match="annotation serve"):
            step(project, client=down)


def test_odd_texts_arrive_and_come_back(done, tmp_path):
    """A lone surrogate cannot stand in Parquet; NUL and 20,000 characters can."""
    served = neighbour(done[0], tmp_path / "p", dialogues=2)
    project = served.project
    from schemas.tables import write_table

    table = read_table(project.path(folder.UTTERANCES))
    rows = table.to_pylist()
    rows[0]["text"] = "nul \x00 here"
    rows[1]["text"] = "字" * 20_000
    rows[2]["text"] = '<b>&amp; "quotes"</b> \u2028 🙂'
    write_table(project.path(folder.UTTERANCES), type(table).from_pylist(rows, table.schema), table.schema)
    made = set_up(project, Plan("odd", k=3, condition=Condition.TEXT)).round
    push(project)
    served.annotate(made, "ann", lambda _: {"sentiment": "neutral", "sarcasm": "none"})
    assert pull(project).new == len(served.client.tasks(served.number(made, "ann")))
    assert all(one.new == 0 for one in push(project))


def test_the_watch_survives_failures_and_ends_on_ctrl_c(copied, monkeypatch):
    project, served, _, _ = copied
    told, found = [], []

    def after(one):
        found.append(one)
        if len(found) == 2:
            raise KeyboardInterrupt

    with faulty(served.url) as proxy:
        monkeypatch.setattr(client_module, "_FIRST_PAUSE", 0.01)
        monkeypatch.setattr(pulling.Client, "of", classmethod(lambda *_: through(project, served, proxy)))
        proxy.rules = [Rule("503", times=5)]
        pulling.watch(project, every=0.05, after=after, tell=told.append)
    assert [one.wrote for one in found] == [True, False]
    assert any("trying again" in line for line in told)
    assert told[-1] == "the watch has ended"
