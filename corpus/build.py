"""Building the dataset folder that ``datasets.load_dataset`` opens and that is published.

Everything is streamed in chunks of whole dialogues, so memory does not grow with the corpus. Parquet is
written with pyarrow under the Arrow schema of the Hugging Face features.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from corpus.card import write_card
from corpus.hf_features import (
    SPLIT_ORDER,
    annotation_features,
    default_features,
    dialogue_features,
    encoders,
)
from schemas import project as folder
from schemas.errors import InputError, Issue
from schemas.project import DATASET, Project
from schemas.records import RatingStatus
from schemas.tables import Provenance, TableWriter, iter_tables, read_table

VERSION = 1
CHUNK_ROWS = 16_384
SHARD_ROWS = 1_000_000
PROVENANCE = f"{DATASET}/provenance.json"
DIALOGUE_COLUMNS = ("source", "show", "episode", "topic")


@dataclass(frozen=True)
class Built:
    """What was built.

    Attributes:
        rows: Rows by configuration and split.
        labels: The table of decided labels that was built.
    """

    rows: dict[str, dict[str, int]]
    labels: str


def build(project: Project) -> Built | None:
    """Build ``dataset/`` from the project's tables.

    Returns:
        What was built; None when it stands there already, built from the same tables.

    Raises:
        InputError: A step before is missing or out of date, or the tables do not fit together.
    """
    for name, command in (
        (folder.UTTERANCES, "corpus import"),
        (folder.DIALOGUES, "corpus import"),
        (folder.SPLITS, "corpus split"),
    ):
        project.require(name, command)
    labels = project.labels_built()
    _refuse_stale(project, (labels, folder.SPLITS))
    annotations = project.annotation_files()
    settings = folder.SETTINGS
    inputs = [
        folder.UTTERANCES,
        folder.DIALOGUES,
        folder.SPLITS,
        folder.SCHEMA,
        settings,
        labels,
        *annotations,
    ]
    provenance = project.provenance("corpus build", VERSION, inputs)
    if _is_current(project, provenance):
        return None
    with project.writing("corpus build") as staging:
        target = staging / DATASET
        with _Configurations(target, project, with_annotations=bool(annotations)) as configurations:
            for chunk in _chunks(project, labels, annotations):
                configurations.write(chunk)
        rows = configurations.rows
        digest = hashlib.sha256(provenance.to_json().encode()).hexdigest()
        write_card(project, target, rows, labels, digest)
        shutil.copyfile(project.path(folder.SCHEMA), target / folder.SCHEMA)
        (target / "provenance.json").write_text(provenance.to_json() + "\n", "utf-8")
    return Built(rows, labels)


def _is_current(project: Project, provenance: Provenance) -> bool:
    path = project.path(PROVENANCE)
    return path.exists() and path.read_text("utf-8").strip() == provenance.to_json()


def stale_inputs(project: Project) -> list[str]:
    """Return the inputs of the dataset that have changed since it was built."""
    known = json.loads(project.path(PROVENANCE).read_text("utf-8"))["inputs"]
    return [name for name, digest in known.items() if not project.has(name) or project.hash(name) != digest]


def _refuse_stale(project: Project, tables: Sequence[str]) -> None:
    issues = [
        Issue(f"{name} was made before {', '.join(stale)} changed; make it again", str(project.root))
        for name in tables
        if (stale := project.stale_inputs(name))
    ]
    if issues:
        raise InputError(issues)


# -- reading in chunks of whole dialogues --------------------------------------------------------------


@dataclass(frozen=True)
class _Chunk:
    """Whole dialogues: their utterances with labels, names still in place of codes, and their ratings."""

    rows: pa.Table
    split: np.ndarray
    ratings: pa.Table | None
    rating_split: np.ndarray | None


class _RowStream:
    """A table read piece by piece, from which any number of rows can be taken next."""

    def __init__(self, path: Path) -> None:
        self._pieces = iter_tables(path, rows=CHUNK_ROWS)
        self._waiting: pa.Table | None = None

    def take(self, size: int) -> pa.Table:
        """Return the next ``size`` rows, fewer at the end."""
        taken = []
        while size:
            piece = self._waiting if self._waiting is not None else next(self._pieces, None)
            if piece is None:
                break
            taken.append(piece.slice(0, size))
            self._waiting = piece.slice(size) if piece.num_rows > size else None
            size -= taken[-1].num_rows
        return pa.concat_tables(taken) if taken else pa.table({})

    def take_while_in(self, column: str, values: pa.Array) -> Iterator[pa.Table]:
        """Give rows for as long as ``column`` is one of ``values``."""
        while True:
            piece = self._waiting if self._waiting is not None else next(self._pieces, None)
            self._waiting = None
            if piece is None:
                return
            outside = np.flatnonzero(~np.asarray(pc.is_in(piece.column(column), value_set=values)))
            size = int(outside[0]) if len(outside) else piece.num_rows
            if size:
                yield piece.slice(0, size)
            if len(outside):
                self._waiting = piece.slice(size)
                return

    def first_left(self, column: str) -> object:
        """Return a value of the next row; None at the end."""
        rest = self.take(1)
        return rest.column(column)[0].as_py() if rest.num_rows else None


def _chunks(project: Project, labels: str, annotations: Sequence[str]) -> Iterator[_Chunk]:
    dialogues = read_table(project.path(folder.DIALOGUES), ["dialogue_id", *DIALOGUE_COLUMNS])
    splits = read_table(project.path(folder.SPLITS), ["dialogue_id", "split"])
    split_of = _split_numbers(project, dialogues, splits)
    label_stream = _RowStream(project.path(labels))
    rating_streams = [_RowStream(project.path(name)) for name in annotations]
    for utterances in _whole_dialogues(project.path(folder.UTTERANCES)):
        decided = label_stream.take(utterances.num_rows)
        _refuse_mismatch(project, labels, utterances, decided)
        place = pc.index_in(utterances.column("dialogue_id"), value_set=dialogues.column("dialogue_id"))
        rows = utterances
        for name in DIALOGUE_COLUMNS:
            rows = rows.append_column(name, dialogues.column(name).take(place))
        for name in decided.column_names[1:]:
            rows = rows.append_column(name, decided.column(name))
        split = split_of[place.to_numpy()]
        ratings, rating_split = _ratings(rating_streams, rows, split)
        yield _Chunk(rows, split, ratings, rating_split)
    _refuse_leftovers(project, [labels, *annotations], [label_stream, *rating_streams])


def _whole_dialogues(path: Path) -> Iterator[pa.Table]:
    """Read utterances in pieces that end where a dialogue ends."""
    waiting: list[pa.Table] = []
    for piece in iter_tables(path, rows=CHUNK_ROWS):
        ids = piece.column("dialogue_id").combine_chunks()
        last = len(ids) - int(np.argmax(np.asarray(pc.not_equal(ids, ids[-1]))[::-1]))
        if bool(pc.all(pc.equal(ids, ids[-1])).as_py()):
            last = 0
        waiting.append(piece.slice(0, last))
        if last:
            yield pa.concat_tables(waiting)
            waiting = []
        waiting.append(piece.slice(last))
    if waiting and sum(piece.num_rows for piece in waiting):
        yield pa.concat_tables(waiting)


def _split_numbers(project: Project, dialogues: pa.Table, splits: pa.Table) -> np.ndarray:
    """Return the number in `SPLIT_ORDER` of each dialogue's split."""
    names = splits.column("split").take(
        pc.index_in(dialogues.column("dialogue_id"), value_set=splits.column("dialogue_id"))
    )
    numbers = pc.index_in(names, value_set=pa.array(SPLIT_ORDER))
    lost = dialogues.column("dialogue_id").filter(pc.is_null(numbers))
    if len(lost):
        message = f"{len(lost)} dialogues have no split, or one that is not known; run 'corpus split'"
        raise InputError(
            Issue(
                message,
                str(project.path(folder.SPLITS)),
                None,
                None,
                "dialogue_id",
                lost[0].as_py(),
                SPLIT_ORDER,
            )
        )
    found: np.ndarray = numbers.to_numpy()
    return found


