"""YAML whose every key knows its line, so that faults can be located.

All scalars stay the text that stands in the file: ``no``, ``on`` and ``1.0`` are whatever the reader of that
key takes them for, never YAML's guess.
"""

from __future__ import annotations

from typing import Any

import yaml
from yaml.reader import ReaderError

from schemas.errors import InputError, Issue

KeyPath = tuple[str, ...]
MAX_NODES = 200_000
MAX_DEPTH = 40


def load_located(text: str, where: str) -> tuple[Any, dict[KeyPath, int]]:
    """Parse one YAML document.

    Args:
        text: The document.
        where: Name of its file, for messages.

    Returns:
        Mappings, lists, texts and None; and the line (from 1) of every key path. Elements of lists have
        their index as key.

    Raises:
        InputError: The text is not YAML, repeats a key, or is unreasonably large or deep.
    """
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        raise InputError(_unreadable(error, text, where)) from error
    except RecursionError:
        raise InputError(Issue("this YAML is too large or too deep", where)) from None
    lines: dict[KeyPath, int] = {}
    issues: list[Issue] = []

    def read(node: yaml.Node | None, path: KeyPath) -> Any:  # noqa: ANN401 - YAML is any tree
        if node is None:
            return None
        line = node.start_mark.line + 1
        lines.setdefault(path, line)
        # Anchors may repeat or contain themselves: the limits keep such a document finite.
        if len(lines) > MAX_NODES or len(path) > MAX_DEPTH:
            raise InputError(Issue("this YAML is too large or too deep", where, line))
        if isinstance(node, yaml.MappingNode):
            mapping: dict[str, Any] = {}
            for key_node, value_node in node.value:
                key_line = key_node.start_mark.line + 1
                if not isinstance(key_node, yaml.ScalarNode):
                    issues.append(Issue("a key is a plain text, not a list or a mapping", where, key_line))
                    continue
                key = str(key_node.value)
                if key in mapping:
                    issues.append(Issue("this key stands here twice", where, key_line, value=key))
                lines[(*path, key)] = key_line
                mapping[key] = read(value_node, (*path, key))
            return mapping
        if isinstance(node, yaml.SequenceNode):
            return [read(child, (*path, str(index))) for index, child in enumerate(node.value)]
        return None if node.tag == "tag:yaml.org,2002:null" else str(node.value)

    data = read(root, ())
    if issues:
        raise InputError(issues)
    return data, lines


def _unreadable(error: yaml.YAMLError, text: str, where: str) -> Issue:
    if isinstance(error, ReaderError):  # its position counts characters, not lines
        line = text.count("\n", 0, error.position) + 1
        return Issue("this is not valid YAML: it holds a control character", where, line)
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or "it cannot be read"
    return Issue(f"this is not valid YAML: {problem}", where, mark.line + 1 if mark else None)
