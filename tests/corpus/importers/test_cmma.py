"""The CMMA importer: the released files with their counts, and a small copy of their defects."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pyarrow.compute as pc
import pytest

from corpus.importers import Imported, import_source
from schemas.errors import InputError
from schemas.project import Project
from schemas.tables import read_table

HEADER = (
    "ConversationID,UtteranceID,Utterance,Speaker,StartTime,EndTime,Emotion,Sentiment,Sarcasm,Humor,"
    "Relevancy(Emo→Sen),Relevancy(Sar→Hum),Pride,Love\n"
)
TURN = "C_1,C_1_U_1,今天的天气真不错,张三,0:00:01,0:00:02,happy,positive,0,0,1,0,0,0\n"


@pytest.fixture(scope="module")
def cmma(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Project, Imported]:
    project = Project.create(tmp_path_factory.mktemp("cmma") / "project", "cmma")
    imported = import_source(project, "cmma", [shared / "data" / "CMMA"])
    assert imported is not None
    return project, imported


def test_rows_of_the_released_files(cmma: tuple[Project, Imported]) -> None:
    _, imported = cmma
    counts = (imported.rows_read, imported.rows_imported, imported.rows_quarantined, imported.rows_ignored)
    assert counts == (23_707, 21_795, 1_912, {})
    assert imported.notes == [
        "train.csv: gb18030",
        "dev.csv: gb18030",
        "test.csv: column 'CoversationID' read as 'ConversationID'",
        "test.csv: gb18030",
    ]


def test_splits_topics_and_dialogues(cmma: tuple[Project, Imported]) -> None:
    project, _ = cmma
    dialogues = read_table(project.path("dialogues.parquet"))
    utterances = read_table(project.path("utterances.parquet"))
    split_of = dict(
        zip(dialogues["dialogue_id"].to_pylist(), dialogues["source_split"].to_pylist(), strict=True)
    )
    splits = Counter(split_of[one] for one in utterances["dialogue_id"].to_pylist())
    assert splits == {"train": 13_788, "validation": 4_046, "test": 3_961}
    assert dialogues.num_rows == 3_000
    assert dialogues["topic"].null_count == 0
    assert utterances["utterance_id"].to_pylist() == list(
        dict.fromkeys(utterances["utterance_id"].to_pylist())
    )
    assert set(utterances["language"].to_pylist()) == {"zh"}


def test_speakers_and_role_cards(cmma: tuple[Project, Imported]) -> None:
    project, _ = cmma
    speakers = read_table(project.path("speakers.parquet"))
    cards = [dict(one) for one in speakers["attributes"].to_pylist()]
    assert (len(cards), sum(not card for card in cards)) == (459, 254)
    assert {key for card in cards for key in card} == {"gender", "profession", "personality", "age"}


def test_defects_of_cells(cmma: tuple[Project, Imported]) -> None:
    project, _ = cmma
    found = read_table(project.path("reports/quarantine.parquet"))
    cells = found.filter(pc.is_valid(found["column"]))
    counts = Counter(
        (one["column"], one["original"].strip()) for one in cells.select(["column", "original"]).to_pylist()
    )
    times = {key: count for key, count in counts.items() if key[0] in {"start", "end"}}
    assert sum(times.values()) == 2
    assert {key: count for key, count in counts.items() if key not in times} == {
        ("emotion", "digust"): 6,
        ("love", "emptylove"): 11,
        ("sarcasm_humor", "0.5"): 2,
        ("sarcasm_humor", "-0.5"): 1,
    }


def test_rows_set_apart_are_where_they_stand_in_the_file(
    cmma: tuple[Project, Imported], shared: Path
) -> None:
    project, _ = cmma
    found = read_table(project.path("reports/quarantine.parquet")).to_pylist()
    lines = {
        name: (shared / "data" / "CMMA" / name).read_bytes().decode("gb18030").splitlines()
        for name in {one["file"] for one in found}
    }
    for one in found:
        line = lines[one["file"]][one["row"]]
        if one["column"] is None:
            assert not line.strip(","), one
        else:
            assert one["original"] in line, one
            assert one["utterance_id"] in line, one


def test_labels_stand_in_utterance_order(cmma: tuple[Project, Imported]) -> None:
    project, _ = cmma
    labels = read_table(project.path("labels/published.parquet"))
    assert labels["utterance_id"] == read_table(project.path("utterances.parquet"))["utterance_id"]
    assert labels["sarcasm_humor"].null_count == 3
    assert set(labels["sarcasm_humor_missing"].drop_null().to_pylist()) == {"not_rated"}
    assert labels["emotion"].null_count == 0


def test_a_part_of_the_files(write: Callable[..., Path], tmp_path: Path) -> None:
    project = Project.create(tmp_path / "cmma", "cmma")
    path = write(
        (HEADER.replace("Conv", "Cov", 1) + TURN * 1 + ",,,,,,,,,,,,,\n").encode("gb18030"), "test.csv"
    )
    imported = import_source(project, "cmma", [path])
    assert imported is not None
    assert (imported.rows_read, imported.rows_imported, imported.rows_quarantined) == (2, 1, 1)
    assert set(imported.notes) >= {
        "train.csv is not here",
        "dev.csv is not here",
        "CMMA-RoleIntroduction.csv is not here: speakers have no role card",
        "CMMA-TopicDescription.csv is not here: dialogues have no topic",
    }


def test_faults_of_all_files_are_told_at_once(write: Callable[..., Path], tmp_path: Path) -> None:
    project = Project.create(tmp_path / "cmma", "cmma")
    paths = [
        write(HEADER.replace("Emotion", "Feeling") + TURN, "train.csv"),
        write(HEADER.replace("Love", "Liebe") + TURN, "dev.csv"),
    ]
    with pytest.raises(InputError) as caught:
        import_source(project, "cmma", paths)
    assert [(Path(issue.where or "").name, issue.value) for issue in caught.value.issues] == [
        ("train.csv", "Emotion"),
        ("dev.csv", "Love"),
    ]


def test_a_folder_without_its_files_is_refused(write: Callable[..., Path], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="none of the files of CMMA is here"):
        import_source(Project.create(tmp_path / "cmma", "cmma"), "cmma", [write("x", "other.csv")])
