"""Turning cells of released files into answers, times and texts; what cannot be turned is set apart."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from schemas.answers import SET_SEPARATOR, intensity_slots, map_distinct
from schemas.fields import CategoricalField, Field, IntervalField, Missing, MultilabelField, RelationField
from schemas.records import Condition, has_intensity, value_type

NOTHING = frozenset(
    ("", "na", "n/a", "nan", "null", Missing.CANNOT_TELL, Missing.NOT_RATED, Missing.NOT_APPLICABLE)
)
"""Cells that stand for no answer unless the schema has such a value; ``cannot_tell`` stays as the reason."""

EMPTY_SET = "[]"

_SPLITS = {
    **dict.fromkeys(("train", "training", "trn"), "train"),
    **dict.fromkeys(("validation", "valid", "val", "dev", "development"), "validation"),
    **dict.fromkeys(("test", "testing", "tst"), "test"),
}

_CLOCK = re.compile(r"(?:(\d+):)?(\d{1,2}):(\d{1,2}(?:[.,]\d+)?)")


@dataclass(frozen=True)
class Parsed:
    """A column after parsing.

    Attributes:
        values: The parsed column, null where there is nothing or a bad cell.
        bad: Where a cell was there and could not be parsed.
        respelled: Where another spelling of a value was taken.
    """

    values: pa.Array
    bad: NDArray[Any]
    respelled: NDArray[Any]


def parse_column(
    cells: pa.Array, function: Callable[[str], object], kind: pa.DataType, nothing: frozenset[str]
) -> Parsed:
    """Parse every distinct cell once.

    Args:
        cells: Text column.
        function: Takes a stripped cell, gives its value, or raises ValueError.
        kind: Arrow type of the values.
        nothing: Case-folded cells that stand for no answer.
    """
    if isinstance(cells, pa.ChunkedArray):
        cells = cells.combine_chunks()
    results: dict[str, object] = {}
    bad_cells: set[str] = set()
    for cell in pc.unique(cells).to_pylist():
        if cell is None or cell.strip().casefold() in nothing:
            continue
        try:
            results[cell] = function(cell.strip())
        except ValueError:
            bad_cells.add(cell)
    bad = map_distinct(cells, lambda cell: cell in bad_cells, pa.bool_()).fill_null(False)
    return Parsed(
        map_distinct(cells, lambda cell: results.get(str(cell)), kind),
        np.asarray(bad),
        np.zeros(len(cells), dtype=bool),
    )


def parse_answers(field: Field, cells: pa.Array) -> tuple[Parsed, pa.Array | None]:
    """Parse a column of answers to ``field``.

    Categorical cells hold value names or aliases in any case; multilabel cells ``a|b``, with intensities
    ``a=2|b=1``, and ``[]`` for the empty set; interval cells numbers in the field's range; relation cells
    whole numbers of its scale.

    Returns:
        The parsed column, and the intensities where the field asks for them.
    """
    nothing = NOTHING - set(field.spellings) if isinstance(field, CategoricalField) else NOTHING
    kind = value_type(field)
    if isinstance(field, MultilabelField):
        parsed = parse_column(cells, lambda cell: list(_parse_set(field, cell)), kind, nothing)
        respelled = map_distinct(cells, lambda cell: _is_respelled(field, str(cell)), pa.bool_())
        parsed = Parsed(parsed.values, parsed.bad, np.asarray(respelled.fill_null(False)) & ~parsed.bad)
        if not has_intensity(field):
            return parsed, None
        slots = parse_column(cells, lambda cell: _slots(field, cell), pa.list_(pa.int8()), nothing)
        return parsed, slots.values
    if isinstance(field, CategoricalField):
        parsed = parse_column(cells, lambda cell: _spelled(field, cell), kind, nothing)
        respelled = map_distinct(cells, lambda cell: _is_alias(field, str(cell)), pa.bool_())
        return Parsed(parsed.values, parsed.bad, np.asarray(respelled.fill_null(False))), None
    if isinstance(field, IntervalField):
        return parse_column(cells, lambda cell: _in_range(field, cell), kind, nothing), None
    if isinstance(field, RelationField):
        return parse_column(cells, lambda cell: _on_scale(field, cell), kind, nothing), None
    raise TypeError(f"no parser for fields of type {field.type}")


def valid_answers(field: Field) -> str:
    """Say in words what a cell of this field may hold."""
    if isinstance(field, RelationField):
        return f"a whole number from {field.low} to {field.high}"
    if isinstance(field, IntervalField):
        return f"a number from {field.low:g} to {field.high:g}"
    if not isinstance(field, CategoricalField):
        raise TypeError(f"no parser for fields of type {field.type}")
    kind = "a set of" if isinstance(field, MultilabelField) else "one of"
    return f"{kind} {', '.join(field.categories)}"


def _spelled(field: CategoricalField, cell: str) -> str:
    try:
        return field.spellings[cell.casefold()]
    except KeyError:
        raise ValueError(cell) from None


def _is_alias(field: CategoricalField, name: str) -> bool:
    canonical = field.spellings.get(name.strip().casefold())
    return canonical is not None and canonical.casefold() != name.strip().casefold()


def _is_respelled(field: MultilabelField, cell: str) -> bool:
    return any(_is_alias(field, part.partition("=")[0]) for part in cell.split(SET_SEPARATOR))


def _parse_set(field: MultilabelField, cell: str) -> dict[str, int | None]:
    """Return the chosen values in schema order with their intensities (None where none stands)."""
    if cell == EMPTY_SET:
        return {}
    chosen: dict[str, int | None] = {}
    for part in cell.split(SET_SEPARATOR):
        name, _, strength = part.partition("=")
        number = int(strength) if strength else None
        if chosen.setdefault(_spelled(field, name.strip()), number) != number:
            raise ValueError(cell)
    if len(chosen) > 1 and any(name in field.exclusive for name in chosen):
        raise ValueError(cell)
    strengths = [number for number in chosen.values() if number is not None]
    low, high = field.intensity or (1, 0)
    if any(not low <= number <= high for number in strengths) or 0 < len(strengths) < len(chosen):
        raise ValueError(cell)
    return {name: chosen[name] for name in field.categories if name in chosen}


def _slots(field: MultilabelField, cell: str) -> list[int] | None:
    """Return the intensities; None where the cell does not say them."""
    chosen = {name: number for name, number in _parse_set(field, cell).items() if number is not None}
    return intensity_slots(field, chosen) if chosen or cell == EMPTY_SET else None


def _in_range(field: IntervalField, cell: str) -> float:
    number = float(cell)
    if not field.low <= number <= field.high:
        raise ValueError(cell)
    return number


def _on_scale(field: RelationField, cell: str) -> int:
    number = float(cell)
    if not number.is_integer() or int(number) not in field.categories:
        raise ValueError(cell)
    return int(number)


def seconds(cell: str) -> float:
    """Read a time: ``HH:MM:SS,mmm``, ``MM:SS.mmm`` or seconds; the result is in seconds, >= 0.

    Raises:
        ValueError: The cell is none of these.
    """
    clock = _CLOCK.fullmatch(cell)
    if clock:
        hours, minutes, rest = clock.groups()
        number = float(rest.replace(",", "."))
        if int(minutes) >= 60 or number >= 60:
            raise ValueError(cell)
        return round(int(hours or 0) * 3600 + int(minutes) * 60 + number, 6)
    number = float(cell)
    if not math.isfinite(number) or number < 0:
        raise ValueError(cell)
    return number


def split_name(cell: str) -> str:
    """Read the name of a published split: train, validation (dev, val) or test.

    Raises:
        ValueError: It is none of these.
    """
    try:
        return _SPLITS[cell.casefold()]
    except KeyError:
        raise ValueError(cell) from None


def condition(cell: str) -> str:
    """Read which modalities a rater was shown.

    Raises:
        ValueError: It is none of `records.Condition`.
    """
    return Condition(cell.casefold()).value


def normalise(text: str) -> str:
    """Return the text that models and annotators see; the original is kept beside it.

    Composed (NFC), full-width letters, digits and spaces made half-width, Chinese punctuation kept,
    control characters and lone surrogates removed, white space folded.
    """
    letters = []
    for letter in unicodedata.normalize("NFC", text):
        code = ord(letter)
        if 0xFF01 <= code <= 0xFF5E and chr(code - 0xFEE0).isalnum():
            letter = chr(code - 0xFEE0)
        elif unicodedata.category(letter) in {"Cc", "Cs"}:
            letter = " "
        letters.append(letter)
    return " ".join("".join(letters).split())


def normalise_column(column: pa.Array) -> pa.Array:
    """Normalise a text column (see `normalise`)."""
    return map_distinct(column, lambda text: normalise(str(text)), pa.string())
