"""What cutting recordings costs: against FFmpeg on the same film, with the same threads.

python benchmarks/media.py                  # 30 minutes of 720p, 400 utterances
python benchmarks/media.py --minutes 3      # a shorter film with as many utterances a minute
python benchmarks/media.py --hour           # also memory, on an hour

The film is generated. Every step runs in a process of its own, ours and the peer's in turn, and the fastest
of each counts. Ratios of wall time say little on a machine that does other work: those of processor time
stand beside them. Time of the interpreter and of library imports apart. MFCC: ``benchmarks/features.py``.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from corpus.media.segmenting import CLIP_HEIGHT

A_MINUTE = 400 / 30  # utterances
SPOKEN = 0.8  # share of the time
PIECE = 60  # seconds that are encoded; longer films repeat them

OURS = """
import json, resource, sys, time
from pathlib import Path
from corpus.media.plan import Recipe, Shard, Wanted
from corpus.media.segmenting import segment
root, media, threads, clips, count = sys.argv[1:]
gap = {gap}
wanted = tuple(Wanted(f"u{{n}}", n * gap, n * gap + {spoken} * gap) for n in range(int(count)))
shard = Shard(Path(root), media, Path(root, media), wanted, Recipe(clips=clips == "clips"), int(threads))
wall, cpu = time.perf_counter(), time.process_time()
assert segment(shard).done == len(wanted)
wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
print(wall, cpu, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""

PARALLEL = """
import time
from pathlib import Path
if __name__ == "__main__":
    import sys
    from corpus.engine import run
    from corpus.media.plan import Recipe, Shard, Wanted
    from corpus.media.segmenting import segment
    root, workers, count = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    gap = {gap}
    wanted = tuple(Wanted(f"u{{n}}", n * gap, n * gap + {spoken} * gap) for n in range(count))
    film, recipe = root / "media/film.mp4", Recipe(clips=False)
    shards = [Shard(root, f"media/{{n}}.mp4", film, wanted, recipe) for n in range(4)]
    wall = time.perf_counter()
    assert all(one.error is None for one in run(segment, shards, workers=workers, label=""))
    print(time.perf_counter() - wall)
"""


@dataclass(frozen=True)
class Cost:
    """Seconds by the clock and of processors, and MiB at the most."""

    wall: float
    cpu: float
    peak: float = 0.0

    def best(self, other: Cost) -> Cost:
        """Return the least of two measurements of one thing; of memory, the most."""
        return Cost(min(self.wall, other.wall), min(self.cpu, other.cpu), max(self.peak, other.peak))


def make_film(path: Path, minutes: float) -> None:
    """Generate 720p H.264 with AAC: moving shapes under noise."""
    sources = [f"testsrc2=s=1280x720:r=25:d={PIECE}", f"sine=f=440:r=48000:d={PIECE}"]
    inputs = [part for source in sources for part in ("-f", "lavfi", "-i", source)]
    piece = path.with_suffix(".piece.mp4")
    look = ["-vf", "noise=alls=6:allf=t,gblur=sigma=1", "-pix_fmt", "yuv420p", "-ac", "2"]
    codecs = ["-c:v", "libx264", "-preset", "veryfast", "-crf", "26", "-c:a", "aac", "-b:a", "128k"]
    ffmpeg(*inputs, *look, *codecs, str(piece))
    times = max(0, round(minutes * 60 / PIECE) - 1)
    ffmpeg("-stream_loop", str(times), "-i", str(piece), "-c", "copy", str(path))


def ffmpeg(*arguments: str) -> Cost:
    """Run FFmpeg."""
    before, wall = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(["ffmpeg", "-v", "error", "-nostdin", "-y", *arguments], check=True)
    wall = time.perf_counter() - wall
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return Cost(wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def ours(root: Path, threads: int, count: int, *, clips: bool) -> Cost:
    """Cut the film, in a process of its own."""
    code = OURS.format(gap=60 / A_MINUTE, spoken=SPOKEN)
    arguments = [str(root), "media/film.mp4", str(threads), "clips" if clips else "no", str(count)]
    return Cost(*map(float, python(code, arguments)))


def python(code: str, arguments: Sequence[str]) -> list[str]:
    script = Path(arguments[0], "work.py")
    script.write_text(code)
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[1])}
    command = [sys.executable, str(script), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout.split()


def two_calls(film: Path, folder: Path, count: int, sample: int) -> Cost:
    """Cut some utterances as scripts usually do, two FFmpeg calls each, and scale up to all of them."""
    gap = 60 / A_MINUTE
    costs = []
    for number in range(0, count, max(1, count // sample)):
        cut = ["-ss", str(number * gap), "-t", str(SPOKEN * gap), "-i", str(film)]
        sound = ffmpeg(*cut, "-vn", "-ac", "1", "-ar", "16000", str(folder / "sound.flac"))
        frames = ffmpeg(*cut, "-an", "-vf", "fps=5,scale=-2:256", "-q:v", "2", str(folder / "frame%d.jpg"))
        costs.append(Cost(sound.wall + frames.wall, sound.cpu + frames.cpu))
    scale = count / len(costs)
    return Cost(scale * sum(one.wall for one in costs), scale * sum(one.cpu for one in costs))


def in_turn(rounds: int, *measures: Callable[[], Cost]) -> list[Cost]:
    """Measure one after the other, several times; return the best of each."""
    found = [measure() for measure in measures]
    for _ in range(rounds - 1):
        found = [one.best(measure()) for one, measure in zip(found, measures, strict=True)]
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--hour", action="store_true")
    options = parser.parse_args()
    console = Console()
    table = Table("what", "ours", "peer", "its time", "ratio", "of processor time", "limit")
    for column in table.columns[1:]:
        column.justify = "right"

    def add(what: str, mine: Cost, peer: str, theirs: Cost, limit: str, *, faster: bool = False) -> None:
        over, under = (theirs, mine) if faster else (mine, theirs)
        wall, cpu = over.wall / under.wall, over.cpu / under.cpu
        seconds = f"{mine.wall:.1f} s", peer, f"{theirs.wall:.1f} s"
        table.add_row(what, *seconds, f"{wall:.2f}x", f"{cpu:.2f}x", limit)

    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        (root / "media").mkdir()
        film = root / "media" / "film.mp4"
        make_film(film, options.minutes)
        count = int(options.minutes * A_MINUTE)
        console.print(f"{options.minutes:g} minutes, {count} utterances, {film.stat().st_size / 1e6:.0f} MB")
        for threads in (1, 2):
            decode = ["-threads", str(threads), "-i", str(film)]
            mine, theirs = in_turn(
                options.rounds,
                lambda threads=threads: ours(root, threads, count, clips=False),
                lambda decode=decode: ffmpeg(*decode, "-f", "null", "-"),
            )
            add(f"sound and frames, {threads} threads", mine, "ffmpeg, decoding only", theirs, "1.3x")
        usual = two_calls(film, root, count, 20)
        add("sound and frames, 2 threads", mine, "two ffmpeg calls each", usual, "3x faster", faster=True)
        size = ["-vf", f"scale=-2:{CLIP_HEIGHT}", "-c:v", "libx264", "-preset", "veryfast", "-crf", "23"]
        mine, theirs = in_turn(
            options.rounds,
            lambda: ours(root, 2, count, clips=True),
            lambda: ffmpeg("-i", str(film), *size, "-c:a", "aac", str(root / "whole.mp4")),
        )
        add("with clips", mine, "ffmpeg, one re-encoding", theirs, "1.5x")
        table.add_row("most memory", f"{mine.peak:.0f} MiB", "", "", "", "", "1 GB")
        code = PARALLEL.format(gap=60 / A_MINUTE, spoken=SPOKEN)
        walls = [
            min(float(python(code, [str(root), str(workers), str(count)])[0]) for _ in range(options.rounds))
            for workers in (1, 2)
        ]
        table.add_row("four films, two processes", f"{walls[1]:.1f} s", "one process", f"{walls[0]:.1f} s",
                      f"{walls[0] / walls[1]:.2f}x", "", "1.8x faster")  # fmt: skip
        if options.hour:
            make_film(film, 60)
            hour = ours(root, 2, int(60 * A_MINUTE), clips=True)
            table.add_row("an hour, with clips", f"{hour.peak:.0f} MiB", "", "", "", "", "1 GB")
    console.print(table)


if __name__ == "__main__":
    main()
