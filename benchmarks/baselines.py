"""What the baselines reach, and how fast they learn: the tables of docs/results.md.

python -m benchmarks.baselines --data ../shared/data --work FOLDER meld cmma    # real corpora, text alone
python -m benchmarks.baselines --work FOLDER sample                             # against the best possible
python -m benchmarks.baselines --work FOLDER relations                          # what their supervision buys
python -m benchmarks.baselines --work FOLDER speed

Epoch and thresholds are chosen on validation; the test split is scored once for each finished run, and a run
that is there is not trained again. One thread; times are CPU seconds, for the machine may be shared.
"""

from __future__ import annotations

import argparse
import json
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from baselines.data import Split, describe, load_training, read_split
from baselines.metrics import score
from baselines.models import load_model
from baselines.training import fit, train
from corpus.build import build
from corpus.importers import import_source
from corpus.sample.bayes import posteriors
from corpus.sample.cues import FACE, VOICE, Cues, log_likelihood
from corpus.sample.features import mixture
from corpus.sample.generate import generate
from corpus.sample.meaning import TRUTHS
from corpus.sample.world import FAMILIES, INTENTS, POLARITIES, STATES, make_chain
from corpus.splits import split_project
from schemas.fields import Field, IntervalField, MultilabelField, RelationField
from schemas.label_schema import LabelSchema
from schemas.project import Project

MELD = {"select": "weighted_f1", "epochs": 20, "patience": 4, "dropout": 0.6, "term_dropout": 0.5}
CMMA = {"epochs": 8, "patience": 8, "dropout": 0.5}
SAMPLE = {
    **{"select": "accuracy", "epochs": 40, "patience": 40, "batch_turns": 1024, "learning_rate": 0.003},
    **{"dropout": 0.4, "modality_dropout": 0.0},
}
ATTENTIVE = {"mmtrans-mt": {"dropout": 0.3}, "mult": {"dropout": 0.2}}
"""What Transformers ask for in place of that."""
MULTIMODAL = ("context-fusion", "soft-sharing", "mmtrans-mt", "bc-lstm", "lmf", "mult")
TARGETS = {
    "meld": {"emotion": ("weighted_f1", 58.0), "sentiment": ("weighted_f1", 66.0)},
    "cmma": {
        **{"emotion": ("macro_f1", 22.0), "sentiment": ("macro_f1", 40.0)},
        **{"sarcasm": ("macro_f1", 55.0), "humor": ("macro_f1", 55.0)},
    },
}
SHARE = 0.95
"""The least share of the best possible accuracy."""
MEASURES = {"exact_match": "exact_set", "accuracy": "accuracy"}
"""The metric that is held against the best possible one, and what that is called there."""
FASTEST = 5_000
"""Utterances a second in training."""
DIALOGUES = 2_000


def dataset_of(corpus: str, data: Path, work: Path) -> Path:
    """Build the dataset of a real corpus, once."""
    project_folder = work / corpus
    if not (project_folder / "dataset").exists():
        shutil.rmtree(project_folder, ignore_errors=True)
        project = Project.create(project_folder, corpus)
        import_source(project, corpus, [data / corpus.upper()])
        split_project(project, keep_source=True)
        build(project)
    return project_folder / "dataset"


def generated(work: Path) -> Path:
    """Build the dataset of a generated corpus whose labels are its truth, once."""
    folder = work / "sample"
    if not (folder / "dataset").exists():
        shutil.rmtree(folder, ignore_errors=True)
        generate(folder, DIALOGUES, seed=7, languages=["en"], features_only=True)
        (folder / "labels").mkdir(exist_ok=True)
        shutil.copyfile(folder / "truth" / "truth.parquet", folder / "labels" / "truth.parquet")
        settings = folder / "corpus.yaml"
        settings.write_text(settings.read_text("utf-8").replace("labels: majority", "labels: truth"), "utf-8")
        project = Project(folder)
        split_project(project)
        build(project)
    return folder / "dataset"


def run(
    model: str,
    dataset: Path,
    seed: int,
    settings: Mapping[str, Any],
    out: Path,
    features: list[str] | None = None,
) -> dict[str, Any]:
    """Train a seed and score it on test, once; what is there already is read."""
    found = out / "benchmark.json"
    if found.exists():
        return dict(json.loads(found.read_text("utf-8")))
    began = time.process_time()
    train(model, dataset, out, seed=seed, settings=settings, features=features)
    took = time.process_time() - began
    trained = load_model(out)
    test = read_split(dataset, describe(dataset), "test", features=features)
    predicted = trained.predict(test)
    scores: dict[str, Any] = {}
    for field in trained.fields:
        labels = test.labels[field.name]
        one = score(field, labels.values[labels.known], predicted[field.name][labels.known])
        scores[field.name] = {name: metric.value for name, metric in one.metrics.items()}
    result = {"seconds": took, "scores": scores, "validation": trained.config.metrics}
    found.write_text(json.dumps(result, indent=1), "utf-8")
    return result


