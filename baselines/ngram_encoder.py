"""The text encoder that needs no download: hashed n-grams."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from baselines.batches import Stream, Tensors
from baselines.data import Split
from baselines.hashed_ngrams import HashedNgrams, TermRows
from baselines.linear_evidence import LinearEvidence, fit_evidence, outputs
from baselines.stream_encoder import Encoded, Encoder
from schemas.errors import InputError, Issue
from schemas.fields import Field


class NgramEncoder(Encoder):
    """A bag of hashed n-grams, each with a vector that is learnt, beside what linear models say of them.

    In training whole n-grams are dropped, so that no rare one is relied upon.
    """

    kind = "ngrams"
    keys: Tensor
    idf: Tensor
    weights: Tensor
    bias: Tensor

    def __init__(self, terms: int, width: int, term_dropout: float, fields: Mapping[str, Field]) -> None:
        """Make room for what is fitted.

        Args:
            terms: N-grams that are kept.
            width: Numbers of the vector of an n-gram.
            term_dropout: How often an n-gram is left out in training.
            fields: The fields that linear models are fitted to; none for embeddings alone.
        """
        super().__init__()
        said = sum(map(outputs, fields.values()))
        self.width = width + said
        self.term_dropout = term_dropout
        self.fields = fields
        self.register_buffer("keys", torch.zeros(terms, dtype=torch.int64))
        self.register_buffer("idf", torch.zeros(terms))
        self.register_buffer("weights", torch.zeros(terms, said))
        self.register_buffer("bias", torch.zeros(said))
        self.bag = nn.EmbeddingBag(terms, width, mode="sum")
        nn.init.normal_(self.bag.weight, std=width**-0.5)
        self._trained_on: tuple[Split, npt.NDArray[np.float32]] | None = None

    def fit(self, split: Split) -> None:
        """Choose the n-grams and fit the linear models.

        Raises:
            InputError: No n-gram occurs in two texts.
        """
        found = HashedNgrams.fit(split.texts, len(self.keys))
        if not found.idf.any():
            raise InputError(Issue("no term occurs in two texts of train: there is nothing to learn from"))
        self.keys.copy_(torch.from_numpy(found.keys))
        self.idf.copy_(torch.from_numpy(found.idf))
        if self.fields:
            rows = found.transform(split.texts)
            evidence, held_out = fit_evidence(rows, split.dialogue, self.fields, split.labels)
            self.weights.copy_(torch.from_numpy(evidence.weights))
            self.bias.copy_(torch.from_numpy(evidence.bias))
            self._trained_on = split, held_out

    def read(self, split: Split) -> Stream:
        """Count the n-grams, and ask the linear models: of train those that did not see the dialogue."""
        known = HashedNgrams(self.keys.cpu().numpy(), self.idf.cpu().numpy())
        rows = known.transform(split.texts)
        if self._trained_on is not None and self._trained_on[0] is split:
            evidence = self._trained_on[1]
        else:
            evidence = LinearEvidence(self.weights.cpu().numpy(), self.bias.cpu().numpy()).of(rows)
        return TermRows(rows.indices.astype(np.int64), rows.data, rows.indptr, evidence)

    def forward(self, stream: Tensors) -> Encoded:
        """Sum the vectors of the n-grams, and put the evidence beside them."""
        weights = stream["weights"]
        if self.training and self.term_dropout:
            kept = torch.rand_like(weights) >= self.term_dropout
            weights = weights * kept / (1 - self.term_dropout)
        offsets = stream["offsets"]
        rows = self.bag(stream["terms"], offsets, per_sample_weights=weights)  # (rows, width)
        return torch.cat([rows, told(stream)], dim=1), _present(stream)


def told(stream: Tensors) -> Tensor:
    """Return what the linear models say of the rows of a batch, shape (rows, outputs)."""
    return stream["evidence"] * _present(stream)[:, None]


def _present(stream: Tensors) -> Tensor:
    """Say which utterances have a known term; another has no vector."""
    offsets = stream["offsets"]
    ends = torch.cat([offsets[1:], offsets.new_tensor([len(stream["terms"])])])
    return ends > offsets
