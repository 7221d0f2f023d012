"""Setup, push and pull with a real server and three raters."""

from __future__ import annotations

import json
import shutil
import stat
from collections import Counter

import pyarrow.compute as pc
import pytest

from annotation import pulled, roster, rounds
from annotation.agreement.report import measure_project
from annotation.backup import back_up, restore
from annotation.client import OWN
from annotation.pulled_table import TABLE
from annotation.pulling import pull
from annotation.pushing import push
from annotation.ratings import project_ratings
from annotation.sheet import Design
from annotation.workflow import Plan, set_up
from schemas import InputError
from schemas import project as folder
from schemas.records import Condition, Context
from schemas.tables import read_table
from tests.annotation.conftest import PLAN, by_id, otherwise
from tests.annotation.served import (
    RATERS,
    neighbour,
    results,
    serving,
    small_project,
    submit,
)

# -- setup, push ----------------------------------------------------------------------------------------


def test_setup_gives_each_rater_a_project_and_shares_every_dialogue(done):
    served, made, _ = done
    project = served.project
    titles = [one["title"] for one in served.client.projects()]
    assert sorted(titles) == sorted(f"pilot · {served.pseudonym(key)}" for key in RATERS)
    of_dialogue = Counter(stop.dialogue for queue in made.queues.values() for stop in queue)
    ids = read_table(project.path(folder.DIALOGUES)).column("dialogue_id").to_pylist()
    assert of_dialogue == dict.fromkeys(ids, 2)
    users = [one["email"] for one in served.client.users() if one["email"].endswith("@raters.invalid")]
    assert sorted(one.partition(".")[0] for one in users) == ["r1", "r2", "r3", "r4"]
    for name in ("Ann", "Bo Wang", "Cy", "Judy"):
        assert name not in json.dumps(served.client.users())
    assert stat.S_IMODE(project.path(roster.INVITATIONS).stat().st_mode) == 0o600
    config = served.client.project(served.number(made, "bo"))["label_config"]
    assert "情感" in config
    assert "Sentiment" in served.client.project(served.number(made, "ann"))["label_config"]


def test_setup_and_push_twice_do_nothing(done):
    served, made, _ = done
    again = set_up(served.project, PLAN)
    assert (again.invited, again.made, again.round) == ({}, [], made)
    for one in push(served.project):
        assert (one.new, one.removed, one.gone) == (0, 0, 0)
        assert one.there == len(served.client.tasks(made.projects[one.rater]))


def test_tasks_stand_in_the_order_of_the_rater(done):
    served, made, _ = done
    table = read_table(served.project.path(folder.UTTERANCES)).to_pylist()
    for rater, queue in made.queues.items():
        wanted = [
            row["utterance_id"]
            for stop in queue
            for row in table
            if row["dialogue_id"] == stop.dialogue and not row["context_only"]
        ]
        tasks = served.client.tasks(made.projects[rater])
        assert [task["data"]["utterance_id"] for task in tasks] == wanted


def test_a_round_is_never_changed(done):
    served, _, _ = done
    for other in (
        Plan("pilot", k=3, condition=Condition.TEXT, seed=1),
        Plan("pilot", k=2, condition=Condition.TEXT, seed=2),
        Plan("pilot", k=2, condition=Condition.TEXT, context=Context.FULL, seed=1),
    ):
        with pytest.raises(InputError, match="was set up with another"):
            set_up(served.project, other)


def test_nobody_sees_a_richer_condition_first(copied):
    project, _, _, _ = copied
    made = rounds.read_round(project, "pilot")
    made.condition, made.name = Condition.FULL, "earlier"
    rounds.write_round(project, made)
    with pytest.raises(InputError, match="seen more of"):
        set_up(project, Plan("later", k=2, condition=Condition.TEXT))


