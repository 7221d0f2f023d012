"""What words, voice and face show of a state: cues with noise of known size.

Words show three things, each with a known table of confusions: a polarity, a family of emotion, an intent.
Voice and face show six numbers each: a linear function of felt valence, arousal, dominance and intent, plus
normal noise with standard deviation `VOICE_NOISE` or `FACE_NOISE`. One unit of a cue is half of its range.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from corpus.sample.meaning import AFFECT
from corpus.sample.world import (
    FAMILIES,
    FAMILY,
    FELT,
    INTENT,
    INTENTS,
    POLARITIES,
    STATES,
    WORDS,
    Floats,
    Ints,
    pick,
)

MODALITIES = ("text", "audio", "video")

POLARITY_SAID = np.array([[0.92, 0.08], [0.08, 0.92]])
"""P(polarity in the words | polarity of the words)."""
FAMILY_SAID = np.array(
    [  # calm subdued heated startled aloof
        [0.84, 0.04, 0.04, 0.04, 0.04],
        [0.30, 0.61, 0.03, 0.03, 0.03],
        [0.22, 0.02, 0.68, 0.04, 0.04],
        [0.22, 0.03, 0.05, 0.67, 0.03],
        [0.30, 0.03, 0.05, 0.02, 0.60],
    ]
)
"""P(family in the words | family); often the words do not show it and stay calm."""
INTENT_SAID = np.array(
    [  # tell ask answer judge joke
        [0.96, 0.00, 0.00, 0.04, 0.00],
        [0.00, 1.00, 0.00, 0.00, 0.00],
        [0.00, 0.00, 1.00, 0.00, 0.00],
        [0.03, 0.00, 0.00, 0.94, 0.03],
        [0.00, 0.00, 0.00, 0.06, 0.94],
    ]
)
"""P(intent in the words | intent)."""

VOICE = ("pitch", "pitch_range", "rate", "volume", "pause", "brightness")
FACE = ("smile", "brow_height", "brow_slant", "eye_opening", "head_motion", "head_tilt")
VOICE_NOISE = 0.30
FACE_NOISE = 0.30

_VOICE_WEIGHTS = np.array(
    [  # valence arousal dominance asks jokes
        [0.30, 0.70, -0.20, 0.30, 0.00],
        [0.20, 0.80, 0.00, 0.10, 0.40],
        [0.00, 0.90, 0.15, 0.00, 0.00],
        [0.00, 0.70, 0.50, 0.00, 0.00],
        [0.00, -0.50, -0.40, 0.00, 0.60],
        [1.10, 0.00, 0.00, 0.00, 0.00],
    ]
)
_FACE_WEIGHTS = np.array(
    [  # valence arousal dominance asks jokes
        [1.20, 0.00, 0.00, 0.00, 0.00],
        [0.00, 0.60, -0.40, 0.50, 0.20],
        [0.35, 0.00, -0.80, 0.00, 0.00],
        [0.10, 0.90, 0.00, 0.10, 0.00],
        [0.00, 0.70, 0.20, 0.00, 0.30],
        [0.00, 0.00, -0.20, 0.40, 0.60],
    ]
)
_DRIVES = np.column_stack([(AFFECT - 5) / 4, INTENTS.index("ask") == INTENT, INTENTS.index("joke") == INTENT])

TEXT_CELLS = np.einsum("np,nf,ni->npfi", POLARITY_SAID[WORDS], FAMILY_SAID[FAMILY], INTENT_SAID[INTENT])
"""P(polarity, family, intent in the words | state), shape (states, 2, families, intents)."""
VOICE_MEANS: Floats = _DRIVES @ _VOICE_WEIGHTS.T
"""Mean of the voice cues of every state, shape (states, 6)."""
FACE_MEANS: Floats = _DRIVES @ _FACE_WEIGHTS.T
"""Mean of the face cues of every state, shape (states, 6)."""

SHOWN: dict[str, tuple[Ints, Floats]] = {
    "text": (WORDS, TEXT_CELLS),
    "audio": (FELT, VOICE_MEANS),
    "video": (FELT, FACE_MEANS),
}
"""For each modality the polarity that it shows and the parameters of its noise, by state."""


@dataclass(frozen=True)
class Cues:
    """The cues of the turns of one dialogue.

    Attributes:
        text: Positions in `POLARITIES`, `FAMILIES` and `INTENTS`, shape (turns, 3).
        audio: The `VOICE` cues, shape (turns, 6).
        video: The `FACE` cues, shape (turns, 6).
    """

    text: Ints
    audio: Floats
    video: Floats


def draw_cues(states: Ints, rng: np.random.Generator) -> Cues:
    """Draw what words, voice and face show of the states of a dialogue."""
    shape = (len(POLARITIES), len(FAMILIES), len(INTENTS))
    cells = [pick(TEXT_CELLS[state].ravel(), rng.random()) for state in states.tolist()]
    return Cues(
        np.stack(np.unravel_index(cells, shape), axis=1),
        VOICE_MEANS[states] + VOICE_NOISE * rng.standard_normal((len(states), len(VOICE))),
        FACE_MEANS[states] + FACE_NOISE * rng.standard_normal((len(states), len(FACE))),
    )


def log_likelihood(cues: Cues) -> dict[str, Floats]:
    """Return log P(cues | state) of every turn for each modality, up to a constant; shape (turns, states)."""
    polarity, family, intent = cues.text.T
    with np.errstate(divide="ignore"):
        text = np.log(TEXT_CELLS[:, polarity, family, intent].T)
    return {
        "text": text,
        "audio": _normal(cues.audio, VOICE_MEANS, VOICE_NOISE),
        "video": _normal(cues.video, FACE_MEANS, FACE_NOISE),
    }


def _normal(found: Floats, means: Floats, noise: float) -> Floats:
    # |x - m|^2 = |x|^2 - 2 x.m + |m|^2; the first term is the same for all states.
    return np.asarray((found @ means.T - (means**2).sum(axis=1) / 2) / noise**2)


__all__ = [
    "FACE", "FACE_MEANS", "FACE_NOISE", "MODALITIES", "SHOWN", "STATES", "TEXT_CELLS", "VOICE", "VOICE_MEANS",
    "VOICE_NOISE", "Cues", "draw_cues", "log_likelihood",
]  # fmt: skip
