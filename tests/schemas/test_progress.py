"""The progress bar: on a terminal only, and never between an item and its reader."""

from __future__ import annotations

import os
import pty
import sys
from collections.abc import Iterator

import pytest

from schemas.progress import progress


def test_nothing_is_written_where_nobody_looks(capfd: pytest.CaptureFixture[str]) -> None:
    assert list(progress(iter(range(5)), "counting", 5)) == [0, 1, 2, 3, 4]
    assert capfd.readouterr() == ("", "")


def test_a_bar_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = pty.openpty()
    with os.fdopen(writer, "w") as terminal:
        monkeypatch.setattr(sys, "stderr", terminal)
        monkeypatch.setenv("TERM", "xterm")
        assert list(progress(range(3), "counting", 3)) == [0, 1, 2]
        terminal.flush()
        shown = os.read(reader, 100_000).decode()
    os.close(reader)
    assert "counting" in shown
    assert "100%" in shown


def test_a_fault_of_the_items_comes_through(capfd: pytest.CaptureFixture[str]) -> None:
    def items() -> Iterator[int]:
        yield 1
        raise ValueError("two")

    with pytest.raises(ValueError, match="two"):
        list(progress(items(), "counting", 2))
    assert capfd.readouterr().err == ""
