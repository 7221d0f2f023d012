"""Predictions for a folder of clips: what the run wants is made by the recipes that it carries."""

from __future__ import annotations

import json
import shutil
import wave

import numpy as np
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from annotation.predictions import read_predictions
from baselines.cli import app
from baselines.clip_folder import is_clip_folder, opened
from baselines.data import load_training
from baselines.prediction import predict
from baselines.training import train
from corpus.features.extractor import Item, Modality, results
from corpus.features.mfcc import Mfcc
from corpus.features.pretrained import Pretrained
from corpus.features.remaking import remake
from corpus.features.text_encoder import TextEncoder
from schemas.errors import InputError
from schemas.project import Project
from tests.baselines.neural import QUICK
from tests.baselines.recordings import COLOURS, RATE, mp4, tone, write_media
from tests.baselines.test_inputs import table
from tests.corpus.features.conftest import small_model  # noqa: F401 - a fixture


def write_wav(path, samples):
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes((samples * 32767).astype("<i2").tobytes())


@pytest.fixture
def folder(tmp_path):
    """Return a folder of two dialogues, in which words, sound or pictures are missing now and then."""
    path = tmp_path / "talk"
    write_wav(path / "2.wav", tone("joy", 1))
    write_wav(path / "10.wav", tone("anger", 2))
    (path / "2.txt").write_text("我真高兴，\ngreat day!\n", "utf-8")
    (path / "next").mkdir()
    (path / "next" / "a.mp4").write_bytes(mp4(COLOURS["joy"]))
    (path / "next" / "a.txt").write_text("go away!", "utf-8")
    (path / "next" / "b.mp4").write_bytes(mp4(COLOURS["anger"], samples=tone("anger", 3)))
    (path / ".hidden.wav").write_bytes(b"")
    return path


def give_features(dataset, name, recipe, vectors):
    """Give a dataset features of random numbers, with a recipe."""
    for path in (dataset / "default").glob("*.parquet"):
        ids = pq.read_table(path, columns=["utterance_id"]).column(0).to_pylist()
        target = dataset / f"features-{name}" / path.name
        target.parent.mkdir(exist_ok=True)
        pq.write_table(table(ids, [vectors(one) for one in ids]), target)
    (dataset / f"features-{name}" / "recipe.json").write_text(json.dumps(recipe), "utf-8")


def of_width(width):
    rng = np.random.default_rng(0)
    return lambda _: rng.standard_normal(width).tolist()


def test_a_folder_of_clips_is_read_in_the_order_of_people(folder, tiny):
    assert is_clip_folder(folder)
    assert not is_clip_folder(tiny)
    with opened(folder, [Modality.AUDIO]) as (split, project):
        assert split.utterance_ids == ["2", "10", "next/a", "next/b"]
        assert split.dialogue.tolist() == [0, 0, 1, 1]
        assert split.texts == ["我真高兴， great day!", "", "go away!", ""]
        assert len(split.clips[1].sound()) == len(tone("anger", 2))
        assert split.clips[2].sound() is None
        assert len(split.clips[3].pictures(2)) == 2
    assert not project.root.exists()


def test_a_table_tells_words_order_and_speakers(folder):
    cells = ["next/b,one,A,x", "2,two,B,x", "10,three,A,x", "next/a,four,A,y", "z,five,B,y"]
    rows = "\n".join(["utterance_id,text,speaker_id,dialogue_id", *cells])
    (folder / "words.csv").write_text(rows, "utf-8")
    with opened(folder, []) as (split, _):
        assert split.utterance_ids == ["next/b", "2", "10", "next/a", "z"]
        assert split.speakers == ["A", "B", "A", "A", "B"]
        assert split.clips[4].sound() is None
    (folder / "words.csv").write_text(rows.replace("next/a", "next/c"), "utf-8")
    with pytest.raises(InputError, match="no row of this recording"), opened(folder, []):
        pass
    (folder / "more.tsv").write_text("text\nx\n", "utf-8")
    with pytest.raises(InputError, match="here are several"), opened(folder, []):
        pass


def test_recordings_that_cannot_be_read_are_named(folder):
    (folder / "2.wav").write_bytes(b"nonsense")
    with pytest.raises(InputError) as caught, opened(folder, [Modality.AUDIO]):
        pass
    assert str(folder / "2.wav") in str(caught.value)
    shutil.copy(folder / "10.wav", folder / "10.mp4")
    with pytest.raises(InputError, match="two recordings have this name"), opened(folder, []):
        pass


