"""MMTrans-MT: Transformer fusion, with categorical and dimensional affect learnt together.

Every stream is represented by a Transformer over the turns of a dialogue; another one fuses, turn by turn,
the streams' representations, and one more goes over the turns of what was fused. Numbers (valence, arousal,
dominance) are told first, and what was told goes with the fused vector to the heads of the categories.
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
from schemas.fields import IntervalField


class MmtransMtConfig(NeuralConfig):
    """Configuration of `MmtransMt`.

    Attributes:
        layers: Layers of the Transformer of each stream; the others have one.
        attention_heads: Heads of its attention.
    """

    model_type = "mmtrans-mt"

    width: int = 64
    layers: int = 2
    attention_heads: int = 4


class MmtransMt(NeuralModel):
    """Representation and fusion by Transformers; the heads of categories know the numbers."""

    name = "mmtrans-mt"
    config_class = MmtransMtConfig

    def __init__(self, config: MmtransMtConfig) -> None:
        super().__init__(config)
        width, widths = config.width, self.encoders.widths
        self.inputs = NamedModules(
            {name: Projection(one, width, config.dropout) for name, one in widths.items()}
        )
        self.representation = NamedModules(
            {
                name: nn.ModuleList(
                    AttentiveLayer(width, config.attention_heads, config.dropout)
                    for _ in range(config.layers)
                )
                for name in widths
            }
        )
        self.summary = nn.Parameter(torch.randn(width) * 0.02)
        self.stream_marks = nn.Parameter(torch.randn(len(widths), width) * 0.02)
        self.fusing = AttentiveLayer(width, config.attention_heads, config.dropout, turns=False)
        self.trunk = nn.Sequential(
            nn.LayerNorm((len(widths) + 1) * width),
            nn.Linear((len(widths) + 1) * width, width),
            nn.GELU(),
            nn.Dropout(config.dropout),
        )
        self.numbers = [field.name for field in self.fields if isinstance(field, IntervalField)]
        self.dialogue = AttentiveLayer(width, config.attention_heads, config.dropout)
        self.told = nn.Linear(max(len(self.numbers), 1), width)
        self.build_heads(width)

    def shared(self) -> Iterable[Tensor]:
        """Return the last layer that all tasks share."""
        return self.trunk.parameters()

    def represent(self, encoded: Mapping[str, Encoded], places: Places) -> dict[str, Tensor]:
        """Return the fused vector for numbers, and with what they say for categories."""
        rows = next(iter(encoded.values()))[0]
        hidden = hidden_turns(places.turns, self.config.context)
        streams = []
        for name, layer in self.inputs.items():
            sequences = lay_out(layer(*encoded[name]), places.turns)  # (dialogues, turns, width)
            for attentive in self.representation[name].children():
                sequences = attentive(sequences, sequences, hidden)
            streams.append(take_back(sequences, places.turns, len(rows)))  # (rows, width)
        together = torch.stack(streams, dim=1) + self.stream_marks  # (rows, streams, width)
        tokens = torch.cat([self.summary.expand(len(rows), 1, -1), together], dim=1)
        tokens = self.fusing(tokens, tokens)
        sequences = lay_out(self.trunk(tokens.flatten(1)), places.turns)
        fused = take_back(
            self.dialogue(sequences, sequences, hidden), places.turns, len(rows)
        )  # (rows, width)
        if not self.numbers:
            return dict.fromkeys(self.heads, fused)
        said = torch.stack([self.heads[name](fused) for name in self.numbers], dim=1)  # (rows, numbers)
        informed = fused + self.told(said)
        return {name: fused if name in self.numbers else informed for name in self.heads}
