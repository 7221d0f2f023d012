"""The TF-IDF floor: one linear model a field over the n-grams of the utterance alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.linear_model import LogisticRegression, Ridge

from baselines.data import Floats, Labels, Mask, Split
from baselines.decoding import decode
from baselines.metrics import HEADLINE, score
from baselines.models.base import Floor, Report, Tensors, class_count
from baselines.ngrams import Ngrams
from baselines.runs import read_json, write_json
from schemas.errors import InputError, Issue
from schemas.fields import Field, IntervalField, MultilabelField
from schemas.progress import progress

VOCABULARY = "vocabulary.json"
STRENGTHS = (1.0, 0.1, 0.3, 3.0, 10.0)  # inverse strength of the penalty; of equals the first is taken
CERTAIN = 30.0  # the logit of a value that train always or never has


@dataclass(frozen=True)
class Linear:
    """A linear model of one field.

    Attributes:
        weights: Shape (outputs, terms); an output a value of the schema, or one for interval fields.
        bias: Shape (outputs,).
    """

    weights: NDArray[Any]
    bias: Floats

    def scores(self, field: Field, features: Any) -> Floats:  # noqa: ANN401 - a sparse matrix
        """Return scores of rows of features, as `baselines.decoding.decode` takes them."""
        outputs: Floats = features @ self.weights.T.astype(np.float64) + self.bias
        if isinstance(field, IntervalField):
            numbers: Floats = outputs[:, 0]
            return numbers
        probabilities: Floats = expit(outputs)
        if isinstance(field, MultilabelField):
            return probabilities
        probabilities /= probabilities.sum(axis=1, keepdims=True)
        return probabilities


class TfidfLogistic(Floor):
    """TF-IDF of words and characters with one-vs-rest logistic regression; ridge for interval fields.

    Values weigh by their inverse frequency. Each field's strength of penalty is chosen on validation.
    """

    name = "tfidf-logistic"
    ngrams: Ngrams
    linear: dict[str, Linear]

    def learn(self, train: Split, validation: Split) -> Report:
        """Fit a model a field; report the score on validation of every strength that was tried."""
        self.ngrams = Ngrams.fit(train.texts)
        if not len(self.ngrams):
            raise InputError(Issue("no term occurs in two texts of train: there is nothing to learn from"))
        features, unseen = self.ngrams.transform(train.texts), self.ngrams.transform(validation.texts)
        self.linear, report = {}, {}
        for field in progress(self.fields, "fitting fields", len(self.fields)):
            labels, held_out = train.labels[field.name], validation.labels[field.name]
            fitted = _fitter(field, features[labels.known], labels.values[labels.known], self.config.seed)
            tried = {c: fitted(c) for c in (STRENGTHS if held_out.known.any() else STRENGTHS[:1])}
            found = {c: _on_validation(field, one, unseen, held_out) for c, one in tried.items()}
            best = max(found, key=lambda c: -np.inf if (value := found[c]) is None else value)
            self.linear[field.name] = tried[best]
            report[field.name] = {
                "chosen": best,
                HEADLINE[field.type]: {str(c): found[c] for c in sorted(found)},
            }
        return {"penalty": report}

    def scores(self, split: Split) -> dict[str, Floats]:
        """Return probabilities of the values of every field, or numbers."""
        features = self.ngrams.transform(split.texts)
        return {field.name: self.linear[field.name].scores(field, features) for field in self.fields}

    def tensors(self) -> Tensors:
        """Return weights, biases and inverse document frequencies."""
        found: Tensors = {f"idf.{name}": idf for name, idf in self.ngrams.idf.items()}
        for name, one in self.linear.items():
            found |= {f"weights.{name}": one.weights, f"bias.{name}": one.bias}
        return found

    def load_tensors(self, tensors: Tensors, folder: Path) -> None:
        """Take over what was learnt, with the vocabulary beside it."""
        vocabulary = read_json(folder / VOCABULARY, "baselines train")
        self.ngrams = Ngrams(vocabulary, {name: tensors[f"idf.{name}"] for name in vocabulary})
        self.linear = {
            field.name: Linear(tensors[f"weights.{field.name}"], tensors[f"bias.{field.name}"])
            for field in self.fields
        }
        self._refuse_misfit(folder)

    def _refuse_misfit(self, folder: Path) -> None:
        misfits = [
            Issue(
                "the weights of this field do not fit the vocabulary and the schema",
                str(folder),
                value=field.name,
            )
            for field in self.fields
            if self.linear[field.name].weights.shape != (max(class_count(field), 1), len(self.ngrams))
        ]
        if misfits:
            raise InputError(misfits)

    def save_pretrained(self, save_directory: str | Path) -> None:
        """Write the model to a folder: JSON and safetensors."""
        super().save_pretrained(save_directory)
        write_json(Path(save_directory) / VOCABULARY, self.ngrams.vocabulary)


def _on_validation(field: Field, model: Linear, features: Any, labels: Labels) -> float | None:  # noqa: ANN401
    predicted = decode(field, model.scores(field, features[labels.known]))
    if not len(predicted):
        return None
    return score(field, labels.values[labels.known], predicted).metrics[HEADLINE[field.type]].value


def _fitter(field: Field, features: Any, values: NDArray[Any], seed: int) -> Callable[[float], Linear]:  # noqa: ANN401
    """Return what fits a model of one field with a given strength of the penalty."""
    if isinstance(field, IntervalField):
        return lambda c: _ridge(features, values, 1 / c)
    if isinstance(field, MultilabelField):
        return lambda c: _one_vs_rest(features, values, c, seed)
    return lambda c: _one_vs_rest(features, values[:, None] == np.arange(class_count(field)), c, seed)


def _ridge(features: Any, values: Floats, penalty: float) -> Linear:  # noqa: ANN401
    model = Ridge(alpha=penalty, solver="lsqr").fit(features, values)
    return Linear(model.coef_[None].astype(np.float32), np.array([model.intercept_], np.float64))


def _one_vs_rest(features: Any, targets: Mask, strength: float, seed: int) -> Linear:  # noqa: ANN401
    """Fit a yes-or-no model for every column of ``targets``, shape (rows, values)."""
    weights = np.zeros((targets.shape[1], features.shape[1]), np.float32)
    bias = np.where(targets.any(axis=0), CERTAIN, -CERTAIN)
    for value in np.flatnonzero(targets.any(axis=0) & ~targets.all(axis=0)):
        model = LogisticRegression(C=strength, class_weight="balanced", solver="liblinear", random_state=seed)
        model.fit(features, targets[:, value])
        weights[value], bias[value] = model.coef_[0], model.intercept_[0]
    return Linear(weights, bias.astype(np.float64))
