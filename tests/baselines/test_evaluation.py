"""Evaluation of runs, epochs and predictions, from a dataset to files."""

from __future__ import annotations

import dataclasses
import json
import shutil

import numpy as np
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from baselines.ceiling import NO_RATINGS
from baselines.cli import app
from baselines.data import describe, read_split
from baselines.epochs import evaluate_epochs
from baselines.evaluation import evaluate, evaluate_predictions
from baselines.evaluation_files import read_evaluation
from baselines.evaluation_modes import evaluate_as_asked, run_folders
from baselines.judging import answers_of
from baselines.models import load_model
from baselines.prediction import predict
from baselines.protocols import HeldOut, cross_validate
from baselines.ratings import read_ratings
from baselines.training import train
from schemas.errors import InputError


@pytest.fixture
def run(tiny, tmp_path, cache):
    return train("tfidf-logistic", tiny, tmp_path / "run", cache_dir=cache).folder


def test_predictions_of_a_run_are_judged_like_the_run(run, tiny, tmp_path, cache):
    found = evaluate(run, tiny, n_boot=20, cache_dir=cache)
    path = predict(run, tiny, "test", cache_dir=cache).path
    outside = evaluate_predictions(path, tiny, out=tmp_path / "kept", n_boot=20, cache_dir=cache)
    for name, one in found.fields.items():
        for metric, score in one.metrics.items():
            assert outside.fields[name].metrics[metric].value == pytest.approx(score.value, abs=1e-5)
    assert outside.seed is None
    assert list(outside.floors) == ["majority", "tfidf-logistic"]  # the run's own floor is shown, too
    assert list(found.floors) == ["majority"]
    content, sums = read_evaluation(tmp_path / "kept")
    assert content["model"] == "predictions-test"
    assert set(sums) == {"", "majority", "tfidf-logistic"}
    with pytest.raises(InputError, match="new or empty folder"):
        evaluate_predictions(path, tiny, out=tmp_path / "kept", cache_dir=cache)


def test_what_is_kept_are_sums_of_dialogues(run, tiny, cache):
    found = evaluate(run, tiny, n_boot=20, cache_dir=cache)
    table = pq.read_table(run / "evaluation.parquet")
    assert table.column_names[:2] == ["model", "dialogue"]
    mine = [row for row in table.to_pylist() if row["model"] == ""]
    assert len(mine) == 9
    confusion = np.sum([row["emotion/labels"] for row in mine if row["emotion/labels"]], axis=0)
    assert confusion.reshape(3, 3).tolist() == [
        list(map(float, one)) for one in found.fields["emotion"].confusion
    ]
    assert confusion.sum() == found.fields["emotion"].utterances


def test_a_dataset_without_ratings_or_train_says_so(run, tiny, tmp_path, cache):
    found = evaluate(run, tiny, n_boot=10, cache_dir=cache)
    assert {one.reason for one in found.ceiling.values()} == {NO_RATINGS}
    assert found.fields["emotion"].soft["manhattan"].reason == "the dataset has no soft labels of this split"
    for path in (tiny / "default").glob("train-*"):
        path.unlink()
    # Another digest, so that the floors are not those of the whole dataset.
    (tiny / "provenance.json").write_text('{"step": "other"}', "utf-8")
    without = evaluate(run, tiny, n_boot=10, cache_dir=cache)
    assert set(without.no_floors) == {"majority"}
    assert "train" in without.no_floors["majority"]


def test_a_dataset_behind_a_field_map(tiny, tmp_path, cache):
    shutil.copy(tiny / "schema.yaml", tmp_path / "schema.yaml")
    columns = "".join(
        f"  {name}: {name}\n"
        for name in ("text", "dialogue_id", "utterance_id", "emotion", "sentiment", "tags", "valence", "pull")
    )
    path = tmp_path / "map.yaml"
    path.write_text(f"dataset: {tiny}\nschema: schema.yaml\ncolumns:\n{columns}", "utf-8")
    run = train("majority", str(path), tmp_path / "run", cache_dir=cache).folder
    found = evaluate(run, str(path), n_boot=10, cache_dir=cache)
    assert found.fields["emotion"].utterances > 0
    assert found.ceiling["emotion"].reason == NO_RATINGS
    assert set(found.floors) == {"tfidf-logistic"}
    folds = cross_validate(run, str(path), HeldOut.DIALOGUE, 3, n_boot=10, cache_dir=cache)
    assert folds.utterances > found.utterances


