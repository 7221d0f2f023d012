"""The annotators' handbook: a printable page from the schema, in Chinese or English.

Definitions, decision rules, examples and counterexamples are the schema's; the keys are those of the page,
from the same plan. Its version is a digest of all that it says in both languages, so that a changed word is a
new version.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from xml.etree.ElementTree import Element, tostring

from annotation import handbook_text as words
from annotation import hotkeys
from annotation.controls import Answer, Choice, Control, page_controls, scale_points
from annotation.page import Cell, Column, Page, definitions, element, heading, paragraph, table
from annotation.wordings import FLAG_WORDINGS
from schemas.errors import InputError, Issue
from schemas.fields import (
    LANGUAGES,
    AppliesWhen,
    CategoricalField,
    Field,
    Flag,
    IntervalField,
    MultilabelField,
    RelationField,
    Text,
    Value,
)
from schemas.label_schema import LabelSchema
from schemas.project import Project

Section = tuple[str, list[Element]]


def guidelines(schema: LabelSchema, language: str = "zh") -> str:
    """Write the handbook.

    Args:
        schema: The label schema.
        language: ``zh`` or ``en``.

    Returns:
        One self-contained HTML page; the same schema gives the same bytes.

    Raises:
        InputError: The labeling page would need more keys than there are.
    """
    title = f"{schema.title.get(language)}: {words.HANDBOOK.get(language)}"
    page = Page(title, language, lead=schema.description.get(language))
    for name, content in _sections(schema, language):
        page.section(name, *content)
    page.footer(words.VERSION.get(language).format(version=guideline_version(schema)))
    return page.html()


def write_guidelines(project: Project, language: str | None = None) -> list[Path]:
    """Write the handbook of a project's schema to ``reports/guidelines-LANGUAGE.html``.

    Args:
        project: The project.
        language: ``zh`` or ``en``; None for both.

    Returns:
        The paths of the pages.

    Raises:
        InputError: The language is another one, or the page would need more keys than there are.
    """
    if language not in (None, *LANGUAGES):
        raise InputError(Issue("no handbook is written in this language", value=language, choices=LANGUAGES))
    languages = LANGUAGES if language is None else (language,)
    pages = {f"reports/guidelines-{one}.html": guidelines(project.schema, one) for one in languages}
    with project.writing("annotation guidelines") as staging:
        (staging / "reports").mkdir()
        for name, page in pages.items():
            (staging / name).write_text(page, "utf-8")
    return [project.path(name) for name in pages]


def guideline_version(schema: LabelSchema) -> str:
    """Return the version of the handbook: that of the schema, and a digest of what the handbook says."""
    digest = hashlib.sha256()
    for language in ("en", "zh"):
        for name, content in _sections(schema, language):
            digest.update(name.encode())
            for part in content:
                digest.update(tostring(part))
    return f"{schema.version}+{digest.hexdigest()[:8]}"


def _sections(schema: LabelSchema, language: str) -> list[Section]:
    controls = page_controls(schema, language)
    basics = [paragraph(text.get(language)) for text in words.BASICS_TEXT]
    fields = [(one.title.get(language), list(_field(schema, one, controls, language))) for one in schema]
    faults = [
        definitions(
            [(FLAG_WORDINGS[flag].get(language), words.FLAG_TEXT[flag].get(language)) for flag in Flag]
        )
    ]
    return [
        (words.BASICS.get(language), basics),
        *fields,
        (words.FLAGS.get(language), faults),
        (words.PAGE.get(language), _page(schema, controls, language)),
        (words.BUTTONS.get(language), [_buttons(language)]),
    ]


# -- fields -----------------------------------------------------------------------------------------------


def _field(schema: LabelSchema, one: Field, controls: Sequence[Control], language: str) -> Iterable[Element]:
    """Explain one field: the question, how many answers, the rule, and every value."""
    if one.question:
        yield paragraph(element("strong", one.question.get(language)))
    yield paragraph(_how_to_choose(schema, one, language))
    if one.rule:
        yield heading(words.RULE.get(language))
        yield paragraph(one.rule.get(language))
    keys: dict[Answer, list[str]] = {}
    for control in controls:
        if control.field == one.name and not control.hidden:
            for choice in control.choices:
                own = keys.setdefault(choice.answer if control.value is None else control.value, [])
                own += [key for key in choice.keys[:1] if key not in own]
    if isinstance(one, CategoricalField | RelationField):
        answers: Sequence[Answer] = one.categories
        yield _values(one.title.get(language), list(zip(one.values, answers, strict=True)), keys, language)
    if isinstance(one, MultilabelField) and one.intensity_anchors:
        yield heading(words.STRENGTH.get(language))
        yield definitions([(str(level), wording.get(language)) for level, wording in one.intensity_anchors])
    if isinstance(one, IntervalField):
        anchors = dict(one.anchors)
        columns = [Column(text.get(language)) for text in (words.WHAT, words.KEY)]
        rows = [
            [f"{point:g}", _key_caps(keys[point]), _wording(anchors.get(point), language)]
            for point in scale_points(one)
        ]
        columns.append(Column(words.MEANING.get(language), words=True))
        yield table(one.title.get(language), columns, rows, sortable=False)


def _how_to_choose(schema: LabelSchema, one: Field, language: str) -> str:
    text = words.CHOOSE[one.type].get(language)
    if isinstance(one, IntervalField | RelationField):
        text = text.format(low=f"{one.low:g}", high=f"{one.high:g}")
    parts = [text]
    if isinstance(one, MultilabelField) and one.exclusive:
        names = ", ".join(value.title.get(language) for value in one.values if value.name in one.exclusive)
        parts.append(words.ALONE.get(language).format(names=names))
    if isinstance(one, RelationField) and one.applies_when is AppliesWhen.ALWAYS:
        parts.append(words.ALWAYS.get(language))
    elif isinstance(one, RelationField):
        source, target = (schema[name].title.get(language) for name in (one.source, one.target))
        parts.append(words.ASKED.get(language).format(source=source, target=target))
    return " ".join(parts)


def _values(
    title: str, values: Sequence[tuple[Value, Answer]], keys: Mapping[Answer, Sequence[str]], language: str
) -> Element:
    """A table of values: what counts, what has it, and what only seems to."""
    rows: list[list[Cell]] = []
    for value, answer in values:
        name = element("span", value.title.get(language), element("small", f" {value.name}"))
        meaning = element("div", _wording(value.definition, language))
        for head, sentences in (
            (words.YES, value.examples_in(language)),
            (words.NO, value.counterexamples_in(language)),
        ):
            if sentences:
                items = (element("li", sentence) for sentence in sentences)
                meaning.append(element("div", element("small", head.get(language)), element("ul", *items)))
        rows.append([name, _key_caps(keys.get(answer, ())), meaning])
    columns = [Column(text.get(language)) for text in (words.WHAT, words.KEY)]
    columns.append(Column(words.MEANING.get(language), words=True))
    return table(title, columns, rows, sortable=False)


def _key_caps(keys: Iterable[str]) -> Element:
    """Keys in a row; a strength has one for each degree."""
    caps = element("span")
    for key in keys:
        caps.append(element("kbd", key))
        caps[-1].tail = " "
    return caps


def _wording(text: Text | None, language: str) -> str | None:
    return text.get(language) if text else None


# -- the page ---------------------------------------------------------------------------------------------


def _page(schema: LabelSchema, controls: Sequence[Control], language: str) -> list[Element]:
    plain = [
        f"{control.title or schema[control.field or ''].title.get(language)} {choice.wording}"
        for control in controls
        for choice in control.choices
        if hotkeys.PLAIN_CASE in choice.keys[1:]
    ]
    general = [(hotkeys.PLAY, words.PLAY.get(language)), (hotkeys.NEXT_TURN, words.NEXT.get(language))]
    if plain:
        answers = ", ".join(plain) if language == "en" else "、".join(plain)
        general.append((hotkeys.PLAIN_CASE, words.PLAIN.get(language).format(answers=answers)))
    general += [
        (hotkeys.SUBMIT, words.SUBMIT.get(language)),
        (hotkeys.SKIP, words.SKIP.get(language)),
        (hotkeys.UNDO, words.UNDO.get(language)),
    ]
    shown = {(one.field, one.role, one.value): one for one in controls if not one.hidden}
    rows: list[list[Cell]] = [
        [
            one.title or schema[one.field or ""].title.get(language),
            element("span", *_listed(one.choices)),
        ]
        for one in shown.values()
    ]
    key_columns = [Column(words.KEY.get(language)), Column(words.DOES.get(language), words=True)]
    answer_columns = [Column(words.QUESTION.get(language)), Column(words.ANSWERS.get(language), words=True)]
    key_rows: list[list[Cell]] = [[element("kbd", key), meaning] for key, meaning in general]
    return [
        *(paragraph(text.get(language)) for text in words.PAGE_TEXT),
        table(words.KEYS.get(language), key_columns, key_rows, sortable=False),
        table(words.ALL_KEYS.get(language), answer_columns, rows, sortable=False),
    ]


def _listed(choices: Iterable[Choice]) -> Iterable[str | Element]:
    for place, choice in enumerate(choices):
        yield f"{' · ' if place else ''}{choice.wording} ["
        yield element("kbd", choice.keys[0])
        yield "]"


def _buttons(language: str) -> Element:
    rows: list[list[Cell]] = []
    for name, text in words.BUTTON_TEXT.items():
        picture = (files("annotation") / "handbook" / f"{name}.png").read_bytes()
        source = "data:image/png;base64," + base64.b64encode(picture).decode()
        rows.append([element("img", src=source, alt=name), text.get(language)])
    columns = [Column(words.BUTTON.get(language)), Column(words.DOES.get(language), words=True)]
    return table(words.BUTTONS.get(language), columns, rows, sortable=False)
