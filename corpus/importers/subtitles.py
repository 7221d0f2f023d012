"""Subtitle files: SubRip, WebVTT and (Advanced) SubStation Alpha, read by pysubs2.

pysubs2 passes over what it cannot read, or takes it for text of the line before. So timing lines are looked
at first, and those that are none get a time that no subtitle has: their rows are set apart, none is lost.
"""

from __future__ import annotations

import html
import re
from pathlib import Path

import pysubs2
from pysubs2.exceptions import FormatAutodetectionError
from pysubs2.formats import autodetect_format
from pysubs2.formats.webvtt import WebVTTFormat
from pysubs2.time import TIMESTAMP, TIMESTAMP_SHORT

from corpus.importers.lines import SCENE_NAMES, Fault, Line, Scene, Transcript
from corpus.importers.reading import decode
from corpus.importers.two_speakers import shared_out
from schemas.errors import InputError, Issue

KINDS = {".srt": "srt", ".vtt": "vtt", ".ass": "ass", ".ssa": "ssa"}

_STAMPS = {"srt": TIMESTAMP.pattern, "vtt": WebVTTFormat.TIMESTAMP.pattern}
_TIMES = {kind: re.compile(rf"\s*{stamp}\s*-->\s*{stamp}(?!\S).*") for kind, stamp in _STAMPS.items()}
_NEVER = {"srt": "99:59:59,999 --> 99:59:59,999", "vtt": "99:59:59.999 --> 99:59:59.999"}
# What was meant to be times, though it may be none.
_MEANT = re.compile(r"-->|\d:\d+\S*\s*(?:->|=>|→|—>|–>)\s*-?\d+:\d")
_NEGATIVE = re.compile(r"^\s*-\s*\d|>\s*-\s*\d")
_EVENT = re.compile(r"(Dialogue|Comment):")
_COLUMNS = {"ass": ["layer", "start", "end"], "ssa": ["marked", "start", "end"]}
_EVENT_CELLS = 10
_NO_EVENT = "Comment: 0,0:00:00.00,0:00:00.00,,,0,0,0,,"
_KARAOKE = re.compile(r"\\(k|K|kf|ko)\d")
_PLACED = re.compile(r"\\(pos|move)\(")
_VOICE = re.compile(r"<v(?:\.[^\s>]*)?\s+([^>]+)>")
_TAG = re.compile(r"</?[A-Za-z\d][^<>]*>")

BAD_TIME = "no readable times: start and end such as 00:01:02,345 --> 00:01:04,000"
NEGATIVE = "a time before the beginning"
SCENE_MARK = "scene marks"
SONG = "karaoke lines (sung)"
DRAWING = "drawings"
COMMENT = "comments of an ASS file"
PLACED = "lines placed on the picture (signs, notes)"


def read(path: Path, *, speaker_is_style: bool = False) -> Transcript:
    """Read a subtitle file, whatever its encoding.

    Args:
        path: The file; what it holds decides, not how its name ends.
        speaker_is_style: ASS: the style of a line names its speaker where the line names none.

    Raises:
        InputError: The file is not there, is empty, is no text or no subtitle file.
    """
    text, encoding = decode(path)
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    transcript = Transcript(path, made_on_sound=False)
    kind = _kind(text, path)
    transcript.notes.append(f"{path.name}: {encoding}")
    if kind != KINDS.get(path.suffix.lower()):
        transcript.notes.append(
            f"{path.name}: the name ends in {path.suffix!r}, the content is {kind.upper()}"
        )
    if kind in _STAMPS:
        _read_cues(text, kind, transcript)
    else:
        _read_events(text, kind, transcript, speaker_is_style)
    if not transcript.read:
        raise InputError(Issue("there is no subtitle in this file", str(path)))
    return transcript


def _kind(text: str, path: Path) -> str:
    try:
        kind = autodetect_format(text)
    except FormatAutodetectionError:
        kind = ""
    if kind not in KINDS.values():
        found = f" (it looks like {kind})" if kind else ""
        message = f"this is no subtitle file that can be read{found}"
        raise InputError(Issue(message, str(path), choices=["SubRip", "WebVTT", "SubStation Alpha"]))
    return kind


# -- SubRip and WebVTT --------------------------------------------------------------------------------


def _read_cues(text: str, kind: str, transcript: Transcript) -> None:
    lines, faults = _prepared_cues(text, kind)
    # Unknown tags are kept: <v NAME> is one.
    found = pysubs2.SSAFile.from_string("\n".join(lines), format_=kind, keep_unknown_html_tags=True)
    transcript.read = len(found.events)
    for row, event in enumerate(found.events, 1):
        if row in faults:
            times, reason = faults[row]
            original = f"{times}\n{event.plaintext}".strip()
            transcript.faults.append(Fault(row, reason, original))
        elif kind == "vtt" and "<v" in event.text:
            _add_voices(transcript, row, event)
        else:
            _add(transcript, row, event, _plain(event.plaintext))


