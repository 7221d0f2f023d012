"""How well predicted labels match decided ones, by the type of the field; scikit-learn computes what it has.

A value that does not exist is None and comes with its reason. Averages over classes are over those that occur
in the labels or in the predictions, as is usual: a class that nobody has and nobody predicts says nothing.
"""

from __future__ import annotations

import dataclasses
import math
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from sklearn import metrics as sklearn_metrics

from baselines.data import Floats, Integers, Labels, Mask, Values
from schemas.fields import (
    CategoricalField,
    Field,
    IntervalField,
    MultilabelField,
    OrdinalField,
    RelationField,
)

HEADLINE = {
    "nominal": "macro_f1",
    "ordinal": "macro_f1",
    "multilabel": "macro_f1",
    "relation": "macro_f1",
    "interval": "ccc",
}
"""The metric on which settings are chosen, by type of field."""

NO_LABELS = "no utterance has a label"


@dataclass(frozen=True)
class Score:
    """One metric with its 95% interval.

    Attributes:
        value: The metric; None where it does not exist.
        low: Lower end of the interval over dialogues.
        high: Upper end.
        reason: Why a number is missing.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    reason: str | None = None


@dataclass(frozen=True)
class ClassScore:
    """How well one value is found.

    Attributes:
        precision: Share of right ones among the predicted; None where it is never predicted.
        recall: Share of found ones among the labeled; None where no label has it.
        f1: Their harmonic mean; None where the value is neither labeled nor predicted.
        support: Utterances labeled so.
        predicted: Utterances predicted so.
        reason: Why a number is missing.
    """

    precision: float | None
    recall: float | None
    f1: float | None
    support: int
    predicted: int
    reason: str | None = None


@dataclass(frozen=True)
class FieldScores:
    """How well a field is predicted.

    Attributes:
        type: Type of the field.
        utterances: Utterances with a label.
        dialogues: Dialogues with a labeled utterance; None where intervals were not asked for.
        metrics: By name.
        per_class: By name of the value; none for interval fields.
        confusion: Utterances by label (row) and prediction (column), in schema order; none for sets and
            numbers.
    """

    type: str
    utterances: int
    dialogues: int | None
    metrics: Mapping[str, Score]
    per_class: Mapping[str, ClassScore] = dataclasses.field(default_factory=dict)
    confusion: tuple[tuple[int, ...], ...] = ()


_OF_NUMBERS = ("mae", "pearson", "ccc")
_OF_SETS = ("macro_f1", "weighted_f1", "micro_f1", "exact_match", "jaccard")
_OF_ONE = ("macro_f1", "weighted_f1", "accuracy", "uar")
_OF_ORDER = (*_OF_ONE, "quadratic_kappa")
METRICS = tuple(dict.fromkeys((*_OF_ORDER, *_OF_SETS, *_OF_NUMBERS)))
"""The metrics of all types of fields."""


def metric_names(field: Field) -> tuple[str, ...]:
    """Return the names of the metrics of a field."""
    if isinstance(field, IntervalField):
        return _OF_NUMBERS
    if isinstance(field, MultilabelField):
        return _OF_SETS
    return _OF_ORDER if isinstance(field, OrdinalField | RelationField) else _OF_ONE


def headlines(
    fields: Iterable[Field], labels: Mapping[str, Labels], predicted: Mapping[str, Values]
) -> dict[str, float | None]:
    """Return the headline metric of every field; None where it does not exist.

    Args:
        fields: The fields.
        labels: Decided labels of all rows by field.
        predicted: Predicted ones by field.
    """
    found = {}
    for field in fields:
        known, values = labels[field.name].known, labels[field.name].values
        scored = score(field, values[known], predicted[field.name][known])
        found[field.name] = scored.metrics[HEADLINE[field.type]].value
    return found


def score(field: Field, labels: Values, predicted: Values) -> FieldScores:
    """Compare predictions of one field with its labels, both complete.

    Args:
        field: The field.
        labels: Decided labels, as in `baselines.data.Labels`.
        predicted: Predicted ones, of the same shape.

    Returns:
        Metrics without intervals.
    """
    if not len(labels):
        return no_scores(field, NO_LABELS)
    if isinstance(field, IntervalField):
        return FieldScores(field.type, len(labels), None, _numbers(labels, predicted))
    if isinstance(field, MultilabelField):
        metrics, classes = _sets(labels, predicted), _binary(labels, predicted)
    else:
        size = len(class_names(field))
        metrics = _categories(labels, predicted, size, kappa="quadratic_kappa" in metric_names(field))
        classes = _binary(labels[:, None] == np.arange(size), predicted[:, None] == np.arange(size))
    per_class = dict(zip(class_names(field), classes, strict=True))
    return FieldScores(
        field.type, len(labels), None, metrics, per_class, _confusion(field, labels, predicted)
    )


def _confusion(field: Field, labels: Values, predicted: Values) -> tuple[tuple[int, ...], ...]:
    if isinstance(field, MultilabelField):
        return ()
    size = np.arange(len(class_names(field)))
    matrix = sklearn_metrics.confusion_matrix(labels, predicted, labels=size)
    return tuple(tuple(int(one) for one in row) for row in matrix)


def no_scores(field: Field, reason: str, utterances: int = 0) -> FieldScores:
    """Return the metrics of a field that cannot be judged, each with the reason."""
    metrics = {name: Score(None, reason=reason) for name in metric_names(field)}
    return FieldScores(field.type, utterances, None, metrics)


def class_names(field: Field) -> list[str]:
    """Return the values of a field as texts, in schema order; none for interval fields."""
    if isinstance(field, CategoricalField | RelationField):
        return [str(value) for value in field.categories]
    return []


def _categories(labels: Integers, predicted: Integers, size: int, *, kappa: bool) -> dict[str, Score]:
    found = {
        average: float(sklearn_metrics.f1_score(labels, predicted, average=average, zero_division=0))
        for average in ("macro", "weighted")
    }
    supported = np.unique(labels)
    recall = sklearn_metrics.recall_score(
        labels, predicted, labels=supported, average="macro", zero_division=0
    )
    scores = {
        "macro_f1": Score(found["macro"]),
        "weighted_f1": Score(found["weighted"]),
        "accuracy": Score(float(sklearn_metrics.accuracy_score(labels, predicted))),
        "uar": Score(float(recall)),
    }
    if kappa:
        scores["quadratic_kappa"] = _quadratic_kappa(labels, predicted, size)
    return scores


def _quadratic_kappa(labels: Integers, predicted: Integers, size: int) -> Score:
    """Cohen's (1968) weighted kappa with squared distances."""
    if len(np.unique(np.concatenate([labels, predicted]))) < 2:
        return Score(None, reason="labels and predictions are all the same value")
    with warnings.catch_warnings():  # a value that never occurs is no fault here
        warnings.simplefilter("ignore")
        value = sklearn_metrics.cohen_kappa_score(
            labels, predicted, labels=np.arange(size), weights="quadratic"
        )
    return Score(float(value))


