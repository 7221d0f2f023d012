"""From the answers to one field to its columns: what every method shares.

A method estimates; here its estimate becomes a hard label (or the reason why there is none), a soft label,
the item's own agreement and the number of raters.

- One value (nominal, ordinal, relation): the option that the estimate chose. "Cannot tell" and "not
  applicable" are options and can be chosen. A tie is undecided.
- Sets: whether it can be told is a question of its own. Among those who could tell, each value is estimated
  on its own, and so is "none of them". The decided set is the most probable *consistent* one: a value that
  excludes others stands alone, and the empty set is decided only where "none of them" is. A value that is as
  likely as not leaves the item undecided.
- Numbers: whether it can be told is decided by majority.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from annotation.aggregation.answers import Answers
from annotation.aggregation.estimate import Estimate, ScoreEstimate, Scores
from annotation.aggregation.majority import majority
from annotation.aggregation.votes import TIE, normalised
from annotation.agreement.patterns import Floats, Ints
from schemas.fields import IntervalField, Missing, MultilabelField
from schemas.records import has_intensity, value_type

Columns = Mapping[str, pa.Array]
Voting = Callable[..., Estimate]
Scoring = Callable[[Scores], ScoreEstimate]

TOLD, NONE_OF_THEM = "told", "none of them"

DECIDED, UNDECIDED, CANNOT_TELL, NOT_APPLICABLE, NOT_RATED = range(5)
_REASONS = pa.array(
    [None, Missing.UNDECIDED, Missing.CANNOT_TELL, Missing.NOT_APPLICABLE, Missing.NOT_RATED], pa.string()
)


def decide_value(answers: Answers, estimate: Estimate) -> Columns:
    """Columns of a field with one value."""
    field, size = answers.field, answers.votes().values
    choice = estimate.choice
    missing = np.array([DECIDED] * size + [CANNOT_TELL, NOT_APPLICABLE, UNDECIDED])[choice]  # -1: the last
    missing[np.bincount(answers.item, minlength=answers.items) == 0] = NOT_RATED
    decided = missing == DECIDED
    names = pa.array(field.categories, value_type(field))  # type: ignore[attr-defined]
    return {
        field.name: names.take(pa.array(np.where(decided, choice, 0), mask=~decided)),
        f"{field.name}_missing": _reasons(missing),
        **_soft(answers, _among_told(answers, estimate.probability[:, :size])),
        **_counted(answers, answers.agreement()),
    }


def decide_set(answers: Answers, voting: Voting) -> tuple[Columns, dict[str, Estimate]]:
    """Columns of a set, and the estimates of its parts: `TOLD`, each value, `NONE_OF_THEM`."""
    field = answers.field
    assert isinstance(field, MultilabelField)
    told = voting(answers.told_votes())
    estimates = {TOLD: told}
    for place, name in enumerate(field.categories):
        estimates[name] = voting(answers.member_votes(answers.members[:, place]))
    estimates[NONE_OF_THEM] = voting(answers.member_votes(np.asarray(~answers.members.any(axis=1))))
    support = np.stack(
        [estimates[name].probability[:, 1] for name in (*field.categories, NONE_OF_THEM)], axis=1
    )
    alone = np.array([name in field.exclusive for name in field.categories])
    inside, settled = consistent_sets(support, alone)
    missing = _told(answers, told)
    missing[(missing == DECIDED) & ~settled] = UNDECIDED
    decided = missing == DECIDED
    inside &= decided[:, None]
    names = pa.array(field.categories).take(pa.array(np.nonzero(inside)[1]))
    columns = {
        field.name: _ragged(inside.sum(axis=1), names, decided),
        f"{field.name}_missing": _reasons(missing),
        **_soft(answers, support[:, :-1]),
        **_counted(answers, answers.agreement()),
    }
    if has_intensity(field):
        columns[f"{field.name}_intensity"] = _intensities(answers, inside, decided)
    return columns, estimates


def consistent_sets(support: Floats, alone: NDArray[np.bool_]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """The most probable consistent set of each item, values being independent given the votes.

    Args:
        support: Probability of each value, in the last column of "none of them"; items x (values + 1).
        alone: Which values exclude all others.

    Returns:
        The values of the set, items x values, and which items are settled.
    """
    likely = support > 0.5 + TIE
    even = (np.abs(support - 0.5) <= TIE).any(axis=1)
    held = np.clip(support, TIE, 1 - TIE)
    odds = np.where(likely, np.log(held / (1 - held)), 0.0)
    lonely = np.append(alone, True)
    together = odds[:, ~lonely].sum(axis=1)
    single = odds[:, lonely].max(axis=1)
    inside = likely[:, :-1] & ~alone
    by_itself = single > together + TIE
    first = np.flatnonzero(lonely)[odds[:, lonely].argmax(axis=1)]
    chosen = np.arange(support.shape[1])[None, :] == first[:, None]
    inside = np.where(by_itself[:, None], chosen[:, :-1], inside)
    torn = (np.abs(single - together) <= TIE) & (single > 0)
    return inside, likely.any(axis=1) & ~even & ~torn


def decide_number(answers: Answers, scoring: Scoring) -> tuple[Columns, ScoreEstimate]:
    """Columns of an interval field, and the estimate.

    Agreement is 1 - mean squared difference of two raters / range squared.
    """
    field = answers.field
    assert isinstance(field, IntervalField)
    given = answers.given
    scores = Scores(
        answers.item[given], answers.rater[given], answers.numbers[given], answers.items, len(answers.raters)
    )
    estimate = scoring(scores)
    missing = _told(answers, majority(answers.told_votes()))
    raters = answers.per_item(given)
    squares = np.bincount(scores.item, (scores.value - scores.mean()[scores.item]) ** 2, answers.items)
    variance = np.divide(squares, raters - 1, out=np.full(answers.items, np.nan), where=raters > 1)
    inside = np.clip(estimate.value, field.low, field.high)  # a corrected offset can lead off the scale
    value = np.where(missing == DECIDED, inside, np.nan)
    columns = {
        field.name: _floats(value),
        f"{field.name}_missing": _reasons(missing),
        f"{field.name}_sd": _floats(np.sqrt(variance)),
        **_counted(answers, 1 - 2 * variance / (field.high - field.low) ** 2),
    }
    return columns, estimate


def require_agreement(columns: Columns, field: str, least: float) -> Columns:
    """Leave items undecided whose raters agree less, or are one; their soft labels stay.

    That it cannot be told is decided no more easily than a value. What does not apply is not asked here.
    """
    agreement = np.asarray(columns[f"{field}_agreement"].to_numpy(zero_copy_only=False), dtype=np.float64)
    raters = columns[f"{field}_raters"].to_numpy(zero_copy_only=False)
    untold = pc.equal(columns[f"{field}_missing"], Missing.CANNOT_TELL.value).fill_null(False)
    decided = np.asarray(columns[field].is_valid()) | np.asarray(untold)
    refused = decided & ((agreement < np.float32(least)) | (raters < 2))
    reason = pa.array([Missing.UNDECIDED.value] * len(refused), pa.string())
    changed = {f"{field}_missing": choose(refused, reason, columns[f"{field}_missing"])}
    for name in (field, f"{field}_intensity"):
        if name in columns:
            changed[name] = choose(refused, pa.nulls(len(refused), columns[name].type), columns[name])
    return {**columns, **changed}


def choose(mask: NDArray[np.bool_], one: pa.Array, other: pa.Array) -> pa.Array:
    """Entries of ``one`` where the mask is set; takes lists too, which Arrow's own ``if_else`` does not."""
    place = np.arange(len(mask))
    return pa.concat_arrays([one, other]).take(pa.array(np.where(mask, place, place + len(mask))))


