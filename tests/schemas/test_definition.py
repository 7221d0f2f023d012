"""Reading label schemas: what is refused, with which words, and that all shipped ones are whole."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from schemas import InputError, load_schema
from schemas.definition import definition_text, parse_schema, shipped_definitions
from schemas.fields import (
    AppliesWhen,
    CategoricalField,
    IntervalField,
    MultilabelField,
    NominalField,
    RelationField,
    Text,
)
from schemas.located_yaml import load_located
from schemas.records import annotations_schema, labels_schema

HEAD = """\
name: small
version: 1.0.0
title: {en: Small, zh: 小}
description: {en: For tests., zh: 用于测试。}
"""

TWO_FIELDS = (
    HEAD
    + """\
fields:
  sarcasm:
    type: nominal
    title: {en: Sarcasm, zh: 讽刺}
    absent: [none]
    values:
      none: {title: {en: None, zh: 无}}
      sarcastic: {title: {en: Sarcastic, zh: 讽刺}}
  humor:
    type: nominal
    title: {en: Humor, zh: 幽默}
    absent: [none]
    values:
      none: {title: {en: None, zh: 无}}
      humorous: {title: {en: Humorous, zh: 幽默}}
"""
)

SENTENCES = "{en: [A b.], zh: [甲。]}"


def relation(**changes: str) -> str:
    """Write a relation sarcasm -> humor; an empty change leaves its key out."""
    values = "".join(
        f"\n      {number}: {{title: {{en: t, zh: 题}}, definition: {{en: d, zh: 义}}, "
        f"examples: {SENTENCES}, counterexamples: {SENTENCES}}}"
        for number in (-1, 0, 1)
    )
    keys = {
        "type": "relation",
        "title": "{en: What sarcasm does to humor, zh: 讽刺对幽默的影响}",
        "question": "{en: How much, zh: 如何？}",
        "rule": "{en: In doubt 0., zh: 拿不准选0。}",
        "source": "sarcasm",
        "target": "humor",
        "scale": "-1..1",
        "values": values,
        **changes,
    }
    lines = [f"    {key}: {value}" for key, value in keys.items() if value]
    return TWO_FIELDS + "  sarcasm_humor:\n" + "\n".join(lines) + "\n"


def faults(text: str, where: str = "s.yaml") -> list[str]:
    with pytest.raises(InputError) as caught:
        parse_schema(text, where)
    return [str(issue) for issue in caught.value.issues]


def check_golden(found: list[str], expected: str) -> None:
    """Compare messages with their reviewed wording; a mismatch shows the text to paste."""
    text = "\n".join(found)
    assert text == expected.strip(), f"the messages are now:\n{text}"


# -- every fault at once -----------------------------------------------------------------------------------

BROKEN = """\
name: broken
titel: {en: Broken, zh: 坏}
title: Broken
description: {en: "", zh: 坏}
fields:
  Sentiment:
    type: ordinal
    title: {en: Sentiment, zh: 情感}
    absent: [neutrall]
    values:
      negative: {title: {en: Negative}}
      neutral: {title: {en: Neutral, zh: 中性, fr: neutre}}
  emotion:
    type: multilabel
    title: {}
    values:
      joy: {title: {en: Joy, zh: 喜}, aliases: [happy]}
      Happy: {title: {en: Happy, zh: 乐}}
    exclusive: neutral
    intensity: 3..1
    absent: []
  valence:
    type: interval
    title: {en: Valence, zh: 效价}
    range: 1-9
    absent: []
  arousal:
    type: interval
    title: {en: Arousal, zh: 唤醒度}
    range: 1..9
    anchors: {12: {en: wild, zh: 狂}}
  tone:
    type: ordnal
  speaker_id:
    type: nominal
    title: {en: Who, zh: 谁}
    absent: []
    values:
      one: {title: {en: One, zh: 一}}
  link:
    type: relation
    title: {en: Link, zh: 关联}
    source: emotion
    target: emotions
    scale: 0..2
    applies_when: sometimes
