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

from annotation.controls import PLAIN, Control
from annotation.labeling_config import TURN, turn_label
from annotation.page import writable
from annotation.selections import Row, SelectionReader, Selections
from annotation.sheet import Design
from annotation.tasks import TURNS_MODEL
from schemas.label_schema import LabelSchema
from schemas.records import Condition, Context, RatingStatus

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


class ResultReader:
    """Reads the annotations of the pages of one schema.

    Args:
        schema: The schema by which the pages were made.
        source: Name of the server or file, for the quarantine.
    """

    def __init__(self, schema: LabelSchema, source: str = "label_studio") -> None:
        self._selections = SelectionReader(schema)
        self._source = source

    def read(self, annotation: Mapping[str, Any], data: Mapping[str, Any], *, rater: str | None) -> Reading:
        """Read one annotation of Label Studio.

        Args:
            annotation: As the API or an exported JSON file gives it.
            data: The ``data`` of its task, as `tasks` made it.
            rater: Pseudonym of who made it.
        """
        return _Annotation(annotation, data, rater, self._selections, self._source).read()


def read_annotation(
    annotation: Mapping[str, Any],
    data: Mapping[str, Any],
    schema: LabelSchema,
    *,
    rater: str | None,
    source: str = "label_studio",
) -> Reading:
    """Read a single annotation; arguments as of `ResultReader`, which is faster for many."""
    return ResultReader(schema, source).read(annotation, data, rater=rater)


