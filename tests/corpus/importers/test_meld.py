"""The MELD importer: the released files with their counts, and a small one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from corpus.importers import import_source
from schemas.project import Project
from schemas.tables import read_table

HEADER = (
    "Sr No.,Utterance,Speaker,Emotion,Sentiment,Dialogue_ID,Utterance_ID,Season,Episode,StartTime,EndTime\n"
)


@pytest.fixture(scope="module")
def meld(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Project:
    project = Project.create(tmp_path_factory.mktemp("meld") / "project", "meld")
    imported = import_source(project, "meld", [shared / "data" / "MELD"])
    assert imported is not None
    assert (imported.rows_read, imported.rows_imported, imported.cells) == (13_708, 13_708, {})
    assert imported.notes[:3] == [f"{split}_sent_emo.csv: utf-8" for split in ("train", "dev", "test")]
    return project


def test_splits_shows_and_episodes(meld: Project) -> None:
    dialogues = read_table(meld.path("dialogues.parquet")).to_pylist()
    split_of = {one["dialogue_id"]: one["source_split"] for one in dialogues}
    utterances = read_table(meld.path("utterances.parquet"))
    splits = Counter(split_of[one] for one in utterances["dialogue_id"].to_pylist())
    assert splits == {"train": 9_989, "validation": 1_109, "test": 2_610}
    assert {one["show"] for one in dialogues} == {"Friends"}
    assert all(one["episode"][0] == "S" and len(one["episode"]) == 6 for one in dialogues)
    assert {one["dialogue_id"]: one["episode"] for one in dialogues}["meld_dev_dia0"] == "S04E07"


def test_ids_media_and_times(meld: Project) -> None:
    utterances = read_table(meld.path("utterances.parquet"))
    for name in ("utterance_id", "media"):
        assert len(set(utterances[name].to_pylist())) == utterances.num_rows
    first = next(one for one in utterances.to_pylist() if one["dialogue_id"] == "meld_dev_dia0")
    assert first["utterance_id"] == "meld_dev_dia0_utt0"
    assert first["media"] == "dev_splits_complete/dia0_utt0.mp4"
    assert (first["start"], first["end"]) == (1257.256, 1260.049)
    assert first["speaker_id"] == "meld:Phoebe"


def test_rows_without_numbers_have_no_identity(write: Callable[..., Path], tmp_path: Path) -> None:
    project = Project.create(tmp_path / "meld", "meld")
    path = write(
        HEADER
        + '1,"Well,\nhello",Ross,joy,positive,0,0,4,7,"00:20:57,256","00:21:00,049"\n'
        + '2,What?,Ross,joy,positive,x,1,4,7,"00:20:57,256","00:21:00,049"\n'
        + '3,Why?,Ross,rage,positive,0, 2 ,4,,"00:20:57,256",later\n',
        "dev_sent_emo.csv",
    )
    imported = import_source(project, "meld", [path])
    assert imported is not None
    assert (imported.rows_read, imported.rows_imported, imported.rows_quarantined) == (3, 2, 1)
    found = read_table(project.path("reports/quarantine.parquet")).to_pylist()
    assert [(one["row"], one["column"], one["original"]) for one in found] == [
        (2, None, "What?"),
        (3, "end", "later"),
        (3, "emotion", "rage"),
    ]
    assert imported.notes[:2] == ["train_sent_emo.csv is not here", "test_sent_emo.csv is not here"]
