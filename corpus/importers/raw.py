"""Raw material: recordings with subtitles or other transcripts become dialogues of utterances.

For each recording: what is said is taken from the lines, their times are held against the sound, speakers are
filled in from RTTM, lines become utterances, utterances dialogues. A file that cannot be read is set apart
with its reason, and the others are imported.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import pairwise
from pathlib import Path, PurePosixPath

from corpus.importers import alignment, elan, manifest, recordings, rttm, subtitles, textgrid, whisperx
from corpus.importers.alignment import Fit, Verdict
from corpus.importers.dialogues import PAUSE, cut, read_scenes, scene_numbers
from corpus.importers.lines import Fault, Line, Scene, Transcript
from corpus.importers.merging import MergeRule, Utterance, merged
from corpus.importers.recordings import Material
from corpus.importers.speech_activity import speech_activity
from corpus.importers.spoken import take_spoken
from schemas.errors import InputError, Issue
from schemas.progress import progress

FORMATS: Mapping[str, tuple[str, ...]] = {
    "srt": (".srt",),
    "vtt": (".vtt",),
    "ass": (".ass", ".ssa"),
    "textgrid": (".textgrid",),
    "eaf": (".eaf",),
    "whisperx": (".json",),
    "manifest": manifest.ENDINGS,
}
"""Formats of transcripts, and how their names end."""

UNUSABLE_END = "ends where it begins or before"
BEYOND = "begins after the end of the recording"
OVER_THE_END = "ends after the end of the recording; cut there"
BEFORE = "ends before the beginning of the recording"
OVER_THE_BEGINNING = "begins before the recording; cut there"
SLACK = 0.5
"""Seconds that a line may last beyond the end that a recording says it has."""
NAMED = 5
"""Recordings that a note names."""


@dataclass(frozen=True)
class Rules:
    """How raw material is imported.

    Attributes:
        gap: Seconds between lines that are merged (see `merging`); None: the usual ones for subtitles, and no
            merging for transcripts that were made on the sound.
        longest: Seconds that merged lines may last.
        pause: Seconds without speech that end a dialogue, where no scenes are marked.
        align: Whether times are held against the sound; None: those of subtitles are.
        tiers: Which tiers of a TextGrid or ELAN file are imported; none: all that can be what is said.
        styles_are_speakers: ASS: the style of a line names its speaker where the line names none.
        language: Language of the transcripts; None: what the files or their names tell.
        simplify: Whether texts in traditional Chinese are normalised to simplified ones.
    """

    gap: float | None = None
    longest: float = MergeRule.longest
    pause: float = PAUSE
    align: bool | None = None
    tiers: tuple[str, ...] = ()
    styles_are_speakers: bool = False
    language: str | None = None
    simplify: bool = True


@dataclass
class Recorded:
    """What became of one recording.

    Attributes:
        name: Its name, or its path where a manifest names several of that name; without ending.
        transcript: What its transcript says; lines on the clock of the recording.
        media: The file, if it is there and can be opened.
        fit: How the times were held against the sound; None where they were not.
        dialogues: Its utterances.
        scenes: Marks at which dialogues begin.
        language: Language code.
    """

    name: str
    transcript: Transcript
    media: Path | None = None
    fit: Fit | None = None
    dialogues: list[list[Utterance]] = field(default_factory=list)
    scenes: list[Scene] = field(default_factory=list)
    language: str | None = None

    @property
    def place(self) -> str | None:
        """Where the project's ``media/`` links to it."""
        return None if self.media is None else f"{self.name}{self.media.suffix}"

    @property
    def utterances(self) -> list[Utterance]:
        """All its utterances in their order."""
        return [one for dialogue in self.dialogues for one in dialogue]

    def about(self) -> dict[str, object]:
        """Return the account of this recording, as plain values."""
        rows = Counter(line.row for line in self.transcript.lines)
        made = Counter(row for one in self.utterances for row in {line.row for line in one.lines})
        fit = {**asdict(self.fit), "verdict": self.fit.verdict.value} if self.fit else None
        return {
            "recording": self.name,
            "transcript": self.transcript.path.name,
            "media": self.place,
            "rows": len(rows),
            "utterances": len(self.utterances),
            "dialogues": len(self.dialogues),
            "merged": sum(len({line.row for line in one.lines}) > 1 for one in self.utterances),
            "split": sum(count > 1 for count in made.values()),
            "without_speaker": sum(one.speaker is None for one in self.utterances),
            "alignment": fit,
        }


