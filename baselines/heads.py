"""Heads: from the vector of an utterance to the answer to one field, as its type asks.

A categorical head gives *logits*: whatever its form, their softmax is the distribution over the values.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import logsigmoid

from baselines.data import Labels
from schemas.fields import (
    CategoricalField,
    Field,
    IntervalField,
    MultilabelField,
    OrdinalField,
    RelationField,
)

CUMULATIVE = "cumulative-link"
CONTINUATION = "continuation-ratio"
ORDINAL_FORMS = (CUMULATIVE, CONTINUATION)
NEVER = -1e9
"""The logit of a value that no utterance of train has: its probability is 0."""
CERTAIN = 30.0
"""The logit of a value of a set that all or, negative, none of the utterances of train have."""


class Head(nn.Module, ABC):
    """What every head is."""

    @abstractmethod
    def fit(self, labels: Labels) -> None:
        """Learn the frame of the answers from the labels of train."""

    @abstractmethod
    def forward(self, rows: Tensor, told: Tensor | None = None) -> Tensor:
        """Return logits (rows, values), or of interval fields standardised numbers (rows,).

        Args:
            rows: What the network has of the utterances, shape (rows, width).
            told: What is known beforehand, to which the head adds; shape (rows, values), of interval fields
                (rows, 1).
        """

    @abstractmethod
    def scores(self, logits: Tensor) -> Tensor:
        """Return probabilities or numbers, as `baselines.decoding.decode` takes them."""


class NominalHead(Head):
    """One logit a value."""

    seen: Tensor

    def __init__(self, width: int, values: int) -> None:
        super().__init__()
        self.linear = nn.Linear(width, values)
        self.register_buffer("seen", torch.ones(values, dtype=torch.bool))

    def fit(self, labels: Labels) -> None:
        """Note which values occur."""
        counts = np.bincount(labels.values[labels.known], minlength=len(self.seen))
        self.seen.copy_(torch.from_numpy(counts > 0))

    def forward(self, rows: Tensor, told: Tensor | None = None) -> Tensor:
        """Return logits, (rows, width) -> (rows, values)."""
        return _beside(self.linear(rows), told).masked_fill(~self.seen, NEVER)

    def scores(self, logits: Tensor) -> Tensor:
        """Return the distribution over the values."""
        return logits.softmax(dim=-1)


class OrdinalHead(NominalHead):
    """One logit a step between neighbouring values, from which the values' log probabilities follow.

    `CUMULATIVE` (proportional odds, McCullagh 1980; CORAL of Cao et al. 2020 shares its one direction): one
    number an utterance against ordered thresholds, P(y > k) = sigmoid(number - threshold k). `CONTINUATION`
    (Fienberg 1980; CORN of Shi et al. 2021): a direction a step, P(y > k | y >= k) = sigmoid(step k).
    """

    def __init__(self, width: int, values: int, form: str) -> None:
        super().__init__(width, values)
        self.form = form
        cumulative = form == CUMULATIVE  # whose thresholds are the biases
        self.linear = nn.Linear(width, 1 if cumulative else values - 1, bias=not cumulative)
        if cumulative:
            self.first = nn.Parameter(torch.tensor(-(values - 2) / 2))
            # Softplus makes gaps of these, so that the thresholds stay in order.
            self.gaps = nn.Parameter(torch.full((values - 2,), 0.54))

    def forward(self, rows: Tensor, told: Tensor | None = None) -> Tensor:
        """Return log probabilities of the values, up to a constant, (rows, width) -> (rows, values)."""
        steps = self.linear(rows)
        found = self._cumulative(steps) if self.form == CUMULATIVE else _continuation(steps)
        return _beside(found, told).masked_fill(~self.seen, NEVER)

    def _cumulative(self, number: Tensor) -> Tensor:
        gaps = nn.functional.softplus(self.gaps) + 1e-3
        thresholds = self.first + torch.cat([gaps.new_zeros(1), gaps.cumsum(0)])
        above = number - thresholds  # (rows, values - 1)
        low, high = above[:, 1:], above[:, :-1]
        # log(sigmoid(high) - sigmoid(low)), without the difference of two numbers near 1.
        between = logsigmoid(high) + logsigmoid(-low) + torch.log(-torch.expm1(low - high))
        return torch.cat([logsigmoid(-above[:, :1]), between, logsigmoid(above[:, -1:])], dim=1)


def _continuation(steps: Tensor) -> Tensor:
    """Turn logits of going on, (rows, values - 1), into log probabilities, (rows, values)."""
    beyond = logsigmoid(steps).cumsum(dim=1)
    reached = torch.cat([steps.new_zeros(len(steps), 1), beyond], dim=1)
    stops = torch.cat([logsigmoid(-steps), steps.new_zeros(len(steps), 1)], dim=1)
    return reached + stops


class MultilabelHead(Head):
    """One logit a value; where an exclusive value holds there is no other.

    P(exclusive value) is its sigmoid; P(another value) = P(no exclusive value) times its sigmoid.
    """

    constant: Tensor
    exclusive: Tensor

    def __init__(self, width: int, field: MultilabelField) -> None:
        super().__init__()
        values = len(field.categories)
        self.linear = nn.Linear(width, values)
        self.register_buffer("constant", torch.zeros(values))
        marks = torch.tensor([name in field.exclusive for name in field.categories])
        self.register_buffer("exclusive", marks, persistent=True)

    def fit(self, labels: Labels) -> None:
        """Note which values all or none of the utterances have."""
        chosen = labels.values[labels.known]
        always, never = chosen.all(axis=0), ~chosen.any(axis=0)
        self.constant.copy_(torch.from_numpy(np.where(always, CERTAIN, np.where(never, -CERTAIN, 0.0))))

    def forward(self, rows: Tensor, told: Tensor | None = None) -> Tensor:
        """Return logits, (rows, width) -> (rows, values)."""
        return torch.where(self.constant == 0, _beside(self.linear(rows), told), self.constant)

    def scores(self, logits: Tensor) -> Tensor:
        """Return the probability of every value."""
        chosen = logits.sigmoid()
        alone = torch.where(self.exclusive, 1 - chosen, 1.0).prod(dim=-1, keepdim=True)
        return torch.where(self.exclusive, chosen, chosen * alone)


class IntervalHead(Head):
    """One number, in deviations from the mean of train."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        self.linear = nn.Linear(width, 1)
        self.register_buffer("mean", torch.zeros(()))
        self.register_buffer("deviation", torch.ones(()))

    def fit(self, labels: Labels) -> None:
        """Take mean and deviation."""
        values = labels.values[labels.known]
        self.mean.fill_(float(values.mean()))
        self.deviation.fill_(float(values.std()))

    def standardise(self, values: Tensor) -> Tensor:
        """Bring numbers of the scale to mean 0 and deviation 1."""
        return (values - self.mean) / self.deviation.clamp(min=1e-6)

    def forward(self, rows: Tensor, told: Tensor | None = None) -> Tensor:
        """Return standardised numbers, (rows, width) -> (rows,)."""
        return _beside(self.linear(rows), told)[:, 0]

    def scores(self, logits: Tensor) -> Tensor:
        """Return numbers of the scale."""
        return self.mean + self.deviation * logits


