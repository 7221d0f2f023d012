"""Features in the dataset that load_dataset opens."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasets import List, Value, concatenate_datasets, load_dataset

from corpus import build as build_module
from corpus.build import build
from corpus.features import table
from corpus.features.imported import import_features
from corpus.features.making import make
from corpus.features.ngrams import Ngrams, hashed
from corpus.status import State, status
from schemas.errors import InputError
from schemas.project import Project
from schemas.records import UTTERANCES
from schemas.sampling import draw_corpus
from schemas.tables import read_table, write_table

RANDOM = np.random.default_rng(6)


@pytest.fixture
def project(tmp_path: Path, inline: None) -> Project:
    """Return a project ready to be built, with n-grams, and imported sequences of which some are missing."""
    project = Project.create(tmp_path / "p", "affect")
    for name, rows in draw_corpus(project.schema, 40, seed=3).items():
        write_table(project.path(name), rows, rows.schema)
    make(project, Ngrams())
    ids = read_table(project.path("utterances.parquet")).column("utterance_id").to_pylist()
    frames = [None if n % 5 == 0 else RANDOM.random((n % 4 + 1, 3)).tolist() for n in range(len(ids))]
    pq.write_table(pa.table({"utterance_id": ids, "features": frames}), tmp_path / "frames.parquet")
    import_features(project, "frames", tmp_path / "frames.parquet")
    return project


def load(project: Project, tmp_path: Path, *name: str) -> Any:
    return load_dataset(str(project.path("dataset")), *name, cache_dir=str(tmp_path / "cache"))


def test_configurations_stand_row_for_row_beside_the_default(project: Project, tmp_path: Path) -> None:
    build(project)
    default, ngrams, frames = (
        load(project, tmp_path, *name) for name in ((), ("features-ngrams",), ("features-frames",))
    )
    assert ngrams["train"].features["features"] == List(Value("float32"))
    assert frames["train"].features["features"] == List(List(Value("float32")))
    known = {
        row["utterance_id"]: row["features"]
        for path in table.parts(project, "frames")
        for row in read_table(path).to_pylist()
    }
    for split in default:
        ids = default[split]["utterance_id"][:]
        assert ids == ngrams[split]["utterance_id"][:] == frames[split]["utterance_id"][:]
        np.testing.assert_array_equal(ngrams[split]["features"][:], hashed(default[split]["text"][:]))
        for one, features, missing in zip(
            ids, frames[split]["features"][:], frames[split]["missing"][:], strict=True
        ):
            assert features == known[one]
            assert (features is None) == (missing == "it is null in the imported file")
        joined = concatenate_datasets(
            [default[split], ngrams[split].remove_columns(["utterance_id", "missing"])], axis=1
        )
        assert {"sentiment", "features"} <= set(joined.column_names)


def test_recipes_come_along_and_stand_on_the_card(project: Project) -> None:
    build(project)
    dataset = project.path("dataset")
    assert json.loads((dataset / "features-ngrams/recipe.json").read_text())["extractor"] == "ngrams"
    card = (dataset / "README.md").read_text("utf-8")
    assert "| features-ngrams | 1024 | ngrams version 1 |" in card
    assert "| features-frames | 3 | recipe unknown |" in card
    missing = len(range(0, read_table(project.path("utterances.parquet")).num_rows, 5))
    assert f"{missing}: it is null in the imported file |" in card


def test_a_build_is_current_until_features_change(project: Project) -> None:
    assert build(project) is not None
    assert build(project) is None
    before = pq.read_table(next(project.path("dataset/features-ngrams").glob("train-*"))).num_rows
    assert before
    make(project, Ngrams(), "again")
    built = build(project)
    assert built is not None
    assert "features-again" in built.rows


def test_old_and_unfinished_features_are_refused(project: Project) -> None:
    known = read_table(project.path("utterances.parquet"))
    texts = ["other", *known.column("text").to_pylist()[1:]]
    place = known.column_names.index("text")
    write_table(
        project.path("utterances.parquet"),
        known.set_column(place, known.schema.field("text"), pa.array(texts)),
        UTTERANCES,
    )
    (table.folder_of(project, "frames") / "recipe.json").unlink()
    with pytest.raises(InputError) as caught:
        build(project)
    messages = "\n".join(issue.message for issue in caught.value.issues)
    assert "made before utterances.parquet changed; run 'corpus features' again" in messages
    assert "not complete" in messages
    states = {one.name: (one.state, one.changed) for one in status(project)}
    assert states["features/ngrams"] == (State.STALE, ("utterances.parquet",))
    assert states["features/frames"] == (State.STALE, ("features/frames",))


def test_features_of_other_programs(project: Project, tmp_path: Path) -> None:
    """What 'corpus sample --features-only', or a script, has written: compared by its ids."""
    folder = table.folder_of(project, "theirs")
    folder.mkdir()
    (folder / "recipe.json").write_text(json.dumps({"made_by": "a script"}))
    ids = read_table(project.path("utterances.parquet")).column("utterance_id").to_pylist()
    rows = pa.table({"utterance_id": ids, "features": [[1.0, 2.0]] * len(ids)})
    pq.write_table(rows, folder / "part-00000.parquet")
    build(project)
    assert set(load(project, tmp_path, "features-theirs")["train"]["features"][0]) == {1.0, 2.0}
    for wrong in (
        rows.slice(1),
        pa.concat_tables([rows, rows.slice(0, 1)]),
        rows.take(list(range(len(ids)))[::-1]),
    ):
        pq.write_table(wrong, folder / "part-00000.parquet")
        with pytest.raises(InputError, match="row for row"):
            build(project)
    pq.write_table(rows.drop_columns("features"), folder / "part-00000.parquet")
    with pytest.raises(InputError, match="has the columns"):
        build(project)


def test_files_end_where_dialogues_end(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build_module, "SHARD_BYTES", 40_000)
    monkeypatch.setattr("corpus.features.inputs.SHARD_ROWS", 7)
    build(project)
    utterances = read_table(project.path("utterances.parquet")).to_pylist()
    dialogue = {row["utterance_id"]: row["dialogue_id"] for row in utterances}
    files = sorted(project.path("dataset/features-ngrams").glob("train-*.parquet"))
    assert len(files) > 2
    found = [{dialogue[one] for one in pq.read_table(path)["utterance_id"].to_pylist()} for path in files]
    assert sum(map(len, found)) == len(set.union(*found))
