"""Adjudication: utterances on which raters agree too little go to somebody who sees every rater's answer.

Decisions come back as ``annotations/adjudication.parquet``, a source of their own: they take part in deciding
labels and in no agreement, and never change a rating. What the adjudicator comments stands in
``reports/adjudication.json``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from annotation.adjudication_page import COMMENT, adjudication_config, answers_html, who
from annotation.aggregation import adjudication_queue
from annotation.aggregation.labels import decide
from annotation.aggregation.project import ADJUDICATION
from annotation.client import OWN, Client, Json
from annotation.guidelines import guideline_version
from annotation.installation import Tell, silent
from annotation.predictions import Prediction
from annotation.pulled import moment
from annotation.pulled_table import in_utterance_order
from annotation.pushing import Clips, Make, push_missing
from annotation.ratings import project_ratings
from annotation.results import read_annotation
from annotation.roster import (
    Person,
    Role,
    enrol,
    publish_raters,
    read_accounts,
    read_kept,
    read_roster,
    write_accounts,
    write_private,
)
from annotation.sheet import Design, Sheet
from annotation.standing import Receipts
from annotation.taking_turns import in_turn
from annotation.tasks import Dialogue, read_dialogues, utterance_task
from annotation.workflow import make_accounts, make_project, project_mark, show_media
from schemas import records
from schemas.errors import InputError, Issue
from schemas.label_schema import LabelSchema
from schemas.project import SCHEMA, Project
from schemas.records import Condition, Context, RatingStatus
from schemas.tables import from_rows, read_table, write_table

TABLE = f"annotations/{ADJUDICATION}.parquet"
REPORT = f"reports/{ADJUDICATION}.json"
STATE = f"private/{ADJUDICATION}.json"
VERSION = 1


@dataclass
class _State:
    """What was sent to adjudicators, and every version of what came back.

    Attributes:
        server: Name of the server that holds the projects, see `client.Client`; empty before the first one.
        condition: Which modalities their pages show; empty before the first one.
        projects: Number of each adjudicator's project, by pseudonym.
        tasks: Adjudicator of each utterance that was sent.
        decisions: Raw annotations by unique id and time, with the data of their task; identities inside.
        withdrawn: Unique ids of annotations that were deleted on the server while their task stands.
    """

    server: str = ""
    condition: str = ""
    projects: dict[str, int] = field(default_factory=dict)
    tasks: dict[str, str] = field(default_factory=dict)
    decisions: dict[str, Json] = field(default_factory=dict)
    withdrawn: list[str] = field(default_factory=list)

    def standing(self) -> list[Json]:
        """Return the decisions that were not withdrawn."""
        gone = set(self.withdrawn)
        return [one for one in self.decisions.values() if one["annotation"]["unique_id"] not in gone]

    def require(self, client: Client) -> None:
        """Refuse a server that does not hold the projects: numbers of another one mean something else."""
        if self.projects and self.server != client.name:
            there = "the project's own: unset" if self.server == OWN else f"{self.server}: name it by"
            message = (
                f"the adjudicators' projects are on another server, {there} LABEL_STUDIO_URL and "
                "LABEL_STUDIO_API_KEY"
            )
            raise InputError(Issue(message, client.url))
        self.server = client.name


@dataclass(frozen=True)
class Sent:
    """What ``adjudicate push`` did.

    Attributes:
        undecided: Utterances under the threshold.
        new: Of these, newly sent, by adjudicator.
        invited: Adjudicators who got an account, with the login they were given.
    """

    undecided: int
    new: Mapping[str, int]
    invited: Mapping[str, str]


@dataclass(frozen=True)
class Decided:
    """What ``adjudicate pull`` found.

    Attributes:
        decided: Utterances with a decision.
        waiting: Utterances that were sent and have none.
        comments: How many have a comment.
        withdrawn: Decisions that were deleted on the server since; they decide no longer.
        wrote: Whether anything was written.
    """

    decided: int
    waiting: int
    comments: int
    withdrawn: int
    wrote: bool


def _read_state(project: Project) -> _State:
    path = project.path(STATE)
    return _State(**read_kept(path)) if path.exists() else _State()


def _write_state(project: Project, state: _State) -> None:
    write_private(project.path(STATE), json.dumps(vars(state), ensure_ascii=False, sort_keys=True) + "\n")


@in_turn
def push_disagreements(
    project: Project,
    *,
    min_agreement: float | None = None,
    condition: Condition = Condition.FULL,
    client: Client | None = None,
    tell: Tell = silent,
) -> Sent:
    """Send utterances on which raters agree too little to the adjudicators of the roster.

    An utterance is dealt once, the most informative first; later pushes add what has become undecided since,
    and deal anew what somebody who left the roster has not decided. A project that was deleted on the server
    is made again, without what is decided.

    Args:
        project: The project.
        min_agreement: Least agreement, 0 to 1, at which a majority decides; None for ties only.
        condition: Which modalities the adjudicators see.
        client: The server; None for the one the project works with.
        tell: Gets a line for each step.

    Raises:
        InputError: The roster has no adjudicator, there are no ratings, the condition is not that of the
            pages or needs clips that are not there, or the server fails.
    """
    people = [one for one in read_roster(project) if one.role is Role.ADJUDICATOR]
    if not people:
        raise InputError("the roster has no adjudicator; give somebody 'role: adjudicator' there")
    client = client or Client.of(project)
    state = _read_state(project)
    state.require(client)
    standing = {one["id"] for one in client.projects()}
    if state.condition not in ("", condition) and standing & set(state.projects.values()):
        message = "the adjudicators' pages show another condition"
        raise InputError(Issue(message, "--condition", value=condition.value, choices=[state.condition]))
    state.condition = condition.value
    ratings = project_ratings(project)
    ratings = ratings.filter(pc.not_equal(ratings.column("origin"), ADJUDICATION))
    labels = decide(ratings, project.schema, "majority", min_agreement).labels
    undecided = adjudication_queue(labels, project.schema).column("utterance_id").to_pylist()
    accounts = read_accounts(project)
    enrol(people, accounts, client.name)
    write_accounts(project, accounts)
    invited = make_accounts(project, people, accounts, client, tell)
    publish_raters(project, people, accounts, "annotation adjudicate push")
    names = accounts.pseudonyms
    adjudicators = [names[one.key] for one in people]
    decided = {str(one["data"]["utterance_id"]) for one in state.standing()}
    left = {name for name, whose in state.tasks.items() if whose not in adjudicators} - decided
    for utterance in undecided:
        if utterance not in state.tasks or utterance in left:
            counts = list(state.tasks.values())
            state.tasks[utterance] = min(adjudicators, key=counts.count)
    places = {
        turn.utterance_id: (dialogue, index)
        for dialogue in read_dialogues(project)
        for index, turn in enumerate(dialogue.turns)
    }
    answers: dict[str, list[Json]] = {}
    for row in ratings.to_pylist():
        answers.setdefault(row["utterance_id"], []).append(row)
    clips, receipts, new = Clips(project), Receipts(project), {}
    wanted: dict[str, dict[str, Make]] = {}
    for one in people:
        sheet = _sheet(project.schema, one, condition)
        wanted[one.key] = {
            sheet.key(name): _make(*places[name], sheet, clips, answers.get(name, []), project.schema)
            for name, whose in state.tasks.items()
            if whose == names[one.key] and name in places
        }
        for key in wanted[one.key].keys() - _decided_keys(state):
            wanted[one.key][key]()  # what cannot be made is told before anything is dealt
    _write_state(project, state)
    for one in people:
        rater, sheet = names[one.key], _sheet(project.schema, one, condition)
        if not wanted[one.key]:
            continue
        if state.projects.get(rater) not in standing:
            tell(f"making the project of {rater}")
            mark = project_mark(project, accounts, client.name, ADJUDICATION, rater)
            config = adjudication_config(project.schema, sheet)
            state.projects[rater] = make_project(
                client, f"{ADJUDICATION} · {rater}", mark, config, prefill=False
            )
            _write_state(project, state)
        number = state.projects[rater]
        show_media(project, client, number, condition)
        tell(f"pushing to {ADJUDICATION} · {rater}")
        new[rater] = push_missing(client, number, wanted[one.key], receipts, _decided_keys(state))[0]
    return Sent(len(undecided), new, invited)


def _decided_keys(state: _State) -> frozenset[str]:
    return frozenset(str(one["data"]["key"]) for one in state.standing())


def _sheet(schema: LabelSchema, person: Person, condition: Condition) -> Sheet:
    return Sheet(
        ADJUDICATION, schema.version, guideline_version(schema), Design.UTTERANCE, condition,
        Context.PAST, person.language,
    )  # fmt: skip


def _make(
    dialogue: Dialogue,
    index: int,
    sheet: Sheet,
    clips: Clips,
    answers: Sequence[Json],
    schema: LabelSchema,
) -> Make:
    """Return what makes the task of an utterance, with the raters' answers as text and as predictions."""

    def make() -> Json:
        clip = clips.url(dialogue.turns[index].utterance_id, sheet.condition)
        task = utterance_task(dialogue, index, sheet, clip)
        raters = sorted(answers, key=lambda row: (str(row["rater"]), str(row["round"])))
        shown = answers_html(raters, schema, sheet.language)
        data = {**task["data"], "context": task["data"]["context"] + shown}
        parts = [
            Prediction(who(row), None, row).task_part(schema) | {"model_version": f"rater-{place}"}
            for place, row in enumerate(raters, 1)
        ]
        return {**task, "data": data, "predictions": parts}

    return make


