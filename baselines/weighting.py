"""How much each task counts in the loss of all."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor, nn

FIXED = "fixed"
UNCERTAINTY = "uncertainty"
GRADNORM = "gradnorm"
DWA = "dwa"
WEIGHTINGS = (FIXED, UNCERTAINTY, GRADNORM, DWA)


class TaskWeights(nn.Module):
    """Weights of the tasks of a model, in the order of their names.

    - ``fixed``: all 1.
    - ``uncertainty`` (Kendall et al. 2018): each loss over twice its learnt variance, and half the logarithm
      of the variance on top.
    - ``gradnorm`` (Chen et al. 2018): weights move so that all tasks pull at the shared parameters with a
      force that follows their rate of training.
    - ``dwa`` (Liu et al. 2019): the slower a loss has fallen over the last two epochs, the more it counts.
    """

    log_variance: nn.Parameter
    weight: Tensor
    first: Tensor
    sums: Tensor
    means: Tensor

    def __init__(
        self, tasks: Sequence[str], weighting: str, *, asymmetry: float = 1.5, temperature: float = 2.0
    ) -> None:
        """Start with equal weights.

        Args:
            tasks: Names of the tasks.
            weighting: One of `WEIGHTINGS`.
            asymmetry: GradNorm's alpha: how strongly slow tasks are helped.
            temperature: DWA's T: the larger, the more equal the weights.
        """
        super().__init__()
        self.tasks = tuple(tasks)
        self.weighting = weighting
        self.asymmetry = asymmetry
        self.temperature = temperature
        size = len(self.tasks)
        self.log_variance = nn.Parameter(torch.zeros(size), requires_grad=weighting == UNCERTAINTY)
        self.register_buffer("weight", torch.ones(size))
        self.register_buffer("first", torch.zeros(size))  # GradNorm: the losses of the first step
        self.register_buffer("sums", torch.zeros(2, size))  # DWA: losses and steps of this epoch
        self.register_buffer("means", torch.zeros(2, size))  # DWA: mean losses of the last two epochs

    def forward(self, losses: Mapping[str, Tensor], shared: Iterable[Tensor] = ()) -> Tensor:
        """Combine the losses of a batch.

        Args:
            losses: A number a task.
            shared: The parameters that GradNorm measures pulls at.
        """
        stacked = torch.stack([losses[name] for name in self.tasks])
        if self.weighting == UNCERTAINTY:
            return (stacked * torch.exp(-self.log_variance) + self.log_variance).sum() / 2
        if self.training and self.weighting == DWA:
            self.sums += torch.stack([stacked.detach(), torch.ones_like(stacked)])
        if self.training and self.weighting == GRADNORM:
            self._balance(stacked, list(shared))
        return (self.weight * stacked).sum()

    def _balance(self, losses: Tensor, shared: Sequence[Tensor], rate: float = 0.025) -> None:
        """Move the weights one step along the gradient of GradNorm's loss, and keep their sum."""
        pulls = torch.stack([_norm(one, shared) for one in losses])  # without the weights
        now = losses.detach()
        if not self.first.any():
            self.first.copy_(now.clamp(min=1e-8))
        speed = now / self.first.clamp(min=1e-8)
        wanted = (self.weight * pulls).mean() * (speed / speed.mean().clamp(min=1e-8)) ** self.asymmetry
        # The gradient of |weight * pull - wanted| with respect to the weight; over the mean pull, so that
        # the scale of the losses does not set the length of the step.
        scale = pulls.mean().clamp(min=1e-8)
        moved = self.weight - rate * torch.sign(self.weight * pulls - wanted) * pulls / scale
        moved = moved.clamp(min=1e-3)
        self.weight.copy_(moved * len(moved) / moved.sum())

    def end_epoch(self) -> None:
        """Set the weights of the next epoch by how the losses fell."""
        if self.weighting != DWA:
            return
        now = self.sums[0] / self.sums[1].clamp(min=1)
        before = self.means[0].clone()
        self.means.copy_(torch.stack([now, before]))
        self.sums.zero_()
        if before.any():
            rates = now / before.clamp(min=1e-8)
            self.weight.copy_(len(now) * torch.softmax(rates / self.temperature, dim=0))


def _norm(loss: Tensor, shared: Sequence[Tensor]) -> Tensor:
    if not loss.requires_grad:
        return loss.new_zeros(())
    found = torch.autograd.grad(loss, shared, retain_graph=True, allow_unused=True)
    squares = [(one**2).sum() for one in found if one is not None]
    return torch.stack(squares).sum().sqrt() if squares else loss.new_zeros(())
