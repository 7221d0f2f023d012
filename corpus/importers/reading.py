"""Reading delimited, JSON and Parquet files as columns of text, with their encoding and row numbers."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
from charset_normalizer import from_bytes

from schemas.errors import InputError, Issue
from schemas.tables import read_table

DELIMITERS = ",\t;|"
LEGACY_ENCODINGS = ["gb18030", "big5", "shift_jis", "euc_kr", "cp1252"]
_SAMPLE = 1 << 20


@dataclass(frozen=True)
class SourceTable:
    """What stands in one file, every cell as text.

    Attributes:
        path: The file.
        encoding: Its encoding; empty for Parquet.
        columns: One text column for each column of the file; null only where the file has null.
        rows: Row numbers from 1, the header not counted.
        broken: Row number and text of rows with another number of cells than the header.
    """

    path: Path
    encoding: str
    columns: pa.Table
    rows: pa.Array
    broken: list[tuple[int, str]]

    def require(self, names: Iterable[str]) -> list[Issue]:
        """Return an issue for every column that the file lacks."""
        found = self.columns.column_names
        hint = ""
        if len(found) == 1:
            hint = " (the file has one column: is it delimited by something other than comma, tab, ; or |?)"
        return [
            Issue(f"this file lacks a column{hint}", str(self.path), value=name, choices=found)
            for name in names
            if name not in found
        ]


def decode(path: Path) -> tuple[str, str]:
    """Read a text file in whatever encoding it has.

    Returns:
        The text without byte order mark and NUL, and the name of the encoding.

    Raises:
        InputError: The file is not there, is empty, or is no text.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise InputError(Issue("there is no such file", str(path))) from None
    except IsADirectoryError:
        raise InputError(Issue("this is a folder, and a file is expected", str(path))) from None
    if not data.strip():
        raise InputError(Issue("this file is empty", str(path)))
    for mark, encoding in ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16")):
        if data.startswith(mark):
            return _decoded(data, [encoding], path)
    if b"\0" in data[:_SAMPLE]:
        raise InputError(Issue("this is not a text file: it holds NUL bytes", str(path)))
    # UTF-8 proves itself; a legacy encoding is guessed from the letters it gives.
    guess = None
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        best = from_bytes(data[:_SAMPLE], cp_isolation=LEGACY_ENCODINGS).best()
        guess = best.encoding if best else None
    return _decoded(data, ["utf-8", *([guess] if guess else []), *LEGACY_ENCODINGS], path)


def _decoded(data: bytes, encodings: list[str], path: Path) -> tuple[str, str]:
    for encoding in encodings:
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        return text.replace("\0", ""), encoding.removesuffix("-sig")
    raise InputError(
        Issue("this text is in no known encoding", str(path), choices=["utf-8", *LEGACY_ENCODINGS])
    )


def read_delimited(path: Path) -> SourceTable:
    """Read a CSV or TSV file; the delimiter is the one that cuts its header into most cells.

    Raises:
        InputError: The file is missing, empty, no text, or its header names a column twice.
    """
    text, encoding = decode(path)
    first = text.lstrip("\r\n").split("\n", 1)[0].rstrip("\r")
    delimiter = max(DELIMITERS, key=lambda mark: len(next(csv.reader([first], delimiter=mark), [])))
    header = [name.strip() for name in next(csv.reader([first], delimiter=delimiter))]
    doubled = sorted({name for name in header if header.count(name) > 1})
    if doubled:
        raise InputError(
            [Issue("the header names this column twice", str(path), value=name) for name in doubled]
        )
    broken: list[tuple[int, str]] = []

    def keep(row: Any) -> str:  # noqa: ANN401 - pyarrow's InvalidRow has no public type
        broken.append((int(row.number), row.text))
        return "skip"

    try:
        table = pyarrow.csv.read_csv(
            io.BytesIO(text.encode("utf-8", "replace")),
            # One thread: only then does pyarrow number the rows that it refuses.
            pyarrow.csv.ReadOptions(use_threads=False, column_names=header, skip_rows=1),
            pyarrow.csv.ParseOptions(
                delimiter=delimiter,
                newlines_in_values=True,
                invalid_row_handler=keep,
                ignore_empty_lines=False,
            ),
            pyarrow.csv.ConvertOptions(
                column_types=dict.fromkeys(header, pa.string()), strings_can_be_null=False
            ),
        )
    except pa.ArrowInvalid as error:
        raise InputError(Issue(f"this is not a readable table: {error}", str(path))) from None
    # Numbers count physical rows after the header, refused ones too.
    refused = {number - 1 for number, _ in broken}
    total = table.num_rows + len(refused)
    numbers = (
        [number for number in range(1, total + 1) if number not in refused]
        if refused
        else range(1, total + 1)
    )
    return SourceTable(path, encoding, table, pa.array(numbers, pa.int64()), [(n - 1, t) for n, t in broken])


