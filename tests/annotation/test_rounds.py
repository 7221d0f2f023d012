"""Rounds after the first: richer conditions wait for poorer ones, remade projects, newcomers' invitations."""

from __future__ import annotations

from collections import Counter

import pytest

from annotation import roster
from annotation.predictions import read_predictions
from annotation.pulled_table import TABLE
from annotation.pulling import pull
from annotation.pushing import push
from annotation.sheet import Design
from annotation.workflow import Plan, set_up
from annotation.workflow_text import push_lines
from schemas import InputError
from schemas import project as folder
from schemas.project import Project
from schemas.records import Condition, Context
from schemas.tables import read_table
from tests.annotation.conftest import PLAN, by_id
from tests.annotation.served import (
    PEOPLE,
    RATERS,
    SCHEMA,
    neighbour,
    results,
    submit,
)


def answer(data):
    return {"sentiment": "positive", "sarcasm": "none"}


def test_a_richer_condition_waits_dialogue_by_dialogue_for_the_poorer_one(done, tmp_path):
    """What is set up later may show more; it reaches a rater when the rest is done, not before."""
    served = neighbour(done[0], tmp_path / "p", dialogues=4)
    project = served.project
    text = set_up(project, Plan("text", k=3, condition=Condition.TEXT)).round
    further = Plan("whole", k=3, condition=Condition.TEXT, context=Context.FULL, design=Design.DIALOGUE)
    whole = set_up(project, further).round
    ann = served.pseudonym("ann")
    number = whole.projects[ann]
    found = {(one.round, one.rater): one for one in push(project)}
    assert all(one.later == 4 and not one.new for (name, _), one in found.items() if name == "whole")
    assert served.client.project(number)["task_number"] == 0
    assert any("wait until this rater has done" in line for line in push_lines(list(found.values())))

    # A push that names the richer round alone does not get round it, nor do answers of others.
    assert {one.new for one in push(project, "whole")} == {0}
    served.annotate(text, "bo", answer)
    pull(project)
    of: dict[str, list[dict[str, object]]] = {}
    for task in served.client.tasks(text.projects[ann]):
        of.setdefault(task["data"]["dialogue_id"], []).append(task)
    (first, tasks), (_, part) = [one for one in of.items() if len(one[1]) > 1][:2]
    with served.log_in("ann") as web:
        for place, task in enumerate(tasks):
            submit(web, text.projects[ann], task["id"], answer(task["data"]), skip=place == 0)
        submit(web, text.projects[ann], part[0]["id"], answer(part[0]["data"]))
    pull(project)
    found = {one.rater: one for one in push(project, "whole")}
    assert (found[ann].new, found[ann].later) == (1, 3)
    assert [one["data"]["dialogue_id"] for one in served.client.tasks(number)] == [first]
    assert (found[served.pseudonym("bo")].new, found[served.pseudonym("bo")].later) == (4, 0)
    assert found[served.pseudonym("cy")].new == 0
    assert {one.new for one in push(project)} == {0}


def test_a_project_is_made_again_though_the_schema_was_edited(done, tmp_path):
    """The round asks on what it asked; what changed is a new round's, and the lead is told."""
    served = neighbour(done[0], tmp_path / "p", dialogues=3)
    project = served.project
    plan = Plan("pilot", k=2, condition=Condition.TEXT)
    made = set_up(project, plan).round
    config = served.client.project(served.number(made, "ann"))["label_config"]
    text = project.path(folder.SCHEMA).read_text("utf-8").replace("version: 1.0.0", "version: 1.1.0")
    text = text.replace("title: {en: Sarcasm, zh: 讽刺}\n", "title: {en: Irony, zh: 反讽}\n")
    project.path(folder.SCHEMA).write_text(text, "utf-8")
    project = served.project = Project(project.root)
    served.client.sdk.projects.delete(served.number(made, "ann"))
    with pytest.raises(InputError, match=r"round pilot: somebody deleted .* got 'label-studio:r\d'"):
        push(project)
    found = set_up(project, plan)
    assert found.made == [served.pseudonym("ann")]
    assert found.round.projects != made.projects
    assert (found.round.schema_version, found.round.fields) == ("1.0.0", made.fields)
    assert served.client.project(served.number(found.round, "ann"))["label_config"] == config
    assert any("schema.yaml has changed since round 'pilot'" in one for one in found.notices)
    # A round of changed fields is known again as well.
    changed = Plan("revised", condition=Condition.TEXT, again="pilot", changed=True)
    revised = set_up(project, changed).round
    project.path(folder.SCHEMA).write_text(text.replace("1.1.0", "1.2.0"), "utf-8")
    project = Project(project.root)
    assert set_up(project, changed).round == revised
    with pytest.raises(InputError, match="was set up with another condition"):
        set_up(project, Plan("pilot", k=2))


