"""From a vector a step to one vector an utterance."""

from __future__ import annotations

import numpy as np

from corpus.features.extractor import Floats


def mean_and_deviation(steps: Floats) -> Floats:
    """Pool steps: the mean of every column, then every column's standard deviation; (steps, n) to (2 n,)."""
    wide = steps.astype(np.float64)
    return np.asarray(np.concatenate([wide.mean(axis=0), wide.std(axis=0)]), np.float32)
