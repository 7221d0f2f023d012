"""BERT and its relatives: pretrained encoders of text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from corpus.features.batches import by_length
from corpus.features.extractor import Absent, Extractor, Floats, Item, Modality
from corpus.features.pretrained import Pretrained, computed_in, load, run
from schemas.errors import InputError

DEFAULTS: Mapping[str, str] = {"zh": "google-bert/bert-base-chinese", "en": "google-bert/bert-base-uncased"}
LONGEST = 512
"""Tokens; a longer text is cut, or before where the model takes fewer."""
BATCH_TOKENS = 8_192


@dataclass(frozen=True)
class TextEncoder(Extractor):
    """The last hidden layer of an encoder of text: the mean over its tokens, or every token's vector.

    Attributes:
        models: A model a language; one for all languages under None.
    """

    packages: ClassVar[tuple[str, ...]] = ("torch", "transformers", "tokenizers")
    name: str
    modality: Modality = field(default=Modality.TEXT, init=False)
    sequence: bool = False
    models: tuple[tuple[str | None, Pretrained], ...] = ()

    def parameters(self) -> dict[str, Any]:
        """Return all that decides the numbers.

        Raises:
            InputError: With every model that is not there.
        """
        found, issues = {}, []
        for language, model in self.models:
            try:
                found[language or "all languages"] = model.describe()
            except InputError as error:
                issues += error.issues
        if issues:
            raise InputError(issues)
        return {
            "models": found,
            "layer": "last",
            "longest_tokens": LONGEST,
            "special_tokens": "counted",
            "pooling": "none" if self.sequence else "mean over tokens",
        }

    def computed_in(self) -> str:
        """Return the arithmetic and the kind of device, on the machine where it calculates."""
        return computed_in()

    def extract(self, items: Iterable[Item]) -> Iterator[Floats | Absent]:
        """Give the features of each item, in order."""
        texts = list(items)
        of_language = dict(self.models)
        chosen = [of_language.get(primary(item.language), of_language.get(None)) for item in texts]
        found: list[Floats | Absent] = [Absent("there is no model for its language")] * len(texts)
        for model in dict.fromkeys(one for one in chosen if one is not None):
            places = [place for place, one in enumerate(chosen) if one == model]
            vectors = _encode(model, [texts[place].text for place in places])
            for place, tokens in zip(places, vectors, strict=True):
                found[place] = tokens if self.sequence else tokens.mean(axis=0)
        yield from found


def primary(language: str | None) -> str | None:
    """Return the language of a code that also names a region, such as ``zh-TW``."""
    return language and language.split("-")[0].lower()


def _encode(model: Pretrained, texts: list[str]) -> list[Floats]:
    """Return the vectors of the tokens of each text, shape (tokens, width)."""
    tokenizer = load("AutoTokenizer", model)
    longest = min(LONGEST, tokenizer.model_max_length)
    tokens = [tokenizer(text, truncation=True, max_length=longest) for text in texts]
    lengths = [len(one["input_ids"]) for one in tokens]
    found: dict[int, Floats] = {}
    for batch in by_length(lengths, BATCH_TOKENS):
        padded = tokenizer.pad([tokens[place] for place in batch], return_tensors="pt")
        hidden = run(load("AutoModel", model), dict(padded))
        # Copied, so that the padding of the batch is not kept.
        found |= {place: hidden[row, : lengths[place]].copy() for row, place in enumerate(batch)}
    return [found[place] for place in range(len(texts))]