def test_invitations_that_were_not_handed_over_stay(done, tmp_path):
    """Newcomers are added; nobody is written twice, and a deleted file is not refilled."""
    served = neighbour(done[0], tmp_path / "p", dialogues=8)
    project, path = served.project, served.project.path(roster.INVITATIONS)
    set_up(project, Plan("pilot", k=3, condition=Condition.TEXT))
    first = path.read_text("utf-8")
    passwords = {
        key: one.password for key, one in roster.read_accounts(project).on(served.client.name).items()
    }
    assert all(first.count(one) == 1 for one in passwords.values())
    roster.write_private(project.path(roster.ROSTER), f"{PEOPLE}  di: {{name: Di Roe}}\n")
    set_up(project, Plan("more", k=3, condition=Condition.TEXT))
    second = path.read_text("utf-8")
    assert second.startswith(first)
    new = roster.read_accounts(project).on(served.client.name)["di"].password
    assert second.count(new) == 1
    path.unlink()
    roster.write_private(project.path(roster.ROSTER), f"{PEOPLE}  di: {{name: Di}}\n  eb: {{name: Eb Roe}}\n")
    set_up(project, Plan("most", k=3, condition=Condition.TEXT))
    third = path.read_text("utf-8")
    assert "Eb Roe" in third
    assert not any(one in third for one in (*passwords.values(), new))
    assert set(RATERS) < passwords.keys()


def test_pilot_then_an_edited_definition_then_main_then_repeats(done, tmp_path):
    """Every rating of every round stays, and a changed field alone is asked again."""
    served = neighbour(done[0], tmp_path / "p", dialogues=3)
    project = served.project
    pilot = set_up(project, PLAN).round
    push(project)
    said = {key: served.annotate(pilot, key, by_id) for key in RATERS}
    pull(project)
    before = read_table(project.path(TABLE)).to_pylist()

    text = project.path(folder.SCHEMA).read_text("utf-8")
    text = text.replace("version: 1.0.0", "version: 1.1.0")
    text = text.replace("title: {en: Sarcasm, zh: 讽刺}\n", "title: {en: Irony, zh: 反讽}\n")
    project.path(folder.SCHEMA).write_text(text, "utf-8")
    project = served.project = Project(project.root)
    revised = set_up(project, Plan("revised", condition=Condition.TEXT, again="pilot", changed=True)).round
    assert revised.fields == ("sarcasm",)
    assert {rater: set(revised.dialogues(rater)) for rater in revised.queues} == {
        rater: set(pilot.dialogues(rater)) for rater in pilot.queues
    }
    push(project)
    number = served.number(revised, "ann")
    config = served.client.project(number)["label_config"]
    assert 'name="sarcasm"' in config
    assert 'name="sentiment"' not in config
    for key in RATERS:
        served.annotate(revised, key, lambda _: {"sarcasm": "sarcastic"})
    main = set_up(project, Plan("main", k=2, condition=Condition.TEXT, seed=8, repeats=0.5)).round
    again = set_up(project, Plan("repeats", condition=Condition.TEXT, again="main", share=0.5)).round
    push(project)
    for key in RATERS:
        served.annotate(main, key, by_id)
        served.annotate(again, key, by_id)
    found = pull(project)
    assert (found.quarantined, found.faults) == (0, [])
    rows = read_table(project.path(TABLE)).to_pylist()
    old = {row["annotation_id"]: row for row in rows if row["round"] == "pilot"}
    assert list(old.values()) == before
    counts = Counter(row["round"] for row in rows)
    assert counts["pilot"] == counts["revised"] == sum(map(len, said.values()))
    assert 0 < counts["main-repeat"] < counts["main"]
    assert 0 < counts["repeats"] < counts["main"]
    for row in rows:
        if row["round"] == "revised":
            assert (row["sarcasm"], row["sentiment"], row["sentiment_missing"]) == (
                "sarcastic", None, "not_rated",
            )  # fmt: skip
            assert row["schema_version"] == "1.1.0"
    assert set(counts) == {"pilot", "revised", "main", "main-repeat", "repeats"}
    with pytest.raises(InputError, match="no definition has changed"):
        set_up(project, Plan("more", condition=Condition.TEXT, again="revised", changed=True))


