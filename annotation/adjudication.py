"""Adjudication: utterances on which raters agree too little go to somebody who sees every rater's answer.

Decisions come back as ``annotations/adjudication.parquet``, a source of their own: they take part in deciding
labels and in no agreement, and never change a rating. What the adjudicator comments stands in
``reports/adjudication.json``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from xml.etree.ElementTree import Element, SubElement, fromstring, tostring

import pyarrow as pa
import pyarrow.compute as pc

from annotation.aggregation import adjudication_queue
from annotation.aggregation.labels import decide
from annotation.aggregation.project import ADJUDICATION
from annotation.client import Client, Json
from annotation.guidelines import guideline_version
from annotation.installation import Tell
from annotation.labeling_config import labeling_config
from annotation.page import element
from annotation.predictions import Prediction
from annotation.pulled_table import in_utterance_order
from annotation.pushing import Clips, Make, push_missing
from annotation.ratings import project_ratings
from annotation.results import read_annotation
from annotation.roster import (
    Person,
    Role,
    enrol,
    read_accounts,
    read_roster,
    write_accounts,
    write_private,
)
from annotation.sheet import Design, Sheet
from annotation.tasks import Dialogue, read_dialogues, utterance_task
from annotation.workflow import make_accounts, make_project, project_mark, show_media, silent
from schemas import records
from schemas.errors import InputError
from schemas.fields import CategoricalField, Field
from schemas.label_schema import LabelSchema
from schemas.project import SCHEMA, Project
from schemas.records import Condition, Context, RatingStatus, has_intensity
from schemas.tables import from_rows, write_table

TABLE = f"annotations/{ADJUDICATION}.parquet"
REPORT = f"reports/{ADJUDICATION}.json"
STATE = f"private/{ADJUDICATION}.json"
COMMENT = "page--comment"
VERSION = 1

_SAID = {"en": "What the raters said", "zh": "各标注者的答案"}
_WHY = {"en": "Comment (optional)", "zh": "备注（可不填）"}


@dataclass
class _State:
    """What was sent to adjudicators, and every version of what came back.

    Attributes:
        projects: Number of each adjudicator's project, by pseudonym.
        tasks: Adjudicator of each utterance that was sent.
        decisions: Raw annotations by unique id and time, with the data of their task; identities inside.
    """

    projects: dict[str, int] = field(default_factory=dict)
    tasks: dict[str, str] = field(default_factory=dict)
    decisions: dict[str, Json] = field(default_factory=dict)


@dataclass(frozen=True)
class Sent:
    """What ``adjudicate push`` did: utterances under the threshold, and those newly sent, by adjudicator."""

    undecided: int
    new: Mapping[str, int]


@dataclass(frozen=True)
class Decided:
    """What ``adjudicate pull`` found.

    Attributes:
        decided: Utterances with a decision.
        waiting: Utterances that were sent and have none.
        comments: How many have a comment.
        wrote: Whether anything was written.
    """

    decided: int
    waiting: int
    comments: int
    wrote: bool


def _read_state(project: Project) -> _State:
    path = project.path(STATE)
    return _State(**json.loads(path.read_text("utf-8"))) if path.exists() else _State()


def _write_state(project: Project, state: _State) -> None:
    write_private(project.path(STATE), json.dumps(vars(state), ensure_ascii=False, sort_keys=True) + "\n")


def push_disagreements(
    project: Project,
    *,
    min_agreement: float | None = None,
    condition: Condition = Condition.FULL,
    client: Client | None = None,
    tell: Tell = silent,
) -> Sent:
    """Send utterances on which raters agree too little to the adjudicators of the roster.

    An utterance is dealt once, the most informative first; later pushes add what has become undecided since.
    A project that was deleted on the server is made again, without what is decided.

    Args:
        project: The project.
        min_agreement: Least agreement, 0 to 1, at which a majority decides; None for ties only.
        condition: Which modalities the adjudicators see.
        client: The server; None for the one the project works with.
        tell: Gets a line for each step.

    Raises:
        InputError: The roster has no adjudicator, there are no ratings, or the server fails.
    """
    people = [one for one in read_roster(project) if one.role is Role.ADJUDICATOR]
    if not people:
        raise InputError("the roster has no adjudicator; give somebody 'role: adjudicator' there")
    client = client or Client.of(project)
    ratings = project_ratings(project)
    ratings = ratings.filter(pc.not_equal(ratings.column("origin"), ADJUDICATION))
    labels = decide(ratings, project.schema, "majority", min_agreement).labels
    undecided = adjudication_queue(labels, project.schema).column("utterance_id").to_pylist()
    accounts = read_accounts(project)
    enrol(people, accounts, client.name)
    write_accounts(project, accounts)
    make_accounts(project, people, accounts, client, tell)
    names = accounts.pseudonyms
    state = _read_state(project)
    adjudicators = [names[one.key] for one in people]
    for utterance in undecided:
        if utterance not in state.tasks:
            counts = list(state.tasks.values())
            state.tasks[utterance] = min(adjudicators, key=counts.count)
    _write_state(project, state)
    places = {
        turn.utterance_id: (dialogue, index)
        for dialogue in read_dialogues(project)
        for index, turn in enumerate(dialogue.turns)
    }
    answers: dict[str, list[Json]] = {}
    for row in ratings.to_pylist():
        answers.setdefault(row["utterance_id"], []).append(row)
    clips, new = Clips(project), {}
    standing = {one["id"] for one in client.projects()}
    for one in people:
        rater = names[one.key]
        mine = [name for name, whose in state.tasks.items() if whose == rater]
        sheet = _sheet(project.schema, one, condition)
        if not mine:
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
        wanted = {
            sheet.key(name): _make(*places[name], sheet, clips, answers.get(name, []), project.schema)
            for name in mine
        }
        tell(f"pushing to {ADJUDICATION} · {rater}")
        new[rater] = push_missing(client, number, wanted, _decided_keys(state))[0]
    return Sent(len(undecided), new)


def _decided_keys(state: _State) -> frozenset[str]:
    return frozenset(str(one["data"]["key"]) for one in state.decisions.values())


def _sheet(schema: LabelSchema, person: Person, condition: Condition) -> Sheet:
    return Sheet(
        ADJUDICATION, schema.version, guideline_version(schema), Design.UTTERANCE, condition,
        Context.PAST, person.language,
    )  # fmt: skip


def adjudication_config(schema: LabelSchema, sheet: Sheet) -> str:
    """Return the page of an adjudicator: that of the raters, with a box for a comment."""
    page = fromstring(labeling_config(schema, sheet))  # noqa: S314 - written a moment ago
    right = next(one for one in page.iter("View") if one.get("className") == "right")
    box = SubElement(right, "View")
    box.append(Element("Header", value=_WHY[sheet.language], size="6"))
    box.append(
        Element("TextArea", name=COMMENT, toName="utterance", rows="2", maxSubmissions="1", editable="true")
    )
    return tostring(page, encoding="unicode")


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
            Prediction(_who(row), None, row).task_part(schema) | {"model_version": f"rater-{place}"}
            for place, row in enumerate(raters, 1)
        ]
        return {**task, "data": data, "predictions": parts}

    return make


def _who(row: Mapping[str, Any]) -> str:
    rater = str(row["rater"] or "?")
    return f"{rater} ({row['round']})" if row["round"] else rater


def answers_html(ratings: Sequence[Mapping[str, Any]], schema: LabelSchema, language: str) -> str:
    """Write raters' answers as a table, a column a rater, under pseudonyms; disagreements are marked."""
    head = element("tr", element("th"), *(element("th", _who(row)) for row in ratings))
    lines = []
    for one in schema:
        cells = [_cell(row, one, language) for row in ratings]
        mark = "b" if len(set(cells)) > 1 else "span"
        lines.append(
            element(
                "tr",
                element("th", one.title.get(language)),
                *(element("td", element(mark, cell)) for cell in cells),
            )
        )
    table = element("table", head, *lines, border="1", style="border-collapse:collapse")
    shown = element("div", element("p", element("b", _SAID[language])), table)
    return tostring(shown, encoding="unicode", method="html")


