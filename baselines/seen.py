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

TEXT = "text"
NONE, PAST, WHOLE = "none", "past", "whole"
"""How much of the dialogue is seen beside the utterance itself."""

_CONTEXTS = {"past": PAST, "both": WHOLE}  # `baselines.context.CONTEXTS`, without its torch
_SHOWN = {
    Condition.FULL.value: frozenset(("text", "audio", "video")),
    Condition.TEXT.value: frozenset(("text",)),
    Condition.AUDIO.value: frozenset(("audio",)),
    Condition.VIDEO.value: frozenset(("video",)),
}


@dataclass(frozen=True)
class Seen:
    """What a model says that it sees.

    Attributes:
        modalities: Names of its streams: ``text``, or those of features (``audio``, ``video-faces``); None
            where it does not say.
        context: ``none``, ``past`` or ``whole``; None where it does not say.
    """

    modalities: tuple[str, ...] | None = None
    context: str | None = None


def seen_by(config: Mapping[str, Any]) -> Seen:
    """Read what a saved model's ``config.json`` says of it: ``streams`` and ``context``."""
    modalities = config.get("streams")
    context = config.get("context")
    return Seen(
        tuple(str(one) for one in modalities) if modalities is not None else None,
        _CONTEXTS.get(str(context)) if context is not None else None,
    )


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
    if conditions and seen.modalities is not None:
        shown = frozenset().union(*(_SHOWN.get(one, frozenset()) for one in conditions))
        kinds = dict.fromkeys(one.split("-")[0] for one in seen.modalities)
        more = tuple(one for one in kinds if one in _SHOWN[Condition.FULL.value] and one not in shown)
        if more:
            found.append(Beyond("modalities", more, tuple(sorted(shown))))
    return tuple(found)
