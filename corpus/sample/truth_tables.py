"""The truth of a sample corpus, in files of its own that no step builds into a dataset.

``truth/truth.parquet`` has the columns of decided labels, ``truth/latent.parquet`` the hidden states and the
cues, ``truth/bayes.json`` the best possible scores.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from corpus.sample.cues import FACE, VOICE
from corpus.sample.meaning import TRUTHS
from corpus.sample.world import (
    FAMILIES,
    FAMILY,
    FELT,
    INTENT,
    INTENTS,
    OPEN,
    POLARITIES,
    STRENGTH,
    STRENGTHS,
    WORDS,
)
from schemas import records
from schemas.answers import intensity_slots
from schemas.fields import Missing, MultilabelField
from schemas.label_schema import LabelSchema
from schemas.tables import Provenance, from_rows, write_table

TRUTH = "truth/truth.parquet"
LATENT = "truth/latent.parquet"
BAYES = "truth/bayes.json"

_NUMBERS = [f"voice_{name}" for name in VOICE] + [f"face_{name}" for name in FACE]
LATENT_ROWS = pa.schema(
    [
        pa.field("utterance_id", pa.string(), nullable=False),
        pa.field("words", pa.string()),
        pa.field("felt", pa.string()),
        pa.field("family", pa.string()),
        pa.field("strength", pa.int8()),
        pa.field("intent", pa.string()),
        pa.field("takes_up", pa.bool_()),
        *(pa.field(f"said_{name}", pa.string()) for name in ("polarity", "family", "intent")),
        *(pa.field(name, pa.float64()) for name in _NUMBERS),
    ]
)
"""The hidden state of every utterance, and the cues that were drawn from it (see `world` and `cues`)."""


def write_truth(
    folder: Path,
    utterances: Sequence[Mapping[str, Any]],
    ids: Sequence[str],
    schema: LabelSchema,
    bayes: Mapping[str, Any],
    made: Provenance,
) -> None:
    """Write the truth of a corpus.

    Args:
        folder: The project folder, or one that is moved there.
        utterances: Each with its ``state`` and cues.
        ids: Their ids.
        schema: The `affect` schema.
        bayes: The best possible scores (see `bayes.bayes_optimal`).
        made: Provenance of the tables.
    """
    answers = [answer_row(one["state"], schema) for one in utterances]
    rows = [{"utterance_id": one, "method": "truth", **row} for one, row in zip(ids, answers, strict=True)]
    write_table(
        folder / TRUTH, from_rows(rows, records.labels_schema(schema)), records.labels_schema(schema), made
    )
    latent = [_latent(one, key) for one, key in zip(utterances, ids, strict=True)]
    write_table(folder / LATENT, from_rows(latent, LATENT_ROWS), LATENT_ROWS, made)
    (folder / BAYES).write_text(json.dumps(bayes, indent=1), "utf-8")


def answer_row(state: int, schema: LabelSchema) -> dict[str, object]:
    """Return the true labels of a state as a row of a labels table."""
    row: dict[str, object] = {}
    for one in schema:
        value = TRUTHS[state][one.name]
        if value is None:
            row[f"{one.name}_missing"] = Missing.NOT_APPLICABLE.value
        if isinstance(one, MultilabelField) and isinstance(value, dict):
            row[f"{one.name}_intensity"] = intensity_slots(one, value)
            value = list(value)
        row[one.name] = value
    return row


def _latent(utterance: Mapping[str, Any], key: str) -> dict[str, object]:
    state = utterance["state"]
    polarity, family, intent = utterance["words"]
    return {
        "utterance_id": key,
        "words": POLARITIES[WORDS[state]],
        "felt": POLARITIES[FELT[state]],
        "family": FAMILIES[FAMILY[state]],
        "strength": STRENGTHS[STRENGTH[state]],
        "intent": INTENTS[INTENT[state]],
        "takes_up": bool(OPEN[state]),
        "said_polarity": POLARITIES[polarity],
        "said_family": FAMILIES[family],
        "said_intent": INTENTS[intent],
        **dict(zip(_NUMBERS, [*utterance["voice"], *utterance["face"]], strict=True)),
    }
