"""A comparison as files: a page, tables for a paper, and JSON."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from baselines.comparison import Comparison
from baselines.comparison_page import LANGUAGES, comparison_page
from baselines.latex import latex as latex_tables
from schemas.errors import InputError, Issue


def write_comparison(
    comparison: Comparison, *, html: Path | None = None, latex: Path | None = None, language: str = "en"
) -> list[Path]:
    """Write a comparison to files, each whole or not at all.

    Args:
        comparison: The comparison.
        html: A file for the page.
        latex: A file for the tables.
        language: Language of the page.

    Returns:
        The files that were written.

    Raises:
        InputError: The language is not known, a folder is not there, or stands where a file is to be.
    """
    if language not in LANGUAGES:
        raise InputError(Issue("unknown language", "--language", value=language, choices=LANGUAGES))
    files = [path for path in (html, latex) if path is not None]
    issues = [Issue("there is no such folder", str(one.parent)) for one in files if not one.parent.is_dir()]
    issues += [Issue("this is a folder; name a file", str(one)) for one in files if one.is_dir()]
    if issues:
        raise InputError(issues)
    written = []
    if html is not None:
        written.append(_write(html, comparison_page(comparison, language)))
    if latex is not None:
        written.append(_write(latex, latex_tables(comparison)))
    return written


def _write(path: Path, text: str) -> Path:
    aside = path.with_name(f".{path.name}")
    aside.write_text(text, "utf-8")
    return aside.replace(path)


def comparison_json(comparison: Comparison) -> dict[str, Any]:
    """Return a comparison for JSON: all but the sums behind it."""
    kept = ("protocol", "utterances", "rows", "tests", "pictures", "notes", "n_boot", "n_permutations")
    found: dict[str, Any] = {name: _plain(getattr(comparison, name)) for name in kept}
    models = [
        {
            "name": group.name,
            "model": group.model,
            "kind": group.kind,
            "runs": group.runs,
            "seeds": group.seeds,
            "fields": group.fields(),
            "seen": group.contents[0]["seen"],
            "costs": [one["cost"] for one in group.contents],
            "modalities": [one.get("modalities", []) for one in group.contents],
            "epochs": group.epochs,
            "ceiling": [one["ceiling"] for one in group.contents],
        }
        for group in comparison.groups
    ]
    return {"models": models, **found}


def _plain(value: Any) -> Any:  # noqa: ANN401 - numbers, texts, and tuples of dataclasses
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    return [_plain(one) for one in value] if isinstance(value, tuple) else value
