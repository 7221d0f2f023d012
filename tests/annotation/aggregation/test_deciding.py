"""From estimates to labels: medians, consistent sets, thresholds, bad input, adjudication, projects."""

from __future__ import annotations

import itertools
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotation.aggregation import (
    METHODS,
    NoteKind,
    adjudicated,
    adjudication_queue,
    aggregate,
    decide,
    decide_project,
)
from annotation.aggregation.deciding import consistent_sets
from annotation.aggregation.estimate import Scores
from annotation.aggregation.ewe import evaluator_weights, ewe_score, published_weights
from annotation.aggregation.gaussian_raters import gaussian_raters
from annotation.aggregation.mean import mean_score
from annotation.aggregation.median import median, median_score, signed_median
from annotation.aggregation.votes import Votes
from annotation.agreement.reading import read_ratings
from annotation.raters import measure_raters, project_raters
from corpus.sample.packaged import create_sample
from schemas import load_schema
from schemas.errors import InputError
from schemas.records import answer_columns, labels_schema
from schemas.tables import read_provenance, read_table, write_table
from schemas.validation import validate_answers

SCHEMA = load_schema("affect")


def ratings(rows: list[dict[str, Any]]) -> pa.Table:
    """A rating a row: utterance, rater, answers; ``FIELD: "!cannot_tell"`` is a kind of no answer."""
    columns: dict[str, pa.Array] = {
        "utterance_id": pa.array([row.get("utterance", "u") for row in rows]),
        "rater": pa.array([row.get("rater") for row in rows], pa.string()),
    }
    for one in SCHEMA:
        cells = [row.get(one.name, "!not_rated") for row in rows]
        reasons = [cell[1:] if isinstance(cell, str) and cell[0] == "!" else None for cell in cells]
        for column in answer_columns(one):
            columns[column.name] = pa.nulls(len(rows), column.type)
        values = [None if reason else cell for cell, reason in zip(cells, reasons, strict=True)]
        columns[one.name] = pa.array(values, columns[one.name].type)
        columns[f"{one.name}_missing"] = pa.array(reasons, pa.string())
    return pa.table(columns)


def votes(options: list[int], values: int, size: int) -> Votes:
    zeros = np.zeros(len(options), dtype=np.int64)
    return Votes(zeros, np.arange(len(options)), np.array(options), 1, len(options), size, values)


@pytest.mark.parametrize(
    ("options", "choice"),
    [
        ([0, 1, 2], 1),
        ([0, 0, 2], 0),
        ([0, 1], -1),
        ([1, 1, 2, 4], -1),
        ([1, 2, 2, 4], 2),
        ([5, 5, 1], 5),
        ([5, 1], -1),
        ([3], 3),
    ],
)
def test_median_of_ordered_values(options: list[int], choice: int) -> None:
    assert median(votes(options, 5, 6)).choice.tolist() == [choice]


@pytest.mark.parametrize(
    ("answers", "decided"),
    [
        ([-2, -1, -1], -1),
        ([2, 1], 1),
        ([-2, -1], -1),
        ([-2, 2], None),
        ([-1, 0, 1], None),
        ([0, 0, 2], 0),
        ([0, 1], None),
        ([2, 2, -1, 1, 1], 1),
        ([-2, -2, -2, 2], -2),
    ],
)
def test_signed_median(answers: list[int], decided: int | None) -> None:
    choice = signed_median(votes([one + 2 for one in answers], 5, 7), 2).choice.tolist()
    assert choice == [-1 if decided is None else decided + 2]


@given(st.lists(st.integers(-2, 2), min_size=1, max_size=7))
def test_signed_median_turns_with_the_scale(answers: list[int]) -> None:
    there, back = (
        signed_median(votes([sign * one + 2 for one in answers], 5, 7), 2).choice[0] for sign in (1, -1)
    )
    assert (there == back == -1) or there - 2 == 2 - back


def test_consistent_sets_are_the_most_probable_ones_of_all() -> None:
    random = np.random.default_rng(0)
    support = random.random((400, 5))  # three values, one that excludes the others, none of them
    alone = np.array([False, False, False, True])
    inside, settled = consistent_sets(support, alone)
    allowed = [
        (*chosen, False, False) for chosen in itertools.product([False, True], repeat=3) if any(chosen)
    ]
    allowed += [(False, False, False, True, False), (False, False, False, False, True)]
    members = np.array(allowed)
    for row, own, known in zip(support, inside, settled, strict=True):
        # The best set of all, where one is likelier than leaving every value out.
        scores = np.where(members, np.log(row), np.log1p(-row)).sum(axis=1)
        nothing = np.log1p(-row).sum()
        assert known == (scores.max() > nothing)
        if known:
            best = members[scores.argmax()]
            assert own.tolist() == best[:4].tolist()


