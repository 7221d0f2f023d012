"""What importing, checking, splitting and building cost: CMMA in time, two million utterances in memory.

Run as ``python benchmarks/build.py [--utterances 2000000] [--cmma DIR]``. Each step runs in a process of its
own on one core; the time of the interpreter and of library imports is measured apart, and the peak resident
memory is that of the whole process.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from rich.console import Console
from rich.table import Table

from schemas.project import Project
from schemas.sampling import draw_batches
from schemas.tables import TableWriter

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data" / "CMMA"
STEPS = {
    "import": "from corpus.importers import import_source as f; run = lambda p: f(p, 'cmma', [{source}])",
    "check": "from corpus.checks import run",
    "split": "from corpus.splits import split_project as f; run = lambda p: f(p, keep_source=True)",
    "build": "import datasets; from corpus.build import build as run",
}
TEMPLATE = """
import resource, sys, time
from pathlib import Path
start = time.perf_counter()
from schemas.project import Project
{imports}
ready = time.perf_counter()
run(Project({project!r}))
done = time.perf_counter()
print(ready - start, done - ready, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


def measure(step: str, project: Path, source: Path | None) -> tuple[float, float, float]:
    """Return seconds of library imports, seconds of the step, and peak MiB, in a process on one core."""
    imports = STEPS[step].format(source=f"Path({str(source)!r})")
    code = TEMPLATE.format(imports=imports, project=str(project))
    one_core = {**os.environ, "OMP_NUM_THREADS": "1", "ARROW_NUM_THREADS": "1"}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=one_core, capture_output=True, text=True, check=True, preexec_fn=_pin)
    libraries, seconds, peak = map(float, done.stdout.split()[-3:])
    return libraries, seconds, peak


def _pin() -> None:
    os.sched_setaffinity(0, {sorted(os.sched_getaffinity(0))[0]})


def synthetic_project(folder: Path, utterances: int) -> tuple[Project, int]:
    """Make a project of about so many drawn utterances; return it and how many there are."""
    project = Project.create(folder, "affect")
    rows = 0
    with ExitStack() as open_tables:
        writers: dict[str, TableWriter] = {}
        for batch in draw_batches(project.schema, utterances, seed=1):
            for name, table in batch.items():
                if name not in writers:
                    writers[name] = open_tables.enter_context(TableWriter(project.path(name), table.schema))
                writers[name].write(table)
            rows += batch["utterances.parquet"].num_rows
            if rows >= utterances:
                break
    return project, rows


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--utterances", type=int, default=2_000_000)
    parser.add_argument("--cmma", type=Path, default=SHARED)
    options = parser.parse_args()
    console = Console()
    table = Table("corpus", "step", "libraries s", "step s", "rows/s", "peak MiB", title="One core")
    for column in table.columns[2:]:
        column.justify = "right"
    with tempfile.TemporaryDirectory() as folder:
        if options.cmma.is_dir():
            project = Project.create(Path(folder) / "cmma", "cmma").root
            total = 0.0
            for step in STEPS:
                libraries, seconds, peak = measure(step, project, options.cmma)
                total += seconds
                rate = f"{21795 / seconds:,.0f}"
                table.add_row(
                    "CMMA, 21,795", step, f"{libraries:.2f}", f"{seconds:.2f}", rate, f"{peak:,.0f}"
                )
            table.add_row("", "[bold]all", "", f"[bold]{total:.2f}", "limit 10", "")
        else:
            console.print("CMMA is not here (--cmma DIR): only synthetic utterances are measured")
        start = time.perf_counter()
        project_, rows = synthetic_project(Path(folder) / "large", options.utterances)
        console.print(f"{rows:,} synthetic utterances drawn in {time.perf_counter() - start:.0f} s")
        libraries, seconds, peak = measure("build", project_.root, None)
        table.add_row(
            f"synthetic, {rows:,}", "build", f"{libraries:.2f}", f"{seconds:.1f}", f"{rows / seconds:,.0f}",
            f"{peak:,.0f} (limit 1,536)",
        )  # fmt: skip
        floor = _floor(project_)
        table.add_row("", "read and write the same bytes", "", f"{floor:.1f}", f"{rows / floor:,.0f}", "")
    starts = [_help_seconds() for _ in range(5)]
    table.add_row("", "corpus --help", "", f"{sorted(starts)[2]:.2f}", "limit 0.5", "")
    console.print(table)


def _floor(project: Project) -> float:
    """The physical limit: seconds to copy the tables that a build reads and writes."""
    size = sum(path.stat().st_size for path in project.root.rglob("*.parquet"))
    block = os.urandom(1 << 20)
    start = time.perf_counter()
    with tempfile.NamedTemporaryFile(dir=project.root) as file:
        for _ in range(size >> 20):
            file.write(block)
        file.flush()
        os.fsync(file.fileno())
    return time.perf_counter() - start


def _help_seconds() -> float:
    command = Path(sys.executable).with_name("corpus")
    start = time.perf_counter()
    subprocess.run([command, "--help"], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
