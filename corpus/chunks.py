"""Reading the tables of a project side by side, whole dialogues at a time: memory does not grow with them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from annotation.aggregation.project import spread
from schemas import project as folder
from schemas.errors import InputError, Issue
from schemas.project import Project
from schemas.records import SPLIT_NAMES, UTTERANCES, RatingStatus, annotations_schema, labels_schema
from schemas.tables import iter_tables, read_table

CHUNK_ROWS = 16_384
DIALOGUE_COLUMNS = ("source", "show", "episode", "topic")


def _pieces(path: Path, schema: pa.Schema) -> Iterator[pa.Table]:
    """Read a table that anybody may have written, under the schema that is declared for it."""
    for piece in iter_tables(path, schema.names, CHUNK_ROWS):
        yield pa.table([_cast(piece.column(one.name), one, path) for one in schema], schema.names)


def _cast(column: pa.ChunkedArray, declared: pa.Field, path: Path) -> pa.ChunkedArray:
    try:
        return column.cast(declared.type)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        message = "this column has another type"
        choices = [str(declared.type)]
        raise InputError(
            Issue(message, str(path), column=declared.name, value=str(column.type), choices=choices)
        ) from None


@dataclass(frozen=True)
class Chunk:
    """Whole dialogues: their utterances with labels, names still in place of codes, and their ratings."""

    rows: pa.Table
    split: NDArray[Any]
    ratings: pa.Table | None
    rating_split: NDArray[Any] | None


class _RowStream:
    """A table read piece by piece under its schema, from which any number of rows can be taken next."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self._pieces = _pieces(path, schema)
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


def chunks(project: Project, labels: str | None, annotations: Sequence[str]) -> Iterator[Chunk]:
    """Read a project's utterances in order, with their labels and ratings, a few whole dialogues at a time.

    Args:
        project: The project.
        labels: Its table of decided labels, a row an utterance; None: all labels are null, not rated.
        annotations: Its tables of ratings, in utterance order.

    Raises:
        InputError: The tables do not fit together, or one lacks a column or has one of another type.
    """
    dialogues = read_table(project.path(folder.DIALOGUES), ["dialogue_id", *DIALOGUE_COLUMNS])
    splits = read_table(project.path(folder.SPLITS), ["dialogue_id", "split"])
    split_of = _split_numbers(project, dialogues, splits)
    decided_kind, kind = labels_schema(project.schema), annotations_schema(project.schema)
    streams = {name: _RowStream(project.path(name), kind) for name in annotations}
    rating_streams = list(streams.values())
    if labels is not None:
        streams[labels] = _RowStream(project.path(labels), decided_kind)
    for utterances in _whole_dialogues(project.path(folder.UTTERANCES)):
        if labels is None:
            decided = spread(decided_kind.empty_table(), utterances, project.schema)
        else:
            decided = streams[labels].take(utterances.num_rows)
            _refuse_mismatch(project, labels, utterances, decided)
        place = pc.index_in(utterances.column("dialogue_id"), value_set=dialogues.column("dialogue_id"))
        _refuse_strays(project, utterances, place)
        rows = utterances
        for name in DIALOGUE_COLUMNS:
            rows = rows.append_column(name, dialogues.column(name).take(place))
        for name in decided.column_names[1:]:
            rows = rows.append_column(name, decided.column(name))
        split = split_of[place.to_numpy()]
        ratings, rating_split = _ratings(rating_streams, rows, split)
        yield Chunk(rows, split, ratings, rating_split)
    _refuse_leftovers(project, streams)


def _whole_dialogues(path: Path) -> Iterator[pa.Table]:
    """Read utterances in pieces that end where a dialogue ends."""
    waiting: list[pa.Table] = []
    for piece in _pieces(path, UTTERANCES):
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


def _split_numbers(project: Project, dialogues: pa.Table, splits: pa.Table) -> NDArray[Any]:
    """Return the number in `SPLIT_NAMES` of each dialogue's split."""
    names = splits.column("split").take(
        pc.index_in(dialogues.column("dialogue_id"), value_set=splits.column("dialogue_id"))
    )
    numbers = pc.index_in(names, value_set=pa.array(SPLIT_NAMES))
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
            )
        )
    found: NDArray[Any] = numbers.to_numpy()
    return found


def _refuse_strays(project: Project, utterances: pa.Table, place: pa.ChunkedArray) -> None:
    strays = utterances.filter(pc.is_null(place))
    if strays.num_rows:
        message = f"the dialogue of this utterance is not in {folder.DIALOGUES}; 'corpus check' counts them"
        first = strays.column("utterance_id")[0].as_py()
        where = str(project.path(folder.UTTERANCES))
        raise InputError(Issue(message, where, column="utterance_id", value=first))


def _refuse_mismatch(project: Project, labels: str, utterances: pa.Table, decided: pa.Table) -> None:
    if decided.num_rows == utterances.num_rows and utterances.column("utterance_id").equals(
        decided.column("utterance_id")
    ):
        return
    message = "the labels do not stand row for row beside the utterances; decide or import them again"
    raise InputError(Issue(message, str(project.path(labels))))


def _refuse_leftovers(project: Project, streams: Mapping[str, _RowStream]) -> None:
    issues = [
        Issue(
            "this row belongs to no utterance, or the table is not in utterance order",
            str(project.path(name)),
            column="utterance_id",
            value=left,
        )
        for name, stream in streams.items()
        if (left := stream.first_left("utterance_id")) is not None
    ]
    if issues:
        raise InputError(issues)


def _ratings(
    streams: Sequence[_RowStream], rows: pa.Table, split: NDArray[Any]
) -> tuple[pa.Table | None, NDArray[Any] | None]:
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
