"""The built dataset, as the people see it who open it with load_dataset."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from datasets import ClassLabel, List, Value, concatenate_datasets, load_dataset
from huggingface_hub import DatasetCard

from annotation.agreement.report import project_report
from corpus import build as build_module
from corpus import chunks
from corpus.build import build, stale_inputs
from corpus.splits import split_project
from schemas.errors import InputError
from schemas.fields import Missing
from schemas.project import Project
from schemas.sampling import draw_corpus
from schemas.tables import read_table, write_table

LABELS = "labels/published.parquet"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Return a project of drawn records, ready to be built."""
    project = Project.create(tmp_path / "p", "affect")
    for name, table in draw_corpus(project.schema, 60, seed=9).items():
        write_table(project.path(name), table, table.schema)
    return project


@pytest.fixture
def loaded(project: Project, tmp_path: Path) -> Any:
    build(project)
    return lambda *name: load_dataset(str(project.path("dataset")), *name, cache_dir=str(tmp_path / "cache"))


def digest(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of every file of a folder."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_features_are_those_of_the_schema(loaded: Any, project: Project) -> None:
    features = loaded()["train"].features
    assert features["sentiment"] == ClassLabel(names=["negative", "neutral", "positive"])
    assert features["emotion"] == List(ClassLabel(names=list(project.schema["emotion"].categories)))
    assert features["emotion_intensity"] == List(Value("int8"))
    assert features["emotion_soft"] == List(Value("float32"))
    assert features["valence"] == Value("float32")
    assert features["valence_sd"] == Value("float32")
    assert features["emotion_sentiment"] == Value("int8")
    assert features["sarcasm_missing"] == ClassLabel(names=[one.value for one in Missing])


def test_every_value_survives(loaded: Any, project: Project) -> None:
    rows = {row["utterance_id"]: row for split in loaded().values() for row in split}
    labels = read_table(project.path(LABELS)).to_pylist()
    utterances = read_table(project.path("utterances.parquet")).to_pylist()
    assert len(rows) == len(labels) == len(utterances)
    codes = {one.name: list(one.categories) for one in project.schema if one.type in {"nominal", "ordinal"}}
    emotions = project.schema["emotion"].categories
    for utterance, label in zip(utterances, labels, strict=True):
        row = rows[utterance["utterance_id"]]
        assert all(row[name] == utterance[name] for name in ("text", "index", "start", "speaker_id"))
        for name, names in codes.items():
            assert (None if row[name] is None else names[row[name]]) == label[name]
        found = None if row["emotion"] is None else [emotions[code] for code in row["emotion"]]
        assert found == label["emotion"]
        for name in ("emotion_intensity", "valence", "emotion_sentiment", "sarcasm_humor", "emotion_soft"):
            assert row[name] == label[name]


def test_without_ratings_all_labels_are_null_until_there_are_some(project: Project, tmp_path: Path) -> None:
    ratings = project.annotation_files()
    for name in (*ratings, *project.label_files()):
        hidden = project.path(name)
        hidden.rename(hidden.with_suffix(".hidden"))
    built = build(project)
    assert built is not None
    assert built.labels is None
    assert set(built.rows) == {"default", "dialogues"}
    splits = load_dataset(str(project.path("dataset")), cache_dir=str(tmp_path / "cache"))
    names = splits["train"].features["emotion_missing"].names
    for row in (row for split in splits.values() for row in split):
        assert row["emotion"] is None
        reason = "context_only" if row["context_only"] else "not_rated"
        assert names[row["emotion_missing"]] == reason
    assert "Nobody has rated these utterances yet" in project.path("dataset/README.md").read_text("utf-8")
    assert build(project) is None
    assert stale_inputs(project) == []
    for name in ratings:
        project.path(name).with_suffix(".hidden").rename(project.path(name))
    assert stale_inputs(project) == ratings
    with pytest.raises(InputError, match="there are no decided labels yet"):
        build(project)


def test_dialogues_nest_the_same_rows_in_the_same_order(loaded: Any) -> None:
    flat, nested = loaded(), loaded("dialogues")
    for split in flat:
        unrolled = [row["utterance_id"] for dialogue in nested[split] for row in dialogue["utterances"]]
        assert unrolled == flat[split]["utterance_id"]
        first = nested[split][0]
        assert first["utterances"][0]["emotion"] == flat[split][0]["emotion"]
        assert [row["index"] for row in first["utterances"]] == list(range(len(first["utterances"])))


def test_annotations_have_the_same_splits(loaded: Any, project: Project) -> None:
    flat, ratings = loaded(), loaded("annotations")
    for split in flat:
        assert set(ratings[split]["utterance_id"]) <= set(flat[split]["utterance_id"])
        order = {name: place for place, name in enumerate(flat[split]["utterance_id"])}
        places = [order[name] for name in ratings[split]["utterance_id"]]
        assert places == sorted(places)
    submitted = sum(
        int(pc.sum(pc.equal(read_table(project.path(name)).column("status"), "submitted")).as_py())
        for name in project.annotation_files()
    )
    assert sum(len(one) for one in ratings.values()) == submitted
    assert "created" not in ratings["train"].features


def test_configurations_of_utterance_rows_can_be_joined(loaded: Any) -> None:
    split = loaded()["train"]
    other = split.select_columns(["utterance_id"]).rename_column("utterance_id", "again")
    joined = concatenate_datasets([split, other], axis=1)
    assert joined["again"] == joined["utterance_id"]


def test_the_card_is_valid_and_names_configurations_and_splits(loaded: Any, project: Project) -> None:
    loaded()
    card = DatasetCard.load(project.path("dataset/README.md"))
    configs = {one["config_name"]: one for one in card.data.configs}
    assert set(configs) == {"default", "dialogues", "annotations"}
    assert configs["default"]["default"] is True
    assert [one["split"] for one in configs["default"]["data_files"]] == ["train", "validation", "test"]
    assert "valence" in card.text
    assert "情感" in card.text


def test_building_twice_gives_the_same_bytes(project: Project) -> None:
    build(project)
    first = digest(project.path("dataset"))
    assert build(project) is None
    import shutil

    shutil.rmtree(project.path("dataset"))
    build(project)
    assert digest(project.path("dataset")) == first


def test_what_the_card_prints_is_an_input(project: Project) -> None:
    """A dataset whose card prints other reports, or none where there are some now, is out of date."""
    build(project)
    assert stale_inputs(project) == []
    project_report(project)
    assert stale_inputs(project) == ["reports/agreement.json"]
    assert build(project) is not None
    assert "## Agreement" in project.path("dataset/README.md").read_text("utf-8")
    assert (stale_inputs(project), build(project)) == ([], None)
    qualification = project.path("reports/qualification.json")
    empty = {"raters": 0, "raters_by_attempts": None, "training": {}, "control": {}}
    qualification.write_text(json.dumps(empty), "utf-8")
    assert stale_inputs(project) == ["reports/qualification.json"]
    assert build(project) is not None
    qualification.unlink()
    assert stale_inputs(project) == ["reports/qualification.json"]


def test_agreement_of_other_ratings_is_not_printed(project: Project) -> None:
    project_report(project)
    (name,) = project.annotation_files()
    ratings = read_table(project.path(name))
    write_table(project.path(name), ratings.slice(1), ratings.schema)
    with pytest.raises(
        InputError, match=rf"agreement.json was made before {name} changed; run 'annotation agr"
    ):
        build(project)


def test_bytes_do_not_depend_on_the_chunks(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    build(project)
    first = digest(project.path("dataset"))
    import shutil

    shutil.rmtree(project.path("dataset"))
    monkeypatch.setattr(chunks, "CHUNK_ROWS", 7)
    build(project)
    assert digest(project.path("dataset")) == first


def test_no_shard_cuts_a_dialogue(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunks, "CHUNK_ROWS", 16)
    monkeypatch.setattr(build_module, "SHARD_ROWS", 40)
    build(project)
    shards = sorted(project.path("dataset").glob("default/train-*.parquet"))
    assert len(shards) > 2
    assert shards[-1].name.endswith(f"{len(shards) - 1:05d}-of-{len(shards):05d}.parquet")
    dialogues = [set(pq.read_table(path).column("dialogue_id").to_pylist()) for path in shards]
    assert sum(map(len, dialogues)) == len(set.union(*dialogues))


def test_a_rebuilt_dataset_is_not_taken_from_the_cache_of_the_old_one(loaded: Any, project: Project) -> None:
    """`datasets` caches a local folder by its name and card; the card must change with the labels."""
    before = loaded()["train"]
    name = before[0]["utterance_id"]
    labels = read_table(project.path(LABELS))
    place = labels.column("utterance_id").to_pylist().index(name)
    other = "humorous" if labels.column("humor")[place].as_py() != "humorous" else "none"
    humor = labels.column("humor").to_pylist()
    humor[place] = other
    missing = labels.column("humor_missing").to_pylist()
    missing[place] = None
    for column, values in (("humor", humor), ("humor_missing", missing)):
        labels = labels.set_column(labels.column_names.index(column), column, pa.array(values, pa.string()))
    write_table(project.path(LABELS), labels, labels.schema)
    assert build(project) is not None
    after = loaded()["train"]
    assert after.features["humor"].int2str(after[0]["humor"]) == other


def test_steps_that_are_missing_are_named(tmp_path: Path) -> None:
    project = Project.create(tmp_path / "p", "affect")
    with pytest.raises(InputError, match="'corpus import' makes it"):
        build(project)
    for name, table in draw_corpus(project.schema, 20, seed=1).items():
        if name != "splits.parquet":
            write_table(project.path(name), table, table.schema)
    with pytest.raises(InputError, match="'corpus split' makes it"):
        build(project)
    split_project(project)
    project.path(LABELS).unlink()
    with pytest.raises(InputError, match="'annotation aggregate' makes them"):
        build(project)


def test_stale_splits_are_refused(project: Project) -> None:
    split_project(project, seed=1)
    dialogues = read_table(project.path("dialogues.parquet"))
    shows = pa.array(["another"] * dialogues.num_rows)
    changed = dialogues.set_column(dialogues.column_names.index("show"), "show", shows)
    write_table(project.path("dialogues.parquet"), changed, dialogues.schema)
    with pytest.raises(InputError, match=r"splits.parquet was made before dialogues.parquet changed"):
        build(project)


def _drop_row(table: pa.Table) -> pa.Table:
    return pa.concat_tables([table.slice(0, 5), table.slice(6)])


def _swap_rows(table: pa.Table) -> pa.Table:
    return table.take([1, 0, *range(2, table.num_rows)])


def _unknown_value(table: pa.Table) -> pa.Table:
    values = ["bored" if value else None for value in table.column("humor").to_pylist()]
    return table.set_column(table.column_names.index("humor"), "humor", pa.array(values))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (_drop_row, "row for row"),
        (_swap_rows, "row for row"),
        (_unknown_value, "lists them all, got 'bored'"),
    ],
)
def test_labels_that_do_not_fit_leave_the_old_dataset(project: Project, damage: Any, message: str) -> None:
    build(project)
    before = digest(project.path("dataset"))
    table = read_table(project.path(LABELS))
    write_table(project.path(LABELS), damage(table), table.schema)
    with pytest.raises(InputError, match=message):
        build(project)
    assert digest(project.path("dataset")) == before


