"""The card of a saved model: what it is, what it was trained on, and what it reached on validation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from schemas.fields import Field

CARD = "README.md"
"""Name of the card's file."""
_CONTEXT = {"both": "the whole dialogue", "past": "the turns before"}
_NO_CONTEXT = "none: a floor sees at most the text of the utterance alone"


def model_card(name: str, config: Any, fields: Sequence[Field]) -> str:  # noqa: ANN401 - of either kind
    """Write the card.

    Args:
        name: Name of the model.
        config: Its configuration; one of a floor has neither inputs by name nor context.
        fields: The fields that it predicts.
    """
    streams: dict[str, Any] = getattr(config, "streams", {})
    context = _CONTEXT.get(getattr(config, "context", ""), _NO_CONTEXT)
    rows = [f"| {stream} | {recipe['kind']} | {recipe['width']} |\n" for stream, recipe in streams.items()]
    inputs = f"\n| input | kind | width |\n|---|---|--:|\n{''.join(rows)}" if rows else ""
    reached = "\n".join(
        f"| {field.name} | {field.type} | {_reached(config.metrics.get(field.name))} |" for field in fields
    )
    return f"""---
library_name: affect-corpus
tags: [affective-computing, dialogue, {name}]
---

# {name}

Predicts *perceived* affect of the utterances of a dialogue: the decided labels of raters, not what anybody
felt. Do not use it to judge people.

- trained on the dataset with digest `{config.dataset}`, seed {config.seed}
- context: {context}
{inputs}
| field | type | on validation, where settings were chosen |
|---|---|---|
{reached}

```
baselines predict FOLDER DATASET
```
"""


def _reached(found: dict[str, Any] | None) -> str:
    return "" if found is None else f"{found['metric']} {found['value']:.3f}"
