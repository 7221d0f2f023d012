"""Judging answers: whoever gave them, by the same utterances, labels and ratings."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from baselines.ceiling import NO_RATINGS, Ceiling, by_rater, human_sums, leave_one_out, model_sums
from baselines.cost import Cost
from baselines.data import Description, Split, read_split
from baselines.metrics import no_scores
from baselines.models.base import Model
from baselines.ratings import Ratings, read_ratings
from baselines.scoring import N_BOOT, Answers, Scored, Sums, score_answers, values_of, with_intervals
from baselines.seen import Beyond, Seen, beyond_raters
from schemas.errors import InputError, Issue
from schemas.fields import Field, IntervalField
from schemas.label_schema import LabelSchema

TEST = "test"
NOT_LEARNT = "the model did not learn this field: train has no label of it"


@dataclass(frozen=True)
class Judged:
    """How well one model predicts the decided labels of a split.

    Attributes:
        model: Name of the model.
        fields: By field.
        ceiling: The human ceiling by field, with the model scored the same way.
        seen: What the model says that it sees.
        warnings: Where it saw what its raters did not.
        cost: What it costs; measured anew every time, so no part of equality.
    """

    model: str
    fields: Mapping[str, Scored]
    ceiling: Mapping[str, Ceiling]
    seen: Seen
    warnings: tuple[Beyond, ...]
    cost: Cost = dataclasses.field(compare=False)


@dataclass(frozen=True)
class Bench:
    """The utterances on which models are judged, and how.

    Attributes:
        description: The dataset.
        split: The utterances.
        ratings: The raters' own answers; None without any.
        n_boot: Resamples of dialogues.
        seed: Seed of the resamples.
    """

    description: Description
    split: Split
    ratings: Ratings | None
    n_boot: int = N_BOOT
    seed: int = 0

    @property
    def schema(self) -> LabelSchema:
        """The label schema."""
        return self.description.schema

    @property
    def intervals(self) -> dict[str, Any]:
        """How the intervals are made."""
        how = {"resampled": "dialogues", "method": "percentile", "level": 0.95}
        return {**how, "n_boot": self.n_boot, "seed": self.seed}


def open_bench(
    dataset: str | Path,
    description: Description,
    *,
    n_boot: int = N_BOOT,
    seed: int = 0,
    cache_dir: Path | None = None,
) -> Bench:
    """Open the test split with its labels and ratings.

    Raises:
        InputError: There is no test split, or it is damaged.
    """
    split = read_split(dataset, description, TEST, cache_dir)
    return Bench(description, split, read_ratings(dataset, description, split, cache_dir), n_boot, seed)


def answers_of(model: Model, split: Split) -> dict[str, Answers]:
    """Ask a model about all utterances of a split.

    Raises:
        InputError: It answers with something that is no number; all fields at once.
    """
    scores = model.scores(split)
    issues = []
    for field in model.fields:
        wrong = ~np.isfinite(scores[field.name]).reshape(len(split), -1).all(axis=1)
        if wrong.any():
            first = int(np.argmax(wrong))
            message = "the model gives no number for this utterance; it was trained or is fed with such ones"
            value = split.utterance_ids[first]
            issues.append(
                Issue(message, split.name, None, first + 1, field.name, value, (), int(wrong.sum()))
            )
    if issues:
        raise InputError(issues)
    predicted = model.decide(scores)
    return {
        field.name: Answers(
            predicted[field.name], None if isinstance(field, IntervalField) else scores[field.name]
        )
        for field in model.fields
    }


def judge(
    name: str,
    schema: LabelSchema,
    answers: Mapping[str, Answers],
    bench: Bench,
    seen: Seen,
    cost: Cost,
    lacking: str = NOT_LEARNT,
) -> tuple[Judged, dict[str, Sums]]:
    """Judge answers, wherever they come from.

    Args:
        name: Name of the model.
        schema: The fields that are judged.
        answers: The answers by field, to all utterances of the bench.
        bench: The utterances.
        seen: What the model sees.
        cost: What it costs.
        lacking: Why there are no answers to a field.

    Returns:
        What was found, and by field the sums behind it.
    """
    fields: dict[str, Scored] = {}
    ceilings, sums = {}, {}
    for field in schema:
        given = answers.get(field.name)
        if given is None:
            known = int(bench.split.labels[field.name].known.sum())
            fields[field.name] = Scored(**vars(no_scores(field, lacking, known)))
        else:
            fields[field.name], sums[field.name] = score_answers(
                field, bench.split, given, bench.ratings, bench.n_boot, bench.seed
            )
        ceilings[field.name] = ceiling(field, bench, given)
    return Judged(name, fields, ceilings, seen, beyond_raters(seen, bench.ratings), cost), sums


def ceiling(field: Field, bench: Bench, answers: Answers | None) -> Ceiling:
    """Score each rater, and a model, against the consensus of the other raters."""
    if bench.ratings is None:
        return Ceiling(reason=NO_RATINGS)
    found = leave_one_out(field, bench.ratings)
    if isinstance(found, str):
        return Ceiling(reason=found)
    human = human_sums(field, bench.split, found)
    scored = with_intervals(human, values_of(human), bench.n_boot, bench.seed)
    model = {}
    if answers is not None:
        sums = model_sums(field, bench.split, found, answers.predicted)
        model = with_intervals(sums, values_of(sums), bench.n_boot, bench.seed)
    return Ceiling(scored, model, by_rater(field, bench.ratings, found), found.design)
