"""Fields and features may have any name: also one that torch has for something else."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from baselines.data import Description, TrainingData, to_split
from baselines.models import load_model
from baselines.named_modules import NamedModules
from baselines.training import fit
from schemas.definition import parse_schema
from tests.baselines.conftest import Maker
from tests.baselines.neural import NEURAL, QUICK, with_features

NAMES = {"tags": "type", "valence": "float", "emotion": "values"}
SCHEMA = Maker.text
for ours, theirs in NAMES.items():
    SCHEMA = SCHEMA.replace(f"  {ours}:", f"  {theirs}:").replace(f"source: {ours}", f"source: {theirs}")


class Renamed(Maker):
    """Makes rows of a schema whose fields have such names."""

    text = SCHEMA
    schema = parse_schema(SCHEMA)

    def rows(self, dialogues, prefix="d"):
        found = super().rows(dialogues, prefix)
        return [{NAMES.get(name, name): value for name, value in row.items()} for row in found]


@pytest.mark.parametrize("name", NEURAL)
def test_fields_and_features_with_names_of_torch(name, maker, tmp_path):
    made = Renamed()
    splits = []
    for split, rows in (("train", made.rows(12, "t")), ("validation", made.rows(5, "v"))):
        one = to_split(split, made.table(rows), made.schema, "rows")
        plain = with_features(maker.split(maker.rows(len(set(one.dialogue)), "x")), ("half", "mfcc.v2"))
        splits.append(dataclasses.replace(one, features=plain.features))
    data = TrainingData(Description(made.schema, SCHEMA, "digest", {}), *splits)
    model, _ = fit(name, data, 0, {**QUICK, "epochs": 1})
    model.save_pretrained(tmp_path)
    expected = model.scores(data.validation)
    assert {"type", "float", "values"} <= set(expected)
    for field, scores in load_model(tmp_path).scores(data.validation).items():
        assert np.abs(scores - expected[field]).max() < 1e-6


def test_modules_by_name():
    import torch

    found = NamedModules({"type": torch.nn.Linear(1, 1), "a.b": torch.nn.Linear(2, 1)})
    assert list(found) == ["type", "a.b"]
    assert len(found) == 2
    assert "type" in found
    assert "items" not in found
    assert found["a.b"].in_features == 2
    assert [name for name, _ in found.items()] == ["type", "a.b"]
    assert len(list(found.parameters())) == 4
