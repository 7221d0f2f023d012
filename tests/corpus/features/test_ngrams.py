"""Hashed n-grams, counted and hashed by hand."""

from __future__ import annotations

import itertools
import re

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.features.extractor import Absent, Item, results
from corpus.features.ngrams import BUCKETS, Ngrams, hashed


def murmur3(data: bytes) -> int:
    """MurmurHash3 (Appleby 2011), 32 bits, seed 0, signed."""

    def mix(block: int) -> int:
        block = block * 0xCC9E2D51 & 0xFFFFFFFF
        block = (block << 15 | block >> 17) & 0xFFFFFFFF
        return block * 0x1B873593 & 0xFFFFFFFF

    whole = len(data) // 4 * 4
    value = 0
    for first in range(0, whole, 4):
        value ^= mix(int.from_bytes(data[first : first + 4], "little"))
        value = (value << 13 | value >> 19) & 0xFFFFFFFF
        value = (value * 5 + 0xE6546B64) & 0xFFFFFFFF
    if data[whole:]:
        value ^= mix(int.from_bytes(data[whole:], "little"))
    value ^= len(data)
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35), (16, 1)):
        value ^= value >> shift
        value = value * factor & 0xFFFFFFFF
    return value - (1 << 32) if value >= 1 << 31 else value


def counted(terms: list[str]) -> np.ndarray:
    block = np.zeros(BUCKETS)
    for term in terms:
        code = murmur3(term.encode())
        block[abs(code) % BUCKETS] += 1 if code >= 0 else -1
    norm = np.sqrt((block**2).sum())
    return block / (norm or 1)


def by_hand(text: str) -> np.ndarray:
    words = re.findall(r"\w+|[^\w\s]", text.lower())
    pairs = [f"{one} {two}" for one, two in itertools.pairwise(words)]
    characters = []
    for word in text.lower().split():
        padded = f" {word} "
        for size in range(1, 5):
            if size < len(padded):
                characters += [padded[n : n + size] for n in range(len(padded) - size + 1)]
            else:  # once, however many sizes are longer
                characters.append(padded)
                break
    return np.concatenate([counted(words + pairs), counted(characters)])


def test_counts_by_hand() -> None:
    for text in ("a", "No, really?!", "so so SO good", "你真好！ 我不信"):
        np.testing.assert_allclose(hashed([text])[0], by_hand(text), atol=1e-6)


@settings(max_examples=50, deadline=None)
@given(
    st.text(
        st.characters(codec="ascii", categories=["L", "N", "P"]) | st.sampled_from(" 你好吗"), max_size=30
    )
)
def test_any_text(text: str) -> None:
    (found,) = hashed([text])
    np.testing.assert_allclose(found, by_hand(text), atol=1e-6)


def test_blank_text_is_absent() -> None:
    found = results(Ngrams(), [Item("u0", text="  "), Item("u1", text="well")])
    assert found[0] == Absent("there is no text")
    assert found[1].shape == (2 * BUCKETS,)
    assert results(Ngrams(), []) == []
