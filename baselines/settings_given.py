"""Settings as they are given on a command line."""

from __future__ import annotations

from collections.abc import Iterable

from schemas.errors import InputError, Issue


def parse_settings(given: Iterable[str]) -> dict[str, str]:
    """Read ``NAME=VALUE`` pairs.

    Raises:
        InputError: One has no name or no equals sign, or a name comes twice; all faults at once.
    """
    found: dict[str, str] = {}
    issues = []
    for one in given:
        name, equals, value = one.partition("=")
        if not equals or not name.strip():
            issues.append(Issue("a setting is written NAME=VALUE", value=one))
        elif name.strip() in found:
            issues.append(Issue("this setting is given twice", value=name.strip()))
        else:
            found[name.strip()] = value.strip()
    if issues:
        raise InputError(issues)
    return found
