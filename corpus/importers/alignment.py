"""Offset and drift of subtitles against the sound of their recording.

Subtitles of another release begin earlier or later, and run faster or slower (23.976 pictures a second shown
as 25 are 4.3% faster). Both are found by holding the lines, as a signal that is on or off, against how much
the recording sounds like speech: for every stretch of a grid, cross-correlation by FFT gives all shifts at
once; the best is then refined to a hundredth of a second. ffsubsync finds shifts this way. Lines begin with
the speech and often stay after it, so that shifting them a little earlier costs no correlation: the
refinement looks at where speech sets in, too.

How strong the evidence is, the lines themselves tell: a fit is believed if it stands out from all that chance
gives, which is the next best place of these lines, and the best places of the same lines and pauses in
shuffled orders.

Where something was cut from the recording or put in, no single shift fits: the lines before and after it want
shifts of their own, each as good as the other. That is seen, and such lines are left alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from corpus.importers.speech_activity import RATE, Floats

MAX_SHIFT = 120.0
"""Seconds that are searched on either side."""
MAX_STRETCH = 0.06
"""How far from 1 the stretch may be."""
IN_STEP = 0.1
"""Seconds: lines that are nowhere further off are left as they stand."""
MIN_LINES = 10
EVIDENCE = 1.4
"""How many times as strong as chance a fit has to be. None of 120 wrong files of 90 s came above 1.27."""

_COARSE = 10  # values a second of the first search
_TOLERANCE = 0.4  # seconds that a line may be off at the ends of the recording for the first search to see it
_SHUFFLES = 24
_PEAKS = 5
_APART = (0.012, 4.0)  # stretch and seconds: places that lie closer are one
_SLOW = 8  # seconds
_STEPS = (0.4, 0.2, 0.1, 0.05, 0.02, 0.01)
_ONSET = (0.1, 0.4)  # weight, and seconds on either side of the beginning of a line
# Two parts have shifts of their own if that gains half of the smaller one, both fit about as well line by
# line, and the shifts differ by a second.
_GAIN, _ALIKE, _JUMP = 0.5, 0.7, 1.0


class Verdict(StrEnum):
    """What was found about the times of a transcript."""

    IN_STEP = "in step"
    CORRECTED = "corrected"
    PARTS = "fits in parts only"
    NO_MATCH = "no better than chance"
    TOO_LITTLE = "too little to tell"


@dataclass(frozen=True)
class Fit:
    """Where the lines belong: ``time in the recording = stretch * time in the file + shift``.

    Attributes:
        shift: Seconds.
        stretch: 1 where the file runs as fast as the recording.
        agreement: Correlation of the lines with speech activity under the best fit, -1 to 1.
        evidence: How many times as strong as the best that chance gives (Fisher's z of the correlations).
        verdict: What it comes to; unless it is `Verdict.CORRECTED`, times are left as they stand.
        parted: For `Verdict.PARTS`: the start in the file of the line from which on another shift fits, and
            by how many seconds the two shifts differ.
    """

    shift: float
    stretch: float
    agreement: float
    evidence: float
    verdict: Verdict
    parted: tuple[float, float] | None = None

    def at(self, seconds: float) -> float:
        """Return the time in the recording of a time in the file."""
        if self.verdict is not Verdict.CORRECTED:
            return seconds
        return round(self.stretch * seconds + self.shift, 3)


def fit(activity: Floats, lines: Sequence[tuple[float, float]]) -> Fit:
    """Find shift and stretch of lines.

    Args:
        activity: How much the recording sounds like speech, `RATE` a second (see `speech_activity`).
        lines: Start and end of each, seconds.

    Returns:
        The best fit, and whether it is to be believed.
    """
    from scipy.ndimage import uniform_filter1d  # takes a while to load

    spans = _united(lines)
    if len(lines) < MIN_LINES or len(activity) < RATE or not activity.std() or not spans.size:
        return Fit(0.0, 1.0, 0.0, 0.0, Verdict.TOO_LITTLE)
    standard = (activity - activity.mean()) / activity.std()
    whole = len(standard) * _COARSE // RATE
    sketch = standard[: whole * RATE // _COARSE].reshape(whole, -1).mean(axis=1)
    # Without its slow parts: otherwise a few long pauses outweigh the hundred short ones that tell most.
    sketch -= uniform_filter1d(sketch, _SLOW * _COARSE + 1, mode="nearest")
    stretches = _stretches(spans[-1, 1])
    found = _search(sketch, spans, stretches)
    peaks = _peaks(found, stretches)
    agreement, stretch, shift = max(_refined(_Cumulated(standard), spans, *place) for _, place in peaks)
    rng = np.random.Generator(np.random.PCG64(0))
    shuffled = [_search(sketch, _shuffled(spans, rng), stretches).max() for _ in range(_SHUFFLES)]
    evidence = _evidence(peaks[0][0], max(peaks[1][0], *shuffled))
    # The next best place may be that of another part, so only shuffled lines are chance here.
    parted = (
        _parted(sketch, spans, stretch, shift) if _evidence(peaks[0][0], max(shuffled)) >= EVIDENCE else None
    )
    if parted is not None:
        return Fit(shift, stretch, agreement, evidence, Verdict.PARTS, parted)
    if evidence < EVIDENCE:
        return Fit(shift, stretch, agreement, evidence, Verdict.NO_MATCH)
    moved = max(abs(stretch * time + shift - time) for time in (spans[0, 0], spans[-1, 1]))
    verdict = Verdict.IN_STEP if moved < IN_STEP else Verdict.CORRECTED
    return Fit(shift, stretch, agreement, evidence, verdict)


def _evidence(best: float, chance: float) -> float:
    return float(np.arctanh(min(best, 0.999)) / np.arctanh(np.clip(chance, 0.01, 0.999)))


def _parted(sketch: Floats, spans: Floats, stretch: float, shift: float) -> tuple[float, float] | None:
    """Return where another shift begins to fit and by how much it differs; None where one shift fits all."""
    lines = stretch * spans + shift
    lines = lines[lines[:, 0] < len(sketch) / _COARSE]
    if len(lines) < 2 * MIN_LINES:
        return None
    shifts = np.arange(-MAX_SHIFT, MAX_SHIFT + 0.5 / _COARSE, 1 / _COARSE)
    sums = np.concatenate([[0.0], np.cumsum(sketch)])
    starts, ends = (
        np.interp((side[:, None] + shifts) * _COARSE, np.arange(len(sums)), sums) for side in lines.T
    )
    before = np.cumsum(ends - starts, axis=0)  # how well the lines up to each one fit, (lines, shifts)
    after = before[-1] - before
    both = before.max(axis=1) + after.max(axis=1)
    last = MIN_LINES - 1 + int(np.argmax(both[MIN_LINES - 1 : -MIN_LINES]))
    parts = np.array([before[last].max(), after[last].max()])
    covered = np.cumsum(lines[:, 1] - lines[:, 0])
    each = parts / (covered[last], covered[-1] - covered[last])
    jump = float(shifts[np.argmax(after[last])] - shifts[np.argmax(before[last])])
    gains = both[last] - before[-1].max() >= _GAIN * parts.min() > 0
    if not gains or each.min() < _ALIKE * each.max() or abs(jump) < _JUMP:
        return None
    return float(spans[last + 1, 0]), round(jump, 1)


def _united(lines: Sequence[tuple[float, float]]) -> Floats:
    """Unite lines that overlap; shape (n, 2), in order."""
    spans: list[list[float]] = []
    for start, end in sorted(lines):
        if spans and start <= spans[-1][1]:
            spans[-1][1] = max(spans[-1][1], end)
        elif end > start:
            spans.append([start, end])
    return np.array(spans, dtype=np.float64).reshape(-1, 2)


def _stretches(last: float) -> Floats:
    """Return the stretches to try, so close that no line is further off than is seen."""
    step = 2 * _TOLERANCE / max(last / 2, 60.0)
    number = int(np.ceil(MAX_STRETCH / step))
    return np.asarray(1 + step * np.arange(-number, number + 1))


def _search(sketch: Floats, spans: Floats, stretches: Floats) -> Floats:
    """Return the agreement for every stretch and every shift from -`MAX_SHIFT` on: (stretches, shifts)."""
    reach = round(MAX_SHIFT * _COARSE)
    longest = int(spans[-1, 1] * stretches[-1] * _COARSE) + 2
    size = 1 << (max(len(sketch), longest) + 2 * reach).bit_length()
    sound = np.fft.rfft(sketch, size)
    found = np.empty((len(stretches), 2 * reach + 1))
    for place, stretch in enumerate(stretches):
        signal = _coverage(spans * stretch, longest)
        products = np.fft.irfft(sound * np.conj(np.fft.rfft(signal, size)), size)
        share = min(signal.sum() / len(sketch), 0.95)
        scale = len(sketch) * np.sqrt(share * (1 - share))
        found[place] = np.concatenate([products[-reach:], products[: reach + 1]]) / scale
    return found


def _coverage(spans: Floats, size: int) -> Floats:
    """Return which share of each tenth of a second is covered by lines."""
    durations = spans[:, 1] - spans[:, 0]
    covered = np.concatenate([[0.0], np.repeat(np.cumsum(durations), 2)[:-1]])
    knots = spans.ravel()
    return np.asarray(np.diff(np.interp(np.arange(size + 1) / _COARSE, knots, covered)) * _COARSE)


def _shuffled(spans: Floats, rng: np.random.Generator) -> Floats:
    """Return the same lines and the same pauses in another order."""
    durations = rng.permutation(spans[:, 1] - spans[:, 0])
    pauses = rng.permutation(spans[1:, 0] - spans[:-1, 1])
    ends = np.cumsum(durations + np.concatenate([spans[:1, 0], pauses]))
    return np.stack([ends - durations, ends], axis=1)


def _peaks(found: Floats, stretches: Floats) -> list[tuple[float, tuple[float, float]]]:
    """Return the best places that lie apart: the agreement, and stretch and shift."""
    left = found.copy()
    rows = max(round(_APART[0] / (stretches[1] - stretches[0])), 1)
    columns = round(_APART[1] * _COARSE)
    peaks: list[tuple[float, tuple[float, float]]] = []
    for _ in range(_PEAKS):
        row, column = (int(place) for place in np.unravel_index(int(np.argmax(left)), left.shape))
        peaks.append((float(left[row, column]), (float(stretches[row]), column / _COARSE - MAX_SHIFT)))
        left[max(0, row - rows) : row + rows + 1, max(0, column - columns) : column + columns + 1] = -1.0
    return peaks


class _Cumulated:
    """Sums of a standardised signal over any stretches of time, at the cost of a look-up."""

    def __init__(self, standard: Floats) -> None:
        self.sums = np.concatenate([[0.0], np.cumsum(standard)])
        self.places = np.arange(len(self.sums))
        self.size = len(standard)

    def agreement(self, spans: Floats) -> float:
        """Return the correlation of the signal with lines that are on or off."""
        edges = np.clip(spans * RATE, 0, self.size)
        share = (edges[:, 1] - edges[:, 0]).sum() / self.size
        if not 0 < share < 1:
            return -1.0
        sums = self._until(spans)
        return float((sums[:, 1] - sums[:, 0]).sum() / (self.size * np.sqrt(share * (1 - share))))

    def onset(self, spans: Floats) -> float:
        """Return how much louder it is after the beginnings of lines than before, in standard deviations."""
        _, reach = _ONSET
        before, at, after = (self._until(spans[:, 0] + shift) for shift in (-reach, 0.0, reach))
        return float((after - 2 * at + before).mean() / (reach * RATE))

    def _until(self, seconds: Floats) -> Floats:
        return np.asarray(np.interp(np.clip(seconds * RATE, 0, self.size), self.places, self.sums))


def _refined(sound: _Cumulated, spans: Floats, stretch: float, shift: float) -> tuple[float, float, float]:
    """Climb from a peak to the best place nearby; returns agreement, stretch and shift.

    The steps move where the first and the last line come to lie, which hang together less than stretch and
    shift do.
    """
    first, last = spans[0, 0], spans[-1, 1]

    def line(ends: tuple[float, float]) -> tuple[float, float]:
        slope = (ends[1] - ends[0]) / (last - first)
        return slope, ends[0] - slope * first

    def score(ends: tuple[float, float]) -> float:
        slope, height = line(ends)
        moved = slope * spans + height
        return sound.agreement(moved) + _ONSET[0] * sound.onset(moved)

    best = (stretch * first + shift, stretch * last + shift)
    reached = score(best)
    for step in _STEPS:
        climbing = True
        while climbing:
            around = [(best[0] + i * step, best[1] + j * step) for i in (-1, 0, 1) for j in (-1, 0, 1)]
            highest, place = max((score(one), one) for one in around)
            climbing = highest > reached + 1e-9
            if climbing:
                reached, best = highest, place
    slope, height = line(best)
    return sound.agreement(slope * spans + height), float(slope), float(height)
