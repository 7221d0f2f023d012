"""The simulated raters behave as documented: observed answers match the published probabilities."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from statistics import NormalDist

import numpy as np
import pyarrow as pa
import pytest

from corpus.sample.raters import RATERS, confusion, intensity_confusion, simulate, value_rates
from corpus.sample.truths import answers
from schemas import InputError, load_schema
from schemas.fields import AppliesWhen, MultilabelField, NominalField, RelationField, Text, Value
from schemas.records import answer_columns
from schemas.validation import RATING_REASONS, validate_answers
from tests.handwritten import DIALOGUES

AFFECT = load_schema("affect")
SINGLE = [field for field in AFFECT if not isinstance(field, MultilabelField)]
TRUTHS = [
    utterance["truth"]
    for line in DIALOGUES.read_text("utf-8").splitlines()
    for utterance in json.loads(line)["utterances"]
]
# Repeated item by item, so that every truth is spread evenly over the session of the drifting rater.
REPEATED = TRUTHS * 30
each_rater = pytest.mark.parametrize("rater", RATERS, ids=lambda rater: rater.name)


@pytest.fixture(scope="module")
def ratings():
    rows = simulate(REPEATED, AFFECT, seed=7)
    return {rater.name: [row for row in rows if row["rater"] == rater.name] for rater in RATERS}


def with_fields(schema, *fields):
    return replace(schema, fields=(*schema.fields, *fields))


def nominal(name, *values):
    text = Text(en=name, zh=name)
    return NominalField(
        name, text, text, text, (values[0],), tuple(Value(one, Text(one, one)) for one in values)
    )


def counts_of(field, rows):
    """Observed answers by truth, shape (truth, answer), and how often each truth was answered."""
    place = {answer: position for position, answer in enumerate(answers(field))}
    counts = np.zeros((len(place), len(place)))
    for truth, row in zip(REPEATED, rows, strict=True):
        if row[field.name] is not None:
            true = 0 if truth[field.name] is None else truth[field.name]
            counts[place[true], place[row[field.name]]] += 1
    return counts


def assert_within_sampling_error(observed, expected, size):
    """Some thousand cells together stay within 4.5 of their binomial standard errors."""
    error = np.sqrt(expected * (1 - expected) / np.maximum(size, 1))
    assert np.all(np.abs(observed - expected) <= 4.5 * error + 2 / np.maximum(size, 1))


@each_rater
@pytest.mark.parametrize("field", SINGLE, ids=lambda field: field.name)
def test_observed_confusion_is_the_documented_one(rater, field, ratings):
    counts = counts_of(field, ratings[rater.name])
    size = counts.sum(axis=1, keepdims=True)
    documented = confusion(rater, field)
    np.testing.assert_allclose(documented.sum(axis=1), 1)
    assert (documented >= 0).all()
    seen = size[:, 0] >= 60
    assert seen.sum() >= 2
    assert_within_sampling_error((counts / np.maximum(size, 1))[seen], documented[seen], size[seen])


@each_rater
def test_observed_set_rates_are_the_documented_ones(rater, ratings):
    field = AFFECT["emotion"]
    for name, rates in value_rates(rater, field).items():
        for is_true, rate in enumerate(rates):
            marked = [
                name in row["emotion"]
                for truth, row in zip(REPEATED, ratings[rater.name], strict=True)
                if row["emotion"] is not None and (name in truth["emotion"]) == bool(is_true)
            ]
            assert_within_sampling_error(np.mean(marked), np.float64(rate), len(marked))


@each_rater
def test_observed_intensities_are_the_documented_ones(rater, ratings):
    field = AFFECT["emotion"]
    counts = np.zeros((3, 3))
    for truth, row in zip(REPEATED, ratings[rater.name], strict=True):
        for name in row["emotion"] or ():
            if name not in field.exclusive:
                slot = row["emotion_intensity"][field.categories.index(name)]
                counts[truth["emotion"].get(name, 1) - 1, slot - 1] += 1
    size = counts.sum(axis=1, keepdims=True)
    assert_within_sampling_error(counts / size, intensity_confusion(rater, field), size)


def test_the_careful_rater_has_the_documented_accuracy():
    assert confusion(RATERS[0], AFFECT["sarcasm"]).diagonal() == pytest.approx(0.92)
    assert confusion(RATERS[0], AFFECT["sentiment"]).diagonal().mean() == pytest.approx(0.92, abs=0.02)


def test_tables_worked_out_by_hand():
    normal = NormalDist()
    careful, reserved, tired = RATERS[0], RATERS[1], RATERS[3]
    # Three values lie at 0, 1/2 and 1, the thresholds at 1/4 and 3/4.
    middle = normal.cdf(0.25 / careful.noise) - normal.cdf(-0.25 / careful.noise)
    assert confusion(careful, AFFECT["sentiment"])[1, 1] == pytest.approx(middle)
    # A truth of 1 is felt as 1/2 + 0.7 / 2 = 0.85 by a rater who avoids the ends.
    top = 1 - normal.cdf((0.75 - 0.85) / reserved.noise)
    assert confusion(reserved, AFFECT["sentiment"])[2, 2] == pytest.approx(top)
    # 15% none without looking, then 90% accurate.
    assert confusion(reserved, AFFECT["humor"]) == pytest.approx(np.array([[0.915, 0.085], [0.235, 0.765]]))
    # 30% of a session is guessed, half of it rightly.
    assert confusion(tired, AFFECT["humor"])[0, 0] == pytest.approx(0.7 * 0.9 + 0.3 / 2)
    assert value_rates(tired, AFFECT["emotion"])["joy"] == pytest.approx(
        (0.7 * 0.03 + 0.075, 0.7 * 0.85 + 0.075)
    )


def test_the_second_rater_prefers_neutral(ratings):
    def share(rater):
        given = [row["sentiment"] for row in ratings[rater] if row["sentiment"]]
        return given.count("neutral") / len(given)

    assert share("r2") > share("r1") + 0.08
    assert share("r2") > share("r3") + 0.08


def test_the_third_rater_misses_sarcasm_and_only_that(ratings):
    def recall(field, present):
        hits = [
            row[field] == present
            for truth, row in zip(REPEATED, ratings["r3"], strict=True)
            if truth[field] == present and row[field] is not None
        ]
        return np.mean(hits)

    assert confusion(RATERS[2], AFFECT["sarcasm"])[1] == pytest.approx([0.85, 0.15])
    assert recall("sarcasm", "sarcastic") == pytest.approx(0.15, abs=0.04)
    assert recall("humor", "humorous") > 0.85


def test_the_fourth_rater_gets_worse_over_the_session(ratings):
    rows, part = ratings["r4"], len(REPEATED) // 4
    quarters = []
    for start in range(0, 4 * part, part):
        span = range(start, start + part)
        right = [rows[item]["humor"] == REPEATED[item]["humor"] for item in span if rows[item]["humor"]]
        quarters.append(np.mean(right))
    assert quarters == sorted(quarters, reverse=True)
    assert quarters[0] > 0.84
    assert quarters[-1] < 0.74


def test_the_fifth_rater_tells_almost_nothing(ratings):
    """Mutual information of answer and truth, as a share of the truth's entropy."""

    def told(joint):
        joint = joint / joint.sum()
        truth, answer = joint.sum(axis=1, keepdims=True), joint.sum(axis=0, keepdims=True)
        there = joint > 0
        information = (joint[there] * np.log2(joint[there] / (truth * answer)[there])).sum()
        return information / -(truth * np.log2(truth)).sum()

    for field in (AFFECT["sarcasm"], AFFECT["humor"], AFFECT["sentiment"]):
        assert told(counts_of(field, ratings["r5"])) < 0.05
        assert told(counts_of(field, ratings["r1"])) > 0.3
        assert told(confusion(RATERS[4], field)) < 0.05


