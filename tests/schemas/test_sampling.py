"""Drawn corpora: whole, valid, the same for the same seed, and with everything that may occur."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from schemas import InputError, LabelSchema, load_schema, records
from schemas.answer_sampling import draw_answers
from schemas.definition import shipped_definitions
from schemas.fields import CategoricalField, Flag, IntervalField, Missing, MultilabelField, RelationField
from schemas.project import DIALOGUES, RATERS, SPEAKERS, SPLITS, UTTERANCES
from schemas.records import Condition, Context, RatingStatus, annotations_schema, labels_schema
from schemas.sampling import ANNOTATIONS, BATCH, LABELS, SHOW, draw_batches, draw_corpus
from schemas.validation import RATING_REASONS, validate_answers

AFFECT = load_schema("affect")


@pytest.fixture(scope="module")
def corpus() -> dict[str, pa.Table]:
    """Return 130 dialogues in the affect schema."""
    return draw_corpus(AFFECT, 130, 11)


@pytest.mark.parametrize("name", shipped_definitions())
def test_every_table_has_its_declared_schema_and_valid_answers(name: str) -> None:
    schema = load_schema(name)
    drawn = draw_corpus(schema, 70, 3)
    declared = {
        DIALOGUES: records.DIALOGUES,
        UTTERANCES: records.UTTERANCES,
        SPEAKERS: records.SPEAKERS,
        RATERS: records.RATERS,
        SPLITS: records.SPLITS,
        LABELS: labels_schema(schema),
        ANNOTATIONS: annotations_schema(schema),
    }
    assert drawn.keys() == declared.keys()
    for path, table in drawn.items():
        table.validate(full=True)
        assert table.schema.equals(declared[path]), path
        for column in declared[path]:
            assert column.nullable or table[column.name].null_count == 0, (path, column.name)
    assert validate_answers(drawn[LABELS], schema, LABELS) == []
    assert validate_answers(drawn[ANNOTATIONS], schema, ANNOTATIONS, RATING_REASONS) == []
    assert validate_answers(draw_answers(schema, 300, 0), schema, "t", RATING_REASONS) == []


def test_the_seed_decides_everything() -> None:
    one, same, other = (draw_corpus(AFFECT, 12, seed) for seed in (5, 5, 6))
    assert one == same
    assert all(one[path] != other[path] for path in (UTTERANCES, LABELS, ANNOTATIONS))
    assert draw_answers(AFFECT, 50, 5) == draw_answers(AFFECT, 50, 5)
    assert draw_answers(AFFECT, 50, 5) != draw_answers(AFFECT, 50, 6)


def test_batches_are_whole_dialogues_and_together_the_corpus() -> None:
    count = 2 * BATCH + 30
    batches = list(draw_batches(AFFECT, count, 2))
    whole = draw_corpus(AFFECT, count, 2, raters=0)
    assert [batch[DIALOGUES].num_rows for batch in batches] == [BATCH, BATCH, 30]
    assert BATCH % SHOW == 0
    for path, table in whole.items():
        assert pa.concat_tables([batch[path] for batch in batches]) == table
    for batch in batches:
        assert batch[LABELS]["utterance_id"] == batch[UTTERANCES]["utterance_id"]
        own = batch[UTTERANCES]["dialogue_id"].unique().to_pylist()
        assert own == batch[DIALOGUES]["dialogue_id"].to_pylist()
    # A batch is the same in a corpus of any size.
    longer = next(iter(draw_batches(AFFECT, 5 * BATCH, 2)))
    assert longer[LABELS] == batches[0][LABELS]


def test_tables_fit_together(corpus: dict[str, pa.Table]) -> None:
    dialogues, utterances = corpus[DIALOGUES], corpus[UTTERANCES]
    for table, key in (
        (dialogues, "dialogue_id"),
        (utterances, "utterance_id"),
        (corpus[SPEAKERS], "speaker_id"),
        (corpus[RATERS], "rater"),
        (corpus[ANNOTATIONS], "annotation_id"),
    ):
        assert pc.count_distinct(table[key]).as_py() == table.num_rows
    assert utterances["dialogue_id"].unique().to_pylist() == dialogues["dialogue_id"].to_pylist()
    assert set(utterances["speaker_id"].drop_null().to_pylist()) <= set(
        corpus[SPEAKERS]["speaker_id"].to_pylist()
    )
    assert set(corpus[ANNOTATIONS]["rater"].drop_null().to_pylist()) == set(
        corpus[RATERS]["rater"].to_pylist()
    )
    assert corpus[SPLITS]["dialogue_id"] == dialogues["dialogue_id"]
    assert corpus[SPLITS]["split"] == dialogues["source_split"]
    order = {name: place for place, name in enumerate(utterances["utterance_id"].to_pylist())}
    places = [order[name] for name in corpus[ANNOTATIONS]["utterance_id"].to_pylist()]
    assert places == sorted(places)


def test_utterances_run_on_within_their_dialogue(corpus: dict[str, pa.Table]) -> None:
    rows = corpus[UTTERANCES].to_pylist()
    first: dict[str, float] = {}
    for one, following in pairwise(rows):
        if one["dialogue_id"] == following["dialogue_id"]:
            assert following["index"] == one["index"] + 1
            assert (one["start"] is None) == (following["start"] is None)
            assert one["start"] is None or following["start"] > one["start"]
            assert one["language"] == following["language"]
        else:
            assert following["index"] == 0
    for row in rows:
        first.setdefault(row["dialogue_id"], row["index"])
        assert row["text"].strip()
        assert (row["start"] is None) == (row["end"] is None) == (row["media"] is None)
        assert row["start"] is None or 0 <= row["start"] < row["end"]
        chinese = any("\u4e00" <= letter <= "\u9fff" for letter in row["text"])
        assert not (chinese and row["language"] == "en")
    assert set(first.values()) == {0}


def test_speakers_of_a_show_are_in_no_other(corpus: dict[str, pa.Table]) -> None:
    shows = dict(zip(*(corpus[DIALOGUES][name].to_pylist() for name in ("dialogue_id", "show")), strict=True))
    seen: dict[str, str] = {}
    for row in corpus[UTTERANCES].to_pylist():
        if row["speaker_id"]:
            assert seen.setdefault(row["speaker_id"], shows[row["dialogue_id"]]) == shows[row["dialogue_id"]]
    assert len(set(shows.values())) == 3
    assert any(corpus[SPEAKERS]["generic"].to_pylist())


def test_three_dialogues_cover_all_splits() -> None:
    drawn = draw_corpus(AFFECT, 3, 0, raters=0)
    assert drawn[SPLITS]["split"].to_pylist() == ["train", "validation", "test"]
    many = draw_corpus(AFFECT, 100, 0, raters=0)[SPLITS]["split"].to_pylist()
    assert {name: many.count(name) for name in many} == {"train": 80, "validation": 10, "test": 10}


def test_everything_that_may_occur_occurs(corpus: dict[str, pa.Table]) -> None:
    labels, ratings = corpus[LABELS], corpus[ANNOTATIONS]
    plain = set(Missing) - {Missing.NOT_APPLICABLE}
    for field in AFFECT:
        relation = isinstance(field, RelationField)
        expected = set(Missing) if relation else plain
        assert set(labels[f"{field.name}_missing"].drop_null().to_pylist()) == expected, field.name
        if isinstance(field, MultilabelField):
            sets = [tuple(one) for one in labels[field.name].drop_null().to_pylist()]
            assert () in sets
            assert ("neutral",) in sets
            assert max(map(len, sets)) > 2
            assert {name for one in sets for name in one} == set(field.categories)
            slots = labels[f"{field.name}_intensity"].drop_null().to_pylist()
            assert {slot for one in slots for slot in one} == {0, 1, 2, 3}
        elif isinstance(field, CategoricalField | RelationField):
            assert set(labels[field.name].drop_null().to_pylist()) == set(field.categories)
        elif isinstance(field, IntervalField):
            found = labels[field.name].drop_null().to_pylist()
            assert (min(found), max(found)) == (field.low, field.high)
    assert set(ratings["status"].to_pylist()) == set(RatingStatus)
    assert set(ratings["condition"].to_pylist()) == set(Condition)
    assert set(ratings["context"].to_pylist()) == set(Context)
    assert set(ratings["flags"].combine_chunks().flatten().to_pylist()) == set(Flag)
    assert ratings["rater"].null_count
    assert set(corpus[UTTERANCES]["language"].to_pylist()) == {"en", "zh"}
    assert corpus[UTTERANCES]["speaker_id"].null_count
    assert corpus[UTTERANCES]["start"].null_count


def test_relations_are_drawn_only_where_they_apply(corpus: dict[str, pa.Table]) -> None:
    for row in corpus[LABELS].to_pylist():
        for relation in AFFECT.relations:
            assert row[relation.name] is None or AFFECT.applies(relation, row) is True


def test_context_is_rated_by_nobody(corpus: dict[str, pa.Table]) -> None:
    utterances = corpus[UTTERANCES]
    context = set(utterances.filter(utterances["context_only"])["utterance_id"].to_pylist())
    assert context
    assert not context & set(corpus[ANNOTATIONS]["utterance_id"].to_pylist())
    for row in corpus[LABELS].to_pylist():
        for field in AFFECT:
            assert (row[f"{field.name}_missing"] == "context_only") == (row["utterance_id"] in context)


def test_soft_labels_are_probabilities_whose_largest_is_the_answer(corpus: dict[str, pa.Table]) -> None:
    for row in corpus[LABELS].to_pylist():
        for field in AFFECT:
            rated = row[field.name] is not None or row[f"{field.name}_missing"] == "undecided"
            assert (row[f"{field.name}_raters"] > 0) == rated
            assert (row[f"{field.name}_agreement"] is not None) == rated
            if isinstance(field, IntervalField):
                assert (row[f"{field.name}_sd"] is not None) == rated
                continue
            soft = row[f"{field.name}_soft"]
            assert (soft is not None) == rated
            if row[field.name] is None:
                continue
            assert isinstance(field, CategoricalField | RelationField)
            assert len(soft) == len(field.categories)
            assert all(0 <= one <= 1 for one in soft)
            if isinstance(field, MultilabelField):
                chosen = [name for name, one in zip(field.categories, soft, strict=True) if one >= 0.5]
                assert chosen == row[field.name]
            else:
                assert sum(soft) == pytest.approx(1, abs=1e-5)
                assert field.categories[int(np.argmax(soft))] == row[field.name]


def test_superseded_ratings_have_a_later_one_by_the_same_rater(corpus: dict[str, pa.Table]) -> None:
    rows = corpus[ANNOTATIONS].to_pylist()
    key = ("utterance_id", "rater", "condition", "context", "round")
    for one, following in pairwise(rows):
        same = all(one[name] == following[name] for name in key)
        if one["status"] == "superseded":
            assert same
            assert following["status"] != "superseded"
            assert following["created"] > one["updated"]
        elif one["rater"] is not None:
            assert not same
        if one["status"] == "skipped":
            assert all(one[field.name] is None for field in AFFECT)


def test_raters_agree_more_than_by_chance(corpus: dict[str, pa.Table]) -> None:
    by_item: dict[str, list[str]] = {}
    for row in corpus[ANNOTATIONS].to_pylist():
        if row["sentiment"] is not None:
            by_item.setdefault(row["utterance_id"], []).append(row["sentiment"])
    pairs = [one == other for found in by_item.values() for one, other in pairwise(found)]
    assert np.mean(pairs) > 0.5  # by chance 1/3


def test_one_language_or_none_that_is_known() -> None:
    drawn = draw_corpus(AFFECT, 5, 0, languages=("zh",), raters=0)
    assert set(drawn[DIALOGUES]["language"].to_pylist()) == {"zh"}
    with pytest.raises(InputError, match="there are no words of this language, got 'fr'; valid: en, zh"):
        draw_corpus(AFFECT, 5, 0, languages=("en", "fr"))
    with pytest.raises(InputError, match="name at least one language"):
        draw_corpus(AFFECT, 5, 0, languages=())


def test_no_dialogues_are_empty_tables() -> None:
    drawn = draw_corpus(AFFECT, 0, 0)
    assert drawn[LABELS].schema.equals(labels_schema(AFFECT))
    assert drawn[UTTERANCES].num_rows == 0
    assert draw_answers(AFFECT, 0, 0).num_rows == 0


def test_a_field_of_the_schema_is_drawn_without_more() -> None:
    shorter = LabelSchema("s", "1", AFFECT.title, AFFECT.description, None, AFFECT.fields[:3], "")
    assert "humor" not in draw_corpus(shorter, 3, 0)[LABELS].column_names
    assert "humor" in draw_corpus(AFFECT, 3, 0)[LABELS].column_names
