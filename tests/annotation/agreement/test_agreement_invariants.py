"""Properties that hold for all ratings, an independent alpha, and oracles from other libraries."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from statsmodels.stats import inter_rater

from annotation.agreement import agreement, coefficients, distances, pairwise
from annotation.agreement.coefficients import Chance, Disagreement, Moments
from annotation.agreement.icc import icc_1_1, icc_2, one_way_interval, two_way_interval
from annotation.agreement.intervals import bootstrap_interval, bootstrap_values, jackknife
from annotation.agreement.patterns import OrderedPatterns, Patterns, distinct_rows, reduce_codes


@st.composite
def tables(draw: st.DrawFn, smallest: int = 2) -> tuple[np.ndarray, int]:
    """A matrix of codes with gaps and its number of categories."""
    categories = draw(st.integers(2, 9))
    shape = (draw(st.integers(smallest, 14)), draw(st.integers(2, 7)))
    return draw(arrays(np.int16, shape, elements=st.integers(-1, categories - 1))), categories


def metric_of(name: str, codes: np.ndarray, categories: int) -> np.ndarray:
    numbers = np.arange(categories, dtype=float) ** 1.5
    if name != "ordinal":
        return {"nominal": distances.nominal(categories), "interval": distances.interval(numbers),
                "ratio": distances.ratio(numbers)}[name]  # fmt: skip
    kept = codes[(codes >= 0).sum(axis=1) > 1]
    totals = np.array([(kept == k).sum() for k in range(categories)])
    distance = np.zeros((categories, categories))
    for c in range(categories):
        for k in range(c + 1, categories):
            distance[c, k] = distance[k, c] = (totals[c : k + 1].sum() - (totals[c] + totals[k]) / 2) ** 2
    return distance


def naive_alpha(codes: np.ndarray, distance: np.ndarray) -> float:
    """Alpha from Krippendorff's coincidence matrix, one pair of values at a time."""
    coincidences = np.zeros(distance.shape)
    for row in codes:
        values = row[row >= 0]
        for i, one in enumerate(values):
            for j, other in enumerate(values):
                if i != j:
                    coincidences[one, other] += 1 / (len(values) - 1)
    totals = coincidences.sum(axis=0)
    expected = totals @ distance @ totals / max(totals.sum() - 1, 1)
    if expected <= 1e-12:
        return np.nan
    return 1 - (coincidences * distance).sum() / expected


def all_values(codes: np.ndarray, categories: int) -> np.ndarray:
    """Every exchangeable coefficient of a matrix of codes."""
    patterns = Patterns.from_codes(codes, categories)
    found = [
        coefficients.alpha(Disagreement.of_patterns(patterns, metric_of(name, codes, categories))).value
        for name in ("nominal", "ordinal", "interval", "ratio")
    ]
    weights = distances.agreement_weights("ordinal", np.arange(1.0, categories + 1))
    found += [
        coefficients.chance_corrected(patterns, w, chance).value for w in (None, weights) for chance in Chance
    ]
    return np.array(found)


def rater_values(codes: np.ndarray, categories: int) -> np.ndarray:
    ordered = OrderedPatterns.from_codes(codes, categories)
    means = [pairwise.pair_tables(ordered, None, marginals).mean for marginals in ("own", "pooled")]
    return np.array([*means, pairwise.conger(ordered, None).value])


@given(tables())
def test_alpha_is_that_of_the_coincidence_matrix(table: tuple[np.ndarray, int]) -> None:
    codes, categories = table
    patterns = Patterns.from_codes(codes, categories)
    for name in ("nominal", "ordinal", "interval", "ratio"):
        distance = metric_of(name, codes, categories)
        found = coefficients.alpha(Disagreement.of_patterns(patterns, distance)).value
        np.testing.assert_allclose(found, naive_alpha(codes, distance), atol=1e-10)


