"""Working on the next item while one is used: what takes one side's time does not add to the other's."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future
from threading import Thread
from typing import TypeVar

T = TypeVar("T")


def ahead(items: Iterator[T]) -> Iterator[T]:
    """Yield items, none of which is None, and make the next one meanwhile, in a thread; no more than one.

    What making an item raises is raised where it would have been yielded. Whoever stops before the end, by
    Ctrl-C for one, does not wait for the item that is being made.
    """
    coming = _begun(items)
    while (one := coming.result()) is not None:
        coming = _begun(items)
        yield one


def _begun(items: Iterator[T]) -> Future[T | None]:
    """Begin to make the next item; None stands for the end."""
    coming: Future[T | None] = Future()

    def make() -> None:
        try:
            coming.set_result(next(items, None))
        except BaseException as fault:
            coming.set_exception(fault)

    # Executors have the program wait for their threads when it ends; this one may hang at a server.
    Thread(target=make, daemon=True).start()
    return coming
