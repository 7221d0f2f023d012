"""Predictions from elsewhere: what is read, and that nothing is forgiven."""

from __future__ import annotations

import csv
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from baselines.outside import read_predictions
from schemas.errors import InputError


@pytest.fixture
def split(maker):
    rows = maker.rows(4)
    rows[1].update(dict.fromkeys(maker.fields))  # nobody decided a label here
    return maker.split(rows, "test")


def record(maker, split, row, **more):
    names = {"utterance_id": split.utterance_ids[row]}
    return {**names, "emotion": "joy", "tags": ["loud"], "valence": 5.5, "pull": -1, **more}


def write(path, records):
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(records), path)
    elif path.suffix == ".jsonl":
        path.write_text("\n".join(json.dumps(one, ensure_ascii=False) for one in records), "utf-8")
    else:
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(records[0]))
            writer.writeheader()
            writer.writerows(
                {
                    name: ("|".join(map(str, cell)) or "[]") if isinstance(cell, list) else cell
                    for name, cell in one.items()
                }
                for one in records
            )
    return path


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_every_kind_of_file_in_any_order(maker, split, tmp_path, kind):
    records = [
        record(maker, split, row, emotion_soft=[0.25, 0.5, 0.25], note="x") for row in range(len(split))
    ]
    records[3]["tags"], records[2]["emotion"] = [], " Joy"
    found = read_predictions(write(tmp_path / f"p.{kind}", records[::-1]), split, maker.schema)
    assert set(found.answers) == {"emotion", "tags", "valence", "pull"}
    assert found.ignored == ("note",)
    assert found.answers["emotion"].predicted.tolist() == [1] * len(split)
    assert found.answers["emotion"].scores[0] == pytest.approx([0.25, 0.5, 0.25])
    assert found.answers["tags"].predicted[3].tolist() == [False] * 3
    assert found.answers["tags"].predicted[0].tolist() == [False, True, False]
    assert found.answers["valence"].predicted[0] == 5.5
    assert found.answers["pull"].predicted[0] == 0  # the first step of the scale


def test_probabilities_alone_decide_and_come_rounded(maker, split, tmp_path):
    ids = [{"utterance_id": one, "sentiment_soft": [0.33, 0.33, 0.335]} for one in split.utterance_ids]
    found = read_predictions(write(tmp_path / "p.jsonl", ids), split, maker.schema).answers["sentiment"]
    assert found.predicted.tolist() == [2] * len(split)
    assert np.allclose(found.scores.sum(axis=1), 1)


def faults(path, split, schema):
    with pytest.raises(InputError) as caught:
        read_predictions(path, split, schema)
    return [str(issue) for issue in caught.value.issues]


def test_all_faults_at_once_with_near_names(maker, split, tmp_path):
    records = [record(maker, split, row) for row in range(len(split) - 1)]
    records[0]["utterance_id"] = "d0-0"
    records[2]["utterance_id"] = records[3]["utterance_id"]
    records[4]["emotion"] = "joyy"
    records[5]["emotion"] = None
    records[6]["valence"] = 12
    records[7]["tags"] = ["none", "loud"]
    for one in records:
        one["sentimnt"] = "neutral"
        one["pull_soft"] = [0.5, 0.6, 0.1]
    found = "\n".join(faults(write(tmp_path / "p.jsonl", records), split, maker.schema))
    assert "no such utterance, got 'd0-0'; did you mean 'd0_0'?" in found
    assert "more than once, got 'd1_1' (2 rows" in found
    assert f"3 of the {len(split)} utterances of the test split are not predicted" in found
    assert "got 'joyy'; did you mean 'joy'?" in found
    assert "a prediction is missing where the dataset has a label" in found
    assert "got '12'; valid: 1 to 9" in found
    assert "got 'none|loud'" in found
    assert "nearly called like a field; rename it to be read, or otherwise, got 'sentimnt'" in found
    assert "3 probabilities in the order of the schema are expected" in found


def test_a_blank_is_no_fault_where_nothing_is_judged(maker, split, tmp_path):
    records = [record(maker, split, row) for row in range(len(split))]
    records[1]["emotion"] = ""
    assert read_predictions(write(tmp_path / "p.csv", records), split, maker.schema)


def test_what_is_no_file_of_predictions(maker, split, tmp_path):
    ids = [{"utterance_id": one, "other": 1} for one in split.utterance_ids]
    assert "predicts no field" in faults(write(tmp_path / "a.csv", ids), split, maker.schema)[0]
    nameless = [{"id": "x", "emotion": "joy"}]
    assert "lacks a column" in faults(write(tmp_path / "b.csv", nameless), split, maker.schema)[0]
    assert "unknown kind of table" in faults(tmp_path / "c.xlsx", split, maker.schema)[0]
    assert "no such file" in faults(tmp_path / "d.csv", split, maker.schema)[0]
    many = [{"utterance_id": f"strange {one}", "emotion": "joy"} for one in range(50)]
    found = faults(write(tmp_path / "e.csv", many), split, maker.schema)
    assert len(found) == 12
    assert any("40 more ids" in one for one in found)
