"""How fast the sample is generated, against real time and the limits of the project.

python -m benchmarks.sample             # prints rates: 24 rendered dialogues, 2,000 as features
python -m benchmarks.sample --full      # renders 300 dialogues
python -m benchmarks.sample --package   # makes corpus/sample/packaged anew
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path

import pyarrow.compute as pc

from corpus.engine import cores
from corpus.sample.bayes import bayes_optimal, markdown
from corpus.sample.generate import generate
from corpus.sample.packaged import FOLDER, package
from schemas import load_schema
from schemas.project import UTTERANCES
from schemas.tables import read_table

RENDERED, RENDERED_LIMIT = 300, 600
FEATURES, FEATURES_LIMIT = 2_000, 60
PACKAGED_LIMIT = 10 * 10**6


def measure_rendering(dialogues: int) -> None:
    """Render, and scale the time to the 300 dialogues of the limit."""
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        generate(Path(folder, "sample"), dialogues)
        took = time.perf_counter() - began
        rows = read_table(Path(folder, "sample", UTTERANCES))
        ends = rows.group_by("media").aggregate([("end", "max")])
        recorded = pc.sum(ends.column("end_max")).as_py()
        size = sum(one.stat().st_size for one in Path(folder, "sample", "media").iterdir())
    scaled = took * RENDERED / dialogues
    print(
        f"rendering: {dialogues} dialogues, {rows.num_rows} utterances, {recorded / 60:.1f} min of media, "
        f"{size / 1e6:.1f} MB in {took:.1f} s: {recorded / took:.1f} times real time"
    )
    print(f"  {RENDERED} dialogues: {scaled:.0f} s, limit {RENDERED_LIMIT} s, on {cores()} cores")


def measure_features() -> None:
    """Generate the features-only corpus of the limit."""
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        made = generate(Path(folder, "sample"), FEATURES, features_only=True)
        took = time.perf_counter() - began
    print(
        f"features only: {FEATURES} dialogues, {made.rows_imported} utterances in {took:.1f} s, "
        f"limit {FEATURES_LIMIT} s"
    )


def measure_bayes() -> None:
    """Print the best possible scores."""
    began = time.perf_counter()
    best = bayes_optimal(load_schema("affect"))
    took = time.perf_counter() - began
    print(f"\nbest possible scores, {best['utterances']} Monte Carlo utterances in {took:.1f} s\n")
    print(markdown(best))


def make_package() -> None:
    """Make the packaged sample anew and say what it holds."""
    target = Path(__file__).resolve().parents[1] / "corpus" / "sample" / FOLDER
    package(target)
    size = sum(one.stat().st_size for one in target.rglob("*") if one.is_file())
    dialogues = [json.loads(line) for line in (target / "dialogues.jsonl").read_text("utf-8").splitlines()]
    utterances = sum(len(one["utterances"]) for one in dialogues)
    print(f"{len(dialogues)} dialogues, {utterances} utterances, {size} bytes, limit {PACKAGED_LIMIT}")


if __name__ == "__main__":
    if "--package" in sys.argv:
        make_package()
    else:
        measure_features()
        measure_rendering(RENDERED if "--full" in sys.argv else 24)
        measure_bayes()
