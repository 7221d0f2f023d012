"""Reading delimited, JSON and Parquet files as columns of text, with their encoding and row numbers."""

from __future__ import annotations

import csv
import io
import json
import os
import unicodedata
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
from charset_normalizer import from_bytes

from schemas.errors import InputError, Issue
from schemas.tables import open_table

DELIMITERS = ",\t;|"
LEGACY_ENCODINGS = ["gb18030", "big5", "shift_jis", "euc_kr", "cp1252"]
_SAMPLE = 1 << 20
_LARGEST_BLOCK = (1 << 31) - 1


@dataclass(frozen=True)
class SourceTable:
    """What stands in one file, every cell as text.

    Attributes:
        path: The file.
        encoding: Its encoding; empty for Parquet.
        columns: One text column for each column of the file; null only where the file has null.
        rows: Row numbers from 1, the header not counted.
        broken: Row number and text of rows that could not be read.
        fault: What is wrong with the broken rows.
    """

    path: Path
    encoding: str
    columns: pa.Table
    rows: pa.Array
    broken: list[tuple[int, str]]
    fault: str = "another number of cells than the header"

    @property
    def about(self) -> str:
        """What people should know: the encoding, and rows that hold line breaks.

        A quotation mark that is not closed swallows the following rows into one cell; here it shows.
        """
        note = f"{self.path.name}: {self.encoding or 'Parquet'}"
        folded = np.zeros(self.columns.num_rows, dtype=bool)
        for column in self.columns.columns if self.encoding else ():
            folded |= np.asarray(pc.match_substring(column, "\n").fill_null(False))
        if folded.any():
            first = self.rows[int(folded.argmax())].as_py()
            note += f"; {folded.sum():,} row(s) hold line breaks inside quotes (first: row {first})"
        return note

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
        The text without byte order mark and NUL, and the name of the encoding (with the number of NUL bytes
        that were left out).

    Raises:
        InputError: The file is not there, is empty, or is no text.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise InputError(Issue("there is no such file", str(path))) from None
    except IsADirectoryError:
        raise InputError(Issue("this is a folder, and a file is expected", str(path))) from None
    text, encoding = _decoded(data, path)
    if "\0" in text:
        encoding += f", {text.count(chr(0)):,} NUL byte(s) left out"
        text = text.replace("\0", "")
    if not text.strip():
        raise InputError(Issue("this file is empty", str(path)))
    return text, encoding


def _decoded(data: bytes, path: Path) -> tuple[str, str]:
    sample = data[:_SAMPLE]
    candidates: list[str] = []
    for mark, encoding in ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16")):
        if data.startswith(mark):
            candidates = [encoding]
    if not candidates:
        # A text has a stray NUL at most; UTF-16 and files that are no text have many.
        wide = _unmarked_utf16(sample)
        if sample.count(0) > 1 + len(sample) // 20 and not wide:
            raise InputError(Issue("this is not a text file: it holds many NUL bytes", str(path)))
        # UTF-8 proves itself; a legacy encoding is guessed from the letters it gives.
        candidates = [wide] if wide else ["utf-8"]
        if not wide and not _is_utf8(data):
            best = from_bytes(sample, cp_isolation=LEGACY_ENCODINGS).best()
            candidates = [*([best.encoding] if best else []), *LEGACY_ENCODINGS]
    for encoding in candidates:
        try:
            return data.decode(encoding), encoding.removesuffix("-sig")
        except UnicodeDecodeError:
            continue
    raise InputError(
        Issue("this text is in no known encoding", str(path), choices=["utf-8", *LEGACY_ENCODINGS])
    )


