"""The tables of a project and their Arrow schemas.

The columns of labels are derived from the label schema; project tables hold value *names*, never codes.
"""

from __future__ import annotations

from enum import StrEnum

import pyarrow as pa

from schemas.fields import CategoricalField, Field, IntervalField, MultilabelField, RelationField
from schemas.label_schema import LabelSchema

_text = pa.string()
_texts = pa.list_(pa.string())


class Condition(StrEnum):
    """Which modalities of an item a rater was shown."""

    FULL = "full"
    TEXT = "text"
    AUDIO = "audio"
    VIDEO = "video"


class Context(StrEnum):
    """How much of the dialogue a rater was shown."""

    PAST = "past"
    FULL = "full"


class RatingStatus(StrEnum):
    """What became of a rating; readers use the submitted ones."""

    SUBMITTED = "submitted"
    SKIPPED = "skipped"
    SUPERSEDED = "superseded"


DIALOGUES = pa.schema(
    [
        pa.field("dialogue_id", _text, nullable=False),
        pa.field("source", _text, nullable=False),
        pa.field("show", _text),
        pa.field("episode", _text),
        pa.field("topic", _text),
        pa.field("language", _text),
        pa.field("source_split", _text),
    ]
)
"""A row a dialogue, in the order in which sources were imported."""

UTTERANCES = pa.schema(
    [
        pa.field("utterance_id", _text, nullable=False),
        pa.field("dialogue_id", _text, nullable=False),
        pa.field("index", pa.int32(), nullable=False),
        pa.field("speaker_id", _text),
        pa.field("text", _text, nullable=False),
        pa.field("text_original", _text, nullable=False),
        pa.field("start", pa.float64()),
        pa.field("end", pa.float64()),
        pa.field("language", _text),
        pa.field("media", _text),
        pa.field("context_only", pa.bool_(), nullable=False),
    ]
)
"""A row an utterance, dialogue after dialogue, by index (from 0) within each. Times are seconds."""

SPEAKERS = pa.schema(
    [
        pa.field("speaker_id", _text, nullable=False),
        pa.field("source", _text, nullable=False),
        pa.field("name", _text),
        pa.field("aliases", _texts, nullable=False),
        pa.field("attributes", pa.map_(_text, _text), nullable=False),
        pa.field("generic", pa.bool_(), nullable=False),
    ]
)
"""A row a speaker. Generic ones (a passer-by) are nobody in particular."""

RATERS = pa.schema(
    [
        pa.field("rater", _text, nullable=False),
        pa.field("source", _text, nullable=False),
        pa.field("attributes", pa.map_(_text, _text), nullable=False),
    ]
)
"""A row a rater, under a pseudonym."""

SPLITS = pa.schema(
    [
        pa.field("dialogue_id", _text, nullable=False),
        pa.field("scheme", _text, nullable=False),
        pa.field("fold", pa.int16(), nullable=False),
        pa.field("split", _text, nullable=False),
    ]
)
"""A row a dialogue, in the order of the dialogues."""

SPLIT_NAMES = ("train", "validation", "test")
"""The splits, in the order in which they are shown."""

QUARANTINE = pa.schema(
    [
        pa.field("source", _text, nullable=False),
        pa.field("file", _text, nullable=False),
        pa.field("row", pa.int64(), nullable=False),
        pa.field("utterance_id", _text),
        pa.field("column", _text),
        pa.field("original", _text, nullable=False),
        pa.field("action", _text, nullable=False),
        pa.field("reason", _text, nullable=False),
    ]
)
"""What an import could not take as it stood: a row a cell (or a whole row, column null)."""

_RATING = [
    pa.field("annotation_id", _text, nullable=False),
    pa.field("utterance_id", _text, nullable=False),
    pa.field("rater", _text),
    pa.field("condition", _text),
    pa.field("context", _text),
    pa.field("round", _text),
    pa.field("schema_version", _text),
    pa.field("guideline_version", _text),
    pa.field("status", _text, nullable=False),
    pa.field("created", pa.timestamp("ms", tz="UTC")),
    pa.field("updated", pa.timestamp("ms", tz="UTC")),
    pa.field("seconds", pa.float32()),
    pa.field("prediction_shown", _text),
    pa.field("flags", _texts),
]

RESERVED_COLUMNS = frozenset(
    [
        *(name for table in (DIALOGUES, UTTERANCES, SPEAKERS, SPLITS) for name in table.names),
        *(column.name for column in _RATING),
        *("method", "decided_by", "decided_at", "utterances", "audio", "video"),
    ]
)
"""Columns that no field of a label schema may be called."""


def value_type(field: Field) -> pa.DataType:
    """Return the Arrow type of one answer to ``field`` in project tables."""
    if isinstance(field, MultilabelField):
        return _texts
    if isinstance(field, CategoricalField):
        return _text
    return pa.float32() if isinstance(field, IntervalField) else pa.int8()


def has_intensity(field: Field) -> bool:
    """Say whether ``field`` has a column ``FIELD_intensity`` (0 where a value is not chosen)."""
    return isinstance(field, MultilabelField) and field.intensity is not None


def answer_columns(field: Field) -> list[pa.Field]:
    """Return the columns of one answer: the value, the intensity if asked, and why there is none."""
    columns = [pa.field(field.name, value_type(field))]
    if has_intensity(field):
        columns.append(pa.field(f"{field.name}_intensity", pa.list_(pa.int8())))
    return [*columns, pa.field(f"{field.name}_missing", _text)]


def decided_columns(field: Field) -> list[pa.Field]:
    """Return the columns of one decided label.

    The answer columns, and: ``FIELD_soft`` (a probability a value in schema order; for multilabel fields the
    probability of each value on its own) or, for interval fields, ``FIELD_sd``; ``FIELD_agreement`` (the
    item's own agreement, 0..1); ``FIELD_raters`` (how many answered).
    """
    spread = (
        pa.field(f"{field.name}_sd", pa.float32())
        if isinstance(field, IntervalField)
        else pa.field(f"{field.name}_soft", pa.list_(pa.float32()))
    )
    return [
        *answer_columns(field),
        spread,
        pa.field(f"{field.name}_agreement", pa.float32()),
        pa.field(f"{field.name}_raters", pa.int16()),
    ]


def annotations_schema(schema: LabelSchema) -> pa.Schema:
    """Return the Arrow schema of ``annotations/ORIGIN.parquet``: a row a rating, in utterance order."""
    return pa.schema([*_RATING, *(column for field in schema for column in answer_columns(field))])


def labels_schema(schema: LabelSchema) -> pa.Schema:
    """Return the Arrow schema of ``labels/METHOD.parquet``: a row for every utterance, in their order.

    ``decided_by`` (a pseudonym) and ``decided_at`` are those of the adjudicator; null where raters decided.
    """
    return pa.schema(
        [
            pa.field("utterance_id", _text, nullable=False),
            pa.field("method", _text),
            pa.field("decided_by", _text),
            pa.field("decided_at", pa.timestamp("ms", tz="UTC")),
            *(column for field in schema for column in decided_columns(field)),
        ]
    )


def soft_length(field: Field) -> int:
    """Return the number of probabilities in ``FIELD_soft``."""
    return len(field.categories) if isinstance(field, CategoricalField | RelationField) else 0


def derived_columns(field: Field) -> list[str]:
    """Return the names of all columns that tables may hold for ``field``, its own first."""
    return [column.name for column in decided_columns(field)]
