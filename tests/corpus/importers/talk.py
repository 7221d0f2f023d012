"""Recordings for tests: bursts of noise in the rhythm of syllables, which the meter takes for speech."""

from __future__ import annotations

import wave
from collections.abc import Sequence
from pathlib import Path

import numpy as np

RATE = 16_000

Span = tuple[float, float]


def spans(seconds: float, seed: int = 0, *, scene: float = 0.05) -> list[Span]:
    """Draw when somebody speaks: 1 to 4 s long, pauses of 0.2 to 1 s, now and then one of 3 to 12 s."""
    rng = np.random.Generator(np.random.PCG64(seed))
    drawn: list[Span] = []
    at = 2.0
    while True:
        length = float(rng.uniform(1, 4))
        if at + length > seconds:
            return drawn
        drawn.append((round(at, 3), round(at + length, 3)))
        at += (
            length + float(rng.uniform(0.2, 1)) + (float(rng.uniform(3, 12)) if rng.random() < scene else 0.0)
        )


def speech(spoken: Sequence[Span], seconds: float, seed: int = 0) -> np.ndarray:
    """Return the sound of people who speak then; shape (samples,), -1 to 1."""
    rng = np.random.Generator(np.random.PCG64([seed, 1]))
    sound = rng.normal(0, 1e-4, round(seconds * RATE))
    for start, end in spoken:
        first, last = round(start * RATE), min(round(end * RATE), len(sound))
        time = np.arange(max(last - first, 0)) / RATE
        syllables = 0.55 + 0.45 * np.sin(2 * np.pi * 4 * time + rng.uniform(0, 6))
        voice = sum(np.sin(2 * np.pi * 140 * n * time) / n for n in range(1, 20))
        sound[first : first + len(time)] += 0.05 * syllables * (voice + rng.normal(0, 0.3, len(time)))
    return sound


def write_wav(path: Path, sound: np.ndarray) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes((np.clip(sound, -1, 1) * 32767).astype("<i2").tobytes())
    return path


def stamp(seconds: float) -> str:
    whole = round(1000 * seconds)
    return f"{whole // 3600000:02}:{whole // 60000 % 60:02}:{whole // 1000 % 60:02},{whole % 1000:03}"


def srt(cues: Sequence[tuple[float, float, str]]) -> str:
    """Write SubRip."""
    return "\n".join(
        f"{number}\n{stamp(start)} --> {stamp(end)}\n{text}\n"
        for number, (start, end, text) in enumerate(cues, 1)
    )
