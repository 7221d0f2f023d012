"""Reading files: encodings, delimiters, and the number of every row whatever stands before it."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.importers.reading import as_cell, decode, read_delimited, read_json, read_source, source_files
from schemas.errors import InputError

Write = Callable[..., Path]

CHINESE = "甲,乙\n你好,我很高兴见到你\n再见,今天的天气真不错\n" * 3
WESTERN = "who,what\nZoë,Où est le café déjà vu ? Ça me plaît.\nJürgen,Schöne Grüße aus München für dich\n"


@pytest.mark.parametrize(
    ("text", "encoding", "reported"),
    [
        (CHINESE, "utf-8", "utf-8"),
        (CHINESE, "utf-8-sig", "utf-8"),
        (CHINESE, "gb18030", "gb18030"),
        (CHINESE, "utf-16", "utf-16"),
        (CHINESE, "utf-16-le", "utf-16-le"),
        (WESTERN, "utf-16-be", "utf-16-be"),
        (WESTERN, "cp1252", "cp1252"),
    ],
)
def test_encodings_are_found_and_reported(write: Write, text: str, encoding: str, reported: str) -> None:
    assert decode(write(text.encode(encoding))) == (text, reported)


def test_stray_nul_bytes_are_left_out_and_reported(write: Write) -> None:
    path = write(b"a,b\n1,x\0y\n" + b"2,text of some length\n" * 9)
    found = read_source(path)
    assert found.columns["b"][0].as_py() == "xy"
    assert found.about == "turns.csv: utf-8, 1 NUL byte(s) left out"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "this file is empty"),
        (b" \r\n", "this file is empty"),
        (b"\xef\xbb\xbf\n", "this file is empty"),
        (bytes(range(256)) * 8, "this text is in no known encoding"),
        (b"ab\0\0" * 500, "this is not a text file: it holds many NUL bytes"),
        (b"a,b\n", "this file holds a header and no row"),
        (b"a,b", "this file holds a header and no row"),
        (b"a,b,a\n1,2,3\n", "the header names this column twice, got 'a'"),
    ],
)
def test_what_is_no_table_is_refused(write: Write, content: bytes, message: str) -> None:
    with pytest.raises(InputError, match=f"turns.csv: {message}"):
        read_source(write(content))


@pytest.mark.parametrize("delimiter", [",", "\t", ";", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_delimiters_and_line_ends(write: Write, delimiter: str, end: str) -> None:
    text = end.join(delimiter.join(row) for row in ("ab", "12", "34"))
    found = read_delimited(write(text))
    assert found.columns.to_pydict() == {"a": ["1", "3"], "b": ["2", "4"]}


def test_a_header_may_hold_line_breaks_and_follow_empty_lines(write: Write) -> None:
    found = read_delimited(write('\n\n"a\nlong",b\n1,2\nbad\n3,4\n'))
    assert found.columns.to_pydict() == {"a\nlong": ["1", "3"], "b": ["2", "4"]}
    assert (found.rows.to_pylist(), found.broken) == ([1, 3], [(2, "bad")])


def test_columns_without_a_name_are_numbered(write: Write) -> None:
    assert read_delimited(write("a,,\n1,2,3\n")).columns.column_names == ["a", "column 2", "column 3"]


@pytest.mark.parametrize("row", ['1,"two\n2,3\n4,5\n', '"1,two\n2,3\n4,5\n'])
def test_a_quotation_mark_that_is_never_closed_is_found(write: Write, row: str) -> None:
    with pytest.raises(InputError, match=r"row \d+: a quotation mark opens"):
        read_delimited(write(f"a,b\n0,0\n{row}"))


@pytest.mark.parametrize(
    "row", ['"1\n2",3\n', '1,"2\n3"\n', '1,"2\n3"', '"1\n2",""\n', '1,2" tall\n', '"1\n2"\n']
)
def test_line_breaks_inside_quotes_are_no_open_quotation_mark(write: Write, row: str) -> None:
    found = read_delimited(write(f"a,b\n0,0\n{row}"))
    assert found.columns.num_rows + len(found.broken) == 2


def test_a_cell_may_be_longer_than_what_is_read_at_once(write: Write) -> None:
    long = "long " * 300_000
    found = read_delimited(write(f'a,b\n1,"{long}"\nbad\n2,3\n'))
    assert found.columns["b"].to_pylist() == [long, "3"]
    assert found.rows.to_pylist() == [1, 3]


cells = st.text(st.sampled_from('ab,"\n\r 你'), max_size=4)


@given(rows=st.lists(st.lists(cells, min_size=1, max_size=5), min_size=1, max_size=12))
def test_rows_are_numbered_as_the_csv_module_numbers_them(
    rows: list[list[str]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    out = io.StringIO(newline="")
    csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(
        [["first", "second", "third"], *rows]
    )
    path = tmp_path_factory.mktemp("csv") / "t.csv"
    path.write_bytes(out.getvalue().encode())
    found = read_delimited(path)
    expected = {number: row for number, row in enumerate(rows, 1) if len(row) == 3}
    got = dict(
        zip(
            found.rows.to_pylist(),
            map(list, zip(*found.columns.to_pydict().values(), strict=True)),
            strict=True,
        )
    )
    assert got == expected
    assert [number for number, _ in found.broken] == [n for n, row in enumerate(rows, 1) if len(row) != 3]


def test_json_lines_end_at_line_feeds_only(write: Write) -> None:
    found = read_source(write('{"a": "x\u2028y", "b": ["p", "q"]}\n\n{"a": 1.0\n{"a": 7.0}\n', "t.jsonl"))
    assert found.columns.to_pydict() == {"a": ["x\u2028y", "7"], "b": ["p|q", None]}
    assert found.rows.to_pylist() == [1, 4]
    assert found.broken == [(2, ""), (3, '{"a": 1.0')]


def test_half_a_letter_becomes_the_replacement_character(write: Write) -> None:
    content, _ = read_json(write(r'{"a": ["\ud83d", "\ud83d\ude00"]}', "t.json"))
    assert content == {"a": ["\ufffd", "\U0001f600"]}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"a": 1,\n"a": }', "t.json:2: this is not JSON"),
        ('{"1": {}, "1": {}}', "an object has the key '1' twice"),
        ("[" * 100_000, "nested too deeply"),
    ],
)
def test_unsound_json_is_refused(write: Write, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_json(write(text, "t.json"))


def test_parquet_cells_are_texts_and_media_are_not_read(tmp_path: Path) -> None:
    table = pa.table(
        {
            "id": [12345678901.0, 2.5, None],
            "score": pa.array([0.1, 7, None], pa.float32()),
            "set": [["joy", "anger"], [], None],
            "large": pa.array([["joy"], [], None], pa.large_list(pa.large_string())),
            "flag": [True, False, None],
            "name": pa.array(["a", "b", None]).dictionary_encode(),
            "audio": [{"bytes": b"\xff"}, None, None],
            "image": [b"\xff", None, None],
        }
    )
    pq.write_table(table, tmp_path / "t.parquet")
    found = read_source(tmp_path / "t.parquet")
    assert found.columns.to_pydict() == {
        "id": ["12345678901", "2.5", None],
        "score": ["0.1", "7", None],
        "set": ["joy|anger", "[]", None],
        "large": ["joy", "[]", None],
        "flag": ["true", "false", None],
        "name": ["a", "b", None],
    }
    assert found.rows.to_pylist() == [1, 2, 3]


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        (None, None),
        ([], "[]"),
        ({"joy": 2, "fear": 1.0}, "joy=2|fear=1"),
        (True, "true"),
        (1e16, "1" + "0" * 16),
    ],
)
def test_values_as_cells(value: object, cell: str | None) -> None:
    assert as_cell(value) == cell


def test_files_of_a_folder_and_what_is_refused(write: Write, tmp_path: Path) -> None:
    first, second = write("x", "one/a.csv"), write("x", "one/b.csv")
    write("x", "one/.hidden.csv")
    twin = write("x", "two/a.csv")
    (tmp_path / "none").mkdir()
    assert source_files([tmp_path / "one"]) == [first, second]
    with pytest.raises(InputError) as caught:
        source_files([first, twin, tmp_path / "none", tmp_path / "gone"])
    assert [str(issue).partition(": ")[2] for issue in caught.value.issues] == [
        f"a file of this name is imported already: {first}; rename one",
        "there is no file in this folder",
        "there is no such file or folder",
    ]
