"""The ``annotation`` command."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from annotation.agreement.report import Report

app = typer.Typer(
    help="Measure agreement between raters and decide labels from their ratings.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
console = Console()

ProjectOption = Annotated[Path, typer.Option("--project", help="The project folder.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
UP_TO_DATE = "Nothing to do: it is up to date."


@app.callback()
def main() -> None:
    """Measure agreement between raters and decide labels from their ratings."""


def _print_json(content: Any) -> None:  # noqa: ANN401 - whatever JSON can hold
    print(json.dumps(content, ensure_ascii=False, indent=1, default=str))
