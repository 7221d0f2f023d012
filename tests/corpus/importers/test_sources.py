"""Several sources in one project, and importing one of them again."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from corpus import importers
from corpus.importers import REPORT, Imported, Source, import_source
from corpus.importers.assembly import assemble
from schemas.errors import InputError
from schemas.label_schema import LabelSchema
from schemas.project import Project
from schemas.tables import Provenance, read_table, write_table

Write = Callable[..., Path]
Rows = Callable[..., list[dict[str, Any]]]

ONE = "dialogue_id,text,sentiment\na,x,positive\na,y,wrong\n"
TWO = "dialogue_id,utterance_id,text,rater\nb,v1,x,Ann\nb,v2,z,Ann\n"


def _import(project: Project, path: Path, name: str, **options: Any) -> Imported | None:
    return import_source(project, "table", [path], name=name, **options)


def _all(project: Project) -> dict[str, bytes]:
    return {
        str(path.relative_to(project.root)): path.read_bytes()
        for path in project.root.rglob("*")
        if path.is_file() and not path.name.startswith(".lock")
    }


def test_importing_one_source_again_leaves_the_other(project: Project, write: Write, rows_of: Rows) -> None:
    _import(project, write(ONE, "one.csv"), "one")
    _import(project, write(TWO, "two.csv"), "two")
    ratings = rows_of("annotations/two.parquet")
    _import(project, write(ONE.replace("a,x", "c,x"), "one.csv"), "one")
    found = [(one["source"], one["dialogue_id"]) for one in rows_of("dialogues.parquet")]
    assert sorted(found) == [("one", "a"), ("one", "c"), ("two", "b")]
    assert sorted(one["dialogue_id"] for one in rows_of("utterances.parquet")) == ["a", "b", "b", "c"]
    assert [one["source"] for one in rows_of("reports/quarantine.parquet")] == ["one"]
    assert [one["rater"] for one in rows_of("raters.parquet")] == ["two:r1"]
    assert rows_of("annotations/two.parquet") == ratings
    account = json.loads(project.path(REPORT).read_text("utf-8"))
    assert account["one"]["rows"] == {"read": 2, "imported": 2, "quarantined": 0, "ignored": {}}


def test_published_labels_stand_beside_a_source_without(
    project: Project, write: Write, rows_of: Rows
) -> None:
    _import(project, write(TWO, "two.csv"), "two")
    _import(project, write(ONE, "one.csv"), "one")
    _import(project, write("dialogue_id,text\nd,x\n", "three.csv"), "three")
    labels = rows_of("labels/published.parquet", "utterance_id", "sentiment", "sentiment_missing")
    assert [tuple(one.values()) for one in labels] == [
        ("v1", None, "not_rated"),
        ("v2", None, "not_rated"),
        ("one_one_1", "positive", None),
        ("one_one_2", None, "not_rated"),
        ("three_three_1", None, "not_rated"),
    ]
    ids = [one["utterance_id"] for one in rows_of("utterances.parquet")]
    assert ids == [one["utterance_id"] for one in labels]


def test_labels_and_raters_go_when_their_source_has_none_any_more(
    project: Project, write: Write, rows_of: Rows
) -> None:
    _import(project, write(ONE, "one.csv"), "one")
    _import(project, write(TWO, "one.csv"), "one")
    assert [one["utterance_id"] for one in rows_of("labels/published.parquet")] == ["v1", "v2"]
    assert rows_of("raters.parquet")
    _import(project, write(ONE, "one.csv"), "one")
    assert not rows_of("raters.parquet")
    assert not rows_of("annotations/one.parquet")
    assert [one["sentiment"] for one in rows_of("labels/published.parquet")] == ["positive", None]


def test_an_unchanged_source_is_not_imported_again(project: Project, write: Write) -> None:
    path = write(ONE, "one.csv")
    assert _import(project, path, "one") is not None
    before = _all(project)
    assert _import(project, path, "one") is None
    assert _all(project) == before
    assert _import(project, path, "one", columns=["speaker=text"]) is not None
    path.write_text(ONE + "a,more,\n")
    assert _import(project, path, "one") is not None
    project.path("utterances.parquet").unlink()
    project.path("dialogues.parquet").unlink()
    assert _import(project, path, "one") is not None


@pytest.mark.parametrize("gone", ["dialogues", "utterances", "speakers", "raters", "annotations/two"])
def test_a_table_that_was_deleted_comes_back_with_its_source(
    project: Project, write: Write, rows_of: Rows, gone: str
) -> None:
    one, two = write(ONE, "one.csv"), write(TWO, "two.csv")
    _import(project, one, "one")
    _import(project, two, "two")
    whole = {name: rows_of(name) for name in ("dialogues.parquet", "utterances.parquet", "raters.parquet")}
    project.path(f"{gone}.parquet").unlink()
    again = _import(project, two, "two")
    assert again is not None
    # What the other source had in the table is gone too, and that is said.
    if gone in {"dialogues", "utterances", "speakers"}:
        assert again.notes[-1] == "tables of other sources are gone; import these again: one"
    _import(project, one, "one")
    for name, rows in whole.items():
        assert sorted(map(str, rows_of(name))) == sorted(map(str, rows))


def test_ratings_of_an_import_whose_account_was_deleted_are_replaced(project: Project, write: Write) -> None:
    path = write(TWO, "two.csv")
    _import(project, path, "two")
    project.path(REPORT).unlink()
    assert _import(project, path, "two") is not None
    ratings = project.path("annotations/two.parquet")
    table = read_table(ratings)
    write_table(ratings, table, table.schema, Provenance("annotation pull", 1))
    project.path(REPORT).unlink()
    with pytest.raises(InputError, match="no import made them; choose another --name"):
        _import(project, path, "two")


def test_answers_read_under_another_schema_are_out_of_date(project: Project, write: Write) -> None:
    one, two = write(ONE, "one.csv"), write(TWO, "two.csv")
    _import(project, one, "one")
    _import(project, two, "two")
    schema = project.path("schema.yaml")
    schema.write_text(schema.read_text("utf-8").replace("version: 1.", "version: 9."), "utf-8")
    edited = Project(project.root)
    answers = ("labels/published.parquet", "annotations/two.parquet")
    assert [edited.stale_inputs(name) for name in answers] == [["schema.yaml"], ["schema.yaml"]]
    assert edited.stale_inputs("utterances.parquet") == []
    _import(edited, two, "two")
    assert [edited.stale_inputs(name) for name in answers] == [["schema.yaml"], []]
    _import(edited, one, "one")
    assert [edited.stale_inputs(name) for name in answers] == [[], []]


def test_ids_of_another_source_are_refused(project: Project, write: Write) -> None:
    head = "dialogue_id,utterance_id,text\n"
    _import(project, write(f"{head}a,u1,x\na,u2,x\nb,u3,x\n", "one.csv"), "one")
    before = _all(project)
    with pytest.raises(InputError) as caught:
        _import(project, write(f"{head}a,w,x\nb,u2,x\nc,u3,x\n", "two.csv"), "two")
    assert [str(issue) for issue in caught.value.issues] == [
        "two, dialogue_id: another source of this project has this id, got 'a' (2 rows, this is the first)",
        "two, utterance_id: another source of this project has this id, got 'u2' (2 rows, this is the first)",
    ]
    assert _all(project) == before


@pytest.mark.parametrize("name", ["a/b", ".a", " ", "../x"])
def test_a_name_that_is_no_file_name_is_refused(project: Project, write: Write, name: str) -> None:
    with pytest.raises(InputError, match="the name of a source becomes a file name"):
        _import(project, write(ONE), name)


def test_no_import_writes_while_another_one_works(
    project: Project, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What one import has read of the project must still be so when it writes."""

    def meanwhile(source: Source, schema: LabelSchema) -> Imported:
        with pytest.raises(InputError, match="is writing to this project"):
            _import(project, write(TWO, "two.csv"), "two")
        return assemble(source, schema)

    monkeypatch.setattr(importers, "assemble", meanwhile)
    _import(project, write(ONE, "one.csv"), "one")


@pytest.mark.parametrize("account", ["{", "[]", '{"one": 1}', '{"one": {"made_from": {}}}'])
def test_a_damaged_account_is_said_to_be(project: Project, write: Write, account: str) -> None:
    path = write(ONE)
    _import(project, path, "one")
    project.path(REPORT).write_text(account)
    with pytest.raises(InputError, match=r"import.json: this file of the project is damaged"):
        _import(project, path, "one")


def test_options_belong_to_their_format(project: Project, write: Write) -> None:
    with pytest.raises(InputError, match="--field belongs to"):
        _import(project, write(ONE), "one", field="sentiment")
    with pytest.raises(InputError, match="unknown format, got 'cvs'"):
        import_source(project, "cvs", [write(ONE)])
