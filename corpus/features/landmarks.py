"""Face landmarks as features: their shape alone, without place and size in the picture."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from corpus.features.extractor import Floats

SHAPE = "x and y in turn, minus their mean, over the root mean square distance from it"
"""How landmarks are written, for recipes."""


def shape_of(points: npt.NDArray[np.float64]) -> Floats:
    """Return landmarks freed of place and size (Procrustes; the tilt of the head is kept).

    Args:
        points: Pixels, shape (landmarks, 2).

    Returns:
        Shape (2 * landmarks,): x and y in turn; zeros when all points are one.
    """
    centred = points - points.mean(axis=0)
    size = np.sqrt((centred**2).sum(axis=1).mean())
    return np.asarray(centred / (size or 1), np.float32).ravel()
