"""The consensus of a few ratings is the label that the project would decide."""

from __future__ import annotations

import numpy as np

from annotation.aggregation import aggregate
from annotation.agreement.consensus import majority, majority_set
from schemas import load_schema
from schemas.records import annotations_schema
from schemas.tables import from_rows


def test_consensus_is_what_the_project_decides():
    """`annotation.aggregation` decides tables of ratings; the engine decides codes by the same rules."""
    schema = load_schema("affect")
    random = np.random.default_rng(5)
    emotions, sentiments = schema["emotion"].categories, schema["sentiment"].categories
    rows, chosen, single = [], [], []
    for item in range(300):
        for rater in range(int(random.integers(1, 5))):
            label_set = [one for one in emotions[1:4] if random.random() < 0.4]
            word = sentiments[random.integers(len(sentiments))]
            chosen.append((item, label_set))
            single.append((item, sentiments.index(word)))
            rows.append(
                {"annotation_id": f"{item}-{rater}", "utterance_id": f"u{item:03}", "rater": f"r{rater}",
                 "status": "submitted", "emotion": label_set, "sentiment": word}
            )  # fmt: skip
    labels = aggregate(from_rows(rows, annotations_schema(schema)), schema)
    counts = np.zeros((300, len(sentiments)))
    np.add.at(counts, tuple(np.array(single).T), 1)
    names = [None if k < 0 else sentiments[k] for k in majority(counts)]
    assert labels.column("sentiment").to_pylist() == names
    member, empty, ratings = np.zeros((300, len(emotions))), np.zeros(300), np.zeros(300)
    for item, label_set in chosen:
        ratings[item] += 1
        empty[item] += not label_set
        for label in label_set:
            member[item, emotions.index(label)] += 1
    inside, decided = majority_set(member, ratings, empty)
    sets = [
        [one for one, is_in in zip(emotions, row, strict=True) if is_in] if known else None
        for row, known in zip(inside, decided, strict=True)
    ]
    assert labels.column("emotion").to_pylist() == sets
    assert 0 < decided.sum() < 300
