"""Sound and pictures that a model reads itself: from a dataset, frozen and tuned, missing and hidden."""

from __future__ import annotations

import dataclasses
import io
import shutil

import numpy as np
import pyarrow as pa
import pytest
import torch
from safetensors import safe_open

from baselines.clip_decoding import decode_pictures, decode_sound, spread
from baselines.clips import Clip
from baselines.data import describe, load_training, read_split
from baselines.modalities import hide
from baselines.models import load_model
from baselines.split_rows import join, take
from baselines.training import fit
from corpus.features.audio_encoder import AudioEncoder
from corpus.features.extractor import Item, results
from corpus.features.image_encoder import ImageEncoder
from corpus.features.pretrained import Pretrained
from schemas.errors import InputError
from schemas.tables import write_table
from tests.baselines.neural import QUICK
from tests.baselines.recordings import RATE, flac, mp4, tone, write_media
from tests.corpus.features.conftest import small_model  # noqa: F401 - a fixture

ONCE = {**QUICK, "epochs": 1, "ngrams": False, "encoder_layers": 1, "encoder_learning_rate": 0.01}


@pytest.fixture
def recorded(tiny, maker):
    return write_media(tiny, maker)


def test_recordings_of_a_dataset_are_read_when_they_are_wanted(recorded, cache):
    description = describe(recorded)
    split = read_split(recorded, description, "validation", cache)
    assert split.clips[1].sound() is None
    assert list(split.clips[1].pictures(3)) == []
    sound = split.clips[0].sound()
    assert sound.dtype == np.float32
    assert len(sound) == 0.3 * RATE
    assert [one.shape for one in split.clips[0].pictures(3)] == [(64, 64, 3)] * 3
    assert len(split.clips[0].pictures(99)) == 5


def test_clips_go_with_their_rows(recorded, cache):
    split = read_split(recorded, describe(recorded), "validation", cache)
    part = take(split, np.array([3, 4]))
    assert [one.utterance_id for one in part.clips] == part.utterance_ids
    whole = join("all", [split, dataclasses.replace(split, name="again")])
    assert [one.utterance_id for one in whole.clips] == whole.utterance_ids


def test_sound_and_pictures_are_hidden_like_words(recorded, cache):
    split = read_split(recorded, describe(recorded), "validation", cache)
    deaf, blind = hide(split, ["audio"]), hide(split, ["video"])
    assert deaf.clips[0].sound() is None
    assert len(deaf.clips[0].pictures(2)) == 2
    assert blind.clips[0].sound() is not None
    assert len(blind.clips[0].pictures(2)) == 0


def test_a_damaged_recording_is_named():
    with pytest.raises(InputError, match="damaged"):
        decode_sound(io.BytesIO(b"nonsense"), "u1")
    with pytest.raises(InputError, match="damaged"):
        decode_pictures(io.BytesIO(flac(tone("joy", 1))[:20]), 3, "u1")
    clip = io.BytesIO(mp4((0, 0, 0)))
    assert len(decode_sound(clip, "u1")) == 0
    assert decode_pictures(io.BytesIO(flac(tone("joy", 1))), 3, "u1") == []


def test_pictures_are_spread_evenly():
    assert spread(10, 2) == [2, 7]
    assert spread(2, 5) == [0, 1]
    assert spread(0, 5) == []


def test_a_dataset_without_recordings_says_so(tiny, cache, small_model, maker):  # noqa: F811
    settings = {**ONCE, "audio_encoder": str(small_model("hubert"))}
    with pytest.raises(InputError, match="has no recordings"):
        fit("context-fusion", load_training(tiny, cache), 0, settings)
    ids = pa.table({"utterance_id": ["t0_0"], "media_path": ["clips/t0_0.mp4"]})
    for name in ("train", "validation"):  # which says where recordings are and does not hold them
        write_table(tiny / "media" / f"{name}-00000-of-00001.parquet", ids, ids.schema)
    with pytest.raises(InputError, match="has no recordings"):
        fit("context-fusion", load_training(tiny, cache), 0, settings)
    data = load_training(tiny, cache)
    bare = dataclasses.replace(data, train=dataclasses.replace(data.train, clips=()))
    with pytest.raises(InputError, match="the dataset has none"):
        fit("context-fusion", bare, 0, settings)


def test_a_frozen_encoder_sees_what_features_hold(recorded, cache, small_model):  # noqa: F811
    for kind, setting in (
        ("wav2vec2 without mask", "audio_encoder"),
        ("wav2vec2-bert", "audio_encoder"),
        ("mobilenetv2", "image_encoder"),
        ("clip", "image_encoder"),
    ):
        data = load_training(recorded, cache)
        path = str(small_model(kind))
        model, _ = fit("bc-lstm", data, 0, {**ONCE, setting: path})
        split = data.validation
        (encoder,) = model.encoders.each.values()
        found = encoder.read(split).features
        if setting == "audio_encoder":
            extractor = AudioEncoder("x", model=Pretrained(path))
            items = [Item(one.utterance_id, audio=one.sound()) for one in split.clips]
        else:
            extractor = ImageEncoder("x", model=Pretrained(path))
            items = [Item(one.utterance_id, images=one.pictures(4)) for one in split.clips]
        for row, expected in enumerate(results(extractor, items)):
            assert found.present[row] == isinstance(expected, np.ndarray)
            if found.present[row]:
                # A model brings what it encodes itself to one scale; features are standardised over train.
                scaled = (expected - expected.mean()) / np.sqrt(expected.var() + 1e-5)
                np.testing.assert_allclose(found.values[row], scaled, atol=1e-4)


