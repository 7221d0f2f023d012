"""Five simulated raters of known behaviour. No person stands behind any of these ratings.

Every answer is one draw from a row of probabilities that `confusion`, `value_rates` and `intensity_confusion`
state exactly: agreement, Dawid-Skene, drift and careless raters can be held against a known answer. How an
answer comes about, by type of field:

- nominal: the true value with probability ``accuracy``, otherwise any of the others.
- ordinal, interval, relation: the truth on the line from 0 (lowest value) to 1 (highest), drawn towards the
  middle by ``shrink``, plus normal noise; thresholds half-way between neighbouring values give the answer.
  An interval field is answered on a grid of 16 steps (1..9 in halves).
- multilabel: each value on its own, by its hit rate when it is true and its false-alarm rate when it is not.
  Exclusive values are not drawn: one of them is the answer when no other value was marked. So a set is empty
  only in fields that have no exclusive value.

A share of the answers, changing from ``guess_start`` to ``guess_end`` over the session, is drawn at random
(of the intensities, the mean of the two throughout).

Only uniform doubles of PCG64 are used, a stream for each rater and field: the ratings are the same on every
machine, and a field added to the schema leaves those of the other fields as they were.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from corpus.sample.truths import (
    INTERVAL_STEPS,
    Answers,
    answers,
    complete_truths,
    intensity_scale,
    random_stream,
    read_set,
)
from schemas.answers import intensity_slots
from schemas.fields import Field, IntervalField, Missing, MultilabelField, NominalField, RelationField
from schemas.label_schema import LabelSchema

Floats = npt.NDArray[np.float64]

CHANCE = 0.25
"""Probability that a rater who guesses marks a value of a set."""


@dataclass(frozen=True)
class Rater:
    """The behaviour of one simulated rater. Probabilities lie in 0..1.

    Attributes:
        name: Pseudonym, as in ``raters.parquet``.
        behaviour: What this rater is made to do, for people.
        accuracy: Probability of the true value of a nominal field.
        to_absent: Probability of answering a nominal field with its absent value without looking further.
        blind_to: Nominal fields whose presence is missed, with the probability of missing it.
        shrink: Factor on the distance from the middle of ordinal, interval and relation scales; below 1 the
            rater avoids both ends.
        noise: Standard deviation of the latent noise of ordinal and interval fields, as a share of the scale.
        relation_noise: The same for relations.
        intensity_noise: The same for intensities.
        hit: Probability of marking a true value of a set.
        weak_hits: Values whose hit rate is another one.
        false_alarm: Probability of marking a value that is not true.
        guess_start: Share of answers drawn at random at the beginning of the session.
        guess_end: The same at its end; it changes linearly.
        not_rated: Share of answers left out.
        cannot_tell: Share of answers ``cannot_tell``.
        pace: Usual seconds a field; each rating takes half to one and a half times that.
    """

    name: str
    behaviour: str
    accuracy: float
    hit: float
    false_alarm: float
    noise: float
    relation_noise: float
    intensity_noise: float
    pace: float
    to_absent: float = 0.0
    blind_to: tuple[tuple[str, float], ...] = ()
    weak_hits: tuple[tuple[str, float], ...] = ()
    shrink: float = 1.0
    guess_start: float = 0.0
    guess_end: float = 0.0
    not_rated: float = 0.0
    cannot_tell: float = 0.0

    @property
    def mean_guess(self) -> float:
        """Share of answers drawn at random over the whole session."""
        return (self.guess_start + self.guess_end) / 2


RATERS = (
    Rater(
        name="r1",
        behaviour="careful",
        accuracy=0.92,
        hit=0.90,
        false_alarm=0.02,
        noise=0.15,
        relation_noise=0.14,
        intensity_noise=0.18,
        not_rated=0.01,
        cannot_tell=0.01,
        pace=4.0,
    ),
    Rater(
        name="r2",
        behaviour="good, with a bias to neutral",
        accuracy=0.90,
        to_absent=0.15,
        hit=0.72,
        weak_hits=(("fear", 0.60), ("surprise", 0.60)),
        false_alarm=0.02,
        shrink=0.7,
        noise=0.15,
        relation_noise=0.16,
        intensity_noise=0.20,
        not_rated=0.02,
        cannot_tell=0.02,
        pace=3.5,
    ),
    Rater(
        name="r3",
        behaviour="good, but takes 85% of sarcasm for none",
        accuracy=0.90,
        blind_to=(("sarcasm", 0.85),),
        hit=0.82,
        false_alarm=0.03,
        noise=0.17,
        relation_noise=0.20,
        intensity_noise=0.22,
        not_rated=0.03,
        cannot_tell=0.02,
        pace=3.0,
    ),
    Rater(
        name="r4",
        behaviour="good at first, then tires: random answers rise from none to 60%",
        accuracy=0.90,
        hit=0.85,
        false_alarm=0.03,
        noise=0.16,
        relation_noise=0.18,
        intensity_noise=0.20,
        guess_end=0.60,
        not_rated=0.05,
        cannot_tell=0.02,
        pace=2.5,
    ),
    Rater(
        name="r5",
        behaviour="nearly at random: three quarters of the answers",
        accuracy=0.80,
        hit=0.70,
        false_alarm=0.06,
        noise=0.22,
        relation_noise=0.30,
        intensity_noise=0.30,
        guess_start=0.75,
        guess_end=0.75,
        not_rated=0.08,
        cannot_tell=0.01,
        pace=1.2,
    ),
)
"""The simulated raters, in the order in which they rate."""


def simulate(truths: Sequence[Mapping[str, object]], schema: LabelSchema, *, seed: int) -> list[Answers]:
    """Let all simulated raters rate all items, in their order (which is the session of the drifting rater).

    Args:
        truths: The true answers of each item by field name: a value name, a number; for sets a mapping from
            value to intensity, or the values alone. A field that a truth lacks gets a plausible one, the same
            for all raters. A relation that is None did not apply; who rates it all the same starts from 0.
        schema: Fields to rate.
        seed: Seed of all draws, at least 0.

    Returns:
        A row for each item and rater, item by item: ``item`` (place in ``truths``), ``rater``, ``seconds``;
        for each field its answer or None, ``FIELD_intensity`` where it is asked, and ``FIELD_missing``.

    Raises:
        InputError: A truth is not an answer that the schema allows; all of them are named.
    """
    completed = complete_truths(truths, schema, seed)
    sessions = [_session(rater, completed, schema, seed) for rater in RATERS]
    return [rating for item in zip(*sessions, strict=True) for rating in item]


def confusion(rater: Rater, field: Field) -> Floats:
    """Return P(answer | truth) of a field with one answer, over a whole session.

    A relation is answered where the rater's own labels make it apply. A drifting rater does not let it apply
    equally often throughout, so that rater's table of a relation is close, not exact.

    Args:
        rater: A simulated rater.
        field: A nominal, ordinal, interval or relation field.

    Returns:
        Shape (truth, answer), both in the order of `answers`; every row sums to 1.

    Raises:
        InputError: The field is a set (see `value_rates`).
    """
    return _with_guesses(_skill(rater, field), rater.mean_guess)


def value_rates(rater: Rater, field: MultilabelField) -> dict[str, tuple[float, float]]:
    """Return the false-alarm and the hit rate of every value that is not exclusive, over a whole session."""
    share = rater.mean_guess
    rates = {name: _rates(rater, name) for name in field.categories if name not in field.exclusive}
    return {
        name: ((1 - share) * false_alarm + share * CHANCE, (1 - share) * hit + share * CHANCE)
        for name, (false_alarm, hit) in rates.items()
    }


def intensity_confusion(rater: Rater, field: MultilabelField) -> Floats:
    """Return P(intensity | true intensity) of a value that was marked.

    A value marked by mistake is rated as if its true intensity were the lowest.

    Returns:
        Shape (truth, answer), lowest intensity first; shape (0, 0) where no intensity is asked.
    """
    size = len(intensity_scale(field))
    return _with_guesses(_ordered(size, rater.intensity_noise, 1.0), rater.mean_guess)


def _skill(rater: Rater, field: Field) -> Floats:
    """P(answer | truth) while the rater does not guess."""
    if isinstance(field, NominalField):
        return _nominal(rater, field)
    noise = rater.relation_noise if isinstance(field, RelationField) else rater.noise
    return _ordered(len(answers(field)), noise, rater.shrink)


def _nominal(rater: Rater, field: NominalField) -> Floats:
    """P(answer | truth) of a nominal field."""
    size = len(field.values)
    if size == 1:
        return np.ones((1, 1))
    table: Floats = np.full((size, size), (1 - rater.accuracy) / (size - 1))
    np.fill_diagonal(table, rater.accuracy)
    absent = [position for position, name in enumerate(field.categories) if name in field.absent]
    if not absent:
        return table
    seen_as_absent = np.eye(size)[absent[0]]
    table = (1 - rater.to_absent) * table + rater.to_absent * seen_as_absent
    miss = dict(rater.blind_to).get(field.name)
    if miss is not None:
        present = np.setdiff1d(np.arange(size), absent)
        table[present] = (1 - miss) * np.eye(size)[present] + miss * seen_as_absent
    return table


def _ordered(size: int, noise: float, shrink: float) -> Floats:
    """P(answer | truth) of ``size`` ordered answers: latent normal noise, cut at thresholds."""
    if size < 2:
        return np.ones((size, size))
    place = np.linspace(0, 1, size)
    latent = 0.5 + shrink * (place - 0.5)
    thresholds = (place[:-1] + place[1:]) / 2
    below = np.array([[_normal_cdf((cut - mean) / noise) for cut in thresholds] for mean in latent])
    table: Floats = np.diff(below, axis=1, prepend=0, append=1)
    return table


def _normal_cdf(z: float) -> float:
    return math.erfc(-z / math.sqrt(2)) / 2


def _with_guesses(table: Floats, share: float | Floats) -> Floats:
    """Mix rows of answers with uniform guessing."""
    return table if not table.size else (1 - share) * table + share / table.shape[1]


def _rates(rater: Rater, name: str) -> tuple[float, float]:
    """False-alarm and hit rate of one value of a set while the rater does not guess."""
    return rater.false_alarm, dict(rater.weak_hits).get(name, rater.hit)


def _pick(rows: Floats, uniforms: Floats) -> list[int]:
    """Pick one position of each row of probabilities, shape (n, answers), by a uniform number, shape (n,)."""
    # The last cumulative sum may miss 1 by rounding, so it is not compared.
    picked: list[int] = (np.cumsum(rows, axis=1)[:, :-1] <= uniforms[:, None]).sum(axis=1).tolist()
    return picked


def _session(rater: Rater, truths: Sequence[Answers], schema: LabelSchema, seed: int) -> list[Answers]:
    """Return all ratings of one rater, in order."""
    usual = rater.pace * len(schema.fields)
    ratings: list[Answers] = [
        {"item": item, "rater": rater.name, "seconds": round(usual * (0.5 + uniform), 1)}
        for item, uniform in enumerate(random_stream(seed, rater.name).random(len(truths)).tolist())
    ]
    guesses: Floats = np.linspace(rater.guess_start, rater.guess_end, len(truths), dtype=np.float64)
    # A relation is asked where the rater's own answers to its parts say so: those come first.
    for field in sorted(schema.fields, key=lambda one: isinstance(one, RelationField)):
        rng = random_stream(seed, rater.name, field.name)
        for rating, uniform in zip(ratings, rng.random(len(truths)).tolist(), strict=True):
            rating[f"{field.name}_missing"] = _missing(rater, field, rating, schema, uniform)
        true = [truth[field.name] for truth in truths]
        columns = (
            _sets(rater, field, true, guesses, rng)
            if isinstance(field, MultilabelField)
            else {field.name: _single(rater, field, true, guesses, rng)}
        )
        for name, column in columns.items():
            for rating, answer in zip(ratings, column, strict=True):
                rating[name] = None if rating[f"{field.name}_missing"] else answer
    return ratings


def _missing(rater: Rater, field: Field, rating: Answers, schema: LabelSchema, uniform: float) -> str | None:
    """Say why there is no answer; None where there is one."""
    if isinstance(field, RelationField):
        asked = schema.applies(field, rating)
        if asked is False:
            return Missing.NOT_APPLICABLE.value
        if asked is None:
            # One part is absent and the other has no answer: its reason holds for the relation too.
            reasons = (rating[f"{part}_missing"] for part in (field.source, field.target))
            return next(str(reason) for reason in reasons if reason)
    if uniform < rater.not_rated:
        return Missing.NOT_RATED.value
    return Missing.CANNOT_TELL.value if uniform < rater.not_rated + rater.cannot_tell else None


def _single(
    rater: Rater, field: Field, true: Sequence[object], guesses: Floats, rng: np.random.Generator
) -> list[object]:
    """Answer a field with one answer."""
    choices = answers(field)
    rows = _skill(rater, field)[_places(field, true)]
    return [choices[place] for place in _pick(_with_guesses(rows, guesses[:, None]), rng.random(len(true)))]


def _places(field: Field, true: Sequence[object]) -> list[int]:
    """Return the positions of truths among the answers; for interval fields, of the nearest answer."""
    choices = answers(field)
    if isinstance(field, IntervalField):
        step = (field.high - field.low) / INTERVAL_STEPS
        nearest: list[int] = (
            np.rint((np.array(true, dtype=np.float64) - field.low) / step).astype(int).tolist()
        )
        return nearest
    place = {choice: position for position, choice in enumerate(choices)}
    return [place[value] for value in true]


def _sets(
    rater: Rater, field: MultilabelField, true: Sequence[object], guesses: Floats, rng: np.random.Generator
) -> dict[str, list[object]]:
    """Mark a set for each item, with intensities where they are asked."""
    size, members = len(field.values), [read_set(field, truth) for truth in true]
    is_true = np.array([[name in chosen for name in field.categories] for chosen in members]).reshape(
        -1, size
    )
    false_alarm, hit = np.array([_rates(rater, name) for name in field.categories]).T
    drawn = np.array([name not in field.exclusive for name in field.categories])
    share = guesses[:, None]
    marked = rng.random(is_true.shape) < (1 - share) * np.where(is_true, hit, false_alarm) + share * CHANCE
    sets = [
        [name for name, one in zip(field.categories, row, strict=True) if one] or _exclusive(field, chosen)
        for row, chosen in zip((marked & drawn).tolist(), members, strict=True)
    ]
    if field.intensity is None:
        return {field.name: list(sets)}
    low = field.intensity[0]
    table = intensity_confusion(rater, field)
    slots = np.zeros(is_true.shape, dtype=int)
    for position, name in enumerate(field.categories):
        rows = table[[chosen.get(name, low) - low for chosen in members]]
        uniforms = rng.random(len(true))
        slots[:, position] = low + np.array(_pick(rows, uniforms))
    slots[:, ~drawn] = low
    chosen_slots = [
        intensity_slots(field, {name: row[field.categories.index(name)] for name in names})
        for row, names in zip(slots.tolist(), sets, strict=True)
    ]
    return {field.name: list(sets), f"{field.name}_intensity": list(chosen_slots)}


def _exclusive(field: MultilabelField, chosen: Mapping[str, int]) -> list[str]:
    """Return the answer when nothing was marked: the true exclusive value, else the first one, else none."""
    return [name for name in field.exclusive if name in chosen][:1] or list(field.exclusive[:1])
