"""Training: fit on train, choose on validation, leave a run folder. Nothing here can reach the test split."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from baselines.data import Split, TrainingData, load_training
from baselines.models import find_model
from baselines.models.base import Model
from baselines.runs import CHECKPOINTS, TENSORBOARD, TRAINING, new_run, read_json, unfinished, write_json
from schemas.errors import InputError, Issue
from schemas.label_schema import LabelSchema


@dataclass(frozen=True)
class TrainedRun:
    """A run that was trained.

    Attributes:
        folder: The run folder.
        model: The trained model.
        report: What stands in its training.json.
    """

    folder: Path
    model: Model
    report: dict[str, Any]


def train(
    model_name: str,
    dataset: str | Path,
    out: str | Path,
    *,
    seed: int = 0,
    settings: Mapping[str, Any] | None = None,
    features: Sequence[str] | None = None,
    fields: Sequence[str] | None = None,
    cache_dir: Path | None = None,
) -> TrainedRun:
    """Train a model and write its run folder, whole or not at all.

    A training that was killed goes on, when it is asked for again, to the result that it would have had.

    Args:
        model_name: Name of the model.
        dataset: A dataset folder or the name of a Hub repository; its train and validation splits are read.
        out: A new or empty folder.
        seed: Seed of all that is random.
        settings: Settings of the model and of its training, by name.
        features: Which precomputed features to use; by default all that the dataset has.
        fields: Which fields to learn; by default all that have a label in train.
        cache_dir: Where ``datasets`` keeps its cache; by default its own place.

    Raises:
        InputError: The model or the dataset is not there or is not fit, or ``out`` holds something.
    """
    return train_seeds(model_name, dataset, {Path(out): seed}, settings, features, fields, cache_dir)[0]


def train_seeds(
    model_name: str,
    dataset: str | Path,
    runs: Mapping[Path, int],
    settings: Mapping[str, Any] | None = None,
    features: Sequence[str] | None = None,
    fields: Sequence[str] | None = None,
    cache_dir: Path | None = None,
) -> list[TrainedRun]:
    """Train a model with several seeds on data that is read once; a run that is there already is left out.

    What was trained otherwise is not taken for it.

    Args:
        model_name: Name of the model.
        dataset: A dataset folder or the name of a Hub repository.
        runs: The seed of each run folder that is to be.
        settings: As in `train`.
        features: As in `train`.
        fields: As in `train`.
        cache_dir: As in `train`.

    Raises:
        InputError: As in `train`; or a run is there already that was trained otherwise.
    """
    find_model(model_name)
    trained: list[TrainedRun] = []
    data: TrainingData | None = None
    for out, seed in runs.items():
        if len(runs) > 1 and (out / TRAINING).exists():
            data = data or load_training(dataset, cache_dir, features)
            _refuse_other(out, _asked(model_name, data, seed, settings, fields))
            continue
        with new_run(out) as folder:
            data = data or load_training(dataset, cache_dir, features)
            asked = _asked(model_name, data, seed, settings, fields)
            with unfinished(out, asked) as workspace:
                model, report = fit(model_name, data, seed, settings, workspace, fields)
                for kept in (CHECKPOINTS, TENSORBOARD):
                    if (workspace / kept).is_dir():
                        shutil.copytree(workspace / kept, folder / kept)
            model.save_pretrained(folder)
            report["asked"] = asked
            write_json(folder / TRAINING, report)
        trained.append(TrainedRun(out, model, report))
    return trained


def _asked(
    model_name: str,
    data: TrainingData,
    seed: int,
    settings: Mapping[str, Any] | None,
    fields: Sequence[str] | None,
) -> dict[str, Any]:
    """Return all that a run follows from, for JSON."""
    asked = {"model": model_name, "seed": seed, "settings": dict(settings or {})}
    asked |= {"features": sorted(data.train.features), "fields": list(fields or ())}
    return {**asked, "dataset": data.description.digest}


def _refuse_other(out: Path, asked: Mapping[str, Any]) -> None:
    """Refuse to leave out a run that was asked for otherwise: its results would pass for those of now."""
    before = read_json(out / TRAINING, "baselines train").get("asked", {})
    if before != asked:
        changed = sorted(name for name, value in asked.items() if before.get(name) != value)
        message = "this run is there already, but was trained otherwise; choose another folder"
        raise InputError(Issue(message, str(out), value=", ".join(changed)))


def fit(
    model_name: str,
    data: TrainingData,
    seed: int = 0,
    settings: Mapping[str, Any] | None = None,
    workspace: Path | None = None,
    fields: Sequence[str] | None = None,
) -> tuple[Any, dict[str, Any]]:
    """Fit a model to loaded splits.

    Args:
        model_name: Name of the model.
        data: Train and validation.
        seed: Seed of all that is random.
        settings: Settings of the model and of its training, by name.
        workspace: A folder for checkpoints, from which training goes on; by default a temporary one.
        fields: Which fields to learn; by default all that have a label in train.

    Returns:
        The model, and what is to be said of its training.

    Raises:
        InputError: There is no such model or setting, or no label to learn from.
    """
    if workspace is None:
        with tempfile.TemporaryDirectory() as folder:
            return fit(model_name, data, seed, settings, Path(folder), fields)
    schema = data.description.schema
    labeled = tuple(one.name for one in schema if data.train.labels[one.name].known.any())
    wanted = labeled if fields is None else tuple(dict.fromkeys(fields))
    unknown = [one for one in wanted if one not in schema]
    if unknown:
        message, names = "the dataset has no such field", list(schema.by_name)
        raise InputError([Issue(message, column="--fields", value=one, choices=names) for one in unknown])
    learnt = tuple(name for name in wanted if name in labeled)
    if not learnt:
        message = "no utterance of train has a label of these fields"
        if fields is not None and not wanted:
            message = "no field is to be learnt"
        names = [one.name for one in schema]
        raise InputError(Issue(message, value=", ".join(wanted) or None, choices=names))
    kind = find_model(model_name)
    config = kind.configure(
        data.description.schema_text, learnt, data.train, data.description.digest, seed, settings or {}
    )
    model = kind.fresh(config)
    chosen = model.fit(data.train, data.validation, workspace)
    report = {
        "model": model_name,
        "seed": seed,
        "dataset": data.description.digest,
        "utterances": {split.name: len(split) for split in (data.train, data.validation)},
        "labels": {split.name: _label_counts(split, schema) for split in (data.train, data.validation)},
        "not_learnt": [one.name for one in schema if one.name not in labeled],
        "selection": chosen,
    }
    # Where an epoch has a duration it is said beside, for it is the one thing that no seed decides.
    report |= {"seconds_per_epoch": seconds} if (seconds := chosen.pop("seconds_per_epoch", None)) else {}
    return model, report


def _label_counts(split: Split, schema: LabelSchema) -> dict[str, int]:
    return {one.name: int(split.labels[one.name].known.sum()) for one in schema}
