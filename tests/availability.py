"""What tests need beside the project: its absence is said loudly, and fails where tests must be complete."""

from __future__ import annotations

import os
import warnings
from typing import NoReturn

import pytest


def unavailable(what: str, why: object) -> NoReturn:
    """Say loudly that a part of the tests could not run; where ``CI`` is set that is a failure."""
    message = f"NOT TESTED: {what}: {why}"
    if os.environ.get("CI", "").lower() not in ("", "0", "false"):
        pytest.fail(message)
    warnings.warn(message, stacklevel=2)  # skips are not listed by default, warnings are
    pytest.skip(message)
