"""What is cut is what lies between the times of the table: to the frame, and to the sample."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from corpus.media import segmenting
from corpus.media.passing import Looked, Utterance
from corpus.media.plan import Recipe, Shard, Wanted
from corpus.media.recording import Picture, Recording
from corpus.media.segmenting import segment
from corpus.media.segments import RATE, Segments
from schemas.project import Project
from schemas.tables import read_table
from tests.corpus.media.film import hiss, lag, number, shoot, turn

CUTS = ((0.52, 1.48), (1.2, 2.281), (1.3333, 3.001))  # they overlap, and some lie between frames and samples
SECONDS = 3.6
PRIMING = 1024 / 48_000
NEAR = 0.005  # seconds: a time this near to a cut means the cut
TICK = 1.1e-5 / 2 + 1e-9


@dataclass
class Case:
    """A film and what is special about it."""

    name: str
    film: dict[str, Any] = field(default_factory=dict)
    rate: int = 48_000
    tick: float = TICK  # how exactly its container tells times


JITTER = np.random.default_rng(1).uniform(0.02, 0.12, 60).cumsum().round(3)

CASES = [
    Case("plain.mp4"),
    Case("plain.mkv", tick=0.0005),
    Case("counts_from_elsewhere.ts"),
    Case("plain.mov", {"codec": "pcm_s16le"}),
    Case("cd_rate.mp4", {"sounds": ((44_100, "stereo", "und"),)}, rate=44_100),
    Case("six_channels.mp4", {"sounds": ((48_000, "5.1", "und"),)}),
    Case("ntsc.mp4", {"rate": Fraction(30_000, 1001)}),
    Case("late_sound.mp4", {"sound_start": 0.25 + PRIMING}),
    Case("late_sound.mkv", {"sound_start": 0.25}, tick=0.0005),
    Case("late_pictures.mp4", {"video_start": 0.2}),
    Case("both_late.mp4", {"video_start": 1.2, "sound_start": 1.0 + PRIMING}),
    Case("variable_rate.mp4", {"times": [float(one) for one in JITTER - JITTER[0] if one < SECONDS]}),
    Case(
        "variable_rate.mkv",
        {"times": [float(one) for one in JITTER - JITTER[0] if one < SECONDS]},
        tick=0.0005,
    ),
    Case("mute.mp4", {"sounds": ()}),
    Case("counted.avi", {"codec": "pcm_s16le"}),
    Case("opus.mkv", {"codec": "libopus"}, tick=0.0005),
    Case(
        "radio.wav", {"video": False, "codec": "pcm_s16le", "sounds": ((24_000, "mono", "und"),)}, rate=24_000
    ),
    Case("radio.m4a", {"video": False}),
    Case("radio.mp3", {"video": False, "codec": "libmp3lame"}),
]


def cut(project: Project, name: str, cuts: Any = CUTS, **recipe: Any) -> list[dict[str, Any]]:
    """Cut a recording, and return its rows."""
    wanted = tuple(Wanted(f"{name}/{n}", *times) for n, times in enumerate(cuts))
    root = project.root.resolve()
    shard = Shard(root, f"media/{name}", root / "media" / name, wanted, Recipe(**recipe))
    segment(shard)
    return read_table(root / shard.table).to_pylist()


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_to_the_frame_and_the_sample(project: Project, case: Case) -> None:
    path = project.path(f"media/{case.name}")
    shown = shoot(path, seconds=SECONDS, **case.film)
    with av.open(str(path)) as file:
        zero = (file.start_time or 0) / 1e6  # where players begin to count
        has_sound, has_pictures = bool(file.streams.audio), bool(file.streams.video)
    if path.suffix == ".mp3":
        zero = 0.0  # it has no times; what its encoder put first is cut off
    if path.suffix == ".ts":
        zero = -PRIMING  # it says so of its sound, and is muxed with a delay of its own
    shown = [time - zero for time in shown]
    heard_from = case.film.get("sound_start", 0.0) - zero
    whole = hiss(SECONDS, case.rate)[0]
    segments = Segments(project)
    rows = cut(project, case.name)
    assert [row["status"] for row in rows] == ["done"] * len(CUTS)
    for row, (start, end) in zip(rows, CUTS, strict=True):
        sound = segments.audio(row["utterance_id"])
        if has_sound:
            assert len(sound) == round(end * RATE) - round(start * RATE)
            assert abs(lag(sound, RATE, whole, case.rate, start - heard_from)) <= 1 / RATE
        else:
            assert sound is None
            assert row["audio"] is None
        if has_pictures:
            check_frames(segments.frames(row["utterance_id"]), start, end, shown, case.tick)
            check_clip(project.path(row["clip"]), start, end, shown, case)
            if has_sound:
                rate, played = played_sound(project.path(row["clip"]))
                assert (
                    abs(
                        lag(played[: round((end - start) * rate)], rate, whole, case.rate, start - heard_from)
                    )
                    <= 1 / RATE
                )
        else:
            assert row["clip"] is None
            assert segments.frames(row["utterance_id"]) == []


@pytest.mark.parametrize(
    "case", [one for one in CASES if one.film.get("video", True)], ids=lambda one: one.name
)
def test_frames_are_the_same_when_only_these_are_decoded(
    project: Project, case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without clips, pictures that nobody looks at and none refers to are left out."""
    path = project.path(f"media/{case.name}")
    shoot(path, seconds=SECONDS, **case.film)
    segments = Segments(project)
    seen = {}
    for looked in (Looked.__call__, lambda *_: True):
        monkeypatch.setattr(Looked, "__call__", looked)
        rows = cut(project, case.name, clips=False)
        pictures = project.path(f"clips/{case.name}/pictures.parquet").read_bytes()
        seen[looked] = [(row["status"], row["frames"], row["audio_sha256"]) for row in rows], pictures
    assert len({str(one) for one in seen.values()}) == 1
    assert segments.frames(f"{case.name}/0")


