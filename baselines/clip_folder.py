"""A folder of recordings, one an utterance, as utterances without labels: what a model answers for."""

from __future__ import annotations

import dataclasses
import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from baselines.clips import Clip, ProjectMedia
from baselines.data import Split
from baselines.dataset_files import DEFAULT
from baselines.transcript import TABLES, read_transcript
from corpus.features.extractor import Modality
from corpus.importers.recordings import PICTURES, SOUND
from corpus.media.plan import Recipe
from corpus.media.run import cut_recordings
from corpus.media.segments import Segments
from schemas import project as folder_of_project
from schemas.errors import InputError, Issue
from schemas.project import Project
from schemas.records import UTTERANCES
from schemas.tables import from_rows, write_table

_NUMBER = re.compile(r"(\d+)")


def is_clip_folder(path: Path) -> bool:
    """Say whether a path is a folder of recordings, and neither a dataset nor a project."""
    others = (path / DEFAULT, path / folder_of_project.SETTINGS)
    return path.is_dir() and not any(one.exists() for one in others) and any(_recordings(path))


def _recordings(folder: Path) -> Iterator[Path]:
    """Give the recordings of a folder and its folders, in the order in which people count."""
    files = (one for one in folder.rglob("*") if one.suffix.casefold() in (*PICTURES, *SOUND))
    shown = (one for one in files if not any(part[0] == "." for part in one.relative_to(folder).parts))
    yield from sorted((one for one in shown if one.is_file()), key=lambda one: _counted(str(one)))


def _counted(name: str) -> list[tuple[bool, int, str]]:
    parts = _NUMBER.split(name)
    return [(not one.isdigit(), int(one) if one.isdigit() else 0, one) for one in parts]


@contextmanager
def opened(folder: Path, modalities: Sequence[Modality]) -> Iterator[tuple[Split, Project]]:
    """Cut the recordings of a folder as ``corpus media`` does, into a project that goes with the block.

    Each recording is an utterance, called by its path without the ending; those of a folder are a dialogue,
    in the order of their names. ``NAME.txt`` beside a recording holds its words. Or one table in the folder
    (see `baselines.transcript`) tells words, order, speakers and dialogues of all; what it names without a
    recording has words alone.

    Args:
        folder: The folder.
        modalities: What will be looked at.

    Yields:
        The utterances, and the project that holds their sound and pictures.

    Raises:
        InputError: Two recordings have one name, the table lacks one, or one cannot be read; all at once.
    """
    found = list(_recordings(folder))
    names = [one.relative_to(folder).with_suffix("").as_posix() for one in found]
    issues = [
        Issue("two recordings have this name", str(folder), value=name)
        for name in sorted({one for one in names if names.count(one) > 1})
    ]
    if issues:
        raise InputError(issues)
    recordings = dict(zip(names, found, strict=True))
    split = _utterances(folder, recordings)
    with tempfile.TemporaryDirectory() as scratch:
        project = _project(Path(scratch) / "clips", split, recordings)
        if any(one is not Modality.TEXT for one in modalities):
            recipe = Recipe(clips=False, faces=Modality.FACES in modalities)
            failures = cut_recordings(project, recipe).failures
            if failures:
                paths = {f"{number}{one.suffix}": one for number, one in enumerate(found)}
                raise InputError(
                    [Issue(one.reason, str(paths.get(Path(one.media).name, one.media))) for one in failures]
                )
        media = ProjectMedia(Segments(project))
        yield dataclasses.replace(split, clips=[Clip(media, one) for one in split.utterance_ids]), project


def _utterances(folder: Path, recordings: dict[str, Path]) -> Split:
    tables = [one for one in sorted(folder.iterdir()) if one.suffix.casefold() in TABLES]
    if len(tables) > 1:
        message = "one table tells the words of a folder; here are several"
        raise InputError(Issue(message, str(folder), value=", ".join(one.name for one in tables)))
    if tables:
        split = read_transcript(tables[0])
        lacking = [name for name in recordings if name not in set(split.utterance_ids)]
        if lacking:
            message = "the table has no row of this recording (utterance_id is its path without the ending)"
            choices = split.utterance_ids
            raise InputError(
                [
                    Issue(message, str(tables[0]), column="utterance_id", value=one, choices=choices)
                    for one in lacking
                ]
            )
        return split
    parents = [Path(name).parent.as_posix() for name in recordings]
    _, first, dialogue = np.unique(parents, return_index=True, return_inverse=True)
    in_order = np.argsort(np.argsort(first))[dialogue].astype(np.int64)
    order = np.argsort(in_order, kind="stable")
    ids = list(recordings)
    ids = [ids[row] for row in order]
    texts = [_words(recordings[one].with_suffix(".txt")) for one in ids]
    return Split("clips", ids, in_order[order], [None] * len(ids), texts, {})


def _words(path: Path) -> str:
    try:
        return " ".join(path.read_text("utf-8-sig").split()) if path.is_file() else ""
    except UnicodeDecodeError as error:
        raise InputError(Issue(f"this is not UTF-8: {error}", str(path))) from None


def _project(root: Path, split: Split, recordings: dict[str, Path]) -> Project:
    """Make a project of utterances whose recordings are links."""
    project = Project.create(root)
    (root / "media").mkdir()
    links = {}
    for number, (name, path) in enumerate(recordings.items()):
        links[name] = f"media/{number}{path.suffix}"
        (root / links[name]).symlink_to(path.resolve())
    starts = np.searchsorted(split.dialogue, split.dialogue)
    rows = [
        {
            "utterance_id": one,
            "dialogue_id": str(split.dialogue[row]),
            "index": int(row - starts[row]),
            "speaker_id": split.speakers[row],
            "text": split.texts[row],
            "text_original": split.texts[row],
            "media": links.get(one),
            "context_only": False,
        }
        for row, one in enumerate(split.utterance_ids)
    ]
    write_table(project.path(folder_of_project.UTTERANCES), from_rows(rows, UTTERANCES), UTTERANCES)
    return project
