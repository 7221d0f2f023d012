"""Disagreements go to an adjudicator, decisions come back as their own source, ratings stay as they were."""

from __future__ import annotations

import json
import stat

import pytest

from annotation import adjudication, roster, server
from annotation.adjudication import pull_decisions, push_disagreements
from annotation.adjudication_page import answers_html
from annotation.aggregation.project import decide_project
from annotation.agreement.report import measure_project
from annotation.client import Client
from annotation.pulled_table import TABLE
from annotation.pulling import pull
from annotation.pushing import push
from annotation.ratings import project_ratings
from annotation.workflow import Plan, set_up
from annotation.workflow_text import sent_lines
from schemas import InputError
from schemas import project as folder
from schemas.project import Project
from schemas.records import Condition
from schemas.tables import read_table
from tests.annotation.served import PEOPLE, RATERS, neighbour, results, serving, small_project, submit

PLAN = Plan("main", k=3, condition=Condition.TEXT, seed=2)
VALUES = ("negative", "neutral", "positive")


def place_of(data):
    return int(data["utterance_id"].rpartition("u")[2])


def opinion(key):
    """All agree on every third utterance; on the others there are three opinions or two."""

    def answer(data):
        place = place_of(data)
        shift = 0 if place % 3 == 0 else RATERS.index(key) if place % 3 == 1 else int(key == "cy")
        return {"sentiment": VALUES[(place + shift) % 3], "sarcasm": "none"}

    return answer


@pytest.fixture(scope="module")
def rated(tmp_path_factory):
    project = small_project(tmp_path_factory.mktemp("adjudication") / "p", dialogues=2)
    with serving(project) as served:
        made = set_up(project, PLAN).round
        push(project)
        for key in RATERS:
            served.annotate(made, key, opinion(key))
        pull(project)
        yield served


def ids_of(project, rest):
    rows = read_table(project.path(folder.UTTERANCES)).to_pylist()
    return {row["utterance_id"] for row in rows if not row["context_only"] and place_of(row) % 3 in rest}