def test_an_exclusive_value_stands_alone_whatever_the_method() -> None:
    random = np.random.default_rng(3)
    sets = [["joy"], ["neutral"], ["joy", "surprise"], [], ["anger"]]
    rows = [
        {"utterance": f"u{item}", "rater": f"r{rater}", "emotion": sets[random.integers(len(sets))]}
        for item in range(60)
        for rater in range(4)
    ]
    for method in METHODS:
        labels = aggregate(ratings(rows), SCHEMA, method)
        assert validate_answers(labels, SCHEMA, "labels") == [], method


def test_numbers() -> None:
    scores = Scores(
        np.array([0, 0, 0, 1, 1, 3]), np.array([0, 1, 2, 0, 1, 2]), np.array([1.0, 2, 9, 3, 4, 5]), 4, 4
    )
    assert median_score(scores).value == pytest.approx([2, 3.5, np.nan, 5], nan_ok=True)
    assert scores.mean() == pytest.approx([4, 3.5, np.nan, 5], nan_ok=True)
    for method in (ewe_score, gaussian_raters):
        found = method(scores)
        assert np.isfinite(found.value[[0, 1, 3]]).all()
        assert np.isnan(found.value[2])
        for parameter in found.raters.values():
            assert np.isnan(parameter[3])
            assert np.isfinite(parameter[:3]).all()


def test_evaluator_weights_are_the_paper_s_correlations() -> None:
    random = np.random.default_rng(4)
    value = random.normal(size=(50, 1)) + np.array([0.3, 0.8, 1.5]) * random.normal(size=(50, 3))
    item, rater = np.divmod(np.arange(150), 3)
    scores = Scores(item, rater, value.ravel(), 50, 3)
    expected = [np.corrcoef(value[:, one], value.mean(axis=1))[0, 1] for one in range(3)]
    assert published_weights(scores) == pytest.approx(expected)
    published = ewe_score(scores, as_published=True)
    assert published.value == pytest.approx(value @ expected / np.sum(expected))


def test_evaluator_weights_are_correlations_with_the_others_less_chance() -> None:
    """By hand: DerSimonian and Laird's weights of the raters' correlations on Fisher's scale."""
    random = np.random.default_rng(4)
    noise = np.array([0.3, 0.8, 1.5, 3.0])
    value = random.normal(size=(50, 1)) + noise * random.normal(size=(50, 4))
    item, rater = np.divmod(np.arange(200), 4)
    others = (value.sum(axis=1, keepdims=True) - value) / 3
    z = np.arctanh([np.corrcoef(value[:, one], others[:, one])[0, 1] for one in range(4)])
    error = 1 / 47
    between = max((((z - z.mean()) ** 2).sum() / error - 3) / ((4 - 1) / error), 0)
    expected = np.tanh(z.mean() + between / (between + error) * (z - z.mean()))
    assert between > 0
    found = evaluator_weights(Scores(item, rater, value.ravel(), 50, 4))
    assert found == pytest.approx(np.maximum(expected, 0))


def test_raters_of_few_items_weigh_as_a_typical_one() -> None:
    random = np.random.default_rng(9)
    value = random.normal(size=(60, 1)) + np.array([0.4, 0.5, 1.0, 1.0]) * random.normal(size=(60, 4))
    chosen = np.ones((60, 4), dtype=bool)
    chosen[3:, 3] = False  # three items: a correlation of three numbers says nothing
    value[:3, 3] = -value[:3, 0]
    item, rater = np.nonzero(chosen)
    scores = Scores(item, rater, value[chosen], 60, 5)
    weight = evaluator_weights(scores)
    assert weight[:3].min() < weight[3] < weight[:3].max()
    assert published_weights(scores)[3] == 0
    assert np.isnan(weight[4])
    constant = Scores(item, rater, np.where(rater == 1, 2.0, value[chosen]), 60, 5)
    assert evaluator_weights(constant)[1] == 0
    alone = Scores(np.arange(6), np.zeros(6, dtype=np.int64), np.arange(6.0), 6, 1)
    assert evaluator_weights(alone)[0] == pytest.approx(1, abs=0.01)


