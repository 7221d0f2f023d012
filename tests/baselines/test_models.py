"""The floors: what they answer, that saving loses nothing, and odd training data."""

from __future__ import annotations

import json

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from baselines.data import Description, TrainingData
from baselines.decoding import decode
from baselines.models import MODELS, find_model, load_model
from baselines.ngrams import Ngrams
from baselines.training import fit, train
from schemas.errors import InputError

FLOORS = ("majority", "tfidf-logistic")


def training_data(maker, rows, held_out=None):
    description = Description(maker.schema, maker.text, "digest", {})
    held_out = maker.rows(4, "v") if held_out is None else held_out
    return TrainingData(description, maker.split(rows), maker.split(held_out, "validation"))


def test_majority_answers_are_the_known_ones(maker):
    rows = maker.rows(4)
    for number, row in enumerate(rows):
        row["emotion"] = "anger" if number % 3 else "joy"
        row["valence"] = float(1 + number % 3)
        row["tags"] = [["none"], ["loud"], ["loud", "quick"]][number % 3]
        row["pull"] = None if number % 2 else -1
    rows = rows[:12]
    model, _ = fit("majority", training_data(maker, rows))
    predicted = model.predict(maker.split(maker.rows(1)))
    assert predicted["emotion"].tolist() == [2, 2]
    assert predicted["valence"].tolist() == [2.0, 2.0]
    assert predicted["tags"].tolist() == [[False, True, False]] * 2  # loud in two of three
    assert predicted["pull"].tolist() == [0, 0]
    assert model.scores(maker.split(rows))["emotion"][0].tolist() == pytest.approx([0, 1 / 3, 2 / 3])


def test_equals_are_settled_in_schema_order(maker):
    scores = np.array([[0.4, 0.4, 0.2], [0.2, 0.4, 0.4]])
    assert decode(maker.schema["emotion"], scores).tolist() == [0, 1]


@pytest.mark.parametrize(
    ("scores", "chosen"),
    [
        ([0.9, 0.8, 0.1], [1, 0, 0]),  # the exclusive value is likelier: alone
        ([0.7, 0.8, 0.6], [0, 1, 1]),  # it is not: dropped
        ([0.2, 0.8, 0.6], [0, 1, 1]),
        ([0.4, 0.3, 0.1], [0, 0, 0]),  # nothing is likelier than not: the empty set
        ([0.5, 0.5, 0.5], [0, 0, 0]),
    ],
)
def test_exclusive_values_stand_alone(maker, scores, chosen):
    assert decode(maker.schema["tags"], np.array([scores])).astype(int).tolist() == [chosen]


def test_numbers_stay_on_the_scale(maker):
    assert decode(maker.schema["valence"], np.array([-3.0, 4.5, 99.0])).tolist() == [1.0, 4.5, 9.0]


def test_words_in_two_languages_are_learnt(maker):
    model, report = fit("tfidf-logistic", training_data(maker, maker.rows(24)))
    unseen = [dict(row, text=row["text"][:4]) for row in maker.rows(4)]  # the Chinese part, cut short
    split = maker.split(unseen)
    predicted = model.predict(split)
    for name in ("emotion", "sentiment", "tags", "pull"):
        assert (predicted[name] == split.labels[name].values).all(), name
    assert np.abs(predicted["valence"] - split.labels["valence"].values).mean() < 1.5
    assert set(report["selection"]["penalty"]) == set(maker.fields)
    assert report["selection"]["penalty"]["emotion"]["macro_f1"]["1.0"] == 1


@pytest.mark.parametrize("name", FLOORS)
def test_what_is_saved_is_what_is_loaded(name, sample, tmp_path, cache):
    trained = train(name, sample, tmp_path / "run", cache_dir=cache)
    from baselines.data import describe, read_split

    split = read_split(sample, describe(sample), "validation", cache)
    loaded = load_model(tmp_path / "run")
    assert type(loaded) is MODELS[name]
    assert loaded.config == trained.model.config
    before, after = trained.model.scores(split), loaded.scores(split)
    assert list(before) == list(after)
    for field, scores in before.items():
        assert np.array_equal(scores, after[field])
        assert not np.isnan(scores).any()
    assert {path.suffix for path in (tmp_path / "run").iterdir()} == {".json", ".safetensors", ".md"}


@pytest.mark.parametrize("name", FLOORS)
def test_row_order_and_batch_mates_change_nothing(name, maker):
    model, _ = fit(name, training_data(maker, maker.rows(12)))
    split = maker.split(maker.rows(4))
    for place, row in enumerate(maker.rows(4)):
        alone = model.scores(maker.split([row]))
        for field, scores in model.scores(split).items():
            assert np.allclose(alone[field][0], scores[place], atol=1e-12)


def test_permuted_labels_give_permuted_answers(maker):
    swap = {"neutral": "joy", "joy": "anger", "anger": "neutral"}
    rows = maker.rows(12)
    swapped = [dict(row, emotion=swap[row["emotion"]]) for row in rows]
    held_out = maker.rows(4, "v")
    other = [dict(row, emotion=swap[row["emotion"]]) for row in held_out]
    first, _ = fit("tfidf-logistic", training_data(maker, rows, held_out))
    second, _ = fit("tfidf-logistic", training_data(maker, swapped, other))
    split = maker.split(held_out)
    columns = [1, 2, 0]  # neutral, joy, anger become joy, anger, neutral
    assert np.allclose(second.scores(split)["emotion"][:, columns], first.scores(split)["emotion"], atol=1e-6)