"""

BROKEN_MESSAGES = """\
b.yaml:1, version: this key is required and is not there
b.yaml:2, titel: unknown key, got 'titel'; did you mean 'title'? valid: name, version, title, description, source, fields
b.yaml:3, title: a mapping of keys and values is expected here, got 'Broken'
b.yaml:4, description: the wording in 'en' is missing; valid: en, zh
b.yaml:6, fields.Sentiment: the name of a field is lower-case letters, digits and _, a letter first, got 'Sentiment'
b.yaml:9, fields.Sentiment.absent: unknown value, got 'neutrall'; did you mean 'neutral'? valid: negative, neutral
b.yaml:11, fields.Sentiment.values.negative.title: the wording in 'zh' is missing; valid: en, zh
b.yaml:12, fields.Sentiment.values.neutral.title.fr: unknown key, got 'fr'; valid: en, zh
b.yaml:15, fields.emotion.title: the wording in 'en' is missing; valid: en, zh
b.yaml:15, fields.emotion.title: the wording in 'zh' is missing; valid: en, zh
b.yaml:16, fields.emotion.values: two values share this spelling (upper and lower case are alike), got 'happy'
b.yaml:19, fields.emotion.exclusive: a list is expected here, such as [neutral] or [], got 'neutral'
b.yaml:20, fields.emotion.intensity: the range must rise from its low to its high end, got '3..1'
b.yaml:25, fields.valence.range: a range such as 1..9 is expected here, got '1-9'
b.yaml:27, fields.arousal.absent: say which values mean 'not there' ([] if none does)
b.yaml:31, fields.arousal.anchors.12: this anchor lies outside the range 1..9, got '12'
b.yaml:33, fields.tone.type: unknown type of field, got 'ordnal'; did you mean 'ordinal'? valid: nominal, ordinal, interval, multilabel, relation
b.yaml:34, fields.speaker_id: column 'speaker_id' belongs to every table already
b.yaml:38, fields.speaker_id.values: a field needs at least two values, got 1
b.yaml:40, fields.link.question: this key is required and is not there
b.yaml:40, fields.link.rule: this key is required and is not there
b.yaml:40, fields.link.values: this key is required and is not there
b.yaml:44, fields.link.target: the target of a relation is a field of this schema, got 'emotions'; did you mean 'emotion'? valid: Sentiment, emotion, valence, arousal, tone, speaker_id
b.yaml:45, fields.link.scale: a scale rises from a negative to a positive number, got '0..2'
b.yaml:46, fields.link.applies_when: unknown condition, got 'sometimes'; valid: any_part_present, always
"""  # noqa: E501 - messages are one line each


def test_a_broken_definition_gets_every_fault_at_once_in_order() -> None:
    check_golden(faults(BROKEN, "b.yaml"), BROKEN_MESSAGES)


def test_lines_hold_in_a_file_read_from_disk(tmp_path: Path) -> None:
    path = tmp_path / "b.yaml"
    path.write_text(BROKEN, "utf-8")
    with pytest.raises(InputError) as caught:
        load_schema(path)
    assert [issue.line for issue in caught.value.issues][:4] == [1, 2, 3, 4]
    assert {issue.where for issue in caught.value.issues} == {str(path)}


@pytest.mark.parametrize("name", ["a|b", "[]", "' a'", "''"])
def test_names_that_tables_could_not_hold_are_refused(name: str) -> None:
    text = TWO_FIELDS.replace("humorous:", f"{name!r}:" if "'" not in name else f"{name}:")
    assert any("the name of a value may not" in fault for fault in faults(text))


@pytest.mark.parametrize(
    ("name", "column"), [("sarcasm_missing", "sarcasm_missing"), ("index", "index"), ("text", "text")]
)
def test_columns_do_not_collide(name: str, column: str) -> None:
    found = faults(TWO_FIELDS.replace("  humor:", f"  {name}:"))
    assert any(f"column '{column}' belongs to" in fault for fault in found)


@pytest.mark.parametrize("bad", ["1..x", "nan..2", "1..inf", "2..1", "1..1", "[1, 9]", "1"])
def test_ranges_are_finite_and_rise(bad: str) -> None:
    text = HEAD + f"fields:\n  v: {{type: interval, title: {{en: V, zh: 效}}, absent: [], range: {bad}}}\n"
    assert [fault.split(":")[1].split(",")[0] for fault in faults(text)] == ["6"]


def test_an_alias_may_be_its_own_name_in_another_case() -> None:
    text = TWO_FIELDS.replace("sarcastic: {", "sarcastic: {aliases: [Sarcastic], ")
    assert parse_schema(text)["sarcasm"].spellings["sarcastic"] == "sarcastic"  # type: ignore[attr-defined]


# -- YAML itself -------------------------------------------------------------------------------------------


def test_words_that_yaml_takes_for_truth_or_numbers_stay_text() -> None:
    names = ["no", "yes", "on", "off", "1.0", "0x10", "1e3", "2024-01-01", "true", "~"]
    values = "".join(f"      {name}: {{title: {{en: x, zh: 甲}}}}\n" for name in names)
    field = "  f:\n    type: nominal\n    title: {en: F, zh: 甲}\n    absent: [no, off]\n    values:\n"
    text = HEAD.replace("1.0.0", "1.10") + f"fields:\n{field}{values}"
    schema = parse_schema(text)
    found = schema["f"]
    assert isinstance(found, CategoricalField)
    assert list(found.categories) == names
    assert found.absent == ("no", "off")
    assert schema.version == "1.10"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [1, 2", "s.yaml:1: this is not valid YAML: expected ',' or ']', but got '<stream end>'"),
        (
            "a: 1\n\tb: 2",
            "s.yaml:2: this is not valid YAML: found character '\\t' that cannot start any token",
        ),
        ("a: *b", "s.yaml:1: this is not valid YAML: found undefined alias 'b'"),
        ("a: 1\n---\nb: 2", "s.yaml:2: this is not valid YAML: but found another document"),
        ("a: 1\nb: \x07", "s.yaml:2: this is not valid YAML: it holds a control character"),
        ("a: &x [*x]", "s.yaml:1: this YAML is too large or too deep"),
        ("[" * 5000, "s.yaml: this YAML is too large or too deep"),
        ("? [a, b]\n: c", "s.yaml:1: a key is a plain text, not a list or a mapping"),
        ("- a\n- b", "s.yaml:1: a mapping of keys and values is expected here, got ['a', 'b']"),
        ("", "s.yaml: a mapping of keys and values is expected here"),
    ],
)
def test_what_is_not_a_yaml_mapping_gets_one_message(text: str, message: str) -> None:
    assert faults(text) == [message]


def test_a_bomb_of_anchors_is_refused() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    assert "too large or too deep" in faults("\n".join(lines))[0]


def test_keys_that_stand_twice_are_refused_with_their_second_line() -> None:
    text = TWO_FIELDS.replace("  humor:", "  sarcasm:") + "name: again\n"
    check_golden(
        faults(text),
        """\
