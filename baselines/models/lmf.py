"""LMF: low-rank multimodal fusion.

Liu, Shen, Lakshminarasimhan, Liang, Zadeh and Morency: Efficient low-rank multimodal fusion with
modality-specific factors, ACL 2018. The outer product of the streams' vectors, each with a 1 appended, is
multiplied with a tensor of rank r, without ever being made. There the unit is a video of its own, whose text
goes through a recurrent network before it is fused; here it is an utterance, and recurrent networks go over
the turns of the dialogue, of each stream and of what was fused.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn

from baselines.context import Places, RecurrentContext, StackedContext
from baselines.fusion import Projection
from baselines.models.neural import NeuralConfig, NeuralModel
from baselines.named_modules import NamedModules
from baselines.stream_encoder import Encoded


class LmfConfig(NeuralConfig):
    """Configuration of `Lmf`.

    Attributes:
        rank: Rank of the fusion.
    """

    model_type = "lmf"

    width: int = 64
    rank: int = 6


class Lmf(NeuralModel):
    """The context of each stream, their product by low-rank factors, and the context of that."""

    name = "lmf"
    config_class = LmfConfig

    def __init__(self, config: LmfConfig) -> None:
        super().__init__(config)
        width, widths = config.width, self.encoders.widths
        self.inputs = NamedModules(
            {name: Projection(one, width, config.dropout) for name, one in widths.items()}
        )
        self.contexts = StackedContext(len(widths), width, width // 2, config.context)
        seen = width + self.contexts.width
        # Of each stream a factor (rank, seen + 1, width); the 1 keeps what fewer streams say together.
        self.factors = nn.Parameter(torch.randn(len(widths), config.rank, seen + 1, width) * seen**-0.5)
        self.ranks = nn.Parameter(torch.full((config.rank,), config.rank**-0.5))
        self.normalise = nn.LayerNorm(width)
        self.context = RecurrentContext(width, width // 2, config.context)
        self.trunk = nn.Sequential(
            nn.Linear(width + self.context.width, width), nn.GELU(), nn.Dropout(config.dropout)
        )
        self.build_heads(width)

    def shared(self) -> Iterable[Tensor]:
        """Return the last layer that all tasks share."""
        return self.trunk.parameters()

    def represent(self, encoded: Mapping[str, Encoded], places: Places) -> dict[str, Tensor]:
        """Return the same vector for the heads of all fields."""
        alone = torch.stack([layer(*encoded[name]) for name, layer in self.inputs.items()])
        streams = torch.cat([alone, self.contexts(alone, places.turns)], dim=2)  # (streams, rows, seen)
        ones = streams.new_ones(*streams.shape[:2], 1)
        parts = torch.cat([streams, ones], dim=2)[:, None] @ self.factors  # (streams, rank, rows, width)
        fused = self.normalise(torch.einsum("r,rnw->nw", self.ranks, parts.prod(dim=0)))  # (rows, width)
        found = self.trunk(torch.cat([fused, self.context(fused, places.turns)], dim=1))  # (rows, width)
        return dict.fromkeys(self.heads, found)