@pytest.mark.parametrize(
    "name", ["", "a/b", ".x", "pilot-repeat", "a\nb", "a\r", "a\u2028b", "a|b", "adjudication", "长" * 67]
)
def test_impossible_names_of_rounds(copied, name):
    with pytest.raises(InputError, match="name of a round"):
        set_up(copied[0], Plan(name, k=2, condition=Condition.TEXT))


def test_the_projects_of_a_round_with_a_long_name_have_short_titles(copied):
    project, served, _, _ = copied
    name = "a name that is much too long for a title 名称也太长了" * 2
    made = set_up(project, Plan(name, k=2, condition=Condition.TEXT)).round
    for rater, number in made.projects.items():
        title = served.client.project(number)["title"]
        assert len(title) == 50
        assert title.endswith(f" · {rater}")
    assert set_up(project, Plan(name, k=2, condition=Condition.TEXT)).made == []
    push(project)


def test_dialogue_pages_do_not_hide_later_turns(copied):
    with pytest.raises(InputError, match="utterance design"):
        set_up(copied[0], Plan("d", k=2, condition=Condition.TEXT, design=Design.DIALOGUE))


def test_media_that_are_not_there_are_told(copied):
    project, served, _, _ = copied
    set_up(project, Plan("full", k=2))
    with pytest.raises(InputError, match="needs a clip, and there is none"):
        push(project, "full")
    listed = [one["id"] for one in served.client.projects() if one["title"].startswith("full")]
    assert all(not served.client.tasks(number) for number in listed)


def test_nothing_set_up(tmp_path):
    project = small_project(tmp_path / "q", dialogues=2)
    for step in (push, pull):
        with pytest.raises(InputError, match=r"serve|round"):
            step(project)


# -- pull -----------------------------------------------------------------------------------------------


def test_what_was_submitted_comes_back_under_pseudonyms(copied):
    project, served, made, given = copied
    found = pull(project)
    assert found.new == sum(map(len, given.values())) == found.rows
    assert (found.changed, found.strangers, found.edited, found.quarantined, found.faults) == (0, 0, 0, 0, [])
    rows = read_table(project.path(TABLE)).to_pylist()
    for key in RATERS:
        mine = {row["utterance_id"]: row for row in rows if row["rater"] == served.pseudonym(key)}
        assert {made.sheet(served.pseudonym(key)).key(name) for name in mine} == set(given[key])
        for name, row in mine.items():
            said = given[key][made.sheet(row["rater"]).key(name)]
            assert {field: row[field] for field in said} == said
            assert (row["round"], row["condition"], row["context"]) == ("pilot", "text", "past")
            assert (row["status"], row["seconds"], row["schema_version"]) == ("submitted", 9.5, "1.0.0")
            assert row["guideline_version"].startswith("1.0.0")
    order = read_table(project.path(folder.UTTERANCES)).column("utterance_id").to_pylist()
    places = [order.index(row["utterance_id"]) for row in rows]
    assert places == sorted(places)
    written = json.dumps(rows, default=str)
    for secret in ("Ann", "Bo Wang", "@raters", '"ann"', "judge"):
        assert secret not in written
    for path in project.path(pulled.FOLDER).iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_agreement_of_the_ratings_that_came_back(copied):
    """Two raters who answer alike and one who never does: each pair's agreement is known."""
    project, served, _, _ = copied
    pull(project)
    ratings = project_ratings(project).to_pylist()
    answers = {}
    for row in ratings:
        answers.setdefault(row["utterance_id"], {})[row["rater"]] = row["sentiment"]
    cy = served.pseudonym("cy")
    for pair in answers.values():
        assert len(pair) == 2
        one, other = pair.values()
        assert (one == other) == (cy not in pair)
    agree = sum(cy not in pair for pair in answers.values()) / len(answers)
    report = measure_project(project).to_dict()
    found = report["fields"]["sentiment"]["coefficients"]["percent_agreement"]["value"]
    assert 0 < agree < 1
    assert found == pytest.approx(agree)