def test_weights_without_chance_find_the_truth_better_than_published_ones() -> None:
    gains = []
    for seed in range(20):
        random = np.random.default_rng(seed)
        truth = random.normal(size=60)
        noise = np.exp(random.normal(0, 0.6, 20))
        rater = np.argsort(random.random((60, 20)), axis=1)[:, :4].ravel()
        item = np.repeat(np.arange(60), 4)
        scores = Scores(item, rater, truth[item] + noise[rater] * random.normal(size=240), 60, 20)
        found = (ewe_score(scores), ewe_score(scores, as_published=True), mean_score(scores))
        ours, published, mean = (np.corrcoef(one.value, truth)[0, 1] for one in found)
        gains.append((ours - published, ours - mean))
    assert (np.mean(gains, axis=0) > np.std(gains, axis=0) / np.sqrt(20)).all()


def test_gaussian_raters_find_offsets_and_noise() -> None:
    random = np.random.default_rng(5)
    offset, noise = np.array([0.0, 1.0, -1.0]), np.array([0.2, 0.6, 1.2])
    truth = random.normal(5, 2, 2000)
    value = truth[:, None] + offset + noise * random.normal(size=(2000, 3))
    item, rater = np.divmod(np.arange(6000), 3)
    found = gaussian_raters(Scores(item, rater, value.ravel(), 2000, 3))
    assert found.converged
    assert found.raters["offset"] == pytest.approx(offset, abs=0.1)
    assert found.raters["noise"] == pytest.approx(noise, abs=0.15)  # drawn towards the typical
    assert np.std(found.value - truth) < 0.8 * np.std(value.mean(axis=1) - truth)


def test_items_below_the_least_agreement_keep_their_soft_label() -> None:
    rows = [{"rater": rater, "sentiment": "positive"} for rater in ("a", "b")]
    rows += [{"rater": "c", "sentiment": "negative"}]
    rows += [{"utterance": "v", "rater": "a", "sentiment": "neutral"}]
    table = ratings(rows)
    free = {row["utterance_id"]: row for row in aggregate(table, SCHEMA).to_pylist()}
    strict = {row["utterance_id"]: row for row in aggregate(table, SCHEMA, min_agreement=0.5).to_pylist()}
    assert free["u"]["sentiment"] == "positive"
    assert free["v"]["sentiment"] == "neutral"
    for name in "uv":
        assert strict[name]["sentiment"] is None
        assert strict[name]["sentiment_missing"] == "undecided"
        assert strict[name]["sentiment_soft"] == free[name]["sentiment_soft"]
    kept = aggregate(table, SCHEMA, min_agreement=1 / 3).to_pylist()[0]
    assert kept["sentiment"] == "positive"
    with pytest.raises(InputError, match="agreement is a share"):
        aggregate(table, SCHEMA, min_agreement=60)


def test_that_it_cannot_be_told_needs_agreement_too() -> None:
    """Numbers have no distance from "cannot tell": agreement of all on it is none of numbers, and decides."""
    few = ["!cannot_tell", "!cannot_tell", "positive", "negative", "neutral"]
    rows = [{"rater": f"r{place}", "sentiment": answer, "valence": "!cannot_tell", "humor": "!cannot_tell"}
            for place, answer in enumerate(few)]  # fmt: skip
    rows += [{"utterance": "v", "rater": "r0", "humor": "!cannot_tell", "valence": "!cannot_tell"}]
    several, alone = aggregate(ratings(rows), SCHEMA, min_agreement=0.5).to_pylist()
    assert several["sentiment_missing"] == "undecided"
    assert several["humor_missing"] == several["valence_missing"] == "cannot_tell"
    assert alone["humor_missing"] == alone["valence_missing"] == "undecided"
    free = aggregate(ratings(rows), SCHEMA).to_pylist()
    assert {free[0]["sentiment_missing"], *(row["humor_missing"] for row in free)} == {"cannot_tell"}


def test_cannot_tell_is_information() -> None:
    random = np.random.default_rng(6)
    rows = [
        {
            "utterance": f"u{item}",
            "rater": f"r{rater}",
            "humor": "!cannot_tell"
            if item < 15 and random.random() < 0.8
            else ("none", "humorous")[item % 2],
        }
        for item in range(60)
        for rater in range(5)
    ]
    for method in ("majority", "weighted_majority", "dawid_skene", "one_coin_dawid_skene", "mace", "glad"):
        labels = aggregate(ratings(rows), SCHEMA, method).to_pylist()
        untold = [row["humor_missing"] == "cannot_tell" for row in labels]
        assert sum(untold[:15]) >= 12, method
        assert not any(untold[15:]), method
        assert labels[0]["humor_raters"] == 5


