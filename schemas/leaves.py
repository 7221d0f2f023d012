"""The leaves of a YAML definition: wordings, names, numbers and ranges, with every fault located."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from schemas.errors import Issue
from schemas.fields import LANGUAGES, Text
from schemas.located_yaml import KeyPath


class LeafReader:
    """Reads leaves of a YAML tree and notes every fault on the way.

    Args:
        where: Name of the file, for messages.
        lines: The line of every key path.

    Attributes:
        issues: The faults so far.
    """

    def __init__(self, where: str, lines: Mapping[KeyPath, int]) -> None:
        self.where = where
        self.lines = lines
        self.issues: list[Issue] = []

    def fault(
        self, path: KeyPath, message: str, value: object = None, choices: Iterable[object] = ()
    ) -> None:
        """Note a fault at ``path``, or at the nearest key above it that stands in the file."""
        known = path
        while known not in self.lines and known:
            known = known[:-1]
        place = ".".join(path) or None
        self.issues.append(
            Issue(message, self.where, self.lines.get(known), None, place, value, tuple(choices))
        )

    def mapping(self, node: object, path: KeyPath, keys: Iterable[str] | None = None) -> dict[str, Any]:
        """Return ``node`` as a mapping, noting keys that are not among ``keys``."""
        if not isinstance(node, dict):
            self.fault(path, "a mapping of keys and values is expected here", node)
            return {}
        for key in node:
            if keys is not None and key not in keys:
                self.fault((*path, key), "unknown key", key, keys)
        return node

    def text(self, node: object, path: KeyPath) -> Text:
        """Read a wording: ``{en: ..., zh: ...}``, both of them."""
        found = self.mapping(node, path, LANGUAGES)
        for language in LANGUAGES if isinstance(node, dict) else ():
            if not (isinstance(found.get(language), str) and found[language].strip()):
                self.fault(path, f"the wording in {language!r} is missing", choices=LANGUAGES)
        return Text(*(str(found.get(language) or "").strip() for language in LANGUAGES))

    def optional_text(self, data: Mapping[str, Any], key: str, path: KeyPath) -> Text | None:
        """Read the wording at ``key`` of a mapping; None where there is none."""
        return self.text(data[key], (*path, key)) if data.get(key) is not None else None

    def plain(self, data: Mapping[str, Any], key: str) -> str | None:
        """Read the plain text at ``key`` of the whole definition."""
        if not isinstance(data.get(key), str | None):
            self.fault((key,), "a text is expected here", data[key])
            return None
        return data.get(key)

    def required(self, data: Mapping[str, Any], key: str, path: KeyPath) -> bool:
        """Note the absence of a key; say whether it is there."""
        if data.get(key) is None:
            self.fault((*path, key), "this key is required and is not there")
        return data.get(key) is not None

    def names(self, node: object, path: KeyPath) -> tuple[str, ...]:
        """Read a list of plain texts."""
        if node is None:
            return ()
        if not isinstance(node, list) or not all(isinstance(name, str) for name in node):
            self.fault(path, "a list is expected here, such as [neutral] or []", node)
            return ()
        for name, count in Counter(node).items():
            if count > 1:
                self.fault(path, "this stands in the list twice", name)
        return tuple(node)

    def choices(self, node: object, path: KeyPath, valid: Iterable[str]) -> tuple[str, ...]:
        """Read a list of names, each one of ``valid``."""
        valid = list(valid)
        found = self.names(node, path)
        for name in found:
            if name not in valid:
                self.fault(path, "unknown value", name, valid)
        return found

    def number(self, node: object, path: KeyPath, kind: Callable[[str], float]) -> float | None:
        """Read a finite number; ``kind`` is int or float."""
        try:
            number = kind(str(node))
        except ValueError:
            number = float("nan")
        if not abs(number) < float("inf"):
            self.fault(path, f"{'a whole' if kind is int else 'a finite'} number is expected here", node)
            return None
        return number

    def span(self, node: object, path: KeyPath, kind: Callable[[str], float]) -> tuple[float, float] | None:
        """Read ``LOW..HIGH``."""
        low, dots, high = str(node).partition("..")
        if not dots:
            self.fault(path, "a range such as 1..9 is expected here", node)
            return None
        ends = self.number(low, path, kind), self.number(high, path, kind)
        if ends[0] is None or ends[1] is None:
            return None
        if ends[0] >= ends[1]:
            self.fault(path, "the range must rise from its low to its high end", node)
            return None
        return ends[0], ends[1]

    def anchors(
        self, node: object, path: KeyPath, span: tuple[float, float] | None, kind: Callable[[str], float]
    ) -> tuple[tuple[float, Text], ...]:
        """Read wordings at points of a scale."""
        found = []
        for key, wording in self.mapping(node, path).items() if node is not None else ():
            point = self.number(key, (*path, key), kind)
            if point is None:
                continue
            if span and not span[0] <= point <= span[1]:
                self.fault((*path, key), f"this anchor lies outside the range {span[0]:g}..{span[1]:g}", key)
            found.append((point, self.text(wording, (*path, key))))
        return tuple(sorted(found, key=lambda anchor: anchor[0]))

    def sentences(self, node: object, path: KeyPath) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """Read example utterances by language."""
        if node is None:
            return ()
        found = self.mapping(node, path, LANGUAGES)
        return tuple(
            (language, self.names(found[language], (*path, language)))
            for language in LANGUAGES
            if language in found
        )