def _sets(labels: Mask, predicted: Mask) -> dict[str, Score]:
    # Two empty sets are equal: their Jaccard index is 1.
    jaccard = sklearn_metrics.jaccard_score(labels, predicted, average="samples", zero_division=1)
    return {
        "macro_f1": _set_f1(labels, predicted, "macro", "no value is labeled or predicted"),
        "weighted_f1": _set_f1(labels, predicted, "weighted", "no value is labeled"),
        "micro_f1": _set_f1(labels, predicted, "micro", "no value is labeled or predicted"),
        "exact_match": Score(float(sklearn_metrics.accuracy_score(labels, predicted))),
        "jaccard": Score(float(jaccard)),
    }


def _set_f1(labels: Mask, predicted: Mask, average: str, reason: str) -> Score:
    """F1 over the values that occur."""
    occurs = np.flatnonzero(labels.any(axis=0) | predicted.any(axis=0))
    if not len(occurs) or (average == "weighted" and not labels.any()):
        return Score(None, reason=reason)
    return Score(
        float(sklearn_metrics.f1_score(labels, predicted, labels=occurs, average=average, zero_division=0))
    )


def _binary(labels: Mask, predicted: Mask) -> list[ClassScore]:
    """Judge every value on its own; both of shape (rows, values)."""
    precision, recall, f1, support = sklearn_metrics.precision_recall_fscore_support(
        labels, predicted, average=None, zero_division=np.nan
    )
    counts = predicted.sum(axis=0)
    scores = []
    for value in range(labels.shape[1]):
        missing = {
            "no label has this value": support[value] == 0,
            "this value is never predicted": counts[value] == 0,
        }
        scores.append(
            ClassScore(
                _number(precision[value]),
                _number(recall[value]),
                _number(f1[value]),
                int(support[value]),
                int(counts[value]),
                "; ".join(reason for reason, holds in missing.items() if holds) or None,
            )
        )
    return scores


def _numbers(labels: Floats, predicted: Floats) -> dict[str, Score]:
    mae = Score(float(sklearn_metrics.mean_absolute_error(labels, predicted)))
    if len(labels) < 2:
        none = Score(None, reason="fewer than two utterances have a label")
        return {"mae": mae, "pearson": none, "ccc": none}
    varies = np.ptp(labels) > 0, np.ptp(predicted) > 0
    if all(varies):
        pearson = Score(float(np.corrcoef(labels, predicted)[0, 1]))
    else:
        pearson = Score(None, reason="all predictions are equal" if varies[0] else "all labels are equal")
    # Lin (1989): twice the covariance over the variances and the squared difference of the means.
    covariance = float(((labels - labels.mean()) * (predicted - predicted.mean())).mean())
    spread = float(labels.var() + predicted.var() + (labels.mean() - predicted.mean()) ** 2)
    if any(varies) or labels[0] != predicted[0]:
        ccc = Score(2 * covariance / spread)
    else:
        ccc = Score(None, reason="labels and predictions are all the same number")
    return {"mae": mae, "pearson": pearson, "ccc": ccc}


def _number(value: float) -> float | None:
    return None if math.isnan(value) else float(value)