@pytest.mark.parametrize("method", METHODS)
def test_a_soft_label_is_a_distribution_although_who_could_tell_counts_for_nothing(method: str) -> None:
    """The third rater never agrees with anybody, and is the only one who gives the last item a value."""
    given = {
        "u": ("none", "none", "humorous"),
        "v": ("humorous", "humorous", "none"),
        "w": ("!cannot_tell", "!cannot_tell", "humorous"),
    }
    rows = [
        {"utterance": utterance, "rater": rater, "humor": answer}
        for utterance, answers in given.items()
        for rater, answer in zip("abc", answers, strict=True)
    ]
    for row in aggregate(ratings(rows), SCHEMA, method).to_pylist():
        assert sum(row["humor_soft"]) == pytest.approx(1), row["utterance_id"]


@pytest.mark.parametrize("method", METHODS)
class TestBadInput:
    """Typed results, never an exception or nan."""

    def kinds(self, rows: list[dict[str, Any]], method: str, field: str) -> dict[NoteKind, tuple[str, ...]]:
        decided = decide(ratings(rows), SCHEMA, method)
        assert validate_answers(decided.labels, SCHEMA, "labels") == []
        assert decided.labels.schema.equals(labels_schema(SCHEMA))
        text = json.dumps(decided.to_dict() | {"estimates": decided.estimates()}, allow_nan=False)
        assert json.loads(text)["method"] == method
        assert all(str(note) for _, note in decided.notes())
        notes = {one.field: one.notes for one in decided.fields}[field]
        return {note.kind: note.about for note in notes}

    def test_one_rater_only(self, method: str) -> None:
        rows = [
            {"utterance": f"u{item}", "rater": "a", "humor": ("none", "humorous")[item % 2], "valence": 3.0,
             "emotion": ["joy"], "sentiment": "positive", "emotion_sentiment": 1}
            for item in range(8)
        ]  # fmt: skip
        assert self.kinds(rows, method, "humor")[NoteKind.ONE_RATER] == ("a",)
        row = aggregate(ratings(rows), SCHEMA, method).to_pylist()[1]
        assert (row["humor"], row["valence"], row["emotion"], row["emotion_sentiment"]) == (
            "humorous", 3.0, ["joy"], 1,
        )  # fmt: skip
        assert row["humor_agreement"] is None

    def test_a_rater_without_overlap(self, method: str) -> None:
        rows = [
            {"utterance": f"u{item}", "rater": rater, "humor": "none", "valence": float(item % 5 + 1)}
            for item in range(6)
            for rater in ("a", "b")
        ]
        rows += [
            {"utterance": f"x{item}", "rater": "c", "humor": "humorous", "valence": 7.0} for item in range(4)
        ]
        assert self.kinds(rows, method, "humor")[NoteKind.NO_OVERLAP] == ("c",)
        assert self.kinds(rows, method, "valence")[NoteKind.NO_OVERLAP] == ("c",)

    def test_a_value_that_nobody_used(self, method: str) -> None:
        rows = [{"rater": rater, "sentiment": "positive", "emotion": ["joy"]} for rater in "abc"]
        assert self.kinds(rows, method, "sentiment")[NoteKind.UNUSED_VALUE] == ("negative", "neutral")
        assert "joy" not in self.kinds(rows, method, "emotion")[NoteKind.UNUSED_VALUE]
        row = aggregate(ratings(rows), SCHEMA, method).to_pylist()[0]
        assert row["sentiment_soft"] == pytest.approx([0, 0, 1], abs=1e-6)

    def test_all_skipped(self, method: str) -> None:
        rows = [{"rater": "a"}, {"rater": "b", "utterance": "v"}]
        assert NoteKind.NO_ANSWERS in self.kinds(rows, method, "emotion")
        labels = aggregate(ratings(rows), SCHEMA, method).to_pylist()
        assert {row[f"{one.name}_missing"] for row in labels for one in SCHEMA} <= {
            "not_rated",
            "not_applicable",
        }

    def test_no_rows_at_all(self, method: str) -> None:
        assert NoteKind.NO_ANSWERS in self.kinds([], method, "valence")

    def test_unknown_raters(self, method: str) -> None:
        rows = [{"humor": "none", "valence": 2.0}] * 3 + [{"utterance": "v", "humor": "humorous"}]
        assert NoteKind.UNKNOWN_RATERS in self.kinds(rows, method, "humor")


