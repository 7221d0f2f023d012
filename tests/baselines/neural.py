"""Small neural models for tests: a moment of training, enough to tell right from wrong."""

from __future__ import annotations

import dataclasses

import numpy as np

from baselines.data import Description, TrainingData
from baselines.features import Features
from baselines.models import MODELS

NEURAL = tuple(name for name in MODELS if name not in ("majority", "tfidf-logistic"))
QUICK = {"epochs": 2, "terms": 512, "term_width": 8, "width": 16, "batch_turns": 32}


def with_features(split, names=("audio", "video"), missing=0.2, width=5):
    """Give a split features that know its emotion, and miss some of its utterances."""
    rng = np.random.default_rng(len(split))
    found = {}
    for name in names:
        values = rng.standard_normal((len(split), width)).astype(np.float32)
        values[:, 0] += split.labels["emotion"].values
        present = rng.random(len(split)) >= missing
        found[name] = Features(np.where(present[:, None], values, 0), present, {"made_by": "a test"})
    return dataclasses.replace(split, features=found)


def data_of(maker, rows=None, held_out=None, multimodal=True):
    train = maker.split(maker.rows(16, "t") if rows is None else rows)
    validation = maker.split(maker.rows(6, "v") if held_out is None else held_out, "validation")
    if multimodal:
        train, validation = with_features(train), with_features(validation)
    return TrainingData(Description(maker.schema, maker.text, "digest", {}), train, validation)
