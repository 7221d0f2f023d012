"""Commands that would spoil each other's work take turns: the second waits, and says so."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import wraps
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

from filelock import FileLock, Timeout

from schemas.project import Project

LOCK = ".lock-annotation"
"""Held by what changes the labeling server, or what ``private/`` keeps of it besides ratings."""
PULL_LOCK = ".lock-pull"
"""Held by pulls, which need not wait while a push takes long."""

P = ParamSpec("P")
T = TypeVar("T")


@contextmanager
def alone(lock: Path, tell: Callable[[str], None], waiting: str) -> Iterator[None]:
    """Let one command at a time run the block.

    Args:
        lock: The file that says that somebody does; its folder stands there.
        tell: Gets a line when this one has to wait.
        waiting: That line.
    """
    turn = FileLock(lock)
    try:
        turn.acquire(timeout=0)
    except Timeout:
        tell(waiting)
        turn.acquire()
    try:
        yield
    finally:
        turn.release()


def pulls_alone(project: Project, tell: Callable[[str], None]) -> AbstractContextManager[None]:
    """Let no pull into a project run beside the block."""
    return alone(project.path(PULL_LOCK), tell, "waiting for another pull into this project")


def in_turn(run: Callable[Concatenate[Project, P], T]) -> Callable[Concatenate[Project, P], T]:
    """Let one such function at a time work on a project: two pushes at once would each send every task.

    Args:
        run: Gets the project first; the ``tell`` it is called with, if any, hears when it has to wait.
    """

    @wraps(run)
    def waits(project: Project, /, *args: P.args, **kwargs: P.kwargs) -> T:
        tell: Any = kwargs.get("tell", lambda _: None)
        with alone(project.path(LOCK), tell, "waiting for another annotation command in this project"):
            return run(project, *args, **kwargs)

    return waits