def test_what_stands_in_is_said() -> None:
    decided = decide(ratings([{"rater": "a", "valence": 2.0}]), SCHEMA, "dawid_skene")
    used = {one.field: one.method for one in decided.fields}
    assert used["sentiment"] == used["emotion"] == "dawid_skene"
    assert used["valence"] == "gaussian_raters"
    assert used["emotion_sentiment"] == "signed_median"
    valence = next(one for one in decided.fields if one.field == "valence")
    assert any(note.kind is NoteKind.OTHER_METHOD for note in valence.notes)


def test_a_data_frame_is_taken_as_a_table_is() -> None:
    rows = [
        {"rater": rater, "sentiment": sentiment, "emotion": emotion, "valence": valence}
        for rater, sentiment, emotion, valence in (
            ("a", "negative", ["anger"], 2.0),
            ("b", "negative", ["anger", "disgust"], 3.0),
            ("c", "!cannot_tell", ["anger"], 2.0),
        )
    ]
    expected = decide(ratings(rows), SCHEMA).labels
    frame = ratings(rows).to_pandas()
    assert decide(frame, SCHEMA).labels.equals(expected)
    assert decide(frame.astype({"sentiment": "category", "rater": "category"}), SCHEMA).labels.equals(
        expected
    )
    named = frame[["utterance_id", "rater", *(field.name for field in SCHEMA)]]
    silent = decide(named, SCHEMA).labels  # without reasons: what is not there was not rated
    for name in ("emotion", "emotion_soft", "valence", "humor_missing"):
        assert silent.column(name).equals(expected.column(name))
    assert silent.column("sentiment_raters").to_pylist() == [2]
    assert len(measure_raters(named, SCHEMA).raters) == 3
    with pytest.raises(InputError, match="cannot be read as"):
        decide(frame.assign(valence=["two", "three", "two"]), SCHEMA)


def wrong(call: Any) -> list[str]:
    """The faults that a call is refused for."""
    with pytest.raises(InputError) as refused:
        call()
    return [str(issue) for issue in refused.value.issues]


ROWS = [
    {"rater": "a", "sentiment": "negative", "emotion": ["anger"], "valence": 2.0, "emotion_sentiment": 1},
    {"rater": "b", "sentiment": "negative", "emotion": ["anger"], "valence": 3.0, "emotion_sentiment": 2},
]


@pytest.mark.parametrize("make", [pa.Table, pd.DataFrame])
@pytest.mark.parametrize("call", [aggregate, decide, measure_raters])
def test_answers_that_the_schema_does_not_have_are_told_at_once(make: type, call: Any) -> None:
    frame = ratings([*ROWS, {"rater": "c", "utterance": "v"}]).to_pandas()
    frame["sentiment"] = ["negativ", "negative", None]
    frame["humor_missing"] = ["lost", "not_rated", "not_rated"]
    frame["emotion"] = [["anger", "rage"], ["neutral", "anger"], None]
    frame["valence"] = [0.5, 99.0, np.nan]
    frame["emotion_sentiment"] = [7, 1, None]
    given = frame if make is pd.DataFrame else pa.Table.from_pandas(frame)
    faults = wrong(lambda: call(given, SCHEMA))
    for part in (
        "the ratings, row 1, column 'sentiment': unknown value, got 'negativ'; did you mean 'negative'?",
        "row 1, column 'humor': unknown kind of no answer, got 'lost'",
        "row 1, column 'emotion': unknown value, got 'rage'",
        "row 2, column 'emotion': 'neutral' excludes all other values",
        "row 1, column 'valence': this lies outside the range 1..9, got 0.5",
        "row 2, column 'valence': this lies outside the range 1..9, got 99.0",
        "row 1, column 'emotion_sentiment': not on the scale, got 7",
    ):
        assert any(part in fault for fault in faults), (part, faults)
    assert len(faults) == 7


