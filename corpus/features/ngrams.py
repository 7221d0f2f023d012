"""Hashed n-grams of words and characters: a text feature for any language that needs no download."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from corpus.features.extractor import Absent, Extractor, Floats, Item, Modality

# Words with their marks (! and ? tell of affect); characters within words and, in Chinese, within clauses.
BLOCKS: dict[str, dict[str, Any]] = {
    "word": {"analyzer": "word", "ngram_range": (1, 2), "token_pattern": r"(?u)\w+|[^\w\s]"},
    "character": {"analyzer": "char_wb", "ngram_range": (1, 4)},
}
"""What counts as an n-gram; the TF-IDF baseline counts the same ones."""
BUCKETS = 512
"""Columns of a block."""


def hashed(texts: list[str]) -> Floats:
    """Count the n-grams of texts in buckets (Weinberger et al. 2009: with signs, so that clashes cancel out).

    Returns:
        Shape (texts, blocks * 512), each block of unit length or zero.
    """
    from sklearn.feature_extraction.text import HashingVectorizer

    blocks = [
        HashingVectorizer(n_features=BUCKETS, norm="l2", dtype=np.float32, **settings).transform(texts)
        for settings in BLOCKS.values()
    ]
    return np.hstack([block.toarray() for block in blocks])


@dataclass(frozen=True)
class Ngrams(Extractor):
    """Words and pairs of words; one to four characters."""

    packages: ClassVar[tuple[str, ...]] = ("scikit-learn",)
    name: str = field(default="ngrams", init=False)
    modality: Modality = field(default=Modality.TEXT, init=False)
    sequence: bool = field(default=False, init=False)

    def parameters(self) -> dict[str, Any]:
        """Return all that decides the numbers."""
        return {"blocks": BLOCKS, "buckets": BUCKETS, "hash": "MurmurHash3, signed", "norm": "l2 a block"}

    def extract(self, items: Iterable[Item]) -> Iterator[Floats | Absent]:
        """Give the features of each item, in order."""
        texts = [item.text for item in items]
        yield from hashed(texts) if texts else ()
