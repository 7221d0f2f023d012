"""Where work is done: processes of this machine, or an existing Ray or Dask cluster.

Work is a list of independent tasks (shards). Each writes its own files and returns something small, so that
an engine only submits tasks and says when they are done. Nothing else in the project knows about machines.

On a cluster, every machine has this package installed and sees the project folder under the same path.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from enum import StrEnum
from importlib import import_module
from multiprocessing.process import BaseProcess
from typing import Any, Generic, TypeVar

from schemas.errors import InputError, Issue
from schemas.progress import progress

Task = TypeVar("Task")
Result = TypeVar("Result")

TRIES = 2
"""How often a task may kill its worker: then it is reported."""


class Engine(StrEnum):
    """What runs the tasks."""

    LOCAL = "local"
    RAY = "ray"
    DASK = "dask"


@dataclass(frozen=True)
class Outcome(Generic[Task, Result]):
    """What became of a task.

    Attributes:
        task: The task.
        result: What the work returned; None when it failed.
        error: Why it failed, a sentence for people; None when it did not.
    """

    task: Task
    result: Result | None
    error: str | None


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def run(
    work: Callable[[Task], Result],
    tasks: Sequence[Task],
    *,
    engine: str = Engine.LOCAL,
    workers: int | None = None,
    address: str | None = None,
    label: str,
) -> Iterator[Outcome[Task, Result]]:
    """Do all tasks, and give what became of each as soon as it is done, in no fixed order.

    Work that raises, and a task whose worker dies twice, are outcomes with an error; the other tasks are done
    all the same. A worker that is killed costs its own task one more try. On Ctrl-C, or when the caller stops
    listening, workers of this machine are ended and tasks of a cluster cancelled.

    Args:
        work: A function of a module's top level. It always runs in another process than this one.
        tasks: Small values that can be pickled, such as frozen dataclasses; data belong in files.
        engine: ``local`` (processes of this machine), ``ray`` or ``dask``.
        workers: How many tasks run at once; by default as many as there are cores (of the cluster).
        address: Of the cluster: ``HOST:PORT`` of Ray (by default the one that runs on this machine), or
            ``tcp://HOST:PORT`` of a Dask scheduler.
        label: What is done, for the progress bar.

    Raises:
        InputError: Unknown engine, its package is not installed, or the cluster cannot be reached.
    """
    if engine not in list(Engine):
        choices = [one.value for one in Engine]
        raise InputError(Issue("unknown engine", column="--engine", value=engine, choices=choices))
    if workers is not None and workers < 1:
        raise InputError(Issue("at least one worker is needed", column="--workers", value=workers))
    if engine == Engine.LOCAL and address is not None:
        raise InputError(Issue("an address is for ray or dask", column="--address", value=address))
    start = {Engine.LOCAL: _local, Engine.RAY: _ray, Engine.DASK: _dask}[Engine(engine)]
    return progress(start(work, tasks, workers, address), label, len(tasks))


def _attempt(work: Callable[[Task], Result], task: Task) -> tuple[Result | None, str | None]:
    """Do a task; what it raises becomes text here, since not every exception survives pickling."""
    try:
        return work(task), None
    except Exception as error:  # whatever a task raises must not cost the others theirs
        if isinstance(error, OSError) and error.filename is not None:
            return None, f"{error.filename}: {error.strerror}"
        return None, str(error) if isinstance(error, InputError) else f"{type(error).__name__}: {error}"


def _killed(task: Task) -> Outcome[Task, Any]:
    return Outcome(task, None, "its process was killed twice, perhaps for lack of memory")


# -- processes of this machine ------------------------------------------------------------------------------


class _Context(multiprocessing.context.SpawnContext):
    """Starts processes afresh (this one may have threads, of Arrow for one), and remembers them."""

    def __init__(self) -> None:
        super().__init__()
        self.started: list[BaseProcess] = []

    def Process(self, *args: Any, **named: Any) -> BaseProcess:  # type: ignore[override] # noqa: ANN401, N802
        process = multiprocessing.context.SpawnProcess(*args, **named)
        self.started.append(process)
        return process


class _Worker:
    """One process in a pool of its own: when it dies, it is clear which task it was busy with."""

    def __init__(self) -> None:
        self._context = _Context()
        self._pool = ProcessPoolExecutor(1, self._context, initializer=_prepare)

    def submit(self, work: Callable[[Task], Result], task: Task) -> Future[tuple[Result | None, str | None]]:
        return self._pool.submit(_attempt, work, task)

    def end(self) -> None:
        for process in self._context.started:
            process.terminate()
        self._pool.shutdown(cancel_futures=True)


def _prepare() -> None:
    """Leave Ctrl-C to the parent, and do not outlive it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_follow_parent, daemon=True).start()


