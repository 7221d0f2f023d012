"""Where the three commands start.

The packages are called ``schemas``, ``annotation``, ``corpus`` and ``baselines``, names that a user's own
folders may have too. This module's name is nobody else's: it looks whether something stands in the way before
anything is imported, and turns faults of the input into messages and exit statuses:
0 done, 1 findings of error severity, 2 wrong usage or failure.
"""

from __future__ import annotations

import errno
import io
import json
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import NoReturn

PACKAGES = ("schemas", "annotation", "corpus", "baselines")
MAX_SHOWN = 40
_INTERRUPTED = 130  # typer's exit status after Ctrl-C


def corpus() -> None:
    """Run the ``corpus`` command."""
    _run("corpus")


def annotation() -> None:
    """Run the ``annotation`` command."""
    _run("annotation")


def baselines() -> None:
    """Run the ``baselines`` command."""
    _run("baselines")


def _shadowed() -> list[str]:
    """Say which packages would be imported from somewhere else than beside this module."""
    home = Path(__file__).resolve().parent
    messages = []
    for name in PACKAGES:
        spec = find_spec(name)
        origin = spec.origin if spec else None
        places = [origin] if origin else list(spec.submodule_search_locations or []) if spec else []
        if not origin or Path(origin).resolve().parent != home / name:
            where = places[0] if places else "nowhere"
            messages.append(f"package {name!r} is found at {where}, not at {home / name}")
    return messages


def _fail(faults: Sequence[Mapping[str, object]]) -> NoReturn:
    """Print every fault and exit; people see at most `MAX_SHOWN`, programs all of them with their parts."""
    if "--json" in sys.argv:
        print(json.dumps({"errors": faults}, ensure_ascii=False, default=str), file=sys.stderr)
    else:
        for fault in faults[:MAX_SHOWN]:
            print(f"error: {fault['text']}", file=sys.stderr)
        if len(faults) > MAX_SHOWN:
            print(f"error: and {len(faults) - MAX_SHOWN:,} more; --json lists them all", file=sys.stderr)
    sys.exit(2)


def _run(command: str) -> None:
    try:
        _start(command)
    except (KeyboardInterrupt, SystemExit) as stop:
        if isinstance(stop, SystemExit) and stop.code != _INTERRUPTED:
            raise
        _fail([{"text": "interrupted; a step writes all of its files or none"}])


def _start(command: str) -> None:
    shadowed = _shadowed()
    if shadowed:
        hint = "something of the same name stands in the way: rename it or take it out of PYTHONPATH"
        _fail([{"text": one} for one in (*shadowed, hint)])
    from schemas.errors import InputError

    if isinstance(sys.stdout, io.TextIOWrapper):
        # A terminal that lacks Chinese letters shows their codes.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        try:
            import_module(f"{command}.cli").app(prog_name=command)
        finally:
            sys.stdout.flush()
    except InputError as error:
        _fail([{"text": str(issue), **vars(issue)} for issue in error.issues])
    except BrokenPipeError:  # what was still to be flushed
        import_module("schemas.command_line").nobody_reads()
    except OSError as error:
        full = " (is the disk full?)" if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG} else ""
        place = f"{error.filename}: " if error.filename else ""
        _fail([{"text": f"{place}{error.strerror or error}{full}"}])
