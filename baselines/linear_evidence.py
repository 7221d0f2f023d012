"""What linear models say of the n-grams of an utterance, as an input of networks (stacking, Wolpert 1992).

A network that learns embeddings of n-grams from some thousand utterances falls behind a well regularised
linear model. So it is told what such a model thinks of every utterance, and has context and other streams to
add. Of a training utterance the model is asked that never saw its dialogue; otherwise a network would learn
to trust it blindly.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, Ridge

from baselines.data import Integers, Labels, Mask
from schemas.fields import CategoricalField, Field, IntervalField, RelationField

FOLDS = 4
STRENGTH = 1.0
"""Inverse strength of the penalty."""
SHARPNESS = 0.5
"""Power of the log-count ratios that scale the terms; 0 leaves them as they are."""
MOST = 6.0
"""Log-odds are cut here: beyond lie values that a fold has never or always seen."""
Array = npt.NDArray[np.float32]


@dataclass(frozen=True)
class LinearEvidence:
    """Linear models of all fields.

    Attributes:
        weights: Shape (terms, outputs): an output a value of the schema, or one for interval fields.
        bias: Shape (outputs,).
    """

    weights: Array
    bias: Array

    def of(self, rows: Any) -> Array:  # noqa: ANN401 - a sparse matrix (rows, terms)
        """Return log-odds of values and deviations of numbers, shape (rows, outputs)."""
        return np.asarray((rows @ self.weights + self.bias).clip(-MOST, MOST), np.float32)


def outputs(field: Field) -> int:
    """Return how many outputs a field has."""
    return len(field.categories) if isinstance(field, CategoricalField | RelationField) else 1


def fit_evidence(
    rows: Any,  # noqa: ANN401 - a sparse matrix
    dialogue: Integers,
    fields: Mapping[str, Field],
    labels: Mapping[str, Labels],
) -> tuple[LinearEvidence, Array]:
    """Fit linear models, and ask models of other folds about every row.

    Args:
        rows: N-grams, sparse, shape (rows, terms).
        dialogue: The dialogue of every row; a fold has whole dialogues.
        fields: The fields by name.
        labels: Labels by field.

    Returns:
        The models of all rows, and what the models that did not see a row's dialogue say of it.
    """
    folds = min(FOLDS, len(np.unique(dialogue)))
    # Runs of dialogues: neighbours may come of one scene, and a fold must not know what it is asked about.
    fold = dialogue * folds // (dialogue.max() + 1)
    held_out = np.zeros((len(dialogue), sum(map(outputs, fields.values()))), np.float32)
    for number in range(folds if folds > 1 else 0):
        mine = fold == number
        held_out[mine] = _fit(rows, fields, labels, ~mine).of(rows[np.flatnonzero(mine)])
    return _fit(rows, fields, labels, np.ones(len(dialogue), np.bool_)), held_out


def _fit(rows: Any, fields: Mapping[str, Field], labels: Mapping[str, Labels], used: Mask) -> LinearEvidence:  # noqa: ANN401
    columns, biases = [], []
    for name, field in fields.items():
        known = np.flatnonzero(labels[name].known & used)
        values, mine = labels[name].values[known], rows[known]
        if isinstance(field, IntervalField):
            columns.append(_ridge(mine, values))
            biases.append(0.0)
            continue
        targets = values if values.ndim == 2 else values[:, None] == np.arange(outputs(field))
        if values.ndim == 1 and targets.shape[1] == 2:  # one model tells both
            weights, bias = _one(mine, targets[:, 1])
            columns += [-weights, weights]
            biases += [-bias, bias]
            continue
        for target in targets.T:
            weights, bias = _one(mine, target)
            columns.append(weights)
            biases.append(bias)
    return LinearEvidence(np.stack(columns, axis=1).astype(np.float32), np.array(biases, np.float32))


def _ridge(rows: Any, values: npt.NDArray[Any]) -> npt.NDArray[Any]:  # noqa: ANN401
    if not len(values) or not values.std():
        return np.zeros(rows.shape[1])
    model = Ridge(alpha=1 / STRENGTH, solver="lsqr", fit_intercept=False)
    found: npt.NDArray[Any] = model.fit(rows, (values - values.mean()) / values.std()).coef_
    return found


def _one(rows: Any, target: Mask) -> tuple[npt.NDArray[Any], float]:  # noqa: ANN401
    """Fit the model of one value, both of whose answers count the same."""
    if not len(target) or target.all() or not target.any():
        return np.zeros(rows.shape[1]), MOST if len(target) and target.all() else -MOST
    scale = _ratios(rows, target) ** SHARPNESS
    model = LogisticRegression(C=STRENGTH, class_weight="balanced", solver="liblinear", tol=1e-2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # near the optimum is near enough for evidence
        model.fit(rows.multiply(scale).tocsr(), target)
    return scale * model.coef_[0], float(model.intercept_[0])


def _ratios(rows: Any, target: Mask) -> npt.NDArray[Any]:  # noqa: ANN401
    """Return how unevenly each term is shared by those who have the value and those who have not.

    Absolute log-count ratios (Wang and Manning 2012), shape (terms,).
    """
    has, lacks = (np.asarray(rows[np.flatnonzero(one)].sum(axis=0)).ravel() + 1 for one in (target, ~target))
    found: npt.NDArray[Any] = np.abs(np.log(has / has.sum()) - np.log(lacks / lacks.sum()))
    return found
