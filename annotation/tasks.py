"""Tasks of Label Studio from the tables of a project: one utterance, or one dialogue with a region a turn.

A task holds what its rater may see and nothing else: with past context no later turn, in the conditions
``audio`` and ``video`` no word of the transcript, neither of the utterance nor of the others, which are rated
too. Tasks are known by ``key`` in their data, since Label Studio uses its own ids again after a deletion.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import groupby
from typing import Any
from urllib.parse import quote

from annotation.labeling_config import TURN, turn_column, turn_label
from annotation.page import writable
from annotation.sheet import Sheet
from annotation.wordings import WORDS
from schemas import project as folder
from schemas.errors import InputError, Issue
from schemas.project import Project
from schemas.records import Condition, Context
from schemas.tables import read_table

Task = dict[str, Any]

TURNS_MODEL = "turns"
"""Model version of the prediction that only holds the regions of a dialogue's turns."""

FRAME_RATE = 25.0
"""Frames per second in which Label Studio counts the turns of a video, whatever the video itself has."""


@dataclass(frozen=True)
class Turn:
    """An utterance as annotators meet it.

    Attributes:
        utterance_id: Its id.
        speaker: Name of its speaker.
        text: Its text.
        start: Where it starts in the recording of the dialogue, in seconds; None where unknown.
        end: Where it ends.
        context_only: Whether it is shown and never rated.
    """

    utterance_id: str
    speaker: str | None
    text: str
    start: float | None = None
    end: float | None = None
    context_only: bool = False

    @property
    def seconds(self) -> float | None:
        """How long it takes; None where its times are unknown."""
        return None if self.start is None or self.end is None else self.end - self.start


@dataclass(frozen=True)
class Dialogue:
    """A dialogue: its turns in order, the language spoken, and its recording, a path within the project."""

    dialogue_id: str
    turns: tuple[Turn, ...]
    language: str | None = None
    media: str | None = None


def read_dialogues(project: Project) -> list[Dialogue]:
    """Read the dialogues of a project with the names of their speakers, in the order of its tables.

    Raises:
        InputError: A table is missing.
    """
    names: dict[str, str] = {}
    if project.has(folder.SPEAKERS):
        speakers = read_table(project.path(folder.SPEAKERS), ["speaker_id", "name"]).to_pylist()
        names = {row["speaker_id"]: row["name"] for row in speakers if row["name"]}
    languages = {
        row["dialogue_id"]: row["language"]
        for row in read_table(project.require(folder.DIALOGUES, "corpus import")).to_pylist()
    }
    rows = read_table(project.require(folder.UTTERANCES, "corpus import")).to_pylist()
    found = []
    for name, group in groupby(rows, key=lambda row: str(row["dialogue_id"])):
        own = list(group)
        turns = tuple(
            Turn(
                row["utterance_id"],
                names.get(row["speaker_id"], row["speaker_id"]),
                row["text"],
                row["start"],
                row["end"],
                row["context_only"],
            )
            for row in own
        )
        found.append(Dialogue(name, turns, languages.get(name), own[0]["media"]))
    return found


def media_url(path: str) -> str:
    """Return the URL under which Label Studio serves a file of the project, given its relative path."""
    return f"/data/local-files/?d={quote(path)}"


def utterance_task(dialogue: Dialogue, index: int, sheet: Sheet, clip: str | None = None) -> Task:
    """Make the task of one utterance.

    Args:
        dialogue: Its dialogue.
        index: Its place in it.
        sheet: What all tasks of the project have in common.
        clip: URL of its exact clip; not needed in the condition ``text``, whose tasks do not hold it.

    Raises:
        InputError: The condition shows media and there is no clip, or the utterance is never rated.
    """
    turn = dialogue.turns[index]
    _require_media(clip, sheet, turn.utterance_id)
    if turn.context_only:
        raise InputError(Issue("this utterance is context only, nobody rates it", value=turn.utterance_id))
    data = _data(sheet, turn.utterance_id, dialogue) | {
        "utterance_id": turn.utterance_id,
        "text": _line(turn, sheet, rated=True),
        "context": _html(dialogue.turns[:index], sheet, "starts_here"),
        "seconds": turn.seconds,
    }
    if sheet.context is Context.FULL:
        data["later"] = _html(dialogue.turns[index + 1 :], sheet, "ends_here")
    return {"data": data | _media(clip, sheet)}


