"""Rounds of annotation: who rates which dialogues, on which pages; kept in ``private/rounds/``.

A round is decided once, when it is set up, and never changed: every rating can be read with the schema and
the pages it was made under. What differs is a new round.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace

from annotation.assignment import Stop
from annotation.roster import read_kept, write_private
from annotation.sheet import Design, Sheet
from schemas.definition import parse_schema
from schemas.errors import InputError, Issue
from schemas.fields import AppliesWhen, RelationField
from schemas.label_schema import LabelSchema
from schemas.project import SCHEMA, Project
from schemas.records import Condition, Context
from schemas.round_settings import RoundKind

FOLDER = "private/rounds"
TRAINING = "private/training.parquet"
"""The ratings of training rounds. They decide nothing and are never published, so they stand apart."""
REPEAT = "-repeat"
"""What is put behind the name of a round for ratings that repeat one of the same round."""


@dataclass
class Round:
    """One round.

    Attributes:
        name: Its name.
        number: Its place among the rounds of the project, from 1.
        server: Name of the server that holds its projects, see `client.Client`.
        fields: The fields that are asked.
        schema_version: Version of the label schema.
        guideline_version: Version of the handbook.
        design: What one page shows.
        condition: Which modalities are shown.
        context: How much of the dialogue is shown.
        turns: The most turns to be rated that one of its dialogues has; for dialogue pages.
        k: Raters of each dialogue; 0 in a training round, whose dialogues all of its raters rate.
        repeats: Share of dialogues that a rater meets twice.
        seed: What the assignment was drawn from.
        again: The earlier round whose dialogues and raters this one takes up; None for none.
        languages: Language of each rater's pages, by pseudonym.
        queues: What each rater meets, in order, by pseudonym.
        projects: Number of each rater's project on the server, by pseudonym; filled as they are made.
        kind: What it is for.
        threshold: Of a training round: the least score that qualifies, by field.
        control: Share of control dialogues in the queue of each rater.
    """

    name: str
    number: int
    server: str
    fields: tuple[str, ...]
    schema_version: str
    guideline_version: str
    design: Design
    condition: Condition
    context: Context
    turns: int
    k: int
    repeats: float
    seed: int
    again: str | None
    languages: dict[str, str]
    queues: dict[str, tuple[Stop, ...]]
    projects: dict[str, int] = field(default_factory=dict)
    kind: RoundKind = RoundKind.MAIN
    threshold: dict[str, float] = field(default_factory=dict)
    control: float = 0.0

    def sheet(self, rater: str, occasion: int = 1) -> Sheet:
        """Return what the tasks of a rater have in common."""
        return Sheet(
            self.name if occasion == 1 else f"{self.name}{REPEAT}",
            self.schema_version,
            self.guideline_version,
            self.design,
            self.condition,
            self.context,
            self.languages[rater],
            self.turns,
        )

    def dialogues(self, rater: str) -> list[str]:
        """Return the dialogues of a rater, each once."""
        return [stop.dialogue for stop in self.queues[rater] if stop.occasion == 1]

    def shows_more(self, condition: Condition, context: Context) -> bool:
        """Say whether its pages show more of an item than pages of another condition and context."""
        richer = self.condition is Condition.FULL and condition is not Condition.FULL
        further = self.context is Context.FULL and context is not Context.FULL
        return richer or further

    def settings(self) -> dict[str, object]:
        """Return what a second setup of the same name must agree with."""
        known = asdict(self)
        return {
            name: known[name] for name in known if name not in ("number", "languages", "queues", "projects")
        }


def read_round(project: Project, name: str) -> Round:
    """Read a round.

    Raises:
        InputError: There is none of this name.
    """
    path = project.path(f"{FOLDER}/{name}.json")
    if not path.exists():
        names = [one.stem for one in sorted(project.path(FOLDER).glob("*.json"))]
        message = "there is no such round; 'annotation setup --round NAME' makes one"
        raise InputError(Issue(message, str(project.root), None, None, "--round", name, names))
    known = read_kept(path)
    queues = {rater: tuple(Stop(*stop) for stop in queue) for rater, queue in known.pop("queues").items()}
    return Round(
        **{
            **known,
            "fields": tuple(known["fields"]),
            "design": Design(known["design"]),
            "condition": Condition(known["condition"]),
            "context": Context(known["context"]),
            "kind": RoundKind(known.get("kind", RoundKind.MAIN)),
        },
        queues=queues,
    )


def read_rounds(project: Project) -> list[Round]:
    """Read all rounds, in the order in which they were set up."""
    found = [read_round(project, one.stem) for one in project.path(FOLDER).glob("*.json")]
    return sorted(found, key=lambda one: one.number)


def write_round(project: Project, made: Round) -> None:
    """Keep a round; at the first time with the schema as it stands."""
    path = project.path(f"{FOLDER}/{made.name}.json")
    copy = project.path(f"{FOLDER}/{made.name}.schema.yaml")
    if not copy.exists():
        write_private(copy, project.path(SCHEMA).read_text("utf-8-sig"))
    known = asdict(made)
    known["queues"] = {
        rater: [[stop.dialogue, stop.occasion] for stop in queue] for rater, queue in made.queues.items()
    }
    write_private(path, json.dumps(known, ensure_ascii=False, separators=(",", ":")) + "\n")


def schema_of(project: Project, made: Round) -> LabelSchema:
    """Return the schema of a round's pages (the project's, until a copy is kept) with the fields it asks."""
    return narrowed(whole_schema_of(project, made), made.fields)


def whole_schema_of(project: Project, made: Round) -> LabelSchema:
    """Return the schema that stood when a round was set up, with all its fields."""
    copy = project.path(f"{FOLDER}/{made.name}.schema.yaml")
    return parse_schema(copy.read_text("utf-8"), str(copy)) if copy.exists() else project.schema


def narrowed(schema: LabelSchema, fields: Sequence[str]) -> LabelSchema:
    """Return a schema with some of its fields, in its own order."""
    return replace(schema, fields=tuple(one for one in schema if one.name in fields))


def changed_fields(old: LabelSchema, new: LabelSchema) -> tuple[str, ...]:
    """Return the fields whose definition differs from that of an earlier round, or that are new.

    A relation that is asked only where a part is present brings its parts along, since the page must know.
    """
    changed = {one.name for one in new if old.by_name.get(one.name) != one}
    for one in new:
        if (
            one.name in changed
            and isinstance(one, RelationField)
            and one.applies_when is not AppliesWhen.ALWAYS
        ):
            changed |= {one.source, one.target}
    return tuple(one.name for one in new if one.name in changed)


def seen_more(
    rounds: Sequence[Round], condition: Condition, context: Context
) -> Mapping[str, frozenset[str]]:
    """Return for each rater the dialogues of which they have seen more than these pages would show."""
    barred: dict[str, set[str]] = {}
    for one in rounds:
        if one.shows_more(condition, context):
            for rater in one.queues:
                barred.setdefault(rater, set()).update(one.dialogues(rater))
    return {rater: frozenset(dialogues) for rater, dialogues in barred.items()}
