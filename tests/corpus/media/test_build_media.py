"""The configuration with recordings: what is in it, what may be, and that it opens as people open it."""

from __future__ import annotations

import hashlib
import importlib.util
import io
import json
from pathlib import Path
from typing import Any

import av
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasets import Audio, Video, load_dataset

from corpus import build as build_module
from corpus.build import build
from corpus.media.plan import Recipe
from corpus.media.run import cut_recordings
from corpus.media.segments import RATE, Segments
from corpus.publish import publish
from schemas.errors import InputError
from schemas.project import UTTERANCES, Project
from schemas.records import UTTERANCES as COLUMNS
from schemas.sampling import draw_corpus
from schemas.tables import from_rows, read_table, write_table
from tests.availability import unavailable
from tests.corpus.media.film import number, shoot

ADDED = ["recording", "recording_hash", "audio_sha256", "video_sha256", "media_missing"]


@pytest.fixture
def project(tmp_path: Path, in_process: None) -> Project:
    """Return a project of drawn records with three recordings: a film, a mute one and a broken one."""
    project = Project.create(tmp_path / "p", "affect")
    for name, table in draw_corpus(project.schema, 60, seed=9).items():
        write_table(project.path(name), table, table.schema)
    project.path("media").mkdir()
    shoot(project.path("media/film.mp4"), seconds=2.0)
    shoot(project.path("media/mute.mp4"), seconds=2.0, sounds=())
    project.path("media/broken.mp4").write_bytes(b"not a film")
    rows = read_table(project.path(UTTERANCES)).to_pylist()
    for place, row in enumerate(rows):
        start = 0.04 * (place % 25)
        row |= {"start": start, "end": start + 0.4}
        row["media"] = ("media/film.mp4", "media/mute.mp4", "media/broken.mp4", None)[place % 4]
    write_table(project.path(UTTERANCES), from_rows(rows, COLUMNS), COLUMNS)
    cut_recordings(project, Recipe(rate=2.5))
    return project


def load(project: Project, tmp_path: Path, name: str) -> Any:
    return load_dataset(str(project.path("dataset")), name, cache_dir=str(tmp_path / "cache"))


def files(project: Project, tmp_path: Path) -> Any:
    """Return the configuration with the bytes of the files in place of what they hold."""
    loaded = load(project, tmp_path, "media")
    return loaded.cast_column("audio", Audio(decode=False)).cast_column("video", Video(decode=False))


def test_rows_are_those_of_default_with_the_files_that_were_cut(project: Project, tmp_path: Path) -> None:
    assert build(project, "full").variant == "full"
    plain, media = load(project, tmp_path, "default"), files(project, tmp_path)
    assert set(media) == set(plain)
    for split in plain:
        assert media[split].column_names == [*plain[split].column_names, *ADDED, "audio", "video"]
        assert media[split]["utterance_id"][:] == plain[split]["utterance_id"][:]
        assert media[split]["emotion"][:] == plain[split]["emotion"][:]
    assert isinstance(load(project, tmp_path, "media")["train"].features["video"], Video)
    cut = {
        row["utterance_id"]: row
        for table in Segments(project).tables
        for row in read_table(project.path(table)).to_pylist()
    }
    kinds = set()
    for row in (row for split in media.values() for row in split):
        known = cut.get(row["utterance_id"], {})
        for column, file in (("audio", "audio"), ("video", "clip")):
            found = row[column]
            kinds.add((row["recording"], column, found is not None))
            if found is None:
                assert known.get(file) is None
                continue
            assert found["bytes"] == project.path(known[file]).read_bytes()
            assert hashlib.sha256(found["bytes"]).hexdigest() == row[f"{column}_sha256"]
            assert found["path"] == Path(known[file]).name
        if row["recording"] is None:
            assert row["media_missing"] == "it has no recording"
        elif row["recording"] == "media/broken.mp4":
            assert "not a recording" in row["media_missing"]
        else:
            assert row["media_missing"] is None
    assert kinds == {
        ("media/film.mp4", "audio", True),
        ("media/film.mp4", "video", True),
        ("media/mute.mp4", "audio", False),
        ("media/mute.mp4", "video", True),
        *(("media/broken.mp4", one, False) for one in ("audio", "video")),
        *((None, one, False) for one in ("audio", "video")),
    }


def test_files_are_what_they_are_called(project: Project, tmp_path: Path) -> None:
    """Read with PyAV, as anybody may who has no torchcodec: the right frames, and as much sound."""
    build(project, "full")
    rows = [row for split in files(project, tmp_path).values() for row in split if row["video"] is not None]
    assert rows
    for row in rows[:6]:
        with av.open(io.BytesIO(row["video"]["bytes"])) as clip:
            first = next(clip.decode(video=0))
        assert number(first.to_ndarray(format="rgb24")) == round(row["start"] * 25)
        if row["audio"] is not None:
            with av.open(io.BytesIO(row["audio"]["bytes"])) as sound:
                samples = sum(frame.samples for frame in sound.decode(audio=0))
            assert samples == 0.4 * RATE


def can_decode() -> bool:
    """Say whether torchcodec is here, and FFmpeg for it."""
    if importlib.util.find_spec("torchcodec") is None:
        return False
    try:
        importlib.import_module("torchcodec.decoders")
    except (ImportError, OSError, RuntimeError):
        return False
    return True


