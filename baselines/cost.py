"""What a model costs: parameters, seconds of training, and time for an utterance on one thread."""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from baselines.data import Split
from baselines.split_rows import take

WARM_UP = 3
DIALOGUES = 50
"""Dialogues whose answers are timed, one at a time, as they would come in use."""


@dataclass(frozen=True)
class Latency:
    """Milliseconds for an utterance, on one thread, one dialogue at a time.

    Attributes:
        median: Of the dialogues.
        p95: 95th percentile of the dialogues.
        dialogues: Dialogues that were timed.
    """

    median: float
    p95: float
    dialogues: int


@dataclass(frozen=True)
class Cost:
    """What a model costs.

    Attributes:
        parameters: Numbers that were learnt; None where they cannot be counted.
        seconds_per_epoch: Seconds of an epoch of training, their median; None where the run does not say.
        latency: None where the model was not at hand.
    """

    parameters: int | None = None
    seconds_per_epoch: float | None = None
    latency: Latency | None = None


def count_parameters(run: Path) -> int | None:
    """Count the numbers in the weights of a run by the headers of its safetensors files; None without any."""
    files = sorted(run.glob("*.safetensors"))
    if not files:
        return None
    total = 0
    for path in files:
        with path.open("rb") as file:
            size = int.from_bytes(file.read(8), "little")
            header = json.loads(file.read(size))
        total += sum(math.prod(one["shape"]) for name, one in header.items() if name != "__metadata__")
    return total


def seconds_per_epoch(training: Mapping[str, Any]) -> float | None:
    """Read how long an epoch took from what a run's ``training.json`` says; None where it does not."""
    seconds = training.get("seconds_per_epoch")
    return float(seconds) if isinstance(seconds, int | float) else None


def measure_latency(answer: Callable[[Split], object], split: Split, dialogues: int = DIALOGUES) -> Latency:
    """Time a model's answers.

    Args:
        answer: The model.
        split: Utterances to answer.
        dialogues: How many of its dialogues are timed, spread over the split.
    """
    numbers = np.unique(split.dialogue)
    picked = numbers[np.linspace(0, len(numbers) - 1, min(dialogues, len(numbers))).astype(np.int64)]
    parts = [take(split, np.flatnonzero(split.dialogue == one)) for one in picked]
    with threadpool_limits(limits=1), _one_torch_thread():
        for part in parts[:WARM_UP]:
            answer(part)
        found = []
        for part in parts:
            start = time.perf_counter()
            answer(part)
            found.append(1000 * (time.perf_counter() - start) / len(part))
    median, p95 = np.quantile(found, [0.5, 0.95])
    return Latency(float(median), float(p95), len(parts))


@contextmanager
def _one_torch_thread() -> Iterator[None]:
    """Keep torch to one thread, where it is in use at all."""
    torch = sys.modules.get("torch")
    if torch is None:
        yield
        return
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
