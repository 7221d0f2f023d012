"""Agreement at a million items, beside published libraries in a virtual environment of their own.

Prints our time, the peer's, the ratio and the limit that the project set itself. Peers are installed into
``--cache`` (a temporary folder by default) and never become dependencies: krippendorff is GPL-3, irrCAC pins
old versions. Data are simulated. Peers that need minutes get fewer items or replicates; their time is then
scaled up linearly, which the table says.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import tracemalloc
import venv
from collections.abc import Callable
from pathlib import Path

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")  # one thread, ours and the peers'

import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402
import pyarrow as pa  # noqa: E402
import pyarrow.csv as pc  # noqa: E402
import pyarrow.parquet as pq  # noqa: E402
from rich.console import Console  # noqa: E402
from rich.table import Table  # noqa: E402

from annotation.agreement import agreement as whole  # noqa: E402
from annotation.agreement import coefficients, distances, measure  # noqa: E402
from annotation.agreement.coefficients import Chance, Disagreement, Moments  # noqa: E402
from annotation.agreement.intervals import bootstrap_values, jackknife  # noqa: E402
from annotation.agreement.patterns import Patterns, reduce_codes, tally  # noqa: E402
from annotation.agreement.reading import Ratings  # noqa: E402
from schemas.fields import Level  # noqa: E402

RATERS, CATEGORIES, MISSING_SHARE = 5, 7, 0.2
CEILING = 500  # MB of addresses that the reader may use beyond its imports
RETURNING = {"MALLOC_ARENA_MAX": "1", "MALLOC_MMAP_THRESHOLD_": "131072"}
"""Makes the C library give memory back when it is freed, so that the ceiling holds what is in use."""
PEERS = ("krippendorff", "nltk", "irrCAC")

PEER_SCRIPT = r"""
import json, sys, time, warnings
warnings.simplefilter("ignore")
import numpy as np  # noqa: E402
codes = np.load(sys.argv[1]); members = np.load(sys.argv[2]); wanted = json.loads(sys.argv[3])
values = np.where(codes < 0, np.nan, codes.astype(float))
out = {}
def timed(name, scale, call):
    start = time.perf_counter()
    result = call()
    out[name] = [(time.perf_counter() - start) * scale, scale, float(result)]
def attempt(name, scale, call):
    try:
        timed(name, scale, call)
    except Exception as fault:
        out[name] = [None, scale, f"{type(fault).__name__}: {fault}"[:80]]
if "krippendorff" in wanted:
    import krippendorff
    krippendorff.alpha(reliability_data=values[:1000].T, level_of_measurement="nominal")  # warm
    for level in ("nominal", "ordinal", "interval"):
        attempt("krippendorff " + level, 1, lambda: krippendorff.alpha(
            reliability_data=values.T, level_of_measurement=level, value_domain=list(range(7))))
    n = len(values)
    seconds, fastest = min((row[0], name.split()[-1]) for name, row in out.items() if row[0])
    out["krippendorff, fastest level"] = [seconds, 1, 0.0]
    def replicates():
        random = np.random.default_rng(0)
        for _ in range(2):
            sample = values[random.integers(0, n, n)].T
            krippendorff.alpha(sample, level_of_measurement=fastest, value_domain=list(range(7)))
        return 0
    attempt("krippendorff bootstrap", 500, replicates)
    few = np.random.default_rng(0).normal(size=(60, 5))
    attempt("krippendorff continuous 60 items", 1, lambda: krippendorff.alpha(
        reliability_data=few.T, level_of_measurement="interval"))
if "irrCAC" in wanted:
    import pandas as pd  # noqa: E402
    from irrCAC.raw import CAC
    part = min(len(values), 100_000)
    frame = pd.DataFrame(values[:part])
    for method in ("gwet", "fleiss", "bp"):
        run = lambda: getattr(CAC(frame), method)()["est"]["coefficient_value"]
        attempt("irrCAC " + method, len(values) / part, run)
if "nltk" in wanted:
    from nltk.metrics.agreement import AnnotationTask
    from nltk.metrics.distance import masi_distance
    part = min(len(members), 20_000)
    sets = {}
    for key in np.unique(members):
        sets[key] = frozenset(str(bit) for bit in range(7) if key >= 0 and key >> bit & 1)
    def distance(a, b):
        return 0.0 if a == b else 1.0 if not a or not b else masi_distance(a, b)
    rows = enumerate(members[:part])
    triples = [(str(r), str(i), sets[k]) for i, row in rows for r, k in enumerate(row) if k >= 0]
    attempt("nltk masi", len(members) / part, lambda: AnnotationTask(data=triples, distance=distance).alpha())
