"""Label schemas drawn at random, names and wordings as unpleasant as the format allows."""

from __future__ import annotations

import hypothesis.strategies as st
import yaml

from schemas.definition import parse_schema
from schemas.label_schema import LabelSchema

# What breaks pages: separators of conditions, markup, columns of tasks, rare letters, special answers.
NAMES = (
    "a,b",
    "'quoted' \"twice\"",
    "<b>&amp;",
    "$text",
    "50 %",
    "100%2C",
    "cannot_tell",
    "Cannot tell",
    "none",
    "[none]",
    "needed",
    "中性",
    "喜 悦",
    "😀",
    "é",
    "positive-other",
    "1",
    "x+y",
    "\\",
    "a\tb",
    "neutral",
    "joy",
    "anger",
    "fear",
)


def _text(word: str) -> dict[str, str]:
    return {"en": f"{word} (en)", "zh": f"{word}（中）"}


@st.composite
def _value_names(draw: st.DrawFn, most: int = 6) -> list[str]:
    return draw(st.lists(st.sampled_from(NAMES), min_size=2, max_size=most, unique_by=str.casefold))


@st.composite
def _field(draw: st.DrawFn, kind: str) -> dict[str, object]:
    field: dict[str, object] = {"type": kind, "title": _text(draw(st.sampled_from(NAMES)))}
    if kind == "interval":
        low, high = draw(
            st.sampled_from([(1, 9), (-3, 3), (0, 100), (-1.0, 1.0), (0.5, 0.7), (1, 3), (0, 1)])
        )
        field |= {"range": f"{low}..{high}", "absent": draw(st.sampled_from([[], [str(low)], [str(high)]]))}
        if draw(st.booleans()):
            field["anchors"] = {str(low): _text("low $x"), str(high): _text("high")}
        return field
    names = draw(_value_names())
    # A wording may be another value's name; a title may be plain.
    titles = draw(st.permutations(names))
    field["values"] = {
        name: {"title": {"en": title, "zh": f"{title}。"}} for name, title in zip(names, titles, strict=True)
    }
    subset = st.lists(st.sampled_from(names), unique=True, max_size=2)
    field["absent"] = draw(subset)
    if kind == "multilabel":
        field["exclusive"] = draw(subset)
        if draw(st.booleans()):
            field["intensity"] = draw(st.sampled_from(["1..3", "2..5"]))
    return field


@st.composite
def label_schemas(draw: st.DrawFn) -> LabelSchema:
    """Draw a label schema of one to four plain fields and up to two relations."""
    kinds = draw(
        st.lists(st.sampled_from(["nominal", "ordinal", "interval", "multilabel"]), min_size=1, max_size=4)
    )
    fields = {f"f{number}": draw(_field(kind)) for number, kind in enumerate(kinds)}
    relations = draw(st.integers(0, 2)) if len(fields) > 1 else 0
    for number in range(relations):
        source, target = draw(st.permutations(sorted(fields)[: len(kinds)]))[:2]
        applies = "any_part_present"
        if any(
            fields[part]["type"] != "multilabel" and not fields[part]["absent"] for part in (source, target)
        ):
            applies = "always"
        sentence = {"en": ["An example."], "zh": ["例子。"]}
        fields[f"r{number}"] = {
            "type": "relation",
            "source": source,
            "target": target,
            "scale": "-1..2",
            "applies_when": draw(st.sampled_from([applies, "always"])),
            "title": _text("relation"),
            "question": _text("Does it cost $5?"),
            "rule": _text("rule"),
            "values": {
                str(value): {
                    "title": _text(f"v{value}"),
                    "definition": _text("d"),
                    "examples": sentence,
                    "counterexamples": sentence,
                }
                for value in range(-1, 3)
            },
        }
    definition = {
        "name": "drawn",
        "version": "1",
        "title": _text("Drawn"),
        "description": _text("Drawn at random."),
        "fields": fields,
    }
    return parse_schema(yaml.safe_dump(definition, allow_unicode=True, sort_keys=False))
