"""Tasks on this machine, on a two-node Ray cluster and on a Dask scheduler with two workers."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from corpus.engine import run
from corpus.features.catalogue import Options, create
from corpus.features.making import make
from corpus.features.table import read_recipe
from corpus.media.plan import Recipe
from corpus.media.run import cut_recordings
from schemas.errors import InputError
from schemas.project import Project
from tests.corpus.engine_work import Errand, do
from tests.corpus.features.conftest import small_model  # noqa: F401 - a fixture
from tests.corpus.media.conftest import name_utterances, project  # noqa: F401 - fixtures
from tests.corpus.media.film import shoot
from tests.corpus.media.test_faults import CUTS, Name, digests

ROOT = Path(__file__).resolve().parents[2]


def tries(errand: Errand) -> int:
    return len(list(errand.notes.glob(f"{errand.number}-*")))


def mixed(notes: Path) -> list[Errand]:
    kinds = {1: "open", 2: "raise", 3: "die_once", 5: "die"}
    return [Errand(number, notes, kinds.get(number, "square")) for number in range(8)]


def check_mixed(errands: list[Errand], engine: str, address: str | None = None) -> None:
    """Check that each task suffers for itself alone."""
    outcomes = {
        one.task.number: one for one in run(do, errands, engine=engine, workers=2, address=address, label="")
    }
    assert sorted(outcomes) == list(range(8))
    for number, one in outcomes.items():
        if number == 2:
            assert (one.result, one.error) == (None, "ValueError: number 2 is refused")
        elif number == 1:
            assert (one.result, one.error) == (None, f"{one.task.notes}/absent: No such file or directory")
        elif number == 5:
            assert one.result is None
            assert "killed" in (one.error or "")
        else:
            assert (one.result, one.error) == (number**2, None)


def test_local(tmp_path: Path) -> None:
    errands = mixed(tmp_path)
    check_mixed(errands, "local")
    assert [tries(one) for one in errands] == [1, 1, 1, 2, 1, 2, 1, 1]
    assert str(os.getpid()) not in {note.read_text() for note in tmp_path.iterdir()}  # never in this process


def test_no_tasks() -> None:
    assert list(run(do, [], label="nothing")) == []


def test_who_stops_listening_stops_the_work(tmp_path: Path) -> None:
    errands = [Errand(0, tmp_path), Errand(1, tmp_path, "wait")]
    outcomes = run(do, errands, workers=2, label="")
    assert next(outcomes).result == 0
    while not tries(errands[1]):
        time.sleep(0.05)
    pid = int((tmp_path / "1-0").read_text())
    outcomes.close()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


ORPHANS = """
import sys
from pathlib import Path
if __name__ == "__main__":
    from corpus.engine import run
    from tests.corpus.engine_work import Errand, do
    list(run(do, [Errand(1, Path(sys.argv[1]), "wait")], label=""))
