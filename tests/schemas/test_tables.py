"""Parquet tables: bytes, content hashes, round trips, provenance."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings

from schemas import InputError, load_schema
from schemas.records import SPEAKERS, annotations_schema
from schemas.sampling import ANNOTATIONS, draw_corpus
from schemas.tables import (
    ROW_GROUP,
    Provenance,
    TableWriter,
    concat,
    content_hash,
    from_rows,
    iter_tables,
    open_table,
    read_provenance,
    read_table,
    write_table,
)

AFFECT = load_schema("affect")


@pytest.fixture(scope="module")
def ratings() -> pa.Table:
    """Return ratings with lists, nulls and times, some more than two row groups of them."""
    drawn = draw_corpus(AFFECT, 1200, 7, raters=3)[ANNOTATIONS]
    assert drawn.num_rows > 2 * ROW_GROUP
    return drawn.slice(0, 2 * ROW_GROUP + 111)


def write_in(path: Path, table: pa.Table, sizes: list[int]) -> Path:
    """Write a table in batches of the given sizes, repeated."""
    with TableWriter(path, table.schema) as writer:
        start = number = 0
        while start < table.num_rows:
            size = sizes[number % len(sizes)]
            writer.write(table.slice(start, size))
            start, number = start + size, number + 1
    return path


@pytest.mark.parametrize(
    "sizes", [[ROW_GROUP], [1000], [1, 7, 5000], [ROW_GROUP - 1, ROW_GROUP + 1], [0, 999]]
)
def test_bytes_do_not_depend_on_batches(tmp_path: Path, ratings: pa.Table, sizes: list[int]) -> None:
    write_table(tmp_path / "whole.parquet", ratings, ratings.schema)
    write_in(tmp_path / "pieces.parquet", ratings, sizes)
    assert (tmp_path / "pieces.parquet").read_bytes() == (tmp_path / "whole.parquet").read_bytes()
    with open_table(tmp_path / "whole.parquet") as file:
        groups = [file.metadata.row_group(number).num_rows for number in range(file.num_row_groups)]
    assert groups == [ROW_GROUP, ROW_GROUP, 111]


def test_round_trip(tmp_path: Path, ratings: pa.Table) -> None:
    write_table(tmp_path / "t.parquet", ratings, annotations_schema(AFFECT))
    again = read_table(tmp_path / "t.parquet")
    assert again.equals(ratings)
    assert again.schema.equals(ratings.schema)
    assert read_table(tmp_path / "t.parquet", ["emotion", "flags"]).equals(
        ratings.select(["emotion", "flags"])
    )
    pieces = list(iter_tables(tmp_path / "t.parquet", ["rater"], 1000))
    assert max(piece.num_rows for piece in pieces) <= 1000
    assert pa.concat_tables(pieces).equals(ratings.select(["rater"]))


def test_an_empty_table_is_a_table(tmp_path: Path) -> None:
    write_table(tmp_path / "t.parquet", SPEAKERS.empty_table(), SPEAKERS)
    assert read_table(tmp_path / "t.parquet").schema.equals(SPEAKERS)
    assert content_hash(tmp_path / "t.parquet")


def test_a_table_of_other_columns_or_values_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(KeyError), TableWriter(tmp_path / "t.parquet", SPEAKERS) as writer:
        writer.write(pa.table({"speaker_id": ["a"]}))


# -- content hashes ----------------------------------------------------------------------------------------


def test_the_hash_is_that_of_the_values_alone(tmp_path: Path, ratings: pa.Table) -> None:
    write_table(tmp_path / "a.parquet", ratings, ratings.schema, Provenance("step", 1))
    expected = content_hash(tmp_path / "a.parquet")
    pq.write_table(ratings, tmp_path / "b.parquet", compression="snappy", row_group_size=777)
    pq.write_table(ratings, tmp_path / "c.parquet", compression="none", use_dictionary=False)
    pq.write_table(ratings, tmp_path / "d.parquet", data_page_version="2.0", row_group_size=50_000)
    assert {content_hash(tmp_path / f"{name}.parquet") for name in "bcd"} == {expected}


def hash_of(folder: Path, column: pa.Array | pa.ChunkedArray, name: str = "x") -> str:
    path = folder / "h.parquet"
    pq.write_table(pa.table({name: column}), path)
    return content_hash(path)


PAIRS: list[tuple[str, list[Any], list[Any], pa.DataType]] = [
    ("null is not the empty text", ["", "a"], [None, "a"], pa.string()),
    ("a letter moved to the neighbour", ["ab", "c"], ["a", "bc"], pa.string()),
    ("nulls in another place", [None, "a"], ["a", None], pa.string()),
    ("one null more at the end", ["a"], ["a", None], pa.string()),
    ("an item moved to the neighbour", [["a", "b"], ["c"]], [["a"], ["b", "c"]], pa.list_(pa.string())),
    ("a null list is not an empty one", [[], ["a"]], [None, ["a"]], pa.list_(pa.string())),
    ("a null in a list is not an empty text", [[""]], [[None]], pa.list_(pa.string())),
    ("an empty list is not a list of an empty text", [[]], [[""]], pa.list_(pa.string())),
    ("another order in a list", [["a", "b"]], [["b", "a"]], pa.list_(pa.string())),
    ("another number in a list", [[0, 1], [2]], [[0, 1], [3]], pa.list_(pa.int8())),
    ("another number", [1, 2], [1, 3], pa.int32()),
    ("null is not 0", [0, 1], [None, 1], pa.int8()),
    ("null is not false", [False], [None], pa.bool_()),
    ("another truth", [False, True], [True, False], pa.bool_()),
    ("the smallest step", [1.0], [1.0 + 2**-23], pa.float32()),
    ("null is not nan", [float("nan")], [None], pa.float64()),
    ("another time", [1], [2], pa.timestamp("ms", "UTC")),
    ("another item of a map", [[("k", "v")]], [[("k", "w")]], pa.map_(pa.string(), pa.string())),
    ("another key of a map", [[("k", "v")]], [[("l", "v")]], pa.map_(pa.string(), pa.string())),
    (
        "an entry moved to the neighbour",
        [[("k", "v"), ("l", "w")], []],
        [[("k", "v")], [("l", "w")]],
        pa.map_(pa.string(), pa.string()),
    ),
    ("a null map is not an empty one", [[]], [None], pa.map_(pa.string(), pa.string())),
    ("a null item of a map", [[("k", "")]], [[("k", None)]], pa.map_(pa.string(), pa.string())),
    (
        "another part of a struct",
        [{"a": 1, "b": None}],
        [{"a": None, "b": 1}],
        pa.struct([("a", pa.int8()), ("b", pa.int8())]),
    ),
    ("another large text", ["ab", "c"], ["a", "bc"], pa.large_string()),
    ("another date", [1], [2], pa.date32()),
    ("another fixed list", [[1, 2]], [[2, 1]], pa.list_(pa.int8(), 2)),
]


@pytest.mark.parametrize(
    ("one", "other", "kind"), [pair[1:] for pair in PAIRS], ids=[pair[0] for pair in PAIRS]
)
def test_every_change_of_a_value_changes_the_hash(
    tmp_path: Path, one: list[Any], other: list[Any], kind: pa.DataType
) -> None:
    assert hash_of(tmp_path, pa.array(one, kind)) != hash_of(tmp_path, pa.array(other, kind))
    assert hash_of(tmp_path, pa.array(one, kind)) == hash_of(tmp_path, pa.array(list(one), kind))
    # The same change deep in a longer column, after nulls and in a second row group.
    head = [None, *one, *other] * 40
    path = tmp_path / "long.parquet"
    hashes = set()
    for tail in (one, other):
        for size in (7, 1000):
            pq.write_table(pa.table({"x": pa.array(head + tail, kind)}), path, row_group_size=size)
            hashes.add(content_hash(path))
    assert len(hashes) == 2


def test_names_types_and_order_of_columns_count(tmp_path: Path) -> None:
    column = pa.array([1, 2], pa.int8())
    assert hash_of(tmp_path, column) != hash_of(tmp_path, column, "y")
    assert hash_of(tmp_path, column) != hash_of(tmp_path, column.cast(pa.int16()))
    path = tmp_path / "o.parquet"
    pq.write_table(pa.table({"a": column, "b": column}), path)
    one = content_hash(path)
    pq.write_table(pa.table({"b": column, "a": column}), path)
    assert content_hash(path) != one


texts = st.none() | st.text(st.sampled_from("ab\0|é字🙂"), max_size=3)
cells = st.fixed_dictionaries(
    {
        "text": texts,
        "list": st.none() | st.lists(texts, max_size=3),
        "map": st.none() | st.lists(st.tuples(st.sampled_from("kl"), texts), max_size=2),
        "number": st.none() | st.integers(-2, 2),
    }
)
KINDS = pa.schema(
    [
        ("text", pa.string()),
        ("list", pa.list_(pa.string())),
        ("map", pa.map_(pa.string(), pa.string())),
        ("number", pa.int8()),
    ]
)


@given(
    st.lists(cells, max_size=12),
    st.lists(cells, max_size=12),
    st.integers(1, 5),
    st.sampled_from(["none", "zstd"]),
)
@settings(max_examples=150, deadline=None)
def test_hashes_are_equal_exactly_where_rows_are(
    tmp_path_factory: pytest.TempPathFactory,
    one: list[dict[str, Any]],
    other: list[dict[str, Any]],
    group: int,
    compression: str,
) -> None:
    folder = tmp_path_factory.getbasetemp()
    hashes = []
    for rows in (one, other, list(one)):
        pq.write_table(from_rows(rows, KINDS), folder / "p.parquet", group, compression=compression)
        hashes.append(content_hash(folder / "p.parquet"))
    pq.write_table(from_rows(one, KINDS), folder / "p.parquet")
    assert hashes[0] == hashes[2] == content_hash(folder / "p.parquet")
    assert (hashes[0] == hashes[1]) == (one == other)


def test_other_files_are_hashed_by_their_bytes(tmp_path: Path) -> None:
    path = tmp_path / "roles.json"
    path.write_bytes(b"{}")
    assert content_hash(path) == hashlib.sha256(b"{}").hexdigest()


# -- provenance and faults ---------------------------------------------------------------------------------


def test_provenance_goes_with_the_table(tmp_path: Path) -> None:
    made = Provenance(
        "corpus split", 2, {"b": "2", "a": "1"}, {"seed": 0, "ratio": [0.8, 0.2], "name": "对话"}
    )
    write_table(tmp_path / "t.parquet", pa.table({"a": [1]}), pa.schema([("a", pa.int64())]), made)
    assert read_provenance(tmp_path / "t.parquet") == made
    same = Provenance("corpus split", 2, {"a": "1", "b": "2"}, dict(reversed(made.parameters.items())))
    assert same.to_json() == made.to_json()
    pq.write_table(pa.table({"a": [1]}), tmp_path / "u.parquet")
    assert read_provenance(tmp_path / "u.parquet") is None


def test_tables_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no such table"):
        read_table(tmp_path / "t.parquet")
    (tmp_path / "t.parquet").write_bytes(b"not parquet at all")
    with pytest.raises(InputError, match="this is not a readable Parquet file"):
        read_table(tmp_path / "t.parquet")
    (tmp_path / "t.parquet").write_bytes(b"")
    with pytest.raises(InputError, match="this is not a readable Parquet file"):
        content_hash(tmp_path / "t.parquet")


def test_every_column_that_is_lacking_is_named(tmp_path: Path) -> None:
    pq.write_table(pa.table({"rater": [1], "item": [2]}), tmp_path / "t.parquet")
    with pytest.raises(InputError) as caught:
        read_table(tmp_path / "t.parquet", ["raters", "item", "label"])
    assert [(one.value, list(one.choices)) for one in caught.value.issues] == [
        ("raters", ["rater", "item"]),
        ("label", ["rater", "item"]),
    ]


def test_a_failed_block_raises_its_own_error(tmp_path: Path) -> None:
    schema = pa.schema([("a", pa.int64())])
    table = pa.table({"a": [1]}, schema=schema)

    def fail() -> None:
        with TableWriter(tmp_path / "t.parquet", schema) as writer:
            writer.write(table)
            raise RuntimeError("mine")

    with pytest.raises(RuntimeError, match="mine"):
        fail()


def test_rows_and_concatenation_keep_the_schema() -> None:
    schema = pa.schema([("a", pa.int8()), ("b", pa.list_(pa.string()))])
    rows = from_rows([{"a": 1}, {"b": ["x"], "other": 2}], schema)
    assert rows.to_pylist() == [{"a": 1, "b": None}, {"a": None, "b": ["x"]}]
    joined = concat([rows.drop_columns(["b"]), rows], schema)
    assert joined.schema.equals(schema)
    assert joined["b"].to_pylist() == [None, None, None, ["x"]]
    assert concat([], schema).num_rows == 0
