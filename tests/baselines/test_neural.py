"""The neural models: what all of them promise."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file
from transformers import AutoConfig, AutoModel

from baselines.data import Split
from baselines.fitting import COMPLETE, is_whole, seal
from baselines.models import MODELS, find_model, load_model
from baselines.training import fit
from baselines.tuning import value_of
from schemas.errors import InputError
from tests.baselines.neural import NEURAL, QUICK, data_of, with_features


@pytest.fixture(scope="module")
def fitted(maker):
    """Return every neural model, trained for a moment on three streams."""
    data = data_of(maker)
    return {name: fit(name, data, 1, QUICK)[0] for name in NEURAL}


def some_dialogues(maker, count, prefix="p"):
    return with_features(maker.split(maker.rows(count, prefix)))


def part(split, dialogues):
    """Return some dialogues of a split."""
    rows = np.flatnonzero(np.isin(split.dialogue, dialogues))
    features = {
        name: dataclasses.replace(one, values=one.values[rows], present=one.present[rows])
        for name, one in split.features.items()
    }
    return Split(
        split.name,
        [split.utterance_ids[row] for row in rows],
        np.unique(split.dialogue[rows], return_inverse=True)[1],
        [split.speakers[row] for row in rows],
        [split.texts[row] for row in rows],
        {},
        features,
    ), rows


@pytest.mark.parametrize("name", NEURAL)
def test_an_answer_does_not_depend_on_what_else_is_in_the_batch(name, fitted, maker):
    model, split = fitted[name], some_dialogues(maker, 8)
    together = model.scores(split)
    for dialogues in ([0], [3], [1, 7]):
        alone, rows = part(split, dialogues)
        for field, scores in model.scores(alone).items():
            assert np.abs(scores - together[field][rows]).max() < 1e-5, field


@pytest.mark.parametrize("name", NEURAL)
def test_saving_loses_nothing(name, fitted, maker, tmp_path):
    model, split = fitted[name], some_dialogues(maker, 3)
    model.save_pretrained(tmp_path)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["README.md", "config.json", "model.safetensors"]
    loaded = load_model(tmp_path)
    assert type(loaded) is MODELS[name]
    for field, scores in loaded.scores(split).items():
        assert np.array_equal(scores, model.scores(split)[field]), field
    assert {name: one.tolist() for name, one in loaded.predict(split).items()} == {
        name: one.tolist() for name, one in model.predict(split).items()
    }
    config = json.loads((tmp_path / "config.json").read_text("utf-8"))
    assert config["schema"] == maker.text
    assert config["streams"]["audio"]["made_by"] == {"made_by": "a test"}
    assert config["dataset"] == "digest"
    assert set(config["metrics"]) == set(config["fields"])
    assert "not what anybody" in (tmp_path / "README.md").read_text("utf-8").replace("\n", " ")


@pytest.mark.parametrize("name", NEURAL)
def test_scores_are_probabilities_and_numbers_of_the_scale(name, fitted, maker):
    split = some_dialogues(maker, 4)
    scores, predicted = fitted[name].scores(split), fitted[name].predict(split)
    for field in ("emotion", "sentiment", "pull"):
        assert np.allclose(scores[field].sum(axis=1), 1)
    assert scores["valence"].shape == (len(split),)
    assert ((predicted["valence"] >= 1) & (predicted["valence"] <= 9)).all()
    tags = predicted["tags"]
    assert not (tags[:, 0] & tags[:, 1:].any(axis=1)).any()


@pytest.mark.parametrize("name", NEURAL)
def test_past_context_knows_nothing_of_what_comes(name, maker):
    data = data_of(maker, maker.rows(6))
    model, _ = fit(name, data, 0, {**QUICK, "epochs": 1, "context": "past"})
    rows = maker.rows(4)[-5:]
    before = model.scores(with_features(maker.split(rows)))
    changed = [*rows[:-1], dict(rows[-1], text="气死我了，go away!", speaker_id="s0")]
    after = model.scores(with_features(maker.split(changed)))
    for field, scores in before.items():
        assert np.abs(scores[:-1] - after[field][:-1]).max() < 1e-6, field


def test_both_sides_are_context_by_default(fitted, maker):
    rows = maker.rows(4)[-5:]
    changed = [*rows[:-1], dict(rows[-1], text="气死我了，go away!")]
    before, after = (
        fitted["context-fusion"].scores(with_features(maker.split(one))) for one in (rows, changed)
    )
    assert np.abs(before["emotion"][:-1] - after["emotion"][:-1]).max() > 1e-6


@pytest.mark.parametrize("name", NEURAL)
def test_missing_modalities_are_masks(name, fitted, maker):
    """What stands in the place of a missing vector has no part in the answer."""
    model, split = fitted[name], some_dialogues(maker, 3)
    audio = split.features["audio"]
    noise = np.where(audio.present[:, None], audio.values, 1e3).astype(np.float32)
    other = dataclasses.replace(
        split, features={**split.features, "audio": dataclasses.replace(audio, values=noise)}
    )
    for field, scores in model.scores(split).items():
        assert np.abs(scores - model.scores(other)[field]).max() < 1e-6
    nothing = {
        name: dataclasses.replace(one, present=np.zeros_like(one.present))
        for name, one in split.features.items()
    }
    silent = dataclasses.replace(split, features=nothing, texts=[""] * len(split))
    assert all(np.isfinite(one).all() for one in model.scores(silent).values())


@pytest.mark.parametrize("name", NEURAL)
def test_a_dialogue_of_one_turn_and_of_two_thousand(name, fitted, maker):
    model = fitted[name]
    (text, *_) = [row["text"] for row in maker.rows(1)]
    for turns in (1, 2000):
        rows = [
            {"utterance_id": str(turn), "dialogue_id": "d", "speaker_id": f"s{turn % 3}", "text": text}
            for turn in range(turns)
        ]
        empty = maker.split(rows)
        split = dataclasses.replace(
            empty,
            features={
                name: dataclasses.replace(
                    one, values=np.zeros((turns, 5), np.float32), present=np.ones(turns, np.bool_)
                )
                for name, one in some_dialogues(maker, 1).features.items()
            },
        )
        assert all(np.isfinite(one).all() for one in model.scores(split).values())


def test_learnt_words_are_found_again(maker):
    data = data_of(maker, maker.rows(24, "t"), multimodal=False)
    settings = {**QUICK, "epochs": 25, "width": 32, "learning_rate": 0.01, "dropout": 0.1}
    _, report = fit("context-fusion", data, 0, settings)
    found = {name: one["value"] for name, one in report["selection"]["reached"].items()}
    assert min(found.values()) > 0.9, found


@pytest.mark.parametrize("weighting", ["uncertainty", "gradnorm", "dwa"])
@pytest.mark.parametrize("name", ["context-fusion", "soft-sharing"])
def test_task_weightings_train(name, weighting, maker):
    data = data_of(maker, maker.rows(6), multimodal=False)
    model, _ = fit(name, data, 0, {**QUICK, "task_weighting": weighting})
    assert all(torch.isfinite(one).all() for one in model.state_dict().values())
    assert not any("objective" in one for one in model.state_dict())


@pytest.mark.parametrize("imbalance", ["effective-number", "focal", "logit-adjustment"])
def test_a_class_absent_in_train_is_never_predicted(imbalance, maker):
    rows = [row for row in maker.rows(12) if row["emotion"] != "anger"]
    model, _ = fit(
        "context-fusion", data_of(maker, rows, multimodal=False), 0, {**QUICK, "imbalance": imbalance}
    )
    scores = model.scores(maker.split(maker.rows(4)))["emotion"]
    assert scores[:, 2].max() < 1e-9
    assert np.allclose(scores.sum(axis=1), 1)


def test_one_class_alone_and_constant_sets(maker):
    rows = [dict(row, emotion="joy", tags=["loud"], valence=3.0) for row in maker.rows(6)]
    model, _ = fit("context-fusion", data_of(maker, rows, multimodal=False), 0, QUICK)
    predicted = model.predict(maker.split(maker.rows(2)))
    assert set(predicted["emotion"].tolist()) == {1}
    assert predicted["tags"].tolist() == [[False, True, False]] * len(predicted["tags"])
    assert np.allclose(predicted["valence"], 3, atol=1e-5)


def test_a_field_without_labels_is_not_learnt(maker):
    rows = [dict(row, pull=None) for row in maker.rows(6)]
    held_out = [dict(row, emotion=None) for row in maker.rows(3, "v")]
    model, report = fit("soft-sharing", data_of(maker, rows, held_out, multimodal=False), 0, QUICK)
    assert report["not_learnt"] == ["pull"]
    assert "pull" not in model.predict(maker.split(maker.rows(1)))
    assert "emotion" not in report["selection"]["reached"]


def test_the_same_seed_gives_the_same_model(maker):
    data = data_of(maker, maker.rows(6))
    first, report = fit("context-fusion", data, 5, QUICK)
    torch.rand(7)
    again, same = fit("context-fusion", data, 5, QUICK)
    other, _ = fit("context-fusion", data, 6, QUICK)
    weights = first.state_dict()
    assert all(torch.equal(one, weights[name]) for name, one in again.state_dict().items())
    assert not all(torch.equal(one, weights[name]) for name, one in other.state_dict().items())
    assert {**report, "seconds_per_epoch": 0} == {**same, "seconds_per_epoch": 0}


class KilledError(Exception):
    """Stands for a kill at an inconvenient moment."""


@pytest.mark.parametrize("damaged", [False, True])
def test_a_killed_training_goes_on_to_the_same_result(maker, tmp_path, monkeypatch, damaged):
    settings = {**QUICK, "epochs": 4, "patience": 3, "task_weighting": "dwa"}
    data = data_of(maker, maker.rows(6))
    whole, report = fit("context-fusion", data, 2, settings)

    import baselines.fitting as fitting

    judged = []
    evaluate = fitting.DialogueTrainer.evaluate

    def killed(self, *more, **named):
        if len(judged) == 2:
            raise KilledError
        judged.append(1)
        return evaluate(self, *more, **named)

    with monkeypatch.context() as patch:
        patch.setattr(fitting.DialogueTrainer, "evaluate", killed)
        with pytest.raises(KilledError):
            fit("context-fusion", data, 2, settings, tmp_path)
    checkpoints = sorted(tmp_path.glob("checkpoint-*"), key=lambda one: int(one.name.split("-")[1]))
    assert len(checkpoints) == 2
    if damaged:  # the newest one was cut off: the one before is taken
        weights = checkpoints[-1] / "model.safetensors"
        weights.write_bytes(weights.read_bytes()[:-50])
    resumed, same = fit("context-fusion", data, 2, settings, tmp_path)
    expected = whole.state_dict()
    assert all(torch.equal(one, expected[name]) for name, one in resumed.state_dict().items())
    assert {**report, "seconds_per_epoch": 0} == {**same, "seconds_per_epoch": 0}


def test_a_checkpoint_is_whole_or_left_alone(tmp_path):
    assert not is_whole(tmp_path)
    (tmp_path / "weights").write_bytes(b"12345")
    seal(tmp_path)
    assert is_whole(tmp_path)
    (tmp_path / "weights").write_bytes(b"1234")
    assert not is_whole(tmp_path)
    seal(tmp_path)
    (tmp_path / COMPLETE).write_text("{", "utf-8")
    assert not is_whole(tmp_path)


def test_too_little_memory_comes_with_advice(maker, monkeypatch):
    def no_memory(*_, **__):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr("baselines.models.neural.NeuralModel.forward", no_memory)
    monkeypatch.setattr("baselines.fitting._Judge.__call__", lambda self, epoch: {"eval_selection": 0.0})
    with pytest.raises(InputError, match="lower batch_turns"):
        fit("context-fusion", data_of(maker, maker.rows(3), multimodal=False), 0, QUICK)


def test_other_errors_are_not_taken_for_it(maker, monkeypatch):
    def broken(*_, **__):
        raise RuntimeError("shapes do not fit")

    monkeypatch.setattr("baselines.models.neural.NeuralModel.forward", broken)
    with pytest.raises(RuntimeError, match="shapes"):
        fit("context-fusion", data_of(maker, maker.rows(3), multimodal=False), 0, QUICK)


def test_wrong_settings_are_named_all_at_once(maker):
    data = data_of(maker, maker.rows(3), multimodal=False)
    with pytest.raises(InputError) as caught:
        fit("context-fusion", data, 0, {"widht": 3, "epochs": "many", "imbalance": "none at all"})
    assert len(caught.value.issues) == 3
    assert "did you mean 'width'" in str(caught.value)
    with pytest.raises(InputError) as caught:
        fit("soft-sharing", data, 0, {"context": "future", "sharing": "all", "dropout": 1.5})
    assert [issue.column for issue in caught.value.issues] == ["context", "sharing", "dropout"]
    with pytest.raises(InputError, match="has no settings"):
        fit("majority", data, 0, {"epochs": 3})


def test_features_of_another_width_or_none_are_refused(fitted, maker):
    split = maker.split(maker.rows(2))
    with pytest.raises(InputError, match="lacks features"):
        fitted["lmf"].scores(split)
    with pytest.raises(InputError, match="another width"):
        fitted["lmf"].scores(with_features(split, width=3))


def test_a_damaged_model_is_refused(fitted, tmp_path):
    fitted["context-fusion"].save_pretrained(tmp_path)
    weights = tmp_path / "model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-100])
    with pytest.raises(InputError, match="damaged"):
        load_model(tmp_path)
    weights.write_bytes(whole)
    tensors = load_file(weights)
    save_file({name: one for name, one in tensors.items() if "gate" not in name}, weights, {"format": "pt"})
    with pytest.raises(InputError, match="lack a tensor"):
        load_model(tmp_path)
    weights.unlink()
    with pytest.raises(InputError, match="not there"):
        load_model(tmp_path)
    with pytest.raises(InputError, match="another kind"):
        find_model("lmf").from_pretrained(tmp_path)


def test_models_are_registered_with_transformers(fitted, tmp_path):
    fitted["mult"].save_pretrained(tmp_path)
    assert AutoConfig.from_pretrained(tmp_path).model_type == "mult"
    assert type(AutoModel.from_pretrained(tmp_path)) is MODELS["mult"]


def test_relations_supervise_the_gates_between_their_tasks(maker):
    """Gates are drawn to the rated grade, and without the supervision they are not."""
    data = data_of(maker, maker.rows(24, "t"), multimodal=False)
    settings = {**QUICK, "epochs": 12, "learning_rate": 0.01, "dropout": 0.0, "batch_turns": 64}
    split = maker.split(maker.rows(8, "v"))
    grade = split.labels["pull"].values - 1.0

    def gate(supervised):
        model, _ = fit("soft-sharing", data, 0, {**settings, "relation_supervision": supervised})
        model.eval()
        dialogues = model.dialogues(split)
        packed = [dialogues[number] for number in range(len(dialogues))]
        with torch.no_grad():
            model(**dialogues.collate(packed))
        source, target = (model.tasks.index(name) for name in ("emotion", "sentiment"))
        return model.late.gates[source, target].numpy()[np.argsort(np.concatenate(packed))]

    assert np.corrcoef(gate(True), grade)[0, 1] > 0.9
    assert np.abs(gate(True) - grade).mean() < np.abs(gate(False) - grade).mean()


@pytest.mark.parametrize("sharing", ["none", "cross-stitch"])
def test_other_ways_of_sharing(sharing, maker):
    data = data_of(maker, maker.rows(6), multimodal=False)
    model, _ = fit("soft-sharing", data, 0, {**QUICK, "sharing": sharing})
    assert all(np.isfinite(one).all() for one in model.scores(maker.split(maker.rows(2))).values())


def test_epochs_are_kept_where_that_is_asked_for(maker, tmp_path):
    data = data_of(maker, maker.rows(6), multimodal=False)
    model, _ = fit("context-fusion", data, 0, {**QUICK, "keep_checkpoints": True}, tmp_path)
    kept = sorted(one.name for one in (tmp_path / "checkpoints").iterdir())
    assert kept == ["epoch-1", "epoch-2"]
    for name in kept:
        one = load_model(tmp_path / "checkpoints" / name)
        assert one.config.fields == model.config.fields
        assert set(one.config.thresholds) == {field.name for field in one.fields} - {"valence"}
        # It decides by the thresholds of its own epoch, as it was judged then.
        predicted = one.predict(data.validation)
        for field in one.fields:
            said, labels = one.config.metrics[field.name], data.validation.labels[field.name].values
            assert value_of(field, said["metric"], labels, predicted[field.name]) == pytest.approx(
                said["value"], abs=1e-6
            )


def test_some_fields_alone(maker):
    data = data_of(maker, maker.rows(5), multimodal=False)
    model, report = fit("soft-sharing", data, 0, QUICK, fields=["sentiment"])
    assert (model.config.fields, report["not_learnt"]) == (["sentiment"], [])
    assert list(model.predict(maker.split(maker.rows(1)))) == ["sentiment"]
    with pytest.raises(InputError, match="did you mean 'emotion'"):
        fit("majority", data, fields=["emotoin"])
