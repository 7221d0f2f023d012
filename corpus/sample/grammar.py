"""What is said: lines for the words' cues, in Chinese and English, on topics that hold a dialogue together.

A line follows from the cues of its turn (polarity, family of emotion, intent) and from what was said before:
an answer answers the question before it, a joke takes up what was told. The hidden state is not looked at, so
that the text tells what its cues tell and nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any, TypeVar

import numpy as np
import yaml

from corpus.sample.world import FAMILIES, INTENTS, POLARITIES, Ints

LANGUAGES = ("zh", "en")

T = TypeVar("T")  # a line, or a fact with its jokes

_FACTS = {"positive": "good", "negative": "bad"}
_QUESTIONS = {"positive": "ask_good", "negative": "ask_bad"}
_JUDGEMENTS = {"positive": "praise", "negative": "blame"}


@cache
def load_grammar(language: str) -> dict[str, Any]:
    """Return the lines of a language: topics, openers and shows (title, cast)."""
    text = (files("corpus.sample") / f"grammar_{language}.yaml").read_text("utf-8")
    grammar: dict[str, Any] = yaml.safe_load(text)
    return grammar


@dataclass
class Conversation:
    """One dialogue on one topic, written line by line.

    Attributes:
        language: One of `LANGUAGES`.
        topic: Position of the topic in the grammar.
        rng: Chooses among lines that fit equally well.
    """

    language: str
    topic: int
    rng: np.random.Generator
    _said: set[str] = field(default_factory=set)
    _told: list[list[str]] = field(default_factory=list)
    _asked: list[str] = field(default_factory=list)
    _before: str = ""

    @property
    def title(self) -> str:
        """What the dialogue is about."""
        return str(self._lines["title"])

    @property
    def _lines(self) -> dict[str, Any]:
        lines: dict[str, Any] = load_grammar(self.language)["topics"][self.topic]
        return lines

    def say(self, cues: Ints) -> str:
        """Return the line of the next turn.

        Args:
            cues: Positions in `POLARITIES`, `FAMILIES` and `INTENTS`, shape (3,).
        """
        polarity, family, intent = (
            names[place] for names, place in zip((POLARITIES, FAMILIES, INTENTS), cues.tolist(), strict=True)
        )
        write = {
            **{"tell": self._tell, "ask": self._ask, "answer": self._answer},
            **{"judge": self._judge, "joke": self._joke},
        }
        line = write[intent](polarity)
        self._before = intent
        self._said.add(line)
        return self._opened(line, polarity, family, intent)

    def _tell(self, polarity: str) -> str:
        facts: list[list[str]] = self._lines[_FACTS[polarity]]
        fresh = [fact for fact in facts if fact not in self._told]
        fact = self._choose(fresh or facts)
        self._told = [one for one in self._told if one is not fact] + [fact]
        if fresh:
            return fact[0]
        line = fact[0] if self.language != "en" else self._lowered(fact[0])
        return str(load_grammar(self.language)["again"]).format(line)

    def _ask(self, polarity: str) -> str:
        questions: list[list[str]] = self._lines[_QUESTIONS[polarity]]
        self._asked = self._choose([one for one in questions if one[0] not in self._said] or questions)
        return self._asked[0]

    def _answer(self, polarity: str) -> str:
        return self._asked[1 if polarity == "positive" else 2]

    def _judge(self, polarity: str) -> str:
        lines: list[str] = self._lines[_JUDGEMENTS[polarity]]
        return self._choose([line for line in lines if line not in self._said] or lines)

    def _joke(self, polarity: str) -> str:
        """Take up the fact that was told last; a joke on anything else comes out of the blue."""
        place = 1 if polarity == "positive" else 2
        if self._before == "tell":
            return self._told[-1][place]
        facts = self._told or [fact for key in _FACTS.values() for fact in self._lines[key]]
        fresh = [fact[place] for fact in facts if fact[place] not in self._said]
        return self._choose(fresh or [fact[place] for fact in facts])

    def _opened(self, line: str, polarity: str, family: str, intent: str) -> str:
        """Put an opener before a line, which shows the family of the emotion; calm words have none."""
        openers: list[str] = load_grammar(self.language)["openers"].get(family, {}).get(polarity, [])
        if not openers:
            return line
        whole = [one for one in openers if one[-1] in ".!?。！？…"]
        fitting = whole if intent in ("ask", "answer", "joke") else openers
        opener = self._choose([one for one in fitting if one not in self._said] or fitting)
        self._said.add(opener)
        if self.language != "en":
            return opener + line
        return f"{opener} {line if opener in whole else self._lowered(line)}"

    def _lowered(self, line: str) -> str:
        """Take the capital from a line that follows half a sentence."""
        if line.split()[0] in load_grammar(self.language)["proper"]:
            return line
        return line[0].lower() + line[1:]

    def _choose(self, among: list[T]) -> T:
        return among[int(self.rng.integers(len(among)))]
