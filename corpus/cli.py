"""The ``corpus`` command."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from corpus.import_cli import import_, report_import, speakers
from corpus.media_cli import features, media
from schemas.command_line import UP_TO_DATE, JsonOption, ProjectOption, application, console, print_json
from schemas.errors import InputError, Issue

app = application("Import, check, split, build and publish a dialogue corpus of perceived affect.")


@app.command()
def init(
    directory: Annotated[Path, typer.Argument(help="A new or empty folder.")],
    schema: Annotated[str, typer.Option(help="Name of a shipped schema, or a YAML file.")] = "affect",
    sample: Annotated[bool, typer.Option("--sample", help="Fill it with the packaged sample.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Make a new project."""
    if sample:
        from corpus.sample.packaged import create_sample

        if schema != "affect":
            raise InputError(Issue("the sample has the schema affect; leave --schema out", value=schema))

        project, imported = create_sample(directory)
        report_import(imported, as_json)
        return
    from schemas.project import Project

    project = Project.create(directory, schema)
    if as_json:
        print_json({"project": str(project.root), "schema": project.schema.name})
        return
    made = f"Project [bold]{escape(str(project.root))}[/] made, with the label schema {project.schema.name}."
    console.print(made, highlight=False, soft_wrap=True)
    console.print("Say in corpus.yaml what the corpus is; then: corpus import FORMAT SOURCE... --project DIR")


app.command("import")(import_)
app.add_typer(speakers, name="speakers")


