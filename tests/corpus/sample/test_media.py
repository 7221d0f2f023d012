"""The recordings are what a real project starts from: streams, times, subtitles, voices, faces, landmarks."""

from __future__ import annotations

import re
from fractions import Fraction
from itertools import pairwise

import av
import numpy as np
import pytest

from corpus.sample import voice
from corpus.sample.cues import FACE, VOICE
from corpus.sample.episode import FRAMES_A_SECOND, LANDMARK_ROWS
from corpus.sample.face import LANDMARKS, SIZE, Pose, draw, landmarks
from corpus.sample.grammar import LANGUAGES
from corpus.sample.script import Speaker, Turn
from corpus.sample.voice import RATE, check_voices, envelope, espeak_version, speak
from schemas import project as folder
from schemas.errors import InputError
from schemas.tables import read_table

SPEAKER = Speaker("en1_mia", "Mia", "female", 0, 0)
MOUTH = [62, 66]  # the middle of the inner lips


def turn(text="The lift is out of order again.", speaker=SPEAKER, **set_to):
    cues = np.array([set_to.get(name, 0.0) for name in VOICE])
    return Turn("u", speaker, text, 0, np.zeros(3, int), cues, np.zeros(len(FACE)))


@pytest.fixture(scope="module")
def episodes(rendered):
    rows = read_table(rendered.path(folder.UTTERANCES)).to_pylist()
    by_media = {}
    for row in rows:
        by_media.setdefault(row["media"], []).append(row)
    assert len(by_media) == 2
    return by_media


def decode(path):
    with av.open(str(path)) as file:
        pictures = [frame.to_ndarray(format="rgb24") for frame in file.decode(video=0)]
    with av.open(str(path)) as file:
        sound = np.concatenate([frame.to_ndarray()[0] for frame in file.decode(audio=0)])
    return pictures, sound


# -- files ------------------------------------------------------------------------------------------------


def test_streams(rendered, episodes):
    for media, rows in episodes.items():
        with av.open(str(rendered.path(media))) as file:
            video, audio = file.streams.video[0], file.streams.audio[0]
            assert len(file.streams) == 2
            assert (video.codec_context.name, audio.codec_context.name) == ("h264", "aac")
            assert (video.width, video.height) == (SIZE, SIZE)
            assert video.average_rate == FRAMES_A_SECOND == Fraction(25, 2)
            assert (audio.rate, audio.channels) == (RATE, 1)
            seconds = file.duration / av.time_base
        pictures, sound = decode(rendered.path(media))
        assert len(pictures) / FRAMES_A_SECOND == pytest.approx(rows[-1]["end"])
        assert len(sound) / RATE == pytest.approx(rows[-1]["end"], abs=2048 / RATE)
        assert seconds == pytest.approx(rows[-1]["end"], abs=0.1)


def test_times_are_in_order_and_on_frames(episodes):
    for rows in episodes.values():
        previous = 0.0
        for row in rows:
            assert previous < row["start"] < row["end"]
            for time in (row["start"], row["end"]):
                assert (time * float(FRAMES_A_SECOND)) == pytest.approx(round(time * float(FRAMES_A_SECOND)))
            previous = row["end"]


def test_dialogues_are_apart(episodes):
    """Pauses between dialogues are longer than those within, so that subtitles can be cut at them."""
    within, between = [], []
    for rows in episodes.values():
        for before, now in pairwise(rows):
            pauses = within if before["dialogue_id"] == now["dialogue_id"] else between
            pauses.append(now["start"] - before["end"])
    assert max(within) < 0.8
    assert min(between) > 1.2


def test_subtitles_say_what_is_said_by_whom_and_when(rendered, episodes):
    names = {
        one["speaker_id"]: dict(one["attributes"])["name"]
        for one in read_table(rendered.path(folder.SPEAKERS)).to_pylist()
    }
    for media, rows in episodes.items():
        blocks = rendered.path(media).with_suffix(".srt").read_text("utf-8").strip().split("\n\n")
        assert len(blocks) == len(rows)
        lines = rendered.path(media).with_suffix(".ass").read_text("utf-8").splitlines()
        spoken = [line.split(",", 9) for line in lines if line.startswith("Dialogue:")]
        for number, (block, row) in enumerate(zip(blocks, rows, strict=True), 1):
            count, times, text = block.split("\n")
            assert int(count) == number
            assert text == f"{names[row['speaker_id']]}: {row['text_original']}"
            start, end = (seconds(one) for one in times.split(" --> "))
            assert (start, end) == (pytest.approx(row["start"]), pytest.approx(row["end"]))
            cells = spoken[number - 1]
            assert (cells[4], cells[9]) == (names[row["speaker_id"]], row["text_original"])
            assert (seconds(cells[1]), seconds(cells[2])) == (pytest.approx(start), pytest.approx(end))


