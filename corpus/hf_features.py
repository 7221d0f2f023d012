"""The Hugging Face features of a dataset, derived from the label schema."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from corpus.media.published import POINTERS
from corpus.media.segments import RATE
from schemas.fields import CategoricalField, Field, Missing, MultilabelField
from schemas.label_schema import LabelSchema
from schemas.records import annotations_schema, answer_columns, decided_columns

if TYPE_CHECKING:  # takes seconds to import
    from datasets import Features

_UTTERANCE = {
    "utterance_id": "string",
    "dialogue_id": "string",
    "index": "int32",
    "speaker_id": "string",
    "text": "string",
    "text_original": "string",
    "start": "float64",
    "end": "float64",
    "language": "string",
    "context_only": "bool",
}
UNPUBLISHED = frozenset(("status", "created", "updated"))
"""Columns of ratings that stay in the project: only submitted ones are published, and when people worked is
theirs."""
_DIALOGUE = dict.fromkeys(("source", "show", "episode", "topic"), "string")


def _answer_features(field: Field, columns: list[pa.Field]) -> dict[str, object]:
    """Return the features of a field's columns: value names become class labels, all else keeps its type."""
    from datasets import ClassLabel, List, Value

    found: dict[str, object] = {}
    for column in columns:
        if column.name == field.name and isinstance(field, MultilabelField):
            found[column.name] = List(ClassLabel(names=list(field.categories)))
        elif column.name == field.name and isinstance(field, CategoricalField):
            found[column.name] = ClassLabel(names=list(field.categories))
        elif column.name == f"{field.name}_missing":
            found[column.name] = ClassLabel(names=[reason.value for reason in Missing])
        elif pa.types.is_list(column.type):
            found[column.name] = List(Value(_value_name(column.type.value_type)))
        else:
            found[column.name] = Value(_value_name(column.type))
    return found


def _value_name(kind: pa.DataType) -> str:
    return {pa.float32(): "float32", pa.float64(): "float64"}.get(kind, str(kind))


def default_features(schema: LabelSchema) -> Features:
    """Return the features of the configuration ``default``: a row an utterance, without media."""
    from datasets import Features, Value

    fixed = {name: Value(kind) for name, kind in {**_UTTERANCE, **_DIALOGUE}.items()}
    labels: dict[str, object] = {}
    for field in schema:
        labels.update(_answer_features(field, decided_columns(field)))
    return Features({**fixed, **labels})


def dialogue_features(schema: LabelSchema) -> Features:
    """Return the features of the configuration ``dialogues``: a row a dialogue, its utterances nested."""
    from datasets import Features, List, Value

    shared = {"dialogue_id", *_DIALOGUE}
    inner = {name: kind for name, kind in default_features(schema).items() if name not in shared}
    fixed = {name: Value("string") for name in ("dialogue_id", *_DIALOGUE, "language")}
    return Features({**fixed, "utterances": List(inner)})


def annotation_features(schema: LabelSchema) -> Features:
    """Return the features of the configuration ``annotations``: a row a rating of a pseudonymous rater."""
    from datasets import Features, List, Value

    answers = {column.name for field in schema for column in answer_columns(field)}
    found: dict[str, object] = {}
    for column in annotations_schema(schema):
        if column.name in answers or column.name in UNPUBLISHED:
            continue
        plain = not pa.types.is_list(column.type)
        found[column.name] = Value(_value_name(column.type)) if plain else List(Value("string"))
    found["dialogue_id"] = Value("string")
    for field in schema:
        found.update(_answer_features(field, answer_columns(field)))
    return Features(found)


def media_features(schema: LabelSchema, *, embedded: bool) -> Features:
    """Return the features of the configuration ``media``: `default_features`, and the recordings.

    Args:
        schema: The label schema.
        embedded: Whether sound and clips are in it, or only where they are.
    """
    from datasets import Audio, Features, Value, Video

    pointers = {one.name: Value("string") for one in POINTERS}
    media = {"audio": Audio(sampling_rate=RATE), "video": Video()} if embedded else {}
    return Features({**default_features(schema), **pointers, **media})


def vector_features(*, sequence: bool) -> Features:
    """Return the features of a configuration ``features-NAME``: a vector an utterance, or a vector a step."""
    from datasets import Features, List, Value

    vector = List(Value("float32"))
    features = List(vector) if sequence else vector
    return Features({"utterance_id": Value("string"), "features": features, "missing": Value("string")})


def encoders(schema: LabelSchema) -> dict[str, list[str]]:
    """Return, for every column of class labels, the names that its codes stand for."""
    found = {}
    for field in schema:
        if isinstance(field, CategoricalField):
            found[field.name] = list(field.categories)
        found[f"{field.name}_missing"] = [reason.value for reason in Missing]
    return found
