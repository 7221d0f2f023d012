"""Answers written as Label Studio's results: pre-annotations of a model, and what an adjudicator is shown.

The inverse of `annotation.results`, by the same plan of the page.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from annotation.control import Control, Role, Special, shown
from annotation.controls import page_controls
from annotation.pulled import PREDICTION_SHOWN
from annotation.sheet import Design
from annotation.tasks import Task
from schemas.errors import InputError, Issue
from schemas.fields import Field, IntervalField, Missing, MultilabelField
from schemas.label_schema import LabelSchema
from schemas.records import has_intensity
from schemas.tables import read_table

MODEL = "model_version"
SCORE = "score"
_NOT_GIVEN = Missing.NOT_RATED


@dataclass(frozen=True)
class Prediction:
    """What a model says of one utterance.

    Attributes:
        model_version: Which model, and which version of it.
        score: How sure it is; None where it does not say.
        answers: Its answers, under the columns of `schemas.records.answer_columns`.
    """

    model_version: str
    score: float | None
    answers: Mapping[str, Any]

    def task_part(self, schema: LabelSchema) -> dict[str, Any]:
        """Return the prediction as a task of the utterance design holds it."""
        part = {"model_version": self.model_version, "result": written(self.answers, schema)}
        return part if self.score is None else {**part, "score": self.score}


def predicted(task: Task, predictions: Mapping[str, Prediction], schema: LabelSchema) -> Task:
    """Return a task with what a model says of its utterances, filled in on its page.

    The task remembers which model was shown, for a dialogue turn by turn, so that its ratings can say so. In
    a dialogue the answers join the regions of their turns, since Label Studio starts from one prediction
    only; its score is the mean over the turns that have one.

    Args:
        task: A task, as `tasks` makes it.
        predictions: Predictions by utterance; those of other utterances have no part.
        schema: The schema that the page was made from.
    """
    data = task["data"]
    if data["design"] != Design.DIALOGUE:
        one = predictions.get(data["utterance_id"])
        if one is None:
            return task
        data = {**data, PREDICTION_SHOWN: one.model_version}
        return {**task, "data": data, "predictions": [one.task_part(schema)]}
    found = {name: predictions[name] for name in data["turns"] if name in predictions}
    if not found:
        return task
    [turns] = task["predictions"]
    regions = dict(zip(data["turns"], turns["result"], strict=True))
    answers = [
        {**result, "id": regions[name]["id"], "to_name": regions[name]["to_name"],
         "value": {**_span(regions[name]), **result["value"]}}
        for name, one in found.items()
        for result in written(one.answers, schema)
    ]  # fmt: skip
    part = {**turns, "result": [*turns["result"], *answers]}
    if scores := [one.score for one in found.values() if one.score is not None]:
        part["score"] = sum(scores) / len(scores)
    shown_first = {name: one.model_version for name, one in found.items()}
    return {**task, "data": {**data, PREDICTION_SHOWN: shown_first}, "predictions": [part]}


def _span(region: Mapping[str, Any]) -> dict[str, Any]:
    """Return where a region lies, without its label."""
    return {name: value for name, value in region["value"].items() if not name.endswith("labels")}


def read_predictions(path: Path, schema: LabelSchema) -> dict[str, Prediction]:
    """Read a table of predictions.

    Args:
        path: Parquet with ``utterance_id``, ``model_version``, if known ``score``, and a column for each
            predicted field as project tables have it; fields that are not there are not predicted.
        schema: The label schema.

    Returns:
        A prediction for each utterance.

    Raises:
        InputError: The table lacks a column, names an utterance twice, or holds values that are none of the
            schema's.
    """
    rows = read_table(path).to_pylist()
    lacking = [name for name in ("utterance_id", MODEL) if rows and name not in rows[0]]
    issues = [Issue("this table lacks a column", str(path), value=name) for name in lacking]
    if rows and not lacking and not any(field.name in rows[0] for field in schema):
        issues.append(Issue("no column is a field of the schema", str(path), choices=list(schema.by_name)))
    found: dict[str, Prediction] = {}
    for place, row in enumerate(rows if not issues else (), 1):
        if row["utterance_id"] in found:
            issues.append(Issue("a second prediction of this utterance", str(path), row=place,
                                value=row["utterance_id"]))  # fmt: skip
        if not row[MODEL]:
            issues.append(Issue("a prediction says which model made it", str(path), row=place, column=MODEL))
        for field in schema:
            value = row.get(field.name)
            if value is not None and not _fits(field, value):
                choices = getattr(field, "categories", ())
                issues.append(
                    Issue("no value of the schema", str(path), None, place, field.name, value, choices)
                )
        found[row["utterance_id"]] = Prediction(str(row[MODEL]), row.get(SCORE), row)
    if issues:
        raise InputError(issues)
    return found


def _fits(field: Field, value: object) -> bool:
    if isinstance(field, IntervalField):
        return isinstance(value, int | float) and field.low <= value <= field.high
    categories = getattr(field, "categories", ())
    if isinstance(field, MultilabelField):
        return isinstance(value, list) and all(one in categories for one in value)
    return value in categories


def written(answers: Mapping[str, Any], schema: LabelSchema) -> list[dict[str, Any]]:
    """Write the answers about one utterance as the results of its page.

    Args:
        answers: Answer columns; those that are lacking are not answered.
        schema: The schema that the page was made from.
    """
    return [
        {
            "from_name": name,
            "to_name": "utterance",
            "type": "choices",
            "value": {"choices": list(aliases)},
        }
        for name, aliases in selections(answers, schema).items()
    ]


def selections(answers: Mapping[str, Any], schema: LabelSchema) -> dict[str, Sequence[str]]:
    """Return the choices of a page that say these answers, by control."""
    controls = page_controls(schema)
    chosen = {}
    for control in controls:
        if control.field is not None and not control.hidden:
            aliases = control.answering(_answers(control, schema[control.field], answers))
            if aliases:
                chosen[control.name] = aliases
    return dict(shown(controls, chosen))


def _answers(control: Control, field: Field, answers: Mapping[str, Any]) -> list[object]:
    """Return the answers of one control."""
    value = answers.get(field.name)
    if answers.get(f"{field.name}_missing") == Missing.CANNOT_TELL:
        return [Special.CANNOT_TELL] if control.role in (Role.VALUE, Role.ALONE) else []
    if value is None:
        return []
    if control.role is Role.INTENSITY and isinstance(field, MultilabelField):
        if control.value not in value or not has_intensity(field) or field.intensity is None:
            return []
        slots = answers.get(f"{field.name}_intensity")
        strength = slots[field.categories.index(control.value)] if slots else 0
        return [strength or field.intensity[0]]
    if isinstance(field, MultilabelField):
        return list(value) or [Special.NONE_OF_THEM]
    if isinstance(field, IntervalField):
        points = [choice.answer for choice in control.choices if isinstance(choice.answer, float)]
        return [min(points, key=lambda point: abs(point - value))]
    return [value]
