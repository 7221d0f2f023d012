"""The packaged sample fills a project without eSpeak NG, and is the one that the generator makes."""

from __future__ import annotations

import json
from collections import Counter
from importlib.resources import files
from pathlib import Path

import av
import pytest

from corpus.sample.meaning import TRUTHS
from corpus.sample.packaged import DIALOGUES, FOLDER, LANGUAGES, SEED, create_sample
from corpus.sample.script import write_script
from corpus.sample.world import make_chain
from schemas import InputError
from schemas import project as folder
from schemas.tables import read_table

PACKAGED = Path(str(files("corpus.sample"))) / FOLDER
RECORDS = [json.loads(line) for line in (PACKAGED / "dialogues.jsonl").read_text("utf-8").splitlines()]
UTTERANCES = [one for record in RECORDS for one in record["utterances"]]


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    made, _ = create_sample(tmp_path_factory.mktemp("packaged") / "project")
    return made


def test_size():
    assert sum(path.stat().st_size for path in PACKAGED.rglob("*") if path.is_file()) <= 10_000_000
    assert len(RECORDS) >= 24
    assert len(UTTERANCES) >= 180
    assert Counter(record["language"] for record in RECORDS) == {"zh": DIALOGUES // 2, "en": DIALOGUES // 2}


def test_every_value_is_there():
    truths = [TRUTHS[one["state"]] for one in UTTERANCES]
    counts = {name: Counter(truth[name] for truth in truths) for name in ("sarcasm", "humor", "sentiment")}
    assert counts["sarcasm"]["sarcastic"] >= 30
    assert counts["humor"]["humorous"] >= 15
    assert min(counts["sentiment"].values()) >= 30
    emotions = Counter(name for truth in truths for name in truth["emotion"])
    assert len(emotions) == 7
    assert min(emotions.values()) >= 8
    for relation in ("emotion_sentiment", "sarcasm_humor"):
        assert {-2, -1, 0, 1, 2, None} == {truth[relation] for truth in truths}


def test_it_is_what_the_generator_writes():
    """Words, states and cues; the media are compared where eSpeak NG has the version that made them."""
    turns = [
        turn for episode in write_script(DIALOGUES, SEED, LANGUAGES, make_chain()) for turn in episode.turns
    ]
    assert [turn.text for turn in turns] == [one["text"] for one in UTTERANCES], (
        "run: python -m benchmarks.sample --package"
    )
    assert [turn.state for turn in turns] == [one["state"] for one in UTTERANCES]
    assert [turn.words.tolist() for turn in turns] == [one["words"] for one in UTTERANCES]
    for turn, one in zip(turns, UTTERANCES, strict=True):
        assert turn.voice.tolist() == pytest.approx(one["voice"])
        assert turn.face.tolist() == pytest.approx(one["face"])


def test_project(project):
    utterances = read_table(project.path(folder.UTTERANCES)).to_pylist()
    assert len(utterances) == len(UTTERANCES)
    for media in {row["media"] for row in utterances}:
        last = max(row["end"] for row in utterances if row["media"] == media)
        with av.open(str(project.path(media))) as file:
            assert file.duration / av.time_base == pytest.approx(last, abs=0.1)
        for suffix in (".srt", ".ass"):
            assert project.path(media).with_suffix(suffix).exists()
        name = Path(media).stem
        assert project.has(f"truth/landmarks/{name}.parquet")
    assert project.has("truth/bayes.json")
    ratings = read_table(project.path("annotations/sample.parquet"))
    assert ratings.num_rows == 5 * len(UTTERANCES)


def test_a_folder_that_holds_something_is_refused(project):
    with pytest.raises(InputError):
        create_sample(project.root)