def _unmarked_utf16(sample: bytes) -> str:
    """Return the byte order of UTF-16 without a mark: digits and line ends have a NUL on the same side."""
    even, odd = sample[::2].count(0), sample[1::2].count(0)
    if max(even, odd) <= 1 + len(sample) // 40 or min(even, odd) > max(even, odd) // 20:
        return ""
    encoding = "utf-16-le" if odd > even else "utf-16-be"
    letters = sample[: len(sample) // 2 * 2].decode(encoding, "replace")
    known = sum(letter in "\n\r\t" or unicodedata.category(letter)[0] in "LMNPSZ" for letter in letters)
    return encoding if known >= 0.99 * len(letters) else ""


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def read_delimited(path: Path) -> SourceTable:
    """Read a CSV or TSV file; the delimiter is the one that cuts its header into most cells.

    Raises:
        InputError: The file is missing, empty, no text, has no row, leaves a quotation mark open, or its
            header names a column twice.
    """
    text, encoding = decode(path)
    text = text.lstrip("\r\n")
    delimiter = max(DELIMITERS, key=lambda mark: len(_header(text, mark, path)[0]))
    header, body = _header(text, delimiter, path)
    header = [name.strip() or f"column {number}" for number, name in enumerate(header, 1)]
    _refuse_doubles(header, path)
    if not body.strip():
        raise InputError(Issue("this file holds a header and no row", str(path)))
    broken: list[tuple[int, str]] = []

    def keep(row: Any) -> str:  # noqa: ANN401 - pyarrow's InvalidRow has no public type
        broken.append((int(row.number), row.text))
        return "skip"

    data = body.encode("utf-8")
    try:
        table = pyarrow.csv.read_csv(
            io.BytesIO(data),
            # One thread: only then does pyarrow number the rows that it refuses. One block: a row may not
            # be longer than a block.
            pyarrow.csv.ReadOptions(
                use_threads=False, column_names=header, block_size=min(len(data) + 1, _LARGEST_BLOCK)
            ),
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
    # Numbers count rows, not lines: those with line breaks inside quotes once, refused ones too.
    refused = {number for number, _ in broken}
    numbers = [number for number in range(1, table.num_rows + len(refused) + 1) if number not in refused]
    found = SourceTable(path, encoding, table, pa.array(numbers, pa.int64()), broken)
    _refuse_open_quote(found, body, delimiter)
    return found


def _header(text: str, delimiter: str, path: Path) -> tuple[list[str], str]:
    """Return the cells of the first row, and the text after it."""
    lines = io.StringIO(text, newline="")
    try:
        header = next(csv.reader(lines, delimiter=delimiter), [])
    except csv.Error as error:
        raise InputError(Issue(f"this is not a readable table: {error}", str(path))) from None
    return header, lines.read()


def _refuse_doubles(header: list[str], path: Path) -> None:
    doubled = sorted(name for name, count in Counter(header).items() if count > 1)
    if doubled:
        raise InputError(
            [Issue("the header names this column twice", str(path), value=name) for name in doubled]
        )


def _refuse_open_quote(table: SourceTable, body: str, delimiter: str) -> None:
    """Refuse a file whose last cell runs to the end because its quotation mark is never closed."""
    number, text = table.broken[-1] if table.broken else (0, "")
    last = table.rows[-1].as_py() if len(table.rows) else 0
    cell = table.columns.columns[-1][-1].as_py() if last > number else _last_cell(text, delimiter)
    if ("\n" in cell or "\r" in cell) and not body.rstrip("\r\n").endswith('"'):
        message = "a quotation mark opens in this row and is never closed: all that follows would be one cell"
        raise InputError(Issue(message, str(table.path), row=max(last, number)))


def _last_cell(text: str, delimiter: str) -> str:
    try:
        return next(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter), [""])[-1]
    except csv.Error:  # longer than any cell
        return text


def read_json(path: Path) -> tuple[Any, str]:
    """Read a JSON file; return its content and its encoding.

    Raises:
        InputError: The file is missing, empty, not JSON, or an object of it has a key twice.
    """
    text, encoding = decode(path)
    try:
        return _parse_json(text), encoding
    except json.JSONDecodeError as error:
        raise InputError(Issue(f"this is not JSON: {error.msg}", str(path), error.lineno)) from None
    except ValueError as error:
        raise InputError(Issue(f"this is not sound JSON: {error}", str(path))) from None


def _parse_json(text: str) -> Any:  # noqa: ANN401 - whatever JSON can hold
    """Parse JSON.

    Raises:
        ValueError: It is not JSON, nested too deeply, or an object has a key twice: one would be lost.
    """

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            doubled = Counter(key for key, _ in pairs).most_common(1)[0][0]
            raise ValueError(f"an object has the key {doubled!r} twice")
        return found

    try:
        value = json.loads(text, object_pairs_hook=once)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    # Half a letter can be written in JSON, and nowhere else.
    return _whole_letters(value) if "\\ud" in text.lower() else value


def _whole_letters(value: Any) -> Any:  # noqa: ANN401 - whatever JSON can hold
    """Replace lone surrogates, which no file can hold, by the replacement character."""
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [_whole_letters(one) for one in value]
    if isinstance(value, dict):
        return {_whole_letters(key): _whole_letters(one) for key, one in value.items()}
    return value


def _read_jsonl(path: Path) -> SourceTable:
    text, encoding = decode(path)
    records: list[tuple[int, dict[str, Any]]] = []
    broken: list[tuple[int, str]] = []
    # Only line feeds end a record: a text may hold other line separators.
    for number, line in enumerate(text.rstrip().split("\n"), 1):
        try:
            record = _parse_json(line)
        except ValueError:
            record = None
        if isinstance(record, dict):
            records.append((number, record))
        else:
            broken.append((number, line))
    if not records:
        raise InputError(Issue("no line of this file is a JSON object with each key once", str(path)))
    names = dict.fromkeys(name for _, record in records for name in record)
    columns = {name: pa.array([as_cell(r.get(name)) for _, r in records], pa.string()) for name in names}
    numbers = pa.array([number for number, _ in records], pa.int64())
    return SourceTable(
        path, encoding, pa.table(columns), numbers, broken, "not a JSON object with each key once"
    )


def as_cell(value: object) -> str | None:
    """Write a JSON or Arrow value as the text that a cell of a CSV file would hold.

    Sets become ``a|b`` (``[]`` when empty), sets with intensities ``a=2|b=1``.
    """
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, list | dict):
        pairs = value.items() if isinstance(value, dict) else ()
        parts = [f"{key}={as_cell(one)}" for key, one in pairs] or [str(as_cell(part)) for part in value]
        return "|".join(parts) if parts else "[]"
    if isinstance(value, bool):
        return str(value).lower()
    # An id that went through a table with gaps is a whole number with a decimal point.
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _read_parquet(path: Path) -> SourceTable:
    try:
        with open_table(path) as file:
            schema = file.schema_arrow
            _refuse_doubles(schema.names, path)
            # Media inside a table, and other structures, are no cells; they are not even read.
            table = file.read([column.name for column in schema if _holds_cells(column.type)])
    except OSError as error:
        raise InputError(Issue(f"this is not a readable Parquet file: {error}", str(path))) from None
    columns = {}
    for name in table.column_names:
        values = table.column(name)
        kind = values.type
        if _is_list(kind) or pa.types.is_boolean(kind) or pa.types.is_float64(kind):
            columns[name] = pa.chunked_array([[as_cell(value) for value in values.to_pylist()]], pa.string())
        else:
            columns[name] = pc.cast(values, pa.string())
    return SourceTable(path, "", pa.table(columns), pa.array(range(1, table.num_rows + 1), pa.int64()), [])


