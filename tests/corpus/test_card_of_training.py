"""The dataset card says how raters were trained, in counts and means, and nothing of a single one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from annotation.key_scores import Score
from annotation.qualification import Attempt, Override
from annotation.qualification_report import REPORT, Qualification
from corpus.card import AGREEMENT, QUALIFICATION, write_card
from schemas.errors import InputError
from schemas.project import Project


def attempt(rater: str, number: int, value: float) -> Attempt:
    scores = {"sentiment": Score(12, 9, value), "sarcasm": Score(12, 12, None, "one answer")}
    return Attempt(f"training-{number}", rater, number, 12, 12, True, {}, scores, {"sentiment": 0.6})


@pytest.fixture
def card(tmp_path: Path) -> str:
    project = Project.create(tmp_path / "p")
    tried = [attempt("label-studio:r1", 1, 0.2), attempt("label-studio:r1", 2, 0.8)]
    tried += [attempt(f"label-studio:r{number}", 1, 0.7) for number in (2, 3)]
    tried += [attempt("label-studio:r4", 1, 0.1)]
    control = {
        **{("main", f"label-studio:r{n}"): {"sentiment": Score(5, 4, 0.5)} for n in (1, 2, 3)},
        **{("late", f"label-studio:r{n}"): {"sentiment": Score(5, 4, 0.5)} for n in (1, 2)},
    }
    overrides = (Override("label-studio:r4", "lead", "2026-03-05", "knows the corpus"),)
    kinds = {"sentiment": "ordinal", "sarcasm": "nominal"}
    return card_of(Qualification(tuple(tried), overrides, control, kinds), project, tmp_path)


def card_of(found: Qualification, project: Project, tmp_path: Path) -> str:
    project.path(REPORT).parent.mkdir()
    project.path(REPORT).write_text(json.dumps(found.aggregates()), "utf-8")
    (tmp_path / "out").mkdir()
    project.path("dialogues.parquet").touch()
    settings = project.path("corpus.yaml")
    settings.write_text(settings.read_text("utf-8").replace("languages: []", "languages: [zh]"), "utf-8")
    write_card(Project(project.root), tmp_path / "out", {"default": {"train": 1}}, "labels/x.parquet", "d")
    return (tmp_path / "out" / "README.md").read_text("utf-8")


def test_counts_and_means(card: str) -> None:
    assert "4 raters took part in training (3 in 1 attempt, 1 in 2 attempts); 3 qualified." in card
    assert "1 rated without having qualified" in card
    assert "| training, last attempt | sentiment | 0.60 | 4 | 48 | 0.57 |" in card  # (0.8+0.7+0.7+0.1)/4
    assert "| control items of main | sentiment |  | 3 | 15 | 0.50 |" in card


def test_the_mean_of_few_raters_is_not_said(card: str) -> None:
    assert "| control items of late | sentiment |  | 2 | 10 | too few raters to say |" in card
    assert "| training, last attempt | sarcasm |  | 4 | 48 | too few raters to say |" in card


def test_the_counts_of_few_raters_are_not_said(tmp_path: Path) -> None:
    tried = (attempt("label-studio:r1", 1, 0.8), attempt("label-studio:r2", 1, 0.1))
    found = Qualification(tried, (), {}, {"sentiment": "ordinal"})
    counts = found.aggregates()
    assert counts["raters"] == 2
    assert [counts[name] for name in ("qualified", "overrides", "raters_by_attempts")] == [None] * 3
    card = card_of(found, Project.create(tmp_path / "p"), tmp_path)
    assert "2 raters took part in training: too few raters to say" in card
    assert "1 qualified" not in card


def test_nothing_of_a_single_rater(card: str) -> None:
    for secret in ("label-studio", "r1", "r4", "knows the corpus"):
        assert secret not in card


@pytest.mark.parametrize("text", ["{", "[]", "{}"])
@pytest.mark.parametrize(("file", "step"), [(AGREEMENT, "agreement"), (QUALIFICATION, "qualify")])
def test_damaged_reports_are_named_with_what_makes_them(
    tmp_path: Path, file: str, step: str, text: str
) -> None:
    project = Project.create(tmp_path / "p")
    project.path("dialogues.parquet").touch()
    project.path(file).parent.mkdir()
    project.path(file).write_text(text, "utf-8")
    settings = project.path("corpus.yaml")
    settings.write_text(settings.read_text("utf-8").replace("languages: []", "languages: [zh]"), "utf-8")
    with pytest.raises(InputError, match=f"{file}: this report is damaged.*'annotation {step}'"):
        write_card(Project(project.root), tmp_path, {"default": {"train": 1}}, "labels/x.parquet", "d")
