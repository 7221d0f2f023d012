"""Ratings in long and in wide form, and the names of those who gave them."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from corpus.importers import Imported, import_source
from schemas import records
from schemas.errors import InputError
from schemas.project import Project
from schemas.tables import read_table, write_table
from schemas.validation import RATING_REASONS, validate_answers

Take = Callable[..., Imported]
Rows = Callable[..., list[dict[str, Any]]]
Apart = Callable[[], list[tuple[Any, ...]]]

NAMES = ("Mildred Okonkwo", "Xiomara Quijano")
LONG = "dialogue_id,utterance_id,text,rater,sentiment,emotion\n"
WIDE = f"dialogue_id,utterance_id,text,sentiment@{NAMES[0]},sentiment@{NAMES[1]},emotion@{NAMES[0]}\n"


def _ratings(rows_of: Rows, *columns: str) -> list[tuple[Any, ...]]:
    wanted = ("utterance_id", "rater", *columns)
    return [tuple(one.values()) for one in rows_of("annotations/table.parquet", *wanted)]


def _files_that_name_raters(project: Project) -> set[str]:
    """Look at all decoded tables and all bytes of other files."""
    found = set()
    for path in project.root.rglob("*"):
        if not path.is_file():
            continue
        text = path.read_bytes().decode("utf-8", "replace")
        if path.suffix == ".parquet":
            table = read_table(path)
            text += str(table.to_pylist()) + str(table.schema.metadata)
        if any(part in text for name in NAMES for part in (name, *name.split())):
            found.add(path.relative_to(project.root).as_posix())
    return found


def test_long_and_wide_form_say_the_same(take: Take, rows_of: Rows) -> None:
    first, second = NAMES
    long = f"{LONG}d,u1,x,{first},positive,joy\nd,u1,x,{second},neutral,\nd,u2,y,{second},negative,\n"
    take(long)
    columns = ("sentiment", "emotion", "sentiment_missing", "emotion_missing", "status")
    expected = _ratings(rows_of, *columns)
    assert expected == [
        ("u1", "table:r1", "positive", ["joy"], None, None, "submitted"),
        ("u1", "table:r2", "neutral", None, None, "not_rated", "submitted"),
        ("u2", "table:r2", "negative", None, None, "not_rated", "submitted"),
    ]
    take(f"{WIDE}d,u1,x,positive,neutral,joy\nd,u2,y,,negative,\nd,u3,z,,,\n")
    assert _ratings(rows_of, *columns) == expected
    assert len(rows_of("utterances.parquet")) == 3


def test_wide_form_by_a_map(take: Take, rows_of: Rows) -> None:
    take(
        "dialogue_id,text,first,second,sentiment\nd,x,positive,cannot_tell,neutral\n",
        f"sentiment@{NAMES[0]}=first",
        f"sentiment@{NAMES[1]}=second",
    )
    assert _ratings(rows_of, "sentiment", "sentiment_missing") == [
        ("table_turns_1", "table:r1", "positive", None),
        ("table_turns_1", "table:r2", None, "cannot_tell"),
    ]


def test_columns_beside_wide_ratings_are_not_meant(take: Take, rows_of: Rows) -> None:
    head = WIDE.replace("text,", "text,rater,sentiment,")
    imported = take(f"{head}d,u1,x,somebody,neutral,positive,,\n")
    assert _ratings(rows_of, "sentiment") == [("u1", "table:r1", "positive")]
    assert imported.notes[-1] == "turns.csv: columns left out: 2"


@pytest.mark.parametrize("form", ["long", "wide"])
def test_names_of_raters_stand_in_private_only(take: Take, project: Project, form: str) -> None:
    first, second = NAMES
    if form == "long":
        bad = f"d,u3,z,{second}\nd,u1,other,{second},positive,joy\nd,,z,{first},positive,x\n"
        take(f"{LONG}d,u1,x,{first},positive,cross\nd,u2,y,{second},bad,\n{bad}")
    else:
        head = WIDE.replace("text,", f"text,notes of {first},")
        take(f"{head}d,u1,x,-,positive,neutral,joy\nd,u2,y,-,bad,negative,\nd,u3\n,u4,z,-,positive,,\n")
    private = project.path("private/raters-table.json")
    assert _files_that_name_raters(project) == {"private/raters-table.json"}
    assert stat.S_IMODE(private.stat().st_mode) == 0o600
    assert set(json.loads(private.read_text("utf-8")).values()) == {first, second}


def test_an_error_leaves_no_name_behind(take: Take, project: Project) -> None:
    with pytest.raises(InputError):
        take(f"{LONG}d,u1,,{NAMES[0]},positive,\n")
    assert not _files_that_name_raters(project)


def test_pseudonyms_stay_when_the_source_grows(take: Take, rows_of: Rows) -> None:
    take(f"{LONG}d,u1,x,{NAMES[0]},positive,\n")
    take(f"{LONG}d,u1,x,{NAMES[1]},neutral,\nd,u1,x, {NAMES[0]} ,positive,\n")
    assert _ratings(rows_of, "sentiment") == [("u1", "table:r2", "neutral"), ("u1", "table:r1", "positive")]


def test_of_two_ratings_by_one_rater_the_last_counts(take: Take, rows_of: Rows) -> None:
    head = LONG.replace("emotion", "condition").replace("sentiment", "round,sentiment")
    take(
        f"{head}d,u1,x,A,1,positive,full\nd,u1,x,B,1,negative,full\nd,u1,x,A,1,neutral,full\n"
        "d,u1,x,A,2,negative,full\nd,u1,x,A,1,negative,text\nd,u1,x,A,1,negative,smell\n"
    )
    found = _ratings(rows_of, "round", "condition", "sentiment", "status")
    assert [one[1:] for one in found] == [
        ("table:r1", "1", "full", "positive", "superseded"),
        ("table:r2", "1", "full", "negative", "submitted"),
        ("table:r1", "1", "full", "neutral", "submitted"),
        ("table:r1", "2", "full", "negative", "submitted"),
        ("table:r1", "1", "text", "negative", "submitted"),
        ("table:r1", "1", None, "negative", "submitted"),
    ]


def test_unknown_raters_are_kept_and_not_taken_for_one(take: Take, rows_of: Rows) -> None:
    take(f"{LONG}d,u1,x,A,positive,\nd,u1,x,,negative,\nd,u1,x, ,neutral,\nd,u2,y,,,\n")
    assert _ratings(rows_of, "sentiment", "status") == [
        ("u1", "table:r1", "positive", "submitted"),
        ("u1", None, "negative", "submitted"),
        ("u1", None, "neutral", "submitted"),
    ]
    ids = [one["annotation_id"] for one in rows_of("annotations/table.parquet", "annotation_id")]
    assert len(set(ids)) == 3
    assert [one["rater"] for one in rows_of("raters.parquet")] == ["table:r1"]


def test_a_rating_of_something_else_is_not_taken(take: Take, rows_of: Rows, apart: Apart) -> None:
    take(
        f"{LONG}d,u1,x,A,positive,\nd,u1,another text,B,negative,\nother,u1,x,B,negative,\n"
        "d,u1,x ,C,neutral,\nd,u2,y,A,positive,\nd,u3,z,A,positive,\nd,u4,z,A,positive,\n"
    )
    assert [one[:1] + one[2:] for one in _ratings(rows_of, "sentiment") if one[0] == "u1"] == [
        ("u1", "positive"),
        ("u1", "neutral"),
    ]
    assert apart() == [(2, "", "another text"), (3, "", "other")]


def test_cells_that_differ_between_ratings_of_an_utterance_are_told(take: Take, apart: Apart) -> None:
    head = "dialogue_id,utterance_id,text,rater,speaker,start,sentiment\n"
    take(f"{head}d,u1,x,A,Ann,1,positive\nd,u1,x,B,,soon,positive\nd,u1,x,C,Bo,1,positive\n")
    assert apart() == [(2, "start", "soon"), (3, "speaker", "Bo")]


def test_a_cell_of_a_wide_row_is_told_once(take: Take, apart: Apart) -> None:
    head = WIDE.replace("text,", "text,start,source_split,")
    take(f"{head}d,u1,x,soon,never,positive,neutral,joy\n,u2,y,,,positive,neutral,joy\nd,u3,,,,a,b,c\n")
    assert apart() == [(1, "source_split", "never"), (1, "start", "soon"), (2, "", "y"), (3, "", "")]


def test_a_relation_is_rated_where_it_applies(take: Take, project: Project, apart: Apart) -> None:
    head = "dialogue_id,utterance_id,text,rater,sentiment,emotion,emotion_sentiment\n"
    take(
        f"{head}d,u1,x,A,positive,joy,2\nd,u2,x,A,neutral,neutral,1\n"
        "d,u3,x,A,neutral,[],cannot_tell\nd,u4,x,A,negative,,0.5\n"
    )
    table = read_table(project.path("annotations/table.parquet"))
    assert not validate_answers(table, project.schema, "annotations/table.parquet", RATING_REASONS)
    assert table.column("emotion_sentiment").to_pylist() == [2, None, None, None]
    reasons = [None, "not_applicable", "not_applicable", "not_rated"]
    assert table.column("emotion_sentiment_missing").to_pylist() == reasons
    assert apart() == [(2, "emotion_sentiment", "1"), (4, "emotion_sentiment", "0.5")]


def test_ratings_that_no_import_made_are_not_overwritten(
    project: Project, write: Callable[..., Path]
) -> None:
    arrow = records.annotations_schema(project.schema)
    write_table(project.path("annotations/server.parquet"), arrow.empty_table(), arrow)
    path = write(f"{LONG}d,u1,x,A,positive,\n")
    with pytest.raises(InputError, match="no import made them; choose another --name, got 'server'"):
        import_source(project, "table", [path], name="server")
