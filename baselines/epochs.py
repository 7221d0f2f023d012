"""What it would gain to choose the epoch on the test split: measured, so that nobody needs to do it.

Seven well-known repositories of emotion recognition in conversation report the best epoch of the test split.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from baselines.data import Floats, describe, read_split
from baselines.evaluation import require_same_fields
from baselines.evaluation_files import EPOCHS
from baselines.judging import TEST
from baselines.metrics import headlines
from baselines.models import load_model
from baselines.runs import CHECKPOINTS, write_json
from schemas.errors import InputError, Issue
from schemas.progress import progress

_NUMBER = re.compile(r"epoch-(\d+)")


@dataclass(frozen=True)
class Epoch:
    """The headline metrics after one epoch.

    Attributes:
        epoch: Its number.
        validation: By field, on validation; None where a metric does not exist.
        test: The same on test.
    """

    epoch: int
    validation: Mapping[str, float | None]
    test: Mapping[str, float | None]


@dataclass(frozen=True)
class Choice:
    """One field, or the mean of all, by two ways to choose the epoch.

    Attributes:
        honest: On test, after the epoch whose mean over the fields is best on validation.
        dishonest: On test, after the epoch that is best on test.
        gap: What the second gains.
    """

    honest: float
    dishonest: float
    gap: float


@dataclass(frozen=True)
class EpochReport:
    """What choosing the epoch on test would gain.

    Attributes:
        model: Name of the model.
        seed: Seed of its training.
        epochs: Every kept epoch.
        chosen: The epoch that is best on validation.
        mean: By the mean of the headline metrics of all fields.
        fields: By field, each with the epoch that is best on test for it.
    """

    model: str
    seed: int
    epochs: tuple[Epoch, ...]
    chosen: int
    mean: Choice
    fields: Mapping[str, Choice]


def evaluate_epochs(run: str | Path, dataset: str | Path, *, cache_dir: Path | None = None) -> EpochReport:
    """Evaluate every kept checkpoint of a run on validation and test, and write its ``epochs.json``.

    Args:
        run: A run folder with ``checkpoints/epoch-N``.
        dataset: A dataset folder or the name of a Hub repository, with the fields of the model.
        cache_dir: Where ``datasets`` keeps its cache; by default its own place.

    Raises:
        InputError: There is no such run or dataset, no checkpoint was kept, or one is damaged.
    """
    run = Path(run)
    model = load_model(run)
    description = describe(dataset)
    require_same_fields(model, description, str(dataset))
    checkpoints = _checkpoints(run)
    splits = [read_split(dataset, description, name, cache_dir) for name in ("validation", TEST)]
    epochs = []
    for number in progress(sorted(checkpoints), "evaluating epochs", len(checkpoints)):
        checkpoint = load_model(checkpoints[number])
        reached = [headlines(checkpoint.fields, one.labels, checkpoint.predict(one)) for one in splits]
        epochs.append(Epoch(number, *reached))
    report = _report(model.config.model_type, model.config.seed, epochs, str(run))
    write_json(run / EPOCHS, dataclasses.asdict(report))
    return report


def _checkpoints(run: Path) -> dict[int, Path]:
    found = {
        int(match[1]): path
        for path in (run / CHECKPOINTS).glob("epoch-*")
        if path.is_dir() and (match := _NUMBER.fullmatch(path.name))
    }
    if not found:
        message = f"this run kept no {CHECKPOINTS}/epoch-N; train it with '--set keep_checkpoints=true'"
        raise InputError(Issue(message, str(run)))
    return found


def _report(model: str, seed: int, epochs: list[Epoch], where: str) -> EpochReport:
    names = [name for name in epochs[0].test if all(_is_there(one, name) for one in epochs)]
    if not names:
        raise InputError(Issue("no field has its metric on validation and on test after every epoch", where))
    validation, test = (
        np.array([[getattr(one, split)[name] for name in names] for one in epochs], np.float64)
        for split in ("validation", "test")
    )
    honest = int(validation.mean(axis=1).argmax())
    fields = {name: _choice(test[:, place], honest) for place, name in enumerate(names)}
    return EpochReport(
        model, seed, tuple(epochs), epochs[honest].epoch, _choice(test.mean(axis=1), honest), fields
    )


def _is_there(epoch: Epoch, name: str) -> bool:
    return epoch.validation.get(name) is not None and epoch.test.get(name) is not None


def _choice(test: Floats, honest: int) -> Choice:
    return Choice(float(test[honest]), float(test.max()), float(test.max() - test[honest]))
