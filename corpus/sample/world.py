"""The world behind the sample corpus: what a turn of a dialogue can be, and how one turn leads to the next.

A turn is one of `STATES` hidden states, made of five parts that move on their own:

- the polarity of the *words* and *sarcasm*: either both stay as they were (`CARRY`), or both are drawn
  afresh, the polarity by a fair coin, sarcasm with probability `SARCASM_PRIOR`;
- the *family* of the emotion and its *strength*: each stays or is drawn afresh;
- the *move*: what the turn does in the conversation, which depends on the turn before.

The *felt* polarity, which voice and face show, is that of the words, turned round by sarcasm.

**Why no single modality can tell sarcasm.** Within a spell (the turns between two fresh draws) the polarity
of the words is fair whether the spell is sarcastic or not; so is the felt one. Hence the whole history of the
words alone, or of the felt polarity alone, says nothing about sarcasm: its probability given any one modality
of any number of turns is the prior. If the polarity carried over and sarcasm were drawn anew for each turn, a
turn that stood out from its neighbours would betray it. `check_hidden_sarcasm` proves this for these tables.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

POLARITIES = ("negative", "positive")
FAMILIES = ("calm", "subdued", "heated", "startled", "aloof")
STRENGTHS = (1, 2, 3)
INTENTS = ("tell", "ask", "answer", "judge", "joke")
MOVES = ("tell", "ask", "answer", "judge", "judge_open", "joke", "joke_open")
"""Intents; a judgement or joke is *open* when the turn before told something that it can take up."""

SARCASM_PRIOR = 0.25
CARRY = 0.55
"""Probability that polarity and sarcasm stay as they were in the turn before."""
FAMILY_CARRY = 0.6
STRENGTH_CARRY = 0.4
FAMILY_SHARES = np.array([0.30, 0.15, 0.20, 0.15, 0.20])
STRENGTH_SHARES = np.array([0.30, 0.45, 0.25])
OPENING = np.array([0.55, 0.30, 0.00, 0.15, 0.00])
"""P(intent) of the first turn of a dialogue, in the order of `INTENTS`."""
REPLY = np.array(
    [  # tell ask answer judge joke
        [0.20, 0.15, 0.00, 0.27, 0.38],  # after tell
        [0.00, 0.00, 0.88, 0.06, 0.06],  # after ask
        [0.40, 0.15, 0.00, 0.35, 0.10],  # after answer
        [0.50, 0.18, 0.00, 0.20, 0.12],  # after judge
        [0.45, 0.20, 0.00, 0.27, 0.08],  # after joke
    ]
)
"""P(intent | intent of the turn before); an answer follows a question and nothing else."""
SHORTEST, LONGEST = 6, 10
"""Turns of a dialogue; every length is as likely as any other."""

_SHAPE = (2, 2, len(FAMILIES), len(STRENGTHS), len(MOVES))
STATES = int(np.prod(_SHAPE))
WORDS, SARCASM, FAMILY, STRENGTH, MOVE = (part.ravel() for part in np.indices(_SHAPE))
"""The parts of every state, as positions in their lists; shape (states,)."""
FELT = WORDS ^ SARCASM
"""The polarity that voice and face show; shape (states,)."""
INTENT = np.array([INTENTS.index(move.removesuffix("_open")) for move in MOVES])[MOVE]
"""The intent of every state, as a position in `INTENTS`; shape (states,)."""
OPEN = np.array([move.endswith("_open") for move in MOVES])[MOVE]
"""Whether the turn before told something that this one can take up; shape (states,)."""


@dataclass(frozen=True)
class Chain:
    """A Markov chain over the hidden states, made of two that move on their own.

    Attributes:
        firsts: P(part) of the first turn, of both parts, shapes (m,) and (n,); m times n states.
        steps: P(next part | part) of both parts, shapes (m, m) and (n, n).
    """

    firsts: tuple[Floats, Floats]
    steps: tuple[Floats, Floats]

    @cached_property
    def first(self) -> Floats:
        """P(state) of the first turn, shape (states,)."""
        return _both(*self.firsts)

    @cached_property
    def step(self) -> Floats:
        """P(next state | state), shape (states, states)."""
        return _both(*self.steps)

    def ahead(self, belief: Floats) -> Floats:
        """Return P(next state) where P(state) is ``belief``: ``belief @ step``, shape (..., states)."""
        return _apply(belief, self.steps[0], self.steps[1])

    def back(self, likely: Floats) -> Floats:
        """Return P(what comes | state), given P(what comes | next state): ``likely @ step.T``."""
        return _apply(likely, self.steps[0].T, self.steps[1].T)

    def priors(self, turns: int) -> Floats:
        """Return P(state) of each of the first turns, shape (turns, states)."""
        rows = [self.first]
        while len(rows) < turns:
            rows.append(self.ahead(rows[-1]))
        return np.stack(rows)

    def draw(self, turns: int, rng: np.random.Generator) -> Ints:
        """Draw the states of a dialogue, shape (turns,)."""
        states = [pick(self.first, rng.random())]
        while len(states) < turns:
            states.append(pick(self.step[states[-1]], rng.random()))
        return np.array(states)


def _apply(rows: Floats, left: Floats, right: Floats) -> Floats:
    """Return ``rows @ kron(left, right)``, without the large matrix."""
    parts = rows.reshape(-1, len(left), len(right)) @ right
    return np.asarray(np.matmul(left.T, parts).reshape(rows.shape))


def pick(shares: Floats, uniform: float) -> int:
    """Pick a position by its share with a uniform number from 0 to 1."""
    # The sum of the shares may miss 1 by rounding, so the last one is not compared.
    return int(np.searchsorted(np.cumsum(shares)[:-1], uniform, side="right"))


def make_chain() -> Chain:
    """Make the chain of the sample world."""
    sarcasm = np.array([1 - SARCASM_PRIOR, SARCASM_PRIOR])
    polarity = _both(np.array([0.5, 0.5]), sarcasm)
    moves, next_moves = _moves()
    next_polarity = _stay_or_redraw(polarity, CARRY)
    next_family = _stay_or_redraw(FAMILY_SHARES, FAMILY_CARRY)
    next_strength = _stay_or_redraw(STRENGTH_SHARES, STRENGTH_CARRY)
    return Chain(
        (_both(polarity, FAMILY_SHARES), _both(STRENGTH_SHARES, moves)),
        (_both(next_polarity, next_family), _both(next_strength, next_moves)),
    )


def _both(one: Floats, other: Floats) -> Floats:
    """Combine the shares, or the steps, of two parts that move on their own."""
    return np.asarray(np.kron(one, other), dtype=np.float64)


def _stay_or_redraw(shares: Floats, carry: float) -> Floats:
    return carry * np.eye(len(shares)) + (1 - carry) * shares


def _moves() -> tuple[Floats, Floats]:
    """The chain of the moves: intents, and whether the turn before left something to take up."""
    first, step = np.zeros(len(MOVES)), np.zeros((len(MOVES), len(MOVES)))
    for place, move in enumerate(MOVES):
        intent = INTENTS.index(move.removesuffix("_open"))
        opens = move.endswith("_open")
        can_be_open = f"{INTENTS[intent]}_open" in MOVES
        first[place] = 0 if opens else OPENING[intent]
        for before, earlier in enumerate(MOVES):
            if not can_be_open or opens == (earlier == "tell"):
                step[before, place] = REPLY[INTENTS.index(earlier.removesuffix("_open")), intent]
    return first, step


class SarcasmIsVisibleError(Exception):
    """One modality and its context tell more about sarcasm than its prior does."""


def check_hidden_sarcasm(
    chain: Chain, shown: dict[str, tuple[Ints, Floats]], tolerance: float = 1e-12
) -> None:
    """Prove that no modality, with all turns before and after, tells anything about sarcasm.

    A modality sees a *side* of each state: the polarity that it shows, family, strength and move. Each side
    belongs to one sincere and one sarcastic state. It is enough that (1) the modality shows nothing else;
    (2) at the first turn the side is independent of sarcasm; (3) if they are independent at one turn, they
    are at the next, whatever the side of this one; (4) which side comes next does not depend on sarcasm. By
    (1) to (3) no past tells sarcasm (each likelihood is a factor of the side alone), by (4) no future does.

    Args:
        chain: The chain over the states.
        shown: For each modality the polarity that it shows, shape (states,), and what it shows of each state
            (the parameters of its noise), shape (states, ...).
        tolerance: Largest difference that counts as rounding.

    Raises:
        SarcasmIsVisibleError: With the modality and the condition that fails.
    """
    prior = np.array([1 - SARCASM_PRIOR, SARCASM_PRIOR])
    for modality, (polarity, table) in shown.items():
        order = np.lexsort((MOVE, STRENGTH, FAMILY, polarity, SARCASM))
        sides = order.reshape(2, -1)  # (sarcasm, side) -> state
        looks = table.reshape(STATES, -1)[sides]
        first = chain.first[sides]
        step = chain.step[sides][:, :, sides]  # (sarcasm, side, next sarcasm, next side)
        mixed = np.einsum("s,sync->ync", prior, step)  # from an independent turn with a known side
        gaps = {
            "it shows more than its side": looks[0] - looks[1],
            "the first turn tells sarcasm": first - prior[:, None] * first.sum(axis=0),
            "a turn tells the sarcasm of the next": mixed - prior[:, None] * mixed.sum(axis=1, keepdims=True),
            "a turn tells the sarcasm of the one before": step.sum(axis=2)[0] - step.sum(axis=2)[1],
        }
        for message, gap in gaps.items():
            if np.abs(gap).max() > tolerance:
                raise SarcasmIsVisibleError(f"{modality}: {message} (by up to {np.abs(gap).max():.2g})")