"""


def test_workers_do_not_outlive_a_parent_that_is_killed(tmp_path: Path) -> None:
    script, notes = tmp_path / "script.py", tmp_path / "notes"
    script.write_text(ORPHANS)
    notes.mkdir()
    parent = subprocess.Popen(
        [sys.executable, str(script), str(notes)], cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    note = notes / "1-0"
    while not (note.exists() and note.read_text()):
        assert parent.poll() is None
        time.sleep(0.05)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    deadline = time.monotonic() + 60
    while alive(int(note.read_text())) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not alive(int(note.read_text()))


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"engine": "spark"}, "unknown engine, got 'spark'; .*valid: local, ray, dask"),
        ({"workers": 0}, "at least one worker"),
        ({"address": "tcp://127.0.0.1:1"}, "an address is for ray or dask"),
    ],
)
def test_wrong_use(options: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        run(do, [], label="", **options)


def test_dask_needs_an_address(tmp_path: Path) -> None:
    pytest.importorskip("distributed")
    with pytest.raises(InputError, match="name the Dask scheduler"):
        list(run(do, [Errand(0, tmp_path)], engine="dask", label=""))


@pytest.fixture(scope="module")
def dask_scheduler() -> Iterator[str]:
    """Return the address of a Dask scheduler with two workers that come back when they are killed."""
    distributed = pytest.importorskip("distributed")
    import dask

    # A worker that was killed takes seconds to come back: one more try, not three.
    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 1}),
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address=None
        ) as cluster,
    ):
        yield cluster.scheduler_address


@pytest.fixture(scope="module")
def ray_cluster() -> Iterator[str]:
    """Return the address of a Ray cluster of two nodes."""
    utils = pytest.importorskip("ray.cluster_utils")
    import ray

    cluster = utils.Cluster()
    for _ in range(2):
        cluster.add_node(num_cpus=1, object_store_memory=80 * 2**20, include_dashboard=False)
    try:
        yield cluster.address
    finally:
        ray.shutdown()
        cluster.shutdown()


def same_as_local(project: Project, engine: str, address: str) -> None:  # noqa: F811
    cut_recordings(project, Recipe(), workers=1)
    local = digests(project)
    project.path("clips").rename(project.path("clips-local"))
    account = cut_recordings(project, Recipe(), engine=engine, address=address)
    assert not account.failures
    assert len(account.cut) == 2
    assert digests(project) == local


def same_features_as_local(project: Project, engine: str, address: str, model: Path) -> None:  # noqa: F811
    """Make three kinds of features in several shards, here and on a cluster."""
    encoder = create("audio-encoder", Options(models=(str(model),)))
    for extractor in (create("mfcc", Options()), create("ngrams", Options()), encoder):
        local = make(project, extractor, "local", workers=1)
        there = make(project, extractor, "there", engine=engine, address=address)
        assert local.changed
        assert there.changed
        assert not there.failed
        assert there.width == local.width
        made = [
            {
                path.name: path.read_bytes()
                for path in project.path(f"features/{name}").iterdir()
                if path.suffix == ".parquet"
            }
            for name in ("local", "there")
        ]
        assert len(made[0]) >= 2
        assert made[0] == made[1]
        recipes = [read_recipe(project, name) or {} for name in ("local", "there")]
        assert {**recipes[0], "name": ""} == {**recipes[1], "name": ""}
        for name in ("local", "there"):
            shutil.rmtree(project.path(f"features/{name}"))


@pytest.fixture
def spoken(project: Project, name_utterances: Name) -> Project:  # noqa: F811
    """Return a project of many short utterances: two shards of sound, and two of text."""
    shoot(project.path("media/talk.mp4"), seconds=4.0, video=False)
    name_utterances({"talk.mp4": [(0.003 * n, 0.003 * n + 0.2) for n in range(1_100)]})
    assert not cut_recordings(project, Recipe(clips=False), workers=1).failures
    return project


@pytest.fixture
def filmed(project: Project, name_utterances: Name) -> Project:  # noqa: F811
    for name in ("one.mp4", "two.mp4"):
        shoot(project.path(f"media/{name}"), seconds=2.5)
    name_utterances({"one.mp4": CUTS, "two.mp4": CUTS})
    return project


def test_dask(dask_scheduler: str, tmp_path: Path) -> None:
    check_mixed(mixed(tmp_path), "dask", dask_scheduler)


def test_segments_of_dask_are_those_of_this_machine(dask_scheduler: str, filmed: Project) -> None:
    same_as_local(filmed, "dask", dask_scheduler)


def test_features_of_dask_are_those_of_this_machine(
    dask_scheduler: str,
    spoken: Project,
    small_model: Callable[[str], Path],  # noqa: F811
) -> None:
    same_features_as_local(spoken, "dask", dask_scheduler, small_model("wav2vec2 with mask"))


def test_ray(ray_cluster: str, tmp_path: Path) -> None:
    errands = mixed(tmp_path)
    check_mixed(errands, "ray", ray_cluster)
    assert [tries(one) for one in errands] == [1, 1, 1, 2, 1, 2, 1, 1]


def test_segments_of_ray_are_those_of_this_machine(ray_cluster: str, filmed: Project) -> None:
    same_as_local(filmed, "ray", ray_cluster)


def test_features_of_ray_are_those_of_this_machine(
    ray_cluster: str,
    spoken: Project,
    small_model: Callable[[str], Path],  # noqa: F811
) -> None:
    same_features_as_local(spoken, "ray", ray_cluster, small_model("wav2vec2 with mask"))


def test_no_cluster_there(tmp_path: Path) -> None:
    pytest.importorskip("distributed")
    import dask

    with (
        dask.config.set({"distributed.comm.timeouts.connect": "1s"}),
        pytest.raises(InputError, match="no dask"),
    ):
        list(run(do, [Errand(0, tmp_path)], engine="dask", address="tcp://127.0.0.1:9", label=""))
