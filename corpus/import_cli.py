"""The part of the ``corpus`` command that takes material in, and asks for its speakers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from schemas.command_line import UP_TO_DATE, JsonOption, ProjectOption, application, console, print_json

if TYPE_CHECKING:  # brings pyarrow
    from corpus.importers import Imported
    from corpus.importers.raw import Read

MAX_PREVIEWED = 40

speakers = application("Fill in who speaks, in a table that goes out and comes back.")


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
    report_import(imported, as_json)


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
    apart = Counter(fault["reason"] for one in content["recordings"] for fault in one["set_apart"])
    for reason, count in apart.items():
        console.print(f"  {count:,}: {reason}", style="yellow", highlight=False, markup=False)
    for fault in content["set_apart"]:
        console.print(f"  {fault['file']}: {fault['reason']}", style="yellow", highlight=False, markup=False)
    _show_ignored(sum((Counter(one["ignored"]) for one in content["recordings"]), Counter()))
    console.print("Nothing was changed: without --preview the utterances are imported.")


def _show_ignored(rows: Mapping[str, int]) -> None:
    for reason, count in rows.items():
        console.print(f"  {count:,} ignored: {reason}", style="dim", highlight=False, markup=False)


def report_import(imported: Imported | None, as_json: bool) -> None:
    """Say what was imported; None: nothing had changed."""
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
    _show_ignored(imported.rows_ignored)
    table = Table("table", "rows", title=f"Source {escape(imported.source)}")
    table.columns[1].justify = "right"
    for key, rows in tables.items():
        table.add_row(key, f"{rows:,}")
    console.print(table)
    for reason, count in imported.cells.items():
        console.print(f"  [yellow]{count:,}[/] {escape(reason)}", highlight=False)
    if imported.cells:
        console.print("  listed with their original values in reports/quarantine.parquet")


@speakers.command("write")
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


@speakers.command("read")
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
