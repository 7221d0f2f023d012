"""The design's acceptance test: a field added to the YAML, and nothing else, appears everywhere."""

from __future__ import annotations

import json
from pathlib import Path

from datasets import ClassLabel, List, load_dataset

from annotation.aggregation import aggregate_project
from annotation.agreement.field_report import Options
from annotation.agreement.report import project_report
from corpus.build import build
from corpus.checks import check
from corpus.importers import store
from corpus.report import report
from corpus.splits import split_project
from schemas.definition import definition_text
from schemas.project import Project
from schemas.tables import read_table
from tests.handwritten import DIALOGUES, read_sample

ADDED = """
  politeness:
    type: ordinal
    title: {en: Politeness, zh: 礼貌程度}
    question: {en: "How polite is the speaker?", zh: "说话人有多礼貌？"}
    absent: []
    values:
      rude: {title: {en: Rude, zh: 无礼}, definition: {en: Offends., zh: 冒犯他人。}}
      plain: {title: {en: Plain, zh: 一般}}
      polite: {title: {en: Polite, zh: 礼貌}}
  gesture:
    type: multilabel
    title: {en: Gesture, zh: 手势}
    absent: []
    values:
      nod: {title: {en: Nod, zh: 点头}}
      shrug: {title: {en: Shrug, zh: 耸肩}}
  politeness_gesture:
    type: relation
    source: gesture
    target: politeness
    scale: -1..1
    applies_when: always
    title: {en: Gesture on politeness, zh: 手势对礼貌的影响}
    question: {en: "Does the gesture make it more polite?", zh: "手势让话语更礼貌了吗？"}
    rule: {en: Imagine it without the gesture., zh: 设想没有这个手势。}
    values:
""" + "".join(
    f"""
      {value}:
        title: {{en: "{value}", zh: "{value}"}}
        definition: {{en: Degree {value}., zh: 程度{value}。}}
        examples: {{en: [Well.], zh: [好。]}}
        counterexamples: {{en: [No.], zh: [不。]}}
"""
    for value in (-1, 0, 1)
)
NAMES = ("politeness", "gesture", "politeness_gesture")


def test_a_field_added_to_the_yaml_appears_in_every_artefact(tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    own.write_text(definition_text("affect")[0].rstrip() + "\n" + ADDED, "utf-8")
    project = Project.create(tmp_path / "p", own)
    store(project, read_sample(DIALOGUES.read_text("utf-8"), project.schema), {"format": "sample"})

    ratings = read_table(project.path("annotations/sample.parquet"))
    assert set(NAMES) <= set(ratings.column_names)
    assert ratings.column("politeness").null_count < ratings.num_rows / 2

    project_report(project, Options(n_boot=20))
    agreement = json.loads(project.path("reports/agreement.json").read_text("utf-8"))["fields"]
    assert set(NAMES) <= set(agreement)
    assert agreement["politeness"]["level"] == "ordinal"
    assert agreement["gesture"]["level"] == "set"
    assert "Politeness" in project.path("reports/agreement.html").read_text("utf-8")

    aggregate_project(project)
    labels = read_table(project.path("labels/majority.parquet"))
    assert {f"{name}_soft" for name in NAMES} <= set(labels.column_names)
    assert not [one for one in check(project) if one.severity == "error"]

    split_project(project)
    build(project)
    features = load_dataset(str(project.path("dataset")), cache_dir=str(tmp_path / "cache"))["train"].features
    assert features["politeness"] == ClassLabel(names=["rude", "plain", "polite"])
    assert features["gesture"] == List(ClassLabel(names=["nod", "shrug"]))
    assert features["politeness_gesture"].dtype == "int8"
    card = project.path("dataset/README.md").read_text("utf-8")
    assert all(f"`{name}`" in card for name in NAMES)
    assert "礼貌程度" in card

    report(project)
    assert "Politeness (politeness)" in project.path("reports/report.html").read_text("utf-8")
