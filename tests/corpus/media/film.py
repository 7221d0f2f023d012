"""Films whose every frame says its number and whose sound says its time: what was cut can be told exactly."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from scipy.signal import correlate, resample_poly

BITS = 10
SIZE = 160, 96  # two rows of five blocks, wide enough to survive any encoder and scaling


def draw(number: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    """Return the picture of a frame: its number as black and white blocks."""
    bits = np.array([number >> bit & 1 for bit in range(BITS)], np.uint8).reshape(2, 5)
    width, height = size
    grey = np.kron(bits * 200 + 25, np.ones((height // 2, width // 5), np.uint8))
    return np.repeat(grey[:, :, None], 3, axis=2)


def number(picture: np.ndarray) -> int:
    """Return the number of the frame that a picture shows."""
    height, width = picture.shape[:2]
    middle = picture[height // 4 :: height // 2, width // 10 :: width // 5].mean(axis=2)[:2, :5]
    return int(sum(1 << bit for bit, light in enumerate(middle.ravel()) if light > 128))


def hiss(seconds: float, rate: int, channels: int = 1) -> np.ndarray:
    """Return noise between 200 and 5,000 Hz, that is alike only to itself and only in its place."""
    rng = np.random.default_rng(7)
    size = round(seconds * rate)
    heard = np.fft.rfft(rng.standard_normal(round(seconds * 16_000) + 1))
    spectrum = np.zeros(size // 2 + 1, complex)
    low, high = round(200 * seconds), round(5_000 * seconds)
    spectrum[low:high] = heard[low:high]
    sound = np.fft.irfft(spectrum, size)
    return np.tile((sound / np.abs(sound).max() * 0.7).astype(np.float32), (channels, 1))


def lag(cut: np.ndarray, rate: int, whole: np.ndarray, whole_rate: int, start: float) -> float:
    """Return by how many seconds a cut lies behind its place in the whole: 0 when it is exact.

    Found where their correlation is highest, at 192,000 samples a second.
    """
    fine = 192_000
    first, size = round(start * fine), round(len(cut) * fine / rate)
    expected = resample_poly(
        whole.astype(float), fine // np.gcd(fine, whole_rate), whole_rate // np.gcd(fine, whole_rate)
    )
    expected = expected[first : first + size]
    found = resample_poly(cut.astype(float), fine // np.gcd(fine, rate), rate // np.gcd(fine, rate))[
        : len(expected)
    ]
    likeness = correlate(found, expected, "full", "fft")
    best = int(np.argmax(likeness))
    assert likeness[best] > 0.8 * np.linalg.norm(found) * np.linalg.norm(expected), "this is another sound"
    return (best - (len(expected) - 1)) / fine


def shoot(
    path: Path,
    *,
    times: Sequence[float] | None = None,
    seconds: float = 6.0,
    rate: Fraction = Fraction(25),
    size: tuple[int, int] = SIZE,
    video: bool = True,
    video_start: float = 0.0,
    sounds: Sequence[tuple[int, str, str]] = ((48_000, "mono", "und"),),
    sound_start: float = 0.0,
    codec: str = "aac",
    keep: float = 1.0,
    options: dict[str, str] | None = None,
) -> list[float]:
    """Make a film.

    Args:
        path: The file; its suffix says the container.
        times: When frames are shown, in seconds from the first; by default at a steady rate.
        seconds: How long it is.
        rate: Frames a second.
        size: Width and height.
        video: Whether it has pictures.
        video_start: When the first frame is shown.
        sounds: Rate, layout and language of each audio track; the second is silent, the third too.
        sound_start: When the sound begins.
        codec: Of the sound.
        keep: Share of the seconds that there is sound for.
        options: Of the container.

    Returns:
        When each frame is shown.
    """
    shown = list(times) if times is not None else [float(n / rate) for n in range(round(seconds * rate))]
    with av.open(str(path), "w", options=options or {}) as file:
        if video:
            stream = file.add_stream(
                "libx264", rate=rate, options={"preset": "ultrafast", "g": "30", "bf": "2"}
            )
            stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
            stream.codec_context.time_base = Fraction(1, 90_000)
        tracks = []
        for sample_rate, layout, language in sounds:
            track = file.add_stream(codec, rate=sample_rate, layout=layout)
            track.metadata["language"] = language
            if codec == "aac":
                track.bit_rate = 256_000
            tracks.append(track)
        for n, time in enumerate(shown if video else ()):
            frame = av.VideoFrame.from_ndarray(draw(n, size), format="rgb24")
            frame.pts, frame.time_base = round((time + video_start) * 90_000), Fraction(1, 90_000)
            file.mux(stream.encode(frame))
        if video:
            file.mux(stream.encode(None))
        for n, (track, (sample_rate, layout, _)) in enumerate(zip(tracks, sounds, strict=True)):
            channels = av.AudioLayout(layout).nb_channels
            samples = hiss(seconds, sample_rate, channels) * (n == 0)
            samples = samples[:, : round(seconds * keep * sample_rate)]
            if codec == "pcm_s16le":
                packed = (samples.T.reshape(1, -1) * 32767).astype(np.int16)
                frame = av.AudioFrame.from_ndarray(packed, format="s16", layout=layout)
            else:
                frame = av.AudioFrame.from_ndarray(
                    np.ascontiguousarray(samples), format="fltp", layout=layout
                )
            frame.sample_rate, frame.time_base = sample_rate, Fraction(1, sample_rate)
            frame.pts = round(sound_start * sample_rate)
            file.mux(track.encode(frame))
            file.mux(track.encode(None))
    return [time + video_start for time in shown]


def turn(path: Path, degrees: int) -> None:
    """Write into an MP4 file that its pictures are turned clockwise when they are shown."""
    content = bytearray(path.read_bytes())
    header = content.index(b"tkhd") + 4
    sine, cosine = {90: (1, 0), 180: (0, -1), 270: (-1, 0)}[degrees]
    matrix = np.array([cosine, sine, 0, -sine, cosine, 0, 0, 0, 0x4000], ">i4")
    content[header + 40 : header + 76] = (
        (matrix * np.array([1 << 16] * 8 + [1 << 16], ">i8")).astype(">i4").tobytes()
    )
    path.write_bytes(bytes(content))
