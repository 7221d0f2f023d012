"""Rendering an episode: speech and face to H.264/AAC in MP4, with SRT and ASS subtitles and its landmarks.

Every turn begins and ends at a frame, so that its times are exact. Encoders run in one thread each, without
clock or version in the file: the same script gives the same bytes with the same eSpeak NG and FFmpeg.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pyarrow as pa

from corpus.sample.cues import FACE, VOICE
from corpus.sample.face import LANDMARKS, SIZE, Pose, draw, landmarks
from corpus.sample.script import Episode, Turn
from corpus.sample.voice import RATE, Sound, envelope, speak
from corpus.sample.world import Floats
from schemas.tables import TableWriter

FRAMES_A_SECOND = Fraction(25, 2)
SAMPLES_A_FRAME = int(RATE / FRAMES_A_SECOND)

LANDMARK_ROWS = pa.schema(
    [
        pa.field("frame", pa.int32(), nullable=False),
        pa.field("time", pa.float64(), nullable=False),
        pa.field("utterance_id", pa.string()),
        pa.field("speaker_id", pa.string(), nullable=False),
        pa.field("mouth", pa.float32(), nullable=False),
        pa.field("points", pa.list_(pa.float32()), nullable=False),
    ]
)
"""A row a frame. ``points``: x and y of the 68 landmarks in turn, pixels from the top left corner, rounded to
eighths; ``utterance_id``: null while nobody speaks; ``mouth``: how far it was opened, 0..1."""

_PAUSE, _PAUSE_CUE = 0.36, 0.12  # seconds before a turn, and what a unit of the cue adds
_SCENE_PAUSE = 1.6  # seconds more between dialogues
# With its macroblock tree x264 gives other bytes from one run to the next, even in one thread.
_VIDEO = {"crf": "30", "preset": "veryfast", "g": "50", "x264-params": "threads=1:no-mbtree=1"}
_AUDIO = {"aac_coder": "fast"}
_AUDIO_BITS = 28_000
_AAC_FRAME = 1024
_BITEXACT = {"fflags": "+bitexact"}
_BLINK = 41  # frames from one blink to the next


@dataclass(frozen=True)
class _Shot:
    """A turn on the time line: frames of pause before it, and its sound."""

    turn: Turn
    pause: int
    start: int
    sound: Sound

    @property
    def frames(self) -> int:
        return -(-len(self.sound) // SAMPLES_A_FRAME)


def render(episode: Episode, folder: Path, landmark_folder: Path) -> dict[str, tuple[float, float]]:
    """Render an episode.

    Args:
        episode: What is said and shown.
        folder: Gets ``EPISODE.mp4``, ``EPISODE.srt`` and ``EPISODE.ass``.
        landmark_folder: Gets ``EPISODE.parquet``, under `LANDMARK_ROWS`.

    Returns:
        Start and end of every utterance in seconds, by its id.

    Raises:
        InputError: eSpeak NG is not installed or fails.
    """
    for one in (folder, landmark_folder):
        one.mkdir(parents=True, exist_ok=True)
    shots = list(_shots(episode))
    name = episode.episode_id
    with TableWriter(landmark_folder / f"{name}.parquet", LANDMARK_ROWS) as writer:
        _encode(folder / f"{name}.mp4", episode, shots, writer)
    times = {
        shot.turn.utterance_id: (_seconds(shot.start), _seconds(shot.start + shot.frames)) for shot in shots
    }
    (folder / f"{name}.srt").write_text(_srt(shots), "utf-8")
    (folder / f"{name}.ass").write_text(_ass(episode, shots), "utf-8")
    return times


def _seconds(frame: int) -> float:
    return float(frame / FRAMES_A_SECOND)


def _shots(episode: Episode) -> Iterator[_Shot]:
    at = 0
    for dialogue in episode.dialogues:
        for number, turn in enumerate(dialogue.turns):
            pause = _PAUSE + _PAUSE_CUE * float(np.clip(turn.voice[VOICE.index("pause")], -2, 2))
            if number == 0:
                pause += _SCENE_PAUSE
            frames = round(pause * float(FRAMES_A_SECOND))
            shot = _Shot(turn, frames, at + frames, speak(turn, episode.language))
            yield shot
            at = shot.start + shot.frames


def _frames(episode: Episode, shots: list[_Shot]) -> Iterator[tuple[_Shot, bool, Pose, Sound]]:
    """Give every frame: its shot, whether it is spoken in, its pose and its sound."""
    silence = np.zeros(SAMPLES_A_FRAME, np.float32)
    for number, shot in enumerate(shots):
        rng = np.random.Generator(np.random.PCG64([*episode.seed, number]))
        sideways, nodding, blink = rng.random(3)
        speed = 0.5 + 0.2 * float(np.clip(shot.turn.face[FACE.index("head_motion")], -1, 2))
        loud = envelope(shot.sound, SAMPLES_A_FRAME, shot.frames)
        sound = np.zeros(shot.frames * SAMPLES_A_FRAME, np.float32)
        sound[: len(shot.sound)] = shot.sound
        for frame in range(-shot.pause, shot.frames):
            turn = 2 * np.pi * speed * _seconds(frame)
            pose = Pose(
                float(loud[frame]) if frame >= 0 else 0.0,
                0.1 if (frame + round(blink * _BLINK)) % _BLINK < 2 else 1.0,
                (float(np.sin(turn + 7 * sideways)), float(np.sin(1.3 * turn + 7 * nodding)) * 0.6),
            )
            first = frame * SAMPLES_A_FRAME
            yield shot, frame >= 0, pose, sound[first : first + SAMPLES_A_FRAME] if frame >= 0 else silence


def _encode(path: Path, episode: Episode, shots: list[_Shot], writer: TableWriter) -> None:
    with av.open(str(path), "w", format="mp4", container_options=_BITEXACT) as file:
        video = file.add_stream("libx264", rate=FRAMES_A_SECOND, options=_VIDEO)
        video.width = video.height = SIZE
        video.pix_fmt = "yuv420p"
        video.codec_context.thread_count = 1
        audio = file.add_stream("aac", rate=RATE, layout="mono", bit_rate=_AUDIO_BITS, options=_AUDIO)
        for stream in (video, audio):
            stream.codec_context.flags |= av.codec.context.Flags.bitexact
        waiting: Sound = np.zeros(0, np.float32)
        sent, rows = 0, []
        for number, (shot, spoken, pose, sound) in enumerate(_frames(episode, shots)):
            points = landmarks(shot.turn.face, pose)
            rows.append(_row(number, shot.turn, spoken, pose, points))
            pixels = np.asarray(draw(points, shot.turn.speaker))
            picture = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            picture.pts = number
            picture.time_base = 1 / FRAMES_A_SECOND
            file.mux(video.encode(picture))
            waiting = np.concatenate([waiting, sound])
            while len(waiting) >= _AAC_FRAME:
                file.mux(audio.encode(_audio_frame(waiting[:_AAC_FRAME], sent)))
                waiting, sent = waiting[_AAC_FRAME:], sent + _AAC_FRAME
        if len(waiting):
            file.mux(audio.encode(_audio_frame(waiting, sent)))
        file.mux(audio.encode(None))
        file.mux(video.encode(None))
    columns = {name: [row[name] for row in rows] for name in LANDMARK_ROWS.names}
    writer.write(pa.table(columns, schema=LANDMARK_ROWS))


def _audio_frame(samples: Sound, at: int) -> av.AudioFrame:
    frame = av.AudioFrame.from_ndarray(samples[None, :], format="fltp", layout="mono")
    frame.sample_rate = RATE
    frame.pts = at
    frame.time_base = Fraction(1, RATE)
    return frame


def _row(number: int, turn: Turn, spoken: bool, pose: Pose, points: Floats) -> dict[str, object]:
    if points.shape != (LANDMARKS, 2):
        raise ValueError(f"a face has {LANDMARKS} landmarks, not {points.shape}")
    return {
        "frame": number,
        "time": _seconds(number),
        "utterance_id": turn.utterance_id if spoken else None,
        "speaker_id": turn.speaker.key,
        "mouth": pose.mouth,
        "points": (np.round(points * 8) / 8).ravel().tolist(),
    }


def _clock(seconds: float, comma: str, digits: int) -> str:
    parts = round(seconds * 10**digits)
    whole, rest = divmod(parts, 10**digits)
    return f"{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}{comma}{rest:0{digits}d}"


def _srt(shots: list[_Shot]) -> str:
    blocks = []
    for number, shot in enumerate(shots, 1):
        start, end = _seconds(shot.start), _seconds(shot.start + shot.frames)
        times = f"{_clock(start, ',', 3)} --> {_clock(end, ',', 3)}"
        blocks.append(f"{number}\n{times}\n{shot.turn.speaker.name}: {shot.turn.text}\n")
    return "\n".join(blocks)


def _ass(episode: Episode, shots: list[_Shot]) -> str:
    """Write Advanced SubStation Alpha, whose lines have a place for the speaker."""
    lines = [
        "[Script Info]",
        f"Title: {episode.show}, {episode.number}",
        "ScriptType: v4.00+",
        f"PlayResX: {SIZE}",
        f"PlayResY: {SIZE}",
        "",
        "[V4+ Styles]",
        "Format: Name, Fontname, Fontsize, PrimaryColour, Alignment, MarginL, MarginR, MarginV",
        "Style: Default,Arial,12,&H00FFFFFF,2,4,4,4",
        "",
        "[Events]",
        "Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text",
    ]
    for shot in shots:
        start, end = _seconds(shot.start), _seconds(shot.start + shot.frames)
        times = f"{_clock(start, '.', 2)[1:]},{_clock(end, '.', 2)[1:]}"
        lines.append(f"Dialogue: 0,{times},Default,{shot.turn.speaker.name},0,0,0,,{shot.turn.text}")
    return "\n".join(lines) + "\n"
