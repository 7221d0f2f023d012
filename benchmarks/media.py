"""What cutting recordings costs: against FFmpeg on the same film, with the same threads.

python -m benchmarks.media                         # 30 minutes of 720p, 400 utterances
python -m benchmarks.media --minutes 3 --rounds 3  # a shorter film with as many utterances a minute
python -m benchmarks.media --hour                  # also memory, on an hour

The film is generated: a minute is encoded, and repeated. Every step runs in a process of its own, ours and
the peer's in turn, and the fastest of each counts. Ratios of wall time say little on a machine that does
other work: those of processor time stand beside them. Time of the interpreter and of library imports apart.
One minute is as the other: clips are encoded of a part of five minutes. What decodes all of it through PyAV
is timed on that part, two calls of FFmpeg an utterance on 20 utterances; both are multiplied up to the film.
MFCC: ``benchmarks/features.py``.
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

from corpus.media.clip import HEIGHT

A_MINUTE = 400 / 30  # utterances
SPOKEN = 0.8  # share of the time
PART = 5  # minutes: of the films that processes share, and that slow work is timed on

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

DECODING = """
import resource, sys, time
from pathlib import Path
from corpus.media.recording import Recording
film, threads = sys.argv[2:]
wall, cpu = time.perf_counter(), time.process_time()
with Recording(Path(film), threads=int(threads)) as recording:
    for _ in recording.decoded():
        pass
print(time.perf_counter() - wall, time.process_time() - cpu)
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
    film, recipe = root / "media/part.mp4", Recipe(clips=False)
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

    def times(self, factor: float) -> Cost:
        """Return the cost of as much work as ``factor`` such pieces."""
        return Cost(factor * self.wall, factor * self.cpu, self.peak)

    def best(self, other: Cost) -> Cost:
        """Return the least of two measurements of one thing; of memory, the most."""
        return Cost(min(self.wall, other.wall), min(self.cpu, other.cpu), max(self.peak, other.peak))


def make_piece(path: Path) -> None:
    """Generate a minute of 720p H.264 with AAC: moving shapes under noise."""
    sources = ["testsrc2=s=1280x720:r=25:d=60", "sine=f=440:r=48000:d=60"]
    inputs = [part for source in sources for part in ("-f", "lavfi", "-i", source)]
    look = ["-vf", "noise=alls=6:allf=t,gblur=sigma=1", "-pix_fmt", "yuv420p", "-ac", "2"]
    codecs = ["-c:v", "libx264", "-preset", "veryfast", "-crf", "26", "-c:a", "aac", "-b:a", "128k"]
    ffmpeg(*inputs, *look, *codecs, str(path))


def repeat(piece: Path, path: Path, minutes: int) -> None:
    """Make a film of a minute again and again."""
    ffmpeg("-stream_loop", str(minutes - 1), "-i", str(piece), "-c", "copy", str(path))


