"""The ``corpus`` command."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from schemas.command_line import UP_TO_DATE, JsonOption, ProjectOption, application, console, print_json
from schemas.errors import InputError, Issue

if TYPE_CHECKING:  # brings pyarrow
    from corpus.features.making import Made
    from corpus.importers import Imported
    from corpus.importers.raw import Read
    from corpus.media.run import Account

MAX_PREVIEWED = 40

SHOWN_FAILURES = 20

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
        _report_import(imported, as_json)
        return
    from schemas.project import Project

    project = Project.create(directory, schema)
    if as_json:
        print_json({"project": str(project.root), "schema": project.schema.name})
        return
    made = f"Project [bold]{escape(str(project.root))}[/] made, with the label schema {project.schema.name}."
    console.print(made, highlight=False, soft_wrap=True)
    console.print("Say in corpus.yaml what the corpus is; then: corpus import FORMAT SOURCE... --project DIR")


@app.command("import")
def import_(
    format_name: Annotated[
        str,
        typer.Argument(
            metavar="FORMAT",
            help="cmma, meld, lewidi, table; raw material: srt, vtt, ass, textgrid, eaf, whisperx, manifest.",
        ),
    ],
    sources: Annotated[
        list[Path], typer.Argument(help="Files or folders; of raw material with the recordings beside.")
    ],
    project: ProjectOption = Path(),
    name: Annotated[str | None, typer.Option(help="Name of the source; by default the format's.")] = None,
    field: Annotated[str | None, typer.Option(help="lewidi: which field of the schema was rated.")] = None,
    column: Annotated[
        list[str] | None,
        typer.Option(
            "--map", help="table, manifest: TARGET=COLUMN, such as text=Utterance or sarcasm@r1=first_rater."
        ),
    ] = None,
    merge_gap: Annotated[
        float | None,
        typer.Option(
            min=0, help="Seconds between lines that become one utterance; 0: never. Subtitles: 0.2."
        ),
    ] = None,
    longest: Annotated[float | None, typer.Option(min=0, help="Seconds of merged lines; 15.")] = None,
    pause: Annotated[
        float | None, typer.Option(min=0, help="Seconds of silence between dialogues; 5.")
    ] = None,
    align: Annotated[
        bool | None,
        typer.Option(
            "--align/--no-align", help="Hold times against the sound; by default those of subtitles."
        ),
    ] = None,
    tier: Annotated[
        list[str] | None, typer.Option(help="textgrid, eaf: which tiers; may be repeated.")
    ] = None,
    styles: Annotated[
        bool, typer.Option("--styles-are-speakers", help="ass: the style of a line names its speaker.")
    ] = False,
    language: Annotated[str | None, typer.Option(help="Language of raw material, such as zh.")] = None,
    traditional: Annotated[
        bool, typer.Option("--keep-traditional", help="Do not normalise traditional Chinese to simplified.")
    ] = False,
    preview: Annotated[
        bool,
        typer.Option("--preview", help="Raw material: show what would become of the lines, change nothing."),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Import released files, or raw material: recordings with subtitles or other transcripts.

    What cannot be taken as it stands goes to reports/quarantine.parquet.
    """
    from corpus.importers import import_source, read_raw
    from corpus.importers.raw import Rules
    from schemas.project import Project

    found = Project(project)
    given = {
        **{"gap": merge_gap, "longest": longest, "pause": pause, "align": align, "language": language},
        **{"tiers": tuple(tier or ()) or None, "styles_are_speakers": styles or None},
        "simplify": False if traditional else None,
    }
    chosen = {key: value for key, value in given.items() if value is not None}
    rules = Rules(**chosen) if chosen else None  # type: ignore[arg-type]
    if preview:
        _show_preview(read_raw(format_name, sources, columns=column or [], rules=rules), as_json)
        return
    imported = import_source(
        found, format_name, sources, name=name, field=field, columns=column or [], rules=rules
    )
    _report_import(imported, as_json)


def _show_preview(read: Read, as_json: bool) -> None:
    from corpus.importers import preview

    content = preview.as_json(read)
    if as_json:
        print_json(content)
        return
    for note in content["notes"]:
        console.print(f"  {note}", style="dim", highlight=False, markup=False)
    table = Table("recording", "rows", "utterances", "dialogues", "merged", "split", "no speaker")
    changes = Table("", "time", "rows", "speaker", "text")
    shown = 0
    for one in content["recordings"]:
        keys = ("rows", "utterances", "dialogues", "merged", "split", "without_speaker")
        table.add_row(escape(str(one["recording"])), *(f"{one[key]:,}" for key in keys))
        for change in one["changes"][: max(MAX_PREVIEWED - shown, 0)]:
            shown += 1
            rows = " + ".join(map(str, change["rows"]))
            speakers = ", ".join(dict.fromkeys(name or "?" for name in change["speakers"]))
            texts = " | ".join(change["texts"])
            changes.add_row(change["change"], f"{change['start']:.2f}", rows, escape(speakers), escape(texts))
    console.print(table)
    total = sum(len(one["changes"]) for one in content["recordings"])
    if total:
        console.print(changes)
    if total > shown:
        console.print(f"and {total - shown:,} more; --json lists them all")
    for fault in content["set_apart"]:
        console.print(f"  {fault['file']}: {fault['reason']}", style="yellow", highlight=False, markup=False)
    console.print("Nothing was changed: without --preview the utterances are imported.")