def test_pictures_that_nobody_looks_at_are_not_decoded(project: Project) -> None:
    path = project.path("media/plain.mp4")
    shown = shoot(path, seconds=SECONDS)
    with Recording(path) as recording:
        some = [
            one
            for one in recording.decoded(lambda start, end: start <= 1.5 < end)
            if isinstance(one, Picture)
        ]
    assert len(some) < 0.8 * len(shown)
    assert any(
        one.start <= 1.5 < one.end and number(one.frame.to_ndarray(format="rgb24")) == 37 for one in some
    )


def check_frames(frames: Any, start: float, end: float, shown: list[float], tick: float) -> None:
    assert [time for time, _ in frames] == pytest.approx(np.arange(0, end - start - NEAR, 0.2))
    for time, picture in frames:
        n = number(picture)
        assert shown[n] <= start + time + NEAR + tick
        assert n + 1 == len(shown) or shown[n + 1] > start + time + NEAR - tick


def check_clip(path: Path, start: float, end: float, shown: list[float], case: Case) -> None:
    """Check that at every time a clip shows what the film shows then."""
    with av.open(str(path)) as file:
        stream = file.streams.video[0]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert stream.start_time == 0
        assert float(stream.duration * stream.time_base) == pytest.approx(end - start, abs=2 * TICK)
        played = [(float(one.time), number(one.to_ndarray(format="rgb24"))) for one in file.decode(stream)]
    numbers = [n for _, n in played]
    assert numbers == list(range(numbers[0], numbers[-1] + 1))
    assert played[0][0] == 0
    assert shown[numbers[0]] <= start + NEAR + case.tick
    assert shown[numbers[0] + 1] > start + NEAR - case.tick
    for time, n in played[1:]:
        assert start + time == pytest.approx(shown[n], abs=case.tick + TICK)
    assert shown[numbers[-1]] < end
    assert numbers[-1] + 1 == len(shown) or shown[numbers[-1] + 1] > end - NEAR - case.tick
    assert_index_comes_first(path)