from importlib.metadata import version
print(json.dumps([out, [f"{name} {version(name)}" for name in [*wanted, "numpy"]]]))
"""


def simulate(items: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Codes and label sets (bit masks), shape (items, raters), -1 missing."""
    random = np.random.default_rng(seed)
    shape = (items, RATERS)
    truth = random.integers(0, CATEGORIES, (items, 1))
    codes = np.where(random.random(shape) < 0.6, truth, random.integers(0, CATEGORIES, shape)).astype(np.int8)
    second = np.where(random.random(shape) < 0.15, random.integers(0, CATEGORIES, shape), codes)
    members = (1 << codes.astype(np.int64)) | (1 << second)
    members[random.random(shape) < 0.1] = 0
    absent = random.random(shape) < MISSING_SHARE
    codes[absent], members[absent] = -1, -1
    return codes, members


def best(call: Callable[[], object], times: int) -> float:
    """Fastest of several runs, seconds."""
    seconds = []
    for _ in range(times):
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def six_coefficients(codes: np.ndarray) -> None:
    """Three alphas, Fleiss, AC1 and Brennan-Prediger with their errors, from a matrix of codes."""
    patterns = Patterns.from_codes(codes, CATEGORIES)
    nominal = Disagreement.of_patterns(patterns, distances.nominal(CATEGORIES))
    interval = Disagreement.of_moments(Moments.of_patterns(patterns, np.arange(float(CATEGORIES))))
    ordinal = distances.ordinal(patterns.sums(patterns.items * patterns.pairable))
    for terms in (nominal, interval, Disagreement.of_patterns(patterns, ordinal)):
        coefficients.alpha(terms)
    coefficients.alpha_jackknife(nominal)
    coefficients.alpha_jackknife(interval)
    by_ordinal = coefficients.ordinal_statistic(patterns)
    jackknife(by_ordinal.rows, by_ordinal.value, patterns.items)
    for chance in (Chance.FLEISS, Chance.GWET, Chance.UNIFORM):
        coefficients.chance_corrected(patterns, None, chance)
        statistic = coefficients.chance_statistic(patterns, None, chance)
        jackknife(statistic.rows, statistic.value, patterns.items)


def bootstrap(codes: np.ndarray, clusters: int | None) -> None:
    """A thousand replicates of nominal alpha, over items or clusters, from the codes on."""
    patterns, of_item = reduce_codes(codes, CATEGORIES, inverse=clusters is not None)
    statistic = coefficients.alpha_statistic(patterns, None)
    if clusters is None:
        bootstrap_values(statistic.rows, statistic.value, multiplicity=patterns.items)
        return
    cluster = np.arange(len(codes)) % clusters
    rows = np.column_stack([tally(cluster, column[of_item], clusters) for column in statistic.rows.T])
    bootstrap_values(rows, statistic.value)


def masi(members: np.ndarray) -> float:
    """MASI alpha from bit masks of label sets."""
    used = np.zeros(1 << CATEGORIES, dtype=bool)
    used[members[members >= 0]] = True
    place = np.append(np.cumsum(used) - 1, -1).astype(np.int16)
    sets = [
        frozenset(str(bit) for bit in range(CATEGORIES) if key >> bit & 1)
        for key in np.flatnonzero(used).tolist()
    ]
    patterns = Patterns.from_codes(place[members], len(sets))
    return coefficients.alpha(Disagreement.of_patterns(patterns, distances.set_distance(sets))).value


def continuous(numbers: np.ndarray) -> float:
    """Interval alpha of a matrix of distinct numbers."""
    return coefficients.alpha(Disagreement.of_moments(Moments.of_numbers(numbers))).value


READER_SCRIPT = r"""
import json, os, sys, time
os.environ["ARROW_DEFAULT_MEMORY_POOL"] = "system"  # the default pool reserves addresses it does not use
import pyarrow as pa
import resource
pa.set_cpu_count(1), pa.set_io_thread_count(1)
from annotation.agreement import read_table
def megabytes(key):
    status = open("/proc/self/status").read().splitlines()
    return next(int(line.split()[1]) / 1e3 for line in status if line.startswith(key))
ceiling = int((megabytes("VmSize") + float(sys.argv[2])) * 1e6)
resource.setrlimit(resource.RLIMIT_AS, (ceiling, ceiling))
before, start = megabytes("VmRSS"), time.perf_counter()
table = read_table(sys.argv[1], ["item", "rater", "label"])
print(json.dumps([time.perf_counter() - start, megabytes("VmHWM") - before, table.num_rows]))
"""