def ffmpeg(*arguments: str) -> Cost:
    """Run FFmpeg."""
    before, wall = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(["ffmpeg", "-v", "error", "-nostdin", "-y", *arguments], check=True)
    wall = time.perf_counter() - wall
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return Cost(wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def ours(film: Path, threads: int, minutes: int, *, clips: bool) -> Cost:
    """Cut a film, in a process of its own."""
    code = OURS.format(gap=60 / A_MINUTE, spoken=SPOKEN)
    root, count = film.parents[1], int(minutes * A_MINUTE)
    arguments = [str(root), f"media/{film.name}", str(threads), "clips" if clips else "no", str(count)]
    return Cost(*map(float, python(code, arguments)))


def four_films(root: Path, workers: int, minutes: int) -> Cost:
    """Cut four films, in so many processes."""
    code = PARALLEL.format(gap=60 / A_MINUTE, spoken=SPOKEN)
    return Cost(float(python(code, [str(root), str(workers), str(int(minutes * A_MINUTE))])[0]), 0)


def decoding(film: Path, threads: int) -> Cost:
    """Decode all of a film as ours does, and do nothing with it."""
    return Cost(*map(float, python(DECODING, [str(film.parents[1]), str(film), str(threads)])))


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
    return Cost(sum(one.wall for one in costs), sum(one.cpu for one in costs)).times(count / len(costs))


def in_turn(rounds: int, *measures: Callable[[], Cost]) -> list[Cost]:
    """Measure one after the other, several times; return the best of each."""
    found = [measure() for measure in measures]
    for _ in range(rounds - 1):
        found = [one.best(measure()) for one, measure in zip(found, measures, strict=True)]
    return found


class Rows:
    """The table of what was measured, each row said when it is there.

    Args:
        console: Where it is printed.
    """

    def __init__(self, console: Console) -> None:
        self._console, self._began = console, time.perf_counter()
        self.table = Table("what", "ours", "peer", "its time", "ratio", "of processor", "limit")
        for column in self.table.columns[1:]:
            column.justify = "right"

    def say(self, what: str) -> None:
        """Say what was done, and when."""
        self._console.print(f"[dim]{time.perf_counter() - self._began:5.0f} s[/]  {what}", highlight=False)

    def add(
        self, what: str, mine: Cost, peer: str, theirs: Cost, limit: str = "", *, faster: bool = False
    ) -> None:
        """Add a comparison; ``faster``: the ratio says how many times as fast ours is."""
        over, under = (theirs, mine) if faster else (mine, theirs)
        wall, cpu = f"{over.wall / under.wall:.2f}x", f"{over.cpu / under.cpu:.2f}x" if under.cpu else ""
        self.table.add_row(what, f"{mine.wall:.1f} s", peer, f"{theirs.wall:.1f} s", wall, cpu, limit)
        self.say(f"{what}, {peer}: {wall}")

    def memory(self, what: str, mine: Cost) -> None:
        """Add the most memory that was taken."""
        self.table.add_row(what, f"{mine.peak:.0f} MiB", "", "", "", "", "1 GB")
        self.say(f"{what}: {mine.peak:.0f} MiB")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=int, default=30)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--hour", action="store_true")
    options = parser.parse_args()
    console = Console(width=112)
    rows = Rows(console)
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        (root / "media").mkdir()
        piece, film, part = (root / "media" / f"{name}.mp4" for name in ("piece", "film", "part"))
        minutes, few = options.minutes, min(options.minutes, PART)
        make_piece(piece)
        repeat(piece, film, minutes)
        repeat(piece, part, few)
        count = int(minutes * A_MINUTE)
        rows.say(f"{minutes} minutes, {count} utterances, {film.stat().st_size / 1e6:.0f} MB")
        for threads in (1, 2):
            decode = ["-threads", str(threads), "-i", str(film)]
            mine, theirs, whole = in_turn(
                options.rounds,
                lambda threads=threads: ours(film, threads, minutes, clips=False),
                lambda decode=decode: ffmpeg(*decode, "-f", "null", "-"),
                lambda threads=threads: decoding(part, threads).times(minutes / few),
            )
            what = f"sound, frames, {threads} threads"
            rows.add(what, mine, "ffmpeg -f null", theirs, "1.3x")
            rows.add(what, mine, "PyAV, all decoded *", whole)
        usual = two_calls(film, root, count, 20)
        rows.add(what, mine, "ffmpeg, two calls each *", usual, "3x faster", faster=True)
        size = ["-vf", f"scale=-2:{HEIGHT}", "-c:v", "libx264", "-preset", "veryfast", "-crf", "23"]
        mine, theirs = in_turn(
            options.rounds,
            lambda: ours(part, 2, few, clips=True),
            lambda: ffmpeg("-i", str(part), *size, "-c:a", "aac", str(root / "whole.mp4")),
        )
        rows.add(f"{few} min with clips", mine, "ffmpeg, all encoded", theirs, "1.5x")
        rows.memory("most memory, with clips", mine)
        one, two = in_turn(options.rounds, lambda: four_films(root, 1, few), lambda: four_films(root, 2, few))
        what = f"four films of {few} min, 2 processes"
        rows.add(what, two, "one process", one, "1.8x faster", faster=True)
        if options.hour:
            repeat(piece, film, 60)
            rows.memory("an hour, with clips", ours(film, 2, 60, clips=True))
    console.print(rows.table)
    console.print("* timed on a part, multiplied up to the whole film", highlight=False)


if __name__ == "__main__":
    main()
