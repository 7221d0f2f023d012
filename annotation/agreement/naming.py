"""From codes back to words: which rater, item and value a code of coded ratings stands for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from annotation.agreement.cells import encode
from annotation.agreement.patterns import Ints
from annotation.agreement.reading import Ratings
from schemas.answers import SET_SEPARATOR
from schemas.fields import Level

EMPTY_SET = "[]"


@dataclass(frozen=True)
class Names:
    """Names of what coded ratings are about.

    Attributes:
        items: Id of each item, by code.
        raters: Id of each rater, by code; empty when raters are unknown.
        values: Each value in words, by code; of a set its labels in the order of the field, ``a|b``.
    """

    items: tuple[str, ...]
    raters: tuple[str, ...]
    values: tuple[str, ...]


def names_of(ratings: Ratings, table: pa.Table, *, item: str, rater: str | None) -> Names:
    """Names of the codes of `ratings`, which were read from `table`.

    Raises:
        ValueError: The ratings were read from another table.
    """
    answered = answered_rows(table.column(ratings.field), ratings.level)
    items = _ids(table.column(item), answered)
    raters = () if rater is None or ratings.rater is None else _ids(table.column(rater), answered)
    if len(items) != ratings.items or (raters and len(raters) != ratings.raters):
        raise ValueError(f"these ratings of {ratings.field!r} were not read from this table")
    return Names(items, raters, tuple(value_name(ratings, code) for code in range(len(ratings.values))))


def answered_rows(column: pa.ChunkedArray, level: Level) -> NDArray[Any]:
    """Rows that hold an answer: not null, blank or, of numbers, not a number; shape (rows,)."""
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    missing = pc.is_null(column, nan_is_null=pa.types.is_floating(kind))
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        text = pc.utf8_lower(pc.utf8_trim_whitespace(pc.cast(column, pa.string())))
        nothing = ["", "nan", "+nan", "-nan"] if level in (Level.INTERVAL, Level.RATIO) else [""]
        missing = pc.or_(missing, pc.is_in(text, value_set=pa.array(nothing)))
    return ~np.asarray(missing, dtype=bool)


def _ids(column: pa.ChunkedArray, rows: NDArray[Any]) -> tuple[str, ...]:
    """Ids in the order in which reading codes them: that of the dictionary, the used ones only."""
    if pa.types.is_dictionary(column.type):
        column = column.unify_dictionaries()
    array = column.combine_chunks()
    codes, dictionary = encode(array.chunk(0) if isinstance(array, pa.ChunkedArray) else array)
    return tuple(str(one) for one in dictionary.take(pa.array(np.unique(codes[rows]))).to_pylist())


def value_name(ratings: Ratings, code: int) -> str:
    """Return a value in words."""
    value = ratings.values[code]
    if ratings.level is Level.SET:
        return SET_SEPARATOR.join(sorted(value, key=ratings.label_places.__getitem__)) or EMPTY_SET
    if ratings.level in (Level.INTERVAL, Level.RATIO):
        return f"{value + ratings.offset:g}"
    return str(value)


def answers_of(ratings: Ratings, names: Names, items: Ints) -> list[Mapping[str, tuple[str, ...]]]:
    """Who gave which answer to some items.

    Returns:
        For each item its answers in the order of the field, each with the raters who gave it (with unknown
        raters: an empty name for each).
    """
    wanted = np.flatnonzero(np.isin(ratings.item, items))
    found: dict[int, dict[int, list[str]]] = {int(one): {} for one in items}
    for row in wanted.tolist():
        who = "" if ratings.rater is None else names.raters[int(ratings.rater[row])]
        found[int(ratings.item[row])].setdefault(int(ratings.code[row]), []).append(who)
    return [
        {names.values[code]: tuple(found[int(one)][code]) for code in sorted(found[int(one)])}
        for one in items
    ]
