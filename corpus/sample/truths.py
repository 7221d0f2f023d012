"""True answers that raters start from: checked against the schema, completed where a truth lacks a field."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from zlib import crc32

import numpy as np

from schemas.errors import InputError, Issue
from schemas.fields import (
    CategoricalField,
    Field,
    IntervalField,
    MultilabelField,
    NominalField,
    OrdinalField,
    RelationField,
)
from schemas.label_schema import LabelSchema

Answers = dict[str, object]

INTERVAL_STEPS = 16
"""An interval field is answered on a grid of this many steps."""
SECOND_VALUE = 0.3
"""Probability that a drawn plausible set has two values."""


def answers(field: Field) -> tuple[object, ...]:
    """Return all answers that a rater can give to a field with one answer, lowest first.

    Raises:
        InputError: The field has no such list (sets have none).
    """
    if isinstance(field, NominalField | OrdinalField | RelationField):
        return field.categories
    if isinstance(field, IntervalField):
        step = (field.high - field.low) / INTERVAL_STEPS
        return tuple(field.low + step * position for position in range(INTERVAL_STEPS + 1))
    raise InputError(
        Issue(
            "only nominal, ordinal, interval and relation fields have one answer",
            field.name,
            value=field.type,
        )
    )


def complete_truths(truths: Sequence[Mapping[str, object]], schema: LabelSchema, seed: int) -> list[Answers]:
    """Check true answers and draw plausible ones where a truth lacks a field.

    Args:
        truths: As `raters.simulate` takes them.
        schema: The fields.
        seed: Seed of the draws.

    Raises:
        InputError: A truth is not an answer that the schema allows; all of them are named.
    """
    completed: list[Answers] = [{} for _ in truths]
    issues: list[Issue] = []
    for field in schema:
        draws = random_stream(seed, "truth", field.name).random((len(truths), 4))
        for row, (truth, draw) in enumerate(zip(truths, draws.tolist(), strict=True), 1):
            value = truth.get(field.name)
            if value is None:
                not_applicable = isinstance(field, RelationField) and field.name in truth
                value = 0 if not_applicable else _plausible(field, draw)
            elif not _is_valid(field, value):
                known = field.categories if isinstance(field, CategoricalField) else answers(field)
                issues.append(
                    Issue(
                        "this truth is not in the schema",
                        row=row,
                        column=field.name,
                        value=value,
                        choices=known,
                    )
                )
            completed[row - 1][field.name] = value
    if issues:
        raise InputError(issues)
    return completed


def _is_valid(field: Field, value: object) -> bool:
    """Say whether a truth is an answer that the schema allows."""
    if isinstance(field, MultilabelField):
        if isinstance(value, str) or not isinstance(value, Collection):
            return False
        members = read_set(field, value)
        alone = len(members) == 1 or not set(members) & set(field.exclusive)
        strengths = set(members.values()) <= set(intensity_scale(field)) or field.intensity is None
        return set(members) <= set(field.categories) and alone and strengths
    if isinstance(field, IntervalField):
        return isinstance(value, int | float) and field.low <= value <= field.high
    return value in answers(field)


def _plausible(field: Field, draw: Sequence[float]) -> object:
    """Draw a truth: any answer is as likely as any other."""
    if not isinstance(field, MultilabelField):
        choices = answers(field)
        return choices[int(draw[0] * len(choices))]
    scale = intensity_scale(field) or range(1, 2)
    members = {field.categories[int(draw[0] * len(field.values))]: scale[int(draw[1] * len(scale))]}
    others = [name for name in field.categories if name not in field.exclusive]
    if draw[2] < SECOND_VALUE and others and not set(members) & set(field.exclusive):
        members.setdefault(others[int(draw[3] * len(others))], scale[0])
    return members


def read_set(field: MultilabelField, truth: object) -> dict[str, int]:
    """Read a true set with its intensities; the lowest where the truth does not say."""
    if isinstance(truth, Mapping):
        return dict(truth)
    low = field.intensity[0] if field.intensity else 1
    return dict.fromkeys(truth, low) if isinstance(truth, Collection) else {}


def intensity_scale(field: MultilabelField) -> range:
    """Return the intensities of a set field, lowest first; none where no intensity is asked."""
    return range(field.intensity[0], field.intensity[1] + 1) if field.intensity else range(0)


def random_stream(seed: int, *names: str) -> np.random.Generator:
    """Return independent random numbers for each combination of names."""
    return np.random.Generator(np.random.PCG64([seed, *(crc32(name.encode()) for name in names)]))