@dataclass
class Read:
    """What was read of a source.

    Attributes:
        recorded: Its recordings.
        faults: What could not be taken, by file name; those of rows that belong to no transcript too.
        notes: What people should know.
        lacking: Recordings that a transcript names and that are not here, by its file name.
    """

    recorded: list[Recorded] = field(default_factory=list)
    faults: list[tuple[str, Fault]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    lacking: dict[str, list[str]] = field(default_factory=dict)


def read(format_name: str, material: Material, rules: Rules, columns: Mapping[str, str]) -> Read:
    """Read raw material.

    Args:
        format_name: One of `FORMATS`.
        material: The files (see `recordings.gather`).
        rules: How they are imported.
        columns: ``manifest``: target to column.

    Raises:
        InputError: A recording has two transcripts.
    """
    found = Read()
    if material.others:
        names = ", ".join(file.name for file in material.others)
        found.notes.append(f"files that are neither transcripts of this format nor recordings: {names}")
    turns = list(_diarizations(material, found))
    for transcript in progress(
        list(_transcripts(format_name, material, rules, columns, found)),
        "Holding transcripts against the sound",
        len(material.transcripts),
    ):
        found.recorded.append(_recorded(transcript, material, turns, rules, found))
    _refuse_doubles(found.recorded)
    found.notes += [_lacking(file, names) for file, names in found.lacking.items()]
    used = {one.media for one in found.recorded}
    unused = [file.name for file in material.recordings if file not in used]
    if unused:
        found.notes.append(f"recordings without a transcript: {_some(unused)}")
    return found


def _transcripts(
    format_name: str, material: Material, rules: Rules, columns: Mapping[str, str], found: Read
) -> Iterator[Transcript]:
    for path in material.transcripts:
        try:
            if format_name == "manifest":
                yield from manifest.read(path, columns)
            else:
                yield _transcript(format_name, path, rules)
        except InputError as error:
            found.faults.append((path.name, Fault(0, "; ".join(one.message for one in error.issues), "")))


def _transcript(format_name: str, path: Path, rules: Rules) -> Transcript:
    if format_name == "textgrid":
        return textgrid.read(path, rules.tiers)
    if format_name == "eaf":
        return elan.read(path, rules.tiers)
    if format_name == "whisperx":
        return whisperx.read(path)
    return subtitles.read(path, speaker_is_style=rules.styles_are_speakers)


def _diarizations(material: Material, found: Read) -> Iterator[rttm.Diarization]:
    for path in material.rttm:
        try:
            one = rttm.read(path)
        except InputError as error:
            found.faults.append((path.name, Fault(0, "; ".join(issue.message for issue in error.issues), "")))
            continue
        found.faults += [(path.name, fault) for fault in one.faults]
        yield one


def _recorded(
    transcript: Transcript,
    material: Material,
    diarizations: Sequence[rttm.Diarization],
    rules: Rules,
    found: Read,
) -> Recorded:
    media = recordings.recording_of(material, transcript)
    name = _name(transcript, media)
    one = Recorded(name, transcript, media, scenes=transcript.scenes)
    one.language = rules.language or recordings.language_of(transcript.path, name) or transcript.language
    take_spoken(transcript)
    _null_unusable_ends(transcript)
    length = _length(one, found)
    _align(one, rules, found)
    _keep_inside(transcript, length)
    turns = rttm.turns_of(diarizations, name)
    if turns:
        transcript.lines = rttm.with_speakers(transcript.lines, turns)
    if name in material.scenes:
        one.scenes = _marked(material.scenes[name], found)
    gap = rules.gap if rules.gap is not None else 0.0 if transcript.made_on_sound else MergeRule.gap
    numbers = scene_numbers(transcript.lines, one.scenes)
    utterances = merged(transcript.lines, numbers, MergeRule(gap, rules.longest))
    one.dialogues = cut(utterances, rules.pause, at_scenes=bool(one.scenes))
    found.notes += transcript.notes
    overlaps = sum(second.start < first.until - SLACK for first, second in pairwise(transcript.lines))
    if overlaps:
        found.notes.append(f"{transcript.path.name}: {overlaps:,} line(s) begin before the one before ends")
    return one


def _name(transcript: Transcript, media: Path | None) -> str:
    """Name a recording: after its path or itself, what the transcript names, or the transcript."""
    named = PurePosixPath(transcript.media or "")
    if len(named.parts) > 1:
        return str(named.with_suffix(""))
    return media.stem if media else named.stem or transcript.path.name.split(".")[0]


def _marked(path: Path, found: Read) -> list[Scene]:
    try:
        scenes, _, faults = read_scenes(path)
    except InputError as error:
        found.faults.append((path.name, Fault(0, "; ".join(one.message for one in error.issues), "")))
        return []
    found.faults += [(path.name, fault) for fault in faults]
    return scenes


def _null_unusable_ends(transcript: Transcript) -> None:
    lines = []
    for line in transcript.lines:
        if line.end is not None and line.end <= line.start:
            transcript.faults.append(Fault(line.row, UNUSABLE_END, f"{line.start:g} to {line.end:g}", "end"))
            line = replace(line, end=None)
        lines.append(line)
    transcript.lines = lines


def _length(one: Recorded, found: Read) -> float | None:
    """Return how long the recording is; one that cannot be opened is set apart, its transcript stays."""
    if one.media is None:
        named = [one.transcript.media] if one.transcript.media else []
        found.lacking.setdefault(one.transcript.path.name, []).extend(named)
        return None
    try:
        return recordings.duration(one.media)
    except InputError as error:
        found.faults.append((one.media.name, Fault(0, error.issues[0].message, "")))
        one.media = None
        return None


def _lacking(file: str, names: Sequence[str]) -> str:
    """Say which recordings of a transcript are not here; a manifest can name thousands."""
    if not names:
        return f"{file}: no recording of this name is here"
    if len(names) == 1:
        return f"{file}: the recording {names[0]} is not here"
    return f"{file}: {len(names):,} recordings are not here: {_some(names)}"


def _some(names: Sequence[str]) -> str:
    more = f", and {len(names) - NAMED:,} more" if len(names) > NAMED else ""
    return f"{', '.join(names[:NAMED])}{more}"


def _align(one: Recorded, rules: Rules, found: Read) -> None:
    """Put the lines on the clock of the recording."""
    transcript = one.transcript
    wanted = rules.align if rules.align is not None else not transcript.made_on_sound
    if wanted and one.media is not None:
        try:
            spans = [(line.start, line.end) for line in transcript.lines if line.end is not None]
            one.fit = alignment.fit(speech_activity(one.media), spans)
            found.notes.append(_said(one.fit, transcript.path.name))
        except InputError as error:
            reason = error.issues[0].message
            found.notes.append(f"{transcript.path.name}: times as they stand: {reason} ({one.media.name})")
    at = one.fit.at if one.fit else float
    transcript.lines = [
        line
        if line.whole
        else replace(
            line,
            start=at(line.start),
            end=None if line.end is None else at(line.end),
            written=line.written or (line.start, line.until),
        )
        for line in transcript.lines
    ]
    one.scenes = [
        replace(scene, start=at(scene.start), end=None if scene.end is None else at(scene.end))
        for scene in one.scenes
    ]


def _said(fit: Fit, name: str) -> str:
    """Say in words what was found about the times of a transcript."""
    figures = f"agreement {fit.agreement:.2f}, evidence {fit.evidence:.1f}"
    if fit.verdict is Verdict.CORRECTED:
        return f"{name}: times corrected by {fit.shift:+.2f} s, stretched by {fit.stretch:.5f} ({figures})"
    if fit.verdict is Verdict.IN_STEP:
        return f"{name}: in step with the sound ({figures})"
    if fit.verdict is Verdict.PARTS and fit.parted is not None:
        place, jump = fit.parted
        message = f"from {place:.0f} s on the lines are off by another {jump:+.1f} s: is the recording cut?"
        return f"{name}: {message} Times as they stand; shift those lines and import again ({figures})"
    if fit.verdict is Verdict.NO_MATCH:
        message = "fits the sound no better than chance (another episode? cut? too little speech?)"
        return f"{name}: {message}; times as they stand ({figures})"
    return f"{name}: too little to tell whether it is in step with the sound; times as they stand ({figures})"


def _keep_inside(transcript: Transcript, length: float | None) -> None:
    """Set apart lines outside of the recording, and cut those that reach over its ends."""
    lines: list[Line] = []
    outside: dict[int, Fault] = {}
    for line in transcript.lines:
        original = f"{line.start:g} to {line.until:g}: {line.original}"
        if line.start < 0 and line.until <= 0:
            outside[line.row] = Fault(line.row, BEFORE, original)
            continue
        if length is not None and line.start >= length:
            outside[line.row] = Fault(line.row, f"{BEYOND} ({length:g} s)", original)
            continue
        if line.start < 0:
            transcript.faults.append(Fault(line.row, OVER_THE_BEGINNING, f"{line.start:g}", "start"))
            line = replace(line, start=0.0)
        if length is not None and line.end is not None and line.end > length + SLACK:
            transcript.faults.append(Fault(line.row, OVER_THE_END, f"{line.end:g}", "end"))
        if length is not None and line.end is not None:
            line = replace(line, end=min(line.end, length))
        lines.append(line)
    transcript.lines = lines
    inside = {line.row for line in lines}
    transcript.faults += [fault for row, fault in outside.items() if row not in inside]


def _refuse_doubles(recorded: Sequence[Recorded]) -> None:
    """Refuse two transcripts of one recording, or two names of it: its utterances would stand there twice."""
    transcripts: dict[str, list[Transcript]] = {}
    names: dict[Path, list[str]] = {}
    for one in recorded:
        transcripts.setdefault(one.name, []).append(one.transcript)
        if one.media is not None:
            names.setdefault(one.media, []).append(one.transcript.place or one.name)
    issues = []
    for name, found in transcripts.items():
        files = [transcript.path.name for transcript in found]
        media = [transcript.place or "" for transcript in found]
        if len(set(files)) > 1:
            message = f"this recording has several transcripts: {', '.join(files)}; name the one to import"
            issues.append(Issue(message, name))
        elif len(files) > 1:
            issues.append(Issue(f"recordings differ by their ending alone: {', '.join(media)}", files[0]))
    issues += [
        Issue(f"this recording is named in several ways: {', '.join(found)}", str(file))
        for file, found in names.items()
        if len(set(found)) > 1
    ]
    if issues:
        raise InputError(issues)