def test_a_pull_with_nothing_new_writes_nothing(copied):
    project, _, _, _ = copied
    pull(project)
    before = {path: path.stat().st_mtime_ns for path in project.root.rglob("*") if path.is_file()}
    again = pull(project)
    assert (again.new, again.changed, again.wrote) == (0, 0, False)
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_a_pull_in_pieces_gives_the_same_bytes_as_one_pull(done, tmp_path):
    """With a server of its own: pulled after every few ratings, from the journal alone, and from a backup."""
    project = small_project(tmp_path / "pieces", dialogues=3)
    with serving(project) as served:
        made = set_up(project, PLAN).round
        push(project)
        for key in RATERS:
            with served.log_in(key) as web:
                number = served.number(made, key)
                for place, task in enumerate(served.client.tasks(number)):
                    first = submit(web, number, task["id"], by_id(task["data"]))
                    if place % 7 == 0:
                        pull(project)
                    if place % 5 == 0:
                        web.patch(
                            f"/api/annotations/{first['id']}/",
                            json={"result": results(otherwise(task["data"])), "lead_time": 12.0},
                        )
        pull(project)
        table = project.path(TABLE).read_bytes()
        rows = read_table(project.path(TABLE))
        assert pc.sum(pc.equal(rows.column("status"), "superseded")).as_py() > 0
        project.path(TABLE).unlink()
        found = pull(project)
        assert (found.new, found.wrote) == (0, True)
        assert project.path(TABLE).read_bytes() == table
        copy = tmp_path / "copy.tar"
        back_up(project, copy)
    other = small_project(tmp_path / "restored", dialogues=3)
    shutil.rmtree(other.path("private"))
    restore(other, copy)
    with serving(other):
        pull(other)
        assert other.path(TABLE).read_bytes() == table


def test_edits_skips_duplicates_deletions_and_strangers(done, tmp_path):
    """Everything that can happen to a rating, in a round of its own; nothing is ever lost."""
    served = neighbour(done[0], tmp_path / "p", dialogues=5)
    project = served.project
    made = set_up(project, Plan("pilot", k=3, condition=Condition.TEXT)).round
    push(project)
    client = served.client
    number, mine = served.number(made, "ann"), served.pseudonym("ann")
    tasks = client.tasks(number)[:8]
    names = [task["data"]["utterance_id"] for task in tasks]
    say = {"sentiment": "neutral", "sarcasm": "none"}
    other = {"sentiment": "positive", "sarcasm": "none"}
    with served.log_in("ann") as ann, served.log_in("bo") as bo:
        first = [submit(ann, number, task["id"], say) for task in tasks[:6]]
        submit(ann, number, tasks[6]["id"], say, skip=True)
        ann.post(f"/api/tasks/{tasks[7]['id']}/drafts", params={"project": number},
                 json={"result": results(say), "lead_time": 2.0})  # fmt: skip
        found = pull(project)
        assert (found.new, found.skipped, found.drafts) == (7, 1, 1)

        ann.patch(f"/api/annotations/{first[0]['id']}/", json={"result": results(other), "lead_time": 20.0})
        client.sdk.annotations.update(first[1]["id"], result=results(other))
        submit(ann, number, tasks[2]["id"], other)
        submit(bo, number, tasks[3]["id"], other)
        client.sdk.annotations.delete(first[4]["id"])
        client.delete_task(tasks[5]["id"])
        found = pull(project)
    assert (found.new, found.changed, found.withdrawn, found.kept) == (2, 2, 1, 1)
    assert (found.strangers, found.edited) == (1, 1)

    rows = read_table(project.path(TABLE)).to_pylist()
    seen = {}
    for row in rows:
        seen.setdefault(row["utterance_id"], []).append((row["rater"], row["status"], row["sentiment"]))
    assert seen[names[0]] == [(mine, "superseded", "neutral"), (mine, "submitted", "positive")]
    assert seen[names[1]] == [(mine, "superseded", "neutral"), (mine, "submitted", "positive")]
    assert seen[names[2]] == [(mine, "superseded", "neutral"), (mine, "submitted", "positive")]
    assert seen[names[3]] == [
        (mine, "submitted", "neutral"),
        (served.pseudonym("bo"), "submitted", "positive"),
    ]
    assert seen[names[4]] == [(mine, "superseded", "neutral")]
    assert seen[names[5]] == [(mine, "submitted", "neutral")]
    assert seen[names[6]] == [(mine, "skipped", None)]
    assert names[7] not in seen

    # The deleted task is rated, so it is not pushed again; the number of a deleted one is used again.
    done = {one.rater: one for one in push(project)}
    assert (done[mine].new, done[mine].gone) == (0, 1)
    client.delete_task(tasks[7]["id"])
    done = {one.rater: one for one in push(project)}
    assert done[mine].new == 1
    last = client.tasks(number)[-1]
    assert last["data"]["utterance_id"] == names[7]
    with served.log_in("ann") as ann:
        submit(ann, number, last["id"], other)
    pull(project)
    rows = read_table(project.path(TABLE)).to_pylist()
    assert [row["sentiment"] for row in rows if row["utterance_id"] == names[7]] == ["positive"]
    assert sum(row["status"] == "submitted" for row in rows) == 7

    # A whole project that is gone takes nothing with it.
    client.sdk.projects.delete(number)
    before = len(rows)
    found = pull(project)
    assert found.kept == 8
    rows = read_table(project.path(TABLE)).to_pylist()
    assert len(rows) == before
    assert sum(row["status"] == "submitted" for row in rows) == 7