s.yaml:13: this key stands here twice, got 'sarcasm'
s.yaml:20: this key stands here twice, got 'name'""",
    )


def test_lines_are_those_of_the_keys() -> None:
    _, lines = load_located("a:\n  b: 1\n\n  c:\n    - x\n    - y\n", "f")
    assert lines[("a",)] == 1
    assert lines[("a", "b")] == 2
    assert lines[("a", "c")] == 4
    assert lines[("a", "c", "1")] == 6


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"name: \xff\xfe", "this is not UTF-8 text (byte 6)"),
        ("name: 情感".encode("gb18030"), "this is not UTF-8 text"),
    ],
)
def test_other_encodings_are_refused(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "s.yaml"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message.replace("(", r"\(").replace(")", r"\)")) as caught:
        load_schema(path)
    assert caught.value.issues[0].where == str(path)


def test_a_byte_order_mark_is_no_part_of_the_first_key(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_text(TWO_FIELDS, "utf-8-sig")
    assert load_schema(path).name == "small"


def test_files_that_are_not_there_or_not_files(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no such file"):
        load_schema(tmp_path / "s.yaml")
    (tmp_path / "folder.yaml").mkdir()
    with pytest.raises(InputError, match="this file cannot be read"):
        load_schema(tmp_path / "folder.yaml")


def test_an_unknown_shipped_name_gets_a_hint() -> None:
    with pytest.raises(InputError) as caught:
        load_schema("afect")
    message = str(caught.value)
    assert message.startswith("there is no shipped schema of this name and no such file, got 'afect'")
    assert "did you mean 'affect'?" in message
    assert "meld" in message


# -- relations ---------------------------------------------------------------------------------------------


def test_a_whole_relation_is_read() -> None:
    schema = parse_schema(relation())
    found = schema.relations[0]
    assert found.categories == (-1, 0, 1)
    assert (found.source, found.target) == ("sarcasm", "humor")
    assert found.applies_when is AppliesWhen.ANY_PART_PRESENT
    assert found.values[0].examples_in("zh") == ("甲。",)


@pytest.mark.parametrize("key", ["question", "rule", "source", "target", "scale", "values", "title"])
def test_a_relation_without_one_of_its_keys_is_refused(key: str) -> None:
    assert faults(relation(**{key: ""})) == [
        f"s.yaml:20, fields.sarcasm_humor.{key}: this key is required and is not there"
    ]


@pytest.mark.parametrize("key", ["definition", "examples", "counterexamples"])
def test_every_value_of_a_relation_is_explained(key: str) -> None:
    whole = relation()
    wording = "{en: d, zh: 义}" if key == "definition" else SENTENCES
    text = whole.replace(f", {key}: {wording}", "", 1)
    assert text != whole
    assert faults(text) == [
        f"s.yaml:29, fields.sarcasm_humor.values.-1.{key}: this key is required and is not there"
    ]


def test_examples_of_a_relation_are_bilingual() -> None:
    text = relation().replace(f"examples: {SENTENCES}", "examples: {en: [A b.]}", 1)
    assert faults(text) == [
        "s.yaml:29, fields.sarcasm_humor.values.-1.examples: at least one sentence in 'zh' is required"
    ]


def test_the_values_of_a_relation_are_its_scale() -> None:
    message = "every number of the scale, lowest first, got '-1 0 1'; valid: -2, -1, 0, 1, 2"
    assert faults(relation(scale="-2..2")) == [f"s.yaml:28, fields.sarcasm_humor.values: {message}"]


def test_a_relation_joins_two_other_fields() -> None:
    assert faults(relation(target="sarcasm")) == [
        "s.yaml:26, fields.sarcasm_humor.target: a relation joins two fields, got 'sarcasm'"
    ]
    assert "the source of a relation is a field" in faults(relation(source="sarcasm_humor"))[0]


def test_a_relation_over_a_part_that_is_never_absent_must_apply_always() -> None:
    text = relation().replace("absent: [none]", "absent: []", 1)
    assert faults(text) == [
        "s.yaml:25, fields.sarcasm_humor.source: this part has no absent value, "
        "so the relation would apply always, got 'sarcasm'"
    ]
    always = relation(applies_when="always").replace("absent: [none]", "absent: []", 1)
    assert parse_schema(always).relations[0].applies_when is AppliesWhen.ALWAYS


@pytest.mark.parametrize(
    ("sarcasm", "humor", "expected"),
    [
        ("none", "none", False),
        ("sarcastic", "none", True),
        ("none", "humorous", True),
        ("sarcastic", None, True),
        ("none", None, None),
        (None, None, None),
    ],
)
def test_when_a_relation_applies(sarcasm: str | None, humor: str | None, expected: bool | None) -> None:
    schema = parse_schema(relation())
    assert schema.applies(schema.relations[0], {"sarcasm": sarcasm, "humor": humor}) is expected


# -- the schema --------------------------------------------------------------------------------------------


def test_the_digest_is_that_of_the_meaning() -> None:
    digest = parse_schema(TWO_FIELDS).digest
    assert (
        parse_schema("# a comment\n" + TWO_FIELDS.replace("absent: [none]", "absent:\n    - none")).digest
        == digest
    )
    assert parse_schema(TWO_FIELDS.replace("Humorous", "Funny")).digest != digest


def test_a_field_that_is_not_there() -> None:
    with pytest.raises(InputError, match="did you mean 'humor'"):
        parse_schema(TWO_FIELDS)["humour"]


def test_absent_numbers_are_found_in_32_bits() -> None:
    field = IntervalField("v", Text("V", "效"), None, None, ("0.1",), 0.0, 1.0)
    assert field.is_absent(0.10000000149011612)
    assert not field.is_absent(0.11)


def test_sets_are_absent_when_nothing_that_counts_is_chosen() -> None:
    emotion = load_schema("affect")["emotion"]
    assert emotion.is_absent(())
    assert emotion.is_absent(("neutral",))
    assert not emotion.is_absent(("joy",))


# -- shipped definitions -----------------------------------------------------------------------------------

SHIPPED = shipped_definitions()


def test_the_promised_definitions_are_shipped() -> None:
    promised = "affect cmma meld iemocap mosei ch-sims mustard cped emorynlp crema-d emobank"
    assert set(promised.split()) <= set(SHIPPED)


@pytest.mark.parametrize("name", SHIPPED)
def test_every_shipped_definition_is_whole_and_bilingual(name: str) -> None:
    schema = load_schema(name)
    assert schema.name == name
    assert schema.source or name == "affect"
    annotations_schema(schema)
    labels_schema(schema)

    def wordings(node: object, path: str) -> list[tuple[str, Text]]:
        if isinstance(node, Text):
            return [(path, node)]
        if dataclasses.is_dataclass(node):
            parts = [(part.name, getattr(node, part.name)) for part in dataclasses.fields(node)]
        elif isinstance(node, tuple):
            parts = [(str(index), part) for index, part in enumerate(node)]
        else:
            return []
        return [found for key, part in parts for found in wordings(part, f"{path}.{key}")]

    for path, text in wordings(schema, name):
        assert text.en.strip(), path
        assert any("\u4e00" <= letter <= "\u9fff" for letter in text.zh), f"{path}: {text.zh}"
        assert not any("\u4e00" <= letter <= "\u9fff" for letter in text.en), f"{path}: {text.en}"
    for field in schema:
        assert field.question, field.name
        for value in getattr(field, "values", ()):
            for sentences in (value.examples, value.counterexamples):
                assert not sentences or {"en", "zh"} == {language for language, found in sentences if found}


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_definitions_are_read_the_same_from_a_path(name: str, tmp_path: Path) -> None:
    text, where = definition_text(name)
    path = tmp_path / where
    path.write_text(text, "utf-8")
    assert load_schema(path) == load_schema(name)


def test_affect_has_what_the_design_says() -> None:
    schema = load_schema("affect")
    emotion = schema["emotion"]
    assert isinstance(emotion, MultilabelField)
    assert emotion.exclusive == ("neutral",)
    assert emotion.intensity == (1, 3)
    assert len(emotion.categories) == 7
    assert [field.type for field in schema] == [
        *("ordinal", "multilabel", "nominal", "nominal", "interval", "interval", "interval"),
        *("relation", "relation"),
    ]
    assert {(one.source, one.target): (one.low, one.high) for one in schema.relations} == {
        ("emotion", "sentiment"): (-2, 2),
        ("sarcasm", "humor"): (-2, 2),
    }


def test_cmma_is_as_published() -> None:
    schema = load_schema("cmma")
    assert all(one.applies_when is AppliesWhen.ALWAYS for one in schema.relations)
    assert isinstance(schema["emotion"], NominalField)
    assert isinstance(schema["emotion_sentiment"], RelationField)