def test_tables_of_other_types_are_refused_with_every_column() -> None:
    frame = ratings(ROWS).to_pandas()
    mixed = frame.assign(
        valence=["two", 3.0],
        emotion=["anger|joy", ["anger"]],
        utterance_id=["u", None],
        emotion_sentiment=[1.5, 2],
    ).drop(columns=["humor", "sarcasm"])
    faults = wrong(lambda: decide(mixed, SCHEMA))
    for part in ("'humor'", "'sarcasm'", "valence: this", "emotion: this", "emotion_sentiment: this"):
        assert any(part in fault for fault in faults), (part, faults)
    assert any("row 2, column 'utterance_id': a rating is of no utterance" in fault for fault in faults)
    twice = pd.concat([frame, frame[["humor"]]], axis=1)
    assert "two columns" in wrong(lambda: decide(twice, SCHEMA))[0]
    table = ratings(ROWS)
    again = table.append_column("humor", table.column("humor"))
    assert "two columns" in wrong(lambda: decide(again, SCHEMA))[0]
    assert "agreement is a share" in wrong(lambda: decide(table, SCHEMA, "mean", "0.5"))[0]  # type: ignore[arg-type]


@pytest.mark.parametrize("given", [ROWS, None, {"utterance_id": ["u"]}, "ratings.csv"])
def test_what_is_no_table_is_refused(given: Any) -> None:
    (fault,) = wrong(lambda: aggregate(given, SCHEMA))
    assert "a pyarrow table or a pandas data frame is expected" in fault


def test_tables_of_kindred_types_are_taken() -> None:
    table = ratings(ROWS)
    expected = decide(table, SCHEMA).labels
    wide = table.set_column(
        table.column_names.index("valence"), "valence", table.column("valence").cast(pa.float64())
    )
    wide = wide.set_column(
        wide.column_names.index("sentiment"), "sentiment", wide.column("sentiment").cast(pa.large_string())
    )
    assert decide(wide, SCHEMA).labels.equals(expected)
    frame = table.to_pandas()
    frame["emotion"] = [tuple(one) for one in frame["emotion"]]
    frame["updated"] = pd.to_datetime(["2026-03-01 10:00:00.123456", "2026-03-01 11:00:00.5"])
    frame["note"] = [1, "two"]
    for one in SCHEMA:
        # Where nothing stands, nothing was rated: nobody need say so in every cell.
        frame.loc[frame[f"{one.name}_missing"] == "not_rated", f"{one.name}_missing"] = None
    assert decide(frame, SCHEMA).labels.equals(expected)


def test_what_was_superseded_may_be_of_another_schema() -> None:
    table = ratings([{"rater": "a", "sentiment": "mixed"}, *ROWS, {"rater": "c", "sentiment": "odd"}])
    status = pa.array(["superseded", "submitted", "submitted", "submitted"])
    faults = wrong(lambda: decide(table.append_column("status", status), SCHEMA))
    assert len(faults) == 1
    assert "row 4, column 'sentiment': unknown value, got 'odd'" in faults[0]
    strange = pa.array(["superseded", "done", "submitted", "skipped"])
    (fault,) = wrong(lambda: decide(table.append_column("status", strange), SCHEMA))
    assert "row 2, column 'status': unknown status, got 'done'; valid: submitted" in fault


def test_faults_of_a_project_name_file_and_row(tmp_path: Path) -> None:
    project, _ = create_sample(tmp_path / "p")
    file = "annotations/sample.parquet"
    table = read_table(project.path(file))
    cells = table.column("sentiment").to_pylist()
    row = next(place for place, cell in enumerate(cells) if cell and place > 100)
    cells[row] = "mixed"
    changed = table.set_column(
        table.column_names.index("sentiment"), table.schema.field("sentiment"), [cells]
    )
    write_table(project.path(file), changed, table.schema)
    for call in (lambda: decide_project(project), lambda: project_raters(project)):
        (fault,) = wrong(call)
        assert fault.startswith(f"{file}, row {row + 1}, column 'sentiment': unknown value, got 'mixed'")


def test_of_a_rater_who_rated_twice_the_latest_counts() -> None:
    rows = [
        {"rater": "a", "humor": "none"},
        {"rater": "a", "humor": "humorous"},
        {"rater": "b", "humor": "none"},
    ]
    table = ratings(rows)
    assert aggregate(table, SCHEMA).to_pylist()[0]["humor_soft"] == [0.5, 0.5]
    early = pa.array([2, 1, 1], pa.timestamp("ms", tz="UTC"))
    assert aggregate(table.append_column("created", early), SCHEMA).to_pylist()[0]["humor"] == "none"


