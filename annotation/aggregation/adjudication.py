"""What is left to adjudicate, most informative first, and labels with adjudicators' answers in them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from annotation.aggregation.deciding import choose
from annotation.aggregation.methods import METHODS, VOTE_SHARES
from annotation.agreement.patterns import Floats, Ints
from schemas.fields import Field, IntervalField, Missing, MultilabelField
from schemas.label_schema import LabelSchema
from schemas.records import has_intensity

QUEUE = pa.schema(
    [
        pa.field("utterance_id", pa.string(), nullable=False),
        pa.field("bits", pa.float32(), nullable=False),
        pa.field("fields", pa.list_(pa.string()), nullable=False),
        pa.field("agreement", pa.float32()),
    ]
)
"""A row an utterance with undecided fields: bits to gain, the fields, the least agreement of these."""

RESOLUTION = 0.1
"""Numbers closer than this share of their scale are not told apart by an adjudicator."""
FEWEST_BITS = 1e-3
TIE_BITS = 1.0
"""What a tie between an answer and "cannot tell" leaves open; shares of votes among those who could tell do
not show it. The posterior of a model that is sure, where raters agree too little, leaves nothing open."""


def adjudication_queue(labels: pa.Table, schema: LabelSchema) -> pa.Table:
    """List the undecided utterances, those whose adjudication is expected to tell most first.

    The expected information gain of an answer that settles a field is the entropy of what is known of it: of
    the soft label; of a set, the sum over its values; of a number, that of a normal distribution with the
    deviation of the raters, against `RESOLUTION`. The gains of the undecided fields of an utterance add up.

    Args:
        labels: Decided labels under `records.labels_schema`.
        schema: The label schema.

    Returns:
        A table under `QUEUE`; equal gains stand in the order of the labels.
    """
    bits = np.zeros(labels.num_rows)
    least = np.full(labels.num_rows, np.inf)
    open_fields: list[list[str]] = [[] for _ in range(labels.num_rows)]
    for field in schema:
        undecided = _is(labels.column(f"{field.name}_missing"), Missing.UNDECIDED)
        gain = entropy(labels, field)
        hidden = (gain <= FEWEST_BITS) & _are_vote_shares(labels, field)
        bits += np.where(undecided, np.where(hidden, TIE_BITS, gain), 0.0)
        agreement = labels.column(f"{field.name}_agreement").to_numpy()
        least = np.where(undecided, np.fmin(least, agreement), least)
        for row in np.flatnonzero(undecided).tolist():
            open_fields[row].append(field.name)
    rows = np.flatnonzero([bool(names) for names in open_fields])
    order = rows[np.argsort(-np.round(bits[rows], 6), kind="stable")]
    return pa.table(
        {
            "utterance_id": labels.column("utterance_id").take(pa.array(order)),
            "bits": pa.array(bits[order], pa.float32()),
            "fields": pa.array([open_fields[row] for row in order.tolist()], pa.list_(pa.string())),
            "agreement": pa.array(
                np.where(np.isinf(least), np.nan, least)[order], pa.float32(), from_pandas=True
            ),
        },
        schema=QUEUE,
    )


def _are_vote_shares(labels: pa.Table, field: Field) -> NDArray[np.bool_]:
    """Which rows were decided by a method whose soft labels are shares of votes.

    What is known of a number is the deviation of its raters, whatever the method.
    """
    if isinstance(field, IntervalField):
        return np.ones(labels.num_rows, dtype=bool)
    methods = [name for name, by_type in METHODS.items() if by_type.of(field) in VOTE_SHARES]
    return np.asarray(pc.is_in(labels.column("method"), value_set=pa.array(methods, pa.string())))


def entropy(labels: pa.Table, field: Field) -> Floats:
    """Bits that are open in the soft label of each row; 0 where there is none."""
    if isinstance(field, IntervalField):
        deviation = labels.column(f"{field.name}_sd").to_numpy().astype(np.float64)
        step = RESOLUTION * (field.high - field.low)
        gain: Floats = np.nan_to_num(0.5 * np.log2(1 + (deviation / step) ** 2))
        return gain
    column = labels.column(f"{field.name}_soft").combine_chunks()
    valid = np.asarray(column.is_valid())
    size = len(field.categories)  # type: ignore[attr-defined]
    soft = np.zeros((len(column), size))
    flat = column.drop_null().flatten().to_numpy(zero_copy_only=False).astype(np.float64)
    soft[valid] = np.clip(flat.reshape(-1, size), 0.0, 1.0)
    sums: Floats = _bits(soft).sum(axis=1)
    if isinstance(field, MultilabelField):
        sums += _bits(1 - soft).sum(axis=1) * valid
    return sums


def _bits(probability: Floats) -> Floats:
    bits: Floats = -probability * np.log2(np.where(probability > 0, probability, 1.0))
    return bits


def adjudicated(labels: pa.Table, rulings: pa.Table, schema: LabelSchema) -> pa.Table:
    """Put adjudicators' answers in the place of decided labels; soft labels and agreement stay.

    Args:
        labels: Decided labels under `records.labels_schema`.
        rulings: Ratings by adjudicators, oldest first: ``utterance_id``, ``rater``, answer columns and, where
            they are known, ``updated`` and ``created``. What a ruling leaves unrated stays as it was decided.
            Of several rulings on an utterance the last that answers a field counts for it.
        schema: The label schema.
    """
    ids = labels.column("utterance_id").combine_chunks()
    place = pc.index_in(rulings.column("utterance_id"), value_set=ids)
    place = pc.fill_null(place, -1).to_numpy().astype(np.int64)
    newest = np.full(labels.num_rows, -1)
    for field in schema:
        answered = np.asarray(pc.is_valid(rulings.column(field.name)))
        for reason in (Missing.CANNOT_TELL, Missing.NOT_APPLICABLE):
            answered |= _is(rulings.column(f"{field.name}_missing"), reason)
        ruling = np.full(labels.num_rows, -1)
        rows = np.flatnonzero(answered & (place >= 0))
        np.maximum.at(ruling, place[rows], rows)
        newest = np.maximum(newest, ruling)
        names = [field.name, f"{field.name}_missing"]
        names += [f"{field.name}_intensity"] if has_intensity(field) else []
        for name in names:
            labels = _replace(labels, name, ruling, rulings.column(name))
    labels = _replace(labels, "decided_by", newest, rulings.column("rater"))
    times = [rulings.column(name) for name in ("updated", "created") if name in rulings.column_names]
    return _replace(labels, "decided_at", newest, pc.coalesce(*times)) if times else labels


def _replace(labels: pa.Table, name: str, ruling: Ints, column: pa.ChunkedArray) -> pa.Table:
    """Put cells of rulings into a column; ``ruling`` is the row of each label, -1 where it stays."""
    old = labels.column(name).combine_chunks()
    ruled = column.combine_chunks().cast(old.type).take(pa.array(ruling, mask=ruling < 0))
    new = choose(ruling >= 0, ruled, old)
    return labels.set_column(labels.column_names.index(name), labels.schema.field(name), new)


def _is(column: pa.ChunkedArray, reason: Missing) -> NDArray[Any]:
    return np.asarray(pc.fill_null(pc.equal(column, reason.value), False))
