"""What the three commands share: how they are declared and how they print."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.markup import escape

ProjectOption = Annotated[Path, typer.Option("--project", help="The project folder.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
UP_TO_DATE = "Nothing to do: it is up to date."


def nobody_reads() -> NoReturn:
    """End quietly: the reader of a pipe went away (``| head``), and nobody is left to tell."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(0)


class _Console(Console):
    """What people read; rich itself would take a pipe that closes for a failure."""

    def on_broken_pipe(self) -> None:
        nobody_reads()


console = _Console()


def application(about: str) -> typer.Typer:
    """Return a command without subcommands yet; faults are shown by ``affect_corpus``, not as tracebacks."""
    return typer.Typer(help=about, no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False)


def print_wrote(path: Path | str) -> None:
    """Name a file that was written."""
    console.print(f"[green]wrote[/] {escape(str(path))}", highlight=False, soft_wrap=True)


def print_json(content: Any) -> None:  # noqa: ANN401 - whatever JSON can hold
    """Print content for programs."""
    try:
        print(json.dumps(content, ensure_ascii=False, indent=1, default=str), flush=True)
    except BrokenPipeError:
        nobody_reads()
