"""The report page: what it says, in both languages, and that it says nothing that is out of date."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from corpus.importers import import_source
from corpus.report import AGREEMENT, report
from corpus.splits import split_project
from schemas.errors import InputError
from schemas.project import Project

ROWS = (
    "dialogue_id,utterance_id,text,start,end,sentiment\n"
    "a,a1,<b>x</b>,0,1800,positive\na,a2,y,1800,5400,negative\nb,b1,z,,,\n"
)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Return a project with one source and published labels."""
    (tmp_path / "t.csv").write_text(ROWS)
    project = Project.create(tmp_path / "a & <b>", "affect")
    import_source(project, "table", [tmp_path / "t.csv"])
    return project


def words(page: Path) -> str:
    """Return the text of a page without its tags."""
    body = page.read_text("utf-8").partition("<body")[2]
    return " ".join(
        re.sub(r"<[^>]*>", " ", re.sub(r"<(script|style).*?</\1>", " ", body, flags=re.S)).split()
    )


def test_size_labels_and_findings(project: Project) -> None:
    split_project(project, ratios=(0.5, 0, 0.5))
    text = words(report(project))
    # Dialogues, utterances, those to be rated, speakers, hours.
    assert "table 2 3 3 0 1.5" in text
    assert "Positive: 1 (50.0%)" in text
    assert "Without a decided label: not_rated 1" in text
    assert "They are those of labels/published.parquet." in text
    assert re.search(r"0 errors, \d+ warnings, \d+ remarks", text)
    assert "a &amp; &lt;b&gt;" in text


def test_in_chinese(project: Project) -> None:
    text = words(report(project, "zh"))
    assert "取自 labels/published.parquet" in text
    assert "By source" not in text
    with pytest.raises(InputError, match="got 'fr'; valid: en, zh"):
        report(project, "fr")


def test_the_same_project_gives_the_same_page(project: Project) -> None:
    assert report(project).read_bytes() == report(project).read_bytes()


def test_agreement_that_is_out_of_date_is_not_shown(project: Project) -> None:
    alpha = {"alpha": {"value": 0.5, "low": 0.25, "high": 0.75}}
    inputs = {"utterances.parquet": project.hash("utterances.parquet")}
    content = {"fields": {"sentiment": {"coefficients": alpha}}, "made_from": {"inputs": inputs}}
    project.path(AGREEMENT).write_text(json.dumps(content))
    assert "0.500" in words(report(project))
    inputs["utterances.parquet"] = "another"
    project.path(AGREEMENT).write_text(json.dumps(content))
    text = words(report(project))
    assert "0.500" not in text
    assert "out of date; run 'annotation agreement' again" in text


def test_nothing_imported(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="'corpus import' makes it"):
        report(Project.create(tmp_path / "p"))
