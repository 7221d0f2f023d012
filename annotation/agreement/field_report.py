"""Everything that is known about the agreement on one field, measured once for all faces of the report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from annotation.agreement.ceiling import Ceiling, human_ceiling
from annotation.agreement.coefficients import Chance, chance_statistic
from annotation.agreement.confusions import Confusions, confusions
from annotation.agreement.estimation import Units
from annotation.agreement.influence import Influences, item_influence, rater_influence
from annotation.agreement.measure import measure
from annotation.agreement.naming import Names, answers_of, names_of
from annotation.agreement.planning import Plan, plan
from annotation.agreement.rater_pairs import RaterPairs, rater_pairs
from annotation.agreement.reading import Ratings
from annotation.agreement.reasons import MOST_CATEGORIES, pair_reason
from annotation.agreement.relations import (
    RelationAgreement,
    ToldByParts,
    relation_agreement,
    told_by_parts,
)
from annotation.agreement.results import Agreement, Coefficient
from annotation.agreement.retest import Retest, retest
from annotation.agreement.source import Source
from annotation.agreement.specific import SpecificAgreement, prevalence, specific_agreement
from annotation.agreement.split_half import SplitHalf, split_half
from annotation.agreement.subsets import agreement_by, agreement_with_others, hour_of_day
from annotation.agreement.unit_sums import estimates
from schemas.fields import Field, RelationField
from schemas.label_schema import LabelSchema

DISPUTED = 20
HALF_WIDTH = 0.05
"""Half-width of the interval of alpha that the plan aims at."""
ROUND = "round"
HOUR = "hour of the day (UTC)"
GROUPS = (ROUND, "condition", "context", "language", "source", "source_split")
"""Columns of a project within whose groups agreement is shown as well."""
MOST_GROUPS = 12


@dataclass(frozen=True)
class Options:
    """How agreement is measured.

    Attributes:
        n_boot: Bootstrap resamples of each interval.
        seed: Their seed.
        where: Conditions ``COLUMN=VALUE`` that ratings must meet.
    """

    n_boot: int = 1000
    seed: int = 0
    where: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, object]:
        """What belongs to the provenance of a report."""
        return {"n_boot": self.n_boot, "seed": self.seed, "where": list(self.where)}


@dataclass(frozen=True)
class Disputed:
    """An item that costs agreement.

    Attributes:
        item: Its id.
        change: How much higher alpha would be without it.
        answers: Who gave which answer.
        about: What is known of an utterance: dialogue, speaker, text, language.
    """

    item: str
    change: float
    answers: Mapping[str, tuple[str, ...]]
    about: Mapping[str, str]


@dataclass(frozen=True)
class FieldReport:
    """What is known about the agreement on one field.

    Attributes:
        field: The field of the schema, or ``"COLUMN:LEVEL"``.
        agreement: All coefficients.
        unanswered: How many ratings have each kind of no answer.
        names: Names of items, raters and values.
        prevalence: How ratings are spread over the values; mean and sd of numbers.
        counts: Number and frequency of each value, of numbers too.
        value_ac1: AC1 of "this value or not".
        specific: Positive and negative agreement on each value.
        retest: Raters against themselves.
        split_half: The label that one half of the raters decides against that of the other half.
        ceiling: Raters against the consensus of the others.
        groups: Agreement within each group of ratings, by column and group.
        hours: Agreement of the ratings of each hour of the day with all others.
        plan: What an interval of half-width `HALF_WIDTH` takes.
        confusions: Values that are confused.
        influence: Alpha without each rater.
        pairs: Agreement rater by rater.
        disputed: Items that cost most agreement.
        disputed_reason: Why there are none.
        relation: Of a relation: where it applies, and given its parts.
        told: Of a relation: how far its parts tell it.
    """

    field: Field | str
    agreement: Agreement
    unanswered: Mapping[str, int]
    names: Names
    prevalence: Mapping[str, Coefficient]
    counts: Mapping[str, int]
    value_ac1: Mapping[str, Coefficient]
    specific: Mapping[str, SpecificAgreement]
    retest: Retest
    split_half: SplitHalf
    ceiling: Ceiling
    groups: Mapping[str, Mapping[str, Agreement]]
    hours: Mapping[str, Coefficient]
    plan: Plan
    confusions: Confusions
    influence: Influences
    pairs: RaterPairs
    disputed: tuple[Disputed, ...]
    disputed_reason: str | None
    relation: RelationAgreement | None = None
    told: ToldByParts | None = None

    @property
    def name(self) -> str:
        """Name of the field."""
        return self.agreement.field


def field_report(
    source: Source,
    field: Field | str,
    schema: LabelSchema | None,
    options: Options,
    *,
    about: pa.Table | None = None,
    unanswered: Mapping[str, int] | None = None,
) -> FieldReport:
    """Measure everything about one field.

    Args:
        source: The ratings.
        field: A field of the schema, or ``"COLUMN:LEVEL"``.
        schema: The label schema; None for a table that has none.
        options: How to measure.
        about: Utterances, when the items are utterances.
        unanswered: How many ratings have each kind of no answer; only a project says which.

    Raises:
        InputError: The ratings do not fit the field.
    """
    ratings = source.read(field)
    n_boot, seed = options.n_boot, options.seed
    names = names_of(ratings, source.table, item=source.item, rater=source.rater)
    frequency = np.bincount(ratings.code, minlength=len(names.values)).tolist()
    costly = item_influence(ratings, DISPUTED)
    relation = told = None
    if isinstance(field, RelationField) and schema is not None:
        relation = relation_agreement(source, schema, field, n_boot=n_boot, seed=seed)
        unit = source.cluster or source.item
        told = told_by_parts(source.table, field, cluster=unit, n_boot=n_boot, seed=seed)
    return FieldReport(
        field=field,
        agreement=measure(ratings, n_boot=n_boot, seed=seed),
        unanswered=unanswered or {},
        names=names,
        prevalence=prevalence(ratings, n_boot=n_boot, seed=seed),
        counts=dict(zip(names.values, frequency, strict=True)),
        value_ac1=_value_ac1(ratings, options),
        specific=specific_agreement(ratings, n_boot=n_boot, seed=seed),
        retest=_retest(source, field, options),
        split_half=split_half(ratings, n_boot=n_boot, seed=seed),
        ceiling=human_ceiling(ratings, n_boot=n_boot, seed=seed),
        groups={} if about is None else _groups(source, field, options),
        hours={} if about is None else _hours(source, field, options),
        plan=plan(ratings, HALF_WIDTH),
        confusions=confusions(ratings),
        influence=rater_influence(ratings),
        pairs=rater_pairs(ratings),
        disputed=_disputed(ratings, names, costly, about),
        disputed_reason=costly.reason,
        relation=relation,
        told=told,
    )


def _retest(source: Source, field: Field | str, options: Options) -> Retest:
    if source.rater is None or ROUND not in source.table.column_names:
        return Retest(None, {}, "raters or rounds are unknown")
    return retest(source, field, round_=ROUND, n_boot=options.n_boot, seed=options.seed)


def _groups(source: Source, field: Field | str, options: Options) -> dict[str, Mapping[str, Agreement]]:
    """Agreement by round, condition, language and the like, where ratings differ in them."""
    return {
        column: agreement_by(source, field, column, n_boot=options.n_boot, seed=options.seed)
        for column in GROUPS
        if 2 <= pc.count_distinct(source.table.column(column)).as_py() <= MOST_GROUPS
    }


def _hours(source: Source, field: Field | str, options: Options) -> Mapping[str, Coefficient]:
    hours = hour_of_day(source.table)
    if pc.count_distinct(hours).as_py() < 2:
        return {}
    padded = pc.utf8_lpad(pc.cast(hours, pa.string()), 2, "0")
    timed = source.of(source.table.append_column(HOUR, padded))
    return agreement_with_others(timed, field, HOUR, n_boot=options.n_boot, seed=options.seed)


def _value_ac1(ratings: Ratings, options: Options) -> Mapping[str, Coefficient]:
    """Gwet's AC1 of "this value or not"; of sets, of each label."""
    if len(ratings.labels) > MOST_CATEGORIES:
        return {}
    patterns = ratings.patterns
    reason = pair_reason(bool(patterns.pairable.any()))
    statistics = {}
    for label, chosen in zip(ratings.labels, ratings.label_matrix.T, strict=True):
        binary = patterns.recode(chosen.astype(np.int64), 2)
        statistic = chance_statistic(binary, None, Chance.GWET)
        statistics[label] = (f"Gwet's AC1, {label!r} or not", statistic, reason)
    return estimates(statistics, Units.of(ratings), options.n_boot, options.seed)


def _disputed(
    ratings: Ratings, names: Names, costly: Influences, about: pa.Table | None
) -> tuple[Disputed, ...]:
    """The items that cost agreement, in words; those whose ratings differ."""
    units = [one for one in costly.units if one.change is not None and one.change > 0]
    answers = answers_of(ratings, names, np.array([one.unit for one in units], dtype=np.int64))
    found = [(one, said) for one, said in zip(units, answers, strict=True) if len(said) > 1]
    ids = [names.items[one.unit] for one, _ in found]
    known: list[Mapping[str, str]] = [{} for _ in found]
    if about is not None:
        place = pc.index_in(pa.array(ids, pa.string()), value_set=about.column("utterance_id"))
        rows = about.select(["dialogue_id", "speaker_id", "text", "language"]).take(place)
        known = [{name: value for name, value in row.items() if value} for row in rows.to_pylist()]
    return tuple(
        Disputed(name, one.change or 0.0, said, facts)
        for name, (one, said), facts in zip(ids, found, known, strict=True)
    )