def _refuse_mismatch(project: Project, labels: str, utterances: pa.Table, decided: pa.Table) -> None:
    if decided.num_rows == utterances.num_rows and utterances.column("utterance_id").equals(
        decided.column("utterance_id")
    ):
        return
    message = "the labels do not stand row for row beside the utterances; decide or import them again"
    raise InputError(Issue(message, str(project.path(labels))))


def _refuse_leftovers(project: Project, names: Sequence[str], streams: Sequence[_RowStream]) -> None:
    issues = [
        Issue(
            "this row belongs to no utterance, or the table is not in utterance order",
            str(project.path(name)),
            column="utterance_id",
            value=left,
        )
        for name, stream in zip(names, streams, strict=True)
        if (left := stream.first_left("utterance_id")) is not None
    ]
    if issues:
        raise InputError(issues)


def _ratings(
    streams: Sequence[_RowStream], rows: pa.Table, split: np.ndarray
) -> tuple[pa.Table | None, np.ndarray | None]:
    """Take the ratings of a chunk's utterances from all origins, in utterance order."""
    ids = rows.column("utterance_id")
    found = [piece for stream in streams for piece in stream.take_while_in("utterance_id", ids)]
    if not found:
        return None, None
    ratings = pa.concat_tables(found)
    ratings = ratings.filter(pc.equal(ratings.column("status"), RatingStatus.SUBMITTED.value))
    place = pc.index_in(ratings.column("utterance_id"), value_set=ids).to_numpy()
    order = np.argsort(place, kind="stable")
    ratings = ratings.take(pa.array(order))
    ratings = ratings.append_column("dialogue_id", rows.column("dialogue_id").take(pa.array(place[order])))
    return ratings, split[place[order]]


