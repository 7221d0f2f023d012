"""Ratings from files larger than memory: batch by batch, ids and labels kept as integer codes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as csv
import pyarrow.parquet as pq

from schemas.errors import InputError, Issue

BATCH_ROWS = 1 << 17
MERGE_BATCHES = 32  # batches after which their dictionaries are made one


def read_table(path: str | Path, columns: Sequence[str], *, batch_rows: int = BATCH_ROWS) -> pa.Table:
    """The columns of a Parquet or CSV file as a table for `agreement`, text dictionary-encoded.

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
    parts: list[pa.Table] = []
    for batch in _batches(path, columns, batch_rows):
        parts.append(pa.table([_encoded(column) for column in batch.columns], names=batch.schema.names))
        if len(parts) > MERGE_BATCHES:
            parts = [_joined(parts)]
    return _joined(parts) if parts else pa.table({name: pa.array([], pa.string()) for name in columns})


def _joined(parts: list[pa.Table]) -> pa.Table:
    return pa.concat_tables(parts, promote_options="permissive").unify_dictionaries().combine_chunks()


def _encoded(column: pa.Array) -> pa.Array:
    kind = column.type
    text = pa.types.is_string(kind) or pa.types.is_large_string(kind)
    return column.cast(pa.string()).dictionary_encode() if text else column


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
        include_columns=columns, column_types=dict.fromkeys(columns, pa.string()), strings_can_be_null=True
    )
    with csv.open_csv(path, parse_options=parse, convert_options=convert) as reader:
        yield from reader


def _check_columns(path: Path, columns: list[str], names: list[str]) -> None:
    absent = [name for name in columns if name not in names]
    if absent:
        raise InputError(
            [Issue("there is no such column", where=str(path), column=name, choices=names) for name in absent]
        )
