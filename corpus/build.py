"""Building the dataset folder that ``datasets.load_dataset`` opens and that is published.

Everything is streamed in chunks of whole dialogues, so memory does not grow with the corpus. Parquet is
written with pyarrow under the Arrow schema of the Hugging Face features.
"""

from __future__ import annotations

import hashlib
import json
import math
import shutil
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from corpus.card import AGREEMENT, BEST_POSSIBLE, PRINTED, write_card
from corpus.chunks import CHUNK_ROWS, Chunk, chunks
from corpus.features import published, table
from corpus.hf_features import (
    annotation_features,
    default_features,
    dialogue_features,
    encoders,
    media_features,
    vector_features,
)
from corpus.media import published as recordings
from corpus.media.published import CONFIGURATION, Columns
from corpus.media.segments import Segments
from schemas import project as folder
from schemas.errors import InputError, Issue
from schemas.progress import progress
from schemas.project import DATASET, Project, Variant
from schemas.records import SPLIT_NAMES
from schemas.tables import ROW_GROUP, Provenance, TableWriter, read_provenance, row_count

VERSION = 1
SHARD_ROWS = 1_000_000
SHARD_BYTES = 1 << 30
"""A file of a dataset ends with the dialogue that reaches one of the two."""
VECTOR_GROUP, SEQUENCE_GROUP = 4_096, 128
"""Rows of a row group of features: so many are in memory."""
PROVENANCE = f"{DATASET}/provenance.json"


@dataclass(frozen=True)
class Built:
    """What was built.

    Attributes:
        rows: Rows by configuration and split.
        labels: The table of decided labels that was built; None: nobody has rated anything, all labels are
            null.
        variant: How much of the recordings is in it.
    """

    rows: dict[str, dict[str, int]]
    labels: str | None
    variant: str


def build(project: Project, variant: str | None = None) -> Built | None:
    """Build ``dataset/`` from the project's tables.

    Args:
        project: The project.
        variant: How much of the recordings goes into it, one of `Variant`; None: what ``corpus.yaml`` says.

    Returns:
        What was built; None when it stands there already, built from the same tables.

    Raises:
        InputError: A step before is missing or out of date, or the tables do not fit together.
    """
    for name, command in (
        (folder.UTTERANCES, "corpus import"),
        (folder.DIALOGUES, "corpus import"),
        (folder.SPLITS, "corpus split"),
    ):
        project.require(name, command)
    labels = _labels_built(project)
    kind = recordings.chosen(project, variant)
    features = [] if kind == Variant.POINTERS else table.names(project)
    decided = [labels] if labels else []
    _refuse_stale(project, (*decided, folder.SPLITS), features, kind)
    annotations = project.annotation_files()
    inputs = [folder.UTTERANCES, folder.DIALOGUES, folder.SPLITS, folder.SCHEMA, folder.SETTINGS]
    inputs += [name for one in features for name in published.input_files(project, one)]
    inputs += [*decided, *annotations, *_printed(project)]
    if kind != Variant.FEATURES:
        inputs += Segments(project).tables
    provenance = project.provenance("corpus build", VERSION, inputs, {"variant": kind.value})
    if _is_current(project, provenance):
        return None
    with project.writing("corpus build") as staging:
        target = staging / DATASET
        with _Configurations(target, project, kind, with_annotations=bool(annotations)) as configurations:
            about = math.ceil(row_count(project.path(folder.UTTERANCES)) / CHUNK_ROWS)
            for chunk in progress(chunks(project, labels, annotations), "building", about):
                configurations.write(chunk)
            for name in features:
                configurations.write_features(name)
        rows = configurations.rows
        digest = hashlib.sha256(provenance.to_json().encode()).hexdigest()
        write_card(project, target, rows, labels, digest, kind)
        shutil.copyfile(project.path(folder.SCHEMA), target / folder.SCHEMA)
        if project.has(BEST_POSSIBLE):
            shutil.copyfile(project.path(BEST_POSSIBLE), target / Path(BEST_POSSIBLE).name)
        (target / "provenance.json").write_text(provenance.to_json() + "\n", "utf-8")
    return Built(rows, labels, kind.value)


def _labels_built(project: Project) -> str | None:
    """Return the table of decided labels; None where nobody has rated yet, and none is named."""
    if not project.annotation_files() and not project.label_files() and not project.settings.labels:
        return None
    return project.labels_built()


def _is_current(project: Project, provenance: Provenance) -> bool:
    path = project.path(PROVENANCE)
    return path.exists() and path.read_text("utf-8").strip() == provenance.to_json()


