"""Any pretrained encoder of text, on the fly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor

from baselines.batches import Tensors
from baselines.data import Integers, Mask, Split
from baselines.pretrained import PretrainedEncoder, describe
from corpus.features.pretrained import load
from schemas.errors import InputError, Issue

CHUNK = 64
"""Utterances of like length that go through the encoder at once."""


def describe_text_encoder(name: str, tuning: str, layers: int, tokens: int) -> dict[str, Any]:
    """Say of an encoder, by its name on the Hub or its folder, all that a model must know to build it again.

    Raises:
        InputError: There is no such encoder, or its tokenizer is none of the fast ones.
    """
    recipe, model = describe(TextEncoder.kind, name, "encoder", tuning, layers)
    tokenizer = load("AutoTokenizer", model)
    if not getattr(tokenizer, "is_fast", False):
        raise InputError(Issue("the tokenizer of this encoder is not of the fast kind", value=name))
    longest = recipe["config"].get("max_position_embeddings") or tokens
    return recipe | {
        "width": load("AutoModel", model).config.hidden_size,
        "tokens": min(tokens, longest, tokenizer.model_max_length),
        "tokenizer": tokenizer.backend_tokenizer.to_str(),
    }


@dataclass(frozen=True)
class TokenRows:
    """The tokens of utterances.

    Attributes:
        tokens: Token numbers of every utterance.
        present: Which have a text, shape (utterances,).
        padding: The number that pads.
    """

    tokens: Sequence[Sequence[int]]
    present: Mask
    padding: int

    @property
    def size(self) -> int:
        """How many utterances there are."""
        return len(self.tokens)

    def order(self) -> Integers:
        """Return the utterances from short to long."""
        return np.argsort([len(one) for one in self.tokens], kind="stable")

    def take(self, rows: Integers) -> Tensors:
        """Return the tokens of some rows, padded at the end."""
        picked = [self.tokens[row] for row in rows.tolist()]
        longest = max(map(len, picked), default=0) or 1
        ids = np.full((len(picked), longest), self.padding, np.int64)
        inside = np.arange(longest) < np.array([len(one) for one in picked])[:, None]
        ids[inside] = np.concatenate([np.asarray(one, np.int64) for one in picked])
        found = {"ids": ids, "inside": inside, "present": self.present[rows]}
        return {name: torch.from_numpy(one) for name, one in found.items()}


class TextEncoder(PretrainedEncoder):
    """The mean of the last hidden states of an utterance's tokens."""

    kind = "text-encoder"
    at_once = CHUNK

    def __init__(self, recipe: Mapping[str, Any]) -> None:
        super().__init__(recipe)
        self.tokenizer = Tokenizer.from_str(recipe["tokenizer"])
        self.tokenizer.no_padding()
        self.tokenizer.enable_truncation(recipe["tokens"])

    def inputs(self, split: Split) -> TokenRows:
        """Tokenize the texts."""
        texts = [text.strip() for text in split.texts]
        found = self.tokenizer.encode_batch(texts)
        padding = self.recipe["config"].get("pad_token_id") or 0
        return TokenRows([one.ids for one in found], np.array([bool(one) for one in texts]), padding)

    def encode(self, stream: Tensors) -> Tensor:
        """Encode texts, those of like length together."""
        lengths = stream["inside"].sum(dim=1)
        order = lengths.argsort(stable=True)
        found = []
        for start in range(0, len(order), CHUNK):
            rows = order[start : start + CHUNK]
            longest = int(lengths[rows].max())
            ids, inside = stream["ids"][rows, :longest], stream["inside"][rows, :longest]
            states = self.model(input_ids=ids, attention_mask=inside.long()).last_hidden_state
            weights = inside[..., None].to(states.dtype)  # (rows, tokens, 1)
            found.append((states * weights).sum(dim=1) / weights.sum(dim=1).clamp(min=1))
        return torch.cat(found)[order.argsort()]
