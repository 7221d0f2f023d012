"""Fusion: from the vectors of several streams to one, whatever of them is there."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from baselines.named_modules import NamedModules
from baselines.stream_encoder import Encoded


class Projection(nn.Module):
    """Brings a stream to the common width of one or several stacks.

    A learnt vector stands where the stream has nothing. There is no norm over the numbers of an utterance: it
    would make all vectors alike in length, and how much of something is shown is what tells a strong feeling
    from a weak one. Encoders give numbers of one scale.
    """

    def __init__(self, width: int, to: int, dropout: float, stacks: int = 1) -> None:
        super().__init__()
        # No dropout before it: it would blur numbers that tell little by little; n-grams have their own.
        self.layers = nn.Sequential(nn.Linear(width, stacks * to), nn.GELU(), nn.Dropout(dropout))
        self.missing = nn.Parameter(torch.zeros(stacks * to))

    def forward(self, rows: Tensor, present: Tensor) -> Tensor:
        """Project, (rows, width) -> (rows, stacks * to)."""
        return torch.where(present[:, None], self.layers(rows), self.missing)


class Parallel(nn.Module):
    """Linear layers of several stacks at once: (stacks, rows, width) -> (stacks, rows, to)."""

    def __init__(self, stacks: int, width: int, to: int) -> None:
        super().__init__()
        bound = width**-0.5
        self.weight = nn.Parameter(torch.empty(stacks, width, to).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.zeros(stacks, 1, to))

    def forward(self, rows: Tensor) -> Tensor:
        """Give each stack its layer's answer."""
        return torch.baddbmm(self.bias, rows, self.weight)


class GatedFusion(nn.Module):
    """Gated multimodal units (Arevalo et al. 2017): each stream speaks as loudly as all of them together say.

    The gates of all streams sum to one; a stream that has nothing keeps still. A layer over all streams tells
    how they contradict each other, which no weighted sum can. Several stacks fuse the same streams each in
    their own way.
    """

    def __init__(self, widths: Mapping[str, int], to: int, dropout: float, stacks: int = 1) -> None:
        super().__init__()
        self.shape = (stacks, to)
        self.to_common = NamedModules(
            {name: Projection(one, to, dropout, stacks) for name, one in widths.items()}
        )
        streams = len(widths)
        self.gates = Parallel(stacks, streams * to, streams) if streams > 1 else None
        self.mixing = Parallel(stacks, streams * to, to) if streams > 1 else None

    def forward(self, encoded: Mapping[str, Encoded]) -> Tensor:
        """Fuse vectors of every stream into (stacks, rows, to)."""
        common = torch.stack(
            [
                layer(*encoded[name]).unflatten(1, self.shape).transpose(0, 1)
                for name, layer in self.to_common.items()
            ],
            dim=2,
        )  # (stacks, rows, streams, to)
        if self.gates is None or self.mixing is None:
            return common[:, :, 0]
        together = common.flatten(2)
        present = torch.stack([encoded[name][1] for name in self.to_common], dim=1)  # (rows, streams)
        nobody = ~present.any(dim=1, keepdim=True)
        gates = self.gates(together).masked_fill(~(present | nobody), float("-inf")).softmax(dim=2)
        fused = (gates[..., None] * common).sum(dim=2)  # (stacks, rows, to)
        both: Tensor = fused + nn.functional.gelu(self.mixing(together))
        return both
