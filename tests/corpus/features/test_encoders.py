"""Pretrained encoders: batches change nothing, padding is not pooled, and unsafe models are refused."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from corpus.features.audio_encoder import AudioEncoder
from corpus.features.batches import by_length
from corpus.features.catalogue import Options, create
from corpus.features.extractor import Absent, Extractor, Item, Modality, results
from corpus.features.image_encoder import ImageEncoder
from corpus.features.pretrained import Pretrained
from corpus.features.text_encoder import TextEncoder
from schemas.errors import InputError
from tests.corpus.features.conftest import RATE

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
RANDOM = np.random.default_rng(2)
Models = Callable[[str], Path]

AUDIO = ["wav2vec2 without mask", "wav2vec2 with mask", "hubert", "whisper", "wav2vec2-bert"]


def sounds(*samples: int) -> list[Item]:
    return [
        Item(f"u{n}", audio=(0.1 * RANDOM.standard_normal(one)).astype(np.float32))
        for n, one in enumerate(samples)
    ]


def pictures(*counts: int) -> list[Item]:
    return [
        Item(f"u{n}", images=list(RANDOM.integers(0, 256, (one, 70, 90, 3), dtype=np.uint8)))
        for n, one in enumerate(counts)
    ]


def same_alone(extractor: Extractor, items: list[Item]) -> list[np.ndarray]:
    """Check that every item has the features that it has alone, and return them."""
    together = results(extractor, items)
    for item, found in zip(items, together, strict=True):
        (alone,) = results(extractor, [item])
        np.testing.assert_allclose(found, alone, atol=1e-5)
    return together


@pytest.mark.parametrize("sequence", [True, False])
@pytest.mark.parametrize("kind", AUDIO)
def test_sound_in_batches_is_as_alone(small_model: Models, kind: str, sequence: bool) -> None:
    extractor = AudioEncoder(kind, sequence, model=Pretrained(str(small_model(kind))))
    items = sounds(16_000, 9_000, 9_000, 23_457, 1_700)
    found = same_alone(extractor, items)
    if sequence:
        # A frame every 20 ms, and none for the padding.
        for item, frames in zip(items, found, strict=True):
            assert len(frames) == pytest.approx(len(item.audio) / 320, abs=1.5)


def test_frames_of_sound_are_those_of_the_model(small_model: Models) -> None:
    folder = small_model("wav2vec2 with mask")
    (item,) = sounds(20_000)
    (found,) = results(AudioEncoder("x", True, model=Pretrained(str(folder))), [item])
    front = transformers.AutoFeatureExtractor.from_pretrained(folder)
    model = transformers.AutoModel.from_pretrained(folder).eval()
    with torch.inference_mode():
        expected = model(**front(item.audio, sampling_rate=RATE, return_tensors="pt")).last_hidden_state[0]
    np.testing.assert_allclose(found, expected.numpy(), atol=1e-5)


@pytest.mark.parametrize("kind", AUDIO)
def test_pooled_sound_is_the_mean_of_its_frames(small_model: Models, kind: str) -> None:
    model = Pretrained(str(small_model(kind)))
    items = sounds(16_000, 5_000)
    frames = results(AudioEncoder(kind, True, model=model), items)
    pooled = results(AudioEncoder(kind, False, model=model), items)
    for one, mean in zip(frames, pooled, strict=True):
        np.testing.assert_allclose(one.mean(axis=0), mean, atol=1e-5)


@pytest.mark.parametrize("kind", AUDIO)
def test_sound_shorter_than_the_model_sees(small_model: Models, kind: str) -> None:
    extractor = AudioEncoder(kind, model=Pretrained(str(small_model(kind))))
    short, long = results(extractor, sounds(300, 8_000))
    if kind != "whisper":  # which fills up to 30 s
        assert short == Absent("the sound is shorter than the model's window")
    assert np.isfinite(long).all()
    (silent,) = results(extractor, [Item("silent", audio=np.zeros(RATE, np.float32))])
    assert np.isfinite(silent).all()


def test_long_sound_is_not_cut_off(small_model: Models) -> None:
    (item,) = sounds(70 * RATE)
    extractor = AudioEncoder("whisper", True, model=Pretrained(str(small_model("whisper"))))
    (found,) = results(extractor, [item])
    assert found.shape == (3_500, 32)
    last = Item("end", audio=item.audio[60 * RATE :])
    np.testing.assert_allclose(results(extractor, [last])[0], found[3_000:], atol=1e-5)


def test_a_model_of_patches_has_no_frames(small_model: Models) -> None:
    model = Pretrained(str(small_model("spectrogram patches")))
    same_alone(AudioEncoder("ast", model=model), sounds(16_000, 9_000))
    with pytest.raises(InputError, match="no frames in time"):
        AudioEncoder("ast", True, model=model).recipe()


def test_a_model_of_another_rate_is_refused(small_model: Models, tmp_path: Path) -> None:
    folder = tmp_path / "m"
    shutil.copytree(small_model("wav2vec2 with mask"), folder)
    path = folder / "preprocessor_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "sampling_rate": 24_000}))
    with pytest.raises(InputError, match="another rate"):
        AudioEncoder("x", model=Pretrained(str(folder))).recipe()


@pytest.mark.parametrize("sequence", [True, False])
@pytest.mark.parametrize("kind", ["mobilenetv2", "vit", "clip"])
def test_pictures_in_batches_are_as_alone(small_model: Models, kind: str, sequence: bool) -> None:
    extractor = ImageEncoder(kind, sequence=sequence, model=Pretrained(str(small_model(kind))))
    found = same_alone(extractor, pictures(3, 1, 40, 2))  # 40: over the border of a batch
    if sequence:
        assert [len(one) for one in found] == [3, 1, 40, 2]


def test_pictures_are_encoded_as_the_model_does(small_model: Models) -> None:
    folder = small_model("mobilenetv2")
    (item,) = pictures(3)
    (found,) = results(ImageEncoder("x", model=Pretrained(str(folder))), [item])
    processor = transformers.AutoImageProcessor.from_pretrained(folder, backend="pil")
    model = transformers.AutoModel.from_pretrained(folder).eval()
    with torch.inference_mode():
        expected = model(**processor(list(item.images), return_tensors="pt")).pooler_output.mean(axis=0)
    np.testing.assert_allclose(found, expected.numpy(), atol=1e-5)


def test_pictures_are_taken_only_when_it_is_their_turn(small_model: Models) -> None:
    made = []

    def lazily() -> object:
        for item in pictures(*([20] * 10)):
            made.append(item)
            yield item

    extractor = ImageEncoder("x", model=Pretrained(str(small_model("mobilenetv2"))))
    first = next(extractor.extract(lazily()))
    assert first.shape == (1280,)
    assert len(made) <= 3


@pytest.mark.parametrize("sequence", [True, False])
def test_texts_in_batches_are_as_alone(small_model: Models, sequence: bool) -> None:
    models = ((None, Pretrained(str(small_model("bert")))),)
    items = [Item(str(n), text) for n, text in enumerate(["a", "bob 22", "我很高兴", "x " * 90, "a"])]
    found = same_alone(TextEncoder("bert", sequence, models), items)
    if sequence:
        assert [len(one) for one in found] == [3, 7, 6, 40, 3]  # with [CLS] and [SEP]; 40 fit the model


def test_the_language_chooses_the_model(small_model: Models) -> None:
    narrow, wide = (Pretrained(str(small_model(kind))) for kind in ("bert", "bert, wider"))
    items = [Item("0", "ab", "zh-TW"), Item("1", "ab", "en"), Item("2", "ab", "pl"), Item("3", "ab")]
    found = results(TextEncoder("bert", False, (("zh", narrow), ("en", wide))), items)
    assert [one.shape for one in found[:2]] == [(32,), (48,)]
    assert found[2:] == [Absent("there is no model for its language")] * 2


def test_a_real_encoder_knows_meaning(minilm: Path) -> None:
    texts = ["I am so happy today!", "What a joyful day.", "The train leaves at noon."]
    extractor = create("text-encoder", Options(models=[str(minilm)]))
    found = np.stack(results(extractor, [Item(str(n), text) for n, text in enumerate(texts)]))
    found /= np.linalg.norm(found, axis=1, keepdims=True)
    alike = found @ found.T
    assert found.shape == (3, 384)
    assert alike[0, 1] > 0.5 > 0.2 > max(alike[0, 2], alike[1, 2])
    # As sentence-transformers calculates it: the mean over all tokens of the last layer.
    tokenizer = transformers.AutoTokenizer.from_pretrained(minilm)
    model = transformers.AutoModel.from_pretrained(minilm).eval()
    with torch.inference_mode():
        expected = model(**tokenizer(texts[0], return_tensors="pt")).last_hidden_state[0].mean(axis=0)
    np.testing.assert_allclose(found[0], expected / expected.norm(), atol=1e-5)


# -- what is refused ----------------------------------------------------------------------------------------


def damaged(model: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "damaged"
    shutil.copytree(model, folder)
    return folder


def fault(folder: Path) -> str:
    extractor = ImageEncoder("x", model=Pretrained(str(folder)))
    try:
        extractor.recipe()
        results(extractor, pictures(1))
    except InputError as error:
        return str(error)
    return "no fault was found"


def test_pickled_weights_are_refused(small_model: Models, tmp_path: Path) -> None:
    folder = damaged(small_model("vit"), tmp_path)
    (folder / "model.safetensors").unlink()
    torch.save({}, folder / "pytorch_model.bin")
    assert "pickled" in fault(folder)
    assert "pytorch_model.bin" in fault(folder)


def test_folders_that_are_no_models_are_refused(small_model: Models, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert "no config.json" in fault(tmp_path / "empty")
    folder = damaged(small_model("vit"), tmp_path)
    (folder / "model.safetensors").write_bytes(b"these are no weights")
    assert "AutoModel cannot read this model" in fault(folder)
    folder = damaged(small_model("vit"), tmp_path / "other")
    (folder / "preprocessor_config.json").unlink()
    assert "AutoImageProcessor cannot read this model" in fault(folder)


def test_random_weights_are_refused(small_model: Models, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    folder = damaged(small_model("vit"), tmp_path)
    weights = load_file(folder / "model.safetensors")
    gone = next(name for name in weights if "layer" in name)
    del weights[gone]
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    assert "weights are missing" in fault(folder)


def test_code_of_a_model_is_not_run(small_model: Models, tmp_path: Path) -> None:
    folder = damaged(small_model("vit"), tmp_path)
    config = json.loads((folder / "config.json").read_text())
    config |= {"model_type": "evil", "auto_map": {"AutoConfig": "evil.Config", "AutoModel": "evil.Model"}}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    assert "AutoModel cannot read this model" in fault(folder)
    assert not (tmp_path / "ran").exists()


def test_a_model_that_cannot_be_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    for name, message in (("nobody/no-such-model", "cannot be reached"), ("/no/such", "no such folder")):
        with pytest.raises(InputError, match=message):
            Pretrained(name).folder()


def test_the_recipe_names_the_model_by_its_weights(small_model: Models, tmp_path: Path) -> None:
    folder = damaged(small_model("vit"), tmp_path)
    recipe = create("image-encoder", Options(models=[str(folder)], images="faces")).recipe()
    parameters = recipe["parameters"]
    assert recipe["modality"] == "faces" == Modality.FACES
    assert parameters["model"] == "damaged"
    assert str(tmp_path) not in json.dumps(recipe)
    with (folder / "model.safetensors").open("r+b") as file:
        file.seek(-1, 2)
        file.write(b"\x01")
    changed = create("image-encoder", Options(models=[str(folder)], images="faces")).recipe()
    assert changed["parameters"]["weights_sha256"] != parameters["weights_sha256"]


def test_options_that_an_extractor_does_not_take_are_all_named() -> None:
    with pytest.raises(InputError) as caught:
        create("ngrams", Options(models=["x"], sequence=True))
    assert [issue.value for issue in caught.value.issues] == ["--model", "--sequence"]
    for name, options in (
        ("audio-encoder", Options()),
        ("mobilenetv2", Options(models=["a", "b"])),
        ("mobilenetv2", Options(images="hands")),
        ("text-encoder", Options(models=["en=a", "en=b"])),
        ("text-encoder", Options(models=["en=a", "zh=b"], revision="main")),
        ("text-encoder", Options()),
        ("openface", Options()),
        ("mfc", Options()),
    ):
        with pytest.raises(InputError):
            create(name, options)


def test_batches_hold_everything_once_and_are_not_too_big() -> None:
    lengths = [int(one) for one in RANDOM.integers(1, 100, 200)]
    batches = by_length(lengths, 300)
    assert sorted(place for batch in batches for place in batch) == list(range(200))
    assert all(len(batch) * max(lengths[place] for place in batch) <= 300 for batch in batches)
    assert by_length([5, 5, 7, 900], 10, ["a", "b", "a", "a"]) == [[0], [2], [3], [1]]
    assert by_length([], 10) == []
