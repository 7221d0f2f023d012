"""The agreement report of a project or of any table: measured once, shown on every face.

`measure_project` and `measure_table` compute a `Report`. Its ``to_dict`` is the stable JSON; it holds all
that `tables` shows in a terminal, as CSV and as LaTeX. `html` shows the rest. `project_report` keeps it in
the project, and does nothing while nothing has changed.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from rich.console import Console
from rich.progress import track

from annotation.agreement.content import Report
from annotation.agreement.field_report import Options, field_report
from annotation.agreement.html import agreement_page
from annotation.agreement.ratings_file import read_ratings_file
from annotation.agreement.reading import Duplicates, parse_field
from annotation.agreement.source import Source
from annotation.agreement.subsets import before_adjudication
from annotation.ratings import oldest_first, project_ratings, require_ratings, select, simulated_raters
from schemas import project as folder
from schemas.errors import InputError, Issue
from schemas.fields import Field, Missing
from schemas.project import Project
from schemas.tables import content_hash, read_table

VERSION = 2
COMMAND = "annotation agreement"
JSON_FILE = "reports/agreement.json"
HTML_FILE = "reports/agreement.html"
_ROW = "\0row"  # a name that no column of a file has


def project_report(project: Project, options: Options | None = None) -> Report | None:
    """Measure a whole project and write ``reports/agreement.json`` and ``reports/agreement.html``.

    Returns:
        The report; None when it stands there already, made from the same ratings.

    Raises:
        InputError: There are no ratings, or another command is writing.
    """
    options = options or Options()
    if stored_report(project, options) is not None:
        return None
    report = measure_project(project, options)
    with project.writing(COMMAND) as staging:
        for name, text in ((JSON_FILE, json_text(report)), (HTML_FILE, agreement_page(report))):
            (staging / name).parent.mkdir(parents=True, exist_ok=True)
            (staging / name).write_text(text, "utf-8")
    return report


def stored_report(project: Project, options: Options | None = None) -> dict[str, Any] | None:
    """Return the JSON of the report that stands in a project; None when it is not there or out of date."""
    if not (project.has(JSON_FILE) and project.has(HTML_FILE)):
        return None
    try:
        known: dict[str, Any] = json.loads(project.path(JSON_FILE).read_text("utf-8"))
        made_from = known["made_from"]
    except (ValueError, KeyError, TypeError):
        return None  # somebody has written something else there
    return known if made_from == _made_from(project, options or Options()) else None


def json_text(report: Report) -> str:
    """Return the JSON of a report as a file holds it."""
    return json.dumps(report.to_dict(), ensure_ascii=False, indent=1, allow_nan=False) + "\n"


def _made_from(project: Project, options: Options) -> dict[str, Any]:
    inputs = [folder.SCHEMA, folder.DIALOGUES, folder.UTTERANCES, *require_ratings(project)]
    inputs += [folder.RATERS] if project.has(folder.RATERS) else []
    parameters = {"name": project.settings.name, **options.to_dict()}
    return dict(vars(project.provenance(COMMAND, VERSION, inputs, parameters)))


def measure_project(project: Project, options: Options | None = None) -> Report:
    """Measure agreement on every field of a project; intervals resample dialogues.

    Decisions of adjudicators have no part: they saw the answers of the others. Of a rater who rated an
    utterance more than once, the latest rating counts.

    Raises:
        InputError: There are no ratings, or a condition cannot be met.
    """
    options = options or Options()
    made_from = _made_from(project, options)
    table = before_adjudication(project_ratings(project, where=options.where))
    table = table.take(pa.array(oldest_first(table)))
    about = read_table(project.path(folder.UTTERANCES))
    fields = []
    for field in _watched(project.schema.fields):
        rated = table.filter(pc.is_valid(table.column(field.name)))
        # Where one rating has no rater, nobody can say who else is the same person.
        known = rated.column("rater").null_count == 0
        source = Source(
            rated,
            item="utterance_id",
            rater="rater" if known else None,
            cluster="dialogue_id",
            duplicates="latest" if known else "both",
        )
        unanswered = _unanswered(table, field)
        fields.append(
            field_report(source, field, project.schema, options, about=about, unanswered=unanswered)
        )
    return Report(
        title=project.settings.name,
        item="utterances",
        cluster="dialogues",
        fields=tuple(fields),
        options=options,
        simulated=_simulated(project, table),
        made_from=made_from,
    )


def _unanswered(table: pa.Table, field: Field) -> dict[str, int]:
    """How many ratings have each kind of no answer."""
    counts = pc.value_counts(table.column(f"{field.name}_missing")).to_pylist()
    found = {one["values"]: one["counts"] for one in counts}
    return {str(kind): found[kind.value] for kind in Missing if found.get(kind.value)}


def _simulated(project: Project, ratings: pa.Table) -> tuple[str, ...]:
    """Raters of these ratings who are said to be simulated."""
    here = set(pc.unique(ratings.column("rater")).to_pylist())
    return tuple(rater for rater in simulated_raters(project)[0] if rater in here)


def measure_table(
    path: str | Path,
    fields: Sequence[str],
    *,
    item: str,
    rater: str | None = None,
    cluster: str | None = None,
    duplicates: Duplicates = "error",
    options: Options | None = None,
) -> Report:
    """Measure agreement on columns of any file of ratings, one row a rating.

    Args:
        path: A Parquet, CSV or JSON file; see `read_ratings_file`.
        fields: ``COLUMN:LEVEL`` each.
        item: Column of item ids.
        rater: Column of rater ids; None when raters are unknown.
        cluster: Column of what intervals resample; None for items.
        duplicates: What to do when a rater rated an item twice.
        options: How to measure.

    Raises:
        InputError: The file cannot be read, lacks a column or holds values that do not fit: every fault of
            every field, with its row.
    """
    path, options = Path(path), options or Options()
    if not fields:
        raise InputError(Issue("say which columns were rated, and at which level: --field COLUMN:LEVEL"))
    names, issues = _columns_of(fields)
    conditions = [one for one in options.where if "=" in one]
    issues += [
        Issue("a condition is COLUMN=VALUE", "--where", value=one) for one in options.where if "=" not in one
    ]
    asked = [condition.partition("=")[0].strip() for condition in conditions]
    try:
        table = read_ratings_file(path, [item, *filter(None, (rater, cluster)), *names, *asked])
        table = table.append_column(_ROW, pa.array(np.arange(1, table.num_rows + 1)))
        table = select(table, conditions, str(path))
    except InputError as error:
        issues += error.issues
    if issues:
        raise InputError(issues)
    source = Source(table, item, rater, cluster, duplicates)
    issues = []
    for field in fields:
        try:
            source.read(field)
        except InputError as error:
            issues += [_located(issue, path, table) for issue in error.issues]
    if issues:
        raise InputError(_without_repeats(issues))
    columns = {"fields": list(fields), "item": item, "rater": rater, "cluster": cluster}
    return Report(
        title=path.name,
        item="items",
        cluster="items" if cluster is None else f"values of {cluster}",
        fields=tuple(field_report(source, field, None, options) for field in _watched(fields)),
        options=options,
        simulated=(),
        made_from={
            "step": COMMAND,
            "version": VERSION,
            "inputs": {path.name: content_hash(path)},
            "parameters": {**columns, "duplicates": duplicates, **options.to_dict()},
        },
    )


def _columns_of(fields: Sequence[str]) -> tuple[list[str], list[Issue]]:
    """Columns of the fields, and what is wrong with how the fields are written."""
    names, issues = [], []
    for field in fields:
        names.append(field.rpartition(":")[0] or field)
        try:
            parse_field(field)
        except InputError as error:
            issues += error.issues
    twice = [name for name in dict.fromkeys(names) if names.count(name) > 1]
    return names, issues + [Issue("a column is one field, at one level", value=name) for name in twice]


def _watched(fields: Sequence[Any]) -> Iterable[Any]:
    """The fields, with a progress bar while somebody watches."""
    screen = Console(stderr=True)
    return track(
        fields, "Measuring agreement", console=screen, transient=True, disable=not screen.is_terminal
    )


def _located(issue: Issue, path: Path, table: pa.Table) -> Issue:
    """The same fault with its place in the file, where rows that a condition leaves out count too."""
    row = None if issue.row is None else table.column(_ROW)[issue.row - 1].as_py()
    return replace(issue, where=str(path), row=row)


def _without_repeats(issues: Sequence[Issue]) -> list[Issue]:
    """A fault of an id column is found with every field: it is told once."""
    return list({str(issue): issue for issue in issues}.values())
