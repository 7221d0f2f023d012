"""Predictions as a table with the columns of decided labels, for annotation and analysis."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from baselines.clip_folder import is_clip_folder, opened
from baselines.data import Floats, Split, Values, describe, read_split
from baselines.dataset_files import names_repository
from baselines.evaluation import require_same_fields
from baselines.fresh_inputs import items_of, modalities, with_inputs
from baselines.models import load_model
from baselines.models.base import Model
from baselines.transcript import is_transcript, read_transcript
from schemas.errors import InputError, Issue
from schemas.fields import CategoricalField, Field, IntervalField, MultilabelField, RelationField
from schemas.project import Project
from schemas.records import value_type
from schemas.tables import Provenance, write_table

VERSION = 1


@dataclass(frozen=True)
class Predicted:
    """Predictions that were written.

    Attributes:
        path: The table: a row an utterance, in order, with ``utterance_id``, ``model_version``, ``score``
            (how sure the model is, the mean over categorical fields) and, of every field that was learnt, the
            value names and the probabilities (``FIELD_soft``). ``annotation push --predictions`` takes it.
        utterances: How many there are.
        missing: By input of the model, how many utterances have none and were masked; of a split of a dataset
            it is not counted.
    """

    path: Path
    utterances: int
    missing: Mapping[str, int]


def predict(
    run: str | Path,
    dataset: str | Path,
    split: str = "test",
    *,
    out: Path | None = None,
    models: Sequence[str] = (),
    cache_dir: Path | None = None,
) -> Predicted:
    """Predict the labels of a split, a transcript or a folder of recordings, and write them as a table.

    Args:
        run: A run folder, or ``ORG/NAME`` of a model on the Hub.
        dataset: A dataset folder or the name of a Hub repository, with the fields of the model; a transcript
            (see `baselines.transcript`); or a folder of recordings (see `baselines.clip_folder`).
        split: Name of the split; what is no dataset has none.
        out: The table; by default ``predictions-SPLIT.parquet`` of the run, of a model on the Hub
            ``NAME-predictions-SPLIT.parquet`` here; beside what is no dataset ``NAME.predictions.parquet``.
        models: Folders and files in which the models of features may be found.
        cache_dir: Where ``datasets`` keeps its cache; by default its own place.

    Raises:
        InputError: There is no such run, dataset, split, transcript or folder, the fields are others, or
            features that the model wants cannot be made of it; or ``out`` is a folder.
    """
    if out is not None and out.is_dir():
        raise InputError(Issue("this is a folder; name a file", str(out)))
    model, given = load_model(run), Path(dataset)
    streams = getattr(model.config, "streams", {})
    if given.is_file() and is_transcript(given):
        utterances = read_transcript(given)
        return _predict_fresh(model, utterances, given, None, out, models)
    if is_clip_folder(given):
        with opened(given, modalities(streams)) as (utterances, project):
            return _predict_fresh(model, utterances, given, project, out, models)
    description = describe(dataset)
    require_same_fields(model, description, str(dataset))
    utterances = read_split(dataset, description, split, cache_dir)
    name = f"predictions-{split}.parquet"
    path = out or (Path(f"{Path(run).name}-{name}") if names_repository(run) else Path(run) / name)
    return Predicted(_write(model, utterances, path, description.digest), len(utterances), {})


def _predict_fresh(
    model: Model,
    utterances: Split,
    source: Path,
    project: Project | None,
    out: Path | None,
    models: Sequence[str],
) -> Predicted:
    """Predict for utterances that are in no dataset."""
    config = {"streams": getattr(model.config, "streams", {})}
    filled, missing = with_inputs(utterances, config, items_of(utterances, project), models)
    name = source.resolve().name if source.is_dir() else source.stem  # a folder may have a dot in its name
    path = out or source.resolve().with_name(f"{name}.predictions.parquet")
    content = source.read_bytes() if source.is_file() else "\n".join(utterances.utterance_ids).encode()
    digest = hashlib.sha256(content).hexdigest()
    return Predicted(_write(model, filled, path, digest), len(filled), missing)


def _write(model: Model, utterances: Split, path: Path, digest: str) -> Path:
    table = prediction_table(model, utterances)
    aside = path.with_name(f".{path.name}")
    write_table(aside, table, table.schema, _provenance(model, digest, utterances.name))
    aside.replace(path)
    return path


def _provenance(model: Model, digest: str, split: str) -> Provenance:
    parameters = {"model": model.config.model_type, "seed": model.config.seed, "split": split}
    inputs = {"dataset": digest, "trained_on": model.config.dataset}
    return Provenance("baselines predict", VERSION, inputs, parameters)


def prediction_table(model: Model, split: Split) -> pa.Table:
    """Return the predictions for a split: value names as in project tables, and ``FIELD_soft``."""
    scores = model.scores(split)
    decided = model.decide(scores)
    version = f"{model.config.model_type}-{model.config.seed}-{model.config.dataset[:8]}"
    columns = {
        "utterance_id": pa.array(split.utterance_ids, pa.string()),
        "model_version": pa.array([version] * len(split), pa.string()),
        "score": pa.array(_certainty(model.fields, scores, len(split)), pa.float32()),
    }
    for field in model.fields:
        columns[field.name] = _value_column(field, decided[field.name])
        if not isinstance(field, IntervalField):
            columns[f"{field.name}_soft"] = _rows(scores[field.name])
    return pa.table(columns)


def _certainty(fields: Sequence[Field], scores: Mapping[str, Floats], rows: int) -> Floats:
    """Return the mean over categorical fields of the probability of the likeliest answer, shape (rows,)."""
    found = []
    for field in fields:
        if isinstance(field, MultilabelField):
            found.append(np.maximum(scores[field.name], 1 - scores[field.name]).mean(axis=1))
        elif not isinstance(field, IntervalField):
            found.append(scores[field.name].max(axis=1))
    return np.mean(found, axis=0) if found else np.ones(rows)


def _value_column(field: Field, decided: Values) -> pa.Array:
    if isinstance(field, MultilabelField):
        names = pa.array(field.categories).take(pa.array(np.nonzero(decided)[1]))
        return pa.ListArray.from_arrays(_offsets(decided.sum(axis=1)), names)
    if isinstance(field, CategoricalField | RelationField):
        return pa.array(field.categories, value_type(field)).take(pa.array(decided))
    return pa.array(decided, value_type(field))


def _rows(matrix: Floats) -> pa.Array:
    lengths = np.full(len(matrix), matrix.shape[1])
    return pa.ListArray.from_arrays(_offsets(lengths), pa.array(matrix.ravel(), pa.float32()))


def _offsets(lengths: NDArray[Any]) -> pa.Array:
    return pa.array(np.concatenate([[0], np.cumsum(lengths)]), pa.int32())
