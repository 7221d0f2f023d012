"""Deciding labels, beside crowd-kit: time, and how close methods come to a known answer.

Prints our time, the peer's, the ratio and the limit that the project set itself; then the share of right
labels of simulated raters, by method and beside a majority on panels of many kinds, how far their
probabilities can be believed, and the correlation with gold of every method on Snow et al. 2008 (if
``--data`` holds it). One thread throughout. crowd-kit comes from the current environment (the dev extra
installs it).
"""

from __future__ import annotations

import argparse
import csv
import importlib.util
import os
import time
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")

import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402
import pyarrow as pa  # noqa: E402
from rich.console import Console  # noqa: E402
from rich.table import Table  # noqa: E402

from annotation.aggregation import aggregate  # noqa: E402
from annotation.aggregation.answers import Rows, read_answers  # noqa: E402
from annotation.aggregation.dawid_skene import dawid_skene  # noqa: E402
from annotation.aggregation.estimate import Estimate, Scores  # noqa: E402
from annotation.aggregation.ewe import ewe_score  # noqa: E402
from annotation.aggregation.glad import glad  # noqa: E402
from annotation.aggregation.mace import mace  # noqa: E402
from annotation.aggregation.methods import SCORING, VOTING  # noqa: E402
from annotation.aggregation.one_coin_dawid_skene import one_coin_dawid_skene  # noqa: E402
from annotation.aggregation.ordinal_dawid_skene import ordinal_dawid_skene  # noqa: E402
from annotation.aggregation.votes import Votes, normalised  # noqa: E402
from annotation.agreement.patterns import Floats, Ints  # noqa: E402
from corpus.sample.raters import RATERS, simulate  # noqa: E402
from schemas import load_schema  # noqa: E402
from schemas.records import answer_columns  # noqa: E402

CATEGORIES, EACH = 7, 5
ITERATIONS = 20
BINS = 7
"""Values into which the scales of Snow et al., 0 to 100, are cut for methods of categories."""
console = Console()


def simulated_votes(items: int, raters: int, seed: int = 0) -> tuple[Votes, np.ndarray]:
    """Five votes an item, of a fixed panel or of a pool of raters, 7 categories, skill .35 to .9."""
    random = np.random.default_rng(seed)
    truth = random.integers(0, CATEGORIES, items)
    item = np.repeat(np.arange(items), EACH)
    if raters == EACH:
        rater = np.tile(np.arange(EACH), items)
    else:
        rater = np.argsort(random.random((items, raters)), axis=1)[:, :EACH].ravel()
    skill = np.linspace(0.35, 0.9, raters)[rater]
    guess = random.integers(0, CATEGORIES, len(item))
    option = np.where(random.random(len(item)) < skill, truth[item], guess)
    return Votes(item, rater, option, items, raters, CATEGORIES, CATEGORIES), truth


def timed(call: Callable[[], object], times: int = 1) -> float:
    """Fastest of several runs, seconds of one core: other work on the machine does not count."""
    seconds = []
    for _ in range(times):
        start = time.process_time()
        call()
        seconds.append(time.process_time() - start)
    return min(seconds)


def fresh(votes: Votes) -> Votes:
    """The same votes with nothing computed yet."""
    return Votes(
        votes.item, votes.rater, votes.option, votes.items, votes.raters, votes.options, votes.values
    )


