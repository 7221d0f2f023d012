"""Which files belong together: a recording, its transcript, and what else is known of it.

They lie beside each other and have one name: ``episode01.mkv``, ``episode01.zh.srt``, ``episode01.rttm``,
``episode01.scenes.csv``. Recordings are not copied: the project's ``media/`` links to them.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath

from corpus.importers.lines import Transcript
from corpus.importers.reading import source_files
from schemas.errors import InputError, Issue

FOLDER = "media"
"""Where a project keeps its recordings."""

PICTURES = (".mkv", ".mp4", ".mov", ".avi", ".webm", ".m4v", ".ts", ".flv", ".wmv", ".mpg", ".mpeg")
SOUND = (".flac", ".wav", ".m4a", ".mp3", ".ogg", ".opus", ".aac", ".wma", ".mka")
RTTM = ".rttm"
SCENES = ".scenes.csv"

_ENDS = 1 << 20  # bytes at either end that identify a recording
# What people write into the names of subtitle files, and the language that it means.
_LANGUAGES = {
    **dict.fromkeys("zh chi zho chs cht sc tc gb big5 cn hans hant".split(), "zh"),
    **dict.fromkeys(("en", "eng"), "en"),
    **dict.fromkeys(("ja", "jpn", "jp"), "ja"),
    **dict.fromkeys(("ko", "kor", "kr"), "ko"),
}
_CODE = re.compile(r"([a-z]{2})(?:[-_][A-Za-z]{2,4})?")


@dataclass
class Material:
    """What lies in the places that are imported.

    Attributes:
        transcripts: Files of the format that is imported.
        recordings: Files with sound or pictures.
        rttm: Who speaks when.
        scenes: Scene marks, by the name of their recording.
        others: What is none of these.
    """

    transcripts: list[Path] = field(default_factory=list)
    recordings: list[Path] = field(default_factory=list)
    rttm: list[Path] = field(default_factory=list)
    scenes: dict[str, Path] = field(default_factory=dict)
    others: list[Path] = field(default_factory=list)

    @cached_property
    def by_name(self) -> dict[str, Path]:
        """The recordings by name, which no two of them share."""
        return {file.name: file for file in self.recordings}


def gather(paths: Sequence[Path], endings: Sequence[str]) -> Material:
    """Collect the files that are named, those in folders that are named, and what lies beside a transcript.

    Args:
        paths: Files or folders.
        endings: How names of transcripts end, in lower case.

    Raises:
        InputError: A path is not there, two files share a name, or there is no transcript.
    """
    material = Material()
    named = source_files(paths)
    for file in named:
        name = file.name.casefold()
        if name.endswith(SCENES):
            material.scenes[file.name[: -len(SCENES)]] = file
        elif name.endswith(tuple(endings)):
            material.transcripts.append(file)
        elif file.suffix.casefold() in (*PICTURES, *SOUND):
            material.recordings.append(file)
        elif name.endswith(RTTM):
            material.rttm.append(file)
        elif file in paths:
            # Whatever it is called: the user says that it is one.
            material.transcripts.append(file)
        else:
            material.others.append(file)
    if not material.transcripts:
        message = "there is no transcript of this format here"
        raise InputError(Issue(message, ", ".join(map(str, paths)), choices=list(endings)))
    _add_neighbours(material, {file.name for file in named})
    return material


def _add_neighbours(material: Material, known: set[str]) -> None:
    """Add what lies beside a transcript that was named alone, and has its name."""
    for folder in dict.fromkeys(file.parent for file in material.transcripts):
        names = [file.name for file in material.transcripts if file.parent == folder]
        for file in sorted(folder.iterdir()):
            stem = file.name[: -len(SCENES)] if file.name.endswith(SCENES) else file.stem
            beside = file.is_file() and any(_belongs(name, stem) for name in names)
            if not beside or file.name in known:
                continue
            known.add(file.name)
            if file.name.endswith(SCENES):
                material.scenes[stem] = file
            elif file.suffix.casefold() in (*PICTURES, *SOUND):
                material.recordings.append(file)
            elif file.suffix.casefold() == RTTM:
                material.rttm.append(file)


def _belongs(transcript: str, stem: str) -> bool:
    """Say whether a transcript's name is that of a recording, and what follows after a point."""
    return transcript.startswith(f"{stem}.")


def recording_of(material: Material, transcript: Transcript) -> Path | None:
    """Return the recording of a transcript: the one that it names, or of the same name, or the only one.

    A path that it names counts from its own folder, and leads nowhere outside; without a file there, its name
    is that of a recording that was named beside it. Of several of one name, pictures come before sound.
    """
    named = transcript.media
    place = PurePosixPath(transcript.place or "")
    if place.name and not place.is_absolute() and ".." not in place.parts:
        there = transcript.path.parent / place
        if there.is_file():
            given = material.by_name.get(there.name)
            return given if given and given.samefile(there) else there
    if transcript.place or named in material.by_name:
        return material.by_name.get(named or "")
    found = [file for file in material.recordings if _belongs(transcript.path.name, file.stem)]
    order = (*PICTURES, *SOUND)
    found.sort(key=lambda file: (-len(file.stem), order.index(file.suffix.casefold())))
    if not found and not named and len(material.recordings) == len(material.transcripts) == 1:
        found = material.recordings
    return found[0] if found else None


def language_of(transcript: Path, recording: str) -> str | None:
    """Return the language that the name of a transcript tells: ``episode01.zh-CN.srt``."""
    for part in transcript.name.removeprefix(recording).casefold().split(".")[1:-1]:
        code = _CODE.fullmatch(part)
        found = _LANGUAGES.get(part) or _LANGUAGES.get(code.group(1) if code else "")
        if found:
            return found
        if code and part == code.group(1):
            return part
    return None


def fingerprint(path: Path) -> str:
    """Identify a recording by its size and its two ends; to read all of it takes as long as to decode it."""
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(_ENDS)
        file.seek(max(size - _ENDS, 0))
        tail = file.read(_ENDS)
    return f"{size}:{hashlib.sha256(head + tail).hexdigest()}"


def duration(path: Path) -> float | None:
    """Return how long a recording is, in seconds; None where the file does not say.

    Raises:
        InputError: The file is no recording, or broken.
    """
    import av  # takes a while to load

    try:
        with av.open(str(path)) as file:
            if not file.streams.audio and not file.streams.video:
                raise InputError(Issue("this file has neither sound nor pictures", str(path)))
            return None if file.duration is None else float(file.duration / av.time_base)
    except (av.error.FFmpegError, OSError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(Issue(f"this recording cannot be opened: {reason}", str(path))) from None


def link(recordings: Mapping[str, Path], folder: Path, staging: Path) -> None:
    """Link recordings into a project's ``media/``: hard links, which cost no space and outlive the original.

    On another file system they are symbolic links.

    Args:
        recordings: The files, by their paths in ``media/``.
        folder: The project's ``media/``.
        staging: Where the links are made, to be moved there.

    Raises:
        InputError: Another recording of this name is there already.
    """
    issues = []
    for place, file in recordings.items():
        there = folder / place
        if there.exists() and (there.samefile(file) or fingerprint(there) == fingerprint(file)):
            continue
        if there.exists():
            issues.append(
                Issue(f"another recording of this name is in {FOLDER}/ already; rename one", str(file))
            )
            continue
        here = staging / place
        here.parent.mkdir(parents=True, exist_ok=True)
        try:
            here.hardlink_to(file.resolve())
        except OSError:
            here.symlink_to(file.resolve())
    if issues:
        raise InputError(issues)
