"""What a model saw against what the raters saw.

A model that saw the turns to come, or a modality that the raters were not shown, answers another question
than they did; one that saw less has its own excuse. A comparison says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from baselines.ratings import Ratings
from schemas.records import Condition, Context

TEXT, AUDIO, VIDEO = "text", "audio", "video"
NONE, PAST, WHOLE = "none", "past", "whole"
"""How much of the dialogue is seen beside the utterance itself."""

_CONTEXTS = {"past": PAST, "both": WHOLE}  # `baselines.context.CONTEXTS`, without its torch
_SHOWN = {
    Condition.FULL.value: frozenset(("text", "audio", "video")),
    Condition.TEXT.value: frozenset(("text",)),
    Condition.AUDIO.value: frozenset(("audio",)),
    Condition.VIDEO.value: frozenset(("video",)),
}
READ = {"ngrams": TEXT, "text-encoder": TEXT, "sound-encoder": AUDIO, "picture-encoder": VIDEO}
"""What streams of each kind read themselves; without the modules of the encoders, which need torch."""
STREAMS = {
    "text-encoder": "text encoder",
    "sound-encoder": "audio encoder",
    "picture-encoder": "image encoder",
}
"""What the streams of pretrained encoders are called: no features have a name with a space."""
_OF_FEATURES = {"text": TEXT, "audio": AUDIO, "frames": VIDEO, "faces": VIDEO}
"""What features of each modality show."""


@dataclass(frozen=True)
class Seen:
    """What a model says that it sees.

    Attributes:
        modalities: What can be hidden from it: ``text``, ``audio``, ``video`` that it reads itself, or names
            of features (``audio-egemaps``, ``mfcc``); None where it does not say.
        context: ``none``, ``past`` or ``whole``; None where it does not say.
        kinds: What raters would have to be shown to see the same: ``text``, ``audio``, ``video``.
    """

    modalities: tuple[str, ...] | None = None
    context: str | None = None
    kinds: tuple[str, ...] = ()


def seen_by(config: Mapping[str, Any]) -> Seen:
    """Read what a saved model's ``config.json`` says of it: ``streams`` and ``context``."""
    streams = config.get("streams")
    context = _CONTEXTS.get(str(config["context"])) if config.get("context") is not None else None
    if streams is None:
        return Seen(context=context)
    names = dict.fromkeys(READ.get(str(recipe.get("kind")), name) for name, recipe in streams.items())
    kinds = dict.fromkeys(kind for name, recipe in streams.items() if (kind := _kind(name, recipe)))
    return Seen(tuple(names), context, tuple(kinds))


def _kind(name: str, recipe: Mapping[str, Any]) -> str | None:
    """Return what a stream shows; features of which nobody says are taken by their name."""
    told = recipe.get("made_by", {}).get("modality")
    found = READ.get(str(recipe.get("kind"))) or _OF_FEATURES.get(str(told)) or name.split("-")[0]
    return found if found in _SHOWN[Condition.FULL.value] else None


@dataclass(frozen=True)
class Beyond:
    """Something that a model saw and its raters did not.

    Attributes:
        what: ``turns_to_come``; ``turns_to_come_for_some``, where only some of the raters were not shown
            them; or ``modalities``.
        model: The modalities that the model saw in addition.
        raters: The modalities that raters were shown.
    """

    what: str
    model: tuple[str, ...] = ()
    raters: tuple[str, ...] = ()


def beyond_raters(seen: Seen, ratings: Ratings | None) -> tuple[Beyond, ...]:
    """Find what a model saw and its raters did not.

    Nothing is said where the ratings, or the model, do not tell.
    """
    if ratings is None:
        return ()
    found = []
    contexts = {one for one in ratings.contexts if one is not None}
    if seen.context == WHOLE and Context.PAST.value in contexts:
        found.append(Beyond("turns_to_come" if len(contexts) == 1 else "turns_to_come_for_some"))
    conditions = [one for one in ratings.conditions if one is not None]
    if conditions:
        shown = frozenset().union(*(_SHOWN.get(one, frozenset()) for one in conditions))
        more = tuple(one for one in seen.kinds if one not in shown)
        if more:
            found.append(Beyond("modalities", more, tuple(sorted(shown))))
    return tuple(found)
