"""Speakers: what is known of them, and turns of one speaker that were cut in two."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from corpus.checks.columns import Mask, codes, located, mask, read, row_before, same_as_before
from corpus.checks.decided import read_labels
from corpus.checks.finding import Finding, Severity
from schemas.project import SPEAKERS, UTTERANCES, Project

SHORT_GAP = 0.2
"""Seconds between two utterances of one speaker within which they are likely to be one utterance."""


def check_speakers(project: Project, labels: str | None) -> Iterator[Finding]:
    """Check speakers and the turns they take.

    - ``speakers.unknown``: utterances that name no speaker.
    - ``speakers.no_attributes``: speakers without a role card, that is without a single attribute (for
      information where no speaker has any).
    - ``speakers.generic``: names that stand for nobody in particular.
    - ``speakers.short_gap``: of all adjacent utterances of a dialogue, those by one known speaker with
      0 <= gap <= 0.2 s between the end of the first and the start of the second. Start and end of both
      utterances must be known. Overlaps are no gaps: `times` counts them. The gap is taken as it comes out in
      double precision, so of gaps of exactly 200 ms some count and some do not.
    - ``speakers.split_turn``: of these, the pairs in which at least one field has an answer for both
      utterances and the answers differ; intensities are not compared.

    Args:
        project: The project.
        labels: The table of decided labels, if there is one.
    """
    if project.has(SPEAKERS):
        yield from _speakers(project)
    table = read(project, UTTERANCES, "utterance_id", "dialogue_id", "speaker_id", "start", "end")
    ids, speaker = table.column("utterance_id"), table.column("speaker_id")
    unknown = mask(pc.is_null(speaker))
    yield from located(
        "speakers.unknown", Severity.INFO, unknown, len(ids), "utterances name no speaker", ids
    )
    pair = same_as_before(table.column("dialogue_id"))
    start, end = (np.asarray(table.column(name), dtype=np.float64) for name in ("start", "end"))
    gap = start - row_before(end)
    timed = ~np.isnan(start) & ~np.isnan(end)
    timed[1:] &= timed[:-1].copy()
    close = pair & timed & same_as_before(speaker) & (gap >= 0) & (gap <= SHORT_GAP)
    what = f"adjacent utterances are one speaker with a gap of at most {SHORT_GAP} s"
    yield from located("speakers.short_gap", Severity.INFO, close, int(pair.sum()), what, ids)
    if labels is not None and close.any():
        differ = close & _labels_differ(project, labels, len(ids))
        what = f"adjacent utterances of one speaker with a gap of at most {SHORT_GAP} s differ in a label"
        yield from located("speakers.split_turn", Severity.WARNING, differ, int(close.sum()), what, ids)


def _speakers(project: Project) -> Iterator[Finding]:
    table = read(project, SPEAKERS, "name", "speaker_id", "attributes", "generic")
    names = pc.coalesce(table.column("name"), table.column("speaker_id"))
    bare = _sizes(table.column("attributes")) == 0
    severity = Severity.INFO if bare.all() else Severity.WARNING
    what = "speakers have no role card: nothing is known of them but their name"
    yield from located("speakers.no_attributes", severity, bare, len(bare), what, names)
    generic = mask(table.column("generic"))
    what = "speakers are nobody in particular (a passer-by)"
    yield from located("speakers.generic", Severity.INFO, generic, len(generic), what, names)


def _sizes(maps: pa.ChunkedArray) -> NDArray[Any]:
    """Return how many entries each map has; 0 where it is null."""
    pieces = [np.diff(np.asarray(piece.offsets)) * mask(pc.is_valid(piece)) for piece in maps.chunks]
    return np.concatenate([np.zeros(0, dtype=np.int64), *pieces])


def _labels_differ(project: Project, labels: str, size: int) -> Mask:
    """Say for every utterance whether some label of it and of the utterance before it differ."""
    differ = np.zeros(size, dtype=bool)
    for field in project.schema:
        answers = read_labels(project, labels, field.name)
        if answers is not None:
            numbers, _ = codes(answers.column(0))
            differ[1:] |= (numbers[1:] >= 0) & (numbers[:-1] >= 0) & (numbers[1:] != numbers[:-1])
    return differ
