from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from corpus.checks import Severity
from corpus.checks.relations import check_relations

PUBLISHED = "labels/published.parquet"
NAME = "emotion_sentiment"


def label(emotion: str | None, sentiment: str | None, value: int | None) -> dict:
    return {"emotion": emotion, "sentiment": sentiment, NAME: value}


def found_in(make, labels: list[dict], **more) -> list:
    project = make([{}] * len(labels), labels={"published": labels}, **more)
    return list(check_relations(project, PUBLISHED))


def test_without_labels_there_is_nothing_to_say(make) -> None:
    assert list(check_relations(make(), None)) == []


def test_a_relation_that_follows_its_parts_passes(make) -> None:
    labels = [label("joy", "positive", 1)] * 60 + [label("neutral", "neutral", 0)] * 40
    (told,) = found_in(make, labels)
    assert (told.check, told.severity, told.count, told.of) == (
        "relations.told_by_parts",
        Severity.INFO,
        100,
        100,
    )
    assert "60 (60%)" in told.message


def test_a_value_without_parts(make, only) -> None:
    absent = [label("neutral", "neutral", value) for value in (2, 0, -1, None)]
    labels = [*absent, label("neutral", None, 2), label("joy", "neutral", 2)]
    found = only(found_in(make, labels), "relations.rated_without_parts")
    assert (found.severity, found.count, found.of) == (Severity.WARNING, 2, 4)
    assert found.examples == ("u0", "u2")


@pytest.mark.parametrize(("original", "count"), [("0.5", 2), ("-0.5", 2), ("0", 1), ("0.0", 1), ("?", 1)])
def test_a_number_that_the_import_set_apart_was_rated(make, original: str, count: int, only) -> None:
    cell = {"utterance_id": "u1", "column": NAME, "reason": "not a value of the field", "original": original}
    other = {**cell, "column": "sarcasm_humor", "original": "2"}
    labels = [label("neutral", "neutral", 2), label("neutral", "neutral", None)]
    found = only(found_in(make, labels, quarantine=[cell, other]), "relations.rated_without_parts")
    assert (found.count, found.of) == (count, 2)


def test_what_was_set_apart_says_nothing_of_other_labels(make) -> None:
    cell = {"utterance_id": "u0", "column": NAME, "reason": "not a value of the field", "original": "2"}
    project = make([{}], labels={"majority": [label("neutral", "neutral", None)]}, quarantine=[cell])
    assert list(check_relations(project, "labels/majority.parquet")) == []


def test_a_target_without_its_source(make, only) -> None:
    labels = [label("neutral", "positive", 0), label("neutral", "neutral", 0), label("joy", "neutral", 0)]
    found = only(found_in(make, labels), "relations.target_without_source")
    assert (found.count, found.of, found.examples) == (1, 2, ("u0",))


def test_opposite_signs_of_one_combination(make, of) -> None:
    joy = [label("joy", "positive", value) for value in [1] * 30 + [-2] * 10 + [0] * 20]
    fear = [label("fear", "negative", value) for value in [1] * 25 + [-2] * 24]
    anger = [label("anger", "negative", value) for value in [1] * 55 + [-1] * 5]
    calm = [label("neutral", "negative", value) for value in [1] * 30 + [-1] * 30]
    found = of(found_in(make, joy + fear + anger + calm), "relations.opposite_signs")
    assert [(one.subject, one.count, one.of) for one in found] == [(f"{NAME}: joy + positive", 10, 60)]
    assert found[0].examples == tuple(f"u{30 + number}" for number in range(5))
    assert "10 are rated reverse" in found[0].message


def test_the_rarer_sign_may_be_the_positive_one(make, only) -> None:
    labels = [label("joy", "positive", value) for value in [-1] * 45 + [1] * 15]
    found = only(found_in(make, labels), "relations.opposite_signs")
    assert (found.count, found.examples[0]) == (15, "u45")


def test_how_far_the_parts_tell_the_value_by_a_plain_loop(make, only) -> None:
    rng = np.random.default_rng(5)
    emotions, sentiments = ["joy", "fear", "neutral", None], ["positive", "negative", "neutral", None]
    labels = [
        label(str(e) if e else None, str(s) if s else None, None if v == 3 else int(v))
        for e, s, v in zip(
            rng.choice(emotions, 300), rng.choice(sentiments, 300), rng.integers(-2, 4, 300), strict=True
        )
    ]
    known = [one for one in labels if None not in one.values()]
    by_parts: dict[tuple, Counter] = {}
    for one in known:
        by_parts.setdefault((one["emotion"], one["sentiment"]), Counter())[one[NAME]] += 1
    hits = sum(values.most_common(1)[0][1] for values in by_parts.values())
    mode = Counter(one[NAME] for one in known).most_common(1)[0][1]
    found = only(found_in(make, labels), "relations.told_by_parts", NAME)
    assert (found.count, found.of) == (hits, len(known))
    assert f"for {mode:,} (" in found.message


def test_sets_are_parts_as_they_are(make, only) -> None:
    joy = {"emotion": ["joy", "surprise"], "sentiment": "positive"}
    labels = [{**joy, NAME: value} for value in [1] * 30 + [-1] * 30]
    found = only(found_in(make, labels, schema="affect"), "relations.opposite_signs")
    assert found.subject == f"{NAME}: joy|surprise + positive"
    empty = [{"emotion": [], "sentiment": "neutral", NAME: 1}]
    assert only(found_in(make, empty, schema="affect"), "relations.rated_without_parts").count == 1
