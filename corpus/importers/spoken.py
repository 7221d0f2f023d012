"""What of a transcript's lines is said, and by whom: sounds and songs go, names before a colon speak.

The line as it stands in the file is kept beside what is said.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from corpus.importers.cells import normalise
from corpus.importers.lines import Fault, Line, Transcript
from corpus.importers.quarantine import BLANK
from corpus.importers.two_speakers import shared_out, two_speakers

SOUND = "sounds only ([music], (laughs))"
SUNG = "sung lines (♪)"
WORDLESS = "lines without a word"
DOUBLED = "the same line again at the same time"
NAMES_SHARE = 0.3
"""From this share of lines on, what stands before a colon is a speaker; below, only what is in capitals."""

_SQUARE = re.compile(r"[\[【［][^\[\]【】［］]*[\]】］]")
_ROUND = re.compile(r"[(（]([^()（）]*)[)）]")
_STARRED = re.compile(r"\*[^*\n]+\*")
_SONG = re.compile(r"[♪♫♬♩🎵🎶][^♪♫♬♩🎵🎶]*[♪♫♬♩🎵🎶]?")
_PREFIX = re.compile(r"\s*([^:：\n]{1,30}?)\s*[:：](?!//)(?!(?<=\d.)\d)\s*(?=\S)")
_HAN = re.compile(r"[\u3400-\u9fff]")
_HAN_NAME = re.compile(r"[\u3400-\u9fff·0-9A-Za-z]{1,8}")
_WORD_OF_NAME = re.compile(r"(?:[A-ZÀ-ÖØ-Þ][\w.'’&-]*|#?\d+)")
_CAPITALS = re.compile(r"[A-ZÀ-ÖØ-Þ][A-ZÀ-ÖØ-Þ .'’&#\d-]+")
_LONGEST_SOUND = (3, 6)  # words, or Chinese characters, of a sound in round brackets
_END_OF_CLAUSE = "，。！？；：、…—～,.!?;:"


def take_spoken(transcript: Transcript) -> None:
    """Leave in a transcript what is said; rows of which nothing is left are counted with their reason."""
    names = _names_in_use(transcript.lines)
    kept: list[Line] = []
    reasons: dict[int, str] = {}
    for line in transcript.lines:
        parts = list(_parts(line, names))
        reasons.setdefault(line.row, _reason(line))
        kept += parts
    left = {line.row for line in kept}
    for row, reason in reasons.items():
        if row in left:
            continue
        if reason == BLANK:
            original = next(line.original for line in transcript.lines if line.row == row)
            transcript.faults.append(Fault(row, BLANK, original))
        else:
            transcript.ignored[reason] += 1
    transcript.lines = _once(sorted(kept, key=lambda line: line.start), transcript)


def joined(texts: Iterable[str]) -> str:
    """Join lines to one text; no space is put after Chinese punctuation."""
    whole = ""
    for text in (one.strip() for one in texts):
        if not text:
            continue
        close = not whole or (whole[-1] in _END_OF_CLAUSE and bool(_HAN.match(text)))
        whole += text if close else f" {text}"
    return whole


def _parts(line: Line, names: bool) -> Iterator[Line]:
    """Give what each speaker of a line says, without what is not said."""
    texts = [line.text]
    if not line.whole:  # one who speaks has the recording
        names_stand_here = names and not line.speaker
        texts = [part for text in two_speakers(line.text) for part in _by_name(text, names_stand_here)]
    end = line.until
    for text, (start, until) in zip(texts, shared_out(line.start, end, texts), strict=True):
        speaker, said = (line.speaker, text) if line.speaker else _speaker(text, names)
        said = _said(said)
        if any(letter.isalnum() for letter in said):
            original = line.original if len(texts) == 1 else text
            last = None if line.end is None else until
            yield replace(line, start=start, end=last, text=said, original=original, speaker=speaker)


def _by_name(text: str, names: bool) -> list[str]:
    """Cut a text before each of its lines that begins with a name."""
    parts: list[str] = []
    for one in text.split("\n"):
        if parts and not (names and _speaker(one, names)[0]):
            parts[-1] += f"\n{one}"
        else:
            parts.append(one)
    return parts


def _speaker(text: str, names: bool) -> tuple[str | None, str]:
    """Return the name before a colon, and the text after it."""
    found = _PREFIX.match(text)
    if found is None:
        return None, text
    name = found.group(1)
    is_name = _like_a_name(name) if names else bool(_CAPITALS.fullmatch(name))
    return (name, text[found.end() :]) if is_name else (None, text)


def _like_a_name(text: str) -> bool:
    if _HAN.search(text):
        return bool(_HAN_NAME.fullmatch(text))
    words = text.split()
    return (
        0 < len(words) <= 3
        and all(_WORD_OF_NAME.fullmatch(word) for word in words)
        and not words[0].isdigit()
    )


def _names_in_use(lines: list[Line]) -> bool:
    first = [_PREFIX.match(line.text) for line in lines if not line.speaker]
    named = sum(bool(found and _like_a_name(found.group(1))) for found in first)
    return bool(first) and named >= NAMES_SHARE * len(first)


def _said(text: str) -> str:
    text = _SONG.sub(" ", _STARRED.sub(" ", _SQUARE.sub(" ", text)))
    text = _ROUND.sub(lambda found: " " if _is_sound(found.group(1)) else found.group(0), text)
    whole = _ROUND.fullmatch(text.strip())  # a thought, or a voice from elsewhere
    return joined((whole.group(1) if whole else text).split("\n"))


def _is_sound(text: str) -> bool:
    words, characters = _LONGEST_SOUND
    return len(_HAN.findall(text)) <= characters if _HAN.search(text) else len(text.split()) <= words


def _reason(line: Line) -> str:
    """Say why nothing of a line is left, should that be so."""
    if not normalise(line.text):
        return BLANK
    if not any(letter.isalnum() for letter in line.text) and not _SONG.search(line.text):
        return WORDLESS
    return SUNG if _SONG.search(line.text) else SOUND


def _once(lines: list[Line], transcript: Transcript) -> list[Line]:
    """Leave out lines that stand there twice, as layers of an ASS file do."""
    kept: list[Line] = []
    seen: dict[tuple[float, str], Line] = {}
    for line in lines:
        earlier = seen.setdefault((line.start, normalise(line.text)), line)
        if earlier is line or earlier.row == line.row:
            kept.append(line)
        else:
            transcript.ignored[DOUBLED] += 1
    return kept
