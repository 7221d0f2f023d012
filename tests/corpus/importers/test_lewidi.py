"""The JSON format with rater ids: the released CSC files with their counts, and small ones."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from corpus.importers import Imported, import_source
from schemas.errors import InputError
from schemas.project import Project
from schemas.tables import read_table


@pytest.fixture(scope="module")
def csc(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Project, Imported]:
    project = Project.create(tmp_path_factory.mktemp("csc") / "project", "csc")
    imported = import_source(project, "lewidi", [shared / "data" / "LeWiDi_CSC"])
    assert imported is not None
    return project, imported


def test_items_turns_and_ratings(csc: tuple[Project, Imported]) -> None:
    project, imported = csc
    assert (imported.rows_read, imported.rows_imported, imported.cells) == (1_408, 1_408, {})
    dialogues = read_table(project.path("dialogues.parquet")).to_pylist()
    assert Counter(one["source_split"] for one in dialogues) == {"validation": 704, "test": 704}
    utterances = read_table(project.path("utterances.parquet")).to_pylist()
    assert Counter((one["index"], one["context_only"]) for one in utterances) == {
        (0, True): 1_408,
        (1, False): 1_408,
    }
    split_of = {one["dialogue_id"]: one["source_split"] for one in dialogues}
    dialogue_of = {one["utterance_id"]: one["dialogue_id"] for one in utterances}
    ratings = read_table(project.path("annotations/lewidi.parquet")).to_pylist()
    assert Counter(split_of[dialogue_of[one["utterance_id"]]] for one in ratings) == {
        "validation": 3_186,
        "test": 3_224,
    }
    rated = {one["utterance_id"] for one in ratings}
    assert rated == {one["utterance_id"] for one in utterances if not one["context_only"]}
    assert {one["sarcasm"] for one in ratings} == set("123456")


def test_ratings_are_those_of_the_file(csc: tuple[Project, Imported], shared: Path) -> None:
    project, _ = csc
    items: dict[str, Any] = {}
    for name in ("CSC_dev.json", "CSC_test.json"):
        items |= json.loads((shared / "data" / "LeWiDi_CSC" / name).read_text("utf-8"))
    expected = Counter(
        (f"lewidi_{key}_1", f"lewidi:{rater}", str(answer))
        for key, item in items.items()
        for rater, answer in item["annotations"].items()
    )
    ratings = read_table(project.path("annotations/lewidi.parquet")).to_pylist()
    assert Counter((one["utterance_id"], one["rater"], one["sarcasm"]) for one in ratings) == expected


def test_what_is_known_of_raters(csc: tuple[Project, Imported]) -> None:
    project, _ = csc
    raters = read_table(project.path("raters.parquet")).to_pylist()
    known = {one["rater"]: dict(one["attributes"]) for one in raters}
    assert (known["lewidi:Ann0"]["gender"], known["lewidi:Ann0"]["age"]) == ("Female", "56")
    assert len(raters) == 872


def _import(
    project: Project, write: Callable[..., Path], items: object, name: str = "items.json"
) -> Imported:
    imported = import_source(project, "lewidi", [write(json.dumps(items), name)], field="sarcasm")
    assert imported is not None
    return imported


SHAPES: list[Mapping[str, Any]] = [
    {"annotators": "A,B", "annotations": "sarcastic,none"},
    {"annotators": "A, B", "annotations": ["sarcastic", "none"]},
    {"annotators": ["A", "B"], "annotations": ["sarcastic", "none"]},
    {"annotations": {"A": "sarcastic", "B": "none"}},
]


@pytest.mark.parametrize("shape", SHAPES)
def test_the_shapes_that_ratings_come_in(
    project: Project, write: Callable[..., Path], rows_of: Callable[..., Any], shape: Mapping[str, Any]
) -> None:
    _import(project, write, {"7": {"text": {"a": "before", "b": "now"}, "lang": "en", **shape}})
    found = rows_of("annotations/lewidi.parquet", "utterance_id", "rater", "sarcasm")
    assert [tuple(one.values()) for one in found] == [
        ("lewidi_7_1", "lewidi:A", "sarcastic"),
        ("lewidi_7_1", "lewidi:B", "none"),
    ]


def test_unsound_items_are_set_apart_and_the_rest_is_imported(
    project: Project, write: Callable[..., Path], rows_of: Callable[..., Any]
) -> None:
    imported = _import(
        project,
        write,
        {
            "1": {"text": "a", "annotators": "A", "annotations": "none,none"},
            "2": 5,
            "3": {"annotations": {}},
            "4": {"text": ["a"]},
            "5": {"text": "a", "annotators": "A,A", "annotations": ["none", "none"]},
            "6": {"text": "a", "annotators": "A", "annotations": ["loud"], "lang": 3, "split": 9},
            "7": {"text": "never rated"},
            "8": {"text": "a", "annotations": 5},
        },
    )
    assert (imported.rows_read, imported.rows_imported, imported.rows_quarantined) == (8, 2, 6)
    found = rows_of("reports/quarantine.parquet", "row", "column", "reason")
    whole = {one["row"]: one["reason"] for one in found if one["column"] is None}
    assert whole == {
        1: "its annotations do not go with its annotators",
        2: "the item is not a mapping",
        3: "the item has no text",
        4: "the item has no text",
        5: "its annotations do not go with its annotators",
        8: "its annotations do not go with its annotators",
    }
    assert {(one["row"], one["column"]) for one in found if one["column"]} == {
        (6, "source_split"),
        (6, "sarcasm"),
    }
    assert len(rows_of("utterances.parquet")) == 2


def test_the_same_item_id_in_two_files_is_refused(project: Project, write: Callable[..., Path]) -> None:
    item = json.dumps({"1": {"text": "a"}})
    with pytest.raises(InputError, match=r"b.json, row 1: this item id stands in a.json too.*got '1'"):
        import_source(project, "lewidi", [write(item, "a.json"), write(item, "b.json")], field="sarcasm")


def test_which_field_was_rated_must_be_said(project: Project, write: Callable[..., Path]) -> None:
    path = write("{}", "a.json")
    with pytest.raises(InputError, match=r"say with --field .* valid: sentiment, emotion, "):
        import_source(project, "lewidi", [path])
    with pytest.raises(InputError, match="no such field, got 'sarcsm'; did you mean 'sarcasm'"):
        import_source(project, "lewidi", [path], field="sarcsm")


@pytest.mark.parametrize("content", ["[]", "5", "null"])
def test_a_file_of_something_else_is_refused(
    project: Project, write: Callable[..., Path], content: str
) -> None:
    with pytest.raises(InputError, match="a mapping from item ids to items is expected"):
        import_source(project, "lewidi", [write(content, "a.json")], field="sarcasm")
