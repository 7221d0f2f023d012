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

import torch
from torch import Tensor, nn

from baselines.batches import Tensors
from baselines.context import Places, StackedContext
from baselines.fusion import GatedFusion, Parallel
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

    width: int = 48
    sharing: str = GATES
    separation: float = 0.05
    relation_supervision: bool = True
    relation_weight: float = 0.5

    @classmethod
    def choices(cls) -> dict[str, tuple[str, ...]]:
        """Return the valid values of settings that are words."""
        return {"sharing": (GATES, CROSS_STITCH, NONE)}


class SharingLayer(nn.Module):
    """What every task takes from the common halves of the others."""

    gates: Tensor
    """Of the last batch, from every task to every task, -1 to 1: (source, target, rows)."""

    def __init__(self, tasks: int, width: int, sharing: str) -> None:
        super().__init__()
        self.sharing = sharing
        self.offer = nn.Parameter(torch.randn(tasks, width // 2, width) * (width // 2) ** -0.5)
        self.asks = nn.Parameter(torch.randn(tasks, width, tasks) * 0.1 * width**-0.5)
        self.answers = nn.Parameter(torch.randn(tasks, width, tasks) * 0.1 * width**-0.5)
        self.stitch = nn.Parameter(torch.zeros(tasks, tasks))

    def forward(self, vectors: Tensor) -> Tensor:
        """Share, (tasks, rows, width) -> (tasks, rows, width)."""
        if self.sharing == NONE:
            return vectors
        common = vectors[..., : vectors.shape[2] // 2]
        offered = common @ self.offer  # (tasks, rows, width)
        pull = self.stitch[..., None]
        if self.sharing == GATES:
            # What the source says of the target, and the target of the source: (source, target, rows).
            said, asked = (vectors @ one for one in (self.answers, self.asks))
            pull = pull + said.transpose(1, 2) + asked.permute(2, 0, 1)
        self.gates = torch.tanh(pull).expand(-1, -1, vectors.shape[1])
        others = 1 - torch.eye(len(vectors), device=vectors.device)
        return vectors + torch.einsum("stn,snw->tnw", self.gates * others[..., None], offered)


class SoftSharing(NeuralModel):
    """A stack a task; gates between tasks, supervised by the annotated relations."""

    name = "soft-sharing"
    config_class = SoftSharingConfig

    def __init__(self, config: SoftSharingConfig) -> None:
        super().__init__(config)
        self.tasks = [field.name for field in self.fields]
        width, tasks = config.width, len(self.tasks)
        self.fusion = GatedFusion(self.encoders.widths, width, config.dropout, tasks)
        self.early = SharingLayer(tasks, width, config.sharing)
        self.context = StackedContext(tasks, width, width // 2, config.context)
        self.merge = Parallel(tasks, width + self.context.width, width)
        self.dropout = nn.Dropout(config.dropout)
        self.late = SharingLayer(tasks, width, config.sharing)
        self.build_heads(width)

    def represent(self, encoded: Mapping[str, Encoded], places: Places) -> dict[str, Tensor]:
        """Return a vector of its own for the head of every field."""
        own = self.early(self.fusion(encoded))  # (tasks, rows, width)
        around = self.context(own, places.turns)  # (tasks, rows, seen)
        merged = nn.functional.gelu(self.merge(torch.cat([own, around], dim=2)))
        self.vectors = self.late(own + self.dropout(merged))
        return dict(zip(self.tasks, self.vectors, strict=True))

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
                    gate = self.late.gates[source, target][known]
                    total = total + config.relation_weight * ((gate - wanted) ** 2).mean()
        return total


def overlap(vectors: Tensor) -> Tensor:
    """Return the mean squared correlation of common with private numbers, of vectors (tasks, rows, width)."""
    if vectors.shape[1] < 2:
        return vectors.sum() * 0.0
    centred = vectors - vectors.mean(dim=1, keepdim=True)
    scaled = centred / centred.norm(dim=1, keepdim=True).clamp(min=1e-6)
    common, private = scaled.chunk(2, dim=2)
    correlated: Tensor = common.transpose(1, 2) @ private
    return (correlated**2).mean()