def test_the_whole_way_from_disagreement_to_decision(rated):
    project = rated.project
    ratings, agreement = project.path(TABLE).read_bytes(), measure_project(project).to_dict()["fields"]
    ties = ids_of(project, {1})
    with pytest.raises(InputError, match="needs a clip"):
        push_disagreements(project)
    with pytest.raises(InputError, match="nothing was sent"):
        pull_decisions(project)
    sent = push_disagreements(project, condition=Condition.TEXT)
    with pytest.raises(InputError, match=r"--condition: .* got 'video'; valid: text"):
        push_disagreements(project, condition=Condition.VIDEO)
    judge = rated.pseudonym("judge")
    assert (sent.undecided, sent.new) == (len(ties), {judge: len(ties)})
    again = push_disagreements(project, condition=Condition.TEXT)
    assert (again.undecided, again.new) == (len(ties), {judge: 0})
    more = push_disagreements(project, condition=Condition.TEXT, min_agreement=0.9)
    wide = ids_of(project, {1, 2})
    assert (more.undecided, more.new) == (len(wide), {judge: len(wide) - len(ties)})

    state = json.loads(project.path(adjudication.STATE).read_text())
    number = state["projects"][judge]
    tasks = rated.client.export(number)
    assert {task["data"]["utterance_id"] for task in tasks} == wide
    about = rated.client.project(number)
    assert about["show_collab_predictions"] is False, "nothing is filled in beforehand"
    for task in tasks:
        shown = rated.predictions(task["id"])
        assert [one["model_version"] for one in shown] == ["rater-1", "rater-2", "rater-3"]
        for key in RATERS:
            assert f"<th>{roster.short(rated.pseudonym(key))} (main)</th>" in task["data"]["context"]
            said = opinion(key)(task["data"])
            assert results(said) in [one["result"] for one in shown]
        for name in ("Ann", "Bo Wang", "Cy Fox", "@raters"):
            assert name not in json.dumps(task["data"], ensure_ascii=False)

    assert pull_decisions(project).decided == 0
    ruled = {}
    with rated.log_in("judge") as web:
        for task in tasks[:-2]:
            verdict = {"sentiment": "positive", "sarcasm": "sarcastic"}
            made = submit(web, number, task["id"], verdict)
            ruled[task["data"]["utterance_id"]] = verdict
        comment = {"from_name": "page--comment", "to_name": "utterance", "type": "textarea",
                   "value": {"text": ["two <readings>; 两种理解"]}}  # fmt: skip
        body = {
            "result": [*results({"sentiment": "negative", "sarcasm": "none"}), comment],
            "lead_time": 30.0,
        }
        web.patch(f"/api/annotations/{made['id']}/", json=body)
        ruled[tasks[-3]["data"]["utterance_id"]] = {"sentiment": "negative", "sarcasm": "none"}
    found = pull_decisions(project)
    assert (found.decided, found.waiting, found.comments, found.wrote) == (len(wide) - 2, 2, 1, True)
    assert pull_decisions(project).wrote is False
    assert stat.S_IMODE(project.path(adjudication.STATE).stat().st_mode) == 0o600
    rows = read_table(project.path(adjudication.TABLE)).to_pylist()
    assert {
        row["utterance_id"]: {name: row[name] for name in ("sentiment", "sarcasm")} for row in rows
    } == ruled
    assert {(row["rater"], row["round"], row["status"], row["condition"]) for row in rows} == {
        (judge, "adjudication", "submitted", "text")
    }
    said = json.loads(project.path(adjudication.REPORT).read_text())
    assert said == {tasks[-3]["data"]["utterance_id"]: [{"by": judge, "comment": "two <readings>; 两种理解"}]}

    # Decisions decide, and are no ratings.
    assert project.path(TABLE).read_bytes() == ratings
    assert measure_project(project).to_dict()["fields"] == agreement
    labels = {row["utterance_id"]: row for row in decide_project(project).labels.to_pylist()}
    for name, verdict in ruled.items():
        assert {field: labels[name][field] for field in verdict} == verdict
        assert labels[name]["decided_by"] == judge
        assert labels[name]["decided_at"] is not None
    for name in ids_of(project, {0}):
        assert labels[name]["decided_by"] != judge
    # What was decided is not sent again.
    origins = set(project_ratings(project).column("origin").to_pylist())
    assert origins == {"label-studio", "adjudication"}
    assert push_disagreements(project, condition=Condition.TEXT, min_agreement=0.9).new == {judge: 0}

    # A decision that is changed stays in the table, superseded.
    with rated.log_in("judge") as web:
        body = {"result": results({"sentiment": "neutral", "sarcasm": "none"}), "lead_time": 31.0}
        web.patch(f"/api/annotations/{made['id']}/", json=body)
    assert pull_decisions(project).wrote
    changed = [
        (row["status"], row["sentiment"])
        for row in read_table(project.path(adjudication.TABLE)).to_pylist()
        if row["utterance_id"] == tasks[-3]["data"]["utterance_id"]
    ]
    assert changed == [("superseded", "negative"), ("submitted", "neutral")]

    # A project that was deleted loses nothing that was pulled; what waits is sent again, to a new one.
    rated.client.sdk.projects.delete(number)
    decided, told = project.path(adjudication.TABLE).read_bytes(), []
    found = pull_decisions(project, tell=told.append)
    assert (found.decided, found.waiting, found.wrote) == (len(wide) - 2, 2, False)
    assert any("was deleted on the server" in line and judge in line for line in told)
    assert project.path(adjudication.TABLE).read_bytes() == decided
    for new in (2, 0):
        sent = push_disagreements(project, condition=Condition.TEXT, min_agreement=0.9)
        assert sent.new == {judge: new}
    made_again = json.loads(project.path(adjudication.STATE).read_text())["projects"][judge]
    waiting = {task["data"]["utterance_id"] for task in rated.client.tasks(made_again)}
    assert waiting == wide - ruled.keys()
    told.clear()
    assert pull_decisions(project, tell=told.append).decided == len(wide) - 2
    assert not any("deleted" in line for line in told)