def _told(answers: Answers, told: Estimate) -> Ints:
    """Why there is no answer, as far as the question whether it can be told decides that."""
    missing = np.array([DECIDED, CANNOT_TELL, UNDECIDED])[told.choice]  # -1: the last
    missing[answers.per_item(answers.told) == 0] = NOT_RATED
    return missing


def _reasons(missing: Ints) -> pa.Array:
    return _REASONS.take(pa.array(missing))


def _counted(answers: Answers, agreement: Floats) -> Columns:
    name = answers.field.name
    return {
        f"{name}_agreement": _floats(agreement),
        f"{name}_raters": pa.array(answers.per_item(answers.told), pa.int16()),
    }


def _soft(answers: Answers, probability: Floats) -> Columns:
    """Probabilities of the values among those who could tell; null where nobody did."""
    return {
        f"{answers.field.name}_soft": _lists(probability, answers.per_item(answers.given) > 0, pa.float32())
    }


def _among_told(answers: Answers, probability: Floats) -> Floats:
    """Probabilities of the values given that it can be told.

    Where an estimate holds all values for impossible (those who gave one have no weight, or "cannot tell" is
    certain), the shares of those who gave one stand in: a distribution of zeros is none.
    """
    values = answers.votes().counts[:, : probability.shape[1]].astype(np.float64)
    nothing = probability.sum(axis=1) == 0
    return normalised(np.where(nothing[:, None], values, probability))


def _intensities(answers: Answers, inside: NDArray[np.bool_], decided: NDArray[np.bool_]) -> pa.Array:
    """Mean over the raters who chose the value, halves rounded up; null where a decided value has none."""
    total, chosen = np.zeros(inside.shape), np.zeros(inside.shape)
    given = answers.given
    if answers.strengths is not None:
        np.add.at(total, answers.item[given], answers.strengths[given])
        np.add.at(chosen, answers.item[given], answers.members[answers.code[given]])
    strengths = np.divide(total, chosen, out=np.zeros(inside.shape), where=inside & (chosen > 0))
    rounded = np.floor(strengths + 0.5).astype(np.int8)
    return _lists(rounded, decided & ~(inside & (rounded == 0)).any(axis=1), pa.int8())


def _floats(values: Floats) -> pa.Array:
    return pa.array(values, pa.float32(), from_pandas=True)


def _lists(matrix: NDArray[np.generic], valid: NDArray[np.bool_], kind: pa.DataType) -> pa.Array:
    """Rows of a matrix as lists; null where not ``valid``."""
    return _ragged(np.where(valid, matrix.shape[1], 0), pa.array(matrix[valid].ravel(), kind), valid)


def _ragged(lengths: Ints, values: pa.Array, valid: NDArray[np.bool_]) -> pa.Array:
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), values, mask=pa.array(~valid))
