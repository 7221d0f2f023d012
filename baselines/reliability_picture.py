"""A reliability diagram as inline SVG: how often predictions of a probability come true."""

from __future__ import annotations

import math
from collections.abc import Sequence
from xml.etree.ElementTree import Element

from annotation.page import element, number, percent
from baselines.calibration import Bin

SIDE = 240.0
LEFT, TOP, BOTTOM = 58.0, 10.0, 44.0
LARGEST = 9.0
"""Radius of a dot that holds all predictions."""
TICKS = (0.0, 0.25, 0.5, 0.75, 1.0)


def reliability_diagram(title: str, bins: Sequence[Bin], *, across: str, up: str) -> Element:
    """Draw bins of predicted probability against how often they came true.

    Args:
        title: What is shown.
        bins: The bins.
        across: Name of the horizontal axis.
        up: Name of the vertical axis.
    """
    total = sum(one.count for one in bins) or 1
    parts = [*_axes(across, up)]
    for one in bins:
        if one.right is None or one.probability is None:
            continue
        width = SIDE * (one.high - one.low)
        parts.append(
            element(
                "rect",
                x=_x(one.low) + 0.5,
                y=_y(one.right),
                width=width - 1,
                height=SIDE * one.right,
                class_="for",
                fill_opacity=0.28,
            )
        )
    parts.append(element("line", x1=_x(0), y1=_y(0), x2=_x(1), y2=_y(1), class_="zero"))
    said = []
    for one in bins:
        if one.right is None or one.probability is None:
            continue
        radius = max(LARGEST * math.sqrt(one.count / total), 1.5)
        parts.append(element("circle", cx=_x(one.probability), cy=_y(one.right), r=radius, class_="mark"))
        said.append(f"{number(one.probability, 2)}: {percent(one.right, 0)} ({one.count:,})")
    picture = element(
        "svg",
        element("title", title),
        element("desc", "; ".join(said)),
        *parts,
        role="img",
        width=LEFT + SIDE + 12,
        height=TOP + SIDE + BOTTOM,
    )
    caption = element("figcaption", element("strong", title))
    return element("figure", caption, element("div", picture, class_="scroll"))


def _x(share: float) -> float:
    return LEFT + SIDE * share


def _y(share: float) -> float:
    return TOP + SIDE * (1 - share)


def _axes(across: str, up: str) -> list[Element]:
    parts = []
    for tick in TICKS:
        parts.append(element("line", x1=_x(tick), x2=_x(tick), y1=_y(0), y2=_y(1), class_="grid"))
        parts.append(element("line", x1=_x(0), x2=_x(1), y1=_y(tick), y2=_y(tick), class_="grid"))
        text = f"{tick:g}"
        parts.append(element("text", text, x=_x(tick), y=_y(0) + 18, text_anchor="middle", class_="soft"))
        parts.append(element("text", text, x=_x(0) - 8, y=_y(tick) + 4, text_anchor="end", class_="soft"))
    middle = TOP + SIDE / 2
    parts.append(element("text", across, x=_x(0.5), y=_y(0) + 38, text_anchor="middle", class_="soft"))
    turned = f"translate(12 {middle:.0f}) rotate(-90)"
    parts.append(element("text", up, transform=turned, text_anchor="middle", class_="soft"))
    return parts
