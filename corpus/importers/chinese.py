"""Traditional and simplified Chinese, by OpenCC."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

_HAN = re.compile(r"[\u3400-\u9fff]")
_OTHER_SCRIPT = re.compile(r"[\u3040-\u30ff\uac00-\ud7af]")


def simplified(text: str) -> str:
    """Return a Chinese text in simplified characters; Japanese and Korean ones as they stand."""
    if not _HAN.search(text) or _OTHER_SCRIPT.search(text):
        return text
    return str(_converter().convert(text))


@cache
def _converter() -> Any:  # noqa: ANN401 - OpenCC is imported when it is needed
    from opencc import OpenCC

    return OpenCC("t2s")