def test_deleted_decisions_decide_no_longer_and_adjudicators_come_and_go(rated, tmp_path):
    """A deletion withdraws what was decided, where the task stands; that somebody leaves does not."""
    served = neighbour(rated, tmp_path / "p", dialogues=5)
    project = served.project
    made = set_up(project, PLAN).round
    push(project)
    for key in RATERS:
        served.annotate(made, key, opinion(key))
    pull(project)
    invited = project.path(roster.INVITATIONS).read_text("utf-8")
    people = PEOPLE.replace(
        "judge: {name: Judy Hall, role: adjudicator}", "jo: {name: Jo, role: adjudicator}"
    )
    roster.write_private(project.path(roster.ROSTER), people)
    ties = ids_of(project, {1})
    first = push_disagreements(project, condition=Condition.TEXT)
    assert sum(first.new.values()) == len(ties)
    said = list(sent_lines(first))
    assert any(first.invited[served.pseudonym("jo")] in line for line in said)
    assert any(roster.INVITATIONS in line for line in said)
    assert project.path(roster.INVITATIONS).read_text("utf-8").startswith(invited), (
        "nobody's password is lost"
    )
    jo = served.pseudonym("jo")
    roles = {one["rater"]: one["attributes"] for one in read_table(project.path(folder.RATERS)).to_pylist()}
    assert roles.keys() == set(roster.read_accounts(project).pseudonyms.values())
    assert roles[jo] == [("role", "adjudicator")]
    number = json.loads(project.path(adjudication.STATE).read_text())["projects"][jo]
    tasks = served.client.tasks(number)
    with served.log_in("jo") as web:
        given = [
            submit(web, number, task["id"], {"sentiment": "positive", "sarcasm": "none"})
            for task in tasks[:3]
        ]
    assert pull_decisions(project).decided == 3
    table = project.path(adjudication.TABLE).read_bytes()

    # A decision that was deleted, and one whose task was.
    served.client.sdk.annotations.delete(given[0]["id"])
    served.client.delete_task(tasks[1]["id"])
    found = pull_decisions(project)
    assert (found.decided, found.waiting, found.withdrawn, found.wrote) == (2, len(ties) - 2, 1, True)
    status = {
        row["utterance_id"]: row["status"] for row in read_table(project.path(adjudication.TABLE)).to_pylist()
    }
    names = [task["data"]["utterance_id"] for task in tasks]
    assert status == {names[0]: "superseded", names[1]: "submitted", names[2]: "submitted"}
    again = pull_decisions(project)
    assert (again.withdrawn, again.wrote) == (0, False)
    labels = {row["utterance_id"]: row for row in decide_project(project).labels.to_pylist()}
    assert labels[names[0]]["decided_by"] != jo
    assert labels[names[2]]["decided_by"] == jo
    with served.log_in("jo") as web:
        submit(web, number, tasks[0]["id"], {"sentiment": "negative", "sarcasm": "none"})
    assert pull_decisions(project).decided == 3

    # Jo leaves: the decisions stay, what is undecided goes to somebody else.
    roster.write_private(project.path(roster.ROSTER), PEOPLE)
    sent = push_disagreements(project, condition=Condition.TEXT)
    assert sent.new == {served.pseudonym("judge"): len(ties) - 3}
    assert pull_decisions(project).decided == 3
    # A table of another moment than what was pulled, as after a restored backup, is made again.
    now = project.path(adjudication.TABLE).read_bytes()
    project.path(adjudication.TABLE).write_bytes(table)
    assert pull_decisions(project).wrote
    assert project.path(adjudication.TABLE).read_bytes() == now
    assert not pull_decisions(project).wrote

    # Numbers of another server's projects mean something else.
    other = Client(served.url, server.read_credentials(project).token)
    for command in (pull_decisions, push_disagreements):
        with pytest.raises(InputError, match="are on another server"):
            command(project, client=other)


def test_a_roster_without_adjudicator(tmp_path):
    project = small_project(tmp_path / "p", dialogues=2)
    roster.write_private(project.path(roster.ROSTER), "raters:\n  ann: {name: Ann}\n")
    with pytest.raises(InputError, match="role: adjudicator"):
        push_disagreements(project)
    with pytest.raises(InputError, match="annotation adjudicate push"):
        pull_decisions(project)


def test_answers_are_shown_as_they_are_and_escaped(tmp_path):
    schema = Project.create(tmp_path / "p").schema
    row = {
        "rater": "label-studio:<b>r1</b>", "round": "main",
        "sentiment": "negative", "sentiment_missing": None,
        "emotion": ["joy", "anger"], "emotion_intensity": [0, 2, 0, 3, 0, 0, 0], "emotion_missing": None,
        "sarcasm": None, "sarcasm_missing": "cannot_tell", "humor": "none", "humor_missing": None,
        "valence": 3.0, "valence_missing": None, "arousal": None, "arousal_missing": "not_rated",
        "dominance": 5.5, "dominance_missing": None, "emotion_sentiment": -2,
        "emotion_sentiment_missing": None, "sarcasm_humor": None, "sarcasm_humor_missing": "not_applicable",
    }  # fmt: skip
    other = {**row, "rater": "r2", "sentiment": "positive"}
    shown = answers_html([row, other], schema, "en")
    assert "<b>r1</b>" not in shown
    assert "<th>&lt;b&gt;r1&lt;/b&gt; (main)</th>" in shown
    for text in (
        "Joy 2, Anger 3",
        "Cannot tell",
        "(no answer)",
        "<b>Negative</b>",
        "<b>Positive</b>",
        "-2",
        "5.5",
    ):
        assert text in shown
    assert "<span>Not humorous</span>" in shown
    in_chinese = answers_html([row], schema, "zh")
    assert all(
        text in in_chinese for text in ("情感极性", "消极", "喜悦 2, 愤怒 3", "无法判断", "（不适用）")
    )