class RelationHead(OrdinalHead):
    """A relation says what one part does to another, so its head sees what is said of both parts."""

    def __init__(self, width: int, values: int, form: str, parts: int) -> None:
        super().__init__(width, values, form)
        self.mixing = nn.Sequential(nn.Linear(width + parts, width), nn.GELU())

    def forward(self, rows: Tensor, told: Tensor | None = None, parts: Tensor | None = None) -> Tensor:
        """Return log probabilities of the grades, (rows, width), of the parts (rows, parts)."""
        seen = rows if parts is None else torch.cat([rows, parts], dim=1)
        return super().forward(self.mixing(seen), told)


def _beside(logits: Tensor, told: Tensor | None) -> Tensor:
    return logits if told is None else logits + told


def make_head(field: Field, width: int, ordinal: str, parts: int = 0) -> Head:
    """Build the head that the type of a field asks for.

    Args:
        field: The field.
        width: Width of what the head gets.
        ordinal: Form of the heads of ordinal fields and relations, one of `ORDINAL_FORMS`.
        parts: How many numbers are said of the two parts of a relation; 0 where neither is learnt.
    """
    if isinstance(field, RelationField):
        return RelationHead(width, len(field.categories), ordinal, parts)
    if isinstance(field, IntervalField):
        return IntervalHead(width)
    if isinstance(field, MultilabelField):
        return MultilabelHead(width, field)
    if isinstance(field, OrdinalField) and len(field.categories) > 2:
        return OrdinalHead(width, len(field.categories), ordinal)
    if isinstance(field, CategoricalField):
        return NominalHead(width, len(field.categories))
    raise TypeError(f"there is no head for a {field.type} field")
