"""What corpus.yaml says of rounds, and every fault in it with its line."""

from __future__ import annotations

import pytest

from schemas.errors import InputError
from schemas.project import parse_settings
from schemas.round_settings import RoundKind, RoundSettings

GOOD = """\
name: x
rounds:
  pilot: {kind: pilot}
  training: {kind: training, threshold: {sentiment: 0.6, emotion: 1}}
  main: {control: 0.05, daily_limit: 200}
  plain:
"""
BAD = """\
name: x
rounds:
  a: {kind: test}
  b: {control: 0.7, daily_limit: 0}
  c: {kind: training, threshold: {sentiment: 0, emotion: high}, control: 0.1}
  d: {threshold: {sentiment: 0.5}}
  e: {kind: training, threshold: 0.5}
  f: [main]
  g: {limit: 3, daily_limit: 1.5}
"""


def test_rounds_are_read() -> None:
    rounds = parse_settings(GOOD, "corpus.yaml").rounds
    assert rounds["pilot"] == RoundSettings(RoundKind.PILOT)
    assert rounds["training"].threshold == {"sentiment": 0.6, "emotion": 1.0}
    assert (rounds["main"].kind, rounds["main"].control, rounds["main"].daily_limit) == ("main", 0.05, 200)
    assert rounds["plain"] == RoundSettings()
    for text in ("name: x", "name: x\nrounds:", "name: x\nrounds: {}"):
        assert parse_settings(text, "corpus.yaml").rounds == {}


def test_every_fault_is_told_with_its_line() -> None:
    with pytest.raises(InputError) as refused:
        parse_settings(BAD, "corpus.yaml")
    found = sorted((one.line, one.message) for one in refused.value.issues)
    assert found == [
        (3, "unknown kind of round"),
        (4, "a number of utterances is expected here"),
        (4, "a share from 0 to 0.5 is expected here"),
        (5, "a score above 0 and up to 1 is expected here"),
        (5, "a score above 0 and up to 1 is expected here"),
        (5, "a training round has nothing but known items"),
        (6, "only a round of kind training has thresholds"),
        (7, "a mapping of fields is expected here"),
        (8, "what is said of a round is a mapping"),
        (9, "a number of utterances is expected here"),
        (9, "unknown setting of a round"),
    ]


@pytest.mark.parametrize("given", ["", ", threshold: {}"])
def test_a_training_round_has_a_threshold(given: str) -> None:
    with pytest.raises(InputError, match=r"threshold: \{sentiment: 0.6\}") as refused:
        parse_settings(f"name: x\nrounds:\n  t: {{kind: training{given}}}\n", "corpus.yaml")
    assert [(one.line, one.column) for one in refused.value.issues] == [(3, "threshold")]


def test_rounds_are_a_mapping() -> None:
    with pytest.raises(InputError, match="a mapping of rounds is expected here"):
        parse_settings("name: x\nrounds: [main]", "corpus.yaml")
