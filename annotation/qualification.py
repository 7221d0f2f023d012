"""Training and qualification: attempts against the answer key, who may rate, overrides, control items.

A rater's *attempt* is their share of a training round. It is complete when each known item is submitted or
skipped; then ``annotation qualify`` closes it, and only then the rater gets feedback. What is changed on the
server after that counts for nothing. Attempts are never deleted: scores follow from the ratings and the key,
so that a corrected key corrects them.

Everything about single raters stays in ``private/``; ``reports/qualification.json`` has aggregates alone.
"""

from __future__ import annotations

import getpass
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from annotation.answer_key import Answer, AnswerKey, KnownItem, read_answer_key
from annotation.installation import Tell, silent
from annotation.key_scores import Score, score
from annotation.pulled_table import TABLE
from annotation.roster import Accounts, read_accounts, read_kept, write_private
from annotation.rounds import TRAINING, Round, read_rounds
from annotation.taking_turns import in_turn
from schemas.errors import InputError, Issue
from schemas.fields import Field, Missing
from schemas.label_schema import LabelSchema
from schemas.project import SETTINGS, Project
from schemas.records import RatingStatus
from schemas.round_settings import RoundKind
from schemas.tables import read_table

STATE = "private/qualification.json"
NOT_ANSWERED = Missing.NOT_RATED

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Override:
    """A rater who was let in all the same: who, by whom, when and why."""

    rater: str
    by: str
    when: str
    why: str


@dataclass
class State:
    """What is decided and follows from no rating.

    Attributes:
        closed: When each attempt was closed, by round and rater: the moment of its last rating.
        overrides: Raters who were let in all the same.
    """

    closed: dict[str, dict[str, str]] = field(default_factory=dict)
    overrides: list[Override] = field(default_factory=list)


@dataclass(frozen=True)
class Attempt:
    """One rater in one training round.

    Attributes:
        round: The round.
        rater: The pseudonym.
        number: The rater's first, second, ... attempt.
        items: Known items of the round.
        done: How many of them the rater submitted or skipped.
        closed: Whether the attempt is closed.
        answers: What the rater answered, by utterance and field; what is missing was not answered.
        scores: The score of each field with known answers.
        threshold: The least score that qualifies, by field.
    """

    round: str
    rater: str
    number: int
    items: int
    done: int
    closed: bool
    answers: Mapping[str, Mapping[str, Answer]]
    scores: Mapping[str, Score]
    threshold: Mapping[str, float]

    @property
    def complete(self) -> bool:
        """Whether every known item is submitted or skipped."""
        return self.done == self.items

    def below(self) -> list[str]:
        """Return the fields whose score lies below their threshold, or does not exist."""
        values = {name: self.scores[name].value for name in self.threshold if name in self.scores}
        return [
            name
            for name, least in self.threshold.items()
            if (value := values.get(name)) is None or value < least
        ]

    @property
    def passed(self) -> bool:
        """Whether the attempt is closed and reaches every threshold."""
        return self.closed and not self.below()


def read_state(project: Project) -> State:
    """Read what was decided."""
    path = project.path(STATE)
    if not path.exists():
        return State()
    known = read_kept(path)
    return State(known["closed"], [Override(**one) for one in known["overrides"]])


def write_state(project: Project, state: State) -> None:
    """Keep what was decided, for its owner's eyes only."""
    text = json.dumps(asdict(state), ensure_ascii=False, indent=1, sort_keys=True)
    write_private(project.path(STATE), text + "\n")


# -- attempts -----------------------------------------------------------------------------------------------


def attempts(project: Project) -> list[Attempt]:
    """Return every attempt of every training round, round after round."""
    rounds = [one for one in read_rounds(project) if one.kind is RoundKind.TRAINING]
    if not rounds:
        return []
    key, state = read_answer_key(project), read_state(project)
    rows = read_table(project.path(TRAINING)).to_pylist() if project.has(TRAINING) else []
    numbers: dict[str, int] = {}
    found = []
    for one in rounds:
        for rater in one.queues:
            numbers[rater] = numbers.get(rater, 0) + 1
            mine = [row for row in rows if row["round"] == one.name and row["rater"] == rater]
            closed = state.closed.get(one.name, {}).get(rater)
            found.append(_attempt(one, rater, numbers[rater], mine, closed, key, project.schema))
    return found


