"""The examples of docs/schema.md work as they stand."""

from __future__ import annotations

import re
from pathlib import Path

from schemas.answer_sampling import draw_answers
from schemas.definition import parse_schema, shipped_definitions
from schemas.validation import validate_answers

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "schema.md").read_text("utf-8")
YAML = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)


def test_the_example_schema_and_the_fields_added_to_it_load() -> None:
    whole, added = YAML
    assert [field.name for field in parse_schema(whole)] == ["sarcasm"]
    schema = parse_schema(whole + added)
    assert [field.type for field in schema] == ["nominal", "ordinal", "relation"]
    assert validate_answers(draw_answers(schema, 100, 0), schema, "t") == []


def test_every_shipped_schema_is_named() -> None:
    assert not [name for name in shipped_definitions() if f"`{name}`" not in PAGE]
