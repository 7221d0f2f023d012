"""From the rows of released files to the tables of a project.

An importer says which column of its files means what (`SourceRows`); everything else, from parsing cells to
numbering utterances and setting faults apart, happens here once for all formats.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from corpus.importers.cells import NOTHING, Parsed, normalise_column, parse_answers, parse_column, seconds
from corpus.importers.reading import SourceTable
from schemas import records
from schemas.answers import applies
from schemas.errors import InputError, Issue
from schemas.fields import Missing, RelationField
from schemas.label_schema import LabelSchema
from schemas.tables import concat, from_rows

LABEL = "label:"
"""Prefix of the columns of `SourceRows` that hold answers."""

SOURCE_ROWS = pa.schema(
    [
        pa.field(name, pa.string())
        for name in (
            *("file", "dialogue_id", "utterance_id", "speaker", "text", "start", "end", "language", "media"),
            *("show", "episode", "topic", "source_split", "rater", "annotation_id", "round", "condition"),
        )
    ]
    + [pa.field("row", pa.int64()), pa.field("context_only", pa.bool_())]
)
"""Cells of the released files under the project's names; columns that a format lacks are null."""

GENERIC_SPEAKERS = frozenset(
    "路人 众人 群众 男人 女人 路人甲 路人乙 路人丙 大家 所有人 旁白 服务员 士兵 医生 护士 司机 "
    "all both everyone man woman boy girl guy crowd voice narrator waiter waitress nurse doctor driver "
    "customer clerk officer receptionist interviewer stranger unknown other others".split()
)
"""Names that stand for nobody in particular, case-folded and without article and number."""