def _attempt(
    one: Round,
    rater: str,
    number: int,
    rows: Sequence[Row],
    closed: str | None,
    key: AnswerKey,
    schema: LabelSchema,
) -> Attempt:
    items = training_items(one, rater, key)
    if closed is None:
        counted = [row for row in rows if row["status"] != RatingStatus.SUPERSEDED]
    else:
        end = datetime.fromisoformat(closed)
        counted = [row for row in rows if row["updated"] <= end]
    last = {row["utterance_id"]: row for row in sorted(counted, key=lambda row: row["updated"])}
    fields = [each for each in schema if each.name in one.fields]
    answers = {name: _answers(last[name], fields) for name in items if name in last}
    return Attempt(
        one.name,
        rater,
        number,
        len(items),
        len(answers),
        closed is not None,
        answers,
        scores(fields, items, answers),
        one.threshold,
    )


def training_items(one: Round, rater: str, key: AnswerKey) -> dict[str, KnownItem]:
    """Return the known items of a rater in a training round, in the order of the key."""
    dialogues = set(one.dialogues(rater))
    return {name: item for name, item in key.training.items() if key.dialogues[name] in dialogues}


def _answers(row: Row, fields: Sequence[Field]) -> dict[str, Answer]:
    found: dict[str, Answer] = {}
    for one in fields:
        value = row[one.name]
        if isinstance(value, list):
            found[one.name] = frozenset(value)
        else:
            found[one.name] = Missing(row[f"{one.name}_missing"]) if value is None else value
    return found


def scores(
    fields: Sequence[Field],
    items: Mapping[str, KnownItem],
    answers: Mapping[str, Mapping[str, Answer]],
) -> dict[str, Score]:
    """Score answers, by utterance and field, against known ones; fields without a known answer have none."""
    found = {}
    for one in fields:
        known = {name: item.answers[one.name] for name, item in items.items() if one.name in item.answers}
        if known:
            given = [answers.get(name, {}).get(one.name, NOT_ANSWERED) for name in known]
            found[one.name] = score(one, given, list(known.values()))
    return found


def close_attempts(project: Project) -> list[Attempt]:
    """Close the attempts that are complete; return all attempts."""
    state, found = read_state(project), attempts(project)
    rows = read_table(project.path(TRAINING)).to_pylist() if project.has(TRAINING) else []
    news = [one for one in found if one.complete and not one.closed and one.items]
    for one in news:
        times = [
            row["updated"]
            for row in rows
            if (row["round"], row["rater"]) == (one.round, one.rater)
            and row["status"] != RatingStatus.SUPERSEDED
        ]
        state.closed.setdefault(one.round, {})[one.rater] = max(times).isoformat()
    if not news:
        return found
    write_state(project, state)
    return attempts(project)


# -- who may rate -------------------------------------------------------------------------------------------


@in_turn
def override(project: Project, rater: str, why: str, *, tell: Tell = silent) -> Override:
    """Let a rater into main rounds all the same, and record it.

    Args:
        project: The project.
        rater: A key of the roster, or a pseudonym.
        why: The reason.
        tell: Gets a line for each step.

    Raises:
        InputError: There is no such rater, or no reason.
    """
    names = read_accounts(project).pseudonyms
    pseudonym = names.get(rater, rater)
    issues = []
    if pseudonym not in names.values():
        issues.append(Issue("there is no such rater", "--override", value=rater, choices=sorted(names)))
    if not why.strip():
        issues.append(Issue("an override needs its reason", "--why"))
    if issues:
        raise InputError(issues)
    made = Override(pseudonym, getpass.getuser(), datetime.now(UTC).isoformat(timespec="seconds"), why)
    state = read_state(project)
    state.overrides.append(made)
    write_state(project, state)
    tell(f"{pseudonym} may rate: recorded in {STATE}")
    return made


def passed_fields(found: Sequence[Attempt]) -> dict[str, frozenset[str]]:
    """Return the fields whose threshold each rater has reached, in any closed attempt.

    What was reached in different attempts adds up: a field is learned by itself, and whoever was short of one
    need not repeat the others. Each attempt is judged by the thresholds of its own round.
    """
    passed: dict[str, frozenset[str]] = {}
    for one in found:
        if one.closed:
            passed[one.rater] = passed.get(one.rater, frozenset()) | (one.threshold.keys() - set(one.below()))
    return passed


def still_to_train(project: Project, raters: Sequence[str], threshold: Mapping[str, float]) -> list[str]:
    """Return the raters who have not reached the threshold of each of these fields yet."""
    passed = passed_fields(attempts(project))
    return [rater for rater in raters if not threshold.keys() <= passed.get(rater, frozenset())]


