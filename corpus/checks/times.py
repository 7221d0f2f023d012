"""Start and end of the utterances."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from corpus.checks.columns import located, read, row_before, same_as_before
from corpus.checks.finding import Finding, Severity
from schemas.project import UTTERANCES, Project


def check_times(project: Project) -> Iterator[Finding]:
    """Check the times of the utterances, in seconds.

    - ``times.missing``: start or end is null (for information where no utterance has both).
    - ``times.negative``: start or end lies before 0 (an error).
    - ``times.not_after_start``: end <= start, of the utterances with both.
    - ``times.overlap``: start before the *end* of the utterance before it in the dialogue.
    - ``times.out_of_order``: start before the *start* of the utterance before it in the dialogue.

    The last two are counted of the adjacent utterances in which both times are known. People do talk at the
    same time, so an overlap of two speakers need not be a fault.
    """
    table = read(project, UTTERANCES, "utterance_id", "dialogue_id", "start", "end")
    ids = table.column("utterance_id")
    start, end = (np.asarray(table.column(name), dtype=np.float64) for name in ("start", "end"))
    timed = ~np.isnan(start) & ~np.isnan(end)
    size = len(timed)
    if not timed.any():
        message = f"None of the {size:,} utterances has a start and an end."
        yield Finding("times.missing", Severity.INFO, message, size, size)
        return
    pair = same_as_before(table.column("dialogue_id"))
    since_end, since_start = start - row_before(end), start - row_before(start)
    warning = Severity.WARNING
    yield from located("times.missing", warning, ~timed, size, "utterances lack a start or an end", ids)
    negative = (start < 0) | (end < 0)
    yield from located("times.negative", Severity.ERROR, negative, size, "utterances lie before 0", ids)
    what = "utterances with times end no later than they start"
    yield from located("times.not_after_start", warning, end <= start, int(timed.sum()), what, ids)
    what = "adjacent utterances overlap: the second starts before the first ends"
    known = int((pair & ~np.isnan(since_end)).sum())
    yield from located("times.overlap", warning, pair & (since_end < 0), known, what, ids)
    what = "adjacent utterances are out of order: the second starts before the first starts"
    known = int((pair & ~np.isnan(since_start)).sum())
    yield from located("times.out_of_order", warning, pair & (since_start < 0), known, what, ids)
