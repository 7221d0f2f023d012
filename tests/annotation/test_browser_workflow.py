"""The packaged sample, a real Label Studio, real browsers: what was clicked is what is pulled."""

from __future__ import annotations

import base64
import json
import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from annotation import cli as annotation_cli
from annotation import hotkeys, roster
from annotation.client import OWN
from annotation.controls import FLAGS, page_controls
from annotation.labeling_config import labeling_config
from annotation.pulled_table import TABLE
from annotation.rounds import Round, read_round
from annotation.sheet import Design
from annotation.tasks import Dialogue, read_dialogues
from corpus import cli as corpus_cli
from schemas import project as folder
from schemas.fields import MultilabelField
from schemas.label_schema import LabelSchema
from schemas.project import Project
from schemas.records import has_intensity
from schemas.tables import read_table
from tests.annotation.chromium import Rater, chromium
from tests.annotation.served import Served, results, serving, submit
from tests.annotation.simulated_page import (
    PLAIN_KEYS,
    PLAIN_ROW,
    RICH_KEYS,
    RICH_ROW,
    SimulatedPage,
    opinions,
    pressed,
    turn_page,
)
from tests.availability import unavailable

if TYPE_CHECKING:
    from playwright.sync_api import Browser

PEOPLE = """\
raters:
  mei: {name: Mei Lin, language: zh}
  eve: {name: Eve Hart, language: en}
"""
NAMES = {"mei": "Mei Lin", "eve": "Eve Hart"}


@dataclass(frozen=True)
class Way:
    """A whole dialogue that somebody labels in a round of its own."""

    round: str
    design: Design
    rater: str
    how: str
    dialogue: str


# Every two of language, hand and design meet.
WAYS = (
    Way("utterances-zh", Design.UTTERANCE, "mei", "keys", "zh0003"),
    Way("utterances-en", Design.UTTERANCE, "eve", "mouse", "en0006"),
    Way("dialogue-zh", Design.DIALOGUE, "mei", "mouse", "zh0017"),
    Way("dialogue-en", Design.DIALOGUE, "eve", "keys", "en0007"),
)


PREDICTED = "en0022"


