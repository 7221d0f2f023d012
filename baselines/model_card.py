"""The card of a saved model: what it is, what it was trained on, and what it reached on validation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from schemas.fields import Field


def model_card(name: str, config: Any, fields: Sequence[Field]) -> str:  # noqa: ANN401 - a NeuralConfig
    """Write the card.

    Args:
        name: Name of the model.
        config: Its configuration.
        fields: The fields that it predicts.
    """
    streams = "\n".join(
        f"| {stream} | {recipe['kind']} | {recipe['width']} |" for stream, recipe in config.streams.items()
    )
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
- context: {"the whole dialogue" if config.context == "both" else "the turns before"}

| input | kind | width |
|---|---|--:|
{streams}

| field | type | on validation, where epoch and thresholds were chosen |
|---|---|---|
{reached}

```
baselines predict FOLDER DATASET
```
"""


def _reached(found: dict[str, Any] | None) -> str:
    return "" if found is None else f"{found['metric']} {found['value']:.3f}"
