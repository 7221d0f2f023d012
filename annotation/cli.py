"""The ``annotation`` command."""

from __future__ import annotations

import dataclasses
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from annotation.label_studio_cli import add_to
from schemas.command_line import (
    UP_TO_DATE,
    JsonOption,
    ProjectOption,
    application,
    console,
    print_json,
    print_wrote,
)

app = application("Annotate in Label Studio, measure agreement, decide labels.")
add_to(app)

KINDS = ("decided", "undecided", "cannot_tell", "not_applicable", "not_rated", "context_only")
"""What became of a label; the first two are always shown."""


class Duplicates(StrEnum):
    """What to do when a rater rated an item twice."""

    ERROR = "error"
    LATEST = "latest"
    BOTH = "both"


@app.command()
def agreement(
    project: ProjectOption = Path(),
    ratings: Annotated[
        Path | None,
        typer.Option(help="No project: a file of ratings (CSV, Parquet, JSON), one row a rating."),
    ] = None,
    field: Annotated[
        list[str] | None,
        typer.Option(
            metavar="COL:LEVEL",
            help="Column and level: nominal, ordinal, interval, ratio or set. In a project: a field to show.",
        ),
    ] = None,
    item: Annotated[str | None, typer.Option(metavar="COL", help="Column of item ids.")] = None,
    rater: Annotated[str | None, typer.Option(metavar="COL", help="Column of rater ids, if known.")] = None,
    cluster: Annotated[
        str | None, typer.Option(metavar="COL", help="Column of dialogues, which intervals resample.")
    ] = None,
    where: Annotated[
        list[str] | None,
        typer.Option(
            metavar="COL=VALUE", help="Only ratings like this. Of a project nothing is written then."
        ),
    ] = None,
    duplicates: Annotated[
        Duplicates, typer.Option(help="When a rater rated an item twice. In a project the latest counts.")
    ] = Duplicates.ERROR,
    n_boot: Annotated[int, typer.Option(min=0, help="Resamples; 0: intervals from standard errors.")] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the resamples.")] = 0,
    csv: Annotated[Path | None, typer.Option(help="Write the tables of all fields as CSV.")] = None,
    latex: Annotated[Path | None, typer.Option(help="Write a LaTeX table a field.")] = None,
    html: Annotated[Path | None, typer.Option(help="Write the report as one HTML page.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Measure how far raters agree, with intervals.

    A project gets reports/agreement.json and reports/agreement.html. Cells of sets are a|b, the empty set is
    [], an empty cell is missing.
    """
    from annotation.agreement.faces import Request, run

    answer = run(
        Request(
            project=project,
            ratings=ratings,
            fields=tuple(field or ()),
            item=item,
            rater=rater,
            cluster=cluster,
            duplicates=duplicates.value,
            where=tuple(where or ()),
            n_boot=n_boot,
            seed=seed,
            csv=csv,
            latex=latex,
            html=html,
        )
    )
    if as_json:
        print_json(answer.content)
        return
    for part in answer.tables():
        console.print(part, "")
    for line in answer.notes():
        console.print(f"  {line}", highlight=False, markup=False, soft_wrap=True)
    if answer.simulated:
        console.print("SIMULATED RATERS: these numbers do not come from people.", style="bold yellow")
    if not answer.changed:
        console.print(UP_TO_DATE)
    for path in answer.written:
        print_wrote(path)


@app.command()
def aggregate(
    project: ProjectOption = Path(),
    method: Annotated[
        str, typer.Option(help="majority, dawid_skene, mace, ewe, ...; another name lists them all.")
    ] = "majority",
    min_agreement: Annotated[
        float | None, typer.Option(min=0, max=1, help="Leave items undecided whose raters agree less.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Decide labels from the ratings and write labels/METHOD.parquet."""
    from annotation.aggregation import decide_project, notes_of
    from annotation.ratings import simulated_raters
    from schemas.project import Project

    found = Project(project)
    changed = decide_project(found, method, min_agreement) is not None
    counts, notes = _decided(found, method), notes_of(found, method)
    if as_json:
        print_json(
            {"changed": changed, "labels": f"labels/{method}.parquet", "fields": counts, "notes": notes}
        )
        return
    used = {kind for one in counts.values() for kind, count in one.items() if count}
    kinds = [kind for kind in KINDS if kind in used or kind in KINDS[:2]]
    table = Table(title=f"labels/{method}.parquet")
    table.add_column("field", overflow="fold")
    for kind in kinds:
        table.add_column(kind.replace("_", "\n"), justify="right")  # so that names of fields stand whole
    for name, one in counts.items():
        table.add_row(name, *(f"{one[kind]:,}" for kind in kinds))
    console.print(table)
    for note in notes:
        console.print(f"  {note}", highlight=False, markup=False, soft_wrap=True)
    if simulated_raters(found)[0]:
        console.print("SIMULATED RATERS: these labels do not come from people.", style="bold yellow")
    if not changed:
        console.print(UP_TO_DATE)


@app.command()
def raters(
    project: ProjectOption = Path(),
    language: Annotated[str, typer.Option(help="Language of the page: en or zh.")] = "en",
    as_json: JsonOption = False,
) -> None:
    """Compare each rater with the others; writes private/raters.html and private/raters.json."""
    from annotation.raters import HTML_FILE, write_report
    from schemas.project import Project

    report = write_report(Project(project), language)
    if as_json:
        print_json(report.to_dict())
        return
    for table in report.tables():
        console.print(table)
    for line in report.lines():
        console.print(f"  {line}", highlight=False, markup=False, soft_wrap=True)
    if any(one.simulated for one in report.raters):
        console.print("SIMULATED RATERS: these are not people.", style="bold yellow")
    print_wrote(project / HTML_FILE)


@app.command()
def timesheet(
    project: ProjectOption = Path(),
    month: Annotated[str | None, typer.Option(metavar="YYYY-MM", help="By default all months.")] = None,
    zone: Annotated[str, typer.Option(help="Time zone of the days, such as Asia/Shanghai.")] = "UTC",
    as_json: JsonOption = False,
) -> None:
    """Add up the time that raters worked, idle time apart; a CSV in private/ that opens in Excel."""
    from annotation.timesheet import write_timesheet
    from schemas.project import Project

    lines, name = write_timesheet(Project(project), month, zone)
    if as_json:
        print_json({"lines": [dataclasses.asdict(one) for one in lines], "file": name})
        return
    months = [one for one in lines if one.is_month]
    if months:
        table = Table(title="Working time, minutes")
        table.add_column("rater", overflow="fold")
        table.add_column("month")
        for head in ("items", "skipped", "sittings", "active", "idle"):
            table.add_column(head, justify="right")
        for one in months:
            numbers = (f"{one.items:,}", f"{one.skipped:,}", f"{one.sittings:,}")
            table.add_row(
                escape(one.rater),
                one.period,
                *numbers,
                f"{one.active_minutes:,.1f}",
                f"{one.idle_minutes:,.1f}",
            )
        console.print(table)
    else:
        console.print(f"No rating{f' in {month}' if month else ''} says both who made it and when.")
    print_wrote(project / name)


@app.command()
def guidelines(
    project: ProjectOption = Path(),
    language: Annotated[str | None, typer.Option(help="zh or en; by default a page in each.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Write the annotators' handbook, zh and en: definitions, rules, examples, the page and its keys."""
    from annotation.guidelines import write_guidelines
    from schemas.project import Project

    paths = write_guidelines(Project(project), language)
    if as_json:
        print_json({"guidelines": [str(path) for path in paths]})
        return
    for path in paths:
        print_wrote(path)


def _decided(project: Any, method: str) -> dict[str, dict[str, int]]:  # noqa: ANN401 - import stays lazy
    """How many utterances have a decided label, and why the others have none, by field."""
    import pyarrow.compute as pc

    from schemas.fields import Missing
    from schemas.tables import read_table

    labels = read_table(project.path(f"labels/{method}.parquet"))
    counts = {}
    for field in project.schema:
        missing = pc.value_counts(labels.column(f"{field.name}_missing")).to_pylist()
        found = {one["values"]: one["counts"] for one in missing}
        decided = labels.num_rows - labels.column(field.name).null_count
        reasons = {str(kind): found.get(kind.value, 0) for kind in Missing}
        counts[field.name] = {kind: decided if kind == "decided" else reasons[kind] for kind in KINDS}
    return counts
