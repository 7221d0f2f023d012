"""The human ceiling against scikit-learn and the definitions."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score, mean_absolute_error

from annotation.agreement.ceiling import human_ceiling
from annotation.agreement.reading import read_ratings


def by_item(rows):
    items: dict[str, list] = {}
    for item, rater, answer, _ in rows:
        items.setdefault(item, []).append((rater, answer))
    return items


def others_of(rows):
    """Rater, answer and the answers of the others, for each rating with others."""
    for ratings in by_item(rows).values():
        for k, (rater, answer) in enumerate(ratings):
            rest = [other for j, (_, other) in enumerate(ratings) if j != k]
            if rest:
                yield rater, answer, rest


def single_mode(answers):
    (first, most), *more = Counter(answers).most_common()
    return None if more and more[0][1] == most else first


def score(pairs):
    rated, decided = zip(*pairs, strict=True)
    return {
        "macro_f1": f1_score(decided, rated, average="macro", zero_division=0),
        "weighted_f1": f1_score(decided, rated, average="weighted", zero_division=0),
        "accuracy": accuracy_score(decided, rated),
    }


@pytest.mark.parametrize("level", ["nominal", "ordinal"])
@pytest.mark.parametrize("seed", range(3))
def test_categories_as_scikit_learn_scores_them(level, seed, draw, code):
    rows = draw(level, seed)
    pairs = [(rater, str(answer), single_mode(map(str, rest))) for rater, answer, rest in others_of(rows)]
    scored = [(rater, answer, mode) for rater, answer, mode in pairs if mode is not None]
    found = human_ceiling(code(rows, level), n_boot=200)
    values = {name: one.value for name, one in found.scores.items()}
    assert values == pytest.approx(score([pair[1:] for pair in scored]))
    assert (found.scored, found.undecided) == (len(scored), len(pairs) - len(scored))
    raters = list(dict.fromkeys(row[1] for row in rows))
    for k, rater in enumerate(raters):
        own = [pair[1:] for pair in scored if pair[0] == rater]
        assert found.by_rater[k] == pytest.approx(score(own))
    assert all(one.low < one.value < one.high for one in found.scores.values())


@pytest.mark.parametrize("seed", range(3))
def test_sets_as_scikit_learn_scores_them(seed, draw, code):
    rows = draw("set", seed)
    labels = sorted({label for row in rows for label in row[2]})
    rated, decided = [], []
    undecided = 0
    for _, answer, rest in others_of(rows):
        counts = Counter(label for one in rest for label in one)
        chosen = {label for label, count in counts.items() if 2 * count > len(rest)}
        halved = any(2 * count == len(rest) for count in counts.values())
        if halved or (not chosen and 2 * sum(not one for one in rest) <= len(rest)):
            undecided += 1
            continue
        rated.append([label in answer for label in labels])
        decided.append([label in chosen for label in labels])
    rated, decided = np.array(rated), np.array(decided)
    found = human_ceiling(code(rows, "set"), n_boot=50)
    values = {name: one.value for name, one in found.scores.items()}
    assert values["macro_f1"] == pytest.approx(f1_score(decided, rated, average="macro", zero_division=0))
    assert values["weighted_f1"] == pytest.approx(
        f1_score(decided, rated, average="weighted", zero_division=0)
    )
    assert values["accuracy"] == pytest.approx(accuracy_score(decided, rated))
    assert (found.scored, found.undecided) == (len(rated), undecided)


@pytest.mark.parametrize("seed", range(3))
def test_numbers(seed, draw, code):
    rows = draw("interval", seed)
    x, y = np.array([(answer, np.mean(rest)) for _, answer, rest in others_of(rows)]).T
    found = human_ceiling(code(rows, "interval"), n_boot=200)
    assert found.scores["mae"].value == pytest.approx(mean_absolute_error(y, x))
    lin = 2 * np.cov(x, y, ddof=0)[0, 1] / (x.var() + y.var() + (x.mean() - y.mean()) ** 2)
    assert found.scores["ccc"].value == pytest.approx(lin)
    own = np.array([(a, np.mean(rest)) for rater, a, rest in others_of(rows) if rater == rows[0][1]])
    assert found.by_rater[0]["mae"] == pytest.approx(np.abs(own[:, 0] - own[:, 1]).mean())
    assert found.scores["mae"].low < found.scores["mae"].value < found.scores["mae"].high


def test_unknown_raters_have_a_ceiling(table):
    rows = [
        (f"i{i}", "r", "ab"[(i + k) % 2 if i % 3 == 0 else i % 2], "d") for i in range(12) for k in range(3)
    ]
    ratings = read_ratings(table(rows), "x:nominal", item="item", rater=None)
    found = human_ceiling(ratings, n_boot=10)
    assert found.by_rater == {}
    assert found.scores["accuracy"].value is not None


def test_two_raters_score_each_other(code):
    """With two raters the consensus of the others is the other rater: accuracy is percent agreement."""
    rows = [(f"i{i}", r, "ab"[i % 2 if r == "p" else (i // 2) % 2], "d") for i in range(20) for r in "pq"]
    found = human_ceiling(code(rows, "nominal"), n_boot=0)
    assert found.scores["accuracy"].value == 0.5
    assert found.undecided == 0


def test_no_ceiling(code):
    assert human_ceiling(code([("i", "p", "a", "d")], "nominal")).reason == "no item has two ratings"
    tied = [("i", r, a, "d") for r, a in zip("pqs", "abc", strict=True)]
    found = human_ceiling(code(tied, "nominal"))
    assert found.scores["macro_f1"].value is None
    assert found.undecided == 3
    constant = [(f"i{i}", r, 1.0, "d") for i in range(4) for r in "pq"]
    assert human_ceiling(code(constant, "interval")).scores["ccc"].reason == "the ratings do not vary"
