"""What a state of the sample world means: its true labels in the `affect` schema.

The relations follow the decision rules of the schema: they compare the turn as it is with the same words
spoken flat (emotion -> sentiment), or with the same point put plainly (sarcasm -> humor).
"""

from __future__ import annotations

import numpy as np

from corpus.sample.world import (
    FAMILIES,
    FAMILY,
    FELT,
    INTENT,
    INTENTS,
    OPEN,
    SARCASM,
    STATES,
    STRENGTH,
    STRENGTHS,
    WORDS,
    Floats,
)

Truth = dict[str, object]

_STATE_OF_MIND = {  # valence, arousal, dominance at middle strength
    ("calm", 0): (4.0, 4.0, 5.0),
    ("calm", 1): (6.0, 4.0, 5.0),
    ("subdued", 0): (2.5, 2.5, 3.0),
    ("subdued", 1): (6.0, 3.0, 4.5),
    ("heated", 0): (2.0, 8.0, 7.0),
    ("heated", 1): (8.0, 8.0, 6.5),
    ("startled", 0): (2.5, 7.5, 2.5),
    ("startled", 1): (6.5, 7.5, 4.0),
    ("aloof", 0): (3.0, 4.5, 7.5),
    ("aloof", 1): (7.0, 5.0, 8.0),
}
_REACH = {1: 0.6, 2: 1.0, 3: 1.3}
"""How far a strength goes from the middle of the scale, against middle strength."""
_DOMINANCE = {"tell": 0.0, "ask": -0.5, "answer": 0.0, "judge": 0.5, "joke": 0.5}
"""What the intent adds to dominance."""


def affect(state: int) -> tuple[float, float, float]:
    """Return valence, arousal and dominance of a state, 1..9 in halves."""
    family, reach = FAMILIES[FAMILY[state]], _REACH[STRENGTHS[STRENGTH[state]]]
    middle = _STATE_OF_MIND[family, int(FELT[state])]
    added = (0.0, 0.0, _DOMINANCE[INTENTS[INTENT[state]]])
    valence, arousal, dominance = (
        min(max(round(2 * (5 + reach * (at - 5) + more)) / 2, 1.0), 9.0)
        for at, more in zip(middle, added, strict=True)
    )
    return valence, arousal, dominance


def emotions(state: int) -> dict[str, int]:
    """Return the emotions of a state with their intensity 1..3, in schema order."""
    family, strong = FAMILIES[FAMILY[state]], STRENGTHS[STRENGTH[state]]
    pleasant = bool(FELT[state])
    if family == "calm":
        return {"neutral": 1}
    if family == "subdued":
        return {"joy": max(strong - 1, 1), "sadness": 1} if pleasant else {"sadness": strong}
    if family == "heated":
        return {"joy": strong} if pleasant else {"anger": strong}
    if family == "startled":
        return {"joy": 1, "surprise": strong} if pleasant else {"fear": strong, "surprise": 1}
    if pleasant:
        return {"joy": strong}
    return {"anger": 1, "disgust": strong} if strong == STRENGTHS[-1] else {"disgust": strong}


def truth(state: int) -> Truth:
    """Return the true labels of a state; a relation that does not apply is None."""
    family, strong = FAMILIES[FAMILY[state]], STRENGTHS[STRENGTH[state]]
    intent, open_ = INTENTS[INTENT[state]], bool(OPEN[state])
    sarcastic, calm = bool(SARCASM[state]), family == "calm"
    felt_well = bool(FELT[state])

    # The same words spoken flat: a judgement says its own attitude, everything else is a plain statement.
    flat = ("positive" if WORDS[state] else "negative") if intent == "judge" else "neutral"
    if sarcastic:
        sentiment = "negative"  # false praise, or mock pity
    elif intent == "judge" or calm or strong == STRENGTHS[0]:
        sentiment = flat
    else:
        sentiment = "positive" if felt_well else "negative"

    funny, effect = _humor(intent, open_, sarcastic, family, felt_well)
    valence, arousal, dominance = affect(state)
    return {
        "sentiment": sentiment,
        "emotion": emotions(state),
        "sarcasm": "sarcastic" if sarcastic else "none",
        "humor": "humorous" if funny else "none",
        "valence": valence,
        "arousal": arousal,
        "dominance": dominance,
        "emotion_sentiment": _carried(family, strong, sentiment, flat, felt_well),
        "sarcasm_humor": effect if sarcastic or funny else None,
    }


def _carried(family: str, strong: int, sentiment: str, flat: str, felt_well: bool) -> int | None:
    """What the emotion does to the sentiment, against the same words spoken flat."""
    if family == "calm":
        return None if sentiment == "neutral" else 0
    if sentiment != flat:
        return 2  # flat, it would be neutral or the opposite
    if sentiment == "neutral":
        return 0
    if (sentiment == "positive") != felt_well:
        return -2 if strong == STRENGTHS[-1] else -1  # gloating: the glee belies the words of regret
    if family == "subdued" and felt_well:
        return -1  # a lump in the throat takes some of the praise back
    return 0 if strong == STRENGTHS[0] else 1


def _humor(intent: str, open_: bool, sarcastic: bool, family: str, felt_well: bool) -> tuple[bool, int]:
    """Whether a turn is funny, and what its sarcasm does to that.

    A joke is funny when it takes up what the turn before told. A sarcastic judgement of it is funny when it
    comes dry.
    """
    dry = family in ("calm", "aloof")
    if not sarcastic:
        return intent == "joke" and open_, 0
    if intent == "joke" and open_:
        if family == "heated" and not felt_well:
            return False, -2  # bitterness kills the joke
        return True, -1 if family == "subdued" else 0 if family == "startled" else 1
    if intent == "joke":
        return False, -1 if family == "heated" else 0  # plainly, it would have been a little funny
    if intent == "judge" and open_ and dry:
        return True, 2  # the sarcasm is the joke
    return False, 0


TRUTHS: tuple[Truth, ...] = tuple(truth(state) for state in range(STATES))
"""The true labels of every state."""
AFFECT: Floats = np.array([affect(state) for state in range(STATES)])
"""Valence, arousal and dominance of every state, shape (states, 3), 1..9."""
