"""Commands that would spoil each other's work take turns: the second waits, and says so."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout


@contextmanager
def alone(lock: Path, tell: Callable[[str], None], waiting: str) -> Iterator[None]:
    """Let one command at a time run the block.

    Args:
        lock: The file that says that somebody does; its folder stands there.
        tell: Gets a line when this one has to wait.
        waiting: That line.
    """
    turn = FileLock(lock, mode=0o600)  # it may stand among what is private
    try:
        turn.acquire(timeout=0)
    except Timeout:
        tell(waiting)
        turn.acquire()
    try:
        yield
    finally:
        turn.release()
