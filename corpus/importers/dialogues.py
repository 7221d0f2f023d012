"""Cutting the utterances of a recording into dialogues: at scene marks if there are any, else at pauses."""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from pathlib import Path

from corpus.importers.cells import seconds
from corpus.importers.lines import Fault, Line, Scene
from corpus.importers.merging import Utterance
from corpus.importers.reading import read_delimited
from schemas.errors import InputError

PAUSE = 5.0
"""Seconds without speech that end a dialogue; in CMMA 99% of the pauses within dialogues are shorter."""


def scene_numbers(lines: Sequence[Line], scenes: Sequence[Scene]) -> list[int | None]:
    """Return for each line the number of the scene that its middle lies in; None outside of all scenes."""
    marks = sorted(scenes, key=lambda scene: scene.start)
    starts = [scene.start for scene in marks]
    numbers: list[int | None] = []
    for line in lines:
        middle = (line.start + line.until) / 2
        place = bisect.bisect_right(starts, middle) - 1
        end = marks[place].end if place >= 0 else 0.0
        numbers.append(place if place >= 0 and (end is None or middle <= end) else None)
    return numbers


def cut(utterances: Sequence[Utterance], pause: float, at_scenes: bool) -> list[list[Utterance]]:
    """Cut utterances into dialogues.

    Args:
        utterances: In the order of their starts.
        pause: Seconds without speech that end a dialogue.
        at_scenes: Cut where the scene changes, and not at pauses.
    """
    dialogues: list[list[Utterance]] = []
    spoken_until = 0.0
    for one in utterances:
        new = not dialogues
        if dialogues:
            last = dialogues[-1][-1]
            new = one.scene != last.scene if at_scenes else one.start - spoken_until > pause
        if new:
            dialogues.append([])
        dialogues[-1].append(one)
        spoken_until = max(spoken_until, one.start if one.end is None else one.end)
    return dialogues


def read_scenes(path: Path) -> tuple[list[Scene], int, list[Fault]]:
    """Read scene marks from a table with the columns ``start`` and, if known, ``end`` and ``name``.

    Returns:
        The scenes, the number of rows, and the rows whose times could not be read.

    Raises:
        InputError: The file cannot be read or has no column ``start``.
    """
    table = read_delimited(path)
    issues = table.require(["start"])
    if issues:
        raise InputError(issues)
    scenes: list[Scene] = []
    faults = [Fault(row, table.fault, text) for row, text in table.broken]
    for row, cells in zip(table.rows.to_pylist(), table.columns.to_pylist(), strict=True):
        end = (cells.get("end") or "").strip()
        name = (cells.get("name") or "").strip()
        try:
            scenes.append(Scene(seconds(cells["start"].strip()), seconds(end) if end else None, name or None))
        except ValueError:
            faults.append(Fault(row, "no time of a scene", str(cells)))
    return scenes, len(table.rows) + len(table.broken), faults
