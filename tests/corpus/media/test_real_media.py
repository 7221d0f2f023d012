"""Real recordings: speech at 24 kHz, a film with six channels, faces without sound."""

from __future__ import annotations

import wave
from pathlib import Path

import av
import numpy as np
import pytest

from corpus.media.faces import FaceDetector
from corpus.media.segments import RATE, Segments
from schemas.errors import InputError
from schemas.project import Project
from tests.availability import unavailable
from tests.corpus.media.test_exactness import cut


def link(project: Project, path: Path) -> str:
    project.path(f"media/{path.name}").symlink_to(path)
    return path.name


def detector() -> FaceDetector:
    try:
        return FaceDetector()
    except InputError as error:
        unavailable("faces in pictures", error)


def test_speech(project: Project, shared: Path) -> None:
    path = sorted((shared / "data" / "nEMO" / "samples").glob("*.wav"))[0]
    row = cut(project, link(project, path), [(None, None)])[0]
    with wave.open(str(path)) as file:
        rate = file.getframerate()
        samples = np.frombuffer(file.readframes(file.getnframes()), np.int16) / 32768
    assert rate == 24_000
    sound = Segments(project).audio(row["utterance_id"])
    assert len(sound) == pytest.approx(len(samples) * RATE / rate, abs=1)
    assert np.sqrt((sound**2).mean()) == pytest.approx(np.sqrt((samples**2).mean()), rel=0.05)
    assert (row["clip"], row["frames"]) == (None, None)


def test_film_with_six_channels(project: Project, shared: Path) -> None:
    name = link(project, shared / "data" / "av_clip" / "big_buck_bunny_small.mp4")
    row = cut(project, name, [(1.0, 3.5)])[0]
    assert row["clip_streams"] == "h264+aac"
    assert row["audio_samples"] == 2.5 * RATE
    assert row["frames"] == 13
    with av.open(str(project.path(row["clip"]))) as file:
        assert (file.streams.audio[0].layout.name, file.streams.audio[0].rate) == ("stereo", 48_000)
        assert sum(1 for _ in file.decode(video=0)) == 63
    assert np.abs(Segments(project).audio(row["utterance_id"])).max() > 0.01


@pytest.mark.parametrize(("name", "seconds", "share"), [("test.mp4", 4.4, 0.7), ("woman2.mp4", 6.0, 0.9)])
def test_faces_without_sound(project: Project, shared: Path, name: str, seconds: float, share: float) -> None:
    detector()
    link(project, shared / "data" / "fer_video" / name)
    row = cut(project, name, [(0.0, seconds)], faces=True, rate=2.0, clips=False)[0]
    assert (row["status"], row["audio"]) == ("done", None)
    segments = Segments(project)
    frames, faces = segments.frames(row["utterance_id"]), segments.faces(row["utterance_id"])
    assert len(frames) == row["frames"] == round(seconds * 2)
    assert len(faces) == row["faces"]
    assert len({face.time for face in faces}) >= share * len(frames)
    height, width = 336, 596
    for face in faces:
        left, top, across, down = face.box
        assert 0 <= left < left + across <= width
        assert 0 <= top < top + down <= height
        assert face.pixels.shape == (224, 224, 3)


def test_a_crop_is_the_box_with_a_margin() -> None:
    found = detector()
    picture = np.zeros((100, 100, 3), np.uint8)
    picture[40:60, 30:50] = 255
    crop = found.crop(picture, (30, 40, 20, 20))
    white = (crop[:, :, 0] > 128).mean()
    assert white == pytest.approx((1 / 1.4) ** 2, abs=0.02)
    assert found.crop(picture, (-5, 90, 20, 20)).shape == (224, 224, 3)
