"""Any dataset of the Hub, or of a folder: which of its columns are what, said in a file of YAML.

```yaml
dataset: ORG/NAME            # or a folder that load_dataset opens
configuration: default       # optional
schema: meld                 # a shipped definition, or a file beside this one
splits: {validation: dev}    # optional: what a split is called there
columns:
  text: Utterance
  dialogue_id: [Episode, Scene]  # an id may be made of several columns
  utterance_id: Utterance_ID # optional
  speaker_id: Speaker        # optional
  emotion: Emotion           # the fields that there are
```

Such a file stands wherever a dataset does: ``baselines train MODEL map.yaml --out RUN``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import yaml

from baselines.dataset_files import first_line, interrupted
from schemas.definition import definition_text, parse_schema
from schemas.errors import InputError, Issue
from schemas.fields import CategoricalField, Field, IntervalField, MultilabelField
from schemas.label_schema import LabelSchema
from schemas.records import SPLIT_NAMES

KEYS = ("dataset", "configuration", "schema", "splits", "columns")
REQUIRED = ("dataset", "schema", "columns")
NEEDED = ("text", "dialogue_id")
IDS = ("dialogue_id", "utterance_id", "speaker_id")
KNOWN = ("text", *IDS)


@dataclass(frozen=True)
class FieldMap:
    """Which columns of a dataset are what.

    Attributes:
        path: The file that says so.
        dataset: A folder, or a name on the Hub.
        configuration: Its configuration; None for the default one.
        schema: The label schema.
        schema_text: The definition it was read from.
        splits: What our splits are called there.
        columns: What our columns are called there; of an id one or several, of all else one.
    """

    path: Path
    dataset: str
    configuration: str | None
    schema: LabelSchema
    schema_text: str
    splits: Mapping[str, str]
    columns: Mapping[str, tuple[str, ...]]


def is_field_map(dataset: str | Path) -> bool:
    """Say whether a dataset is named by a field map."""
    return Path(dataset).suffix in (".yaml", ".yml") and Path(dataset).is_file()


def read_field_map(path: str | Path) -> FieldMap:
    """Read a field map.

    Raises:
        InputError: It is no YAML mapping, lacks a key or has an unknown one, names a field that the schema
            does not have, or what it says of splits or columns cannot be; all faults at once.
    """
    path = Path(path)
    where = str(path)
    try:
        found = yaml.safe_load(path.read_text("utf-8-sig"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(Issue(f"this is not readable YAML: {first_line(error)}", where)) from None
    if not isinstance(found, dict):
        raise InputError(Issue("a mapping is expected here", where, choices=KEYS))
    issues = [Issue("unknown key", where, value=name, choices=KEYS) for name in found if name not in KEYS]
    issues += [Issue("this key is required", where, column=name) for name in REQUIRED if name not in found]
    if issues:
        raise InputError(issues)
    text, _ = definition_text(_beside(path, str(found["schema"])))
    schema = parse_schema(text, str(found["schema"]))
    columns, splits = found["columns"], found.get("splits") or {}
    issues = [
        Issue(f"a mapping of our {name} to theirs is expected here", where, column=name, value=given)
        for name, given in (("columns", columns), ("splits", splits))
        if not isinstance(given, dict)
    ]
    if issues:
        raise InputError(issues)
    choices = [*KNOWN, *schema.by_name]
    issues = [
        Issue("this is no column of a map and no field of the schema", where, value=name, choices=choices)
        for name in columns
        if name not in choices
    ]
    issues += [Issue("the map lacks a column", where, value=name) for name in NEEDED if name not in columns]
    issues += [
        Issue("only ids are made of several columns", where, column=name, value=theirs, choices=IDS)
        for name, theirs in columns.items()
        if name not in IDS and len(_listed(theirs)) != 1
    ]
    issues += [
        Issue("an id is made of one column or more", where, column=name)
        for name, theirs in columns.items()
        if name in IDS and not _listed(theirs)
    ]
    names = {"configuration": found.get("configuration"), **splits}
    issues += [
        Issue("a name is expected here", where, column=str(ours), value=theirs)
        for ours, theirs in names.items()
        if theirs is not None and not isinstance(theirs, str)
    ]
    issues += [
        Issue("there is no such split", where, column="splits", value=ours, choices=SPLIT_NAMES)
        for ours in splits
        if ours not in SPLIT_NAMES
    ]
    if not any(name in schema for name in columns):
        issues.append(Issue("the map has no field of the schema", where, choices=list(schema.by_name)))
    if issues:
        raise InputError(issues)
    dataset = _beside(path, str(found["dataset"]))
    return FieldMap(
        path,
        dataset,
        found.get("configuration"),
        schema,
        text,
        splits,
        {str(ours): tuple(map(str, _listed(theirs))) for ours, theirs in columns.items()},
    )


def _beside(path: Path, name: str) -> str:
    """Return a path relative to the map where there is such a file or folder, else the name as it stands."""
    return str(path.parent / name) if (path.parent / name).exists() else name


def map_rows(found: FieldMap, split: str, cache_dir: Path | None = None) -> pa.Table:
    """Read a split as `baselines.data.to_split` takes it; rows of other splits are not returned.

    Args:
        found: The map.
        split: Our name of the split.
        cache_dir: Where ``datasets`` keeps its cache; by default its own place.

    Raises:
        InputError: There is no such dataset, split or column, two utterances are called alike, or a value is
            none of the schema's.
    """
    from datasets import ClassLabel, load_dataset
    from datasets.exceptions import DatasetGenerationError

    where = f"{found.dataset}, split {split}"
    name = found.splits.get(split, split)
    cache = str(cache_dir) if cache_dir else None
    try:
        rows = load_dataset(found.dataset, found.configuration, split=name, cache_dir=cache)
    except (DatasetGenerationError, ValueError, *interrupted()) as error:
        raise InputError(Issue(f"this split cannot be read: {first_line(error)}", where)) from None
    issues = [
        Issue("the dataset lacks a column", where, value=theirs, choices=list(rows.features))
        for theirs in dict.fromkeys(one for parts in found.columns.values() for one in parts)
        if theirs not in rows.features
    ]
    if issues:
        raise InputError(issues)
    columns: dict[str, list[Any]] = {}
    for ours, parts in found.columns.items():
        cells = []
        for theirs in parts:
            feature = getattr(rows.features[theirs], "feature", rows.features[theirs])
            named = feature.names if isinstance(feature, ClassLabel) else None
            cells.append([_named(value, named) for value in rows[theirs]])
        columns[ours] = cells[0] if len(cells) == 1 else [_joined(one) for one in zip(*cells, strict=True)]
    size = len(rows)
    table = {name: pa.array([_text(one) for one in columns[name]], pa.string()) for name in NEEDED}
    ids = columns.get("utterance_id") or range(size)
    # Many corpora number utterances within their dialogue, and ids are to be unique.
    table["utterance_id"] = pa.array(
        [f"{dialogue}_{one}" for dialogue, one in zip(columns["dialogue_id"], ids, strict=True)]
    )
    speakers = columns.get("speaker_id") or [None] * size
    table["speaker_id"] = pa.array([_text(one) for one in speakers], pa.string())
    for field in found.schema:
        cells = columns.get(field.name) or [None] * size
        codes, faults = _codes(field, cells, where)
        table[field.name] = codes
        issues += faults
    issues += _doubled(table["utterance_id"], where)
    if issues:
        raise InputError(issues)
    return _together(pa.table(table))


def _doubled(ids: pa.Array, where: str) -> list[Issue]:
    """Find utterances that are called alike: predictions and ratings are told by their ids."""
    counts = Counter(ids.to_pylist())
    doubled = {one: count for one, count in counts.items() if count > 1}
    if not doubled:
        return []
    message = f"{len(doubled):,} ids are those of several utterances; choose other columns for them"
    first, count = next(iter(doubled.items()))
    return [Issue(message, where, None, None, "utterance_id", first, (), count)]


def _listed(theirs: Any) -> list[Any]:  # noqa: ANN401 - whatever a map holds
    return theirs if isinstance(theirs, list) else [theirs]


def _joined(cells: tuple[Any, ...]) -> str | None:
    """Make an id of several cells; without one of them there is none."""
    return None if None in cells else "_".join(map(str, cells))


def _named(value: Any, names: list[str] | None) -> Any:  # noqa: ANN401 - whatever a dataset holds
    if names is None or value is None:
        return value
    return [names[one] for one in value] if isinstance(value, list) else names[value]


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _codes(field: Field, cells: list[Any], where: str) -> tuple[pa.Array, list[Issue]]:
    """Turn values into codes; what is none of the schema's is a fault."""
    wrong: dict[str, int] = {}

    def code(value: Any) -> int | None:  # noqa: ANN401
        assert isinstance(field, CategoricalField)
        name = field.spellings.get(str(value).strip().casefold())
        if name is None:
            wrong[str(value)] = wrong.get(str(value), 0) + 1
            return None
        return field.categories.index(name)

    if isinstance(field, MultilabelField):
        sets = [None if cell is None else [code(one) for one in _members(cell)] for cell in cells]
        found = pa.array(sets, pa.list_(pa.int64()))
    elif isinstance(field, CategoricalField):
        found = pa.array([None if cell in (None, "") else code(cell) for cell in cells], pa.int64())
    else:
        kind = pa.float32() if isinstance(field, IntervalField) else pa.int8()
        try:
            found = pa.array([None if cell in (None, "") else float(cell) for cell in cells]).cast(kind)
        except (TypeError, ValueError) as error:
            return pa.nulls(len(cells), kind), [
                Issue(f"this column is not of numbers: {first_line(error)}", where, column=field.name)
            ]
    choices = field.categories if isinstance(field, CategoricalField) else ()
    return found, [
        Issue("unknown value", where, None, None, field.name, value, choices, count)
        for value, count in wrong.items()
    ]


def _members(cell: Any) -> list[Any]:  # noqa: ANN401
    return cell if isinstance(cell, list) else [one for one in str(cell).split("|") if one and one != "[]"]


def _together(table: pa.Table) -> pa.Table:
    """Bring the turns of a dialogue together, in the order in which dialogues begin."""
    dialogue = np.asarray(table.column("dialogue_id").combine_chunks().dictionary_encode().indices)
    return table.take(pa.array(np.argsort(dialogue, kind="stable")))