def command(application: Any, *words: object) -> str:
    done = CliRunner().invoke(application, [str(word) for word in words], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def cut_clips(project: Project) -> None:
    """Cut the utterances out of the recordings, for the pages that show one utterance."""
    wanted = {way.dialogue for way in WAYS if way.design is Design.UTTERANCE}
    project.path("clips").mkdir()
    for row in read_table(project.path(folder.UTTERANCES)).to_pylist():
        if row["dialogue_id"] in wanted:
            span = ["-ss", str(row["start"]), "-to", str(row["end"]), "-i", str(project.path(row["media"]))]
            target = str(project.path(f"clips/{row['utterance_id']}.mp4"))
            try:
                subprocess.run(["ffmpeg", "-loglevel", "error", *span, target], check=True)
            except (OSError, subprocess.CalledProcessError) as error:
                unavailable("the sample in a browser", error)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The sample, set up and pushed for two raters."""
    root = tmp_path_factory.mktemp("browser") / "corpus"
    command(corpus_cli.app, "init", root, "--sample")
    project = Project(root)
    cut_clips(project)
    roster.write_private(project.path(roster.ROSTER), PEOPLE)
    with serving(project) as running:
        for way in WAYS:
            set_up(project, way.round, "--where", f"dialogue_id={way.dialogue}", "--design", way.design,
                   "--context", "full" if way.design is Design.DIALOGUE else "past")  # fmt: skip
        set_up(project, "private", "--where", "dialogue_id=zh0002", "--condition", "text")
        command(annotation_cli.app, "push", "--project", root)
        set_up(project, "predicted", "--where", f"dialogue_id={PREDICTED}", "--design", "dialogue",
               "--context", "full", "--condition", "text")  # fmt: skip
        write_predictions(project, root / "model.parquet")
        command(annotation_cli.app, "push", "--round", "predicted", "--predictions", root / "model.parquet",
                "--project", root)  # fmt: skip
        yield running


def opinions_of_a_model(project: Project) -> dict[str, dict[str, Any]]:
    """What a model says of all turns but the last."""
    turns = next(one for one in read_dialogues(project) if one.dialogue_id == PREDICTED).turns[:-1]
    found = opinions(project.schema, len(turns), seed=5)
    return {turn.utterance_id: answers for turn, answers in zip(turns, found, strict=True)}


def write_predictions(project: Project, path: Path) -> None:
    said = opinions_of_a_model(project)
    rows = [
        {"utterance_id": name, "model_version": "floor-1", "score": 0.5, **one} for name, one in said.items()
    ]
    pq.write_table(pa.Table.from_pylist(rows), path)


def set_up(project: Project, name: str, *options: object) -> None:
    command(annotation_cli.app, "setup", "--project", project.root, "--round", name, "-k", 2, *options)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


def log_in(served: Served, browser: Browser, key: str, record: Path | None = None) -> Rater:
    """Log in with what stands in the invitation that is handed to a rater."""
    letters = served.project.path(roster.INVITATIONS).read_text("utf-8").split("\n\n")
    [mine] = [letter for letter in letters if letter.startswith(NAMES[key])]
    invitation = dict(re.findall(r"(\w+):\s+(\S+)", mine))
    assert invitation["address"] == served.url
    return Rater(browser, served.url, invitation["login"], invitation["password"], record)


@pytest.fixture(scope="module")
def people(served: Served, browser: Browser) -> dict[str, Rater]:
    return {key: log_in(served, browser, key) for key in NAMES}


def begin(served: Served, rater: Rater, key: str, name: str) -> Round:
    """Go from the list of projects to the first task of a round, by mouse."""
    made = read_round(served.project, name)
    rater.page.goto(f"{rater.url}/projects")
    rater.page.get_by_text(f"{name} · {served.pseudonym(key)}", exact=True).click()
    rater.page.get_by_role("button", name="Label All Tasks").click()
    rater.ready()
    return made


def dialogue_of(served: Served, name: str) -> Dialogue:
    return next(one for one in read_dialogues(served.project) if one.dialogue_id == name)


# -- what was clicked is what is pulled -------------------------------------------------------------------


def answers_of(
    page: SimulatedPage, schema: LabelSchema, opinion: Mapping[str, Any], place: int = 0
) -> dict[str, Any]:
    """Answer one utterance on the simulated page, now and then with a flag; return its row of the table."""
    expected = pressed(page, schema, opinion)
    for one in schema:
        if not isinstance(one, MultilabelField) or not has_intensity(one):
            continue
        chosen = expected[one.name]
        rows = {value: page.selected.get(f"{one.name}-{value}", []) for value in one.categories}
        least = one.intensity[0] if one.intensity else 0
        expected[f"{one.name}_intensity"] = (
            None
            if chosen is None
            else [
                int(rows[value][0]) if rows[value] else least * (value in chosen) for value in one.categories
            ]
        )
    flags = next(control for control in page_controls(schema) if control.name == FLAGS)
    expected["flags"] = []
    if place % 3 == 1:
        choice = flags.choices[place % len(flags.choices)]
        page.press(choice.keys[0])
        expected["flags"] = [str(choice.answer)]
    return expected


def play(rater: Rater, how: str) -> None:
    if how == "keys":
        rater.press(hotkeys.PLAY)
        return
    # The turn before may still play; on a busy machine Label Studio's button can also go on saying so after
    # it has stopped. A person then stops it first.
    button = rater.page.locator("[data-testid^='playback-button:']")
    if button.get_attribute("data-testid") == "playback-button:pause":
        button.click()
    rater.page.get_by_test_id("playback-button:play").click()


@pytest.mark.parametrize("way", WAYS, ids=lambda way: f"{way.round}-{way.how}")
def test_a_whole_dialogue_comes_back_as_it_was_clicked(
    served: Served, people: dict[str, Rater], way: Way
) -> None:
    project, rater = served.project, people[way.rater]
    dialogue = dialogue_of(served, way.dialogue)
    made = begin(served, rater, way.rater, way.round)
    sheet = made.sheet(served.pseudonym(way.rater))
    assert sheet.language == way.round[-2:]
    config = labeling_config(project.schema, sheet)
    expected = []
    for place, opinion in enumerate(opinions(project.schema, len(dialogue.turns), seed=31)):
        if way.design is Design.UTTERANCE:
            page = SimulatedPage(config)
        else:
            page = turn_page(config)
            if way.how == "keys":
                rater.press(hotkeys.NEXT_TURN)
            else:
                rater.pick_turn(place + 1)
        rater.await_utterance(dialogue.turns[place].text)
        expected.append(answers_of(page, project.schema, opinion, place))
        play(rater, way.how)
        rater.answer(page, project.schema, way.how)
        if way.design is Design.UTTERANCE or place + 1 == len(dialogue.turns):
            rater.submit() if way.how == "keys" else rater.submit_by_mouse()
            assert (rater.clicks if way.how == "keys" else rater.keys) == 0

    said = command(annotation_cli.app, "pull", "--project", project.root)
    assert "could not be taken" not in said
    rows = [row for row in read_table(project.path(TABLE)).to_pylist() if row["round"] == way.round]
    assert [row["utterance_id"] for row in rows] == [turn.utterance_id for turn in dialogue.turns]
    for row, wanted in zip(rows, expected, strict=True):
        assert {name: row[name] for name in wanted} == wanted
        assert (row["rater"], row["status"]) == (served.pseudonym(way.rater), "submitted")
        assert (row["condition"], row["context"]) == ("full", str(sheet.context))
        assert (row["schema_version"], row["guideline_version"]) == (
            sheet.schema_version,
            sheet.guideline_version,
        )
        assert row["seconds"] > 0
        assert row["prediction_shown"] is None


def test_the_budget_of_keys_on_a_pushed_project(served: Served, people: dict[str, Rater]) -> None:
    rater, name = people["eve"], "utterances-zh"
    turns = dialogue_of(served, "zh0003").turns
    begin(served, rater, "eve", name)
    rater.press(hotkeys.PLAY, *PLAIN_KEYS)
    rater.check_fits()
    rater.submit()
    assert rater.keys <= 8
    # The next task takes keys as soon as it stands there: nobody clicks, nobody waits.
    rater.await_utterance(turns[1].text)
    rater.keys = 0
    rater.press(hotkeys.PLAY, *RICH_KEYS)
    rater.check_fits()
    rater.submit()
    assert rater.keys <= 14
    assert rater.clicks == 0
    command(annotation_cli.app, "pull", "--project", served.project.root)
    mine = served.pseudonym("eve")
    rows = [
        row
        for row in read_table(served.project.path(TABLE)).to_pylist()
        if (row["round"], row["rater"]) == (name, mine)
    ]
    assert [row["utterance_id"] for row in rows] == [turn.utterance_id for turn in turns[:2]]
    for row, wanted in zip(rows, (PLAIN_ROW, RICH_ROW), strict=True):
        assert {field: row[field] for field in wanted} == wanted


def test_a_dialogue_with_predictions_holds_what_was_left_and_what_was_changed(
    served: Served, people: dict[str, Rater]
) -> None:
    project, rater = served.project, people["eve"]
    schema, turns = project.schema, dialogue_of(served, PREDICTED).turns
    made = begin(served, rater, "eve", "predicted")
    config = labeling_config(schema, made.sheet(served.pseudonym("eve")))
    expected = [
        answers_of(turn_page(config), schema, answers) for answers in opinions_of_a_model(project).values()
    ]
    rater.press(hotkeys.NEXT_TURN)
    rater.await_utterance(turns[0].text)
    rater.await_choice(key_of(schema, "arousal", expected[0]["arousal"]))
    expected[0]["arousal"] = 9.0 if expected[0]["arousal"] != 9 else 1.0
    rater.press(key_of(schema, "arousal", expected[0]["arousal"]))
    for turn in turns[1:]:
        rater.press(hotkeys.NEXT_TURN)
        rater.await_utterance(turn.text)
    rater.press(*PLAIN_KEYS)
    rater.submit()
    command(annotation_cli.app, "pull", "--project", project.root)
    rows = [row for row in read_table(project.path(TABLE)).to_pylist() if row["round"] == "predicted"]
    assert [row["utterance_id"] for row in rows] == [turn.utterance_id for turn in turns]
    for row, wanted in zip(rows, [*expected, PLAIN_ROW], strict=True):
        assert {name: row[name] for name in wanted} == wanted
    assert [row["prediction_shown"] for row in rows] == ["floor-1"] * len(expected) + [None]


def key_of(schema: LabelSchema, field: str, answer: object) -> str:
    """Return the key of an answer."""
    control = next(one for one in page_controls(schema) if one.name == field)
    return next(choice.keys[0] for choice in control.choices if choice.answer == answer)


# -- what one rater can see of another --------------------------------------------------------------------

MARKER = "only-eve-said-this"


@pytest.fixture(scope="module")
def eve_said(served: Served) -> list[dict[str, Any]]:
    """What the other rater has submitted in the round ``private``, and a draft; marked as no page does."""
    number = served.number(read_round(served.project, "private"), "eve")
    tasks = served.client.tasks(number)
    with served.log_in("eve") as web:
        said = [submit(web, number, task["id"], {"sentiment": MARKER}) for task in tasks[:-2]]
        said.append(submit(web, number, tasks[-2]["id"], {"humor": MARKER}, skip=True))
        draft = {"result": results({"sarcasm": MARKER}), "lead_time": 2.0}
        web.post(f"/api/tasks/{tasks[-1]['id']}/drafts", params={"project": number}, json=draft)
    return said


def every_dict(content: object) -> Iterator[dict[str, Any]]:
    """Yield all objects of a JSON text."""
    if isinstance(content, dict):
        yield content
    for one in (
        content.values() if isinstance(content, dict) else content if isinstance(content, list) else ()
    ):
        yield from every_dict(one)


def test_nothing_in_a_raters_project_holds_what_another_rater_said(
    served: Served, browser: Browser, eve_said: list[dict[str, Any]], tmp_path: Path
) -> None:
    made = read_round(served.project, "private")
    number = served.number(made, "mei")
    tasks = [task["id"] for task in served.client.tasks(number)]
    rater = log_in(served, browser, "mei", tmp_path / "seen.har")
    for place in ("", "projects", f"projects/{number}/settings", f"projects/{number}/data?task={tasks[0]}"):
        rater.page.goto(f"{served.url}/{place}")
        rater.page.wait_for_load_state("networkidle")
    begin(served, rater, "mei", "private")
    turns = dialogue_of(served, "zh0002").turns
    for turn in turns[:2]:
        rater.await_utterance(turn.text)
        rater.press(*PLAIN_KEYS)
        rater.submit()
    rater.await_utterance(turns[2].text)
    rater.page.get_by_test_id("prev-task").click()  # back to her own last answer
    rater.await_utterance(turns[1].text)
    seen = {}
    for path in (
        f"projects/{number}/", f"projects/{number}/tasks/?page_size=100", f"projects/{number}/next",
        f"projects/{number}/export?exportType=JSON&download_all_tasks=true",
        f"projects/{number}/export?exportType=JSON_MIN", f"projects/{number}/export?exportType=CSV",
        f"projects/{number}/summary/", f"tasks?project={number}&fields=all&page_size=100",
        f"dm/project?project={number}", f"dm/columns?project={number}", f"dm/views?project={number}",
        f"predictions/?project={number}",
        *(f"tasks/{task}{rest}" for task in tasks for rest in ("/", "/annotations/", "/drafts")),
    ):  # fmt: skip
        answer = rater.page.request.get(f"{served.url}/api/{path}")
        assert answer.ok, f"{path}: {answer.status}"
        seen[path] = answer.text()
    rater.page.context.close()
    for number_, entry in enumerate(json.loads((tmp_path / "seen.har").read_text("utf-8"))["log"]["entries"]):
        content = entry["response"]["content"]
        body = content.get("text", "")
        if content.get("encoding") == "base64":
            body = base64.b64decode(body).decode("utf-8", "replace")
        seen[f"{number_} {entry['request']['url']}"] = body

    of_eve = served.client.export(served.number(made, "eve"))
    names = [one["unique_id"] for task in of_eve for one in task["annotations"]]
    assert len(names) == len(eve_said)
    for place, body in seen.items():
        assert MARKER not in body, place
        assert not [name for name in names if name in body], place
    # She does see what was said in her project: by herself.
    user = roster.read_accounts(served.project).on(OWN)["mei"].user
    said_by = [
        one["completed_by"]
        for body in seen.values()
        if body.lstrip()[:1] in ("{", "[")
        for one in every_dict(json.loads(body))
        if "completed_by" in one and one.get("result")
    ]
    assert len(said_by) > 2
    assert {one["id"] if isinstance(one, dict) else one for one in said_by} == {user}
    for part in ("/user/login", "/api/projects?", "/api/tasks?", "id=next_task", "/annotations?"):
        assert any(part in place for place in seen), part


def test_who_opens_the_project_of_another_rater_can_read_it(
    served: Served, people: dict[str, Rater], eve_said: list[dict[str, Any]]
) -> None:
    """The open-source edition has no permissions, and the docs say so; should that change, they can too."""
    other = served.number(read_round(served.project, "private"), "eve")
    browse = people["mei"].page.request
    task = eve_said[0]["task"]
    assert MARKER in browse.get(f"{served.url}/api/tasks/{task}/").text()
    assert MARKER in browse.get(f"{served.url}/api/projects/{other}/export?exportType=JSON").text()
