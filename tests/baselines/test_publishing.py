"""What is uploaded of a model, by a stand-in for the Hub that keeps it in a folder."""

from __future__ import annotations

import json
import shutil
from types import SimpleNamespace

import numpy as np
import pytest

from baselines.models import load_model
from baselines.training import fit
from schemas.errors import InputError
from tests.baselines.neural import QUICK, data_of
from tests.baselines.test_inputs import encoder  # noqa: F401 - a fixture


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """Stand in for the Hub: what is uploaded to ORG/NAME lies in a folder of that name."""

    class Api:
        def __init__(self, token=None):
            self.token = token

        def create_repo(self, repo_id, private=None, exist_ok=False):
            assert exist_ok
            return SimpleNamespace(repo_id=repo_id)

        def upload_folder(self, repo_id, folder_path, **more):
            shutil.copytree(folder_path, tmp_path / "hub" / repo_id)
            return f"{repo_id}: {more['commit_message']}"

    monkeypatch.setattr("huggingface_hub.HfApi", Api)
    return tmp_path / "hub"


def test_a_model_its_card_and_nothing_of_this_machine(hub, maker, tmp_path, encoder):  # noqa: F811
    data = data_of(maker)
    settings = {**QUICK, "epochs": 1, "encoder": str(encoder)}
    model, _ = fit("soft-sharing", data, 0, settings)
    model.save_pretrained(tmp_path / "run")
    again = load_model(tmp_path / "run")
    assert again.push_to_hub("org/name") == "org/name: Upload soft-sharing"
    files = {one.name: one for one in (hub / "org" / "name").iterdir()}
    assert sorted(files) == ["README.md", "config.json", "model.safetensors"]
    card = files["README.md"].read_text("utf-8")
    assert "# soft-sharing" in card
    assert "| emotion | nominal | macro_f1" in card
    text = files["config.json"].read_text("utf-8")
    assert str(tmp_path) not in text + card
    assert str(encoder) not in text + card
    config = json.loads(text)
    assert config["schema"] == maker.text
    assert config["dataset"] == "digest"
    assert config["streams"]["text encoder"]["name"] == encoder.name
    assert config["streams"]["audio"]["made_by"] == {"made_by": "a test"}
    assert config["metrics"]["emotion"]["metric"] == "macro_f1"
    fetched = load_model(hub / "org" / "name").scores(data.validation)
    for field, scores in model.scores(data.validation).items():
        assert np.abs(fetched[field] - scores).max() < 1e-5


def test_a_hub_that_cannot_be_reached_says_so(maker):
    model, _ = fit("lmf", data_of(maker), 0, {**QUICK, "epochs": 1})
    with pytest.raises(InputError, match="does not take this model"):
        model.push_to_hub("org/name")
    with pytest.raises(InputError, match="does not take this model"):
        model.push_to_hub("no name at all/x/y")