def _follow_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _local(
    work: Callable[[Task], Result], tasks: Sequence[Task], workers: int | None, _: str | None
) -> Iterator[Outcome[Task, Result]]:
    size = min(workers or cores(), len(tasks))
    waiting = deque((task, 1) for task in tasks)
    idle: list[_Worker] = []
    busy: dict[Future[tuple[Result | None, str | None]], tuple[_Worker, Task, int]] = {}
    try:
        while waiting or busy:
            while waiting and len(busy) < size:
                task, attempt = waiting.popleft()
                worker = idle.pop() if idle else _Worker()
                try:
                    busy[worker.submit(work, task)] = worker, task, attempt
                except BrokenProcessPool:  # it was killed while it had nothing to do
                    worker.end()
                    waiting.appendleft((task, attempt))
            for future in wait(busy, return_when=FIRST_COMPLETED).done:
                worker, task, attempt = busy.pop(future)
                try:
                    outcome = Outcome(task, *future.result())
                except BrokenProcessPool:
                    worker.end()
                    if attempt < TRIES:
                        waiting.append((task, attempt + 1))
                        continue
                    outcome = _killed(task)
                else:
                    idle.append(worker)
                yield outcome
    finally:
        for worker in [*idle, *(one for one, _, _ in busy.values())]:
            worker.end()


# -- clusters -----------------------------------------------------------------------------------------------


def _package(name: str, engine: Engine) -> Any:  # noqa: ANN401 - neither has types
    try:
        return import_module(name)
    except ImportError:
        message = f"the engine {engine} is not installed: pip install 'affect-corpus[cluster]'"
        raise InputError(Issue(message)) from None


def _unreachable(engine: Engine, address: str | None, error: Exception) -> InputError:
    return InputError(Issue(f"no {engine} cluster answers: {error}", column="--address", value=address))


def _ray(
    work: Callable[[Task], Result], tasks: Sequence[Task], workers: int | None, address: str | None
) -> Iterator[Outcome[Task, Result]]:
    ray = _package("ray", Engine.RAY)
    mine = not ray.is_initialized()
    if mine:
        try:
            ray.init(address or "auto", log_to_driver=False, logging_level="error")
        except (ConnectionError, TimeoutError, ValueError, RuntimeError) as error:
            raise _unreachable(Engine.RAY, address, error) from None
    remote = ray.remote(num_cpus=1, max_retries=TRIES - 1)(_attempt)
    waiting = deque(tasks)
    busy: dict[Any, Task] = {}
    try:
        size = workers or max(1, int(ray.cluster_resources().get("CPU", 1)))
        while waiting or busy:
            while waiting and len(busy) < size:
                task = waiting.popleft()
                busy[remote.remote(work, task)] = task
            done, _ = ray.wait(list(busy), num_returns=1)
            for reference in done:
                task = busy.pop(reference)
                try:
                    outcome = Outcome(task, *ray.get(reference))
                except ray.exceptions.RayError:  # the tasks' own faults were returned
                    outcome = _killed(task)
                yield outcome
    finally:
        for reference in busy:
            ray.cancel(reference, force=True)
        if mine:
            ray.shutdown()


def _dask(
    work: Callable[[Task], Result], tasks: Sequence[Task], workers: int | None, address: str | None
) -> Iterator[Outcome[Task, Result]]:
    """Run tasks on Dask, which gives each as many tries as its scheduler is set to (``allowed-failures``).

    It blames every task that waited on a worker that died: those it gives up run once more, each alone.
    """
    distributed = _package("distributed", Engine.DASK)
    if address is None:
        raise InputError(Issue("name the Dask scheduler: --address tcp://HOST:PORT"))
    try:
        client = distributed.Client(address, set_as_default=False)
    except (OSError, ValueError) as error:
        raise _unreachable(Engine.DASK, address, error) from None
    waiting, suspects = deque(tasks), deque[Task]()
    busy: dict[Any, tuple[Task, bool]] = {}
    done = distributed.as_completed(loop=client.loop, raise_errors=False)

    def submit(task: Task, alone: bool) -> None:
        future = client.submit(_attempt, work, task, pure=False)
        busy[future] = task, alone
        done.add(future)

    try:
        size = workers or max(1, sum(client.nthreads().values()))
        while waiting or suspects or busy:
            while waiting and len(busy) < size:
                submit(waiting.popleft(), alone=False)
            if not busy:
                submit(suspects.popleft(), alone=True)
            future = next(done)
            task, alone = busy.pop(future)
            try:
                outcome = Outcome(task, *future.result())
            except distributed.KilledWorker:
                if not alone:
                    suspects.append(task)
                    continue
                outcome = _killed(task)
            yield outcome
    finally:
        client.cancel(list(busy), force=True)
        client.close()
