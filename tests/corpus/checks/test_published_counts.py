"""The defects of released corpora, through import and check, with the counts that were measured elsewhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from corpus.checks import Finding, Severity, check
from corpus.importers import import_source
from schemas.project import Project


@pytest.fixture(scope="module")
def cmma(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Finding]:
    project = Project.create(tmp_path_factory.mktemp("cmma") / "p", "cmma")
    import_source(project, "cmma", [shared / "data" / "CMMA"])
    return check(project)


@pytest.fixture(scope="module")
def meld(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Finding]:
    project = Project.create(tmp_path_factory.mktemp("meld") / "p", "meld")
    import_source(project, "meld", [shared / "data" / "MELD"])
    return check(project)


@pytest.mark.parametrize(
    ("name", "subject", "count", "total"),
    [
        ("quarantine.row", None, 1912, None),
        ("quarantine.cell", "time", 2, None),
        ("quarantine.cell", "emotion", 6, None),
        ("quarantine.cell", "love", 11, None),
        ("quarantine.cell", "sarcasm_humor", 3, None),
        ("times.missing", None, 2, 21_795),
        ("times.not_after_start", None, 10, 21_793),
        ("times.overlap", None, 48, 18_794),
        ("speakers.no_attributes", None, 254, 459),
        ("speakers.short_gap", None, 7959, 18_795),
        ("speakers.split_turn", None, 5176, 7959),
        ("relations.rated_without_parts", "sarcasm_humor", 6402, 17_284),
        ("relations.rated_without_parts", "emotion_sentiment", 10_330, 10_720),
        ("relations.target_without_source", "emotion_sentiment", 2294, 13_014),
        ("relations.opposite_signs", "emotion_sentiment: joy + positive", 573, 2029),
        ("splits.speaker", "source: train, test", 10, 119),
    ],
)
def test_cmma(
    cmma: list[Finding], name: str, subject: str | None, count: int, total: int | None, only
) -> None:
    found = only(cmma, name, subject)
    assert (found.count, found.of) == (count, total)


def test_cmma_cells_stand_with_their_originals(cmma: list[Finding], only) -> None:
    assert only(cmma, "quarantine.cell", "sarcasm_humor").examples == ("'0.5' (2)", "'-0.5' (1)")
    assert only(cmma, "quarantine.cell", "emotion").examples == ("'digust' (6)",)
    assert only(cmma, "quarantine.cell", "love").examples == ("'emptylove' (11)",)


def test_cmma_relations_are_hardly_told_by_their_parts(cmma: list[Finding], only) -> None:
    found = only(cmma, "relations.told_by_parts", "emotion_sentiment")
    assert found.of == 21_795
    assert "(53%)" in found.message
    assert "(50%)" in found.message


def test_released_corpora_have_defects_and_no_errors(cmma: list[Finding], meld: list[Finding]) -> None:
    assert {one.severity for one in (*cmma, *meld)} == {Severity.WARNING, Severity.INFO}


@pytest.mark.parametrize(
    ("name", "count", "total"),
    [("splits.episode", 142, 143), ("splits.speaker", 69, 100), ("splits.show", 1, 1)],
)
def test_meld(meld: list[Finding], name: str, count: int, total: int, only) -> None:
    found = only(meld, name, "source: train, test")
    assert (found.count, found.of) == (count, total)
