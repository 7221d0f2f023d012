"""Pages with a clip or a recording in a real Label Studio and a real browser: one key plays what is rated."""

from __future__ import annotations

import subprocess
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from annotation import hotkeys
from annotation.sheet import Design
from annotation.tasks import Dialogue, Turn, dialogue_task, media_url, utterance_task
from schemas.records import Condition
from tests.annotation.chromium import PATIENCE, Rater
from tests.annotation.label_studio import Server
from tests.annotation.labeling import AFFECT, DIALOGUES, SHEET, check_dialogue, make, read, same
from tests.annotation.simulated_page import PLAIN_KEYS, PLAIN_ROW, RICH_KEYS, RICH_ROW
from tests.availability import unavailable


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


FILM = Dialogue(
    "film", tuple(Turn(f"film_{n}", "王芳", f"第{n}句话", 2.0 * n, 2.0 * n + 2) for n in range(4)), "zh"
)
PLAYER = (
    "[...document.querySelectorAll('video,audio')].map(one => [one.currentTime, one.paused, one.muted])[0]"
)


# Notes where the player is, and where it plays: a busy machine may look at it too late to see that.
NOTE_TIMES = """() => {
    const one = document.querySelector('video,audio');
    window.times = [];
    window.played = [];
    one.addEventListener('timeupdate', () => {
        window.times.push(one.currentTime);
        if (!one.paused) window.played.push(one.currentTime);
    });
}"""


def start_playing(rater: Rater, where: str) -> None:
    """Press the key that plays until it does, at times of which ``where`` is true.

    Once is enough, but where a busy machine has not told Label Studio yet that the player has stopped: there
    the first press is taken for a pause.
    """
    from playwright.sync_api import TimeoutError as NotYet

    rater.page.evaluate(NOTE_TIMES)
    for patience in (20_000, PATIENCE):
        rater.press(hotkeys.PLAY)
        with suppress(NotYet):
            rater.page.wait_for_function(f"window.played.some(one => {where})", timeout=patience)
            return
    raise AssertionError("it does not play")


def check_plays(rater: Rater, start: float, end: float) -> None:
    """Check that one key plays from ``start`` to ``end``; a busy machine stops late, but not every time."""
    for _ in range(12):
        start_playing(rater, f"one < {end - 0.5}")
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
    start_playing(rater, "one < 1.3")
    rater.page.wait_for_function(f"({PLAYER})[0] >= 1.4 && ({PLAYER})[1]")
    start_playing(rater, "one < 1.3")
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


# -- budget, screen


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
    rater.next(sample["zh"].turns[1].text)
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
        rater.await_utterance(long)
    rater.ask_relations()
    rater.check_fits()
