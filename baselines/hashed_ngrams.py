"""Hashed n-grams of words and characters: a text feature for any language that needs no download.

N-grams are hashed (Weinberger et al. 2009), and the buckets that occur in most utterances of train are kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch

from baselines.batches import Tensors
from baselines.data import Integers
from baselines.ngrams import MIN_DOCUMENTS
from corpus.features.ngrams import BLOCKS

BUCKETS = 2**20
"""Hash buckets of a block."""
NEVER = np.iinfo(np.int64).max
"""The key of a term that there is not; sorts last."""


@dataclass(frozen=True)
class HashedNgrams:
    """What is known of the n-grams of a training split.

    Attributes:
        keys: The buckets that are kept, ascending; `NEVER` beyond the last, shape (terms,).
        idf: Their inverse document frequencies, shape (terms,).
    """

    keys: npt.NDArray[np.int64]
    idf: npt.NDArray[np.float32]

    @classmethod
    def fit(cls, texts: Sequence[str], terms: int) -> Self:
        """Keep the ``terms`` buckets that occur in most texts, of those that occur in two or more."""
        counts = np.concatenate([np.diff((block > 0).tocsc().indptr) for block in _count(texts)])
        often = np.flatnonzero(counts >= MIN_DOCUMENTS)
        kept = np.sort(often[np.argsort(-counts[often], kind="stable")][:terms])
        keys = np.full(terms, NEVER, np.int64)
        keys[: len(kept)] = kept
        idf = np.zeros(terms, np.float32)
        idf[: len(kept)] = np.log((1 + len(texts)) / (1 + counts[kept])) + 1
        return cls(keys, idf)

    def transform(self, texts: Sequence[str]) -> Any:  # noqa: ANN401 - scipy's sparse matrices are untyped here
        """Return the terms of texts, weighted by logarithmic count and idf, each block of unit length.

        Returns:
            Sparse, shape (texts, terms).
        """
        from scipy.sparse import csr_matrix
        from sklearn.preprocessing import normalize

        blocks = []
        for number, counted in enumerate(_count(texts)):
            found = counted.tocoo()
            key = found.col.astype(np.int64) + number * BUCKETS
            place = np.searchsorted(self.keys, key)
            kept = (place < len(self.keys)) & (self.keys[np.minimum(place, len(self.keys) - 1)] == key)
            weight = (1 + np.log(found.data[kept])) * self.idf[place[kept]]
            shape = (len(texts), len(self.keys))
            blocks.append(normalize(csr_matrix((weight, (found.row[kept], place[kept])), shape=shape)))
        matrix = blocks[0]
        for block in blocks[1:]:
            matrix = matrix + block
        matrix.sort_indices()
        return matrix.astype(np.float32)


@dataclass(frozen=True)
class TermRows:
    """The weighted terms of utterances, as an embedding bag takes them.

    Attributes:
        terms: The terms of all rows, one row after the other.
        weights: Their weights.
        starts: Where each row begins, and the end, shape (rows + 1,).
        evidence: What linear models say of the rows, shape (rows, outputs).
    """

    terms: Integers
    weights: npt.NDArray[np.float32]
    starts: npt.NDArray[Any]
    evidence: npt.NDArray[np.float32]

    def take(self, rows: Integers) -> Tensors:
        """Return the terms of some rows."""
        begins = self.starts[rows].astype(np.int64)
        lengths = self.starts[rows + 1] - begins
        offsets = np.concatenate([[0], np.cumsum(lengths)[:-1]]).astype(np.int64)
        places = np.arange(int(lengths.sum())) + np.repeat(begins - offsets, lengths)
        return {
            "terms": torch.from_numpy(self.terms[places]),
            "weights": torch.from_numpy(self.weights[places]),
            "offsets": torch.from_numpy(offsets),
            "evidence": torch.from_numpy(self.evidence[rows]),
        }


def _count(texts: Sequence[str]) -> list[Any]:
    """Count the n-grams of every block: sparse, shape (texts, buckets)."""
    return [one.transform(texts) for one in _vectorizers()]


@cache
def _vectorizers() -> list[Any]:
    from sklearn.feature_extraction.text import HashingVectorizer

    return [
        HashingVectorizer(n_features=BUCKETS, alternate_sign=False, norm=None, **settings)
        for settings in BLOCKS.values()
    ]
