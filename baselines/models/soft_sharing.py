"""Soft parameter sharing: every task has a stack of its own, and gates decide what it takes from the others.

The vector of a task has two halves: a *common* one, offered to the other tasks, and a *private* one. After
every layer a task adds to its own vector what it takes of the others' common halves:

- ``gates``: a signed number for every utterance and every pair of tasks, from both their vectors (a mixture
  of experts in which the experts are the other tasks; after Ma et al. 2018);
- ``cross-stitch``: one number for every pair of tasks, the same for all utterances (Misra et al. 2016);
- ``none``: nothing, so the tasks share the encoders alone.

A regulariser keeps the halves apart (Bousmalis et al. 2016). **The annotated relations supervise the gates
between their tasks**: a relation says of an utterance how strongly, and in which direction, one field pushes
another, so the gate from its source to its target is drawn to that grade. ``relation_supervision=false``
shows what that buys.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import cast

import torch
from torch import Tensor, nn

from baselines.batches import Tensors
from baselines.context import Places, RecurrentContext
from baselines.fusion import GatedFusion
from baselines.models.neural import NeuralConfig, NeuralModel
from baselines.stream_encoder import Encoded
from schemas.fields import RelationField

GATES = "gates"
CROSS_STITCH = "cross-stitch"
NONE = "none"


class SoftSharingConfig(NeuralConfig):
    """Configuration of `SoftSharing`.

    Attributes:
        width: Width of the vector of a task.
        sharing: How tasks share, one of ``gates``, ``cross-stitch``, ``none``.
        separation: Weight of the regulariser that keeps common and private halves apart.
        relation_supervision: Let the annotated relations supervise the gates between their tasks.
        relation_weight: Weight of that supervision.
    """

    model_type = "soft-sharing"

    width: int = 64
    sharing: str = GATES
    separation: float = 0.05
    relation_supervision: bool = True
    relation_weight: float = 0.5

    @classmethod
    def choices(cls) -> dict[str, tuple[str, ...]]:
        """Return the valid values of settings that are words."""
        return {"sharing": (GATES, CROSS_STITCH, NONE)}


class Stack(nn.Module):
    """The layers of one task: fusion of the streams, then the context of the dialogue."""

    def __init__(self, widths: Mapping[str, int], config: SoftSharingConfig) -> None:
        super().__init__()
        width = config.width
        self.fusion = GatedFusion(widths, width, config.dropout)
        self.context = RecurrentContext(width, width // 2, config.context)
        self.merge = nn.Sequential(
            nn.Linear(width + self.context.width, width), nn.GELU(), nn.Dropout(config.dropout)
        )


class SharingLayer(nn.Module):
    """What every task takes from the common halves of the others."""

    gates: Tensor
    """Of the last batch, from every task to every task, -1 to 1: (rows, source, target)."""

    def __init__(self, tasks: int, width: int, sharing: str) -> None:
        super().__init__()
        self.sharing = sharing
        self.offer = nn.Parameter(torch.randn(tasks, width // 2, width) * (width // 2) ** -0.5)
        self.asks = nn.Parameter(torch.randn(tasks, width, tasks) * 0.1 * width**-0.5)
        self.answers = nn.Parameter(torch.randn(tasks, width, tasks) * 0.1 * width**-0.5)
        self.stitch = nn.Parameter(torch.zeros(tasks, tasks))

    def forward(self, vectors: Tensor) -> Tensor:
        """Share, (rows, tasks, width) -> (rows, tasks, width)."""
        if self.sharing == NONE:
            return vectors
        common = vectors[..., : vectors.shape[2] // 2]
        offered = torch.einsum("nsc,scw->nsw", common, self.offer)  # (rows, tasks, width)
        pull: Tensor = self.stitch
        if self.sharing == GATES:
            # What the source says of the target, and the target of the source: (rows, source, target).
            said = torch.einsum("nsw,swt->nst", vectors, self.answers)
            asked = torch.einsum("ntw,tws->nst", vectors, self.asks)
            pull = self.stitch + said + asked
        self.gates = torch.tanh(pull).expand(len(vectors), -1, -1)
        others = 1 - torch.eye(vectors.shape[1], device=vectors.device)
        return vectors + torch.einsum("nst,nsw->ntw", self.gates * others, offered)


class SoftSharing(NeuralModel):
    """A stack a task; gates between tasks, supervised by the annotated relations."""

    name = "soft-sharing"
    config_class = SoftSharingConfig

    def __init__(self, config: SoftSharingConfig) -> None:
        super().__init__(config)
        self.tasks = [field.name for field in self.fields]
        widths = self.encoders.widths
        self.stacks = nn.ModuleDict({name: Stack(widths, config) for name in self.tasks})
        self.early = SharingLayer(len(self.tasks), config.width, config.sharing)
        self.late = SharingLayer(len(self.tasks), config.width, config.sharing)
        self.build_heads(config.width)

    def represent(self, encoded: Mapping[str, Encoded], places: Places) -> dict[str, Tensor]:
        """Return a vector of its own for the head of every field."""
        stacks = [cast("Stack", self.stacks[name]) for name in self.tasks]
        alone = [stack.fusion(encoded) for stack in stacks]
        shared = self.early(torch.stack(alone, dim=1))  # (rows, tasks, width)
        seen = []
        for place, stack in enumerate(stacks):
            own = shared[:, place]  # (rows, width)
            seen.append(own + stack.merge(torch.cat([own, stack.context(own, places.turns)], dim=1)))
        self.vectors = self.late(torch.stack(seen, dim=1))
        return {name: self.vectors[:, place] for place, name in enumerate(self.tasks)}

    def shared(self) -> Iterable[Tensor]:
        """Return what all tasks share: the gates."""
        return self.early.parameters()

    def penalty(self, targets: Mapping[str, Tensors]) -> Tensor | float:
        """Return the overlap of common and private halves, and how far gates are from the rated relations."""
        config = self.config
        if config.sharing == NONE:
            return 0.0
        total: Tensor = config.separation * overlap(self.vectors)
        if not config.relation_supervision or config.sharing != GATES:
            return total
        for field in self.fields:
            if isinstance(field, RelationField) and {field.source, field.target} <= set(self.tasks):
                source, target = self.tasks.index(field.source), self.tasks.index(field.target)
                known = targets[field.name]["known"]
                if known.any():
                    grade = targets[field.name]["values"][known] + field.low  # positions begin at the lowest
                    wanted = grade / max(abs(field.low), abs(field.high))  # from -1 to 1
                    gate = self.late.gates[known, source, target]
                    total = total + config.relation_weight * ((gate - wanted) ** 2).mean()
        return total


def overlap(vectors: Tensor) -> Tensor:
    """Return the mean squared correlation of common with private numbers, of vectors (rows, tasks, width)."""
    if len(vectors) < 2:
        return vectors.sum() * 0.0
    centred = vectors - vectors.mean(dim=0)
    scaled = centred / centred.norm(dim=0).clamp(min=1e-6)
    common, private = scaled.chunk(2, dim=2)
    correlated: Tensor = torch.einsum("ntc,ntp->tcp", common, private)
    return (correlated**2).mean()
