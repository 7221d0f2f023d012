"""Features that exist already: from Parquet, NPZ or HDF5, keyed by utterance, checked before they come in."""

from __future__ import annotations

import hashlib
import json
import zlib
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from corpus.features import table
from corpus.features.extractor import Absent, Floats, require
from corpus.features.making import Made, refuse_name
from corpus.features.table import FOLDER, RECIPE
from schemas import project as folder
from schemas.errors import InputError, Issue
from schemas.project import Project
from schemas.tables import Provenance, read_table

STEP = "corpus features --import"
VERSION = 1
UNKNOWN = "unknown"
"""The recipe of features that came without one."""
ID, FEATURES = "utterance_id", "features"
ROWS = 256
"""Utterances of a part."""

_DAMAGED = (ValueError, OSError, EOFError, MemoryError, BadZipFile, zlib.error)
"""What libraries raise over damaged files; a header of an array may ask for any amount of memory."""


class Source(ABC):
    """A file of features. Reading is lazy: a file may be larger than memory.

    Attributes:
        ids: The ids in the file, in its order.
    """

    ids: list[str]

    @abstractmethod
    def get(self, place: int) -> npt.NDArray[Any] | None:
        """Return what the file has for the id at a place; None where it says itself that there is nothing."""


class _ParquetSource(Source):
    def __init__(self, path: Path, _: Container[str]) -> None:
        rows = read_table(path)
        if ID not in rows.column_names:
            raise InputError(
                Issue("this table lacks a column", str(path), value=ID, choices=rows.column_names)
            )
        self.ids = [str(one) for one in rows.column(ID).to_pylist()]
        lists = [one.name for one in rows.schema if is_list(one.type)]
        numbers = [
            one.name for one in rows.schema if pa.types.is_floating(one.type) or pa.types.is_integer(one.type)
        ]
        chosen = FEATURES if FEATURES in lists else lists[0] if len(lists) == 1 else None
        if chosen is None and (lists or not numbers):
            message = "features are one column of lists, or that called 'features', or columns of numbers"
            raise InputError(Issue(message, str(path), value=", ".join(lists) or None))
        self._lists = rows.column(chosen) if chosen else None
        self._matrix = None if chosen else np.column_stack([rows.column(name).to_numpy() for name in numbers])

    def get(self, place: int) -> npt.NDArray[Any] | None:
        if self._matrix is not None:
            return np.asarray(self._matrix[place])
        assert self._lists is not None
        value = self._lists[place]
        return _array(value.values) if value.is_valid else None


def is_list(kind: pa.DataType) -> bool:
    """Say whether a column holds lists, of any of Arrow's kinds."""
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind))


def _array(values: pa.Array) -> npt.NDArray[Any]:
    """Make an array of a list; a ragged one becomes an array of objects, which no features may be."""
    if not is_list(values.type):
        return np.asarray(values.to_numpy(zero_copy_only=False))
    lengths = np.unique(np.asarray(pc.list_value_length(values)))
    if len(lengths) != 1 or values.null_count:
        return np.asarray([None])
    return np.asarray(values.flatten().to_numpy(zero_copy_only=False)).reshape(len(values), -1)


class _NpzSource(Source):
    def __init__(self, path: Path, _: Container[str]) -> None:
        try:
            self._file = np.load(path, allow_pickle=False)
            names = list(self._file.files)
            self._rows = self._file[FEATURES] if {ID, FEATURES} == set(names) else None
            self.ids = [str(one) for one in self._file[ID]] if self._rows is not None else names
        except (*_DAMAGED, AttributeError) as error:
            raise InputError(Issue(f"this NPZ file cannot be read: {error}", str(path))) from None
        if self._rows is not None:
            _refuse_lengths(path, len(self.ids), len(np.atleast_1d(self._rows)))

    def get(self, place: int) -> npt.NDArray[Any] | None:
        if self._rows is not None:
            return np.asarray(self._rows[place])
        try:
            return np.asarray(self._file[self.ids[place]])
        except ValueError:  # an array of pickled objects
            return np.asarray([None])


