"""The part of the ``corpus`` command that works on recordings: cutting them, and features."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from schemas.command_line import UP_TO_DATE, JsonOption, ProjectOption, console, print_json

if TYPE_CHECKING:  # brings pyarrow
    from corpus.features.making import Made
    from corpus.media.run import Account

SHOWN_FAILURES = 20


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