def _is_list(kind: pa.DataType) -> bool:
    return any(test(kind) for test in (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list))


def _holds_cells(kind: pa.DataType) -> bool:
    if _is_list(kind):
        return _holds_cells(kind.value_type)
    others = (pa.types.is_nested, pa.types.is_binary, pa.types.is_large_binary, pa.types.is_fixed_size_binary)
    return not any(test(kind) for test in others)


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
    """Return the files named, and those directly inside the folders named, in order, without hidden ones.

    Raises:
        InputError: A path is not there or no file, or two files have one name: rows are known by it.
    """
    issues: list[Issue] = []
    files: dict[str, Path] = {}
    for path in paths:
        inside = sorted(path.iterdir()) if path.is_dir() else [path]
        found = [one for one in inside if one.is_file() and (one == path or not one.name.startswith("."))]
        if not path.exists():
            issues.append(Issue("there is no such file or folder", str(path)))
        elif not found:
            what = "there is no file in this folder" if path.is_dir() else "this is not a regular file"
            issues.append(Issue(what, str(path)))
        for file in found:
            if file.name in files:
                message = f"a file of this name is imported already: {files[file.name]}; rename one"
                issues.append(Issue(message, str(file)))
            elif file.name.encode("utf-8", "replace") != os.fsencode(file.name):
                issues.append(Issue("the name of this file is not UTF-8; rename it", ascii(str(file))))
            files[file.name] = file
    if issues:
        raise InputError(issues)
    return list(files.values())
