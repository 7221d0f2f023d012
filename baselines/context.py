"""Context: how a turn learns from the turns around it, of the dialogue or of its own speaker.

Rows are packed (see `baselines.batches`); here they are laid out as sequences and taken back. No layer lets
padding in, so an answer never depends on what else is in the batch.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

BOTH = "both"
PAST = "past"
CONTEXTS = (BOTH, PAST)
"""What a turn sees: the whole dialogue, or only itself and the turns before it."""
REACH = 8
"""Turns that lie further apart count as this far."""


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


class StackedContext(nn.Module):
    """The gated recurrent units of several stacks at once, each with weights of its own.

    A step of all stacks and both directions is one product of batches of matrices; layer after layer they
    would be many small ones.
    """

    def __init__(self, stacks: int, width: int, hidden: int, context: str = BOTH) -> None:
        super().__init__()
        self.directions = 2 if context == BOTH else 1
        self.hidden = hidden
        self.width = hidden * self.directions
        groups, bound = self.directions * stacks, hidden**-0.5  # forwards of all stacks, then backwards
        self.of_rows = nn.Parameter(torch.empty(groups, width, 3 * hidden).uniform_(-bound, bound))
        self.of_state = nn.Parameter(torch.empty(groups, hidden, 3 * hidden).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.zeros(2, groups, 1, 3 * hidden))

    def forward(self, rows: Tensor, places: Tensor) -> Tensor:
        """Return every row with its context, (stacks, rows, width) -> (stacks, rows, self.width)."""
        inside = places >= 0
        count = rows.shape[1]
        orders = [places, flip(places[..., None], inside)[..., 0]][: self.directions]
        said = torch.baddbmm(self.bias[0], rows.repeat(self.directions, 1, 1), self.of_rows)
        # A row of zeros at the end, which padding (-1) picks: (groups, rows + 1, 3 * hidden).
        said = torch.cat([said, said.new_zeros(len(said), 1, said.shape[2])], dim=1)
        turns = torch.cat(
            [
                part[:, order.T]  # (stacks, turns, sequences, 3 * hidden)
                for part, order in zip(said.chunk(self.directions), orders, strict=True)
            ]
        ).unbind(1)
        state = said.new_zeros(len(said), len(places), self.hidden)
        states = []
        for turn in turns:
            again = torch.baddbmm(self.bias[1], state, self.of_state)
            reset, keep = torch.sigmoid(turn[..., : -self.hidden] + again[..., : -self.hidden]).chunk(2, 2)
            fresh = torch.tanh(turn[..., -self.hidden :] + reset * again[..., -self.hidden :])
            state = torch.lerp(fresh, state, keep)
            states.append(state)
        found = torch.stack(states, dim=1).chunk(self.directions)  # (stacks, turns, sequences, hidden)
        return torch.cat(
            [_unordered(part, order.T, count) for part, order in zip(found, orders, strict=True)],
            dim=2,
        )


def _unordered(sequences: Tensor, order: Tensor, rows: int) -> Tensor:
    """Bring (stacks, turns, sequences, width) back to rows, by the row that stands at each place."""
    inside = order >= 0
    packed = sequences.new_empty(len(sequences), rows, sequences.shape[-1])
    packed[:, order[inside]] = sequences[:, inside]
    return packed


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
    """A Transformer layer, normalised before each part; who asks may be another modality than who answers.

    Between turns, how much a head likes each distance is learnt (after Shaw et al. 2018). At first one head
    looks at the same turn, one at the turn before, one at the next, one at all: a turn answers the one before
    it, and from the numbers of turns a small network is slow to learn that.
    """

    def __init__(self, width: int, heads: int, dropout: float, *, turns: bool = True) -> None:
        """Build the layer.

        Args:
            width: Width of the vectors.
            heads: Heads of attention.
            dropout: Share of numbers that are dropped in training.
            turns: It goes from turn to turn; otherwise what it goes over has no order.
        """
        super().__init__()
        self.attention = nn.MultiheadAttention(width, heads, dropout, batch_first=True)
        self.before = nn.LayerNorm(width)
        self.between = nn.LayerNorm(width)
        self.further = nn.Sequential(
            nn.Linear(width, 2 * width), nn.GELU(), nn.Dropout(dropout), nn.Linear(2 * width, width)
        )
        self.dropout = nn.Dropout(dropout)
        self.liking = nn.Parameter(_first_liking(heads)) if turns else None

    def forward(self, asks: Tensor, answers: Tensor, hidden: Tensor | None = None) -> Tensor:
        """Attend from ``asks`` to ``answers``, both (sequences, turns, width), but for ``hidden`` turns."""
        mask = None
        if self.liking is not None and hidden is not None:
            turn = torch.arange(hidden.shape[1], device=hidden.device)
            distance = (turn - turn[:, None]).clamp(-REACH, REACH) + REACH  # (turns, turns)
            likes = self.liking[:, distance]  # (heads, turns, turns)
            mask = likes.masked_fill(hidden[:, None], float("-inf")).flatten(0, 1)
        keys = self.before(answers)
        found, _ = self.attention(self.before(asks), keys, keys, attn_mask=mask, need_weights=False)
        asks = asks + self.dropout(found)
        result: Tensor = asks + self.dropout(self.further(self.between(asks)))
        return result


def _first_liking(heads: int) -> Tensor:
    """What each head adds to the attention at a distance from -REACH to REACH, shape (heads, distances)."""
    liking = torch.zeros(heads, 2 * REACH + 1)
    for head in range(heads):
        distance = (0, -1, 1, None)[head % 4]
        if distance is not None:
            liking[head, REACH + distance] = 3.0  # e^3 times as much as any other turn
    return liking
