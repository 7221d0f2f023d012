"""Whatever is damaged in a table: every row is accounted for, every bad cell is listed as it stood."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from corpus.importers.assembly import assemble
from corpus.importers.table import read
from schemas import load_schema

AFFECT = load_schema("affect")
HEADER = ["dialogue_id", "utterance_id", "text", "start", "end", "sentiment", "valence", "emotion"]

# What a sound and what a damaged cell of each column may hold.
SOUND = {
    "start": ["", "0", "1.5", "00:01", "1:02:03,004", "NA"],
    "end": ["", "2", "12:00.5"],
    "sentiment": ["", "positive", "Neutral", "null", "cannot_tell"],
    "valence": ["", "1", "9", "4.5"],
    "emotion": ["", "[]", "joy", "anger|joy", "neutral"],
}
DAMAGED = {
    "start": ["soon", "-1", "1:99", "inf", '"', "1\n2"],
    "end": [">3", "0:0:0:0", "a,b"],
    "sentiment": ["angry", "posi\ntive", "正面的", '"positive"'],
    "valence": ["0", "10", "nine", "5\n5", "5,5"],
    "emotion": ["joy|joi", "neutral|joy", "|", 'j"oy', "joy=1|anger"],
}
TEXTS = st.sampled_from(["hello", "two\nlines", '"quoted", and so on', "你好，世界", " padded ", "a\r\nb"])


@dataclass
class Table:
    """A table with what must come of it."""

    rows: list[list[str]] = field(default_factory=list)
    imported: set[int] = field(default_factory=set)
    apart: set[int] = field(default_factory=set)
    cells: set[tuple[int, str, str]] = field(default_factory=set)


@st.composite
def damaged_tables(draw: st.DrawFn) -> Table:
    table = Table()
    for number in range(1, draw(st.integers(1, 15)) + 1):
        cells = {
            "dialogue_id": f"d{draw(st.integers(0, 3))}",
            "utterance_id": f"u{number}",
            "text": draw(TEXTS),
        }
        bad = set()
        for name, sound in SOUND.items():
            damaged = draw(st.integers(0, 4)) == 0
            cells[name] = draw(st.sampled_from(DAMAGED[name] if damaged else sound))
            if damaged:
                bad.add((number, name, cells[name]))
        row = [cells[name] for name in HEADER]
        fate = draw(st.sampled_from(["sound"] * 6 + ["short", "long", "blank", "no id", "no text"]))
        if fate == "short":
            row = row[: draw(st.integers(1, len(row) - 1))]
        elif fate == "long":
            row.append("more")
        elif fate == "blank":
            row = [""] * len(row)
        elif fate == "no id":
            row[draw(st.integers(0, 1))] = draw(st.sampled_from(["", "  "]))
        elif fate == "no text":
            row[2] = draw(st.sampled_from(["", " \t"]))
        table.rows.append(row)
        if fate == "sound":
            table.imported.add(number)
            table.cells |= bad
        else:
            table.apart.add(number)
    return table


@settings(deadline=None, max_examples=80, suppress_health_check=[HealthCheck.too_slow])
@given(table=damaged_tables(), delimiter=st.sampled_from(",\t;"), end=st.sampled_from(["\n", "\r\n"]))
def test_rows_in_are_rows_imported_and_set_apart(
    table: Table, delimiter: str, end: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    sound = ["d0", "u0", "the one row that is always sound", "0", "1", "positive", "5", "joy"]
    out = io.StringIO(newline="")
    csv.writer(out, delimiter=delimiter, lineterminator=end).writerows([HEADER, *table.rows, sound])
    path = tmp_path_factory.mktemp("damaged") / "t.csv"
    path.write_bytes(out.getvalue().encode())

    imported = assemble(read([path], AFFECT, "s"), AFFECT)

    assert imported.rows_read == len(table.rows) + 1
    assert imported.rows_imported == len(table.imported) + 1
    assert imported.rows_quarantined == len(table.apart)
    assert imported.tables["utterances"].num_rows == imported.rows_imported
    assert imported.tables["published"].num_rows == imported.rows_imported
    found = imported.tables["quarantine"].to_pylist()
    assert sorted(one["row"] for one in found if one["column"] is None) == sorted(table.apart)
    cells = {(one["row"], one["column"], one["original"]) for one in found if one["column"]}
    assert cells == table.cells
    ids = {one["row"]: one["utterance_id"] for one in found if one["column"]}
    assert ids == {row: f"u{row}" for row, _, _ in table.cells}
    texts = {one["utterance_id"]: one["text_original"] for one in imported.tables["utterances"].to_pylist()}
    assert all(texts[f"u{number}"] == table.rows[number - 1][2] for number in table.imported)
