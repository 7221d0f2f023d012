"""Pushing tasks: what a rater's project lacks, and nothing that stands there already.

The server is looked at before every attempt, and tasks are known by their keys, so a push that was cut, timed
out or ran twice ends in the same state: each task once, in the rater's order.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import quote

from annotation.ahead import ahead
from annotation.assignment import Stop
from annotation.client import Client, Json, pause
from annotation.daily_portion import midnight, portion
from annotation.installation import Tell, silent
from annotation.predictions import Prediction, predicted, read_predictions
from annotation.pulled import Index, answered_keys, read_index
from annotation.rounds import Round, read_round, read_rounds, schema_of
from annotation.server_faults import PASSING, NotFound, ServerDown
from annotation.sheet import Design, Sheet
from annotation.standing import Receipts, Standing
from annotation.taking_turns import in_turn
from annotation.tasks import Dialogue, dialogue_task, media_url, read_dialogues, utterance_task
from annotation.timesheet import time_zone
from schemas.errors import InputError, Issue
from schemas.label_schema import LabelSchema
from schemas.project import Project
from schemas.records import Condition
from schemas.round_settings import RoundSettings

BATCH = 500
"""Tasks of one request: large enough for speed, small enough that a cut connection costs little."""

_ATTEMPTS = 6
_KINDS = {
    Condition.FULL: (".mp4", ".webm", ".mkv", ".mov", ".wav", ".flac", ".mp3", ".ogg", ".m4a"),
    Condition.VIDEO: (".mp4", ".webm", ".mkv", ".mov"),
    Condition.AUDIO: (".wav", ".flac", ".mp3", ".ogg", ".m4a", ".mp4", ".webm"),
}

Make = Callable[[], Json]


@dataclass
class Pushed:
    """What a push did for one rater.

    Attributes:
        round: The round.
        rater: The rater's pseudonym.
        new: Tasks that were pushed.
        there: Tasks that stood there already.
        removed: Doubled tasks without a rating that were deleted.
        gone: Rated tasks that somebody deleted on the server; they are not pushed again, their ratings stay.
        held: Tasks that wait for another day, because of the round's ``daily_limit``.
        later: Tasks that wait because the rater has not yet rated all of their dialogue in a round that
            shows less of it.
    """

    round: str
    rater: str
    new: int = 0
    there: int = 0
    removed: int = 0
    gone: int = 0
    held: int = 0
    later: int = 0


@in_turn
def push(
    project: Project,
    name: str | None = None,
    *,
    predictions: Path | None = None,
    zone: str = "UTC",
    client: Client | None = None,
    tell: Tell = silent,
) -> list[Pushed]:
    """Push the tasks that the raters' projects lack, of a round with a ``daily_limit`` no more than that.

    Args:
        project: The project.
        name: The round; None for all that this server holds.
        predictions: A table of predictions to show to raters, see `predictions.read_predictions`. Tasks that
            stand there already get none.
        zone: Time zone of the raters' days.
        client: The server; None for the one the project works with.
        tell: Gets a line for each step.

    Returns:
        What was done, rater by rater.

    Raises:
        InputError: There is no round or time zone, an utterance lacks what its page shows, or the server
            fails; the next push continues.
    """
    client, local = client or Client.of(project), time_zone(zone)
    every = read_rounds(project)
    rounds = [read_round(project, name)] if name is not None else every
    rounds = [one for one in rounds if one.server == client.name]
    if not rounds:
        raise InputError("no round was set up on this server; 'annotation setup --round NAME' makes one")
    dialogues = {one.dialogue_id: one for one in read_dialogues(project)}
    clips, index, receipts = Clips(project), read_index(project), Receipts(project)
    found = []
    for one in rounds:
        for rater in one.queues:
            if rater not in one.projects:
                message = "this rater has no project yet; run 'annotation setup' again"
                raise InputError(Issue(message, f"round {one.name}", value=rater))
            whole = dict(tasks_of(one, rater, dialogues, clips))
            waiting = _unfinished_poorer(one, rater, every, dialogues, index)
            wanted = dict(tasks_of(one, rater, dialogues, clips, waiting)) if waiting else whole
            if predictions is not None:
                schema = schema_of(project, one)
                said = read_predictions(predictions, schema)
                wanted = {key: partial(_predicted, make, said, schema) for key, make in wanted.items()}
            tell(f"pushing to {one.name} · {rater}")
            rated, number = answered_keys(index, one.name, rater, skipped=False), one.projects[rater]
            today, limit = wanted, project.settings.rounds.get(one.name, RoundSettings()).daily_limit
            with _naming(one, rater):
                if limit is not None:
                    tasks = client.tasks(number) if client.project(number)["task_number"] else []
                    today = portion(wanted, tasks, rated, limit, midnight(client.date, local))
                done = push_missing(client, number, today, receipts, rated)
            held, later = len(wanted) - len(today), len(whole) - len(wanted)
            found.append(Pushed(one.name, rater, *done, held=held, later=later))
    return found


@contextmanager
def _naming(made: Round, rater: str) -> Iterator[None]:
    """Say whose project it is that does not stand on the server any more."""
    try:
        yield
    except NotFound:
        message = (
            "somebody deleted this rater's project on the server; 'annotation setup' with the words of this "
            "round makes it again, with what is not rated yet"
        )
        raise InputError(Issue(message, f"round {made.name}", value=rater)) from None


def _unfinished_poorer(
    made: Round, rater: str, rounds: Sequence[Round], dialogues: Mapping[str, Dialogue], index: Index
) -> frozenset[str]:
    """Return the dialogues that the rater has still to rate where less is shown of them, in another round.

    A rater of whom that is not known yet must not see more of them first.
    """
    found: set[str] = set()
    for one in rounds:
        if rater in one.queues and made.shows_more(one.condition, one.context):
            answered = answered_keys(index, one.name, rater, skipped=True)
            for stop in one.queues[rater]:
                if not answered.issuperset(_keys(one, rater, stop, dialogues)):
                    found.add(stop.dialogue)
    return frozenset(found)


def _keys(made: Round, rater: str, stop: Stop, dialogues: Mapping[str, Dialogue]) -> Iterator[str]:
    """Yield the keys of the tasks of one place in a rater's queue; none of a dialogue that is gone."""
    sheet = made.sheet(rater, stop.occasion)
    dialogue = dialogues.get(stop.dialogue)
    if dialogue is not None and made.design is Design.DIALOGUE:
        yield sheet.key(dialogue.dialogue_id)
    elif dialogue is not None:
        yield from (sheet.key(turn.utterance_id) for turn in dialogue.turns if not turn.context_only)