def stale_inputs(project: Project) -> list[str]:
    """Return the inputs of the dataset that have changed since it was built, or are new on its card."""
    known = json.loads(project.path(PROVENANCE).read_text("utf-8"))["inputs"]
    new = _printed(project)
    if not any(name.startswith("labels/") for name in known):  # built before anybody had rated
        new += [*project.annotation_files(), *project.label_files()]
    return [*project.changed(known), *(name for name in new if name not in known)]


def _printed(project: Project) -> list[str]:
    """Reports that the card prints."""
    return [name for name in PRINTED if project.has(name)]


def _refuse_stale(project: Project, tables: Sequence[str], features: Sequence[str], variant: Variant) -> None:
    issues = []
    for name in tables:
        stale, provenance = project.stale_inputs(name), read_provenance(project.path(name))
        if stale and provenance:
            message = f"{name} was made before {', '.join(stale)} changed; run '{provenance.step}' again"
            issues.append(Issue(message, str(project.root)))
    if project.has(AGREEMENT):
        made_from = project.read_report(AGREEMENT, "annotation agreement", "made_from")["made_from"]
        stale = project.changed(made_from["inputs"])
        if stale:
            message = (
                f"{AGREEMENT} was made before {', '.join(stale)} changed; run '{made_from['step']}' again"
            )
            issues.append(Issue(message, str(project.root)))
    issues += [issue for name in features for issue in published.faults(project, name)]
    if variant != Variant.FEATURES:
        issues += recordings.faults(project, variant)
    if issues:
        raise InputError(issues)


