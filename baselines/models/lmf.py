"""LMF: low-rank multimodal fusion.

Liu, Shen, Lakshminarasimhan, Liang, Zadeh and Morency: Efficient low-rank multimodal fusion with
modality-specific factors, ACL 2018. The outer product of the streams' vectors, each with a 1 appended, is
multiplied with a tensor of rank r, without ever being made. There the unit is a video of its own; here it is
an utterance, so the fused vector goes through a recurrent context.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn

from baselines.context import Places, RecurrentContext
from baselines.fusion import Projection
from baselines.models.neural import NeuralConfig, NeuralModel
from baselines.stream_encoder import Encoded


class LmfConfig(NeuralConfig):
    """Configuration of `Lmf`.

    Attributes:
        rank: Rank of the fusion.
    """

    model_type = "lmf"

    rank: int = 6


class Lmf(NeuralModel):
    """The product of all streams by low-rank factors, then the context of the dialogue."""

    name = "lmf"
    config_class = LmfConfig

    def __init__(self, config: LmfConfig) -> None:
        super().__init__(config)
        width, widths = config.width, self.encoders.widths
        self.inputs = nn.ModuleDict(
            {name: Projection(one, width, config.dropout) for name, one in widths.items()}
        )
        # Of each stream a factor (rank, width + 1, width); the 1 keeps what fewer streams say together.
        self.factors = nn.ParameterDict(
            {name: nn.Parameter(torch.randn(config.rank, width + 1, width) * width**-0.5) for name in widths}
        )
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
        product: Tensor | None = None  # (rank, rows, width)
        for name, factor in self.factors.items():
            rows = self.inputs[name](*encoded[name])
            one = torch.cat([rows, rows.new_ones(len(rows), 1)], dim=1)  # (rows, width + 1)
            part = one @ factor
            product = part if product is None else product * part
        assert product is not None  # a model has a stream
        fused = self.normalise(torch.einsum("r,rnw->nw", self.ranks, product))  # (rows, width)
        found = self.trunk(torch.cat([fused, self.context(fused, places.turns)], dim=1))  # (rows, width)
        return dict.fromkeys(self.heads, found)
