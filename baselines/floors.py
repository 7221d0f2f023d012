"""The floors of a dataset: models so simple that whoever does not beat them has shown nothing.

They are trained once for a dataset and kept in the cache of ``datasets``, under the digest of what the
dataset was built from, so that every evaluation can show them.
"""

from __future__ import annotations

from pathlib import Path

from filelock import FileLock

from baselines.evaluation_files import FLOORS
from baselines.models import load_model
from baselines.models.base import Model
from baselines.runs import CONFIG
from baselines.training import train
from schemas.errors import InputError

CACHE = "affect-corpus-floors"
VERSION = 1
"""Raised when the same dataset would give other floors."""


def floors(dataset: str | Path, digest: str, cache_dir: Path | None = None) -> dict[str, Model | str]:
    """Return the trained floors of a dataset, or the reason why one cannot be trained.

    Args:
        dataset: A dataset folder or the name of a Hub repository.
        digest: Digest of all that it was built from.
        cache_dir: Where ``datasets`` keeps its cache; by default its own place.
    """
    import datasets.config

    place = Path(cache_dir or datasets.config.HF_DATASETS_CACHE) / CACHE / f"{VERSION}-{digest[:32]}"
    place.mkdir(parents=True, exist_ok=True)
    found: dict[str, Model | str] = {}
    with FileLock(place / ".lock"):
        for name in FLOORS:
            folder = place / name
            try:
                if not (folder / CONFIG).exists():
                    train(name, dataset, folder, cache_dir=cache_dir)
                found[name] = load_model(folder)
            except InputError as error:  # no train split, or nothing in it to learn from
                found[name] = str(error)
    return found