class _Configurations:
    """The Parquet files of all configurations and splits, open at once."""

    def __init__(self, target: Path, project: Project, variant: Variant, *, with_annotations: bool) -> None:
        self.target = target
        self.project = project
        self.schema = project.schema
        self.codes = encoders(project.schema)
        self.arrow = {
            "default": default_features(project.schema).arrow_schema,
            "dialogues": dialogue_features(project.schema).arrow_schema,
        }
        self._media: Columns | None = None
        if variant != Variant.FEATURES:
            embedded = variant == Variant.FULL
            self.arrow[CONFIGURATION] = media_features(project.schema, embedded=embedded).arrow_schema
            self._media = Columns(project, embedded=embedded)
        if with_annotations:
            self.arrow["annotations"] = annotation_features(project.schema).arrow_schema
        self._counts: dict[str, dict[str, int]] = {name: {} for name in self.arrow}
        self._shards: dict[tuple[str, str], list[Path]] = {}
        self._writers: dict[tuple[str, str], tuple[TableWriter, int, int]] = {}
        self._row_groups = {CONFIGURATION: recordings.ROW_GROUP} if variant == Variant.FULL else {}
        self._open = ExitStack()

    def __enter__(self) -> _Configurations:
        return self

    def __exit__(self, *error: object) -> None:
        self._open.__exit__(*error)  # type: ignore[arg-type]
        if error[0] is None:
            self._name_shards()

    @property
    def rows(self) -> dict[str, dict[str, int]]:
        """Rows written, by configuration and split, in their usual order."""
        return {
            name: {split: counts[split] for split in SPLIT_NAMES if split in counts}
            for name, counts in self._counts.items()
        }

    def write(self, chunk: Chunk) -> None:
        """Write the rows of a chunk to every configuration."""
        rows = self._encode(chunk.rows)
        for number, split in enumerate(SPLIT_NAMES):
            mine = rows.filter(pa.array(chunk.split == number))
            if mine.num_rows:
                self._write("default", split, mine)
                self._write("dialogues", split, self._nested(mine))
                if self._media is not None:
                    self._write_media(self._media, split, mine)
        if chunk.ratings is not None:
            ratings = self._encode(chunk.ratings)
            for number, split in enumerate(SPLIT_NAMES):
                mine = ratings.filter(pa.array(chunk.rating_split == number))
                if mine.num_rows:
                    self._write("annotations", split, mine)

    def _write_media(self, media: Columns, split: str, rows: pa.Table) -> None:
        """Write rows with their recordings, few at a time: clips are large."""
        size = self._row_groups.get(CONFIGURATION, ROW_GROUP)
        begins = _dialogue_starts(rows)
        for first, last in zip(begins, [*begins[1:], rows.num_rows], strict=True):
            for start in range(first, last, size):
                few = rows.slice(start, min(size, last - start))
                found = media.of(few.column("utterance_id").to_pylist(), few.column("media").to_pylist())
                for name in found.column_names:
                    few = few.append_column(name, found.column(name))
                self._write(CONFIGURATION, split, few, within=start > first)

    def write_features(self, name: str) -> None:
        """Write the configuration ``features-NAME``, its rows as those of ``default``, and its recipe."""
        configuration = f"{published.PREFIX}{name}"
        sequence = published.is_sequence(self.project, name)
        self.arrow[configuration] = vector_features(sequence=sequence).arrow_schema
        self._counts[configuration] = {}
        self._row_groups[configuration] = SEQUENCE_GROUP if sequence else VECTOR_GROUP
        for rows, split in published.pieces(self.project, name):
            for number, one in enumerate(SPLIT_NAMES):
                mine = rows.filter(pa.array(split == number))
                if mine.num_rows:
                    self._write(configuration, one, mine)
        shutil.copyfile(
            table.folder_of(self.project, name) / table.RECIPE, self.target / configuration / table.RECIPE
        )

    def _encode(self, rows: pa.Table) -> pa.Table:
        """Put codes in the place of value names."""
        for column, names in self.codes.items():
            place = rows.column_names.index(column) if column in rows.column_names else -1
            if place >= 0:
                coded = _codes(rows.column(column).combine_chunks(), names, column)
                rows = rows.set_column(place, column, coded)
        return rows

    def _nested(self, rows: pa.Table) -> pa.Table:
        """Make a row a dialogue; its utterances become a list."""
        schema = self.arrow["dialogues"]
        starts = _dialogue_starts(rows)
        heads = rows.take(pa.array(starts))
        inner = schema.field("utterances").type.value_type
        columns = [rows.column(field.name).combine_chunks().cast(field.type) for field in inner]
        nested = pa.StructArray.from_arrays(columns, fields=list(inner))
        offsets = pa.array(np.r_[starts, rows.num_rows], pa.int32())
        utterances = pa.ListArray.from_arrays(offsets, nested)
        outer = {name: heads.column(name) for name in schema.names if name != "utterances"}
        return pa.table({**outer, "utterances": utterances.cast(schema.field("utterances").type)})

    def _write(self, configuration: str, split: str, rows: pa.Table, *, within: bool = False) -> None:
        """Write rows; ``within``: they go on with a dialogue, which no file cuts."""
        key = configuration, split
        writer, filled, size = self._writers.get(key, (None, 0, 0))
        if writer is None or (not within and (filled >= SHARD_ROWS or size >= SHARD_BYTES)):
            if writer is not None:
                writer.__exit__(None, None, None)
            shards = self._shards.setdefault(key, [])
            shards.append(self.target / configuration / f"{split}-{len(shards):05d}.parquet")
            row_group = self._row_groups.get(configuration, ROW_GROUP)
            writer = TableWriter(shards[-1], self.arrow[configuration], row_group=row_group)
            filled, size = 0, 0
            self._open.push(writer.__exit__)
        writer.write(rows)
        self._writers[key] = writer, filled + rows.num_rows, size + rows.nbytes
        counts = self._counts[configuration]
        counts[split] = counts.get(split, 0) + rows.num_rows

    def _name_shards(self) -> None:
        """Say in every name of how many shards it is one."""
        for (_, split), shards in self._shards.items():
            for number, path in enumerate(shards):
                path.rename(path.with_name(f"{split}-{number:05d}-of-{len(shards):05d}.parquet"))


def _dialogue_starts(rows: pa.Table) -> list[int]:
    """Return the numbers of the rows with which dialogues begin."""
    ids = rows.column("dialogue_id").combine_chunks()
    found: list[int] = np.flatnonzero(np.r_[True, np.asarray(pc.not_equal(ids[1:], ids[:-1]))]).tolist()
    return found


def _codes(column: pa.Array, names: Sequence[str], field: str) -> pa.Array:
    """Turn value names, or lists of them, into class-label codes."""
    nested = pa.types.is_list(column.type)
    flat = column.flatten() if nested else column
    codes = pc.cast(pc.index_in(flat, value_set=pa.array(names)), pa.int64())
    if codes.null_count != flat.null_count:
        wrong = flat.filter(pc.and_(pc.is_null(codes), pc.is_valid(flat)))[0].as_py()
        raise InputError(
            Issue("unknown value; 'corpus check' lists them all", column=field, value=wrong, choices=names)
        )
    if not nested:
        return codes
    lengths = pc.fill_null(pc.list_value_length(column), 0).to_numpy(zero_copy_only=False)
    offsets = pa.array(np.r_[0, np.cumsum(lengths)], pa.int32())
    return pa.ListArray.from_arrays(offsets, codes, mask=column.is_null())
