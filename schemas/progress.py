"""The progress bar of long work, for whoever looks at a terminal; elsewhere nothing is written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeVar

from rich.console import Console
from rich.progress import track

Item = TypeVar("Item")


def progress(items: Iterable[Item], what: str, total: int) -> Iterator[Item]:
    """Give ``items`` one by one, and show on standard error how far they are.

    Args:
        items: What is worked through.
        what: What is done with them, for the bar.
        total: How many there are, or about how many.
    """
    console = Console(stderr=True)
    yield from track(items, what, total, console=console, transient=True, disable=not console.is_terminal)