class _Hdf5Source(Source):
    """Data sets named by utterance, or groups named so that hold ``features`` (as in CMU's .csd files).

    Or, as in NPZ, the two data sets ``utterance_id`` and ``features``, a row an utterance.
    """

    def __init__(self, path: Path, known: Container[str]) -> None:
        h5py: Any = require("h5py")
        try:
            self._file = h5py.File(path, "r")
        except OSError as error:
            raise InputError(Issue(f"this is not a readable HDF5 file: {error}", str(path))) from None
        self._paths: list[str] = []
        self._file.visititems(self._visit)
        self._in_rows = set(self._paths) == {ID, FEATURES}
        if self._in_rows:
            self.ids = [_text(one) for one in np.ravel(self._file[ID][()])]
            _refuse_lengths(path, len(self.ids), len(np.atleast_1d(self._file[FEATURES])))
            return
        grouped = [one for one in self._paths if one.rpartition("/")[2] == FEATURES]
        self._paths = grouped or self._paths
        keys = [one.rpartition("/")[0] if grouped else one for one in self._paths]
        # Groups around the utterances, such as the name of the features, are not part of an id.
        self.ids = [one if one in known else one.rpartition("/")[2] for one in keys]

    def _visit(self, name: str, thing: Any) -> None:  # noqa: ANN401 - untyped library
        if hasattr(thing, "dtype"):
            self._paths.append(name)

    def get(self, place: int) -> npt.NDArray[Any] | None:
        return np.asarray(self._file[FEATURES][place] if self._in_rows else self._file[self._paths[place]])


def _text(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _refuse_lengths(path: Path, ids: int, rows: int) -> None:
    if ids != rows:
        message = f"{ID} and {FEATURES} have different lengths"
        raise InputError(Issue(message, str(path), value=f"{ids} and {rows}"))


_SOURCES: dict[str, type[_ParquetSource] | type[_NpzSource] | type[_Hdf5Source]] = {
    ".parquet": _ParquetSource,
    ".npz": _NpzSource,
    **dict.fromkeys((".h5", ".hdf5", ".csd"), _Hdf5Source),
}


def open_source(path: Path, known: Container[str]) -> Source:
    """Open a file of features.

    Args:
        path: The file.
        known: The ids of the project's utterances.

    Raises:
        InputError: It is not there, of an unknown kind, or cannot be read.
    """
    if path.suffix.lower() not in _SOURCES:
        message = "features come from these kinds of files only"
        raise InputError(Issue(message, str(path), value=path.suffix, choices=list(_SOURCES)))
    if not path.is_file():
        raise InputError(Issue("there is no such file", str(path)))
    return _SOURCES[path.suffix.lower()](path, known)


@dataclass
class _Faults:
    """Faults by kind, each with its first id and how often it occurs."""

    where: str
    first: dict[str, Any] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)

    def add(self, message: str, value: object) -> None:
        self.first.setdefault(message, value)
        self.counts[message] += 1

    def issues(self) -> Iterator[Issue]:
        for message, value in self.first.items():
            yield Issue(message, self.where, column=ID, value=value, count=self.counts[message])


@dataclass(frozen=True)
class _Checked:
    """What a file holds for the utterances of a project.

    Attributes:
        place: Place in the file, by utterance.
        sequence: Whether features are (steps, width).
        width: Numbers in a vector.
    """

    place: dict[str, int]
    sequence: bool
    width: int


def check(source: Source, utterance_ids: Sequence[str], where: str) -> _Checked:
    """Look through all of a file.

    Raises:
        InputError: Ids that are unknown or stand twice, arrays of other shapes than most have, values that
            are not finite numbers; all kinds at once, and with them how many utterances are not in the file.
    """
    known = set(utterance_ids)
    faults = _Faults(where)
    place: dict[str, int] = {}
    shapes: Counter[tuple[int, int]] = Counter()
    shape_of: dict[str, tuple[int, int]] = {}
    for number, one in enumerate(source.ids):
        if one not in known:
            faults.add("there is no such utterance in the project", one)
            continue
        if one in place:
            faults.add("this utterance stands twice in the file", one)
            continue
        place[one] = number
        try:
            values = source.get(number)
        except _DAMAGED:
            faults.add("these features cannot be read: the file is damaged", one)
            continue
        if values is None:
            continue
        if values.dtype.kind not in "fiu" or values.ndim not in (1, 2) or not values.size:
            faults.add("features are numbers, of the shape (width) or (steps, width)", one)
            continue
        shape_of[one] = (values.ndim, values.shape[-1])
        shapes[shape_of[one]] += 1
        with np.errstate(over="ignore"):
            if not np.isfinite(values.astype(np.float32)).all():
                faults.add("these features hold values that are not finite numbers", one)
    usual = shapes.most_common(1)[0][0] if shapes else (1, 0)
    for one, shape in shape_of.items():
        if shape != usual:
            faults.add(f"these features have another shape than most, which are {_shape(usual)}", one)
    if not shapes and not faults.counts:
        faults.add("this file holds no features", None)
    issues = list(faults.issues())
    if issues:
        absent = [one for one in utterance_ids if one not in place]
        if absent:
            message = "this utterance is not in the file (no fault in itself: it would have no features)"
            issues.append(Issue(message, where, column=ID, value=absent[0], count=len(absent)))
        raise InputError(issues)
    return _Checked(place, usual[0] == 2, usual[1])