def test_the_queue_puts_what_tells_most_first() -> None:
    rows = []
    for name, answers in {"even": ["none", "humorous"], "told": ["none", "!cannot_tell"]}.items():
        rows += [{"utterance": name, "rater": f"r{n}", "humor": one} for n, one in enumerate(answers)]
    spread_out = ["negative", "neutral", "positive"]
    rows += [{"utterance": "open", "rater": f"r{n}", "sentiment": one} for n, one in enumerate(spread_out)]
    rows += [{"utterance": "clear", "rater": rater, "humor": "none"} for rater in "ab"]
    rows += [
        {"utterance": "wide", "rater": rater, "valence": value} for rater, value in (("a", 1.0), ("b", 9.0))
    ]
    queue = adjudication_queue(aggregate(ratings(rows), SCHEMA, min_agreement=0.1), SCHEMA).to_pylist()
    assert [row["utterance_id"] for row in queue] == ["wide", "open", "even", "told"]
    bits = {row["utterance_id"]: row["bits"] for row in queue}
    assert bits["open"] == pytest.approx(np.log2(3))
    assert bits["even"] == bits["told"] == pytest.approx(1)
    assert bits["wide"] == pytest.approx(0.5 * np.log2(1 + 32 / 0.8**2))
    assert queue[1]["fields"] == ["sentiment"]
    assert queue[1]["agreement"] == 0


@pytest.mark.parametrize("method", ["mean", "dawid_skene"])
def test_a_number_that_half_cannot_tell_is_open_whatever_the_method(method: str) -> None:
    rows = [{"utterance": "tie", "rater": "a", "valence": 5.0}]
    rows += [{"utterance": "tie", "rater": "b", "valence": "!cannot_tell"}]
    queue = adjudication_queue(aggregate(ratings(rows), SCHEMA, method), SCHEMA).to_pylist()
    assert [(row["utterance_id"], row["bits"]) for row in queue] == [("tie", 1.0)]


def test_where_a_model_is_sure_adjudication_tells_nothing() -> None:
    """Below the least agreement and yet clear: it stands after what is open, not before it as a tie does."""
    random = np.random.default_rng(5)
    rows = []
    for item in range(120):
        truth = ("none", "humorous")[item % 2]
        other = ("humorous", "none")[item % 2]
        for rater, right in {"a": 0.98, "b": 0.98, "c": 0.98, "d": 0.5, "e": 0.5}.items():
            answer = truth if random.random() < right else other
            rows.append({"utterance": f"u{item}", "rater": rater, "humor": answer})
    decided = decide(ratings(rows), SCHEMA, "dawid_skene", min_agreement=0.7)
    queue = adjudication_queue(decided.labels, SCHEMA).to_pylist()
    soft = dict(
        zip(
            *(decided.labels.column(name).to_pylist() for name in ("utterance_id", "humor_soft")), strict=True
        )
    )
    unsure = [1 - max(soft[row["utterance_id"]]) for row in queue]
    assert len(queue) > 30
    assert min(unsure) < 1e-4 < 1e-3 < max(unsure)
    assert unsure == pytest.approx(sorted(unsure, reverse=True), abs=1e-6)
    assert queue[-1]["bits"] < 1e-3


def test_a_ruling_decides_and_says_whose_it_is() -> None:
    rows = [{"rater": "a", "humor": "none"}, {"rater": "b", "humor": "humorous"}]
    labels = aggregate(ratings(rows), SCHEMA)
    ruling = ratings([{"rater": "judge", "humor": "humorous"}])
    row = adjudicated(labels, ruling, SCHEMA).to_pylist()[0]
    assert (row["humor"], row["humor_missing"], row["decided_by"]) == ("humorous", None, "judge")
    assert row["humor_soft"] == [0.5, 0.5]
    assert row["sentiment_missing"] == "not_rated"
    assert row["decided_at"] is None, "nobody knows when"
    assert labels.to_pylist()[0]["decided_by"] is None


def moments(table: pa.Table, milliseconds: list[int]) -> pa.Table:
    """The ratings with the times at which they were given."""
    return table.append_column("updated", pa.array(milliseconds, pa.timestamp("ms", tz="UTC")))


