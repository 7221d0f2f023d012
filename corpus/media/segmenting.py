"""One recording, a shard of the work: a single decode of it feeds all its utterances.

What is written is put aside, and takes its place as one folder when all of it is done: a shard that is
killed, or meets a full disk, leaves what was there before.
"""

from __future__ import annotations

import shutil
import uuid
from collections import deque
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import av
import numpy as np

from corpus.media.checking import check_file, check_flac
from corpus.media.clip import TICKS, ClipWriter, Look, look_of, tone_of
from corpus.media.faces import FaceDetector
from corpus.media.passing import NEAR, Lane, Looked, Rows, Utterance
from corpus.media.pictures import PictureMaker, PictureScaler, PicturesWriter, rotation, upright
from corpus.media.plan import Shard, Wanted
from corpus.media.recording import Picture, Recording
from corpus.media.segments import PICTURES_FILE, RATE, SEGMENTS, SEGMENTS_FILE, Kind, Status
from corpus.media.sound import Block, Cut, Resampler, Samples, write_flac
from schemas.errors import InputError
from schemas.tables import from_rows, write_table

PART = ".part"
"""How the names of folders end that are not done yet."""

_LACKING = 0.25  # seconds that pictures or sound may lack at an end; filled with the last picture, or silence
_LIKE_ITS_CLIP = 1.0  # seconds by which a clip may be longer or shorter than the utterance it was cut for
_CLIPS_WAITING = 2  # clips that may still be encoded while later utterances are decoded
_FRAMES_WAITING = 8  # frames that may still be scaled and compressed while later ones are decoded


@dataclass(frozen=True)
class Segmented:
    """What became of a recording.

    Attributes:
        media: The recording.
        done: How many utterances were cut.
        failed: How many could not be.
    """

    media: str
    done: int
    failed: int


def segment(shard: Shard) -> Segmented:
    """Cut the utterances of a recording.

    A fault of the recording, or of the times of an utterance, is written to its table of segments.

    Raises:
        InputError: Faces are wanted and there is no detector.
        OSError: What was cut could not be written.
    """
    provenance = shard.provenance()
    target = shard.root / shard.folder
    target.parent.mkdir(parents=True, exist_ok=True)
    # Under a name of its own: a cluster may run a shard again while it cannot see that the first still runs.
    part = target.with_name(f".{uuid.uuid4().hex}{PART}")
    part.mkdir()
    try:
        rows = _Segmenting(shard, part).rows()
        write_table(part / SEGMENTS_FILE, from_rows(rows, SEGMENTS), SEGMENTS, provenance)
        replaced = part.with_name(f".{uuid.uuid4().hex}{PART}")
        if target.exists():
            target.rename(replaced)
        part.rename(target)
        shutil.rmtree(replaced, ignore_errors=True)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    failed = sum(row["status"] == Status.FAILED for row in rows)
    return Segmented(shard.media, len(rows) - failed, failed)


