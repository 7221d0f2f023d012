"""The human ceiling: each rater against the consensus of the others, in the metrics of the models.

A model that is scored against a consensus of raters cannot be expected to do better than a rater who is
scored against the consensus of the others. The consensus of the others comes from one rater fewer, so the
model is scored against the same consensuses of the same items beside: the two numbers can be compared.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from annotation.agreement.consensus import majority, majority_set
from baselines.data import Integers, Mask, Split, Values
from baselines.dialogue_sums import DialogueSums, dialogue_sums
from baselines.metrics import Score, class_names
from baselines.ratings import UNKNOWN, Ratings
from schemas.fields import Field, IntervalField, MultilabelField

NO_RATINGS = "the dataset has no ratings of this split"
UNKNOWN_RATERS = "the raters are not known"
ALONE = "no utterance has two raters"
NO_CONSENSUS = "the others of no rating agree on a label"


@dataclass(frozen=True)
class Design:
    """Who rated what, without which a ceiling cannot be read.

    Attributes:
        raters: Raters of the field.
        utterances: Utterances with two ratings or more.
        fewest: Fewest ratings of such an utterance.
        most: Most ratings of one.
        crossed: Whether every rater rated every one of them.
        scored: Ratings that were scored.
        undecided: Ratings that were not, because the others of the utterance tie.
        simulated: Whether the raters are simulated.
    """

    raters: int
    utterances: int
    fewest: int
    most: int
    crossed: bool
    scored: int
    undecided: int
    simulated: bool


@dataclass(frozen=True)
class Ceiling:
    """How well people do when they are scored as models are.

    Attributes:
        human: The metrics of all raters, each against the consensus of the others; ratings pooled.
        model: The model against the same consensuses of the same utterances.
        by_rater: The metrics of each rater.
        design: Who rated what; None without ratings to score.
        reason: Why there is no ceiling; None where there is one.
    """

    human: Mapping[str, Score] = field(default_factory=dict)
    model: Mapping[str, Score] = field(default_factory=dict)
    by_rater: Mapping[str, Mapping[str, float | None]] = field(default_factory=dict)
    design: Design | None = None
    reason: str | None = None


@dataclass(frozen=True)
class Consensus:
    """Ratings, and what the others say of their utterances.

    Attributes:
        utterance: The row of each rating's utterance, shape (ratings,).
        rater: Its rater.
        answers: The ratings.
        others: The consensus of the other raters of the utterance, of the same shape.
        design: Who rated what.
    """

    utterance: Integers
    rater: Integers
    answers: Values
    others: Values
    design: Design


def leave_one_out(one: Field, ratings: Ratings) -> Consensus | str:
    """Find for each rating of a known rater what the other ratings of the utterance decide.

    The rules are those of the majority: of nominal, ordinal and relation fields the most frequent value, of
    sets every value that more than half gave, of numbers the mean. Where the others tie nothing is scored. Of
    several ratings of an utterance by one rater the last one counts.

    Returns:
        The ratings that can be scored; or the reason why there are none.
    """
    utterance, rater, answers = _latest(*ratings.of(one))
    if not len(utterance):
        return NO_RATINGS
    if (rater == UNKNOWN).all():
        return UNKNOWN_RATERS
    size = int(utterance.max()) + 1
    count = np.bincount(utterance, minlength=size)
    paired = (count[utterance] > 1) & (rater != UNKNOWN)
    if not paired.any():
        return ALONE
    others, decided = _others(one, utterance, answers, size)
    scored = paired & decided
    rated = np.unique(utterance[paired])
    people = np.unique(rater[paired])
    design = Design(
        len(people),
        len(rated),
        int(count[rated].min()),
        int(count[rated].max()),
        bool((count[rated] == len(people)).all()),
        int(scored.sum()),
        int((paired & ~decided).sum()),
        ratings.simulated,
    )
    if not scored.any():
        return NO_CONSENSUS
    return Consensus(utterance[scored], rater[scored], answers[scored], others[scored], design)


def _latest(utterance: Integers, rater: Integers, answers: Values) -> tuple[Integers, Integers, Values]:
    """Keep the last rating of an utterance by each known rater."""
    pair = utterance * (rater.max(initial=0) + 2) + rater + 1
    _, from_behind = np.unique(pair[::-1], return_index=True)
    last = np.zeros(len(pair), np.bool_)
    last[len(pair) - 1 - from_behind] = True
    kept = last | (rater == UNKNOWN)
    return utterance[kept], rater[kept], answers[kept]


def _others(one: Field, utterance: Integers, answers: Values, size: int) -> tuple[Values, Mask]:
    """Return the consensus of the other ratings, and where there is one."""
    count = np.bincount(utterance, minlength=size)[utterance] - 1
    if isinstance(one, IntervalField):
        total = np.bincount(utterance, weights=answers, minlength=size)[utterance]
        return (total - answers) / np.maximum(count, 1), count > 0
    member: Mask = answers if isinstance(one, MultilabelField) else answers[:, None] == np.arange(_size(one))
    own = member.astype(np.float64)
    cast = np.zeros((size, own.shape[1]))
    np.add.at(cast, utterance, own)
    votes = cast[utterance] - own
    if isinstance(one, MultilabelField):
        nothing = (~member.any(axis=1)).astype(np.float64)
        empty = np.bincount(utterance, weights=nothing, minlength=size)[utterance] - nothing
        return majority_set(votes, count.astype(np.float64), empty)
    decided = majority(votes)
    return decided, decided >= 0


def _size(one: Field) -> int:
    return len(class_names(one))


def human_sums(one: Field, split: Split, found: Consensus) -> DialogueSums:
    """Reduce the raters' answers against the consensus of the others to sums over dialogues."""
    return dialogue_sums(one, split.dialogue[found.utterance], found.others, found.answers)


def model_sums(one: Field, split: Split, found: Consensus, predicted: Values) -> DialogueSums:
    """Reduce a model's answers against the same consensuses to sums over dialogues."""
    return dialogue_sums(one, split.dialogue[found.utterance], found.others, predicted[found.utterance])


def by_rater(one: Field, ratings: Ratings, found: Consensus) -> dict[str, dict[str, float | None]]:
    """Return the metrics of each rater against the consensus of the others."""
    scores = {}
    for number, name in enumerate(ratings.raters):
        mine = found.rater == number
        if mine.any():
            sums = dialogue_sums(one, found.utterance[mine], found.others[mine], found.answers[mine])
            scores[name] = sums.total()
    return scores
