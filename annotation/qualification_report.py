"""What came of training and control items: for the lead by rater, for everybody else as aggregates."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from rich.markup import escape
from rich.table import Table

from annotation.answer_key import read_answer_key
from annotation.client import Client
from annotation.feedback import show_feedback, write_feedback
from annotation.installation import Tell, silent
from annotation.key_scores import MEASURES, Score
from annotation.qualification import (
    Attempt,
    Override,
    close_attempts,
    control_scores,
    has_training,
    passed_fields,
    read_state,
)
from annotation.taking_turns import in_turn
from schemas.errors import InputError
from schemas.project import Project

REPORT = "reports/qualification.json"
COMMAND = "annotation qualify"
FEWEST = 3
"""Counts and mean scores of fewer raters would say how single ones did: the aggregates leave them out."""

Control = Mapping[tuple[str, str], Mapping[str, Score]]


@dataclass(frozen=True)
class Qualification:
    """Where training and control items stand.

    Attributes:
        attempts: Every attempt of every rater.
        overrides: Raters who were let in all the same.
        control: Scores of control items, by round and rater.
        types: Type of each field that has a score.
        pages: The feedback pages that were written.
        shown: Tasks on the server that show feedback from now on.
    """

    attempts: tuple[Attempt, ...]
    overrides: tuple[Override, ...]
    control: Control
    types: Mapping[str, str]
    pages: tuple[str, ...] = ()
    shown: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Return what JSON can hold, for the lead: with pseudonyms."""
        return {
            "attempts": [
                {
                    "round": one.round,
                    "rater": one.rater,
                    "attempt": one.number,
                    "items": one.items,
                    "done": one.done,
                    "closed": one.closed,
                    "passed": one.passed,
                    "scores": {name: vars(found) for name, found in one.scores.items()},
                    "threshold": dict(one.threshold),
                }
                for one in self.attempts
            ],
            "overrides": [vars(one) for one in self.overrides],
            "control": [
                {"round": round_, "rater": rater, "scores": {name: vars(one) for name, one in found.items()}}
                for (round_, rater), found in self.control.items()
            ],
            "feedback": list(self.pages),
        }

    def aggregates(self) -> dict[str, Any]:
        """Return what may be published: counts and means over at least `FEWEST` raters, None below that."""
        closed = [one for one in self.attempts if one.closed]
        last = {one.rater: one for one in closed}
        reached = passed_fields(closed)
        fields = {name for one in closed for name in one.scores}
        thresholds = {name: least for one in closed for name, least in one.threshold.items()}
        passed = {rater for rater in last if thresholds.keys() <= reached[rater]}
        rounds = dict.fromkeys(round_ for round_, _ in self.control)
        enough = len(last) >= FEWEST
        return {
            "raters": len(last),
            "raters_by_attempts": _counts(Counter(one.rater for one in closed)) if enough else None,
            "qualified": len(passed) if enough else None,
            "overrides": len({one.rater for one in self.overrides} - passed) if enough else None,
            "training": {
                name: {
                    "measure": MEASURES[self.types[name]].get("en"),
                    "threshold": thresholds.get(name),
                    "last_attempt": _mean([one.scores[name] for one in last.values() if name in one.scores]),
                }
                for name in self.types
                if name in fields
            },
            "control": {
                name: {
                    one: _mean([found[one] for (round_, _), found in self.control.items()
                                if round_ == name and one in found])
                    for one in self.types
                }
                for name in rounds
            },
        }  # fmt: skip

    def table(self) -> Table:
        """Return a table for a terminal: a row an attempt, with ``✗`` at scores below their threshold."""
        title = "Training: score against the key, corrected for chance"
        table = Table(title=title, caption="score / threshold; ✗ below it", show_lines=True)
        for name in ("rater", "round"):
            table.add_column(name, overflow="fold")
        for name in ("attempt", "done"):
            table.add_column(name, justify="right")
        table.add_column("scores", ratio=1, overflow="fold")
        table.add_column("passed")
        let_in = {one.rater for one in self.overrides}
        for one in self.attempts:
            verdict = "yes" if one.passed else "override" if one.rater in let_in else "no"
            asked = sorted(self.types, key=lambda name: name not in one.threshold)
            table.add_row(
                escape(one.rater),
                escape(one.round),
                str(one.number),
                f"{one.done}/{one.items}",
                "\n".join(_cell(one, name) for name in asked if name in one.scores and one.complete),
                verdict if one.closed or one.rater in let_in else "not finished",
            )
        return table

    def lines(self) -> Iterator[str]:
        """Say where the feedback stands and how control items were answered."""
        if not self.attempts and not self.control:
            yield "no training round is set up yet: 'annotation setup --round NAME' does"
        if self.pages:
            yield f"{len(self.pages)} feedback pages stand in private/feedback/; hand them over one by one"
        if self.shown:
            yield f"{self.shown} tasks on the server show their feedback, too"
        for (round_, rater), found in self.control.items():
            parts = (f"{name} {_shown(one)} ({one.items})" for name, one in found.items())
            yield f"control items of {round_} · {rater}: {', '.join(parts)}"


def _counts(of_rater: Counter[str]) -> dict[str, int]:
    return {str(times): count for times, count in sorted(Counter(of_rater.values()).items())}


def _mean(found: Sequence[Score]) -> dict[str, Any]:
    values = [one.value for one in found if one.value is not None]
    mean = round(float(np.mean(values)), 4) if len(values) >= FEWEST else None
    return {"raters": len(found), "answers": sum(one.items for one in found), "mean": mean}


def _cell(one: Attempt, name: str) -> str:
    text = f"{name} {_shown(one.scores[name])}"
    if name not in one.threshold:
        return text
    return f"{text} / {one.threshold[name]:.2f}{' ✗' * (name in one.below())}"


def _shown(one: Score) -> str:
    return "–" if one.value is None else f"{one.value:.2f}"


def project_qualification(project: Project, found: Sequence[Attempt]) -> Qualification:
    """Put together where training and control items stand."""
    control = control_scores(project)
    types = {one.name: one.type for one in project.schema}
    used = {name for one in found for name in one.scores} | {
        name for scores in control.values() for name in scores
    }
    kept = {name: kind for name, kind in types.items() if name in used}
    return Qualification(tuple(found), tuple(read_state(project).overrides), control, kept)


@in_turn
def qualify(project: Project, *, client: Client | None = None, tell: Tell = silent) -> Qualification:
    """Close complete attempts, score them, give feedback, and write the aggregates.

    Writes ``private/feedback/`` and ``reports/qualification.json``, and shows the feedback on the server
    where that runs.

    Args:
        project: The project.
        client: The server; None for the one the project works with, if it runs.
        tell: Gets a line for each step.

    Raises:
        InputError: There is neither a training round nor an answer key, or the key has faults.
    """
    if not has_training(project) and not read_answer_key(project).control:
        raise InputError(
            "there is no training round; say 'kind: training' of a round in corpus.yaml, then "
            "'annotation setup --round NAME'"
        )
    found = close_attempts(project)
    pages = write_feedback(project, found)
    shown = 0
    if pages:
        try:
            shown = show_feedback(project, found, client or Client.of(project))
        except InputError as fault:
            tell(f"feedback is not shown on the server: {fault}")
    made = project_qualification(project, found)
    made = Qualification(made.attempts, made.overrides, made.control, made.types, tuple(pages), shown)
    with project.writing(COMMAND) as staging:
        (staging / REPORT).parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps(made.aggregates(), ensure_ascii=False, indent=1, allow_nan=False)
        (staging / REPORT).write_text(text + "\n", "utf-8")
    return made