def push_missing(
    client: Client,
    project: int,
    wanted: Mapping[str, Make],
    receipts: Receipts,
    rated: frozenset[str] = frozenset(),
) -> tuple[int, int, int, int]:
    """Push the tasks that a project lacks and delete doubled ones.

    Args:
        client: The server.
        project: Number of the project.
        wanted: How to make each task, by key, in order.
        receipts: What stood in the projects when the last push ended.
        rated: Keys whose ratings were pulled already; they are not pushed again where they were deleted.

    Returns:
        Tasks pushed, there before, deleted as doubles, and rated but gone.
    """
    known = receipts.keys(client, project)
    first = frozenset(Standing.of(client, project).tasks) if known is None else known
    there, standing = sum(key in first for key in wanted), first
    for attempt in range(_ATTEMPTS):
        missing = [key for key in wanted if key not in standing and key not in rated]
        try:
            _push_batches(client, project, [(key, wanted[key]) for key in missing])
            break
        except PASSING as fault:
            if attempt == _ATTEMPTS - 1 or isinstance(fault, ServerDown):
                raise
        # The request may have been carried out, in whole or not at all: look before sending anything again.
        pause(attempt)
        standing = frozenset(Standing.of(client, project).tasks)
    standing |= frozenset(missing)
    removed = 0
    if (known is None or standing != known) and not receipts.note(client, project, standing):
        removed = _remove_doubles(client, project)
        receipts.note(client, project, standing)
    gone = sum(key in rated and key not in standing for key in wanted)
    return sum(key in standing and key not in first for key in wanted), there, removed, gone


