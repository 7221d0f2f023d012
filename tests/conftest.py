"""Fixtures that all tests share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

SHARED = Path(os.environ.get("AFFECT_CORPUS_SHARED", Path(__file__).resolve().parents[2] / "shared"))


@pytest.fixture(scope="session")
def shared() -> Path:
    """Return the folder of real corpora beside the project; a test that needs it is left out without it."""
    if not (SHARED / "data").is_dir():
        pytest.skip("no ../shared: the real corpora are not here")
    return SHARED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say in one line whether the real corpora took part."""
    there = (SHARED / "data").is_dir()
    terminalreporter.write_line(
        "real corpora: tested on those in ../shared"
        if there
        else "real corpora: ../shared is absent, their tests were left out"
    )
