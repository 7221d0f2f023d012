"""Ratings from files larger than memory: batch by batch, ids and labels kept as integer codes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as csv
import pyarrow.parquet as pq

from schemas.errors import InputError, Issue

BATCH_ROWS = 1 << 17
BLOCK = 1 << 22  # bytes of a CSV file read at a time


def read_table(path: str | Path, columns: Sequence[str], *, batch_rows: int = BATCH_ROWS) -> pa.Table:
    """The columns of a Parquet or CSV file as a table for `agreement`, text dictionary-encoded.

    Cells of a CSV file are trimmed, an empty one is null; ``NA`` or ``null`` is a text like any other.

    Rows of one item may lie anywhere in the file. Memory holds one batch as text; all else is four bytes a
    cell and each distinct text once.

    Args:
        path: A file named .parquet, .csv or .tsv.
        columns: Names of the wanted columns.
        batch_rows: Rows of a Parquet batch.

    Raises:
        InputError: The file is not there or of another kind, or has no such column.
    """
    path, columns = Path(path), list(dict.fromkeys(columns))
    if not path.is_file():
        raise InputError(Issue("there is no such file", where=str(path)))
    parts: dict[str, list[_Part]] = {name: [] for name in columns}
    for batch in _batches(path, columns, batch_rows):
        for name, column in zip(batch.schema.names, batch.columns, strict=True):
            _keep(parts[name], _Part.of(column))
    return pa.table({name: _whole(parts[name]) for name in columns})


@dataclass(frozen=True)
class _Part:
    """Some batches of a column.

    Attributes:
        chunks: Its cells, or codes of them in `words`, a chunk a batch.
        words: Distinct texts; None for a column that is no text.
        rows: Number of cells.
    """

    chunks: list[pa.Array]
    words: pa.Array | None
    rows: int

    @classmethod
    def of(cls, column: pa.Array) -> _Part:
        if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
            column = column.cast(pa.string()).dictionary_encode()
        if not pa.types.is_dictionary(column.type):
            return cls([column], None, len(column))
        return cls([column.indices.cast(pa.int32())], column.dictionary, len(column))

    def __add__(self, other: _Part) -> _Part:
        if self.words is None or other.words is None:
            return _Part(self.chunks + other.chunks, None, self.rows + other.rows)
        known = pc.index_in(other.words, value_set=self.words)
        new = np.asarray(known.is_null())
        place = known.fill_null(0).to_numpy(zero_copy_only=False).copy()
        place[new] = len(self.words) + np.arange(np.count_nonzero(new))
        codes = pa.array(place)
        chunks = [codes.take(chunk) for chunk in other.chunks]
        words = pa.concat_arrays([self.words, other.words.filter(pa.array(new))])
        return _Part(self.chunks + chunks, words, self.rows + other.rows)


def _keep(parts: list[_Part], part: _Part) -> None:
    """Keep a batch. Neighbours of like size are joined, so that a text is not held once a batch."""
    parts.append(part)
    while len(parts) > 1 and parts[-2].rows < 2 * parts[-1].rows:
        last = parts.pop()
        parts.append(parts.pop() + last)


def _whole(parts: list[_Part]) -> pa.Array:
    while len(parts) > 1:
        last = parts.pop()
        parts.append(parts.pop() + last)
    if not parts:
        return pa.array([], pa.string())
    one = parts.pop()
    column = pa.concat_arrays(one.chunks)
    one.chunks.clear()  # before the next column is made whole
    return column if one.words is None else pa.DictionaryArray.from_arrays(column, one.words)


def _batches(path: Path, columns: list[str], batch_rows: int) -> Iterator[pa.RecordBatch]:
    suffix = path.suffix.lower()
    if suffix == ".parquet":
        with pq.ParquetFile(path) as file:
            _check_columns(path, columns, file.schema_arrow.names)
            yield from file.iter_batches(batch_rows, columns=columns)
        return
    if suffix not in (".csv", ".tsv"):
        raise InputError(
            Issue("not a table of ratings", where=str(path), choices=(".parquet", ".csv", ".tsv"))
        )
    parse = csv.ParseOptions(delimiter="\t" if suffix == ".tsv" else ",", newlines_in_values=True)
    with csv.open_csv(path, parse_options=parse) as reader:
        names = reader.schema.names
    _check_columns(path, columns, names)
    # Everything as text: the type that a first batch suggests is not that of the whole file.
    convert = csv.ConvertOptions(
        include_columns=columns,
        column_types=dict.fromkeys(columns, pa.string()),
        strings_can_be_null=True,
        null_values=[""],
    )
    read = csv.ReadOptions(use_threads=False, block_size=BLOCK)
    with csv.open_csv(path, read, parse, convert) as reader:
        for batch in reader:
            yield pa.RecordBatch.from_arrays([_trimmed(one) for one in batch.columns], columns)


def _trimmed(column: pa.Array) -> pa.Array:
    """The column, its texts encoded, without blanks around them."""
    coded = column.dictionary_encode()
    words = pc.utf8_trim_whitespace(coded.dictionary)
    if words.equals(coded.dictionary):
        return coded
    return pc.utf8_trim_whitespace(column).dictionary_encode()


def _check_columns(path: Path, columns: list[str], names: list[str]) -> None:
    absent = [name for name in columns if name not in names]
    if absent:
        raise InputError(
            [Issue("there is no such column", where=str(path), column=name, choices=names) for name in absent]
        )