def _report_import(imported: Imported | None, as_json: bool) -> None:
    if imported is None:
        print_json({"changed": False}) if as_json else console.print(UP_TO_DATE)
        return
    tables = {key: rows.num_rows for key, rows in imported.tables.items()}
    if as_json:
        # Not dataclasses.asdict: it would copy the tables.
        print_json({"changed": True, **vars(imported), "tables": tables})
        return
    for note in imported.notes:
        console.print(f"  {note}", style="dim", highlight=False, markup=False)
    ignored = sum(imported.rows_ignored.values())
    console.print(
        f"{imported.rows_read:,} rows read = {imported.rows_imported:,} imported"
        f" + {imported.rows_quarantined:,} quarantined + {ignored:,} ignored"
    )
    table = Table("table", "rows", title=f"Source {escape(imported.source)}")
    table.columns[1].justify = "right"
    for key, rows in tables.items():
        table.add_row(key, f"{rows:,}")
    console.print(table)
    for reason, count in imported.cells.items():
        console.print(f"  [yellow]{count:,}[/] {escape(reason)}", highlight=False)
    if imported.cells:
        console.print("  listed with their original values in reports/quarantine.parquet")


speakers_app = typer.Typer(
    help="Fill in who speaks, in a table that goes out and comes back.", no_args_is_help=True
)
app.add_typer(speakers_app, name="speakers")


