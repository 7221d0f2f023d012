"""All checks together: what is said of a sound corpus, and the report."""

from __future__ import annotations

import json

import pytest

import corpus.checks
from corpus.checks import Finding, Severity, check, run
from schemas.definition import shipped_definitions
from schemas.errors import InputError
from schemas.project import Project
from schemas.sampling import draw_corpus
from schemas.tables import write_table

SOUND = {
    "emotion": "joy",
    "sentiment": "positive",
    "sarcasm": "none",
    "humor": "none",
    "emotion_sentiment": 1,
    "sarcasm_humor": 0,
    "pride": "none",
    "love": "none",
}
TIMED = [{"start": 0.0, "end": 1.0}, {"start": 2.0, "end": 3.0, "speaker_id": "bob"}]


def test_a_sound_project_gives_neither_errors_nor_warnings(make) -> None:
    found = check(make(TIMED, labels={"published": [SOUND, SOUND]}, ratings=[{**SOUND, "rater": "r"}]))
    assert {one.severity for one in found} == {Severity.INFO}
    assert {one.check for one in found} == {"labels.unused_value", "relations.told_by_parts"}


def test_a_project_without_labels_and_ratings_is_checked(make) -> None:
    assert check(make(TIMED)) == []
    assert [one.check for one in check(make([{}, {}]))] == ["times.missing"]


@pytest.mark.parametrize("name", shipped_definitions())
def test_a_valid_corpus_of_any_schema_gives_no_errors(name: str, tmp_path, of) -> None:
    project = Project.create(tmp_path / "p", name)
    for file, table in draw_corpus(project.schema, 60, seed=3).items():
        write_table(project.path(file), table, table.schema)
    found = check(project)
    assert of(found, "times.missing")
    assert [one for one in found if one.severity is Severity.ERROR] == []


def test_nothing_imported_is_a_usage_error(tmp_path) -> None:
    with pytest.raises(InputError, match="corpus import"):
        check(Project.create(tmp_path / "p", "cmma"))


def test_the_report_is_the_findings_and_the_same_bytes_each_time(make) -> None:
    project = make(
        [{"start": 3.0, "end": 2.0}, {"start": 1.0, "end": 2.0}], labels={"published": [SOUND, {}]}
    )
    before = {path.name for path in project.root.rglob("*")}
    found = run(project)
    path = project.path("reports/check.json")
    first = path.read_bytes()
    report = json.loads(first)
    assert report["findings"] == [
        {**vars(one), "examples": list(one.examples), "severity": str(one.severity)} for one in found
    ]
    assert sum(report["counts"].values()) == len(found) > 2
    assert report["counts"]["warning"] == sum(one.severity == "warning" for one in found) > 0
    assert run(project) == found
    assert path.read_bytes() == first
    assert {path.name for path in project.root.rglob("*")} - before <= {"reports", "check.json", ".lock"}


def test_errors_come_first(make) -> None:
    found = check(make([{}, {"utterance_id": "u0"}], labels={"published": [SOUND, SOUND]}))
    severities = [list(Severity).index(one.severity) for one in found]
    assert severities == sorted(severities)
    assert found[0] == Finding(
        "identity.duplicate_id",
        Severity.ERROR,
        "1 of 2 rows of utterances.parquet repeat the utterance_id of an earlier row.",
        1,
        2,
        "utterances.parquet",
        ("u0",),
    )


def test_a_failing_check_leaves_the_report_as_it_was(make, monkeypatch) -> None:
    project = make(TIMED)
    run(project)
    before = project.path("reports/check.json").read_bytes()

    def fail(_: Project) -> list[Finding]:
        raise InputError("no")

    monkeypatch.setattr(corpus.checks, "check", fail)
    with pytest.raises(InputError):
        run(project)
    assert project.path("reports/check.json").read_bytes() == before


def test_no_more_than_five_examples(make, of) -> None:
    found = check(make([{"text": ""}] * 9, labels={"published": [{}] * 9}))
    assert {len(one.examples) for one in of(found, "text.empty")} == {5}
    assert all(len(one.examples) <= 5 for one in found)
