"""MulT: a crossmodal Transformer.

Tsai, Bai, Liang, Kolter, Morency and Salakhutdinov: Multimodal Transformer for unaligned multimodal language
sequences, ACL 2019. Each stream attends to every other one, then the enriched streams to themselves. There a
sequence is the frames of an utterance; here it is the turns of a dialogue, one vector a turn and stream.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn

from baselines.context import AttentiveLayer, Places, hidden_turns, lay_out, take_back
from baselines.fusion import Projection
from baselines.models.neural import NeuralConfig, NeuralModel
from baselines.named_modules import NamedModules
from baselines.stream_encoder import Encoded


class MultConfig(NeuralConfig):
    """Configuration of `Mult`.

    Attributes:
        layers: Layers of each crossmodal Transformer.
        attention_heads: Heads of its attention.
    """

    model_type = "mult"

    width: int = 48
    layers: int = 1
    attention_heads: int = 4


class Mult(NeuralModel):
    """Crossmodal attention between all pairs of streams, then attention within each."""

    name = "mult"
    config_class = MultConfig

    def __init__(self, config: MultConfig) -> None:
        super().__init__(config)
        width, widths = config.width, self.encoders.widths
        self.inputs = NamedModules(
            {name: Projection(one, width, config.dropout) for name, one in widths.items()}
        )
        self.crossing = NamedModules(
            {
                f"{target}_from_{source}": self._layers(width)
                for target in widths
                for source in widths
                if source != target
            }
        )
        others = max(len(widths) - 1, 1)
        self.within = NamedModules({name: self._layers(others * width) for name in widths})
        self.trunk = nn.Sequential(
            nn.LayerNorm(len(widths) * others * width),
            nn.Linear(len(widths) * others * width, width),
            nn.GELU(),
            nn.Dropout(config.dropout),
        )
        self.build_heads(width)

    def _layers(self, width: int) -> nn.ModuleList:
        config = self.config
        return nn.ModuleList(
            AttentiveLayer(width, config.attention_heads, config.dropout) for _ in range(config.layers)
        )

    def shared(self) -> Iterable[Tensor]:
        """Return the last layer that all tasks share."""
        return self.trunk.parameters()

    def represent(self, encoded: Mapping[str, Encoded], places: Places) -> dict[str, Tensor]:
        """Return the same vector for the heads of all fields."""
        hidden = hidden_turns(places.turns, self.config.context)
        streams = {}
        for name, layer in self.inputs.items():
            streams[name] = lay_out(layer(*encoded[name]), places.turns)  # (dialogues, turns, width)
        enriched = []
        for target, rows in streams.items():
            views = [
                _attend(self.crossing[f"{target}_from_{source}"], rows, other, hidden)
                for source, other in streams.items()
                if source != target
            ]
            own = torch.cat(views or [rows], dim=-1)  # (dialogues, turns, others * width)
            enriched.append(_attend(self.within[target], own, None, hidden))
        rows = next(iter(encoded.values()))[0]
        together = take_back(torch.cat(enriched, dim=-1), places.turns, len(rows))
        return dict.fromkeys(self.heads, self.trunk(together))


def _attend(layers: nn.Module, asks: Tensor, answers: Tensor | None, hidden: Tensor) -> Tensor:
    """Go through layers that attend to ``answers``, or each to what it gets itself."""
    for layer in layers.children():
        asks = layer(asks, asks if answers is None else answers, hidden)
    return asks
