"""Pretrained encoders of transformers: frozen, partly frozen, with low-rank adapters or fine-tuned.

A frozen encoder reads a split once; the others run in every batch. The configuration of an encoder and what
prepares its inputs stand in the configuration of the model, and its weights among the model's weights: a
saved model needs no download.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, ClassVar, Protocol, Self

import numpy as np
import torch
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel

from baselines.batches import Stream, Tensors
from baselines.data import Integers, Split
from baselines.features import Features
from baselines.seen import STREAMS
from baselines.stream_encoder import Encoded, Encoder, FeatureRows
from corpus.features.extractor import require
from corpus.features.pretrained import Pretrained, encoder_of, load, read_encoder
from schemas.errors import InputError, Issue
from schemas.progress import progress

FROZEN = "frozen"
PARTIAL = "partial"
LORA = "lora"
FULL = "full"
TUNINGS = (FROZEN, PARTIAL, LORA, FULL)
"""What is trained of an encoder: nothing; its last layers; adapters of low rank (Hu et al. 2022); all."""
RANK = 8
TURNS_AT_ONCE = 256
"""Turns of a batch of a tuned encoder, when nothing is learnt."""
_RANDOM = {"apply_spec_augment": False, "layerdrop": 0.0}
"""What encoders of sound leave out at random in training: of short utterances too much."""


class Inputs(Protocol):
    """The inputs of an encoder, of a split."""

    @property
    def size(self) -> int:
        """How many utterances there are."""

    def order(self) -> Integers:
        """Return the utterances so that those of like length follow each other."""

    def take(self, rows: Integers) -> Tensors:
        """Return the tensors of some rows; ``present`` says which have an input."""


class PretrainedEncoder(Encoder):
    """An encoder whose weights were learnt elsewhere."""

    at_once: ClassVar[int]
    """Utterances that a frozen encoder reads at once."""

    def __init__(self, recipe: Mapping[str, Any]) -> None:
        super().__init__()
        self.recipe = recipe
        self.width = recipe["width"]
        # A frozen encoder has read its utterances before there are batches.
        self.turns_at_once = None if recipe["tuning"] == FROZEN else TURNS_AT_ONCE
        kind = recipe["config"]["model_type"]
        settings = {name: one for name, one in recipe["config"].items() if name != "model_type"}
        whole = AutoModel.from_config(AutoConfig.for_model(kind, **settings))
        self.model = tuned(encoder_of(whole), recipe)

    def fit(self, split: Split) -> None:  # noqa: ARG002 - it has learnt before
        """Fetch the pretrained weights."""
        self.model = tuned(read_encoder(Pretrained(self.recipe["name"])), self.recipe)

    def pretrained_parameters(self) -> Iterator[nn.Parameter]:
        """Give the parameters that are tuned at a rate of their own."""
        return (one for one in self.model.parameters() if one.requires_grad)

    def train(self, mode: bool = True) -> Self:
        """Go into training mode, but for what is frozen, and norms over batches: they stay as they are."""
        super().train(mode)
        if self.recipe["tuning"] == FROZEN:
            self.model.eval()
        for module in self.model.modules():
            if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
                module.eval()
        return self

    @abstractmethod
    def inputs(self, split: Split) -> Inputs:
        """Return the inputs of a split."""

    @abstractmethod
    def encode(self, stream: Tensors) -> Tensor:
        """Encode rows, shape (rows, width); anything where there is no input."""

    def read(self, split: Split) -> Stream:
        """Prepare the inputs; a frozen encoder encodes them, too."""
        known = split.features.get(STREAMS[self.kind])
        if known is not None:
            return FeatureRows(known)
        inputs = self.inputs(split)
        if self.recipe["tuning"] != FROZEN:
            return inputs
        values = np.zeros((inputs.size, self.width), np.float32)
        present = np.zeros(inputs.size, np.bool_)
        order = inputs.order()
        starts = range(0, inputs.size, self.at_once)
        device = next(self.model.parameters()).device
        self.model.eval()
        with torch.no_grad():
            for start in progress(starts, f"encoding {split.name}", len(starts)):
                rows = order[start : start + self.at_once]
                stream = {name: one.to(device) for name, one in inputs.take(rows).items()}
                encoded, there = self(stream)
                values[rows], present[rows] = encoded.float().cpu().numpy(), there.cpu().numpy()
        return FeatureRows(Features(values, present, {}))

    def prepare(self, split: Split) -> Split:
        """Return the split with what a frozen encoder says of it, so that it is asked once.

        A copy in which something is hidden (`baselines.modalities.hide`) is then not read again.
        """
        rows = self.read(split)
        if not isinstance(rows, FeatureRows):
            return split
        return replace(split, features={**split.features, STREAMS[self.kind]: rows.features})

    def forward(self, stream: Tensors) -> Encoded:
        """Encode the rows of a batch, or take what a frozen encoder said of them."""
        present = stream["present"]
        if "values" in stream:
            return stream["values"], present
        scaled = nn.functional.layer_norm(self.encode(stream), (self.width,))  # hidden states have any scale
        return torch.where(present[:, None], scaled, 0.0), present


def describe(
    kind: str, name: str, column: str, tuning: str, layers: int
) -> tuple[dict[str, Any], Pretrained]:
    """Say of a pretrained encoder all that a model must know to build it again.

    Args:
        kind: Kind of the encoder.
        name: Its folder, or its name on the Hub.
        column: The setting that names it.
        tuning: One of `TUNINGS`.
        layers: How many of its last layers are trained, where it is partly frozen.

    Returns:
        The recipe, without what prepares its inputs, and the model.

    Raises:
        InputError: There is no such encoder, or it cannot be tuned so.
    """
    model = Pretrained(name)
    try:
        encoder = read_encoder(model)
    except InputError as error:
        found = "; ".join(issue.message for issue in error.issues)
        message = f"this encoder cannot be read; give a folder, or a name on the Hub: {found}"
        raise InputError(Issue(message, column=column, value=name)) from None
    config = load("AutoModel", model).config.to_dict()
    config.pop("_name_or_path", None)  # the folder, again
    recipe = {
        "kind": kind,
        "name": name,
        "weights_sha256": model.describe()["weights_sha256"],
        "tuning": tuning,
        "layers": layers,
        "config": config,
    }
    tuned(encoder, recipe)
    return recipe, model


def tuned(model: nn.Module, recipe: Mapping[str, Any]) -> nn.Module:
    """Say which parameters of an encoder are trained, and add adapters where they are.

    Raises:
        InputError: It has nothing that can be tuned so, or peft is not installed.
    """
    tuning, config = recipe["tuning"], model.config
    for name, value in _RANDOM.items():
        if hasattr(config, name):
            setattr(config, name, value)
    pooler = getattr(model, "pooler", None)
    if pooler is not None and any(True for _ in pooler.parameters()):
        model.pooler = nn.Identity()  # its answer is not used, and often no file has its weights
    model.requires_grad_(tuning == FULL)
    if tuning == LORA:
        require("peft")
        from peft import LoraConfig, inject_adapter_in_model

        names = [name for name, one in model.named_modules() if isinstance(one, nn.Linear)]
        if not names:
            message = "this encoder has no linear layers for adapters; take partial or full"
            raise InputError(Issue(message, value=recipe["name"]))
        found: nn.Module = inject_adapter_in_model(
            LoraConfig(r=RANK, lora_alpha=2 * RANK, target_modules=names), model
        )
        return found
    if tuning == PARTIAL:
        for layer in _last_layers(model, recipe["layers"]):
            layer.requires_grad_(True)
    return model


def _last_layers(model: nn.Module, layers: int) -> Iterator[nn.Module]:
    """Give the last layers of the longest list of layers."""
    lists = [one for one in model.modules() if isinstance(one, nn.ModuleList)]
    yield from max(lists, key=len)[-layers:] if lists and layers else ()