@app.command("sample")
def sample_(
    directory: Annotated[Path, typer.Argument(help="A new or empty folder.")],
    dialogues: Annotated[int, typer.Option(help="How many dialogues.")] = 24,
    seed: Annotated[int, typer.Option(help="Seed of everything.")] = 0,
    languages: Annotated[str, typer.Option(help="Languages of the dialogues: zh,en.")] = "zh,en",
    features_only: Annotated[
        bool, typer.Option("--features-only", help="Feature vectors in place of recordings: no eSpeak NG.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Generate a simulated corpus with a known truth: recordings, subtitles, simulated raters."""
    from corpus.sample.generate import generate

    report_import(generate(directory, dialogues, seed, languages.split(","), features_only), as_json)


app.command()(media)
app.command()(features)


@app.command()
def check(project: ProjectOption = Path(), as_json: JsonOption = False) -> None:
    """Look for defects in the tables; exit status 1 when there are errors."""
    from corpus.checks import run
    from schemas.project import Project

    findings = run(Project(project))
    errors = sum(one.severity == "error" for one in findings)
    if as_json:
        print_json({"findings": [dataclasses.asdict(one) for one in findings]})
    else:
        colours = {"error": "red", "warning": "yellow", "info": "blue"}
        table = Table.grid(padding=(0, 1))
        for one in findings:
            severity = f"[{colours[one.severity]}]{one.severity}[/]"
            table.add_row(severity, f"[bold]{one.check}[/]: {escape(one.message)}")
        console.print(table)
        console.print(f"{len(findings)} findings, {errors} of them errors; reports/check.json has examples")
    raise typer.Exit(1 if errors else 0)


@app.command()
def split(
    project: ProjectOption = Path(),
    keep_source: Annotated[
        bool, typer.Option("--keep-source", help="Keep the splits that the sources were published with.")
    ] = False,
    by: Annotated[
        str, typer.Option(help="What stays in one split: dialogue, episode, show or speaker.")
    ] = "dialogue",
    ratios: Annotated[str, typer.Option(help="Shares of train, validation and test.")] = "0.8,0.1,0.1",
    seed: Annotated[int, typer.Option(min=0)] = 0,
    as_json: JsonOption = False,
) -> None:
    """Split the dialogues into train, validation and test."""
    from corpus.splits import parse_ratios, parse_unit, split_project, summary
    from schemas.project import Project

    found = Project(project)
    made = split_project(
        found, keep_source=keep_source, by=parse_unit(by), ratios=parse_ratios(ratios), seed=seed
    )
    counts = summary(found)
    if as_json:
        print_json({"changed": made is not None, "splits": counts})
        return
    table = Table("split", "dialogues", "utterances", "share")
    total = sum(one["utterances"] for one in counts.values())
    for name, one in counts.items():
        share = f"{one['utterances'] / total:.1%}"
        table.add_row(name, f"{one['dialogues']:,}", f"{one['utterances']:,}", share)
    console.print(table)
    if made is None:
        console.print(UP_TO_DATE)


@app.command()
def build(
    project: ProjectOption = Path(),
    variant: Annotated[
        str | None,
        typer.Option(
            help="full (sound and clips), features, or pointers (where utterances are); "
            "by default what corpus.yaml says, or else features."
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Build the dataset folder that load_dataset opens."""
    from corpus.build import build as build_dataset
    from schemas.project import DATASET, Project

    found = Project(project)
    built = build_dataset(found, variant)
    if as_json:
        print_json({"changed": built is not None, **(dataclasses.asdict(built) if built else {})})
        return
    if built is None:
        console.print(UP_TO_DATE)
    else:
        labels = f"Built with {built.labels}" if built.labels else "Built without labels"
        table = Table("configuration", "split", "rows", title=f"{labels} ({built.variant})")
        table.columns[2].justify = "right"
        for name, splits in built.rows.items():
            for one, rows in splits.items():
                table.add_row(name, one, f"{rows:,}")
        console.print(table)
        if built.labels is None:
            console.print("[yellow]Nobody has rated these utterances yet: all labels are null.[/]")
    line = f'load_dataset("{found.path(DATASET)}")'
    console.print(line, style="bold", highlight=False, markup=False, soft_wrap=True)


@app.command()
def report(
    project: ProjectOption = Path(),
    language: Annotated[str, typer.Option(help="Language of the page: en or zh.")] = "en",
    as_json: JsonOption = False,
) -> None:
    """Write a page for people: what is in the corpus and what is known of its quality."""
    from corpus.report import report as write_report
    from schemas.project import Project

    path = write_report(Project(project), language)
    if as_json:
        print_json({"report": str(path)})
        return
    console.print(f"Report: {path}", highlight=False, markup=False, soft_wrap=True)


@app.command()
def publish(
    to: Annotated[
        str, typer.Option(help="hub:ORG/NAME, or a folder: a new or empty one, or an earlier publication.")
    ],
    dataset: Annotated[
        Path | None, typer.Argument(help="The dataset folder; by default the project's.")
    ] = None,
    project: ProjectOption = Path(),
    public: Annotated[bool, typer.Option("--public", help="To a public repository of the Hub.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be published.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Publish the built dataset: to a folder, or to the Hugging Face Hub.

    A new Hub repository is private unless --public. The token is that of HF_TOKEN or of 'hf auth login'.
    A dataset that is out of date, or in which the name of a rater stands, is refused.
    """
    from corpus.publish import publish as publish_dataset
    from schemas.project import DATASET

    publication = publish_dataset(dataset or project / DATASET, to, public=public, dry_run=dry_run)
    if as_json:
        print_json(dataclasses.asdict(publication))
        return
    for name, size in publication.files.items():
        console.print(f"  {size / 1024:10,.1f} KiB  {name}", highlight=False)
    seen = {True: " (private)", False: " (public)", None: ""}[publication.private]
    verb = "Published to" if publication.done else "Would be published to"
    line = f"{verb} {publication.target}{seen}: {len(publication.files)} files"
    console.print(line, highlight=False, markup=False, soft_wrap=True)


@app.command()
def status(project: ProjectOption = Path(), as_json: JsonOption = False) -> None:
    """Show which tables there are and which are out of date."""
    from corpus.status import status as project_status
    from schemas.project import Project

    found = project_status(Project(project))
    if as_json:
        print_json([dataclasses.asdict(one) for one in found])
        return
    colours = {"missing": "dim", "current": "green", "stale": "yellow"}
    table = Table("table", "state", "rows", "made by")
    table.columns[0].no_wrap = True
    table.columns[1].overflow = "fold"
    table.columns[2].justify = "right"
    for one in found:
        state = f"[{colours[one.state]}]{one.state}[/]"
        if one.changed:
            state += f": {escape(', '.join(one.changed))} changed"
        table.add_row(escape(one.name), state, "" if one.rows is None else f"{one.rows:,}", one.made_by)
    console.print(table)