@dataclass
class Source:
    """What an importer read, before it is assembled.

    Attributes:
        name: Name of the source in the project.
        rows: A row an utterance, or a row a rating (``rater`` is then set); columns of `SOURCE_ROWS` and
            ``label:FIELD`` columns of text cells.
        attributes: What is known of speakers, by name.
        rater_attributes: What is known of raters.
        raters_are_people: Names of raters may be those of people; they are replaced by pseudonyms.
        read: Rows that the files hold.
        ignored: Rows left out on purpose, by reason.
        quarantine: Rows that could not be read at all, as `records.QUARANTINE` rows.
        notes: What people should know (encodings, renamed headers).
    """

    name: str
    rows: pa.Table
    attributes: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    rater_attributes: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    raters_are_people: bool = False
    read: int = 0
    ignored: dict[str, int] = field(default_factory=dict)
    quarantine: list[dict[str, object]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


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
        cells: Cells set apart or respelled, by column and reason.
        notes: What people should know.
    """

    source: str
    tables: dict[str, pa.Table]
    rows_read: int
    rows_imported: int
    rows_quarantined: int
    rows_ignored: dict[str, int]
    cells: dict[str, int]
    notes: list[str]


def source_rows(table: SourceTable, columns: Mapping[str, str], **constants: object) -> pa.Table:
    """Rename the columns of a file.

    Args:
        table: The file.
        columns: Name in `SOURCE_ROWS` (or ``label:FIELD``) to name in the file.
        constants: Values that all rows share.
    """
    size = table.columns.num_rows
    found: dict[str, object] = {name: table.columns.column(column) for name, column in columns.items()}
    found["file"] = pa.array([table.path.name] * size, pa.string())
    found["row"] = table.rows
    for name, value in constants.items():
        found[name] = pa.array([value] * size, SOURCE_ROWS.field(name).type)
    return pa.table(found)


def concat_rows(tables: Iterable[pa.Table]) -> pa.Table:
    """Concatenate renamed files; every column of `SOURCE_ROWS` is there afterwards."""
    rows = pa.concat_tables([SOURCE_ROWS.empty_table(), *tables], promote_options="default")
    return rows.combine_chunks()


def broken_rows(source: str, table: SourceTable) -> list[dict[str, object]]:
    """Return the quarantine rows of a file's unreadable rows."""
    return [
        {
            **{"source": source, "file": table.path.name, "row": number, "original": text},
            **{
                "action": "row set apart",
                "reason": "another number of cells than the header" if text.strip() else BLANK,
            },
        }
        for number, text in table.broken
    ]


BLANK = "blank row"


class _Quarantine:
    """Collects what could not be taken as it stood."""

    def __init__(self, source: str, rows: pa.Table) -> None:
        self.source = source
        self.rows = rows
        self.found: list[pa.Table] = []

    def cells(
        self, name: str, places: np.ndarray, action: str, reason: str, column: str | None = None
    ) -> None:
        """Note the cells of column ``name`` at ``places``; with ``column`` None, whole rows."""
        where = pa.array(np.flatnonzero(places))
        if not len(where):
            return
        hit = self.rows.take(where)
        size = len(where)
        self.found.append(
            pa.table(
                {
                    "source": pa.array([self.source] * size),
                    "file": hit.column("file"),
                    "row": hit.column("row"),
                    "utterance_id": hit.column("utterance_id"),
                    "column": pa.array([column] * size, pa.string()),
                    "original": hit.column(name).fill_null(""),
                    "action": pa.array([action] * size),
                    "reason": pa.array([reason] * size),
                }
            )
        )


def assemble(source: Source, schema: LabelSchema) -> Imported:
    """Make the project's tables of one source.

    Raises:
        InputError: No row is left, or two utterances share an id.
    """
    rows = source.rows
    quarantine = _Quarantine(source.name, rows)
    blank = _blank(rows)
    lacking = {name: _empty(rows.column(name)) & ~blank for name in ("dialogue_id", "utterance_id", "text")}
    out = blank.copy()
    quarantine.cells("text", blank, "row set apart", BLANK)
    for name, places in lacking.items():
        quarantine.cells("text", places & ~out, "row set apart", f"no {name}")
        out |= places
    kept = rows.filter(pa.array(~out))
    if not kept.num_rows:
        raise InputError(Issue(f"{source.name}: no row of the source has an identity and a text"))
    parts = _Quarantine(source.name, kept)
    ratings = pc.is_valid(kept.column("rater")).combine_chunks()
    rated = bool(pc.any(ratings).as_py())
    first = _first_rows(kept, source.name, rated)
    utterances = _utterances(kept, first, source.name, parts)
    answers = _answers(kept, schema, parts)
    tables = {
        "dialogues": _dialogues(kept, first, source.name),
        "utterances": utterances,
        "speakers": _speakers(utterances, source),
    }
    if rated:
        tables["annotations"] = _ratings(kept, answers, schema, first, ratings)
        tables["raters"] = _raters(tables["annotations"], source)
    elif answers:
        tables["published"] = _published(kept, answers, schema).take(pa.array(first))
    found = [*quarantine.found, *parts.found]
    tables["quarantine"] = concat(
        [from_rows(source.quarantine, records.QUARANTINE), *found], records.QUARANTINE
    )
    counts = tables["quarantine"].group_by(["column", "reason"]).aggregate([([], "count_all")]).to_pylist()
    return Imported(
        source.name,
        tables,
        source.read,
        _count(kept),
        _count(rows) - _count(kept) + len(source.quarantine),
        source.ignored,
        {f"{c['column'] or 'row'}: {c['reason']}": c["count_all"] for c in counts},
        source.notes,
    )


def _count(rows: pa.Table) -> int:
    """Count rows of the files; a row that holds several ratings or turns stands in ``rows`` several times."""
    return int(
        pc.count_distinct(
            pc.binary_join_element_wise(rows.column("file"), _text(rows.column("row")), "/")
        ).as_py()
    )


def _text(numbers: pa.Array) -> pa.Array:
    return pc.cast(numbers, pa.string())


def _empty(column: pa.Array) -> np.ndarray:
    empty: np.ndarray = np.asarray(pc.equal(pc.utf8_trim_whitespace(column.fill_null("")), ""))
    return empty


def _blank(rows: pa.Table) -> np.ndarray:
    """Say which rows hold nothing in any column of the file."""
    cells = [name for name in ("dialogue_id", "utterance_id", "speaker", "text") if name in rows.column_names]
    cells += [name for name in rows.column_names if name.startswith(LABEL)]
    blank = np.ones(rows.num_rows, dtype=bool)
    for name in cells:
        blank &= _empty(rows.column(name))
    return blank


def _first_rows(kept: pa.Table, source: str, rated: bool) -> np.ndarray:
    """Return the row at which each utterance is first seen, by dialogue in order of appearance.

    In rating rows an utterance comes once a rater; otherwise a second row of the same id is a fault.
    """
    ids = kept.column("utterance_id").combine_chunks().dictionary_encode()
    codes = ids.indices.to_numpy(zero_copy_only=False)
    _, first = np.unique(codes, return_index=True)
    if not rated and len(first) < len(codes):
        again = np.ones(len(codes), dtype=bool)
        again[first] = False
        raise InputError(
            [
                Issue(
                    "this utterance id stands in an earlier row too",
                    f"{source}: {kept.column('file')[row].as_py()}",
                    row=kept.column("row")[row].as_py(),
                    column="utterance_id",
                    value=kept.column("utterance_id")[row].as_py(),
                )
                for row in np.flatnonzero(again).tolist()
            ]
        )
    first = np.sort(first)
    dialogue = kept.column("dialogue_id").combine_chunks().dictionary_encode().indices
    order = np.argsort(dialogue.to_numpy(zero_copy_only=False)[first], kind="stable")
    return np.asarray(first[order])


def _utterances(kept: pa.Table, first: np.ndarray, source: str, quarantine: _Quarantine) -> pa.Table:
    """Make the utterances; those of a dialogue stand together, numbered from 0."""
    nothing = NOTHING
    times: dict[str, Parsed] = {
        name: parse_column(kept.column(name), seconds, pa.float64(), nothing) for name in ("start", "end")
    }
    seen = np.zeros(kept.num_rows, dtype=bool)
    seen[first] = True
    for name, parsed in times.items():
        quarantine.cells(name, parsed.bad & seen, "cell set to null", "unparsable time", name)
    rows = kept.take(pa.array(first))
    dialogue = rows.column("dialogue_id").combine_chunks().dictionary_encode()
    codes = dialogue.indices.to_numpy(zero_copy_only=False)
    starts = np.r_[True, codes[1:] != codes[:-1]]
    index = np.arange(len(codes)) - np.maximum.accumulate(np.where(starts, np.arange(len(codes)), 0))
    speaker = pc.utf8_trim_whitespace(rows.column("speaker"))
    named = pc.if_else(pc.equal(speaker, ""), None, speaker)
    text = rows.column("text")
    return pa.table(
        {
            "utterance_id": rows.column("utterance_id"),
            "dialogue_id": rows.column("dialogue_id"),
            "index": pa.array(index, pa.int32()),
            "speaker_id": pc.binary_join_element_wise(source, named, ":"),
            "text": normalise_column(text),
            "text_original": text,
            **{name: parsed.values.take(pa.array(first)) for name, parsed in times.items()},
            "language": rows.column("language"),
            "media": rows.column("media"),
            "context_only": rows.column("context_only").fill_null(False),
        }
    ).cast(records.UTTERANCES)


def _dialogues(kept: pa.Table, first: np.ndarray, source: str) -> pa.Table:
    rows = kept.take(pa.array(first))
    ids = rows.column("dialogue_id").combine_chunks().dictionary_encode().indices
    _, places = np.unique(ids.to_numpy(zero_copy_only=False), return_index=True)
    heads = rows.take(pa.array(places))
    columns = {name: heads.column(name) for name in records.DIALOGUES.names if name != "source"}
    return (
        pa.table({"source": pa.array([source] * len(places)), **columns})
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


def _answers(kept: pa.Table, schema: LabelSchema, quarantine: _Quarantine) -> dict[str, pa.Array]:
    """Parse the label columns; a bad cell becomes null, a respelled one is noted."""
    columns: dict[str, pa.Array] = {}
    for name in kept.column_names:
        if not name.startswith(LABEL):
            continue
        one = schema[name.removeprefix(LABEL)]
        parsed, intensity = parse_answers(one, kept.column(name))
        quarantine.cells(name, parsed.bad, "cell set to null", "not a value of the field", one.name)
        quarantine.cells(name, parsed.respelled, "value respelled", "another spelling of a value", one.name)
        columns[one.name] = parsed.values
        if intensity is not None:
            columns[f"{one.name}_intensity"] = intensity
        untold = pc.equal(
            pc.utf8_lower(pc.utf8_trim_whitespace(kept.column(name))), Missing.CANNOT_TELL.value
        )
        if pc.any(untold).as_py():
            columns[f"{one.name}_missing"] = pc.if_else(untold, Missing.CANNOT_TELL.value, None)
    for relation in schema.relations:
        if not {relation.name, relation.source, relation.target} <= set(columns):
            continue
        asked = np.asarray(applies(schema, relation, pa.table(columns)).fill_null(True))
        value = columns[relation.name]
        reason = f"neither {relation.source} nor {relation.target} is present"
        unasked = ~asked & np.asarray(value.is_valid())
        quarantine.cells(f"{LABEL}{relation.name}", unasked, "cell set to null", reason, relation.name)
        columns[relation.name] = pc.if_else(pa.array(asked), value, pa.scalar(None, value.type))
    return columns


def _answer_columns(
    answers: Mapping[str, pa.Array], schema: LabelSchema, context_only: pa.Array
) -> dict[str, pa.Array]:
    """Complete answers to the columns of the schema, saying for each null why it is null."""
    size = len(context_only)
    columns: dict[str, pa.Array] = {}
    for one in schema:
        for column in records.answer_columns(one):
            columns[column.name] = answers.get(column.name, pa.nulls(size, column.type))
    for one in schema:
        reason = pc.if_else(context_only, Missing.CONTEXT_ONLY.value, Missing.NOT_RATED.value)
        if isinstance(one, RelationField):
            unasked = pc.fill_null(pc.invert(applies(schema, one, pa.table(columns))), False)
            reason = pc.if_else(unasked, Missing.NOT_APPLICABLE.value, reason)
        reason = pc.coalesce(columns[f"{one.name}_missing"], reason)
        given = pc.is_valid(columns[one.name])
        columns[f"{one.name}_missing"] = pc.if_else(given, pa.scalar(None, pa.string()), reason)
    return columns


def _published(kept: pa.Table, answers: Mapping[str, pa.Array], schema: LabelSchema) -> pa.Table:
    """Make the labels of a corpus that was published without its raters, a row a kept row."""
    columns = _answer_columns(answers, schema, kept.column("context_only").fill_null(False))
    table = pa.table(
        {
            "utterance_id": kept.column("utterance_id"),
            "method": pa.array(["published"] * kept.num_rows),
            **columns,
        }
    )
    return concat([table], records.labels_schema(schema))


def _ratings(
    kept: pa.Table, answers: Mapping[str, pa.Array], schema: LabelSchema, first: np.ndarray, rated: pa.Array
) -> pa.Table:
    """Make a row a rating, in utterance order and within an utterance in the order of the file."""
    columns = _answer_columns(answers, schema, pc.fill_null(kept.column("context_only"), False))
    numbered = _text(pa.array(range(kept.num_rows)))
    own_ids = kept.column("annotation_id")
    made = pc.binary_join_element_wise(kept.column("utterance_id"), kept.column("rater"), numbered, "/")
    table = pa.table(
        {
            "annotation_id": pc.coalesce(own_ids, made),
            **{name: kept.column(name) for name in ("utterance_id", "rater", "round", "condition")},
            "status": pa.array([records.RatingStatus.SUBMITTED.value] * kept.num_rows),
            **columns,
        }
    )
    ids = kept.column("utterance_id").combine_chunks()
    place = pc.index_in(ids, ids.take(pa.array(first))).to_numpy(zero_copy_only=False)
    order = np.argsort(place, kind="stable")
    order = order[np.asarray(rated)[order]]
    return concat([_supersede(table.take(pa.array(order)))], records.annotations_schema(schema))


def _supersede(ratings: pa.Table) -> pa.Table:
    """Of several ratings of an utterance by one rater in one round and condition, the last one counts."""
    key = pc.binary_join_element_wise(
        *(pc.fill_null(ratings.column(name), "") for name in ("utterance_id", "rater", "round", "condition")),
        "\0",
    )
    codes = key.combine_chunks().dictionary_encode().indices.to_numpy(zero_copy_only=False)
    _, from_end = np.unique(codes[::-1], return_index=True)
    status = np.full(len(codes), records.RatingStatus.SUPERSEDED.value, dtype=object)
    status[len(codes) - 1 - from_end] = records.RatingStatus.SUBMITTED.value
    place = ratings.column_names.index("status")
    return ratings.set_column(place, "status", pa.array(status, pa.string()))


def _raters(annotations: pa.Table, source: Source) -> pa.Table:
    raters: Sequence[str] = [one for one in pc.unique(annotations.column("rater")).to_pylist() if one]
    return from_rows(
        [
            {
                "rater": one,
                "source": source.name,
                "attributes": list(source.rater_attributes.get(one, {}).items()),
            }
            for one in sorted(raters)
        ],
        records.RATERS,
    )
