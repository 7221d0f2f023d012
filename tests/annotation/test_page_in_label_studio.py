"""The generated pages in a real Label Studio and a real browser: what is pressed is what comes back."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings

from annotation import hotkeys
from annotation.labeling_config import labeling_config
from annotation.results import Reading, read_annotation
from annotation.sheet import Design, Sheet
from annotation.tasks import Dialogue, Turn, dialogue_task, media_url, read_dialogues, utterance_task
from schemas import load_schema
from schemas.definition import parse_schema, shipped_definitions
from schemas.label_schema import LabelSchema
from schemas.records import Condition, Context
from tests.annotation.chromium import Rater, chromium
from tests.annotation.drawn_schemas import NAMES, label_schemas
from tests.annotation.label_studio import Server, fresh_server
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
from tests.handwritten import create_sample

if TYPE_CHECKING:
    from playwright.sync_api import Browser

AFFECT = load_schema("affect")
RATER = ("rater@example.org", "a-rater-of-the-tests")
SHEET = Sheet("pilot", "1.0.0", "1.0.0+abc", condition=Condition.TEXT, turns=8)
DIALOGUES = replace(SHEET, design=Design.DIALOGUE, context=Context.FULL)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with fresh_server(tmp_path_factory.mktemp("label-studio")) as running:
        running.sign_up(*RATER)
        yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def rater(server: Server, browser: Browser) -> Rater:
    return Rater(browser, server.url, *RATER)


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Dialogue]:
    """A short hand-written dialogue in each language."""
    project, _ = create_sample(tmp_path_factory.mktemp("sample") / "corpus")
    found: dict[str, Dialogue] = {}
    for dialogue in read_dialogues(project):
        found.setdefault(dialogue.language or "", replace(dialogue, turns=dialogue.turns[:4]))
    return found


@pytest.fixture(scope="module")
def clips(server: Server) -> Path:
    """A folder that the server serves, with a film of eight seconds and its sound."""
    folder = server.data.parent / "media" / "clips"
    colours = ["-f", "lavfi", "-i", "testsrc=size=320x180:rate=25:duration=8"]
    tone = ["-f", "lavfi", "-i", "sine=frequency=440:duration=8"]
    film = ["-c:v", "libx264", "-pix_fmt", "yuv420p", "-c:a", "aac"]
    try:
        for name, options in (
            ("film.mp4", [*colours, *tone, *film]),
            ("short.mp4", [*colours, *tone, *film, "-t", "1.5"]),
            ("film.wav", tone),
        ):
            subprocess.run(["ffmpeg", "-y", "-loglevel", "error", *options, folder / name], check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        unavailable("pages with sound and pictures", error)
    return folder


def make(server: Server, schema: LabelSchema, sheet: Sheet, tasks: list[dict[str, Any]]) -> int:
    return server.project(
        f"{schema.name} {sheet.design} {sheet.condition}", labeling_config(schema, sheet), tasks
    )


def read(server: Server, project: int, schema: LabelSchema) -> list[Reading]:
    return [
        read_annotation(annotation, task["data"], schema, rater="r1")
        for annotation, task in server.annotations(project)
    ]


def same(row: Mapping[str, Any], expected: Mapping[str, Any]) -> None:
    assert {name: row[name] for name in expected} == expected


# -- the server takes the pages ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", shipped_definitions())
def test_the_server_accepts_every_page_of_a_shipped_schema(server: Server, name: str) -> None:
    for design in Design:
        for condition in Condition:
            for language in ("zh", "en"):
                sheet = replace(DIALOGUES, design=design, condition=condition, language=language)
                server.accepts(labeling_config(load_schema(name), sheet))


@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(schema=label_schemas())
def test_the_server_accepts_the_pages_of_any_schema_and_their_tasks(
    server: Server, schema: LabelSchema
) -> None:
    dialogue = Dialogue("d", (Turn("u0", "A", "one"), Turn("u1", "B", "two")))
    make(server, schema, SHEET, [utterance_task(dialogue, 1, SHEET)])
    make(server, schema, DIALOGUES, [dialogue_task(dialogue, DIALOGUES)])


# -- what is pressed is what comes back --------------------------------------------------------------------


@pytest.mark.parametrize("how", ["keys", "mouse"])
@pytest.mark.parametrize("language", ["zh", "en"])
def test_utterances_of_the_sample(
    server: Server, rater: Rater, sample: dict[str, Dialogue], language: str, how: str
) -> None:
    sheet, dialogue = replace(SHEET, language=language), sample[language]
    project = make(
        server,
        AFFECT,
        sheet,
        [utterance_task(dialogue, index, sheet) for index in range(len(dialogue.turns))],
    )
    rater.open(project)
    expected = []
    for answers in opinions(AFFECT, len(dialogue.turns), seed=11):
        page = SimulatedPage(labeling_config(AFFECT, sheet))
        expected.append(pressed(page, AFFECT, answers))
        rater.answer(page, AFFECT, how)
        rater.submit() if how == "keys" else rater.submit_by_mouse()
        assert (rater.clicks if how == "keys" else rater.keys) == 0
        if len(expected) < len(dialogue.turns):
            rater.ready()
    readings = read(server, project, AFFECT)
    assert [one.rows[0]["utterance_id"] for one in readings] == [turn.utterance_id for turn in dialogue.turns]
    for reading, wanted in zip(readings, expected, strict=True):
        assert not reading.quarantine
        same(reading.rows[0], wanted)


@pytest.mark.parametrize("how", ["keys", "mouse"])
@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_dialogue_of_the_sample(
    server: Server, rater: Rater, sample: dict[str, Dialogue], language: str, how: str
) -> None:
    sheet, dialogue = replace(DIALOGUES, language=language), sample[language]
    project = make(server, AFFECT, sheet, [dialogue_task(dialogue, sheet)])
    rater.open(project)
    check_dialogue(server, rater, project, sheet, dialogue, how)


def check_dialogue(
    server: Server, rater: Rater, project: int, sheet: Sheet, dialogue: Dialogue, how: str
) -> None:
    expected = []
    for number, answers in enumerate(opinions(AFFECT, len(dialogue.turns), seed=23), 1):
        if how == "keys":
            rater.press(hotkeys.NEXT_TURN)
        else:
            rater.pick_turn(number)
        rater.await_utterance(dialogue.turns[number - 1].text)
        page = turn_page(labeling_config(AFFECT, sheet))
        expected.append(pressed(page, AFFECT, answers))
        rater.answer(page, AFFECT, how)
    rater.submit() if how == "keys" else rater.submit_by_mouse()
    [reading] = read(server, project, AFFECT)
    assert not reading.quarantine
    assert [row["utterance_id"] for row in reading.rows] == [turn.utterance_id for turn in dialogue.turns]
    for row, wanted in zip(reading.rows, expected, strict=True):
        same(row, wanted)


@pytest.mark.parametrize("name", ["cmma", "mosei", "iemocap"])
def test_utterances_under_other_schemas(
    server: Server, rater: Rater, sample: dict[str, Dialogue], name: str
) -> None:
    schema, dialogue = load_schema(name), sample["zh"]
    project = make(server, schema, SHEET, [utterance_task(dialogue, index, SHEET) for index in range(2)])
    rater.open(project)
    expected = []
    for answers in opinions(schema, 2, seed=3):
        page = SimulatedPage(labeling_config(schema, SHEET))
        expected.append(pressed(page, schema, answers))
        rater.answer(page, schema, "keys")
        rater.submit()
        if len(expected) < 2:
            rater.ready()
    for reading, wanted in zip(read(server, project, schema), expected, strict=True):
        assert not reading.quarantine
        same(reading.rows[0], wanted)


@pytest.mark.parametrize("how", ["keys", "mouse"])
def test_names_that_break_pages(server: Server, rater: Rater, how: str) -> None:
    values = {name: {"title": {"en": name, "zh": f"{name}？"}} for name in NAMES}
    definition = {
        "name": "nasty",
        "version": "1",
        "title": {"en": "x", "zh": "x"},
        "description": {"en": "x", "zh": "x"},
        "fields": {
            "one": {
                "type": "nominal",
                "title": {"en": "$one", "zh": "$one"},
                "absent": ["a,b"],
                "values": values,
            },
            "many": {
                "type": "multilabel",
                "title": {"en": "many", "zh": "many"},
                "absent": ["a,b"],
                "exclusive": ["a,b"],
                "values": values,
            },
        },
    }
    schema = parse_schema(yaml.safe_dump(definition, allow_unicode=True, sort_keys=False))
    dialogue = Dialogue("d", tuple(Turn(f"u{number}", "A", f"<b>{number}</b> $x") for number in range(6)))
    sheet = replace(SHEET, language="en")
    project = make(server, schema, sheet, [utterance_task(dialogue, index, sheet) for index in range(6)])
    rater.open(project)
    expected = []
    for answers in opinions(schema, 6, seed=9):
        page = SimulatedPage(labeling_config(schema, sheet))
        expected.append(pressed(page, schema, answers))
        rater.answer(page, schema, how)
        rater.submit()
        if len(expected) < 6:
            rater.ready()
    for reading, wanted in zip(read(server, project, schema), expected, strict=True):
        assert not reading.quarantine
        same(reading.rows[0], wanted)


# -- budget, screen, keys -----------------------------------------------------------------------------------


def test_the_budget_of_keys(server: Server, rater: Rater, sample: dict[str, Dialogue], clips: Path) -> None:
    sheet = replace(SHEET, condition=Condition.FULL)
    clip = media_url("clips/short.mp4")
    project = make(
        server, AFFECT, sheet, [utterance_task(sample["zh"], index, sheet, clip) for index in range(2)]
    )
    serve(server, project, clips)
    rater.open(project)
    rater.press(hotkeys.PLAY, *PLAIN_KEYS)
    rater.submit()
    assert rater.keys == 6
    assert rater.clicks == 0
    rater.ready()
    rater.press(hotkeys.PLAY, *RICH_KEYS)
    rater.submit()
    assert rater.keys == 13
    plain, rich = read(server, project, AFFECT)
    same(plain.rows[0], PLAIN_ROW)
    assert plain.plain == [sample["zh"].turns[0].utterance_id]
    same(rich.rows[0], RICH_ROW)


@pytest.mark.parametrize("design", list(Design))
def test_a_long_dialogue_with_a_film_fits_on_one_screen(
    server: Server, rater: Rater, clips: Path, design: Design
) -> None:
    long = "这句话相当长，长到在左边的一栏里要占好几行，用来看看版面会不会被撑开。" * 4
    dialogue = Dialogue("d", tuple(Turn(f"u{n}", "王芳", long, n * 0.2, n * 0.2 + 0.2) for n in range(30)))
    sheet = replace(DIALOGUES, design=design, condition=Condition.FULL, turns=30)
    url = media_url("clips/film.mp4")
    task = (
        dialogue_task(dialogue, sheet, url)
        if design is Design.DIALOGUE
        else utterance_task(dialogue, 15, sheet, url)
    )
    project = make(server, AFFECT, sheet, [task])
    serve(server, project, clips)
    rater.open(project)
    if design is Design.DIALOGUE:
        rater.press(hotkeys.NEXT_TURN)
    rater.press("c", "n")  # both relations are asked
    rater.page.wait_for_timeout(500)
    rater.check_fits()


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("name", shipped_definitions())
def test_a_page_fits_on_one_screen(
    server: Server, rater: Rater, sample: dict[str, Dialogue], name: str, language: str
) -> None:
    schema, sheet = load_schema(name), replace(SHEET, language=language)
    rater.open(make(server, schema, sheet, [utterance_task(sample[language], 3, sheet)]))
    if name == "affect":
        rater.press("c", "n")  # both relations are asked
    rater.check_fits()


def test_nothing_is_pre_filled_and_an_empty_page_cannot_be_submitted(
    server: Server, rater: Rater, sample: dict[str, Dialogue]
) -> None:
    project = make(server, AFFECT, SHEET, [utterance_task(sample["zh"], 0, SHEET)])
    rater.open(project)
    assert rater.page.locator(".ant-checkbox-wrapper-checked").count() == 0
    rater.press(hotkeys.SUBMIT)
    rater.page.get_by_text("请选择“情感极性”").wait_for()
    assert not server.annotations(project)


def test_a_set_cannot_be_left_open(server: Server, rater: Rater, sample: dict[str, Dialogue]) -> None:
    project = make(server, AFFECT, SHEET, [utterance_task(sample["zh"], 0, SHEET)])
    rater.open(project)
    rater.press("x", "b", "shift+1", "5", "t", "g", hotkeys.SUBMIT)
    rater.page.get_by_text("请选择“情绪”").wait_for()
    assert not server.annotations(project)


def test_a_bar_marks_open_questions_since_a_dialogue_page_takes_an_open_set(
    server: Server, rater: Rater, sample: dict[str, Dialogue]
) -> None:
    dialogue = replace(sample["zh"], turns=sample["zh"].turns[:2])
    project = make(server, AFFECT, DIALOGUES, [dialogue_task(dialogue, DIALOGUES)])
    rater.open(project)
    rater.press(hotkeys.NEXT_TURN)
    # The relation stands there until the emotion says whether it applies.
    asked = ["情感极性", "情绪", "讽刺", "幽默", "效价", "唤醒度", "支配度", "情绪→情感极性"]
    assert open_questions(rater) == asked
    rater.press("c", "b", "shift+1", "5", "t")
    rater.page.wait_for_selector("text=情绪→情感极性 >> visible=true")
    assert open_questions(rater) == ["情绪", "支配度", "情绪→情感极性"]
    rater.press(hotkeys.NEXT_TURN, *PLAIN_KEYS)
    rater.await_utterance(dialogue.turns[1].text)
    assert not open_questions(rater)
    # What Label Studio can require it does: it says so and goes to the turn.
    rater.press(hotkeys.SUBMIT)
    rater.page.get_by_text("请选择“支配度”").wait_for()
    rater.await_utterance(dialogue.turns[0].text)
    rater.press("enter", "g")
    rater.submit()
    [reading] = read(server, project, AFFECT)
    first, second = reading.rows
    assert (first["sentiment"], first["dominance"]) == ("positive", 5.0)
    for name in ("emotion", "emotion_sentiment"):
        assert (first[name], first[f"{name}_missing"]) == (None, "not_rated")
    same(second, PLAIN_ROW)


def open_questions(rater: Rater) -> list[str]:
    """Return the titles of the rows with a bar."""
    titles: list[str] = rater.page.evaluate(
        "[...document.querySelectorAll('.f')].filter(one => one.offsetParent && "
        "getComputedStyle(one).borderLeftColor === 'rgb(232, 89, 12)')"
        ".map(one => one.querySelector('h4').innerText)"
    )
    return titles


def test_u_and_backspace_do_not_lose_the_turn(
    server: Server, rater: Rater, sample: dict[str, Dialogue]
) -> None:
    project = make(server, AFFECT, DIALOGUES, [dialogue_task(sample["zh"], DIALOGUES)])
    rater.open(project)
    rater.press(hotkeys.NEXT_TURN)
    shown = rater.shown()
    assert shown
    rater.press("u", "Backspace")
    assert rater.shown() == shown
    assert rater.page.locator(".htx-highlight").count() == len(sample["zh"].turns)


def test_a_skipped_task_comes_back_as_skipped(
    server: Server, rater: Rater, sample: dict[str, Dialogue]
) -> None:
    project = make(server, AFFECT, SHEET, [utterance_task(sample["zh"], 0, SHEET)])
    rater.open(project)
    rater.press("c")
    rater.submit(hotkeys.SKIP)
    [reading] = read(server, project, AFFECT)
    assert reading.rows[0]["status"] == "skipped"
    assert reading.rows[0]["sentiment"] is None


# -- sound and pictures -------------------------------------------------------------------------------------

FILM = Dialogue(
    "film", tuple(Turn(f"film_{n}", "王芳", f"第{n}句话", 2.0 * n, 2.0 * n + 2) for n in range(4)), "zh"
)
PLAYER = (
    "[...document.querySelectorAll('video,audio')].map(one => [one.currentTime, one.paused, one.muted])[0]"
)


# Notes where each start of playing begins: a busy machine may look at the player too late to see it.
NOTE_STARTS = """() => {
    const one = document.querySelector('video,audio');
    window.starts = [];
    one.addEventListener('play', () => window.starts.push(one.currentTime));
}"""


NOTE_TIMES = """() => {
    const one = document.querySelector('video,audio');
    window.times = [];
    one.addEventListener('timeupdate', () => window.times.push(one.currentTime));
}"""


def check_plays(rater: Rater, start: float, end: float) -> None:
    """Check that one key plays from ``start`` to ``end``; a busy machine stops late, but not every time."""
    for _ in range(6):
        rater.page.evaluate(NOTE_TIMES)
        rater.press(hotkeys.PLAY)
        rater.page.wait_for_function(f"window.times.some(one => one < {end - 0.5})")
        rater.page.wait_for_function(f"({PLAYER})[0] > {end - 0.2} && ({PLAYER})[1]")
        times = rater.page.evaluate("window.times")
        assert min(times) > start - 0.1
        if max(times) < end + 0.2:
            return
    raise AssertionError(f"played up to {max(times)}")


def wait_for_player(rater: Rater) -> None:
    """Wait until there is something to play."""
    rater.page.wait_for_function(
        "[...document.querySelectorAll('video,audio')].some(one => one.readyState >= 3)"
    )


def serve(server: Server, project: int, clips: Path) -> None:
    """Have the server serve the clips to the raters of a project."""
    storage = {"project": project, "path": str(clips), "use_blob_urls": True, "title": "clips"}
    server.api("POST", "/api/storages/localfiles/", storage)


@pytest.mark.parametrize("condition", [Condition.FULL, Condition.VIDEO, Condition.AUDIO])
def test_one_key_plays_the_clip_and_at_its_end_again(
    server: Server, rater: Rater, clips: Path, condition: Condition
) -> None:
    sheet = replace(SHEET, condition=condition)
    project = make(server, AFFECT, sheet, [utterance_task(FILM, 2, sheet, media_url("clips/short.mp4"))])
    serve(server, project, clips)
    rater.open(project)
    wait_for_player(rater)
    rater.page.evaluate(NOTE_STARTS)
    rater.press(hotkeys.PLAY)
    rater.page.wait_for_function(f"({PLAYER})[0] >= 1.4 && ({PLAYER})[1]")
    rater.press(hotkeys.PLAY)
    rater.page.wait_for_function("window.starts.length === 2 && window.starts[1] < 1")
    assert rater.page.evaluate(PLAYER)[2] is (condition is Condition.VIDEO)
    words = rater.page.inner_text("body")
    assert ("第1句话" in words) == ("第2句话" in words) == (condition is Condition.FULL)
    assert "第3句话" not in words


@pytest.mark.parametrize(
    ("condition", "how"),
    [
        (Condition.FULL, "keys"),
        (Condition.FULL, "mouse"),
        (Condition.VIDEO, "keys"),
        (Condition.AUDIO, "keys"),
    ],
)
def test_a_dialogue_with_its_recording(
    server: Server, rater: Rater, clips: Path, condition: Condition, how: str
) -> None:
    sheet = replace(DIALOGUES, condition=condition)
    url = media_url("clips/film.wav" if condition is Condition.AUDIO else "clips/film.mp4")
    project = make(server, AFFECT, sheet, [dialogue_task(FILM, sheet, url)])
    serve(server, project, clips)
    rater.open(project)
    wait_for_player(rater)
    if how == "keys":
        rater.press(hotkeys.NEXT_TURN, hotkeys.NEXT_TURN)
        check_plays(rater, 2.0, 4.0)
        check_plays(rater, 2.0, 4.0)  # at its end, again
        rater.open(project)
    texts = (
        []
        if condition is Condition.FULL
        else [f"王芳：（请{'听' if condition is Condition.AUDIO else '看'}）"]
    )
    shown = replace(
        FILM, turns=tuple(replace(turn, text=texts[0] if texts else turn.text) for turn in FILM.turns)
    )
    check_dialogue(server, rater, project, sheet, shown, how)
