"""Setting up a round of annotation on a labeling server: accounts, assignment, a project for every rater."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from annotation.aggregation.project import ADJUDICATION
from annotation.answer_key import read_answer_key, require_answer_key
from annotation.assignment import Assignment, Stop, assign, overlap, queues
from annotation.client import OWN, Client
from annotation.guidelines import guideline_version
from annotation.hotkeys import USER_HOTKEYS
from annotation.installation import Tell, silent
from annotation.known_items import fresh_training, require_thresholds_can_fail, with_control
from annotation.labeling_config import labeling_config
from annotation.qualification import require_qualified, still_to_train
from annotation.ratings import select
from annotation.roster import (
    Accounts,
    Person,
    Role,
    enrol,
    invite,
    publish_raters,
    read_accounts,
    read_roster,
    write_accounts,
)
from annotation.rounds import (
    REPEAT,
    Round,
    changed_fields,
    read_round,
    read_rounds,
    schema_of,
    seen_more,
    whole_schema_of,
    write_round,
)
from annotation.server import FOLDER, MEDIA
from annotation.sheet import Design, Sheet
from annotation.taking_turns import in_turn
from annotation.tasks import Dialogue, read_dialogues
from schemas import project as folder
from schemas.errors import InputError, Issue
from schemas.project import Project
from schemas.records import Condition, Context
from schemas.round_settings import RoundKind, RoundSettings
from schemas.tables import read_table

_TITLE = 50
"""Characters of a project's title that Label Studio takes."""
_NAME = 200
"""Bytes of the name of a round: names of files end at 255, and theirs are longer."""


@dataclass(frozen=True)
class Plan:
    """What a round is to be.

    Attributes:
        name: Name of the round.
        k: Raters of each dialogue; of no account in a training round, whose dialogues everybody rates.
        repeats: Share of dialogues, 0 to 0.5, that each rater meets a second time, late in the queue.
        seed: Seed of all that is drawn.
        design: What one page shows.
        condition: Which modalities are shown.
        context: How much of the dialogue is shown.
        where: Conditions ``COLUMN=VALUE`` on the dialogues (``language=zh``).
        most: The most dialogues to take, drawn at random; None for all.
        again: An earlier round whose dialogues and raters to take up; ``k``, ``repeats``, ``where`` and
            ``most`` then have no part.
        share: With ``again``: the share of each rater's dialogues to take up.
        changed: With ``again``: ask only the fields whose definition has changed since.
    """

    name: str
    k: int = 3
    repeats: float = 0.0
    seed: int = 0
    design: Design = Design.UTTERANCE
    condition: Condition = Condition.FULL
    context: Context = Context.PAST
    where: Sequence[str] = ()
    most: int | None = None
    again: str | None = None
    share: float = 1.0
    changed: bool = False


@dataclass
class SetUp:
    """What a setup did.

    Attributes:
        round: The round.
        invited: Raters who got an account, with the login they were given.
        made: Pseudonyms for whom a project was made; empty when everything stood there already.
        overlap: Fewest and most dialogues that two raters share; None for a single rater.
        notices: What the lead should know.
    """

    round: Round
    invited: dict[str, str] = field(default_factory=dict)
    made: list[str] = field(default_factory=list)
    overlap: tuple[int, int] | None = None
    notices: list[str] = field(default_factory=list)


