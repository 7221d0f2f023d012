"""Pushing tasks: what a rater's project lacks, and nothing that stands there already.

The server is looked at before every attempt, and tasks are known by their keys, so a push that was cut, timed
out or ran twice ends in the same state: each task once, in the rater's order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from urllib.parse import quote

from annotation.client import PASSING, Client, Json, ServerDown, pause
from annotation.installation import Tell
from annotation.predictions import Prediction, read_predictions
from annotation.pulled import PREDICTION_SHOWN, rated_keys
from annotation.rounds import Round, read_round, read_rounds, schema_of
from annotation.sheet import Design, Sheet
from annotation.tasks import Dialogue, dialogue_task, media_url, read_dialogues, utterance_task
from annotation.workflow import silent
from schemas.errors import InputError, Issue
from schemas.label_schema import LabelSchema
from schemas.project import Project
from schemas.records import Condition

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
    """

    round: str
    rater: str
    new: int = 0
    there: int = 0
    removed: int = 0
    gone: int = 0


@dataclass
class Standing:
    """The tasks of a project on the server, by key: number and how many annotations each has."""

    tasks: dict[str, list[tuple[int, int]]] = field(default_factory=dict)

    @classmethod
    def of(cls, client: Client, project: int) -> Standing:
        """Look at the server; an empty project is not listed."""
        found = cls()
        if client.project(project)["task_number"]:
            for task in client.tasks(project):
                key = task["data"].get("key")
                rated = int(task["total_annotations"]) + int(task["cancelled_annotations"])
                found.tasks.setdefault(key, []).append((int(task["id"]), rated))
        return found


def push(
    project: Project,
    name: str | None = None,
    *,
    predictions: Path | None = None,
    client: Client | None = None,
    tell: Tell = silent,
) -> list[Pushed]:
    """Push the tasks that the raters' projects lack.

    Args:
        project: The project.
        name: The round; None for all that this server holds.
        predictions: A table of predictions to show to raters, see `predictions.read_predictions`; for pages
            of utterances. Tasks that stand there already get none.
        client: The server; None for the one the project works with.
        tell: Gets a line for each step.

    Returns:
        What was done, rater by rater.

    Raises:
        InputError: There is no round, an utterance lacks what its page shows, or the server fails; the next
            push continues.
    """
    client = client or Client.of(project)
    rounds = [read_round(project, name)] if name is not None else read_rounds(project)
    rounds = [one for one in rounds if one.server == client.name]
    if not rounds:
        raise InputError("no round was set up on this server; 'annotation setup --round NAME' makes one")
    if predictions is not None and any(one.design is Design.DIALOGUE for one in rounds):
        message = (
            "pages of dialogues cannot be pre-annotated: Label Studio calls all answers predictions then"
        )
        raise InputError(Issue(message, "--predictions"))
    dialogues = {one.dialogue_id: one for one in read_dialogues(project)}
    clips = Clips(project)
    found = []
    for one in rounds:
        for rater in one.queues:
            if rater not in one.projects:
                message = "this rater has no project yet; run 'annotation setup' again"
                raise InputError(Issue(message, f"round {one.name}", value=rater))
            wanted = dict(tasks_of(one, rater, dialogues, clips))
            if predictions is not None:
                schema = schema_of(project, one)
                wanted = _with_predictions(wanted, read_predictions(predictions, schema), schema)
            tell(f"pushing to {one.name} · {rater}")
            done = push_missing(client, one.projects[rater], wanted, rated_keys(project, one.name, rater))
            found.append(Pushed(one.name, rater, *done))
    return found


def push_missing(
    client: Client, project: int, wanted: Mapping[str, Make], rated: frozenset[str] = frozenset()
) -> tuple[int, int, int, int]:
    """Push the tasks that a project lacks and delete doubled ones.

    Args:
        client: The server.
        project: Number of the project.
        wanted: How to make each task, by key, in order.
        rated: Keys whose ratings were pulled already; they are not pushed again where they were deleted.

    Returns:
        Tasks pushed, there before, deleted as doubles, and rated but gone.
    """
    first = Standing.of(client, project)
    there = sum(key in first.tasks for key in wanted)
    standing = first
    for attempt in range(_ATTEMPTS):
        missing = [key for key in wanted if key not in standing.tasks and key not in rated]
        try:
            _push_batches(client, project, [(key, wanted[key]) for key in missing])
            break
        except PASSING as fault:
            if attempt == _ATTEMPTS - 1 or isinstance(fault, ServerDown):
                raise
        # The request may have been carried out, in whole or not at all: look before sending anything again.
        pause(attempt)
        standing = Standing.of(client, project)
    gone = sum(key in rated and key not in standing.tasks for key in wanted)
    new = sum(key not in first.tasks and key not in rated for key in wanted)
    removed = 0
    if client.project(project)["task_number"] > there + new + len(first.tasks.keys() - wanted.keys()):
        removed = _remove_doubles(client, project)
    return new, there, removed, gone


def _push_batches(client: Client, project: int, tasks: Sequence[tuple[str, Make]]) -> None:
    for first in range(0, len(tasks), BATCH):
        client.import_tasks(project, [make() for _, make in tasks[first : first + BATCH]])


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
    made: Round, rater: str, dialogues: Mapping[str, Dialogue], clips: Clips
) -> Iterator[tuple[str, Make]]:
    """Yield the key of every task of a rater with what makes it, in the rater's order.

    Raises:
        InputError: A dialogue of the round is no longer in the project.
    """
    for stop in made.queues[rater]:
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


def _with_predictions(
    wanted: Mapping[str, Make], predictions: Mapping[str, Prediction], schema: LabelSchema
) -> dict[str, Make]:
    """Have the tasks made with their predictions; a task remembers, so that its ratings can say so."""

    def annotated(make: Make) -> Json:
        task = make()
        found = predictions.get(task["data"]["utterance_id"])
        if found is None:
            return task
        data = {**task["data"], PREDICTION_SHOWN: found.model_version}
        return {**task, "data": data, "predictions": [found.task_part(schema)]}

    return {key: partial(annotated, make) for key, make in wanted.items()}


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