def _shape(usual: tuple[int, int]) -> str:
    return f"({usual[1]})" if usual[0] == 1 else f"(steps, {usual[1]})"


def read_given_recipe(path: Path | None) -> dict[str, Any] | str:
    """Read the recipe that came with features; ``unknown`` when none did.

    Raises:
        InputError: The file is not there or is not a JSON mapping.
    """
    if path is None:
        return UNKNOWN
    try:
        found = json.loads(path.read_text("utf-8-sig"))
    except OSError:
        raise InputError(Issue("there is no such file", str(path), column="--recipe")) from None
    except ValueError as error:
        raise InputError(Issue(f"a recipe is JSON: {error}", str(path), column="--recipe")) from None
    if not isinstance(found, dict) or not found:
        raise InputError(Issue("a recipe is a JSON object that says something", str(path), column="--recipe"))
    return found


def import_features(project: Project, name: str, path: Path, recipe: Path | None = None) -> Made:
    """Take in features that exist already.

    Args:
        project: The project.
        name: Name of the features.
        path: Parquet (``utterance_id`` and a column of lists, or columns of numbers), NPZ (an array an id, or
            arrays ``utterance_id`` and ``features``) or HDF5 (a data set an id).
        recipe: JSON file that says how they were made.

    Returns:
        What came in. Utterances that are not in the file have no features, with that as the reason.

    Raises:
        InputError: The file cannot be read, or with all faults of its content; features of this name were
            made by 'corpus features'.
    """
    refuse_name(project, name)
    ids = read_table(project.require(folder.UTTERANCES, "corpus import"), [ID]).column(ID).to_pylist()
    known = table.read_recipe(project, name)
    if known is not None and known.get("made_by") != STEP:
        message = "features of this name were not imported; choose another name"
        raise InputError(Issue(message, f"{FOLDER}/{name}", value=known.get("made_by")))
    source = open_source(path, set(ids))
    given = read_given_recipe(recipe)
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    identity = {
        "file_sha256": digest,
        "recipe": given,
        "utterances_sha256": _digest(ids),
    }
    if known is not None and known.get("identity") == identity:
        return Made(name, False, len(ids), known["missing"], known["width"], {})
    checked = check(source, ids, str(path))
    missing: Counter[str] = Counter()
    with table.writing(project, name) as target:
        (target / RECIPE).unlink(missing_ok=True)
        for old in table.parts(project, name):
            old.unlink()
        for number, first in enumerate(range(0, len(ids), ROWS)):
            members = ids[first : first + ROWS]
            found = [_take(source, checked, one) for one in members]
            missing.update(one.reason for one in found if isinstance(one, Absent))
            provenance = Provenance(STEP, VERSION, {}, {"identity": identity})
            table.write_part(
                table.part_path(target, number),
                members,
                found,
                sequence=checked.sequence,
                provenance=provenance,
            )
        about = {
            "name": name,
            "made_by": STEP,
            "file": path.name,
            "recipe": given,
            "shape": "steps, width" if checked.sequence else "width",
            "width": checked.width,
            "utterances": len(ids),
            "missing": dict(sorted(missing.items())),
            "identity": identity,
        }
        table.write_recipe(target, about)
    return Made(name, True, len(ids), dict(sorted(missing.items())), checked.width, {})


def utterances_digest(project: Project) -> str:
    """Return the digest of a project's utterances that features are imported for."""
    return _digest(read_table(project.path(folder.UTTERANCES), [ID]).column(ID).to_pylist())


def _digest(ids: Sequence[str]) -> str:
    return hashlib.sha256("\0".join(ids).encode()).hexdigest()


def _take(source: Source, checked: _Checked, utterance_id: str) -> Floats | Absent:
    if utterance_id not in checked.place:
        return Absent("it is not in the imported file")
    values = source.get(checked.place[utterance_id])
    return Absent("it is null in the imported file") if values is None else values.astype(np.float32)
