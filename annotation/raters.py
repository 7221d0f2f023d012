"""The raters of a project: how each compares with the others, so that a lead knows what to talk about.

A number that differs may come from the utterances a rater was given, from the guidelines or from the person.
So raters are listed by name and never ranked, and every number says against what it was measured.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from annotation.aggregation.answers import Answers, Rows, read_answers
from annotation.aggregation.project import ADJUDICATION, faults_by_file
from annotation.aggregation.ratings_table import ratings_table
from annotation.agreement.patterns import Ints
from annotation.agreement.results import number
from annotation.rater_measures import Comparison, FieldMeasures, compare, guesses, measure
from annotation.rater_report import Pace, RaterMeasures, RaterReport
from annotation.raters_page import raters_page
from annotation.ratings import project_ratings, require_ratings, simulated_raters
from annotation.roster import write_private
from schemas import project as folder
from schemas.errors import InputError, Issue
from schemas.fields import LANGUAGES
from schemas.label_schema import LabelSchema
from schemas.project import Project

VERSION = 4
COMMAND = "annotation raters"
JSON_FILE = "private/raters.json"
HTML_FILE = "private/raters.html"


def measure_raters(
    ratings: pa.Table | pd.DataFrame,
    schema: LabelSchema,
    *,
    title: str = "",
    simulated: frozenset[str] = frozenset(),
    made_from: Mapping[str, Any] | None = None,
) -> RaterReport:
    """Compare every rater with the others.

    Args:
        ratings: A row a rating: ``utterance_id``, ``rater`` and a column a field; ``dialogue_id``,
            ``language``, ``created``, ``updated`` and ``seconds`` where they are known.
        schema: The label schema.
        title: What was rated.
        simulated: Raters who are simulated.
        made_from: What the ratings come from.

    Raises:
        InputError: With every fault of the ratings (`ratings_table`).
    """
    ratings = ratings_table(ratings, schema)
    rows = Rows.of(ratings)
    time = np.empty(ratings.num_rows, dtype=np.int64)
    time[rows.order] = np.arange(len(rows.order))
    cluster = _clusters(ratings, rows.item)
    language = _objects(ratings, "language")
    known = range(len(rows.raters) - (not rows.known.all()))  # those without a name stand last
    fields: dict[int, dict[str, FieldMeasures]] = {place: {} for place in known}
    compared: list[tuple[Answers, Comparison]] = []
    options = {}
    for field in schema:
        answers = read_answers(ratings, field, rows)
        found, guessed = compare(answers), guesses(answers).tolist()
        compared.append((answers, found))
        options[field.name] = found.options
        at = answers.row
        for place in known:
            fields[place][field.name] = measure(
                answers, found, guessed[place], place, time[at], cluster[at], language[at]
            )
    dialogues = _objects(ratings, "dialogue_id")
    raters = tuple(
        RaterMeasures(
            rows.raters[place],
            rows.raters[place] in simulated,
            len(np.unique(rows.item[_submitted(rows, place)])),
            *_days(ratings, _submitted(rows, place)),
            _pace(ratings, _submitted(rows, place)),
            fields[place],
            _by_dialogue(compared, place, dialogues),
        )
        for place in known
    )
    unknown = int((~rows.known[rows.order]).sum())
    return RaterReport(title, raters, unknown, _are_timed(ratings, rows), options, dict(made_from or {}))


def _are_timed(table: pa.Table, rows: Rows) -> bool:
    """Whether every submitted rating says when it was given."""
    times = [table.column(name) for name in ("updated", "created") if name in table.column_names]
    return bool(times) and pc.coalesce(*times).take(pa.array(rows.order)).null_count == 0


def _submitted(rows: Rows, rater: int) -> Ints:
    own: Ints = rows.order[rows.rater[rows.order] == rater]
    return own


def _objects(table: pa.Table, name: str) -> NDArray[np.object_]:
    if name not in table.column_names:
        return np.full(table.num_rows, None, dtype=object)
    return np.asarray(table.column(name).to_numpy(), dtype=object)


def _clusters(table: pa.Table, item: Ints) -> Ints:
    """Dialogue of each row; utterances stand for themselves where there are none."""
    if "dialogue_id" not in table.column_names or table.column("dialogue_id").null_count:
        return item
    codes = table.column("dialogue_id").combine_chunks().dictionary_encode().indices
    return np.asarray(codes.to_numpy(zero_copy_only=False), dtype=np.int64)


def _days(table: pa.Table, rows: Ints) -> tuple[str | None, str | None]:
    if "created" not in table.column_names:
        return None, None
    times = table.column("created").take(pa.array(rows)).drop_null()
    if not len(times):
        return None, None
    ends = pc.min_max(times).as_py()
    return ends["min"].date().isoformat(), ends["max"].date().isoformat()


def _pace(table: pa.Table, rows: Ints) -> Pace:
    if "seconds" not in table.column_names:
        return Pace(None)
    seconds = table.column("seconds").take(pa.array(rows)).drop_null().to_numpy()
    if not len(seconds):
        return Pace(None)
    low, middle, high = np.quantile(seconds, [0.25, 0.5, 0.75])
    return Pace(number(float(middle)), number(float(low)), number(float(high)))


def _by_dialogue(
    compared: list[tuple[Answers, Comparison]], rater: int, dialogues: NDArray[np.object_]
) -> dict[str, tuple[float, int]]:
    """Mean closeness over all fields by dialogue, in order of the dialogues' names."""
    names, close = [], []
    for answers, found in compared:
        mine = found.compared & (answers.rater == rater)
        names.append(dialogues[answers.row[mine]])
        close.append(found.closeness[mine])
    name, value = np.concatenate(names), np.concatenate(close)
    has_name = np.array([one is not None for one in name], dtype=bool)
    if not has_name.any():
        return {}
    distinct, place = np.unique(name[has_name].astype(str), return_inverse=True)
    count = np.bincount(place)
    mean = np.bincount(place, value[has_name]) / count
    return {
        one: (round(float(m), 6), int(n)) for one, m, n in zip(distinct.tolist(), mean, count, strict=True)
    }