@pytest.mark.parametrize("name", FLOORS)
def test_a_class_absent_in_train_is_never_predicted(name, maker):
    rows = [row for row in maker.rows(12) if row["emotion"] != "anger"]
    model, _ = fit(name, training_data(maker, rows))
    scores = model.scores(maker.split(maker.rows(4)))["emotion"]
    assert scores[:, 2].max() < 1e-9
    assert np.allclose(scores.sum(axis=1), 1)


@pytest.mark.parametrize("name", FLOORS)
def test_one_class_alone_and_constant_sets(name, maker):
    rows = [dict(row, emotion="joy", tags=["loud"], valence=3.0) for row in maker.rows(6)]
    model, _ = fit(name, training_data(maker, rows))
    predicted = model.predict(maker.split(maker.rows(2)))
    assert set(predicted["emotion"].tolist()) == {1}
    assert predicted["tags"].tolist() == [[False, True, False]] * len(predicted["tags"])
    assert np.allclose(predicted["valence"], 3, atol=1e-5)


@pytest.mark.parametrize("name", FLOORS)
def test_a_field_without_labels_is_not_learnt_and_said_so(name, maker):
    rows = [dict(row, pull=None) for row in maker.rows(6)]
    model, report = fit(name, training_data(maker, rows))
    assert report["not_learnt"] == ["pull"]
    assert "pull" not in model.predict(maker.split(maker.rows(1)))


@pytest.mark.parametrize("name", FLOORS)
def test_a_field_without_labels_in_validation_takes_the_first_setting(name, maker):
    held_out = [dict(row, emotion=None) for row in maker.rows(3, "v")]
    model, report = fit(name, training_data(maker, maker.rows(6), held_out))
    assert "emotion" in model.config.fields
    if name == "tfidf-logistic":
        assert report["selection"]["penalty"]["emotion"]["chosen"] == 1.0
        assert list(report["selection"]["penalty"]["emotion"]["macro_f1"].values()) == [None]


def test_nothing_to_learn_is_refused(maker):
    rows = [dict(row, **dict.fromkeys(maker.fields)) for row in maker.rows(2)]
    with pytest.raises(InputError, match="no utterance of train has a label"):
        fit("majority", training_data(maker, rows))
    silent = [dict(row, text="") for row in maker.rows(2)]
    with pytest.raises(InputError, match="no term occurs in two texts"):
        fit("tfidf-logistic", training_data(maker, silent))


def test_unknown_models_are_refused_with_the_known_ones():
    with pytest.raises(InputError, match="did you mean 'majority'"):
        find_model("majorty")


def test_ngrams_restore_from_lists():
    texts = ["我真高兴！", "真高兴啊！", "so glad!", "so so glad"]
    fitted = Ngrams.fit(texts)
    restored = Ngrams(json.loads(json.dumps(fitted.vocabulary)), fitted.idf)
    assert (fitted.transform(texts) != restored.transform(texts)).nnz == 0
    assert "高兴" in fitted.vocabulary["character"]
    assert "！" in fitted.vocabulary["word"]


@pytest.fixture
def saved(tiny, tmp_path, cache):
    train("tfidf-logistic", tiny, tmp_path / "run", cache_dir=cache)
    return tmp_path / "run"


def test_a_damaged_model_is_refused(saved):
    weights = saved / "model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-100])
    with pytest.raises(InputError, match="damaged"):
        load_model(saved)
    weights.write_bytes(b"no")
    with pytest.raises(InputError, match="damaged"):
        load_model(saved)
    weights.unlink()
    with pytest.raises(InputError, match="not there"):
        load_model(saved)
    weights.write_bytes(whole)
    tensors = load_file(weights)
    save_file({name: one for name, one in tensors.items() if name != "bias.pull"}, weights)
    with pytest.raises(InputError, match=r"bias\.pull"):
        load_model(saved)
    save_file(tensors | {"weights.pull": tensors["weights.pull"][:, :-1].copy()}, weights)
    with pytest.raises(InputError, match="do not fit"):
        load_model(saved)


def test_a_damaged_config_is_refused(saved):
    config = saved / "config.json"
    content = json.loads(config.read_text("utf-8"))
    config.write_text(json.dumps({"model_type": "majority", "seed": 0}), "utf-8")
    with pytest.raises(InputError) as caught:
        load_model(saved)
    assert [issue.column for issue in caught.value.issues] == ["schema", "fields", "dataset"]
    config.write_text(json.dumps(content | {"model_type": "gpt"}), "utf-8")
    with pytest.raises(InputError, match="no such model"):
        load_model(saved)
    config.write_text("{", "utf-8")
    with pytest.raises(InputError, match="not readable JSON"):
        load_model(saved)
    config.unlink()
    with pytest.raises(InputError, match="baselines train"):
        load_model(saved)
    config.write_text(json.dumps(content), "utf-8")
    with pytest.raises(InputError, match="another kind"):
        MODELS["majority"].from_pretrained(saved)
