"""Pictures of a page as inline SVG: forest plot, bars, heat map, histogram.

Each is a figure with a caption. A screen reader gets its title and all its numbers. Horizontal places are
shares of the width where that can be, so that letters keep their size on every screen.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from annotation.page import NO_VALUE, element, number

ROW = 28
SQUARE = 54
HEAT_ROW = 32
LETTER = 7.2
"""Usual width of a letter of 13 px."""
DARK = 0.55
"""Shade from which a number is written in the inverse colour."""


@dataclass(frozen=True)
class Mark:
    """A row of a forest plot.

    Attributes:
        label: What was measured.
        value: The number; None where it does not exist.
        low: Lower end of its interval.
        high: Upper end of its interval.
    """

    label: str
    value: float | None
    low: float | None = None
    high: float | None = None

    def __str__(self) -> str:
        if self.value is None:
            return "no value"
        if self.low is None or self.high is None:
            return number(self.value)
        return f"{number(self.value)} [{number(self.low)}, {number(self.high)}]"


@dataclass(frozen=True)
class Square:
    """A cell of a heat map.

    Attributes:
        text: What stands in it.
        shade: How strong it is, -1 to 1; negative ones get another colour.
    """

    text: str
    shade: float


def _figure(title: str, note: str | None, picture: Element) -> Element:
    caption = element("figcaption", element("strong", title), None if note is None else f" {note}")
    return element("figure", caption, picture)


def _picture(title: str, description: str, *content: Element, width: float | str, height: float) -> Element:
    return element(
        "svg",
        element("title", title),
        element("desc", description),
        *content,
        role="img",
        width=width,
        height=height,
    )


def _short(label: str, longest: int = 18) -> str:
    """Cut a label to a number of letters; a wide letter (Chinese) takes the room of two."""
    room = 0
    for place, letter in enumerate(label):
        room += 2 if ord(letter) > 0x2E80 else 1
        if room > longest:
            return label[: max(place - 1, 1)] + "…"
    return label


def _room(label: str) -> float:
    return LETTER * sum(2 if ord(letter) > 0x2E80 else 1 for letter in label)


def _ticks(low: float, high: float) -> list[float]:
    """Round numbers that cover low..high in four to ten steps."""
    span = high - low
    unit = 10.0 ** math.floor(math.log10(span))
    step = next(unit * part for part in (0.1, 0.2, 0.25, 0.5, 1.0, 2.0) if span / (unit * part) <= 8)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(step * place, 10) + 0.0 for place in range(first, last + 1)]


def _tick(value: float) -> str:
    return f"{value:g}".replace("-", "\N{MINUS SIGN}")


def forest(title: str, marks: Sequence[Mark], *, note: str | None = None) -> Element:
    """Numbers with their intervals on one axis.

    Args:
        title: What is shown.
        marks: A row each, from top to bottom.
        note: What the numbers and intervals are.
    """
    known = [end for one in marks for end in (one.value, one.low, one.high) if end is not None]
    ticks = _ticks(min([0.0, *known]), max([1.0, *known]))

    def place(value: float) -> str:
        return f"{2 + 96 * (value - ticks[0]) / (ticks[-1] - ticks[0]):.2f}%"

    def grid(height: float) -> list[Element]:
        return [
            element(
                "line",
                x1=place(tick),
                x2=place(tick),
                y1=0,
                y2=height,
                class_="zero" if tick == 0 else "grid",
            )
            for tick in ticks
        ]

    rows = []
    for one in marks:
        drawn, middle = grid(ROW), ROW / 2
        if one.low is not None and one.high is not None:
            ends = {"x1": place(one.low), "x2": place(one.high)}
            drawn.append(element("line", **ends, y1=middle, y2=middle, class_="whisker"))
        if one.value is not None:
            drawn.append(element("circle", cx=place(one.value), cy=middle, r=4.5, class_="mark"))
        rows.append((one.label, drawn, str(one)))
    numbers = [
        element("text", _tick(tick), x=place(tick), y=18, text_anchor="middle", class_="soft")
        for tick in ticks
    ]
    return _rows(title, note, rows, [*grid(5), *numbers])


def bars(
    title: str,
    rows: Sequence[tuple[str, float | None, str]],
    *,
    note: str | None = None,
    highest: float | None = None,
) -> Element:
    """Horizontal bars.

    Args:
        title: What is shown.
        rows: Label, length (not negative; None for none) and the text at its end, from top to bottom.
        note: What the numbers are.
        highest: Length of a full bar; by default the longest one.
    """
    full = highest or max((length for _, length, _ in rows if length), default=1.0)
    drawn = []
    for label, length, text in rows:
        bar: dict[str, float] = {"x": 0, "y": ROW / 2 - 6, "height": 12, "rx": 3}
        parts = [element("rect", **bar, width="100%", class_="track")]
        if length:
            width = f"{100 * min(length / full, 1.0):.2f}%"
            parts.append(element("rect", **bar, width=width, class_="for"))
        drawn.append((label, parts, text))
    return _rows(title, note, drawn, None)


def _rows(
    title: str,
    note: str | None,
    rows: Sequence[tuple[str, list[Element], str]],
    axis: list[Element] | None,
) -> Element:
    """Rows of label, drawing and text: a table, so that labels may be long and a phone can fold it."""
    body = element("tbody")
    for label, drawn, text in rows:
        line = element("title", f"{label}: {text}")
        picture = element("svg", line, *drawn, role="img", width="100%", height=ROW)
        name = element("th", element("span", label), scope="row")
        body.append(element("tr", name, element("td", picture, class_="drawn"), element("td", text)))
    if axis is not None:
        picture = element("svg", *axis, width="100%", height=24, aria_hidden="true")
        body.append(
            element("tr", element("td"), element("td", picture, class_="drawn"), element("td"), class_="axis")
        )
    return _figure(title, note, element("table", body, class_="plot", aria_label=title))


def heat_map(
    title: str,
    rows: Sequence[str],
    columns: Sequence[str],
    squares: Sequence[Sequence[Square | None]],
    *,
    note: str | None = None,
) -> Element:
    """A matrix of numbers on shaded squares.

    Args:
        title: What is shown.
        rows: Names of its rows.
        columns: Names of its columns.
        squares: A square a column for every row; None where there is nothing.
        note: What the numbers and shades are.
    """
    row_names, column_names = ([_short(name) for name in names] for names in (rows, columns))
    left = max(map(_room, row_names), default=0.0) + 12
    tilted = max(map(_room, column_names), default=0.0) > SQUARE - 4
    top = 10 + 0.64 * max(map(_room, column_names), default=0.0) + 8 if tilted else 22.0
    parts = []
    for place, name in enumerate(column_names):
        x = left + SQUARE * (place + 0.5)
        parts.append(
            element("text", name, transform=f"translate({x - 4:.1f} {top - 6:.1f}) rotate(-40)")
            if tilted
            else element("text", name, x=x, y=top - 8, text_anchor="middle")
        )
    said = []
    for line, (full, name, cells) in enumerate(zip(rows, row_names, squares, strict=True)):
        y = top + HEAT_ROW * line
        parts.append(
            element(
                "text", name, x=left - 10, y=y + HEAT_ROW / 2, text_anchor="end", dominant_baseline="central"
            )
        )
        for place, cell in enumerate(cells):
            x = left + SQUARE * place
            box: dict[str, float] = {"x": x, "y": y, "width": float(SQUARE), "height": float(HEAT_ROW)}
            if cell is None:
                parts.append(element("rect", **box, rx=4, class_="cell empty"))
                continue
            said.append(f"{full}, {columns[place]}: {cell.text or NO_VALUE}")
            strength = min(abs(cell.shade), 1.0)
            colour = "against" if cell.shade < 0 else "for"
            parts.append(
                element("rect", **box, rx=4, class_=f"cell {colour}", fill_opacity=0.06 + 0.94 * strength)
            )
            parts.append(
                element(
                    "text",
                    cell.text,
                    x=x + SQUARE / 2,
                    y=y + HEAT_ROW / 2,
                    text_anchor="middle",
                    dominant_baseline="central",
                    class_="inverse" if strength > DARK else None,
                )
            )
    tilt = 0.77 * max(map(_room, column_names), default=0.0) if tilted else 0.0
    width = left + SQUARE * len(columns) + max(tilt - SQUARE / 2, 4)
    picture = _picture(
        title, "; ".join(said), *parts, width=round(width), height=round(top + HEAT_ROW * len(rows) + 2)
    )
    return _figure(title, note, element("div", picture, class_="scroll"))


def histogram(
    title: str, edges: Sequence[float], counts: Sequence[int], *, note: str | None = None
) -> Element:
    """How often numbers fall between edges.

    Args:
        title: What is shown.
        edges: Ascending edges, one more than counts.
        counts: How often each bin is hit.
        note: What was counted.
    """
    height, top, step = 150.0, 16.0, 100 / max(len(counts), 1)
    most = max(counts, default=0) or 1
    parts = [element("line", x1="0%", x2="100%", y1=top + height, y2=top + height, class_="zero")]
    every = max(1, math.ceil(len(edges) / 11))
    for place, count in enumerate(counts):
        tall = height * count / most
        x, width = f"{step * place + 0.15:.2f}%", f"{step - 0.3:.2f}%"
        parts.append(element("rect", x=x, y=top + height - tall, width=width, height=tall, class_="for"))
        if len(counts) <= 20 and count:
            middle = f"{step * (place + 0.5):.2f}%"
            parts.append(
                element(
                    "text",
                    number(count),
                    x=middle,
                    y=top + height - tall - 4,
                    text_anchor="middle",
                    class_="soft",
                )
            )
    for place in range(0, len(edges), every):
        anchor = "start" if place == 0 else "end" if place == len(edges) - 1 else "middle"
        parts.append(
            element(
                "text",
                _tick(edges[place]),
                x=f"{step * place:.2f}%",
                y=top + height + 18,
                text_anchor=anchor,
                class_="soft",
            )
        )
    description = "; ".join(
        f"{low:g} to {high:g}: {count}" for low, high, count in zip(edges, edges[1:], counts, strict=False)
    )
    return _figure(title, note, _picture(title, description, *parts, width="100%", height=top + height + 24))
