"""One bad file stops nothing but itself; what was interrupted, the next run does, to the same bytes."""

from __future__ import annotations

import contextlib
import hashlib
import json
import multiprocessing
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from corpus.media import run as run_module
from corpus.media.plan import Recipe, shards
from corpus.media.run import REPORT, cut_recordings, stale
from corpus.media.segmenting import segment
from corpus.media.segments import SEGMENTS_FILE, Segments
from corpus.status import status
from schemas.errors import InputError
from schemas.project import Project
from schemas.tables import read_table
from tests.corpus.media.conftest import Cuts
from tests.corpus.media.film import shoot

CUTS = [(0.2, 0.9), (0.8, 1.6), (1.6, 2.4)]
ROOT = Path(__file__).resolve().parents[3]
Name = Callable[[Cuts], None]


def digests(project: Project) -> dict[str, str]:
    """Return the SHA-256 of every file of the segments; hidden ones would be left-overs."""
    return {
        path.relative_to(project.root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(project.path("clips").rglob("*"))
        if path.is_file()
    }


def films(project: Project, name_utterances: Name, count: int = 3) -> dict[str, str]:
    """Make films, cut them undisturbed, and return what came out; then remove it."""
    names = [f"film{n}.mp4" for n in range(count)]
    for n, name in enumerate(names):
        shoot(project.path(f"media/{name}"), seconds=2.5 + n / 5)
    name_utterances(dict.fromkeys(names, CUTS))
    assert not cut_recordings(project, Recipe(), workers=1).failures
    undisturbed = digests(project)
    assert len(undisturbed) == count * (2 * len(CUTS) + 2)
    shutil.rmtree(project.path("clips"))
    return undisturbed


def same_with_other_threads(project: Project) -> None:
    """Cut all again, with one thread and with three: the same is done, for the same reasons."""
    whole = digests(project)
    planned, _ = shards(project, Recipe())
    for threads in (1, 3):
        for shard in planned:
            segment(replace(shard, threads=threads))
        assert digests(project) == whole


@pytest.mark.usefixtures("in_process")
def test_bad_recordings_are_reported_and_the_rest_is_done(project: Project, name_utterances: Name) -> None:
    media = project.path("media")
    for name in ("good.mp4", "cut_off.mp4", "cut_off.mkv", "strange.mp4", "short.mp4", "quiet_end.mkv"):
        shoot(media / name, seconds=2.5, keep=0.5 if name == "quiet_end.mkv" else 1)
    for name in ("cut_off.mp4", "cut_off.mkv"):
        content = (media / name).read_bytes()
        (media / name).write_bytes(content[: len(content) // 2])
    strange = (media / "strange.mp4").read_bytes().replace(b"avc1", b"zzz1").replace(b"mp4a", b"zzz2")
    (media / "strange.mp4").write_bytes(strange)
    (media / "text.mp4").write_text("not a film\n" * 50)
    (media / "empty.mp4").write_bytes(b"")
    (media / "words.mp4").write_text("1\n00:00:00,000 --> 00:00:01,000\nhello\n")
    bad = [(2.0, 3.5), (9.0, 9.5), (1.0, 1.0), (2.0, 1.0), (-1.0, 0.5), (0.1, None), (0.1, float("nan"))]
    others = ("cut_off.mp4", "cut_off.mkv", "strange.mp4", "text.mp4", "empty.mp4", "words.mp4", "absent.mp4")
    name_utterances(
        {
            "short.mp4": [(0.0, 0.5), *bad],
            "quiet_end.mkv": CUTS,
            **dict.fromkeys(others, CUTS),
            "good.mp4": CUTS,
        }
    )
    account = cut_recordings(project, Recipe(), workers=1)
    reasons: dict[str, list[tuple[str | None, str]]] = {}
    for one in account.failures:
        reasons.setdefault(one.media.removeprefix("media/"), []).append((one.utterance_id, one.reason))
    assert "good.mp4" not in reasons
    assert account.recordings == 10
    assert set(Segments(project).utterances()) >= {"good_0", "good_1", "good_2", "short_0", "quiet_end_0"}

    def said(name: str, utterance: str | None, words: str) -> bool:
        return any(one == utterance and words in reason for one, reason in reasons[name])

    assert said("absent.mp4", None, "this recording is not there; 3 utterances wait for it")
    assert said("empty.mp4", "empty_0", "the file is empty")
    assert said("text.mp4", "text_2", "not a recording that FFmpeg can read")
    assert said("words.mp4", "words_0", "neither pictures nor sound")
    assert said("cut_off.mp4", "cut_off_0", "not a recording that FFmpeg can read")
    assert said("strange.mp4", "strange_0", "FFmpeg cannot decode")
    assert said("cut_off.mkv", "cut_off_2", "the recording breaks off")
    assert not said("cut_off.mkv", "cut_off_0", "")
    assert said("quiet_end.mkv", "quiet_end_2", "sound")
    expected = [
        "ends at 3.5 s, beyond the",
        "ends at 9.5 s, beyond the",
        "not after its start",
        "not after its start",
    ]
    expected += ["cannot start at -1.0 s", "but not both", "ends at nan s"]
    for number, words in enumerate(expected, 1):
        assert said("short.mp4", f"short_{number}", words), (words, reasons["short.mp4"])
    report = json.loads(project.path(REPORT).read_text())
    assert [one["reason"] for one in report["failures"]] == [one.reason for one in account.failures]

    before = digests(project)
    same_with_other_threads(project)
    again = cut_recordings(project, Recipe(), workers=1)
    assert (again.cut, again.failures) == ((), account.failures)
    shoot(media / "empty.mp4", seconds=2.5)
    repaired = cut_recordings(project, Recipe(), workers=1)
    assert repaired.cut == ("media/empty.mp4",)
    assert {name: digest for name, digest in digests(project).items() if "empty" not in name} == {
        name: digest for name, digest in before.items() if "empty" not in name
    }


@pytest.mark.usefixtures("in_process")
def test_damage_within_is_the_fault_of_its_utterances(project: Project, name_utterances: Name) -> None:
    path = project.path("media/scratched.mkv")
    shoot(path, seconds=6.0)
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 4000] = random.Random(3).randbytes(4000)
    path.write_bytes(bytes(content))
    name_utterances({"scratched.mkv": [(0.2, 1.0), (2.0, 4.5), (5.2, 5.8)]})
    account = cut_recordings(project, Recipe(), workers=1)
    assert [one.utterance_id for one in account.failures] == ["scratched_1"]
    assert set(Segments(project).utterances()) == {"scratched_0", "scratched_2"}
    same_with_other_threads(project)


@pytest.mark.usefixtures("in_process")
def test_only_what_changed_is_cut_again(project: Project, name_utterances: Name) -> None:
    undisturbed = films(project, name_utterances)
    assert state(project) == ("missing", ())
    cut_recordings(project, Recipe(), workers=1)
    assert state(project) == ("current", ())
    assert digests(project) == undisturbed
    names = [f"film{n}.mp4" for n in range(3)]
    name_utterances({names[0]: CUTS, names[1]: [*CUTS, (1.0, 1.5)], names[2]: CUTS})
    assert state(project) == ("stale", ("utterances.parquet",))
    assert cut_recordings(project, Recipe(), workers=1).cut == ("media/film1.mp4",)
    project.path("clips/film2.mp4/film2_1.flac").unlink()
    assert stale(project) == ["clips/film2.mp4"]
    assert cut_recordings(project, Recipe(), workers=1).cut == ("media/film2.mp4",)
    name_utterances(dict.fromkeys(names, CUTS))
    cut_recordings(project, Recipe(), workers=1)
    assert digests(project) == undisturbed
    name_utterances({names[0]: CUTS})
    cut_recordings(project, Recipe(), workers=1)
    assert set(digests(project)) == {name for name in undisturbed if "film0" in name}
    account = cut_recordings(project, Recipe(rate=2.0, clips=False), workers=1)
    assert account.cut == ("media/film0.mp4",)
    assert not list(project.path("clips").rglob("*_0.mp4"))
    assert stale(project) == []


def state(project: Project) -> tuple[str, tuple[str, ...]]:
    found = next(one for one in status(project) if one.name == "clips")
    return found.state.value, found.changed


def test_the_number_of_threads_and_of_workers_does_not_matter(
    project: Project, name_utterances: Name
) -> None:
    undisturbed = films(project, name_utterances)
    cut_recordings(project, Recipe(), workers=3)
    assert digests(project) == undisturbed


def test_workers_killed_at_random_moments(project: Project, name_utterances: Name) -> None:
    undisturbed = films(project, name_utterances)
    rng = random.Random(1)
    done = threading.Event()
    kills = 0

    def kill() -> None:
        nonlocal kills
        while not done.wait(rng.uniform(0.3, 2.5)) and kills < 4:
            for child in multiprocessing.active_children()[:1]:
                os.kill(child.pid, signal.SIGKILL)
                kills += 1

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        account = cut_recordings(project, Recipe(), workers=2)
    finally:
        done.set()
        killer.join()
    # Four kills can meet one shard twice: then it is reported, and the next run does it.
    assert all("killed twice" in one.reason for one in account.failures)
    cut_recordings(project, Recipe(), workers=2)
    assert digests(project) == undisturbed


FULL_DISK = """
import resource, sys
if __name__ == "__main__":
    from corpus.media.plan import Recipe
    from corpus.media.run import cut_recordings
    from schemas.project import Project
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
    account = cut_recordings(Project(sys.argv[1]), Recipe(), workers=1)
    print(len(account.cut), *(one.reason for one in account.failures), sep="\\n")
"""


@pytest.mark.parametrize("size", [3_000, 14_000])
def test_full_disk(project: Project, name_utterances: Name, tmp_path: Path, size: int) -> None:
    """No file may grow beyond a few kilobytes: sound and clips, or only the pictures, cannot be written."""
    undisturbed = films(project, name_utterances, 2)
    script = tmp_path / "full.py"
    script.write_text(FULL_DISK)
    command = [sys.executable, str(script), str(project.root), str(size)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    count, *reasons = done.stdout.splitlines()
    assert count == "0"
    assert len(reasons) == 2
    assert all("File too large" in reason or "not written whole" in reason for reason in reasons), reasons
    assert digests(project) == {}
    assert not cut_recordings(project, Recipe(), workers=1).failures
    assert digests(project) == undisturbed


def test_ctrl_c(project: Project, name_utterances: Name) -> None:
    undisturbed = films(project, name_utterances, 8)  # some remain, however late the signal comes
    command = [sys.executable, "-c", "from affect_corpus import corpus; corpus()", "media", "--workers", "1"]
    running = subprocess.Popen(
        [*command, "--project", str(project.root)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=ROOT,
        start_new_session=True,  # Ctrl-C reaches every process of the group
        # A shell's background jobs ignore Ctrl-C, and so would this one.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    # Not by its table of segments: that one stands complete in its put-aside folder a moment earlier.
    folders = [project.path(f"clips/film{n}.mp4") for n in range(8)]
    while not any(path.exists() for path in folders) and running.poll() is None:
        time.sleep(0.05)
    assert running.poll() is None, running.communicate()
    os.killpg(running.pid, signal.SIGINT)
    said = running.communicate(timeout=600)
    assert running.returncode != 0, said
    deadline = time.monotonic() + 600
    while group(running.pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert group(running.pid) == []
    finished = list(project.path("clips").rglob(SEGMENTS_FILE))
    assert 1 <= len(finished) < 8, said
    assert set(digests(project).items()) <= set(undisturbed.items())
    account = cut_recordings(project, Recipe(), workers=1)
    assert len(account.cut) == 8 - len(finished)
    assert digests(project) == undisturbed


def group(leader: int) -> list[str]:
    """Return the processes of a group that still run."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            name, rest = path.read_text().rsplit(")", 1)
            state, _, process_group = rest.split()[:3]
            if process_group == str(leader) and state != "Z":
                found.append(name)
    return found


@pytest.mark.usefixtures("in_process")
def test_what_a_killed_command_left_is_cleared(project: Project, name_utterances: Name) -> None:
    undisturbed = films(project, name_utterances, 1)
    left = project.path(f"clips/.0123{run_module.PART}")
    left.mkdir(parents=True)
    (left / "film0_0.flac").write_bytes(b"half")
    cut_recordings(project, Recipe(), workers=1)
    assert digests(project) == undisturbed


@pytest.mark.usefixtures("in_process")
def test_media_stay_in_the_project(project: Project, name_utterances: Name, tmp_path: Path) -> None:
    shoot(tmp_path / "outside.mp4", seconds=1.0)
    name_utterances({"../../outside.mp4": [(0.1, 0.5)]})
    account = cut_recordings(project, Recipe(), workers=1)
    assert [one.reason for one in account.failures] == [
        "a recording stands in the project folder (it may be a link)"
    ]
    project.path("media/link.mp4").symlink_to(tmp_path / "outside.mp4")
    name_utterances({"link.mp4": [(0.1, 0.5)]})
    assert not cut_recordings(project, Recipe(), workers=1).failures


@pytest.mark.usefixtures("in_process")
def test_playlists_under_a_wrong_name_read_nothing_else(project: Project, name_utterances: Name) -> None:
    shoot(project.path("media/real.ts"), seconds=2.5)
    playlist = "#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXTINF:2.5,\nreal.ts\n#EXT-X-ENDLIST\n"
    project.path("media/list.mp4").write_text(playlist)
    concat = f"ffconcat version 1.0\nfile {project.path('media/real.ts')}\n"
    project.path("media/concat.mp4").write_text(concat)
    name_utterances({"list.mp4": CUTS[:1], "concat.mp4": CUTS[:1]})
    assert len(cut_recordings(project, Recipe(), workers=1).failures) == 2


@pytest.mark.parametrize("recipe", [{"rate": 0.0}, {"rate": -1.0}, {"rate": float("nan")}, {"rate": 1000.0}])
def test_recipes_that_cannot_be_followed(
    project: Project, name_utterances: Name, recipe: dict[str, Any]
) -> None:
    name_utterances({"any.mp4": CUTS})
    with pytest.raises(InputError, match="frames a second"):
        cut_recordings(project, Recipe(**recipe))


@pytest.mark.usefixtures("in_process")
def test_rows_say_what_was_made(project: Project, name_utterances: Name) -> None:
    films(project, name_utterances, 1)
    cut_recordings(project, Recipe(), workers=1)
    rows = read_table(project.path(f"clips/film0.mp4/{SEGMENTS_FILE}")).to_pylist()
    for row, (start, end) in zip(rows, CUTS, strict=True):
        for kind in ("audio", "clip"):
            content = project.path(row[kind]).read_bytes()
            assert hashlib.sha256(content).hexdigest() == row[f"{kind}_sha256"]
        assert row["clip_seconds"] == pytest.approx(end - start)
        assert row["clip_streams"] == "h264+aac"
        assert row["audio_samples"] == round((end - start) * 16_000)
        assert row["frames"] == 4
        assert row["faces"] == 0
