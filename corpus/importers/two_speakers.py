"""Lines in which two people speak: ``- Ready? - Yes!``, one dash each."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import accumulate, pairwise

# Chinese leaves no space after the end of a sentence; its long dash may go on with one.
_DASH = re.compile(r"(?:^|(?<=\n)|(?<=\s)|(?<=[。！？])(?!—))[-–—‐‑−﹣－]+\s*(?=\S)")


def two_speakers(text: str) -> list[str]:
    """Return what each of the speakers of a line says; a line of one speaker as it stands.

    Every part begins with a dash, on a line of its own, after a space or after ``。！？``; a dash within a
    sentence (``yes - no``) does not count, since the line does not begin with one.
    """
    stripped = text.strip()
    places = [match.span() for match in _DASH.finditer(stripped)]
    if len(places) < 2 or places[0][0] != 0:
        return [text]
    ends = [start for start, _ in places[1:]] + [len(stripped)]
    parts = [stripped[first:end].strip() for (_, first), end in zip(places, ends, strict=True)]
    return parts if all(parts) else [text]


def shared_out(start: float, end: float, texts: Sequence[str]) -> list[tuple[float, float]]:
    """Share out a stretch of time by the letters of each part; what was said by whom when, nobody wrote.

    Args:
        start: Seconds.
        end: Seconds.
        texts: The parts in their order, at least one.
    """
    letters = [max(sum(letter.isalnum() for letter in text), 1) for text in texts]
    total = sum(letters)
    places = [start + (end - start) * done / total for done in accumulate(letters, initial=0)]
    return [(round(first, 3), round(last, 3)) for first, last in pairwise(places)]