def test_datasets_decodes_sound_and_pictures(project: Project, tmp_path: Path) -> None:
    if not can_decode():
        unavailable("sound and clips as datasets opens them", "no torchcodec, or no FFmpeg that it knows")
    build(project, "full")
    rows = load(project, tmp_path, "media")["train"]
    row = next(row for row in rows if row["recording"] == "media/film.mp4")
    samples = row["audio"].get_all_samples()
    assert samples.sample_rate == RATE
    assert tuple(samples.data.shape) == (1, round(0.4 * RATE))
    known = Segments(project).audio(row["utterance_id"])
    assert np.abs(samples.data.numpy()[0] - known).max() < 1e-4
    frame = row["video"].get_frame_played_at(0.0).data.numpy().transpose(1, 2, 0)
    assert number(frame) == round(row["start"] * 25)


def test_no_media_unless_somebody_says_so(project: Project, tmp_path: Path) -> None:
    assert build(project).variant == "features"
    assert not project.path("dataset/media").exists()
    assert build(project, "features") is None


def test_pointers_say_where_utterances_are_and_hold_nothing_of_them(project: Project, tmp_path: Path) -> None:
    """Features are made of recordings: they are no pointers either."""
    ids = read_table(project.path(UTTERANCES)).column("utterance_id")
    project.path("features/own").mkdir(parents=True)
    vectors = pa.array([[0.0, 1.0]] * len(ids), pa.list_(pa.float32()))
    pq.write_table(
        pa.table({"utterance_id": ids, "features": vectors}), project.path("features/own/part-0.parquet")
    )
    project.path("features/own/recipe.json").write_text("{}", "utf-8")
    assert "features-own" in build(project, "full").rows
    pointers = build(project, "pointers")
    assert pointers.variant == "pointers"
    assert "features-own" not in pointers.rows
    rows = load(project, tmp_path, "media")["train"]
    assert rows.column_names[-len(ADDED) :] == ADDED
    film = next(row for row in rows if row["recording"] == "media/film.mp4")
    assert len(film["recording_hash"]) == len(film["audio_sha256"]) == len(film["video_sha256"]) == 64
    assert "are not in this dataset" in project.path("dataset/README.md").read_text("utf-8")


def test_row_groups_are_small_and_no_file_cuts_a_dialogue(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build_module, "SHARD_BYTES", 60_000)
    build(project, "full")
    seen: list[str] = []
    paths = sorted(project.path("dataset/media").glob("train-*.parquet"))
    assert len(paths) > 2
    for path in paths:
        file = pq.ParquetFile(path)
        assert max(file.metadata.row_group(n).num_rows for n in range(file.num_row_groups)) <= 10
        ids = set(file.read(["dialogue_id"]).column("dialogue_id").to_pylist())
        assert not ids & set(seen)
        seen += ids


def test_building_again_gives_the_same_bytes(project: Project) -> None:
    build(project, "full")
    first = {path.name: path.read_bytes() for path in project.path("dataset/media").iterdir()}
    assert build(project, "full") is None
    assert build(project, "features") is not None
    build(project, "full")
    assert {path.name: path.read_bytes() for path in project.path("dataset/media").iterdir()} == first


def test_a_policy_bounds_what_is_built(project: Project) -> None:
    path = project.path("corpus.yaml")
    text = path.read_text("utf-8").replace('media: ""', "media: pointers")
    path.write_text(text, "utf-8")
    project = Project(project.root)
    assert build(project).variant == "pointers"
    with pytest.raises(InputError, match=r"corpus\.yaml says media: pointers"):
        build(project, "full")
    with pytest.raises(InputError, match="no such variant, got 'all'; valid: pointers, features, full"):
        build(project, "all")
    path.write_text(text.replace("media: pointers", "media: none"), "utf-8")
    with pytest.raises(InputError, match="got 'none'; valid: pointers, features, full"):
        build(Project(project.root))


def test_recordings_are_published_only_where_the_rights_are_said(project: Project, tmp_path: Path) -> None:
    build(project, "full")
    with pytest.raises(InputError, match=r"say so in corpus\.yaml"):
        publish(project.path("dataset"), str(tmp_path / "out"))
    path = project.path("corpus.yaml")
    path.write_text(path.read_text("utf-8").replace('media: ""', "media: full"), "utf-8")
    build(Project(project.root))
    published = publish(project.path("dataset"), str(tmp_path / "out"))
    assert any(name.startswith("media/") for name in published.files)


def test_what_was_not_cut_or_has_changed_is_refused(project: Project, tmp_path: Path) -> None:
    clip = next(project.path("clips").rglob("*.mp4/*.mp4"))
    good = clip.read_bytes()
    clip.write_bytes(good[:-1])
    with pytest.raises(InputError, match="is not as it was cut"):
        build(project, "full")
    assert not project.has("dataset")
    clip.write_bytes(good)
    shoot(project.path("media/film.mp4"), seconds=3.0)
    with pytest.raises(InputError, match=r"media/film\.mp4 changed; run 'corpus media' again"):
        build(project, "full")
    other = Project.create(tmp_path / "other", "affect")
    for name, table in draw_corpus(other.schema, 5, seed=9).items():
        write_table(other.path(name), table, table.schema)
    with pytest.raises(InputError, match="no recording has been cut; run 'corpus media'"):
        build(other, "full")
    assert build(other, "pointers") is not None


def test_the_variant_stands_in_the_provenance(project: Project) -> None:
    build(project, "full")
    known = json.loads(project.path("dataset/provenance.json").read_text("utf-8"))
    assert known["parameters"] == {"variant": "full"}
    assert {one for one in known["inputs"] if one.startswith("clips/")} == set(Segments(project).tables)
