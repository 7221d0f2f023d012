"""One self-contained HTML page: what every report of the project is written on.

A page is built from elements, never from pasted markup, so whatever stands in names and texts is escaped. It
loads nothing: style and script are inside, a content security policy forbids everything else. It says nothing
about when or where it was made: the same content gives the same bytes. Pictures are in `pictures`.
"""

from __future__ import annotations

import base64
import hashlib
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from xml.etree.ElementTree import Element, SubElement, tostring

Content = str | Element
Cell = str | int | float | None | Element

NO_VALUE = "–"
_WORDS = {
    "en": {"contents": "Contents", "skip": "Skip to the content"},
    "zh": {"contents": "目录", "skip": "跳到正文"},
}
# What HTML cannot hold: control characters and halves of surrogate pairs.
_UNWRITABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


def element(tag: str, *content: Content | None, **attributes: str | float | None) -> Element:
    """Make an element.

    Args:
        tag: Its name.
        content: Texts, which are escaped, and elements, in order; None is left out.
        attributes: ``class_`` stands for ``class``, an underscore for a hyphen; None is left out. Numbers are
            written with at most two decimals.
    """
    made = Element(tag)
    for name, value in attributes.items():
        if value is not None:
            made.set(name.rstrip("_").replace("_", "-"), _attribute(value))
    last: Element | None = None
    for part in content:
        if isinstance(part, Element):
            made.append(part)
            last = part
        elif part is not None and last is None:
            made.text = (made.text or "") + writable(part)
        elif part is not None and last is not None:
            last.tail = (last.tail or "") + writable(part)
    return made


def _attribute(value: str | float) -> str:
    return writable(value) if isinstance(value, str) else f"{value:.2f}".rstrip("0").rstrip(".")


def writable(text: str) -> str:
    """Return a text with what HTML cannot hold replaced by U+FFFD."""
    return _UNWRITABLE.sub("\ufffd", text)


def number(value: float | None, digits: int = 3) -> str:
    """Write a number for people: ``0.352``, with a real minus sign; integers ``1,408``; none as a dash."""
    if value is None or not math.isfinite(value):
        return NO_VALUE
    text = f"{value:,}" if isinstance(value, int) else f"{value:.{digits}f}"
    if text.startswith("-") and not text.strip("-0.,"):
        text = text[1:]  # minus zero
    return text.replace("-", "\N{MINUS SIGN}")


def percent(share: float | None, digits: int = 1) -> str:
    """Write a share, 0 to 1, as per cent."""
    return NO_VALUE if share is None else f"{number(100 * share, digits)}%"


def estimate(
    value: float | None, low: float | None = None, high: float | None = None, digits: int = 3
) -> Element:
    """Write a number with its interval under it; tables sort it by the number."""
    ends = None if low is None or high is None else f"[{number(low, digits)}, {number(high, digits)}]"
    return element(
        "span",
        number(value, digits),
        None if ends is None else element("small", ends),
        data_sort="" if value is None else repr(value),
    )


def paragraph(*content: Content, class_: str | None = None) -> Element:
    """A paragraph; ``class_`` may be muted, lead or notice."""
    return element("p", *content, class_=class_)


def heading(text: str) -> Element:
    """A heading inside a section."""
    return element("h3", text)


def definitions(terms: Sequence[tuple[str, Content]]) -> Element:
    """A list of terms with what they mean."""
    return element(
        "dl", *(part for term, text in terms for part in (element("dt", term), element("dd", text)))
    )


def details(summary: str, *content: Content) -> Element:
    """Content that is shown on demand, and printed."""
    return element("details", element("summary", summary), *content)


def side_by_side(*content: Element) -> Element:
    """Figures beside each other where the page is wide enough."""
    return element("div", *content, class_="pair")


