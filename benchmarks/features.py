"""Features: how many seconds of sound one core describes in a second.

    python -m benchmarks.features

MFCC with slopes and prosody, as ``corpus features mfcc`` writes them, over speech-like sound of the lengths
that utterances have; beside it the same from librosa's own functions, with YIN and with probabilistic YIN for
the pitch. Processor time is counted, so that other work on the machine disturbs little. Limit: 200 times real
time on one core.
"""

from __future__ import annotations

import os

os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"), "1"))

import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import librosa
import numpy as np
import numpy.typing as npt

from corpus.features.extractor import SAMPLE_RATE, Item, results
from corpus.features.mfcc import Mfcc
from corpus.media.segments import read_flac

LIMIT = 200
SECONDS = (1.0, 2.0, 3.0, 3.5, 4.0, 6.0, 9.0)
"""Lengths of utterances; their mean is four seconds, as in televised dialogues."""
ROUNDS = 7

Sound = npt.NDArray[np.float32]


def speech_like(seconds: float, seed: int) -> Sound:
    """Return syllables of harmonics with a moving pitch, pauses and noise."""
    rng = np.random.default_rng(seed)
    times = np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    pitch = 150 * 2 ** (0.3 * np.sin(2 * np.pi * 0.7 * times + seed))
    phase = 2 * np.pi * np.cumsum(pitch) / SAMPLE_RATE
    voice = sum(np.sin(n * phase) / n for n in range(1, 20))
    loud = np.clip(np.sin(2 * np.pi * 3 * times), 0, 1)
    return (0.1 * voice * loud + 0.003 * rng.standard_normal(len(times))).astype(np.float32)


def by_librosa(audio: Sound, pitch: Callable[..., object]) -> None:
    """Calculate the same with librosa's functions."""
    frames = {"hop_length": 160, "n_fft": 512, "win_length": 400}
    cepstrum = librosa.feature.mfcc(y=audio, sr=SAMPLE_RATE, n_mfcc=13, n_mels=40, **frames)
    for order in (1, 2):
        librosa.feature.delta(cepstrum, order=order, mode="nearest")
    librosa.feature.rms(y=audio, frame_length=400, hop_length=160)
    librosa.effects.split(audio, frame_length=400, hop_length=160)
    pitch(audio, fmin=65, fmax=500, sr=SAMPLE_RATE, frame_length=1024, hop_length=160)


def times_real_time(work: Callable[[], object], seconds: float, rounds: int = ROUNDS) -> float:
    """Return how many seconds of sound are done in a second of one core, in the least disturbed round."""
    work()
    found = []
    for _ in range(rounds):
        begin = time.process_time()
        work()
        found.append(seconds / (time.process_time() - begin))
    return max(found)


def flac_files(sounds: Sequence[Sound], folder: Path) -> list[Path]:
    """Write sounds as 'corpus media' does."""
    import soundfile

    paths = [folder / f"{number}.flac" for number in range(len(sounds))]
    for path, sound in zip(paths, sounds, strict=True):
        soundfile.write(path, sound, SAMPLE_RATE, subtype="PCM_16")
    return paths


def main() -> None:
    sounds = [speech_like(seconds, seed) for seed, seconds in enumerate(SECONDS * 3)]
    total = sum(map(len, sounds)) / SAMPLE_RATE
    items = [Item(str(number), audio=sound) for number, sound in enumerate(sounds)]
    with tempfile.TemporaryDirectory() as folder:
        paths = flac_files(sounds, Path(folder))
        ours = times_real_time(lambda: results(Mfcc(), items), total)
        read = times_real_time(
            lambda: results(Mfcc(), (Item(path.stem, audio=read_flac(path)) for path in paths)), total
        )
    some = sounds[: len(SECONDS)]
    seconds = sum(map(len, some)) / SAMPLE_RATE
    yin = times_real_time(lambda: [by_librosa(one, librosa.yin) for one in some], seconds, 3)
    pyin = times_real_time(lambda: [by_librosa(one, librosa.pyin) for one in some[:3]], sum(SECONDS[:3]), 1)

    print(f"{len(sounds)} utterances, {total:.0f} s of sound; times real time on one core")
    print(f"  mfcc with prosody                    {ours:8.0f}x")
    print(f"  the same, FLAC files read            {read:8.0f}x   limit {LIMIT}x: {verdict(read)}")
    print(f"  librosa's functions, YIN             {yin:8.0f}x   ours is {ours / yin:.1f} times as fast")
    print(f"  librosa's functions, probabilistic   {pyin:8.0f}x   ours is {ours / pyin:.1f} times as fast")


def verdict(value: float) -> str:
    return "met" if value >= LIMIT else "MISSED"


if __name__ == "__main__":
    main()
