"""Praat TextGrids (text, short text or JSON), read by praatio: a tier a speaker, an interval a line."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from praatio.utilities.constants import INTERVAL_TIER  # type: ignore[import-untyped]
from praatio.utilities.errors import PraatioException  # type: ignore[import-untyped]
from praatio.utilities.textgrid_io import parseTextgridStr  # type: ignore[import-untyped]

from corpus.importers.lines import Fault, Line, Scene, Transcript
from corpus.importers.reading import decode
from corpus.importers.subtitles import NEGATIVE, SCENE_MARK
from corpus.importers.tiers import is_scene_tier, spoken_tiers, tier_speaker
from schemas.errors import InputError, Issue

_NO_TIME = "no readable time"
_BELOW_ZERO = re.compile(r"(?m)^\s*(?:xmin|xmax)\s*=\s*-\s*0*\.?0*[1-9]")


def read(path: Path, tiers: Sequence[str] = ()) -> Transcript:
    """Read a TextGrid.

    Args:
        path: The file.
        tiers: Which interval tiers are imported; by default all but those of scenes, words and phones.

    Raises:
        InputError: The file is not there, is empty or no TextGrid, or lacks a tier that was asked for.
    """
    text, encoding = decode(path)
    if "ooTextFile" not in text[:1000] and not text.lstrip().startswith("{"):
        raise InputError(Issue("this is no TextGrid of Praat", str(path)))
    if _BELOW_ZERO.search(text):
        # praatio reads them without their sign.
        raise InputError(Issue(f"this TextGrid has {NEGATIVE}; shift its times in Praat first", str(path)))
    try:
        found = parseTextgridStr(text, includeEmptyIntervals=True)["tiers"]
        intervals = {
            str(tier["name"]): [
                (str(start), str(end), str(label).strip()) for start, end, label in tier["entries"]
            ]
            for tier in found
            if tier["class"] == INTERVAL_TIER
        }
    except (PraatioException, ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
        raise InputError(Issue(f"this TextGrid is broken: {error}", str(path))) from None
    chosen = spoken_tiers(intervals, tiers, path)
    transcript = Transcript(path, notes=[f"{path.name}: {encoding}; tiers {', '.join(chosen) or 'none'}"])
    for name, entries in intervals.items():
        for start, end, label in entries:
            if label:
                _add(transcript, name, start, end, label, name in chosen)
    if not transcript.read:
        raise InputError(Issue("no interval of this TextGrid has a text", str(path)))
    return transcript


def _add(transcript: Transcript, tier: str, start: str, end: str, label: str, chosen: bool) -> None:
    transcript.read += 1
    row = transcript.read
    if not chosen and not is_scene_tier(tier):
        transcript.ignored[f"tier {tier!r}"] += 1
        return
    try:
        times = float(start), float(end)
    except ValueError:
        transcript.faults.append(Fault(row, _NO_TIME, f"{start} {end} {label}"))
        return
    if chosen:
        transcript.lines.append(Line(row, *times, label, label, tier_speaker(tier)))
    else:
        transcript.scenes.append(Scene(*times, label))
        transcript.ignored[SCENE_MARK] += 1