@given(tables(), st.randoms(use_true_random=False))
def test_order_of_items_and_raters_does_not_matter(table: tuple[np.ndarray, int], random: object) -> None:
    codes, categories = table
    items, raters = list(range(len(codes))), list(range(codes.shape[1]))
    random.shuffle(items)
    random.shuffle(raters)
    moved = codes[np.ix_(items, raters)]
    np.testing.assert_allclose(all_values(moved, categories), all_values(codes, categories), atol=1e-12)
    np.testing.assert_allclose(rater_values(moved, categories), rater_values(codes, categories), atol=1e-12)


@given(tables(), st.randoms(use_true_random=False))
def test_names_of_categories_do_not_matter_to_nominal(table: tuple[np.ndarray, int], random: object) -> None:
    codes, categories = table
    renamed = list(range(categories))
    random.shuffle(renamed)
    moved = np.array([*renamed, -1])[codes]
    first, second = Patterns.from_codes(codes, categories), Patterns.from_codes(moved, categories)
    metric = distances.nominal(categories)
    values = [coefficients.alpha(Disagreement.of_patterns(one, metric)).value for one in (first, second)]
    np.testing.assert_allclose(values[0], values[1], atol=1e-12)
    for chance in Chance:
        values = [coefficients.chance_corrected(one, None, chance).value for one in (first, second)]
        np.testing.assert_allclose(values[0], values[1], atol=1e-12)
    np.testing.assert_allclose(rater_values(moved, categories), rater_values(codes, categories), atol=1e-12)


@given(tables(), st.data())
def test_shards_add_up_to_the_whole(table: tuple[np.ndarray, int], data: st.DataObject) -> None:
    codes, categories = table
    cut = data.draw(st.integers(0, len(codes)))
    whole = Patterns.from_codes(codes, categories)
    merged = Patterns.from_codes(codes[:cut], categories) + Patterns.from_codes(codes[cut:], categories)
    for name in ("items", "pattern", "category", "count"):
        np.testing.assert_array_equal(getattr(merged, name), getattr(whole, name))


def test_shards_of_other_categories_do_not_add_up() -> None:
    with pytest.raises(ValueError, match="2 and 3 categories"):
        Patterns.from_codes(np.zeros((1, 2), int), 2) + Patterns.from_codes(np.zeros((1, 2), int), 3)


@given(tables())
def test_an_item_that_nobody_rated_changes_nothing(table: tuple[np.ndarray, int]) -> None:
    codes, categories = table
    more = np.vstack([codes, np.full((1, codes.shape[1]), -1)])
    np.testing.assert_array_equal(all_values(more, categories), all_values(codes, categories))
    np.testing.assert_array_equal(rater_values(more, categories), rater_values(codes, categories))


@given(tables())
def test_every_item_twice(table: tuple[np.ndarray, int]) -> None:
    """The mean-based coefficients stay; alpha's small-sample term gets its known change."""
    codes, categories = table
    twice = np.vstack([codes, codes])
    np.testing.assert_allclose(
        all_values(twice, categories)[4:], all_values(codes, categories)[4:], atol=1e-12
    )
    np.testing.assert_allclose(rater_values(twice, categories), rater_values(codes, categories), atol=1e-12)
    n = codes[(codes >= 0).sum(axis=1) > 1]
    n = (n >= 0).sum()
    for place in (0, 1, 2, 3):
        once, doubled = (1 - all_values(one, categories)[place] for one in (codes, twice))
        np.testing.assert_allclose(doubled * 2 * (n - 1), once * (2 * n - 1), atol=1e-9)


