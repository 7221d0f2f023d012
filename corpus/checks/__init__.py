"""What is wrong with a corpus, counted and located, before it is built.

A concern is a module; each looks at the tables of a project and yields findings. Nothing is changed.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

from corpus.checks.decided import labels_to_check
from corpus.checks.finding import Finding, Severity
from corpus.checks.identity import check_identity
from corpus.checks.labels import check_labels
from corpus.checks.quarantine import check_quarantine
from corpus.checks.relations import check_relations
from corpus.checks.speakers import check_speakers
from corpus.checks.splits import check_splits
from corpus.checks.text import check_text
from corpus.checks.times import check_times
from schemas.project import DIALOGUES, UTTERANCES, Project

REPORT = "reports/check.json"


def check(project: Project) -> list[Finding]:
    """Run every check.

    Args:
        project: A project into which something was imported; labels, ratings and splits need not be there.

    Returns:
        The findings, errors before warnings before information, then by check and subject.

    Raises:
        InputError: Nothing was imported yet, or a table lacks a column.
    """
    for name in (UTTERANCES, DIALOGUES):
        project.require(name, "corpus import")
    labels = labels_to_check(project)
    found = [
        *check_quarantine(project),
        *check_identity(project),
        *check_times(project),
        *check_text(project),
        *check_speakers(project, labels),
        *check_labels(project, labels),
        *check_relations(project, labels),
        *check_splits(project, labels),
    ]
    order = list(Severity)
    return sorted(
        found, key=lambda one: (order.index(one.severity), one.check, one.subject or "", one.message)
    )


def write_report(path: Path, findings: Iterable[Finding]) -> None:
    """Write findings as JSON: how many there are of each severity, and each with all it says."""
    listed = list(findings)
    report = {
        "counts": {
            str(severity): sum(finding.severity is severity for finding in listed) for severity in Severity
        },
        "findings": [asdict(finding) for finding in listed],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(report, indent=1, sort_keys=True, ensure_ascii=False) + "\n", "utf-8")


def run(project: Project) -> list[Finding]:
    """Run every check and write ``reports/check.json``; return the findings.

    Raises:
        InputError: Nothing was imported yet, a table lacks a column, or another command is writing.
    """
    with project.writing("corpus check") as staging:
        findings = check(project)
        write_report(staging / REPORT, findings)
    return findings


__all__ = ["Finding", "Severity", "check", "run", "write_report"]