@speakers_app.command("write")
def speakers_write(
    sheet: Annotated[Path, typer.Argument(help="A new CSV file.")],
    project: ProjectOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """Write a table of all utterances, to fill in its column speaker with a spreadsheet."""
    from corpus.importers.speakers import write_sheet
    from schemas.project import Project

    lacking = write_sheet(Project(project), sheet)
    if as_json:
        print_json({"sheet": str(sheet), "without_speaker": lacking})
        return
    console.print(
        f"{lacking:,} utterances have no speaker. Fill in {escape(str(sheet))}, then: corpus speakers read"
    )


@speakers_app.command("read")
def speakers_read(
    sheet: Annotated[Path, typer.Argument(help="The filled-in table.")],
    project: ProjectOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """Take a filled-in table back; every change is kept in speaker_changes.parquet."""
    from corpus.importers.speakers import read_sheet
    from schemas.project import Project

    changed = read_sheet(Project(project), sheet)
    if as_json:
        print_json({"changed": changed})
        return
    console.print(f"{changed:,} utterances have another speaker now.")


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

    _report_import(generate(directory, dialogues, seed, languages.split(","), features_only), as_json)


@app.command()
def media(
    project: ProjectOption = Path(),
    rate: Annotated[float, typer.Option(help="Frames a second that are kept as pictures.")] = 5.0,
    audio: Annotated[
        str | None,
        typer.Option(
            help="Audio track: a language (zh) or its number, from 0; by default the players' choice."
        ),
    ] = None,
    clips: Annotated[bool, typer.Option("--clips/--no-clips", help="Encode clips to watch.")] = True,
    faces: Annotated[bool, typer.Option("--faces", help="Look for faces in the frames.")] = False,
    engine: Annotated[str, typer.Option(help="local, ray or dask.")] = "local",
    workers: Annotated[int | None, typer.Option(help="Recordings at once; by default one a core.")] = None,
    address: Annotated[str | None, typer.Option(help="Of the Ray or Dask cluster.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Cut utterances out of their recordings: sound, clips, frames, faces. Exit status 1 when some fail."""
    from corpus.media.plan import Recipe
    from corpus.media.run import cut_recordings
    from schemas.project import Project

    recipe = Recipe(rate, audio, clips, faces)
    account = cut_recordings(Project(project), recipe, engine=engine, workers=workers, address=address)
    if as_json:
        print_json(dataclasses.asdict(account))
    else:
        _show_media(account)
    raise typer.Exit(1 if account.failures else 0)


def _show_media(account: Account) -> None:
    if not account.recordings:
        console.print("No utterance names a recording: nothing was cut.")
        return
    if not account.cut and not account.failures:
        console.print(UP_TO_DATE)
        return
    reasons: dict[tuple[str, str], list[str | None]] = {}
    for one in account.failures:
        reasons.setdefault((one.media, one.reason), []).append(one.utterance_id)
    for (name, reason), ids in list(reasons.items())[:SHOWN_FAILURES]:
        line = f"[red]{escape(name)}[/] {_which(ids)}{escape(reason)}"
        console.print(line, highlight=False, soft_wrap=True)
    if len(reasons) > SHOWN_FAILURES:
        console.print(f"  and {len(reasons) - SHOWN_FAILURES:,} more reasons")
    console.print(
        f"{account.recordings:,} recordings, {len(account.cut):,} of them cut now; "
        f"{account.utterances:,} utterances cut, {len(account.failures):,} failures"
        + ("; all of them stand in reports/media.json" if account.failures else "")
    )


def _which(ids: list[str | None]) -> str:
    """Name the utterances of a failure: the first few."""
    names = [escape(one) for one in ids if one is not None]
    more = f" and {len(names) - 3:,} more" if len(names) > 3 else ""
    return f"[bold]{', '.join(names[:3])}[/]{more}: " if names else ""


@app.command()
def features(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME]...", help="Extractors; without any, they are listed."),
    ] = None,
    project: ProjectOption = Path(),
    model: Annotated[
        list[str] | None,
        typer.Option(
            help="Folder or Hub name of a pretrained model; for text also LANGUAGE=MODEL, repeated."
        ),
    ] = None,
    revision: Annotated[str | None, typer.Option(help="Commit, branch or tag of a Hub model.")] = None,
    sequence: Annotated[
        bool, typer.Option("--sequence", help="A vector a frame, picture or token, not one an utterance.")
    ] = False,
    images: Annotated[
        str | None, typer.Option(help="What pictures are of: frames (default) or faces.")
    ] = None,
    csv: Annotated[str | None, typer.Option(help="openface: the folder of its CSV files.")] = None,
    name: Annotated[
        str | None, typer.Option("--as", help="Name of the features; else the extractor's.")
    ] = None,
    source: Annotated[
        tuple[str, Path] | None,
        typer.Option(
            "--import", metavar="NAME FILE", help="Take in features that exist: Parquet, NPZ or HDF5."
        ),
    ] = None,
    recipe: Annotated[
        Path | None, typer.Option(help="--import: JSON file that says how the features were made.")
    ] = None,
    engine: Annotated[str, typer.Option(help="local, ray or dask.")] = "local",
    workers: Annotated[int | None, typer.Option(help="Shards at once; by default one a core.")] = None,
    address: Annotated[str | None, typer.Option(help="Of the Ray or Dask cluster.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Turn utterances into vectors of text, sound or pictures. Exit status 1 when some shards fail."""
    from corpus.features.catalogue import EXTRACTORS, Options
    from corpus.features.command import made_by_command
    from schemas.project import Project

    if not names and source is None:
        _list_extractors({name: entry.about for name, entry in EXTRACTORS.items()}, as_json)
        return
    options = Options(tuple(model or ()), revision, sequence, images, csv)
    made = made_by_command(
        Project(project),
        names or (),
        options,
        name,
        source,
        recipe,
        engine=engine,
        workers=workers,
        address=address,
    )
    if as_json:
        print_json([dataclasses.asdict(one) for one in made])
    else:
        for one in made:
            _show_features(one)
    raise typer.Exit(1 if any(one.failed for one in made) else 0)


def _list_extractors(about: dict[str, str], as_json: bool) -> None:
    if as_json:
        print_json(about)
        return
    table = Table("extractor", "what it is")
    for name, text in about.items():
        table.add_row(name, text)
    console.print(table)


def _show_features(made: Made) -> None:
    for reason, spans in _by_reason(made.failed).items():
        shown = "; ".join(spans[:3]) + (f" and {len(spans) - 3:,} more shards" if len(spans) > 3 else "")
        console.print(f"[red]{shown}[/]: {escape(reason)}", highlight=False, soft_wrap=True)
    have = made.utterances - sum(made.missing.values())
    done = "" if made.changed else f" {UP_TO_DATE}"
    width = "" if made.width is None else f", {made.width:,} numbers"
    line = f"features/{made.name}: {have:,} of {made.utterances:,} utterances have features{width}.{done}"
    console.print(line, highlight=False, markup=False, soft_wrap=True)
    for reason, count in made.missing.items():
        console.print(f"  [yellow]{count:,}[/] {escape(reason)}", highlight=False)
    if made.failed:
        console.print("Run it again for the shards that failed; those that are done stay.")


def _by_reason(failed: Mapping[str, str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for span, reason in failed.items():
        found.setdefault(reason, []).append(span)
    return found


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
