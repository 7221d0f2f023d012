"""A file of ratings as a table: Parquet, CSV in any encoding and with any usual delimiter, JSON."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
from charset_normalizer import from_bytes

from annotation.agreement import streaming
from schemas.answers import SET_SEPARATOR
from schemas.errors import InputError, Issue

DELIMITERS = ",\t;|"
DELIMITED = (".csv", ".tsv", ".txt")
STREAMED = {".csv": ",", ".tsv": "\t"}
"""Delimiters that `streaming` takes, by kind of file."""
RECORDS = (".json", ".jsonl", ".ndjson")
LEGACY_ENCODINGS = ["gb18030", "big5", "shift_jis", "euc_kr", "cp1252"]
SAMPLE = 1 << 20
MOST_BROKEN_ROWS = 20


def read_ratings_file(path: str | Path, columns: Sequence[str]) -> pa.Table:
    """Read columns of a file of ratings, one row a rating.

    Args:
        path: A Parquet file; a delimited text (the delimiter is the one that cuts its header into most
            cells, the encoding is UTF-8 or guessed from the letters it gives); or JSON, a list of records or
            a record a line, whose lists are sets.
        columns: Names of the wanted columns.

    Returns:
        A table with these columns; cells of delimited text are text, trimmed, empty ones null.

    Raises:
        InputError: The file is not there, is empty, is of another kind or unreadable (every broken row), or
            lacks columns.
    """
    path, columns = Path(path), list(dict.fromkeys(columns))
    kind = path.suffix.lower()
    if kind not in (".parquet", *DELIMITED, *RECORDS):
        kinds = (".parquet", *DELIMITED, *RECORDS)
        raise InputError(
            Issue("not a kind of file that ratings are read from", str(path), value=path.name, choices=kinds)
        )
    if not path.is_file():
        raise InputError(Issue("there is no such file", str(path)))
    if kind == ".parquet":
        return _parquet(path, columns)
    if kind in RECORDS:
        return _records(path, columns)
    with path.open("rb") as file:
        start = file.read(SAMPLE)
    first = _decoded(start, path, whole=False).split("\n", 1)[0]
    delimiter = max(DELIMITERS, key=lambda mark: len(next(csv.reader([first], delimiter=mark), [])))
    header = next(csv.reader([first], delimiter=delimiter))
    plain = header == [name.strip() for name in header] and len(set(header)) == len(header)
    if plain and delimiter == STREAMED.get(kind) and _encoding(start, path) == "utf-8":
        _require(path, columns, header)
        try:
            return streaming.read_table(path, columns)
        except pa.ArrowInvalid:
            pass  # a broken row, or letters beyond the sample: the way through memory says which
    return _delimited(path, columns, delimiter)


def _parquet(path: Path, columns: list[str]) -> pa.Table:
    try:
        return streaming.read_table(path, columns)
    except pa.ArrowInvalid as error:
        raise InputError(Issue(f"this is not a readable Parquet file: {error}", str(path))) from None


def _encoding(data: bytes, path: Path) -> str:
    """The encoding of a text: by its byte order mark, UTF-8 if it is that, else the likeliest."""
    if not data.strip():
        raise InputError(Issue("this file is empty", str(path)))
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    if b"\0" in data[:SAMPLE]:
        raise InputError(Issue("this is not a text file: it holds NUL bytes", str(path)))
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        # A sample may end within a letter, which is no fault of the encoding.
        if len(data) == SAMPLE and error.start > SAMPLE - 4:
            return "utf-8"
        line = data.rfind(b"\n", 0, error.start) + 1  # what stands before is plain and tells nothing
        best = from_bytes(data[line : line + SAMPLE], cp_isolation=LEGACY_ENCODINGS).best()
        return best.encoding if best else LEGACY_ENCODINGS[0]
    return "utf-8"


def _decoded(data: bytes, path: Path, *, whole: bool = True) -> str:
    likeliest = _encoding(data, path)
    if not whole:
        return data.decode(likeliest, "replace").lstrip("\ufeff\r\n")
    for encoding in [likeliest, *LEGACY_ENCODINGS]:
        try:
            return data.decode(encoding).lstrip("\ufeff\r\n")
        except UnicodeDecodeError:
            continue
    raise InputError(
        Issue("this text is in no known encoding", str(path), choices=["utf-8", *LEGACY_ENCODINGS])
    )


def _delimited(path: Path, columns: list[str], delimiter: str) -> pa.Table:
    """Read a delimited text through memory; every row that has not the cells of the header is named."""
    text = _decoded(path.read_bytes(), path)
    header = next(csv.reader(io.StringIO(text), delimiter=delimiter))
    names = [name.strip() for name in header]
    doubled = sorted({name for name in columns if names.count(name) > 1})
    if doubled:
        raise InputError(
            [Issue("the header names this column twice", str(path), value=name) for name in doubled]
        )
    _require(path, columns, names)
    broken: list[tuple[int, int]] = []

    def keep(row: Any) -> str:  # noqa: ANN401 - pyarrow's InvalidRow has no public type
        broken.append((row.number - 1, row.actual_columns))
        return "skip"

    try:
        table = pyarrow.csv.read_csv(
            io.BytesIO(text.encode("utf-8", "replace")),
            # One thread: only then does pyarrow number the rows that it refuses.
            pyarrow.csv.ReadOptions(use_threads=False, column_names=_distinct(names), skip_rows=1),
            pyarrow.csv.ParseOptions(delimiter=delimiter, newlines_in_values=True, invalid_row_handler=keep),
            pyarrow.csv.ConvertOptions(
                include_columns=columns,
                column_types=dict.fromkeys(columns, pa.string()),
                strings_can_be_null=True,
                null_values=[""],
            ),
        )
    except pa.ArrowInvalid as error:
        raise InputError(Issue(f"this is not a readable table: {error}", str(path))) from None
    if broken:
        message = f"this row has another number of cells than the header, which has {len(names)}"
        issues = [Issue(message, str(path), row=row, value=cells) for row, cells in broken[:MOST_BROKEN_ROWS]]
        if len(broken) > MOST_BROKEN_ROWS:
            issues.append(Issue(f"{len(broken) - MOST_BROKEN_ROWS} more such rows", str(path)))
        raise InputError(issues)
    return pa.table({name: pc.utf8_trim_whitespace(table.column(name)) for name in columns})


def _distinct(names: list[str]) -> list[str]:
    """Names for pyarrow: columns that nobody wants may be called the same."""
    return [name if names.index(name) == place else f"{name}\0{place}" for place, name in enumerate(names)]


def _records(path: Path, columns: list[str]) -> pa.Table:
    text = _decoded(path.read_bytes(), path)
    numbered: list[tuple[int, Any]]
    issues: list[Issue] = []
    if text.startswith("["):
        try:
            numbered = list(enumerate(json.loads(text), 1))
        except json.JSONDecodeError as error:
            raise InputError(Issue(f"this is not JSON: {error.msg}", str(path), error.lineno)) from None
    else:
        numbered = []
        for line, one in enumerate(text.splitlines(), 1):
            if not one.strip():
                continue
            try:
                numbered.append((line, json.loads(one)))
            except json.JSONDecodeError as error:
                issues.append(Issue(f"this line is not JSON: {error.msg}", str(path), line))
    issues += [
        Issue("a record is expected here", str(path), row=row, value=one)
        for row, one in numbered
        if not isinstance(one, dict)
    ]
    if issues:
        raise InputError(issues[:MOST_BROKEN_ROWS])
    rows = [one for _, one in numbered]
    _require(path, columns, list(dict.fromkeys(name for one in rows for name in one)))
    return pa.table({name: _column([one.get(name) for one in rows]) for name in columns})


def _column(cells: list[Any]) -> pa.Array:
    try:
        column = pa.array(cells)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
        return pa.array([_text(cell) for cell in cells], pa.string())
    plain = pa.types.is_integer(column.type) or pa.types.is_floating(column.type)
    return column if plain else pa.array([_text(cell) for cell in cells], pa.string())


def _text(cell: object) -> str | None:
    """Write a JSON value as the cell of a delimited text would hold it; sets as ``a|b``."""
    if cell is None or isinstance(cell, str):
        return cell
    if isinstance(cell, list):
        return SET_SEPARATOR.join(str(part) for part in cell) if cell else "[]"
    return json.dumps(cell, ensure_ascii=False)


def _require(path: Path, columns: Iterable[str], names: list[str]) -> None:
    hint = " (it has one column: is it delimited by something other than comma, tab, ; or |?)"
    message = "this file lacks a column" + (hint if len(names) == 1 else "")
    issues = [Issue(message, str(path), value=name, choices=names) for name in columns if name not in names]
    if issues:
        raise InputError(issues)
