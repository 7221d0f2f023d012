"""Simulated raters of known behaviour, and corpora with a known answer: what methods find in them."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from annotation.aggregation import METHODS, adjudication_queue, aggregate, decide, decide_project
from annotation.aggregation.answers import Rows, read_answers
from annotation.aggregation.dawid_skene import dawid_skene
from annotation.aggregation.estimate import Scores
from annotation.aggregation.majority import majority
from annotation.aggregation.methods import SCORING
from corpus.importers import import_source
from corpus.sample.raters import RATERS, confusion, simulate, value_rates
from schemas import load_schema
from schemas.label_schema import LabelSchema
from schemas.project import Project
from schemas.records import answer_columns
from schemas.validation import validate_answers

SCHEMA = load_schema("affect")
ITEMS = 3000


def rated(schema: LabelSchema, truths: list[dict[str, object]], seed: int) -> pa.Table:
    """Ratings of the simulated raters (of known behaviour, nobody stands behind them)."""
    ratings = simulate(truths, schema, seed=seed)
    columns = {
        "utterance_id": pa.array([f"u{one['item']}" for one in ratings]),
        "rater": pa.array([str(one["rater"]) for one in ratings]),
    }
    for field in schema:
        for column in answer_columns(field):
            columns[column.name] = pa.array([one[column.name] for one in ratings], column.type)
    return pa.table(columns)


@pytest.fixture(scope="module")
def simulated() -> tuple[list[dict[str, object]], pa.Table]:
    random = np.random.default_rng(1)
    sentiment = SCHEMA["sentiment"].categories  # type: ignore[attr-defined]
    truths: list[dict[str, object]] = [
        {
            "humor": "humorous" if random.random() < 0.35 else "none",
            "sarcasm": "sarcastic" if random.random() < 0.4 else "none",
            "sentiment": sentiment[random.integers(len(sentiment))],
            "valence": float(random.integers(1, 10)),
        }
        for _ in range(ITEMS)
    ]
    return truths, rated(SCHEMA, truths, seed=2)


def codes(truths: list[dict[str, object]], name: str) -> np.ndarray:
    categories = SCHEMA[name].categories  # type: ignore[attr-defined]
    return np.array([categories.index(truth[name]) for truth in truths])


def test_sentiment_confusions_are_recovered(simulated: tuple[list[dict[str, object]], pa.Table]) -> None:
    _, table = simulated
    field = SCHEMA["sentiment"]
    answers = read_answers(table, field, Rows.of(table))
    found = dawid_skene(answers.votes())
    size = len(field.categories)  # type: ignore[attr-defined]
    for place, rater in enumerate(RATERS):
        assert answers.raters[place] == rater.name
        estimated = found.raters["confusion"][place, :size, :size]
        estimated = estimated / estimated.sum(axis=1, keepdims=True)  # among those who could tell
        assert np.abs(estimated - confusion(rater, field)).max() < 0.08, rater.name
        assert np.abs(estimated - confusion(rater, field)).mean() < 0.04, rater.name


def test_dawid_skene_beats_majority_on_simulated_raters(
    simulated: tuple[list[dict[str, object]], pa.Table],
) -> None:
    truths, table = simulated
    rows = Rows.of(table)
    for name, gain in (("sentiment", 0.01), ("humor", 0.01), ("sarcasm", 0.0)):
        votes = read_answers(table, SCHEMA[name], rows).votes()
        truth = codes(truths, name)
        right = {
            method.__name__: (method(votes).choice == truth).mean() for method in (dawid_skene, majority)
        }
        assert right["dawid_skene"] > right["majority"] + gain, name


def test_posteriors_are_calibrated_where_the_model_holds(
    simulated: tuple[list[dict[str, object]], pa.Table],
) -> None:
    truths, table = simulated
    truth = codes(truths, "sentiment")
    soft = np.array(aggregate(table, SCHEMA, "dawid_skene").column("sentiment_soft").to_pylist())
    sure, right = soft.max(axis=1), soft.argmax(axis=1) == truth
    for low, high in ((0.4, 0.7), (0.7, 0.9), (0.9, 0.97), (0.97, 1.01)):
        inside = (sure >= low) & (sure < high)
        assert inside.sum() > 30
        assert right[inside].mean() == pytest.approx(sure[inside].mean(), abs=0.08)


def test_sets_find_the_rates_of_each_value(simulated: tuple[list[dict[str, object]], pa.Table]) -> None:
    _, table = simulated
    emotion = SCHEMA["emotion"]
    answers = read_answers(table, emotion, Rows.of(table))
    for place, name in enumerate(emotion.categories):  # type: ignore[attr-defined]
        if name in emotion.exclusive:  # type: ignore[attr-defined]
            continue
        found = dawid_skene(answers.member_votes(answers.members[:, place]))
        for number, rater in enumerate(RATERS[:3]):
            false_alarm, hit = value_rates(rater, emotion)[name]  # type: ignore[arg-type]
            estimated = found.raters["confusion"][number]
            assert estimated[1, 1] == pytest.approx(hit, abs=0.12), (name, rater.name)
            assert estimated[0, 1] == pytest.approx(false_alarm, abs=0.05), (name, rater.name)


@pytest.mark.parametrize("method", METHODS)
def test_every_method_gives_valid_labels(
    method: str, simulated: tuple[list[dict[str, object]], pa.Table]
) -> None:
    truths, table = simulated
    decided = decide(table.slice(0, 1500), SCHEMA, method)
    assert validate_answers(decided.labels, SCHEMA, "labels") == []
    assert [one.field for one in decided.fields] == [field.name for field in SCHEMA]
    part = [truth["humor"] for truth in truths[:300]]
    labels = decided.labels.column("humor").to_pylist()
    assert np.mean([one == other for one, other in zip(labels, part, strict=True)]) > 0.75
    value = np.array(decided.labels.column("valence").to_pylist(), dtype=float)
    true = np.array([truth["valence"] for truth in truths[:300]], dtype=float)
    known = np.isfinite(value)
    assert np.corrcoef(value[known], true[known])[0, 1] > 0.9


def test_numbers_of_careful_raters_count_more(simulated: tuple[list[dict[str, object]], pa.Table]) -> None:
    truths, table = simulated
    true = np.array([truth["valence"] for truth in truths], dtype=float)

    def error(method: str) -> float:
        value = np.array(aggregate(table, SCHEMA, method).column("valence").to_pylist(), dtype=float)
        # Raters who avoid the ends shrink every mean: compare up to scale.
        known = np.isfinite(value)
        return float(1 - np.corrcoef(value[known], true[known])[0, 1])

    errors = {method: error(method) for method in ("mean", "ewe", "gaussian_raters")}
    assert errors["ewe"] < errors["mean"]
    assert errors["gaussian_raters"] < errors["ewe"]


def snow(shared: Path) -> dict[str, tuple[Scores, np.ndarray]]:
    """The seven scales of Snow et al. 2008: 100 headlines, 38 workers, and gold."""
    scales = {}
    for file in sorted((shared / "data" / "Snow2008_affect").glob("*.tsv")):
        with file.open(encoding="utf-8") as lines:
            rows = list(csv.DictReader(lines, delimiter="\t"))
        items, item = np.unique([row["orig_id"] for row in rows], return_inverse=True)
        workers, worker = np.unique([row["!amt_worker_ids"] for row in rows], return_inverse=True)
        gold = np.zeros(len(items))
        gold[item] = [float(row["gold"]) for row in rows]
        value = np.array([float(row["response"]) for row in rows])
        scales[file.name.split(".")[0]] = (Scores(item, worker, value, len(items), len(workers)), gold)
    return scales


def test_snow_2008_gold(shared: Path) -> None:
    found = {
        name: {
            scale: np.corrcoef(method(scores).value, gold)[0, 1]
            for scale, (scores, gold) in snow(shared).items()
        }
        for name, method in SCORING.items()
    }
    means = {name: np.mean(list(one.values())) for name, one in found.items()}
    assert means["mean"] == pytest.approx(0.712, abs=0.001)
    assert means["gaussian_raters"] >= means["mean"]
    assert means["ewe"] > means["mean"] - 0.015


def test_the_whole_path_on_lewidi(shared: Path, tmp_path: Path) -> None:
    project = Project.create(tmp_path / "p", "csc")
    import_source(project, "lewidi", [shared / "data" / "LeWiDi_CSC"])
    labels = {}
    for method in ("majority", "median", "dawid_skene", "ordinal_dawid_skene", "mace", "glad"):
        decided = decide_project(project, method)
        assert decided is not None
        assert validate_answers(decided.labels, project.schema, "labels") == []
        labels[method] = decided.labels
        assert decide_project(project, method) is None
    soft = [row for row in labels["majority"].column("sarcasm_soft").to_pylist() if row]
    assert np.array(soft).sum(axis=1) == pytest.approx(1, abs=1e-6)
    assert decide_project(project, "majority", min_agreement=0.5) is not None
    strict = decide_project(project, "majority", min_agreement=1.0)
    assert strict is not None
    undecided = strict.labels.column("sarcasm_missing").to_pylist().count("undecided")
    queue = adjudication_queue(strict.labels, project.schema)
    assert queue.num_rows == undecided > 1000
    bits = queue.column("bits").to_numpy()
    assert (np.diff(bits) <= 1e-6).all()
    assert bits[0] > 1.5