@given(tables(smallest=3))
@settings(deadline=None)
def test_jackknife_is_that_of_leaving_out_every_item(table: tuple[np.ndarray, int]) -> None:
    codes, categories = table
    codes = codes[(codes >= 0).any(axis=1)]
    assume(len(codes) > 2)
    patterns = Patterns.from_codes(codes, categories)
    without = np.array([all_values(np.delete(codes, i, axis=0), categories) for i in range(len(codes))])
    error = np.sqrt((len(codes) - 1) / len(codes) * ((without - without.mean(axis=0)) ** 2).sum(axis=0))
    numbers = np.arange(categories, dtype=float) ** 1.5
    moments = Moments.of_patterns(patterns, numbers)
    statistics = [
        coefficients.alpha_statistic(patterns, None),
        coefficients.ordinal_statistic(patterns),
        coefficients.interval_statistic(moments),
        coefficients.alpha_statistic(patterns, distances.ratio(numbers)),
        *[coefficients.chance_statistic(patterns, None, chance) for chance in Chance],
    ]
    found = [jackknife(one.rows, one.value, patterns.items) for one in statistics]
    np.testing.assert_allclose(found, error[:8], atol=1e-10)
    closed = [
        coefficients.alpha_jackknife(Disagreement.of_patterns(patterns, distances.nominal(categories))),
        coefficients.alpha_jackknife(Disagreement.of_moments(moments)),
    ]
    np.testing.assert_allclose(closed, error[[0, 2]], atol=1e-10)


@given(tables(smallest=3), st.integers(1, 4))
@settings(deadline=None)
def test_pairwise_jackknife_leaves_out_items_or_clusters(
    table: tuple[np.ndarray, int], clusters: int
) -> None:
    codes, categories = table
    codes = codes[(codes >= 0).any(axis=1)]
    assume(len(codes) > clusters)
    ones = np.ones(len(codes), dtype=np.int64)
    ordered = OrderedPatterns.from_codes(codes, categories, ones)
    every = pairwise.pair_tables(ordered, None)
    assume(np.isfinite(every.values).any())
    unit = np.arange(len(codes)) % (clusters + 1)
    for label in (np.arange(len(codes)), unit):
        without = []
        for one in range(label.max() + 1):
            left = pairwise.pair_tables(OrderedPatterns.from_codes(codes[label != one], categories), None)
            # The mean is over pairs that have a kappa in the whole data; one lost on the way is no value.
            place = {tuple(pair): value for pair, value in zip(left.raters, left.values, strict=True)}
            pairs = [
                tuple(pair) for pair, v in zip(every.raters, every.values, strict=True) if np.isfinite(v)
            ]
            without.append(np.mean([place.get(pair, np.nan) for pair in pairs]))
        number = len(without)
        error = np.sqrt((number - 1) / number * np.sum((without - np.mean(without)) ** 2))
        found = pairwise.pairwise_jackknife(ordered, every, label)
        np.testing.assert_allclose(found, error, atol=1e-10)
        statistic = pairwise.pair_statistic(ordered, every)
        sums = np.array([statistic.rows[label == one].sum(axis=0) for one in range(number)])
        np.testing.assert_allclose(jackknife(sums, statistic.value), error, atol=1e-10)


@given(tables())
def test_packed_wide_and_sorted_rows_are_the_same(table: tuple[np.ndarray, int]) -> None:
    codes, categories = table
    packed = Patterns.from_codes(codes, categories)
    for width in (20, 40):  # 62 bits hold 19 columns of 8 categories
        wide = np.hstack([codes, np.full((len(codes), width), -1, dtype=codes.dtype)])
        other, of_item = reduce_codes(wide, categories, inverse=True)
        rated = (codes >= 0).any(axis=1)
        counts = np.array([[(row == k).sum() for k in range(categories)] for row in codes[rated]], dtype=int)
        np.testing.assert_array_equal(other.table()[of_item[rated]], counts.reshape(-1, categories))
        for name in ("items", "pattern", "category", "count"):
            np.testing.assert_array_equal(getattr(other, name), getattr(packed, name))


def test_rows_beyond_62_bits_stay_exact() -> None:
    random = np.random.default_rng(0)
    rows = random.integers(-1, 1000, (300, 30))
    rows = rows[random.integers(0, 300, 2000)]
    found, items, of_row = distinct_rows(rows, 1000, inverse=True)
    expected, counts = np.unique(rows, axis=0, return_counts=True)
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(items, counts)
    np.testing.assert_array_equal(found[of_row], rows)


