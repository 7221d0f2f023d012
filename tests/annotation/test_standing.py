"""A push with nothing to do asks next to nothing, and notices all that happened on the server meanwhile."""

from __future__ import annotations

import json
import stat

import pytest

from annotation import client as client_module
from annotation import server, standing
from annotation.client import OWN, Client
from annotation.pulling import pull
from annotation.pushing import push
from annotation.workflow import Plan, set_up
from schemas.records import Condition
from tests.annotation.proxy import faulty
from tests.annotation.served import serving, small_project


@pytest.fixture(scope="module")
def pushed(tmp_path_factory):
    """A round of two raters, pushed."""
    project = small_project(tmp_path_factory.mktemp("standing") / "p", dialogues=4)
    with serving(project) as served:
        made = set_up(project, Plan("main", k=3, condition=Condition.TEXT)).round
        push(project)
        yield served, made


def requests_of(served, step):
    """Return what a step asks the server for."""
    with faulty(served.url) as proxy:
        token = server.read_credentials(served.project).token
        return step(Client(proxy.url, token, name=OWN)), [one[:2] for one in proxy.seen]


def test_a_push_with_nothing_new_lists_no_tasks(pushed):
    served, made = pushed
    done, asked = requests_of(served, lambda client: push(served.project, client=client))
    assert all(one.new == one.removed == one.gone == 0 < one.there for one in done)
    assert len(asked) == len(made.projects), asked
    assert all(method == "GET" and "page_size=1&" in path for method, path in asked)
    receipts = list(served.project.path(standing.FOLDER).iterdir())
    assert {stat.S_IMODE(one.stat().st_mode) for one in receipts} == {0o600}
    assert len(receipts) == len(made.projects)


@pytest.mark.parametrize("place", [0, 3, -1])
def test_deleted_tasks_are_noticed_wherever_they_stood(pushed, place):
    """The newest one as well, whose number the server may give to the next."""
    served, made = pushed
    ann = served.pseudonym("ann")
    lost = served.client.tasks(made.projects[ann])[place]
    served.client.delete_task(lost["id"])
    done = {one.rater: one for one in push(served.project)}
    assert (done[ann].new, done[ann].removed) == (1, 0)
    assert all(one.new == 0 for rater, one in done.items() if rater != ann)
    keys = [task["data"]["key"] for task in served.client.tasks(made.projects[ann])]
    assert keys.count(lost["data"]["key"]) == 1
    assert len(keys) == len(set(keys)) == done[ann].there + 1
    assert all(one.new == 0 for one in push(served.project))


def test_a_server_that_was_set_back_is_noticed(pushed):
    """As many tasks as before, of the same numbers even: the moments tell."""
    served, made = pushed
    ann = served.pseudonym("ann")
    path = served.project.path(f"{standing.FOLDER}/{OWN}-{made.projects[ann]}.json")
    known = json.loads(path.read_text())
    keys, (number, moment) = known["keys"], known["newest"]
    for total, newest in ((len(keys) - 1, [number, moment]), (len(keys), [number, f"2020{moment[4:]}"])):
        path.write_text(json.dumps({"total": total, "newest": newest, "keys": ["of another moment"]}))
        done = {one.rater: one for one in push(served.project)}
        assert (done[ann].new, done[ann].there) == (0, len(keys))
        assert json.loads(path.read_text()) == known


@pytest.mark.parametrize("dense", [10_000, 0])
def test_whole_projects_are_exported_in_answers_of_a_bounded_size(pushed, monkeypatch, dense):
    """By all numbers between the first and the last, or by a list where other tasks lie between."""
    served, made = pushed
    monkeypatch.setattr(client_module, "EXPORTED", 4)
    monkeypatch.setattr(client_module, "_DENSE", dense)
    for number in made.projects.values():
        pages, asked = requests_of(served, lambda client, number=number: list(client.pages(number)))
        assert all(len(page) <= 4 for page in pages)
        found = [task["id"] for page in pages for task in page]
        assert sorted(found) == [task["id"] for task in served.client.tasks(number)]
        exports = [path for _, path in asked if "/export" in path]
        assert len(exports) >= len(found) / 4
        assert all(len(path) < 8000 for path in exports)


def test_tasks_of_somebody_else_are_left_alone(pushed):
    """Whoever imports tasks by hand keeps them: they have none of our keys."""
    served, made = pushed
    ann = served.pseudonym("ann")
    number = made.projects[ann]
    shown = {name: text for name, text in served.client.tasks(number)[0]["data"].items() if name != "key"}
    for _ in range(2):
        theirs = served.client.import_tasks(number, [{"data": shown}])
        done = {one.rater: one for one in push(served.project)}
        assert (done[ann].new, done[ann].removed) == (0, 0)
    assert len(served.client.tasks(number)) == done[ann].there + 2
    pull(served.project)
    for task in served.client.tasks(number):
        if "key" not in task["data"]:
            served.client.delete_task(task["id"])
    assert theirs[0] not in {task["id"] for task in served.client.tasks(number)}


def test_a_project_without_tasks_exports_nothing(pushed):
    served, _ = pushed
    number = served.client.create_project("empty", "<View></View>")
    pages, asked = requests_of(served, lambda client: list(client.pages(number)))
    assert pages == []
    assert not any("/export" in path for _, path in asked)


def test_copies_of_our_exports_are_cleared_and_those_of_people_stay(pushed):
    served, made = pushed
    folder = served.project.path(f"{server.FOLDER}/data/export")
    number = served.number(made, "ann")
    answer = {"sentiment": "neutral", "sarcasm": "none"}
    pull(served.project)
    served.annotate(made, "ann", lambda _: answer, most=1)
    with served.log_in("bo") as web:
        every = {"exportType": "JSON", "download_all_tasks": "true"}
        web.get(f"/api/projects/{number}/export", params=every).raise_for_status()
    before = sorted(one.name for one in folder.iterdir())
    assert len(before) == 2
    assert pull(served.project).new == 1
    assert sorted(one.name for one in folder.iterdir()) == before
