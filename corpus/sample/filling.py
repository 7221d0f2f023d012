"""From the dialogues of a sample to a project: simulated ratings, the project's tables, and the truth.

A dialogue is a record of plain JSON values: ``dialogue_id``, ``language``, ``show``, ``episode``, ``topic``,
``speakers`` (key to name and gender) and ``utterances``, each with ``speaker``, ``text``, ``start``, ``end``
(seconds, null without media), ``state`` and its ``words``, ``voice`` and ``face`` cues.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import pyarrow as pa

from corpus.importers import Imported, Source, store
from corpus.importers.assembly import LABEL, SOURCE_ROWS, concat_rows
from corpus.importers.reading import as_cell
from corpus.sample.features import write_features
from corpus.sample.meaning import TRUTHS
from corpus.sample.raters import RATERS, simulate
from corpus.sample.truth_tables import write_truth
from schemas.fields import Missing, MultilabelField
from schemas.label_schema import LabelSchema
from schemas.project import Project
from schemas.tables import Provenance, from_rows

NAME = "sample"
VERSION = 1
DIALOGUE_KEYS = ("dialogue_id", "language", "show", "episode", "topic")

Record = Mapping[str, Any]


def settings_text(name: str, languages: Sequence[str]) -> str:
    """Return the ``corpus.yaml`` of a sample corpus."""
    return f"""\
name: {name}
version: 0.1.0
title: The affect-corpus sample
description: >-
  SIMULATED: dialogues written from a grammar, spoken by a speech synthesiser and shown by a drawn face; the
  truth of this small world is known. SIMULATED RATERS: the ratings come from five simulated raters of known
  behaviour, not from people. For trying out the toolkit and for measuring models, not for research on affect.
languages: [{", ".join(languages)}]
licence: apache-2.0
labels: majority
sources:
  {NAME}:
    licence: apache-2.0
    rights: Written and drawn for this project; nothing is taken from a film or a series.
    ethics: Nobody was recorded or asked; speakers, faces and raters are simulated.
"""


def fill(
    project: Project,
    dialogues: Sequence[Record],
    made_from: Mapping[str, Any],
    *,
    bayes: Mapping[str, Any],
    seed: int,
    features: bool = False,
) -> Imported:
    """Fill a new project with a sample.

    Args:
        project: The project; its media, if any, are there already.
        dialogues: The records of the dialogues.
        made_from: What the sample follows from: seed, versions.
        bayes: The best possible scores in the world of the sample.
        seed: Seed of the simulated raters and of idle noise.
        features: Whether to write feature vectors.

    Returns:
        What was imported.
    """
    utterances = [one for dialogue in dialogues for one in dialogue["utterances"]]
    ids = [key for dialogue in dialogues for key in utterance_ids(dialogue)]
    imported = store(project, _source(dialogues, project.schema, seed), made_from)
    provenance = Provenance("corpus sample", VERSION, {}, made_from)
    with project.writing("corpus sample") as staging:
        (staging / "truth").mkdir()
        write_truth(staging, utterances, ids, project.schema, bayes, provenance)
        if features:
            write_features(staging / "features", utterances, ids, seed, provenance)
    return imported


def utterance_ids(dialogue: Record) -> list[str]:
    """Return the ids of the utterances of a dialogue."""
    return [f"{dialogue['dialogue_id']}_{number:02d}" for number in range(len(dialogue["utterances"]))]


def _source(dialogues: Sequence[Record], schema: LabelSchema, seed: int) -> Source:
    rows = [row for dialogue in dialogues for row in _rows(dialogue)]
    truths = [TRUTHS[one["state"]] for dialogue in dialogues for one in dialogue["utterances"]]
    rated = [
        {
            **rows[(item := cast("int", rating["item"]))],
            "row": item + 1,
            "rater": f"simulated-{rating['rater']}",
            **{f"{LABEL}{one.name}": _cell(one.name, rating, schema) for one in schema},
        }
        for rating in simulate(truths, schema, seed=seed)
    ]
    columns = SOURCE_ROWS
    for one in schema:
        columns = columns.append(pa.field(f"{LABEL}{one.name}", pa.string()))
    return Source(
        NAME,
        concat_rows([from_rows(rated, columns)]),
        attributes={
            key: {"name": about["name"], "gender": about["gender"], "simulated": "true"}
            for dialogue in dialogues
            for key, about in dialogue["speakers"].items()
        },
        rater_attributes={
            f"simulated-{rater.name}": {"simulated": "true", "behaviour": rater.behaviour} for rater in RATERS
        },
        read=len(rows),
        notes=[
            "SIMULATED: dialogues from a grammar, with synthetic speech and drawn faces",
            f"SIMULATED RATERS: {len(RATERS)} simulated raters of known behaviour rated them, not people",
        ],
    )


def _rows(dialogue: Record) -> list[dict[str, Any]]:
    shared = {name: dialogue[name] for name in DIALOGUE_KEYS} | {"file": "dialogues.jsonl"}
    return [
        {
            **shared,
            "utterance_id": key,
            "speaker": one["speaker"],
            "text": one["text"],
            "start": as_cell(one["start"]),
            "end": as_cell(one["end"]),
            "media": None if one["start"] is None else f"media/{dialogue['episode']}.mp4",
        }
        for key, one in zip(utterance_ids(dialogue), dialogue["utterances"], strict=True)
    ]


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