def speed(items: int, with_peer: bool) -> bool:
    """Print the table of times; say whether all limits are kept."""
    table = Table(title="Seconds of processor time, one thread")
    for head in ("what", "ours", "crowd-kit", "ratio", "limit"):
        table.add_column(head, justify="left" if head == "what" else "right")
    kept = True

    def row(what: str, ours: float, peer: float | None, limit: float | None) -> None:
        nonlocal kept
        kept &= limit is None or ours <= limit
        table.add_row(
            what,
            f"{ours:.3f}",
            "" if peer is None else f"{peer:.2f}",
            "" if peer is None else f"{peer / ours:.0f}x",
            "" if limit is None else f"{limit:g}" + ("" if ours <= limit else " MISSED"),
        )

    def peer(name: str, votes: Votes, **options: Any) -> float | None:
        if not with_peer:
            return None
        import crowdkit.aggregation

        frame = pd.DataFrame({"task": votes.item, "worker": votes.rater, "label": votes.option})
        return timed(lambda: getattr(crowdkit.aggregation, name)(**options).fit(frame))

    fixed = {"n_iter": ITERATIONS, "tol": -np.inf}
    for raters, limit in ((5, 0.3), (50, 2.0)):
        votes, _ = simulated_votes(items, raters)
        size = f"{items:,} items x 5 of {raters} raters x 7"
        whole = items == 100_000
        ours = timed(lambda: dawid_skene(fresh(votes), iterations=ITERATIONS, tolerance=0), 3)  # noqa: B023
        row(f"Dawid-Skene, {size}", ours, peer("DawidSkene", votes, **fixed), limit if whole else None)
        ours = timed(lambda: one_coin_dawid_skene(fresh(votes), iterations=ITERATIONS, tolerance=0))  # noqa: B023
        row(f"one coin, {size}", ours, None, None)
        for method in (mace, glad, ordinal_dawid_skene):
            row(f"{method.__name__}, {size}", timed(lambda: method(fresh(votes))), None, None)  # noqa: B023
    votes, _ = simulated_votes(2000, 20)
    row("MACE, 2,000 items x 5 of 20 x 7", timed(lambda: mace(fresh(votes)), 3), peer("MACE", votes), 1.0)
    part, _ = simulated_votes(500, 20)
    row("GLAD, 500 items x 5 of 20 x 7", timed(lambda: glad(fresh(part)), 3), peer("GLAD", part), None)
    one_coin = timed(lambda: one_coin_dawid_skene(fresh(part), iterations=ITERATIONS, tolerance=0), 3)
    row("one coin, 500 items x 5 of 20 x 7", one_coin, peer("OneCoinDawidSkene", part, **fixed), None)
    ratings = simulated_ratings(4000)[1]
    for method in ("majority", "dawid_skene"):
        seconds = timed(lambda: aggregate(ratings, load_schema("affect"), method))  # noqa: B023
        row(f"aggregate {method}: all 9 fields, 20,000 ratings", seconds, None, None)
    console.print(table)
    return kept


def simulated_ratings(items: int) -> tuple[list[dict[str, Any]], pa.Table]:
    """Ratings of the sample's simulated raters, and the answers that they were given."""
    random = np.random.default_rng(1)
    schema = load_schema("affect")
    truths: list[dict[str, Any]] = [
        {
            "sentiment": ("negative", "neutral", "positive")[random.integers(3)],
            "sarcasm": "sarcastic" if random.random() < 0.3 else "none",
            "humor": "humorous" if random.random() < 0.3 else "none",
            "valence": float(random.integers(1, 10)),
        }
        for _ in range(items)
    ]
    rows = simulate(truths, schema, seed=2)
    columns = {
        "utterance_id": pa.array([f"u{one['item']}" for one in rows]),
        "rater": pa.array([one["rater"] for one in rows]),
    }
    for field in schema:
        for column in answer_columns(field):
            columns[column.name] = pa.array([one[column.name] for one in rows], column.type)
    return truths, pa.table(columns)


def recovery(items: int) -> None:
    """Print how often each method is right about simulated raters of known behaviour."""
    schema = load_schema("affect")
    truths, ratings = simulated_ratings(items)
    table = Table(title=f"Simulated raters ({len(RATERS)}, {items:,} items): right labels, correlation")
    for head in ("method", "sentiment", "sarcasm", "humor", "valence"):
        table.add_column(head, justify="left" if head == "method" else "right")
    for method in ("majority", "weighted_majority", "median", "ewe", *list(VOTING)[3:]):
        labels = aggregate(ratings, schema, method)
        cells = []
        for field in ("sentiment", "sarcasm", "humor"):
            decided = labels.column(field).to_pylist()
            right = sum(one == truth[field] for one, truth in zip(decided, truths, strict=True))
            cells.append(f"{right / items:.3f}")
        value = np.array(labels.column("valence").to_pylist(), dtype=float)
        known = np.isfinite(value)
        truth = np.array([one["valence"] for one in truths])
        cells.append(f"{np.corrcoef(value[known], truth[known])[0, 1]:.3f}")
        table.add_row(method, *cells)
    console.print(table)


WORLDS = {
    "alike: all are right in 70%": lambda _, size: coin(0.7, size),
    "of unlike skill: 40% to 95%": lambda random, size: coin(random.uniform(0.4, 0.95), size),
    "with confusions of their own": lambda random, size: np.array(
        [
            random.dirichlet(0.5 + 1.5 * size * random.uniform(0.3, 1) * (np.arange(size) == true))
            for true in range(size)
        ]
    ),
    "two fifths do not look": lambda random, size: (
        coin(0.8, size) if random.random() < 0.6 else np.tile(random.dirichlet(np.ones(size)), (size, 1))
    ),
}
"""How the raters of a simulated panel answer: a confusion matrix of a rater, options x options."""
PANELS = (3, 5, 10)


