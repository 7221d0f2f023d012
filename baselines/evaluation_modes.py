"""The ways in which ``baselines evaluate`` evaluates, and which options go together."""

from __future__ import annotations

from pathlib import Path

from baselines.epochs import EpochReport, evaluate_epochs
from baselines.evaluation import Evaluation, evaluate, evaluate_predictions
from baselines.protocols import HeldOut, cross_validate
from baselines.runs import CONFIG
from schemas.errors import InputError, Issue


def evaluate_as_asked(
    run: Path,
    dataset: str | None,
    *,
    predictions: Path | None = None,
    every_epoch: bool = False,
    held_out: str | None = None,
    folds: int | None = None,
) -> list[Evaluation | EpochReport]:
    """Evaluate a run, every epoch of it, its model by cross-validation, or predictions from elsewhere.

    Args:
        run: The run folder, or a folder of them; with ``predictions`` a new folder for the evaluation, or the
            dataset itself.
        dataset: The dataset; with ``predictions`` None where ``run`` is the dataset and nothing is kept.
        predictions: Predictions that come from elsewhere.
        every_epoch: Evaluate every kept checkpoint.
        held_out: What cross-validation holds out.
        folds: How many folds.

    Raises:
        InputError: Options do not go together, or as the chosen way raises it.
    """
    _refuse_misuse(predictions, every_epoch, held_out, folds)
    if predictions is not None:
        where, out = (str(run), None) if dataset is None else (dataset, run)
        return [evaluate_predictions(predictions, where, out=out)]
    if dataset is None:
        raise InputError(Issue("the dataset is missing: baselines evaluate RUN DATASET", value=str(run)))
    runs = run_folders(run)
    if every_epoch:
        return [evaluate_epochs(one, dataset) for one in runs]
    if held_out is not None:
        return [cross_validate(one, dataset, HeldOut(held_out), folds) for one in runs]
    return [evaluate(one, dataset) for one in runs]


def run_folders(run: Path) -> list[Path]:
    """Return a run folder, or the run folders (seeds) directly inside a folder that is none."""
    inner = sorted(path.parent for path in run.glob(f"*/{CONFIG}"))
    return [run] if (run / CONFIG).exists() or not inner else inner


def _refuse_misuse(
    predictions: Path | None,
    every_epoch: bool,
    held_out: str | None,
    folds: int | None,
) -> None:
    issues = []
    if (predictions is not None) + every_epoch + (held_out is not None) > 1:
        issues.append(Issue("--predictions, --every-epoch and --hold-out are three ways; choose one"))
    if held_out is not None and held_out not in list(HeldOut):
        issues.append(
            Issue("there is no such way to hold out", "--hold-out", None, None, None, held_out, list(HeldOut))
        )
    if folds is not None and held_out is None:
        issues.append(Issue("folds belong to --hold-out", "--folds", value=folds, choices=list(HeldOut)))
    if issues:
        raise InputError(issues)
