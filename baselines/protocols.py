"""Protocols in which every utterance is predicted by a model that was not trained on it.

K-fold cross-validation holds out dialogues. Leaving speakers out is about speakers of whom nothing was
learnt: their labels are hidden in training, although their turns stay there as context for others, and only
their utterances are judged, although the turns of others stay as their context.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np

from baselines.cost import Cost
from baselines.data import Description, Integers, Split, TrainingData, describe, read_split
from baselines.dataset_files import DEFAULT, folder_of
from baselines.evaluation import Evaluation, as_evaluation, require_same_fields, settings_of
from baselines.evaluation_files import FLOORS, write_evaluation
from baselines.field_map import is_field_map
from baselines.judging import Bench, Judged, answers_of, judge
from baselines.models import find_model, load_model
from baselines.ratings import join_ratings, read_ratings
from baselines.runs import CONFIG, read_json
from baselines.scoring import N_BOOT, Answers, Sums
from baselines.seen import Seen, seen_by
from baselines.split_rows import join, keep_labels, take
from baselines.training import fit
from schemas.errors import InputError, Issue
from schemas.progress import progress
from schemas.records import SPLIT_NAMES

FOLDER = "cross-validation"
FEWEST_FOLDS = 3
VALIDATION_SHARE = 10
"""One dialogue of so many is for validation where speakers are left out."""


class HeldOut(StrEnum):
    """What a model is not trained on."""

    DIALOGUE = "dialogue"
    SPEAKER = "speaker"


@dataclass(frozen=True)
class Plan:
    """How a corpus is cut.

    Attributes:
        whole: The corpus.
        protocol: The plan in words.
        number: Number of folds.
        folds: Makes the folds, one after the other.
    """

    whole: Split
    protocol: str
    number: int
    folds: Callable[[], Iterator[Fold]]


@dataclass(frozen=True)
class Fold:
    """One training and what it is judged on.

    Attributes:
        train: What is learnt from.
        validation: What settings are chosen on.
        test: Whole dialogues with the utterances that are judged.
        judged: Those utterances, rows of the whole corpus, ascending.
        within: The same, rows of ``test``.
    """

    train: Split
    validation: Split
    test: Split
    judged: Integers
    within: Integers


def cross_validate(
    run: str | Path,
    dataset: str | Path,
    held_out: HeldOut,
    folds: int | None = None,
    *,
    n_boot: int = N_BOOT,
    seed: int = 0,
    cache_dir: Path | None = None,
) -> Evaluation:
    """Train the model of a run anew for every fold of the whole corpus, and judge all predictions together.

    The result stands in ``RUN/cross-validation/NAME``, which ``compare`` reads. All splits of the dataset are
    taken, its test split, too: a model that was developed on cross-validation has no test split left.

    Args:
        run: A run folder; its model, settings and seed are taken, not its weights.
        dataset: A dataset folder or the name of a Hub repository, with the fields of the model.
        held_out: What each fold holds out.
        folds: How many folds; by default 5 of dialogues, and one for each speaker.
        n_boot: Resamples of dialogues for the 95% intervals.
        seed: Seed of the folds and of the resamples.
        cache_dir: Where ``datasets`` keeps its cache; by default its own place.

    Raises:
        InputError: There is no such run or dataset, there are too few dialogues or speakers, or a field has
            no label in the training part of a fold.
    """
    run = Path(run)
    model = load_model(run)
    config = read_json(run / CONFIG, "baselines train")
    description = describe(dataset)
    require_same_fields(model, description, str(dataset))
    names = _splits(dataset)
    whole = join("all", [read_split(dataset, description, name, cache_dir) for name in names])
    whole = _as_learnt(whole, config)
    plan = _plan(whole, held_out, folds, seed, str(dataset))
    rows = np.sort(np.concatenate([fold.judged for fold in plan.folds()]))
    bench_split = take(whole, rows)
    ratings = (
        read_ratings(dataset, description, dataclasses.replace(bench_split, name=name), cache_dir)
        for name in names
    )
    bench = Bench(description, bench_split, join_ratings([one for one in ratings if one]), n_boot, seed)

    def judged(name: str, settings: Mapping[str, Any], seen: Seen) -> tuple[Judged, dict[str, Sums]]:
        answers = out_of_fold(name, settings, model.config.seed, description, plan)
        mine = {field: _rows(one, rows) for field, one in answers.items()}
        return judge(name, description.schema, mine, bench, seen, Cost())

    found, sums = judged(model.config.model_type, refit_settings(config), seen_by(config))
    all_sums: dict[str, Mapping[str, Sums]] = {"": sums}
    floors = {}
    for name in FLOORS:
        if name != found.model:
            floors[name], all_sums[name] = judged(name, {}, Seen())
    evaluation = dataclasses.replace(
        as_evaluation(found, bench),
        seed=model.config.seed,
        settings=settings_of(run),
        trained_on=description.digest,
        protocol=plan.protocol,
        floors=floors,
    )
    folder = run / FOLDER / (held_out.value if folds is None else f"{held_out.value}-{folds}")
    folder.mkdir(parents=True, exist_ok=True)
    write_evaluation(folder, dataclasses.asdict(evaluation), all_sums)
    return evaluation


def _splits(dataset: str | Path) -> list[str]:
    folder = None if is_field_map(dataset) else folder_of(dataset)
    if folder is None:
        return list(SPLIT_NAMES)
    return [name for name in SPLIT_NAMES if any((folder / DEFAULT).glob(f"{name}-*.parquet"))]


def _as_learnt(split: Split, config: Mapping[str, Any]) -> Split:
    """Leave the labels of the fields that the run learnt, and the features that it sees."""
    nothing = np.zeros(len(split), np.bool_)
    labels = {
        name: one if name in config["fields"] else dataclasses.replace(one, known=nothing, soft=None)
        for name, one in split.labels.items()
    }
    seen = config.get("streams", {})
    features = {name: one for name, one in split.features.items() if name in seen}
    return dataclasses.replace(split, labels=labels, features=features)


def _plan(whole: Split, held_out: HeldOut, folds: int | None, seed: int, where: str) -> Plan:
    if held_out is HeldOut.DIALOGUE:
        number = 5 if folds is None else folds
        dialogues = int(whole.dialogue.max(initial=-1)) + 1
        if not FEWEST_FOLDS <= number <= dialogues:
            message = (
                f"{FEWEST_FOLDS} folds or more are needed (one is for validation), of {dialogues:,} dialogues"
            )
            raise InputError(Issue(message, where, column="--folds", value=number))
        protocol = f"{number}-fold cross-validation over dialogues, seed {seed}"
        return Plan(whole, protocol, number, lambda: dialogue_folds(whole, number, seed))
    speakers = _speakers(whole)
    number = len(speakers) if folds is None else folds
    if not 2 <= number <= len(speakers):
        message = f"the dataset has {len(speakers):,} speakers with labels; 2 folds or more are needed"
        raise InputError(Issue(message, where, column="--folds", value=number))
    if folds is None:
        protocol = f"leave one speaker out, {number} speakers, seed {seed}"
    else:
        protocol = f"leave speakers out, {len(speakers)} speakers in {number} folds, seed {seed}"
    return Plan(whole, protocol, number, lambda: speaker_folds(whole, number, seed))


def dialogue_folds(whole: Split, number: int, seed: int) -> Iterator[Fold]:
    """Hold out every dialogue once; the next fold is for validation.

    Args:
        whole: The corpus.
        number: Number of folds.
        seed: Seed of the shuffle.
    """
    dialogues = int(whole.dialogue.max(initial=-1)) + 1
    fold_of = np.random.Generator(np.random.PCG64(seed)).permutation(dialogues) % number
    fold = fold_of[whole.dialogue]
    for one in range(number):
        following = (one + 1) % number
        test = np.flatnonzero(fold == one)
        yield Fold(
            take(whole, np.flatnonzero((fold != one) & (fold != following))),
            take(whole, np.flatnonzero(fold == following)),
            take(whole, test),
            test,
            np.arange(len(test)),
        )


def _speakers(whole: Split) -> list[str]:
    """Return the speakers of utterances with a label, in order of their names."""
    labeled = np.logical_or.reduce([one.known for one in whole.labels.values()])
    names = {one for one, there in zip(whole.speakers, labeled, strict=True) if there and one is not None}
    return sorted(names)


def speaker_folds(whole: Split, number: int, seed: int) -> Iterator[Fold]:
    """Hold out the labels of every known speaker once.

    Utterances whose speaker is not known are learnt from and never judged.

    Args:
        whole: The corpus.
        number: Number of folds; with as many as there are speakers each is left out alone.
        seed: Seed of who shares a fold, and of the dialogues for validation.
    """
    random = np.random.Generator(np.random.PCG64(seed))
    speakers = _speakers(whole)
    fold_of = dict(zip(speakers, random.permutation(len(speakers)) % number, strict=True))
    fold = np.array([fold_of.get(one, -1) if one is not None else -1 for one in whole.speakers])
    dialogues = int(whole.dialogue.max(initial=-1)) + 1
    # Of few dialogues one at least is for validation.
    place = random.permutation(dialogues)
    for_validation = (place < max(dialogues // VALIDATION_SHARE, 1))[whole.dialogue]
    for one in range(number):
        mine = fold == one
        heard = keep_labels(whole, ~mine)
        test = np.flatnonzero(np.isin(whole.dialogue, whole.dialogue[mine]))
        judged = np.flatnonzero(mine)
        yield Fold(
            take(heard, np.flatnonzero(~for_validation)),
            take(heard, np.flatnonzero(for_validation)),
            take(whole, test),
            judged,
            np.searchsorted(test, judged),
        )


def out_of_fold(
    name: str, settings: Mapping[str, Any], seed: int, description: Description, plan: Plan
) -> dict[str, Answers]:
    """Predict every utterance by a model that was not trained on it.

    Args:
        name: Name of the model.
        settings: Settings of the model and of its training.
        seed: Seed of its training.
        description: The dataset.
        plan: The folds.

    Returns:
        Answers by field to all utterances of the corpus; anything where an utterance is never judged.

    Raises:
        InputError: A field has labels, and none in the training part of a fold.
    """
    found: dict[str, Answers] = {}
    wanted = [field for field, one in plan.whole.labels.items() if one.known.any()]
    for fold in progress(plan.folds(), f"folds of {name}", plan.number):
        model, _ = fit(name, TrainingData(description, fold.train, fold.validation), seed, settings)
        answers = answers_of(model, fold.test)
        lacking = [field for field in wanted if field not in answers]
        if lacking:
            message = "the training part of a fold has no label of this field; take other folds"
            raise InputError([Issue(message, column=field) for field in lacking])
        for field, one in answers.items():
            mine = _rows(one, fold.within)
            whole = found.setdefault(field, _empty(mine, len(plan.whole)))
            whole.predicted[fold.judged] = mine.predicted
            if whole.scores is not None and mine.scores is not None:
                whole.scores[fold.judged] = mine.scores
    return found


def _rows(answers: Answers, rows: Integers) -> Answers:
    return Answers(answers.predicted[rows], None if answers.scores is None else answers.scores[rows])


def _empty(like: Answers, rows: int) -> Answers:
    predicted = np.zeros((rows, *like.predicted.shape[1:]), like.predicted.dtype)
    scores = None if like.scores is None else np.zeros((rows, like.scores.shape[1]))
    return Answers(predicted, scores)


def refit_settings(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that a saved model was trained with, from its ``config.json``."""
    kind = getattr(find_model(config["model_type"]), "config_class", None)
    if kind is None:
        return {}  # a floor has none
    own = {name: config[name] for name in kind.settings() if name in config}
    return {**own, **config.get("training", {})}
