"""Settings of training; those of a model stand in its configuration."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from baselines.losses import IMBALANCE, PLAIN, LossSettings
from baselines.metrics import METRICS
from baselines.weighting import FIXED, WEIGHTINGS
from schemas.errors import InputError, Issue

HEADLINES = "headlines"


@dataclass(frozen=True)
class TrainingSettings:
    """How a network is trained.

    Attributes:
        epochs: The most epochs.
        patience: Epochs without a better result on validation after which training stops.
        learning_rate: Of AdamW, after a short warm-up; falls along a cosine.
        encoder_learning_rate: The same for a pretrained encoder that is tuned.
        weight_decay: Of AdamW.
        batch_turns: The most turns of a batch, padding included.
        accumulate: Batches whose gradients make one step.
        clip: Largest norm of a gradient.
        average: Share of the running average of the weights that stays at a step; 0 for no average.
        task_weighting: One of `WEIGHTINGS`.
        imbalance: One of `IMBALANCE`.
        adjustment: Strength of the logit adjustment.
        smoothing: Share of a hard label that is spread over all values.
        soft_labels: Learn the distribution over raters where it is known.
        select: The metric that the epoch and the thresholds are chosen by on validation; ``headlines`` for
            the headline of each type of field. A field without that metric keeps its headline.
        tune_thresholds: Tune the thresholds of decisions on validation.
        keep_checkpoints: Keep the model of every epoch in the run.
    """

    epochs: int = 30
    patience: int = 6
    learning_rate: float = 2e-3
    encoder_learning_rate: float = 3e-5
    weight_decay: float = 0.01
    batch_turns: int = 512
    accumulate: int = 1
    clip: float = 1.0
    average: float = 0.98
    task_weighting: str = FIXED
    imbalance: str = PLAIN
    adjustment: float = 1.0
    smoothing: float = 0.0
    soft_labels: bool = False
    select: str = HEADLINES
    tune_thresholds: bool = True
    keep_checkpoints: bool = False

    @property
    def losses(self) -> LossSettings:
        """How labels become losses."""
        return LossSettings(
            self.imbalance,
            adjustment=self.adjustment,
            smoothing=self.smoothing,
            soft_labels=self.soft_labels,
        )


_CHOICES: dict[str, Sequence[str]] = {
    "task_weighting": WEIGHTINGS,
    "imbalance": IMBALANCE,
    # The largest is chosen: not so of an error.
    "select": (HEADLINES, *(one for one in METRICS if one != "mae")),
}
_POSITIVE = ("learning_rate", "encoder_learning_rate", "clip")
_SHARES = ("average", "smoothing", "dropout", "modality_dropout", "term_dropout")


def split_settings(
    settings: Mapping[str, Any], of_model: Mapping[str, Any], choices: Mapping[str, Sequence[str]]
) -> tuple[TrainingSettings, dict[str, Any]]:
    """Tell settings of training from those of a model, and check them.

    Args:
        settings: Values by name; texts are read as the type of the default.
        of_model: Default values of the settings of the model.
        choices: Valid values of those that are words.

    Returns:
        The settings of training, and those of the model that were given.

    Raises:
        InputError: A name is not known or a value not valid; all faults at once.
    """
    defaults = {one.name: one.default for one in dataclasses.fields(TrainingSettings)}
    known = {**defaults, **of_model}
    found: dict[str, Any] = {}
    issues = []
    for name, value in settings.items():
        if name not in known:
            issues.append(Issue("there is no such setting", value=name, choices=sorted(known)))
            continue
        try:
            found[name] = _read(value, known[name])
        except ValueError:
            kind = type(known[name]).__name__
            issues.append(Issue(f"this setting is a {kind}", column=name, value=value))
    issues += _faults(found, {**_CHOICES, **choices})
    if issues:
        raise InputError(issues)
    training = {name: value for name, value in found.items() if name in defaults}
    return TrainingSettings(**training), {name: found[name] for name in found if name in of_model}


def _faults(found: Mapping[str, Any], choices: Mapping[str, Sequence[str]]) -> Iterable[Issue]:
    for name, value in found.items():
        if name in choices and value not in choices[name]:
            yield Issue("there is no such choice", column=name, value=value, choices=choices[name])
        elif isinstance(value, float) and not math.isfinite(value):
            yield Issue("this setting is a finite number", column=name, value=value)
        elif name in _SHARES and not 0 <= value < 1:
            yield Issue("this setting lies from 0 to below 1", column=name, value=value)
        elif isinstance(value, bool | str):
            continue
        elif (isinstance(value, int) or name in _POSITIVE) and value <= 0:  # whole numbers count something
            yield Issue("this setting is above 0", column=name, value=value)
        elif value < 0:
            yield Issue("this setting is not below 0", column=name, value=value)


def _read(value: object, default: object) -> object:
    """Read a value, which may be a text of a command line, as the type of its default."""
    if isinstance(default, bool):
        words = {"true": True, "false": False}
        if isinstance(value, bool):
            return value
        if str(value).lower() in words:
            return words[str(value).lower()]
        raise ValueError
    if isinstance(default, int):
        return int(str(value))
    if isinstance(default, float):
        return float(str(value))
    return str(value)