def simulated(items: int, raters: int, categories: int, seed: int = 0, missing: float = 0.0) -> np.ndarray:
    random = np.random.default_rng(seed)
    shape = (items, raters)
    truth = random.integers(0, categories, (items, 1))
    codes = np.where(random.random(shape) < 0.6, truth, random.integers(0, categories, shape))
    codes[random.random(shape) < missing] = -1
    return codes


@pytest.mark.parametrize(("items", "raters", "categories"), [(40, 3, 4), (17, 6, 2), (200, 2, 7)])
def test_statsmodels_on_complete_data(items: int, raters: int, categories: int) -> None:
    codes = simulated(items, raters, categories)
    patterns = Patterns.from_codes(codes, categories)
    table = np.array([[(row == k).sum() for k in range(categories)] for row in codes])
    fleiss = coefficients.chance_corrected(patterns, None, Chance.FLEISS).value
    assert fleiss == pytest.approx(inter_rater.fleiss_kappa(table, "fleiss"), abs=1e-12)
    uniform = coefficients.chance_corrected(patterns, None, Chance.UNIFORM).value
    assert uniform == pytest.approx(inter_rater.fleiss_kappa(table, "uniform"), abs=1e-12)
    ordered = OrderedPatterns.from_codes(codes, categories)
    for name in ("identity", "linear", "quadratic"):
        weights = (
            None if name == "identity" else distances.agreement_weights(name, np.arange(1.0, categories + 1))
        )
        contingency = pairwise.contingency(ordered, 0, 1)
        oracle = inter_rater.cohens_kappa(contingency, wt=None if weights is None else name)
        found = pairwise.pair_tables(ordered, weights).values[0]
        assert found == pytest.approx(oracle.kappa, abs=1e-12)
        assert pairwise.pair_error(contingency, weights) == pytest.approx(oracle.std_kappa, abs=1e-12)


def test_nltk_where_definitions_are_the_same() -> None:
    nltk = pytest.importorskip("nltk.metrics.agreement")
    codes = simulated(30, 4, 5, seed=3)
    task = nltk.AnnotationTask(data=[(str(r), str(i), str(codes[i, r])) for i in range(30) for r in range(4)])
    patterns = Patterns.from_codes(codes, 5)
    alpha = coefficients.alpha(Disagreement.of_patterns(patterns, distances.nominal(5))).value
    assert alpha == pytest.approx(task.alpha(), abs=1e-12)
    ordered = OrderedPatterns.from_codes(codes, 5)
    assert pairwise.pair_tables(ordered, None).mean == pytest.approx(task.kappa(), abs=1e-12)
    assert coefficients.chance_corrected(patterns, None, Chance.NONE).value == pytest.approx(
        task.avg_Ao(), abs=1e-12
    )


def test_shrout_and_fleiss_1979() -> None:
    numbers = np.array(
        [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]], float
    )
    numbers -= numbers.mean()
    first, second = numbers.sum(axis=1), (numbers**2).sum(axis=1)
    one = icc_1_1(np.full(6, 4.0), first, second)
    two, many = icc_2(numbers, average=False), icc_2(numbers, average=True)
    values = [float(each.value(each.rows.sum(axis=0))) for each in (one, two, many)]
    assert values == pytest.approx([0.17, 0.29, 0.62], abs=0.005)
    found = one_way_interval(one.rows.sum(axis=0))
    assert (found.low, found.high) == pytest.approx((-0.133, 0.723), abs=6e-4)  # R psych
    found = two_way_interval(two.rows.sum(axis=0), average=False)
    assert (found.low, found.high) == pytest.approx((0.019, 0.761), abs=6e-4)
    found = two_way_interval(many.rows.sum(axis=0), average=True)
    assert (found.low, found.high) == pytest.approx((0.071, 0.927), abs=6e-4)


