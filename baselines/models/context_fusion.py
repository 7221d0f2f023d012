"""Context interaction and gated multimodal fusion, with a head a task over one shared network."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn

from baselines.context import Places, RecurrentContext, StackedContext
from baselines.fusion import GatedFusion, Projection
from baselines.models.neural import NeuralConfig, NeuralModel
from baselines.named_modules import NamedModules
from baselines.stream_encoder import Encoded


class ContextFusionConfig(NeuralConfig):
    """Configuration of `ContextFusion`."""

    model_type = "context-fusion"


class ContextFusion(NeuralModel):
    """Streams fused by gates; context of the dialogue and of the speaker's own turns; hard sharing.

    Each of several streams meets its own turns around first, so that what it tells alone is not lost in
    what all tell together. Each utterance then meets the turns around it twice, in the dialogue
    (inter-speaker) and among the turns of its own speaker (intra-speaker; Majumder et al. 2019); gates decide
    how much each tells.
    """

    name = "context-fusion"
    config_class = ContextFusionConfig

    def __init__(self, config: ContextFusionConfig) -> None:
        super().__init__(config)
        width, widths = config.width, self.encoders.widths
        self.inputs, self.alone = NamedModules(), None
        if len(widths) > 1:
            for name, one in widths.items():
                self.inputs[name] = Projection(one, width, config.dropout)
            self.alone = StackedContext(len(widths), width, width // 4, config.context)
            widths = dict.fromkeys(widths, width + self.alone.width)
        self.fusion = GatedFusion(widths, width, config.dropout)
        self.dialogue = RecurrentContext(width, width // 2, config.context)
        self.speaker = RecurrentContext(width, width // 2, config.context)
        seen = self.dialogue.width
        self.gate = nn.Linear(width + 2 * seen, 2 * seen)
        self.trunk = nn.Sequential(nn.Linear(width + 2 * seen, width), nn.GELU(), nn.Dropout(config.dropout))
        self.dropout = nn.Dropout(config.dropout)
        self.build_heads(width)

    def shared(self) -> Iterable[Tensor]:
        """Return the last layer that all tasks share."""
        return self.trunk.parameters()

    def represent(self, encoded: Mapping[str, Encoded], places: Places) -> dict[str, Tensor]:
        """Return the same vector for the heads of all fields."""
        if self.alone is not None:
            streams = torch.stack([layer(*encoded[name]) for name, layer in self.inputs.items()])
            streams = torch.cat([streams, self.alone(streams, places.turns)], dim=2)  # (streams, rows, seen)
            encoded = {name: (one, encoded[name][1]) for name, one in zip(self.inputs, streams, strict=True)}
        (utterances,) = self.fusion(encoded)  # (rows, width)
        inter = self.dialogue(utterances, places.turns)  # (rows, seen)
        intra = self.speaker(utterances, places.own_turns)  # (rows, seen)
        context = torch.cat([inter, intra], dim=1)  # (rows, 2 * seen)
        gate = torch.sigmoid(self.gate(torch.cat([utterances, context], dim=1)))
        context = self.dropout(gate * context)
        found = self.trunk(torch.cat([utterances, context], dim=1))  # (rows, width)
        return dict.fromkeys(self.heads, found)