def test_a_renamed_rater_is_the_same_rater(copied):
    project, served, _, _ = copied
    pull(project)
    before = project.path(TABLE).read_bytes()
    text = project.path(roster.ROSTER).read_text().replace("Ann Lee", "Ann Fox")
    roster.write_private(project.path(roster.ROSTER), text)
    with served.log_in("ann") as web:
        user = roster.read_accounts(project).on(OWN)["ann"].user
        web.patch(f"/api/users/{user}/", json={"first_name": "Anna", "last_name": "Fox"})
    set_up(project, PLAN)
    project.path(TABLE).unlink()
    pull(project)
    assert project.path(TABLE).read_bytes() == before


def test_exported_files_give_the_same_table_as_the_server(copied, tmp_path):
    project, served, made, _ = copied
    pull(project)
    from_server = project.path(TABLE).read_bytes()
    shutil.rmtree(project.path(pulled.FOLDER))
    project.path(TABLE).unlink()
    files = []
    for rater, number in made.projects.items():
        path = tmp_path / f"{number}.json"
        path.write_text(json.dumps(served.client.export(number)), "utf-8")
        files.append(path)
        del rater
    assert pull(project, files).rows > 0
    assert project.path(TABLE).read_bytes() == from_server
    assert pull(project, files).wrote is False
    assert pull(project).new == 0
    assert project.path(TABLE).read_bytes() == from_server


@pytest.mark.parametrize(
    "content", ["", "{", "[1]", '[{"data": {}}]', '{"a": 1}', '[{"id": 1, "sentiment": "x"}]']
)
def test_a_file_that_is_no_export_is_refused(copied, tmp_path, content):
    path = tmp_path / "x.json"
    path.write_text(content)
    with pytest.raises(InputError, match=r"not a JSON file|JSON-MIN"):
        pull(copied[0], [path])


def test_a_file_that_is_not_there_is_told(copied, tmp_path):
    with pytest.raises(InputError, match=r"x\.json: this file cannot be read: No such file"):
        pull(copied[0], [tmp_path / "x.json"])


def test_a_file_of_another_project_is_refused(copied, tmp_path):
    path = tmp_path / "x.json"
    task = {"id": 1, "created_at": "2026-01-01T00:00:00Z", "data": {"round": "other"}, "annotations": []}
    path.write_text(json.dumps([task]))
    with pytest.raises(InputError, match=r"of no round of the project.*'other'.*pilot"):
        pull(copied[0], [path])