def write_ratings(path: Path, items: int, raters: int) -> float:
    """Write ratings with long ids as Parquet and as CSV, part by part; returns their text in memory, MB."""
    schema = pa.schema([(name, pa.string()) for name in ("item", "rater", "label")])
    random, part, size = np.random.default_rng(0), 50_000, 0
    names = pa.array([f"rater-{rater}" for rater in range(raters)])
    values = pa.array([f"value-{value}" for value in range(CATEGORIES)])
    with (
        pq.ParquetWriter(path.with_suffix(".parquet"), schema) as parquet,
        pc.CSVWriter(path.with_suffix(".csv"), schema) as text,
    ):
        for start in range(0, items, part):
            here = min(part, items - start)
            ids = pa.array(
                f"corpus/season-01/dialogue-{i // 20:06d}/utterance-{i:09d}"
                for i in range(start, start + here)
            )
            columns = [
                ids.take(pa.array(np.repeat(np.arange(here), raters))),
                names.take(pa.array(np.tile(np.arange(raters), here))),
                values.take(pa.array(random.integers(0, CATEGORIES, here * raters))),
            ]
            table = pa.table(columns, schema=schema)
            parquet.write_table(table)
            text.write_table(table)
            size += table.nbytes
    return size / 1e6


def read_under_ceiling(cache: Path, items: int, raters: int) -> list[tuple[str, str, bool]]:
    """Read files of ratings in processes whose memory is limited: what, what it took, whether it fitted."""
    path = cache / "ratings"
    size = write_ratings(path, items, raters)
    found = []
    for kind in (".parquet", ".csv"):
        command = [sys.executable, "-c", READER_SCRIPT, str(path.with_suffix(kind)), str(CEILING)]
        done = subprocess.run(
            command, check=False, capture_output=True, text=True, env=os.environ | RETURNING
        )
        what = f"reader, {items * raters:,} ratings, {size:,.0f} MB of text, {kind}"
        if done.returncode:
            found.append((what, done.stderr.strip().splitlines()[-1][:80], False))
        else:
            seconds, peak, rows = json.loads(done.stdout)
            found.append((what, f"{seconds:.1f} s, {peak:,.0f} MB", rows == items * raters))
        path.with_suffix(kind).unlink()
    return found


