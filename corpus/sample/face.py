"""The drawn face of a speaker, and the 68 landmarks that it is drawn from.

The landmarks have the usual order of 68 points: jaw 0-16, brows 17-26, nose 27-35, eyes 36-47, lips 48-67.
Brows, eyes, lips and jaw are drawn through these very points, so that they are exact.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from corpus.sample.cues import FACE
from corpus.sample.script import Speaker
from corpus.sample.world import Floats

SIZE = 160
"""Width and height of the picture in pixels."""
LANDMARKS = 68
CLIP = 2.0

_FINE = 2  # drawn this many times larger, then averaged
_FACE = 60.0  # pixels from the middle of the face to its chin, about
_MIDDLE = np.array([80.0, 82.0])

_SKIN = ("#f2cda8", "#e3b18b", "#c98d62", "#f6d9bd", "#a86f48")
_HAIR = ("#3b2a1e", "#20201f", "#8a5a2b", "#6d6d70", "#b5432f")
_NECK = ("#dcb690", "#cc9b7c", "#b37b53", "#e0c2a6", "#935e3b")
_SHIRT = ("#3f6fb0", "#5d8f4f", "#a8485c", "#7a5aa6", "#c0872f")
_WALL = ("#d9e4ea", "#efe4d2", "#dfe8d8", "#e9dde8")


@dataclass(frozen=True)
class Pose:
    """What moves in a face at one moment.

    Attributes:
        mouth: How far the mouth is open, 0..1.
        lids: How far the lids are open, 0 (a blink) to 1.
        turn: Where the head is in its movement to the sides and up and down, -1..1 each.
    """

    mouth: float = 0.0
    lids: float = 1.0
    turn: tuple[float, float] = (0.0, 0.0)


def landmarks(cues: Floats, pose: Pose) -> Floats:
    """Return the landmarks of a face in pixels from the top left corner; shape (68, 2), x before y.

    Args:
        cues: The `FACE` cues, shape (6,).
        pose: What moves.
    """
    cue = dict(zip(FACE, np.clip(cues, -CLIP, CLIP).tolist(), strict=True))
    gap = 0.26 * pose.mouth
    points = np.concatenate(
        [
            _jaw(gap),
            _brows(cue["brow_height"], cue["brow_slant"]),
            _nose(),
            _eyes(cue["eye_opening"], pose.lids),
            _lips(cue["smile"], gap),
        ]
    )
    angle = np.radians(6 * cue["head_tilt"] + 2 * pose.turn[0])
    rotation = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    reach = 2.5 * (1 + max(cue["head_motion"], -0.9))
    return np.asarray(points @ rotation * _FACE + _MIDDLE + reach * np.array(pose.turn))


def _jaw(gap: float) -> Floats:
    angle = np.linspace(np.pi, 0, 17)
    return np.column_stack([0.72 * np.cos(angle), -0.08 + (0.95 + 0.3 * gap) * np.sin(angle)])


def _brows(height: float, slant: float) -> Floats:
    along = np.linspace(0, 1, 5)  # from the outer to the inner end
    arch = 0.05 * np.sin(np.pi * along)
    y = -0.42 - 0.055 * height - arch - 0.055 * slant * (2 * along - 1)
    left = np.column_stack([-0.50 + 0.36 * along, y])
    return np.concatenate([left, left[::-1] * [-1, 1]])


def _nose() -> Floats:
    bridge = np.column_stack([np.zeros(4), np.linspace(-0.18, 0.14, 4)])
    wings = np.linspace(-0.12, 0.12, 5)
    return np.concatenate([bridge, np.column_stack([wings, 0.24 - 1.5 * wings**2])])


def _eyes(opening: float, lids: float) -> Floats:
    half = max(0.062 + 0.022 * opening, 0.02) * lids
    corners = [
        (-0.42, 0),
        (-0.35, -half),
        (-0.25, -half),
        (-0.18, 0),
        (-0.25, half * 0.8),
        (-0.35, half * 0.8),
    ]
    left = np.array(corners) + np.array([0, -0.20])
    mirrored = left * [-1, 1]
    return np.concatenate([left, mirrored[[3, 2, 1, 0, 5, 4]]])


def _lips(smile: float, gap: float) -> Floats:
    width = 0.25 + 0.035 * smile - 0.15 * gap
    corner = -0.075 * smile  # how far the corners are lower than the middle
    thickness = 0.045

    def row(share: Floats, offset: float) -> Floats:
        # A parabola through both corners; the lips meet there.
        return np.column_stack([share * width, 0.48 + gap / 3 + corner * share**2 + offset * (1 - share**2)])

    top: Floats = np.linspace(-1, 1, 7, dtype=np.float64)
    inner: Floats = np.linspace(-0.8, 0.8, 5, dtype=np.float64)
    low = top[1:-1][::-1]
    return np.concatenate(
        [
            row(top, -gap / 2 - thickness),
            row(low, gap / 2 + thickness * 1.2),
            row(inner, -gap / 2),
            row(inner[1:-1][::-1], gap / 2),
        ]
    )


def draw(points: Floats, speaker: Speaker) -> Image.Image:
    """Draw a speaker's face through its landmarks; an RGB picture of `SIZE` by `SIZE` pixels."""
    look = speaker.place + speaker.show
    skin, neck, shirt = _SKIN[look % 5], _NECK[look % 5], _SHIRT[look % 5]
    hair = _HAIR[(2 * speaker.place + speaker.show) % 5]
    picture = Image.new("RGB", (SIZE * _FINE, SIZE * _FINE), _WALL[speaker.show % 4])
    pen = ImageDraw.Draw(picture)
    fine = points * _FINE
    middle = fine[27:31].mean(axis=0)
    unit = _FACE * _FINE

    def path(places: range | list[int]) -> list[tuple[float, float]]:
        return [(float(x), float(y)) for x, y in fine[list(places)]]

    def disc(at: Floats, wide: float, high: float, colour: str) -> None:
        pen.ellipse((at[0] - wide, at[1] - high, at[0] + wide, at[1] + high), fill=colour)

    female = speaker.gender == "female"
    disc(np.array([80 * _FINE, 172 * _FINE]), 1.15 * unit, 0.62 * unit, shirt)
    if female:
        disc(middle + np.array([0, 0.12 * unit]), 0.92 * unit, 1.12 * unit, hair)
    pen.rectangle((66 * _FINE, 118 * _FINE, 94 * _FINE, 150 * _FINE), fill=neck)
    disc(middle - np.array([0, 0.25 * unit]), 0.80 * unit, 0.80 * unit, hair)
    # The upper half of the head, then the lower one along the jaw.
    disc((fine[0] + fine[16]) / 2, 0.72 * unit, 0.66 * unit, skin)
    pen.polygon(path(range(17)), fill=skin)
    if not female and speaker.place % 2:
        pen.line(path(range(2, 15)), fill=hair, width=5 * _FINE, joint="curve")

    for eye in (range(36, 42), range(42, 48)):
        pen.polygon(path(eye), fill="#ffffff")
        if np.ptp(fine[list(eye), 1]) > 2 * _FINE:
            disc(fine[list(eye)].mean(axis=0), 2.6 * _FINE, 2.6 * _FINE, "#2d2620")
        pen.line(path([*eye, eye[0]]), fill="#5a4032", width=_FINE)
    for brow in (range(17, 22), range(22, 27)):
        pen.line(path(brow), fill=hair, width=round(2.6 * _FINE), joint="curve")
    pen.line(path([28, 30]), fill="#a87852", width=_FINE)
    pen.line(path(range(31, 36)), fill="#a87852", width=round(1.3 * _FINE), joint="curve")
    pen.polygon(path(range(48, 60)), fill="#b5484a" if female else "#a8655a")
    pen.polygon(path(range(60, 68)), fill="#4a1420")
    return picture.reduce(_FINE)
