"""Fusion: from the vectors of several streams to one, whatever of them is there."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from baselines.stream_encoder import Encoded


class Projection(nn.Module):
    """Brings a stream to the common width; a learnt vector stands where the stream has nothing."""

    def __init__(self, width: int, to: int, dropout: float) -> None:
        super().__init__()
        # No dropout before it: it would blur numbers that tell little by little; n-grams have their own.
        self.layers = nn.Sequential(nn.Linear(width, to), nn.LayerNorm(to), nn.GELU(), nn.Dropout(dropout))
        self.missing = nn.Parameter(torch.zeros(to))

    def forward(self, rows: Tensor, present: Tensor) -> Tensor:
        """Project, (rows, width) -> (rows, to)."""
        return torch.where(present[:, None], self.layers(rows), self.missing)


class GatedFusion(nn.Module):
    """Gated multimodal units (Arevalo et al. 2017): each stream speaks as loudly as all of them together say.

    The gates of all streams sum to one in every dimension; a stream that has nothing keeps still. Products of
    the streams tell how they contradict each other, which no weighted sum can.
    """

    def __init__(self, widths: Mapping[str, int], to: int, dropout: float) -> None:
        super().__init__()
        self.to_common = nn.ModuleDict({name: Projection(one, to, dropout) for name, one in widths.items()})
        streams = len(widths)
        self.gates = nn.Linear(streams * to, streams * to) if streams > 1 else None
        self.mixing = nn.Sequential(nn.Linear((streams + 1) * to, to), nn.GELU()) if streams > 1 else None

    def forward(self, encoded: Mapping[str, Encoded]) -> Tensor:
        """Fuse vectors of every stream into (rows, to)."""
        common = [layer(*encoded[name]) for name, layer in self.to_common.items()]
        if self.gates is None or self.mixing is None:
            found: Tensor = common[0]
            return found
        stacked = torch.stack(common, dim=1)  # (rows, streams, to)
        present = torch.stack([encoded[name][1] for name in self.to_common], dim=1)  # (rows, streams)
        gates = self.gates(stacked.flatten(1)).view_as(stacked)
        nobody = ~present.any(dim=1, keepdim=True)
        gates = gates.masked_fill(~(present | nobody)[..., None], float("-inf")).softmax(dim=1)
        fused = (gates * stacked).sum(dim=1)  # (rows, to)
        mixed: Tensor = self.mixing(torch.cat([fused, stacked.flatten(1)], dim=1))
        both: Tensor = fused + mixed
        return both