@in_turn
def pull_decisions(project: Project, *, client: Client | None = None, tell: Tell = silent) -> Decided:
    """Pull decisions; nothing is written when there is nothing new.

    A decision that was deleted on the server is withdrawn: it stays, superseded, and its utterance waits
    again. Of a task or project that was deleted, what was pulled stays, and so do decisions of adjudicators
    who have left the roster.

    Raises:
        InputError: Nothing was sent, or the server fails.
    """
    state = _read_state(project)
    if not state.projects:
        raise InputError("nothing was sent to adjudicators; 'annotation adjudicate push' does that")
    client = client or Client.of(project)
    state.require(client)
    known, withdrawn = set(state.decisions), set(state.withdrawn)
    standing = {one["id"] for one in client.projects()}
    for rater, number in state.projects.items():
        if number not in standing:
            tell(
                f"the project of {rater} was deleted on the server; what was pulled of it stays, "
                "'annotation adjudicate push' makes it again"
            )
            continue
        tell(f"pulling {ADJUDICATION} · {rater}")
        tasks = client.export(number)
        _reconcile(state, number, tasks)
        for task in tasks:
            data = {name: value for name, value in task["data"].items() if name not in ("context", "text")}
            for one in task["annotations"]:
                state.decisions[f"{one['unique_id']}@{one['updated_at']}"] = {"annotation": one, "data": data}
    arrow = records.annotations_schema(project.schema)
    provenance = project.provenance("annotation adjudicate pull", VERSION, [SCHEMA])
    table, comments = _decisions(project, state, client.name)
    decided = pc.equal(table.column("status"), RatingStatus.SUBMITTED.value)
    done = set(table.filter(decided).column("utterance_id").to_pylist())
    news = state.decisions.keys() != known or set(state.withdrawn) != withdrawn
    current = project.has(TABLE) and project.is_current(TABLE, provenance)
    found = Decided(
        len(done),
        len(state.tasks.keys() - done),
        len(comments),
        len(set(state.withdrawn) - withdrawn),
        news or not current or not read_table(project.path(TABLE)).equals(table),
    )
    if not found.wrote:
        return found
    with project.writing("annotation adjudicate pull") as staging:
        (staging / STATE).parent.mkdir(mode=0o700, exist_ok=True)
        write_private(staging / STATE, json.dumps(vars(state), ensure_ascii=False, sort_keys=True) + "\n")
        write_table(staging / TABLE, table, arrow, provenance)
        (staging / REPORT).parent.mkdir(exist_ok=True)
        text = json.dumps(comments, ensure_ascii=False, indent=1, sort_keys=True)
        (staging / REPORT).write_text(text + "\n", "utf-8")
    return found


