"""Shift and stretch of subtitles are found in the sound; what does not fit is left alone."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from corpus.importers import speech_activity as meter
from corpus.importers import subtitles
from corpus.importers.alignment import EVIDENCE, IN_STEP, Fit, Verdict, fit
from corpus.importers.speech_activity import RATE, speech_activity
from tests.corpus.importers.talk import Span, spans, speech, write_wav

SAMPLE = Path(__file__).resolve().parents[3] / "corpus/sample/packaged/media"
MINUTES = 2


def measured(sound: np.ndarray) -> np.ndarray:
    return meter.activity(np.concatenate([meter.energies(one) for one in meter._overlapping(iter([sound]))]))


def moved(lines: list[Span], stretch: float, shift: float) -> list[Span]:
    return [(stretch * start + shift, stretch * end + shift) for start, end in lines]


def worst(found: Fit, written: list[Span], true: list[Span]) -> float:
    pairs = zip(np.ravel(written), np.ravel(true), strict=True)
    return max(abs(found.at(float(time)) - float(place)) for time, place in pairs)


def music(size: int, seed: int) -> np.ndarray:
    """Return notes that fade, of unit loudness."""
    rng = np.random.Generator(np.random.PCG64([seed, 2]))
    sound, at = np.zeros(size), 0
    while at < size:
        time = np.arange(min(round(meter._SAMPLE_RATE * rng.choice([0.25, 0.5, 1.0])), size - at)) / 16_000
        pitch = rng.choice([220, 262, 330, 392, 440])
        tone = sum(np.sin(2 * np.pi * pitch * n * time) / n for n in range(1, 7))
        sound[at : at + len(time)] = tone * np.exp(-3 * time)
        at += len(time)
    return sound / np.sqrt((sound**2).mean())


@pytest.fixture(scope="module")
def true() -> list[Span]:
    return spans(60 * MINUTES)


@pytest.fixture(scope="module")
def heard(true: list[Span]) -> np.ndarray:
    return measured(speech(true, 60 * MINUTES))


@pytest.mark.parametrize(
    ("stretch", "shift"),
    [
        (1.04, 1.5),
        (1.0, 1.5),
        (1.0, -31.0),
        (25 / 23.976, 0.0),
        (23.976 / 25, 12.0),
        (24 / 23.976, 0.3),
        (25 / 24, -1.2),
        (0.97, 40.0),
    ],
)
def test_shift_and_stretch_are_recovered_to_a_tenth_of_a_second(
    true: list[Span], heard: np.ndarray, stretch: float, shift: float
) -> None:
    written = moved(true, stretch, shift)
    found = fit(heard, written)
    assert found.verdict is Verdict.CORRECTED
    assert worst(found, written, true) < 0.1


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(stretch=st.floats(0.955, 1.05), shift=st.floats(-1.5, 60))
def test_any_shift_and_stretch_within_reach_is_recovered(
    true: list[Span], heard: np.ndarray, stretch: float, shift: float
) -> None:
    written = moved(true, stretch, shift)
    assert worst(fit(heard, written), written, true) <= IN_STEP


@pytest.mark.parametrize("name", sorted(path.stem for path in SAMPLE.glob("*.srt")))
def test_the_sample_is_in_step_and_is_recovered_when_it_is_not(name: str) -> None:
    true = [(line.start, line.until) for line in subtitles.read(SAMPLE / f"{name}.srt").lines]
    heard = speech_activity(SAMPLE / f"{name}.mp4")
    assert fit(heard, true).verdict is Verdict.IN_STEP
    written = moved(true, 1.04, 1.5)
    found = fit(heard, written)
    assert found.verdict is Verdict.CORRECTED
    assert worst(found, written, true) < 0.1


@pytest.mark.parametrize("name", sorted(path.stem for path in SAMPLE.glob("*.srt")))
def test_subtitles_of_another_episode_are_not_believed(name: str) -> None:
    heard = speech_activity(SAMPLE / f"{name}.mp4")
    for other in sorted(SAMPLE.glob("*.srt")):
        if other.stem != name:
            lines = [(line.start, line.until) for line in subtitles.read(other).lines]
            found = fit(heard, lines)
            assert found.verdict is Verdict.NO_MATCH, other.stem
            assert found.at(12.0) == 12.0


def test_wrong_files_do_not_look_right(heard: np.ndarray) -> None:
    evidence = [fit(heard, spans(60 * MINUTES, seed)).evidence for seed in range(100, 110)]
    assert max(evidence) < EVIDENCE


@pytest.mark.parametrize("noise", ["hiss", "music"])
def test_noise_and_music_do_not_hide_the_speech(true: list[Span], noise: str) -> None:
    clean = speech(true, 60 * MINUTES)
    loud = float(np.sqrt((clean[np.abs(clean) > 0.01] ** 2).mean()))
    rng = np.random.Generator(np.random.PCG64(4))
    other = rng.normal(size=len(clean)) if noise == "hiss" else music(len(clean), 4)
    heard = measured(clean + loud * 10 ** (-10 / 20) * other)  # 10 dB below the speech
    written = moved(true, 1.04, 1.5)
    found = fit(heard, written)
    assert found.verdict is Verdict.CORRECTED
    assert worst(found, written, true) < 0.15


def test_lines_that_begin_early_and_stay_are_placed_well(true: list[Span], heard: np.ndarray) -> None:
    rng = np.random.Generator(np.random.PCG64(3))
    late = [(start - rng.uniform(0, 0.1), end + rng.uniform(0, 0.7)) for start, end in true]
    after = [start for start, _ in late[1:]]
    lines = [(start, min(end, last)) for (start, end), last in zip(late, [*after, 1e9], strict=True)]
    written = moved(lines, 1.04, 1.5)
    found = fit(heard, written)
    pairs = zip(written, true, strict=True)
    assert max(abs(found.at(line[0]) - place[0]) for line, place in pairs) < 0.2


def test_an_intro_without_lines_and_lines_without_sound_do_no_harm(
    true: list[Span], heard: np.ndarray
) -> None:
    intro = [(start, end) for start, end in true if start > 45]
    without = [one for one in intro if not 90 < one[0] < 110]
    for lines in (intro, without):
        written = moved(lines, 1.04, 1.5)
        assert worst(fit(heard, written), written, lines) < 0.1
    half = heard[: 60 * MINUTES * RATE // 2]
    written = moved(true, 1.0, 1.5)
    found = fit(half, written)  # the second half of the recording is not there
    assert worst(found, written, true) < 0.15


@pytest.mark.parametrize("cut", [True, False])
@pytest.mark.parametrize(("seed", "at"), [(0, 100), (1, 150), (3, 60)])
def test_a_recording_that_was_cut_is_seen_and_its_lines_are_left_alone(cut: bool, seed: int, at: int) -> None:
    lines = spans(300, seed)
    sound = speech(lines, 300, seed)
    hiss = np.random.Generator(np.random.PCG64(1)).normal(0, 0.02, 60 * 16_000)
    between, after = (np.zeros(0), at + 20) if cut else (hiss, at)
    heard = measured(np.concatenate([sound[: at * 16_000], between, sound[after * 16_000 :]]))
    found = fit(heard, lines)
    assert found.verdict is Verdict.PARTS
    assert found.parted is not None
    assert abs(found.parted[0] - at) < 25
    assert found.parted[1] == pytest.approx(-20 if cut else 60, abs=0.3)
    assert found.at(7.0) == 7.0


@pytest.mark.parametrize("sound", [np.zeros(6000), np.ones(6000), np.zeros(0), np.zeros(50)])
def test_a_recording_of_silence_tells_nothing(true: list[Span], sound: np.ndarray) -> None:
    found = fit(sound, true)
    assert found.verdict is Verdict.TOO_LITTLE
    assert found.at(3.25) == 3.25


def test_a_handful_of_lines_tells_nothing(true: list[Span], heard: np.ndarray) -> None:
    assert fit(heard, true[:9]).verdict is Verdict.TOO_LITTLE
    assert fit(heard, []).verdict is Verdict.TOO_LITTLE
    assert fit(heard, [(3.0, 3.0)] * 20).verdict is Verdict.TOO_LITTLE


def test_the_same_input_gives_the_same_fit(true: list[Span], heard: np.ndarray) -> None:
    written = moved(true, 1.02, 3)
    assert fit(heard, written) == fit(heard, list(reversed(written)))


def test_activity_is_where_speech_is(tmp_path: Path, true: list[Span]) -> None:
    heard = speech_activity(write_wav(tmp_path / "a.wav", speech(true, 60 * MINUTES)))
    assert len(heard) == pytest.approx(60 * MINUTES * RATE, abs=2)
    middle = (np.arange(len(heard)) + 0.5) / RATE
    spoken = np.zeros(len(heard), bool)
    for start, end in true:
        spoken |= (middle > start) & (middle < end)
    assert heard[spoken].mean() > 0.8
    assert heard[~spoken].mean() < 0.1


def test_blocks_do_not_change_the_measure(true: list[Span]) -> None:
    sound = speech(true, 60)
    pieces = np.array_split(sound, 97)
    blocks = meter._overlapping(iter(pieces))
    whole = meter._overlapping(iter([sound]))
    one, other = (np.concatenate([meter.energies(block) for block in side]) for side in (blocks, whole))
    np.testing.assert_allclose(one, other, rtol=1e-12)
    padded = np.concatenate([np.zeros(120), sound, np.zeros(120)])
    np.testing.assert_allclose(one, meter.energies(padded), rtol=1e-12)


MEASURE = """
import json, resource, sys
from pathlib import Path
from corpus.importers.speech_activity import speech_activity
speech_activity(Path(sys.argv[1]))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
heard = speech_activity(Path(sys.argv[2]))
print(json.dumps([len(heard), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before]))
"""


def test_memory_does_not_grow_with_the_recording(tmp_path: Path) -> None:
    short = write_wav(tmp_path / "short.wav", speech(spans(20), 20))
    long = write_wav(tmp_path / "long.wav", np.tile(speech(spans(20), 20), 24))  # 61 MB as floats
    run = subprocess.run(
        [sys.executable, "-c", MEASURE, str(short), str(long)], capture_output=True, text=True, check=True
    )
    values, grown = json.loads(run.stdout)
    assert values == pytest.approx(8 * 60 * RATE, abs=2)
    unit = 1024 if sys.platform != "darwin" else 1
    assert grown * unit < 25e6
