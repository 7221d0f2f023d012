"""Sound keeps its place: across gaps, overlaps, jitter and changes of format."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.media.language import same_language
from corpus.media.recording import Sound
from corpus.media.sound import Cut, Resampler

RATE = 16_000


@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(1, 40)), max_size=12),
    st.integers(0, 200),
    st.integers(0, 100),
)
def test_a_cut_is_a_slice_of_the_whole(blocks: list[tuple[int, int]], first: int, size: int) -> None:
    whole = np.zeros((1, 1000), np.int16)  # silence wherever no block is
    cut, parts, position = Cut(first, first + size), [], 0
    for gap, length in blocks:
        position += gap
        whole[0, position : position + length] = np.arange(position, position + length) + 1
        parts += cut.take((position, whole[:, position : position + length]))
        position += length
    parts += cut.rest(whole[:, :0])
    found = np.concatenate([whole[:, :0], *parts], axis=1)
    assert found.tolist() == whole[:, first : first + size].tolist()


def tone(start: float | None, seconds: float, rate: int = RATE, channels: int = 1) -> Sound:
    """Return a steady level: where it is heard is easily told."""
    samples = np.full((channels, round(seconds * rate)), 0.5, np.float32)
    layout = "mono" if channels == 1 else "stereo"
    frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout=layout)
    frame.sample_rate, frame.time_base = rate, Fraction(1, rate)
    return Sound(frame, start)


def heard(*sounds: Sound) -> list[tuple[float, float]]:
    """Return from when to when something is heard, in seconds."""
    resampler = Resampler(RATE, "mono", "s16p")
    blocks = [block for sound in sounds for block in resampler.feed(sound)]
    blocks += resampler.flush()
    times = np.zeros(RATE * 10, bool)
    for position, samples in blocks:
        assert not times[position : position + samples.shape[1]].any(), "one place is given twice"
        times[position : position + samples.shape[1]] = np.abs(samples[0]) > 3000
    edges = np.flatnonzero(np.diff(np.r_[False, times, False].astype(int)))
    return [(a / RATE, b / RATE) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def spans(*times: tuple[float, float]) -> list[object]:
    return [pytest.approx(span, abs=0.001) for span in times]


def test_jitter_is_no_gap() -> None:
    assert heard(tone(1.0, 1), tone(2.004, 1), tone(2.998, 1), tone(None, 1)) == spans((1, 5))


def test_gaps_stay_and_overlaps_are_left_out() -> None:
    assert heard(tone(1.0, 1), tone(3.5, 1)) == spans((1, 2), (3.5, 4.5))
    assert heard(tone(1.0, 1), tone(1.5, 1)) == spans((1, 2.5))
    assert heard(tone(2.0, 1), tone(1.0, 0.5)) == spans((2, 3))


def test_formats_may_change_within_a_recording() -> None:
    assert heard(tone(0.0, 1, 48_000, 2), tone(1.0, 1, 44_100), tone(2.0, 1, 8_000)) == spans((0, 3))


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("zh", "chi", True),
        ("zh-CN", "zho", True),
        ("cmn", "zh", True),
        ("EN", "eng", True),
        ("en_US", "en", True),
        ("fr", "fre", True),
        ("xyz", "xyz", True),
        ("zh", "eng", False),
        ("zh", "und", False),
        ("zh", "", False),
    ],
)
def test_codes_of_one_language(one: str, other: str, same: bool) -> None:
    assert same_language(one, other) is same