def _reconcile(state: _State, number: int, tasks: Sequence[Json]) -> None:
    """Note which decisions of a project no longer stand though their tasks do.

    Numbers of tasks are used again: a decision is of a task of its number that was made before it.
    """
    standing = {str(one["unique_id"]) for task in tasks for one in task["annotations"]}
    made = {task["id"]: moment(task["created_at"]) for task in tasks}
    gone = set(state.withdrawn) - standing
    for one in state.decisions.values():
        annotation = one["annotation"]
        task = made.get(annotation["task"]) if annotation["project"] == number else None
        if task is not None and task <= moment(annotation["created_at"]):
            gone |= {str(annotation["unique_id"])} - standing
    state.withdrawn = sorted(gone)


def _decisions(project: Project, state: _State, server: str) -> tuple[pa.Table, dict[str, list[Json]]]:
    """Return the table of decisions, and the comments by utterance."""
    raters = read_accounts(project).pseudonym_of_user(server)
    rows: list[Json] = []
    comments: dict[str, list[Json]] = {}
    gone: set[str] = set()
    for one in state.decisions.values():
        annotation = one["annotation"]
        withdrawn = annotation["unique_id"] in state.withdrawn
        rater = raters.get(annotation["completed_by"], f"{ADJUDICATION}:u{annotation['completed_by']}")
        answers = [each for each in annotation["result"] if each.get("from_name") != COMMENT]
        reading = read_annotation(
            {**annotation, "result": answers}, one["data"], project.schema, rater=rater, source=ADJUDICATION
        )
        rows += reading.rows
        if withdrawn:
            gone |= {row["annotation_id"] for row in reading.rows}
            continue
        said = [
            text
            for each in annotation["result"]
            if each.get("from_name") == COMMENT
            for text in each["value"].get("text", ())
        ]
        if said:
            for row in reading.rows:
                about = {"by": rater, "comment": "\n".join(said)}
                if about not in comments.setdefault(row["utterance_id"], []):
                    comments[row["utterance_id"]].append(about)
    latest: dict[tuple[str, str], Json] = {}
    for row in sorted(rows, key=lambda row: (row["updated"], row["annotation_id"])):
        if row["annotation_id"] in gone:
            row["status"] = str(RatingStatus.SUPERSEDED)
            continue
        earlier = latest.get((row["rater"], row["utterance_id"]))
        if earlier is not None:
            earlier["status"] = str(RatingStatus.SUPERSEDED)
        latest[row["rater"], row["utterance_id"]] = row
    for row in rows:
        row["annotation_id"] = f"{row['annotation_id']}@{row['updated'].isoformat(timespec='microseconds')}"
    table = from_rows(rows, records.annotations_schema(project.schema))
    return in_utterance_order(project, table), comments
