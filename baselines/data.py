"""What models see of a dataset: its label schema, and its splits as arrays.

A dataset is a folder that ``corpus build`` made, its name on the Hugging Face Hub, or a field map of another
dataset. Splits are opened one by one: whoever reads ``train`` never opens the files of ``test``.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from baselines.clips import Clip, recordings_of
from baselines.dataset_files import DEFAULT, configurations, find_file, load_rows
from baselines.features import PREFIX, RECIPE, Features, parse_recipe, to_features
from baselines.field_map import is_field_map, map_rows, read_field_map
from schemas.definition import parse_schema
from schemas.errors import InputError, Issue
from schemas.fields import CategoricalField, Field, IntervalField, MultilabelField, RelationField
from schemas.label_schema import LabelSchema
from schemas.project import DATASET, SETTINGS

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
Values = npt.NDArray[Any]
"""Answers to one field, a row an utterance.

Shape (rows,): positions in the schema's order (nominal, ordinal, relation) or numbers (interval).
Shape (rows, values): booleans (multilabel).
"""

SCHEMA = "schema.yaml"
PROVENANCE = "provenance.json"
BEST_POSSIBLE = "bayes.json"
_TEXTS = ("utterance_id", "dialogue_id", "text")


@dataclass(frozen=True)
class Labels:
    """Decided labels of one field.

    Attributes:
        values: The labels; anything where they are missing.
        known: Where there is a label, shape (rows,).
        soft: Probabilities of the values (nan where they are not known), shape (rows, values); None where the
            dataset has none, and for interval fields.
    """

    values: Values
    known: Mask
    soft: Floats | None = None


@dataclass(frozen=True)
class Split:
    """The utterances of one split, dialogue after dialogue, in order.

    Attributes:
        name: ``train``, ``validation`` or ``test``.
        utterance_ids: Shape (rows,).
        dialogue: Number of each utterance's dialogue, from 0 in order, shape (rows,).
        speakers: Who speaks; None where that is unknown.
        texts: What is said.
        labels: By field.
        features: Precomputed features by name.
        clips: The recording of every utterance, read when it is asked for; empty where there are none.
    """

    name: str
    utterance_ids: list[str]
    dialogue: Integers
    speakers: list[str | None]
    texts: list[str]
    labels: Mapping[str, Labels]
    features: Mapping[str, Features] = dataclasses.field(default_factory=dict)
    clips: Sequence[Clip] = ()

    def __len__(self) -> int:
        return len(self.texts)


@dataclass(frozen=True)
class Description:
    """What a dataset says of itself.

    Attributes:
        schema: Its label schema.
        schema_text: The definition it was read from.
        digest: Digest of all that it was built from, as in the header of its card.
        best_possible: Of a generated corpus, the best possible scores by field and metric: ``text`` from the
            text of the dialogue so far, ``all`` from all modalities of the dialogue so far.
    """

    schema: LabelSchema
    schema_text: str
    digest: str
    best_possible: Mapping[str, Mapping[str, Mapping[str, float]]]


@dataclass(frozen=True)
class TrainingData:
    """All that training gets. It holds neither test rows nor the place where they could be found."""

    description: Description
    train: Split
    validation: Split


def load_training(
    dataset: str | Path, cache_dir: Path | None = None, features: Sequence[str] | None = None
) -> TrainingData:
    """Load what a model is trained and selected on.

    Args:
        dataset: A dataset folder or the name of a Hub repository.
        cache_dir: Where ``datasets`` keeps its cache; by default its own place.
        features: Which precomputed features to read; by default all that the dataset has.

    Raises:
        InputError: There is no such dataset, a split or a column is missing, or a label is not valid.
    """
    description = describe(dataset)
    train, validation = (
        read_split(dataset, description, name, cache_dir, features) for name in ("train", "validation")
    )
    return TrainingData(description, train, validation)


def describe(dataset: str | Path) -> Description:
    """Read the schema and the provenance of a dataset.

    Raises:
        InputError: There is no such dataset, or it does not carry them.
    """
    if is_field_map(dataset):
        mapped = read_field_map(dataset)
        made_of = hashlib.sha256(f"{mapped.schema_text}{mapped.path.read_text('utf-8-sig')}".encode())
        return Description(mapped.schema, mapped.schema_text, made_of.hexdigest(), {})
    if (Path(dataset) / SETTINGS).is_file():
        message = f"this is a project; 'corpus build' makes its dataset, {Path(dataset) / DATASET}"
        raise InputError(Issue(message, str(dataset)))
    paths, issues = {}, []
    for name in (SCHEMA, PROVENANCE):
        path = find_file(dataset, name)
        if path is None:
            message = f"this dataset has no {name}: it was not made by 'corpus build', or is not complete"
            issues.append(Issue(message, str(dataset)))
        else:
            paths[name] = path
    if issues:
        raise InputError(issues)
    text = paths[SCHEMA].read_text("utf-8-sig")
    provenance = paths[PROVENANCE].read_text("utf-8").strip()
    digest = hashlib.sha256(provenance.encode()).hexdigest()
    best = find_file(dataset, BEST_POSSIBLE)
    known = _best_possible(best) if best is not None else {}
    return Description(parse_schema(text, f"{dataset}/{SCHEMA}"), text, digest, known)


def _best_possible(path: Path) -> dict[str, dict[str, dict[str, float]]]:
    """Read the accuracies, under the names of the metrics here.

    Errors of numbers are left out: decided numbers are means of raters and lie nearer to the middle than the
    truth, so an error against them can be smaller than the best possible one against the truth.
    """
    metrics = {"accuracy": "accuracy", "exact_set": "exact_match"}
    found: dict[str, dict[str, dict[str, float]]] = {}
    for measure, by_seen in json.loads(path.read_text("utf-8"))["measures"].items():
        field, _, metric = measure.partition("/")
        if metric in metrics:
            seen = {"text": by_seen["text/past"]["value"], "all": by_seen["all/past"]["value"]}
            found.setdefault(field, {})[metrics[metric]] = seen
    return found


def read_split(
    dataset: str | Path,
    description: Description,
    name: str,
    cache_dir: Path | None = None,
    features: Sequence[str] | None = None,
) -> Split:
    """Read one split of a dataset, and open no file of another.

    Args:
        dataset: A dataset folder or the name of a Hub repository.
        description: What the dataset says of itself.
        name: Name of the split.
        cache_dir: Where ``datasets`` keeps its cache; by default its own place.
        features: Which precomputed features to read; by default all that the dataset has.

    Raises:
        InputError: The split, a column or features are missing or empty, or a label is not valid.
    """
    where = f"{dataset}, split {name}"
    if is_field_map(dataset):
        _refuse_unknown_features(features or (), (), str(dataset))
        return to_split(name, map_rows(read_field_map(dataset), name, cache_dir), description.schema, where)
    rows = load_rows(dataset, DEFAULT, name, cache_dir)
    issues = list(_feature_faults(description.schema, rows.features, where))
    if issues:
        raise InputError(issues)
    soft = [f"{field.name}_soft" for field in description.schema]
    columns = [*_TEXTS, "speaker_id", *(field.name for field in description.schema)]
    columns += [column for column in soft if column in rows.features]
    table = rows.select_columns(columns).with_format("arrow")[:]
    split = to_split(name, table, description.schema, where)
    there = [one.removeprefix(PREFIX) for one in configurations(dataset, PREFIX)]
    _refuse_unknown_features(features or (), there, str(dataset))
    wanted = there if features is None else features
    found = {one: _read_features(dataset, one, split, cache_dir) for one in wanted}
    media = recordings_of(dataset, name, cache_dir)
    return dataclasses.replace(split, features=found, clips=[Clip(media, one) for one in split.utterance_ids])


def _refuse_unknown_features(wanted: Sequence[str], there: Sequence[str], where: str) -> None:
    lacking = [one for one in wanted if one not in there]
    if lacking:
        raise InputError(
            [Issue("the dataset has no such features", where, value=one, choices=there) for one in lacking]
        )


def _read_features(dataset: str | Path, name: str, split: Split, cache_dir: Path | None) -> Features:
    rows = load_rows(dataset, f"{PREFIX}{name}", split.name, cache_dir).with_format("arrow")
    path = find_file(dataset, f"{PREFIX}{name}/{RECIPE}")
    recipe = parse_recipe(path.read_text("utf-8"), str(path)) if path else {}
    return to_features(name, rows[:], split.utterance_ids, f"{dataset}, split {split.name}", recipe)


def to_split(name: str, table: pa.Table, schema: LabelSchema, where: str) -> Split:
    """Turn the rows of a split into arrays.

    Args:
        name: Name of the split.
        table: The rows; categorical fields as class-label codes.
        schema: The label schema.
        where: Name of the rows for messages.

    Raises:
        InputError: A text is missing or a label is not valid; all faults at once.
    """
    issues = [
        Issue("a text is missing", where, row=_first(empty), column=column, count=int(empty.sum()))
        for column in _TEXTS
        if (empty := np.asarray(table.column(column).is_null())).any()
    ]
    labels = {}
    for field in schema:
        column = table.column(field.name).combine_chunks()
        labels[field.name] = dataclasses.replace(_labels(field, column), soft=_soft(field, table))
        issues += _label_faults(field, column, where)
    if issues:
        raise InputError(issues)
    return Split(
        name,
        table.column("utterance_id").to_pylist(),
        np.asarray(table.column("dialogue_id").combine_chunks().dictionary_encode().indices).astype(np.int64),
        table.column("speaker_id").to_pylist(),
        table.column("text").to_pylist(),
        labels,
    )


def _labels(field: Field, column: pa.Array) -> Labels:
    known = np.asarray(column.is_valid())
    if isinstance(field, MultilabelField):
        codes, parents = column.flatten(), pc.list_parent_indices(column)
        chosen = np.zeros((len(column), len(field.categories)), np.bool_)
        inside = pc.is_in(codes, value_set=pa.array(range(len(field.categories)), codes.type))
        chosen[np.asarray(parents.filter(inside)), np.asarray(codes.filter(inside))] = True
        return Labels(chosen, known)
    numbers = np.asarray(column.fill_null(0))
    if isinstance(field, IntervalField):
        return Labels(numbers.astype(np.float64), known)
    low = field.low if isinstance(field, RelationField) else 0
    return Labels(numbers.astype(np.int64) - low, known)


def _soft(field: Field, table: pa.Table) -> Floats | None:
    """Read the probabilities of a field's values; nan where there are none."""
    name = f"{field.name}_soft"
    if name not in table.column_names or not isinstance(field, CategoricalField | RelationField):
        return None
    column = table.column(name).combine_chunks()
    whole = np.asarray(pc.fill_null(pc.equal(pc.list_value_length(column), len(field.categories)), False))
    if not whole.any():
        return None
    soft = np.full((len(column), len(field.categories)), np.nan)
    flat = np.asarray(column.filter(pa.array(whole)).flatten()).astype(np.float64)
    soft[whole] = flat.reshape(-1, len(field.categories))
    return soft