class _Segmenting:
    """The cutting of one recording."""

    def __init__(self, shard: Shard, part: Path) -> None:
        self._shard, self._part, self._recipe = shard, part, shard.recipe
        self._maker = PictureMaker(FaceDetector() if shard.recipe.faces else None)
        self._scaler = PictureScaler("yuv420p")
        # With threads, pictures are made in one of their own: it and the decoder leave the interpreter alone.
        self._beside = ThreadPoolExecutor(1) if shard.threads > 1 else None
        self._making: deque[Future[Rows]] = deque()
        self._encoding: deque[Utterance] = deque()
        self._to_write: deque[Utterance] = deque()
        self._sound_from = float("inf")
        self._left = 0
        self._names: set[str] = set()
        self._rows: dict[Wanted, dict[str, Any]] = {}

    def rows(self) -> list[dict[str, Any]]:
        """Do it; return the rows of the table of segments."""
        wanted = [one for one in self._shard.wanted if not self._refused(one)]
        try:
            with Recording(self._shard.path, self._recipe.track, self._shard.threads) as recording:
                self._cut(recording, wanted)
        except InputError as error:  # of the recording
            reason = str(replace(error.issues[0], where=None))
            for one in wanted:
                self._rows.setdefault(one, self._failed(one, reason))
        finally:
            if self._beside is not None:
                self._beside.shutdown(cancel_futures=True)
            for left in self._encoding:
                if left.clip is not None:
                    left.clip.end()
        return [self._rows[one] for one in self._shard.wanted]

    def _failed(self, wanted: Wanted, reason: str) -> dict[str, Any]:
        row = {"utterance_id": wanted.utterance_id, "start": wanted.start, "end": wanted.end}
        return {**row, "status": Status.FAILED, "reason": reason}

    def _refused(self, wanted: Wanted) -> bool:
        fault = "its id stands twice in this recording" if wanted.name in self._names else wanted.fault()
        self._names.add(wanted.name)
        if fault is not None:
            self._rows[wanted] = self._failed(wanted, fault)
        return fault is not None

    def _cut(self, recording: Recording, wanted: Iterable[Wanted]) -> None:
        self._recording = recording
        self._tone = tone_of(recording) if self._recipe.clips else None
        utterances = [self._begin(one) for one in wanted]
        self._left = len(utterances)
        self._to_write = deque(sorted(utterances, key=lambda one: (one.end, one.start)))
        self._by_picture = Lane(utterances if recording.video is not None else ())
        self._by_sound = Lane(utterances if recording.sound is not None else ())
        self._by_tone = Lane(utterances if self._tone is not None else ())
        sound = Resampler(RATE, "mono", "s16p")
        tone = None
        if self._tone is not None:
            tone = Resampler(self._tone.rate, "stereo" if self._tone.channels == 2 else "mono", "fltp")
        with PicturesWriter(self._part / PICTURES_FILE) as self._writer:
            for decoded in recording.decoded(Looked(utterances, self._recipe)):
                if isinstance(decoded, Picture):
                    self._picture(decoded)
                else:
                    for block in sound.feed(decoded):
                        self._sound(block)
                    for block in tone.feed(decoded) if tone is not None else ():
                        self._sound_of_clips(block)
                if not self._left:
                    break
            for block in sound.flush():
                self._sound(block)
            for block in tone.flush() if tone is not None else ():
                self._sound_of_clips(block)
            self._end()
        while self._encoding:
            self._settle(self._encoding.popleft())

    def _begin(self, wanted: Wanted) -> Utterance:
        recording, length = self._recording, self._recording.seconds
        start, end = wanted.start, wanted.end
        if start is None or end is None or self._is_own_clip(start, end, length):
            start, end = 0.0, float("inf")
        sides = sum(one is not None for one in (recording.video, recording.sound, self._tone))
        cut = Cut(*_positions(start, end, RATE))
        clip_cut = None if self._tone is None else Cut(*_positions(start, end, self._tone.rate))
        return Utterance(wanted, start, end, sides, cut, clip_cut)

    def _is_own_clip(self, start: float, end: float, length: float | None) -> bool:
        """Say whether the recording is one utterance, and its times those of what it was once cut from."""
        if len(self._shard.wanted) > 1 or length is None:
            return False
        return start >= length and abs(end - start - length) < _LIKE_ITS_CLIP

    # -- pictures -------------------------------------------------------------------------------------------

    def _picture(self, picture: Picture) -> None:
        scaled_frames: dict[tuple[int, int], av.VideoFrame] = {}
        rows: Future[Rows] | None = None
        for one in self._by_picture.here(picture.end - NEAR):
            first = one.shown_to is None
            if first:
                self._first_picture(one, picture)
            one.shown_to = picture.end
            if one.clip is not None:
                last = picture.end >= one.end - NEAR
                start = 0 if first else _ticks(picture.start - one.start)
                end = _ticks((one.end if last else picture.end) - one.start)
                if end > start:
                    one.last = self._scaled(one.clip.look, picture.frame, scaled_frames)
                    one.clip.add_picture(one.last, start, end - start)
            while (time := one.times / self._recipe.rate) < one.end - one.start - NEAR:
                if one.start + time + NEAR >= picture.end:
                    break
                rows = rows or self._make(picture.frame)
                one.pictures.append((time, rows))
                one.times += 1
        for one in self._by_picture.over(picture.end + NEAR):
            self._pictures_end(one)

    def _make(self, frame: av.VideoFrame) -> Future[Rows]:
        """Have the pictures of a frame made; few frames wait at a time, because each takes megabytes."""
        if self._beside is None:
            made: Future[Rows] = Future()
            made.set_result(self._maker.make(frame, self._aspect()))
            return made
        if len(self._making) == _FRAMES_WAITING:
            self._making.popleft().result()
        self._making.append(self._beside.submit(self._maker.make, frame, self._aspect()))
        return self._making[-1]

    def _first_picture(self, one: Utterance, picture: Picture) -> None:
        if picture.start - one.start > _LACKING:
            one.picture_fault = f"it starts at {one.start:g} s, and pictures only at {picture.start:.2f} s"
        if self._recipe.clips:
            look = look_of(picture.frame, self._aspect(), self._recording.rate)
            one.clip = ClipWriter(self._part / f"{one.wanted.name}.mp4", look, self._tone)
            for samples in one.early:
                one.clip.add_sound(samples)
            one.early.clear()

    def _aspect(self) -> float:
        video = self._recording.video
        return float((video.sample_aspect_ratio if video is not None else None) or 1)

    def _scaled(
        self, look: Look, frame: av.VideoFrame, known: dict[tuple[int, int], av.VideoFrame]
    ) -> av.VideoFrame:
        """Return a frame as a clip has it, and for every clip another one: each has its own times."""
        size = look.width, look.height
        if size in known:
            return _copy(known[size])
        turned = rotation(frame)
        width, height = size if turned % 180 == 0 else size[::-1]
        known[size] = upright(self._scaler.scale(frame, width, height), turned)
        return known[size]

    def _pictures_end(self, one: Utterance) -> None:
        if one.shown_to is None:
            one.picture_fault = self._beyond("pictures", one, self._recording.picture_end)
        elif one.end - one.shown_to > _LACKING and one.end < float("inf"):
            one.picture_fault = self._beyond("pictures", one, one.shown_to)
        elif one.clip is not None and one.last is not None and one.shown_to + NEAR < one.end < float("inf"):
            start, end = _ticks(one.shown_to - one.start), _ticks(one.end - one.start)
            one.clip.add_picture(_copy(one.last), start, end - start)
        one.last = None  # utterances that are done stay in memory, and should hold no pictures
        one.seen = True
        while self._to_write and self._to_write[0].seen:
            self._write_pictures(self._to_write.popleft())
        self._side_done(one)

    def _write_pictures(self, one: Utterance) -> None:
        made = () if one.picture_fault else one.pictures
        rows = [
            {"utterance_id": one.wanted.utterance_id, "time": time, **row}
            for time, future in made
            for row in future.result()
        ]
        kinds = [row["kind"] for row in rows]
        one.row["row_group"] = self._writer.write(rows)
        one.row["frames"], one.row["faces"] = kinds.count(Kind.FRAME), kinds.count(Kind.FACE)
        one.pictures = []

    # -- sound ----------------------------------------------------------------------------------------------

    def _sound(self, block: Block) -> None:
        position, samples = block
        end = (position + samples.shape[1]) / RATE
        self._sound_from = min(self._sound_from, position / RATE)
        for one in self._by_sound.here(end):
            one.samples += one.cut.take(block)
        for one in self._by_sound.over(end):
            self._sound_end(one)

    def _sound_end(self, one: Utterance) -> None:
        end = self._recording.sound_end
        if one.end - end > _LACKING and one.end < float("inf"):
            one.sound_fault = self._beyond("sound", one, end)
        elif self._sound_from - one.start > _LACKING:
            one.sound_fault = f"it starts at {one.start:g} s, and sound only at {self._sound_from:.2f} s"
        else:
            nothing = np.zeros((1, 0), np.int16)
            samples = np.concatenate([nothing, *one.samples, *one.cut.rest(nothing)], axis=1)
            path = self._part / f"{one.wanted.name}.flac"
            write_flac(path, samples)
            checked = check_flac(path, samples.shape[1])
            one.row |= {"audio": path.name, "audio_samples": samples.shape[1]}
            one.row["audio_sha256"] = checked.sha256
        one.samples = []
        self._side_done(one)

    def _sound_of_clips(self, block: Block) -> None:
        if self._tone is None:
            return
        end = (block[0] + block[1].shape[1]) / self._tone.rate
        for one in self._by_tone.here(end):
            self._add_sound(one, one.clip_cut.take(block) if one.clip_cut else ())
        for one in self._by_tone.over(end):
            self._sound_of_clip_end(one)

    def _sound_of_clip_end(self, one: Utterance) -> None:
        if one.clip_cut is not None and self._tone is not None:
            self._add_sound(one, one.clip_cut.rest(np.zeros((self._tone.channels, 0), np.float32)))
        self._side_done(one)

    def _add_sound(self, one: Utterance, pieces: Iterable[Samples]) -> None:
        for samples in pieces:
            if one.clip is not None:
                one.clip.add_sound(samples)
            else:
                one.early.append(samples)

    # -- ends -----------------------------------------------------------------------------------------------

    def _end(self) -> None:
        """End the utterances that the recording did not reach the end of."""
        for one in self._by_sound.over(float("inf")):
            self._sound_end(one)
        for one in self._by_tone.over(float("inf")):
            self._sound_of_clip_end(one)
        for one in self._by_picture.over(float("inf")):
            self._pictures_end(one)

    def _beyond(self, what: str, one: Utterance, end: float) -> str:
        length = self._recording.seconds
        if length is not None and length > end + 1 and length > one.end - _LACKING:
            broken = f"the recording breaks off: of its {length:.2f} s there are {what} up to {end:.2f} s"
            return f"{broken}, and it ends at {one.end:g} s"
        return f"it ends at {one.end:g} s, beyond the {what} of the recording, which end at {end:.2f} s"

    def _side_done(self, one: Utterance) -> None:
        one.sides -= 1
        if one.sides:
            return
        self._left -= 1
        if one.clip is not None:
            one.clip.end()
        self._encoding.append(one)
        if len(self._encoding) > _CLIPS_WAITING:
            self._settle(self._encoding.popleft())

    def _settle(self, one: Utterance) -> None:
        """Check the clip of an utterance of which all has been decoded, and note what became of it."""
        if one.end == float("inf"):
            one.end = max(self._recording.picture_end, self._recording.sound_end)
        fault = one.picture_fault or one.sound_fault
        if fault is None and self._recording.damaged(one.start, one.end):
            fault = "the recording is damaged there: a part of it cannot be decoded"
        clip, one.clip = one.clip, None
        if clip is not None:
            clip.wait()
        if fault is not None:
            for suffix in (".flac", ".mp4"):
                (self._part / f"{one.wanted.name}{suffix}").unlink(missing_ok=True)
            self._rows[one.wanted] = self._failed(one.wanted, fault)
            return
        if clip is not None:
            streams = "h264+aac" if self._tone is not None else "h264"
            checked = check_file(clip.path, one.end - one.start, streams, 1 / self._recording.rate)
            one.row |= {"clip": clip.path.name, "clip_seconds": checked.seconds}
            one.row |= {"clip_streams": checked.streams, "clip_sha256": checked.sha256}
        for kind in ("audio", "clip"):
            if kind in one.row:
                one.row[kind] = f"{self._shard.folder}/{one.row[kind]}"
        known = {"utterance_id": one.wanted.utterance_id, "start": one.start, "end": one.end}
        self._rows[one.wanted] = {**known, "status": Status.DONE, **one.row}


def _positions(start: float, end: float, rate: int) -> tuple[int, int | None]:
    return round(start * rate), None if end == float("inf") else round(end * rate)


def _ticks(seconds: float) -> int:
    return round(seconds * TICKS)


def _copy(frame: av.VideoFrame) -> av.VideoFrame:
    return av.VideoFrame.from_ndarray(frame.to_ndarray(), format="yuv420p")