@each_rater
def test_missing_shares(rater, ratings):
    rows = ratings[rater.name]
    for field in ("sentiment", "emotion", "valence"):
        reasons = [row[f"{field}_missing"] for row in rows]
        for reason, share in (("not_rated", rater.not_rated), ("cannot_tell", rater.cannot_tell)):
            observed = np.float64(reasons.count(reason) / len(rows))
            assert_within_sampling_error(observed, np.float64(share), len(rows))


def test_all_ratings_are_valid_answers(ratings):
    rows = [row for one in ratings.values() for row in one]
    columns = pa.schema([column for field in AFFECT for column in answer_columns(field)])
    table = pa.Table.from_pylist(rows, schema=columns)
    assert validate_answers(table, AFFECT, "simulated", RATING_REASONS) == []
    assert all(row["emotion"] != [] for row in rows), "a rater who marks nothing answers neutral"
    assert all(row["seconds"] > 0 for row in rows)


def test_relations_are_asked_by_the_raters_own_answers(ratings):
    seen = set()
    for row in (row for one in ratings.values() for row in one):
        for relation in AFFECT.relations:
            asked = AFFECT.applies(relation, row)
            reason = row[f"{relation.name}_missing"]
            assert (row[relation.name] is None) == (reason is not None)
            assert (reason == "not_applicable") == (asked is False)
            if asked is None:
                parts = [row[f"{part}_missing"] for part in (relation.source, relation.target)]
                assert reason in parts
            seen.add(asked)
    assert seen == {True, False, None}


