"""Which tiers of a Praat or ELAN file hold what is said, and by whom."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from corpus.importers.lines import SCENE_NAMES
from schemas.errors import InputError, Issue

# Tiers that forced aligners and coders make beside the transcript.
_PARTS = frozenset(
    {"word", "words", "phone", "phones", "phoneme", "phonemes", "syllable", "syllables", "notes"}
)
# Tiers named after what they hold, and not after who speaks.
_NOBODY = frozenset(
    "text transcript transcription utterance utterances sentence sentences speech orthography default "
    "subtitle subtitles line lines 文本 转写 轉寫 话语 話語 句子 字幕 台词 台詞".split()
)


def spoken_tiers(names: Iterable[str], wanted: Sequence[str], path: Path) -> list[str]:
    """Return the tiers that are imported: those asked for, or all that can be what is said.

    Raises:
        InputError: A tier that was asked for is not there.
    """
    found = list(names)
    lacking = [name for name in wanted if name not in found]
    if lacking:
        raise InputError([Issue("no such tier", str(path), value=name, choices=found) for name in lacking])
    return list(wanted) or [
        name for name in found if not is_scene_tier(name) and _last_word(name) not in _PARTS
    ]


def is_scene_tier(name: str) -> bool:
    """Say whether a tier marks where dialogues begin."""
    return name.strip().casefold() in SCENE_NAMES


def tier_speaker(name: str) -> str | None:
    """Return the speaker that a tier is named after; None where it is named after what it holds."""
    return None if name.strip().casefold() in _NOBODY else name.strip() or None


def _last_word(name: str) -> str:
    """``Dana - words`` is the tier of words of Dana."""
    return name.replace("-", " ").replace("_", " ").casefold().split(" ")[-1]
