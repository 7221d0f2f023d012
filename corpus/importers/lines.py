"""What the transcript of one recording says: lines with their times, before they become utterances."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

SCENE_NAMES = frozenset({"scene", "scenes", "dialogue", "dialogues", "场景", "場景", "场", "對話", "对话"})
"""Names of tiers (ELAN, Praat) and effects (ASS comments) that mark where a dialogue begins, case-folded."""


@dataclass(frozen=True)
class Line:
    """One line of a transcript.

    Attributes:
        row: Its place in the file, from 1; two lines of one row were written as one.
        start: Seconds.
        end: Seconds; None where the file gives no usable end.
        text: What is said.
        original: The same as it stands in the file.
        speaker: Who says it, if the file tells.
        written: Start and end on the clock of the transcript, once ``start`` and ``end`` are on that of the
            recording.
        whole: It is all that is said in its recording, from the beginning to the end: no times are known, and
            ``start`` is 0.
    """

    row: int
    start: float
    end: float | None
    text: str
    original: str
    speaker: str | None = None
    written: tuple[float, float] | None = None
    whole: bool = False

    @property
    def until(self) -> float:
        """The end, or the start where no end is known."""
        return self.start if self.end is None else self.end


@dataclass(frozen=True)
class Scene:
    """A mark at which a dialogue begins.

    Attributes:
        start: Seconds.
        end: Where the scene ends; None: where the next begins.
        name: What it is about, if the mark tells.
    """

    start: float
    end: float | None = None
    name: str | None = None


@dataclass(frozen=True)
class Fault:
    """What could not be taken as it stands: a cell, or without ``column`` the whole row (file: row 0)."""

    row: int
    reason: str
    original: str
    column: str | None = None


@dataclass
class Transcript:
    """What one file says.

    Attributes:
        path: The file.
        lines: Its lines in their order in the file.
        read: Rows that the file holds.
        ignored: Rows left out on purpose, by reason.
        faults: Rows and cells that could not be taken.
        scenes: Marks at which dialogues begin.
        notes: What people should know.
        media: Name of the recording, where the file tells; its path where several have that name.
        place: Where the recording is, as a path from the folder of the file, where the file tells.
        language: Language code, where the file tells.
        made_on_sound: The times were set on the sound itself: nothing is to be corrected.
    """

    path: Path
    lines: list[Line] = field(default_factory=list)
    read: int = 0
    ignored: Counter[str] = field(default_factory=Counter)
    faults: list[Fault] = field(default_factory=list)
    scenes: list[Scene] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    media: str | None = None
    place: str | None = None
    language: str | None = None
    made_on_sound: bool = True
