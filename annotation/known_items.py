"""Items with known answers in the assignment of rounds: all of a training round, a few of the others."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from zlib import crc32

import numpy as np

from annotation.answer_key import ANSWER_KEY, AnswerKey
from annotation.rounds import Round
from schemas.errors import InputError, Issue
from schemas.project import SETTINGS
from schemas.round_settings import RoundKind


def fresh_training(key: AnswerKey, rounds: Sequence[Round], raters: Sequence[str]) -> list[str]:
    """Return the dialogues for training of which none of the raters has seen the answers.

    Args:
        key: The answer key.
        rounds: The rounds so far.
        raters: Who is to be trained.

    Raises:
        InputError: There is none left.
    """
    seen = {
        dialogue
        for one in rounds
        if one.kind is RoundKind.TRAINING
        for rater in raters
        for dialogue in (one.dialogues(rater) if rater in one.queues else ())
    }
    found = sorted(key.training_dialogues() - seen)
    if not found:
        message = (
            "these raters have seen the answers to all training items; add items to the key, or repeat a "
            "round with --again NAME"
        )
        raise InputError(Issue(message, ANSWER_KEY))
    return found


def require_thresholds_can_fail(
    key: AnswerKey, dialogues: frozenset[str], threshold: Mapping[str, float], fields: Sequence[str]
) -> None:
    """Refuse thresholds that items cannot decide: a field not asked, or with fewer than two known answers.

    Raises:
        InputError: With every such field.
    """
    issues = []
    for name in threshold:
        if name not in fields:
            issues.append(
                Issue("the round does not ask this field", SETTINGS, None, None, "threshold", name, fields)
            )
            continue
        known = {
            item.answers[name]
            for utterance, item in key.training.items()
            if key.dialogues[utterance] in dialogues and name in item.answers
        }
        if len(known) < 2:
            message = (
                f"the training items of this round have {len(known)} different known answers to this field; "
                "a threshold needs two, or nobody could fall below it"
            )
            issues.append(Issue(message, ANSWER_KEY, value=name))
    if issues:
        raise InputError(issues)


def with_control(
    dealt: Mapping[str, tuple[str, ...]],
    key: AnswerKey,
    share: float,
    rounds: Sequence[Round],
    *,
    seed: int,
) -> dict[str, tuple[str, ...]]:
    """Deal control dialogues to raters beside their own ones, each rater some of their own.

    Nobody gets a control dialogue twice, over all rounds.

    Args:
        dealt: The raters of each dialogue.
        key: The answer key.
        share: Share of a rater's queue that control dialogues are to make up, 0 to 0.5; 0 for none.
        rounds: The rounds so far.
        seed: The same seed gives the same dialogues.

    Raises:
        InputError: The key has too few.
    """
    found = dict(dealt)
    if share == 0:
        return found
    own: dict[str, int] = {}
    for raters in dealt.values():
        for rater in raters:
            own[rater] = own.get(rater, 0) + 1
    issues = []
    for rater, count in own.items():
        met = {stop.dialogue for one in rounds for stop in one.queues.get(rater, ())}
        free = sorted(key.control_dialogues() - met)
        wanted = math.ceil(count * share / (1 - share))
        if wanted > len(free):
            message = (
                f"{wanted} of {wanted + count} dialogues are to be control dialogues, and the key has "
                f"{len(free)} that {rater} has not met; add some, or lower 'control' in {SETTINGS}"
            )
            issues.append(Issue(message, ANSWER_KEY, value=share))
            continue
        rng = np.random.default_rng([seed, 3, crc32(rater.encode())])
        for place in sorted(rng.permutation(len(free))[:wanted].tolist()):
            found[free[place]] = (*found.get(free[place], ()), rater)
    if issues:
        raise InputError(issues)
    return found
