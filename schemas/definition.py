"""Reading a label schema from its YAML definition, with every fault located."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from schemas.errors import InputError, Issue
from schemas.fields import (
    FIELD_TYPES,
    LANGUAGES,
    AppliesWhen,
    CategoricalField,
    Field,
    IntervalField,
    MultilabelField,
    NominalField,
    OrdinalField,
    RelationField,
    Text,
    Value,
)
from schemas.label_schema import LabelSchema
from schemas.leaves import LeafReader
from schemas.located_yaml import KeyPath, load_located

NAME_PATTERN = re.compile(r"[a-z][a-z0-9_]*")


def shipped_definitions() -> list[str]:
    """Return the names of the schemas that come with the toolkit."""
    folder = files("schemas") / "definitions"
    return sorted(
        entry.name.removesuffix(".yaml") for entry in folder.iterdir() if entry.name.endswith(".yaml")
    )


def definition_text(name_or_path: str | Path) -> tuple[str, str]:
    """Return the YAML text of a shipped or own definition, and its name for messages.

    Args:
        name_or_path: Name of a shipped definition (``affect``) or path of a YAML file.

    Raises:
        InputError: There is no such definition or file, or it cannot be read as UTF-8 text.
    """
    name = str(name_or_path)
    path = Path(name)
    if path.suffix not in {".yaml", ".yml"} and not path.is_file():
        if name not in shipped_definitions():
            raise InputError(
                Issue(
                    "there is no shipped schema of this name and no such file",
                    value=name,
                    choices=shipped_definitions(),
                )
            )
        return (files("schemas") / "definitions" / f"{name}.yaml").read_text("utf-8"), f"{name}.yaml"
    try:
        return path.read_text("utf-8-sig"), name
    except FileNotFoundError:
        raise InputError(Issue("there is no such file", name)) from None
    except OSError as error:
        raise InputError(Issue(f"this file cannot be read: {error.strerror}", name)) from None
    except UnicodeDecodeError as error:
        raise InputError(Issue(f"this is not UTF-8 text (byte {error.start})", name)) from None


def load_schema(name_or_path: str | Path) -> LabelSchema:
    """Load a label schema.

    Args:
        name_or_path: Name of a shipped definition (``affect``) or path of a YAML file.

    Raises:
        InputError: With every fault of the definition, each with its line and the valid choices.
    """
    return parse_schema(*definition_text(name_or_path))


def parse_schema(text: str, where: str = "schema") -> LabelSchema:
    """Read a label schema from YAML text.

    Args:
        text: The definition.
        where: Name of its file, for messages.

    Raises:
        InputError: With every fault of the definition.
    """
    data, lines = load_located(text, where)
    reader = _Reader(where, lines)
    schema = reader.schema(data)
    if reader.issues or schema is None:
        raise InputError(sorted(reader.issues, key=lambda issue: issue.line or 0))
    return schema


_COMMON = ("type", "title", "question", "rule", "absent")
_KEYS: dict[str, tuple[str, ...]] = {
    "nominal": (*_COMMON, "values"),
    "ordinal": (*_COMMON, "values"),
    "multilabel": (*_COMMON, "values", "exclusive", "intensity", "intensity_anchors"),
    "interval": (*_COMMON, "range", "anchors"),
    "relation": ("type", "title", "question", "rule", "source", "target", "scale", "applies_when", "values"),
}
_SCHEMA_KEYS = ("name", "version", "title", "description", "source", "fields")
_DEMANDED_OF_RELATIONS = ("question", "rule", "source", "target", "scale", "values")
_VALUE_KEYS = ("title", "definition", "examples", "counterexamples", "aliases")
_NO_TEXT = Text("", "")


class _Reader(LeafReader):
    """Turns the YAML tree into values, fields and a schema."""

    def values(self, node: object, path: KeyPath, demanded: Iterable[str] = ()) -> tuple[Value, ...]:
        """Read the values of a field; ``title`` and all ``demanded`` keys must be there."""
        found = []
        for name, data in self.mapping(node, path).items():
            place = (*path, name)
            if not name.strip() or name != name.strip() or "|" in name or name == "[]":
                self.fault(
                    place, "the name of a value may not be empty, be [], hold | or end in spaces", name
                )
            keys = self.mapping(data, place, _VALUE_KEYS)
            has_title = self.required(keys, "title", place)
            value = Value(
                name,
                self.text(keys["title"], (*place, "title")) if has_title else _NO_TEXT,
                self.optional_text(keys, "definition", place),
                self.sentences(keys.get("examples"), (*place, "examples")),
                self.sentences(keys.get("counterexamples"), (*place, "counterexamples")),
                self.names(keys.get("aliases"), (*place, "aliases")),
            )
            for key in demanded:
                given = getattr(value, key)
                if self.required(keys, key, place) and isinstance(given, tuple):
                    for language in LANGUAGES:
                        if not dict(given).get(language):
                            self.fault((*place, key), f"at least one sentence in {language!r} is required")
            found.append(value)
        spellings = Counter(
            text for value in found for text in {name.casefold() for name in (value.name, *value.aliases)}
        )
        for spelling, count in spellings.items():
            if count > 1:
                self.fault(path, "two values share this spelling (upper and lower case are alike)", spelling)
        return tuple(found)

    def field(self, name: str, node: object, path: KeyPath) -> Field | None:
        """Read one field."""
        data = self.mapping(node, path)
        if not isinstance(node, dict):
            return None
        if not NAME_PATTERN.fullmatch(name):
            self.fault(path, "the name of a field is lower-case letters, digits and _, a letter first", name)
        kind = data.get("type")
        if kind not in _KEYS:
            self.fault((*path, "type"), "unknown type of field", kind, FIELD_TYPES)
            return None
        self.mapping(data, path, _KEYS[kind])
        has_title = self.required(data, "title", path)
        common = (
            name,
            self.text(data["title"], (*path, "title")) if has_title else _NO_TEXT,
            self.optional_text(data, "question", path),
            self.optional_text(data, "rule", path),
        )
        if kind == "relation":
            return self.relation(data, path, common)
        if "absent" not in data:
            self.fault((*path, "absent"), "say which values mean 'not there' ([] if none does)")
        if kind == "interval":
            return self.interval(data, path, common)
        values = self.values(data["values"], (*path, "values")) if self.required(data, "values", path) else ()
        if len(values) < 2 and data.get("values") is not None:
            self.fault((*path, "values"), "a field needs at least two values", len(values))
        names = [value.name for value in values]
        absent = self.choices(data.get("absent"), (*path, "absent"), names)
        if kind == "nominal":
            return NominalField(*common, absent, values)
        if kind == "ordinal":
            return OrdinalField(*common, absent, values)
        exclusive = self.choices(data.get("exclusive"), (*path, "exclusive"), names)
        intensity = None
        if data.get("intensity") is not None:
            span = self.span(data["intensity"], (*path, "intensity"), int)
            intensity = (int(span[0]), int(span[1])) if span else None
            if intensity and not 1 <= intensity[0] < intensity[1] <= 127:
                self.fault((*path, "intensity"), "intensities lie within 1..127", data["intensity"])
        elif data.get("intensity_anchors") is not None:
            self.fault((*path, "intensity_anchors"), "anchors of an intensity that is not asked for")
        anchors = self.anchors(data.get("intensity_anchors"), (*path, "intensity_anchors"), intensity, int)
        levels = tuple((int(point), wording) for point, wording in anchors)
        return MultilabelField(*common, absent, values, exclusive, intensity, levels)

    def interval(
        self, data: Mapping[str, Any], path: KeyPath, common: tuple[str, Text, Text | None, Text | None]
    ) -> Field | None:
        """Read the keys that only an interval field has."""
        has_range = self.required(data, "range", path)
        span = self.span(data["range"], (*path, "range"), float) if has_range else None
        anchors = self.anchors(data.get("anchors"), (*path, "anchors"), span, float)
        absent = self.names(data.get("absent"), (*path, "absent"))
        for number in absent:
            point = self.number(number, (*path, "absent"), float)
            if point is not None and span and not span[0] <= point <= span[1]:
                self.fault((*path, "absent"), f"this lies outside the range {data['range']}", number)
        return IntervalField(*common, absent, *span, anchors) if span else None

    def relation(
        self, data: Mapping[str, Any], path: KeyPath, common: tuple[str, Text, Text | None, Text | None]
    ) -> Field:
        """Read the keys that only a relation has; it must say what is asked, and when which value holds."""
        for key in _DEMANDED_OF_RELATIONS:
            self.required(data, key, path)
        span = self.span(data["scale"], (*path, "scale"), int) if data.get("scale") is not None else None
        if span and not -127 <= span[0] < 0 < span[1] <= 127:
            self.fault((*path, "scale"), "a scale rises from a negative to a positive number", data["scale"])
        applies = data.get("applies_when") or AppliesWhen.ANY_PART_PRESENT
        if applies not in list(AppliesWhen):
            self.fault((*path, "applies_when"), "unknown condition", applies, list(AppliesWhen))
            applies = AppliesWhen.ANY_PART_PRESENT
        demanded = ("definition", "examples", "counterexamples")
        values = self.values(data.get("values") or {}, (*path, "values"), demanded)
        if span and data.get("values") is not None:
            scale = [str(number) for number in range(int(span[0]), int(span[1]) + 1)]
            if [value.name for value in values] != scale:
                names = " ".join(value.name for value in values)
                self.fault((*path, "values"), "every number of the scale, lowest first", names, scale)
        # What is lacking is noted by now; the rest of the schema is still checked against this field.
        ends = (int(span[0]), int(span[1])) if span else (-1, 1)
        parts = str(data.get("source") or ""), str(data.get("target") or "")
        return RelationField(*common, ("0",), *parts, *ends, AppliesWhen(applies), values)

    def schema(self, data: object) -> LabelSchema | None:
        """Read the whole definition."""
        keys = self.mapping(data, (), _SCHEMA_KEYS)
        if not isinstance(data, dict):
            return None
        for key in _SCHEMA_KEYS:
            if key != "source":
                self.required(keys, key, ())
        nodes = self.mapping(keys["fields"], ("fields",)) if keys.get("fields") is not None else {}
        found = {name: self.field(name, node, ("fields", name)) for name, node in nodes.items()}
        if keys.get("fields") == {}:
            self.fault(("fields",), "a schema needs at least one field")
        self.relation_parts(found, nodes)
        self.columns([one for one in found.values() if one is not None])
        return LabelSchema(
            self.plain(keys, "name") or "",
            self.plain(keys, "version") or "",
            self.optional_text(keys, "title", ()) or _NO_TEXT,
            self.optional_text(keys, "description", ()) or _NO_TEXT,
            self.plain(keys, "source"),
            tuple(one for one in found.values() if one is not None),
            hashlib.sha256(json.dumps(data, ensure_ascii=False).encode()).hexdigest(),
        )

    def relation_parts(self, found: Mapping[str, Field | None], nodes: Mapping[str, Any]) -> None:
        """Note relations whose parts are not fields of this schema, or can never be absent."""
        plain = [
            name for name, node in nodes.items() if isinstance(node, dict) and node.get("type") != "relation"
        ]
        for relation in found.values():
            if not isinstance(relation, RelationField):
                continue
            for role, name in (("source", relation.source), ("target", relation.target)):
                place = ("fields", relation.name, role)
                part = found.get(name)
                if not name:
                    continue  # noted as missing
                if name not in plain:
                    self.fault(place, f"the {role} of a relation is a field of this schema", name, plain)
                elif (
                    relation.applies_when is AppliesWhen.ANY_PART_PRESENT
                    and isinstance(part, IntervalField | CategoricalField)
                    and not isinstance(part, MultilabelField)
                    and not part.absent
                ):
                    self.fault(
                        place, "this part has no absent value, so the relation would apply always", name
                    )
            if relation.source and relation.source == relation.target:
                self.fault(
                    ("fields", relation.name, "target"), "a relation joins two fields", relation.target
                )

    def columns(self, found: Iterable[Field]) -> None:
        """Note fields whose columns collide with others or with the columns of every table."""
        # Brings pyarrow, for which nobody who asks for --help should wait.
        from schemas.records import RESERVED_COLUMNS, derived_columns

        owners: dict[str, str] = dict.fromkeys(RESERVED_COLUMNS, "every table")
        for one in found:
            for column in derived_columns(one):
                if column in owners:
                    self.fault(("fields", one.name), f"column {column!r} belongs to {owners[column]} already")
                owners.setdefault(column, f"field {one.name!r}")