def test_rows_come_item_by_item():
    rows = simulate(TRUTHS[:3], AFFECT, seed=0)
    names = [rater.name for rater in RATERS]
    assert [(row["item"], row["rater"]) for row in rows] == [
        (item, name) for item in range(3) for name in names
    ]
    expected = {column.name for field in AFFECT for column in answer_columns(field)}
    assert all(set(row) == expected | {"item", "rater", "seconds"} for row in rows)
    assert simulate([], AFFECT, seed=0) == []


def test_same_seed_same_ratings_on_every_machine():
    text = json.dumps(simulate(TRUTHS, AFFECT, seed=2024), sort_keys=True)
    assert text == json.dumps(simulate(TRUTHS, AFFECT, seed=2024), sort_keys=True)
    assert text != json.dumps(simulate(TRUTHS, AFFECT, seed=2025), sort_keys=True)
    # Changes with the truths and the raters, never with the machine.
    names = ("sentiment", "emotion", "emotion_intensity", "sarcasm", "valence", "emotion_sentiment")
    answered = [[row[name] for name in names] for row in simulate(TRUTHS, AFFECT, seed=2024)]
    assert (
        hashlib.sha256(json.dumps(answered).encode()).hexdigest()
        == "e9bf84bd9b495e71cfbc5069d35b31c437db5d4d7e8dac1341b03cbf095b6917"
    )


def test_an_added_field_is_rated_and_changes_no_other_answer():
    pride = nominal("pride", "absent", "slight", "strong")
    text = Text("", "")
    values = tuple(Value(str(value), text) for value in range(-2, 3))
    relation = RelationField(
        "pride_humor", text, text, text, (), "pride", "humor", -2, 2, AppliesWhen.ALWAYS, values
    )
    emotions = AFFECT["emotion"]
    tone = replace(emotions, name="tone", exclusive=(), intensity=None, absent=())
    wider = with_fields(AFFECT, pride, relation, tone)
    before, after = simulate(TRUTHS, AFFECT, seed=1), simulate(TRUTHS, wider, seed=1)
    for old, new in zip(before, after, strict=True):
        assert all(new[name] == value for name, value in old.items() if name != "seconds")
    assert {row["pride"] for row in after} == {None, *pride.categories}
    assert {row["pride_humor"] for row in after} == {None, *range(-2, 3)}
    assert "tone_intensity" not in after[0]
    assert [] in [row["tone"] for row in after], "without an exclusive value nothing marked is the empty set"
    columns = pa.schema([column for field in wider for column in answer_columns(field)])
    table = pa.Table.from_pylist(after, schema=columns)
    assert validate_answers(table, wider, "simulated", RATING_REASONS) == []
    careful = [(new["pride"], other["pride"]) for new, other in zip(after[0::5], after[2::5], strict=True)]
    assert np.mean([one == two for one, two in careful]) > 0.7, "the raters see the same plausible truth"


@pytest.mark.parametrize("name", ["cmma", "meld", "iemocap", "mosei", "ch-sims", "mustard", "emobank"])
def test_every_kind_of_schema_can_be_rated(name):
    schema = load_schema(name)
    rows = simulate([{}] * 50, schema, seed=3)
    columns = pa.schema([column for field in schema for column in answer_columns(field)])
    table = pa.Table.from_pylist(rows, schema=columns)
    assert validate_answers(table, schema, "simulated", RATING_REASONS) == []


def test_wrong_truths_are_all_named():
    wrong = [
        {"sentiment": "cheerful"},
        {"emotion": {"neutral": 1, "joy": 1}, "valence": 12.0},
        {"emotion": {"joy": 9}, "emotion_sentiment": 3},
    ]
    with pytest.raises(InputError) as caught:
        simulate(wrong, AFFECT, seed=0)
    places = {(issue.row, issue.column) for issue in caught.value.issues}
    assert places == {
        *((1, "sentiment"), (2, "emotion"), (2, "valence"), (3, "emotion"), (3, "emotion_sentiment")),
    }


def test_a_set_has_no_confusion_matrix():
    with pytest.raises(InputError, match="one answer"):
        confusion(RATERS[0], AFFECT["emotion"])