def fields_with_threshold(project: Project) -> list[str]:
    """Return the fields that need qualification, in schema order: of rounds set up or in ``corpus.yaml``.

    Raises:
        InputError: With every threshold of a round to come whose field the schema does not have: nobody would
            need it.
    """
    made = read_rounds(project)
    known, fields = {one.name for one in made}, list(project.schema.by_name)
    issues = [
        Issue("unknown field", SETTINGS, None, None, f"rounds.{name}.threshold", field, fields)
        for name, one in project.settings.rounds.items()
        for field in one.threshold
        if name not in known and field not in fields
    ]
    if issues:
        raise InputError(issues)
    thresholds = [one.threshold for one in made]
    thresholds += [dict(one.threshold) for one in project.settings.rounds.values()]
    named = {name for one in thresholds for name in one}
    return [name for name in fields if name in named]


def has_training(project: Project) -> bool:
    """Say whether a project has a training round, set up or in ``corpus.yaml``."""
    kinds = [one.kind for one in read_rounds(project)]
    kinds += [one.kind for one in project.settings.rounds.values()]
    return RoundKind.TRAINING in kinds


def require_qualified(
    project: Project, raters: Sequence[str], fields: Sequence[str], accounts: Accounts
) -> None:
    """Refuse raters who did not reach the threshold of a field that a round asks and were not let in.

    Args:
        project: The project.
        raters: The pseudonyms of those who are to rate.
        fields: The fields that they are to rate; those without a threshold need none.
        accounts: The keys of the pseudonyms, for messages.

    Raises:
        InputError: With every such rater, what they lack, and what can be done.
    """
    needed = [name for name in fields_with_threshold(project) if name in fields]
    found = attempts(project)
    passed = passed_fields(found)
    let_in = {one.rater for one in read_state(project).overrides}
    keys = {pseudonym: key for key, pseudonym in accounts.pseudonyms.items()}
    issues = []
    for rater in raters:
        lacking = [name for name in needed if name not in passed.get(rater, frozenset())]
        if lacking and rater not in let_in:
            mine = [one for one in found if one.rater == rater]
            message = (
                f"this rater is not qualified: {_lack(mine, lacking)}; set up another training "
                "round, leave the rater out of the roster, or let them in with 'annotation qualify "
                f"--override {keys.get(rater, rater)} --why REASON'"
            )
            issues.append(Issue(message, "--round", value=rater))
    if issues:
        raise InputError(issues)


def _lack(mine: Sequence[Attempt], lacking: Sequence[str]) -> str:
    """Say what is wrong with the last attempt at each field."""
    said = []
    for name in lacking:
        last = next((one for one in reversed(mine) if name in one.threshold), None)
        if last is None and not mine:
            said.append("no training round has them")
        elif last is None:
            said.append(f"no training round has tested them on {name}")
        elif not last.complete:
            said.append(f"{last.done} of {last.items} items of round {last.round!r} are done")
        elif not last.closed:
            said.append(f"round {last.round!r} waits for 'annotation qualify'")
        else:
            value = last.scores[name].value if name in last.scores else None
            short = "has no score" if value is None else f"{value:.2f} of {last.threshold[name]:.2f}"
            said.append(f"{name} {short}")
    return ", ".join(dict.fromkeys(said))


# -- control items ------------------------------------------------------------------------------------------


def control_scores(project: Project) -> dict[tuple[str, str], dict[str, Score]]:
    """Score the control items that each rater has rated so far, by round and rater.

    Repeats and skipped tasks have no part.
    """
    key = read_answer_key(project)
    if not key.control or not project.has(TABLE):
        return {}
    rows = read_table(project.path(TABLE))
    rows = rows.filter(pc.equal(rows.column("status"), RatingStatus.SUBMITTED.value))
    rows = rows.filter(pc.is_in(rows.column("utterance_id"), value_set=pa.array(list(key.control))))
    of_rater: dict[tuple[str, str], dict[str, Row]] = {}
    for row in rows.to_pylist():
        of_rater.setdefault((row["round"], row["rater"]), {})[row["utterance_id"]] = row
    found = {}
    for one in read_rounds(project):
        fields = [each for each in project.schema if each.name in one.fields]
        for rater in one.queues:
            mine = of_rater.get((one.name, rater), {})
            items = {name: item for name, item in key.control.items() if name in mine}
            if items:
                answers = {name: _answers(row, fields) for name, row in mine.items()}
                found[one.name, rater] = scores(fields, items, answers)
    return found
