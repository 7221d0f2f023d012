"""From a dataset to evaluated runs, by the package and by the command."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from baselines.cli import app
from baselines.comparison import SHOWN, compare
from baselines.comparison_writing import write_comparison
from baselines.evaluation import evaluate
from baselines.metrics import metric_names
from baselines.models import MODELS
from baselines.prediction import predict
from baselines.runs import new_run
from baselines.training import train
from corpus.build import build
from corpus.importers import import_source
from corpus.splits import split_project
from schemas.errors import InputError
from schemas.project import Project
from schemas.tables import read_provenance

FLOORS = ("majority", "tfidf-logistic")


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("name", FLOORS)
def test_training_is_the_same_whatever_happens_to_the_test_split(name, tiny, tmp_path):
    train(name, tiny, tmp_path / "whole", cache_dir=tmp_path / "a")
    test = next((tiny / "default").glob("test-*"))
    test.write_bytes(b"poison: reading this fails")
    train(name, tiny, tmp_path / "poisoned", cache_dir=tmp_path / "b")
    test.unlink()
    train(name, tiny, tmp_path / "deleted", cache_dir=tmp_path / "c")
    assert contents(tmp_path / "whole") == contents(tmp_path / "poisoned") == contents(tmp_path / "deleted")
    with pytest.raises(InputError) as caught:
        evaluate(tmp_path / "whole", tiny, cache_dir=tmp_path / "d")
    assert caught.value.issues[0].value == "test"


@pytest.mark.parametrize("name", FLOORS)
def test_the_sample_is_trained_and_evaluated(name, sample, tmp_path, cache):
    train(name, sample, tmp_path / "run", cache_dir=cache)
    found = evaluate(tmp_path / "run", sample, n_boot=50, cache_dir=cache)
    written = json.loads((tmp_path / "run" / "evaluation.json").read_text("utf-8"))
    assert found.dataset == found.trained_on == written["dataset"]
    assert "NaN" not in (tmp_path / "run" / "evaluation.json").read_text("utf-8")
    for field in written["fields"].values():
        for metric in field["metrics"].values():
            assert (metric["value"] is None) <= bool(metric["reason"])
    again = evaluate(tmp_path / "run", sample, n_boot=50, cache_dir=cache)
    assert again == found


def test_learnt_words_are_found_again(tiny, tmp_path, cache):
    train("tfidf-logistic", tiny, tmp_path / "run", cache_dir=cache)
    found = evaluate(tmp_path / "run", tiny, cache_dir=cache)
    test = pq.read_table(next((tiny / "default").glob("test-*")))
    assert found.utterances == test.num_rows
    for name, one in found.fields.items():
        assert one.utterances == test.num_rows - test.column(name).null_count < test.num_rows
        if name != "valence":
            assert one.metrics["macro_f1"].value == 1
    assert found.fields["valence"].metrics["ccc"].value > 0.9


def test_a_field_that_was_not_learnt_or_has_no_labels_is_none_with_its_reason(tmp_path, cache, maker):
    no_pull = [dict(row, pull=None) for row in maker.rows(12)]
    no_emotion = [dict(row, emotion=None) for row in maker.rows(5)]
    splits = {"train": no_pull, "validation": maker.rows(4), "test": no_emotion}
    dataset = maker.dataset(tmp_path / "data", splits)
    train("majority", dataset, tmp_path / "run", cache_dir=cache)
    fields = evaluate(tmp_path / "run", dataset, n_boot=10, cache_dir=cache).fields
    assert fields["emotion"].metrics["macro_f1"].reason == "no utterance has a label"
    assert "train has no label" in fields["pull"].metrics["macro_f1"].reason
    assert fields["pull"].utterances > 0
    assert fields["sentiment"].metrics["macro_f1"].value is not None


def test_other_fields_are_refused_all_at_once(tiny, tmp_path, cache):
    train("majority", tiny, tmp_path / "run", cache_dir=cache)
    text = (tiny / "schema.yaml").read_text("utf-8")
    text = text.replace("  valence:", "  arousal:").replace("joy: *v, anger: *v", "joy: *v, fear: *v")
    (tiny / "schema.yaml").write_text(text, "utf-8")
    with pytest.raises(InputError) as caught:
        evaluate(tmp_path / "run", tiny, cache_dir=cache)
    assert [issue.column or issue.value for issue in caught.value.issues] == ["emotion", "valence"]


def test_a_run_is_whole_or_not_there(tmp_path):
    def fail(folder):
        (folder / "half").write_text("x")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), new_run(tmp_path / "run") as folder:
        fail(folder)
    assert list(tmp_path.iterdir()) == []
    with new_run(tmp_path / "run") as folder:
        (folder / "whole").write_text("x")
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
    with pytest.raises(InputError, match="new or empty folder"), new_run(tmp_path / "run"):
        pass


def test_faults_of_training_leave_nothing(tiny, tmp_path, cache):
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(InputError):
        train("no-such", tiny, tmp_path / "run", cache_dir=cache)
    with pytest.raises(InputError):
        train("majority", tmp_path / "nowhere", tmp_path / "run", cache_dir=cache)
    assert sorted(tmp_path.rglob("*")) == before


def test_predictions_are_names_in_utterance_order(tiny, tmp_path, cache, maker):
    train("tfidf-logistic", tiny, tmp_path / "run", cache_dir=cache)
    path = predict(tmp_path / "run", tiny, "test", cache_dir=cache).path
    table = pq.read_table(path)
    rows = maker.rows(9, "e")
    assert table.column("utterance_id").to_pylist() == [row["utterance_id"] for row in rows]
    for name in ("emotion", "sentiment", "pull"):
        assert table.column(name).to_pylist() == [row[name] for row in rows]
    assert [sorted(tags) for tags in table.column("tags").to_pylist()] == [
        sorted(row["tags"]) for row in rows
    ]
    assert np.allclose([sum(one) for one in table.column("emotion_soft").to_pylist()], 1, atol=1e-6)
    assert read_provenance(path).parameters["split"] == "test"
    assert (
        predict(tmp_path / "run", tiny, "validation", cache_dir=cache).path.name
        == "predictions-validation.parquet"
    )


def test_a_folder_is_no_file_to_write(tiny, tmp_path, cache):
    run, folder = tmp_path / "run", tmp_path / "folder"
    train("majority", tiny, run, cache_dir=cache)
    evaluate(run, tiny, n_boot=10, cache_dir=cache)
    folder.mkdir()
    with pytest.raises(InputError, match="name a file"):
        predict(run, tiny, out=folder, cache_dir=cache)
    with pytest.raises(InputError, match="name a file"):
        write_comparison(compare([run]), html=folder)
    assert sorted(one.name for one in tmp_path.iterdir() if one.name.endswith("folder")) == ["folder"]


def test_runs_side_by_side(tiny, tmp_path, cache):
    for name in FLOORS:
        train(name, tiny, tmp_path / name, cache_dir=cache)
        evaluate(tmp_path / name, tiny, n_boot=20, cache_dir=cache)
    found = compare([tmp_path / name for name in FLOORS], n_boot=20, n_permutations=20)
    assert tuple(one.name for one in found.groups) == FLOORS
    headline = next(row for row in found.rows if (row.field, row.metric) == ("emotion", "macro_f1"))
    assert headline.cells[0].value < headline.cells[1].value == 1

    other = tmp_path / "majority" / "evaluation.json"
    other.write_text(other.read_text("utf-8").replace(found_digest(other), "0" * 64, 2), "utf-8")
    with pytest.raises(InputError) as caught:
        compare([tmp_path / "tfidf-logistic", tmp_path / "majority", tmp_path / "nowhere"])
    assert len(caught.value.issues) == 2


def found_digest(path):
    return json.loads(path.read_text("utf-8"))["dataset"]


def test_shown_metrics_exist(maker):
    for field in maker.schema:
        assert set(SHOWN[field.type]) <= set(metric_names(field))


def test_the_command_from_list_to_compare(tiny, tmp_path):
    def run(*arguments):
        result = CliRunner().invoke(app, [str(one) for one in arguments], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.stdout

    listed = json.loads(run("list", "--json"))
    assert list(listed) == list(MODELS)
    for name in FLOORS:
        out = tmp_path / name
        report = json.loads(run("train", name, tiny, "--out", out, "--seed", 3, "--json"))
        assert (report["seed"], report["run"]) == (3, str(out))
        assert "emotion" in run("evaluate", out, tiny)
        assert json.loads(run("evaluate", out, tiny, "--json"))["seed"] == 3
        assert json.loads(run("predict", out, tiny, "--split", "validation", "--json"))["predictions"]
    assert "macro F1" in run("compare", *(tmp_path / name for name in FLOORS))
    rows = json.loads(run("compare", tmp_path / "majority", "--json"))["rows"]
    assert {row["field"] for row in rows} == {"emotion", "sentiment", "tags", "valence", "pull"}


def test_help_imports_nothing_heavy():
    code = (
        "import sys; from typer.testing import CliRunner; from baselines.cli import app;"
        "CliRunner().invoke(app, ['--help']);"
        "print([m for m in ('sklearn', 'datasets', 'numpy', 'pyarrow', 'scipy') if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("schema", "source", "field", "metric", "floor"),
    [
        ("meld", "MELD", "emotion", "weighted_f1", 0.31),
        ("cmma", "CMMA", "emotion", "macro_f1", 0.12),
    ],
)
def test_majority_on_real_corpora(shared, tmp_path, cache, schema, source, field, metric, floor):
    project = Project.create(tmp_path / "project", schema)
    import_source(project, schema, [shared / "data" / source])
    split_project(project, keep_source=True)
    build(project)
    dataset = project.path("dataset")
    if not (dataset / "schema.yaml").exists():
        (dataset / "schema.yaml").write_bytes(project.path("schema.yaml").read_bytes())
    train("majority", dataset, tmp_path / "run", cache_dir=cache)
    found = evaluate(tmp_path / "run", dataset, n_boot=20, cache_dir=cache)
    one = found.fields[field]
    # What a constant answer scores follows from the share p of the majority class in the test split.
    majority = max(one.per_class.values(), key=lambda each: each.predicted)
    share = majority.support / one.utterances
    f1 = 2 * share / (1 + share)
    expected = share * f1 if metric == "weighted_f1" else f1 / len(one.per_class)
    assert one.metrics[metric].value == pytest.approx(expected)
    assert one.metrics[metric].value == pytest.approx(floor, abs=0.005)
