"""Training, qualification and control items with a real server: refused, retried, let in, measured."""

from __future__ import annotations

import json
import stat

import pytest
from typer.testing import CliRunner

from annotation import qualification
from annotation.answer_key import ANSWER_KEY
from annotation.label_studio_cli import add_to
from annotation.progress import project_status
from annotation.progress_page import status_page
from annotation.pulled_table import TABLE
from annotation.pulling import pull
from annotation.pushing import push
from annotation.qualification_report import REPORT, qualify
from annotation.ratings import project_ratings
from annotation.roster import write_private
from annotation.rounds import TRAINING
from annotation.workflow import Plan, set_up
from schemas import InputError
from schemas import project as folder
from schemas.command_line import application
from schemas.project import Project
from schemas.records import Condition
from schemas.round_settings import RoundKind, RoundSettings
from schemas.tables import read_table
from tests.annotation.served import RATERS, serving, small_project, submit

VALUES = ("negative", "neutral", "positive")
ROUNDS = """
rounds:
  training: {kind: training, threshold: {sentiment: 0.6}}
  main: {control: 0.2}
"""
TEXT = {"condition": Condition.TEXT}


def known(utterance):
    return VALUES[sum(utterance.encode()) % 3]


def as_known(data):
    return {"sentiment": known(data["utterance_id"]), "sarcasm": "none"}


def one_off(data):
    return {"sentiment": VALUES[(VALUES.index(as_known(data)["sentiment"]) + 1) % 3], "sarcasm": "none"}


