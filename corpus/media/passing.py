"""Utterances on their way past the streams of a recording, and what of these they look at."""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Iterable
from concurrent.futures import Future
from dataclasses import dataclass, field
from itertools import accumulate
from math import ceil
from typing import Any, TypeAlias

import av

from corpus.media.clip import ClipWriter
from corpus.media.plan import Recipe, Wanted
from corpus.media.sound import Cut, Samples

NEAR = 0.005
"""Seconds: subtitles say hundredths, so a time this near to a cut means the cut."""

Rows: TypeAlias = "list[dict[str, Any]]"
"""The pictures made of one frame: it and the faces in it."""

_ROUNDING = 0.001  # seconds: more than two ways to the same time differ


@dataclass(eq=False)
class Utterance:
    """An utterance while it is cut."""

    wanted: Wanted
    start: float
    end: float
    sides: int  # what is not done yet of pictures, sound, and sound of the clip
    cut: Cut
    clip_cut: Cut | None
    picture_fault: str | None = None
    sound_fault: str | None = None
    shown_to: float | None = None
    clip: ClipWriter | None = None
    last: av.VideoFrame | None = None
    early: list[Samples] = field(default_factory=list)  # sound of the clip from before its first picture
    pictures: list[tuple[float, Future[Rows]]] = field(default_factory=list)  # by their time
    times: int = 0
    seen: bool = False
    samples: list[Samples] = field(default_factory=list)
    row: dict[str, Any] = field(default_factory=dict)


class Looked:
    """Says which pictures of a recording are looked at: of clips all, of frames those at their times."""

    def __init__(self, utterances: Iterable[Utterance], recipe: Recipe) -> None:
        self._all = sorted(utterances, key=lambda one: one.start)
        self._starts = [one.start for one in self._all]
        self._reach = list(accumulate((one.end for one in self._all), max))
        self._recipe = recipe

    def __call__(self, start: float, end: float) -> bool:
        """Say whether a picture that is shown from one time to another is looked at."""
        start, end = start - NEAR - _ROUNDING, end + _ROUNDING
        number = bisect_left(self._starts, end)
        while number and self._reach[number - 1] > start:
            number -= 1
            if self._looks(self._all[number], start, end):
                return True
        return False

    def _looks(self, one: Utterance, start: float, end: float) -> bool:
        if self._recipe.clips:
            return one.end > start
        times = max(0, ceil((start - one.start) * self._recipe.rate))
        return one.start + times / self._recipe.rate < min(end, one.end)


class Lane:
    """Utterances on their way past one stream, in order of their starts."""

    def __init__(self, utterances: Iterable[Utterance]) -> None:
        self._waiting = deque(sorted(utterances, key=lambda one: (one.start, one.end)))
        self._here: list[Utterance] = []

    def here(self, before: float) -> list[Utterance]:
        """Return the utterances that have begun before a time and are not over."""
        while self._waiting and self._waiting[0].start < before:
            self._here.append(self._waiting.popleft())
        return self._here

    def over(self, by: float) -> list[Utterance]:
        """Take out and return those that are over by a time; all that are left when it is infinite."""
        if by == float("inf"):
            self.here(by)
        gone = [one for one in self._here if one.end <= by]
        self._here = [one for one in self._here if one.end > by]
        return gone
