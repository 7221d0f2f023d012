"""What models see of a dataset, and what they cannot see."""

from __future__ import annotations

import ast
import dataclasses
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from datasets import load_dataset

import baselines
from baselines.data import describe, load_training, read_split, to_split
from baselines.dataset_files import configurations, interrupted, load_rows
from schemas.errors import InputError


def test_labels_are_positions_sets_and_numbers(maker):
    split = maker.split([*maker.rows(1), {"utterance_id": "x", "dialogue_id": "y", "text": "t"}])
    assert split.labels["emotion"].known.tolist() == [True, True, False]
    assert split.labels["emotion"].values[:2].tolist() == [1, 0]  # joy, neutral
    assert split.labels["sentiment"].values[:2].tolist() == [2, 0]
    assert split.labels["tags"].values.tolist() == [[False, True, False], [False] * 3, [False] * 3]
    assert split.labels["tags"].known.tolist() == [True, True, False]  # the empty set is an answer
    assert split.labels["valence"].values[:2].tolist() == [8.0, 4.0]
    assert split.labels["pull"].values[:2].tolist() == [2, 0]  # 1 and -1 on a scale from -1
    assert split.dialogue.tolist() == [0, 0, 1]
    assert split.speakers == ["s0", "s1", None]


def test_splits_read_as_load_dataset_reads_them(sample, cache):
    description = describe(sample)
    whole = load_dataset(str(sample), cache_dir=str(cache))
    for name, rows in whole.items():
        split = read_split(sample, description, name, cache)
        assert split.utterance_ids == rows["utterance_id"]
        assert split.texts == rows["text"]
        for field in description.schema:
            labels = split.labels[field.name]
            assert labels.known.tolist() == [value is not None for value in rows[field.name]]
        emotions = [sorted(value or ()) for value in rows["emotion"]]
        assert [np.flatnonzero(row).tolist() for row in split.labels["emotion"].values] == emotions
    assert describe(sample).digest in (sample / "README.md").read_text("utf-8")


def test_a_changed_file_is_read_again(tiny, cache, maker):
    before = load_training(tiny, cache).train
    maker.write(tiny, "train", maker.table(maker.rows(3, "new")))
    after = load_training(tiny, cache).train
    assert len(after) != len(before)
    assert after.utterance_ids[0] == "new0_0"


def test_training_data_leads_nowhere_near_the_test_split(tiny, cache):
    data = load_training(tiny, cache)
    assert [one.name for one in dataclasses.fields(data)] == ["description", "train", "validation"]
    assert str(tiny) not in repr(data)
    assert "e0_0" not in repr(data)


def test_training_code_neither_imports_evaluation_nor_names_the_test_split():
    home = Path(baselines.__file__).parent
    used_in_training = [
        *("training", "fitting", "batches", "encoders", "stream_encoder", "ngram_encoder", "linear_evidence"),
        *("pretrained", "text_encoder", "sound_encoder", "picture_encoder", "clip_decoding"),
        *("heads", "losses", "weighting", "objective", "tuning", "fusion", "context"),
    ]
    for path in [*(home / f"{name}.py" for name in used_in_training), *(home / "models").glob("*.py")]:
        tree = ast.parse(path.read_text("utf-8"))
        names = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        used = {
            alias.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for alias in node.names
        }
        texts = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}
        assert not names & {"baselines.evaluation", "baselines.prediction", "datasets"}, path
        assert not used & {"read_split", "load_dataset"}, path
        assert "test" not in texts, path


@pytest.mark.parametrize("name", ["train", "validation"])
def test_a_missing_split_is_named_with_those_that_are_there(tiny, cache, name):
    next((tiny / "default").glob(f"{name}-*")).unlink()
    with pytest.raises(InputError) as caught:
        load_training(tiny, cache)
    (issue,) = caught.value.issues
    assert issue.value == name
    assert set(issue.choices) == {"train", "validation", "test"} - {name}


