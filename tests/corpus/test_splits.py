"""Splits keep together what belongs together, in the shares that were asked for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.splits import Unit, assign, parse_ratios, parse_unit, split_project, summary
from schemas.errors import InputError
from schemas.project import Project
from schemas.records import SPLIT_NAMES
from schemas.sampling import draw_corpus
from schemas.tables import read_table, write_table


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Return a project of 200 drawn dialogues without splits."""
    project = Project.create(tmp_path / "p", "affect")
    for name, table in draw_corpus(project.schema, 200, seed=4).items():
        if name != "splits.parquet":
            write_table(project.path(name), table, table.schema)
    return project


@given(
    sizes=st.lists(st.integers(1, 40), min_size=3, max_size=60),
    groups=st.integers(3, 20),
    seed=st.integers(0, 2**32),
)
@settings(max_examples=100, deadline=None)
def test_a_group_is_never_torn_apart_and_no_split_is_empty(sizes: list[int], groups: int, seed: int) -> None:
    group = np.arange(len(sizes)) % groups
    if len(np.unique(group)) < 3:
        return
    chosen = np.array(assign(group, np.array(sizes), (0.6, 0.2, 0.2), seed))
    for one in np.unique(group):
        assert len(set(chosen[group == one])) == 1
    assert set(chosen) == set(SPLIT_NAMES)
    assert list(chosen) == assign(group, np.array(sizes), (0.6, 0.2, 0.2), seed)


def test_the_shares_are_met(project: Project) -> None:
    split_project(project, ratios=(0.7, 0.2, 0.1), seed=3)
    counts = summary(project)
    total = sum(one["utterances"] for one in counts.values())
    shares = [counts[name]["utterances"] / total for name in SPLIT_NAMES]
    assert shares == pytest.approx([0.7, 0.2, 0.1], abs=0.01)


def test_another_seed_gives_another_split_and_the_same_seed_does_nothing(project: Project) -> None:
    first = split_project(project, seed=1)
    assert first is not None
    assert split_project(project, seed=1) is None
    second = split_project(project, seed=2)
    assert second is not None
    assert not first.column("split").equals(second.column("split"))


def test_dialogues_of_a_speaker_stay_together(project: Project) -> None:
    split_project(project, by=Unit.SPEAKER, ratios=(0.5, 0.25, 0.25))
    utterances = read_table(project.path("utterances.parquet")).to_pandas()
    splits = read_table(project.path("splits.parquet")).to_pandas().set_index("dialogue_id")["split"]
    generic = read_table(project.path("speakers.parquet")).to_pandas().set_index("speaker_id")["generic"]
    known = utterances[~utterances["speaker_id"].map(generic).fillna(True).astype(bool)]
    assert len(known) > 100
    assert known.groupby("speaker_id")["dialogue_id"].agg(lambda ids: len(set(splits[ids]))).max() == 1


@pytest.mark.parametrize("unit", [Unit.SHOW, Unit.EPISODE])
def test_dialogues_of_a_show_or_episode_stay_together(project: Project, unit: Unit) -> None:
    dialogues = read_table(project.path("dialogues.parquet")).to_pandas()
    if dialogues[str(unit)].isna().any():
        with pytest.raises(InputError, match=f"have no {unit}"):
            split_project(project, by=unit)
        return
    split_project(project, by=unit)
    splits = read_table(project.path("splits.parquet")).to_pandas()["split"]
    keys = [dialogues["source"], dialogues["show"], *([dialogues["episode"]] if unit is Unit.EPISODE else [])]
    assert splits.groupby(keys).nunique().max() == 1


def test_a_dialogue_without_a_published_split_is_named_by_its_source(project: Project) -> None:
    dialogues = read_table(project.path("dialogues.parquet")).to_pandas()
    dialogues.loc[:2, "source_split"] = None
    schema = read_table(project.path("dialogues.parquet")).schema
    import pyarrow as pa

    write_table(project.path("dialogues.parquet"), pa.Table.from_pandas(dialogues, schema=schema), schema)
    with pytest.raises(InputError, match="published without a split"):
        split_project(project, keep_source=True)
    assert not project.has("splits.parquet")


@pytest.mark.parametrize("ratios", [(0.5, 0.5, 0.5), (1.2, -0.1, -0.1), (0.0, 0.5, 0.5), (1.0,)])
def test_ratios_that_are_none(project: Project, ratios: tuple[float, ...]) -> None:
    with pytest.raises(InputError, match="add up to 1"):
        split_project(project, ratios=ratios)


def test_words_that_are_no_ratios_or_unit() -> None:
    with pytest.raises(InputError, match="three numbers"):
        parse_ratios("a,b,c")
    with pytest.raises(InputError, match="did you mean 'speaker'"):
        parse_unit("speakers")


def test_fewer_groups_than_splits() -> None:
    with pytest.raises(InputError, match="smaller unit"):
        assign(np.zeros(5), np.ones(5), (0.8, 0.1, 0.1), 0)
