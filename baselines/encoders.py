"""The inputs of a model: an encoder a stream, and modality dropout."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import nn

from baselines.batches import Tensors
from baselines.data import Split
from baselines.named_modules import NamedModules
from baselines.ngram_encoder import NgramEncoder
from baselines.seen import STREAMS
from baselines.stream_encoder import Encoded, Encoder, FeatureEncoder
from schemas.errors import InputError, Issue
from schemas.fields import Field

if TYPE_CHECKING:
    from baselines.models.neural import NeuralConfig

TEXT = "text"
KINDS = ("ngrams", "features", "text-encoder", "sound-encoder", "picture-encoder")


def choose_streams(train: Split, config: NeuralConfig) -> dict[str, Any]:
    """Say what a model gets: precomputed features, n-grams where none tells the text, pretrained encoders.

    Args:
        train: The training split.
        config: The settings of the model.

    Returns:
        The recipe of every stream by its name.

    Raises:
        InputError: An encoder cannot be read or has nothing to read, or nothing is left to learn from.
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
    streams |= _pretrained_streams(train, config)
    if not streams:
        raise InputError(Issue("there is no input: no features, and ngrams is false", column="ngrams"))
    return dict(sorted(streams.items()))  # in the order in which a saved configuration gives them back


def _pretrained_streams(train: Split, config: NeuralConfig) -> dict[str, Any]:
    """Describe the pretrained encoders by their streams."""
    layers = config.encoder_layers
    found = {}
    # The libraries take seconds to load.
    if config.encoder:
        from baselines.text_encoder import describe_text_encoder

        found[STREAMS["text-encoder"]] = describe_text_encoder(
            config.encoder, config.encoder_tuning, layers, config.encoder_tokens
        )
    recorded = [name for name in ("audio_encoder", "image_encoder") if getattr(config, name)]
    if recorded and not train.clips:
        message = "this encoder reads recordings, and the dataset has none"
        raise InputError([Issue(message, column=name, value=getattr(config, name)) for name in recorded])
    if config.audio_encoder:
        from baselines.sound_encoder import describe_sound_encoder

        found[STREAMS["sound-encoder"]] = describe_sound_encoder(
            config.audio_encoder, config.audio_tuning, layers
        )
    if config.image_encoder:
        from baselines.picture_encoder import describe_picture_encoder

        found[STREAMS["picture-encoder"]] = describe_picture_encoder(
            config.image_encoder, config.image_tuning, layers, config.images
        )
    return found


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
    if recipe["kind"] == "text-encoder":
        from baselines.text_encoder import TextEncoder

        return TextEncoder(recipe)
    if recipe["kind"] == "sound-encoder":
        from baselines.sound_encoder import SoundEncoder

        return SoundEncoder(recipe)
    if recipe["kind"] == "picture-encoder":
        from baselines.picture_encoder import PictureEncoder

        return PictureEncoder(recipe)
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
        self.encoders = NamedModules(made)
        self.modality_dropout = modality_dropout

    @property
    def each(self) -> dict[str, Encoder]:
        """The encoders by stream."""
        return {name: cast("Encoder", one) for name, one in self.encoders.items()}

    def pretrained_parameters(self) -> Iterator[nn.Parameter]:
        """Give the parameters that were learnt elsewhere and are tuned."""
        return (parameter for one in self.each.values() for parameter in one.pretrained_parameters())

    def prepare(self, split: Split) -> Split:
        """Return a split with what frozen encoders say of it."""
        for one in self.each.values():
            split = one.prepare(split)
        return split

    @property
    def turns_at_once(self) -> int | None:
        """The most turns of a batch when nothing is learnt; None: as many as the network takes."""
        return min((one.turns_at_once for one in self.each.values() if one.turns_at_once), default=None)

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
