"""An open recording: which of its streams are used, and their frames on one clock, from a single decode.

The clock begins where players begin: at the earliest stream (a stream may begin later, and MPEG-TS counts
from anywhere). What an encoder put before the first sample (AAC priming) is cut off by FFmpeg, as edit lists
and codec delays say.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Literal, Self, TypeAlias, TypeVar

import av
from av.audio.stream import AudioStream
from av.error import FFmpegError, InvalidDataError
from av.stream import Disposition, Stream
from av.video.stream import VideoStream

from corpus.media.language import same_language
from schemas.errors import InputError, Issue

# A recording may not make FFmpeg read other files or hosts, as a playlist under a wrong name would.
_OPEN = {"protocol_whitelist": "file"}


@dataclass(frozen=True)
class Picture:
    """A frame of video and the time in which it is shown, in seconds."""

    frame: av.VideoFrame
    start: float
    end: float


@dataclass(frozen=True)
class Sound:
    """A frame of audio and the time of its first sample, in seconds; None: it follows the one before."""

    frame: av.AudioFrame
    start: float | None


AnyStream = TypeVar("AnyStream", AudioStream, VideoStream)
AnyPacket: TypeAlias = "av.Packet[Stream]"

Looked = Callable[[float, float], bool]
"""Says whether a picture that is shown from one time to another, in seconds, is looked at."""


class Recording:
    """A recording that is decoded once, from its start.

    Attributes:
        video: The stream of pictures; None where there is none.
        sound: The chosen audio track; None where there is none.
        picture_end: Where the last picture that was decoded ends, in seconds.
        sound_end: Where the sound that was decoded ends, in seconds.

    Args:
        path: The file.
        track: Which audio track: its number among the audio tracks, from 0, or its language (``zh``,
            ``eng``). By default the one that players choose.
        threads: How many threads decode. What is decoded does not depend on it.

    Raises:
        InputError: The file is empty, is not media, or has neither pictures nor sound, or not that track.
    """

    def __init__(self, path: Path, track: str | None = None, threads: int = 1) -> None:
        self._path = path
        if not path.stat().st_size:
            raise self._fault("the file is empty")
        try:
            self._file = av.open(str(path), options=_OPEN)
        except FFmpegError as error:
            raise self._fault(f"this is not a recording that FFmpeg can read: {_reason(error)}") from None
        try:
            self.video = self._decodable(_video(self._file), "video")
            self.sound = self._track(track)
            if self.video is None and self.sound is None:
                raise self._fault("it has neither pictures nor sound")
        except BaseException:
            self._file.close()
            raise
        if self.video is not None:
            self.video.codec_context.thread_type = "AUTO" if threads > 1 else "NONE"
            self.video.codec_context.thread_count = threads
        self.picture_end = self.sound_end = 0.0
        self._origin = (self._file.start_time or 0) / av.time_base
        self._damages: list[tuple[float, float]] = []
        self._damaged_from: float | None = None
        self._waiting: tuple[av.VideoFrame, float] | None = None
        # AVI only counts its pictures, in the order of decoding: what it gives as their times is a guess.
        self._counted = self._file.format.name == "avi"
        self._first_dts: int | None = None
        self._delay: int | None = None
        self._skip: Literal["DEFAULT", "NONREF"] = "DEFAULT"
        self._breaks_off = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def _fault(self, message: str, value: object = None, choices: tuple[str, ...] = ()) -> InputError:
        return InputError(Issue(message, self._path.name, value=value, choices=choices))

    def _track(self, track: str | None) -> AudioStream | None:
        tracks = self._file.streams.audio
        if track is None:
            best = self._file.streams.best("audio")
            chosen = next((one for one in tracks if best is not None and one.index == best.index), None)
            return self._decodable(chosen or next(iter(tracks), None), "sound")
        wanted = (
            one
            for number, one in enumerate(tracks)
            if track == str(number) or same_language(track, one.language or "")
        )
        found = next(wanted, None)
        if found is None:
            about = tuple(f"{number} ({one.language or 'und'})" for number, one in enumerate(tracks))
            raise self._fault("it has no such audio track", track, about or ("none at all",))
        return self._decodable(found, "sound")

    def _decodable(self, stream: AnyStream | None, what: str) -> AnyStream | None:
        if stream is not None and stream.codec_context is None:
            raise self._fault(f"its {what} is in a codec that FFmpeg cannot decode")
        return stream

    @property
    def rate(self) -> float:
        """Frames a second of its pictures, on average and about."""
        rate = self.video.average_rate or self.video.guessed_rate if self.video is not None else None
        return float(rate) if rate else 25.0

    @property
    def seconds(self) -> float | None:
        """How long it says that it is."""
        return self._file.duration / av.time_base if self._file.duration else None

    def decoded(self, looked: Looked = lambda _start, _end: True) -> Iterator[Picture | Sound]:
        """Give the pictures and all sound, each in order of time, together about as they are stored.

        Pictures that come without a time, or with one that goes back, are shown at once after the one before
        or left out. What cannot be decoded is left out too; see `damaged`.

        Args:
            looked: Which pictures are looked at. Of the others, those that no other picture refers to are not
                decoded, and the picture before one of them seems to be shown for longer.
        """
        for packet in self._packets(looked):
            if packet.stream is self.video and self._first_dts is None:
                self._first_dts = packet.dts
            try:
                frames = packet.decode()
            except FFmpegError as error:
                if not isinstance(error, InvalidDataError):
                    raise self._fault(f"it cannot be decoded: {_reason(error)}") from None
                self._note_damage(packet.stream)
                continue
            for frame in frames:
                if isinstance(frame, av.VideoFrame):
                    yield from self._picture(frame)
                elif isinstance(frame, av.AudioFrame):
                    yield self._sound(frame)
        if self._waiting is not None:
            frame, start = self._waiting
            self.picture_end = start + self._shown(frame)
            yield Picture(frame, start, self.picture_end)

    def _packets(self, looked: Looked) -> Iterator[AnyPacket]:
        """Give packets, the decoder set to leave out a picture where it may.

        Until when a picture is shown is known once enough packets after it are read: they are stored in the
        order of decoding.
        """
        waiting: deque[AnyPacket] = deque()
        times: list[int] = []  # in order
        unknown = self._counted or self.video is None
        for packet in self._stored():
            if packet.stream is not self.video or unknown:
                yield packet
                continue
            waiting.append(packet)
            if packet.pts is not None:
                insort(times, packet.pts)
            if len(waiting) > _REORDERED:
                yield self._set(waiting.popleft(), times, looked)
                del times[: max(0, len(times) - 3 * _REORDERED)]
        if self.video is not None:
            self.video.codec_context.skip_frame = "DEFAULT"
        yield from waiting
        if self._breaks_off:
            self._damaged_from = self._damaged_from or self.picture_end

    def _set(self, packet: AnyPacket, times: list[int], looked: Looked) -> AnyPacket:
        """Set the decoder to what is wanted of a packet of pictures."""
        after = bisect_right(times, packet.pts) if packet.pts is not None else len(times)
        needed = True
        if after < len(times) and packet.pts is not None:
            start, end = (float(one * packet.time_base) - self._origin for one in (packet.pts, times[after]))
            needed = looked(start, end)
        skip: Literal["DEFAULT", "NONREF"] = "DEFAULT" if needed else "NONREF"
        if skip != self._skip and self.video is not None:
            self.video.codec_context.skip_frame = self._skip = skip
        return packet

    def _stored(self) -> Iterator[AnyPacket]:
        """Give the packets of the file, up to where it breaks off."""
        packets = self._file.demux([one for one in (self.video, self.sound) if one is not None])
        while True:
            try:
                packet = next(packets, None)
            except FFmpegError:  # within a packet
                self._breaks_off = True
                return
            if packet is None:
                return
            yield packet

    def _picture(self, frame: av.VideoFrame) -> Iterator[Picture]:
        """Give the frame before: only now is it known until when it is shown."""
        previous = self._waiting
        start = self._time(frame)
        if start is None:
            start = previous[1] + self._shown(previous[0]) if previous else 0.0
        if frame.is_corrupt:
            self._note_damage(self.video)
        elif self._damaged_from is not None and frame.key_frame:
            self._damages.append((self._damaged_from, start))
            self._damaged_from = None
        if previous is not None:
            if start <= previous[1]:
                return
            self.picture_end = start
            yield Picture(*previous, start)
        self._waiting = frame, start

    def _time(self, frame: av.VideoFrame) -> float | None:
        time = frame.time
        if self._counted and frame.dts is not None and self._first_dts is not None and frame.time_base:
            if self._delay is None:
                self._delay = frame.dts - self._first_dts
            time = float((frame.dts - self._delay) * frame.time_base)
        return None if time is None else time - self._origin

    def _shown(self, frame: av.VideoFrame) -> float:
        if frame.duration and frame.time_base:
            return float(frame.duration * frame.time_base)
        return 1 / self.rate

    def _sound(self, frame: av.AudioFrame) -> Sound:
        start = None if frame.time is None else frame.time - self._origin
        self.sound_end = (self.sound_end if start is None else start) + frame.samples / frame.sample_rate
        return Sound(frame, start)

    def _note_damage(self, stream: object) -> None:
        if stream is self.sound:
            self._damages.append((self.sound_end, self.sound_end + _LOST_SOUND))
        elif self._damaged_from is None:
            self._damaged_from = self.picture_end

    def damaged(self, start: float, end: float) -> bool:
        """Say whether something between two times could not be decoded.

        Pictures count as damaged up to the next one that refers to no other.
        """
        open_end = [] if self._damaged_from is None else [(self._damaged_from, float("inf"))]
        return any(first < end and last > start for first, last in self._damages + open_end)


_LOST_SOUND = 0.05
"""Seconds about a packet of sound that could not be decoded."""

_REORDERED = 17
"""Packets of pictures after which none comes that is shown before: H.264 and HEVC reorder 16 at the most."""


def _video(file: av.container.InputContainer) -> VideoStream | None:
    """Return the first stream of pictures that move: the cover of an album is none."""
    for stream in file.streams.video:
        if not stream.disposition & Disposition.attached_pic:
            return stream
    return None


def _reason(error: FFmpegError) -> str:
    return error.strerror or str(error)
