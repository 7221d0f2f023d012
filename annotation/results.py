"""Ratings from what a labeling page returned: one annotation gives a row an utterance.

Label Studio validates no result, keeps values of controls that were hidden, and calls the answers about a
turn that was made beforehand predictions. So everything is checked against the schema here, by the plan that
the page was made from. Nothing in an annotation raises: what cannot be taken is quarantined with its reason.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeGuard

from annotation.controls import FLAGS, PLAIN, Choice, Control, Role, Special, copies, page_controls, shown
from annotation.labeling_config import TURN, turn_label
from annotation.page import writable
from annotation.sheet import Design
from annotation.tasks import TURNS_MODEL
from schemas.answers import intensity_slots
from schemas.fields import Field, IntervalField, Missing, MultilabelField, RelationField
from schemas.label_schema import LabelSchema
from schemas.records import Condition, Context, RatingStatus, has_intensity

Row = dict[str, Any]

NULLED = "null"
"""Quarantine action: the cell became null."""
LEFT_OUT = "left out"
"""Quarantine action: the row, or the result, was not taken."""

PRESS = 0.15
"""Seconds between two keys of a practised typist."""
HEARD = 0.5
"""Share of a clip that a rater must have met before the first answer can count."""


@dataclass
class Reading:
    """What one annotation says.

    Attributes:
        rows: A row an utterance under `records.annotations_schema`, in the order of the task.
        quarantine: What could not be taken, under `records.QUARANTINE`.
        fast: Utterances answered faster than anybody can, see `implausibly_fast`.
        plain: Utterances answered with the key of the plain case.
    """

    rows: list[Row] = field(default_factory=list)
    quarantine: list[Row] = field(default_factory=list)
    fast: list[str] = field(default_factory=list)
    plain: list[str] = field(default_factory=list)


def implausibly_fast(seconds: float | None, presses: int, exposure: float | None) -> bool:
    """Say whether a rating took less time than the keys and half of the clip need.

    Args:
        seconds: Time on the page; None where unknown, which is never too fast.
        presses: How many choices were made (the plain case is one).
        exposure: Length of what was to be heard or seen, in seconds; None for text.
    """
    return seconds is not None and seconds < PRESS * presses + HEARD * (exposure or 0.0)


def read_annotation(
    annotation: Mapping[str, Any],
    data: Mapping[str, Any],
    schema: LabelSchema,
    *,
    rater: str | None,
    source: str = "label_studio",
) -> Reading:
    """Read one annotation of Label Studio.

    Args:
        annotation: As the API or an exported JSON file gives it.
        data: The ``data`` of its task, as `tasks` made it.
        schema: The schema by which the page was made.
        rater: Pseudonym of who made it.
        source: Name of the server or file, for the quarantine.
    """
    return _Reader(annotation, data, schema, rater, source).read()


class _Reader:
    """Reads one annotation and notes on the way what cannot be taken."""

    def __init__(
        self,
        annotation: Mapping[str, Any],
        data: Mapping[str, Any],
        schema: LabelSchema,
        rater: str | None,
        source: str,
    ) -> None:
        self.annotation = annotation if isinstance(annotation, Mapping) else {}
        self.data = data if isinstance(data, Mapping) else {}
        self.schema = schema
        self.rater = rater
        self.source = source
        self.controls = {control.name: control for control in page_controls(schema)}
        self.id = str(self.annotation.get("unique_id") or self.annotation.get("id") or "")
        self.reading = Reading()
        self.utterance: str | None = None

    def refuse(
        self, place: int, original: object, action: str, reason: str, column: str | None = None
    ) -> None:
        """Note something that cannot be taken; ``place`` counts results from 1, 0 is the annotation."""
        self.reading.quarantine.append(
            {
                "source": self.source,
                "file": f"annotation {self.id}",
                "row": place,
                "utterance_id": self.utterance,
                "column": column,
                "original": _shown(original),
                "action": action,
                "reason": reason,
            }
        )

    def read(self) -> Reading:
        utterances = self.utterances()
        if not self.id:
            self.refuse(0, self.annotation, LEFT_OUT, "this annotation has no id")
        elif not utterances:
            self.refuse(0, self.data, LEFT_OUT, "its task does not say which utterance it is about")
        else:
            found = self.selections(utterances)
            for utterance, selections in zip(utterances, found, strict=True):
                self.utterance = utterance
                self.row(utterance, selections, len(utterances))
        return self.reading

    def utterances(self) -> list[str]:
        """Return the ids of the utterances that the task asks about, in order."""
        if self.is_dialogue:
            turns = self.data.get("turns")
            found = [_text(turn) for turn in turns] if isinstance(turns, list) else []
        else:
            found = [_text(self.data.get("utterance_id"))]
        return [name for name in found if name] if all(found) else []

    # -- results --------------------------------------------------------------------------------------

    def selections(self, utterances: Sequence[str]) -> list[dict[str, list[str]]]:
        """Return for each utterance the aliases selected in each control, of unknown controls none."""
        results = self.annotation.get("result")
        if not isinstance(results, list):
            self.refuse(0, results, LEFT_OUT, "the results of an annotation are a list")
            results = []
        turns = self.turns(results, utterances) if self.is_dialogue else {}
        found: list[dict[str, list[str]]] = [{} for _ in utterances]
        spoiled: set[tuple[int, str | None]] = set()
        for place, result in enumerate(results, 1):
            if not isinstance(result, Mapping):
                self.refuse(place, result, LEFT_OUT, "a result is an object with from_name and value")
                continue
            name, value = result.get("from_name"), result.get("value")
            if name == TURN and self.is_dialogue:
                continue
            turn = turns.get(_hashable(result.get("id"))) if self.is_dialogue else 0
            self.utterance = None if turn is None else utterances[turn]
            control = self.controls.get(name) if isinstance(name, str) else None
            chosen = value.get("choices") if isinstance(value, Mapping) else None
            if turn is None:
                self.refuse(place, result, LEFT_OUT, "this result belongs to no turn of the dialogue")
            elif control is None:
                self.refuse(place, result, LEFT_OUT, "the page of this schema has no such control")
            elif not _is_texts(chosen):
                self.refuse(
                    place, chosen, NULLED, "the value of a result is a list of choices", control.field
                )
                spoiled.add((turn, control.field))
            elif fault := self.fault(control, chosen, found[turn]):
                self.refuse(place, chosen, NULLED, fault, control.field or "flags")
                spoiled.add((turn, control.field))
            else:
                found[turn][control.name] = chosen
        self.utterance = None
        # A field of several controls is whole or null: what is left of a set would be another set.
        return [
            {
                name: aliases
                for name, aliases in one.items()
                if (turn, self.controls[name].field) not in spoiled
            }
            for turn, one in enumerate(found)
        ]

    def fault(
        self, control: Control, chosen: Sequence[str], found: Mapping[str, Sequence[str]]
    ) -> str | None:
        """Say why a result cannot be taken, if it cannot."""
        aliases = [choice.alias for choice in control.choices]
        if not set(chosen) <= set(aliases):
            return f"unknown value; valid: {', '.join(aliases)}"
        if len(set(chosen)) > 1 and not control.multiple:
            return "one answer is expected here"
        if control.name in found and set(found[control.name]) != set(chosen):
            return "two answers to the same question"
        return None

    def turns(self, results: Sequence[object], utterances: Sequence[str]) -> dict[object, int]:
        """Return which turn each region is, by its label."""
        labels = {turn_label(number): number - 1 for number in range(1, len(utterances) + 1)}
        found: dict[object, int] = {}
        for place, result in enumerate(results, 1):
            if not isinstance(result, Mapping) or result.get("from_name") != TURN:
                continue
            value = result.get("value")
            names = [
                name
                for key in ("labels", "timelinelabels")
                if isinstance(value, Mapping) and isinstance(value.get(key), list)
                for name in value[key]
            ]
            turn = labels.get(names[0]) if len(names) == 1 and isinstance(names[0], str) else None
            if turn is None or turn in found.values():
                reason = "a region without the label of a turn, or the second one of a turn"
                self.refuse(place, result, LEFT_OUT, reason)
            else:
                found[_hashable(result.get("id"))] = turn
        return found

    # -- rows -----------------------------------------------------------------------------------------

    def row(self, utterance: str, selected: Mapping[str, Sequence[str]], shared_by: int) -> None:
        """Add the row of one utterance; of a dialogue's time each of its turns gets the same share."""
        kept = shown(self.controls.values(), selected)
        skipped = self.annotation.get("was_cancelled") is True
        lead = _number(self.annotation.get("lead_time"))
        if self.annotation.get("lead_time") is not None and lead is None:
            self.refuse(0, self.annotation["lead_time"], NULLED, "a number of seconds is expected", "seconds")
        seconds = None if lead is None else lead / shared_by
        row: Row = {
            "annotation_id": f"{self.id}/{utterance}" if self.is_dialogue else self.id,
            "utterance_id": utterance,
            "rater": self.rater,
            "condition": self.one_of("condition", list(Condition)),
            "context": self.one_of("shown_context", list(Context)),
            "round": _text(self.data.get("round")),
            "schema_version": _text(self.data.get("schema_version")),
            "guideline_version": _text(self.data.get("guideline_version")),
            "status": str(RatingStatus.SKIPPED if skipped else RatingStatus.SUBMITTED),
            "created": self.time("created_at"),
            "updated": self.time("updated_at"),
            "seconds": seconds,
            "prediction_shown": self.prediction(),
            "flags": [str(choice.answer) for choice in self.chosen(FLAGS, kept)],
        }
        for one in self.schema:
            if not isinstance(one, RelationField):
                row |= self.answer(one, {} if skipped else kept)
        for one in self.schema.relations:
            row |= self.answer(one, {} if skipped else kept)
            if row[f"{one.name}_missing"] == Missing.NOT_RATED and not skipped and not self.asked(one, row):
                row[f"{one.name}_missing"] = str(Missing.NOT_APPLICABLE)
        self.reading.rows.append(row)
        if PLAIN in kept:
            self.reading.plain.append(utterance)
        if not skipped and implausibly_fast(seconds, self.presses(kept), self.exposure(utterance)):
            self.reading.fast.append(utterance)

    @property
    def is_dialogue(self) -> bool:
        return self.data.get("design") == Design.DIALOGUE

    def answer(self, one: Field, kept: Mapping[str, Sequence[str]]) -> Row:
        """Return the columns of one field."""
        value: object = None
        missing: Missing | None = Missing.NOT_RATED
        intensity: list[int] | None = None
        if isinstance(one, MultilabelField):
            alone = self.chosen(f"{one.name}--alone", kept)
            if alone and alone[0].answer is Special.CANNOT_TELL:
                missing = Missing.CANNOT_TELL
            else:
                strengths = self.strengths(one, kept)
                names = {choice.answer for choice in (*alone, *self.chosen(one.name, kept))}
                chosen = [name for name in one.categories if name in names or name in strengths]
                if chosen or alone:
                    value, missing = chosen, None
                    # What excludes everything else is not asked for its strength; it counts as the least.
                    least = dict.fromkeys(chosen, one.intensity[0] if one.intensity else 0)
                    intensity = intensity_slots(one, least | strengths)
        else:
            for control in copies(self.controls.values(), one.name):
                answers = self.chosen(control.name, kept)
                if answers and answers[0].answer is Special.CANNOT_TELL:
                    missing = Missing.CANNOT_TELL
                    break
                if answers:
                    value, missing = answers[0].answer, None
                    break
        row: Row = {one.name: value, f"{one.name}_missing": None if missing is None else str(missing)}
        if isinstance(one, IntervalField) and isinstance(value, float | int):
            row[one.name] = float(value)
        if has_intensity(one):
            row[f"{one.name}_intensity"] = intensity
        return row

    def asked(self, relation: RelationField, row: Row) -> bool:
        """Say whether a relation without an answer should have one, as far as its parts are known."""
        applies = self.schema.applies(relation, row)
        parts = (relation.source, relation.target)
        left_open = any(row[f"{part}_missing"] == Missing.NOT_RATED for part in parts)
        return applies is True or (applies is None and left_open)

    def chosen(self, name: str, kept: Mapping[str, Sequence[str]]) -> list[Choice]:
        control = self.controls.get(name)
        return [choice for choice in control.choices if choice.alias in kept.get(name, ())] if control else []

    def strengths(self, one: MultilabelField, kept: Mapping[str, Sequence[str]]) -> dict[str, int]:
        """Return the intensities that were given, by value."""
        found: dict[str, int] = {}
        for control in self.controls.values():
            if control.field == one.name and control.role is Role.INTENSITY and control.value is not None:
                for choice in self.chosen(control.name, kept):
                    if isinstance(choice.answer, int):
                        found[control.value] = choice.answer
        return found

    def presses(self, kept: Mapping[str, Sequence[str]]) -> int:
        """Return the fewest keys that make these selections."""
        plain = {
            name
            for name, aliases in kept.items()
            for choice in self.controls[name].choices
            if choice.alias in aliases and len(choice.keys) > 1
        }
        made = sum(len(aliases) for name, aliases in kept.items() if name != PLAIN)
        return made - len(plain) + 1 if PLAIN in kept else made

    # -- what stands around the answers ---------------------------------------------------------------

    def one_of(self, key: str, valid: Sequence[str]) -> str | None:
        given = self.data.get(key)
        if isinstance(given, str) and given in valid:
            return str(given)
        if given is not None:
            reason = f"unknown value; valid: {', '.join(valid)}"
            self.refuse(0, given, NULLED, reason, key.removeprefix("shown_"))
        return None

    def time(self, key: str) -> datetime | None:
        """Return a moment of the annotation, in UTC."""
        given = self.annotation.get(key)
        if given is None:
            return None
        try:
            moment = datetime.fromisoformat(given)
            return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
        except (TypeError, ValueError, OverflowError):
            self.refuse(0, given, NULLED, "a date and time is expected", key.removesuffix("_at"))
            return None

    def prediction(self) -> str | None:
        """Return the model version of the prediction that the rater started from."""
        shown_first = self.annotation.get("prediction")
        version = shown_first.get("model_version") if isinstance(shown_first, Mapping) else None
        return version if isinstance(version, str) and version and version != TURNS_MODEL else None

    def exposure(self, utterance: str) -> float | None:
        """Return how long the clip of an utterance is, unless only its text was shown."""
        if self.data.get("condition") == Condition.TEXT:
            return None
        given = self.data.get("seconds")
        if isinstance(given, list):
            place = self.utterances().index(utterance)
            given = given[place] if place < len(given) else None
        return _number(given)


def _number(value: object) -> float | None:
    """Return a finite number that is not negative; None for all else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        found = float(value)
    except OverflowError:
        return None
    return found if math.isfinite(found) and found >= 0 else None


def _text(value: object) -> str | None:
    """Return a text that a table can hold; None for all else."""
    return value if isinstance(value, str) and value == writable(value) else None


def _is_texts(value: object) -> TypeGuard[list[str]]:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


def _hashable(value: object) -> object:
    return value if isinstance(value, str | int | None) else repr(value)


def _shown(value: object) -> str:
    """Write a value for the quarantine, however strange it is."""
    try:
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=repr)
    except (ValueError, RecursionError, TypeError):
        text = repr(value)
    return text.encode("utf-8", "replace").decode("utf-8")