def seconds(clock):
    hours, minutes, rest = re.fullmatch(r"(\d+):(\d\d):(\d\d[.,]\d+)", clock).groups()
    return 3600 * int(hours) + 60 * int(minutes) + float(rest.replace(",", "."))


def test_sound_is_where_the_utterances_are(rendered, episodes):
    for media, rows in episodes.items():
        _, sound = decode(rendered.path(media))
        spoken = np.zeros(len(sound), bool)
        for row in rows:
            start, end = int(row["start"] * RATE), int(row["end"] * RATE)
            assert np.sqrt((sound[start:end] ** 2).mean()) > 0.01
            spoken[start - 1200 : end + 1200] = True  # the codec smears by less than a frame
        assert np.abs(sound[~spoken]).max() < 0.01


# -- voice ------------------------------------------------------------------------------------------------


def pitch(sound):
    """Median fundamental frequency in Hz, by autocorrelation of loud stretches."""
    size = RATE // 25
    found = []
    for at in range(0, len(sound) - size, size):
        piece = sound[at : at + size].astype(float)
        if np.sqrt((piece**2).mean()) < 0.03:
            continue
        alike = np.correlate(piece, piece, "full")[size - 1 :]
        low, high = RATE // 400, RATE // 80
        best = low + alike[low:high].argmax()
        if alike[best] > 0.5 * alike[0]:
            found.append(RATE / best)
    return np.median(found)


def brightness(sound):
    power = np.abs(np.fft.rfft(sound)) ** 2
    frequency = np.fft.rfftfreq(len(sound), 1 / RATE)
    return power[frequency > 2000].sum() / power[frequency < 1000].sum()


@pytest.mark.parametrize("language", ["en", "zh"])
def test_voice_follows_its_cues(espeak, language):
    text = {"en": "The lift is out of order again.", "zh": "电梯又停了，得爬七楼。"}[language]
    measures = {
        "pitch": pitch,
        "rate": lambda sound: -len(sound),
        "volume": lambda sound: np.sqrt((sound**2).mean()),
        "pause": len,
        "brightness": brightness,
    }
    for cue, measure in measures.items():
        low, high = (measure(speak(turn(text, **{cue: value}), language)) for value in (-1.5, 1.5))
        assert high > low, cue


def test_speakers_have_voices_of_their_own(espeak):
    sounds = {
        speak(turn(speaker=Speaker("k", "n", gender, place, 0)), "en").tobytes()
        for gender in ("female", "male")
        for place in range(5)
    }
    assert len(sounds) == 10
    female, male = (
        pitch(speak(turn(speaker=Speaker("k", "n", gender, 0, 0)), "en")) for gender in ("female", "male")
    )
    assert female > 1.3 * male


def test_speech_stays_in_range_and_markup_is_spoken_as_text(espeak):
    loud = speak(turn("Fish & <chips> again!", volume=9.0), "en")
    assert np.abs(loud).max() < 1
    assert len(loud) > RATE // 2


def test_a_voice_that_is_lacking_is_named(espeak, monkeypatch):
    monkeypatch.setattr(voice, "_LANGUAGES", {"en": "no-such-voice"})
    with pytest.raises(InputError, match="no-such-voice"):
        check_voices(["en"])


def test_the_voices_of_all_languages_are_there(espeak):
    check_voices(LANGUAGES)
    assert re.match(r"\d+\.\d+", espeak_version())


def test_envelope():
    sound = np.concatenate([np.zeros(100), np.full(100, 0.5), np.full(50, 0.25)]).astype(np.float32)
    np.testing.assert_allclose(
        envelope(sound, 100, 3), [0, 1, np.sqrt(0.125 / 4) / 0.5 / np.sqrt(1)], atol=1e-6
    )
    assert (envelope(np.zeros(10, np.float32), 5, 2) == 0).all()


# -- face -------------------------------------------------------------------------------------------------


def face(mouth=0.0, **cues):
    return landmarks(np.array([cues.get(name, 0.0) for name in FACE]), Pose(mouth=mouth))


