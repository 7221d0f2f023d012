"""One rater against the others, in one field: agreement, confusions, bias, drift, information.

Every answer is held against the consensus of the *other* raters of the item: the majority (for sets value by
value, for numbers the mean). Where the others tie there is no consensus, and nothing is compared.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from scipy.special import gammaln

from annotation.aggregation.answers import Answers
from annotation.aggregation.mace import mace
from annotation.agreement.consensus import majority, majority_set
from annotation.agreement.intervals import jackknife
from annotation.agreement.patterns import Floats, Ints, tally
from annotation.agreement.results import number
from schemas.fields import Field, IntervalField, Missing, MultilabelField, NominalField

NOBODY_ELSE = "no utterance has a consensus of other raters to compare with"
FEWEST = 6
"""Fewest compared answers to say that a rater differs."""
FEWEST_IN_THIRD = 3
"""Fewest compared answers in each third for a drift: of two, all right and all wrong is no rarity."""


@dataclass(frozen=True)
class Interval:
    """A number with its 95% interval, dialogues being the independent units; None: does not exist."""

    value: float | None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class FieldMeasures:
    """One rater in one field.

    Attributes:
        answers: How many answers the rater gave, "cannot tell" included.
        cannot_tell: Share of these that are "cannot tell".
        compared: How many of them could be held against a consensus of the others.
        accuracy: Mean closeness to that consensus, 0 to 1: the same value; of sets, the shared part
            (Jaccard); of numbers, 1 - distance / range.
        bias: Mean signed distance from the consensus in shares of the scale; None for fields without order.
        drift: Accuracy in the last third of the rater's answers less that in the first.
        use: How much more often than the consensus the rater gives each value, difference of shares.
        by_language: Accuracy and number of compared answers by language.
        confusion: Consensus x answer, counts; for sets by value, (not chosen, chosen) x (not, chosen).
        no_information: Probability that the answers are independent of the consensus, against any dependence,
            both held equally likely beforehand; even systematic errors are information.
        guessing: Estimated share of answers that are guesses (`guesses`); None for numbers.
        reason: Why numbers are missing.
    """

    answers: int
    cannot_tell: float | None
    compared: int
    accuracy: Interval
    bias: Interval
    drift: Interval
    use: Mapping[str, float]
    by_language: Mapping[str, tuple[float, int]]
    confusion: Mapping[str, tuple[tuple[int, ...], ...]]
    no_information: float | None
    guessing: float | None
    reason: str | None = None


@dataclass(frozen=True)
class Comparison:
    """Each answer of a field beside the consensus of the others.

    Attributes:
        compared: Which answers have such a consensus.
        closeness: 0 to 1, nan where not compared.
        signed: Signed distance in shares of the scale, nan where there is none.
        answer: The answer as a column of the confusion, -1 where not compared.
        consensus: The consensus as a row of the confusion, -1 where not compared.
        options: Names of these rows and columns; empty for sets and numbers.
    """

    compared: NDArray[np.bool_]
    closeness: Floats
    signed: Floats
    answer: Ints
    consensus: Ints
    options: tuple[str, ...]


def compare(answers: Answers) -> Comparison:
    """Hold every answer against the consensus of the others."""
    if isinstance(answers.field, IntervalField):
        return _compare_numbers(answers, answers.field)
    if isinstance(answers.field, MultilabelField):
        return _compare_sets(answers)
    return _compare_values(answers)


def _compare_values(answers: Answers) -> Comparison:
    votes, told = answers.votes(), answers.told
    size = votes.values
    counts = votes.counts[:, : size + 1]
    answer = np.where(told, votes.option, 0)
    others = counts[answers.item] - np.eye(size + 1, dtype=np.int64)[answer]
    consensus = np.where(told, majority(others.astype(np.float64)), -1)
    compared = consensus >= 0
    closeness = np.where(compared, (answer == consensus).astype(np.float64), np.nan)
    on_scale = compared & (answer < size) & (consensus < size) & (size > 1)
    if isinstance(answers.field, NominalField):
        on_scale[:] = False
    signed = np.where(on_scale, (answer - consensus) / max(size - 1, 1), np.nan)
    names = tuple(str(name) for name in answers.field.categories)  # type: ignore[attr-defined]
    return Comparison(
        compared,
        closeness,
        signed,
        np.where(compared, answer, -1),
        consensus,
        (*names, Missing.CANNOT_TELL.value),
    )


def _compare_sets(answers: Answers) -> Comparison:
    given = answers.given
    own = np.zeros((len(answers.item), answers.members.shape[1]), dtype=bool)
    own[given] = answers.members[answers.code[given]]
    counts = np.zeros((answers.items, own.shape[1]))
    np.add.at(counts, answers.item, own)
    raters = answers.per_item(given).astype(np.float64)
    empty = answers.per_item(given & ~own.any(axis=1)).astype(np.float64)
    item = answers.item
    none = (~own.any(axis=1)).astype(np.float64)
    members, decided = majority_set(counts[item] - own, raters[item] - 1, empty[item] - none)
    compared = given & decided & (raters[item] > 1)
    shared, either = (own & members).sum(axis=1), (own | members).sum(axis=1)
    jaccard = np.where(either > 0, shared / np.maximum(either, 1), 1.0)
    # A set is a number in binary, so that both fit the columns of all fields.
    bits = 1 << np.arange(own.shape[1], dtype=np.int64)
    return Comparison(
        compared,
        np.where(compared, jaccard, np.nan),
        np.full(len(item), np.nan),
        np.where(compared, own @ bits, -1),
        np.where(compared, members @ bits, -1),
        (),
    )


def _compare_numbers(answers: Answers, field: IntervalField) -> Comparison:
    given = answers.given
    value = np.where(given, np.nan_to_num(answers.numbers), 0.0) if len(answers.numbers) else np.zeros(0)
    total = np.bincount(answers.item, value, answers.items)
    others = answers.per_item(given)[answers.item] - given
    compared = given & (others > 0)
    mean = (total[answers.item] - value) / np.maximum(others, 1)
    signed = np.where(compared, (value - mean) / (field.high - field.low), np.nan)
    nothing = np.full(len(value), -1)
    return Comparison(compared, 1 - np.abs(signed), signed, nothing, nothing, ())


def guesses(answers: Answers) -> Floats:
    """Share of each rater's answers that are guesses, as `mace` estimates it; shape (raters,).

    The consensus would not do for the truth: each of its errors would pass for a guess of a careful rater.
    Of sets it is the mean over the values. nan for numbers, and where all answers are the same, for then
    nothing tells a guess from knowledge.
    """
    if isinstance(answers.field, IntervalField):
        parts = []
    elif isinstance(answers.field, MultilabelField):
        parts = [answers.member_votes(member) for member in answers.members.T]
    else:
        votes, told = answers.votes(), answers.told
        parts = [replace(votes, item=votes.item[told], rater=votes.rater[told], option=votes.option[told])]
    shares = [mace(votes).raters["guessing"] for votes in parts if len(votes.used) > 1]
    return np.mean(shares, axis=0) if shares else np.full(len(answers.raters), np.nan)


def measure(
    answers: Answers,
    found: Comparison,
    guessed: float,
    rater: int,
    time: Ints,
    cluster: Ints,
    language: NDArray[np.object_],
) -> FieldMeasures:
    """Measure one rater.

    Args:
        answers: The answers to the field.
        found: `compare` of these.
        guessed: What `guesses` says of the rater.
        rater: The rater's number.
        time: When each answer was given, as any ascending number.
        cluster: Dialogue of each answer.
        language: Language of each answer, None where unknown.
    """
    own = np.flatnonzero((answers.rater == rater) & answers.told)
    mine = own[found.compared[own]]
    untold = None if not len(own) else number(float((~answers.given[own]).mean()))
    if not len(mine):
        nothing = Interval(None)
        reason = NOBODY_ELSE if len(own) else "no answers"
        return FieldMeasures(len(own), untold, 0, nothing, nothing, nothing, {}, {}, {}, None, None, reason)
    mine = mine[np.argsort(time[mine], kind="stable")]
    close, signed, units = found.closeness[mine], found.signed[mine], cluster[mine]
    on_scale = np.isfinite(signed)
    return FieldMeasures(
        len(own),
        untold,
        len(mine),
        _accuracy(close, units),
        mean_interval(signed[on_scale], units[on_scale]),
        _drift(close, units),
        _use(answers.field, found, mine),
        _by_language(close, language[mine]),
        _confusion(answers.field, found, mine),
        _no_information(answers, found, mine),
        number(guessed),
        None,
    )


def mean_interval(values: Floats, cluster: Ints) -> Interval:
    """A mean with its 95% interval from leaving out one cluster at a time."""
    return _ratio_interval(cluster, [(np.ones(len(values)), values)])


def within(interval: Interval, lowest: float, highest: float) -> Interval:
    """Return an interval without what lies beyond the possible numbers."""
    if interval.low is None or interval.high is None:
        return interval
    return Interval(interval.value, max(interval.low, lowest), min(interval.high, highest))


def _accuracy(close: Floats, cluster: Ints) -> Interval:
    """Mean closeness with its 95% interval.

    Where every answer is as the consensus, or none is, leaving out a dialogue changes nothing: then it is the
    interval of as many trials as there are dialogues (Clopper and Pearson 1934).
    """
    found = within(mean_interval(close, cluster), 0.0, 1.0)
    if found.low is None or found.value not in (0.0, 1.0):
        return found
    width = 1 - 0.025 ** (1 / len(np.unique(cluster)))
    return within(Interval(found.value, found.value - width, found.value + width), 0.0, 1.0)


def _drift(close: Floats, cluster: Ints) -> Interval:
    """Mean of the last third less mean of the first, of values in order of time."""
    third = len(close) // 3
    if third < FEWEST_IN_THIRD:
        return Interval(None)
    first, last = np.zeros(len(close)), np.zeros(len(close))
    first[:third], last[-third:] = 1.0, 1.0
    return _ratio_interval(cluster, [(last, last * close), (first, first * close)])


def _ratio_interval(cluster: Ints, parts: list[tuple[Floats, Floats]]) -> Interval:
    """A mean, or the first mean less the second, each given as (weights, weighted values)."""
    if not len(cluster):
        return Interval(None)
    names, unit = np.unique(cluster, return_inverse=True)
    rows = np.stack([tally(unit, one, len(names)) for part in parts for one in part], axis=1)

    def value(sums: Floats) -> Floats:
        weight, total = sums[..., 0::2], sums[..., 1::2]
        means = np.divide(total, weight, out=np.full(total.shape, np.nan), where=weight > 0)
        difference: Floats = means[..., 0] if len(parts) == 1 else means[..., 0] - means[..., 1]
        return difference

    middle = float(value(rows.sum(axis=0)))
    error = float(jackknife(rows, value)) if len(names) > 1 else math.nan
    if not math.isfinite(error):
        return Interval(number(middle))
    half = float(stats.t.ppf(0.975, len(names) - 1)) * error
    return Interval(number(middle), number(middle - half), number(middle + half))


def _use(field: Field, found: Comparison, mine: Ints) -> dict[str, float]:
    if isinstance(field, IntervalField):
        return {}
    answer, consensus = found.answer[mine], found.consensus[mine]
    if isinstance(field, MultilabelField):
        both = {
            name: ((answer >> place) & 1, (consensus >> place) & 1)
            for place, name in enumerate(field.categories)
        }
    else:
        both = {name: (answer == place, consensus == place) for place, name in enumerate(found.options)}
    return {name: round(float(one.mean() - other.mean()), 6) for name, (one, other) in both.items()}


def _by_language(close: Floats, language: NDArray[np.object_]) -> dict[str, tuple[float, int]]:
    known = sorted({name for name in language.tolist() if name is not None})
    groups = {name: close[language == name] for name in known}
    return {name: (round(float(one.mean()), 6), len(one)) for name, one in groups.items()}


def _confusion(field: Field, found: Comparison, mine: Ints) -> dict[str, tuple[tuple[int, ...], ...]]:
    answer, consensus = found.answer[mine], found.consensus[mine]
    if isinstance(field, MultilabelField):
        return {
            name: _table((consensus >> place) & 1, (answer >> place) & 1, 2)
            for place, name in enumerate(field.categories)
        }
    return {field.name: _table(consensus, answer, len(found.options))} if found.options else {}


def _table(consensus: Ints, answer: Ints, size: int) -> tuple[tuple[int, ...], ...]:
    counts = np.bincount(consensus * size + answer, minlength=size * size).reshape(size, size)
    return tuple(tuple(row) for row in counts.tolist())


def _no_information(answers: Answers, found: Comparison, mine: Ints) -> float | None:
    """Probability that answers are independent of the consensus, from even odds.

    On a scale they can depend on it in any way, or rise or fall with it, which few answers suffice to show:
    both are held equally likely.
    """
    if isinstance(answers.field, IntervalField):
        value = answers.numbers[mine]
        consensus = value - found.signed[mine] * (answers.field.high - answers.field.low)
        evidence = _evidence_of_correlation(value, consensus)
    else:
        tables = _confusion(answers.field, found, mine).values()
        evidence = sum(_evidence_of_dependence(np.array(table, dtype=np.float64)) for table in tables)
        on_scale = mine[np.isfinite(found.signed[mine])]
        answer, other = found.answer[on_scale], found.consensus[on_scale]
        if _vary(answer, other):
            evidence = float(np.logaddexp(evidence, _evidence_of_correlation(answer, other)) - math.log(2))
    return number(1 / (1 + math.exp(min(evidence, 700.0))))


def _evidence_of_dependence(table: Floats) -> float:
    """Log Bayes factor of rows with distributions of their own against one for all (Gunel and Dickey 1974).

    All distributions have uniform Dirichlet priors over the options in use by either side: a rater who gives
    one answer to everything leaves out options that the others use.
    """
    used = table.any(axis=0) | table.any(axis=1) if table.shape[0] == table.shape[1] else table.any(axis=0)
    table = table[table.any(axis=1)][:, used]
    own = sum(_log_marginal(row) for row in table)
    return float(own - _log_marginal(table.sum(axis=0)))


def _log_marginal(counts: Floats) -> float:
    """Log-probability of a sequence of answers under a uniform Dirichlet prior."""
    size = len(counts)
    return float(gammaln(size) - gammaln(size + counts.sum()) + gammaln(1 + counts).sum())


def _vary(one: Floats | Ints, other: Floats | Ints) -> bool:
    return len(one) > 2 and bool(np.ptp(one) > 0 and np.ptp(other) > 0)


def _evidence_of_correlation(one: Floats | Ints, other: Floats | Ints) -> float:
    """Log Bayes factor of a linear dependence, by the Bayesian information criterion (Raftery 1995)."""
    if not _vary(one, other):
        return 0.0
    correlation = min(abs(float(np.corrcoef(one, other)[0, 1])), 1 - 1e-12)
    return -len(one) / 2 * math.log(1 - correlation**2) - math.log(len(one)) / 2