def assert_index_comes_first(path: Path) -> None:
    content = path.read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")


def played_sound(path: Path) -> tuple[int, np.ndarray]:
    with av.open(str(path)) as file:
        stream = file.streams.audio[0]
        assert stream.codec_context.name == "aac"
        assert stream.start_time == 0
        parts = [frame.to_ndarray()[0] for frame in file.decode(stream)]
    return stream.rate, np.concatenate(parts)


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_rotated_recordings_stand_upright(project: Project, degrees: int) -> None:
    path = project.path("media/phone.mp4")
    shoot(path, seconds=1.0)
    flat = cut(project, "phone.mp4", [(0.2, 0.8)])
    before = Segments(project).frames(flat[0]["utterance_id"])
    turn(path, degrees)
    row = cut(project, "phone.mp4", [(0.2, 0.8)])[0]
    after = Segments(project).frames(row["utterance_id"])
    # The matrix of the file turns clockwise.
    for (_, upright), (_, lying) in zip(after, before, strict=True):
        turned = np.rot90(lying, -degrees // 90)
        assert upright.shape == turned.shape
        assert np.abs(upright.astype(int) - turned).mean() < 3
    with av.open(str(project.path(row["clip"]))) as file:
        first = next(file.decode(video=0))
    assert first.rotation == 0
    assert (first.height, first.width) == after[0][1].shape[:2]
    assert np.abs(first.to_ndarray(format="rgb24").astype(int) - after[0][1]).mean() < 6


def test_large_pictures_are_made_smaller_and_small_ones_kept(project: Project) -> None:
    shoot(project.path("media/large.mp4"), seconds=1.0, size=(1280, 720))
    shoot(project.path("media/small.mp4"), seconds=1.0)
    sizes = []
    for name in ("large.mp4", "small.mp4"):
        row = cut(project, name, [(0.2, 0.8)])[0]
        with av.open(str(project.path(row["clip"]))) as file:
            size = file.streams.video[0].width, file.streams.video[0].height
        sizes.append((size, Segments(project).frames(row["utterance_id"])[0][1].shape))
    assert sizes == [((854, 480), (256, 456, 3)), ((160, 96), (96, 160, 3))]


def test_audio_track_by_language_and_by_number(project: Project) -> None:
    tracks = ((48_000, "mono", "eng"), (48_000, "mono", "zho"), (44_100, "mono", "deu"))
    shoot(project.path("media/dubbed.mkv"), seconds=2.0, sounds=tracks)
    loud = {}
    for track in (None, "0", "en", "1", "zh-CN", "chi", "2"):
        row = cut(project, "dubbed.mkv", [(0.5, 1.5)], track=track)[0]
        loud[track] = bool(np.abs(Segments(project).audio(row["utterance_id"])).max() > 0.1)
    assert loud == {None: True, "0": True, "en": True, "1": False, "zh-CN": False, "chi": False, "2": False}
    row = cut(project, "dubbed.mkv", [(0.5, 1.5)], track="pl")[0]
    assert row["status"] == "failed"
    assert row["reason"] == "it has no such audio track, got 'pl'; valid: 0 (eng), 1 (zho), 2 (deu)"


def test_many_channels_are_mixed_not_cut_off(project: Project) -> None:
    """Speech in films is in the centre channel: it is heard in the mix."""
    shoot(project.path("media/film.mp4"), seconds=2.0, sounds=((48_000, "5.1", "und"),))
    row = cut(project, "film.mp4", [(0.5, 1.5)])[0]
    sound = Segments(project).audio(row["utterance_id"])
    assert np.abs(sound).max() <= 1
    assert np.sqrt((sound**2).mean()) > 0.05


def test_whole_recordings_and_clips_that_were_cut_before(project: Project) -> None:
    """Utterances without times, and those whose times are of the programme that they were cut from."""
    for name, times in (("whole.mp4", (None, None)), ("clip.mp4", (977.2, 979.3))):
        shoot(project.path(f"media/{name}"), seconds=2.0)
        row = cut(project, name, [times])[0]
        assert (row["status"], row["start"], row["end"]) == ("done", 0.0, pytest.approx(2.0, abs=0.03))
        assert row["audio_samples"] == pytest.approx(2 * RATE, abs=0.03 * RATE)
        assert row["clip_seconds"] == pytest.approx(2.0, abs=0.03)


def test_a_moment_that_lacks_at_the_end_is_filled(project: Project) -> None:
    shoot(project.path("media/end.mp4"), seconds=2.0)
    shoot(project.path("media/mute.mp4"), seconds=2.0, sounds=())
    for name in ("end.mp4", "mute.mp4"):
        row = cut(project, name, [(1.0, 2.2)])[0]
        assert row["status"] == "done"
        with av.open(str(project.path(row["clip"]))) as file:
            assert [float(one.duration * one.time_base) for one in file.streams] == pytest.approx(
                [1.2] * len(file.streams), abs=1e-3
            )
            assert number(list(file.decode(video=0))[-1].to_ndarray(format="rgb24")) == 49
    sound = Segments(project).audio("end.mp4/0")
    assert len(sound) == 1.2 * RATE
    assert not sound[round(1.1 * RATE) :].any()


@pytest.mark.parametrize(("kind", "spread"), [("yuv420p", 1), ("yuvj420p", 2)])
def test_colours_are_kept(project: Project, kind: str, spread: int) -> None:
    """Video of limited range, and of the full range that cameras and screen recorders write."""
    path, colour = project.path("media/red.mp4"), (200, 60, 40)
    with av.open(str(path), "w") as file:
        stream = file.add_stream("libx264", rate=25, options={"crf": "4"})
        stream.width, stream.height, stream.pix_fmt = 160, 96, kind
        stream.codec_context.color_range = spread
        for _ in range(25):
            frame = av.VideoFrame.from_ndarray(np.full((96, 160, 3), colour, np.uint8), format="rgb24")
            file.mux(stream.encode(frame.reformat(format=kind, dst_color_range=spread)))
        file.mux(stream.encode(None))
    row = cut(project, "red.mp4", [(0.2, 0.8)])[0]
    seen = Segments(project).frames(row["utterance_id"])[0][1].mean(axis=(0, 1))
    assert seen == pytest.approx(colour, abs=5)
    with av.open(str(project.path(row["clip"]))) as file:
        first = next(file.decode(video=0))
        assert first.color_range == 1
        assert first.to_ndarray(format="rgb24").mean(axis=(0, 1)) == pytest.approx(colour, abs=5)


def test_utterances_that_are_done_hold_no_pictures(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory does not grow with the recording."""
    held = []

    def settle(self: Any, one: Utterance) -> None:
        original(self, one)
        held.append((one.clip, one.last, one.pictures, one.samples, one.early))

    original = segmenting._Segmenting._settle
    monkeypatch.setattr(segmenting._Segmenting, "_settle", settle)
    shoot(project.path("media/plain.mp4"), seconds=SECONDS)
    cut(project, "plain.mp4")
    assert held == [(None, None, [], [], [])] * len(CUTS)


def test_pictures_made_in_a_thread_of_their_own_are_the_same(project: Project) -> None:
    """With several threads; of overlapping utterances, more than wait at a time."""
    shoot(project.path("media/plain.mp4"), seconds=SECONDS)
    wanted = tuple(Wanted(f"u{number}", *times) for number, times in enumerate(CUTS))
    found = []
    for threads in (1, 3):
        path = project.path("media/plain.mp4")
        recipe = Recipe(clips=False, rate=25)
        assert segment(Shard(project.root, "media/plain.mp4", path, wanted, recipe, threads)).done == 3
        rows = read_table(project.path("clips/plain.mp4/pictures.parquet")).to_pylist()
        assert len(rows) > 30
        found.append(rows)
    assert found[0] == found[1]
