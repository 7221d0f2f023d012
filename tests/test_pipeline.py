"""The whole way, through the real commands: released files to load_dataset."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from datasets import load_dataset

COMMANDS = Path(sys.executable).parent


def run(command: str, *arguments: object, cwd: Path, status: int = 0) -> str:
    """Run one of the three commands with every Hub address unreachable; return what it printed."""
    done = subprocess.run(
        [COMMANDS / command, *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, "HF_ENDPOINT": "http://127.0.0.1:9", "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == status, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout


def test_cmma(shared: Path, tmp_path: Path) -> None:
    source = shared / "data" / "CMMA"
    run("corpus", "init", "c", "--schema", "cmma", cwd=tmp_path)
    run("corpus", "import", "cmma", source, "--project", "c", cwd=tmp_path)
    printed = run("corpus", "check", "--project", "c", "--json", cwd=tmp_path)
    found = {(one["check"], one["count"], one["of"]) for one in json.loads(printed)["findings"]}
    counts = {(count, of) for _, count, of in found}
    assert ("times.not_after_start", 10, 21793) in found
    assert ("times.overlap", 48, 18794) in found
    assert ("relations.rated_without_parts", 6402, 17284) in found
    assert {(254, 459), (7959, 18795), (5176, 7959)} <= counts
    assert {1912, 2294, 10330, 573, 10} <= {count for count, _ in counts}
    run("corpus", "split", "--keep-source", "--project", "c", cwd=tmp_path)
    run("corpus", "build", "--project", "c", cwd=tmp_path)
    corpus = load_dataset(str(tmp_path / "c" / "dataset"), cache_dir=str(tmp_path / "cache"))
    assert {name: len(rows) for name, rows in corpus.items()} == {
        "train": 13788,
        "validation": 4046,
        "test": 3961,
    }
    features = corpus["train"].features
    assert features["emotion_sentiment"].dtype == features["sarcasm_humor"].dtype == "int8"
    assert set(corpus["test"]["emotion_sentiment"]) == {-2, -1, 0, 1, 2}


def test_meld(shared: Path, tmp_path: Path) -> None:
    run("corpus", "init", "m", "--schema", "meld", cwd=tmp_path)
    run("corpus", "import", "meld", shared / "data" / "MELD", "--project", "m", cwd=tmp_path)
    run("corpus", "check", "--project", "m", cwd=tmp_path)
    run("corpus", "split", "--keep-source", "--project", "m", cwd=tmp_path)
    run("corpus", "build", "--project", "m", cwd=tmp_path)
    corpus = load_dataset(str(tmp_path / "m" / "dataset"), cache_dir=str(tmp_path / "cache"))
    assert [len(corpus[name]) for name in ("train", "validation", "test")] == [9989, 1109, 2610]


def test_lewidi_csc(shared: Path, tmp_path: Path) -> None:
    run("corpus", "init", "l", "--schema", "csc", cwd=tmp_path)
    run("corpus", "import", "lewidi", shared / "data" / "LeWiDi_CSC", "--project", "l", cwd=tmp_path)
    for split, alpha in (("validation", 0.328), ("test", 0.375)):
        printed = run(
            *("annotation", "agreement", "--project", "l", "--json", "--n-boot", 100),
            *("--where", f"source_split={split}"),
            cwd=tmp_path,
        )
        field = json.loads(printed)["fields"]["sarcasm"]
        assert field["level"] == "ordinal"
        assert field["coefficients"]["alpha"]["value"] == pytest.approx(alpha, abs=0.0005)
    run("annotation", "aggregate", "--project", "l", cwd=tmp_path)
    run("corpus", "check", "--project", "l", cwd=tmp_path)
    run("corpus", "split", "--keep-source", "--project", "l", cwd=tmp_path)
    run("corpus", "build", "--project", "l", cwd=tmp_path)
    ratings = load_dataset(str(tmp_path / "l" / "dataset"), "annotations", cache_dir=str(tmp_path / "cache"))
    assert sum(map(len, ratings.values())) == 3186 + 3224


def test_agreement_of_a_table_without_a_project(shared: Path, tmp_path: Path) -> None:
    for split, alpha in (("dev", 0.328), ("test", 0.375)):
        content = json.loads((shared / "data" / "LeWiDi_CSC" / f"CSC_{split}.json").read_text("utf-8"))
        lines = [
            f"{item},{rater},{answer}"
            for item, about in content.items()
            for rater, answer in about["annotations"].items()
        ]
        table = tmp_path / f"{split}.csv"
        table.write_text("\n".join(["item,rater,sarcasm", *lines]), "utf-8")
        printed = run(
            *("annotation", "agreement", "--ratings", table, "--item", "item", "--rater", "rater"),
            *("--field", "sarcasm:ordinal", "--json", "--n-boot", 100),
            cwd=tmp_path,
        )
        found = json.loads(printed)["fields"]["sarcasm"]["coefficients"]["alpha"]["value"]
        assert found == pytest.approx(alpha, abs=0.0005)


def test_the_sample_from_nothing_to_published(tmp_path: Path) -> None:
    run("corpus", "init", "s", "--sample", cwd=tmp_path)
    run("annotation", "agreement", "--project", "s", cwd=tmp_path)
    run("annotation", "aggregate", "--project", "s", cwd=tmp_path)
    run("corpus", "check", "--project", "s", cwd=tmp_path)
    run("corpus", "split", "--project", "s", cwd=tmp_path)
    run("corpus", "build", "--project", "s", cwd=tmp_path)
    run("corpus", "report", "--project", "s", "--language", "zh", cwd=tmp_path)
    assert "simulated, not people" in (tmp_path / "s" / "dataset" / "README.md").read_text("utf-8")
    assert "模拟标注者" in (tmp_path / "s" / "reports" / "report.html").read_text("utf-8")
    before = sorted(path.stat().st_mtime_ns for path in (tmp_path / "s").rglob("*.parquet"))
    for command, *step in (
        ("annotation", "aggregate"),
        ("corpus", "split"),
        ("corpus", "build"),
    ):
        assert "up to date" in run(command, *step, "--project", "s", cwd=tmp_path)
    assert sorted(path.stat().st_mtime_ns for path in (tmp_path / "s").rglob("*.parquet")) == before
    stand = json.loads(run("corpus", "status", "--project", "s", "--json", cwd=tmp_path))
    # Nobody cut the recordings.
    assert {one["state"] for one in stand if one["name"] != "clips"} == {"current"}
    run("corpus", "publish", "--to", tmp_path / "out", "--project", "s", cwd=tmp_path)
    corpus = load_dataset(str(tmp_path / "out"), "dialogues", cache_dir=str(tmp_path / "cache"))
    assert sum(map(len, corpus.values())) >= 12
    utterances = load_dataset(str(tmp_path / "out"), cache_dir=str(tmp_path / "cache"))
    assert set(utterances["train"].unique("language")) == {"en", "zh"}


def test_a_generated_corpus_through_the_command(tmp_path: Path) -> None:
    printed = run(
        "corpus", "sample", "w", "--dialogues", 6, "--seed", 3, "--features-only", "--json", cwd=tmp_path
    )
    assert json.loads(printed)["rows_read"] >= 36
    again = run("corpus", "sample", "w", "--dialogues", 6, cwd=tmp_path, status=2)
    assert again == ""
    for arguments in (("--dialogues", 0), ("--languages", "zh,xx"), ("--seed", -1)):
        run("corpus", "sample", "v", "--features-only", *arguments, cwd=tmp_path, status=2)
    assert not (tmp_path / "v").exists()
    for step in (("annotation", "aggregate"), ("corpus", "split"), ("corpus", "build")):
        run(*step, "--project", "w", cwd=tmp_path)
    assert "Best possible scores" in (tmp_path / "w" / "dataset" / "README.md").read_text("utf-8")
