"""The clip of an utterance: H.264 and AAC in MP4 that any browser plays, encoded beside the decoding.

Each clip has a thread of its own, in which x264 encodes with one: the bytes are the same however many cores
there are, and the next utterance is decoded while this one is still encoded.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
from av.audio.stream import AudioStream
from av.video.stream import VideoStream

from corpus.media.pictures import colours, rotation, scaled
from corpus.media.recording import Recording
from corpus.media.sound import Samples, audio_frame

HEIGHT = 480
"""Lines of a clip; recordings with fewer keep theirs. Frames and faces are taken from the whole picture."""

TICKS = 90_000
"""Ticks a second of the clock of pictures."""

# Without B-frames every picture has its place in decoding order and none is waited for at the start. With its
# macroblock tree x264 gives other bytes from one run to the next, even in one thread.
VIDEO = {"preset": "veryfast", "crf": "23", "bf": "0", "x264-params": "threads=1:no-mbtree=1"}
_AUDIO = {"aac_coder": "fast"}
_BITS_A_CHANNEL = 64_000
_CONTAINER = {"fflags": "+bitexact", "movflags": "+faststart"}
_WAITING = 48  # pictures that may wait to be encoded: memory does not grow with the utterance


@dataclass(frozen=True)
class Look:
    """What the pictures of a clip are.

    Attributes:
        width: Pixels, even.
        height: Pixels, even.
        rate: Frames a second, about: each picture has its own time.
        colours: Matrix, primaries and transfer of the colours, as H.264 numbers them.
    """

    width: int
    height: int
    rate: float
    colours: int


@dataclass(frozen=True)
class Tone:
    """What the sound of a clip is: samples a second, and 1 or 2 channels."""

    rate: int
    channels: int


def look_of(frame: av.VideoFrame, aspect: float, rate: float) -> Look:
    """Return what the pictures of a clip are.

    Args:
        frame: The first of them.
        aspect: Width of a pixel of the recording to its height.
        rate: Frames a second of the recording.
    """
    size = frame.width, frame.height
    if rotation(frame) % 180:
        size, aspect = size[::-1], 1 / aspect
    return Look(*scaled(size, aspect, HEIGHT), rate, colours(frame))


def tone_of(recording: Recording) -> Tone | None:
    """Return what the sound of clips is; None where a recording has no sound, or no pictures."""
    sound = recording.sound
    if sound is None or recording.video is None:
        return None
    return Tone(44_100 if sound.sample_rate == 44_100 else 48_000, min(2, sound.channels))


class ClipWriter:
    """Writes a clip from the pictures and samples that it is given.

    Args:
        path: The file.
        look: Its pictures.
        tone: Its sound; None: it has none.
    """

    def __init__(self, path: Path, look: Look, tone: Tone | None) -> None:
        self.path = path
        self.look, self._tone = look, tone
        self._queue: queue.Queue[tuple[av.VideoFrame, int] | Samples | None] = queue.Queue(_WAITING)
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def add_picture(self, frame: av.VideoFrame, start: int, duration: int) -> None:
        """Add a picture in yuv420p of the size of the clip, and its start and duration in ticks."""
        frame.pts, frame.time_base = start, Fraction(1, TICKS)
        self._queue.put((frame, duration))

    def add_sound(self, samples: Samples) -> None:
        """Add float samples, shape (channels, n)."""
        self._queue.put(samples)

    def end(self) -> None:
        """Say that no more comes."""
        self._queue.put(None)

    def wait(self) -> None:
        """Wait until the file is written.

        Raises:
            OSError: It could not be written.
        """
        self._thread.join()
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        try:
            with av.open(str(self.path), "w", format="mp4", container_options=_CONTAINER) as file:
                self._encode(file)
        except BaseException as error:  # it belongs to the thread that waits
            self._error = error
            while self._queue.get() is not None:
                pass

    def _encode(self, file: av.container.OutputContainer) -> None:
        video, audio = self._video(file), self._audio(file)
        durations: dict[int | None, int] = {}
        heard = 0
        while (item := self._queue.get()) is not None:
            if isinstance(item, tuple):
                frame, duration = item
                durations[frame.pts] = duration
                _mux(file, video.encode(frame), durations)
            elif audio is not None:
                file.mux(audio.encode(audio_frame(item, audio.rate, heard)))
                heard += item.shape[1]
        _mux(file, video.encode(None), durations)
        if audio is not None:
            file.mux(audio.encode(None))

    def _video(self, file: av.container.OutputContainer) -> VideoStream:
        look = self.look
        rate = Fraction(look.rate).limit_denominator(1001)
        stream = file.add_stream("libx264", rate=rate, options=VIDEO)
        stream.width, stream.height, stream.pix_fmt = look.width, look.height, "yuv420p"
        context = stream.codec_context
        context.time_base = Fraction(1, TICKS)
        context.thread_count = 1
        context.flags |= av.codec.context.Flags.bitexact
        context.colorspace = context.color_primaries = context.color_trc = look.colours
        context.color_range = 1  # limited, as video has it
        return stream

    def _audio(self, file: av.container.OutputContainer) -> AudioStream | None:
        if self._tone is None:
            return None
        channels = self._tone.channels
        layout = "mono" if channels == 1 else "stereo"
        bits = _BITS_A_CHANNEL * channels
        stream = file.add_stream("aac", rate=self._tone.rate, layout=layout, bit_rate=bits, options=_AUDIO)
        stream.codec_context.flags |= av.codec.context.Flags.bitexact
        return stream


def _mux(
    file: av.container.OutputContainer,
    packets: Sequence[av.Packet[VideoStream]],
    durations: dict[int | None, int],
) -> None:
    for packet in packets:
        packet.duration = durations.pop(packet.pts)
        file.mux(packet)
