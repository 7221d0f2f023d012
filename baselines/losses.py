"""Losses by type of field, on the utterances that have a label; and what is done about rare values."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, log_softmax

from baselines.batches import Tensors
from baselines.data import Floats, Labels
from baselines.heads import Head, IntervalHead, MultilabelHead
from schemas.fields import CategoricalField, Field, MultilabelField, RelationField

PLAIN = "none"
EFFECTIVE = "effective-number"
FOCAL = "focal"
ADJUSTED = "logit-adjustment"
IMBALANCE = (PLAIN, EFFECTIVE, FOCAL, ADJUSTED)
"""What is done about rare values: nothing; weights by the effective number of samples (Cui et al. 2019); the
focal loss (Lin et al. 2017); logits shifted by the log of the prior in training (Menon et al. 2021)."""


@dataclass(frozen=True)
class LossSettings:
    """How labels become losses.

    Attributes:
        imbalance: One of `IMBALANCE`.
        effective_beta: Of the effective number of n samples, (1 - beta^n) / (1 - beta).
        focal_gamma: Exponent of the focal loss.
        adjustment: Strength of the logit adjustment; 1 aims at equal recall of all values.
        smoothing: Share of a hard label that is spread over all values.
        soft_labels: Learn the distribution over raters where it is known, in place of the decided label.
    """

    imbalance: str = PLAIN
    effective_beta: float = 0.999
    focal_gamma: float = 2.0
    adjustment: float = 1.0
    smoothing: float = 0.0
    soft_labels: bool = False


class FieldLoss(nn.Module):
    """The loss of one field.

    Attributes:
        prior: Share of every value in train, shape (values,).
        weight: Weight of every value, 1 on the average utterance, shape (values,).
    """

    prior: Tensor
    weight: Tensor

    def __init__(self, field: Field, labels: Labels, settings: LossSettings) -> None:
        super().__init__()
        self.settings = settings
        counts, prior = _counts(field, labels)[0], prior_of(field, labels)
        self.register_buffer("prior", torch.from_numpy(prior.astype(np.float32)))
        weight = _effective_weights(counts, settings) if settings.imbalance == EFFECTIVE else 1 + 0 * prior
        self.register_buffer("weight", torch.from_numpy(weight.astype(np.float32)))

    def forward(self, head: Head, logits: Tensor, target: Tensors) -> Tensor:
        """Return the mean loss of the rows that have a label, a number; 0 where none has."""
        known = target["known"]
        if not known.any():
            return logits.sum() * 0.0
        logits, values = logits[known], target["values"][known]
        soft = target["soft"][known] if self.settings.soft_labels and "soft" in target else None
        if isinstance(head, IntervalHead):
            return concordance_loss(logits, head.standardise(values))
        if isinstance(head, MultilabelHead):
            return self._set_loss(logits, values, soft, head.exclusive)
        return self._value_loss(logits, values, soft)

    def _value_loss(self, logits: Tensor, values: Tensor, soft: Tensor | None) -> Tensor:
        if self.settings.imbalance == ADJUSTED:
            logits = logits + self.settings.adjustment * self.prior.log()
        likely = log_softmax(logits, dim=-1)  # (rows, values)
        wanted = nn.functional.one_hot(values, logits.shape[1]).to(likely.dtype)
        if self.settings.smoothing:
            possible = (logits > -1e8).to(likely.dtype)
            spread = possible / possible.sum(dim=1, keepdim=True)
            wanted = (1 - self.settings.smoothing) * wanted + self.settings.smoothing * spread
        wanted = _where_soft(soft, wanted)
        if self.settings.imbalance == FOCAL:
            likely = (1 - likely.exp()).clamp(min=1e-6) ** self.settings.focal_gamma * likely
        # A value that train never has is impossible, and 0 times its log probability is 0.
        return -(wanted * self.weight * likely.clamp(min=-1e4)).sum(dim=1).mean()

    def _set_loss(self, logits: Tensor, values: Tensor, soft: Tensor | None, exclusive: Tensor) -> Tensor:
        if self.settings.imbalance == ADJUSTED:
            logits = logits + self.settings.adjustment * torch.logit(self.prior)
        wanted = _where_soft(soft, values)
        losses = binary_cross_entropy_with_logits(logits, wanted, reduction="none")  # (rows, values)
        if self.settings.imbalance == FOCAL:
            missed = torch.exp(-losses)
            losses = (1 - missed).clamp(min=1e-6) ** self.settings.focal_gamma * losses
        losses = losses * torch.where(wanted > 0.5, self.weight, 1.0)
        # Where an exclusive value holds, nothing is to be learnt about the others.
        alone = (values * exclusive).amax(dim=1, keepdim=True)
        counts = torch.where(exclusive, 1.0, 1 - alone)
        return (losses * counts).sum() / len(losses)


def _where_soft(soft: Tensor | None, hard: Tensor) -> Tensor:
    if soft is None:
        return hard
    return torch.where(torch.isfinite(soft).all(dim=1, keepdim=True), soft, hard)


def concordance_loss(predicted: Tensor, wanted: Tensor) -> Tensor:
    """Return one minus Lin's concordance correlation (1989) plus the mean squared error, both (rows,)."""
    squared = ((predicted - wanted) ** 2).mean()
    if len(wanted) < 2:
        return squared
    means = predicted.mean(), wanted.mean()
    covariance = ((predicted - means[0]) * (wanted - means[1])).mean()
    spread = predicted.var(unbiased=False) + wanted.var(unbiased=False) + (means[0] - means[1]) ** 2
    # Of rows that are all the same number there is no correlation; the squared error is left.
    return squared + 1 - 2 * covariance / spread.clamp(min=1e-6)


def prior_of(field: Field, labels: Labels) -> Floats:
    """Return the share of every value among known labels, above 0 and below 1, shape (values,)."""
    counts, total = _counts(field, labels)
    return np.clip(counts / max(total, 1), 1e-6, 1 - 1e-6)


def _counts(field: Field, labels: Labels) -> tuple[Floats, int]:
    values = labels.values[labels.known]
    if isinstance(field, MultilabelField):
        return values.sum(axis=0).astype(np.float64), len(values)
    if isinstance(field, CategoricalField | RelationField):
        return np.bincount(values, minlength=len(field.categories)).astype(np.float64), len(values)
    return np.ones(1), len(values)


def _effective_weights(counts: Floats, settings: LossSettings) -> Floats:
    effective = (1 - settings.effective_beta ** np.maximum(counts, 1)) / (1 - settings.effective_beta)
    weights = 1 / effective
    weights /= (weights * counts).sum() / max(counts.sum(), 1)
    return np.asarray(weights)