def test_an_answer_that_the_schema_has_since_lost_is_quarantined_and_kept_in_the_journal(copied):
    project, _, _, _ = copied
    pull(project)
    text = project.path(folder.SCHEMA).read_text("utf-8").replace("      sarcastic: {", "      ironic: {")
    project.path(folder.SCHEMA).write_text(text, "utf-8")
    project = Project(project.root)
    found = pull(project)
    assert (found.wrote, found.faults) == (True, [])
    rows = read_table(project.path(TABLE)).to_pylist()
    assert {(row["sarcasm"], row["sarcasm_missing"]) for row in rows} == {("none", None), (None, "not_rated")}
    listed = read_table(project.path(folder.QUARANTINE)).to_pylist()
    assert {(one["column"], one["original"]) for one in listed} == {("sarcasm", "sarcastic")}
    project.path(folder.SCHEMA).write_text(SCHEMA, "utf-8")
    pull(Project(project.root))
    rows = read_table(project.path(TABLE)).to_pylist()
    assert {row["sarcasm"] for row in rows} == {"none", "sarcastic"}
    assert read_table(project.path(folder.QUARANTINE)).num_rows == 0


def test_predictions_are_shown_and_recorded(done, tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    served = neighbour(done[0], tmp_path / "p", dialogues=3)
    project = served.project
    ids = read_table(project.path(folder.UTTERANCES)).column("utterance_id").to_pylist()
    table = pa.table(
        {
            "utterance_id": ids[::2],
            "model_version": ["floor-1"] * len(ids[::2]),
            "score": [0.5] * len(ids[::2]),
            "sentiment": ["positive"] * len(ids[::2]),
        }
    )
    pq.write_table(table, tmp_path / "predictions.parquet")
    made = set_up(project, PLAN).round
    push(project, predictions=tmp_path / "predictions.parquet")
    exported = served.client.export(served.number(made, "ann"))
    for task in exported:
        found = served.predictions(task["id"])
        shown = [(one["model_version"], one["score"], one["result"]) for one in found]
        if task["data"]["utterance_id"] in ids[::2]:
            assert shown == [("floor-1", 0.5, results({"sentiment": "positive"}))]
        else:
            assert shown == []
    served.annotate(made, "ann", by_id)
    pull(project)
    for row in read_table(project.path(TABLE)).to_pylist():
        assert row["prediction_shown"] == ("floor-1" if row["utterance_id"] in ids[::2] else None)
    wrong = table.set_column(3, "sentiment", pa.array(["splendid"] * table.num_rows))
    pq.write_table(wrong, tmp_path / "wrong.parquet")
    with pytest.raises(InputError, match=r"no value of the schema.*splendid"):
        read_predictions(tmp_path / "wrong.parquet", project.schema)
