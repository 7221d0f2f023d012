"""What ``corpus.yaml`` says about rounds of annotation: what a round is for, and what it asks of raters."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from schemas.errors import Issue

Lines = Mapping[tuple[str, ...], int]


class RoundKind(StrEnum):
    """What a round is for."""

    MAIN = "main"
    """Its ratings decide labels; open to raters who are qualified, where there is a training round."""
    PILOT = "pilot"
    """Its ratings decide labels too; open to everybody."""
    TRAINING = "training"
    """Raters learn from a key; its ratings stay in ``private/`` and decide nothing."""


@dataclass(frozen=True)
class RoundSettings:
    """The settings of one round.

    Attributes:
        kind: What it is for.
        threshold: Of a training round: the least score, above 0 and up to 1, by field, that qualifies.
        control: Share, 0 to 0.5, of control dialogues (with known answers) in the queue of each rater.
        daily_limit: The most utterances that a rater is given on one day; None for no limit.
    """

    kind: RoundKind = RoundKind.MAIN
    threshold: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    control: float = 0.0
    daily_limit: int | None = None


def round_faults(value: object, lines: Lines, where: str) -> Iterator[Issue]:
    """Find what is wrong with the part ``rounds`` of ``corpus.yaml``.

    Args:
        value: What stands there, as `schemas.located_yaml.load_located` reads it.
        lines: The line of every key path of the file.
        where: Name of the file.
    """
    if not isinstance(value, dict | None):
        yield Issue("a mapping of rounds is expected here", where, lines[("rounds",)], value=value)
        return
    keys = list(RoundSettings.__dataclass_fields__)
    for name, about in (value or {}).items():
        if not isinstance(about, dict | None):
            line = lines[("rounds", name)]
            yield Issue("what is said of a round is a mapping", where, line, None, name, about, keys)
            continue
        given = about or {}
        for key, said in given.items():
            line = lines[("rounds", name, key)]
            if key not in keys:
                yield Issue("unknown setting of a round", where, line, value=key, choices=keys)
            elif key == "kind" and said not in list(RoundKind):
                yield Issue("unknown kind of round", where, line, None, key, said, list(RoundKind))
            elif key == "threshold":
                yield from _threshold_faults(name, given, said, lines, where)
            elif key == "control" and not 0 <= _number(said) <= 0.5:
                yield Issue("a share from 0 to 0.5 is expected here", where, line, None, key, said)
            elif key == "daily_limit" and not (isinstance(said, str) and said.isdecimal() and int(said)):
                yield Issue("a number of utterances is expected here", where, line, None, key, said)
        if given.get("kind") == RoundKind.TRAINING and "control" in given:
            message = "a training round has nothing but known items"
            yield Issue(message, where, lines[("rounds", name, "control")], column="control")
        if given.get("kind") == RoundKind.TRAINING and given.get("threshold", {}) == {}:
            # Without one, whoever skips every item would qualify.
            message = "a training round needs the score that qualifies, such as threshold: {sentiment: 0.6}"
            yield Issue(message, where, lines[("rounds", name)], column="threshold")


def _threshold_faults(
    name: str, about: Mapping[str, Any], said: object, lines: Lines, where: str
) -> Iterator[Issue]:
    line = lines[("rounds", name, "threshold")]
    if about.get("kind") != RoundKind.TRAINING:
        yield Issue("only a round of kind training has thresholds", where, line, column="threshold")
    if not isinstance(said, dict):
        yield Issue("a mapping of fields is expected here", where, line, None, "threshold", said)
        return
    for one, least in said.items():
        if not 0 < _number(least) <= 1:
            line = lines[("rounds", name, "threshold", one)]
            yield Issue("a score above 0 and up to 1 is expected here", where, line, None, one, least)


def read_rounds_part(value: Mapping[str, Mapping[str, Any] | None] | None) -> dict[str, RoundSettings]:
    """Read the part ``rounds`` of ``corpus.yaml``, in which `round_faults` finds nothing."""
    found = {}
    for name, about in (value or {}).items():
        said = about or {}
        limit = said.get("daily_limit")
        found[name] = RoundSettings(
            RoundKind(said.get("kind", RoundKind.MAIN)),
            {one: float(least) for one, least in said.get("threshold", {}).items()},
            float(said.get("control", 0)),
            None if limit is None else int(limit),
        )
    return found


def _number(text: object) -> float:
    """Return a number; nan, which lies in no range, for all else."""
    try:
        return float(text) if isinstance(text, str) else math.nan
    except ValueError:
        return math.nan