def test_landmarks_lie_in_the_picture_in_the_usual_order():
    rng = np.random.default_rng(5)
    for _ in range(200):
        pose = Pose(rng.random(), rng.random(), tuple(rng.uniform(-1, 1, 2)))
        points = landmarks(rng.normal(0, 2, len(FACE)), pose)
        assert points.shape == (LANDMARKS, 2)
        assert (points > 0).all()
        assert (points < SIZE).all()
    points = face()
    assert points[0, 0] < points[8, 0] < points[16, 0]  # jaw from left to right
    assert points[8, 1] == points[:17, 1].max()  # its middle is the chin
    brows, eyes, nose, lips = (
        points[one, 1].mean() for one in (slice(17, 27), slice(36, 48), 33, slice(48, 68))
    )
    assert brows < eyes < nose < lips < points[8, 1]
    np.testing.assert_allclose(points[36:42, 0] + points[[45, 44, 43, 42, 47, 46], 0], 2 * points[27, 0])


def test_face_follows_its_cues():
    smile, frown = face(smile=1), face(smile=-1)
    assert (smile[[48, 54], 1] < smile[[51, 57], 1].mean()).all()
    assert (frown[[48, 54], 1] > frown[[51, 57], 1].mean()).all()
    assert (face(brow_height=1)[17:27, 1] < face()[17:27, 1]).all()
    slanted = face(brow_slant=1)
    assert slanted[21, 1] < slanted[17, 1]  # the inner end is up
    assert np.ptp(face(eye_opening=1)[36:42, 1]) > np.ptp(face(eye_opening=-1)[36:42, 1])
    tilted = face(head_tilt=1)
    assert tilted[45, 1] != pytest.approx(tilted[36, 1], abs=1)
    assert np.diff(face(mouth=1)[MOUTH, 1]) > 8 > 1 > np.diff(face(mouth=0)[MOUTH, 1])


@pytest.mark.parametrize("mouth", [0.3, 0.6, 1.0])
@pytest.mark.parametrize("place", range(5))
def test_landmarks_match_the_picture(mouth, place):
    """The dark of the open mouth lies between the inner lips, and nowhere else below the nose."""
    points = face(mouth, smile=0.5)
    picture = np.asarray(draw(points, Speaker("k", "n", "female", place, 0))).astype(int)
    dark = (np.abs(picture - [0x4A, 0x14, 0x20]).sum(axis=2) < 12) & (
        np.arange(SIZE)[:, None] > points[33, 1]
    )
    rows, columns = np.nonzero(dark)
    top, bottom = points[MOUTH, 1]
    assert top - 1.5 <= rows.min() <= top + 2
    assert bottom - 2 <= rows.max() <= bottom + 1.5
    assert points[60, 0] - 1.5 <= columns.min()
    assert columns.max() <= points[64, 0] + 1.5


def test_recorded_landmarks_match_the_recorded_pictures_and_sound(rendered, episodes):
    for media, rows in episodes.items():
        name = media.removeprefix("media/").removesuffix(".mp4")
        table = read_table(rendered.path(f"truth/landmarks/{name}.parquet"))
        assert table.schema.remove_metadata() == LANDMARK_ROWS
        pictures, sound = decode(rendered.path(media))
        marks = table.to_pylist()
        assert len(marks) == len(pictures)
        size = int(RATE / FRAMES_A_SECOND)
        spoken = {row["utterance_id"]: row for row in rows}
        loud, opened = {}, {}
        for number, mark in enumerate(marks):
            points = np.array(mark["points"]).reshape(LANDMARKS, 2)
            row = spoken.get(mark["utterance_id"])
            assert mark["time"] == pytest.approx(number / FRAMES_A_SECOND)
            assert (row is not None) == any(
                one["start"] - 1e-9 <= mark["time"] < one["end"] - 1e-9 for one in rows
            )
            gap = points[66, 1] - points[62, 1]
            if row is None:
                assert mark["mouth"] == 0
                continue
            assert f"sample:{mark['speaker_id']}" == row["speaker_id"]
            piece = sound[number * size : (number + 1) * size]
            loud.setdefault(mark["utterance_id"], []).append(np.sqrt((piece**2).mean()))
            opened.setdefault(mark["utterance_id"], []).append(gap)
        for key, heard in loud.items():  # the mouth is open where it is loud
            assert np.corrcoef(heard, opened[key])[0, 1] > 0.9, key
        redness = [darkness(picture, mark) for picture, mark in zip(pictures, marks, strict=True)]
        assert np.corrcoef(redness, [mark["mouth"] for mark in marks])[0, 1] > 0.9


def darkness(picture, mark):
    """How dark the decoded picture is where the landmarks say that the mouth is."""
    points = np.array(mark["points"]).reshape(LANDMARKS, 2)
    x, y = points[51, 0], points[51, 1]
    box = picture[int(y) : int(points[57, 1]) + 1, int(x) - 4 : int(x) + 5].astype(float)
    return (box.mean(axis=2) < 70).sum()
