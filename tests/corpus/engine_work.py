"""Work for the tests of the engine: processes that are started afresh import it from here."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Errand:
    """A task.

    Attributes:
        number: Its number.
        notes: A folder in which each try leaves a file.
        does: ``square``, ``raise``, ``open`` (what is not there), ``die`` (always), ``die_once`` or ``wait``.
    """

    number: int
    notes: Path
    does: str = "square"


def do(errand: Errand) -> int:
    """Do an errand; return the square of its number."""
    tries = len(list(errand.notes.glob(f"{errand.number}-*")))
    (errand.notes / f"{errand.number}-{tries}").write_text(str(os.getpid()))
    if errand.does == "raise":
        raise ValueError(f"number {errand.number} is refused")
    if errand.does == "open":
        (errand.notes / "absent").read_text()
    if errand.does == "die" or (errand.does == "die_once" and tries == 0):
        os.kill(os.getpid(), signal.SIGKILL)
    if errand.does == "wait":
        time.sleep(600)
    return errand.number**2