def dialogue_task(dialogue: Dialogue, sheet: Sheet, recording: str | None = None) -> Task:
    """Make the task of a whole dialogue, with a region for each turn that is rated.

    Args:
        dialogue: The dialogue.
        sheet: What all tasks of the project have in common; its context is ``full``.
        recording: URL of its recording, in which the times of its turns count.

    Raises:
        InputError: Later turns are to be hidden, there are more turns than the page takes, or the condition
            shows media and there is no recording or turns have no times in it.
    """
    sheet.require_possible()
    _require_media(recording, sheet, dialogue.dialogue_id)
    rated = [turn for turn in dialogue.turns if not turn.context_only]
    if sheet.condition is not Condition.TEXT:
        message = "this turn has no times, so a dialogue page cannot play it"
        timeless = [Issue(message, value=turn.utterance_id) for turn in rated if turn.seconds is None]
        if timeless:
            raise InputError(timeless)
    if len(rated) > sheet.turns:
        message = f"this dialogue has {len(rated)} turns to rate and the page takes {sheet.turns}"
        raise InputError(Issue(message, value=dialogue.dialogue_id))
    numbers = {turn.utterance_id: f"{number}. " for number, turn in enumerate(rated, 1)}
    lines = [numbers.get(turn.utterance_id, "") + _line(turn, sheet, rated=False) for turn in dialogue.turns]
    shown = [numbers[turn.utterance_id] + _line(turn, sheet, rated=True) for turn in rated]
    data = _data(sheet, dialogue.dialogue_id, dialogue) | {
        "turns": [turn.utterance_id for turn in rated],
        "seconds": [turn.seconds for turn in rated],
        # Label Studio wants every column that its page names in every task.
        **{turn_column(number): "-" for number in range(1, sheet.turns + 1)},
        **{turn_column(number): line for number, line in enumerate(shown, 1)},
    }
    if sheet.condition is Condition.TEXT:
        lines = [_one_line(line) for line in lines]
        data["transcript"] = "\n".join(lines)
    else:
        data["transcript"] = _paragraphs(lines)
    regions = [_region(dialogue, turn, number, sheet, lines) for number, turn in enumerate(rated, 1)]
    return {
        "data": data | _media(recording, sheet),
        "predictions": [{"model_version": TURNS_MODEL, "result": regions}],
    }


def _data(sheet: Sheet, item: str, dialogue: Dialogue) -> Task:
    return {
        "key": sheet.key(item),
        "dialogue_id": dialogue.dialogue_id,
        "design": str(sheet.design),
        "condition": str(sheet.condition),
        "shown_context": str(sheet.context),
        "round": sheet.round,
        "schema_version": sheet.schema_version,
        "guideline_version": sheet.guideline_version,
    }


def _require_media(url: str | None, sheet: Sheet, item: str) -> None:
    if url is None and sheet.condition is not Condition.TEXT:
        message = (
            f"the condition {sheet.condition} needs a clip, and there is none ('corpus media' cuts them)"
        )
        raise InputError(Issue(message, value=item))


def _media(url: str | None, sheet: Sheet) -> Task:
    return {} if sheet.condition is Condition.TEXT else {"media": url, "fps": f"{FRAME_RATE:g}"}


def _line(turn: Turn, sheet: Sheet, *, rated: bool) -> str:
    """Return a turn as the condition shows it."""
    speaker = turn.speaker or WORDS["unknown_speaker"].get(sheet.language)
    if sheet.condition in (Condition.TEXT, Condition.FULL):
        said = turn.text
    elif rated:
        said = WORDS["listen" if sheet.condition is Condition.AUDIO else "watch"].get(sheet.language)
    else:
        said = "…"
    return writable(f"{speaker}{WORDS['colon'].get(sheet.language)}{said}")


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _html(turns: Sequence[Turn], sheet: Sheet, if_none: str) -> str:
    lines = [_line(turn, sheet, rated=False) for turn in turns]
    return _paragraphs(lines or [WORDS[if_none].get(sheet.language)])


def _paragraphs(lines: Sequence[str]) -> str:
    """Write lines as HTML."""
    return "<div>" + "".join(f"<p>{escape(line)}</p>" for line in lines) + "</div>"


def _region(
    dialogue: Dialogue, turn: Turn, number: int, sheet: Sheet, lines: Sequence[str]
) -> Mapping[str, object]:
    """Return the region of a turn: characters of the transcript, seconds of sound, or frames of the video."""
    label = turn_label(number)
    region = {"id": label, "from_name": TURN}
    if sheet.condition is Condition.TEXT:
        place = dialogue.turns.index(turn)
        start = sum(_length(line) + 1 for line in lines[:place])
        end = start + _length(lines[place])
        value = {"start": start, "end": end, "text": lines[place], "labels": [label]}
        return {**region, "to_name": "transcript", "type": "labels", "value": value}
    begin, stop = turn.start or 0.0, turn.end or 0.0
    if sheet.condition is Condition.AUDIO:
        value = {"start": begin, "end": stop, "channel": 0, "labels": [label]}
        return {**region, "to_name": "media", "type": "labels", "value": value}
    frames = {"start": max(1, round(begin * FRAME_RATE)), "end": max(2, round(stop * FRAME_RATE))}
    timeline: dict[str, object] = {"ranges": [frames], "timelinelabels": [label]}
    return {**region, "to_name": "media", "type": "timelinelabels", "value": timeline}


def _length(text: str) -> int:
    """Return how many UTF-16 units a text has: browsers count an emoji as two."""
    return len(text.encode("utf-16-le")) // 2
