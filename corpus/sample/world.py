"""The world behind the sample corpus: what a turn of a dialogue can be, and how one turn leads to the next.

A turn is one of `STATES` hidden states, made of five parts that move on their own:

- the polarity of the *words* and *sarcasm*: either both stay as they were (`CARRY`), or both are drawn afresh,
  the polarity by a fair coin, sarcasm with probability `SARCASM_PRIOR`;
- the *family* of the emotion and its *strength*: each stays or is drawn afresh;
- the *move*: what the turn does in the conversation, which depends on the turn before.

The *felt* polarity, which voice and face show, is that of the words, turned round by sarcasm.

**Why no single modality can tell sarcasm.** Within a spell (the turns between two fresh draws) the polarity of
the words is fair whether the spell is sarcastic or not; so is the felt one. Hence the whole history of the
words alone, or of the felt polarity alone, says nothing about sarcasm: its probability given any one modality
of any number of turns is the prior. Would the polarity carry over and sarcasm be drawn anew each turn, a turn
that stood out from its neighbours would betray it. `check_hidden_sarcasm` proves this for the tables at hand.
"""

from __future__ import annotations

from dataclasses import dataclass

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
OPENING = np.array([0.50, 0.30, 0.00, 0.15, 0.05])
"""P(intent) of the first turn of a dialogue, in the order of `INTENTS`."""
REPLY = np.array(
    [  # tell ask answer judge joke
        [0.20, 0.15, 0.00, 0.30, 0.35],  # after tell
        [0.00, 0.00, 0.85, 0.05, 0.10],  # after ask
        [0.35, 0.15, 0.00, 0.35, 0.15],  # after answer
        [0.45, 0.20, 0.00, 0.20, 0.15],  # after judge
        [0.45, 0.20, 0.00, 0.25, 0.10],  # after joke
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
    """A Markov chain over the hidden states.

    Attributes:
        first: P(state) of the first turn, shape (states,).
        step: P(next state | state), shape (states, states).
    """

    first: Floats
    step: Floats

    def priors(self, turns: int) -> Floats:
        """Return P(state) of each of the first turns, shape (turns, states)."""
        rows = [self.first]
        while len(rows) < turns:
            rows.append(rows[-1] @ self.step)
        return np.stack(rows)

    def draw(self, turns: int, rng: np.random.Generator) -> Ints:
        """Draw the states of a dialogue, shape (turns,)."""
        states = [pick(self.first, rng.random())]
        while len(states) < turns:
            states.append(pick(self.step[states[-1]], rng.random()))
        return np.array(states)


def pick(shares: Floats, uniform: float) -> int:
    """Pick a position by its share with a uniform number from 0 to 1."""
    # The sum of the shares may miss 1 by rounding, so the last one is not compared.
    return int(np.searchsorted(np.cumsum(shares)[:-1], uniform, side="right"))


def make_chain() -> Chain:
    """Make the chain of the sample world."""
    polarity = np.repeat([0.5, 0.5], 2) * np.tile([1 - SARCASM_PRIOR, SARCASM_PRIOR], 2)
    parts = [
        (polarity, _stay_or_redraw(polarity, CARRY)),
        (FAMILY_SHARES, _stay_or_redraw(FAMILY_SHARES, FAMILY_CARRY)),
        (STRENGTH_SHARES, _stay_or_redraw(STRENGTH_SHARES, STRENGTH_CARRY)),
        _moves(),
    ]
    first, step = np.ones(1), np.ones((1, 1))
    for part_first, part_step in parts:
        first, step = np.kron(first, part_first), np.kron(step, part_step)
    return Chain(first, step)


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


def check_hidden_sarcasm(chain: Chain, shown: dict[str, Floats], tolerance: float = 1e-12) -> None:
    """Prove that no modality, with all turns before and after, tells anything about sarcasm.

    For each modality the states are put in classes that look alike in it. It is then enough that (1) each
    class keeps its look whether sarcastic or not; (2) at the first turn the class is independent of sarcasm;
    (3) if they are independent at one turn, they are at the next, for every class of this turn; (4) where the
    chain goes from a class does not depend on sarcasm. By (2) and (3) no past tells sarcasm, by (4) no future.

    Args:
        chain: The chain over the states.
        shown: What each modality shows of each state (parameters of its noise), shape (states, ...).
        tolerance: Largest difference that is rounding.

    Raises:
        SarcasmIsVisibleError: With the modality and the condition that fails.
    """
    prior = np.array([1 - SARCASM_PRIOR, SARCASM_PRIOR])
    for modality, looks in shown.items():
        rows = looks.reshape(STATES, -1)
        _, label = np.unique(rows.round(12), axis=0, return_inverse=True)
        label = label.reshape(-1)
        size = int(label.max()) + 1
        # Members of a class, by sarcasm; shape (sarcasm, class, states), rows 0 or 1.
        member = np.stack([(label == np.arange(size)[:, None]) & (SARCASM == s) for s in (0, 1)]).astype(float)
        weight = member @ chain.priors(LONGEST).sum(axis=0)  # (sarcasm, class)
        if (weight == 0).any():
            raise SarcasmIsVisibleError(f"{modality}: a look belongs to sarcastic turns only, or to sincere ones only")
        start = member @ chain.first
        if np.abs(start - prior[:, None] * start.sum(axis=0)).max() > tolerance:
            raise SarcasmIsVisibleError(f"{modality}: the first turn tells sarcasm")
        for states_in in _lookalikes(member):
            # P(sarcasm', class' | state) of one sincere and one sarcastic state that look alike.
            ahead = np.einsum("sci,ni->nsc", member, chain.step[states_in])
            mixed = np.einsum("n,nsc->sc", prior, ahead)
            if np.abs(mixed - prior[:, None] * mixed.sum(axis=0)).max() > tolerance:
                raise SarcasmIsVisibleError(f"{modality}: a turn tells the sarcasm of the next one")
            if np.abs(ahead[0].sum(axis=0) - ahead[1].sum(axis=0)).max() > tolerance:
                raise SarcasmIsVisibleError(f"{modality}: a turn tells the sarcasm of the one before")


def _lookalikes(member: Floats) -> list[list[int]]:
    """Pair the states of each class that differ in sarcasm and in nothing that goes on on its own."""
    pairs = []
    for sincere, sarcastic in zip(member[0], member[1], strict=True):
        ours, theirs = np.flatnonzero(sincere).tolist(), np.flatnonzero(sarcastic).tolist()
        if len(ours) != len(theirs):
            raise SarcasmIsVisibleError("a look belongs to more sincere states than sarcastic ones")
        rest = {(FAMILY[one], STRENGTH[one], MOVE[one]): one for one in theirs}
        pairs += [[one, rest[FAMILY[one], STRENGTH[one], MOVE[one]]] for one in ours]
    return pairs
