"""The models by name."""

from __future__ import annotations

from pathlib import Path

from baselines.models.base import Floor, read_config
from baselines.models.majority import Majority
from baselines.models.tfidf_logistic import TfidfLogistic
from schemas.errors import InputError, Issue

MODELS: dict[str, type[Floor]] = {one.name: one for one in (Majority, TfidfLogistic)}


def find_model(name: str) -> type[Floor]:
    """Return the model called ``name``.

    Raises:
        InputError: There is none.
    """
    if name not in MODELS:
        raise InputError(Issue("there is no such model", value=name, choices=list(MODELS)))
    return MODELS[name]


def load_model(folder: str | Path) -> Floor:
    """Read a saved model, whichever it is.

    Raises:
        InputError: There is none, or it is damaged.
    """
    return find_model(read_config(Path(folder)).model_type).from_pretrained(folder)
