"""Ids that stay: annotations hang on them.

An id names the recording and the stretch of the transcript, in milliseconds of its own clock:
``srt_episode01_00012340-00014500``. The same file gives the same ids, whatever offset to the sound is found,
and an utterance that other rules merge otherwise is another stretch, so it never takes over the id of a part
of it. When a corrected file is imported, its utterances are held against those that stand there, and what is
the same keeps its id. docs/decisions/0008-ids-of-utterances.md tells why.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import chain, product
from string import ascii_lowercase

import numpy as np

from corpus.importers.cells import normalise
from corpus.importers.chinese import simplified

DRIFT = 1.0
"""Seconds that the same words may move more or less than the words around them."""
SAME_PLACE = 0.25
"""Seconds that both ends of an utterance may differ whose words were corrected."""
SAME_WORDS = 0.5
"""Similarity of corrected words, 0 to 1 (Ratcliff and Obershelp)."""

_AROUND = 7  # utterances on either side whose movement is compared
_UNSAFE = re.compile(r"[^\w.-]+")


@dataclass(frozen=True)
class Stretch:
    """An utterance, as far as it tells which one it is.

    Attributes:
        start: Seconds in the recording.
        end: Seconds in the recording.
        text: What is said.
        key: Its id; of a new one the id that it gets if it is none of the known ones.
        dialogue: The id of its dialogue, of known ones.
    """

    start: float
    end: float
    text: str
    key: str
    dialogue: str = ""


def recording_prefix(source: str, recording: str) -> str:
    """Return what the ids of a recording begin with; only what file names of all systems can hold."""
    return f"{_UNSAFE.sub('_', source)}_{_UNSAFE.sub('_', recording).strip('_')}"


def clock(seconds: float) -> str:
    """Write a time for an id: milliseconds, eight digits."""
    return f"{max(round(1000 * seconds), 0):08d}"


def utterance_ids(new: Sequence[Stretch], known: Sequence[Stretch]) -> list[str]:
    """Return the ids of the utterances of a recording.

    Those that are known keep theirs: the same words in the same order, moved as the words around them are
    moved; or other words (a corrected spelling) that are similar and begin and end where the known ones do.

    Args:
        new: In the order of their starts.
        known: Those that stand in the project, likewise.
    """
    pairs = _same_words(known, new)
    pairs |= _same_places(known, new, pairs)
    ids = {place: known[one].key for one, place in pairs.items()}
    taken = {one.key for one in known}
    for place, one in enumerate(new):
        if place not in ids:
            ids[place] = _free(one.key, taken)
            taken.add(ids[place])
    return [ids[place] for place in range(len(new))]


def dialogue_ids(
    dialogues: Sequence[Sequence[str]], keys: Sequence[str], known: Sequence[Stretch]
) -> list[str]:
    """Return the ids of dialogues: one that holds most of what is left of a known dialogue is that dialogue.

    Args:
        dialogues: The ids of the utterances of each.
        keys: The id that each gets if it is none of the known ones.
        known: The utterances that stand in the project.
    """
    left = set(chain.from_iterable(dialogues))
    home = {one.key: one.dialogue for one in known if one.key in left}
    sizes = Counter(home.values())
    taken = set(sizes)
    ids = []
    for key, utterances in zip(keys, dialogues, strict=True):
        held = Counter(home[one] for one in utterances if one in home)
        old, count = held.most_common(1)[0] if held else ("", 0)
        ids.append(old if 2 * count > sizes[old] else _free(key, taken))
        taken.add(ids[-1])
    return ids


def _free(key: str, taken: set[str]) -> str:
    """Return the id, with a letter behind it where another utterance has it or had it."""
    longer = chain.from_iterable(product(ascii_lowercase, repeat=size) for size in range(1, 5))
    return next(
        one for one in chain([key], (key + "".join(letters) for letters in longer)) if one not in taken
    )


def _letters(text: str) -> str:
    return "".join(letter for letter in simplified(normalise(text)).casefold() if letter.isalnum())


def _same_words(known: Sequence[Stretch], new: Sequence[Stretch]) -> dict[int, int]:
    before, after = ([_letters(one.text) for one in side] for side in (known, new))
    blocks = SequenceMatcher(None, before, after, autojunk=False).get_matching_blocks()
    pairs = [(block.a + n, block.b + n) for block in blocks for n in range(block.size)]
    moved = np.array([new[place].start - known[one].start for one, place in pairs])
    return {
        one: place
        for number, (one, place) in enumerate(pairs)
        if abs(moved[number] - np.median(moved[max(0, number - _AROUND) : number + _AROUND + 1])) <= DRIFT
    }


def _same_places(known: Sequence[Stretch], new: Sequence[Stretch], pairs: dict[int, int]) -> dict[int, int]:
    """Pair utterances that begin and end at the same places and whose words are similar."""
    found: dict[int, int] = {}
    matched = set(pairs.values())
    movement = _movement(known, new, pairs)
    for number, old in enumerate(known):
        if number in pairs:
            continue
        shift = movement(old.start)
        for place, one in enumerate(new):
            near = max(abs(one.start - old.start - shift), abs(one.end - old.end - shift)) <= SAME_PLACE
            if near and place not in matched and _similar(old.text, one.text):
                found[number] = place
                matched.add(place)
                break
    return found


def _movement(
    known: Sequence[Stretch], new: Sequence[Stretch], pairs: dict[int, int]
) -> Callable[[float], float]:
    """Return by how much utterances of the same words around a time were moved."""
    starts = np.array([known[one].start for one in pairs])
    moved = np.array([new[place].start - known[one].start for one, place in pairs.items()])

    def around(time: float) -> float:
        if not len(moved):
            return 0.0
        nearest = np.argsort(np.abs(starts - time), kind="stable")[: 2 * _AROUND + 1]
        return float(np.median(moved[nearest]))

    return around


def _similar(first: str, second: str) -> bool:
    return SequenceMatcher(None, _letters(first), _letters(second), autojunk=False).ratio() >= SAME_WORDS


def known_of(prefix: str, known: Sequence[Stretch]) -> Iterator[Stretch]:
    """Give the known utterances of one recording."""
    return (one for one in known if one.key.rpartition("_")[0] == prefix)