def write_key(project, training, control):
    """Write a key over whole dialogues."""
    rows = read_table(project.path(folder.UTTERANCES)).to_pylist()
    parts = []
    for name, dialogues in (("training", training), ("control", control)):
        parts.append(f"{name}:")
        parts += [
            f"  {row['utterance_id']}:\n"
            f"    answers: {{sentiment: {known(row['utterance_id'])}, sarcasm: none}}\n"
            f"    reason: {{en: It is {known(row['utterance_id'])} for sure, zh: 肯定如此}}"
            for row in rows
            if row["dialogue_id"] in dialogues and not row["context_only"]
        ]
    write_private(project.path(ANSWER_KEY), "\n".join(parts) + "\n")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A served project whose raters have gone through training, with what happened on the way."""
    project = small_project(tmp_path_factory.mktemp("training") / "p", dialogues=16)
    settings = project.path(folder.SETTINGS)
    settings.write_text(settings.read_text("utf-8").partition("rounds:")[0] + ROUNDS, "utf-8")
    project = Project(project.root)
    dialogues = read_table(project.path(folder.DIALOGUES)).column("dialogue_id").to_pylist()
    write_key(project, dialogues[:3], dialogues[3:9])
    seen = {}
    with serving(project) as served:
        made = set_up(project, Plan("training", **TEXT)).round
        push(project)
        served.annotate(made, "ann", as_known)
        served.annotate(made, "bo", one_off)
        served.annotate(made, "cy", as_known, most=2)
        seen["refused early"] = refusal(project)
        pull(project)
        seen["unqualified"] = refusal(project)
        seen["first"] = qualify(project)
        seen["first refusal"] = refusal(project)

        # Bo reads the feedback and corrects the answers; that is too late.
        task = served.client.tasks(served.number(made, "bo"))[0]
        seen["task"] = task["data"]
        with served.log_in("bo") as web:
            submit(web, served.number(made, "bo"), task["id"], as_known(task["data"]))
        pull(project)
        seen["after edit"] = qualify(project)

        again = set_up(project, Plan("training-2", again="training", **TEXT)).round
        push(project)
        served.annotate(again, "bo", as_known)
        pull(project)
        seen["second"] = qualify(project)
        seen["second refusal"] = refusal(project)
        qualification.override(project, "cy", "has rated this corpus before")
        seen["third"] = qualify(project)
        main = set_up(project, Plan("main", k=2, **TEXT)).round
        push(project)
        served.annotate(main, "ann", as_known)
        served.annotate(main, "bo", one_off)
        pull(project)
        seen["rounds"] = {"training": made, "again": again, "main": main}
        seen["fourth"] = qualify(project)
        yield served, seen, dialogues


def refusal(project):
    with pytest.raises(InputError) as refused:
        set_up(project, Plan("main", k=2, **TEXT))
    return str(refused.value)


def of(report, rater, number=1):
    return next(one for one in report.attempts if (one.rater, one.number) == (rater, number))


def test_everybody_trains_on_the_same_dialogues(trained):
    served, seen, dialogues = trained
    made = seen["rounds"]["training"]
    for key in RATERS:
        assert sorted(made.dialogues(served.pseudonym(key))) == sorted(dialogues[:3])


def test_who_has_not_passed_is_refused_and_told_why(trained):
    served, seen, _ = trained
    for key in RATERS:
        assert served.pseudonym(key) in seen["refused early"]
    assert "waits for 'annotation qualify'" in seen["unqualified"]
    first = seen["first refusal"]
    assert served.pseudonym("ann") not in first
    assert "sentiment" in first
    assert f"2 of {seen['first'].attempts[0].items} items of round 'training' are done" in first
    assert "--override cy" in first


def test_attempts_are_scored_and_kept(trained):
    served, seen, _ = trained
    ann, bo, cy = (served.pseudonym(key) for key in RATERS)
    first = seen["first"]
    assert of(first, ann).scores["sentiment"].value == pytest.approx(1)
    assert of(first, ann).passed
    assert of(first, bo).closed
    assert not of(first, bo).passed
    assert of(first, bo).scores["sentiment"].same == 0
    assert of(first, ann).scores["sarcasm"].value is None  # the key says "none" throughout
    assert not of(first, cy).closed
    second = seen["second"]
    assert of(second, bo).scores == of(first, bo).scores
    assert of(second, bo, 2).passed
    assert ann not in seen["rounds"]["again"].queues


def test_what_is_changed_after_the_feedback_counts_for_nothing(trained):
    served, seen, _ = trained
    bo = served.pseudonym("bo")
    assert of(seen["after edit"], bo).scores == of(seen["first"], bo).scores
    assert of(seen["after edit"], bo).answers == of(seen["first"], bo).answers


def test_feedback_pages(trained):
    served, seen, _ = trained
    project = served.project
    assert len(seen["first"].pages) == 2
    for key, language, reason in (("ann", "en", "for sure"), ("bo", "zh", "肯定如此")):
        name = f"private/feedback/training-{served.pseudonym(key).rpartition(':')[2]}-{language}.html"
        assert name in seen["first"].pages
        assert stat.S_IMODE(project.path(name).stat().st_mode) == 0o600
        page = project.path(name).read_text("utf-8")
        assert page.count(reason) == seen["first"].attempts[0].items
        assert ("≠" in page) == (key == "bo")
        for other in ("Ann Lee", "Bo Wang", "label-studio"):
            assert other not in page


def test_feedback_stands_beside_the_item_on_the_server(trained):
    served, seen, _ = trained
    assert seen["first"].shown == 2 * seen["first"].attempts[0].items
    assert "肯定如此" in seen["task"]["context"]
    unfinished = served.number(seen["rounds"]["training"], "cy")
    assert all("for sure" not in one["data"]["context"] for one in served.client.tasks(unfinished))
    # Bo's page says it once, though it was told several times.
    task = served.client.tasks(served.number(seen["rounds"]["training"], "bo"))[0]
    assert task["data"]["context"].count("肯定如此") == 1


def test_overrides_are_recorded(trained):
    served, seen, _ = trained
    assert served.pseudonym("cy") in seen["second refusal"]
    state = json.loads(served.project.path(qualification.STATE).read_text("utf-8"))
    (one,) = state["overrides"]
    assert one["rater"] == served.pseudonym("cy")
    assert one["why"] == "has rated this corpus before"
    assert one["by"]
    assert one["when"].startswith("20")
    assert stat.S_IMODE(served.project.path(qualification.STATE).stat().st_mode) == 0o600


def test_training_decides_nothing(trained):
    served, _, dialogues = trained
    rated = read_table(served.project.path(TABLE))
    assert set(rated.column("round").to_pylist()) == {"main"}
    assert set(project_ratings(served.project).column("dialogue_id").to_pylist()).isdisjoint(dialogues[:3])
    kept = read_table(served.project.path(TRAINING)).column("round").to_pylist()
    assert set(kept) == {"training", "training-2"}
    assert stat.S_IMODE(served.project.path(TRAINING).stat().st_mode) == 0o600
    # Deleted, it comes back from the journal.
    before = served.project.path(TRAINING).read_bytes()
    served.project.path(TRAINING).unlink()
    pull(served.project)
    assert served.project.path(TRAINING).read_bytes() == before


def test_control_items_are_mixed_in_and_scored(trained):
    served, seen, dialogues = trained
    main = seen["rounds"]["main"]
    for queue in main.queues.values():
        names = [stop.dialogue for stop in queue]
        control = [name for name in names if name in dialogues[3:9]]
        assert 0.2 <= len(control) / len(names) < 0.2 + 1 / len(names)
        assert set(names).isdisjoint(dialogues[:3])
    # Nothing in a task tells control items from the rest.
    tasks = served.client.tasks(served.number(main, "ann"))
    keys = {tuple(sorted(one["data"])) for one in tasks}
    assert len(keys) == 1
    scores = seen["fourth"].control
    ann, bo = scores["main", served.pseudonym("ann")], scores["main", served.pseudonym("bo")]
    assert ann["sentiment"].same == ann["sentiment"].items > 0
    assert bo["sentiment"].same == 0
    assert ("main", served.pseudonym("cy")) not in scores
    status = project_status(served.project)
    shown = {(one.rater, one.field): one.same for one in status.control}
    assert shown[served.pseudonym("ann"), "sentiment"] == ann["sentiment"].items
    assert "Control items" in status_page(status)
    done = {(one.round, one.rater): one.done for one in status.raters}
    assert done["training-2", served.pseudonym("bo")] == seen["first"].attempts[0].items


def test_the_published_report_has_aggregates_alone(trained):
    served, _, _ = trained
    text = served.project.path(REPORT).read_text("utf-8")
    for key in RATERS:
        assert served.pseudonym(key) not in text
        assert served.pseudonym(key).rpartition(":")[2] not in text
    found = json.loads(text)
    # Two raters' counts and mean would tell each of them how the other one did.
    assert found["raters"] == 2
    assert [found[name] for name in ("qualified", "overrides", "raters_by_attempts")] == [None] * 3
    assert found["training"]["sentiment"]["last_attempt"]["mean"] is None


def test_the_command_prints_a_row_an_attempt(trained):
    served, _, _ = trained
    app = application("test")
    add_to(app)
    answer = CliRunner().invoke(app, ["qualify", "--project", str(served.project.root)])
    assert answer.exit_code == 0, answer.output
    assert "override" in answer.output
    answer = CliRunner().invoke(app, ["qualify", "--project", str(served.project.root), "--json"])
    assert len(json.loads(answer.stdout)["attempts"]) == 4 + 1


def test_a_rater_is_not_trained_on_answers_they_have_read(trained, monkeypatch):
    served, _, _ = trained
    project = Project(served.project.root)
    more = RoundSettings(RoundKind.TRAINING, {"sentiment": 0.9, "sarcasm": 0.5})
    monkeypatch.setitem(project.settings.rounds, "more", more)
    with pytest.raises(InputError, match="seen the answers"):
        set_up(project, Plan("more", **TEXT))


@pytest.mark.parametrize(
    ("settings", "plan", "message"),
    [
        (RoundSettings(RoundKind.TRAINING), Plan("x", repeats=0.1, **TEXT), "no repeats"),
        (RoundSettings(RoundKind.TRAINING), Plan("x", again="main", **TEXT), "cannot take each other up"),
        (RoundSettings(), Plan("x", again="training", **TEXT), "cannot take each other up"),
        (RoundSettings(control=0.1), Plan("x", again="main", **TEXT), "no control items besides"),
        (RoundSettings(control=0.5), Plan("x", k=2, **TEXT), "has not met"),
        (
            RoundSettings(RoundKind.TRAINING, {"sarcasm": 0.5}),
            Plan("x", again="training", **TEXT),
            "1 different known answers",
        ),
        (
            RoundSettings(RoundKind.TRAINING, {"humor": 0.5}),
            Plan("x", again="training", **TEXT),
            "does not ask this field",
        ),
    ],
)
def test_impossible_rounds(trained, monkeypatch, settings, plan, message):
    served, _, _ = trained
    project = Project(served.project.root)
    monkeypatch.setitem(project.settings.rounds, "x", settings)
    with pytest.raises(InputError, match=message):
        set_up(project, plan)


def test_a_pilot_is_open_to_everybody(trained, monkeypatch):
    served, _, _ = trained
    project = Project(served.project.root)
    state = json.loads(project.path(qualification.STATE).read_text("utf-8"))
    write_private(project.path(qualification.STATE), json.dumps({**state, "overrides": []}))
    with pytest.raises(InputError, match="not qualified"):
        set_up(project, Plan("later", k=2, **TEXT))
    monkeypatch.setitem(project.settings.rounds, "pilot", RoundSettings(RoundKind.PILOT))
    assert len(set_up(project, Plan("pilot", k=2, **TEXT)).round.queues) == 3