def test_ratings_of_unknown_utterances_are_refused(project: Project) -> None:
    name = project.annotation_files()[0]
    table = read_table(project.path(name))
    ids = ["nobody", *table.column("utterance_id").to_pylist()[1:]]
    place = table.column_names.index("utterance_id")
    write_table(project.path(name), table.set_column(place, "utterance_id", pa.array(ids)), table.schema)
    with pytest.raises(InputError, match="belongs to no utterance"):
        build(project)
    assert not project.has("dataset")


def test_splits_are_counted_in_their_usual_order(project: Project) -> None:
    dialogues = read_table(project.path("splits.parquet"))
    splits = pa.array(["test", "train", "validation"] * dialogues.num_rows).slice(0, dialogues.num_rows)
    write_table(project.path("splits.parquet"), dialogues.set_column(3, "split", splits), dialogues.schema)
    built = build(project)
    assert built is not None
    assert [list(rows) for rows in built.rows.values()] == [["train", "validation", "test"]] * 3


@pytest.mark.parametrize("name", [LABELS, "annotations/simulated.parquet", "utterances.parquet"])
def test_a_table_without_a_declared_column_is_refused(project: Project, name: str) -> None:
    """As when a field was added to schema.yaml, or another program has written the table."""
    lacking = "start" if name == "utterances.parquet" else "valence"
    table = read_table(project.path(name)).drop_columns([lacking])
    write_table(project.path(name), table, table.schema)
    with pytest.raises(InputError, match=rf"{name}: this table lacks a column, got '{lacking}'"):
        build(project)


def test_a_column_of_another_type_is_refused_where_it_cannot_be_taken(project: Project) -> None:
    labels = read_table(project.path(LABELS))
    place = labels.column_names.index("valence_raters")
    wide = labels.set_column(place, "valence_raters", labels.column("valence_raters").cast(pa.int64()))
    write_table(project.path(LABELS), wide, wide.schema)
    assert build(project) is not None
    words = labels.set_column(place, "valence_raters", pa.array(["many"] * labels.num_rows))
    write_table(project.path(LABELS), words, words.schema)
    with pytest.raises(InputError, match="valence_raters: this column has another type, got 'string'"):
        build(project)


def test_an_utterance_of_no_dialogue_is_refused(project: Project) -> None:
    utterances = read_table(project.path("utterances.parquet"))
    ids = ["nowhere", *utterances.column("dialogue_id").to_pylist()[1:]]
    place = utterances.column_names.index("dialogue_id")
    strayed = utterances.set_column(place, "dialogue_id", pa.array(ids))
    write_table(project.path("utterances.parquet"), strayed, utterances.schema)
    with pytest.raises(InputError, match=r"the dialogue of this utterance is not in dialogues.parquet"):
        build(project)
