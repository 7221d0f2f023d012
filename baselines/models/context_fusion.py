"""Context interaction and gated multimodal fusion, with a head a task over one shared network."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn

from baselines.context import Places, RecurrentContext
from baselines.fusion import GatedFusion
from baselines.models.neural import NeuralConfig, NeuralModel
from baselines.stream_encoder import Encoded


class ContextFusionConfig(NeuralConfig):
    """Configuration of `ContextFusion`."""

    model_type = "context-fusion"


class ContextFusion(NeuralModel):
    """Streams fused by gates; context of the dialogue and of the speaker's own turns; hard sharing.

    Each utterance meets the turns around it twice, in the dialogue (inter-speaker) and among the turns of its
    own speaker (intra-speaker; Majumder et al. 2019); a gate decides how much each tells.
    """

    name = "context-fusion"
    config_class = ContextFusionConfig

    def __init__(self, config: ContextFusionConfig) -> None:
        super().__init__(config)
        width = config.width
        self.fusion = GatedFusion(self.encoders.widths, width, config.dropout)
        self.dialogue = RecurrentContext(width, width // 2, config.context)
        self.speaker = RecurrentContext(width, width // 2, config.context)
        seen = self.dialogue.width
        self.gate = nn.Linear(width + 2 * seen, seen)
        self.trunk = nn.Sequential(nn.Linear(width + seen, width), nn.GELU(), nn.Dropout(config.dropout))
        self.dropout = nn.Dropout(config.dropout)
        self.build_heads(width)

    def shared(self) -> Iterable[Tensor]:
        """Return the last layer that all tasks share."""
        return self.trunk.parameters()

    def represent(self, encoded: Mapping[str, Encoded], places: Places) -> dict[str, Tensor]:
        """Return the same vector for the heads of all fields."""
        utterances = self.fusion(encoded)  # (rows, width)
        inter = self.dialogue(utterances, places.turns)  # (rows, seen)
        intra = self.speaker(utterances, places.own_turns)  # (rows, seen)
        gate = torch.sigmoid(self.gate(torch.cat([utterances, inter, intra], dim=1)))
        context = self.dropout(gate * inter + (1 - gate) * intra)
        found = self.trunk(torch.cat([utterances, context], dim=1))  # (rows, width)
        return dict.fromkeys(self.heads, found)
