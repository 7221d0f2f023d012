"""Splitting dialogues into train, validation and test."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from schemas import project as folder
from schemas.errors import InputError, Issue
from schemas.project import Project
from schemas.records import SPLIT_NAMES, SPLITS
from schemas.tables import read_table, write_table

VERSION = 1
SOURCE_SCHEME = "source"


class Unit(StrEnum):
    """What is never torn apart by a split."""

    DIALOGUE = "dialogue"
    EPISODE = "episode"
    SHOW = "show"
    SPEAKER = "speaker"


def split_project(
    project: Project,
    *,
    keep_source: bool = False,
    by: Unit = Unit.DIALOGUE,
    ratios: Sequence[float] = (0.8, 0.1, 0.1),
    seed: int = 0,
) -> pa.Table | None:
    """Write ``splits.parquet``.

    Args:
        project: The project.
        keep_source: Keep the splits that the sources were published with.
        by: Otherwise, what stays in one split; ``speaker`` keeps together all dialogues of a speaker who is
            somebody in particular.
        ratios: Shares of train, validation and test in utterances.
        seed: Seed of the assignment.

    Returns:
        The splits; None when they stand there already, made from the same dialogues.

    Raises:
        InputError: A dialogue has no published split, lacks what it is to be kept together by, or the ratios
            are none; all faults at once.
    """
    inputs = [
        project.require(folder.DIALOGUES, "corpus import"),
        project.require(folder.UTTERANCES, "corpus import"),
    ]
    _check_ratios(ratios)
    parameters = {"keep_source": True} if keep_source else {"by": by, "ratios": list(ratios), "seed": seed}
    names = [*(path.name for path in inputs), *([folder.SPEAKERS] if by is Unit.SPEAKER else [])]
    provenance = project.provenance("corpus split", VERSION, names, parameters)
    if project.is_current(folder.SPLITS, provenance):
        return None
    dialogues = read_table(project.path(folder.DIALOGUES))
    if keep_source:
        scheme, chosen = SOURCE_SCHEME, _source_splits(dialogues)
    else:
        scheme = f"{by}-seed{seed}"
        groups = _groups(project, dialogues, by)
        chosen = pa.array(assign(groups, _sizes(project, dialogues), ratios, seed), pa.string())
    splits = pa.table(
        {
            "dialogue_id": dialogues.column("dialogue_id"),
            "scheme": pa.array([scheme] * dialogues.num_rows),
            "fold": pa.array(np.zeros(dialogues.num_rows), pa.int16()),
            "split": chosen,
        },
        schema=SPLITS,
    )
    with project.writing("corpus split") as staging:
        write_table(staging / folder.SPLITS, splits, SPLITS, provenance)
    return splits


def parse_unit(text: str) -> Unit:
    """Read the name of a unit.

    Raises:
        InputError: There is no such unit.
    """
    if text not in list(Unit):
        raise InputError(Issue("unknown unit", "--by", value=text, choices=list(Unit)))
    return Unit(text)


def parse_ratios(text: str) -> tuple[float, ...]:
    """Read ``0.8,0.1,0.1``.

    Raises:
        InputError: These are no numbers.
    """
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise InputError(
            Issue("three numbers are expected, such as 0.8,0.1,0.1", "--ratios", value=text)
        ) from None


def summary(project: Project) -> dict[str, dict[str, int]]:
    """Count the dialogues and utterances of each split of a project."""
    splits = read_table(project.path(folder.SPLITS), ["dialogue_id", "split"])
    sizes = _sizes(project, splits)
    counts = {}
    for name in SPLIT_NAMES:
        mine = np.asarray(pc.equal(splits.column("split"), name))
        if mine.any():
            counts[name] = {"dialogues": int(mine.sum()), "utterances": int(sizes[mine].sum())}
    return counts


def _check_ratios(ratios: Sequence[float]) -> None:
    if len(ratios) != len(SPLIT_NAMES) or min(ratios) < 0 or ratios[0] <= 0 or abs(sum(ratios) - 1) > 1e-6:
        raise InputError(
            Issue(
                "the shares of train, validation and test are three numbers that add up to 1",
                value=list(ratios),
            )
        )


def _source_splits(dialogues: pa.Table) -> pa.Array:
    given = dialogues.column("source_split")
    lacking = dialogues.filter(pc.is_null(given))
    if lacking.num_rows:
        by_source = lacking.group_by("source").aggregate([([], "count_all")]).to_pylist()
        raise InputError(
            [
                Issue(
                    f"{one['count_all']} dialogues of this source were published without a split",
                    value=one["source"],
                )
                for one in by_source
            ]
        )
    return given


def _sizes(project: Project, dialogues: pa.Table) -> NDArray[Any]:
    """Return the number of utterances of each dialogue."""
    ids = read_table(project.path(folder.UTTERANCES), ["dialogue_id"]).column("dialogue_id")
    place = pc.index_in(ids, value_set=dialogues.column("dialogue_id")).to_numpy()
    return np.bincount(place, minlength=dialogues.num_rows)


def _groups(project: Project, dialogues: pa.Table, by: Unit) -> NDArray[Any]:
    """Return for each dialogue the number of the group that it must stay with."""
    if by is Unit.SPEAKER:
        return _speaker_groups(project, dialogues)
    columns = {
        Unit.DIALOGUE: ["dialogue_id"],
        Unit.EPISODE: ["source", "show", "episode"],
        Unit.SHOW: ["source", "show"],
    }[by]
    lacking = pc.sum(pc.is_null(dialogues.column(columns[-1]))).as_py()
    if lacking:
        raise InputError(
            Issue(
                f"{lacking} of {dialogues.num_rows} dialogues have no {by}; split by another unit",
                choices=list(Unit),
            )
        )
    keys = pc.binary_join_element_wise(*(pc.fill_null(dialogues.column(name), "") for name in columns), "\0")
    return np.asarray(keys.combine_chunks().dictionary_encode().indices)


def _speaker_groups(project: Project, dialogues: pa.Table) -> NDArray[Any]:
    """Join dialogues that share a speaker who is somebody in particular."""
    # scipy takes long to import, and only this needs it.
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    speakers = read_table(project.path(folder.SPEAKERS), ["speaker_id", "generic"])
    known = speakers.column("speaker_id").filter(pc.invert(speakers.column("generic")))
    utterances = read_table(project.path(folder.UTTERANCES), ["dialogue_id", "speaker_id"])
    who = pc.index_in(utterances.column("speaker_id"), value_set=known)
    somebody = pc.is_valid(who)
    rows = pc.index_in(utterances.column("dialogue_id"), value_set=dialogues.column("dialogue_id"))
    row, column = rows.filter(somebody).to_numpy(), who.filter(somebody).to_numpy()
    size = dialogues.num_rows + len(known)
    joined = coo_matrix((np.ones(len(row)), (row, column + dialogues.num_rows)), shape=(size, size))
    labels: NDArray[Any] = connected_components(joined, directed=False)[1][: dialogues.num_rows]
    return labels


def assign(groups: NDArray[Any], sizes: NDArray[Any], ratios: Sequence[float], seed: int) -> list[str]:
    """Assign groups of dialogues to splits.

    Groups are shuffled, then each goes to the split that lacks most of its share; large groups go first, so
    that they do not break the shares at the end.

    Args:
        groups: Group number of each dialogue.
        sizes: Utterances of each dialogue.
        ratios: Shares of train, validation and test.
        seed: Seed of the shuffle.

    Returns:
        The split of each dialogue.

    Raises:
        InputError: There are fewer groups than splits that ask for a share.
    """
    _, group = np.unique(groups, return_inverse=True)
    weights = np.bincount(group, weights=sizes)
    wanted = [name for name, ratio in zip(SPLIT_NAMES, ratios, strict=True) if ratio > 0]
    if len(weights) < len(wanted):
        raise InputError(
            f"{len(weights)} groups of dialogues cannot be shared among {len(wanted)} splits; split by"
            " a smaller unit, or leave a split out, as with --ratios 0.8,0,0.2"
        )
    shuffled = np.random.Generator(np.random.PCG64(seed)).permutation(len(weights))
    median = float(np.median(weights))
    order = sorted(shuffled.tolist(), key=lambda one: -max(float(weights[one]), median))
    shares = np.array([ratio for ratio in ratios if ratio > 0])
    filled = np.zeros(len(wanted))
    split_of = np.zeros(len(weights), dtype=np.int64)
    for place, one in enumerate(order):
        left = len(order) - place
        empty = np.flatnonzero(filled == 0)
        # The last groups go to splits that would stay empty.
        options = empty if len(empty) >= left else np.arange(len(wanted))
        need = shares - filled / weights.sum()
        best = options[np.argmax(need[options])]
        filled[best] += weights[one]
        split_of[one] = best
    return [wanted[number] for number in split_of[group]]
