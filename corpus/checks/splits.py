"""Splits: what train, validation and test share, and what train lacks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from corpus.checks.columns import Codes, Mask, codes, examples, located, mask, read
from corpus.checks.decided import read_labels
from corpus.checks.finding import MAX_EXAMPLES, Finding, Severity
from corpus.splits import SOURCE_SCHEME
from schemas.fields import CategoricalField, MultilabelField, RelationField
from schemas.project import DIALOGUES, SPEAKERS, SPLITS, UTTERANCES, Project

TRAIN = "train"
_ORDER = (TRAIN, "validation", "dev", "test")


@dataclass(frozen=True)
class _Division:
    """One way in which the dialogues are split.

    Attributes:
        name: ``SCHEME``, with ``fold N`` where it has several; ``source`` for the published splits.
        splits: Names of the splits, train first.
        of_dialogue: Number of the split of each dialogue, -1 where it has none.
    """

    name: str
    splits: list[str]
    of_dialogue: Codes


def check_splits(project: Project, labels: str | None) -> Iterator[Finding]:
    """Check every scheme and fold of ``splits.parquet``; where there is none, the published splits.

    - ``splits.unsplit``: dialogues without a split (where any has one), and ``splits.duplicate``: dialogues
      with two rows in one fold (an error).
    - ``splits.speaker``: of the speakers of the second split, those who occur in the first one; the message
      says how many of them are generic. For information where all are.
    - ``splits.episode``, ``splits.show``: the same of episodes (of one source and show) and shows.
    - ``splits.text``: of the utterances of the second split, those whose text occurs in the first one; the
      examples are the longest such texts.
    - ``splits.class_absent``: a value of a field that occurs in another split and not in train.

    The counts are taken for each two splits, train before validation before test.

    Args:
        project: The project.
        labels: The table of decided labels, if there is one.
    """
    dialogues = read(project, DIALOGUES, "dialogue_id", "source", "show", "episode", "source_split")
    ids = dialogues.column("dialogue_id")
    published = dialogues.column("source_split")
    divisions = [one for one in _divisions(project, ids, published) if one.splits]
    if project.has(SPLITS):
        yield from _duplicates(project)
    for division in divisions:
        what = f"dialogues have no split (split {division.name!r})"
        unsplit = division.of_dialogue < 0
        yield from located("splits.unsplit", Severity.WARNING, unsplit, len(ids), what, ids, division.name)
    divisions = [division for division in divisions if len(division.splits) > 1]
    if not divisions:
        return
    place = pc.index_in(read(project, UTTERANCES, "dialogue_id").column(0), value_set=ids)
    dialogue = np.asarray(pc.fill_null(place, -1), dtype=np.int64)
    show = _joined(dialogues, "source", "show")
    episode = _joined(dialogues, "source", "show", "episode")
    speakers = codes(read(project, UTTERANCES, "speaker_id").column(0))
    generic = _generic(project, speakers[1])
    texts = codes(read(project, UTTERANCES, "text").column(0))
    for division in divisions:
        of_utterance = np.where(dialogue >= 0, division.of_dialogue[dialogue], -1)
        yield from _shared_units(division, *speakers, of_utterance, "speaker", generic)
        yield from _shared_units(division, *episode, division.of_dialogue, "episode")
        yield from _shared_units(division, *show, division.of_dialogue, "show")
        yield from _shared_texts(division, *texts, of_utterance)
        if labels is not None:
            yield from _absent_classes(project, labels, division, of_utterance)


def _divisions(project: Project, ids: pa.Array, published: pa.Array) -> Iterator[_Division]:
    if not project.has(SPLITS):
        numbers, splits = codes(published)
        yield _division(SOURCE_SCHEME, numbers, splits.to_pylist())
        return
    table = read(project, SPLITS, "dialogue_id", "scheme", "fold", "split")
    folds = (
        table.group_by(["scheme", "fold"])
        .aggregate([])
        .sort_by([("scheme", "ascending"), ("fold", "ascending")])
    )
    schemes = folds.column("scheme").to_pylist()
    for fold in folds.to_pylist():
        rows = table.filter((pc.field("scheme") == fold["scheme"]) & (pc.field("fold") == fold["fold"]))
        place = pc.index_in(ids, value_set=rows.column("dialogue_id"))
        numbers, splits = codes(rows.column("split").take(place))
        name = fold["scheme"] if schemes.count(fold["scheme"]) == 1 else "{scheme} fold {fold}".format(**fold)
        yield _division(name, numbers, splits.to_pylist())


def _division(name: str, numbers: Codes, splits: list[str]) -> _Division:
    """Number the splits anew, train first."""
    ordered = sorted(splits, key=lambda one: (_ORDER.index(one) if one in _ORDER else len(_ORDER), one))
    anew = np.array([*(ordered.index(one) for one in splits), -1])
    return _Division(name, ordered, anew[numbers])


def _duplicates(project: Project) -> Iterator[Finding]:
    table = read(project, SPLITS, "dialogue_id", "scheme", "fold")
    groups = table.group_by(table.column_names).aggregate([([], "count_all")])
    twice = mask(pc.greater(groups.column("count_all"), 1))
    what = "dialogues stand in one fold more than once"
    ids = groups.column("dialogue_id")
    yield from located("splits.duplicate", Severity.ERROR, twice, len(twice), what, ids)


def _joined(dialogues: pa.Table, *columns: str) -> tuple[Codes, pa.Array]:
    """Number the units that several columns name together; -1 where the last column is null."""
    parts = [pc.fill_null(dialogues.column(name), "") for name in columns[:-1]]
    return codes(pc.binary_join_element_wise(*parts, dialogues.column(columns[-1]), " "))


def _generic(project: Project, names: pa.Array) -> Mask:
    if not project.has(SPEAKERS):
        return np.zeros(len(names), dtype=bool)
    table = read(project, SPEAKERS, "speaker_id", "generic")
    known = table.filter(table.column("generic")).column("speaker_id")
    return mask(pc.is_in(names, value_set=known))


def _occurrence(units: Codes, size: int, split: Codes, splits: int) -> Mask:
    """Return which unit occurs in which split; shape (size, splits)."""
    occurs = np.zeros((size, splits), dtype=bool)
    both = (units >= 0) & (split >= 0)
    occurs[units[both], split[both]] = True
    return occurs


def _shared_units(
    division: _Division, units: Codes, names: pa.Array, split: Codes, kind: str, generic: Mask | None = None
) -> Iterator[Finding]:
    occurs = _occurrence(units, len(names), split, len(division.splits))
    for first, second in combinations(range(len(division.splits)), 2):
        shared = occurs[:, first] & occurs[:, second]
        count, of = int(shared.sum()), int(occurs[:, second].sum())
        if not count:
            continue
        pair = (division.splits[second], division.splits[first])
        message = f"{count:,} of the {of:,} {kind}s of {pair[0]} occur in {pair[1]} (split {division.name!r})"
        severity = Severity.INFO if kind == "show" else Severity.WARNING
        if generic is not None:
            nobody = int((shared & generic).sum())
            message += f", {nobody:,} of them nobody in particular"
            severity = Severity.INFO if nobody == count else severity
        yield Finding(
            f"splits.{kind}",
            severity,
            f"{message}.",
            count,
            of,
            _subject(division, first, second),
            examples(names, shared),
        )


def _subject(division: _Division, first: int, second: int) -> str:
    return f"{division.name}: {division.splits[first]}, {division.splits[second]}"


def _shared_texts(division: _Division, texts: Codes, names: pa.Array, split: Codes) -> Iterator[Finding]:
    occurs = _occurrence(texts, len(names), split, len(division.splits))
    for first, second in combinations(range(len(division.splits)), 2):
        inside = split == second
        count = int(occurs[texts[inside], first].sum())
        if not count:
            continue
        of = int(inside.sum())
        shared = names.filter(pa.array(occurs[:, first] & occurs[:, second]))
        order = [("length", "descending"), ("text", "ascending")]
        longest = pa.table({"text": shared, "length": pc.utf8_length(shared)}).sort_by(order)
        message = (
            f"The texts of {count:,} of the {of:,} utterances of {division.splits[second]} occur in "
            f"{division.splits[first]} (split {division.name!r})."
        )
        subject = _subject(division, first, second)
        found = tuple(longest.column("text").slice(0, MAX_EXAMPLES).to_pylist())
        yield Finding("splits.text", Severity.INFO, message, count, of, subject, found)


def _absent_classes(project: Project, labels: str, division: _Division, split: Codes) -> Iterator[Finding]:
    if TRAIN not in division.splits:
        return
    train = division.splits.index(TRAIN)
    for field in project.schema:
        table = read_labels(project, labels, field.name)
        if table is None or not isinstance(field, CategoricalField | RelationField):
            continue
        column, rows = table.column(0).combine_chunks(), split
        if isinstance(field, MultilabelField):
            rows = split[np.asarray(pc.list_parent_indices(column))]
            column = pc.list_flatten(column)
        numbers, names = codes(column)
        occurs = _occurrence(numbers, len(names), rows, len(division.splits))
        absent = names.filter(pa.array(occurs.any(axis=1) & ~occurs[:, train])).to_pylist()
        if absent:
            listed = ", ".join(map(str, absent))
            message = (
                f"{len(absent)} values of {field.name!r} do not occur in train "
                f"(split {division.name!r}): {listed}."
            )
            subject = f"{division.name}: {field.name}"
            yield Finding(
                "splits.class_absent",
                Severity.WARNING,
                message,
                len(absent),
                len(names),
                subject,
                tuple(map(str, absent[:MAX_EXAMPLES])),
            )
