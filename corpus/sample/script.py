"""The script of a sample corpus: episodes of shows, speakers, dialogues, turns, with their states and cues.

Everything in it follows from the seed. Dialogue n is the same however many dialogues are written.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from corpus.sample.cues import draw_cues
from corpus.sample.grammar import Conversation, load_grammar
from corpus.sample.world import LONGEST, SHORTEST, Chain, Floats, Ints

DIALOGUES_PER_EPISODE = 4
EPISODES_PER_SHOW = 3
CAST = 5


@dataclass(frozen=True)
class Speaker:
    """A character of a show.

    Attributes:
        key: Unique name, such as ``en1_mia``.
        name: Name that the others use.
        gender: ``female`` or ``male``; decides the voice.
        place: Place in the cast, from 0; decides voice and looks.
        show: Number of the show, from 0.
    """

    key: str
    name: str
    gender: str
    place: int
    show: int


@dataclass(frozen=True)
class Turn:
    """One utterance of the script.

    Attributes:
        utterance_id: Unique id.
        speaker: Who speaks.
        text: What is said.
        state: Hidden state (see `world`).
        words: Cues of the words, shape (3,).
        voice: Cues of the voice, shape (6,).
        face: Cues of the face, shape (6,).
    """

    utterance_id: str
    speaker: Speaker
    text: str
    state: int
    words: Ints
    voice: Floats
    face: Floats


@dataclass(frozen=True)
class Dialogue:
    """A dialogue of the script.

    Attributes:
        dialogue_id: Unique id.
        topic: What it is about.
        turns: Its turns.
    """

    dialogue_id: str
    topic: str
    turns: tuple[Turn, ...]


@dataclass(frozen=True)
class Episode:
    """Dialogues that share a recording.

    Attributes:
        episode_id: Unique id, also the name of its files.
        language: ``zh`` or ``en``.
        show: Title of the show.
        number: Number of the episode in its show, from 1.
        seed: Seed of everything random in its rendering.
        dialogues: Its dialogues.
    """

    episode_id: str
    language: str
    show: str
    number: int
    seed: tuple[int, ...]
    dialogues: tuple[Dialogue, ...]

    @property
    def turns(self) -> list[Turn]:
        """All turns of the episode, in order."""
        return [turn for dialogue in self.dialogues for turn in dialogue.turns]


def write_script(dialogues: int, seed: int, languages: Sequence[str], chain: Chain) -> Iterator[Episode]:
    """Write the episodes of a corpus, the languages taking turns.

    Args:
        dialogues: How many dialogues to write, at least 1.
        seed: Seed, at least 0.
        languages: Languages of the episodes, of `grammar.LANGUAGES`.
        chain: The chain that the hidden states follow.
    """
    plan = ((number // DIALOGUES_PER_EPISODE, number) for number in range(dialogues))
    for episode, numbers in groupby(plan, key=lambda one: one[0]):
        language, place = languages[episode % len(languages)], episode // len(languages)
        show, number = place // EPISODES_PER_SHOW, place % EPISODES_PER_SHOW + 1
        shows = load_grammar(language)["shows"]
        title, names = shows[show % len(shows)]
        cast = [
            Speaker(f"{language}{show + 1}_{name.lower()}", name, gender, position, show)
            for position, (name, gender) in enumerate(names)
        ]
        season = f" {show // len(shows) + 1}" if show >= len(shows) else ""
        written = [_dialogue(one, seed, language, cast, chain) for _, one in numbers]
        yield Episode(
            f"{language}_s{show + 1:02d}e{number:02d}",
            language,
            f"{title}{season}",
            number,
            (seed, episode),
            tuple(written),
        )


def _dialogue(number: int, seed: int, language: str, cast: Sequence[Speaker], chain: Chain) -> Dialogue:
    # A stream each for states, cues and words: a change of the grammar leaves states and cues as they were.
    of_states, of_cues, of_words = (
        np.random.Generator(np.random.PCG64([seed, number, part])) for part in range(3)
    )
    turns = int(of_states.integers(SHORTEST, LONGEST + 1))
    states = chain.draw(turns, of_states)
    cues = draw_cues(states, of_cues)

    # The topics of an episode differ: each episode goes through them from another start.
    topics = len(load_grammar(language)["topics"])
    episode = number // DIALOGUES_PER_EPISODE
    conversation = Conversation(language, (number + episode) % topics, of_words)
    here = of_words.permutation(len(cast))[: int(of_words.integers(2, 5))]
    dialogue_id = f"{language}{number + 1:04d}"
    speaker = int(here[0])
    written = []
    for turn in range(turns):
        written.append(
            Turn(
                f"{dialogue_id}_{turn:02d}",
                cast[speaker],
                conversation.say(cues.text[turn]),
                int(states[turn]),
                cues.text[turn],
                cues.audio[turn],
                cues.video[turn],
            )
        )
        speaker = int(of_words.choice([one for one in here if one != speaker]))
    return Dialogue(dialogue_id, conversation.title, tuple(written))
