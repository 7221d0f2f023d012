"""Making a sample corpus: the body of ``corpus sample``."""

from __future__ import annotations

import multiprocessing
import shutil
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import track

from corpus.engine import cores
from corpus.importers import Imported
from corpus.sample.bayes import bayes_optimal
from corpus.sample.cues import SHOWN
from corpus.sample.filling import DIALOGUE_KEYS, VERSION, fill, settings_text
from corpus.sample.grammar import LANGUAGES
from corpus.sample.script import Episode, write_script
from corpus.sample.world import check_hidden_sarcasm, make_chain
from schemas.errors import InputError, Issue
from schemas.project import SETTINGS, Project

MEDIA = "media"
LANDMARKS = "truth/landmarks"


def generate(
    directory: str | Path,
    dialogues: int,
    seed: int = 0,
    languages: Sequence[str] = LANGUAGES,
    features_only: bool = False,
    processes: int | None = None,
) -> Imported:
    """Make a project that holds a generated sample, in the ``affect`` schema.

    Args:
        directory: A folder that is not there yet or is empty.
        dialogues: How many dialogues, at least 1.
        seed: Seed of everything, at least 0.
        languages: Languages of the dialogues, of ``zh`` and ``en``; episodes take turns.
        features_only: Write feature vectors in place of recordings; needs no eSpeak NG.
        processes: Processes that render; by default one for each core. The bytes do not depend on it.

    Returns:
        What was imported.

    Raises:
        InputError: A bad argument, a folder that holds something, or eSpeak NG is not installed. The folder
            is then as it was.
    """
    _check_arguments(dialogues, seed, languages)
    chain = make_chain()
    check_hidden_sarcasm(chain, SHOWN)
    versions = {"numpy": np.__version__} if features_only else media_versions(languages)
    made_from = {
        **{"format": "sample", "version": VERSION, "simulated": True, "dialogues": dialogues, "seed": seed},
        **{"languages": list(languages), "features_only": features_only, "versions": versions},
    }
    with _new_project(directory) as project:
        project.path(SETTINGS).write_text(settings_text("affect-corpus-sample", languages), "utf-8")
        episodes = list(write_script(dialogues, seed, languages, chain))
        if features_only:
            records = [record for episode in episodes for record in _records(episode, {})]
        else:
            with project.writing("corpus sample") as staging:
                records = render_episodes(episodes, staging, processes)
        bayes = bayes_optimal(project.schema)
        return fill(project, records, made_from, bayes=bayes, seed=seed, features=features_only)


def media_versions(languages: Sequence[str]) -> dict[str, str]:
    """Return the versions of all that decides the bytes of rendered media.

    Raises:
        InputError: eSpeak NG is not installed, or lacks the voice of a language.
    """
    import av  # takes a while to load, and features alone do not need it
    import PIL

    from corpus.sample.voice import check_voices, espeak_version

    check_voices(languages)
    libraries = {name: ".".join(map(str, number)) for name, number in sorted(av.library_versions.items())}
    packages = {"numpy": np.__version__, "pillow": PIL.__version__, "av": av.__version__}
    return {"espeak-ng": espeak_version(), **packages, **libraries}


def _check_arguments(dialogues: int, seed: int, languages: Sequence[str]) -> None:
    issues = [
        Issue("unknown language of the sample", value=one, choices=LANGUAGES)
        for one in languages
        if one not in LANGUAGES
    ]
    if not languages or len(set(languages)) < len(languages):
        issues.append(Issue("each language once, at least one", value=",".join(languages), choices=LANGUAGES))
    if dialogues < 1:
        issues.append(Issue("a sample has at least one dialogue", value=dialogues))
    if seed < 0:
        issues.append(Issue("a seed is a whole number from 0 on", value=seed))
    if issues:
        raise InputError(issues)


@contextmanager
def _new_project(directory: str | Path) -> Iterator[Project]:
    """Make a project; what is in its folder goes away again when the block fails."""
    root = Path(directory).absolute()
    added = [one for one in (root, *root.parents) if not one.exists()]  # innermost first
    project = Project.create(directory, "affect")  # refuses a folder that holds something
    try:
        yield project
    except BaseException:
        # Emptied, not removed and made anew: it may be a link or have permissions of its own.
        for one in root.iterdir():
            shutil.rmtree(one) if one.is_dir() else one.unlink()
        for one in added:
            one.rmdir()
        raise


def render_episodes(
    episodes: Sequence[Episode], folder: Path, processes: int | None = None
) -> list[dict[str, Any]]:
    """Render episodes in parallel.

    Args:
        episodes: The episodes.
        folder: Gets ``media/`` and ``truth/landmarks/``.
        processes: How many at once; by default one for each core.

    Returns:
        The records of their dialogues (see `filling`), with times.

    Raises:
        InputError: eSpeak NG is not installed or fails, or a process was killed.
    """
    from corpus.sample.episode import render

    work = partial(render, folder=folder / MEDIA, landmark_folder=folder / LANDMARKS)
    size = min(processes or cores(), len(episodes))
    # Spawned, not forked: this process may have threads by now, of Arrow for one.
    with ProcessPoolExecutor(size, multiprocessing.get_context("spawn")) as pool:
        rendered = track(
            pool.map(work, episodes),
            "Rendering",
            len(episodes),
            console=Console(stderr=True),
            transient=True,
        )
        try:
            return [
                record
                for episode, times in zip(episodes, rendered, strict=True)
                for record in _records(episode, times)
            ]
        except BrokenProcessPool:
            message = "a process that rendered was killed, perhaps for lack of memory; run this again"
            raise InputError(Issue(message)) from None


def _records(episode: Episode, times: Mapping[str, tuple[float, float]]) -> Iterator[dict[str, Any]]:
    """Give the record of each dialogue of an episode (see `filling`)."""
    for dialogue in episode.dialogues:
        speakers = {turn.speaker.key: turn.speaker for turn in dialogue.turns}
        about = (dialogue.dialogue_id, episode.language, episode.show, episode.episode_id, dialogue.topic)
        utterances = []
        for turn in dialogue.turns:
            start, end = times.get(turn.utterance_id, (None, None))
            utterances.append(
                {
                    **{"speaker": turn.speaker.key, "text": turn.text, "start": start, "end": end},
                    **{"state": turn.state, "words": turn.words.tolist()},
                    **{"voice": turn.voice.tolist(), "face": turn.face.tolist()},
                }
            )
        yield {
            **dict(zip(DIALOGUE_KEYS, about, strict=True)),
            "speakers": {key: {"name": one.name, "gender": one.gender} for key, one in speakers.items()},
            "utterances": utterances,
        }