def test_a_missing_shard_is_noticed(tiny, cache):
    path = next((tiny / "default").glob("train-*"))
    path.rename(path.with_name("train-00000-of-00002.parquet"))
    with pytest.raises(InputError, match="1 of 2 files of split 'train'"):
        load_training(tiny, cache)


def test_a_damaged_file_is_named(tiny, cache):
    next((tiny / "default").glob("train-*")).write_bytes(b"PAR1 not really")
    with pytest.raises(InputError, match="split train"):
        load_training(tiny, cache)


def test_no_such_folder(tmp_path):
    for name in (str(tmp_path / "nowhere"), "nowhere", tmp_path / "nowhere"):
        with pytest.raises(InputError, match="there is no such dataset folder"):
            describe(name)


def test_a_hub_that_cannot_be_reached(tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    with pytest.raises(InputError, match="some/corpus"):
        describe("some/corpus")


def test_a_dataset_without_schema_and_provenance_reports_both(tiny):
    (tiny / "schema.yaml").unlink()
    (tiny / "provenance.json").unlink()
    with pytest.raises(InputError) as caught:
        describe(tiny)
    assert len(caught.value.issues) == 2


def test_absent_columns_and_other_class_names_are_reported_together(tiny, cache, maker):
    table = maker.table(maker.rows(4)).drop_columns(["valence", "sentiment"])
    maker.write(tiny, "train", table)
    schema = (tiny / "schema.yaml").read_text("utf-8").replace("joy: *v, anger: *v", "joy: *v, fear: *v")
    (tiny / "schema.yaml").write_text(schema, "utf-8")
    with pytest.raises(InputError) as caught:
        load_training(tiny, cache)
    assert [issue.value for issue in caught.value.issues[:2]] == ["sentiment", "valence"]
    assert caught.value.issues[2].column == "emotion"
    assert caught.value.issues[2].value == ["neutral", "joy", "anger"]


@pytest.mark.parametrize(
    ("column", "value", "shown"),
    [
        ("valence", float("nan"), None),
        ("valence", float("inf"), float("inf")),
        ("valence", 9.5, 9.5),
        ("emotion", 3, 3),
        ("emotion", -1, -1),
        ("tags", [0, 7], 7),
        ("pull", 2, 2),
    ],
)
def test_invalid_labels_are_located(maker, column, value, shown):
    table = maker.table(maker.rows(2))
    place = table.column_names.index(column)
    values = table.column(column).to_pylist()
    values[2] = value
    table = table.set_column(place, column, pa.array(values, table.schema.field(column).type))
    with pytest.raises(InputError) as caught:
        to_split("train", table, maker.schema, "rows")
    (issue,) = caught.value.issues
    assert (issue.row, issue.column, issue.count) == (3, column, 1)
    assert shown is None or issue.value == shown


def test_a_missing_text_is_located(maker):
    rows = maker.rows(2)
    rows[1]["text"] = rows[3]["text"] = None
    with pytest.raises(InputError) as caught:
        maker.split(rows)
    (issue,) = caught.value.issues
    assert (issue.row, issue.column, issue.count) == (2, "text", 2)


def test_an_empty_split_is_refused(tiny, cache, maker):
    maker.write(tiny, "validation", maker.table([]))
    with pytest.raises(InputError, match="split validation: this split cannot be read"):
        load_training(tiny, cache)


@pytest.mark.parametrize("error", [ConnectionResetError("gone"), None])
def test_a_download_that_broke_off_says_so(monkeypatch, error):
    """Stand in for a network that fails in the middle of a file: as the system says it, or the library."""
    cut_off = error or interrupted()[1]("peer closed the connection")

    def broken(*_, **__):
        raise cut_off

    monkeypatch.setattr("huggingface_hub.hf_hub_download", broken)
    with pytest.raises(InputError, match="broke off"):
        describe("org/name")
    monkeypatch.setattr("datasets.load_dataset", broken)
    with pytest.raises(InputError, match="broke off"):
        load_rows("org/name", "default", "train")
    monkeypatch.setattr("huggingface_hub.HfApi.list_repo_files", broken)
    with pytest.raises(InputError, match="does not list"):
        configurations("org/name", "features-")
