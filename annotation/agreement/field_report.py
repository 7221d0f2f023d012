"""Everything that is known about the agreement on one field, measured once for all faces of the report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from annotation.agreement.ceiling import Ceiling, human_ceiling
from annotation.agreement.coefficients import Chance, chance_statistic
from annotation.agreement.confusions import Confusions, confusions
from annotation.agreement.influence import Influences, item_influence, rater_influence
from annotation.agreement.measure import NO_PAIRS, ONE_VALUE, measure
from annotation.agreement.naming import Names, answers_of, names_of
from annotation.agreement.rater_pairs import RaterPairs, rater_pairs
from annotation.agreement.reading import Duplicates, Ratings, read_ratings
from annotation.agreement.relations import (
    RelationAgreement,
    ToldByParts,
    relation_agreement,
    told_by_parts,
)
from annotation.agreement.results import Agreement, Coefficient
from annotation.agreement.retest import Retest, retest
from annotation.agreement.specific import SpecificAgreement, prevalence, specific_agreement
from annotation.agreement.unit_sums import estimates, patterns_of, units_of
from schemas.fields import Field, Level, Missing, RelationField
from schemas.label_schema import LabelSchema

DISPUTED = 20


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
        ceiling: Raters against the consensus of the others.
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
    ceiling: Ceiling
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


@dataclass(frozen=True)
class Report:
    """Agreement on several fields.

    Attributes:
        title: What was rated: the project or the file.
        item: What an item is called, in the plural.
        cluster: What intervals resample, in the plural.
        fields: A report a field.
        options: How it was measured.
        simulated: Raters that are simulated.
        made_from: Content hashes of the inputs, parameters and version.
    """

    title: str
    item: str
    cluster: str
    fields: tuple[FieldReport, ...]
    options: Options
    simulated: tuple[str, ...]
    made_from: Mapping[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """The stable JSON of ``annotation agreement``, and what it was made from."""
        return {
            "fields": {one.name: one.agreement.to_dict() for one in self.fields},
            "made_from": dict(self.made_from),
        }


@dataclass(frozen=True)
class _Source:
    """Ratings, and which columns say what."""

    table: pa.Table
    item: str
    rater: str | None
    cluster: str | None
    duplicates: Duplicates
    about: pa.Table | None = None

    def read(self, field: Field | str) -> Ratings:
        return read_ratings(
            self.table,
            field,
            item=self.item,
            rater=self.rater,
            cluster=self.cluster,
            duplicates=self.duplicates,
        )


def _field_report(
    source: _Source, field: Field | str, schema: LabelSchema | None, options: Options
) -> FieldReport:
    ratings = source.read(field)
    boot = {"n_boot": options.n_boot, "seed": options.seed}
    columns = {"item": source.item, "rater": source.rater, "cluster": source.cluster}
    names = names_of(ratings, source.table, item=source.item, rater=source.rater)
    items = item_influence(ratings, DISPUTED)
    relation = told = None
    if isinstance(field, RelationField) and schema is not None:
        relation = relation_agreement(
            source.table, schema, field, **columns, duplicates=source.duplicates, **boot
        )
        told = told_by_parts(source.table, field, cluster=source.cluster or source.item, **boot)
    again = Retest(None, {}, "raters or rounds are unknown")
    if source.rater is not None and "round" in source.table.column_names:
        again = retest(source.table, field, **columns, **boot)
    return FieldReport(
        field,
        measure(ratings, **boot),
        _unanswered(source.table, ratings.field),
        names,
        prevalence(ratings, **boot),
        dict(zip(names.values, np.bincount(ratings.code, minlength=len(names.values)).tolist(), strict=True)),
        _value_ac1(ratings, options),
        specific_agreement(ratings, **boot),
        again,
        human_ceiling(ratings, **boot),
        confusions(ratings),
        rater_influence(ratings),
        rater_pairs(ratings),
        _disputed(ratings, names, items, source.about),
        items.reason,
        relation,
        told,
    )


def _unanswered(table: pa.Table, field: str) -> dict[str, int]:
    """How many ratings have each kind of no answer; only a project says which."""
    name = f"{field}_missing"
    if name not in table.column_names:
        return {}
    counts = {one["values"]: one["counts"] for one in pc.value_counts(table.column(name)).to_pylist()}
    return {str(kind): counts[kind.value] for kind in Missing if counts.get(kind.value)}


def _value_ac1(ratings: Ratings, options: Options) -> Mapping[str, Coefficient]:
    """Gwet's AC1 of "this value or not"; of sets, of each label."""
    if ratings.level in (Level.INTERVAL, Level.RATIO):
        return {}
    patterns, of_item = patterns_of(ratings)
    is_set = ratings.level is Level.SET
    statistics = {}
    for label in ratings.labels:
        chosen = [label in one if is_set else one == label for one in ratings.values]
        binary = patterns.recode(np.array(chosen, dtype=np.int64), 2)
        statistic = chance_statistic(binary, None, Chance.GWET)
        reason = ONE_VALUE if patterns.pairable.any() else NO_PAIRS
        statistics[label] = (f"Gwet's AC1, {label!r} or not", statistic, reason)
    return estimates(statistics, units_of(ratings, patterns, of_item), options.n_boot, options.seed)


def _disputed(
    ratings: Ratings, names: Names, costly: Influences, about: pa.Table | None
) -> tuple[Disputed, ...]:
    """The items that cost agreement, in words."""
    units = [one for one in costly.units if one.change is not None and one.change > 0]
    codes = np.array([one.unit for one in units], dtype=np.int64)
    known: list[Mapping[str, str]] = [{} for _ in units]
    if about is not None:
        ids = pa.array([names.items[code] for code in codes], pa.string())
        columns = ["dialogue_id", "speaker_id", "text", "language"]
        rows = about.select(columns).take(pc.index_in(ids, value_set=about.column("utterance_id")))
        known = [{name: value for name, value in row.items() if value} for row in rows.to_pylist()]
    return tuple(
        Disputed(names.items[one.unit], one.change or 0.0, answers, facts)
        for one, answers, facts in zip(units, answers_of(ratings, names, codes), known, strict=True)
    )
