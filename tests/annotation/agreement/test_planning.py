"""Planning against simulated studies: what is predicted from a pilot is what larger studies show."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from annotation.agreement.planning import kernel_moments, plan, precision, rater_variance


def ratings_of(code, answers, level, *, size=None):
    """Rows of a matrix of answers (items, raters); every `size` items are a dialogue."""
    rows = [
        (f"i{i}", f"r{r}", answer, f"d{i // (size or 1)}")
        for i, row in enumerate(answers.tolist())
        for r, answer in enumerate(row)
    ]
    return code(rows, level, cluster=size is not None)


def study(random, items, raters, *, level="nominal", size=1, shared=0.0):
    """A simulated study: items of varied difficulty; `shared` is what a dialogue's items have in common."""
    if level == "interval":
        kind = random.normal(size=(items, 1)) + shared * np.repeat(
            random.normal(size=(items // size, 1)), size, 0
        )
        return np.round(kind + random.normal(size=(items, raters)) * 1.2, 6)
    ease = np.repeat(random.random((items // size, 1)), size, 0) if shared else random.random((items, 1))
    kind = random.integers(3, size=(items, 1))
    sure = random.random((items, raters)) < ease
    return np.where(sure, kind, random.integers(3, size=(items, raters)))


def spread(random, studies, *args, code, **options):
    level = options.get("level", "nominal")
    size = options.get("size", 1)
    values = [
        precision(ratings_of(code, study(random, *args, **options), level, size=size)) for _ in range(studies)
    ]
    return float(np.std([one.alpha for one in values], ddof=1))


@pytest.mark.parametrize("level", ["nominal", "interval", "ordinal"])
def test_more_items(level, code):
    """The half-width that a pilot of 60 items predicts for 600 is the one of studies of 600."""
    random = np.random.default_rng(1)
    answers = {items: [study(random, items, 3, level=level) for _ in range(12)] for items in (60, 600)}
    pilots = [precision(ratings_of(code, one, level)) for one in answers[60]]
    large = [precision(ratings_of(code, one, level)) for one in answers[600]]
    predicted = np.mean([one.half_width(600) for one in pilots])
    assert predicted == pytest.approx(np.mean([one.half_width(600) for one in large]), rel=0.15)


@pytest.mark.parametrize("level", ["nominal", "interval"])
@pytest.mark.parametrize("wanted", [2, 10])
def test_other_numbers_of_raters(level, wanted, code):
    """Standard errors predicted from five raters are those of studies with two and with ten."""
    random = np.random.default_rng(2)
    pilots = [precision(ratings_of(code, study(random, 200, 5, level=level), level)) for _ in range(12)]
    found = [precision(ratings_of(code, study(random, 200, wanted, level=level), level)) for _ in range(12)]
    predicted = np.mean([one.half_width(200, wanted) for one in pilots])
    assert predicted == pytest.approx(np.mean([one.half_width(200) for one in found]), rel=0.12)
    now = np.mean([one.half_width(200) for one in pilots])
    assert np.mean([one.half_width(200, 5) for one in pilots]) == pytest.approx(now, rel=0.05)


def test_the_standard_error_is_the_spread_of_studies(code):
    """40 dialogues of five items that share their difficulty, three raters: the whole chain, end to end."""
    random = np.random.default_rng(3)
    seen = spread(random, 150, 200, 3, size=5, shared=1.0, code=code)
    pilots = [
        precision(ratings_of(code, study(random, 200, 3, size=5, shared=1.0), "nominal", size=5))
        for _ in range(15)
    ]
    assert np.mean([one.se for one in pilots]) == pytest.approx(seen, rel=0.15)
    assert np.mean([one.shared for one in pilots]) > 0
    eight = spread(random, 150, 200, 8, size=5, shared=1.0, code=code)
    assert np.mean([one.half_width(40, 8) / 2.02 for one in pilots]) == pytest.approx(eight, rel=0.2)


def test_three_raters_promise_less_than_more_raters_give(code):
    """Without a fourth rating the part that raters cannot remove is taken as its upper limit."""
    random = np.random.default_rng(4)
    pairs = []
    for _ in range(8):
        answers = study(random, 300, 5)
        three, five = (precision(ratings_of(code, answers[:, :k], "nominal")) for k in (3, 5))
        assert three.moments[0] == three.moments[1]
        pairs.append((three.half_width(300, 20), five.half_width(300, 20)))
    three, five = np.mean(pairs, axis=0)
    assert five <= three


@pytest.mark.parametrize("level", ["nominal", "interval", "set"])
def test_moments_are_means_over_tuples_of_ratings(level, draw, code, distance):
    rows = draw(level, 6, items=10, raters=5, missing=0.05)
    ratings = code(rows, level, cluster=False)
    patterns = ratings.patterns
    items: dict[str, list] = {}
    for item, _, answer, _ in rows:
        items.setdefault(item, []).append(answer)
    paired = [answer for one in items.values() for answer in one]
    metric = distance(level, paired)
    alpha, n = 0.3, len(paired)
    expected = sum(metric(a, b) for a in paired for b in paired) / (n * (n - 1))
    like_all = lambda a: sum(metric(a, b) for b in paired) / n  # noqa: E731

    def kernel(a, b):
        chance = like_all(a) + like_all(b) - 2 * expected
        return ((1 - alpha) * expected - metric(a, b) + (1 - alpha) * chance) / expected

    def mean(overlap):
        means = []
        for one in items.values():
            length = {0: 4, 1: 3, 2: 2}[overlap]
            if len(one) < length:
                continue
            products = []
            for chosen in permutations(one, length):
                places = {0: (0, 1, 2, 3), 1: (0, 1, 0, 2), 2: (0, 1, 0, 1)}[overlap]
                a, b, c, d = (chosen[k] for k in places)
                products.append(kernel(a, b) * kernel(c, d))
            means.append(np.mean(products))
        return np.mean(means)

    m0, m1, m2 = (mean(k) for k in (0, 1, 2))
    m1 = min(max(m1, 0), m2)
    assert kernel_moments(ratings, patterns, alpha) == pytest.approx((min(max(m0, 0), m1), m1, m2))


def test_variance_of_a_u_statistic():
    """With ratings x of mean 0 and kernel x y: M0 = M1 = 0 and V(m) = 2 M2 / (m (m - 1))."""
    assert rater_variance((0.0, 0.0, 1.0), 2) == 1.0
    assert rater_variance((0.0, 0.0, 1.0), 5) == pytest.approx(0.1)
    assert rater_variance((0.4, 0.4, 0.4), 7) == pytest.approx(0.4)
    falling = [rater_variance((0.1, 0.3, 1.0), m) for m in range(2, 50)]
    assert falling == sorted(falling, reverse=True)
    assert rater_variance((0.1, 0.3, 1.0), 10**6) == pytest.approx(0.1, abs=1e-5)


def test_the_plan_is_the_smallest_that_does(code):
    ratings = ratings_of(code, study(np.random.default_rng(5), 100, 5, size=4, shared=1.0), "nominal", size=4)
    found = plan(ratings, 0.05)
    known = found.precision
    assert found.unit == "clusters"
    assert (found.units, found.items, found.raters) == (25, 100, 5.0)
    assert known.half_width(found.units_needed) <= 0.05 < known.half_width(found.units_needed - 1)
    assert found.items_needed == 4 * found.units_needed
    assert found.half_width == pytest.approx(known.half_width(25))
    reachable = (found.half_width + found.least_half_width) / 2
    more = plan(ratings, reachable)
    assert (
        known.half_width(25, more.raters_needed) <= reachable < known.half_width(25, more.raters_needed - 1)
    )
    hopeless = plan(ratings, found.least_half_width / 2)
    assert hopeless.raters_needed is None
    assert "add items" in hopeless.raters_reason


def test_what_cannot_be_planned(code):
    two = [(f"i{i}", r, "ab"[(i + (r == "p") * (i % 3 == 0)) % 2], "d") for i in range(20) for r in "pq"]
    found = plan(code(two, "nominal", cluster=False), 0.1)
    assert found.units_needed is not None
    assert found.raters_needed is None
    assert "three ratings" in found.raters_reason
    with pytest.raises(ValueError, match="not known"):
        found.precision.half_width(20, 3)
    assert plan(code(two, "nominal"), 0.1).reason.startswith("fewer than two clusters")
    assert plan(code([("i", "p", "a", "d")], "nominal"), 0.1).reason == "no item has two ratings"
    with pytest.raises(ValueError, match="above 0"):
        plan(code(two, "nominal"), 0.0)
