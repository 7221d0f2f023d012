"""The keys of the labeling page: which are reserved, and how choices get theirs.

Label Studio tells keys apart by their place on the keyboard, whatever letter they type, and fires every
choice that has the key, hidden ones too. So every choice of a page has a key of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from schemas.errors import InputError, Issue

PLAY = "enter"
"""Plays the clip, and plays it again when it has ended."""
SUBMIT = "ctrl+enter"
SKIP = "ctrl+space"
UNDO = "ctrl+z"
NEXT_TURN = "tab"
"""Selects the next turn on the dialogue page."""
PLAIN_CASE = "space"
"""Answers everything at once for an utterance in which nothing stands out."""

USER_HOTKEYS: dict[str, dict[str, dict[str, str | bool]]] = {
    "custom_hotkeys": {
        name: {"key": key, "active": True}
        for name, key in {
            "video:media:playpause": PLAY,
            "audio:audio:playpause": PLAY,
            "regions:region:focus": "ctrl+alt+f9",
            "regions:region:unselect": "ctrl+alt+f8",
            "regions:region:cycle": NEXT_TURN,
            # These would lose a turn of the dialogue page.
            "regions:region:delete": "ctrl+alt+f7",
            "regions:region:delete-all": "ctrl+alt+f6",
        }.items()
    }
}
"""What ``PATCH /api/current-user/hotkeys/`` is sent once for each annotator."""

LABEL_KEYS = [f"ctrl+alt+shift+f{number}" for number in range(1, 12)]
"""Keys that nobody presses, for controls that must have one. They may repeat."""

# `u` unselects the turn where an annotator's key map is not set; a comma separates keys; `-`, `=` and `;`
# have other codes in Firefox.
_ROWS = ("1234567890", "qwertyiop[]\\", "asdfghjkl'", "zxcvbnm./", "`")
# Alt or Ctrl with one key are shortcuts of browsers, so they are not used.
_LAYERS = ("", "shift+", "alt+shift+", "ctrl+alt+", "ctrl+alt+shift+")
_TAKEN = frozenset({"shift+."})  # of Label Studio's list of tasks

KEY_COUNT = sum(len(row) for row in _ROWS) * len(_LAYERS) - len(_TAKEN)


def allot(wanted: Sequence[int], later: Sequence[int]) -> tuple[list[list[str]], list[list[str]]]:
    """Give keys to controls, neighbours on the keyboard to the choices of one control.

    Args:
        wanted: Numbers of choices of the controls that every utterance needs; they get the plain keys, the
            largest first, so that a scale from 1 to 9 gets the digits.
        later: Numbers of choices of the others; they get what is left.

    Returns:
        For each control of both lists its keys, all of them different.

    Raises:
        InputError: The page would need more keys than there are.
    """
    if sum(wanted) + sum(later) > KEY_COUNT:
        message = (
            f"a page of this schema needs {sum(wanted) + sum(later)} keys and there are {KEY_COUNT}; "
            "make fields of fewer values, or split the schema into rounds"
        )
        raise InputError(Issue(message))
    free = [[layer + key for key in row if layer + key not in _TAKEN] for layer in _LAYERS for row in _ROWS]
    first: list[list[str]] = [[] for _ in wanted]
    for place in sorted(range(len(wanted)), key=lambda place: -wanted[place]):
        first[place] = list(_take(free, wanted[place]))
    return first, [list(_take(free, count)) for count in later]


def _take(free: list[list[str]], count: int) -> Iterator[str]:
    """Take keys from the first row that has enough of them, else from several rows."""
    while count:
        row = next((row for row in free if len(row) >= count), None) or next(row for row in free if row)
        taken = row[:count]
        del row[:count]
        yield from taken
        count -= len(taken)
