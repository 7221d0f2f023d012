"""Small projects, and small files for them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from corpus.importers import Imported, import_source
from schemas.project import Project
from schemas.tables import read_table


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project.create(tmp_path / "project", "affect")


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes a file: a text as UTF-8, or bytes as they are."""

    def written(content: str | bytes, name: str = "turns.csv") -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return written


@pytest.fixture
def take(project: Project, write: Callable[..., Path]) -> Callable[..., Imported]:
    """Return a function that imports a table, under a map, and checks the account of its rows."""

    def taken(content: str | bytes, *columns: str, name: str = "turns.csv", **options: Any) -> Imported:
        imported = import_source(project, "table", [write(content, name)], columns=columns, **options)
        assert imported is not None
        rows = imported.rows_imported + imported.rows_quarantined + sum(imported.rows_ignored.values())
        assert imported.rows_read == rows
        return imported

    return taken


@pytest.fixture
def rows_of(project: Project) -> Callable[..., list[dict[str, Any]]]:
    """Return a function that reads columns of one of the project's tables."""

    def read(name: str, *columns: str) -> list[dict[str, Any]]:
        return read_table(project.path(name), list(columns) or None).to_pylist()

    return read


@pytest.fixture
def apart(rows_of: Callable[..., list[dict[str, Any]]]) -> Callable[[], list[tuple[Any, ...]]]:
    """Return a function that reads what was set apart: row, column, original cell."""

    def read() -> list[tuple[Any, ...]]:
        found = rows_of("reports/quarantine.parquet", "row", "column", "original")
        return sorted((one["row"], one["column"] or "", one["original"]) for one in found)

    return read
