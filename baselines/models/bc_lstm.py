"""bc-LSTM: bidirectional contextual LSTMs, first over each stream, then over all of them.

Poria, Cambria, Hazarika, Majumder, Zadeh and Morency: Context-dependent sentiment analysis in user-generated
videos, ACL 2017 (the hierarchical framework). Their utterance features are any here; heads are of the schema.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn

from baselines.context import Places, RecurrentContext
from baselines.fusion import Projection
from baselines.models.neural import NeuralConfig, NeuralModel
from baselines.named_modules import NamedModules
from baselines.stream_encoder import Encoded


class BcLstmConfig(NeuralConfig):
    """Configuration of `BcLstm`."""

    model_type = "bc-lstm"


class BcLstm(NeuralModel):
    """An LSTM over the turns of each stream, whose outputs together go through another one."""

    name = "bc-lstm"
    config_class = BcLstmConfig

    def __init__(self, config: BcLstmConfig) -> None:
        super().__init__(config)
        width, widths = config.width, self.encoders.widths
        self.inputs = NamedModules(
            {name: Projection(one, width, config.dropout) for name, one in widths.items()}
        )
        contexts = {name: RecurrentContext(width, width // 2, config.context, nn.LSTM) for name in widths}
        self.contexts = NamedModules(contexts)
        seen = sum(one.width for one in contexts.values())
        self.fused = RecurrentContext(seen, width // 2, config.context, nn.LSTM)
        self.trunk = nn.Sequential(
            nn.Linear(seen + self.fused.width, width), nn.Tanh(), nn.Dropout(config.dropout)
        )
        self.build_heads(width)

    def shared(self) -> Iterable[Tensor]:
        """Return the last layer that all tasks share."""
        return self.trunk.parameters()

    def represent(self, encoded: Mapping[str, Encoded], places: Places) -> dict[str, Tensor]:
        """Return the same vector for the heads of all fields."""
        contexts = [
            context(self.inputs[name](*encoded[name]), places.turns)
            for name, context in self.contexts.items()
        ]  # of each stream (rows, its width)
        together = torch.cat(contexts, dim=1)  # (rows, seen)
        found = self.trunk(torch.cat([together, self.fused(together, places.turns)], dim=1))  # (rows, width)
        return dict.fromkeys(self.heads, found)
