"""A small dataset of simulated dialogues with every type of field, and the packaged sample."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from baselines.data import Split, to_split
from corpus.build import build
from corpus.hf_features import default_features, encoders
from corpus.sample.packaged import create_sample
from corpus.splits import split_project
from schemas.definition import parse_schema
from schemas.label_schema import LabelSchema
from schemas.tables import from_rows, write_table

SCHEMA = """
name: tiny
version: 1.0.0
title: {en: Tiny, zh: 小}
description: {en: For tests., zh: 测试用。}
fields:
  emotion:
    type: nominal
    title: {en: Emotion, zh: 情绪}
    absent: [neutral]
    values: {neutral: &v {title: {en: v, zh: 值}}, joy: *v, anger: *v}
  sentiment:
    type: ordinal
    title: {en: Sentiment, zh: 情感}
    absent: [neutral]
    values: {negative: *v, neutral: *v, positive: *v}
  tags:
    type: multilabel
    title: {en: Tags, zh: 标签}
    absent: [none]
    exclusive: [none]
    values: {none: *v, loud: *v, quick: *v}
  valence:
    type: interval
    title: {en: Valence, zh: 效价}
    absent: ["5"]
    range: 1..9
  pull:
    type: relation
    source: emotion
    target: sentiment
    scale: -1..1
    applies_when: always
    title: {en: Pull, zh: 影响}
    question: {en: "How?", zh: 如何？}
    rule: {en: Look., zh: 看。}
    values:
      -1: &r
        title: {en: r, zh: 值}
        definition: {en: d, zh: 义}
        examples: {en: [a], zh: [甲]}
        counterexamples: {en: [b], zh: [乙]}
      0: *r
      1: *r
"""

CUES = {
    "我真高兴，great day!": ("joy", "positive", ["loud"], 8.0, 1),
    "气死我了，go away!": ("anger", "negative", ["loud", "quick"], 2.0, 1),
    "他住在三楼 the third floor.": ("neutral", "neutral", ["none"], 5.0, 0),
    "唉，算了 never mind...": ("neutral", "negative", [], 4.0, -1),
}
FIELDS = ("emotion", "sentiment", "tags", "valence", "pull")
Row = Mapping[str, Any]


@pytest.fixture(scope="session")
def schema() -> LabelSchema:
    return parse_schema(SCHEMA)


class Maker:
    """Makes rows, splits and dataset folders of the schema above."""

    text = SCHEMA
    schema: LabelSchema = parse_schema(SCHEMA)
    fields = FIELDS

    def rows(self, dialogues: int, prefix: str = "d") -> list[dict[str, Any]]:
        """Return dialogues whose labels follow from their words, of two to five turns."""
        rows = []
        cues = list(CUES.items())
        for number in range(dialogues):
            for index in range(2 + number % 4):
                text, answers = cues[(number + index * 3) % 4]
                where = {"dialogue_id": f"{prefix}{number}", "index": index, "speaker_id": f"s{index % 2}"}
                labels = dict(zip(FIELDS, answers, strict=True))
                rows.append({"utterance_id": f"{prefix}{number}_{index}", **where, "text": text, **labels})
        return rows

    def table(self, rows: Sequence[Row]) -> pa.Table:
        """Write rows of value names as a dataset holds them."""
        names = encoders(self.schema)
        coded = [{column: _code(value, names.get(column)) for column, value in row.items()} for row in rows]
        return from_rows(coded, default_features(self.schema).arrow_schema)

    def split(self, rows: Sequence[Row], name: str = "train") -> Split:
        return to_split(name, self.table(rows), self.schema, "rows")

    def write(self, folder: Path, name: str, table: pa.Table) -> None:
        write_table(folder / "default" / f"{name}-00000-of-00001.parquet", table, table.schema)

    def dataset(self, folder: Path, splits: Mapping[str, Sequence[Row]]) -> Path:
        for name, rows in splits.items():
            self.write(folder, name, self.table(rows))
        files = "".join(f"  - split: {name}\n    path: default/{name}-*.parquet\n" for name in splits)
        header = f"configs:\n- config_name: default\n  default: true\n  data_files:\n{files}"
        (folder / "README.md").write_text(f"---\n{header}---\n", "utf-8")
        (folder / "schema.yaml").write_text(SCHEMA, "utf-8")
        (folder / "provenance.json").write_text('{"step": "test"}\n', "utf-8")
        return folder


def _code(value: object, names: Sequence[str] | None) -> object:
    if names is None or value is None:
        return value
    return [names.index(one) for one in value] if isinstance(value, list) else names.index(str(value))


@pytest.fixture(scope="session")
def maker() -> Maker:
    return Maker()


@pytest.fixture
def tiny(tmp_path: Path, maker: Maker) -> Path:
    """Return a dataset folder; every fifth utterance of its test split has no labels."""
    rows = maker.rows(9, "e")
    for number, row in enumerate(rows):
        if number % 5 == 0:
            row.update(dict.fromkeys(FIELDS))
    splits = {"train": maker.rows(24, "t"), "validation": maker.rows(8, "v"), "test": rows}
    return maker.dataset(tmp_path / "tiny", splits)


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the dataset of the packaged sample."""
    from annotation.aggregation import aggregate_project

    project, _ = create_sample(tmp_path_factory.mktemp("sample") / "project")
    aggregate_project(project)
    split_project(project, ratios=(0.6, 0.2, 0.2))
    build(project)
    dataset = project.path("dataset")
    if not (dataset / "schema.yaml").exists():
        shutil.copy(project.path("schema.yaml"), dataset / "schema.yaml")
    return dataset


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture(autouse=True)
def hub_is_away(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Keep tests off the Hub and out of the user's cache."""
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "datasets")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("datasets.config.HF_HUB_OFFLINE", True)
