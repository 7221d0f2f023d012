"""The cues of the sample as feature vectors: what a perfect encoder would give, for measuring models.

A vector is an orthonormal mixture of the cues of its modality (words: one-hot) and of noise that has nothing
to do with them. The cues can be read from it without loss and nothing else can, so that the best possible
scores of the sample world are those of these features too.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from corpus.features.table import RECIPE, VECTORS, part_path
from corpus.sample.cues import FACE, FACE_NOISE, VOICE, VOICE_NOISE
from corpus.sample.world import FAMILIES, INTENTS, POLARITIES, Floats
from schemas.tables import Provenance, write_table

WIDTH = {"text": 32, "audio": 16, "video": 16}
_CUES = {
    "text": [*POLARITIES, *FAMILIES, *INTENTS],
    "audio": list(VOICE),
    "video": list(FACE),
}
_IDLE_NOISE = 0.5
"""Standard deviation of the dimensions that hold no cue."""
_IDLE_STREAM = 3
"""Comes after the three of a dialogue in `script`: to NumPy, [seed, n] alone is the same as [seed, n, 0]."""


def mixture(size: int) -> Floats:
    """Return the orthonormal matrix of the discrete cosine transform, shape (size, size)."""
    row, column = np.indices((size, size))
    table = np.sqrt(2 / size) * np.cos(np.pi * row * (2 * column + 1) / (2 * size))
    table[0] /= np.sqrt(2)
    return np.asarray(table, dtype=np.float64)


def feature_vectors(utterances: Sequence[Mapping[str, Any]], seed: int) -> dict[str, Floats]:
    """Encode the cues of utterances.

    Args:
        utterances: Each with ``words``, ``voice`` and ``face`` cues, as a dialogue's record holds them.
        seed: Seed of the idle noise.

    Returns:
        By modality, shape (utterances, width).
    """
    words = np.array([one["words"] for one in utterances])
    sizes = (len(POLARITIES), len(FAMILIES), len(INTENTS))
    cues = {
        "text": np.hstack([np.eye(size)[words[:, part]] for part, size in enumerate(sizes)]),
        "audio": np.array([one["voice"] for one in utterances]),
        "video": np.array([one["face"] for one in utterances]),
    }
    vectors = {}
    for number, (name, known) in enumerate(cues.items()):
        rng = np.random.Generator(np.random.PCG64([seed, number, _IDLE_STREAM]))
        idle = _IDLE_NOISE * rng.standard_normal((len(known), WIDTH[name] - known.shape[1]))
        vectors[name] = np.hstack([known, idle]) @ mixture(WIDTH[name])
    return vectors


def write_features(
    folder: Path,
    utterances: Sequence[Mapping[str, Any]],
    ids: Sequence[str],
    seed: int,
    provenance: Provenance,
) -> None:
    """Write ``NAME/part-00000.parquet`` and ``NAME/recipe.json`` for text, audio and video."""
    for name, table in feature_vectors(utterances, seed).items():
        values = pa.array(table.astype(np.float32).ravel())
        offsets = pa.array(np.arange(len(table) + 1, dtype=np.int32) * table.shape[1])
        column = pa.ListArray.from_arrays(offsets, values)
        rows = pa.table([pa.array(ids, pa.string()), column, pa.nulls(len(ids), pa.string())], VECTORS.names)
        write_table(part_path(folder / name, 0), rows, VECTORS, provenance)
        recipe = {
            "name": name,
            "version": 1,
            "width": table.shape[1],
            "made_by": "corpus sample --features-only",
            "simulated": True,
            "cues": _CUES[name],
            "noise": {"audio": VOICE_NOISE, "video": FACE_NOISE}.get(name),
            "mixture": "cues, then idle noise, times the orthonormal discrete cosine transform",
        }
        (folder / name / RECIPE).write_text(json.dumps(recipe, indent=1), "utf-8")
