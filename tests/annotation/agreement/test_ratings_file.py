"""Files of ratings in every encoding and form give the same table; broken ones are told row by row."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from annotation.agreement import agreement
from annotation.agreement.ratings_file import read_ratings_file
from schemas.errors import InputError

ROWS = [
    {"条目": "甲", "rater": "a", "emotion": "joy|anger", "score": 1.5},
    {"条目": "甲", "rater": "b", "emotion": "[]", "score": None},
    {"条目": "乙", "rater": "a", "emotion": None, "score": -2.0},
    {"条目": "乙", "rater": "b", "emotion": "joy", "score": 3.0},
]
COLUMNS = ["条目", "rater", "emotion", "score"]


def delimited(mark: str, newline: str = "\n") -> str:
    lines = [
        ["条目", "rater", "note，他说这句话的时候笑了，可是讽刺很明显，大家都听得出来", "emotion", "score"]
    ]
    lines += [
        [
            row["条目"],
            row["rater"],
            "x",
            row["emotion"] or "",
            "" if row["score"] is None else str(row["score"]),
        ]
        for row in ROWS
    ]
    return newline.join(mark.join(line) for line in lines) + newline


def as_rows(table: pa.Table) -> list[dict]:
    rows = table.select(COLUMNS).to_pylist()
    for row in rows:
        row["score"] = None if row["score"] is None else float(row["score"])
    return rows


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "gb18030", "utf-8-crlf"])
@pytest.mark.parametrize("mark", [",", "\t", ";", "|"])
def test_encodings_and_delimiters(tmp_path, encoding, mark):
    text = delimited(mark if mark != "|" else ";", "\r\n" if "crlf" in encoding else "\n")
    if mark == "|":  # then a set would be two cells
        text = text.replace("joy|anger", "[]").replace(";", "|")
    for suffix in (".csv", ".tsv", ".txt"):
        path = tmp_path / f"r{suffix}"
        path.write_bytes(text.encode(encoding.removesuffix("-crlf")))
        rows = as_rows(read_ratings_file(path, COLUMNS))
        expected = [row | {"emotion": "[]"} if mark == "|" and row is ROWS[0] else row for row in ROWS]
        assert rows == expected


@pytest.mark.parametrize("form", ["array", "lines", "lines with blanks"])
def test_json(tmp_path, form):
    rows = [
        row
        | {
            "emotion": None
            if row["emotion"] is None
            else [*filter(None, row["emotion"].replace("[]", "").split("|"))]
        }
        for row in ROWS
    ]
    path = tmp_path / "r.json"
    if form == "array":
        path.write_text(json.dumps(rows, ensure_ascii=False, indent=1), "utf-8")
    else:
        between = "\n\n" if "blanks" in form else "\n"
        path.write_text(between.join(json.dumps(row, ensure_ascii=False) for row in rows), "utf-8")
    assert as_rows(read_ratings_file(path, COLUMNS)) == ROWS


def test_parquet_with_lists_and_dictionaries(tmp_path):
    table = pa.Table.from_pylist(ROWS)
    sets = pa.array([["joy", "anger"], [], None, ["joy"]])
    table = table.set_column(2, "emotion", sets).set_column(1, "rater", table.column(1).dictionary_encode())
    pq.write_table(table, tmp_path / "r.parquet")
    found = read_ratings_file(tmp_path / "r.parquet", COLUMNS)
    assert found.column("emotion").to_pylist() == sets.to_pylist()
    direct = agreement(table, "emotion:set", item="条目", rater="rater", n_boot=0)
    assert agreement(found, "emotion:set", item="条目", rater="rater", n_boot=0) == direct


def test_mixed_json_cells_become_text(tmp_path):
    path = tmp_path / "r.jsonl"
    path.write_text('{"i": 1, "v": "a"}\n{"i": "x", "v": true}\n{"i": null}\n', "utf-8")
    found = read_ratings_file(path, ["i", "v"])
    assert found.to_pylist() == [{"i": "1", "v": "a"}, {"i": "x", "v": "true"}, {"i": None, "v": None}]


def faults(path: Path, columns: list[str]) -> list[str]:
    with pytest.raises(InputError) as found:
        read_ratings_file(path, columns)
    assert all(issue.where == str(path) for issue in found.value.issues)
    return [str(issue).removeprefix(str(path)) for issue in found.value.issues]


def test_every_broken_row_is_named(tmp_path):
    path = tmp_path / "r.csv"
    path.write_text('i,v\na,1\nb\nc,"2\n3"\nd,1,2\ne,4\n', "utf-8")
    message = "this row has another number of cells than the header, which has 2"
    assert faults(path, ["i", "v"]) == [f", row 2: {message}, got 1", f", row 4: {message}, got 3"]


def test_broken_json_is_named(tmp_path):
    path = tmp_path / "r.jsonl"
    path.write_text('{"i": 1}\n{"i": \n[1]\n', "utf-8")
    assert [one.split(":")[1] for one in faults(path, ["i"])] == ["2", " a record is expected here, got [1]"]
    path.write_text('[{"i": 1},\n{"i" 2}]', "utf-8")
    assert faults(path, ["i"])[0].startswith(":2: this is not JSON")


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("r.csv", b"", "empty"),
        ("r.csv", b" \n", "empty"),
        ("r.csv", b"a,b\n\x00\x01", "NUL"),
        ("r.parquet", b"PAR1 no", "Parquet"),
        ("r.xlsx", b"x", "not a kind of file"),
        ("r.csv", b"a b\n1 2\n", "delimited by something other"),
        ("r.csv", b"a,b\n1,2\n", "lacks|no such column"),
        ("r.jsonl", b'{"b": 1}', "lacks"),
    ],
)
def test_files_that_cannot_be_read(tmp_path, name, data, message):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(InputError, match=message):
        read_ratings_file(tmp_path / name, ["i", "v"])


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        read_ratings_file(tmp_path / "no.csv", ["i"])


def test_every_missing_column_is_named_and_a_doubled_one_refused(tmp_path):
    path = tmp_path / "r.csv"
    path.write_text("a;b;a\n1;2;3\n", "utf-8")
    assert len(faults(path, ["x", "b", "y"])) == 2
    assert "twice" in faults(path, ["a", "b"])[0]
    assert read_ratings_file(path, ["b"]).to_pylist() == [{"b": "2"}]


def test_letters_beyond_the_sample_are_read_too(tmp_path, monkeypatch):
    monkeypatch.setattr("annotation.agreement.ratings_file.SAMPLE", 16)
    path = tmp_path / "r.csv"
    path.write_bytes(
        ("i,v\n" + "a,1\n" * 20 + "他说这句话的时候笑了，可是讽刺很明显，大家都听得出来,2\n").encode(
            "gb18030"
        )
    )
    assert read_ratings_file(path, ["i", "v"]).to_pylist()[-1] == {
        "i": "他说这句话的时候笑了，可是讽刺很明显，大家都听得出来",
        "v": "2",
    }
