"""eGeMAPS through openSMILE."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from corpus.features.egemaps import Egemaps
from corpus.features.extractor import Absent, Item, results
from tests.corpus.features.conftest import RATE, tone

pytest.importorskip("opensmile")


def test_functionals_know_the_pitch() -> None:
    columns = Egemaps().parameters()["columns"]
    (low, high) = results(Egemaps(), [Item(str(hz), audio=tone(hz, 1.0)) for hz in (110, 220)])
    assert low.shape == high.shape == (88,) == (len(columns),)
    pitch = columns.index("F0semitoneFrom27.5Hz_sma3nz_amean")
    assert low[pitch] == pytest.approx(24, abs=0.3)  # two octaves above 27.5 Hz
    assert high[pitch] == pytest.approx(36, abs=0.3)


def test_descriptors_come_every_ten_milliseconds() -> None:
    (found,) = results(Egemaps(sequence=True), [Item("u", audio=tone(110, 1.0))])
    assert found.shape[1] == 25 == len(Egemaps(sequence=True).parameters()["columns"])
    assert found.shape[0] == pytest.approx(100, abs=10)


def test_short_and_silent_sound() -> None:
    items = [Item("short", audio=tone(110, 0.01)), Item("silent", audio=np.zeros(RATE, np.float32))]
    short, silent = results(Egemaps(), items)
    assert short == Absent("the sound is shorter than openSMILE's window")
    assert np.isfinite(silent).all()


def test_real_speech(shared: Path) -> None:
    librosa = pytest.importorskip("librosa")
    paths = sorted((shared / "data/nEMO/samples").glob("*.wav"))[:3]
    items = [Item(path.stem, audio=librosa.load(path, sr=RATE)[0]) for path in paths]
    found = results(Egemaps(), items)
    assert all(one.shape == (88,) and np.isfinite(one).all() for one in found)
