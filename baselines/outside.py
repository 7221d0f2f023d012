"""Predictions that come from elsewhere, from a large language model for one, as a table.

They are judged as every model here is, so nothing is forgiven: each utterance of the test split has exactly
one row, each label is one of the schema, and a label that is left out is a fault, not an item less.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from baselines.data import Floats, Integers, Mask, Split, Values
from baselines.decoding import decode
from baselines.scoring import Answers
from corpus.importers.cells import parse_answers
from corpus.importers.reading import SourceTable, read_source
from schemas.errors import InputError, Issue
from schemas.fields import CategoricalField, Field, IntervalField, MultilabelField, RelationField
from schemas.label_schema import LabelSchema

ID = "utterance_id"
SOFT = "_soft"
NOT_PREDICTED = "the predictions have no column of this field"
MOST_NAMED = 10
"""Ids and cells of one fault that are named one by one."""
SUM_TOLERANCE = 0.01
"""By how much probabilities may miss 1: they come rounded."""


@dataclass(frozen=True)
class Predictions:
    """What a file of predictions holds.

    Attributes:
        answers: The answers by field, to all utterances of a split in order.
        ignored: Columns that were not read.
    """

    answers: Mapping[str, Answers]
    ignored: tuple[str, ...]


def read_predictions(path: str | Path, split: Split, schema: LabelSchema) -> Predictions:
    """Read predictions for every utterance of a split.

    Args:
        path: CSV, TSV, JSONL or Parquet with ``utterance_id``, a column for each predicted field (value
            names or spellings that the schema accepts; sets as ``a|b``, the empty one as ``[]``; numbers)
            and, where they are known, its probabilities in schema order as ``FIELD_soft`` (a list; in CSV
            written ``0.2|0.8`` or ``[0.2, 0.8]``). Probabilities alone decide the label, too.
        split: The utterances.
        schema: The label schema.

    Raises:
        InputError: The file cannot be read, has no field, or a column that is nearly called like one; ids are
            wrong, doubled or missing; a label is unknown, missing where the dataset has one, or probabilities
            are none. All faults at once, with the names that were probably meant.
    """
    path = Path(path)
    source = read_source(path)
    issues = [
        Issue(f"this row cannot be read: {source.fault}", str(path), row=row) for row, _ in source.broken
    ]
    issues += source.require([ID])
    columns = set(source.columns.column_names)
    fields = [one for one in schema if {one.name, f"{one.name}{SOFT}"} & columns]
    known = {name for one in schema for name in (one.name, f"{one.name}{SOFT}")}
    others = sorted(columns - known - {ID})
    if issues:
        raise InputError(issues)
    issues += _nearly_fields(others, known - columns, path)
    if not fields and not issues:
        message = "this file predicts no field of the dataset"
        issues.append(Issue(message, str(path), value=others, choices=list(schema.by_name)))
    place, faults = _places(source, split, path)
    issues += faults
    answers: dict[str, Answers] = {}
    for one in fields:
        found, faults = _answers(one, source, place, split, path)
        issues += faults
        if found is not None:
            answers[one.name] = found
    if issues:
        raise InputError(issues)
    return Predictions(answers, tuple(others))


def _nearly_fields(others: Iterable[str], missing: Iterable[str], path: Path) -> Iterator[Issue]:
    """Find columns that are probably misspelt fields: to leave them out would go unnoticed."""
    candidates = sorted(missing)
    for name in others:
        close = get_close_matches(name.casefold().strip(), candidates, n=1, cutoff=0.8)
        if close:
            message = "this column is nearly called like a field; rename it to be read, or otherwise"
            yield Issue(message, str(path), value=name, choices=close)


def _places(source: SourceTable, split: Split, path: Path) -> tuple[Integers, list[Issue]]:
    """Return the row of the file for every utterance, and what is wrong with the ids."""
    ids = [one.strip() if one else "" for one in source.columns.column(ID).to_pylist()]
    wanted = {name: row for row, name in enumerate(split.utterance_ids)}
    place = np.full(len(wanted), -1)
    count = Counter(ids)
    missing = [name for name in wanted if name not in count]
    strange = {name: row for row, name in reversed(list(enumerate(ids))) if name not in wanted}
    doubled = {
        name: row for row, name in reversed(list(enumerate(ids))) if name in wanted and count[name] > 1
    }
    for row, name in enumerate(ids):
        if name in wanted:
            place[wanted[name]] = row
    where = str(path)
    issues = []
    for name, row in list(strange.items())[:MOST_NAMED][::-1]:
        near = get_close_matches(name, missing or list(wanted), n=3, cutoff=0.6)
        message = "the test split has no such utterance" if name else "this row has no utterance_id"
        issues.append(Issue(message, where, None, _number(source, row), ID, name or None, near, count[name]))
    if len(strange) > MOST_NAMED:
        issues.append(Issue(f"{len(strange) - MOST_NAMED:,} more ids are not in the test split", where))
    for name, row in list(doubled.items())[:MOST_NAMED][::-1]:
        message = "this utterance is predicted more than once"
        issues.append(Issue(message, where, None, _number(source, row), ID, name, (), count[name]))
    if len(doubled) > MOST_NAMED:
        issues.append(
            Issue(f"{len(doubled) - MOST_NAMED:,} more utterances are predicted more than once", where)
        )
    if missing:
        message = f"{len(missing):,} of the {len(wanted):,} utterances of the test split are not predicted"
        issues.append(Issue(message, where, column=ID, value=", ".join(missing[:MOST_NAMED])))
    return place, issues


def _number(source: SourceTable, row: int) -> int:
    return int(source.rows[row].as_py())


def _answers(
    one: Field, source: SourceTable, place: Integers, split: Split, path: Path
) -> tuple[Answers | None, list[Issue]]:
    """Read the labels and probabilities of one field, in the order of the split."""
    issues: list[Issue] = []
    there = place >= 0
    labeled = split.labels[one.name].known
    scores = None
    if f"{one.name}{SOFT}" in source.columns.column_names and not isinstance(one, IntervalField):
        scores, issues = _probabilities(one, source, place, labeled, path)
    if one.name not in source.columns.column_names:
        if isinstance(one, IntervalField):
            message = "a field of numbers is predicted by its numbers, in a column of its own name"
            issues.append(Issue(message, str(path), column=f"{one.name}{SOFT}"))
        return (None if scores is None else Answers(decode(one, scores), scores)), issues
    cells = source.columns.column(one.name).combine_chunks()
    parsed, _ = parse_answers(one, cells)
    choices = _choices(one)
    texts = cells.to_pylist()
    wrong = Counter(texts[row] for row in np.flatnonzero(parsed.bad))
    for text, number in wrong.most_common(MOST_NAMED):
        row = _number(source, texts.index(text))
        message = "this is no label of the field"
        issues.append(Issue(message, str(path), None, row, one.name, text, choices, number))
    if len(wrong) > MOST_NAMED:
        more = Issue(f"{len(wrong) - MOST_NAMED:,} more unknown labels", str(path), column=one.name)
        issues.append(more)
    given = np.asarray(parsed.values.is_valid())
    blank = there & labeled & ~given[place] & ~parsed.bad[place]
    if blank.any():
        first = int(np.argmax(blank))
        message = "a prediction is missing where the dataset has a label"
        row = _number(source, int(place[first]))
        issues.append(
            Issue(message, str(path), None, row, one.name, split.utterance_ids[first], (), int(blank.sum()))
        )
    if issues or not there.all():
        return None, issues
    return Answers(_codes(one, parsed.values.take(pa.array(place))), scores), issues


def _choices(one: Field) -> list[object]:
    if isinstance(one, IntervalField):
        return [f"{one.low:g} to {one.high:g}"]
    return list(one.categories) if isinstance(one, CategoricalField | RelationField) else []


def _codes(one: Field, values: pa.Array) -> Values:
    """Turn value names into the numbers of `baselines.data.Labels`; anything where there is none."""
    if isinstance(one, MultilabelField):
        chosen = np.zeros((len(values), len(one.categories)), np.bool_)
        codes = pc.index_in(values.flatten(), value_set=pa.array(one.categories))
        chosen[np.asarray(pc.list_parent_indices(values)), np.asarray(codes)] = True
        return chosen
    if isinstance(one, CategoricalField):
        codes = pc.index_in(values, value_set=pa.array(one.categories))
        return np.asarray(codes.fill_null(0)).astype(np.int64)
    if isinstance(one, RelationField):
        return np.asarray(values.fill_null(one.low)).astype(np.int64) - one.low
    if isinstance(one, IntervalField):
        return np.asarray(values.fill_null(one.low)).astype(np.float64)
    raise TypeError(f"there is no way to read a {one.type} field")


def _probabilities(
    one: Field, source: SourceTable, place: Integers, labeled: Mask, path: Path
) -> tuple[Floats | None, list[Issue]]:
    """Read probabilities; rows that nobody asks for may lack them."""
    name = f"{one.name}{SOFT}"
    size = len(_choices(one))
    scores = np.full((len(place), size), 1 / size)
    faults: list[tuple[int, str | None]] = []
    cells = source.columns.column(name).to_pylist()
    for row, of_file in enumerate(place):
        if of_file < 0:
            continue
        numbers = _list(cells[of_file])
        if numbers is not None and _is_distribution(one, numbers, size):
            scores[row] = numbers
        elif cells[of_file] or labeled[row]:
            faults.append((int(of_file), cells[of_file]))
    if not isinstance(one, MultilabelField):
        scores /= scores.sum(axis=1, keepdims=True)
    if not faults:
        return scores, []
    row, cell = min(faults)
    message = f"{size} probabilities in the order of the schema are expected, each from 0 to 1"
    if not isinstance(one, MultilabelField):
        message += " and 1 in sum"
    number = _number(source, row)
    return None, [Issue(message, str(path), None, number, name, cell, _choices(one), len(faults))]


def _list(cell: str | None) -> list[float] | None:
    """Read a list of numbers: ``[0.2, 0.8]`` or ``0.2|0.8``."""
    try:
        found = json.loads(cell) if cell and cell.strip().startswith("[") else (cell or "").split("|")
        return [float(part) for part in found]
    except (ValueError, TypeError):
        return None


def _is_distribution(one: Field, numbers: list[float], size: int) -> bool:
    if len(numbers) != size or not all(0 <= number <= 1 for number in numbers):
        return False
    return isinstance(one, MultilabelField) or abs(sum(numbers) - 1) <= SUM_TOLERANCE
