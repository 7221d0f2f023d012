"""The answer key: utterances whose answers are known, for training and as control items.

The lead writes ``private/answer-key.private.yaml``. Items for *training* are rated in rounds of kind
``training`` and then explained with their reasons; *control* items are mixed into other rounds, where no
rater can tell them from the rest. The dialogues of both take no part in the ordinary assignment of rounds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from annotation.roster import read_private, write_private
from schemas import project as folder
from schemas.errors import InputError, Issue
from schemas.fields import Field, IntervalField, Missing, MultilabelField, RelationField, Text
from schemas.label_schema import LabelSchema
from schemas.located_yaml import KeyPath, load_located
from schemas.project import Project
from schemas.tables import read_table

ANSWER_KEY = "private/answer-key.private.yaml"

Answer = str | float | int | frozenset[str]
"""The name of a value, a number, a set of names, or `Missing.CANNOT_TELL`."""

_PARTS = ("training", "control")
_KEYS = ("answers", "reason")
_TEMPLATE = """\
# Known answers. This file is private: readable by you alone, ignored by git, never published.
training:                    # rated in rounds of kind training, then shown with their reasons
  # UTTERANCE_ID:
  #   answers: {sentiment: negative, emotion: [anger], sarcasm: cannot_tell}
  #   reason: {en: Why this is so., zh: 为什么是这样。}
control:                     # mixed into other rounds, unknown to raters
  # UTTERANCE_ID:
  #   answers: {sentiment: positive}