@in_turn
def set_up(project: Project, plan: Plan, *, client: Client | None = None, tell: Tell = silent) -> SetUp:
    """Set up a round; whatever stands there already is kept, so it can be run again after a failure.

    Args:
        project: The project.
        plan: What the round is to be.
        client: The server; None for the one the project works with.
        tell: Gets a line for each step.

    Raises:
        InputError: The roster or the plan has faults, a round of this name is another one, or the server
            fails.
    """
    people = read_roster(project)
    raters = [one for one in people if one.role is Role.RATER]
    if not raters:
        raise InputError("the roster has adjudicators and no rater")
    client = client or Client.of(project)
    client.who()
    accounts = read_accounts(project)
    enrol(people, accounts, client.name)
    made = _decide(project, plan, raters, accounts, client.name)
    found = SetUp(made, overlap=_overlap(made), notices=_notices(project, made))
    write_accounts(project, accounts)
    schema, whole = schema_of(project, made), whole_schema_of(project, made)
    config = {rater: labeling_config(schema, made.sheet(rater), whole) for rater in made.queues}
    write_round(project, made)
    found.invited = make_accounts(project, people, accounts, client, tell)
    publish_raters(project, people, accounts, "annotation setup")
    standing = {one["id"] for one in client.projects()}
    for rater in made.queues:
        if made.projects.get(rater) not in standing:
            tell(f"making the project of {rater}")
            mark = project_mark(project, accounts, client.name, made.name, rater)
            made.projects[rater] = make_project(client, _title(made.name, rater), mark, config[rater])
            write_round(project, made)
            found.made.append(rater)
        show_media(project, client, made.projects[rater], made.condition)
    return found


def _title(round_: str, rater: str) -> str:
    """Return the title of a rater's project; a long name of a round is cut, its end says whose it is."""
    end = f" · {rater}"
    return round_[: _TITLE - len(end)] + end


def project_mark(project: Project, accounts: Accounts, server: str, round_: str, rater: str) -> str:
    """Return by what a rater's project is known on the server, among those of other corpora too."""
    keys = {pseudonym: key for key, pseudonym in accounts.pseudonyms.items()}
    return f"{project.settings.name} / {round_} / {accounts.on(server)[keys[rater]].login}"


def make_project(client: Client, title: str, mark: str, config: str, *, prefill: bool = True) -> int:
    """Make a project on the server, or find the one that an earlier attempt made.

    Args:
        client: The server.
        title: Its title.
        mark: Its description, by which it is known.
        config: Its labeling page.
        prefill: Whether its pages begin with the prediction of their task, if it has one.
    """
    standing = [one for one in client.projects() if one["description"] == mark]
    if standing:
        return int(standing[0]["id"])
    return client.create_project(title, config, description=mark, show_collab_predictions=prefill)


def show_media(project: Project, client: Client, number: int, condition: Condition) -> None:
    """Let a project of the project's own server show its media; other servers have their own ways."""
    shown = project.path(f"{FOLDER}/shown").resolve()
    if condition is Condition.TEXT or not shown.is_dir() or client.name != OWN:
        return
    for name in MEDIA:
        client.show_files(number, str(shown / name))


def make_accounts(
    project: Project, people: Sequence[Person], accounts: Accounts, client: Client, tell: Tell
) -> dict[str, str]:
    """Make the accounts that are lacking; an account that an earlier attempt made is found by its login.

    Returns:
        The logins of the new accounts, by pseudonym.
    """
    here = accounts.on(client.name)
    lacking = [one for one in people if here[one.key].user is None]
    if not lacking:
        return {}
    invite(project, lacking, accounts, client.name, client.address)
    known = {str(one["email"]).casefold() for one in client.users()}
    for one in lacking:
        account = here[one.key]
        tell(f"making the account of {accounts.pseudonyms[one.key]}")
        enter = client.finish_account if account.login.casefold() in known else client.sign_up
        account.user = enter(account.login, account.password, USER_HOTKEYS)
        write_accounts(project, accounts)
    return {accounts.pseudonyms[one.key]: here[one.key].login for one in lacking}


