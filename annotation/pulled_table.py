"""The table of ratings that were pulled: derived from the journal, under pseudonyms and the project's schema.

A row for every version of every rating of an utterance, in utterance order. Of each person and task, the
version changed last counts (``submitted`` or ``skipped``); all others are ``superseded``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from annotation.client import Json
from annotation.pulled import PREDICTION_SHOWN, Index, moment, name_of, read_journal, write_journal
from annotation.results import read_annotation
from annotation.roster import ORIGIN, Accounts
from annotation.rounds import Round, schema_of
from schemas import project as folder
from schemas import records
from schemas.errors import Issue
from schemas.fields import Field, Missing
from schemas.project import Project
from schemas.records import RatingStatus
from schemas.tables import concat, content_hash, from_rows, read_table, write_table
from schemas.validation import RATING_REASONS, validate_answers

TABLE = f"annotations/{ORIGIN}.parquet"
COMMAND = "annotation pull"
VERSION = 1


def made_from(project: Project) -> str:
    """Return what the table depends on besides ratings; quick, so that a pull without news is."""
    parts = (VERSION, *(content_hash(project.path(name)) for name in (folder.SCHEMA, folder.UTTERANCES)))
    return " ".join(map(str, parts))


@dataclass(frozen=True)
class Written:
    """What was written.

    Attributes:
        rows: Rows of the table.
        quarantined: Results that could not be taken, of those read now.
        faults: What does not fit the schema in the table.
    """

    rows: int
    quarantined: int
    faults: list[Issue]


def write_ratings(
    project: Project, reader: Reader, index: Index, news: list[Json], *, rebuild: bool
) -> Written:
    """Bring journal, index, table and quarantine to what is known now, all together or not at all.

    Args:
        project: The project.
        reader: What has read the news.
        index: What is known now of all annotations.
        news: Versions of annotations that the journal does not hold yet.
        rebuild: Derive the whole table from the journal, not just the news.
    """
    arrow = records.annotations_schema(project.schema)
    if rebuild:
        reader.clear()
        for one in (*read_journal(project), *news):
            reader.read(one)
    old = read_table(project.path(TABLE)) if project.has(TABLE) and not rebuild else arrow.empty_table()
    table = in_utterance_order(project, _settled(concat([old, from_rows(reader.rows, arrow)], arrow), index))
    quarantine = records.QUARANTINE.empty_table()
    if project.has(folder.QUARANTINE):
        quarantine = read_table(project.path(folder.QUARANTINE))
        if rebuild:
            quarantine = quarantine.filter(pc.not_equal(quarantine.column("source"), ORIGIN))
    provenance = project.provenance(COMMAND, VERSION, [folder.SCHEMA, folder.UTTERANCES])
    with project.writing(COMMAND) as staging:
        write_journal(staging, index, news)
        write_table(staging / TABLE, table, arrow, provenance)
        if reader.quarantine or rebuild:
            new = from_rows(reader.quarantine, records.QUARANTINE)
            write_table(
                staging / folder.QUARANTINE, concat([quarantine, new], records.QUARANTINE), records.QUARANTINE
            )
    faults = validate_answers(table, project.schema, TABLE, RATING_REASONS)
    return Written(table.num_rows, len(reader.quarantine), faults)


class Reader:
    """Reads journal records into rows under the project's schema."""

    def __init__(self, project: Project, rounds: Sequence[Round], accounts: Accounts, index: Index) -> None:
        self.schema = project.schema
        self.index = index
        self.schemas = {one.name: schema_of(project, one) for one in rounds}
        self.raters = {one.name: accounts.pseudonym_of_user(one.server) for one in rounds}
        self.rows: list[Json] = []
        self.quarantine: list[Json] = []
        self._not_asked = {
            name: {
                f"{one.name}_missing": str(Missing.NOT_RATED) for one in self.schema if one.name not in asked
            }
            for name, asked in self.schemas.items()
        }
        self._changed = {
            name: [now for now in self.schema if now.name in asked and asked[now.name] != now]
            for name, asked in self.schemas.items()
        }

    def clear(self) -> None:
        """Forget what was read."""
        self.rows.clear()
        self.quarantine.clear()

    def read(self, one: Json) -> None:
        """Read one version of an annotation."""
        name = str(one["round"])
        user = int(one["user"])
        rater = self.raters[name].get(user, f"{ORIGIN}:u{user}")
        reading = read_annotation(
            one["annotation"], one["data"], self.schemas[name], rater=rater, source=ORIGIN
        )
        self.quarantine += reading.quarantine
        known = self.index.annotations.get(name_of(one["annotation"]))
        if known is not None:
            known.fast, known.plain = len(reading.fast), len(reading.plain)
        for row in reading.rows:
            # The server does not say who was shown a prediction; the task does.
            row["prediction_shown"] = row["prediction_shown"] or one["data"].get(PREDICTION_SHOWN)
            row["annotation_id"] = f"{row['annotation_id']}@{moment(one['annotation']['updated_at'])}"
            self.rows.append(self._fitted(row, self._changed[name]) | self._not_asked[name])

    def _fitted(self, row: Json, changed: Sequence[Field]) -> Json:
        """Take an answer out whose field has since lost the value; it stays in the journal."""
        for one in changed:
            if row[one.name] is None or _allows(one, row[one.name]):
                continue
            self.quarantine.append(
                {
                    "source": ORIGIN,
                    "file": f"annotation {row['annotation_id']}",
                    "row": 0,
                    "utterance_id": row["utterance_id"],
                    "column": one.name,
                    "original": str(row[one.name]),
                    "action": "null",
                    "reason": "the schema no longer has this value",
                }
            )
            row |= {one.name: None, f"{one.name}_intensity": None, f"{one.name}_missing": "not_rated"}
        return row


