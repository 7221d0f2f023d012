"""The text of the utterances."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow.compute as pc

from corpus.checks.columns import located, mask, read, same_as_before
from corpus.checks.finding import Finding, Severity
from schemas.project import UTTERANCES, Project

REPLACEMENT_CHARACTER = "\ufffd"


def check_text(project: Project) -> Iterator[Finding]:
    """Check the normalised text.

    - ``text.empty``: nothing is left of it after normalisation.
    - ``text.replacement_character``: it holds U+FFFD, so letters were lost in an earlier decoding.
    - ``text.repeated``: it is that of the utterance before it in the dialogue, by the same (known) speaker;
      of all adjacent utterances.
    """
    table = read(project, UTTERANCES, "utterance_id", "dialogue_id", "speaker_id", "text")
    ids, text = table.column("utterance_id"), table.column("text")
    size = len(ids)
    empty = mask(pc.equal(pc.utf8_trim_whitespace(text), ""))
    what = "utterances have no text after normalisation"
    yield from located("text.empty", Severity.WARNING, empty, size, what, ids)
    broken = mask(pc.match_substring(text, REPLACEMENT_CHARACTER))
    what = "utterances hold the replacement character U+FFFD: letters were lost in an earlier decoding"
    yield from located("text.replacement_character", Severity.WARNING, broken, size, what, ids)
    pair = same_as_before(table.column("dialogue_id"))
    repeated = pair & ~empty & same_as_before(table.column("speaker_id")) & same_as_before(text)
    what = "adjacent utterances are one speaker saying the same text twice"
    yield from located("text.repeated", Severity.INFO, repeated, int(pair.sum()), what, ids)
