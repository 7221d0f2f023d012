"""Models of raters: against crowd-kit, against simulated raters of known behaviour, and as properties."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import gammaln

from annotation.aggregation.dawid_skene import HELD_OUT_STEPS, dawid_skene, held_out_posterior
from annotation.aggregation.em import fit
from annotation.aggregation.estimate import Estimate
from annotation.aggregation.glad import Model, glad
from annotation.aggregation.mace import mace
from annotation.aggregation.majority import majority
from annotation.aggregation.methods import VOTING
from annotation.aggregation.one_coin_dawid_skene import one_coin_dawid_skene
from annotation.aggregation.ordinal_dawid_skene import _Model, ordinal_dawid_skene
from annotation.aggregation.shared_confusions import EVEN, WEIGHTS, Shared, likeliest_weight
from annotation.aggregation.votes import Votes
from annotation.aggregation.weighted_majority import weighted_majority

crowdkit = pytest.importorskip("crowdkit.aggregation", reason="crowd-kit, the oracle, is not installed")

pytestmark = pytest.mark.filterwarnings("ignore:.*(inplace|copy) keyword.*")  # crowd-kit's own, of pandas

PANEL, POOL = (5, 5), (17, 4)


def simulate(
    items: int, raters: tuple[int, int], options: int, seed: int = 0, values: int | None = None
) -> tuple[Votes, np.ndarray]:
    """Votes of raters of growing skill; ``raters`` are how many there are and how many rate an item."""
    random = np.random.default_rng(seed)
    everybody, each = raters
    truth = random.integers(0, options, items)
    item = np.repeat(np.arange(items), each)
    chosen = np.argsort(random.random((items, everybody)), axis=1)[:, :each]
    rater = chosen.ravel() if each < everybody else np.tile(np.arange(each), items)
    skill = np.linspace(0.3, 0.9, everybody)[rater]
    option = np.where(random.random(len(item)) < skill, truth[item], random.integers(0, options, len(item)))
    return Votes(item, rater, option, items, everybody, options, values or options), truth


def frame(votes: Votes) -> pd.DataFrame:
    return pd.DataFrame({"task": votes.item, "worker": votes.rater, "label": votes.option})


def matrix(probabilities: pd.DataFrame) -> np.ndarray:
    return probabilities.sort_index().sort_index(axis=1).to_numpy()


@pytest.mark.parametrize("raters", [PANEL, POOL])
@pytest.mark.parametrize(
    ("ours", "theirs"), [(dawid_skene, "DawidSkene"), (one_coin_dawid_skene, "OneCoinDawidSkene")]
)
def test_dawid_skene_is_that_of_crowd_kit(
    ours: Callable[..., Estimate], theirs: str, raters: tuple[int, int]
) -> None:
    votes, _ = simulate(250, raters, 4, seed=3)
    paper = {"as_published": True} if ours is dawid_skene else {}
    found = ours(votes, iterations=12, tolerance=0, **paper)
    oracle = getattr(crowdkit, theirs)(n_iter=12, tol=-np.inf).fit(frame(votes))
    assert matrix(oracle.probas_) == pytest.approx(found.probability, abs=1e-8)
    if "confusion" in found.raters:
        errors = oracle.errors_.sort_index().sort_index(axis=1)
        confusion = found.raters["confusion"]
        for (rater, answer), row in errors.iterrows():
            assert row.to_numpy() == pytest.approx(confusion[rater, :, answer], abs=1e-8)
    else:
        assert oracle.skills_.sort_index().to_numpy() == pytest.approx(found.raters["accuracy"], abs=1e-8)


@pytest.mark.parametrize("raters", [PANEL, POOL])
def test_mace_is_that_of_crowd_kit_from_the_same_start(raters: tuple[int, int]) -> None:
    votes, _ = simulate(150, raters, 3, seed=4)
    data = frame(votes).sort_values(["worker", "task", "label"])
    rng = np.random.default_rng(0)
    guess, strategy = rng.uniform(1, 2, (votes.raters, 2)), rng.uniform(1, 2, (votes.raters, 3))
    guess /= guess.sum(axis=1, keepdims=True)
    strategy /= strategy.sum(axis=1, keepdims=True)
    data = data.sort_values("label", kind="stable")  # crowd-kit numbers what it meets first
    workers, labels = pd.unique(data["worker"]), pd.unique(data["label"])
    # An expected count of crowd-kit is sorted by name, its parameters by first appearance: same order here.
    relabelled = {worker: place for place, worker in enumerate(workers)}
    data["worker"] = data["worker"].map(relabelled)
    own = Votes(
        data["task"].to_numpy(), data["worker"].to_numpy(), data["label"].to_numpy(),
        votes.items, votes.raters, 3, 3,
    )  # fmt: skip
    oracle = crowdkit.MACE(n_restarts=1, n_iter=10)

    def initialize(n_workers: int, n_labels: int) -> None:
        type(oracle)._initialize(oracle, n_workers, n_labels)
        oracle.spamming_, oracle.thetas_ = guess.copy(), strategy.copy()

    oracle.__dict__["_initialize"] = initialize
    assert list(labels) == [0, 1, 2]
    found = mace(own, iterations=11, tolerance=0, uniform=True, start=(guess, strategy))
    assert matrix(oracle.fit_predict_proba(data)) == pytest.approx(found.probability, abs=1e-8)


def test_glad_is_that_of_crowd_kit_at_the_same_parameters_and_finds_the_same() -> None:
    votes, _ = simulate(60, PANEL, 4, seed=5)
    oracle = crowdkit.GLAD(n_iter=25, tol=-np.inf, m_step_tol=1e-5, m_step_max_iter=60).fit(frame(votes))
    found = glad(votes)
    assert found.converged
    assert oracle.alphas_.sort_index().to_numpy() == pytest.approx(found.raters["ability"], abs=1e-3)
    assert matrix(oracle.probas_) == pytest.approx(found.probability, abs=1e-3)

    # One E-step of the oracle at parameters of ours, and its gradient of them.
    model, patterns = Model(votes.patterns), votes.patterns
    random = np.random.default_rng(1)
    ability, ease = random.normal(1, 0.5, votes.raters), random.normal(1, 0.5, len(patterns.items))
    point = np.concatenate([ability, ease])
    other = crowdkit.GLAD()
    data = frame(votes)
    other._init(data)
    other.alphas_ = pd.Series(ability, index=range(votes.raters))
    other.betas_ = pd.Series(ease[patterns.of_item], index=range(votes.items))
    joined = other._e_step(other._join_all(data.copy(), other.alphas_, other.betas_, other.priors_))
    ours = np.exp(model.log_posterior(point))[patterns.of_item]
    assert matrix(other.probas_) == pytest.approx(ours, abs=1e-8)
    by_ability, by_ease = other._gradient_Q(joined)
    slope = -model.loss(point)[1]
    assert by_ability.sort_index().to_numpy() == pytest.approx(slope[: votes.raters], abs=1e-8)
    summed = np.bincount(patterns.of_item, by_ease.sort_index().to_numpy())
    assert summed == pytest.approx(slope[votes.raters :], abs=1e-8)


def test_majority_and_its_weighting_are_those_of_crowd_kit() -> None:
    votes, _ = simulate(200, POOL, 4, seed=6)
    oracle = crowdkit.MajorityVote().fit_predict_proba(frame(votes))
    assert matrix(oracle) == pytest.approx(majority(votes).probability, abs=1e-12)
    found = weighted_majority(votes)
    skills = pd.Series(found.raters["weight"], index=range(votes.raters))
    oracle = crowdkit.MajorityVote().fit_predict_proba(frame(votes), skills)
    assert matrix(oracle) == pytest.approx(found.probability, abs=1e-12)


def test_weight_is_the_agreement_with_the_others_counted_by_hand() -> None:
    votes, _ = simulate(40, POOL, 3, seed=7)
    weight = weighted_majority(votes).raters["weight"]
    for rater in range(votes.raters):
        same = pairs = 0
        for place in np.flatnonzero(votes.rater == rater):
            others = (votes.item == votes.item[place]) & (votes.rater != rater)
            pairs += int(others.sum())
            same += int((votes.option[others] == votes.option[place]).sum())
        assert weight[rater] == pytest.approx(same / pairs)


def test_glad_climbs_along_its_gradient() -> None:
    votes, _ = simulate(25, POOL, 3, seed=8)
    model = Model(votes.patterns)
    point = np.random.default_rng(2).normal(1, 0.4, votes.raters + len(votes.patterns.items))
    slope = model.loss(point)[1]
    for place in (0, 3, votes.raters, votes.raters + 7):
        step = np.zeros_like(point)
        step[place] = 1e-6
        numeric = (model.loss(point + step)[0] - model.loss(point - step)[0]) / 2e-6
        assert numeric == pytest.approx(slope[place], abs=1e-5)


def expected_counts(votes: Votes, posterior: np.ndarray) -> np.ndarray:
    """Expected votes by hand: raters x true options x answers."""
    counts = np.zeros((votes.raters, votes.options, votes.options))
    np.add.at(counts.transpose(0, 2, 1), (votes.rater, votes.option), posterior[votes.item])
    return counts


def judged_without_own_votes(votes: Votes, posterior: np.ndarray, shared: Shared) -> np.ndarray:
    """`held_out_posterior` item by item: what is left of the votes is counted anew for every item."""
    judged = np.zeros_like(posterior)
    for one in range(votes.items):
        others = votes.item != one
        rest = Votes(
            votes.item[others], votes.rater[others], votes.option[others],
            votes.items, votes.raters, votes.options, votes.values,
        )  # fmt: skip
        matrices = expected_counts(rest, posterior) + shared.weight * shared.confusion.T
        matrices /= matrices.sum(axis=2, keepdims=True)
        judged[one] = np.delete(posterior, one, axis=0).sum(axis=0) + EVEN
        for rater, option in zip(votes.rater[~others], votes.option[~others], strict=True):
            judged[one] *= matrices[rater, :, option]
    return judged / judged.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("raters", [PANEL, POOL])
def test_items_are_judged_without_their_own_votes(raters: tuple[int, int]) -> None:
    votes, truth = simulate(40, raters, 3, seed=5)
    patterns = votes.patterns
    posterior = 0.8 * np.eye(3)[truth] + 0.2 / 3
    by_pattern = np.zeros((len(patterns.items), 3))
    by_pattern[patterns.of_item] = posterior
    for _ in range(HELD_OUT_STEPS):
        posterior = by_pattern[patterns.of_item]
        cells = patterns.by_cell @ (patterns.items[:, None] * by_pattern)
        expected = judged_without_own_votes(votes, posterior, Shared.of(patterns, cells))
        by_pattern = np.zeros_like(by_pattern)
        by_pattern[patterns.of_item] = expected
    start = np.zeros_like(by_pattern)
    start[patterns.of_item] = 0.8 * np.eye(3)[truth] + 0.2 / 3
    assert held_out_posterior(patterns, start)[patterns.of_item] == pytest.approx(expected, abs=1e-9)


def test_what_is_shared_has_the_weight_that_the_data_say() -> None:
    """Raters who are alike are given many votes of each other, raters who differ few."""
    random = np.random.default_rng(3)
    mean, grid = np.array([0.7, 0.2, 0.1]), np.geomspace(WEIGHTS[0], WEIGHTS[-1], 400)
    for spread, low, high in ((4.0, 2.0, 8.0), (25.0, 15.0, 40.0), (1e6, 60.0, 64.0)):
        rows = random.dirichlet(spread * mean, size=80)
        counts = np.stack([random.multinomial(40, row) for row in rows]).astype(float)
        cells, total = counts.reshape(-1, 1), counts.sum(axis=1, keepdims=True)
        found = likeliest_weight(cells, np.tile(mean, 80)[:, None], total)
        assert low < found <= high
        fine = [
            sum(
                gammaln(row + one * mean).sum() - gammaln(one * mean).sum() - gammaln(row.sum() + one)
                + gammaln(one) for row in counts
            )
            for one in grid
        ]  # fmt: skip
        assert np.log(found / grid[int(np.argmax(fine))]) == pytest.approx(0, abs=0.2)


def test_dawid_skene_is_not_below_majority_with_few_items() -> None:
    """Few items and rare options, where the published estimates lose many labels; ties are shared."""
    lost = []
    for seed in range(30):
        random = np.random.default_rng(seed)
        size, items, raters = int(random.integers(2, 6)), int(random.integers(20, 120)), 5
        often = np.append(0.85, np.full(size - 1, 0.15 / (size - 1)))
        truth = random.choice(size, items, p=often)
        item, rater = np.repeat(np.arange(items), raters), np.tile(np.arange(raters), items)
        known = random.random(items * raters) < random.uniform(0.4, 0.9, raters)[rater]
        option = np.where(known, truth[item], random.integers(0, size, items * raters))
        votes = Votes(item, rater, option, items, raters, size, size)
        right = [
            rightness(method(votes).probability, truth)
            for method in (majority, dawid_skene, lambda votes: dawid_skene(votes, as_published=True))
        ]
        lost.append(np.array(right[1:]) - right[0])
    gain, published = np.mean(lost, axis=0)
    assert gain > 0.02
    assert published < -0.02
    assert np.mean([one for one, _ in lost]) > 4 * np.std([one for one, _ in lost]) / np.sqrt(30)


def rightness(probability: np.ndarray, truth: np.ndarray) -> float:
    """Share of right labels, ties shared."""
    best = probability >= probability.max(axis=1, keepdims=True) - 1e-9
    return float((best[np.arange(len(truth)), truth] / best.sum(axis=1)).mean())


@pytest.mark.parametrize("method", [name for name in VOTING if VOTING[name] is not majority])
@pytest.mark.parametrize("items", [30, 300])
def test_cannot_tell_is_decided_only_where_somebody_said_so(method: str, items: int) -> None:
    """A rater who says so half of the time explains votes of the others away, in free matrices."""
    random = np.random.default_rng(items)
    truth = random.integers(0, 2, items)
    item, rater = np.repeat(np.arange(items), 4), np.tile(np.arange(4), items)
    option = np.where(random.random(4 * items) < 0.6, truth[item], 1 - truth[item])
    option[(rater == 3) & (random.random(4 * items) < 0.5)] = 2
    option[(rater == 2) & (truth[item] == 1) & (random.random(4 * items) < 0.3)] = 2
    votes = Votes(item, rater, option, items, 4, 3, 2)
    found = VOTING[method](votes)
    unsaid = votes.counts[:, 2] == 0
    assert found.probability[unsaid, 2] == pytest.approx(0)
    assert (found.choice[unsaid] != 2).all()
    assert unsaid.sum() > items // 4


@pytest.mark.parametrize("untold", [0.0, 0.1])
@pytest.mark.parametrize("method", list(VOTING))
def test_one_who_cannot_tell_does_not_outvote_those_who_can(method: str, untold: float) -> None:
    """Where nothing is hard to tell, free answers of the few such items explained them best."""
    alone, most = np.zeros(2, dtype=np.int64), np.zeros(2, dtype=np.int64)  # items, and told to be untold
    for seed in range(5):
        random = np.random.default_rng([60, seed])
        truth = random.choice(4, 60, p=[*np.full(3, (1 - untold) / 3), untold])  # 3: it cannot be told
        item, rater = np.repeat(np.arange(60), 5), np.tile(np.arange(5), 60)
        skill = np.where(truth[item] < 3, np.linspace(0.5, 0.95, 5)[rater], 0.9)
        option = np.where(random.random(300) < skill, truth[item], random.integers(0, 3, 300))
        option[random.random(300) < 0.03] = 3
        votes = Votes(item, rater, option, 60, 5, 4, 3)
        chosen, said = VOTING[method](votes).choice == 3, votes.counts[:, 3]
        alone += (said == 1).sum(), chosen[said == 1].sum()
        most += (said >= 4).sum(), chosen[said >= 4].sum()
    assert alone[0] > 20
    assert alone[1] == 0
    assert most[0] == most[1]
    assert (most[0] > 0) == (untold > 0)


def surprise(estimate: Estimate, truth: np.ndarray) -> float:
    """Mean negative log-probability of the truth, a proper score of calibration and sharpness."""
    told = estimate.probability[np.arange(len(truth)), truth]
    return float(-np.log(np.maximum(told, 1e-12)).mean())


@pytest.mark.parametrize("items", [40, 100, 2000])
def test_posteriors_without_own_votes_are_less_sure_of_what_is_wrong(items: int) -> None:
    found = []
    for seed in range(5):
        votes, truth = simulate(items, PANEL, 3, seed=seed)
        paper = surprise(dawid_skene(votes, as_published=True), truth)
        found.append((paper, surprise(dawid_skene(votes), truth)))
    paper, held_out = np.mean(found, axis=0)
    assert held_out < paper * (0.6 if items <= 100 else 1.0)


def test_mace_does_not_take_careful_raters_for_guessers_where_nearly_all_is_none() -> None:
    random = np.random.default_rng(0)
    truth = (random.random(2000) < 0.03).astype(np.int64)
    item, rater = np.repeat(np.arange(2000), 5), np.tile(np.arange(5), 2000)
    option = np.where(random.random(10_000) < 0.95, truth[item], 1 - truth[item])
    option[rater == 0] = random.integers(0, 2, 2000)  # who does not look
    votes = Votes(item, rater, option, 2000, 5, 2, 2)
    found, paper = mace(votes), mace(votes, uniform=True)
    right = truth == 1

    def f1(estimate: Estimate) -> float:
        said = estimate.choice == 1
        return float(2 * (said & right).sum() / (said.sum() + right.sum()))

    assert f1(found) > f1(majority(votes)) > 0.7 > f1(paper)
    assert found.raters["guessing"][0] > 0.8
    assert found.raters["guessing"][1:].max() < 0.3
    assert paper.raters["guessing"][1:].min() > 0.6


@pytest.mark.parametrize("method", ["dawid_skene", "one_coin_dawid_skene", "mace", "glad"])
def test_models_beat_majority_where_raters_differ(method: str) -> None:
    votes, truth = simulate(1500, PANEL, 4, seed=9)
    by_majority = (majority(votes).choice == truth).mean()
    assert (VOTING[method](votes).choice == truth).mean() > by_majority + 0.03


def test_mace_and_one_coin_tell_raters_apart() -> None:
    votes, _ = simulate(3000, PANEL, 4, seed=10)
    skill = np.linspace(0.3, 0.9, 5)
    assert mace(votes).raters["guessing"] == pytest.approx(1 - skill, abs=0.08)
    assert one_coin_dawid_skene(votes).raters["accuracy"] == pytest.approx(skill + (1 - skill) / 4, abs=0.05)


@pytest.mark.parametrize("make", [dawid_skene, one_coin_dawid_skene, ordinal_dawid_skene, mace, glad])
def test_items_in_any_order_and_raters_under_any_number(make: Callable[..., Estimate]) -> None:
    votes, _ = simulate(60, POOL, 3, seed=11)
    random = np.random.default_rng(0)
    order, items = random.permutation(len(votes.item)), random.permutation(votes.items)
    raters = random.permutation(votes.raters)
    other = Votes(
        items[votes.item][order], raters[votes.rater][order], votes.option[order], 60, votes.raters, 3, 3
    )
    first, second = make(votes), make(other)
    assert second.probability[items] == pytest.approx(first.probability, abs=1e-4)


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_any_votes_give_probabilities_and_never_nan(data: Any) -> None:
    items, raters, options = (data.draw(st.integers(1, size)) for size in (6, 4, 4))
    number = data.draw(st.integers(0, 20))
    draw = [
        np.array(
            data.draw(st.lists(st.integers(0, size - 1), min_size=number, max_size=number)), dtype=np.int64
        )
        for size in (items, raters, options)
    ]
    votes = Votes(*draw, items, raters, options, data.draw(st.integers(1, options)))
    rated = np.bincount(votes.item, minlength=items) > 0
    for name, method in VOTING.items():
        found = method(votes)
        assert found.probability.shape == (items, options), name
        assert np.isfinite(found.probability).all(), name
        assert found.probability.sum(axis=1) == pytest.approx(rated.astype(float), abs=1e-6), name
        assert (found.choice[~rated] == -1).all(), name
        assert ((found.choice >= -1) & (found.choice < options)).all(), name


def test_patterns_hold_all_votes_whatever_the_panel() -> None:
    for raters in (PANEL, POOL):
        votes, _ = simulate(300, raters, 3, seed=12)
        patterns = votes.patterns
        whole = np.zeros((votes.items, votes.raters, 3))
        np.add.at(whole, (votes.item, votes.rater, votes.option), 1)
        found = np.zeros_like(whole)
        found[:, patterns.rater, patterns.option] = patterns.cells.toarray()[patterns.of_item]
        assert (found == whole).all()
        assert patterns.items.sum() == votes.items
    votes, _ = simulate(20_000, PANEL, 2, seed=13)
    assert len(votes.patterns.items) == 32


def test_the_likelihood_of_dawid_skene_never_falls() -> None:
    votes, _ = simulate(200, POOL, 4, seed=14)
    from annotation.aggregation.dawid_skene import _maximise

    found = fit(votes.patterns, _maximise(votes.patterns), iterations=60, tolerance=0)
    assert (np.diff(found.log_likelihood) > -1e-9).all()


def test_not_converged_says_so() -> None:
    votes, _ = simulate(200, POOL, 4, seed=15)
    assert not dawid_skene(votes, iterations=2).converged
    assert dawid_skene(votes, iterations=2000).converged


def test_ordinal_model_finds_the_lens_of_each_rater() -> None:
    random = np.random.default_rng(16)
    values, items = 7, 1500
    lenses = [(0.0, 1.0, 0.08), (0.1, 1.0, 0.12), (0.0, 0.6, 0.1), (-0.1, 0.9, 0.25)]
    truth = random.integers(0, values, items)
    place = np.linspace(0, 1, values)
    cuts = (place[1:] + place[:-1]) / 2
    option = np.stack(
        [
            np.digitize(0.5 + shift + shrink * (place[truth] - 0.5) + noise * random.normal(size=items), cuts)
            for shift, shrink, noise in lenses
        ],
        axis=1,
    )
    item, rater = np.repeat(np.arange(items), 4), np.tile(np.arange(4), items)
    votes = Votes(item, rater, option.ravel(), items, 4, values, values)
    found = ordinal_dawid_skene(votes)
    for place_of, name in enumerate(("shift", "shrink", "noise")):
        known = [lens[place_of] for lens in lenses]
        # The scale as a whole may move a little: raters are told apart by their differences.
        assert np.ptp(found.raters[name] - known) < 0.12, name
    error = np.abs(found.choice - truth).mean()
    assert error < np.abs(dawid_skene(votes).choice - truth).mean()
    assert error < np.abs(VOTING["median"](votes).choice - truth).mean() - 0.02
    assert _Model(votes.patterns, votes.used, values).lenses(
        np.ones((len(votes.patterns.rater), 7))
    ).shape == (4,)


@pytest.mark.parametrize(("values", "items"), [(5, 60), (7, 200), (7, 1000)])
def test_ordinal_model_keeps_the_scale_in_its_place(values: int, items: int) -> None:
    """A frequent lowest value once made it move the scale, all raters against it, and lose to majority."""
    gains, shifts = [], []
    for seed in range(6):
        random = np.random.default_rng([seed, values])
        truth = random.choice(values, items, p=np.append(0.7, np.full(values - 1, 0.3 / (values - 1))))
        noise, shift = np.exp(random.normal(np.log(0.2), 0.5, 5)), random.normal(0, 0.08, 5)
        item, rater = np.repeat(np.arange(items), 5), np.tile(np.arange(5), items)
        seen = truth[item] / (values - 1) + shift[rater] + noise[rater] * random.normal(size=5 * items)
        option = np.clip(np.rint(seen * (values - 1)), 0, values - 1).astype(np.int64)
        votes = Votes(item, rater, option, items, 5, values, values)
        found = ordinal_dawid_skene(votes)
        gains.append(rightness(found.probability, truth) - rightness(majority(votes).probability, truth))
        shifts.append(found.raters["shift"].mean())
    assert np.mean(gains) > 0.04
    assert np.abs(shifts).max() < 0.04
