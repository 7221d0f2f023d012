"""The JSON that WhisperX writes (and Whisper, without speakers): a segment a line."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from corpus.importers.lines import Fault, Line, Transcript
from corpus.importers.reading import read_json
from schemas.errors import InputError, Issue

_NO_TIME = "no time: start and end are seconds"
_NO_SEGMENT = "the segment is not a mapping with a text"


def read(path: Path) -> Transcript:
    """Read a WhisperX result.

    Raises:
        InputError: The file is not there, is empty, or is no JSON with segments.
    """
    content, encoding = read_json(path)
    segments = content.get("segments") if isinstance(content, dict) else None
    if not isinstance(segments, list):
        raise InputError(Issue("this JSON has no list of segments; is it of WhisperX?", str(path)))
    transcript = Transcript(path, notes=[f"{path.name}: {encoding}"], read=len(segments))
    language = content.get("language")
    transcript.language = language if isinstance(language, str) else None
    for row, segment in enumerate(segments, 1):
        original = json.dumps(segment, ensure_ascii=False)
        if not isinstance(segment, dict) or not isinstance(segment.get("text"), str):
            transcript.faults.append(Fault(row, _NO_SEGMENT, original))
            continue
        start, end = _seconds(segment.get("start")), _seconds(segment.get("end"))
        if start is None:
            transcript.faults.append(Fault(row, _NO_TIME, original))
            continue
        text = segment["text"].strip()
        speaker = segment.get("speaker")
        transcript.lines.append(Line(row, start, end, text, text, str(speaker) if speaker else None))
        if end is None:
            transcript.faults.append(Fault(row, _NO_TIME, str(segment.get("end")), "end"))
    return transcript


def _seconds(value: Any) -> float | None:  # noqa: ANN401 - whatever JSON can hold
    usable = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return float(value) if usable else None