@pytest.mark.parametrize("offset", [0.0, 1e9, -1e12])
def test_sums_of_squares_are_stable_at_any_offset(offset: float) -> None:
    random = np.random.default_rng(5)
    numbers = np.round(random.normal(size=(60, 4)) + random.normal(size=(60, 1)), 2)
    numbers[random.random(numbers.shape) < 0.2] = np.nan
    values, codes = np.unique(numbers[~np.isnan(numbers)], return_inverse=True)
    matrix = np.full(numbers.shape, -1)
    matrix[~np.isnan(numbers)] = codes
    expected = naive_alpha(matrix, distances.interval(values))
    found = coefficients.alpha(Disagreement.of_moments(Moments.of_numbers(numbers + offset))).value
    # The numbers themselves lose digits at an offset of 1e12; nothing more may be lost.
    assert found == pytest.approx(expected, abs=1e-10 if offset == 0 else 1e-4)
    item, rater = np.nonzero(matrix >= 0)
    long = Moments.of_long(item, numbers[item, rater] + offset, 60)
    assert coefficients.alpha(Disagreement.of_moments(long)).value == pytest.approx(found, abs=1e-9)


def test_a_cluster_an_item_is_the_bootstrap_over_items() -> None:
    """Simulated data: the two resample the same thing by other draws, so quantiles agree up to noise."""
    codes = simulated(400, 4, 4, missing=0.1)
    patterns, of_item = reduce_codes(codes, 4, inverse=True)
    statistic = coefficients.alpha_statistic(patterns, None)
    items = bootstrap_values(statistic.rows, statistic.value, n_boot=4000, multiplicity=patterns.items)
    rated = of_item[of_item >= 0]
    clusters = bootstrap_values(statistic.rows[rated], statistic.value, n_boot=4000, seed=1)
    assert items.std() == pytest.approx(clusters.std(), rel=0.06)
    assert np.quantile(items, [0.025, 0.975]) == pytest.approx(
        np.quantile(clusters, [0.025, 0.975]), abs=0.004
    )


@pytest.mark.parametrize("method", ["percentile", "bca"])
def test_bootstrap_interval_covers(method: str) -> None:
    """Simulated data with 30 ratings of a known mean: near 95 of 100 intervals hold it."""
    random = np.random.default_rng(0)
    held = 0
    for seed in range(200):
        sample = random.exponential(size=60)
        rows = np.column_stack([np.ones(60), sample])
        found = bootstrap_interval(
            rows, lambda s: s[..., 1] / s[..., 0], n_boot=400, seed=seed, method=method
        )
        held += found.low <= 1.0 <= found.high
    assert 176 <= held <= 198


def test_bca_equals_scipy() -> None:
    from scipy import stats

    sample = np.random.default_rng(2).exponential(size=50)
    rows = np.column_stack([np.ones(50), sample])
    found = bootstrap_interval(rows, lambda s: s[..., 1] / s[..., 0], n_boot=20_000, method="bca")
    oracle = stats.bootstrap(
        (sample,), np.mean, n_resamples=20_000, rng=np.random.default_rng(1)
    ).confidence_interval
    assert (found.low, found.high) == pytest.approx((oracle.low, oracle.high), abs=0.02)


def test_the_same_seed_gives_the_same_numbers() -> None:
    codes = simulated(50, 3, 3)
    item, rater = np.nonzero(codes >= 0)
    table = pd.DataFrame({"i": item, "r": rater, "v": codes[item, rater], "d": item // 5})
    first, second, third = (
        agreement(table, "v:ordinal", item="i", rater="r", cluster="d", n_boot=200, seed=seed)
        for seed in (1, 1, 2)
    )
    assert first == second
    assert first.coefficients["alpha"].low != third.coefficients["alpha"].low
    assert first.coefficients["alpha"].value == third.coefficients["alpha"].value