def _prepared_cues(text: str, kind: str) -> tuple[list[str], dict[int, tuple[str, str]]]:
    """Return the lines for pysubs2, and by row the timing lines that are none and why."""
    if kind == "vtt":
        # A cue ends at a blank line; notes, styles and names of cues are no text of the cue before.
        blocks = [block.split("\n") for block in re.split(r"\n[ \t]*\n", text)]
        cut = [next((n for n, line in enumerate(block) if _MEANT.search(line)), None) for block in blocks]
        lines = ["WEBVTT", ""]
        for block, first in zip(blocks, cut, strict=True):
            lines += [*block[first:], ""] if first is not None else []
    else:
        lines = text.split("\n")
    faults: dict[int, tuple[str, str]] = {}
    row = 0
    for place, line in enumerate(lines):
        if not _MEANT.search(line):
            continue
        row += 1
        if not _TIMES[kind].fullmatch(line):
            faults[row] = line, NEGATIVE if _NEGATIVE.search(line) else BAD_TIME
            lines[place] = _NEVER[kind]
    return lines, faults


def _plain(text: str) -> str:
    return html.unescape(_TAG.sub("", text)).replace("\N{NO-BREAK SPACE}", " ").strip()


def _add_voices(transcript: Transcript, row: int, event: pysubs2.SSAEvent) -> None:
    """Add a line for each voice of a WebVTT cue."""
    head, *voices = _VOICE.split(event.plaintext)
    parts = [("", _plain(head))] if head.strip() else []
    parts += [(name.strip(), _plain(text)) for name, text in zip(voices[::2], voices[1::2], strict=True)]
    times = shared_out(event.start / 1000, event.end / 1000, [text for _, text in parts])
    for (name, text), (start, end) in zip(parts, times, strict=True):
        _add(transcript, row, pysubs2.SSAEvent(round(1000 * start), round(1000 * end)), text, name or None)


def _add(
    transcript: Transcript, row: int, event: pysubs2.SSAEvent, text: str, speaker: str | None = None
) -> None:
    transcript.lines.append(Line(row, event.start / 1000, event.end / 1000, text, text, speaker))


# -- SubStation Alpha ---------------------------------------------------------------------------------


def _read_events(text: str, kind: str, transcript: Transcript, speaker_is_style: bool) -> None:
    lines, faults = _prepared_events(text, kind, transcript.path)
    found = pysubs2.SSAFile.from_string("\n".join(lines), format_=kind)
    transcript.read = len(found.events)
    # Where most lines are placed by hand, they are what is said, and not signs.
    placed = sum(bool(_PLACED.search(event.text)) for event in found.events if event.is_text)
    drop_placed = placed * 2 <= sum(event.is_text for event in found.events)
    for row, event in enumerate(found.events, 1):
        reason = _no_speech(event, drop_placed)
        if row in faults:
            transcript.faults.append(Fault(row, faults[row][1], faults[row][0]))
        elif event.start < 0 or event.end < 0:
            transcript.faults.append(Fault(row, NEGATIVE, event.plaintext.strip()))
        elif _is_scene(event):
            transcript.scenes.append(Scene(event.start / 1000, None, event.plaintext.strip() or None))
            transcript.ignored[SCENE_MARK] += 1
        elif reason:
            transcript.ignored[reason] += 1
        else:
            speaker = event.name.strip() or (event.style.strip() if speaker_is_style else "")
            _add(transcript, row, event, _plain(event.plaintext), speaker or None)


def _prepared_events(text: str, kind: str, path: Path) -> tuple[list[str], dict[int, tuple[str, str]]]:
    """Return the events for pysubs2 without styles and attachments, and by row the events that are none."""
    lines = ["[Events]"]
    faults: dict[int, tuple[str, str]] = {}
    section = ""
    for raw in text.split("\n"):
        line = raw.strip()
        if re.fullmatch(r"\[[^\]]+\]", line):
            section = line.casefold()
        if section == "[events]" and line.startswith("Format:"):
            names = [name.strip().casefold() for name in line.partition(":")[2].split(",")]
            if names[:3] != _COLUMNS[kind] or len(names) != _EVENT_CELLS:
                message = "the events of this file have other columns than SubStation Alpha has"
                raise InputError(Issue(message, str(path), value=", ".join(names)))
        if not _EVENT.match(line):
            continue
        cells = line.partition(":")[2].split(",", _EVENT_CELLS - 1)
        times = [cell.strip().removeprefix("-") for cell in cells[1:3]]
        readable = all(TIMESTAMP.match(time) or TIMESTAMP_SHORT.match(time) for time in times)
        if len(cells) < _EVENT_CELLS or not readable:
            faults[len(lines)] = line, BAD_TIME
            line = _NO_EVENT
        lines.append(line)
    return lines, faults


def _is_scene(event: pysubs2.SSAEvent) -> bool:
    names = (event.effect, event.name, event.style)
    return bool(event.is_comment) and any(name.strip().casefold() in SCENE_NAMES for name in names)


def _no_speech(event: pysubs2.SSAEvent, drop_placed: bool) -> str:
    """Say why an event is nothing that is said."""
    if event.is_comment:
        return COMMENT
    if event.is_drawing:
        return DRAWING
    if _KARAOKE.search(event.text) or "karaoke" in event.effect.casefold():
        return SONG
    return PLACED if drop_placed and _PLACED.search(event.text) else ""
