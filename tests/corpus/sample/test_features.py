"""Feature vectors hold the cues, without loss, and nothing else."""

from __future__ import annotations

import json

import numpy as np
import pytest

from corpus.features.table import VECTORS
from corpus.sample.cues import FACE, VOICE
from corpus.sample.features import WIDTH, feature_vectors, mixture
from corpus.sample.truth_tables import LATENT
from corpus.sample.world import FAMILIES, INTENTS, POLARITIES
from schemas.project import UTTERANCES
from schemas.tables import read_table


def read(project, name):
    table = read_table(project.path(f"features/{name}/part-00000.parquet"))
    assert table.schema.remove_metadata() == VECTORS
    ids = table.column("utterance_id").to_pylist()
    return ids, np.array(table.column("features").to_pylist())


@pytest.mark.parametrize("size", sorted(set(WIDTH.values())))
def test_mixture_is_orthonormal(size):
    np.testing.assert_allclose(mixture(size) @ mixture(size).T, np.eye(size), atol=1e-12)


def test_rows_are_those_of_the_utterances(as_features):
    ids = read_table(as_features.path(UTTERANCES)).column("utterance_id").to_pylist()
    for name, width in WIDTH.items():
        found, vectors = read(as_features, name)
        assert found == ids
        assert vectors.shape == (len(ids), width)
        recipe = json.loads(as_features.path(f"features/{name}/recipe.json").read_text("utf-8"))
        assert recipe["simulated"] is True
        assert recipe["width"] == width


def test_cues_are_read_back_from_the_features(as_features):
    latent = read_table(as_features.path(LATENT)).to_pydict()
    for name, cues, prefix in (("audio", VOICE, "voice"), ("video", FACE, "face")):
        _, vectors = read(as_features, name)
        found = (vectors @ mixture(WIDTH[name]).T)[:, : len(cues)]
        known = np.column_stack([latent[f"{prefix}_{one}"] for one in cues])
        np.testing.assert_allclose(found, known, atol=1e-5)
    _, vectors = read(as_features, "text")
    found = vectors @ mixture(WIDTH["text"]).T
    at = 0
    for names, column in ((POLARITIES, "polarity"), (FAMILIES, "family"), (INTENTS, "intent")):
        shown = found[:, at : at + len(names)]
        at += len(names)
        assert [names[one] for one in shown.argmax(axis=1)] == latent[f"said_{column}"]
        np.testing.assert_allclose(np.sort(shown, axis=1)[:, -2:], [[0, 1]] * len(shown), atol=1e-5)


@pytest.mark.parametrize("number", range(len(WIDTH)))
def test_idle_noise_shares_no_stream_with_a_dialogue(number):
    """NumPy pads a seed with zeros: [seed, n] would be the stream of the states of dialogue n."""
    name = list(WIDTH)[number]
    cues = {"words": [0, 0, 0], "voice": [0.0] * len(VOICE), "face": [0.0] * len(FACE)}
    unmixed = feature_vectors([cues], 3)[name] @ mixture(WIDTH[name]).T
    idle = unmixed[0, -10:]
    for part in range(3):
        of_dialogue = np.random.Generator(np.random.PCG64([3, number, part])).standard_normal(WIDTH[name])
        assert not np.isclose(idle[:, None], 0.5 * of_dialogue).any()
