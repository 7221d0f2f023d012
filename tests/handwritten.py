"""Hand-written short dialogues with their true labels, rated by the simulated raters: data for tests."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import pyarrow as pa

from corpus.importers import Imported, Source, store
from corpus.importers.assembly import LABEL, SOURCE_ROWS, concat_rows
from corpus.importers.reading import as_cell
from corpus.sample.raters import RATERS, simulate
from schemas.fields import Missing, MultilabelField
from schemas.label_schema import LabelSchema
from schemas.project import SETTINGS, Project
from schemas.tables import from_rows

DIALOGUES = Path(__file__).with_suffix(".jsonl")
SEED = 2026
NAME = "sample"
_SETTINGS = """\
name: affect-corpus-sample
version: 0.1.0
title: The affect-corpus sample
description: >-
  Short Chinese and English dialogues written for affect-corpus. SIMULATED RATERS: the ratings come from five
  simulated raters of known behaviour, not from people. For trying out the toolkit, not for research.
languages: [en, zh]
licence: apache-2.0
labels: majority
sources:
  sample:
    licence: apache-2.0
    rights: Written for this project; nothing is taken from a film or a series.
    ethics: Nobody was recorded or asked; the raters are simulated.
"""


def create_sample(path: str | Path) -> tuple[Project, Imported]:
    """Make a project that holds the dialogues, in the ``affect`` schema.

    Args:
        path: A folder that is not there yet or is empty.

    Raises:
        InputError: The folder holds something.
    """
    project = Project.create(path, "affect")
    project.path(SETTINGS).write_text(_SETTINGS, "utf-8")
    text = DIALOGUES.read_text("utf-8")
    made_from = {"format": NAME, "seed": SEED, "dialogues": hashlib.sha256(text.encode()).hexdigest()}
    return project, store(project, read_sample(text, project.schema), made_from)


def read_sample(text: str, schema: LabelSchema) -> Source:
    """Read the dialogues and let the simulated raters rate them; every field of the schema gets ratings.

    Args:
        text: A JSON object a line, a line a dialogue.
        schema: The fields to rate.
    """
    dialogues = [json.loads(line) for line in text.splitlines()]
    utterances = [_utterance(one, number) for one in dialogues for number in range(len(one["utterances"]))]
    ratings = simulate([truth for _, truth in utterances], schema, seed=SEED)
    rows = [
        {
            **utterances[(item := cast("int", rating["item"]))][0],
            "row": item + 1,
            "rater": f"simulated-{rating['rater']}",
            **{f"{LABEL}{one.name}": _cell(one.name, rating, schema) for one in schema},
        }
        for rating in ratings
    ]
    columns = SOURCE_ROWS
    for one in schema:
        columns = columns.append(pa.field(f"{LABEL}{one.name}", pa.string()))
    return Source(
        NAME,
        concat_rows([from_rows(rows, columns)]),
        attributes={
            key: {"name": about["name"], "gender": about["gender"], "age": about["age"]}
            for dialogue in dialogues
            for key, about in dialogue["speakers"].items()
        },
        rater_attributes={
            f"simulated-{rater.name}": {"simulated": "true", "behaviour": rater.behaviour} for rater in RATERS
        },
        read=len(utterances),
        notes=[
            "SIMULATED RATERS: five simulated raters of known behaviour rated these dialogues, not people"
        ],
    )


def _utterance(dialogue: Mapping[str, Any], number: int) -> tuple[dict[str, Any], Mapping[str, object]]:
    """Return the columns of one utterance, and its true labels."""
    about = dialogue["utterances"][number]
    row = {name: dialogue[name] for name in ("dialogue_id", "language", "show", "episode", "topic")}
    row |= {name: about[name] for name in ("speaker", "text")}
    row |= {name: str(about[name]) for name in ("start", "end")}
    row |= {"file": "dialogues.jsonl", "utterance_id": f"{dialogue['dialogue_id']}_{number:02d}"}
    return row, about["truth"]


def _cell(name: str, rating: Mapping[str, Any], schema: LabelSchema) -> str | None:
    """Write a simulated answer as a table would hold it."""
    value, field = rating[name], schema[name]
    if value is None:
        doubt = rating[f"{name}_missing"] == Missing.CANNOT_TELL
        return Missing.CANNOT_TELL.value if doubt else None
    strengths = rating.get(f"{name}_intensity")
    if isinstance(field, MultilabelField) and strengths and value:
        return "|".join(f"{one}={strengths[field.categories.index(one)]}" for one in value)
    return as_cell(value)
