"""From the rows of released files to the tables of a project.

An importer says which column of its files means what (`SOURCE_ROWS`); everything else, from parsing cells to
numbering utterances and setting faults apart, happens here once for all formats.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from corpus.importers import labels
from corpus.importers.cells import NOTHING, condition, normalise_column, parse_column, seconds, split_name
from corpus.importers.grouping import Numbers, first_alike, number, number_jointly
from corpus.importers.quarantine import BLANK, CELL_LEFT_OUT, CELL_TO_NULL, ROW_SET_APART, Quarantine
from corpus.importers.source import LABEL, SOURCE_ROWS, Source, concat_rows
from schemas import records
from schemas.errors import InputError, Issue
from schemas.label_schema import LabelSchema
from schemas.tables import concat, from_rows

__all__ = ["BLANK", "LABEL", "SOURCE_ROWS", "Imported", "Source", "assemble", "concat_rows", "is_generic"]

IDENTITY = ("dialogue_id", "utterance_id", "text")
"""What no row can do without."""

MAX_SHOWN = 60
"""Letters of a cell that are shown in the account."""

# Cells that are names and not content: white space around them, and the empty cell, mean nothing.
_NAMES = (
    *("dialogue_id", "utterance_id", "speaker", "language", "media", "show", "episode", "topic"),
    *("rater", "annotation_id", "round"),
)

GENERIC_SPEAKERS = frozenset(
    "路人 众人 群众 男人 女人 路人甲 路人乙 路人丙 大家 所有人 旁白 服务员 士兵 医生 护士 司机 "
    "all both everyone man woman boy girl guy crowd voice narrator waiter waitress nurse doctor driver "
    "customer clerk officer receptionist interviewer stranger unknown other others".split()
)
"""Names that stand for nobody in particular, case-folded and without article and number."""


@dataclass(frozen=True)
class Imported:
    """The tables that one source gives, and the account of its rows.

    Attributes:
        source: Name of the source.
        tables: Project tables by name (``utterances``, ``published``, ``annotations``, ...).
        rows_read: Rows in the files.
        rows_imported: Rows that became an utterance or a rating.
        rows_quarantined: Rows set apart whole.
        rows_ignored: Rows left out on purpose, by reason.
        cells: How many cells were set apart or respelled, by column and reason, with the first of each.
        notes: What people should know.
        recordings: What was done with each recording of raw material.
    """

    source: str
    tables: dict[str, pa.Table]
    rows_read: int
    rows_imported: int
    rows_quarantined: int
    rows_ignored: dict[str, int]
    cells: dict[str, int]
    notes: list[str]
    recordings: list[dict[str, object]] = field(default_factory=list)


def assemble(source: Source, schema: LabelSchema) -> Imported:
    """Make the project's tables of one source.

    Raises:
        InputError: No row is left, two utterances share an id, or a dialogue stands in two splits.
    """
    rows = _named(source.rows)
    apart = Quarantine(source.name, rows)
    out = _unusable(rows, apart)
    kept = rows.filter(pa.array(~out))
    unread = from_rows([*source.quarantine, *source.cells], records.QUARANTINE)
    quarantine = concat([unread, *apart.found], records.QUARANTINE)
    if not kept.num_rows:
        reasons = Counter(quarantine.column("reason").to_pylist()).most_common()
        why = "".join(f"; {count:,} x {reason}" for reason, count in reasons)
        raise InputError(Issue(f"no row of this source has an identity and a text{why}", source.name))
    parts = Quarantine(source.name, kept)
    rated = labels.rating_rows(kept)
    first = _first_rows(kept, source.name, bool(rated.any()))
    kept = _parsed(kept, first, parts)
    answers = labels.answers(kept, schema, parts)
    utterances = _utterances(kept, first, source.name)
    tables = {
        "dialogues": _dialogues(kept, first, source.name, parts),
        "utterances": utterances,
        "speakers": _speakers(utterances, source),
    }
    if rated.any():
        tables["annotations"] = labels.ratings(kept, answers, schema, first, rated)
        tables["raters"] = labels.raters(tables["annotations"], source)
    elif answers:
        tables["published"] = labels.published(kept, answers, schema).take(pa.array(first))
    tables["quarantine"] = concat([quarantine, *parts.found], records.QUARANTINE)
    return Imported(
        source.name,
        tables,
        source.read,
        _count(kept) + source.merged,
        _count(rows) - _count(kept) + len(source.quarantine),
        source.ignored,
        _summed_up(tables["quarantine"]),
        source.notes,
        source.account,
    )


def _summed_up(quarantine: pa.Table) -> dict[str, int]:
    """Count what was set apart by column and reason, and show the first of each."""
    wanted: list[tuple[object, str]] = [
        ([], "count_all"),
        *((name, "first") for name in ("file", "row", "original")),
    ]
    groups = quarantine.group_by(["column", "reason"], use_threads=False).aggregate(wanted).to_pylist()
    counts = {}
    for group in groups:
        first = f"{group['file_first']}, row {group['row_first']}"
        if group["column"]:
            first = f"{group['original_first'][:MAX_SHOWN]!r} in {first}"
        counts[f"{group['column'] or 'row'}: {group['reason']} (first: {first})"] = group["count_all"]
    return counts


def _count(rows: pa.Table) -> int:
    """Count rows of the files; a row that holds several ratings or turns stands in ``rows`` several times."""
    return len(np.unique(_places(rows)))


def _places(rows: pa.Table) -> Numbers:
    """Number the rows of the files that the rows come from."""
    return number_jointly(rows.column("file"), rows.column("row"))


def _named(rows: pa.Table) -> pa.Table:
    for name in _NAMES:
        cells = pc.utf8_trim_whitespace(rows.column(name))
        place = rows.column_names.index(name)
        rows = rows.set_column(place, name, pc.if_else(pc.equal(cells, ""), None, cells))
    return rows.combine_chunks()


def _empty(column: pa.Array) -> NDArray[Any]:
    empty: NDArray[Any] = np.asarray(pc.equal(pc.utf8_trim_whitespace(column.fill_null("")), ""))
    return empty


def _differs(rows: pa.Table, name: str, leading: NDArray[Any]) -> NDArray[Any]:
    """Say which cells hold something else than that of the leading row."""
    cells = rows.column(name).fill_null("").combine_chunks()
    other: NDArray[Any] = np.asarray(pc.not_equal(cells, cells.take(pa.array(leading)))) & ~_empty(cells)
    return other


def _unusable(rows: pa.Table, quarantine: Quarantine) -> NDArray[Any]:
    """Set apart rows without identity or text, and ratings of something else than their id says."""
    text = normalise_column(rows.column("text"))
    lacking = {"dialogue_id": _empty(rows.column("dialogue_id"))}
    lacking["utterance_id"] = _empty(rows.column("utterance_id"))
    lacking["text"] = _empty(text)
    reasons = [(BLANK, _blank(rows)), *((f"no {name}", lacking[name]) for name in IDENTITY)]
    out = np.zeros(rows.num_rows, dtype=bool)
    # A row of a wide table stands here once a rater, and is set apart once.
    same = number_jointly(*(rows.column(name) for name in ("file", "row", "utterance_id")))
    once = first_alike(same) == np.arange(rows.num_rows)
    for reason, places in reasons:
        quarantine.cells("text", places & ~out & once, ROW_SET_APART, reason, None)
        out |= places
    if not labels.rating_rows(rows).any():
        return out
    kept = np.flatnonzero(~out)
    sound = rows.set_column(rows.column_names.index("text"), "text", text).take(pa.array(kept))
    leading = first_alike(number(sound.column("utterance_id")))
    for name in ("dialogue_id", "text"):
        places = np.zeros(rows.num_rows, dtype=bool)
        places[kept[_differs(sound, name, leading)]] = True
        reason = f"another {name} than in the first row of this utterance_id"
        quarantine.cells(name, places & ~out & once, ROW_SET_APART, reason, None)
        out |= places
    return out


def _blank(rows: pa.Table) -> NDArray[Any]:
    """Say which rows hold nothing in any column that says what was said, by whom and how it is labelled."""
    cells = ["dialogue_id", "utterance_id", "speaker", "text", "start", "end"]
    cells += [name for name in rows.column_names if name.startswith(LABEL)]
    blank = np.ones(rows.num_rows, dtype=bool)
    for name in cells:
        blank &= _empty(rows.column(name))
    return blank


def _first_rows(kept: pa.Table, source: str, rated: bool) -> NDArray[Any]:
    """Return the row at which each utterance is first seen, by dialogue in order of appearance.

    In rating rows an utterance comes once a rater; otherwise a second row of the same id is a fault.
    """
    leading = first_alike(number(kept.column("utterance_id")))
    own = np.arange(kept.num_rows)
    if not rated and (leading != own).any():
        raise InputError(
            [
                Issue(
                    f"this utterance id stands in row {kept.column('row')[first].as_py()}"
                    f" of {kept.column('file')[first].as_py()} too",
                    f"{source}: {kept.column('file')[row].as_py()}",
                    row=kept.column("row")[row].as_py(),
                    column="utterance_id",
                    value=kept.column("utterance_id")[row].as_py(),
                )
                for row, first in enumerate(leading.tolist())
                if row != first
            ]
        )
    first = np.flatnonzero(leading == own)
    return np.asarray(first[np.argsort(number(kept.column("dialogue_id"))[first], kind="stable")])


def _parsed(kept: pa.Table, first: NDArray[Any], quarantine: Quarantine) -> pa.Table:
    """Parse times, splits and conditions; note bad cells, and cells that differ within an utterance."""
    leading = first_alike(number(kept.column("utterance_id")))
    own = np.arange(kept.num_rows)
    # A row that stands here once a rater has each cell once.
    once = first_alike(_places(kept)) == own
    if (leading != own).any():
        for name in ("speaker", "start", "end", "language", "media"):
            other = once & _differs(kept, name, leading)
            reason = "another value than in the first row of this utterance_id"
            quarantine.cells(name, other, CELL_LEFT_OUT, reason, name)
    of_utterance = np.isin(own, first)
    time = "not a time, such as 01:02:03.5, 02:03.5 or 123.5 (seconds)"
    for name, function, kind, seen, reason in (
        ("start", seconds, pa.float64(), of_utterance, time),
        ("end", seconds, pa.float64(), of_utterance, time),
        ("source_split", split_name, pa.string(), once, "not one of train, validation, test"),
        ("condition", condition, pa.string(), once, f"not one of {', '.join(records.Condition)}"),
    ):
        parsed = parse_column(kept.column(name), function, kind, NOTHING)
        quarantine.cells(name, parsed.bad & seen, CELL_TO_NULL, reason, name)
        kept = kept.set_column(kept.column_names.index(name), name, parsed.values)
    return kept


def _utterances(kept: pa.Table, first: NDArray[Any], source: str) -> pa.Table:
    """Make the utterances; those of a dialogue stand together, numbered from 0."""
    rows = kept.take(pa.array(first))
    codes = number(rows.column("dialogue_id"))
    starts = np.r_[True, codes[1:] != codes[:-1]]
    index = np.arange(len(codes)) - np.maximum.accumulate(np.where(starts, np.arange(len(codes)), 0))
    same = ("utterance_id", "dialogue_id", "start", "end", "language", "media")
    return (
        pa.table(
            {
                **{name: rows.column(name) for name in same},
                "index": pa.array(index, pa.int32()),
                "speaker_id": pc.binary_join_element_wise(source, rows.column("speaker"), ":"),
                "text": normalise_column(rows.column("text")),
                "text_original": pc.coalesce(rows.column("text_original"), rows.column("text")),
                "context_only": rows.column("context_only").fill_null(False),
            }
        )
        .select(records.UTTERANCES.names)
        .cast(records.UTTERANCES)
    )


def _dialogues(kept: pa.Table, first: NDArray[Any], source: str, quarantine: Quarantine) -> pa.Table:
    """Make the dialogues; what is said of a dialogue is taken from its first row."""
    leading = first_alike(number(kept.column("dialogue_id")))
    torn = _differs(kept, "source_split", leading)
    if torn.any():
        found = kept.filter(pa.array(torn))
        ids = found.column("dialogue_id").to_pylist()
        raise InputError(
            [
                Issue(
                    "this dialogue stands in two splits; give dialogues of different splits ids of their own",
                    f"{source}: {found.column('file')[ids.index(one)].as_py()}",
                    row=found.column("row")[ids.index(one)].as_py(),
                    column="dialogue_id",
                    value=one,
                )
                for one in dict.fromkeys(ids)
            ]
        )
    for name in ("show", "episode", "topic"):
        reason = "another value than in the first row of this dialogue"
        quarantine.cells(name, _differs(kept, name, leading), CELL_LEFT_OUT, reason, name)
    heads = kept.take(pa.array(first))
    heads = heads.take(
        pa.array(np.flatnonzero(first_alike(number(heads.column("dialogue_id"))) == np.arange(len(first))))
    )
    columns = {name: heads.column(name) for name in records.DIALOGUES.names if name != "source"}
    return (
        pa.table({"source": pa.array([source] * heads.num_rows), **columns})
        .select(records.DIALOGUES.names)
        .cast(records.DIALOGUES)
    )


def is_generic(name: str) -> bool:
    """Say whether a speaker's name stands for nobody in particular (the man, 路人甲)."""
    words = name.casefold().removeprefix("the ").removeprefix("a ").rstrip("0123456789 #").strip()
    return words in GENERIC_SPEAKERS


def _speakers(utterances: pa.Table, source: Source) -> pa.Table:
    ids = [speaker for speaker in pc.unique(utterances.column("speaker_id")).to_pylist() if speaker]
    return from_rows(
        [
            {
                "speaker_id": speaker,
                "source": source.name,
                "name": (name := speaker.removeprefix(f"{source.name}:")),
                "aliases": [],
                "attributes": list(source.attributes.get(name, {}).items()),
                "generic": is_generic(name),
            }
            for speaker in ids
        ],
        records.SPEAKERS,
    )
