"""The page kit: well-formed, escaped, self-contained, the same bytes every time."""

from __future__ import annotations

import itertools
import re
from html.parser import HTMLParser
from xml.etree.ElementTree import Element, tostring

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotation import page, pictures
from annotation.page import Column, Page, element, estimate, number, percent, table
from annotation.pictures import Mark, Square, bars, forest, heat_map, histogram

VOID = {"meta", "link", "br", "hr", "img", "input"}
HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</style></title></svg><b>",
    "a & b &amp; c",
    "' onmouseover='x",
    "nul\x00 bell\x07 half \ud800",
    "‮right to left",
    "他笑了：“好！”",
]


class Outline(HTMLParser):
    """Tags must close in the order in which they opened; keeps what a browser would show."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)


def outline(html: str) -> Outline:
    html.encode("utf-8")  # a lone surrogate would fail here
    parser = Outline()
    parser.feed(html)
    parser.close()
    assert not parser.open
    return parser


def full_page(text: str, lang: str = "en") -> str:
    made = Page(text, lang, lead=text)
    made.notice(text, text)
    made.section(
        text,
        text,
        forest(text, [Mark(text, 0.4, 0.1, 0.6), Mark(text + "2", None), Mark("c", -0.2)], note=text),
        bars(text, [(text, 0.5, text), ("b", 0, "0"), ("c", None, "none")], note=text),
        page.side_by_side(
            heat_map(text, [text, "b"], [text, "b"], [[Square(text, 1), None], [None, Square("x", -0.7)]]),
            histogram(text, [1, 2, 3], [4, 0], note=text),
        ),
    )
    rows = [[text, estimate(0.5, 0.1, 0.9), 3, text], ["b", None, 2, element("b", text, data_sort=text)]]
    made.section(
        "two",
        table(
            text,
            [Column(text), Column("n", True), Column("m", True), Column(text, words=True)],
            rows,
            note=text,
        ),
        page.details(text, page.definitions([(text, text)])),
        page.paragraph(text, page.text_in(text, text), class_="muted"),
        page.heading(text),
    )
    made.footer(text, element("code", text))
    return made.html()


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_stays_text(text):
    html = full_page(text)
    seen = outline(html)
    plain = outline(full_page("plain"))
    assert [tag for tag, _ in seen.tags] == [tag for tag, _ in plain.tags]
    assert not any(name.startswith("on") for _, attributes in seen.tags for name in attributes)
    assert page.writable(text) in "".join(seen.texts)


@given(st.text(max_size=30))
def test_any_text_makes_a_well_formed_page(text):
    assert [tag for tag, _ in outline(full_page("x" + text)).tags].count("script") == 1


def test_nothing_is_loaded_from_anywhere():
    html = full_page("plain")
    assert not re.search(r"https?:|//[a-z]|url\(|@import|@font-face", html)
    assert "default-src 'none'" in html
    seen = outline(html)
    assert not any({"src", "srcset", "action"} & set(attributes) for _, attributes in seen.tags)
    links = [attributes["href"] for tag, attributes in seen.tags if tag == "a"]
    ids = [attributes["id"] for _, attributes in seen.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert all(one.startswith("#") and one[1:] in ids for one in links)


def test_the_script_is_the_one_that_the_policy_allows():
    import base64
    import hashlib

    html = full_page("plain")
    script = re.search(r"<script>(.*?)</script>", html, re.DOTALL)[1]
    assert base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() in html


def test_same_content_same_bytes():
    assert full_page("他 & she") == full_page("他 & she")


def test_pictures_speak():
    seen = outline(full_page("plain"))
    ids = {attributes.get("id") for _, attributes in seen.tags}
    pictures_seen = [attributes for tag, attributes in seen.tags if tag == "svg"]
    assert len(pictures_seen) == 3 + 1 + 3 + 2  # rows and axis of the forest, bars, heat map, histogram
    for one in pictures_seen:
        named = one.get("aria-labelledby", "").split()
        assert one.get("aria-hidden") == "true" or (named and set(named) <= ids)
    assert seen.tags.count(("caption", {})) == 1


@pytest.mark.parametrize("lang", ["en", "zh", "zh-Hans"])
def test_languages(lang):
    html = full_page("x", lang)
    assert f'<html lang="{lang}">' in html
    assert ("目录" in html) == lang.startswith("zh")


def test_light_dark_print_and_phone():
    style = page._resource("page.css")
    assert "prefers-color-scheme: dark" in style
    assert "@media print" in style
    assert "max-width: 640px" in style


def test_numbers():
    assert [number(x) for x in (None, 0.35249, -0.5, -0.0001, 1408, float("nan"))] == [
        "–", "0.352", "\N{MINUS SIGN}0.500", "0.000", "1,408", "–"
    ]  # fmt: skip
    assert percent(0.1234) == "12.3%"
    assert percent(None) == "–"


def test_cells_sort_by_their_numbers():
    rows = [["a", estimate(0.5, 0.1, 0.9)], ["b", 0.25], ["c", None], ["d", 7]]
    body = table("t", [Column("name"), Column("n", True)], rows)
    assert [one.get("data-sort") for one in body.iter("td")] == ["0.5", "0.25", "", "7"]
    assert [one.get("scope") for one in body.iter("th")] == ["col", "col", "row", "row", "row", "row"]


def test_a_row_of_another_length_is_refused():
    with pytest.raises(ValueError, match="zip"):
        table("t", [Column("a")], [["x", "y"]])


def _x(part: Element, name: str) -> float:
    return float(part.get(name, "").rstrip("%"))


def test_forest_places_are_proportional():
    made = forest("t", [Mark("a", 0.5, 0.25, 1.0), Mark("b", 0.0), Mark("c", 1.0)])
    half, zero, one = (_x(dot, "cx") for dot in made.iter("circle"))
    assert half == pytest.approx((zero + one) / 2)
    whisker = next(line for line in made.iter("line") if line.get("class") == "whisker")
    assert _x(whisker, "x1") == pytest.approx((zero + half) / 2)
    assert _x(whisker, "x2") == one


@given(st.lists(st.floats(-5, 1), min_size=1, max_size=4))
def test_forest_stays_inside(values):
    made = forest("t", [Mark(str(place), value) for place, value in enumerate(values)])
    assert all(0 <= _x(dot, "cx") <= 100 for dot in made.iter("circle"))
    assert 2 < sum(1 for text in made.iter("text")) < 14


def test_bars_and_histogram_are_proportional():
    widths = [
        _x(one, "width")
        for one in bars("t", [("a", 2.0, ""), ("b", 1.0, "")]).iter("rect")
        if one.get("class") == "for"
    ]
    assert widths == [100, 50]
    heights = [_x(one, "height") for one in histogram("t", [0, 1, 2], [4, 2]).iter("rect")]
    assert heights == [150, 75]


def test_heat_map_colours():
    made = heat_map("t", ["r"], ["a", "b", "c"], [[Square("1", 1.0), Square("-1", -1.0), None]])
    assert [one.get("class") for one in made.iter("rect")] == ["cell for", "cell against", "cell empty"]
    assert "r, a: 1; r, b: -1" in tostring(made, encoding="unicode")


def test_long_names_are_cut_in_heat_maps():
    made = heat_map("t", ["很长很长很长很长很长很长的名字"], ["x" * 40], [[Square("1", 1.0)]])
    texts = [text.text for text in made.iter("text")]
    assert all(len(text) <= 19 for text in texts)
    assert sum("…" in text for text in texts) == 2


@pytest.mark.parametrize("ends", [(0.0, 1.0), (-0.03, 1.0), (-1.0, 1.0), (-7.3, 1.0), (0, 1e-3), (0, 5e6)])
def test_ticks_cover(ends):
    ticks = pictures._ticks(*ends)
    assert ticks[0] <= ends[0]
    assert ticks[-1] >= ends[1]
    assert 3 <= len(ticks) <= 11
    steps = {round(b - a, 9) for a, b in itertools.pairwise(ticks)}
    assert len(steps) == 1
