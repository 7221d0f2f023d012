"""Training: fit on train, choose on validation, leave a run folder. Nothing here can reach the test split."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from baselines.data import Split, TrainingData, load_training
from baselines.models import find_model
from baselines.models.base import Floor, ModelConfig
from baselines.runs import TRAINING, new_run, write_json
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
    model: Floor
    report: dict[str, Any]


def train(
    model_name: str, dataset: str | Path, out: str | Path, *, seed: int = 0, cache_dir: Path | None = None
) -> TrainedRun:
    """Train a model and write its run folder, whole or not at all.

    Args:
        model_name: Name of the model.
        dataset: A dataset folder or the name of a Hub repository; its train and validation splits are read.
        out: A new or empty folder.
        seed: Seed of all that is random.
        cache_dir: Where ``datasets`` keeps its cache; by default its own place.

    Raises:
        InputError: The model or the dataset is not there or is not fit, or ``out`` holds something.
    """
    find_model(model_name)
    out = Path(out)
    with new_run(out) as folder:
        data = load_training(dataset, cache_dir)
        model, report = fit(model_name, data, seed)
        model.save_pretrained(folder)
        write_json(folder / TRAINING, report)
    return TrainedRun(out, model, report)


def fit(model_name: str, data: TrainingData, seed: int = 0) -> tuple[Floor, dict[str, Any]]:
    """Fit a model to loaded splits.

    Args:
        model_name: Name of the model.
        data: Train and validation.
        seed: Seed of all that is random.

    Returns:
        The model, and what is to be said of its training.

    Raises:
        InputError: There is no such model, or no label to learn from.
    """
    schema = data.description.schema
    fields = tuple(one.name for one in schema if data.train.labels[one.name].known.any())
    if not fields:
        raise InputError(Issue("no utterance of train has a label", choices=[one.name for one in schema]))
    config = ModelConfig(model_name, data.description.schema_text, fields, data.description.digest, seed)
    model = find_model(model_name)(config)
    chosen = model.fit(data.train, data.validation)
    report = {
        "model": model_name,
        "seed": seed,
        "dataset": data.description.digest,
        "utterances": {split.name: len(split) for split in (data.train, data.validation)},
        "labels": {split.name: _label_counts(split, schema) for split in (data.train, data.validation)},
        "not_learnt": [one.name for one in schema if one.name not in fields],
        "selection": chosen,
    }
    return model, report


def _label_counts(split: Split, schema: LabelSchema) -> dict[str, int]:
    return {one.name: int(split.labels[one.name].known.sum()) for one in schema}
