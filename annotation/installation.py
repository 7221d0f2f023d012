"""Installing Label Studio into an environment of its own, once, under the user's cache folder.

It needs other versions of the toolkit's libraries, so the two never share an environment.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from annotation.taking_turns import alone
from schemas.errors import InputError, Issue

LABEL_STUDIO = "1.23.2"
_MADE = ".complete"

Tell = Callable[[str], None]
"""Gets a line for each step."""


def silent(_line: str) -> None:
    """Tell nobody."""


def installation() -> Path:
    """Return the folder of the server's virtual environment, under the user's cache folder."""
    if sys.platform == "win32":
        cache = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    else:
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "affect-corpus" / f"label-studio-{LABEL_STUDIO}"


def _bin(folder: Path, name: str) -> Path:
    return folder / ("Scripts" if os.name == "nt" else "bin") / name


def install(folder: Path, tell: Tell) -> Path:
    """Install Label Studio into its own virtual environment, unless it stands there.

    Args:
        folder: The environment.
        tell: Gets a line for each step.

    Returns:
        The environment's Python.

    Raises:
        InputError: The installation failed (offline, disk full), or one that stands there does not work.
    """
    python = _bin(folder, "python")
    folder.parent.mkdir(parents=True, exist_ok=True)
    lock = folder.parent / f".{folder.name}.lock"
    with alone(lock, tell, "waiting for another command that installs Label Studio"):
        if not (folder / _MADE).exists():
            tell(f"making an environment for Label Studio {LABEL_STUDIO} (about 1 GB, once)")
            _install(folder, python)
            (folder / _MADE).write_text(LABEL_STUDIO, "utf-8")
    found = subprocess.run(  # noqa: S603 - a fixed command
        [python, "-c", "from importlib.metadata import version; print(version('label-studio'))"],
        capture_output=True, text=True, check=False,
    ) if python.exists() else None  # fmt: skip
    if found is None or found.stdout.strip() != LABEL_STUDIO:
        message = "the installation of Label Studio is broken; delete this folder and run this again"
        raise InputError(Issue(message, str(folder)))
    return python


def _install(folder: Path, python: Path) -> None:
    made = subprocess.run(  # noqa: S603 - a fixed command
        [sys.executable, "-m", "venv", "--clear", folder], capture_output=True, text=True, check=False
    )
    if made.returncode:
        raise InputError(
            Issue(
                f"no virtual environment can be made: {made.stderr.strip() or made.stdout.strip()}",
                str(folder),
            )
        )
    command = [str(python), "-m", "pip", "install", "--disable-pip-version-check", "--no-input"]
    lines: list[str] = []
    # The display is for a terminal; elsewhere nothing is shown.
    with (
        Console(stderr=True).status("installing Label Studio") as display,
        subprocess.Popen(  # noqa: S603 - a fixed command
            [*command, f"label-studio=={LABEL_STUDIO}"],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as pip,
    ):
        for line in pip.stdout or ():
            lines.append(line.rstrip())
            step = line.split(" (")[0].strip()
            if step.startswith(("Collecting", "Downloading", "Building", "Installing")):
                display.update(f"installing Label Studio: {escape(step[:80])}")
    if pip.returncode:
        faults = [line for line in lines if line.startswith("ERROR")] or lines[-3:]
        raise InputError(
            Issue(
                f"Label Studio could not be installed (is this machine offline?): {' '.join(faults)}",
                str(folder),
            )
        )