@pytest.mark.parametrize(
    ("kind", "tuning"),
    [
        ("wav2vec2 without mask", "full"),
        ("wav2vec2 with mask", "partial"),
        ("hubert", "lora"),
        ("whisper", "full"),
        ("wav2vec2-bert", "lora"),
        ("vit", "lora"),
        ("mobilenetv2", "partial"),
        ("clip", "full"),
        ("hubert", "frozen"),
        ("vit", "frozen"),
    ],
)
def test_tuned_encoders_of_sound_and_pictures(recorded, cache, small_model, tmp_path, kind, tuning):  # noqa: F811
    folder = tmp_path / "encoder"
    shutil.copytree(small_model(kind), folder)
    sort = "image" if kind in ("vit", "mobilenetv2", "clip") else "audio"
    data = load_training(recorded, cache)
    settings = {**ONCE, f"{sort}_encoder": str(folder), f"{sort}_tuning": tuning}
    model, _ = fit("context-fusion", data, 0, settings)
    name = f"{sort} encoder"
    assert list(model.encoders.each) == [name]
    before = type(model).fresh(model.config)
    before.encoders.each[name].fit(data.train)
    old, new = (one.encoders.each[name].model.state_dict() for one in (before, model))
    moved = {one for one in old if not torch.equal(old[one], new[one])}
    trained = {
        one for one, there in model.encoders.each[name].model.named_parameters() if there.requires_grad
    }
    assert moved <= trained
    assert bool(moved) == (tuning != "frozen")

    shutil.rmtree(folder)  # a saved model needs it no more
    together = model.scores(data.validation)
    model.save_pretrained(tmp_path / "saved")
    with safe_open(tmp_path / "saved" / "model.safetensors", "np") as file:
        # Checkpoints of a training are read by these names, the best epoch among them.
        assert set(file.keys()) == set(model.state_dict())
    for field, scores in load_model(tmp_path / "saved").scores(data.validation).items():
        assert np.abs(scores - together[field]).max() < 1e-5
    alone = model.scores(take(data.validation, np.flatnonzero(data.validation.dialogue == 2)))
    mine = together["emotion"][data.validation.dialogue == 2]
    assert np.abs(alone["emotion"] - mine).max() < 1e-5
    gone = hide(data.validation, ["audio", "video"])
    assert not np.allclose(model.scores(gone)["emotion"], together["emotion"])


def test_what_a_frozen_encoder_said_is_hidden_without_reading_again(recorded, cache, small_model):  # noqa: F811
    data = load_training(recorded, cache)
    settings = {**ONCE, "ngrams": True, "audio_encoder": str(small_model("hubert"))}
    settings |= {"image_encoder": str(small_model("vit")), "image_tuning": "full"}
    model, _ = fit("context-fusion", data, 0, settings)
    split = data.validation
    prepared = model.encoders.prepare(split)
    assert list(prepared.features) == ["audio encoder"]
    unread = dataclasses.replace(prepared, clips=[one.without("audio") for one in prepared.clips])
    for hidden in ([], ["audio"], ["text", "video"], ["text"]):
        expected = model.scores(hide(split, hidden))
        for field, scores in model.scores(hide(unread, hidden)).items():
            assert np.abs(scores - expected[field]).max() < 1e-6


def test_what_cannot_be_tuned_is_said(recorded, cache, small_model):  # noqa: F811
    data = load_training(recorded, cache)
    with pytest.raises(InputError, match="no linear layers"):
        fit(
            "lmf",
            data,
            0,
            {**ONCE, "image_encoder": str(small_model("mobilenetv2")), "image_tuning": "lora"},
        )
    with pytest.raises(InputError, match="no such choice"):
        fit("lmf", data, 0, {**ONCE, "audio_tuning": "somewhat"})


def test_a_split_without_any_recording_is_answered_for(recorded, cache, small_model):  # noqa: F811
    data = load_training(recorded, cache)
    settings = {**ONCE, "ngrams": True, "audio_encoder": str(small_model("hubert")), "audio_tuning": "full"}
    settings |= {"image_encoder": str(small_model("vit")), "image_tuning": "full"}
    model, _ = fit("context-fusion", data, 0, settings)
    bare = dataclasses.replace(data.validation, clips=())
    hidden = hide(data.validation, ["audio", "video"])
    assert all(isinstance(one, Clip) for one in hidden.clips)
    for field, scores in model.scores(bare).items():
        assert np.array_equal(scores, model.scores(hidden)[field])
