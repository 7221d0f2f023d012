"""The extractor that made some features, from their recipe: the same features of other utterances."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from corpus.features.catalogue import EXTRACTORS, Options, create
from corpus.features.extractor import Extractor, Modality
from corpus.features.making import STEP
from corpus.features.pretrained import weights_digest
from schemas.errors import InputError, Issue

_SAME = ("extractor", "version", "modality", "shape", "parameters")
"""What decides the numbers of features."""
_DIGEST = "weights_sha256"


def remake(name: str, recipe: Mapping[str, Any], models: Sequence[str] = ()) -> Extractor:
    """Make the extractor that made some features.

    Args:
        name: Name of the features, for messages.
        recipe: Their recipe.
        models: Folders and files in which models may be found that came from a folder; they are told by the
            digest of their weights.

    Raises:
        InputError: The features were not made by ``corpus features``, a model is not at hand, or this
            version makes them in another way.
    """
    kind, parameters = recipe.get("extractor"), recipe.get("parameters", {})
    if recipe.get("made_by") != STEP or kind not in EXTRACTORS:
        message = f"these features were not made by '{STEP}', so they cannot be made here"
        raise InputError(Issue(message, value=name))
    if recipe.get("modality") == Modality.FILES:
        raise InputError(Issue("these features are files of another program: none are here", value=name))
    found: list[str] = []
    described = parameters.get("models") or ({None: parameters} if _DIGEST in parameters else {})
    revisions = set()
    for language, one in described.items():
        at_hand = _find(name, one, models)
        revisions.add(one.get("revision") if at_hand == one["model"] else None)
        found.append(at_hand if language in (None, "all languages") else f"{language}={at_hand}")
    images = parameters.get("images")
    options = Options(
        models=found,
        revision=revisions.pop() if len(revisions) == 1 else None,
        sequence=str(recipe.get("shape", "")).startswith("steps"),
        images=images if images and "images" in EXTRACTORS[kind].options else None,
    )
    extractor = create(kind, options)
    now = extractor.recipe()
    other = [key for key in _SAME if _plain(now.get(key), key) != _plain(recipe.get(key), key)]
    if other:
        message = f"this version makes these features in another way ({', '.join(other)})"
        raise InputError(Issue(message, value=name))
    return extractor


def _find(name: str, wanted: Mapping[str, Any], models: Sequence[str]) -> str:
    """Return a folder, file or Hub name of a model: a given one with the very same weights before all."""
    for one in models:
        path = Path(one)
        digest = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None
        if (digest or (weights_digest(path) if (path / "config.json").is_file() else None)) == wanted[
            _DIGEST
        ]:
            return one
    if wanted.get("revision"):
        return str(wanted["model"])
    message = f"the model of the features {name} is not at hand; give its folder or file with --model"
    raise InputError(Issue(message, value=wanted["model"], choices=models))


def _plain(value: Any, key: str) -> Any:  # noqa: ANN401 - JSON
    """Leave out of parameters where a model was found: its weights tell which it is."""
    if key != "parameters" or not isinstance(value, Mapping):
        return value
    return {inner: _plain(one, key) for inner, one in value.items() if inner not in ("model", "revision")}