def test_features_are_made_as_the_run_says_and_missing_ones_are_masked(tiny, folder, tmp_path, cache, maker):
    recipe = {"name": "mfcc", "made_by": "corpus features", **Mfcc().recipe(), "width": 0}
    (one,) = results(Mfcc(), [Item("u", audio=tone("joy", 1))])
    give_features(tiny, "mfcc", recipe, of_width(len(one)))
    run = tmp_path / "run"
    train("context-fusion", tiny, run, settings=QUICK, cache_dir=cache)
    result = CliRunner().invoke(app, ["predict", str(run), str(folder), "--json"], catch_exceptions=False)
    found = json.loads(result.stdout)
    assert found["missing"] == {"mfcc": 1, "text": 2}
    assert found["predictions"] == str(tmp_path / "talk.predictions.parquet")
    assert list(read_predictions(tmp_path / "talk.predictions.parquet", maker.schema)) == [
        *("2", "10", "next/a", "next/b")
    ]
    # Of a transcript all sound is missing.
    (tmp_path / "talk.txt").write_text("A: go away!\n", "utf-8")
    assert predict(run, tmp_path / "talk.txt").missing == {"mfcc": 1, "text": 0}


def test_what_the_run_wants_and_is_not_at_hand_is_said(tiny, folder, tmp_path, cache, small_model):  # noqa: F811
    model = tmp_path / "somewhere" / "my-bert"
    shutil.copytree(small_model("bert"), model)
    made = TextEncoder("text-encoder", models=((None, Pretrained(str(model))),))
    recipe = {"name": "words", "made_by": "corpus features", **made.recipe()}
    give_features(tiny, "words", recipe, of_width(32))
    give_features(tiny, "given", {"made_by": "somebody"}, of_width(2))
    train("bc-lstm", tiny, tmp_path / "run", settings=QUICK, cache_dir=cache)
    with pytest.raises(InputError) as caught:
        predict(tmp_path / "run", folder)
    first, second = sorted(str(issue) for issue in caught.value.issues)
    assert "'my-bert'" in first
    assert "--model" in first
    assert "not made by 'corpus features'" in second
    train("bc-lstm", tiny, tmp_path / "again", settings=QUICK, cache_dir=cache, features=["words"])
    with pytest.raises(InputError, match="not at hand"):
        predict(tmp_path / "again", folder, models=[str(small_model("bert, wider"))])
    found = predict(tmp_path / "again", folder, models=[str(small_model("bert, wider")), str(model)])
    assert found.missing == {"words": 2}
    with pytest.raises(InputError, match="another way"):
        remake("words", {**recipe, "version": 99}, [str(model)])


def test_a_model_that_sees_nothing_of_it_is_refused(tiny, tmp_path, cache):
    recipe = {"name": "mfcc", "made_by": "corpus features", **Mfcc().recipe()}
    give_features(tiny, "mfcc", recipe, of_width(3))
    train("bc-lstm", tiny, tmp_path / "run", settings={**QUICK, "ngrams": False}, cache_dir=cache)
    (tmp_path / "talk.txt").write_text("A: go away!\n", "utf-8")
    with pytest.raises(InputError, match="sees nothing"):
        predict(tmp_path / "run", tmp_path / "talk.txt")


def test_a_model_of_words_does_not_answer_for_recordings_alone(tiny, tmp_path, cache):
    train("bc-lstm", tiny, tmp_path / "run", settings=QUICK, cache_dir=cache)
    for name in ("show.1", "show.2"):
        write_wav(tmp_path / name / "a.wav", tone("joy", 1))
        with pytest.raises(InputError, match="sees nothing"):
            predict(tmp_path / "run", tmp_path / name)
        (tmp_path / name / "a.txt").write_text("go away!", "utf-8")
    paths = [predict(tmp_path / "run", tmp_path / name).path for name in ("show.1", "show.2")]
    assert [one.name for one in paths] == ["show.1.predictions.parquet", "show.2.predictions.parquet"]


def test_a_project_is_no_folder_of_clips(tiny, tmp_path, cache):
    project = Project.create(tmp_path / "project")
    write_wav(project.root / "media" / "a.wav", tone("joy", 1))
    train("majority", tiny, tmp_path / "run", cache_dir=cache)
    with pytest.raises(InputError, match="this is a project; 'corpus build' makes its dataset"):
        predict(tmp_path / "run", project.root)


def test_encoders_on_the_fly_read_the_clips(tiny, folder, tmp_path, cache, maker, small_model):  # noqa: F811
    write_media(tiny, maker)
    assert load_training(tiny, cache).train.clips
    settings = {**QUICK, "epochs": 1, "audio_encoder": str(small_model("hubert")), "audio_tuning": "full"}
    train("lmf", tiny, tmp_path / "run", settings=settings, cache_dir=cache)
    predicted = predict(tmp_path / "run", folder)
    assert predicted.missing == {"text": 2, "audio encoder": 1}
    heard = pq.read_table(predicted.path)
    (folder / "10.wav").unlink()
    write_wav(folder / "10.wav", tone("joy", 4))
    other = pq.read_table(predict(tmp_path / "run", folder).path)
    assert heard.column("emotion_soft") != other.column("emotion_soft")
