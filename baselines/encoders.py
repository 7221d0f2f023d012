"""The inputs of a model: an encoder a stream, and modality dropout."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import nn

from baselines.batches import Tensors
from baselines.data import Split
from baselines.ngram_encoder import NgramEncoder
from baselines.stream_encoder import Encoded, Encoder, FeatureEncoder
from schemas.errors import InputError, Issue
from schemas.fields import Field

if TYPE_CHECKING:
    from baselines.models.neural import NeuralConfig

TEXT = "text"
PRETRAINED = "text-encoder"
KINDS = ("ngrams", "features", "transformer")


def choose_streams(train: Split, config: NeuralConfig) -> dict[str, Any]:
    """Say what a model gets: all precomputed features, n-grams where none tells the text, and a text encoder.

    Args:
        train: The training split.
        config: The settings of the model.

    Returns:
        The recipe of every stream by its name.

    Raises:
        InputError: The text encoder cannot be read, or nothing is left to learn from.
    """
    streams: dict[str, Any] = {
        name: {"kind": "features", "width": one.width, "made_by": dict(one.recipe)}
        for name, one in train.features.items()
    }
    told = any(
        TEXT in (name.split("-")[0], one.recipe.get("modality")) for name, one in train.features.items()
    )
    if config.ngrams and not told:
        text = {"kind": "ngrams", "terms": config.terms, "width": config.term_width}
        streams[TEXT] = text | {"term_dropout": config.term_dropout, "evidence": config.linear_evidence}
    if config.encoder:
        from baselines.pretrained import describe_encoder  # takes a second to load

        streams[PRETRAINED] = describe_encoder(
            config.encoder, config.encoder_tuning, config.encoder_layers, config.encoder_tokens
        )
    if not streams:
        raise InputError(Issue("there is no input: no features, and ngrams is false", column="ngrams"))
    return dict(sorted(streams.items()))  # in the order in which a saved configuration gives them back


def make_encoder(name: str, recipe: Mapping[str, Any], fields: Mapping[str, Field]) -> Encoder:
    """Build the encoder of a stream from what the configuration of a model says of it.

    Args:
        name: Name of the stream.
        recipe: Its kind and sizes.
        fields: The fields of the model.

    Raises:
        InputError: There is no such kind of encoder.
    """
    if recipe["kind"] == "ngrams":
        told = fields if recipe["evidence"] else {}
        return NgramEncoder(recipe["terms"], recipe["width"], recipe["term_dropout"], told)
    if recipe["kind"] == "features":
        return FeatureEncoder(name, recipe["width"])
    if recipe["kind"] == "transformer":
        from baselines.pretrained import TransformerEncoder

        return TransformerEncoder(recipe)
    raise InputError(Issue("there is no such kind of encoder", value=recipe["kind"], choices=KINDS))


class StreamEncoders(nn.Module):
    """The encoders of all streams of a model, with modality dropout.

    In training a stream of an utterance is now and then left out (Neverova et al. 2016), but never all of
    them: so the model learns to answer from what is there.
    """

    def __init__(
        self, recipes: Mapping[str, Mapping[str, Any]], fields: Mapping[str, Field], modality_dropout: float
    ) -> None:
        super().__init__()
        made = {name: make_encoder(name, recipe, fields) for name, recipe in recipes.items()}
        self.encoders = nn.ModuleDict(made)
        self.modality_dropout = modality_dropout

    @property
    def each(self) -> dict[str, Encoder]:
        """The encoders by stream."""
        return {name: cast("Encoder", one) for name, one in self.encoders.items()}

    @property
    def widths(self) -> dict[str, int]:
        """Width of every stream."""
        return {name: one.width for name, one in self.each.items()}

    def forward(self, streams: dict[str, Tensors]) -> dict[str, Encoded]:
        """Encode the rows of a batch, stream by stream."""
        found = {name: encoder(streams[name]) for name, encoder in self.encoders.items()}
        if not self.training or not self.modality_dropout or len(found) == 1:
            return found
        present = torch.stack([there for _, there in found.values()])  # (streams, rows)
        kept = present & (torch.rand(present.shape, device=present.device) >= self.modality_dropout)
        kept = torch.where(kept.any(dim=0), kept, present)
        return {
            name: (rows * kept[place][:, None], kept[place])
            for place, (name, (rows, _)) in enumerate(found.items())
        }