def _decide(project: Project, plan: Plan, raters: Sequence[Person], accounts: Accounts, server: str) -> Round:
    """Return the round of this name, or decide what it is."""
    name = plan.name
    refused = not name.strip() or name.startswith(".") or name.endswith(REPEAT) or name == ADJUDICATION
    refused = refused or len(name.encode()) > _NAME
    if refused or "/" in name or "|" in name or name.splitlines() != [name]:
        message = (
            "the name of a round may not hold '/', '|' or a line break, begin with '.', end with "
            f"{REPEAT!r}, be {ADJUDICATION!r} or take more than {_NAME} bytes (a Chinese letter takes 3)"
        )
        raise InputError(Issue(message, "--round", value=plan.name))
    rounds = read_rounds(project)
    standing = next((one for one in rounds if one.name == plan.name), None)
    # What a round asks was decided with it: a schema that was edited since is for the next one.
    schema = project.schema if standing is None else whole_schema_of(project, standing)
    handbook = guideline_version(schema) if standing is None else standing.guideline_version
    earlier = read_round(project, plan.again) if plan.again is not None else None
    rules = _rules(project, plan, earlier)
    training = rules.kind is RoundKind.TRAINING
    settings: dict[str, Any] = {
        "name": plan.name, "server": server, "fields": tuple(schema.by_name),
        "schema_version": schema.version, "guideline_version": handbook,
        "design": plan.design, "condition": plan.condition, "context": plan.context,
        "k": 0 if training else plan.k, "repeats": plan.repeats, "seed": plan.seed, "again": plan.again,
        "kind": rules.kind, "threshold": dict(rules.threshold), "control": rules.control,
    }  # fmt: skip
    if earlier is not None:
        settings |= {"k": earlier.k, "repeats": 0.0}
        if plan.changed:
            changed = changed_fields(whole_schema_of(project, earlier), schema)
            if not changed:
                message = (
                    f"no definition has changed since round {earlier.name!r}; there is nothing to ask again"
                )
                raise InputError(Issue(message, folder.SCHEMA))
            settings["fields"] = changed
    if standing is not None:
        known = standing.settings()
        other = [name for name, value in settings.items() if known[name] != value]
        if other:
            message = (
                f"round {plan.name!r} was set up with another {', '.join(other)}; give this one another name"
            )
            raise InputError(Issue(message, "--round", value=plan.name))
        return standing
    Sheet(plan.name, "", "", plan.design, plan.condition, plan.context).require_possible()
    names = [accounts.pseudonyms[one.key] for one in raters] if earlier is None else list(earlier.queues)
    if training:
        names = still_to_train(project, names, rules.threshold)
        if not names:
            raise InputError("every rater is qualified; there is nobody to train")
    elif rules.kind is RoundKind.MAIN:
        require_qualified(project, names, settings["fields"], accounts)
    dialogues = {one.dialogue_id: one for one in read_dialogues(project)}
    lines = _lines(project, plan, rules, earlier, names, dialogues)
    taken = {stop.dialogue for line in lines.values() for stop in line}
    if training:
        key = read_answer_key(project)
        require_thresholds_can_fail(key, frozenset(taken), rules.threshold, settings["fields"])
    languages = {accounts.pseudonyms[one.key]: one.language for one in raters}
    if earlier is not None:
        languages = {**earlier.languages, **languages}
    return Round(
        **settings,
        number=len(rounds) + 1,
        turns=max(_rated(dialogues[name]) for name in taken),
        languages={rater: languages[rater] for rater in lines},
        queues=lines,
    )


def _lines(
    project: Project,
    plan: Plan,
    rules: RoundSettings,
    earlier: Round | None,
    names: Sequence[str],
    dialogues: Mapping[str, Dialogue],
) -> dict[str, tuple[Stop, ...]]:
    """Return the queue of each rater: taken up, for training, or dealt with control dialogues among them."""
    rounds = read_rounds(project)
    barred = seen_more(rounds, plan.condition, plan.context)
    if earlier is not None:
        return _take_up(earlier, plan, barred, names)
    if rules.kind is RoundKind.TRAINING:
        fresh = fresh_training(require_answer_key(project, "training"), rounds, names)
        sizes = _sizes(project, plan, {name: dialogues[name] for name in fresh})
        return queues(assign(sizes, names, len(names), seed=plan.seed, barred=barred), seed=plan.seed)
    key = require_answer_key(project, "control") if rules.control else read_answer_key(project)
    known = key.training_dialogues() | key.control_dialogues()
    free = {name: one for name, one in dialogues.items() if name not in known}
    dealt = assign(_sizes(project, plan, free), names, plan.k, seed=plan.seed, barred=barred)
    dealt = with_control(dealt, key, rules.control, rounds, seed=plan.seed)
    return queues(dealt, seed=plan.seed, repeats=plan.repeats)


