"""Parquet tables: written whole or not at all, in the same bytes for the same rows, with their provenance.

Content hashes are taken over decoded values, so they do not depend on compression, row groups or the version
of pyarrow; bytes are the same where pyarrow is the same.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from schemas.errors import InputError, Issue

ROW_GROUP = 16_384
_PROVENANCE_KEY = b"affect_corpus"


@dataclass(frozen=True)
class Provenance:
    """What a derived table was made from.

    Attributes:
        step: The command that made it, such as ``corpus split``.
        version: The step's version; raised when the same inputs would give other rows.
        inputs: Content hash of every input, by its path in the project.
        parameters: The step's parameters.
    """

    step: str
    version: int
    inputs: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> str:
        """Return the provenance as JSON with sorted keys."""
        return json.dumps(vars(self), sort_keys=True, ensure_ascii=False)


class TableWriter:
    """Writes a Parquet table batch by batch in row groups of a fixed size.

    The bytes depend on the rows alone, not on how they were batched. Use as a context manager; the file is
    complete when the block ends. Writing happens in place: give it a path in a project's staging folder.

    Args:
        path: The file.
        schema: Its schema.
        provenance: What it is made from.
        row_group: Rows of a row group; so many are in memory. Fewer for rows that are large.
    """

    def __init__(
        self,
        path: Path,
        schema: pa.Schema,
        provenance: Provenance | None = None,
        row_group: int = ROW_GROUP,
    ) -> None:
        metadata = dict(schema.metadata or {})
        if provenance is not None:
            metadata[_PROVENANCE_KEY] = provenance.to_json().encode()
        self.schema = schema.with_metadata(metadata or None)
        path.parent.mkdir(parents=True, exist_ok=True)
        self._writer = pq.ParquetWriter(path, self.schema, compression="zstd", version="2.6")
        self._waiting: list[pa.Table] = []
        self._rows = 0
        self._row_group = row_group

    def __enter__(self) -> Self:
        return self

    def write(self, table: pa.Table) -> None:
        """Append rows; their columns and types must be those of the schema."""
        self._waiting.append(table.select(self.schema.names).cast(self.schema))
        self._rows += table.num_rows
        while self._rows >= self._row_group:
            self._write_group(self._row_group)

    def _write_group(self, size: int) -> None:
        rows = pa.concat_tables(self._waiting)
        self._writer.write_table(rows.slice(0, size).combine_chunks(), row_group_size=self._row_group)
        rest = rows.slice(size)
        self._waiting, self._rows = ([rest] if rest.num_rows else []), rest.num_rows

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None and self._rows:
            self._write_group(self._rows)
        self._writer.close()


def write_table(path: Path, table: pa.Table, schema: pa.Schema, provenance: Provenance | None = None) -> None:
    """Write a whole table under its declared schema."""
    with TableWriter(path, schema, provenance) as writer:
        writer.write(table)


def from_rows(rows: Sequence[Mapping[str, Any]], schema: pa.Schema) -> pa.Table:
    """Build a table from row mappings; a key that a row lacks is null."""
    return pa.table(
        {column.name: pa.array([row.get(column.name) for row in rows], column.type) for column in schema},
        schema=schema,
    )


def open_table(path: Path) -> pq.ParquetFile:
    """Open a Parquet file.

    Raises:
        InputError: The file is not there or is not Parquet.
    """
    try:
        # Pre-buffering would keep all that was read until the file is closed: memory would grow with it.
        return pq.ParquetFile(path, pre_buffer=False)
    except FileNotFoundError:
        raise InputError(Issue("there is no such table", str(path))) from None
    except pa.ArrowInvalid as error:
        raise InputError(Issue(f"this is not a readable Parquet file: {error}", str(path))) from None


def _require_columns(file: pq.ParquetFile, path: Path, columns: Sequence[str] | None) -> None:
    names = file.schema_arrow.names
    lacking = [name for name in columns or () if name not in names]
    if lacking:
        raise InputError(
            [Issue("this table lacks a column", str(path), value=name, choices=names) for name in lacking]
        )


def read_table(path: Path, columns: Sequence[str] | None = None) -> pa.Table:
    """Read a table, or some of its columns.

    Raises:
        InputError: The file is not there, is not Parquet or lacks a column.
    """
    with open_table(path) as file:
        _require_columns(file, path, columns)
        return file.read(columns)


def iter_tables(
    path: Path, columns: Sequence[str] | None = None, rows: int = ROW_GROUP
) -> Iterator[pa.Table]:
    """Read a table in pieces of at most ``rows`` rows.

    Raises:
        InputError: The file is not there, is not Parquet or lacks a column.
    """
    with open_table(path) as file:
        _require_columns(file, path, columns)
        for batch in file.iter_batches(rows, columns=columns):
            yield pa.Table.from_batches([batch])


def row_count(path: Path) -> int:
    """Return how many rows a table has."""
    with open_table(path) as file:
        return int(file.metadata.num_rows)


def read_provenance(path: Path) -> Provenance | None:
    """Return what a table says it was made from; None when it says nothing."""
    with open_table(path) as file:
        text = (file.schema_arrow.metadata or {}).get(_PROVENANCE_KEY)
    return Provenance(**json.loads(text)) if text else None


def content_hash(path: Path) -> str:
    """Return the SHA-256 of what a file says.

    Of a Parquet file: of its column names, types and decoded values. Of another file: of its bytes.
    """
    if path.suffix != ".parquet":
        return hashlib.sha256(path.read_bytes()).hexdigest()
    with open_table(path) as file:
        schema = file.schema_arrow
        hashers = [_ColumnHasher(column.type) for column in schema]
        for batch in file.iter_batches(ROW_GROUP):
            for hasher, column in zip(hashers, batch.columns, strict=True):
                hasher.update(column)
    total = hashlib.sha256()
    for column, hasher in zip(schema, hashers, strict=True):
        total.update(f"{column.name}\0{column.type}\0{hasher.hexdigest()}\0".encode())
    return total.hexdigest()


class _ColumnHasher:
    """Hashes the values of one column, whatever batches they come in."""

    def __init__(self, kind: pa.DataType) -> None:
        self.kind = kind
        self.validity = hashlib.sha256()
        self.values = hashlib.sha256()
        self.letters = hashlib.sha256()
        self.children: list[_ColumnHasher] = []
        if pa.types.is_map(kind):
            self.children = [_ColumnHasher(kind.key_type), _ColumnHasher(kind.item_type)]
        elif pa.types.is_list(kind):
            self.children = [_ColumnHasher(kind.value_type)]
        elif pa.types.is_struct(kind):
            self.children = [_ColumnHasher(child.type) for child in kind]

    def update(self, array: pa.Array) -> None:
        """Add the next values."""
        self.validity.update(np.asarray(array.is_valid()).astype(np.uint8).tobytes())
        valid = array.drop_null()
        if pa.types.is_map(self.kind):
            self.values.update(np.diff(np.asarray(valid.offsets)).tobytes())
            first, last = (valid.offsets[0].as_py(), valid.offsets[-1].as_py()) if len(valid) else (0, 0)
            parts = [valid.keys[first:last], valid.items[first:last]]
        elif pa.types.is_list(self.kind):
            self.values.update(np.asarray(pc.list_value_length(valid)).tobytes())
            parts = [valid.flatten()]
        elif pa.types.is_struct(self.kind):
            parts = valid.flatten()
        else:
            parts = []
            if pa.types.is_string(self.kind) or pa.types.is_binary(self.kind):
                self.values.update(np.asarray(pc.binary_length(valid)).tobytes())
                self._update_text(valid)
            else:
                plain = valid.cast(pa.int64()) if pa.types.is_timestamp(self.kind) else valid
                numbers = plain.to_numpy(zero_copy_only=False)
                if numbers.dtype == object:  # the bytes would be those of pointers
                    self.values.update("".join(f"{value!r}\0" for value in plain.to_pylist()).encode())
                else:
                    self.values.update(numbers.tobytes())
        for child, part in zip(self.children, parts, strict=True):
            child.update(part)

    def _update_text(self, array: pa.Array) -> None:
        _, offsets, data = array.buffers()
        if data is None or not len(array):
            return
        ends = np.frombuffer(offsets, np.int32)[array.offset : array.offset + len(array) + 1]
        self.letters.update(memoryview(data)[int(ends[0]) : int(ends[-1])])

    def hexdigest(self) -> str:
        total = hashlib.sha256(self.validity.digest() + self.values.digest() + self.letters.digest())
        for child in self.children:
            total.update(child.hexdigest().encode())
        return total.hexdigest()


def concat(tables: Iterable[pa.Table], schema: pa.Schema) -> pa.Table:
    """Concatenate tables under ``schema``; columns that one lacks are null there."""
    return pa.concat_tables([schema.empty_table(), *tables], promote_options="default").cast(schema)
