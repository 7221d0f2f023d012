"""Predictions as a table with the columns of decided labels, for annotation and analysis."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa

from baselines.data import Description, Floats, Split, describe, read_split
from baselines.decoding import decode
from baselines.evaluation import require_same_fields
from baselines.models import load_model
from baselines.models.base import Floor
from schemas.fields import CategoricalField, Field, IntervalField, MultilabelField, RelationField
from schemas.records import value_type
from schemas.tables import Provenance, write_table

VERSION = 1


def predict(run: str | Path, dataset: str | Path, split: str, *, cache_dir: Path | None = None) -> Path:
    """Predict the labels of a split and write them as ``predictions-SPLIT.parquet`` of the run.

    Args:
        run: A run folder.
        dataset: A dataset folder or the name of a Hub repository, with the fields of the model.
        split: Name of the split.
        cache_dir: Where ``datasets`` keeps its cache; by default its own place.

    Returns:
        The path of the table: a row an utterance, in order, with ``utterance_id`` and, of every field that
        was learnt, the value names and the probabilities (``FIELD_soft``).

    Raises:
        InputError: There is no such run, dataset or split, or the fields are others.
    """
    model = load_model(run)
    description = describe(dataset)
    require_same_fields(model, description, str(dataset))
    table = prediction_table(model, read_split(dataset, description, split, cache_dir))
    path = Path(run) / f"predictions-{split}.parquet"
    aside = path.with_name(f".{path.name}")
    write_table(aside, table, table.schema, _provenance(model, description, split))
    aside.replace(path)
    return path


def _provenance(model: Floor, description: Description, split: str) -> Provenance:
    parameters = {"model": model.config.model_type, "seed": model.config.seed, "split": split}
    inputs = {"dataset": description.digest, "trained_on": model.config.dataset}
    return Provenance("baselines predict", VERSION, inputs, parameters)


def prediction_table(model: Floor, split: Split) -> pa.Table:
    """Return the predictions for a split: value names as in project tables, and ``FIELD_soft``."""
    columns = {"utterance_id": pa.array(split.utterance_ids, pa.string())}
    scores = model.scores(split)
    for field in model.fields:
        columns[field.name] = _value_column(field, scores[field.name])
        if not isinstance(field, IntervalField):
            columns[f"{field.name}_soft"] = _rows(scores[field.name])
    return pa.table(columns)


def _value_column(field: Field, scores: Floats) -> pa.Array:
    decided = decode(field, scores)
    if isinstance(field, MultilabelField):
        names = pa.array(field.categories).take(pa.array(np.nonzero(decided)[1]))
        return pa.ListArray.from_arrays(_offsets(decided.sum(axis=1)), names)
    if isinstance(field, CategoricalField | RelationField):
        return pa.array(field.categories, value_type(field)).take(pa.array(decided))
    return pa.array(decided, value_type(field))


def _rows(matrix: Floats) -> pa.Array:
    lengths = np.full(len(matrix), matrix.shape[1])
    return pa.ListArray.from_arrays(_offsets(lengths), pa.array(matrix.ravel(), pa.float32()))


def _offsets(lengths: np.ndarray) -> pa.Array:
    return pa.array(np.concatenate([[0], np.cumsum(lengths)]), pa.int32())
