"""RTTM: who speaks when, as the NIST Rich Transcription evaluations write it (RT-09 plan, appendix A)."""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from corpus.importers.lines import Fault, Line
from corpus.importers.reading import decode
from schemas.errors import InputError, Issue

_COLUMNS = (
    "type",
    "file",
    "channel",
    "start",
    "duration",
    "text",
    "subtype",
    "speaker",
    "confidence",
    "lookahead",
)
_SPEAKER = "SPEAKER"
_BAD = "not a SPEAKER line with a file, a start, a duration above 0 and a speaker"


@dataclass(frozen=True)
class Turn:
    """A stretch of time in which one speaker speaks; seconds."""

    start: float
    end: float
    speaker: str


@dataclass
class Diarization:
    """What an RTTM file says.

    Attributes:
        path: The file.
        turns: The turns of each recording, by its name in the file.
        read: Lines of the type SPEAKER.
        faults: Those that could not be read.
    """

    path: Path
    turns: dict[str, list[Turn]]
    read: int
    faults: list[Fault]


def read(path: Path) -> Diarization:
    """Read an RTTM file.

    Raises:
        InputError: The file is not there, is empty, is no text or has no SPEAKER line.
    """
    import pandas as pd  # takes a while to load

    text, _ = decode(path)
    kept = [(row, line) for row, line in enumerate(text.splitlines(), 1) if line.split()[:1] == [_SPEAKER]]
    if not kept:
        raise InputError(
            Issue("no line of this file is one of RTTM: SPEAKER FILE CHANNEL START ...", str(path))
        )
    table = pd.read_csv(
        io.StringIO("\n".join(line for _, line in kept)),
        sep=r"\s+",
        names=_COLUMNS,
        usecols=range(len(_COLUMNS)),
        dtype=str,
        engine="python",
        quoting=csv.QUOTE_NONE,
        keep_default_na=False,
        on_bad_lines=lambda cells: cells[: len(_COLUMNS)],
    ).fillna("")
    starts, durations = (pd.to_numeric(table[name], errors="coerce") for name in ("start", "duration"))
    sound = np.isfinite(starts) & np.isfinite(durations) & (starts >= 0) & (durations > 0)
    sound &= (table["file"] != "") & ~table["speaker"].isin(["", "<NA>"])
    found = Diarization(path, defaultdict(list), len(kept), [])
    cells = zip(kept, sound, starts, durations, table["file"], table["speaker"], strict=True)
    for (row, line), good, start, duration, file, speaker in cells:
        if good:
            found.turns[file].append(Turn(start, start + duration, speaker))
        else:
            found.faults.append(Fault(row, _BAD, line))
    return found


def turns_of(found: Sequence[Diarization], recording: str) -> list[Turn]:
    """Return the turns of one recording: those under its name, or all of a file of its name with one only."""
    turns: list[Turn] = []
    for one in found:
        if recording in one.turns:
            turns += one.turns[recording]
        elif len(one.turns) == 1 and one.path.stem == recording:
            turns += next(iter(one.turns.values()))
    return sorted(turns, key=lambda turn: turn.start)


def with_speakers(lines: Sequence[Line], turns: Sequence[Turn]) -> list[Line]:
    """Give every line without a speaker the one who speaks most of its time.

    A line in which nobody speaks, by the RTTM, stays without one. Of two who speak equally long, the one who
    begins first.
    """
    starts = np.array([turn.start for turn in turns])
    latest = np.maximum.accumulate([turn.end for turn in turns]) if turns else starts
    given = []
    for line in lines:
        if line.speaker is None and line.end is not None:
            first = int(np.searchsorted(latest, line.start, "right"))
            last = int(np.searchsorted(starts, line.end))
            given.append(replace(line, speaker=_majority(line.start, line.end, turns[first:last])))
        else:
            given.append(line)
    return given


def _majority(start: float, end: float, turns: Sequence[Turn]) -> str | None:
    spoken: Mapping[str, float]
    spoken = defaultdict(float)
    for turn in turns:
        overlap = min(end, turn.end) - max(start, turn.start)
        if overlap > 0:
            spoken[turn.speaker] += overlap
    return max(spoken, key=lambda one: spoken[one]) if spoken else None
