"""The plan of a labeling page: which controls a schema needs, when each is shown, and what its keys are.

One plan serves both designs of the page, the handbook's table of keys, and the reading of results, so they
cannot disagree. It depends on nothing but the schema; the language changes wordings only.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from annotation.control import (
    FLAGS,
    PLAIN,
    Answer,
    Choice,
    Condition,
    Control,
    Role,
    Special,
    copies,
    shown,
)
from annotation.hotkeys import LABEL_KEYS, PLAIN_CASE, allot
from annotation.wordings import FLAG_WORDINGS, WORDS, short
from schemas.fields import (
    AppliesWhen,
    CategoricalField,
    Field,
    Flag,
    IntervalField,
    MultilabelField,
    RelationField,
    Text,
)
from schemas.label_schema import LabelSchema

__all__ = [
    "FLAGS",
    "PLAIN",
    "Answer",
    "Choice",
    "Condition",
    "Control",
    "Role",
    "Special",
    "copies",
    "page_controls",
    "scale_points",
    "shown",
]


def page_controls(schema: LabelSchema, language: str = "en") -> tuple[Control, ...]:
    """Plan a labeling page.

    Args:
        schema: The label schema.
        language: ``zh`` or ``en``: language of the wordings.

    Returns:
        The controls in the order of the page; conditions refer to earlier ones. Doubled controls of a field
        follow each other and are never shown together.

    Raises:
        InputError: The page would need more keys than there are.
    """
    spoken = "zh" if language.startswith("zh") else "en"
    # By identity: comparing all the texts of two schemas takes longer than reading an annotation.
    key = (id(schema), spoken)
    if key not in _plans:
        if len(_plans) >= _MOST_PLANS:
            _plans.clear()
        _plans[key] = schema, tuple(_Planner(schema, spoken).plan())
    return _plans[key][1]


def keyed_as(controls: Sequence[Control], whole: Sequence[Control]) -> tuple[Control, ...]:
    """Give the controls of some fields of a schema the keys that they have on the page of all its fields.

    Those are the keys of the handbook, and those that raters have learned.
    """
    keys = {(one.name, choice.alias): choice.keys for one in whole for choice in one.choices}
    return tuple(
        replace(one, choices=tuple(replace(each, keys=keys[one.name, each.alias]) for each in one.choices))
        for one in controls
    )


_MOST_PLANS = 64
_plans: dict[tuple[int, str], tuple[LabelSchema, tuple[Control, ...]]] = {}


def scale_points(field: IntervalField) -> tuple[float, ...]:
    """Return the points of an interval field that the page offers, lowest first.

    Whole numbers where there are few; otherwise eleven even steps. Anchored points and absent values are
    always among them.
    """
    named = {*(point for point, _ in field.anchors), *map(float, field.absent)}
    whole = field.low.is_integer() and field.high.is_integer() and all(map(float.is_integer, named))
    span = field.high - field.low
    if whole and 2 <= span <= 10:
        return tuple(field.low + step for step in range(int(span) + 1))
    even = {float(f"{field.low + span * step / 10:.6g}") for step in range(11)}
    inside = {point for point in even if field.low < point < field.high}
    return tuple(sorted({field.low, field.high} | inside | named))


def _alias(name: str) -> str:
    """Return a name without the characters that conditions and attributes cannot hold."""
    return re.sub(
        r"[\x00-\x1f\x7f-\x9f%,\ud800-\udfff\ufffe\uffff]", lambda found: f"%{ord(found[0]):02X}", name
    )


def _text(answer: Answer) -> str:
    if isinstance(answer, Special):
        return answer.value
    return f"{answer:g}" if isinstance(answer, float) else str(answer)


class _Planner:
    """Collects the controls of a page, then gives them their keys."""

    def __init__(self, schema: LabelSchema, language: str) -> None:
        self.schema = schema
        self.language = language
        self.controls: list[Control] = []

    def plan(self) -> Iterator[Control]:
        plain = [field for field in self.schema if not isinstance(field, RelationField)]
        for field in plain:
            self.field(field)
        self.controls.append(self.flags())
        for relation in self.schema.relations:
            self.relation(relation)
        self.controls.append(
            Control(PLAIN, Role.PLAIN, None, None, "", (Choice("plain", "plain", PLAIN_CASE),))
        )
        yield from self.keyed()

    # -- controls -------------------------------------------------------------------------------------

    def say(self, text: Text | None) -> str:
        return text.get(self.language) if text else ""

    def choices(self, answers: Iterable[tuple[Answer, str, str]]) -> tuple[Choice, ...]:
        """Make the choices of one control: aliases and wordings differ from each other."""
        made: list[Choice] = []
        taken: set[str] = set()
        for answer, wording, hint in answers:
            alias = _alias(_text(answer))
            while alias in taken:  # a value called cannot_tell, beside the special answer
                alias += "_"
            taken.add(alias)
            made.append(Choice(alias, answer, wording, hint))
        # Label Studio finds a choice by its alias or its wording, whichever comes first.
        distinct: list[Choice] = []
        for choice in made:
            wording = choice.wording or choice.alias
            while wording in taken - {choice.alias} or any(wording == other.wording for other in distinct):
                wording += "\N{ZERO WIDTH SPACE}"
            distinct.append(replace(choice, wording=wording))
        return tuple(distinct)

    def special(self, *answers: Special) -> list[tuple[Answer, str, str]]:
        return [(answer, WORDS[answer.name.lower()].get(self.language), "") for answer in answers]

    def single(self, field: Field, values: Iterable[tuple[Answer, str, str]]) -> Control:
        choices = self.choices([*values, *self.special(Special.CANNOT_TELL)])
        title = self.say(field.title)
        return Control(field.name, Role.VALUE, field.name, None, title, choices, required=True)

    def field(self, field: Field) -> None:
        if isinstance(field, MultilabelField):
            self.multilabel(field)
        elif isinstance(field, CategoricalField):
            self.controls.append(
                self.single(
                    field, [(one.name, self.say(one.title), self.say(one.definition)) for one in field.values]
                )
            )
        elif isinstance(field, IntervalField):
            anchors = dict(field.anchors)
            points = scale_points(field)
            self.controls.append(
                self.single(field, [(point, f"{point:g}", self.say(anchors.get(point))) for point in points])
            )

    def multilabel(self, field: MultilabelField) -> None:
        """Ask for what excludes everything else, then for the values, each with its intensity if asked."""
        levels = field.intensity
        alone = [
            one
            for one in field.values
            if one.name in field.exclusive and (levels is None or one.name in field.absent)
        ]
        asked = [one for one in field.values if one not in alone]
        answers: list[tuple[Answer, str, str]] = [
            (one.name, self.say(one.title), self.say(one.definition)) for one in alone
        ]
        if not any(one.name in field.absent for one in alone):
            answers += self.special(Special.NONE_OF_THEM)
        first = Control(
            f"{field.name}--alone",
            Role.ALONE,
            field.name,
            None,
            self.say(field.title),
            self.choices([*answers, *self.special(Special.CANNOT_TELL)]),
        )
        mine = [first]
        open_ = Condition(first.name, tuple(choice.alias for choice in first.choices), selected=False)
        if levels is None and asked:
            values = [(one.name, self.say(one.title), self.say(one.definition)) for one in asked]
            chosen = self.choices(values)
            mine.append(Control(field.name, Role.SET, field.name, None, "", chosen, (open_,), multiple=True))
        elif levels is not None:
            anchors = dict(field.intensity_anchors)
            steps: list[tuple[Answer, str, str]] = [
                (
                    level,
                    f"{level} {short(self.say(anchors.get(level)))}".strip(),
                    self.say(anchors.get(level)),
                )
                for level in range(levels[0], levels[1] + 1)
            ]
            plain_names = all(re.fullmatch(r"[a-z0-9_]+", one.name) for one in asked)
            # An exclusive value that means something hides the rows after it, and comes before them.
            asked.sort(key=lambda one: one.name not in field.exclusive)
            conditions = [open_]
            for place, one in enumerate(asked, 1):
                row = Control(
                    f"{field.name}-{one.name if plain_names else place}",
                    Role.INTENSITY,
                    field.name,
                    one.name,
                    self.say(one.title),
                    self.choices(steps),
                    tuple(conditions),
                )
                mine.append(row)
                if one.name in field.exclusive:
                    aliases = tuple(choice.alias for choice in row.choices)
                    conditions.append(Condition(row.name, aliases, selected=False))
        unanswered = tuple(
            Condition(control.name, tuple(choice.alias for choice in control.choices), selected=False)
            for control in mine
        )
        self.controls += mine
        self.controls.append(
            Control(
                f"{field.name}--needed",
                Role.NEEDED,
                field.name,
                None,
                self.say(field.title),
                (Choice("needed", "needed", "needed", "", (LABEL_KEYS[-1],)),),
                unanswered,
                required=True,
            )
        )

    def flags(self) -> Control:
        choices = self.choices([(flag, FLAG_WORDINGS[flag].get(self.language), "") for flag in Flag])
        return Control(
            FLAGS, Role.FLAGS, None, None, WORDS["flags"].get(self.language), choices, multiple=True
        )

    def relation(self, relation: RelationField) -> None:
        """Ask for a relation where it applies: a copy for each way in which a part can be present."""
        values: list[tuple[Answer, str, str]] = [
            (number, f"{one.name} {self.say(one.title)}", self.say(one.definition))
            for number, one in zip(relation.categories, relation.values, strict=True)
        ]
        control = self.single(relation, values)
        if relation.applies_when is AppliesWhen.ALWAYS:
            self.controls.append(control)
            return
        ways = [self.presence(self.schema[name]) for name in (relation.target, relation.source)]
        ways.sort(key=len)
        earlier: list[Condition] = []
        for number, way in enumerate((condition for part in ways for condition in part), 1):
            name = relation.name if number == 1 else f"{relation.name}--{number}"
            self.controls.append(replace(control, name=name, conditions=(*earlier, way)))
            earlier.append(way.negated())

    def presence(self, field: Field) -> list[Condition]:
        """Return conditions, one of which holds where a field has a value that is not absent."""
        mine = [control for control in self.controls if control.field == field.name and not control.hidden]
        if isinstance(field, MultilabelField) and set(field.absent) <= {
            choice.answer for choice in mine[0].choices
        }:
            # Whatever else is selected is present; that something is selected is required on its own.
            absent = mine[0].answering([*field.absent, *Special])
            return [Condition(mine[0].name, absent, selected=False)]
        found = []
        for control in mine:
            if control.role is Role.INTENSITY:
                present = () if field.is_absent([control.value]) else control.choices
            else:
                present = tuple(
                    choice
                    for choice in control.choices
                    if not isinstance(choice.answer, Special)
                    and not field.is_absent(
                        [choice.answer] if isinstance(field, MultilabelField) else choice.answer
                    )
                )
            if present:
                found.append(Condition(control.name, tuple(choice.alias for choice in present)))
        return found

    # -- keys -----------------------------------------------------------------------------------------

    def keyed(self) -> Iterator[Control]:
        """Give every choice its keys; doubled controls share them, absent answers have one more."""
        groups: dict[tuple[str | None, Role, str | None], Control] = {}
        for control in self.controls:
            if not control.hidden:
                groups.setdefault((control.field, control.role, control.value), control)
        always = [key for key, control in groups.items() if not control.conditions and key[0] is not None]
        others = [key for key in groups if key not in always]
        first, later = allot(
            [len(groups[key].choices) for key in always], [len(groups[key].choices) for key in others]
        )
        keys = dict(zip([*always, *others], [*first, *later], strict=True))
        plain = self.plain_answers()
        for control in self.controls:
            if control.role is Role.PLAIN:
                if len(plain) > 1:
                    yield replace(control, choices=(replace(control.choices[0], keys=(PLAIN_CASE,)),))
                continue
            if control.hidden:
                yield control
                continue
            own = keys[control.field, control.role, control.value]
            yield replace(
                control,
                choices=tuple(
                    replace(
                        choice,
                        keys=(key, PLAIN_CASE)
                        if len(plain) > 1 and plain.get(control.name) == choice.alias
                        else (key,),
                    )
                    for choice, key in zip(control.choices, own, strict=True)
                ),
            )

    def plain_answers(self) -> dict[str, str]:
        """Return for each field that can be absent the control and the choice that say so."""
        found: dict[str, tuple[str, str]] = {}
        for control in self.controls:
            if control.field is None or control.role not in (Role.VALUE, Role.ALONE, Role.SET):
                continue
            if control.role is Role.VALUE and control.conditions:
                continue  # a relation that is not asked in the plain case
            field = self.schema[control.field]
            absent: list[Answer] = list(field.absent)
            if isinstance(field, IntervalField | RelationField):
                absent = [float(number) for number in field.absent]
            aliases = control.answering(absent)
            if control.role is Role.ALONE and not aliases:
                aliases = control.answering([Special.NONE_OF_THEM])
            if aliases:
                found[field.name] = (control.name, aliases[0])
        return dict(found.values())
