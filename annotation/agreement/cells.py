"""From the cells of one column to category codes, level by level, with the faults of every cell."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from annotation.agreement.patterns import MISSING, Ints
from schemas.errors import Issue
from schemas.fields import Level

MAX_LISTED_ROWS = 100  # faults of one kind that are listed one by one
LARGEST = 1e100  # numbers are squared and summed, and floats end at 1.8e308
MOST_BITS = 62  # labels of a set that fit one integer

RowsOf = Callable[[int], Ints]  # rows whose set has the label of this code


def missing_cells(array: pa.Array) -> NDArray[np.bool_]:
    """Null or, for text, blank cells."""
    null = array.is_null(nan_is_null=pa.types.is_floating(array.type)).to_numpy(zero_copy_only=False)
    kind = array.type.value_type if pa.types.is_dictionary(array.type) else array.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        codes, words = encode(array) if pa.types.is_dictionary(array.type) else (None, array)
        blank = pc.equal(words, "").fill_null(False).to_numpy(zero_copy_only=False)
        null = null | (blank if codes is None else np.append(blank, False)[codes])
    return np.asarray(null, dtype=bool)


def is_list_of_labels(kind: pa.DataType) -> bool:
    """Whether cells of this type are lists of single values."""
    lists = pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list
    return any(is_kind(kind) for is_kind in lists) and not pa.types.is_nested(kind.value_type)


def row_issues(message: str, column: str, rows: Ints, values: pa.Array | None = None) -> list[Issue]:
    """One issue a row, and one that counts the rows beyond `MAX_LISTED_ROWS`."""
    issues = [
        Issue(
            message,
            row=int(row) + 1,
            column=column,
            value=None if values is None else values[int(row)].as_py(),
        )
        for row in rows[:MAX_LISTED_ROWS]
    ]
    if len(rows) > MAX_LISTED_ROWS:
        issues.append(Issue(f"{message}: {len(rows) - MAX_LISTED_ROWS} more rows", column=column))
    return issues


def encode(array: pa.Array) -> tuple[Ints, pa.Array]:
    """Dictionary codes (-1 where null) and the dictionary."""
    encoded = array if pa.types.is_dictionary(array.type) else array.dictionary_encode()
    codes = encoded.indices.fill_null(MISSING).to_numpy(zero_copy_only=False).astype(np.int64)
    return codes, encoded.dictionary


def _plain(value: object) -> str:
    """Text of a category: whole floats as integers, because a column with gaps is read as floats."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()


def names_of(
    array: pa.Array, column: str, level: Level, declared: tuple[str, ...], issues: list[Issue]
) -> tuple[Ints, tuple[str, ...]]:
    """Codes and names of a nominal or ordinal field."""
    codes, dictionary = encode(array)
    names = [
        _plain(value) if value is not None and value == value else "" for value in dictionary.to_pylist()
    ]
    found = sorted({name for name in names if name})
    if declared:
        order: Sequence[str] = declared
        for wrong in [name for name in found if name not in declared]:
            rows = np.flatnonzero(codes == names.index(wrong))
            issues.extend(
                Issue(
                    "not a value of this field",
                    row=int(row) + 1,
                    column=column,
                    value=wrong,
                    choices=declared,
                )
                for row in rows[:MAX_LISTED_ROWS]
            )
        if issues:
            return codes, declared
    elif level is Level.ORDINAL:
        numbers = {name: _number(name) for name in found}
        words = [name for name, value in numbers.items() if value is None]
        if words:
            issues.append(
                Issue(
                    "the order of these values is not known: use numbers, or a schema field that declares it",
                    column=column,
                    value=", ".join(words[:10]),
                )
            )
            return codes, ()
        order = sorted(found, key=lambda name: (numbers[name], name))
    else:
        order = found
    place = {name: code for code, name in enumerate(order)}
    lookup = np.array([place.get(name, MISSING) for name in names] + [MISSING], dtype=np.int64)
    return lookup[codes], tuple(order)


def _number(text: str) -> float | int | None:
    """The number that a text is, exact for integers; None for other text, infinity and nan."""
    try:
        return int(text)
    except ValueError:
        pass
    try:
        value = float(text)
    except ValueError:
        return None
    return value if np.isfinite(value) else None


def numbers_of(
    array: pa.Array, column: str, level: Level, issues: list[Issue]
) -> tuple[Ints, tuple[float, ...], int]:
    """Codes, ascending numbers and what was taken off them, of an interval or ratio field."""
    offset = 0
    if pa.types.is_integer(array.type):
        kept = ~missing_cells(array)
        whole = array.fill_null(0).to_numpy(zero_copy_only=False)
        if level is Level.INTERVAL and kept.any():
            # Differences are all that counts: taken before the cast, numbers near 2**62 keep their digits.
            offset = int(whole[kept].min())
            whole = whole.astype(np.int64 if whole.dtype != np.uint64 else np.uint64).view(np.uint64)
            whole = whole - np.array(offset % (1 << 64), dtype=np.uint64)
        numbers = np.where(kept, whole.astype(np.float64), np.nan)
    elif pa.types.is_floating(array.type):
        numbers = array.cast(pa.float64()).fill_null(np.nan).to_numpy(zero_copy_only=False)
    else:
        codes, dictionary = encode(array)
        texts = [_plain(value) if value is not None else "" for value in dictionary.to_pylist()]
        offset, found = _numbers_in(texts, level)
        numbers = np.array([*found, np.nan])
        unreadable = np.array([bool(text) and _float_or_none(text) is None for text in texts] + [False])
        bad = np.flatnonzero(unreadable[codes])
        issues.extend(row_issues("not a number", column, bad, array))
        numbers = numbers[codes]
    infinite = np.flatnonzero(np.isinf(numbers))
    issues.extend(row_issues("infinity is not a rating", column, infinite, array))
    too_big = np.flatnonzero(np.isfinite(numbers) & (np.abs(numbers) > LARGEST))
    issues.extend(row_issues("a number this large cannot be squared", column, too_big, array))
    if level is Level.RATIO:
        issues.extend(
            row_issues("a ratio field has no negative numbers", column, np.flatnonzero(numbers < 0), array)
        )
    if issues:
        return np.zeros(0, np.int64), (), 0
    encoded = pa.array(numbers + 0.0, mask=np.isnan(numbers)).dictionary_encode()  # + 0.0 joins -0 and 0
    distinct = encoded.dictionary.to_numpy(zero_copy_only=False)
    order = np.argsort(distinct)
    place = np.append(np.argsort(order), MISSING)
    codes = encoded.indices.fill_null(MISSING).to_numpy(zero_copy_only=False)
    return place[codes], tuple(distinct[order].tolist()), offset


