"""What is uploaded of a model, by a stand-in for the Hub that keeps it in a folder."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow.parquet as pq
import pytest

from baselines.data import describe
from baselines.models import load_model
from baselines.prediction import predict
from baselines.training import fit, train
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
    monkeypatch.setattr("huggingface_hub.snapshot_download", lambda name, **_: str(tmp_path / "hub" / name))
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


@pytest.mark.parametrize("name", ["majority", "tfidf-logistic"])
def test_a_floor_is_published_like_any_model(name, hub, tiny, tmp_path, cache, monkeypatch):
    trained = train(name, tiny, tmp_path / "run", cache_dir=cache).model
    trained.push_to_hub("org/floor")
    card = (hub / "org" / "floor" / "README.md").read_text("utf-8")
    assert f"# {name}" in card
    assert f"| emotion | nominal | macro_f1 {trained.config.metrics['emotion']['value']:.3f} |" in card
    assert trained.config.metrics["valence"]["metric"] == "ccc"
    monkeypatch.chdir(tmp_path)
    fetched = predict("org/floor", tiny, "validation", cache_dir=cache)
    assert fetched.path == Path("floor-predictions-validation.parquet")
    own = predict(tmp_path / "run", tiny, "validation", cache_dir=cache)
    assert pq.read_table(fetched.path).equals(pq.read_table(own.path))


def test_a_slip_in_a_path_is_not_looked_for_on_the_hub(tmp_path, monkeypatch):
    def asked(*_, **__):
        raise AssertionError

    monkeypatch.setattr("huggingface_hub.snapshot_download", asked)
    monkeypatch.setattr("huggingface_hub.hf_hub_download", asked)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs").mkdir()
    with pytest.raises(InputError, match="'baselines train' makes it"):
        load_model("runs/majorty")
    with pytest.raises(InputError, match="no such dataset folder"):
        describe("runs/dataset")


def test_a_model_that_the_hub_does_not_give(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="the Hub does not give this model"):
        load_model("org/name")


def test_a_hub_that_cannot_be_reached_says_so(maker):
    model, _ = fit("lmf", data_of(maker), 0, {**QUICK, "epochs": 1})
    with pytest.raises(InputError, match="does not take this model"):
        model.push_to_hub("org/name")
    with pytest.raises(InputError, match="does not take this model"):
        model.push_to_hub("no name at all/x/y")
