"""A comparison as one self-contained HTML page, with confusion matrices and reliability diagrams."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from xml.etree.ElementTree import Element

from annotation import page, pictures
from baselines.calibration import BINS
from baselines.comparison import Comparison, Estimate, FieldPicture, Row
from baselines.comparison_tables import Cell, Table, tables
from baselines.comparison_text import Say, metric_in, note_text, say_in
from baselines.metrics import HEADLINE
from baselines.reliability_picture import reliability_diagram
from baselines.scoring import LABELS
from schemas.fields import CategoricalField, Field, RelationField

LANGUAGES = ("en", "zh")
SECTIONS = (
    "models",
    "results",
    "multitask",
    "tests",
    "disagreement",
    "ratings",
    "by_rater",
    "ceiling",
    "hidden",
    "epochs",
)
_WRITTEN = {"models": 5, "tests": 3, "multitask": 3}
"""Tables whose numbers are written out already, and from which column on."""


def comparison_page(comparison: Comparison, language: str = "en") -> str:
    """Return the comparison as an HTML page.

    Args:
        comparison: The comparison.
        language: ``en`` or ``zh``.
    """
    say = say_in(language)
    sheet = page.Page(say("title"), language, lead=_lead(comparison, say))
    if comparison.notes:
        notes = [note_text(note, language) for note in comparison.notes]
        sheet.notice(say("notice"), (" " if language == "en" else "").join(notes))
    made = tables(comparison, language)
    for key in SECTIONS:
        found = [one for one in made if one.key == key]
        if key == "results":
            for field in comparison.schema:
                content = list(_field(comparison, field, found, language))
                if content:
                    sheet.section(_name(field, language), *content)
        elif found:
            sheet.section(say(key), *_notes(found), *map(_table, found))
    how = [one.note for one in made if one.key == "results"][:1]
    sheet.section(say("how"), *how, say("reliability_note", bins=BINS), say("confusion_note"))
    return sheet.html()


def _notes(found: Sequence[Table]) -> Iterator[Element]:
    """Say once what the tables of a section have in common."""
    yield from (page.paragraph(note) for note in dict.fromkeys(one.note for one in found) if note)


def _lead(comparison: Comparison, say: Say) -> str:
    numbers = {"models": f"{len(comparison.groups):,}", "utterances": f"{comparison.utterances:,}"}
    if comparison.protocol == "test":
        return say("lead", **numbers)
    return say("lead_folds", protocol=comparison.protocol, **numbers)


def _name(field: Field, language: str) -> str:
    return f"{field.title.get(language)} ({field.name})"


def _field(
    comparison: Comparison, field: Field, results: Sequence[Table], language: str
) -> Iterator[Element]:
    """Everything about one field against decided labels."""
    headline = next((row for row in comparison.rows if _is_headline(row, field)), None)
    if headline is None:
        return
    say, metric = say_in(language), metric_in(language)
    marks = [
        pictures.Mark(group.name, cell.value, cell.low, cell.high)
        for group, cell in zip(comparison.groups, headline.cells, strict=True)
        if cell.value is not None
    ]
    if headline.human:
        human = headline.human
        marks.append(pictures.Mark(say("human"), human.value, human.low, human.high))
    yield pictures.forest(metric(headline.metric), marks, note=say("headline_note"))
    title = _name(field, language)
    yield from (_table(one) for one in results if one.title == title)
    mine = [one for one in comparison.pictures if one.field == field.name]
    if mine:
        yield _per_class(comparison, field, mine, language)
        yield from _confusions(comparison, field, mine, language)
        yield from _reliability(comparison, mine, say)


def _is_headline(row: Row, field: Field) -> bool:
    return row.field == field.name and row.kind == LABELS and row.metric == HEADLINE[field.type]


def _table(one: Table) -> Element:
    numeric = [
        place > 0 and any(not isinstance(row[place], str) for row in one.rows)
        for place in range(len(one.columns))
    ]
    columns = [
        page.Column(head, numeric=right or place >= _WRITTEN.get(one.key, len(one.columns)))
        for place, (head, right) in enumerate(zip(one.columns, numeric, strict=True))
    ]
    return page.table(
        one.title, columns, [[_cell(cell) for cell in row] for row in one.rows], note=one.about or None
    )


def _cell(cell: Cell) -> page.Cell:
    if not isinstance(cell, Estimate):
        return cell
    if cell.sd is None:
        return page.estimate(cell.value, cell.low, cell.high)
    made = page.estimate(cell.value, cell.low, cell.high)
    made.text = f"{made.text} ± {page.number(cell.sd)}"
    return made


def _per_class(comparison: Comparison, field: Field, mine: Sequence[FieldPicture], language: str) -> Element:
    say = say_in(language)
    columns = [page.Column(say("value")), page.Column(say("labels"), numeric=True)]
    columns += [page.Column(comparison.groups[one.group].name, numeric=True) for one in mine]
    rows: list[list[page.Cell]] = [
        [name, mine[0].support[place], *(one.f1[place] for one in mine)]
        for place, name in enumerate(_titles(field, mine[0].values, language))
    ]
    return page.details(say("per_class"), page.table(say("per_class"), columns, rows))


def _titles(field: Field, names: Sequence[str], language: str) -> list[str]:
    if not isinstance(field, CategoricalField | RelationField):
        return list(names)
    titles = {value.name: value.title.get(language) for value in field.values}
    return [name if titles.get(name, name) == name else f"{titles[name]} ({name})" for name in names]


def _short_titles(field: Field, names: Sequence[str], language: str) -> list[str]:
    """Return values as cells of tables call them: by name in English; grades are numbers in any language."""
    if language == "en" or not isinstance(field, CategoricalField):
        return list(names)
    titles = {value.name: value.title.get(language) for value in field.values}
    return [titles.get(name, name) for name in names]


def _confusions(
    comparison: Comparison, field: Field, mine: Sequence[FieldPicture], language: str
) -> Iterator[Element]:
    say, found = say_in(language), []
    for one in mine:
        if not one.confusion:
            continue
        squares = [
            [
                pictures.Square(_count(cell) if cell else "", cell / sum(row) if sum(row) else 0.0)
                for cell in row
            ]
            for row in one.confusion
        ]
        name = comparison.groups[one.group].name
        values = _short_titles(field, one.values, language)
        found.append(pictures.heat_map(name, values, values, squares))
    if found:
        yield page.details(say("confusion"), page.side_by_side(*found))


def _count(cell: float) -> str:
    return f"{cell:,.0f}" if cell == round(cell) else f"{cell:,.1f}"


def _reliability(comparison: Comparison, mine: Sequence[FieldPicture], say: Say) -> Iterator[Element]:
    axes = {"across": say("probability"), "up": say("frequency")}
    found = [
        reliability_diagram(comparison.groups[one.group].name, one.reliability, **axes)
        for one in mine
        if one.reliability
    ]
    if found:
        yield page.details(say("reliability"), page.side_by_side(*found))
