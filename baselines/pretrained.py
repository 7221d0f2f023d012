"""Any text encoder of transformers, on the fly: frozen, partly frozen, with low-rank adapters or fine-tuned.

A frozen encoder reads a split once; the others run in every batch. Its configuration and its tokenizer stand
in the configuration of the model and its weights among the model's weights: a saved model needs no download.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from peft import LoraConfig, inject_adapter_in_model
from tokenizers import Tokenizer
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel, AutoTokenizer
from transformers.utils import logging

from baselines.batches import Stream, Tensors
from baselines.data import Integers, Split
from baselines.features import Features
from baselines.stream_encoder import Encoded, Encoder, FeatureRows
from schemas.errors import InputError, Issue
from schemas.progress import progress

FROZEN = "frozen"
PARTIAL = "partial"
LORA = "lora"
FULL = "full"
TUNINGS = (FROZEN, PARTIAL, LORA, FULL)
"""What is trained of an encoder: nothing; its last layers; adapters of low rank (Hu et al. 2022); all."""
RANK = 8
BATCH = 64
"""Utterances that a frozen encoder reads at once."""


def describe_encoder(name: str, tuning: str, layers: int, tokens: int) -> dict[str, Any]:
    """Say of an encoder, by its name on the Hub or its folder, all that a model must know to build it again.

    Raises:
        InputError: There is no such encoder, or its tokenizer is none of the fast ones.
    """
    try:
        config = AutoConfig.from_pretrained(name)
        tokenizer = AutoTokenizer.from_pretrained(name)
    except (OSError, ValueError, KeyError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        message = f"this text encoder cannot be read; give a folder, or a name on the Hub: {reason}"
        raise InputError(Issue(message, column="encoder", value=name)) from None
    if not getattr(tokenizer, "is_fast", False):
        raise InputError(Issue("the tokenizer of this encoder is not of the fast kind", value=name))
    return {
        "kind": "transformer",
        "name": name,
        "width": config.hidden_size,
        "tuning": tuning,
        "layers": layers,
        "tokens": min(tokens, getattr(config, "max_position_embeddings", tokens)),
        "config": config.to_dict(),
        "tokenizer": tokenizer.backend_tokenizer.to_str(),
    }


@dataclass(frozen=True)
class TokenRows:
    """The tokens of utterances.

    Attributes:
        tokens: Token numbers of every utterance.
        padding: The number that pads.
    """

    tokens: Sequence[Sequence[int]]
    padding: int

    def take(self, rows: Integers) -> Tensors:
        """Return the tokens of some rows, padded at the end."""
        picked = [self.tokens[row] for row in rows.tolist()]
        longest = max(map(len, picked), default=0) or 1
        ids = np.full((len(picked), longest), self.padding, np.int64)
        inside = np.arange(longest) < np.array([len(one) for one in picked])[:, None]
        ids[inside] = np.concatenate([np.asarray(one, np.int64) for one in picked])
        return {"ids": torch.from_numpy(ids), "inside": torch.from_numpy(inside)}


class TransformerEncoder(Encoder):
    """The mean of the last hidden states of an utterance's tokens."""

    kind = "transformer"

    def __init__(self, recipe: Mapping[str, Any]) -> None:
        super().__init__()
        self.recipe = recipe
        self.width = recipe["width"]
        kind = recipe["config"]["model_type"]
        settings = {name: one for name, one in recipe["config"].items() if name != "model_type"}
        self.model = self._tuned(AutoModel.from_config(AutoConfig.for_model(kind, **settings)))
        self.tokenizer = Tokenizer.from_str(recipe["tokenizer"])
        self.tokenizer.no_padding()
        self.tokenizer.enable_truncation(recipe["tokens"])

    def _tuned(self, model: nn.Module) -> nn.Module:
        """Say which parameters are trained, and add adapters where they are."""
        tuning = self.recipe["tuning"]
        model.requires_grad_(tuning == FULL)
        if tuning == LORA:
            adapters = LoraConfig(r=RANK, lora_alpha=2 * RANK, target_modules="all-linear")
            found: nn.Module = inject_adapter_in_model(adapters, model)
            return found
        if tuning == PARTIAL:
            for layer in _last_layers(model, self.recipe["layers"]):
                layer.requires_grad_(True)
        return model

    def fit(self, split: Split) -> None:  # noqa: ARG002 - it has learnt before
        """Fetch the pretrained weights."""
        logging.disable_progress_bar()
        self.model = self._tuned(AutoModel.from_pretrained(self.recipe["name"], dtype=torch.float32))

    def train(self, mode: bool = True) -> Self:
        """Go into training mode, but for what is frozen: it drops nothing."""
        super().train(mode)
        if self.recipe["tuning"] == FROZEN:
            self.model.eval()
        return self

    def read(self, split: Split) -> Stream:
        """Tokenize the texts; a frozen encoder encodes them, too."""
        found = self.tokenizer.encode_batch([text.strip() for text in split.texts])
        empty = np.array([not text.strip() for text in split.texts])
        padding = self.recipe["config"].get("pad_token_id") or 0
        tokens = TokenRows([one.ids for one in found], padding)
        if self.recipe["tuning"] != FROZEN:
            return tokens
        values = np.zeros((len(split), self.width), np.float32)
        order = np.argsort([len(one) for one in tokens.tokens], kind="stable")
        starts = range(0, len(order), BATCH)
        with torch.no_grad():
            for start in progress(starts, f"encoding {split.name}", len(starts)):
                rows = order[start : start + BATCH]
                values[rows] = self._encode(tokens.take(rows)).cpu().numpy()
        values[empty] = 0
        return FeatureRows(Features(values, ~empty, {}))

    def _encode(self, stream: Tensors) -> Tensor:
        device = next(self.model.parameters()).device
        ids, inside = stream["ids"].to(device), stream["inside"].to(device)
        states = self.model(input_ids=ids, attention_mask=inside.long()).last_hidden_state
        weights = inside[..., None].to(states.dtype)  # (rows, tokens, 1)
        found: Tensor = (states * weights).sum(dim=1) / weights.sum(dim=1).clamp(min=1)
        return found

    def forward(self, stream: Tensors) -> Encoded:
        """Encode the rows of a batch, or take what a frozen encoder said of them."""
        if "values" in stream:
            return stream["values"], stream["present"]
        special = 2  # an empty text has the marks of begin and end, and nothing between
        present = stream["inside"].sum(dim=1) > special
        return self._encode(stream) * present[:, None], present


def _last_layers(model: nn.Module, layers: int) -> Iterator[nn.Module]:
    """Give the last layers of the longest list of layers."""
    lists = [one for one in model.modules() if isinstance(one, nn.ModuleList)]
    yield from max(lists, key=len)[-layers:] if lists and layers else ()