def measure_real(corpus: str, data: Path, work: Path, seeds: range, encoder: str) -> None:
    """Print how well text alone tells the labels of a real corpus."""
    dataset = dataset_of(corpus, data, work)
    settings: dict[str, Any] = {"meld": MELD, "cmma": CMMA}[corpus]
    name = f"{corpus}-text"
    if encoder:
        settings, name = {**settings, "encoder": encoder}, f"{corpus}-encoder"
    results = [
        run("context-fusion", dataset, seed, settings, work / "runs" / name / f"seed-{seed}")
        for seed in seeds
    ]
    cost = _mean([one["seconds"] for one in results])
    print(f"\n{name}, context-fusion, {len(seeds)} seeds, {cost:.0f} CPU s a run\n")
    print("| field | metric | test | deviation | validation | target | |\n|---|---|--:|--:|--:|--:|---|")
    for field, (metric, target) in TARGETS[corpus].items():
        values = [100 * one["scores"][field][metric] for one in results]
        seen = _mean([100 * one["validation"][field]["value"] for one in results])
        verdict = "met" if _mean(values) >= target else f"missed by {target - _mean(values):.1f}"
        reached = f"{_mean(values):.1f} | {_deviation(values):.1f} | {seen:.1f}"
        print(f"| {field} | {metric} | {reached} | {target:.0f} | {verdict} |")


def measure_sample(work: Path, seeds: range, models: tuple[str, ...]) -> None:
    """Print the share of the best possible accuracy of each model, and sarcasm from one modality."""
    dataset = generated(work)
    possible = json.loads((dataset / "bayes.json").read_text("utf-8"))["measures"]
    description = describe(dataset)
    here = best_answers(read_split(dataset, description, "test"), description.schema)
    print(f"\ngenerated corpus, against its truth, {len(seeds)} seeds; of the best with the whole dialogue\n")
    print(
        "| model | label | test | deviation | best possible | share | best on the same utterances | share |"
    )
    print("|---|---|--:|--:|--:|--:|--:|--:|")
    for model in models:
        results = [
            run(
                model,
                dataset,
                seed,
                {**SAMPLE, **ATTENTIVE.get(model, {})},
                work / "runs" / f"sample-{model}" / f"seed-{seed}",
            )
            for seed in seeds
        ]
        for field, own_best in here.items():
            values = [one["scores"][field][_exact(one["scores"][field])] for one in results]
            best = possible[f"{field}/{MEASURES[_exact(results[0]['scores'][field])]}"]["all/full"]["value"]
            shares = " | ".join(
                f"{one:.3f} | {_mean(values) / one:.1%}{'' if _mean(values) >= SHARE * one else ' missed'}"
                for one in (best, own_best)
            )
            print(f"| {model} | {field} | {_mean(values):.3f} | {_deviation(values):.3f} | {shares} |")
        print(
            f"| {model} | CPU s a run | {_mean([one['seconds'] for one in results]):.0f} | | | | | |",
            flush=True,
        )
    for modality in ("text", "audio", "video"):
        out = work / "runs" / f"sample-only-{modality}"
        settings = {**SAMPLE, "epochs": 10, "ngrams": False}
        reached = run("context-fusion", dataset, 0, settings, out, [modality])["scores"]["sarcasm"]
        print(f"{modality} alone, sarcasm: accuracy {reached['accuracy']:.3f}, UAR {reached['uar']:.3f}")


def _exact(scores: Mapping[str, Any]) -> str:
    return next(name for name in MEASURES if name in scores)


