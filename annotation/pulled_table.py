"""The table of ratings that were pulled: derived from the journal, under pseudonyms and the project's schema.

A row for every version of every rating of an utterance, in utterance order. Of each person and task, the
version changed last counts (``submitted`` or ``skipped``); all others are ``superseded``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from annotation.client import Json
from annotation.pulled import FOLDER, Index, News, digest, moment, name_of, prediction_shown, write_journal
from annotation.results import ResultReader
from annotation.roster import ORIGIN, Accounts
from annotation.rounds import REPEAT, TRAINING, Round, schema_of
from schemas import project as folder
from schemas import records
from schemas.errors import Issue
from schemas.fields import Field, Missing
from schemas.project import Project
from schemas.records import RatingStatus
from schemas.round_settings import RoundKind
from schemas.tables import ROW_GROUP, concat, content_hash, from_rows, read_table, write_table
from schemas.validation import RATING_REASONS, validate_answers

TABLE = f"annotations/{ORIGIN}.parquet"
COMMAND = "annotation pull"
VERSION = 1


def made_from(project: Project) -> str:
    """Return what the table depends on besides ratings; quick, so that a pull without news is."""
    parts = (VERSION, *(content_hash(project.path(name)) for name in (folder.SCHEMA, folder.UTTERANCES)))
    return " ".join(map(str, parts))


def tables(rounds: Sequence[Round]) -> list[str]:
    """Return the tables derived from the journal: the ratings, and apart from them those of training."""
    return [TABLE, *([TRAINING] if any(one.kind is RoundKind.TRAINING for one in rounds) else [])]


@dataclass(frozen=True)
class Written:
    """What was written.

    Attributes:
        rows: Rows of the table.
        quarantined: Results that could not be taken, of those read now.
        faults: What does not fit the schema in the table.
        aside: Where a table was put of which the journal lacks rows; None where there was none.
    """

    rows: int
    quarantined: int
    faults: list[Issue]
    aside: str | None = None


def is_stale(project: Project, rounds: Sequence[Round], index: Index, depends_on: str) -> bool:
    """Say whether the tables are not those that follow from the journal.

    That is so where one is lacking, schema or utterances have changed, or table and journal are not of the
    same pull: one of them was restored from a backup.
    """
    names = tables(rounds)
    standing = {name: digest(project.path(name)) for name in names if project.has(name)}
    if not index.annotations:
        return standing != index.tables
    return index.made_from != depends_on or any(
        standing.get(one) != index.tables.get(one, "") for one in names
    )


def write_ratings(project: Project, reader: Reader, index: Index, news: News, *, rebuild: bool) -> Written:
    """Bring journal, index, table and quarantine to what is known now, all together or not at all.

    Args:
        project: The project.
        reader: What has read the news; for new tables the journal as well.
        index: What is known now of all annotations.
        news: Versions of annotations that the journal does not hold yet.
        rebuild: Write new tables instead of adding to those that stand.
    """
    arrow = records.annotations_schema(project.schema)
    names = tables(reader.rounds)
    standing = [read_table(project.path(name)) for name in names if project.has(name) and not rebuild]
    whole = in_utterance_order(project, _settled(concat([*standing, *reader.tables()], arrow), index))
    in_training = _in_training(whole, reader.rounds)
    training, table = whole.filter(in_training), whole.filter(pc.invert(in_training))
    quarantine = records.QUARANTINE.empty_table()
    if project.has(folder.QUARANTINE):
        quarantine = read_table(project.path(folder.QUARANTINE))
        if rebuild:
            quarantine = quarantine.filter(pc.not_equal(quarantine.column("source"), ORIGIN))
    provenance = project.provenance(COMMAND, VERSION, [folder.SCHEMA, folder.UTTERANCES])
    aside = None
    with project.writing(COMMAND) as staging:
        if rebuild:
            aside = _set_aside(project, staging, index)
        write_table(staging / TABLE, table, arrow, provenance)
        if TRAINING in names:
            write_table(staging / TRAINING, training, arrow, provenance)
            (staging / TRAINING).chmod(0o600)
        index.tables = {name: digest(staging / name) for name in names}
        write_journal(staging, index, news)
        if reader.quarantine or rebuild:
            new = from_rows(reader.quarantine, records.QUARANTINE)
            write_table(
                staging / folder.QUARANTINE, concat([quarantine, new], records.QUARANTINE), records.QUARANTINE
            )
    faults = validate_answers(table, project.schema, TABLE, RATING_REASONS)
    return Written(table.num_rows, len(reader.quarantine), faults, aside)


def _set_aside(project: Project, staging: Path, index: Index) -> str | None:
    """Keep a table that holds ratings which the journal has not: of after the backup that was restored."""
    if not project.has(TABLE):
        return None
    known = {(name, made) for name, one in index.annotations.items() for made, _ in one.versions}
    ids = read_table(project.path(TABLE), ["annotation_id"]).column("annotation_id").to_pylist()
    if all(_version(text) in known for text in ids):
        return None
    name = f"{FOLDER}/before-{digest(project.path(TABLE))[:12]}.parquet"
    (staging / FOLDER).mkdir(mode=0o700, parents=True, exist_ok=True)
    (staging / name).write_bytes(project.path(TABLE).read_bytes())
    (staging / name).chmod(0o600)
    return name


class _RoundReader:
    """How the ratings of one round are read.

    Attributes:
        raters: Pseudonyms by the server's numbers of accounts.
        results: Reads annotations by the schema of the round's pages.
        changed: Fields whose definition has changed since.
        not_asked: Columns of the fields that the round does not ask.
    """

    def __init__(self, project: Project, made: Round, accounts: Accounts) -> None:
        asked = schema_of(project, made)
        self.raters = accounts.pseudonym_of_user(made.server)
        self.results = ResultReader(asked, ORIGIN)
        self.changed = [one for one in project.schema if one.name in asked and asked[one.name] != one]
        self.not_asked = {
            f"{one.name}_missing": str(Missing.NOT_RATED) for one in project.schema if one.name not in asked
        }


class Reader:
    """Reads journal records into tables under the project's schema.

    Attributes:
        rounds: The rounds of the project.
        quarantine: What could not be taken.
    """

    def __init__(self, project: Project, rounds: Sequence[Round], accounts: Accounts, index: Index) -> None:
        self.rounds = rounds
        self.quarantine: list[Json] = []
        self._project, self._accounts, self._index = project, accounts, index
        self._readers: dict[str, _RoundReader] = {}
        self._arrow = records.annotations_schema(project.schema)
        self._rows: list[Json] = []
        self._tables: list[pa.Table] = []

    def _of(self, name: str) -> _RoundReader:
        """Return what reads a round, made at its first rating: a pull without news needs none."""
        if name not in self._readers:
            [made] = [one for one in self.rounds if one.name == name]
            self._readers[name] = _RoundReader(self._project, made, self._accounts)
        return self._readers[name]

    def read(self, one: Json) -> None:
        """Read one version of an annotation."""
        annotation, data, user = one["annotation"], one["data"], int(one["user"])
        of_round = self._of(str(one["round"]))
        rater = of_round.raters.get(user, f"{ORIGIN}:u{user}")
        reading = of_round.results.read(annotation, data, rater=rater)
        self.quarantine += reading.quarantine
        version = moment(annotation["updated_at"])
        known = self._index.annotations.get(name_of(annotation))
        if known is not None and known.versions[-1][0] == version:
            known.fast, known.plain = list(reading.fast), len(reading.plain)
        for row in reading.rows:
            # The server does not say who was shown a prediction; the task does.
            row["prediction_shown"] = row["prediction_shown"] or prediction_shown(data, row["utterance_id"])
            row["annotation_id"] = f"{row['annotation_id']}@{version}"
            self._rows.append(self._fitted(row, of_round.changed) | of_round.not_asked)
        if len(self._rows) >= ROW_GROUP:
            self._pack()

    def _pack(self) -> None:
        """Make a table of the rows: as Python objects, many fill the memory."""
        self._tables.append(from_rows(self._rows, self._arrow))
        self._rows = []

    def tables(self) -> list[pa.Table]:
        """Return what was read."""
        self._pack()
        return self._tables

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


def _in_training(table: pa.Table, rounds: Sequence[Round]) -> pa.ChunkedArray:
    """Say of every row whether it is of a training round."""
    names = [one.name for one in rounds if one.kind is RoundKind.TRAINING]
    training = pa.array([*names, *(f"{name}{REPEAT}" for name in names)], pa.string())
    return pc.fill_null(pc.is_in(table.column("round"), value_set=training), False)


_ID = re.compile(r"^([^/@]+)")


def _version(text: str) -> tuple[str, str]:
    """Return which annotation a row is of, and when that version of it was made."""
    return _ID.match(text)[1], text.rpartition("@")[2]  # type: ignore[index]


def _settled(table: pa.Table, index: Index) -> pa.Table:
    """Give every row the status that follows from all that is known; each version of a rating stands once."""
    latest = index.latest()
    last = {name: one.versions[-1] for name, one in index.annotations.items()}
    statuses: list[str] = []
    first: dict[str, int] = {}
    for row, text in enumerate(table.column("annotation_id").to_pylist()):
        first.setdefault(text, row)
        name, made = _version(text)
        counts = name in latest and last[name][0] == made
        kind = RatingStatus.SKIPPED if counts and last[name][1] else RatingStatus.SUBMITTED
        statuses.append(str(kind if counts else RatingStatus.SUPERSEDED))
    place = table.column_names.index("status")
    table = table.set_column(place, table.schema.field("status"), pa.array(statuses, pa.string()))
    return table.take(pa.array(sorted(first.values()), pa.int64()))


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
