"""Agreement in parts of the ratings: before adjudication, by round, condition, language or hour."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from annotation.agreement.alpha import Metric, alpha_agreement, alpha_reason, alpha_sums
from annotation.agreement.coefficients import Statistic, divide
from annotation.agreement.columns import answer_column, answered, latest, require_columns
from annotation.agreement.estimation import MOST_CELLS, Units
from annotation.agreement.patterns import Floats, Patterns, tally
from annotation.agreement.reading import Ratings
from annotation.agreement.reasons import TOO_LARGE
from annotation.agreement.results import Agreement, Coefficient
from annotation.agreement.source import Source
from annotation.agreement.unit_sums import LeftOut, estimates, leave_one_out, sum_by
from schemas.errors import InputError, Issue
from schemas.fields import Field

ADJUDICATION = "adjudication"
"""What the names of rating tables begin with that hold decisions of adjudicators."""

GROUP = "group of ratings"


def before_adjudication(ratings: pa.Table) -> pa.Table:
    """The ratings that were made before anybody saw the others' answers.

    Args:
        ratings: With a column ``origin``; rows whose origin begins with "adjudication" are left out.

    Raises:
        InputError: There is no such column.
    """
    require_columns(ratings, ["origin"])
    decided = pc.starts_with(pc.cast(ratings.column("origin"), pa.string()), ADJUDICATION)
    return ratings.filter(pc.invert(pc.fill_null(decided, False)))


def hour_of_day(ratings: pa.Table, time_zone: str = "UTC") -> pa.ChunkedArray:
    """Hour, 0 to 23, at which each rating was made; null where that is not known.

    Args:
        ratings: With a column ``created`` of times.
        time_zone: Where the raters live.

    Raises:
        InputError: There is no such column, or no such time zone.
    """
    require_columns(ratings, ["created"])
    try:
        return pc.hour(ratings.column("created").cast(pa.timestamp("ms", tz=time_zone)))
    except pa.ArrowInvalid as error:
        raise InputError(Issue("no hour of the day", column="created", value=str(error))) from error


def agreement_by(
    source: Source, field: Field | str, column: str, *, n_boot: int = 1000, seed: int = 0
) -> Mapping[str, Agreement]:
    """Alpha within each group of ratings: only ratings of one group are compared with each other.

    For what differs between items or whole passes over them: round, condition, language, source, split.

    Args:
        source: The ratings.
        field: A schema field or ``"COLUMN:LEVEL"``.
        column: Column of the groups; rows without one are left out.
        n_boot: Bootstrap resamples.
        seed: Their seed.

    Returns:
        By group, as text, in sorted order: an `Agreement` whose coefficient is alpha. All others are those of
        `measure` on the group alone.

    Raises:
        InputError: A column is not there, or the table does not fit.
    """
    used = [source.item, source.rater, source.cluster, answer_column(field)]
    require_columns(source.table, [column, *used])
    group = pc.cast(source.table.column(column), pa.string())
    table = source.table.select(list(dict.fromkeys(filter(None, used))))
    return {
        name: alpha_agreement(
            source.of(table.filter(pc.equal(group, name))).read(field), n_boot=n_boot, seed=seed
        )
        for name in sorted(one for one in pc.unique(group).to_pylist() if one is not None)
    }


def agreement_with_others(
    source: Source, field: Field | str, column: str, *, n_boot: int = 1000, seed: int = 0
) -> Mapping[str, Coefficient]:
    """How far the ratings of each group agree with all other ratings of their items.

    For what differs from rating to rating: the hour of the day, the rater. Alpha of a group is 1 minus the
    mean distance of its ratings to the other ratings of their items, over the disagreement expected by chance
    in all ratings. Alpha of all ratings is the mean of the groups' alphas, weighted by their paired ratings.

    Args:
        source: The ratings. Of a rater's repeated ratings of an item the last row counts.
        field: A schema field or ``"COLUMN:LEVEL"``.
        column: Column of the groups; ratings without one are compared with, but form no group.
        n_boot: Bootstrap resamples; the ordinal distances to the others are not renewed in them.
        seed: Their seed.

    Returns:
        By group, as text, in sorted order.

    Raises:
        InputError: A column is not there, or the table does not fit.
    """
    item, rater = source.item, source.rater
    require_columns(source.table, [column, item, rater, answer_column(field)])
    table = answered(source.table, [answer_column(field), item])
    if rater is not None:
        table = latest(table, [rater, item])
    group = pc.fill_null(pc.cast(table.column(column), pa.string()), "")
    names, code = np.unique(group.to_numpy(zero_copy_only=False).astype(str), return_inverse=True)
    # The group stands in the rater's place, so that the coded ratings say which group each is of.
    places = [str(place) for place in range(len(names))]
    table = table.append_column(GROUP, pa.DictionaryArray.from_arrays(code.astype(np.int32), places))
    coded = replace(source, table=table, rater=GROUP, duplicates="both").read(field)
    if len(coded.item) != table.num_rows:
        raise InputError(Issue("cells that are text for a missing number", column=answer_column(field)))
    definition = "1 - mean distance to the other ratings of the item / expected disagreement of all ratings"
    found = _groups(coded, len(names), definition, n_boot, seed)
    return {str(name): one for name, one in zip(names, found, strict=True) if name}


def _groups(ratings: Ratings, groups: int, definition: str, n_boot: int, seed: int) -> list[Coefficient]:
    patterns, of_item = ratings.patterns, ratings.pattern_of_item
    statistic, reason = alpha_sums(ratings, patterns), alpha_reason(ratings)
    unit = np.arange(ratings.items) if ratings.cluster is None else ratings.cluster
    units = ratings.items if ratings.cluster is None else ratings.clusters
    if statistic is None or reason is not None or ratings.rater is None:
        return [Coefficient(None, None, None, None, definition, reason or TOO_LARGE)] * groups
    width = 2 * groups + statistic.rows.shape[1]
    if units * width > MOST_CELLS:
        return [Coefficient(None, None, None, None, definition, TOO_LARGE)] * groups
    left = leave_one_out(ratings, patterns, of_item)
    distance = _distance_to_others(ratings, patterns, left)[left.of_rating]
    paired = (patterns.ratings[patterns.pattern] > 1)[left.of_rating]
    cell = unit[ratings.item] * groups + ratings.rater
    counts, sums = (tally(cell, one, units * groups).reshape(units, groups) for one in (paired, distance))
    rows = np.hstack([counts, sums, sum_by(statistic.rows[of_item], unit, units)])

    def of_group(k: int) -> Statistic:
        def value(total: Floats) -> Floats:
            alpha = statistic.value(total[..., 2 * groups :])
            own = divide(total[..., groups + k], total[..., k])
            observed = divide(total[..., groups : 2 * groups].sum(-1), total[..., :groups].sum(-1))
            share = np.where(observed > 0, divide(own, observed), own)  # no disagreement at all: own is 0
            return np.asarray(1 - share * (1 - alpha))

        return Statistic(rows, value)

    none = "no rating of this group has another rating of its item"
    resampled = Units(np.ones(units, np.int64))
    if ratings.cluster is not None:
        resampled = Units(np.ones(units, np.int64), None, np.arange(units), units)
    every = {str(k): (definition, of_group(k), none) for k in range(groups)}
    return list(estimates(every, resampled, n_boot, seed).values())


def _distance_to_others(ratings: Ratings, patterns: Patterns, left: LeftOut) -> Floats:
    """Mean distance of a rating in each cell to the other ratings of its item, 0 where there are none."""
    rest = left.patterns
    own = patterns.category[rest.pattern]
    distance = Metric.of(ratings, patterns).between(own, rest.category)
    total = tally(rest.pattern, rest.count * distance, len(patterns.pattern))
    mean: Floats = total / np.maximum(patterns.ratings[patterns.pattern] - 1, 1)
    return mean
