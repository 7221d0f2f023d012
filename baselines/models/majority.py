"""The majority floor: the same answer for every utterance."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from baselines.data import Floats, Labels, Split
from baselines.models.base import Floor, Report, Tensors, class_count
from schemas.fields import Field, IntervalField, MultilabelField


class Majority(Floor):
    """The most frequent value of train; the mean of interval fields; of sets each value's own majority."""

    name = "majority"
    rates: dict[str, Floats]

    def learn(self, train: Split, validation: Split) -> Report:  # noqa: ARG002 - no choices
        """Count the labels of ``train``."""
        self.rates = {field.name: _rates(field, train.labels[field.name]) for field in self.fields}
        return {}

    def scores(self, split: Split) -> dict[str, Floats]:
        """Return how often each value was seen in train, or the mean; the same for all rows."""
        return {
            name: np.broadcast_to(rates, (len(split), *rates.shape)).copy()
            for name, rates in self.rates.items()
        }

    def tensors(self) -> Tensors:
        """Return the frequencies or the mean of every field."""
        return dict(self.rates)

    def load_tensors(self, tensors: Tensors, folder: Path) -> None:  # noqa: ARG002 - nothing but tensors
        """Take over frequencies and means."""
        self.rates = {field.name: tensors[field.name] for field in self.fields}


def _rates(field: Field, labels: Labels) -> Floats:
    """Return the shares of a field's values, shape (values,), or its mean, shape ()."""
    values = labels.values[labels.known]
    if isinstance(field, IntervalField | MultilabelField):
        return np.asarray(values.mean(axis=0), np.float64)
    return np.bincount(values, minlength=class_count(field)) / len(values)
