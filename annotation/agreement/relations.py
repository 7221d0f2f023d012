"""Agreement on a rated relation, and how far the relation is already told by its two parts.

A relation is worth its question when raters agree on it where it applies, agree on it although they agree on
both of its parts already, and when its value is not simply the one that the parts let expect.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from annotation.agreement.coefficients import Statistic, divide
from annotation.agreement.columns import answered, cells_of, combination, latest, require_columns
from annotation.agreement.estimation import Units
from annotation.agreement.measure import measure
from annotation.agreement.patterns import Floats, Ints, tally
from annotation.agreement.results import Agreement, Coefficient, number
from annotation.agreement.source import Source
from annotation.agreement.unit_sums import estimates
from schemas.answers import present
from schemas.fields import RelationField
from schemas.label_schema import LabelSchema

GROUP = "item and parts"
"""Column of the groups of ratings of one item that agree on both parts."""


@dataclass(frozen=True)
class RelationAgreement:
    """Agreement on a relation under three conditions.

    Attributes:
        rated: All ratings of the relation that are not null.
        applicable: Those whose rater marked at least one part as present. The same ratings as `rated` for a
            relation that is asked only then.
        given_parts: Ratings are compared only with ratings of the same item whose rater gave the same answer
            to both parts: the units of alpha are the groups (item, answer to the source, answer to the
            target); chance agreement is that of all ratings in groups of two or more. `items` counts groups.
    """

    rated: Agreement
    applicable: Agreement
    given_parts: Agreement


def relation_agreement(
    source: Source, schema: LabelSchema, relation: RelationField, *, n_boot: int = 1000, seed: int = 0
) -> RelationAgreement:
    """Agreement on a relation as rated, where it applies, and given agreement on its parts.

    Args:
        source: The ratings, with the columns of the relation and of both parts.
        schema: The label schema.
        relation: One of its relations.
        n_boot: Bootstrap resamples.
        seed: Their seed.

    Raises:
        InputError: A column is not there, or the table does not fit.
    """
    names = [source.item, relation.source, relation.target]
    require_columns(source.table, [*names, relation.name, source.rater, source.cluster])
    parts = [schema[relation.source], schema[relation.target]]
    ratings = answered(source.table, [relation.name])
    if source.duplicates == "latest" and source.rater is not None:
        ratings = latest(ratings, [source.rater, source.item])  # else a rater would stand in two groups
    there = [present(part, ratings.column(part.name)) for part in parts]
    any_part = pc.fill_null(pc.or_kleene(*there), False)
    known = answered(ratings, names)
    grouped = known.append_column(GROUP, pa.array(combination(known, names)))

    def of(table: pa.Table, unit: str) -> Agreement:
        return measure(replace(source, table=table, item=unit).read(relation), n_boot=n_boot, seed=seed)

    applicable = of(ratings.filter(any_part), source.item)
    return RelationAgreement(of(ratings, source.item), applicable, of(grouped, GROUP))


@dataclass(frozen=True)
class ToldByParts:
    """How often the value of a relation can be guessed.

    Attributes:
        ratings: Ratings (or decided labels) of the relation whose both parts are known.
        combinations: Distinct answers to both parts.
        by_mode: Share that the most frequent value hits, 0 to 1.
        by_parts: Share that the most frequent value of each combination of parts hits. It is never below
            `by_mode` because it is chosen on the same ratings.
        held_out_by_mode: Share hit when the guess is made without the rating's own cluster.
        held_out_by_parts: The same for the guess from the parts; a combination that no other cluster has is
            guessed by the mode.
        gain: `held_out_by_parts` minus `held_out_by_mode`: near 0, the parts tell nothing of the relation;
            with `held_out_by_parts` near 1, the relation adds nothing to its parts.
        reason: Why numbers are missing; None when all are there.
    """

    ratings: int
    combinations: int
    by_mode: float | None
    by_parts: float | None
    held_out_by_mode: Coefficient
    held_out_by_parts: Coefficient
    gain: Coefficient
    reason: str | None = None


def told_by_parts(
    answers: pa.Table, relation: RelationField, *, cluster: str, n_boot: int = 1000, seed: int = 0
) -> ToldByParts:
    """How far a relation is told by its parts, on ratings or on decided labels.

    Intervals resample clusters with the held-out guesses kept. Ties go to the lower value of the scale.

    Args:
        answers: One row a rating or a decided label, with the relation and both parts.
        relation: The relation.
        cluster: Column of what is left out at a time: dialogues, or items where there are none.
        n_boot: Bootstrap resamples.
        seed: Their seed.

    Raises:
        InputError: A column is not there.
    """
    parts = [relation.source, relation.target]
    require_columns(answers, [relation.name, *parts, cluster])
    known = answered(answers, [relation.name, *parts, cluster])
    grades = cells_of(known, relation.name).cast(pa.int64()).to_numpy(zero_copy_only=False)
    value = grades.astype(np.int64) - relation.low
    return _told(
        combination(known, parts),
        value,
        combination(known, [cluster]),
        len(relation.categories),
        n_boot,
        seed,
    )


def _told(part: Ints, value: Ints, unit: Ints, q: int, n_boot: int, seed: int) -> ToldByParts:
    combinations, units = int(part.max(initial=-1)) + 1, int(unit.max(initial=-1)) + 1
    counts = tally(part * q + value, np.ones(len(part)), combinations * q).reshape(combinations, q)
    totals = counts.sum(axis=0)
    # What each unit has of each combination it meets, and the guess that all others make for it.
    groups, place = np.unique(unit * max(combinations, 1) + part, return_inverse=True)
    own = tally(place * q + value, np.ones(len(part)), len(groups) * q).reshape(len(groups), q)
    owner = groups // max(combinations, 1)
    of_unit = tally(unit * q + value, np.ones(len(part)), units * q).reshape(units, q)
    mode = (totals - of_unit).argmax(axis=1)[owner]
    others = counts[groups % max(combinations, 1)] - own
    guess = np.where(others.any(axis=1), others.argmax(axis=1), mode)
    every = np.arange(len(groups))
    rows = np.column_stack([own.sum(axis=1), own[every, mode], own[every, guess]])
    rows = np.column_stack([tally(owner, column, units) for column in rows.T])
    reason = "no rating has both parts" if not len(part) else "a single cluster leaves none to guess from"
    definition = "share hit by a guess made on the other clusters, from "
    statistics = {
        "mode": (definition + "the most frequent value", Statistic(rows, _by_mode), reason),
        "parts": (definition + "both parts", Statistic(rows, _by_parts), reason),
        "gain": ("gain of the guess from both parts over the mode", Statistic(rows, _gain), reason),
    }
    if units < 2:
        found = {
            name: Coefficient(None, None, None, None, one[0], reason) for name, one in statistics.items()
        }
    else:
        clusters = Units(np.ones(units, np.int64), None, np.arange(units), units)
        found = estimates(statistics, clusters, n_boot, seed)
    n = len(part)
    return ToldByParts(
        n,
        combinations,
        number(totals.max() / n) if n else None,
        number(counts.max(axis=1).sum() / n) if n else None,
        found["mode"],
        found["parts"],
        found["gain"],
        reason if units < 2 else None,
    )


def _by_mode(sums: Floats) -> Floats:
    return divide(sums[..., 1], sums[..., 0])


def _by_parts(sums: Floats) -> Floats:
    return divide(sums[..., 2], sums[..., 0])


def _gain(sums: Floats) -> Floats:
    return divide(sums[..., 2] - sums[..., 1], sums[..., 0])
