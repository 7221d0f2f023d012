"""The running average of the weights: steadier than those of a single step, and what is judged and saved."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class WeightAverage(nn.Module):
    """Exponential moving average of all weights that are learnt (Polyak and Juditsky 1992).

    The averages are buffers, so that a checkpoint holds them and training can go on from it.
    """

    steps: Tensor

    def __init__(self, model: nn.Module, keep: float) -> None:
        """Start at the weights of now.

        Args:
            model: The network whose weights are averaged.
            keep: Share of the average that stays at a step, from 0 to below 1; less in the first steps, so
                that what the weights were at random is soon forgotten.
        """
        super().__init__()
        self.keep = keep
        self._learnt = [one for one in model.parameters() if one.requires_grad]
        for number, one in enumerate(self._learnt):
            self.register_buffer(f"of_{number}", one.detach().clone())
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))

    @property
    def averages(self) -> list[Tensor]:
        """The averages, in the order of the weights."""
        return [self.get_buffer(f"of_{number}") for number in range(len(self._learnt))]

    @torch.no_grad()
    def update(self) -> None:
        """Take in the weights after a step."""
        self.steps += 1
        steps = int(self.steps)
        keep = min(self.keep, steps / (10 + steps))
        torch._foreach_lerp_(self.averages, list(self._learnt), 1 - keep)

    @torch.no_grad()
    def swap(self) -> None:
        """Let the weights and their averages change places."""
        for average, one in zip(self.averages, self._learnt, strict=True):
            held = one.clone()
            one.copy_(average)
            average.copy_(held)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Let the network answer by the averages for a while."""
        self.swap()
        try:
            yield
        finally:
            self.swap()