def _numbers_in(texts: list[str], level: Level) -> tuple[int, list[float]]:
    """What was taken off the numbers in texts, and what is left; nan for other text.

    Whole numbers of an interval field are subtracted as such, so that huge ones keep their digits.
    """
    whole = {text: value for text in texts if isinstance(value := _number(text), int)}
    if level is not Level.INTERVAL or not whole or any(text and text not in whole for text in texts):
        return 0, [_float(text) for text in texts]
    offset = min(whole.values())
    return offset, [float(whole[text] - offset) if text else np.nan for text in texts]


def _float_or_none(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _float(text: str) -> float:
    value = _float_or_none(text)
    return np.nan if value is None else value


def sets_of(
    array: pa.Array, column: str, declared: tuple[str, ...], issues: list[Issue]
) -> tuple[Ints, tuple[frozenset[str], ...], tuple[str, ...]]:
    """Codes, distinct sets and labels of a multilabel field: lists, or text ``a|b``, ``[]`` for no label."""
    if is_list_of_labels(array.type):
        labels, member = _encode_labels(pc.list_flatten(array))
        parent = pc.list_parent_indices(array).to_numpy(zero_copy_only=False)
        parent, member = parent[member != MISSING], member[member != MISSING]
        _check_labels(labels, column, declared, issues, lambda wrong: parent[member == wrong])
        row_sets = _distinct_sets(parent, member, len(array), labels)
        missing = missing_cells(array)
    else:
        codes, dictionary = encode(array)
        cells = ["" if value is None else str(value).strip() for value in dictionary.to_pylist()]
        parts = [[] if cell == "[]" else [part.strip() for part in cell.split("|")] for cell in cells]
        labels = sorted(
            {label for one, cell in zip(parts, cells, strict=True) if cell for label in one if label}
        )
        _check_labels(
            labels,
            column,
            declared,
            issues,
            lambda wrong: np.flatnonzero(
                np.isin(codes, [i for i, one in enumerate(parts) if labels[wrong] in one])
            ),
        )
        sets = [frozenset(part for part in one if part) for one in parts]
        blank = np.array([not cell for cell in cells] + [True])
        distinct = sorted(set(sets), key=lambda one: (len(one), sorted(one)))
        place = {one: code for code, one in enumerate(distinct)}
        lookup = np.array([place[one] for one in sets] + [MISSING], dtype=np.int64)
        row_sets, missing = (lookup[codes], distinct), blank[codes]
    code, values = row_sets
    code = np.where(missing, MISSING, code)
    return code, tuple(values), declared or tuple(labels)


def _encode_labels(flat: pa.Array) -> tuple[list[str], Ints]:
    codes, dictionary = encode(flat)
    names = ["" if value is None else _plain(value) for value in dictionary.to_pylist()]
    labels = sorted({name for name in names if name})
    code_of = {name: code for code, name in enumerate(labels)}
    place = np.array([code_of.get(name, MISSING) for name in names] + [MISSING], dtype=np.int64)
    return labels, place[codes]


def _check_labels(
    labels: Sequence[str],
    column: str,
    declared: tuple[str, ...],
    issues: list[Issue],
    rows_of: RowsOf,
) -> None:
    for code, label in enumerate(labels):
        if declared and label not in declared:
            rows = rows_of(code)[:MAX_LISTED_ROWS]
            issues.extend(
                Issue(
                    "not a value of this field",
                    row=int(row) + 1,
                    column=column,
                    value=label,
                    choices=declared,
                )
                for row in rows
            )


def _distinct_sets(
    parent: Ints, member: Ints, rows: int, labels: Sequence[str]
) -> tuple[Ints, list[frozenset[str]]]:
    """Code of the set of each row, and the distinct sets, smallest first."""
    if len(labels) <= MOST_BITS:
        bits = np.zeros(rows, dtype=np.int64)
        np.bitwise_or.at(bits, parent, np.int64(1) << member)
        keys, code = np.unique(bits, return_inverse=True)
        found = [
            frozenset(label for bit, label in enumerate(labels) if key >> bit & 1) for key in keys.tolist()
        ]
    else:
        cells: list[set[str]] = [set() for _ in range(rows)]
        for row, label in zip(parent.tolist(), member.tolist(), strict=True):
            cells[row].add(labels[label])
        frozen = [frozenset(cell) for cell in cells]
        found = list(dict.fromkeys(frozen))
        place = {one: index for index, one in enumerate(found)}
        code = np.array([place[one] for one in frozen], dtype=np.int64)
    order = sorted(range(len(found)), key=lambda index: (len(found[index]), sorted(found[index])))
    return np.argsort(np.array(order, dtype=np.int64))[code], [found[index] for index in order]
