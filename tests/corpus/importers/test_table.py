"""Any table under a column map."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from corpus.importers import Imported, import_source
from schemas.errors import InputError
from schemas.project import Project

Take = Callable[..., Imported]
Rows = Callable[..., list[dict[str, Any]]]

ROWS = [
    {"scene": "d1", "who": "Ann", "said": "Hello", "mood": "positive"},
    {"scene": "d1", "who": "Bo", "said": "Hi, you", "mood": "neg"},
    {"scene": "d2", "who": "the man", "said": "你好", "mood": "cross"},
]
MAP = ("dialogue_id=scene", "speaker=who", "text=said", "sentiment=mood")


def _delimited(mark: str) -> str:
    return "\n".join(
        mark.join(f'"{cell}"' for cell in row) for row in (ROWS[0], *(one.values() for one in ROWS))
    )


def _write(path: Path) -> None:
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(ROWS), path)
    elif path.suffix == ".jsonl":
        path.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in ROWS), "utf-8")
    else:
        path.write_text(_delimited({".csv": ",", ".tsv": "\t", ".txt": ";"}[path.suffix]), "utf-8")


@pytest.mark.parametrize("name", ["t.csv", "t.tsv", "t.txt", "t.jsonl", "t.parquet"])
def test_the_same_rows_come_out_of_every_kind_of_file(
    name: str, project: Project, tmp_path: Path, rows_of: Rows, apart: Callable[[], list[tuple[Any, ...]]]
) -> None:
    _write(tmp_path / name)
    imported = import_source(project, "table", [tmp_path / name], columns=MAP)
    assert imported is not None
    assert (imported.rows_read, imported.rows_imported) == (3, 3)
    utterances = rows_of("utterances.parquet")
    assert [one["utterance_id"] for one in utterances] == ["table_t_1", "table_t_2", "table_t_3"]
    assert [one["text"] for one in utterances] == [row["said"] for row in ROWS]
    assert [(one["dialogue_id"], one["index"]) for one in utterances] == [("d1", 0), ("d1", 1), ("d2", 0)]
    assert [one["speaker_id"] for one in utterances] == ["table:Ann", "table:Bo", "table:the man"]
    assert [one["generic"] for one in rows_of("speakers.parquet", "generic")] == [False, False, True]
    labels = rows_of("labels/published.parquet", "sentiment", "sentiment_missing", "emotion_missing")
    assert [one["sentiment"] for one in labels] == ["positive", "negative", None]
    assert [one["sentiment_missing"] for one in labels] == [None, None, "not_rated"]
    assert {one["emotion_missing"] for one in labels} == {"not_rated"}
    assert apart() == [(2, "sentiment", "neg"), (3, "sentiment", "cross")]


def test_bad_cells_are_told_with_their_place_and_the_valid_values(take: Take) -> None:
    imported = take("dialogue_id,text,start,valence\nd,x,soon,5\nd,y,1,12\n")
    assert list(imported.cells) == [
        "start: not a time, such as 01:02:03.5, 02:03.5 or 123.5 (seconds)"
        " (first: 'soon' in turns.csv, row 1)",
        "valence: not a number from 1 to 9 (first: '12' in turns.csv, row 2)",
    ]


def test_columns_that_are_not_imported_are_named(take: Take) -> None:
    assert take("dialogue_id,text,Emotion,notes\nd,x,joy,-\n").notes == [
        "turns.csv: utf-8",
        "turns.csv: columns left out: Emotion, notes",
    ]


def test_rows_without_identity_or_text_are_set_apart(
    take: Take, apart: Callable[[], list[tuple[Any, ...]]]
) -> None:
    imported = take(
        "dialogue_id,utterance_id,text\nd,u1,x\n,u2,y\nd,,z\nd,u4, \n,,\nd,u6,\x07\nd,u7\nd,u8,x,y\n"
    )
    assert (imported.rows_imported, imported.rows_quarantined) == (1, 7)
    assert apart() == [
        (2, "", "y"),
        (3, "", "z"),
        (4, "", " "),
        (5, "", ""),
        (6, "", "\x07"),
        (7, "", "d,u7"),
        (8, "", "d,u8,x,y"),
    ]


def test_spaces_around_names_mean_nothing_and_those_of_texts_are_kept(take: Take, rows_of: Rows) -> None:
    take("dialogue_id,utterance_id,speaker,text\nd ,u1, Ann, hello  you \n d,u2,Ann,x\n")
    found = rows_of("utterances.parquet", "dialogue_id", "speaker_id", "text", "text_original")
    assert found[0] == {
        "dialogue_id": "d",
        "speaker_id": "table:Ann",
        "text": "hello you",
        "text_original": " hello  you ",
    }
    assert found[1]["dialogue_id"] == "d"


def test_splits_under_their_usual_names(
    take: Take, rows_of: Rows, apart: Callable[[], list[tuple[Any, ...]]]
) -> None:
    take("dialogue_id,text,source_split\na,x,Train\nb,x,dev\nc,x,test\nd,x,challenge\ne,x,\n")
    found = [one["source_split"] for one in rows_of("dialogues.parquet", "source_split")]
    assert found == ["train", "validation", "test", None, None]
    assert apart() == [(4, "source_split", "challenge")]


def test_a_dialogue_in_two_splits_is_refused(take: Take) -> None:
    with pytest.raises(InputError, match=r"turns.csv, row 3, column 'dialogue_id': .* two splits.*got 'a'"):
        take("dialogue_id,text,source_split\na,x,train\nb,x,train\na,y,test\na,z,test\n")


def test_what_differs_within_a_dialogue_is_told(
    take: Take, rows_of: Rows, apart: Callable[[], list[tuple[Any, ...]]]
) -> None:
    take("dialogue_id,text,episode\na,x,e1\na,y,\na,z,e2\n")
    assert [one["episode"] for one in rows_of("dialogues.parquet")] == ["e1"]
    assert apart() == [(3, "episode", "e2")]


def test_the_same_utterance_id_twice_is_refused(take: Take) -> None:
    with pytest.raises(InputError) as caught:
        take("dialogue_id,utterance_id,text\nd,u1,x\nd,u2,y\nd,u1,z\ne,u2,z\n")
    assert [str(one) for one in caught.value.issues] == [
        f"table: turns.csv, row {row}, column 'utterance_id': "
        f"this utterance id stands in row {first} of turns.csv too, got '{value}'"
        for row, first, value in ((3, 1, "u1"), (4, 2, "u2"))
    ]


def test_utterance_ids_that_begin_anew_get_the_dialogue_before_them(take: Take, rows_of: Rows) -> None:
    imported = take("dialogue_id,utterance_id,text\nd,0,x\nd,1,y\ne,0,x\ne,1,z\ne,2,z\n")
    ids = [one["utterance_id"] for one in rows_of("utterances.parquet", "utterance_id")]
    assert ids == ["d_0", "d_1", "e_0", "e_1", "e_2"]
    assert any("begin anew" in note for note in imported.notes)


def test_turns_of_a_dialogue_stand_together_in_the_order_of_the_file(take: Take, rows_of: Rows) -> None:
    take("dialogue_id,text\na,1\nb,2\na,3\nb,4\nc,5\n")
    found = rows_of("utterances.parquet", "dialogue_id", "index", "text")
    assert [tuple(one.values()) for one in found] == [
        ("a", 0, "1"),
        ("a", 1, "3"),
        ("b", 0, "2"),
        ("b", 1, "4"),
        ("c", 0, "5"),
    ]


def test_a_dialogue_id_that_comes_again_in_another_file_is_refused(
    project: Project, write: Callable[..., Path]
) -> None:
    paths = [write("dialogue_id,text\n0,x\n1,y\n", "train.csv"), write("dialogue_id,text\n0,z\n", "test.csv")]
    with pytest.raises(InputError, match=r"stands in another file too.*got '0'"):
        import_source(project, "table", paths)


def test_files_of_a_folder_that_are_no_tables_are_named(project: Project, write: Callable[..., Path]) -> None:
    folder = write("dialogue_id,text\n0,x\n", "data/a.csv").parent
    write("MIT", "data/LICENSE")
    imported = import_source(project, "table", [folder])
    assert imported is not None
    assert imported.notes[0] == "files of the folder that are no tables: LICENSE"


@pytest.mark.parametrize(
    ("content", "columns", "messages"),
    [
        (
            "Dialogue,text\nd,x\n",
            ["sentiment=Mood", "emotion=Feeling"],
            [
                "this file lacks a column, got 'Mood'; valid: Dialogue, text",
                "this file lacks a column, got 'Feeling'; valid: Dialogue, text",
                "no column says what 'dialogue_id' is; map one with --map dialogue_id=COLUMN; "
                "valid: Dialogue, text",
            ],
        ),
        (
            "dialogue_id,utterance_id,text,rater,a\nd,u,x,r,positive\n",
            ["sentiment@r=a", "rater=rater"],
            ["ratings come in long form (a rater column) or in wide form (FIELD@RATER), not in both"],
        ),
        (
            "dialogue_id,text,rater\nd,x,r\n",
            [],
            [
                "ratings in long form need a column for utterance_id; "
                "map one with --map utterance_id=COLUMN; valid: dialogue_id, text, rater"
            ],
        ),
        ("d,u\n1,2,3\n", ["dialogue_id=d", "text=u"], ["no row of this source has an identity and a text"]),
    ],
)
def test_faults_of_a_table(take: Take, content: str, columns: list[str], messages: list[str]) -> None:
    with pytest.raises(InputError) as caught:
        take(content, *columns)
    found = [str(issue).partition(": ")[2] for issue in caught.value.issues]
    assert len(found) == len(messages)
    assert all(one.startswith(message) for one, message in zip(found, messages, strict=True))


def test_faults_of_a_map(take: Take) -> None:
    with pytest.raises(InputError) as caught:
        take(
            "dialogue_id,text\nd,x\n",
            "txt=text",
            "text",
            "mood@r=x",
            "sentiment@=x",
            "text=a",
            "text=b",
            "row=a",
        )
    found = [(issue.message, issue.value) for issue in caught.value.issues]
    assert found == [
        ("unknown target of a map entry", "txt"),
        ("a map entry is TARGET=COLUMN", "text"),
        ("unknown target of a map entry", "mood@r"),
        ("unknown target of a map entry", "sentiment@"),
        ("two map entries have this target", "text"),
        ("two map entries have this target", "text"),
        ("unknown target of a map entry", "row"),
    ]
