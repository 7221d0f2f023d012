"""Precomputed features of a split: one configuration ``features-NAME`` beside the rows of ``default``."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from schemas.errors import InputError, Issue

PREFIX = "features-"
RECIPE = "recipe.json"
COLUMNS = ("utterance_id", "features")


@dataclass(frozen=True)
class Features:
    """One vector an utterance.

    Attributes:
        values: The vectors, zeros where they are missing, shape (rows, width).
        present: Where there is a vector, shape (rows,).
        recipe: How they were made, as the dataset tells it.
    """

    values: npt.NDArray[np.float32]
    present: npt.NDArray[np.bool_]
    recipe: Mapping[str, Any]

    @property
    def width(self) -> int:
        """Numbers of a vector."""
        return int(self.values.shape[1])


def to_features(
    name: str, table: pa.Table, utterance_ids: Collection[str], where: str, recipe: Mapping[str, Any]
) -> Features:
    """Put vectors beside the utterances that they belong to.

    Args:
        name: Name of the features.
        table: ``utterance_id`` and ``features``: a vector, or a list of vectors (of frames) that is averaged;
            null where an utterance has none.
        utterance_ids: The utterances in order.
        where: Name of the rows for messages.
        recipe: How the features were made.

    Raises:
        InputError: A column is missing, widths differ, or a vector holds something that is not a finite
            number.
    """
    issues = [
        Issue("these features lack a column", where, value=column, choices=table.column_names)
        for column in COLUMNS
        if column not in table.column_names
    ]
    if issues:
        raise InputError(issues)
    found = table.filter(pc.is_valid(table.column("features")))
    rows = pc.index_in(found.column("utterance_id"), value_set=pa.array(utterance_ids, pa.string()))
    found, rows = found.filter(pc.is_valid(rows)), rows.drop_null()
    place = np.asarray(rows).astype(np.int64)
    vectors = _vectors(found.column("features").combine_chunks(), f"{where}, {PREFIX}{name}")
    values = np.zeros((len(utterance_ids), vectors.shape[1]), np.float32)
    values[place] = vectors
    present = np.zeros(len(utterance_ids), np.bool_)
    present[place] = True
    return Features(values, present, recipe)


def _vectors(column: pa.Array, where: str) -> npt.NDArray[np.float32]:
    if pa.types.is_list(column.type.value_type):
        frames = _matrix(column.flatten(), where)
        lengths = np.asarray(pc.list_value_length(column))
        if (lengths == 0).any():
            raise InputError(Issue("a list of frames is empty; null means that there are none", where))
        starts = np.concatenate([[0], np.cumsum(lengths)[:-1]])
        sums = np.add.reduceat(frames, starts) if len(starts) else frames
        return np.asarray(sums / lengths[:, None], np.float32)
    return _matrix(column, where)


def _matrix(column: pa.Array, where: str) -> npt.NDArray[np.float32]:
    widths = np.unique(np.asarray(pc.list_value_length(column)))
    if len(widths) > 1:
        raise InputError(Issue("the vectors differ in length", where, value=widths[:5].tolist()))
    width = int(widths[0]) if len(widths) else 0
    flat = np.asarray(column.flatten().cast(pa.float32()).fill_null(np.nan))
    numbers = flat.reshape(len(column), width)
    wrong = ~np.isfinite(numbers).all(axis=1)
    if wrong.any():
        message = "a vector holds something that is not a finite number; null says that there is no vector"
        raise InputError(Issue(message, where, row=int(np.argmax(wrong)) + 1, count=int(wrong.sum())))
    return numbers


def parse_recipe(text: str, where: str) -> Mapping[str, Any]:
    """Read a recipe.

    Raises:
        InputError: It is not a JSON object.
    """
    try:
        recipe = json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError(Issue(f"this is not readable JSON: {error}", where)) from None
    if not isinstance(recipe, dict):
        raise InputError(Issue("a JSON object is expected here", where))
    return recipe
