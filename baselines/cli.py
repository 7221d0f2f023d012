"""The ``baselines`` command."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from schemas.command_line import JsonOption, application, console, print_json

app = application("Train models of a published dialogue corpus and evaluate them on its test split.")

DatasetArgument = Annotated[
    str, typer.Argument(metavar="DATASET", help="A dataset folder, or ORG/NAME on the Hub.")
]


@app.command("list")
def list_(as_json: JsonOption = False) -> None:
    """List the models."""
    from baselines.models import MODELS

    if as_json:
        print_json(MODELS.about)
        return
    table = Table("model", "what it is")
    for name, line in MODELS.about.items():
        table.add_row(name, line)
    console.print(table)


@app.command()
def train(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A model of 'baselines list'.")],
    dataset: DatasetArgument,
    out: Annotated[Path, typer.Option(metavar="RUN", help="A new or empty folder for the run.")],
    seed: Annotated[int, typer.Option(min=0)] = 0,
    seeds: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Train N seeds, into RUN/seed-0, RUN/seed-1, ...")
    ] = None,
    features: Annotated[
        str | None,
        typer.Option(metavar="NAME,...", help="Features to use; by default all of the dataset; '' for none."),
    ] = None,
    fields: Annotated[
        str | None, typer.Option(metavar="NAME,...", help="Fields to learn; by default all with labels.")
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="A setting; a wrong name lists them all."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Train a model on train, select it on validation; the test split is not opened.

    A training that was killed goes on when it is asked for again.
    """
    from baselines.runs import leads
    from baselines.settings_given import parse_settings
    from baselines.training import train_seeds

    runs = {out: seed} if seeds is None else {out / f"seed-{one}": one for one in range(seed, seed + seeds)}
    wanted, learnt = (
        None if named is None else [one for one in named.split(",") if one] for named in (features, fields)
    )
    trained = train_seeds(model, dataset, runs, parse_settings(settings or ()), wanted, learnt)
    if not leads():
        return
    if as_json:
        reports = [{"run": str(one.folder), **one.report} for one in trained]
        print_json(reports[0] if seeds is None else reports)
        return
    for one in trained:
        sizes = ", ".join(f"{size:,} {split}" for split, size in one.report["utterances"].items())
        fields = ", ".join(one.model.config.fields)
        console.print(f"Trained {model}, seed {one.report['seed']}, for {fields} ({sizes} utterances)")
        for name in one.report["not_learnt"]:
            console.print(f"  [yellow]{name}[/]: train has no label of it, so it was not learnt")
    if len(trained) < len(runs):
        console.print(f"{len(runs) - len(trained)} of {len(runs)} runs were there already")
    for run in runs:
        console.print(f"baselines evaluate {run} {dataset}", style="bold", highlight=False, soft_wrap=True)


@app.command()
def evaluate(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")],
    dataset: Annotated[
        str | None,
        typer.Argument(metavar="DATASET", help="A dataset folder, or ORG/NAME on the Hub."),
    ] = None,
    predictions: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Predictions of any model in place of a run (CSV, TSV, JSONL, Parquet); RUN, a new folder "
            "for the evaluation, may then be left out.",
        ),
    ] = None,
    every_epoch: Annotated[
        bool, typer.Option("--every-epoch", help="What choosing the epoch on test would gain.")
    ] = False,
    held_out: Annotated[
        str | None,
        typer.Option("--hold-out", metavar="dialogue|speaker", help="Train anew, each fold without these."),
    ] = None,
    folds: Annotated[
        int | None, typer.Option(help="Folds; by default 5 of dialogues, one a speaker.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Evaluate a run on the test split, beside floors and human ceiling; writes RUN/evaluation.json.

    baselines evaluate RUN DATASET; or baselines evaluate [RUN] DATASET --predictions FILE
    """
    from baselines.evaluation_modes import evaluate_as_asked
    from baselines.evaluation_terminal import evaluation_lines

    found = evaluate_as_asked(
        run, dataset, predictions=predictions, every_epoch=every_epoch, held_out=held_out, folds=folds
    )
    if as_json:
        reports = [dataclasses.asdict(one) for one in found]
        print_json(reports[0] if len(reports) == 1 else reports)
        return
    for one in found:
        for line in evaluation_lines(one):
            console.print(line)


@app.command()
def predict(
    run: Annotated[
        Path, typer.Argument(metavar="RUN", help="A run folder, or a model's ORG/NAME on the Hub.")
    ],
    dataset: Annotated[
        str,
        typer.Argument(
            metavar="DATASET",
            help="A dataset folder, ORG/NAME on the Hub, a transcript (.txt, .csv) or a folder of clips.",
        ),
    ],
    split: Annotated[str, typer.Option(help="The split whose labels are predicted.")] = "test",
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="The table that is written.")] = None,
    models: Annotated[
        list[str] | None,
        typer.Option("--model", metavar="FOLDER", help="Where a model of the run's features may be found."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Predict labels of a split, a transcript or a folder of clips, for 'annotation push --predictions'."""
    from baselines.prediction import predict as predict_split

    found = predict_split(run, dataset, split, out=out, models=models or ())
    if as_json:
        print_json({"predictions": str(found.path), "utterances": found.utterances, "missing": found.missing})
        return
    for name, count in found.missing.items():
        if count:
            console.print(
                f"  [yellow]{name}[/]: {count:,} of {found.utterances:,} utterances have none; masked"
            )
    console.print(str(found.path), style="bold", highlight=False, soft_wrap=True)


@app.command()
def compare(
    runs: Annotated[
        list[Path],
        typer.Argument(metavar="RUN...", help="Evaluated run folders; runs of one model are taken together."),
    ],
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="Write a page with pictures.")] = None,
    latex: Annotated[Path | None, typer.Option(metavar="FILE", help="Write tables for a paper.")] = None,
    language: Annotated[str, typer.Option(metavar="en|zh", help="Language of the page.")] = "en",
    as_json: JsonOption = False,
) -> None:
    """Put evaluated runs side by side: means over seeds, intervals over dialogues, paired tests."""
    from baselines.comparison import compare as compare_runs
    from baselines.comparison_terminal import terminal_tables
    from baselines.comparison_writing import comparison_json, write_comparison

    comparison = compare_runs(runs)
    written = write_comparison(comparison, html=html, latex=latex, language=language)
    if as_json:
        print_json(comparison_json(comparison))
        return
    for part in terminal_tables(comparison):
        console.print(part)
    for path in written:
        console.print(str(path), style="bold", highlight=False, soft_wrap=True)