def project_raters(project: Project) -> RaterReport:
    """Compare the raters of a project; adjudicators' answers are no ratings.

    Raises:
        InputError: There are no ratings.
    """
    ratings = project_ratings(project)
    ratings = ratings.filter(pc.not_equal(ratings.column("origin"), ADJUDICATION))
    with faults_by_file(project):
        return measure_raters(
            ratings,
            project.schema,
            title=project.settings.title or project.settings.name,
            simulated=frozenset(simulated_raters(project)[0]),
            made_from=_made_from(project),
        )


def _made_from(project: Project) -> dict[str, Any]:
    inputs = [folder.SCHEMA, folder.DIALOGUES, folder.UTTERANCES, *require_ratings(project)]
    inputs += [folder.RATERS] if project.has(folder.RATERS) else []
    return dict(vars(project.provenance(COMMAND, VERSION, inputs, {"name": project.settings.name})))


def write_report(project: Project, language: str = "en") -> RaterReport:
    """Compare the raters of a project and write ``private/raters.json`` and ``private/raters.html``.

    What is said about single people is for the lead, who talks to them; only the owner can read the files.

    Args:
        project: The project.
        language: Language of the page, ``en`` or ``zh``.

    Raises:
        InputError: There are no ratings, the language is another one, or another command is writing.
    """
    if language not in LANGUAGES:
        raise InputError(
            Issue("the page is written in one of two languages", value=language, choices=LANGUAGES)
        )
    report = project_raters(project)
    text = json.dumps(report.to_dict(), ensure_ascii=False, indent=1, allow_nan=False) + "\n"
    project.path("private").mkdir(mode=0o700, exist_ok=True)
    with project.writing(COMMAND) as staging:
        write_private(staging / JSON_FILE, text)
        write_private(staging / HTML_FILE, raters_page(report, project.schema, language))
    return report
