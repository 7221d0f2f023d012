"""The raters' own answers to a split: the configuration ``annotations`` of a dataset."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from baselines.data import Description, Integers, Labels, Split, Values, to_split
from baselines.dataset_files import configurations, folder_of, load_rows
from baselines.field_map import is_field_map
from schemas.fields import Field
from schemas.records import Condition

CONFIGURATION = "annotations"
UNKNOWN = -1


@dataclass(frozen=True)
class Ratings:
    """The answers of raters to the utterances of a split.

    Attributes:
        utterance: The row of each rating's utterance in the split, shape (ratings,).
        rater: The number of each rating's rater; -1 where nobody knows who it was.
        raters: Names of the raters.
        answers: Their answers by field.
        conditions: Which modalities raters were shown (`schemas.records.Condition`); None stands for ratings
            that do not say.
        contexts: How much of the dialogue they were shown (`schemas.records.Context`); None as above.
        other_conditions: Ratings that were left out, because their raters were shown one modality of several.
        simulated: Whether the raters are simulated.
    """

    utterance: Integers
    rater: Integers
    raters: tuple[str, ...]
    answers: Mapping[str, Labels]
    conditions: tuple[str | None, ...]
    contexts: tuple[str | None, ...]
    other_conditions: int
    simulated: bool

    def of(self, field: Field) -> tuple[Integers, Integers, Values]:
        """Return the answers to one field: their utterances, their raters, and the answers."""
        labels = self.answers[field.name]
        return self.utterance[labels.known], self.rater[labels.known], labels.values[labels.known]


def read_ratings(
    dataset: str | Path, description: Description, split: Split, cache_dir: Path | None = None
) -> Ratings | None:
    """Read the ratings of a split; None where the dataset has none of it.

    Where raters were shown all modalities and others only some (CH-SIMS), the former are taken.

    Args:
        dataset: A dataset folder or the name of a Hub repository.
        description: What the dataset says of itself.
        split: The split.
        cache_dir: Where ``datasets`` keeps its cache; by default its own place.

    Raises:
        InputError: The ratings are damaged, or an answer is not valid.
    """
    if is_field_map(dataset):
        return None  # a map names decided labels alone
    folder = folder_of(dataset)
    if CONFIGURATION not in configurations(dataset, CONFIGURATION):
        return None
    if folder and not any((folder / CONFIGURATION).glob(f"{split.name}-*.parquet")):
        return None  # other splits were rated, this one was not
    table = load_rows(dataset, CONFIGURATION, split.name, cache_dir).with_format("arrow")[:]
    row = pc.index_in(table.column("utterance_id"), value_set=pa.array(split.utterance_ids, pa.string()))
    table = table.append_column("row", row).filter(pc.is_valid(row))
    everything = pc.fill_null(pc.equal(table.column("condition"), Condition.FULL.value), True)
    others = table.num_rows - pc.sum(everything).as_py() if table.num_rows else 0
    if 0 < others < table.num_rows:
        table = table.filter(everything)
    else:
        others = 0
    if not table.num_rows:
        return None
    # A rating has the label columns of an utterance, so it is read as one.
    named = table.append_column("text", pa.array([""] * table.num_rows))
    named = named.append_column("speaker_id", table.column("rater"))
    rated = to_split(CONFIGURATION, named, description.schema, f"{dataset}, ratings of split {split.name}")
    raters = tuple(sorted({one for one in rated.speakers if one is not None}))
    number = {name: place for place, name in enumerate(raters)}
    return Ratings(
        np.asarray(table.column("row")).astype(np.int64),
        np.array([UNKNOWN if one is None else number[one] for one in rated.speakers], np.int64),
        raters,
        rated.labels,
        _distinct(table, "condition"),
        _distinct(table, "context"),
        others,
        # The raters of a generated corpus are part of it; elsewhere the pseudonym says so.
        bool(description.best_possible) or any(name.startswith("simulated") for name in raters),
    )


def join_ratings(parts: Sequence[Ratings]) -> Ratings | None:
    """Return ratings of the same utterances, read from several splits, as one; None without any."""
    if not parts:
        return None
    raters = tuple(sorted({name for one in parts for name in one.raters}))
    number = {name: place for place, name in enumerate(raters)}
    renumbered = [np.array([*(number[name] for name in one.raters), UNKNOWN])[one.rater] for one in parts]
    answers = {
        name: Labels(
            np.concatenate([one.answers[name].values for one in parts]),
            np.concatenate([one.answers[name].known for one in parts]),
        )
        for name in parts[0].answers
    }
    return Ratings(
        np.concatenate([one.utterance for one in parts]),
        np.concatenate(renumbered),
        raters,
        answers,
        tuple(sorted({each for one in parts for each in one.conditions}, key=str)),
        tuple(sorted({each for one in parts for each in one.contexts}, key=str)),
        sum(one.other_conditions for one in parts),
        any(one.simulated for one in parts),
    )


def _distinct(table: pa.Table, column: str) -> tuple[str | None, ...]:
    return tuple(sorted(pc.unique(table.column(column)).to_pylist(), key=str))
