"""Working on the next item while one is used: what takes one side's time does not add to the other's."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


def ahead(items: Iterator[T]) -> Iterator[T]:
    """Yield items, none of which is None, and make the next one meanwhile, in a thread; no more than one.

    What making an item raises is raised where it would have been yielded.
    """
    with ThreadPoolExecutor(1) as worker:
        coming = worker.submit(next, items, None)
        while (one := coming.result()) is not None:
            coming = worker.submit(next, items, None)
            yield one