def test_the_sample_has_a_ceiling_of_simulated_raters(sample, tmp_path, cache):
    train("majority", sample, tmp_path / "run", cache_dir=cache)
    found = evaluate(tmp_path / "run", sample, n_boot=20, cache_dir=cache)
    one = found.ceiling["emotion"]
    assert one.design.simulated
    assert one.design.raters == 5 == len(one.by_rater)
    assert one.human["weighted_f1"].value > one.model["weighted_f1"].value
    assert found.fields["sentiment"].by_rater
    assert found.fields["sentiment"].soft["wasserstein"].value > 0
    assert found.fields["valence"].soft["wasserstein"].value > 0
    assert found.best_possible
    assert found.cost.parameters > 0
    assert "NaN" not in (tmp_path / "run" / "evaluation.json").read_text("utf-8")
    split = read_split(sample, describe(sample), "test", cache)
    ratings = read_ratings(sample, describe(sample), split, cache)
    assert ratings.simulated
    assert len(ratings.raters) == 5


def test_answers_that_are_no_numbers_are_refused_all_at_once(run, tiny, cache, monkeypatch):
    model = load_model(run)
    split = read_split(tiny, describe(tiny), "test", cache)
    scores = model.scores(split)
    scores["emotion"][2:4] = np.nan
    scores["valence"][0] = np.inf
    monkeypatch.setattr(model, "scores", lambda _: scores)
    with pytest.raises(InputError) as caught:
        answers_of(model, split)
    assert [(one.column, one.row, one.count) for one in caught.value.issues] == [
        ("emotion", 3, 2),
        ("valence", 1, 1),
    ]


def test_the_gap_between_honest_and_test_chosen_epoch(maker, tiny, tmp_path, cache):
    run = train("tfidf-logistic", tiny, tmp_path / "run", cache_dir=cache).folder
    with pytest.raises(InputError, match="keep_checkpoints=true"):
        evaluate_epochs(run, tiny, cache_dir=cache)
    good = shutil.copytree(run, tmp_path / "good")
    bad = train("majority", tiny, tmp_path / "bad", cache_dir=cache).folder
    for number, source in ((1, bad), (2, good), (10, bad)):
        shutil.copytree(source, run / "checkpoints" / f"epoch-{number}")
    found = evaluate_epochs(run, tiny, cache_dir=cache)
    assert [one.epoch for one in found.epochs] == [1, 2, 10]
    assert found.chosen == 2
    assert found.mean.gap == 0
    assert found.fields["emotion"].honest == 1
    assert json.loads((run / "epochs.json").read_text("utf-8"))["chosen"] == 2
    # Where validation misleads, the test-chosen epoch looks better, and that is the gap.
    wrong = [
        dict(row, emotion="neutral", sentiment="neutral", tags=["none"], pull=0) for row in maker.rows(8, "v")
    ]
    maker.write(tiny, "validation", maker.table(wrong))
    misled = evaluate_epochs(run, tiny, cache_dir=tmp_path / "anew")
    emotion = misled.fields["emotion"]
    assert emotion.dishonest == 1
    assert emotion.gap == pytest.approx(1 - emotion.honest)


def test_ways_that_do_not_go_together(run, tiny, tmp_path):
    with pytest.raises(InputError) as caught:
        evaluate_as_asked(run, str(tiny), predictions=tmp_path / "x", every_epoch=True, held_out="show")
    assert len(caught.value.issues) == 2
    with pytest.raises(InputError, match="the dataset is missing"):
        evaluate_as_asked(run, None)
    with pytest.raises(InputError, match="folds belong to"):
        evaluate_as_asked(run, str(tiny), folds=3)
    assert run_folders(run.parent) == [run]
    assert run_folders(run) == [run]


def test_the_command(run, tiny, tmp_path):
    def call(*arguments):
        result = CliRunner().invoke(app, ["evaluate", *map(str, arguments)], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.stdout

    assert "interval" in call(run, tiny)
    path = predict(run, tiny, "test").path
    assert "majority" in call(tiny, "--predictions", path)
    assert json.loads(call(tmp_path / "new", tiny, "--predictions", path, "--json"))["seed"] is None
    assert (tmp_path / "new" / "evaluation.json").exists()
    folds = json.loads(call(run, tiny, "--hold-out", "dialogue", "--folds", 3, "--json"))
    assert folds["protocol"].startswith("3-fold")
    shutil.copytree(run, tmp_path / "copy" / "checkpoints" / "epoch-1")
    shutil.copytree(run, tmp_path / "copy", dirs_exist_ok=True)
    assert "chosen on test" in call(tmp_path / "copy", tiny, "--every-epoch")


def test_equality_leaves_out_what_is_measured(run, tiny, cache):
    first, second = (evaluate(run, tiny, n_boot=10, cache_dir=cache) for _ in range(2))
    assert first == second
    assert dataclasses.replace(first, seed=9) != second