def _label_faults(field: Field, column: pa.Array, where: str) -> list[Issue]:
    """Find labels that the field does not allow: a build of this project has none, an edited file may."""
    rows = np.arange(len(column))
    if isinstance(field, MultilabelField):
        rows = np.asarray(pc.list_parent_indices(column))
        column = column.flatten()
    if isinstance(field, IntervalField | RelationField):
        low, high = field.low, field.high
    elif isinstance(field, CategoricalField):
        low, high = 0, len(field.categories) - 1
    else:
        raise TypeError(f"there is no way to read a {field.type} field")
    # Tables hold 32-bit numbers; a bound such as 0.1 is met to seven digits only.
    slack = 1e-6 * max(abs(low), abs(high), 1) if isinstance(field, IntervalField) else 0
    numbers = np.asarray(column.fill_null(low)).astype(np.float64)
    wrong = np.flatnonzero(~((numbers >= low - slack) & (numbers <= high + slack)))
    if not len(wrong):
        return []
    first = int(wrong[0])
    message = f"this label is not valid, {field.name} goes from {low} to {high}"
    row, value = int(rows[first]) + 1, column[first].as_py()
    return [Issue(message, where, row=row, column=field.name, value=value, count=len(wrong))]


def _feature_faults(schema: LabelSchema, features: Mapping[str, Any], where: str) -> list[Issue]:
    """Compare the features of a dataset with its schema."""
    issues = [
        Issue("the dataset lacks a column", where, value=name, choices=list(features))
        for name in (*_TEXTS, "speaker_id", *(field.name for field in schema))
        if name not in features
    ]
    for field in schema:
        if not isinstance(field, CategoricalField) or field.name not in features:
            continue
        feature = features[field.name]
        names = getattr(getattr(feature, "feature", feature), "names", None)
        if names != list(field.categories):
            message = "the class names of this column are not those of the schema"
            issues.append(Issue(message, where, None, None, field.name, names, field.categories))
    return issues


def _first(mask: Mask) -> int:
    return int(np.argmax(mask)) + 1