def text_in(text: str, language: str | None) -> Element:
    """A text in a language, so that the right font and voice are chosen."""
    return element("span", text, lang=language or None)


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes:
        title: Its head.
        numeric: Aligned to the right; sorts by number.
        words: Holds running text and needs room.
    """

    title: str
    numeric: bool = False
    words: bool = False


def table(
    caption: str,
    columns: Sequence[Column],
    rows: Sequence[Sequence[Cell]],
    *,
    note: str | None = None,
    sortable: bool = True,
) -> Element:
    """A table whose rows are named by their first cell; a click on the head of a column sorts it.

    Args:
        caption: What it shows.
        columns: Its columns.
        rows: A cell a column: a text, a number (floats get three decimals), None, or an element.
        note: What its numbers mean, under the caption.
        sortable: Whether sorting makes sense.
    """
    head = element(
        "tr",
        *(element("th", one.title, scope="col", class_="number" if one.numeric else None) for one in columns),
    )
    body = element("tbody")
    for row in rows:
        line = SubElement(body, "tr")
        for place, (column, cell) in enumerate(zip(columns, row, strict=True)):
            line.append(_cell(column, cell, is_name=place == 0))
    words = element("span", element("strong", caption), None if note is None else f" {note}")
    title = element("caption", words)
    made = element(
        "table",
        title,
        element("thead", head),
        body,
        class_="sortable" if sortable and len(rows) > 1 else None,
    )
    # Focusable, so that a keyboard can scroll a table that is wider than the screen.
    scroll = element("div", made, class_="scroll", tabindex="0", role="region", aria_label=caption)
    return element("div", scroll, class_="table")


def _cell(column: Column, cell: Cell, *, is_name: bool) -> Element:
    sort = None
    content: Content
    if isinstance(cell, Element):
        content, sort = cell, cell.attrib.pop("data-sort", None)
    elif isinstance(cell, str):
        content = cell
    else:
        content, sort = number(cell), "" if cell is None else repr(cell)
    kind = "number" if column.numeric else "words" if column.words else None
    if is_name:
        return element("th", content, scope="row", class_=kind, data_sort=sort)
    return element("td", content, class_=kind, data_sort=sort)


class Page:
    """A page of sections with a list of contents.

    Args:
        title: Its title.
        lang: Language of its own words, ``en`` or ``zh``.
        lead: A sentence under the title.
    """

    def __init__(self, title: str, lang: str = "en", *, lead: str | None = None) -> None:
        self.title = title
        self.lang = lang
        self._words = _WORDS["zh" if lang.startswith("zh") else "en"]
        self._header = element("header", element("h1", title), lead and paragraph(lead, class_="lead"))
        self._contents = element("ol")
        self._main = element("main", id="content")
        self._footer: list[Content] = []

    def notice(self, word: str, *content: Content) -> None:
        """Put a notice that nobody should overlook under the title."""
        self._header.append(
            element("p", element("strong", word), " ", *content, class_="notice", role="note")
        )

    def section(self, title: str, *content: Content) -> None:
        """Add a section; texts become paragraphs."""
        name = f"s{len(self._main) + 1}"
        self._contents.append(element("li", element("a", title, href=f"#{name}")))
        parts = (paragraph(part) if isinstance(part, str) else part for part in content)
        self._main.append(
            element(
                "section",
                element("h2", title, id=f"{name}-title"),
                *parts,
                id=name,
                aria_labelledby=f"{name}-title",
            )
        )

    def footer(self, *content: Content) -> None:
        """Add a paragraph at the end of the page."""
        self._footer.append(paragraph(*content))

    def html(self) -> str:
        """Return the page as one HTML document."""
        style, script = _resource("page.css"), _resource("page.js")
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        policy = f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; img-src data:"
        head = element(
            "head",
            element("meta", charset="utf-8"),
            element("meta", http_equiv="Content-Security-Policy", content=policy),
            element("meta", name="viewport", content="width=device-width, initial-scale=1"),
            element("meta", name="referrer", content="no-referrer"),
            element("title", self.title),
            element("style", style),
        )
        sheet = element(
            "div",
            self._header,
            element(
                "nav",
                element("h2", self._words["contents"]),
                self._contents,
                aria_label=self._words["contents"],
            ),
            self._main,
            element("footer", *self._footer),
            class_="sheet",
        )
        skip = element("a", self._words["skip"], href="#content", class_="skip")
        body = element("body", skip, sheet, element("script", script))
        _name_pictures(body)
        page = element("html", head, body, lang=self.lang)
        return "<!DOCTYPE html>\n" + tostring(page, encoding="unicode", method="html") + "\n"


def _name_pictures(body: Element) -> None:
    """Tie every picture to its title and description, under names that are unique on the page."""
    for place, picture in enumerate(body.iter("svg"), 1):
        names = []
        for tag in ("title", "desc"):
            for part in picture.findall(tag):
                part.set("id", f"p{place}-{tag}")
                names.append(f"p{place}-{tag}")
        if names:
            picture.set("aria-labelledby", " ".join(names))


def _resource(name: str) -> str:
    return (files("annotation") / name).read_text("utf-8")