def _rules(project: Project, plan: Plan, earlier: Round | None) -> RoundSettings:
    """Return what ``corpus.yaml`` says of a round; what repeats a training round is one too."""
    rules = project.settings.rounds.get(plan.name)
    if rules is None and earlier is not None and earlier.kind is RoundKind.TRAINING:
        rules = RoundSettings(RoundKind.TRAINING, earlier.threshold)
    rules = rules or RoundSettings()
    if rules.kind is RoundKind.TRAINING and plan.repeats:
        raise InputError(Issue("a training round has no repeats", "--repeats", value=plan.repeats))
    if rules.control and earlier is not None:
        message = "a round that takes up another one has its dialogues, and no control items besides"
        raise InputError(Issue(message, folder.SETTINGS, None, None, "control", rules.control))
    if earlier is not None and (earlier.kind is RoundKind.TRAINING) != (rules.kind is RoundKind.TRAINING):
        message = "a training round and one of another kind cannot take each other up"
        raise InputError(Issue(message, "--again", value=earlier.name))
    return rules


def _rated(dialogue: Dialogue) -> int:
    return sum(not turn.context_only for turn in dialogue.turns)


def _sizes(project: Project, plan: Plan, dialogues: Mapping[str, Dialogue]) -> dict[str, int]:
    """Return the dialogues that a plan takes, with the number of utterances to be rated."""
    rows = select(read_table(project.path(folder.DIALOGUES)), plan.where, folder.DIALOGUES)
    names = [name for name in rows.column("dialogue_id").to_pylist() if name in dialogues]
    names = [name for name in names if _rated(dialogues[name])]
    if plan.most is not None and plan.most < len(names):
        rng = np.random.default_rng([plan.seed, 1])
        drawn = set(rng.permutation(len(names))[: plan.most].tolist())
        names = [name for place, name in enumerate(names) if place in drawn]
    return {name: _rated(dialogues[name]) for name in names}


def _take_up(
    earlier: Round, plan: Plan, barred: Mapping[str, frozenset[str]], raters: Sequence[str]
) -> dict[str, tuple[Stop, ...]]:
    """Return new queues of raters of an earlier round, over their own dialogues or a share of them."""
    if not 0 < plan.share <= 1:
        raise InputError(Issue("the share lies above 0 and up to 1", "--share", value=plan.share))
    dealt: dict[str, tuple[str, ...]] = {}
    issues = []
    for place, rater in enumerate(earlier.queues):
        if rater not in raters:
            continue
        own = earlier.dialogues(rater)
        rng = np.random.default_rng([plan.seed, 2, place])
        drawn = rng.permutation(len(own))[: max(1, round(plan.share * len(own)))]
        for dialogue in sorted(own[one] for one in drawn):
            if dialogue in barred.get(rater, ()):
                message = f"{rater} has seen more of this dialogue than these pages would show"
                issues.append(Issue(message, "dialogue", value=dialogue))
            dealt[dialogue] = (*dealt.get(dialogue, ()), rater)
    if issues:
        raise InputError(issues)
    return queues(dealt, seed=plan.seed)


def _notices(project: Project, made: Round) -> list[str]:
    notices = []
    if whole_schema_of(project, made).digest != project.schema.digest:
        notices.append(
            f"{folder.SCHEMA} has changed since round {made.name!r} was set up; this round goes on asking "
            f"what it asked, 'annotation setup --round NEW --again {made.name} --changed' asks what changed"
        )
    key = read_answer_key(project)
    known = len(key.training_dialogues() | key.control_dialogues())
    if known and made.kind is not RoundKind.TRAINING:
        notices.append(f"{known} dialogues of the answer key take no part in the ordinary assignment")
    return notices


def _overlap(made: Round) -> tuple[int, int] | None:
    raters: dict[str, list[str]] = {}
    for rater in made.queues:
        for dialogue in made.dialogues(rater):
            raters.setdefault(dialogue, []).append(rater)
    assignment: Assignment = {dialogue: tuple(names) for dialogue, names in raters.items()}
    shared = overlap(assignment)
    pairs = len(made.queues) * (len(made.queues) - 1) // 2
    if not pairs:
        return None
    return min(shared.values()) if len(shared) == pairs else 0, max(shared.values(), default=0)