def best_answers(split: Split, schema: LabelSchema) -> dict[str, float]:
    """Return the accuracy of the best possible answers to these very utterances, by field.

    The features hold the cues, so P(state | all cues of the dialogue) is computed exactly, as for
    ``bayes.json``, which is the mean over other dialogues.
    """
    cues = {name: one.values @ mixture(one.width).T for name, one in split.features.items()}
    sizes = [len(one) for one in (POLARITIES, FAMILIES, INTENTS)]
    words = np.stack([part.argmax(1) for part in np.split(cues["text"], np.cumsum(sizes), axis=1)[:-1]], 1)
    shown = Cues(words, cues["audio"][:, : len(VOICE)], cues["video"][:, : len(FACE)])
    lengths = np.bincount(split.dialogue)
    turn = np.arange(len(split)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    likelihood = np.zeros((len(lengths), lengths.max(), STATES))
    likelihood[split.dialogue, turn] = sum(log_likelihood(shown).values())
    belief = posteriors(make_chain(), likelihood, lengths)["full"][split.dialogue, turn]
    found = {}
    for field in schema:
        if not isinstance(field, IntervalField):
            answers = [_answer(field, truth[field.name]) for truth in TRUTHS]
            distinct = sorted(set(answers) - {None})
            table = np.array([[one == answer for answer in distinct] for one in answers], np.float64)
            labels = split.labels[field.name]
            given = [tuple(np.atleast_1d(one).tolist()) for one in labels.values]
            best = (belief @ table).argmax(axis=1)
            right = [distinct[best[row]] == given[row] for row in np.flatnonzero(labels.known)]
            found[field.name] = _mean(right)
    return found


def _answer(field: Field, truth: Any) -> tuple[Any, ...] | None:
    """Return a true label as a row of `Split` holds it; None where it does not apply."""
    if truth is None:
        return None
    if isinstance(field, MultilabelField):
        return tuple(name in truth for name in field.categories)
    return (truth - field.low if isinstance(field, RelationField) else field.categories.index(truth),)


def measure_relations(work: Path, seeds: range) -> None:
    """Print what the supervision of the gates by relations buys, paired over seeds."""
    dataset = generated(work)
    by_switch = [
        [
            run(
                "soft-sharing",
                dataset,
                seed,
                SAMPLE if supervised else {**SAMPLE, "relation_supervision": False},
                work
                / "runs"
                / f"sample-soft-sharing{'' if supervised else '-unsupervised'}"
                / f"seed-{seed}",
            )
            for seed in seeds
        ]
        for supervised in (True, False)
    ]
    print(f"\nsoft-sharing, gates supervised by relations or not, {len(seeds)} seeds, test\n")
    print("| label | with | without | difference | its deviation over seeds |\n|---|--:|--:|--:|--:|")
    for field in by_switch[0][0]["scores"]:
        scores = [[one["scores"][field] for one in results] for results in by_switch]
        if not set(MEASURES) & set(scores[0][0]):
            continue
        given, free = ([100 * one[_exact(one)] for one in part] for part in scores)
        gained = [one - other for one, other in zip(given, free, strict=True)]
        both = f"{_mean(given):.1f} | {_mean(free):.1f}"
        print(f"| {field} | {both} | {_mean(gained):+.2f} | {_deviation(gained):.2f} |")


def measure_speed(work: Path, models: tuple[str, ...]) -> None:
    """Print utterances learnt from in a CPU second, judging on validation after every epoch included."""
    data = load_training(generated(work))
    print("\n| model | utterances/s | limit |\n|---|--:|---|")
    for model in models:
        settings = {**SAMPLE, **ATTENTIVE.get(model, {}), "patience": 99, "tune_thresholds": False}
        fit(model, data, 0, {**settings, "epochs": 1})  # what is loaded once is no part of an epoch
        took = []
        for epochs in (1, 4):
            began = time.process_time()
            fit(model, data, 0, {**settings, "epochs": epochs})
            took.append(time.process_time() - began)
        rate = 3 * len(data.train) / (took[1] - took[0])
        print(f"| {model} | {rate:,.0f} | {FASTEST:,} {'met' if rate >= FASTEST else 'missed'} |", flush=True)


def _mean(values: list[float]) -> float:
    return float(np.mean(values))


def _deviation(values: list[float]) -> float:
    return float(np.std(values, ddof=1)) if len(values) > 1 else 0.0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="+", choices=["meld", "cmma", "sample", "relations", "speed"])
    parser.add_argument("--data", type=Path, help="Folder of MELD and CMMA.")
    parser.add_argument("--work", type=Path, required=True, help="Keeps datasets and runs.")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--models", nargs="+", default=MULTIMODAL)
    parser.add_argument("--encoder", default="", help="A text encoder, beside n-grams, for the real corpora.")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    asked.seeds = range(asked.first_seed, asked.first_seed + asked.seeds)
    for part in asked.parts:
        if part == "sample":
            measure_sample(asked.work, asked.seeds, tuple(asked.models))
        elif part == "relations":
            measure_relations(asked.work, asked.seeds)
        elif part == "speed":
            measure_speed(asked.work, tuple(asked.models))
        else:
            measure_real(part, asked.data, asked.work, asked.seeds, asked.encoder)