def test_a_round_that_asks_one_field_again_leaves_the_others_as_they_were() -> None:
    whole = {"sentiment": "negative", "sarcasm": "none", "humor": "none", "valence": 2.0}
    rows = [
        {"rater": "a", **whole},
        {"rater": "b", **whole},
        {"rater": "a", "sentiment": "positive"},
        {"rater": "b", "sentiment": "positive", "sarcasm": "!cannot_tell"},
    ]
    table = moments(ratings(rows), [1, 1, 2, 2])
    for method in ("majority", "dawid_skene", "mace"):
        row = aggregate(table, SCHEMA, method).to_pylist()[0]
        assert (row["sentiment"], row["sentiment_agreement"], row["sentiment_raters"]) == ("positive", 1, 2)
        assert (row["humor"], row["humor_raters"], row["valence"]) == ("none", 2, 2.0)
        assert row["sarcasm_raters"] == 2
        assert row["sarcasm_agreement"] == 0  # one none, one that cannot be told any more
    report = measure_raters(table, SCHEMA)
    assert [one.fields["humor"].answers for one in report.raters] == [1, 1]
    assert [one.fields["sentiment"].accuracy.value for one in report.raters] == [1, 1]
    coded = read_ratings(table, SCHEMA["humor"], item="utterance_id", rater="rater", duplicates="latest")
    assert (coded.items, coded.raters) == (1, 2)


def test_of_several_rulings_the_last_on_each_field_counts() -> None:
    labels = aggregate(ratings([{"rater": "a", "humor": "none"}]), SCHEMA)
    rulings = [
        {"rater": "judge", "humor": "humorous", "sentiment": "negative"},
        {"rater": "other", "sentiment": "positive"},
        {"rater": "other", "utterance": "elsewhere", "sentiment": "neutral"},
    ]
    (row,) = adjudicated(labels, moments(ratings(rulings), [5, 6, 7]), SCHEMA).to_pylist()
    assert (row["humor"], row["sentiment"], row["decided_by"]) == ("humorous", "positive", "other")
    assert row["decided_at"] == datetime.fromtimestamp(0.006, UTC)


def test_a_project_with_adjudication(tmp_path: Path) -> None:
    project, _ = create_sample(tmp_path / "p")
    decided = decide_project(project, "dawid_skene", min_agreement=0.4)
    assert decided is not None
    account = json.loads(project.path("reports/labels-dawid_skene.json").read_text("utf-8"))
    assert account["fields"]["humor"].keys() == {"method", "converged", "iterations", "notes"}
    private = project.path("private/estimates-dawid_skene.json")
    assert private.stat().st_mode & 0o777 == 0o600
    estimates = json.loads(private.read_text("utf-8"))
    assert estimates["humor"]["humor"]["confusion"]["simulated-r1"][0][0] > 0.5
    assert "simulated-r" not in project.path("reports/labels-dawid_skene.json").read_text("utf-8")
    made_from = read_provenance(project.path("labels/dawid_skene.parquet"))
    assert made_from is not None
    assert made_from.parameters["fields"]["valence"] == "gaussian_raters"
    assert made_from.parameters["min_agreement"] == 0.4
    assert decide_project(project, "dawid_skene", min_agreement=0.4) is None

    first = adjudication_queue(decided.labels, project.schema).to_pylist()[0]["utterance_id"]
    table = read_table(project.path("annotations/sample.parquet"))
    rulings = table.slice(0, 1)
    values = {"utterance_id": first, "rater": "judge", "humor": "humorous", "humor_missing": None,
              "annotation_id": "adjudication-1"}  # fmt: skip
    then = datetime(2026, 3, 5, 8, tzinfo=UTC)
    updated = rulings.schema.field("updated")
    rulings = rulings.set_column(
        rulings.column_names.index("updated"), updated, pa.array([then], updated.type)
    )
    for name, value in values.items():
        place = rulings.column_names.index(name)
        rulings = rulings.set_column(place, rulings.schema.field(name), pa.array([value], pa.string()))
    write_table(project.path("annotations/adjudication.parquet"), rulings, table.schema)
    again = decide_project(project, "dawid_skene", min_agreement=0.4)
    assert again is not None
    row = next(one for one in again.labels.to_pylist() if one["utterance_id"] == first)
    assert (row["humor"], row["decided_by"], row["decided_at"]) == ("humorous", "judge", then)
    others = [one["decided_by"] for one in again.labels.to_pylist() if one["utterance_id"] != first]
    assert set(others) == {None}
    assert validate_answers(again.labels, project.schema, "labels") == []