def peer_times(
    cache: Path, codes: np.ndarray, members: np.ndarray
) -> tuple[dict[str, list[object]], list[str]]:
    """Times and versions of the peers that can be installed, measured in a process of their own."""
    home = cache / "peers"
    python = home / ("Scripts" if os.name == "nt" else "bin") / "python"
    if not python.exists():
        venv.create(home, with_pip=True)
    found = []
    for peer in PEERS:
        command = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", peer]
        if subprocess.run(command, check=False, capture_output=True).returncode == 0:
            found.append(peer)
    files = [cache / "codes.npy", cache / "members.npy"]
    np.save(files[0], codes)
    np.save(files[1], members)
    done = subprocess.run(
        [str(python), "-c", PEER_SCRIPT, *map(str, files), json.dumps(found)],
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        Console(stderr=True).print(done.stderr[-2000:])
        return {}, []
    times, versions = json.loads(done.stdout.splitlines()[-1])
    return times, versions


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--items", type=int, default=1_000_000)
    parser.add_argument("--dialogues", type=int, default=100_000)
    parser.add_argument(
        "--cache", type=Path, help="folder of the peers' environment; a temporary one by default"
    )
    parser.add_argument("--no-peers", action="store_true")
    arguments = parser.parse_args()
    codes, members = simulate(arguments.items)
    numbers = np.random.default_rng(1).normal(size=codes.shape) + np.arange(len(codes))[:, None] % 3
    numbers[codes < 0] = np.nan
    six_coefficients(codes[:1000])
    tracemalloc.start()
    six_coefficients(codes)
    memory = tracemalloc.get_traced_memory()[1] / 1e6
    tracemalloc.stop()
    item, rater = np.nonzero(codes >= 0)
    text = {
        "item": pa.array([f"utterance-{i:07d}" for i in range(len(codes))]).take(pa.array(item)),
        "rater": pa.array([f"rater-{r}" for r in range(RATERS)]).take(pa.array(rater)),
        "label": pa.array([f"value-{c}" for c in range(CATEGORIES)]).take(pa.array(codes[item, rater])),
    }
    arrow = pa.table(text)
    frame: pd.DataFrame = arrow.to_pandas()
    one_nominal = best(
        lambda: coefficients.alpha(
            Disagreement.of_patterns(Patterns.from_codes(codes, CATEGORIES), distances.nominal(CATEGORIES))
        ),
        5,
    )
    coded = Ratings(
        "label", Level.NOMINAL, item, rater, codes[item, rater].astype(np.int64),
        tuple("abcdefg"), len(codes), RATERS, tuple("abcdefg"),
    )  # fmt: skip
    ids = {"item": "item", "rater": "rater"}
    few = np.random.default_rng(0).normal(size=(60, RATERS))
    rows: list[tuple[str, float, float | None, str]] = [
        ("alpha nominal", one_nominal, None, "krippendorff, fastest level"),
        (
            "alpha x3, Fleiss, AC1, BP, jackknife",
            best(lambda: six_coefficients(codes), 5),
            0.030,
            "krippendorff, fastest level",
        ),
        ("Fleiss, AC1 or BP within it", best(lambda: six_coefficients(codes), 3), None, "irrCAC gwet"),
        (
            "1,000 replicates over items",
            best(lambda: bootstrap(codes, None), 3),
            0.2,
            "krippendorff bootstrap",
        ),
        (
            f"1,000 replicates over {arguments.dialogues:,} dialogues",
            best(lambda: bootstrap(codes, arguments.dialogues), 1),
            4.0,
            "krippendorff bootstrap",
        ),
        ("MASI alpha of label sets", best(lambda: masi(members), 3), 0.4, "nltk masi"),
        ("interval alpha, all numbers distinct", best(lambda: continuous(numbers), 3), 0.2, ""),
        ("continuous, 60 items", best(lambda: continuous(few), 3), None, "krippendorff continuous 60 items"),
        ("all coefficients and intervals, integer codes", best(lambda: measure(coded), 1), None, ""),
        ("the same from Arrow strings", best(lambda: whole(arrow, "label:nominal", **ids), 2), 3.0, ""),
        ("the same from pandas strings", best(lambda: whole(frame, "label:nominal", **ids), 2), 3.0, ""),
    ]
    peers: dict[str, list[object]] = {}
    readers: list[tuple[str, str, bool]] = []
    versions: list[str] = []
    with tempfile.TemporaryDirectory() as temporary:
        cache = arguments.cache or Path(temporary)
        cache.mkdir(parents=True, exist_ok=True)
        if not arguments.no_peers:
            peers, versions = peer_times(cache, codes, members)
        if sys.platform == "linux":  # elsewhere addresses cannot be limited
            readers = read_under_ceiling(cache, arguments.items, 20)
    table = Table(
        title=f"{len(codes):,} items x {RATERS} raters x {CATEGORIES} categories, 20% missing, one thread"
    )
    for heading in ("what", "ours", "peer", "its time", "ratio", "limit"):
        table.add_column(heading, justify="left" if heading in ("what", "peer") else "right")
    for what, ours, limit, peer in rows:
        theirs = peers.get(peer, [None, 1, ""])
        seconds = theirs[0]
        scaled = f" (x{theirs[1]:g} scaled)" if theirs[1] != 1 else ""
        table.add_row(
            what,
            f"{ours:.4f} s",
            peer + scaled if seconds is not None else "",
            f"{seconds:.2f} s" if isinstance(seconds, float) else "",
            f"{seconds / ours:,.0f}x" if isinstance(seconds, float) else "",
            "" if limit is None else f"{limit} s {'met' if ours <= limit else 'MISSED'}",
        )
    table.add_row(
        "extra memory of the six coefficients",
        f"{memory:.1f} MB",
        "",
        "",
        "",
        f"30 MB {'met' if memory <= 30 else 'MISSED'}",
    )
    for what, took, fitted in readers:
        table.add_row(what, took, "", "", "", f"{CEILING} MB {'met' if fitted else 'MISSED'}")
    console = Console(width=max(150, Console().width))
    console.print(table)
    console.print("Peers:", ", ".join(versions) or "none")
    for name, (seconds, _, note) in peers.items():
        if seconds is None:
            console.print(f"{name}: {note}")
    missed = any(limit is not None and ours > limit for _, ours, limit, _ in rows) or memory > 30
    missed = missed or not all(fitted for *_, fitted in readers)
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
