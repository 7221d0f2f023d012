"""`corpus sample` makes a whole project, the same bytes each time, or leaves the folder as it was."""

from __future__ import annotations

import hashlib
import json
import shutil

import pytest

from corpus.sample import voice
from corpus.sample.generate import generate
from corpus.sample.meaning import TRUTHS
from corpus.sample.truth_tables import BAYES, LATENT, TRUTH
from schemas import InputError, load_schema
from schemas import project as folder
from schemas.records import labels_schema
from schemas.tables import read_table
from schemas.validation import validate_answers

SCHEMA = load_schema("affect")


def digests(root):
    """SHA-256 of every file, but the lock."""
    return {
        path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file() and not path.name.startswith(".lock")
    }


def test_truth_is_valid_and_complete(as_features):
    table = read_table(as_features.path(TRUTH))
    assert table.schema.remove_metadata() == labels_schema(SCHEMA)
    assert validate_answers(table, SCHEMA, "truth") == []
    ids = read_table(as_features.path(folder.UTTERANCES)).column("utterance_id").to_pylist()
    assert table.column("utterance_id").to_pylist() == ids
    assert read_table(as_features.path(LATENT)).column("utterance_id").to_pylist() == ids
    assert set(json.loads(as_features.path(BAYES).read_text("utf-8"))) == {
        *("dialogues", "utterances", "seed", "measures")
    }


def test_the_truth_is_nowhere_among_what_is_built(as_features):
    assert not as_features.has("labels")
    assert set(read_table(as_features.path(folder.UTTERANCES)).column_names).isdisjoint(SCHEMA.by_name)


def test_raters_say_that_they_are_simulated(as_features):
    raters = read_table(as_features.path(folder.RATERS)).to_pylist()
    assert len(raters) == 5
    assert all(dict(one["attributes"])["simulated"] == "true" for one in raters)
    speakers = read_table(as_features.path(folder.SPEAKERS)).to_pylist()
    assert all(dict(one["attributes"])["simulated"] == "true" for one in speakers)
    assert "SIMULATED" in as_features.settings.description
    ratings = read_table(as_features.path("annotations/sample.parquet"))
    assert validate_answers(ratings, SCHEMA, "ratings") == []
    assert ratings.num_rows == 5 * read_table(as_features.path(folder.UTTERANCES)).num_rows


def test_features_only_is_the_same_corpus(as_features, rendered):
    for name in (
        folder.DIALOGUES,
        folder.SPEAKERS,
        folder.RATERS,
        "annotations/sample.parquet",
        TRUTH,
        LATENT,
    ):
        assert read_table(as_features.path(name)).equals(read_table(rendered.path(name))), name
    columns = ["utterance_id", "text", "speaker_id"]
    one, other = (read_table(p.path(folder.UTTERANCES), columns) for p in (as_features, rendered))
    assert one.equals(other)


def test_same_seed_same_bytes_as_features(as_features, tmp_path):
    generate(tmp_path / "again", 5, seed=3, features_only=True)
    assert digests(tmp_path / "again") == digests(as_features.root)
    generate(tmp_path / "other", 5, seed=4, features_only=True)
    assert digests(tmp_path / "other")[LATENT] != digests(as_features.root)[LATENT]


def test_same_seed_same_bytes_rendered_by_any_number_of_processes(rendered, tmp_path):
    generate(tmp_path / "again", 5, seed=3, processes=2)
    assert digests(tmp_path / "again") == digests(rendered.root)


def test_versions_are_recorded(rendered):
    made_from = json.loads(rendered.path("reports/import.json").read_text("utf-8"))["sample"]["made_from"]
    assert {"espeak-ng", "av", "pillow", "numpy", "libavcodec"} <= set(made_from["versions"])
    assert made_from["simulated"] is True
    assert made_from["seed"] == 3


def test_all_faults_of_the_arguments_at_once(tmp_path):
    with pytest.raises(InputError) as caught:
        generate(tmp_path / "p", 0, seed=-1, languages=["zh", "fr"])
    assert len(caught.value.issues) == 3
    assert "fr" in str(caught.value)
    with pytest.raises(InputError, match="at least one"):
        generate(tmp_path / "p", 1, languages=[])
    assert not (tmp_path / "p").exists()


def test_a_folder_that_holds_something_is_left_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("mine", "utf-8")
    with pytest.raises(InputError):
        generate(tmp_path, 1, features_only=True)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


@pytest.fixture
def no_espeak(monkeypatch):
    voice.espeak_version.cache_clear()
    monkeypatch.setattr(shutil, "which", lambda name: None)
    yield
    voice.espeak_version.cache_clear()


def test_without_espeak_the_message_says_how_to_install_it(no_espeak, tmp_path):
    (tmp_path / "empty").mkdir()
    for name in ("empty", "new"):
        with pytest.raises(InputError, match="apt-get install espeak-ng"):
            generate(tmp_path / name, 1)
    assert list((tmp_path / "empty").iterdir()) == []
    assert not (tmp_path / "new").exists()
    generate(tmp_path / "new", 1, features_only=True)


def test_a_failed_rendering_leaves_the_folder_as_it_was(tmp_path, monkeypatch):
    monkeypatch.setattr("corpus.sample.generate.media_versions", lambda languages: {})

    def fail(*_):
        raise InputError("no disk")

    monkeypatch.setattr("corpus.sample.generate.render_episodes", fail)
    (tmp_path / "empty").mkdir()
    (tmp_path / "link").symlink_to("empty")
    for name in ("empty", "link", "new", "new/in/new"):
        with pytest.raises(InputError, match="no disk"):
            generate(tmp_path / name, 1)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "link"]
    assert (tmp_path / "link").is_symlink()
    assert list((tmp_path / "empty").iterdir()) == []


def test_latent_states_agree_with_the_truth(as_features):
    latent = read_table(as_features.path(LATENT)).to_pylist()
    truth = read_table(as_features.path(TRUTH)).to_pylist()
    for hidden, labels in zip(latent, truth, strict=True):
        assert (hidden["words"] != hidden["felt"]) == (labels["sarcasm"] == "sarcastic")
        assert (labels["valence"] > 5) == (hidden["felt"] == "positive")
        assert (hidden["family"] == "calm") == (labels["emotion"] == ["neutral"])
    assert len(TRUTHS) > len({str(one) for one in TRUTHS}) > 100
