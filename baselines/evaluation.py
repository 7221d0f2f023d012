"""Evaluation: the only place where the test split is opened with its labels."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from baselines.cost import Cost, count_parameters, measure_latency, seconds_per_epoch
from baselines.data import Description, Split, describe
from baselines.evaluation_files import write_evaluation
from baselines.floors import floors
from baselines.judging import TEST, Bench, Judged, answers_of, judge, open_bench
from baselines.metrics import headlines
from baselines.modalities import Masked, ablate
from baselines.models import load_model
from baselines.models.base import Model
from baselines.outside import NOT_PREDICTED, read_predictions
from baselines.runs import CONFIG, TRAINING, new_run, read_json
from baselines.scoring import N_BOOT, Sums
from baselines.seen import Seen, seen_by
from schemas.errors import InputError, Issue
from schemas.fields import CategoricalField, Field, IntervalField, RelationField

VOLATILE = frozenset(
    (
        *("seed", "schema", "dataset", "thresholds", "metrics"),
        *("_name_or_path", "transformers_version", "architectures", "dtype"),
    )
)
"""Keys of a model's config that do not make it another model."""


@dataclass(frozen=True)
class Evaluation(Judged):
    """An evaluated run.

    Attributes:
        seed: Seed of its training; None of predictions that come from elsewhere.
        settings: What makes it this model, seed and data left out.
        trained_on: Digest of the dataset that it was trained on; None as above.
        dataset: Digest of the dataset that it is evaluated on.
        schema: Definition of the label schema.
        protocol: How train and test were separated.
        utterances: Utterances of the test split.
        intervals: How the intervals were made.
        best_possible: Of a generated corpus, the best possible scores; see `Description`.
        modalities: The model without some of its modalities.
        floors: The floors of the dataset on the same utterances.
        no_floors: Why a floor is not there.
        ignored_columns: Of predictions that come from elsewhere, columns that were not read.
    """

    seed: int | None = None
    settings: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    trained_on: str | None = None
    dataset: str = ""
    schema: str = ""
    protocol: str = TEST
    utterances: int = 0
    intervals: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    best_possible: Mapping[str, Mapping[str, Mapping[str, float]]] = dataclasses.field(default_factory=dict)
    modalities: tuple[Masked, ...] = ()
    floors: Mapping[str, Judged] = dataclasses.field(default_factory=dict)
    no_floors: Mapping[str, str] = dataclasses.field(default_factory=dict)
    ignored_columns: tuple[str, ...] = ()


def evaluate(
    run: str | Path,
    dataset: str | Path,
    *,
    n_boot: int = N_BOOT,
    seed: int = 0,
    cache_dir: Path | None = None,
) -> Evaluation:
    """Evaluate a trained run on the test split and write its ``evaluation.json`` and ``evaluation.parquet``.

    Args:
        run: A run folder.
        dataset: A dataset folder or the name of a Hub repository, with the fields of the model.
        n_boot: Resamples of dialogues for the 95% intervals.
        seed: Seed of the resamples.
        cache_dir: Where ``datasets`` keeps its cache; by default its own place.

    Raises:
        InputError: There is no such run or dataset, it has no test split, its fields are others, or the model
            answers with something that is no number.
    """
    run = Path(run)
    model = load_model(run)
    description = describe(dataset)
    require_same_fields(model, description, str(dataset))
    bench = open_bench(dataset, description, n_boot=n_boot, seed=seed, cache_dir=cache_dir)
    judged, sums = judge_model(model, bench, run)
    evaluation, all_sums = with_floors(
        dataclasses.replace(
            as_evaluation(judged, bench),
            seed=model.config.seed,
            settings=settings_of(run),
            trained_on=model.config.dataset,
            modalities=_ablations(model, bench, judged.seen),
        ),
        sums,
        dataset,
        bench,
        cache_dir,
    )
    write_evaluation(run, dataclasses.asdict(evaluation), all_sums)
    return evaluation


def evaluate_predictions(
    path: str | Path,
    dataset: str | Path,
    *,
    out: str | Path | None = None,
    n_boot: int = N_BOOT,
    seed: int = 0,
    cache_dir: Path | None = None,
) -> Evaluation:
    """Evaluate predictions that come from elsewhere, by the rules that every model here is judged by.

    Args:
        path: The predictions, see `baselines.outside.read_predictions`.
        dataset: A dataset folder or the name of a Hub repository.
        out: A new or empty folder for the evaluation, which ``compare`` can read; None to keep nothing.
        n_boot: Resamples of dialogues for the 95% intervals.
        seed: Seed of the resamples.
        cache_dir: Where ``datasets`` keeps its cache; by default its own place.

    Raises:
        InputError: The predictions do not fit the test split; all faults at once.
    """
    description = describe(dataset)
    bench = open_bench(dataset, description, n_boot=n_boot, seed=seed, cache_dir=cache_dir)
    predictions = read_predictions(path, bench.split, bench.schema)
    name = Path(path).stem
    judged, sums = judge(name, bench.schema, predictions.answers, bench, Seen(), Cost(), NOT_PREDICTED)
    evaluation = dataclasses.replace(
        as_evaluation(judged, bench),
        settings={"predictions": Path(path).name, "fields": sorted(predictions.answers)},
        ignored_columns=predictions.ignored,
    )
    evaluation, all_sums = with_floors(evaluation, sums, dataset, bench, cache_dir)
    if out is not None:
        with new_run(Path(out)) as folder:
            write_evaluation(folder, dataclasses.asdict(evaluation), all_sums)
    return evaluation