def _cell(row: Mapping[str, Any], one: Field, language: str) -> str:
    """Write an answer as the page's buttons word it."""
    value = row[one.name]
    if value is None:
        return f"({row[f'{one.name}_missing']})"
    wordings = (
        {each.name: each.title.get(language) for each in one.values}
        if isinstance(one, CategoricalField)
        else {}
    )
    if isinstance(value, list):
        names = [str(wordings.get(name, name)) for name in value]
        slots = (
            [each for each in (row.get(f"{one.name}_intensity") or ()) if each] if has_intensity(one) else []
        )
        if len(slots) == len(names):
            names = [f"{name} {strength}" for name, strength in zip(names, slots, strict=True)]
        return ", ".join(names) or "[]"
    return f"{value:g}" if isinstance(value, float) else str(wordings.get(value, value))


def pull_decisions(project: Project, *, client: Client | None = None, tell: Tell = silent) -> Decided:
    """Pull decisions; nothing is written when there is nothing new.

    Of a project that was deleted on the server, what was pulled stays.

    Raises:
        InputError: Nothing was sent, or the server fails.
    """
    state = _read_state(project)
    if not state.projects:
        raise InputError("nothing was sent to adjudicators; 'annotation adjudicate push' does that")
    client = client or Client.of(project)
    known = set(state.decisions)
    standing = {one["id"] for one in client.projects()}
    for rater, number in state.projects.items():
        if number not in standing:
            tell(
                f"the project of {rater} was deleted on the server; what was pulled of it stays, "
                "'annotation adjudicate push' makes it again"
            )
            continue
        tell(f"pulling {ADJUDICATION} · {rater}")
        for task in client.export(number):
            data = {name: value for name, value in task["data"].items() if name not in ("context", "text")}
            for one in task["annotations"]:
                state.decisions[f"{one['unique_id']}@{one['updated_at']}"] = {"annotation": one, "data": data}
    arrow = records.annotations_schema(project.schema)
    provenance = project.provenance("annotation adjudicate pull", VERSION, [SCHEMA])
    table, comments = _decisions(project, state, client.name)
    decided = pc.equal(table.column("status"), RatingStatus.SUBMITTED.value)
    done = set(table.filter(decided).column("utterance_id").to_pylist())
    found = Decided(
        len(done), len(state.tasks.keys() - done), len(comments), bool(state.decisions.keys() - known)
    )
    if not found.wrote and project.has(TABLE) and project.is_current(TABLE, provenance):
        return found
    with project.writing("annotation adjudicate pull") as staging:
        (staging / STATE).parent.mkdir(mode=0o700, exist_ok=True)
        write_private(staging / STATE, json.dumps(vars(state), ensure_ascii=False, sort_keys=True) + "\n")
        write_table(staging / TABLE, table, arrow, provenance)
        (staging / REPORT).parent.mkdir(exist_ok=True)
        text = json.dumps(comments, ensure_ascii=False, indent=1, sort_keys=True)
        (staging / REPORT).write_text(text + "\n", "utf-8")
    return found


def _decisions(project: Project, state: _State, server: str) -> tuple[pa.Table, dict[str, list[Json]]]:
    """Return the table of decisions, and the comments by utterance."""
    raters = read_accounts(project).pseudonym_of_user(server)
    rows: list[Json] = []
    comments: dict[str, list[Json]] = {}
    for one in state.decisions.values():
        annotation = one["annotation"]
        rater = raters.get(annotation["completed_by"], f"{ADJUDICATION}:u{annotation['completed_by']}")
        answers = [each for each in annotation["result"] if each.get("from_name") != COMMENT]
        reading = read_annotation(
            {**annotation, "result": answers}, one["data"], project.schema, rater=rater, source=ADJUDICATION
        )
        rows += reading.rows
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
        earlier = latest.get((row["rater"], row["utterance_id"]))
        if earlier is not None:
            earlier["status"] = str(RatingStatus.SUPERSEDED)
        latest[row["rater"], row["utterance_id"]] = row
    for row in rows:
        row["annotation_id"] = f"{row['annotation_id']}@{row['updated'].isoformat(timespec='microseconds')}"
    table = from_rows(rows, records.annotations_schema(project.schema))
    return in_utterance_order(project, table), comments
