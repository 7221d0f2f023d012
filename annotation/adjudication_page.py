"""The page of an adjudicator: that of the raters, with every rater's answer and a box for a comment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from xml.etree.ElementTree import Element, SubElement, fromstring, tostring

from annotation.labeling_config import labeling_config
from annotation.page import element
from annotation.roster import short
from annotation.sheet import Sheet
from annotation.wordings import MISSING_WORDINGS
from schemas.fields import CategoricalField, Field, Missing
from schemas.label_schema import LabelSchema
from schemas.records import has_intensity

COMMENT = "page--comment"

_SAID = {"en": "What the raters said", "zh": "各标注者的答案"}
_WHY = {"en": "Comment (optional)", "zh": "备注（可不填）"}


def adjudication_config(schema: LabelSchema, sheet: Sheet) -> str:
    """Return the page of an adjudicator: that of the raters, with a box for a comment."""
    page = fromstring(labeling_config(schema, sheet))  # noqa: S314 - written a moment ago
    right = next(one for one in page.iter("View") if one.get("className") == "right")
    box = SubElement(right, "View")
    box.append(Element("Header", value=_WHY[sheet.language], size="6"))
    box.append(
        Element("TextArea", name=COMMENT, toName="utterance", rows="2", maxSubmissions="1", editable="true")
    )
    return tostring(page, encoding="unicode")


def who(row: Mapping[str, Any]) -> str:
    """Name the rater of an answer, and the round."""
    rater = short(str(row["rater"] or "?"))
    return f"{rater} ({row['round']})" if row["round"] else rater


def answers_html(ratings: Sequence[Mapping[str, Any]], schema: LabelSchema, language: str) -> str:
    """Write raters' answers as a table, a column a rater, under pseudonyms; disagreements are marked."""
    head = element("tr", element("th"), *(element("th", who(row)) for row in ratings))
    lines = []
    for one in schema:
        cells = [_cell(row, one, language) for row in ratings]
        mark = "b" if len(set(cells)) > 1 else "span"
        lines.append(
            element(
                "tr",
                element("th", one.title.get(language)),
                *(element("td", element(mark, cell)) for cell in cells),
            )
        )
    table = element("table", head, *lines, border="1", style="border-collapse:collapse")
    shown = element("div", element("p", element("b", _SAID[language])), table)
    return tostring(shown, encoding="unicode", method="html")


def _cell(row: Mapping[str, Any], one: Field, language: str) -> str:
    """Write an answer as the page's buttons word it."""
    value = row[one.name]
    if value is None:
        return MISSING_WORDINGS[Missing(row[f"{one.name}_missing"])].get(language)
    wordings = (
        {each.name: each.title.get(language) for each in one.values}
        if isinstance(one, CategoricalField)
        else {}
    )
    if isinstance(value, list):
        names = [str(wordings.get(name, name)) for name in value]
        slots = (
            [each for each in (row.get(f"{one.name}_intensity") or ()) if each] if has_intensity(one) else []
        )
        if len(slots) == len(names):
            names = [f"{name} {strength}" for name, strength in zip(names, slots, strict=True)]
        return ", ".join(names) or "[]"
    return f"{value:g}" if isinstance(value, float) else str(wordings.get(value, value))