def read_json(path: Path) -> tuple[Any, str]:
    """Read a JSON file; return its content and its encoding.

    Raises:
        InputError: The file is missing, empty or not JSON.
    """
    text, encoding = decode(path)
    try:
        return json.loads(text), encoding
    except json.JSONDecodeError as error:
        raise InputError(Issue(f"this is not JSON: {error.msg}", str(path), error.lineno)) from None


def _read_jsonl(path: Path) -> SourceTable:
    text, encoding = decode(path)
    records: list[tuple[int, dict[str, Any]]] = []
    broken: list[tuple[int, str]] = []
    for number, line in enumerate(text.splitlines(), 1):
        try:
            record = json.loads(line) if line.strip() else None
        except json.JSONDecodeError:
            record = None
        if isinstance(record, dict):
            records.append((number, record))
        else:
            broken.append((number, line))
    names = dict.fromkeys(name for _, record in records for name in record)
    columns = {name: pa.array([as_cell(r.get(name)) for _, r in records], pa.string()) for name in names}
    return SourceTable(
        path, encoding, pa.table(columns), pa.array([number for number, _ in records], pa.int64()), broken
    )


def as_cell(value: object) -> str | None:
    """Write a JSON or Arrow value as the text that a cell of a CSV file would hold; sets as ``a|b``."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, list):
        return "|".join(str(as_cell(part)) for part in value) if value else "[]"
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) and value.is_integer() else str(value)


def _read_parquet(path: Path) -> SourceTable:
    table = read_table(path)
    columns = {}
    for column in table.column_names:
        kind = table.schema.field(column).type
        plain = table.column(column)
        if pa.types.is_nested(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind):
            columns[column] = pa.chunked_array([[as_cell(value) for value in plain.to_pylist()]], pa.string())
        else:
            columns[column] = pc.cast(plain, pa.string())
    return SourceTable(path, "", pa.table(columns), pa.array(range(1, table.num_rows + 1), pa.int64()), [])


READERS = {
    ".csv": read_delimited,
    ".tsv": read_delimited,
    ".txt": read_delimited,
    ".jsonl": _read_jsonl,
    ".ndjson": _read_jsonl,
    ".parquet": _read_parquet,
}


def read_source(path: Path) -> SourceTable:
    """Read a table by the ending of its name.

    Raises:
        InputError: The ending is unknown, or the file cannot be read.
    """
    if path.suffix.lower() not in READERS:
        raise InputError(
            Issue("unknown kind of table", str(path), value=path.suffix or path.name, choices=list(READERS))
        )
    return READERS[path.suffix.lower()](path)


def source_files(paths: Iterable[Path]) -> list[Path]:
    """Return the files named, and those directly inside the folders named, in order.

    Raises:
        InputError: A path is not there.
    """
    paths = list(paths)
    missing = [path for path in paths if not path.exists()]
    if missing:
        raise InputError([Issue("there is no such file or folder", str(path)) for path in missing])
    return [
        file
        for path in paths
        for file in (sorted(path.iterdir()) if path.is_dir() else [path])
        if file.is_file()
    ]