def coin(right: float, size: int) -> Floats:
    """The matrix of a rater who is right with one probability, and wrong in any way equally often."""
    matrix = np.full((size, size), (1 - right) / (size - 1))
    np.fill_diagonal(matrix, right)
    return matrix


def panel(
    random: np.random.Generator, world: str, items: int, raters: int, often: Floats
) -> tuple[Votes, Ints]:
    """Votes of a panel of raters on items whose options are as frequent as ``often`` says, and the truth."""
    size = len(often)
    truth = random.choice(size, items, p=often)
    matrices = np.stack([WORLDS[world](random, size) for _ in range(raters)])
    item, rater = np.repeat(np.arange(items), raters), np.tile(np.arange(raters), items)
    below = matrices.cumsum(axis=2)[rater, truth[item]] < random.random(len(item))[:, None]
    return Votes(item, rater, np.minimum(below.sum(axis=1), size - 1), items, raters, size, size), truth


def rightness(estimate: Estimate, truth: Ints) -> float:
    """Share of right labels; of a tie, the share of its options that are right."""
    best = estimate.probability >= estimate.probability.max(axis=1, keepdims=True) - 1e-9
    return float((best[np.arange(len(truth)), truth] / best.sum(axis=1)).mean())


def beside_majority(replicates: int) -> bool:
    """Print how many more labels are right than by majority; say whether Dawid-Skene is nowhere below it.

    Each cell is the mean over panels of 3, 5 and 10 raters and 2, 3 and 5 options, with its standard error.
    """
    sizes = (20, 50, 200, 1000)
    table = Table(title="Right labels in 100 beyond those of majority: Dawid-Skene (as published)")
    for head in ("raters", "options", *(f"{size:,} items" for size in sizes)):
        table.add_column(head, justify="left" if head in ("raters", "options") else "right")
    kept = True
    for world in WORLDS:
        for rare in (False, True):
            cells = []
            for items in sizes:
                random = np.random.default_rng([items, rare])
                gains = []
                for raters in PANELS * max(replicates * 50 // items, 4):
                    for size in (2, 3, 5):
                        often = np.full(size, 0.15 / (size - 1) if rare else 1 / size)
                        often[0] = 1 - often[1:].sum()
                        votes, truth = panel(random, world, items, raters, often)
                        by = [
                            rightness(method(votes), truth)
                            for method in (
                                VOTING["majority"],
                                dawid_skene,
                                partial(dawid_skene, as_published=True),
                            )
                        ]
                        gains.append(100 * (np.array(by[1:]) - by[0]))
                mean, error = np.mean(gains, axis=0), np.std(gains, axis=0) / np.sqrt(len(gains))
                kept &= bool(mean[0] > -2 * error[0] - 0.5)
                cells.append(f"{mean[0]:+.1f} ± {error[0]:.1f} ({mean[1]:+.1f})")
            table.add_row(world, "one in 85%" if rare else "as frequent", *cells)
    console.print(table)
    return kept


def calibration_error(probability: Floats, truth: Ints) -> float:
    """Expected calibration error (Naeini et al. 2015): mean |confidence - share right| over 15 bins."""
    sure, right = probability.max(axis=1), probability.argmax(axis=1) == truth
    place = np.minimum((sure * 15).astype(int), 14)
    gap = np.bincount(place, sure - right, 15)
    return float(np.abs(gap).sum() / len(truth))


def calibration(largest: int) -> None:
    """Print how far soft labels of simulated raters can be believed, by method and number of items.

    In the last column every rater misreads the same tenth of the items as another value: no method can see
    that in the ratings.
    """
    schema = load_schema("affect")
    methods: dict[str, Callable[[Votes], Estimate]] = {
        "majority (vote shares)": VOTING["majority"],
        "dawid_skene, as published": partial(dawid_skene, as_published=True),
        "mace, options equally frequent (paper)": partial(mace, uniform=True),
        **{name: VOTING[name] for name in list(VOTING)[3:]},
    }
    sizes = [size for size in (60, 200, 1000, 4000) if size <= largest]
    table = Table(title="Simulated raters, sentiment, sarcasm and humor: calibration error / surprise (nats)")
    for head in ("method", *(f"{size:,} items" for size in sizes), "shared misreading"):
        table.add_column(head, justify="left" if head == "method" else "right")
    worlds: list[list[tuple[Votes, Ints]]] = []
    for size in (*sizes, sizes[-1]):
        truths, ratings = simulated_ratings(size)
        rows, misread = Rows.of(ratings), len(worlds) == len(sizes)
        world = []
        for name in ("sentiment", "sarcasm", "humor"):
            names = schema[name].categories  # type: ignore[attr-defined]
            truth = np.array([names.index(one[name]) for one in truths])
            if misread:
                truth[::10] = (truth[::10] + 1) % len(names)
            world.append((read_answers(ratings, schema[name], rows).votes(), truth))
        worlds.append(world)
    for method, call in methods.items():
        cells = []
        for world in worlds:
            errors = []
            for votes, truth in world:
                soft = normalised(call(votes).probability[:, : votes.values])  # noqa: PD011 - no frame
                told = np.maximum(soft[np.arange(len(truth)), truth], 1e-10)
                errors.append((calibration_error(soft, truth), float(-np.log(told).mean())))
            cells.append("{:.3f} / {:.2f}".format(*np.mean(errors, axis=0)))
        table.add_row(method, *cells)
    console.print(table)


def snow(folder: Path) -> bool:
    """Print the correlation with gold by method and scale; say whether numbers keep up with the mean.

    The interval of a method's distance from the mean resamples headlines.
    """
    found: dict[str, list[float]] = {}
    resampled: dict[str, list[Floats]] = {}
    drawn = np.random.default_rng(0).integers(0, 100, (2000, 100))
    names = []
    for file in sorted(folder.glob("*.tsv")):
        names.append(file.name.split(".")[0])
        with file.open(encoding="utf-8") as lines:
            rows = list(csv.DictReader(lines, delimiter="\t"))
        items, item = np.unique([row["orig_id"] for row in rows], return_inverse=True)
        workers, worker = np.unique([row["!amt_worker_ids"] for row in rows], return_inverse=True)
        value = np.array([float(row["response"]) for row in rows])
        gold = np.zeros(len(items))
        gold[item] = [float(row["gold"]) for row in rows]
        scores = Scores(item, worker, value, len(items), len(workers))
        for name, method in {**SCORING, "ewe, as published": partial(ewe_score, as_published=True)}.items():
            value_of = method(scores).value
            found.setdefault(name, []).append(np.corrcoef(value_of, gold)[0, 1])
            resampled.setdefault(name, []).append(correlations(value_of[drawn], gold[drawn]))
        edges = np.linspace(-100 if names[-1] == "valence" else 0, 100, BINS + 1)
        option = np.clip(np.digitize(value, edges) - 1, 0, BINS - 1)
        votes = Votes(item, worker, option, len(items), len(workers), BINS, BINS)
        middle = (edges[1:] + edges[:-1]) / 2
        for name, voting in VOTING.items():
            expected = voting(votes).probability @ middle
            found.setdefault(f"{name} ({BINS} bins)", []).append(np.corrcoef(expected, gold)[0, 1])
    table = Table(title="Snow et al. 2008: correlation with gold, 100 headlines, 38 workers")
    for head in ("method", *names, "mean of all", "less the mean's (95%)"):
        table.add_column(head, justify="left" if head == "method" else "right")
    kept = True
    for name, row in found.items():
        interval = ""
        if name in resampled:
            away = np.mean(resampled[name], axis=0) - np.mean(resampled["mean"], axis=0)
            low, high = np.quantile(away, [0.025, 0.975])
            interval = f"{np.mean(row) - np.mean(found['mean']):+.3f} ({low:+.3f} to {high:+.3f})"
            kept &= name == "median" or bool(high >= 0)  # the median leaves out most of the numbers
        table.add_row(name, *(f"{one:.3f}" for one in row), f"{np.mean(row):.3f}", interval)
    console.print(table)
    return kept


def correlations(one: Floats, other: Floats) -> Floats:
    """Pearson correlation of each row."""
    one, other = (each - each.mean(axis=1, keepdims=True) for each in (one, other))
    found: Floats = (one * other).sum(axis=1) / np.sqrt((one**2).sum(axis=1) * (other**2).sum(axis=1))
    return found


def main() -> None:
    """Run it all; status 1 when a limit is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=100_000, help="items of the large panels")
    parser.add_argument("--data", type=Path, help="folder that holds Snow2008_affect")
    parser.add_argument("--replicates", type=int, default=20, help="panels of 50 items of each kind")
    parser.add_argument("--no-peer", action="store_true", help="leave crowd-kit out")
    options = parser.parse_args()
    warnings.simplefilter("ignore")  # crowd-kit's, of pandas
    there = importlib.util.find_spec("crowdkit") is not None
    kept = speed(options.items, there and not options.no_peer)
    recovery(min(options.items, 4000))
    kept &= beside_majority(options.replicates)
    calibration(min(options.items, 4000))
    if options.data is not None and (options.data / "Snow2008_affect").is_dir():
        kept &= snow(options.data / "Snow2008_affect")
    if not kept:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