# -- writing configurations ----------------------------------------------------------------------------


class _Configurations:
    """The Parquet files of all configurations and splits, open at once."""

    def __init__(self, target: Path, project: Project, *, with_annotations: bool) -> None:
        self.target = target
        self.schema = project.schema
        self.codes = encoders(project.schema)
        self.arrow = {
            "default": default_features(project.schema).arrow_schema,
            "dialogues": dialogue_features(project.schema).arrow_schema,
        }
        if with_annotations:
            self.arrow["annotations"] = annotation_features(project.schema).arrow_schema
        self.rows: dict[str, dict[str, int]] = {name: {} for name in self.arrow}
        self._shards: dict[tuple[str, str], list[Path]] = {}
        self._writers: dict[tuple[str, str], tuple[TableWriter, int]] = {}
        self._open = ExitStack()

    def __enter__(self) -> _Configurations:
        return self

    def __exit__(self, *error: object) -> None:
        self._open.__exit__(*error)  # type: ignore[arg-type]
        if error[0] is None:
            self._name_shards()

    def write(self, chunk: _Chunk) -> None:
        """Write the rows of a chunk to every configuration."""
        rows = self._encode(chunk.rows)
        for number, split in enumerate(SPLIT_ORDER):
            mine = rows.filter(pa.array(chunk.split == number))
            if mine.num_rows:
                self._write("default", split, mine)
                self._write("dialogues", split, self._nested(mine))
        if chunk.ratings is not None:
            ratings = self._encode(chunk.ratings)
            for number, split in enumerate(SPLIT_ORDER):
                mine = ratings.filter(pa.array(chunk.rating_split == number))
                if mine.num_rows:
                    self._write("annotations", split, mine)

    def _encode(self, rows: pa.Table) -> pa.Table:
        """Put codes in the place of value names."""
        for column, names in self.codes.items():
            place = rows.column_names.index(column) if column in rows.column_names else -1
            if place >= 0:
                coded = _codes(rows.column(column).combine_chunks(), names, column)
                rows = rows.set_column(place, column, coded)
        return rows

    def _nested(self, rows: pa.Table) -> pa.Table:
        """Make a row a dialogue; its utterances become a list."""
        schema = self.arrow["dialogues"]
        ids = rows.column("dialogue_id").combine_chunks()
        starts = np.flatnonzero(np.r_[True, np.asarray(pc.not_equal(ids[1:], ids[:-1]))])
        heads = rows.take(pa.array(starts))
        inner = schema.field("utterances").type.value_type
        columns = [rows.column(field.name).combine_chunks().cast(field.type) for field in inner]
        nested = pa.StructArray.from_arrays(columns, fields=list(inner))
        offsets = pa.array(np.r_[starts, rows.num_rows], pa.int32())
        utterances = pa.ListArray.from_arrays(offsets, nested)
        outer = {name: heads.column(name) for name in schema.names if name != "utterances"}
        return pa.table({**outer, "utterances": utterances.cast(schema.field("utterances").type)})

    def _write(self, configuration: str, split: str, rows: pa.Table) -> None:
        key = configuration, split
        writer, filled = self._writers.get(key, (None, SHARD_ROWS))
        if writer is None or filled >= SHARD_ROWS:
            if writer is not None:
                writer.__exit__(None, None, None)
            shards = self._shards.setdefault(key, [])
            shards.append(self.target / configuration / f"{split}-{len(shards):05d}.parquet")
            writer, filled = TableWriter(shards[-1], self.arrow[configuration]), 0
            self._open.push(writer.__exit__)
        writer.write(rows)
        self._writers[key] = writer, filled + rows.num_rows
        counts = self.rows[configuration]
        counts[split] = counts.get(split, 0) + rows.num_rows

    def _name_shards(self) -> None:
        """Say in every name of how many shards it is one."""
        for (_, split), shards in self._shards.items():
            for number, path in enumerate(shards):
                path.rename(path.with_name(f"{split}-{number:05d}-of-{len(shards):05d}.parquet"))


def _codes(column: pa.Array, names: Sequence[str], field: str) -> pa.Array:
    """Turn value names, or lists of them, into class-label codes."""
    nested = pa.types.is_list(column.type)
    flat = column.flatten() if nested else column
    codes = pc.cast(pc.index_in(flat, value_set=pa.array(names)), pa.int64())
    if codes.null_count != flat.null_count:
        wrong = flat.filter(pc.and_(pc.is_null(codes), pc.is_valid(flat)))[0].as_py()
        raise InputError(
            Issue("unknown value; 'corpus check' lists them all", column=field, value=wrong, choices=names)
        )
    if not nested:
        return codes
    lengths = pc.fill_null(pc.list_value_length(column), 0).to_numpy(zero_copy_only=False)
    offsets = pa.array(np.r_[0, np.cumsum(lengths)], pa.int32())
    return pa.ListArray.from_arrays(offsets, codes, mask=column.is_null())