"""


@dataclass(frozen=True)
class KnownItem:
    """What is known of one utterance.

    Attributes:
        answers: The answer to each field that has one here; there is at least one.
        reason: Why, in words for raters; control items need none.
    """

    answers: Mapping[str, Answer]
    reason: Text | None = None


@dataclass(frozen=True)
class AnswerKey:
    """What is known, by utterance.

    Attributes:
        training: Items of training rounds.
        control: Items that are mixed into other rounds.
        dialogues: The dialogue of each item.
    """

    training: Mapping[str, KnownItem] = field(default_factory=dict)
    control: Mapping[str, KnownItem] = field(default_factory=dict)
    dialogues: Mapping[str, str] = field(default_factory=dict)

    def training_dialogues(self) -> frozenset[str]:
        """Return the dialogues that hold training items."""
        return frozenset(self.dialogues[name] for name in self.training)

    def control_dialogues(self) -> frozenset[str]:
        """Return the dialogues that hold control items."""
        return frozenset(self.dialogues[name] for name in self.control)


def read_answer_key(project: Project) -> AnswerKey:
    """Read the answer key of a project; an empty one where there is none.

    Raises:
        InputError: With every fault and its line.
    """
    path = project.path(ANSWER_KEY)
    if not path.exists():
        return AnswerKey()
    text = read_private(path)
    rows = read_table(project.path(folder.UTTERANCES), ["utterance_id", "dialogue_id", "context_only"])
    rated = {
        row["utterance_id"]: None if row["context_only"] else str(row["dialogue_id"])
        for row in rows.to_pylist()
    }
    return parse_answer_key(text, str(path), project.schema, rated)


def require_answer_key(project: Project, part: str) -> AnswerKey:
    """Read the answer key of a project for a step that needs one of its parts, ``training`` or ``control``.

    Raises:
        InputError: It has faults or is empty. Where there is none, a template is put there first.
    """
    if not project.path(ANSWER_KEY).exists():
        write_private(project.path(ANSWER_KEY), _TEMPLATE)
    key = read_answer_key(project)
    if not getattr(key, part):
        message = f"write known answers here under '{part}' (see the template), then run this again"
        raise InputError(Issue(message, str(project.path(ANSWER_KEY))))
    return key


def parse_answer_key(
    text: str, where: str, schema: LabelSchema, rated: Mapping[str, str | None]
) -> AnswerKey:
    """Read the text of an answer key.

    Args:
        text: The YAML.
        where: Name of its file, for messages.
        schema: The label schema.
        rated: The dialogue of each utterance of the project; None for those that nobody rates.

    Raises:
        InputError: With every fault and its line.
    """
    data, lines = load_located(text, where)
    if not isinstance(data, dict | None):
        raise InputError(Issue("a mapping is expected here", where, 1, choices=_PARTS))
    issues = [
        Issue("unknown part of the key", where, lines[(part,)], value=part, choices=_PARTS)
        for part in data or {}
        if part not in _PARTS
    ]
    found: dict[str, dict[str, KnownItem]] = {part: {} for part in _PARTS}
    for part in _PARTS:
        items = (data or {}).get(part)
        if not isinstance(items, dict | None):
            issues.append(
                Issue("a mapping of utterances is expected here", where, lines[(part,)], value=items)
            )
            continue
        for name, about in (items or {}).items():
            faults = list(_item_faults((part, name), about, lines, where, schema, rated))
            issues += faults
            if not faults:
                found[part][name] = _item(about, schema)
    issues += _shared_dialogues(found, lines, where, rated)
    if issues:
        raise InputError(issues)
    dialogues = {name: str(rated[name]) for part in _PARTS for name in found[part]}
    return AnswerKey(found["training"], found["control"], dialogues)


def _shared_dialogues(
    found: Mapping[str, Mapping[str, KnownItem]],
    lines: Mapping[KeyPath, int],
    where: str,
    rated: Mapping[str, str | None],
) -> Iterator[Issue]:
    """Whoever trained on a dialogue knows it: none of its utterances can be a control item."""
    trained = {rated[name] for name in found["training"]}
    for name in found["control"]:
        if rated[name] in trained:
            message = "another utterance of this dialogue is a training item: it would be no control"
            yield Issue(message, where, lines[("control", name)], value=name)


def _item_faults(
    path: KeyPath,
    about: object,
    lines: Mapping[KeyPath, int],
    where: str,
    schema: LabelSchema,
    rated: Mapping[str, str | None],
) -> Iterator[Issue]:
    part, name = path
    if rated.get(name) is None:
        why = "nobody rates this utterance: it is context only" if name in rated else "no such utterance"
        yield Issue(why, where, lines[path], value=name)
    if not isinstance(about, dict):
        yield Issue("what is known is a mapping", where, lines[path], None, name, about, _KEYS)
        return
    for key in about:
        if key not in _KEYS:
            yield Issue("unknown key of an item", where, lines[(*path, key)], value=key, choices=_KEYS)
    answers = about.get("answers")
    if not isinstance(answers, dict) or not answers:
        message = "a mapping of fields to their answers is expected here"
        yield Issue(message, where, lines[path], None, "answers", answers, list(schema.by_name))
    else:
        for one, answer in answers.items():
            line = lines[(*path, "answers", one)]
            if one not in schema.by_name:
                yield Issue("unknown field", where, line, value=one, choices=list(schema.by_name))
            else:
                yield from _answer_faults(schema[one], answer, line, where)
    reason = about.get("reason")
    if reason is None and part == "training":
        yield Issue("raters need the reason, in en and zh", where, lines[path], column="reason")
    elif reason is not None and not _is_text(reason):
        yield Issue("a reason has the wordings en and zh", where, lines[path], None, "reason", reason)


def _is_text(reason: object) -> bool:
    return (
        isinstance(reason, dict)
        and reason.keys() == {"en", "zh"}
        and all(isinstance(one, str) and one.strip() for one in reason.values())
    )


def _answer_faults(one: Field, answer: object, line: int, where: str) -> Iterator[Issue]:
    if answer == Missing.CANNOT_TELL:
        return
    if isinstance(one, IntervalField):
        try:
            inside = isinstance(answer, str) and one.low <= float(answer) <= one.high
        except ValueError:
            inside = False
        if not inside:
            message = f"a number from {one.low:g} to {one.high:g} is expected here"
            yield Issue(message, where, line, None, one.name, answer)
        return
    valid = [str(name) for name in one.categories]  # type: ignore[attr-defined]
    several = isinstance(one, MultilabelField)
    if several != isinstance(answer, list):
        message = "a list of values is expected here" if several else "one value is expected here"
        yield Issue(message, where, line, None, one.name, answer, valid)
        return
    chosen = answer if isinstance(answer, list) else [answer]
    for each in chosen:
        if each not in valid:
            yield Issue("unknown value", where, line, None, one.name, each, valid)
    # A list in the list, told above, is in no set.
    if isinstance(one, MultilabelField) and len(chosen) > 1 and any(each in chosen for each in one.exclusive):
        yield Issue("this value excludes all others", where, line, None, one.name, chosen)


def _item(about: Mapping[str, Any], schema: LabelSchema) -> KnownItem:
    reason = about.get("reason")
    return KnownItem(
        {name: _answer(schema[name], answer) for name, answer in about["answers"].items()},
        None if reason is None else Text(reason["en"], reason["zh"]),
    )


def _answer(one: Field, answer: Any) -> Answer:  # noqa: ANN401 - as YAML gives it
    if answer == Missing.CANNOT_TELL:
        return Missing.CANNOT_TELL
    if isinstance(one, MultilabelField):
        return frozenset(answer)
    if isinstance(one, IntervalField):
        return float(np.float32(answer))  # as tables hold it
    return int(answer) if isinstance(one, RelationField) else str(answer)
