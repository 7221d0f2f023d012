"""Where a project's annotation stands: who has done what, in which time, and where raters differ.

Composed of what others measure: work and breaks (`timesheet`), where raters differ (`differences`), control
items (`qualification`). Numbers that differ may come from the utterances, the guidelines or the person, so
raters stand by name and are never ranked.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from annotation.aggregation.project import ADJUDICATION
from annotation.differences import Confused, Example, Examples, FieldProgress, field_progress, most_confused
from annotation.pulled import Index, read_index
from annotation.pushing import Clips
from annotation.qualification import control_scores
from annotation.ratings import project_ratings, simulated_raters
from annotation.rounds import REPEAT, TRAINING, Round, read_rounds
from annotation.tasks import read_dialogues
from annotation.timesheet import COLUMNS, works
from schemas import project as folder
from schemas import records
from schemas.errors import InputError
from schemas.project import Project
from schemas.records import RatingStatus
from schemas.tables import concat, read_table


@dataclass(frozen=True)
class RaterProgress:
    """What one rater has done in one round.

    Attributes:
        round: The round; repeats of a round count as its own.
        rater: The pseudonym.
        assigned: Ratings that are asked for.
        done: Of these, submitted.
        skipped: Of these, skipped.
        drafts: Tasks with a draft.
        fast: Ratings given faster than anybody can.
        active_minutes: Minutes of work.
        idle_minutes: Minutes of breaks within days of work.
        sittings: Number of sittings.
        fast_examples: The first of the ratings that were given too fast.
    """

    round: str
    rater: str
    assigned: int
    done: int
    skipped: int
    drafts: int
    fast: int
    active_minutes: float
    idle_minutes: float
    sittings: int
    fast_examples: tuple[Example, ...] = ()


@dataclass(frozen=True)
class ControlProgress:
    """One rater's answers to the control items of one round, in one field.

    Attributes:
        round: The round.
        rater: The pseudonym.
        field: The field.
        items: Control items that the rater has answered.
        same: How many of the answers are the known ones.
        score: The measure of `annotation.key_scores`; None where it does not exist.
    """

    round: str
    rater: str
    field: str
    items: int
    same: int
    score: float | None


@dataclass(frozen=True)
class Status:
    """Where a project's annotation stands.

    Attributes:
        title: Title of the corpus.
        raters: What each rater has done, round after round.
        fields: How each rater answers each field.
        confused: The values that are confused most.
        languages: Language of each utterance, by its id.
        control: Answers to control items.
        simulated: Raters among those of ``fields`` who are simulated.
    """

    title: str
    raters: tuple[RaterProgress, ...]
    fields: tuple[FieldProgress, ...]
    confused: tuple[Confused, ...]
    languages: Mapping[str, str | None] = field(default_factory=dict)
    control: tuple[ControlProgress, ...] = ()
    simulated: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return what JSON can hold; numbers that do not exist are null."""
        known = asdict(self)
        shown = ("title", "raters", "fields", "control", "confused", "simulated")
        return {name: known[name] for name in shown}


def project_status(project: Project, zone: str = "UTC") -> Status:
    """Measure where the annotation of a project stands, from what was pulled.

    Args:
        project: The project.
        zone: Time zone of the raters' days.

    Raises:
        InputError: No round was set up.
    """
    rounds = read_rounds(project)
    if not rounds:
        raise InputError("no round was set up; 'annotation setup --round NAME' makes one")
    utterances = read_table(project.path(folder.UTTERANCES), ["utterance_id", "text", "language"]).to_pylist()
    texts = {one["utterance_id"]: one["text"] for one in utterances}
    languages = {one["utterance_id"]: one["language"] for one in utterances}
    examples = Examples(texts, Clips(project))
    progress = tuple(_progress(project, rounds, _all_ratings(project), read_index(project), examples, zone))
    fields: tuple[FieldProgress, ...] = ()
    confused: tuple[Confused, ...] = ()
    ratings = records.annotations_schema(project.schema).empty_table()
    if project.annotation_files():
        ratings = project_ratings(project)
        ratings = ratings.filter(pc.not_equal(ratings.column("origin"), ADJUDICATION))
        ratings = _one_a_rater(ratings)
    if ratings.num_rows:
        fields = tuple(field_progress(ratings, project.schema, examples, zone))
        confused = tuple(found for one in project.schema for found in most_confused(ratings, one, examples))
    control = tuple(
        ControlProgress(round_, rater, name, one.items, one.same, one.value)
        for (round_, rater), found in control_scores(project).items()
        for name, one in found.items()
    )
    title = project.settings.title or project.settings.name
    here = {one.rater for one in fields}
    simulated = tuple(rater for rater in simulated_raters(project)[0] if rater in here)
    return Status(title, progress, fields, confused, languages, control, simulated)


def _all_ratings(project: Project) -> pa.Table:
    """Return the rows of all rating tables but those of adjudicators, with training, skipped, superseded."""
    names = [name for name in project.annotation_files() if not name.endswith(f"/{ADJUDICATION}.parquet")]
    names += [TRAINING] if project.has(TRAINING) else []
    arrow = records.annotations_schema(project.schema)
    arrow = pa.schema([arrow.field(name) for name in COLUMNS])
    return concat((read_table(project.path(name), COLUMNS) for name in names), arrow)


def _progress(
    project: Project,
    rounds: Sequence[Round],
    ratings: pa.Table,
    index: Index,
    examples: Examples,
    zone: str,
) -> Iterator[RaterProgress]:
    sizes = {
        one.dialogue_id: sum(not turn.context_only for turn in one.turns) for one in read_dialogues(project)
    }
    latest = index.latest()
    for one in rounds:
        own = ratings.filter(
            pc.is_in(
                ratings.column("round"), value_set=pa.array([one.name, f"{one.name}{REPEAT}"], pa.string())
            )
        )
        for rater, queue in one.queues.items():
            mine = own.filter(pc.equal(own.column("rater"), rater))
            status = mine.column("status")
            done = works(mine, zone) if mine.num_rows else []
            fast = [
                utterance
                for name, known in index.annotations.items()
                if name in latest and (known.round, known.owner) == (one.name, rater)
                for utterance in known.fast
            ]
            yield RaterProgress(
                one.name,
                rater,
                sum(sizes.get(stop.dialogue, 0) for stop in queue),
                pc.sum(pc.equal(status, RatingStatus.SUBMITTED.value)).as_py() or 0,
                pc.sum(pc.equal(status, RatingStatus.SKIPPED.value)).as_py() or 0,
                index.drafts.get(f"{one.name}|{rater}", 0),
                len(fast),
                round(sum(each.active for each in done) / 60, 1),
                round(sum(each.idle for each in done) / 60, 1),
                len({(each.day, each.sitting) for each in done}),
                examples.of(fast),
            )


def _one_a_rater(ratings: pa.Table) -> pa.Table:
    """Leave out repeats, which say how steady a rater is and not how the raters agree."""
    repeated = pc.ends_with(pc.fill_null(ratings.column("round"), ""), REPEAT)
    return ratings.filter(pc.invert(repeated))
