"""Relations: groups that agree on the parts, and guesses made without looking."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annotation.agreement.relations import relation_agreement, told_by_parts
from annotation.agreement.source import Source
from schemas import load_schema
from schemas.errors import InputError

AFFECT, CMMA = load_schema("affect"), load_schema("cmma")
RELATION = CMMA["sarcasm_humor"]
NAMES = ("item", "rater", "dialogue", "sarcasm", "humor", "sarcasm_humor")


def answers(rows):
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(NAMES)
    kinds = [pa.string()] * 5 + [pa.int8()]
    return pa.table({n: pa.array(c, k) for n, c, k in zip(NAMES, columns, kinds, strict=True)})


def random_answers(seed, items=40):
    random = np.random.default_rng(seed)
    rows = []
    for item in range(items):
        for rater in range(4):
            source, target = (str(random.choice(["none", word])) for word in ("sarcastic", "humor"))
            grade = None if random.random() < 0.2 else int(random.integers(-2, 3))
            rows.append((f"i{item}", f"r{rater}", f"d{item // 5}", source, target, grade))
    return rows


@pytest.mark.parametrize("seed", range(3))
def test_only_raters_who_agree_on_both_parts_are_compared(seed, naive_alpha):
    rows = random_answers(seed)
    found = relation_agreement(Source(answers(rows), "item", "rater", "dialogue"), CMMA, RELATION, n_boot=50)
    kept = [row for row in rows if row[5] is not None]

    def alpha(chosen, key):
        return naive_alpha([(key(row), row[1], row[5], row[2]) for row in chosen], "ordinal")

    assert found.rated.coefficients["alpha"].value == pytest.approx(alpha(kept, lambda row: row[0]))
    present = [row for row in kept if row[3] != "none" or row[4] != "none"]
    assert found.applicable.coefficients["alpha"].value == pytest.approx(alpha(present, lambda row: row[0]))
    together = alpha(kept, lambda row: (row[0], row[3], row[4]))
    assert found.given_parts.coefficients["alpha"].value == pytest.approx(together)
    assert found.given_parts.items == len({(row[0], row[3], row[4]) for row in kept})
    assert found.given_parts.clusters == 8


def test_disagreement_on_the_parts_does_not_count_given_the_parts():
    """Raters who grade by a rule of their parts agree fully, although their parts differ."""
    rows = []
    for item in range(20):
        for rater in range(4):
            source = "sarcastic" if (item + rater // 2) % 2 else "none"
            rows.append(
                (f"i{item}", f"r{rater}", f"d{item}", source, "humor", 2 if source == "sarcastic" else 0)
            )
    found = relation_agreement(Source(answers(rows), "item", "rater"), CMMA, RELATION, n_boot=0)
    assert found.given_parts.coefficients["alpha"].value == 1.0
    assert found.rated.coefficients["alpha"].value < 0


def test_sets_are_parts_too():
    """The shipped schema relates a set of emotions to an ordinal sentiment."""
    relation = AFFECT["emotion_sentiment"]
    rows = []
    for item in range(6):
        for rater in range(3):
            emotion = [["anger"], ["anger", "disgust"], []][(item + rater) % 3]
            rows.append((f"i{item}", f"r{rater}", f"d{item}", emotion, "negative", 1 if emotion else None))
    names = ("item", "rater", "dialogue", "emotion", "sentiment", "emotion_sentiment")
    kinds = [pa.string()] * 3 + [pa.list_(pa.string()), pa.string(), pa.int8()]
    columns = zip(*rows, strict=True)
    table = pa.table({n: pa.array(c, k) for n, c, k in zip(names, columns, kinds, strict=True)})
    found = relation_agreement(Source(table, "item", "rater"), AFFECT, relation, n_boot=0)
    assert found.rated.ratings == found.applicable.ratings == 12
    assert found.given_parts.items == 12
    told = told_by_parts(table, relation, cluster="dialogue", n_boot=10)
    assert told.combinations == 2
    assert (told.by_mode, told.by_parts) == (1.0, 1.0)


def test_of_repeated_ratings_the_latest_counts_once():
    first = [(f"i{i}", r, "d", "none", "humor", i % 3) for i in range(6) for r in "pq"]
    again = [("i0", "p", "d", "sarcastic", "humor", 2)]
    found = relation_agreement(
        Source(answers(again + first), "item", "rater", duplicates="latest"), CMMA, RELATION, n_boot=0
    )
    alone = relation_agreement(Source(answers(first), "item", "rater"), CMMA, RELATION, n_boot=0)
    assert found.given_parts == alone.given_parts
    with pytest.raises(InputError, match="rates this item again"):
        relation_agreement(Source(answers(again + first), "item", "rater"), CMMA, RELATION)


def naive_told(rows):
    """Leave every dialogue out in turn and guess its ratings from the rest."""
    rows = [row for row in rows if row[5] is not None]
    best = lambda counter: min(counter, key=lambda grade: (-counter[grade], grade))  # noqa: E731
    hits = Counter()
    for _, _, dialogue, source, target, grade in rows:
        rest = [row for row in rows if row[2] != dialogue]
        mode = best(Counter(row[5] for row in rest))
        same = Counter(row[5] for row in rest if (row[3], row[4]) == (source, target))
        hits["mode"] += grade == mode
        hits["parts"] += grade == (best(same) if same else mode)
    inside = Counter(row[5] for row in rows)
    by_parts: dict[tuple, Counter] = {}
    for row in rows:
        by_parts.setdefault((row[3], row[4]), Counter())[row[5]] += 1
    n = len(rows)
    return (
        max(inside.values()) / n,
        sum(max(one.values()) for one in by_parts.values()) / n,
        hits["mode"] / n,
        hits["parts"] / n,
    )


@pytest.mark.parametrize("seed", range(3))
def test_guesses_are_made_without_the_dialogue(seed):
    rows = random_answers(seed, items=25)
    # One combination that a single dialogue has: there is nothing to guess it from but the mode.
    rows = [(*row[:3], "none", *row[4:]) if row[2] != "d1" else row for row in rows]
    found = told_by_parts(answers(rows), RELATION, cluster="dialogue", n_boot=200)
    values = (found.by_mode, found.by_parts, found.held_out_by_mode.value, found.held_out_by_parts.value)
    assert values == pytest.approx(naive_told(rows))
    assert found.gain.value == pytest.approx(values[3] - values[2])
    assert found.gain.low <= found.gain.value <= found.gain.high


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000))
def test_knowing_more_never_hurts_in_sample(seed):
    found = told_by_parts(answers(random_answers(seed, items=8)), RELATION, cluster="dialogue", n_boot=2)
    assert found.by_parts >= found.by_mode
    assert found.held_out_by_parts.value <= found.by_parts + 1e-12


def test_chance_parts_tell_nothing_held_out():
    """Parts without any bearing on the grade: in sample they seem to tell something, held out they do not."""
    found = told_by_parts(answers(random_answers(1, items=400)), RELATION, cluster="dialogue")
    assert found.by_parts > found.by_mode
    assert found.gain.low < 0 < found.gain.high or abs(found.gain.value) < 0.03


def test_nothing_to_tell():
    assert told_by_parts(answers([]), RELATION, cluster="dialogue").reason == "no rating has both parts"
    one = told_by_parts(answers([("i", "p", "d", "none", "humor", 1)]), RELATION, cluster="dialogue")
    assert one.by_mode == 1.0
    assert one.held_out_by_parts.value is None
    assert one.reason
    with pytest.raises(InputError, match="no such column"):
        told_by_parts(answers([]).drop_columns(["humor"]), RELATION, cluster="dialogue")
    empty = relation_agreement(Source(answers([]), "item", "rater"), CMMA, RELATION)
    assert empty.given_parts.coefficients["alpha"].reason


def test_cmma_as_published(shared):
    """Both parts tell the published emotion-to-sentiment grade for 53%, the mode for 50%."""
    folder = shared / "data" / "CMMA"
    parts = [pd.read_csv(folder / f"{name}.csv", encoding="gb18030") for name in ("train", "dev", "test")]
    frame = pd.concat(
        [one.rename(columns=lambda c: c.strip().replace("Coversation", "Conversation")).assign(part=k)
         for k, one in enumerate(parts)]
    ).dropna(subset=["Emotion"])  # fmt: skip
    grade = pd.to_numeric(frame["Relevancy(Emo→Sen)"], errors="coerce")
    table = pa.table(
        {
            "emotion": pa.array(frame["Emotion"].str.strip()),
            "sentiment": pa.array(frame["Sentiment"].str.strip()),
            "emotion_sentiment": pa.array(grade.where(grade % 1 == 0), pa.float64(), from_pandas=True),
            "dialogue": pa.array(frame["part"].astype(str) + frame["ConversationID"].astype(str)),
        }
    )
    found = told_by_parts(table, CMMA["emotion_sentiment"], cluster="dialogue", n_boot=100)
    assert found.ratings == 21_795
    assert round(found.by_mode, 2) == 0.50
    assert round(found.by_parts, 2) == 0.53
    assert found.held_out_by_parts.value == pytest.approx(0.533, abs=1e-3)
