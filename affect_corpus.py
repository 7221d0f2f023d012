"""Where the three commands start.

The packages are called ``schemas``, ``annotation``, ``corpus`` and ``baselines``, names that a user's own
folders may have too. This module's name is nobody else's: it looks whether something stands in the way before
anything is imported, and turns faults of the input into messages and exit statuses:
0 done, 1 findings of error severity, 2 wrong usage or failure.
"""

from __future__ import annotations

import errno
import json
import os
import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

PACKAGES = ("schemas", "annotation", "corpus", "baselines")


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


def _fail(messages: list[str]) -> None:
    if "--json" in sys.argv:
        print(json.dumps({"errors": messages}, ensure_ascii=False), file=sys.stderr)
    else:
        for message in messages:
            print(f"error: {message}", file=sys.stderr)
    sys.exit(2)


def _run(command: str) -> None:
    shadowed = _shadowed()
    if shadowed:
        hint = "something of the same name stands in the way: rename it or take it out of PYTHONPATH"
        _fail([*shadowed, hint])
    from schemas.errors import InputError

    try:
        import_module(f"{command}.cli").app(prog_name=command)
    except InputError as error:
        _fail([str(issue) for issue in error.issues])
    except BrokenPipeError:
        # The reader of a pipe went away (| head): nobody is left to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except OSError as error:
        full = " (is the disk full?)" if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG} else ""
        place = f"{error.filename}: " if error.filename else ""
        _fail([f"{place}{error.strerror or error}{full}"])
    except KeyboardInterrupt:
        _fail(["interrupted; nothing of this step was written"])
