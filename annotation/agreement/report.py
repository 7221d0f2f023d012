"""Everything that is known about the agreement of a project or a table: measured once, shown on every face.

`measure_project` and `measure_table` compute a `Report`; `tables` writes it for a terminal, as CSV and as
LaTeX, `html` as a page. `project_report` keeps it in the project, and does nothing while nothing has changed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from annotation.agreement.ceiling import Ceiling, human_ceiling
from annotation.agreement.coefficients import Chance, chance_statistic
from annotation.agreement.confusions import Confusions, confusions
from annotation.agreement.influence import Influences, item_influence, rater_influence
from annotation.agreement.measure import NO_PAIRS, ONE_VALUE, measure
from annotation.agreement.naming import Names, answers_of, names_of
from annotation.agreement.rater_pairs import RaterPairs, rater_pairs
from annotation.agreement.ratings_file import read_ratings_file
from annotation.agreement.reading import Duplicates, Ratings, read_ratings
from annotation.agreement.relations import (
    RelationAgreement,
    ToldByParts,
    relation_agreement,
    told_by_parts,
)
from annotation.agreement.results import Agreement, Coefficient
from annotation.agreement.retest import Retest, retest
from annotation.agreement.specific import SpecificAgreement, prevalence, specific_agreement
from annotation.agreement.unit_sums import estimates, patterns_of, units_of
from annotation.ratings import project_ratings, require_ratings, select
from schemas import project as folder
from schemas.errors import InputError, Issue
from schemas.fields import Field, Level, Missing, RelationField
from schemas.label_schema import LabelSchema
from schemas.project import Project
from schemas.tables import content_hash, read_table

VERSION = 1
COMMAND = "annotation agreement"
JSON_FILE = "reports/agreement.json"
HTML_FILE = "reports/agreement.html"
DISPUTED = 20
_ROW = "\0row"  # a name that no column of a file has


# -- a project ----------------------------------------------------------------------------------------


def project_report(project: Project, options: Options | None = None) -> Report | None:
    """Measure a whole project and write ``reports/agreement.json`` and ``reports/agreement.html``.

    Returns:
        The report; None when it stands there already, made from the same ratings.

    Raises:
        InputError: There are no ratings, or another command is writing.
    """
    from annotation.agreement.html import agreement_page

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
    parameters = {
        "name": project.settings.name,
        "n_boot": options.n_boot,
        "seed": options.seed,
        "where": list(options.where),
    }
    return vars(project.provenance(COMMAND, VERSION, inputs, parameters))


def measure_project(project: Project, options: Options | None = None) -> Report:
    """Measure agreement on every field of a project, the dialogues being what intervals resample.

    Of a rater who rated an utterance more than once, the latest rating counts.

    Raises:
        InputError: There are no ratings, or a condition cannot be met.
    """
    options = options or Options()
    made_from = _made_from(project, options)
    table = _oldest_first(project_ratings(project, where=options.where))
    about = read_table(project.path(folder.UTTERANCES))
    fields = []
    for field in project.schema:
        # Where one rating has no rater, nobody can say who else is the same person.
        answered = table.filter(pc.is_valid(table.column(field.name)))
        known = answered.column("rater").null_count == 0
        source = _Source(
            table,
            "utterance_id",
            "rater" if known else None,
            "dialogue_id",
            "latest" if known else "both",
            about,
        )
        fields.append(_field_report(source, field, project.schema, options))
    return Report(
        project.settings.name,
        "utterances",
        "dialogues",
        tuple(fields),
        options,
        _simulated(project, table),
        made_from,
    )


def _oldest_first(table: pa.Table) -> pa.Table:
    """Ratings in the order in which they were given; those without a time first, as they stand."""
    time = pc.coalesce(table.column("updated"), table.column("created"))
    return table.take(pc.sort_indices(time, null_placement="at_start"))


def _simulated(project: Project, ratings: pa.Table) -> tuple[str, ...]:
    """Raters of these ratings who are said to be simulated."""
    if not project.has(folder.RATERS):
        return ()
    raters = read_table(project.path(folder.RATERS), ["rater", "attributes"])
    here = set(pc.unique(ratings.column("rater")).to_pylist())
    return tuple(
        name
        for name, attributes in zip(
            *(raters.column(column).to_pylist() for column in raters.column_names), strict=True
        )
        if name in here and dict(attributes).get("simulated") == "true"
    )


# -- a table ------------------------------------------------------------------------------------------


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
    names = [field.rpartition(":")[0] or field for field in fields]
    if not fields:
        raise InputError(Issue("say which columns were rated, at which level: --field COLUMN:LEVEL"))
    conditions = [condition.partition("=")[0].strip() for condition in options.where if "=" in condition]
    table = read_ratings_file(path, [item, *filter(None, (rater, cluster)), *names, *conditions])
    table = table.append_column(_ROW, pa.array(np.arange(1, table.num_rows + 1)))
    table = select(table, options.where, str(path))
    source = _Source(table, item, rater, cluster, duplicates)
    issues = []
    for field in fields:
        try:
            source.read(field)
        except InputError as error:
            issues += [_located(issue, path, table) for issue in error.issues]
    if issues:
        raise InputError(dict.fromkeys(issues))
    made_from = {
        "step": COMMAND,
        "version": VERSION,
        "inputs": {path.name: content_hash(path)},
        "parameters": {
            "item": item,
            "rater": rater,
            "cluster": cluster,
            "duplicates": duplicates,
            "fields": list(fields),
        }
        | {"n_boot": options.n_boot, "seed": options.seed, "where": list(options.where)},
    }
    found = tuple(_field_report(source, field, None, options) for field in fields)
    return Report(
        path.name, "items", f"values of {cluster}" if cluster else "items", found, options, (), made_from
    )


def _located(issue: Issue, path: Path, table: pa.Table) -> Issue:
    """The same fault with its place in the file: rows that a condition left out count too."""
    row = None if issue.row is None else table.column(_ROW)[issue.row - 1].as_py()
    return replace(issue, where=str(path), row=row)
