"""What training minimises: the losses of all fields, weighted. It is no part of the saved model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from torch import Tensor, nn

from baselines.batches import Tensors
from baselines.data import Split
from baselines.losses import FieldLoss
from baselines.named_modules import NamedModules
from baselines.settings import TrainingSettings
from baselines.weighting import TaskWeights
from schemas.fields import Field


class Objective(nn.Module):
    """The loss of a model with one head a field."""

    def __init__(self, fields: Iterable[Field], train: Split, settings: TrainingSettings) -> None:
        super().__init__()
        self.losses = NamedModules(
            {field.name: FieldLoss(field, train.labels[field.name], settings.losses) for field in fields}
        )
        self.weights = TaskWeights(tuple(self.losses), settings.task_weighting)

    def forward(
        self,
        heads: NamedModules,
        logits: Mapping[str, Tensor],
        targets: Mapping[str, Tensors],
        shared: Iterable[Tensor],
    ) -> Tensor:
        """Return the loss of a batch.

        Args:
            heads: The heads by field.
            logits: What they gave.
            targets: Labels by field, as a batch holds them.
            shared: The parameters that the tasks share.
        """
        losses = {name: loss(heads[name], logits[name], targets[name]) for name, loss in self.losses.items()}
        combined: Tensor = self.weights(losses, shared)
        return combined