def _allows(now: Field, value: object) -> bool:
    categories = getattr(now, "categories", None)
    if categories is None:
        return isinstance(value, float) and getattr(now, "low", 0.0) <= value <= getattr(now, "high", 0.0)
    return all(one in categories for one in (value if isinstance(value, list) else [value]))


_ID = re.compile(r"^([^/@]+)")


def _settled(table: pa.Table, index: Index) -> pa.Table:
    """Give every row the status that follows from all that is known; each version of a rating stands once."""
    latest = index.latest()
    last = {name: one.versions[-1] for name, one in index.annotations.items()}
    statuses: list[str] = []
    first: dict[str, int] = {}
    for row, text in enumerate(table.column("annotation_id").to_pylist()):
        first.setdefault(text, row)
        name = _ID.match(text)[1]  # type: ignore[index]
        made = text.rpartition("@")[2]
        counts = name in latest and last[name][0] == made
        kind = RatingStatus.SKIPPED if counts and last[name][1] else RatingStatus.SUBMITTED
        statuses.append(str(kind if counts else RatingStatus.SUPERSEDED))
    place = table.column_names.index("status")
    table = table.set_column(place, table.schema.field("status"), pa.array(statuses, pa.string()))
    return table.take(pa.array(sorted(first.values())))


def in_utterance_order(project: Project, table: pa.Table) -> pa.Table:
    """Bring rows into utterance order, and the ratings of an utterance into that of their making."""
    ids = (
        read_table(project.path(folder.UTTERANCES), ["utterance_id"]).column("utterance_id").combine_chunks()
    )
    known = table.filter(pc.is_in(table.column("utterance_id"), value_set=ids))
    place = pc.index_in(known.column("utterance_id"), value_set=ids)
    keys = pa.table(
        {
            "place": place,
            "created": known.column("created"),
            "updated": known.column("updated"),
            "id": known.column("annotation_id"),
        }
    )
    order = [(name, "ascending") for name in keys.column_names]
    return known.take(pc.sort_indices(keys, sort_keys=order))