def _push_batches(client: Client, project: int, tasks: Sequence[tuple[str, Make]]) -> None:
    starts = range(0, len(tasks), BATCH)
    for batch in ahead([make() for _, make in tasks[first : first + BATCH]] for first in starts):
        client.import_tasks(project, batch)


def _remove_doubles(client: Client, project: int) -> int:
    """Delete tasks that came twice: of each key, the ones without annotations, but for one task."""
    removed = 0
    for tasks in Standing.of(client, project).tasks.values():
        spare = sorted((number for number, rated in tasks if not rated), reverse=True)
        for number in spare[: len(tasks) - 1]:
            client.delete_task(number)
            removed += 1
    return removed


def tasks_of(
    made: Round,
    rater: str,
    dialogues: Mapping[str, Dialogue],
    clips: Clips,
    without: Collection[str] = (),
) -> Iterator[tuple[str, Make]]:
    """Yield the key of every task of a rater with what makes it, in the rater's order.

    Args:
        made: The round.
        rater: The rater's pseudonym.
        dialogues: The dialogues of the project.
        clips: The clips of the project.
        without: Dialogues to leave out.

    Raises:
        InputError: A dialogue of the round is no longer in the project.
    """
    for stop in made.queues[rater]:
        if stop.dialogue in without:
            continue
        dialogue = dialogues.get(stop.dialogue)
        if dialogue is None:
            message = "a dialogue of this round is no longer in the project"
            raise InputError(Issue(message, f"round {made.name}", value=stop.dialogue))
        sheet = made.sheet(rater, stop.occasion)
        if made.design is Design.DIALOGUE:
            yield sheet.key(dialogue.dialogue_id), _dialogue(dialogue, sheet)
            continue
        for index, turn in enumerate(dialogue.turns):
            if not turn.context_only:
                yield sheet.key(turn.utterance_id), _utterance(dialogue, index, sheet, clips)


def _dialogue(dialogue: Dialogue, sheet: Sheet) -> Make:
    return lambda: dialogue_task(dialogue, sheet, media_url(dialogue.media) if dialogue.media else None)


def _utterance(dialogue: Dialogue, index: int, sheet: Sheet, clips: Clips) -> Make:
    return lambda: utterance_task(
        dialogue, index, sheet, clips.url(dialogue.turns[index].utterance_id, sheet.condition)
    )


def _predicted(make: Make, predictions: Mapping[str, Prediction], schema: LabelSchema) -> Json:
    return predicted(make(), predictions, schema)


class Clips:
    """The clips of a project, by utterance: ``clips/**/UTTERANCE.mp4`` and its like."""

    def __init__(self, project: Project) -> None:
        self._found: dict[str, list[str]] = {}
        root = project.path("clips")
        for path in sorted(root.rglob("*")) if root.is_dir() else ():
            if path.is_file():
                self._found.setdefault(path.stem, []).append(path.relative_to(project.root).as_posix())

    def path(self, utterance: str, condition: Condition) -> str | None:
        """Return the path of an utterance's clip that fits a condition; None where there is none."""
        names = self._found.get(utterance) or self._found.get(quote(utterance, safe="")) or []
        for kind in _KINDS.get(condition, ()):
            for name in names:
                if name.lower().endswith(kind):
                    return name
        return None

    def url(self, utterance: str, condition: Condition) -> str | None:
        """Return the URL of that clip."""
        path = self.path(utterance, condition)
        return None if path is None else media_url(path)
