"""What the linear models say of the turns around an utterance, as the start that a network improves on."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from baselines.context import BOTH, lay_out, take_back
from baselines.linear_evidence import outputs
from schemas.fields import Field

AROUND = 2
"""Turns before, and with the whole dialogue after, whose evidence counts."""
TRUST = 0.5
"""What the log-odds of a turn itself count at first; those of its neighbours count nothing."""


class EvidenceContext(nn.Module):
    """A linear layer from the evidence of a turn and its neighbours, of all fields, to offsets of logits.

    A network that is fitted to some thousand utterances easily ends below a linear model. This one starts
    there: its heads add to the offsets, and at first they add nothing.
    """

    def __init__(self, fields: Mapping[str, Field], context: str) -> None:
        super().__init__()
        self.sizes = {name: outputs(field) for name, field in fields.items()}
        self.shifts = range(-AROUND, (AROUND if context == BOTH else 0) + 1)
        said = sum(self.sizes.values())
        self.linear = nn.Linear(len(self.shifts) * said, said, bias=False)
        own = self.shifts.index(0) * said
        with torch.no_grad():
            self.linear.weight.zero_()
            self.linear.weight[:, own : own + said] = TRUST * torch.eye(said)

    def forward(self, evidence: Tensor, turns: Tensor) -> dict[str, Tensor]:
        """Return offsets by field, (rows, said) -> (rows, values)."""
        sequences = lay_out(evidence, turns)  # (dialogues, turns, said), zeros beyond the ends
        length = sequences.shape[1]
        padded = nn.functional.pad(sequences, (0, 0, AROUND, AROUND))
        around = [padded[:, AROUND + shift : AROUND + shift + length] for shift in self.shifts]
        rows = take_back(torch.cat(around, dim=2), turns, len(evidence))  # (rows, shifts * said)
        offsets = self.linear(rows).split(list(self.sizes.values()), dim=1)
        return dict(zip(self.sizes, offsets, strict=True))
