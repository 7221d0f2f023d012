"""Whether the tables name the same utterances, dialogues and speakers."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from corpus.checks.columns import Mask, codes, examples, located, mask, read, same_as_before
from corpus.checks.finding import Finding, Severity
from schemas.project import DIALOGUES, SPEAKERS, UTTERANCES, Project


def check_identity(project: Project) -> Iterator[Finding]:
    """Check that ids are unique and known, and that rows stand in the declared order.

    All but the last are errors:

    - ``identity.duplicate_id``: an id stands twice in its table.
    - ``identity.unknown_id``: an utterance's dialogue or speaker, or a rating's utterance, is in no table.
    - ``identity.order``: the utterances of a dialogue stand apart or are not numbered 0..n-1.
    - ``identity.label_rows``: a labels table does not have a row for each utterance, in their order.
    - ``identity.empty_dialogue``: a dialogue has no utterance (a warning).
    """
    utterances = read(project, UTTERANCES, "utterance_id", "dialogue_id", "speaker_id", "index")
    ids, dialogue = utterances.column("utterance_id"), utterances.column("dialogue_id")
    dialogues = read(project, DIALOGUES, "dialogue_id").column(0)
    yield from _unique(ids, UTTERANCES, "utterance_id")
    yield from _unique(dialogues, DIALOGUES, "dialogue_id")
    yield from _known(dialogue, dialogues, DIALOGUES, "utterances name a dialogue", ids)
    yield from located(
        "identity.empty_dialogue",
        Severity.WARNING,
        ~mask(pc.is_in(dialogues, value_set=dialogue)),
        len(dialogues),
        "dialogues have no utterance",
        dialogues,
    )
    if project.has(SPEAKERS):
        speakers = read(project, SPEAKERS, "speaker_id").column(0)
        yield from _unique(speakers, SPEAKERS, "speaker_id")
        used = utterances.column("speaker_id")
        yield from _known(used, speakers, SPEAKERS, "utterances name a speaker", ids)
    yield from _order(ids, dialogue, utterances.column("index"))
    for name in project.label_files():
        yield from _row_for_row(read(project, name, "utterance_id").column(0), ids, name)
    for name in project.annotation_files():
        ratings = read(project, name, "annotation_id", "utterance_id")
        rating_ids, rated = ratings.columns
        yield from _unique(rating_ids, name, "annotation_id")
        yield from _known(rated, ids, UTTERANCES, f"ratings of {name} name an utterance", rating_ids)


def _unique(ids: pa.Array, table: str, column: str) -> Iterator[Finding]:
    what = f"rows of {table} repeat the {column} of an earlier row"
    repeated = ~_first_of_each(ids)
    yield from located("identity.duplicate_id", Severity.ERROR, repeated, len(ids), what, ids, table)


def _first_of_each(column: pa.Array) -> Mask:
    """Say which rows hold a value that no row above holds."""
    numbers, distinct = codes(column)
    # Written backwards, so that the first row of each value is the one that stays.
    row = np.empty(len(distinct) + 1, dtype=np.int64)
    row[numbers[::-1]] = np.arange(len(numbers))[::-1]
    first: Mask = row[numbers] == np.arange(len(numbers))
    return first


def _known(used: pa.Array, known: pa.Array, table: str, what: str, ids: pa.Array) -> Iterator[Finding]:
    unknown = mask(pc.is_valid(used)) & ~mask(pc.is_in(used, value_set=known))
    what = f"{what} that is not in {table}"
    yield from located("identity.unknown_id", Severity.ERROR, unknown, len(used), what, ids, table)


def _order(ids: pa.Array, dialogue: pa.Array, index: pa.Array) -> Iterator[Finding]:
    starts = ~same_as_before(dialogue)
    rows = np.arange(len(starts))
    expected = rows - np.maximum.accumulate(np.where(starts, rows, 0))
    # A dialogue that starts again further down is cut in two, even if each part is numbered from 0.
    again = starts & ~_first_of_each(dialogue)
    yield from located(
        "identity.order",
        Severity.ERROR,
        (np.asarray(index) != expected) | again,
        len(starts),
        "utterances do not follow the one before them: those of a dialogue stand together, "
        "with an index from 0 in steps of 1",
        ids,
    )


def _row_for_row(labelled: pa.Array, ids: pa.Array, name: str) -> Iterator[Finding]:
    size = min(len(labelled), len(ids))
    elsewhere = ~mask(pc.equal(labelled.slice(0, size), ids.slice(0, size)))
    count = int(elsewhere.sum()) + abs(len(labelled) - len(ids))
    if count:
        message = (
            f"{name} has {len(labelled):,} rows for {len(ids):,} utterances, "
            f"and {count:,} of them do not stand where their utterance stands."
        )
        places = examples(labelled, elsewhere)
        yield Finding("identity.label_rows", Severity.ERROR, message, count, len(ids), name, places)
