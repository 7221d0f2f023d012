"""The ``baselines`` command."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from schemas.command_line import JsonOption, application, console, print_json

if TYPE_CHECKING:  # takes a second to import
    from baselines.metrics import FieldScores, Score

app = application("Train models of a published dialogue corpus and evaluate them on its test split.")

RunArgument = Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")]
DatasetArgument = Annotated[
    str, typer.Argument(metavar="DATASET", help="A dataset folder, or ORG/NAME on the Hub.")
]


@app.command("list")
def list_(as_json: JsonOption = False) -> None:
    """List the models."""
    from baselines.models import MODELS

    about = {name: (one.__doc__ or "").splitlines()[0] for name, one in MODELS.items()}
    if as_json:
        print_json(about)
        return
    table = Table("model", "what it is")
    for name, line in about.items():
        table.add_row(name, line)
    console.print(table)


@app.command()
def train(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A model of 'baselines list'.")],
    dataset: DatasetArgument,
    out: Annotated[Path, typer.Option(metavar="RUN", help="A new or empty folder for the run.")],
    seed: Annotated[int, typer.Option(min=0)] = 0,
    as_json: JsonOption = False,
) -> None:
    """Train a model on train, select it on validation; the test split is not opened."""
    from baselines.training import train as train_model

    trained = train_model(model, dataset, out, seed=seed)
    if as_json:
        print_json({"run": str(trained.folder), **trained.report})
        return
    sizes = ", ".join(f"{size:,} {split}" for split, size in trained.report["utterances"].items())
    console.print(f"Trained {model} for {', '.join(trained.model.config.fields)} ({sizes} utterances)")
    for name in trained.report["not_learnt"]:
        console.print(f"  [yellow]{name}[/]: train has no label of it, so it was not learnt")
    console.print(f"baselines evaluate {out} {dataset}", style="bold", highlight=False, soft_wrap=True)


@app.command()
def evaluate(run: RunArgument, dataset: DatasetArgument, as_json: JsonOption = False) -> None:
    """Evaluate a run on the test split, with 95% intervals over dialogues; writes RUN/evaluation.json."""
    from baselines.evaluation import evaluate as evaluate_run

    evaluation = evaluate_run(run, dataset)
    if as_json:
        print_json(dataclasses.asdict(evaluation))
        return
    if evaluation.dataset != evaluation.trained_on:
        console.print("[yellow]This model was trained on another dataset, or another build of it.[/]")
    console.print(
        _scores_table(f"{evaluation.model} on {evaluation.utterances:,} utterances", evaluation.fields)
    )


def _scores_table(title: str, fields: Mapping[str, FieldScores]) -> Table:
    table = Table("field", "metric", "value", "95% interval", "labels", title=title)
    for column in table.columns[2:]:
        column.justify = "right"
    for name, one in fields.items():
        for metric, score in one.metrics.items():
            interval = "" if score.low is None else f"{score.low:.3f} to {score.high:.3f}"
            value = "-" if score.value is None else f"{score.value:.3f}"
            table.add_row(name, metric, value, interval or score.reason or "", f"{one.utterances:,}")
        table.add_section()
    return table


@app.command()
def predict(
    run: RunArgument,
    dataset: DatasetArgument,
    split: Annotated[str, typer.Option(help="The split whose labels are predicted.")] = "test",
    as_json: JsonOption = False,
) -> None:
    """Predict the labels of a split; writes RUN/predictions-SPLIT.parquet."""
    from baselines.prediction import predict as predict_split

    path = predict_split(run, dataset, split)
    if as_json:
        print_json({"predictions": str(path)})
    else:
        console.print(str(path), style="bold", highlight=False, soft_wrap=True)


@app.command()
def compare(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Evaluated run folders.")],
    as_json: JsonOption = False,
) -> None:
    """Put evaluated runs side by side: test results with 95% intervals over dialogues."""
    from baselines.comparison import compare as compare_runs

    comparison = compare_runs(runs)
    if as_json:
        print_json(dataclasses.asdict(comparison))
        return
    known = any(row.best_possible for row in comparison.rows)
    best = ("text", "all") if known else ()
    table = Table("field", "metric", *comparison.runs, *(f"best possible\nfrom {seen}" for seen in best))
    last = None
    for row in comparison.rows:
        if last not in (None, row.field):
            table.add_section()
        ceiling = (f"{row.best_possible[seen]:.3f}" if row.best_possible else "" for seen in best)
        name = "" if row.field == last else row.field
        table.add_row(name, row.metric, *(_cell(one) for one in row.scores), *ceiling)
        last = row.field
    console.print(table)
    if known:
        console.print("best possible: against the truth of this generated corpus, the dialogue so far seen")


def _cell(score: Score) -> str:
    if score.value is None:
        return f"- ({score.reason})"
    return f"{score.value:.3f}" + ("" if score.low is None else f" ({score.low:.3f} to {score.high:.3f})")
