"""What models see of a dataset: its label schema, and its splits as arrays.

A dataset is a folder that ``corpus build`` made, or its name on the Hugging Face Hub. Splits are opened one
by one, by the names of their files: whoever reads ``train`` never opens the files of ``test``.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from schemas.definition import parse_schema
from schemas.errors import InputError, Issue
from schemas.fields import CategoricalField, Field, IntervalField, MultilabelField, RelationField
from schemas.label_schema import LabelSchema

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
CONFIGURATION = "default"
_TEXTS = ("utterance_id", "dialogue_id", "text")
_HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+")
_SHARD = re.compile(r"-\d{5}-of-(\d{5})\.parquet$")


@dataclass(frozen=True)
class Labels:
    """Decided labels of one field.

    Attributes:
        values: The labels; anything where they are missing.
        known: Where there is a label, shape (rows,).
    """

    values: Values
    known: Mask


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
    """

    name: str
    utterance_ids: list[str]
    dialogue: Integers
    speakers: list[str | None]
    texts: list[str]
    labels: Mapping[str, Labels]

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


def load_training(dataset: str | Path, cache_dir: Path | None = None) -> TrainingData:
    """Load what a model is trained and selected on.

    Args:
        dataset: A dataset folder or the name of a Hub repository.
        cache_dir: Where ``datasets`` keeps its cache; by default its own place.

    Raises:
        InputError: There is no such dataset, a split or a column is missing, or a label is not valid.
    """
    description = describe(dataset)
    train, validation = (
        read_split(dataset, description, name, cache_dir) for name in ("train", "validation")
    )
    return TrainingData(description, train, validation)


def describe(dataset: str | Path) -> Description:
    """Read the schema and the provenance of a dataset.

    Raises:
        InputError: There is no such dataset, or it does not carry them.
    """
    folder = _folder(dataset)
    paths, issues = {}, []
    for name in (SCHEMA, PROVENANCE):
        path = folder / name if folder else _download(str(dataset), name)
        if path is None or not path.is_file():
            message = f"this dataset has no {name}: it was not made by 'corpus build', or is not complete"
            issues.append(Issue(message, str(dataset)))
        else:
            paths[name] = path
    if issues:
        raise InputError(issues)
    text = paths[SCHEMA].read_text("utf-8-sig")
    provenance = paths[PROVENANCE].read_text("utf-8").strip()
    digest = hashlib.sha256(provenance.encode()).hexdigest()
    best = folder / BEST_POSSIBLE if folder else _download(str(dataset), BEST_POSSIBLE)
    known = _best_possible(best) if best is not None and best.is_file() else {}
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
    dataset: str | Path, description: Description, name: str, cache_dir: Path | None = None
) -> Split:
    """Read one split of a dataset, and open no file of another.

    Args:
        dataset: A dataset folder or the name of a Hub repository.
        description: What the dataset says of itself.
        name: Name of the split.
        cache_dir: Where ``datasets`` keeps its cache; by default its own place.

    Raises:
        InputError: The split or a column is missing or empty, or a label is not valid; all faults at once.
    """
    from datasets import load_dataset
    from datasets.exceptions import DatasetGenerationError

    folder = _folder(dataset)
    where = f"{dataset}, split {name}"
    pattern = f"{CONFIGURATION}/{name}-*.parquet"
    if folder:
        _refuse_incomplete(folder, name)
    try:
        rows = load_dataset(
            str(folder or dataset),
            data_files={name: pattern},
            split=name,
            cache_dir=str(cache_dir) if cache_dir else None,
        )
    except (DatasetGenerationError, pa.ArrowInvalid) as error:
        reason = _first_line(error.__cause__ or error)
        raise InputError(Issue(f"the files of this split are damaged: {reason}", where)) from None
    except (FileNotFoundError, ConnectionError, ValueError) as error:
        # A ValueError: the split is empty.
        raise InputError(Issue(f"this split cannot be read: {_first_line(error)}", where)) from None
    issues = list(_feature_faults(description.schema, rows.features, where))
    if issues:
        raise InputError(issues)
    columns = [*_TEXTS, "speaker_id", *(field.name for field in description.schema)]
    return to_split(name, rows.select_columns(columns).with_format("arrow")[:], description.schema, where)


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
        labels[field.name] = _labels(field, column)
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


def _folder(dataset: str | Path) -> Path | None:
    """Return a dataset's folder; None for the name of a Hub repository."""
    path = Path(dataset)
    if path.is_dir():
        return path
    if path.exists() or not isinstance(dataset, str) or not _HUB_NAME.fullmatch(dataset):
        raise InputError(Issue("there is no such dataset folder", str(dataset)))
    return None


def _download(name: str, file: str) -> Path | None:
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError, LocalEntryNotFoundError

    try:
        return Path(hf_hub_download(name, file, repo_type="dataset"))
    except LocalEntryNotFoundError as error:
        message = "there is no such folder, and the Hub cannot be reached"
        raise InputError(Issue(f"{message}: {_first_line(error)}", name)) from None
    except EntryNotFoundError:
        return None
    except HfHubHTTPError as error:
        message = "there is no such folder, and the Hub does not give this dataset"
        raise InputError(Issue(f"{message}: {_first_line(error)}", name)) from None


def _refuse_incomplete(folder: Path, name: str) -> None:
    """Refuse a split without files, or with fewer than their names say there are."""
    files = sorted((folder / CONFIGURATION).glob(f"{name}-*.parquet"))
    if not files:
        there = {path.name.split("-")[0] for path in (folder / CONFIGURATION).glob("*-*.parquet")}
        message = "the dataset has no such split"
        raise InputError(Issue(message, str(folder), value=name, choices=sorted(there)))
    match = _SHARD.search(files[0].name)
    if match and int(match[1]) != len(files):
        message = f"{len(files)} of {int(match[1])} files of split {name!r} are here; copy the folder again"
        raise InputError(Issue(message, str(folder)))


def _first(mask: Mask) -> int:
    return int(np.argmax(mask)) + 1


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