def settings_of(run: Path) -> dict[str, Any]:
    """Return what makes a saved model this model: its config without seed, data and versions."""
    config = read_json(run / CONFIG, "baselines train")
    settings = {name: value for name, value in config.items() if name not in VOLATILE}
    if "streams" in settings:  # its name says enough; how a stream was made is the dataset's
        settings["streams"] = sorted(settings["streams"])
    if "training" in settings:  # whether checkpoints were kept makes no difference
        kept = ((name, value) for name, value in settings["training"].items() if name != "keep_checkpoints")
        settings["training"] = dict(kept)
    return settings


def require_same_fields(model: Model, description: Description, where: str) -> None:
    """Refuse a dataset whose fields are not those of a model.

    Raises:
        InputError: A field is missing, or has another type, other values or another scale; all at once.
    """
    issues = []
    for field in model.schema:
        if field.name not in description.schema:
            choices = list(description.schema.by_name)
            issues.append(
                Issue("the dataset lacks a field of the model", where, value=field.name, choices=choices)
            )
        elif _answers(field) != _answers(description.schema[field.name]):
            message = "this field has another type or other values in the dataset than in the model"
            issues.append(Issue(message, where, column=field.name, choices=_answers(field)))
    if issues:
        raise InputError(issues)


def _answers(field: Field) -> list[object]:
    """Return all that defines which answers a field takes."""
    if isinstance(field, IntervalField):
        return [field.type, field.low, field.high]
    return [field.type, *(field.categories if isinstance(field, CategoricalField | RelationField) else ())]


def judge_model(model: Model, bench: Bench, folder: Path) -> tuple[Judged, dict[str, Sums]]:
    """Judge a saved model.

    Args:
        model: The model.
        bench: The utterances.
        folder: Where it is saved.

    Returns:
        What was found, and by field the sums behind it.

    Raises:
        InputError: It answers with something that is no number.
    """
    config = read_json(folder / CONFIG, "baselines train")
    training = read_json(folder / TRAINING, "baselines train") if (folder / TRAINING).exists() else {}
    cost = Cost(
        count_parameters(folder), seconds_per_epoch(training), measure_latency(model.predict, bench.split)
    )
    seen = seen_by(config)
    name = model.config.model_type
    return judge(name, model.schema, answers_of(model, bench.split), bench, seen, cost)


def with_floors(
    evaluation: Evaluation,
    sums: Mapping[str, Sums],
    dataset: str | Path,
    bench: Bench,
    cache_dir: Path | None,
) -> tuple[Evaluation, dict[str, Mapping[str, Sums]]]:
    """Put the floors of the dataset beside an evaluation.

    Returns:
        The evaluation with its floors, and the sums by model and field; those of the run under ``""``.
    """
    judged, missing = {}, {}
    all_sums: dict[str, Mapping[str, Sums]] = {"": sums}
    for name, floor in floors(dataset, bench.description.digest, cache_dir).items():
        if name == evaluation.model and evaluation.seed is not None:
            continue  # it stands there already
        if isinstance(floor, str):
            missing[name] = floor
        else:
            answers = answers_of(floor, bench.split)
            judged[name], all_sums[name] = judge(name, floor.schema, answers, bench, Seen(), Cost())
    return dataclasses.replace(evaluation, floors=judged, no_floors=missing), all_sums


def as_evaluation(judged: Judged, bench: Bench) -> Evaluation:
    """Return what was found with what is known of the bench."""
    return Evaluation(
        **vars(judged),
        dataset=bench.description.digest,
        schema=bench.description.schema_text,
        utterances=len(bench.split),
        intervals=bench.intervals,
        best_possible=bench.description.best_possible,
    )


def _ablations(model: Model, bench: Bench, seen: Seen) -> tuple[Masked, ...]:
    modalities = seen.modalities or ()
    encoders = getattr(model, "encoders", None)
    split = encoders.prepare(bench.split) if encoders is not None and len(modalities) > 1 else bench.split

    def headline(hidden: Split) -> dict[str, float | None]:
        return headlines(model.fields, hidden.labels, model.predict(hidden))

    return ablate(split, modalities, headline, bench.seed)
