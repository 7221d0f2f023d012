"""What ``annotation agreement`` does: measure what was asked for, write the files, say what to show."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.table import Table

from annotation.agreement.content import Report
from annotation.agreement.field_report import Options
from annotation.agreement.html import agreement_page
from annotation.agreement.reading import Duplicates
from annotation.agreement.report import (
    HTML_FILE,
    JSON_FILE,
    measure_project,
    measure_table,
    project_report,
    stored_report,
)
from annotation.agreement.tables import csv_text, field_table, latex_text, only, overview, reasons
from schemas.errors import InputError, Issue
from schemas.project import Project


@dataclass(frozen=True)
class Request:
    """What the command was asked for; see its options."""

    project: Path
    ratings: Path | None
    fields: tuple[str, ...]
    item: str | None
    rater: str | None
    cluster: str | None
    duplicates: Duplicates
    where: tuple[str, ...]
    n_boot: int
    seed: int
    csv: Path | None
    latex: Path | None
    html: Path | None

    @property
    def options(self) -> Options:
        """How to measure."""
        return Options(self.n_boot, self.seed, self.where)


@dataclass(frozen=True)
class Answer:
    """What was found.

    Attributes:
        content: The stable JSON.
        changed: Whether anything was measured anew.
        written: Files that were written.
        in_detail: Whether fields were asked for by name.
    """

    content: dict[str, Any]
    changed: bool
    written: tuple[str, ...]
    in_detail: bool

    @property
    def simulated(self) -> bool:
        """Whether raters are simulated."""
        return bool(self.content["simulated_raters"])

    def tables(self) -> Iterator[Table]:
        """The overview, and the tables of fields that were asked for by name or are the only one."""
        if self.in_detail or len(self.content["fields"]) == 1:
            yield from (field_table(self.content, name) for name in self.content["fields"])
        yield overview(self.content)

    def notes(self) -> list[str]:
        """Why numbers are missing."""
        return reasons(self.content)


def run(request: Request) -> Answer:
    """Measure agreement, or take it from the project's report when that is up to date; write what was asked.

    Raises:
        InputError: The options do not fit together, or the ratings cannot be measured.
    """
    _check(request)
    report: Report | None
    if request.ratings is not None:
        report = measure_table(
            request.ratings,
            request.fields,
            item=request.item or "",
            rater=request.rater,
            cluster=request.cluster,
            duplicates=request.duplicates,
            options=request.options,
        )
        return _answer(request, report.to_dict(), report, None, ())
    project = Project(request.project)
    unknown = [
        Issue("no such field", value=name, choices=list(project.schema.by_name))
        for name in request.fields
        if name not in project.schema
    ]
    if unknown:
        raise InputError(unknown)
    if request.where:  # the project's report is about all of its ratings
        report = measure_project(project, request.options)
        return _answer(request, report.to_dict(), report, None, ())
    report = project_report(project, request.options)
    content = stored_report(project, request.options) if report is None else report.to_dict()
    if content is None:
        raise InputError(Issue("the ratings were changed meanwhile; run this again", str(project.root)))
    written = () if report is None else (str(project.path(JSON_FILE)), str(project.path(HTML_FILE)))
    return _answer(request, content, report, project, written)


def _answer(
    request: Request,
    content: dict[str, Any],
    report: Report | None,
    project: Project | None,
    written: tuple[str, ...],
) -> Answer:
    shown = only(content, request.fields) if request.fields and request.ratings is None else content
    if request.csv is not None:
        written += (_write(request.csv, csv_text(shown)),)
    if request.latex is not None:
        written += (_write(request.latex, latex_text(shown)),)
    if request.html is not None:
        stored = project.path(HTML_FILE).read_text("utf-8") if report is None and project else ""
        written += (_write(request.html, stored if report is None else agreement_page(report)),)
    return Answer(shown, report is not None, written, bool(request.fields))


def _check(request: Request) -> None:
    """Refuse options that do not go together, all at once."""
    issues = []
    if request.ratings is not None:
        if request.item is None:
            issues.append(Issue("--ratings needs --item COL, the column of item ids"))
        if not request.fields:
            issues.append(Issue("--ratings needs --field COL:LEVEL, once for every column that was rated"))
    else:
        issues += [
            Issue(f"--{name} belongs to --ratings; a project knows its columns")
            for name in ("item", "rater", "cluster")
            if getattr(request, name) is not None
        ]
    issues += [
        Issue("there is no such folder to write to", str(path.parent))
        for path in (request.csv, request.latex, request.html)
        if path is not None and not path.parent.is_dir()
    ]
    issues += [
        Issue("this is a folder, not a file to write", str(path))
        for path in (request.csv, request.latex, request.html)
        if path is not None and path.is_dir()
    ]
    if issues:
        raise InputError(issues)


def _write(path: Path, text: str) -> str:
    """Write a file whole or not at all."""
    waiting = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        waiting.write_text(text, "utf-8")
        waiting.replace(path)
    finally:
        waiting.unlink(missing_ok=True)
    return str(path)