class _Annotation:
    """Reads one annotation and notes on the way what cannot be taken."""

    def __init__(
        self,
        annotation: Mapping[str, Any],
        data: Mapping[str, Any],
        rater: str | None,
        selections: SelectionReader,
        source: str,
    ) -> None:
        self.annotation = annotation if isinstance(annotation, Mapping) else {}
        self.data = data if isinstance(data, Mapping) else {}
        self.rater = rater
        self.page = selections
        self.source = source
        self.id = str(self.annotation.get("unique_id") or self.annotation.get("id") or "")
        self.is_dialogue = self.data.get("design") == Design.DIALOGUE
        self.is_skipped = self.annotation.get("was_cancelled") is True
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
            around = _Around(self.annotation, self.data, self.rater, len(utterances))
            for turn, (utterance, selected) in enumerate(zip(utterances, found, strict=True)):
                self.utterance = utterance
                self.row(turn, selected, around)
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
        controls = self.page.controls
        turns = self.turns(results, utterances) if self.is_dialogue else {}
        found: list[dict[str, list[str]]] = [{} for _ in utterances]
        spoiled: set[tuple[int, str | None]] = set()
        for place, result in enumerate(results, 1):
            if not isinstance(result, dict):
                self.refuse(place, result, LEFT_OUT, "a result is an object with from_name and value")
                continue
            name, value = result.get("from_name"), result.get("value")
            if name == TURN and self.is_dialogue:
                continue
            turn = turns.get(_hashable(result.get("id"))) if self.is_dialogue else 0
            self.utterance = None if turn is None else utterances[turn]
            control = controls.get(name) if isinstance(name, str) else None
            chosen = value.get("choices") if isinstance(value, dict) else None
            if turn is None:
                self.refuse(place, result, LEFT_OUT, "this result belongs to no turn of the dialogue")
            elif control is None:
                self.refuse(place, result, LEFT_OUT, "the page of this schema has no such control")
            elif not _is_texts(chosen):
                self.refuse(
                    place, chosen, NULLED, "the value of a result is a list of choices", control.field
                )
                spoiled.add((turn, control.field))
            elif fault := _fault(control, chosen, found[turn].get(control.name)):
                self.refuse(place, chosen, NULLED, fault, control.field or "flags")
                spoiled.add((turn, control.field))
            else:
                found[turn][control.name] = chosen
        self.utterance = None
        # A field of several controls is whole or null: what is left of a set would be another set.
        for turn, field_ in spoiled:
            found[turn] = {
                name: chosen for name, chosen in found[turn].items() if controls[name].field != field_
            }
        return found

    def turns(self, results: Sequence[object], utterances: Sequence[str]) -> dict[object, int]:
        """Return which turn each region is, by its label."""
        labels = {turn_label(number): number - 1 for number in range(1, len(utterances) + 1)}
        found: dict[object, int] = {}
        for place, result in enumerate(results, 1):
            if not isinstance(result, dict) or result.get("from_name") != TURN:
                continue
            value = result.get("value")
            names = [
                name
                for key in ("labels", "timelinelabels")
                if isinstance(value, dict) and isinstance(value.get(key), list)
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

    def row(self, turn: int, selected: Selections, around: _Around) -> None:
        """Add the row of one utterance."""
        utterance = str(self.utterance)
        for fault in around.faults:
            self.refuse(*fault)
        shown = self.page.shown(selected)
        self.reading.rows.append(
            {
                **around.columns,
                "annotation_id": f"{self.id}/{utterance}" if self.is_dialogue else self.id,
                "utterance_id": utterance,
                "flags": self.page.flags(shown),
                **self.page.answers({} if self.is_skipped else shown),
            }
        )
        if PLAIN in shown:
            self.reading.plain.append(utterance)
        seconds = around.columns["seconds"]
        if not self.is_skipped and implausibly_fast(seconds, self.page.presses(shown), self.exposure(turn)):
            self.reading.fast.append(utterance)

    def exposure(self, turn: int) -> float | None:
        """Return how long the clip of an utterance is, unless only its text was shown."""
        if self.data.get("condition") == Condition.TEXT:
            return None
        given = self.data.get("seconds")
        if isinstance(given, list):
            given = given[turn] if turn < len(given) else None
        return _number(given)


class _Around:
    """What stands around the answers of an annotation: the columns that its rows share.

    Attributes:
        columns: The columns.
        faults: What cannot be taken, as arguments of `_Annotation.refuse`; every row lacks it.
    """

    def __init__(
        self, annotation: Mapping[str, Any], data: Mapping[str, Any], rater: str | None, turns: int
    ) -> None:
        self.annotation, self.data = annotation, data
        self.faults: list[tuple[int, object, str, str, str]] = []
        lead = self.lead_time()
        skipped = annotation.get("was_cancelled") is True
        self.columns: Row = {
            "rater": rater,
            "condition": self.one_of("condition", list(Condition)),
            "context": self.one_of("shown_context", list(Context)),
            "round": _text(data.get("round")),
            "schema_version": _text(data.get("schema_version")),
            "guideline_version": _text(data.get("guideline_version")),
            "status": str(RatingStatus.SKIPPED if skipped else RatingStatus.SUBMITTED),
            "created": self.time("created_at"),
            "updated": self.time("updated_at"),
            # Of the time of a dialogue, each of its turns gets the same share.
            "seconds": None if lead is None else lead / turns,
            "prediction_shown": self.prediction(),
        }

    def refuse(self, original: object, reason: str, column: str) -> None:
        self.faults.append((0, original, NULLED, reason, column))

    def lead_time(self) -> float | None:
        """Return how long the page was worked on, in seconds."""
        given = self.annotation.get("lead_time")
        lead = _number(given)
        if given is not None and lead is None:
            self.refuse(given, "a number of seconds is expected", "seconds")
        return lead

    def one_of(self, key: str, valid: Sequence[str]) -> str | None:
        given = self.data.get(key)
        if isinstance(given, str) and given in valid:
            return str(given)
        if given is not None:
            self.refuse(given, f"unknown value; valid: {', '.join(valid)}", key.removeprefix("shown_"))
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
            self.refuse(given, "a date and time is expected", key.removesuffix("_at"))
            return None

    def prediction(self) -> str | None:
        """Return the model version of the prediction that the rater started from."""
        shown_first = self.annotation.get("prediction")
        version = shown_first.get("model_version") if isinstance(shown_first, Mapping) else None
        return version if isinstance(version, str) and version and version != TURNS_MODEL else None


def _fault(control: Control, chosen: Sequence[str], before: Sequence[str] | None) -> str | None:
    """Say why a result cannot be taken, if it cannot; ``before`` is an earlier one of the same control."""
    distinct = set(chosen)
    if not distinct <= control.by_alias.keys():
        return f"unknown value; valid: {', '.join(control.by_alias)}"
    if len(distinct) > 1 and not control.multiple:
        return "one answer is expected here"
    if before is not None and set(before) != distinct:
        return "two answers to the same question"
    return None


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
    return value if isinstance(value, (str, int, type(None))) else repr(value)


def _shown(value: object) -> str:
    """Write a value for the quarantine, however strange it is."""
    try:
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=repr)
    except (ValueError, RecursionError, TypeError):
        text = repr(value)
    return text.encode("utf-8", "replace").decode("utf-8")
