"""TF-IDF over words and characters, for any language, saved as plain lists and arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np

from baselines.data import Floats
from corpus.features.ngrams import BLOCKS

MIN_DOCUMENTS = 2
MAX_TERMS = 100_000  # a block; bounds the weights whatever the size of the corpus


class Ngrams:
    """A bag of n-grams in blocks, each of unit length (Salton and Buckley 1988, with logarithmic counts).

    Attributes:
        vocabulary: The terms of each block, in column order.
        idf: Inverse document frequencies of each block, shape (terms,).
    """

    def __init__(self, vocabulary: dict[str, list[str]], idf: dict[str, Floats]) -> None:
        self.vocabulary = vocabulary
        self.idf = idf
        self._vectorizers = [_restore(name, vocabulary[name], idf[name]) for name in BLOCKS if name in idf]

    @classmethod
    def fit(cls, texts: Sequence[str]) -> Self:
        """Collect the terms of texts; a block without a term that occurs in two of them is left out."""
        vocabulary, idf = {}, {}
        for name, settings in BLOCKS.items():
            vectorizer = _vectorizer(settings, min_df=MIN_DOCUMENTS, max_features=MAX_TERMS)
            try:
                vectorizer.fit(texts)
            except ValueError:  # scikit-learn's way to say that no term is left
                continue
            vocabulary[name] = vectorizer.get_feature_names_out().tolist()
            idf[name] = vectorizer.idf_.astype(np.float64)
        return cls(vocabulary, idf)

    def __len__(self) -> int:
        return sum(len(terms) for terms in self.vocabulary.values())

    def transform(self, texts: Sequence[str]) -> Any:  # noqa: ANN401 - scipy's sparse matrices are untyped here
        """Return the features of texts: sparse, shape (texts, terms)."""
        from scipy.sparse import csr_matrix, hstack

        if not self._vectorizers:
            return csr_matrix((len(texts), 0))
        return hstack([one.transform(texts) for one in self._vectorizers], format="csr")


def _vectorizer(settings: dict[str, Any], **more: object) -> Any:  # noqa: ANN401 - untyped library
    from sklearn.feature_extraction.text import TfidfVectorizer

    return TfidfVectorizer(sublinear_tf=True, **settings, **more)


def _restore(name: str, terms: list[str], idf: Floats) -> Any:  # noqa: ANN401 - untyped library
    vectorizer = _vectorizer(BLOCKS[name], vocabulary=terms)
    vectorizer.idf_ = idf
    return vectorizer
