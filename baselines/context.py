"""Context: how a turn learns from the turns around it, of the dialogue or of its own speaker.

Rows are packed (see `baselines.batches`); here they are laid out as sequences and taken back. No layer lets
padding in, so an answer never depends on what else is in the batch.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

BOTH = "both"
PAST = "past"
CONTEXTS = (BOTH, PAST)
"""What a turn sees: the whole dialogue, or only itself and the turns before it."""


class Places(NamedTuple):
    """Where packed rows stand in sequences: their numbers, and -1 beyond the end of each.

    Attributes:
        turns: Rows of every dialogue, shape (dialogues, turns).
        own_turns: Rows of every speaker of a dialogue, shape (speakers, turns).
    """

    turns: Tensor
    own_turns: Tensor


def lay_out(rows: Tensor, places: Tensor) -> Tensor:
    """Lay rows out at ``places``: (rows, width) -> (sequences, turns, width), zeros as padding."""
    padded = torch.cat([rows, rows.new_zeros(1, rows.shape[1])])
    return padded[places]  # the padding, -1, picks the zeros at the end


def take_back(sequences: Tensor, places: Tensor, rows: int) -> Tensor:
    """Undo `lay_out`: (sequences, turns, width) -> (rows, width)."""
    inside = places >= 0
    packed = sequences.new_empty(rows, sequences.shape[-1])
    packed[places[inside]] = sequences[inside]
    return packed


def flip(sequences: Tensor, inside: Tensor) -> Tensor:
    """Turn each sequence round and leave its padding at the end."""
    turns = torch.arange(inside.shape[1], device=inside.device)
    lengths = inside.sum(dim=1, keepdim=True)
    mirrored = torch.where(inside, lengths - 1 - turns, turns)  # (sequences, turns)
    return sequences.gather(1, mirrored[..., None].expand_as(sequences))


class RecurrentContext(nn.Module):
    """Gated recurrent units over turns (Cho et al. 2014), forwards and, with the whole dialogue, backwards.

    As padding comes after the last turn, a forward pass never meets it before a turn; the backward pass is a
    forward pass over turned sequences.
    """

    def __init__(
        self, width: int, hidden: int, context: str = BOTH, cell: type[nn.GRU] | type[nn.LSTM] = nn.GRU
    ) -> None:
        super().__init__()
        self.forwards = cell(width, hidden, batch_first=True)
        self.backwards = cell(width, hidden, batch_first=True) if context == BOTH else None
        self.width = hidden * (2 if context == BOTH else 1)

    def forward(self, rows: Tensor, places: Tensor) -> Tensor:
        """Return every row with its context, (rows, width) -> (rows, self.width)."""
        sequences = lay_out(rows, places)  # (sequences, turns, width)
        found = [self.forwards(sequences)[0]]
        if self.backwards is not None:
            inside = places >= 0
            found.append(flip(self.backwards(flip(sequences, inside))[0], inside))
        return take_back(torch.cat(found, dim=-1), places, len(rows))


def positions(turns: int, width: int, like: Tensor) -> Tensor:
    """Return the sinusoids of Vaswani et al. (2017), shape (turns, width); any number of turns."""
    turn = torch.arange(turns, device=like.device, dtype=like.dtype)[:, None]
    rate = torch.exp(
        torch.arange(0, width, 2, device=like.device, dtype=like.dtype) * (-math.log(1e4) / width)
    )
    table = like.new_zeros(turns, width)
    table[:, 0::2] = torch.sin(turn * rate)
    table[:, 1::2] = torch.cos(turn * rate[: width // 2])
    return table


def hidden_turns(places: Tensor, context: str) -> Tensor:
    """Say which turns each turn must not attend to, shape (sequences, turns, turns).

    A padded turn may see itself, for a softmax over nothing has no value; nobody else sees it.
    """
    turns = places.shape[1]
    hidden = (places < 0)[:, None, :].expand(-1, turns, -1)
    if context == PAST:
        later = torch.ones(turns, turns, dtype=torch.bool, device=places.device).triu(1)
        hidden = hidden | later
    return hidden & ~torch.eye(turns, dtype=torch.bool, device=places.device)


class AttentiveLayer(nn.Module):
    """A Transformer layer, normalised before each part; who asks may be another modality than who answers."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(width, heads, dropout, batch_first=True)
        self.before = nn.LayerNorm(width)
        self.between = nn.LayerNorm(width)
        self.further = nn.Sequential(
            nn.Linear(width, 2 * width), nn.GELU(), nn.Dropout(dropout), nn.Linear(2 * width, width)
        )
        self.dropout = nn.Dropout(dropout)

    def forward(self, asks: Tensor, answers: Tensor, hidden: Tensor) -> Tensor:
        """Attend from ``asks`` to ``answers``, both (sequences, turns, width), but for ``hidden`` turns."""
        heads = self.attention.num_heads
        keys = self.before(answers)
        found, _ = self.attention(
            self.before(asks), keys, keys, attn_mask=hidden.repeat_interleave(heads, 0), need_weights=False
        )
        asks = asks + self.dropout(found)
        result: Tensor = asks + self.dropout(self.further(self.between(asks)))
        return result
