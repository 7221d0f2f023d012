"""The annotators' handbook."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from hypothesis import HealthCheck, given, settings

from annotation.controls import page_controls
from annotation.guidelines import guideline_version, guidelines
from schemas import load_schema
from schemas.definition import definition_text, parse_schema, shipped_definitions
from schemas.fields import CategoricalField, RelationField
from schemas.label_schema import LabelSchema
from tests.annotation.drawn_schemas import label_schemas


class Text(HTMLParser):
    """Collects what a page says; stops for nothing."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.said = ""
        self.loads: list[str] = []
        self.pictures = 0
        self.feed(html)

    def handle_data(self, data: str) -> None:
        self.said += data

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.pictures += tag == "img"
        self.loads += [
            value or ""
            for name, value in attrs
            if name in ("src", "href") and not (value or "").startswith(("#", "data:"))
        ]


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("name", shipped_definitions())
def test_the_handbook_says_all_that_the_schema_says(name: str, language: str) -> None:
    schema = load_schema(name)
    page = Text(guidelines(schema, language))
    assert not page.loads, "it loads something"
    wordings = [schema.title, schema.description]
    for field in schema:
        wordings += [text for text in (field.title, field.question, field.rule) if text]
        if isinstance(field, CategoricalField | RelationField):
            for value in field.values:
                wordings += [text for text in (value.title, value.definition) if text]
                for sentence in (*value.examples_in(language), *value.counterexamples_in(language)):
                    assert sentence in page.said
    assert not [text for text in wordings if text.get(language) not in page.said]
    for control in page_controls(schema, language):
        for choice in control.choices if not control.hidden else ():
            assert f"{choice.wording} [{choice.keys[0]}]" in page.said
    assert guideline_version(schema) in page.said


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(label_schemas())
def test_any_schema_has_a_handbook(schema: LabelSchema) -> None:
    assert guidelines(schema, "zh") == guidelines(schema, "zh")
    assert re.fullmatch(r"1\+[0-9a-f]{8}", guideline_version(schema))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("No emotion can be pointed to", "No feeling can be pointed to"),
        ("钥匙在桌上。", "钥匙在门边。"),
        ("zh: 中性}", "zh: 中立}"),
    ],
)
def test_a_changed_word_is_a_new_version(old: str, new: str) -> None:
    text, where = definition_text("affect")
    assert old in text
    changed = parse_schema(text.replace(old, new), where)
    assert guideline_version(changed) != guideline_version(load_schema("affect"))


def test_a_changed_comment_or_alias_is_not() -> None:
    text, where = definition_text("affect")
    changed = parse_schema("# a comment\n" + text.replace("aliases: [neu]", "aliases: [neutr]"), where)
    assert guideline_version(changed) == guideline_version(load_schema("affect"))


def test_label_studios_own_buttons_are_shown() -> None:
    html = guidelines(load_schema("meld"), "en")
    assert Text(html).pictures == 6
    assert html.count("data:image/png;base64,") == 6


def test_the_plain_case_is_explained_where_there_is_one() -> None:
    assert "Sentiment Neutral, Emotion Neutral, Sarcasm Not sarcastic" in guidelines(
        load_schema("affect"), "en"
    )
    assert "nothing stands out" not in guidelines(load_schema("crema-d"), "en")
