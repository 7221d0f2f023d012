"""Face landmarks from the CSV files that OpenFace 2 writes (Baltrušaitis et al. 2018)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.csv as pa_csv

from corpus.features.extractor import Absent, Extractor, Floats, Item, Modality
from corpus.features.landmarks import SHAPE, shape_of
from corpus.features.pooling import mean_and_deviation
from schemas.errors import InputError, Issue

LANDMARKS = 68
COLUMNS = (
    "timestamp",
    "confidence",
    "success",
    *(f"{axis}_{number}" for axis in "xy" for number in range(LANDMARKS)),
)


@lru_cache(maxsize=2)
def _rows(path: Path) -> npt.NDArray[np.float64]:
    """Read a file: shape (rows, columns of `COLUMNS`).

    Raises:
        InputError: It cannot be read, lacks columns or holds other things than numbers.
    """
    try:
        table = pa_csv.read_csv(path)
        table = table.rename_columns([name.strip() for name in table.column_names])
        lacking = [name for name in COLUMNS if name not in table.column_names]
        if not lacking:
            return np.column_stack([table.column(name).cast(pa.float64()).to_numpy() for name in COLUMNS])
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError) as error:
        raise InputError(Issue(f"this CSV file cannot be read: {error}", str(path))) from None
    message = "this file was not written by OpenFace with 2-D landmarks: it lacks columns"
    raise InputError(Issue(message, str(path), value=lacking[0], count=len(lacking)))


@lru_cache(maxsize=2)
def _files(folder: str) -> Mapping[str, Path]:
    """Return the files of a folder by their path in it without ``.csv``."""
    root = Path(folder)
    found = sorted(root.rglob("*.csv"))
    return {path.relative_to(root).with_suffix("").as_posix(): path for path in found}


@dataclass(frozen=True)
class OpenFace(Extractor):
    """The shape of the face in every frame where OpenFace found one, by its 68 landmarks.

    A file stands for an utterance's clip, or for a source; of a source the rows from an utterance's start to
    its end are taken. Where there are several faces in a frame, the surest one is taken.

    Attributes:
        csv: The folder of files, ``UTTERANCE_ID.csv`` or named as the source.
    """

    packages: ClassVar[tuple[str, ...]] = ("numpy",)
    name: str = field(default="openface", init=False)
    modality: Modality = field(default=Modality.FILES, init=False)
    sequence: bool = False
    csv: str = ""

    def parameters(self) -> dict[str, Any]:
        """Return all that decides the numbers.

        Raises:
            InputError: There is no such folder, or files in it are not OpenFace's; all faults at once.
        """
        if not Path(self.csv).is_dir():
            raise InputError(Issue("there is no such folder", column="--csv", value=self.csv))
        _files.cache_clear()
        files = _files(self.csv)
        if not files:
            raise InputError(Issue("there are no CSV files in this folder", self.csv))
        issues: list[Issue] = []
        digest = hashlib.sha256()
        for name, path in files.items():
            digest.update(f"{name}\0".encode() + hashlib.sha256(path.read_bytes()).digest())
            try:
                _rows(path)
            except InputError as error:
                issues += error.issues
        if issues:
            raise InputError(issues)
        return {
            "files": len(files),
            "files_sha256": digest.hexdigest(),
            "landmarks": LANDMARKS,
            "shape": SHAPE,
            "pooling": "none" if self.sequence else "mean of each number, then standard deviation of each",
        }

    def extract(self, items: Iterable[Item]) -> Iterator[Floats | Absent]:
        """Give the features of each item, in order."""
        files = _files(self.csv)
        for item in items:
            rows = _of_utterance(files, item)
            if rows is None:
                yield Absent("there is no OpenFace file of it")
                continue
            points = _surest(rows)
            if not len(points):
                yield Absent("OpenFace found no face")
                continue
            shapes = np.stack([shape_of(one) for one in points])
            yield shapes if self.sequence else mean_and_deviation(shapes)


def _of_utterance(files: Mapping[str, Path], item: Item) -> npt.NDArray[np.float64] | None:
    """Return the rows of an utterance; None when there is no file of it or of its source."""
    if item.utterance_id in files:
        return _rows(files[item.utterance_id])
    source = PurePosixPath(item.media or "")
    path = files.get(source.with_suffix("").as_posix() if item.media else "", files.get(source.stem))
    if path is None or item.start is None or item.end is None:
        return None
    rows = _rows(path)
    return rows[(rows[:, 0] >= item.start) & (rows[:, 0] < item.end)]


def _surest(rows: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the surest face of each frame with one, in order of time, shape (frames, landmarks, 2)."""
    times, confidence, success = rows[:, :3].T
    usable = np.flatnonzero((success == 1) & np.isfinite(rows).all(axis=1))
    order = usable[np.lexsort((-confidence[usable], times[usable]))]
    _, first = np.unique(times[order], return_index=True)
    return rows[order[first], 3:].reshape(-1, 2, LANDMARKS).transpose(0, 2, 1)
