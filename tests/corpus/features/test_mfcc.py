"""MFCC and prosody, against librosa, formulas and sounds whose pitch is known."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from corpus.features.extractor import Absent, Item, results
from corpus.features.log_mel import LogMel
from corpus.features.mfcc import COLUMNS, Mfcc, energy_db, frame_features, pool
from corpus.features.pitch import PERIODIC, pitch
from tests.corpus.features.conftest import RATE, tone

librosa = pytest.importorskip("librosa")
RANDOM = np.random.default_rng(5)


def column(frames: np.ndarray, name: str) -> np.ndarray:
    return frames[:, COLUMNS.index(name)]


def noise(samples: int, loud: float = 0.1) -> np.ndarray:
    return (loud * RANDOM.standard_normal(samples)).astype(np.float32)


def reference_mel(audio: np.ndarray, bands: int) -> np.ndarray:
    power = librosa.feature.melspectrogram(
        y=audio, sr=RATE, n_fft=512, win_length=400, hop_length=160, n_mels=bands
    )
    return librosa.power_to_db(power, ref=1.0, amin=1e-10, top_db=None)


@pytest.mark.parametrize("samples", [1_600, 16_000, 20_001, 100_003])
def test_coefficients_are_those_of_librosa(samples: int) -> None:
    audio = noise(samples)
    frames = frame_features(audio)
    expected = librosa.feature.mfcc(S=reference_mel(audio, 40), n_mfcc=13)
    assert frames.shape == (1 + samples // 160, 44)
    np.testing.assert_allclose(frames[:, :13].T, expected, atol=2e-3)
    for order, name in ((1, "mfcc_0_delta"), (2, "mfcc_0_delta_delta")):
        slopes = librosa.feature.delta(expected, width=9, order=order, mode="nearest")
        first = COLUMNS.index(name)
        np.testing.assert_allclose(frames[:, first : first + 13].T, slopes, atol=2e-3)


def test_coefficients_follow_the_cosine_transform_by_hand() -> None:
    audio = noise(8_000)
    bands = reference_mel(audio, 40)
    frames = frame_features(audio)
    for k in (0, 1, 7, 12):
        weights = np.cos(np.pi * k * (2 * np.arange(40) + 1) / 80) * np.sqrt((1 if k == 0 else 2) / 40)
        np.testing.assert_allclose(frames[:, k], weights @ bands, atol=2e-3)


@pytest.mark.parametrize("sequence", [True, False])
def test_log_mel_is_that_of_librosa(sequence: bool) -> None:
    audio = noise(16_000)
    (found,) = results(LogMel(sequence=sequence), [Item("u", audio=audio)])
    expected = reference_mel(audio, 80).T
    if not sequence:
        expected = np.concatenate([expected.mean(axis=0), expected.std(axis=0)])
    np.testing.assert_allclose(found, expected, atol=2e-3)


def test_energy_is_the_mean_power_of_a_frame() -> None:
    audio = noise(16_000, 0.03)
    expected = 20 * np.log10(librosa.feature.rms(y=audio, frame_length=400, hop_length=160)[0])
    np.testing.assert_allclose(energy_db(audio), expected, atol=1e-3)


@settings(max_examples=40, deadline=None)
@given(st.floats(70, 480), st.sampled_from([1, 3, 8, 20]))
@example(456.0, 8)  # its period falls between two samples, twice the period on one
def test_the_pitch_of_a_tone_is_found(hertz: float, harmonics: int) -> None:
    found, share = pitch(tone(hertz, 0.6, harmonics=harmonics), 160)
    inside = slice(6, -6)  # frames that lie in the sound as a whole
    assert np.abs(found[inside] / hertz - 1).max() < 0.01
    assert share[inside].min() > 0.9


@pytest.mark.parametrize("begin", [100.0, 300.0])
def test_a_gliding_pitch_is_followed(begin: float) -> None:
    times = np.arange(RATE) / RATE
    phase = 2 * np.pi * begin * (times + times**2 / 4)  # up by a half within a second
    found, _ = pitch(np.sum([np.sin(n * phase) / n for n in range(1, 6)], axis=0).astype(np.float32), 160)
    expected = begin * (1 + np.arange(len(found)) / 200)
    assert np.abs(found[8:-8] / expected[8:-8] - 1).max() < 0.02


def test_noise_has_no_pitch() -> None:
    _, share = pitch(noise(3 * RATE), 160)
    assert (share >= PERIODIC).mean() < 0.05


def test_pitch_of_speech_agrees_with_probabilistic_yin(shared: Path) -> None:
    agree, near = [], []
    for path in sorted((shared / "data/nEMO/samples").glob("*.wav"))[::10]:
        audio, _ = librosa.load(path, sr=RATE)
        frames = frame_features(audio)
        reference, voiced, _ = librosa.pyin(
            audio, fmin=65, fmax=500, sr=RATE, frame_length=1024, hop_length=160
        )
        length = min(len(frames), len(reference))
        mine = column(frames, "voiced")[:length] > 0
        both = mine & voiced[:length]
        octaves = column(frames, "pitch_log2_hz")[:length][both] - np.log2(reference[:length][both])
        agree.append((mine == voiced[:length]).mean())
        near.append((np.abs(octaves) < 0.26).mean())  # a gross error is a fifth of the pitch
    assert np.mean(near) > 0.93
    assert np.mean(agree) > 0.7


def test_prosody_of_a_voice_between_silences() -> None:
    audio = np.concatenate([np.zeros(RATE // 2), tone(150, 1.0), np.zeros(RATE // 2)]).astype(np.float32)
    frames = frame_features(audio)
    inside, outside = slice(55, 145), np.r_[0:45, 156 : len(frames)]
    assert column(frames, "active")[inside].all()
    assert column(frames, "voiced")[inside].all()
    assert not column(frames, "active")[outside].any()
    assert not column(frames, "voiced")[outside].any()
    pooled = pool(frames)
    assert 2 ** pooled[COLUMNS.index("pitch_log2_hz")] == pytest.approx(150, rel=0.01)
    assert pooled[COLUMNS.index("active")] == pytest.approx(0.5, abs=0.03)


def test_pooled_are_means_and_deviations_with_the_pitch_over_voiced_frames() -> None:
    audio = np.concatenate([tone(200, 0.5), noise(RATE // 2)]).astype(np.float32)
    frames = frame_features(audio)
    pooled = pool(frames)
    pitched = column(frames, "pitch_log2_hz")[column(frames, "voiced") == 1]
    means, deviations = frames.mean(axis=0), frames.std(axis=0)
    place = COLUMNS.index("pitch_log2_hz")
    means[place], deviations[place] = pitched.mean(), pitched.std()
    np.testing.assert_allclose(pooled, np.concatenate([means, deviations]), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("samples", [1, 7, 159, 160, 399, 400, 1_440])
@pytest.mark.parametrize("extractor", [Mfcc(), Mfcc(sequence=True), LogMel(), LogMel(sequence=True)])
def test_the_shortest_sound_has_features(samples: int, extractor: Mfcc | LogMel) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for audio in (noise(samples), np.zeros(samples, np.float32)):
            (found,) = results(extractor, [Item("u", audio=audio)])
            assert not isinstance(found, Absent)
            assert np.isfinite(found).all()


def test_silence_has_no_voice() -> None:
    frames = frame_features(np.zeros(RATE, np.float32))
    assert not column(frames, "active").any()
    assert not column(frames, "voiced").any()
    assert not pool(frames)[COLUMNS.index("pitch_log2_hz")]


def test_sound_that_cannot_be_described_is_absent_with_its_reason() -> None:
    broken = noise(RATE)
    broken[100] = np.nan
    items = [
        Item("no sound"),
        Item("empty", audio=np.zeros(0, np.float32)),
        Item("not a number", audio=broken),
        Item("sound", audio=noise(RATE)),
    ]
    found = results(Mfcc(), items)
    assert found[:3] == [
        Absent("there is no sound"),
        Absent("the sound is empty"),
        Absent("the sound holds values that are not numbers"),
    ]
    assert found[3].shape == (88,)


def test_neighbours_do_not_matter() -> None:
    items = [Item(str(n), audio=noise(samples)) for n, samples in enumerate((500, 16_000, 3_333))]
    together = results(Mfcc(), items)
    alone = [results(Mfcc(), [item])[0] for item in items]
    assert all(np.array_equal(one, other) for one, other in zip(together, alone, strict=True))
