"""What segmentation has to do: the recordings of a project, and the utterances that are cut from each."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import quote

import av

from corpus.media.segments import CLIPS, SEGMENTS_FILE
from schemas import project as folder
from schemas.errors import InputError, Issue
from schemas.project import Project
from schemas.tables import Provenance, read_provenance, read_table

STEP = "corpus media"
VERSION = 2
MEDIA = "media"

_BLOCK, _BLOCKS = 1 << 16, 32
_LONGEST_NAME = 240  # bytes; file systems take 255 with the suffix


@dataclass(frozen=True)
class Recipe:
    """How utterances are cut.

    Attributes:
        rate: Frames a second that are kept as pictures.
        track: Audio track, by number or language; None: the one that players choose.
        clips: Whether clips are encoded.
        faces: Whether faces are looked for in the frames.
    """

    rate: float = 5.0
    track: str | None = None
    clips: bool = True
    faces: bool = False


@dataclass(frozen=True)
class Wanted:
    """An utterance that is to be cut.

    Attributes:
        utterance_id: Its id.
        start: Seconds; None, with ``end``: it is the whole recording.
        end: Seconds.
    """

    utterance_id: str
    start: float | None
    end: float | None

    @property
    def name(self) -> str:
        """Name of its files: the id, quoted where it cannot be a name."""
        plain = self.utterance_id
        return quote(plain, safe="") if "/" in plain or "\0" in plain or plain.startswith(".") else plain

    def fault(self) -> str | None:
        """Say what is wrong with its times or its name."""
        start, end = self.start, self.end
        if len(self.name.encode()) > _LONGEST_NAME:
            return "its id is too long for the name of a file"
        if start is None and end is None:
            return None
        if start is None or end is None:
            return "it has a start or an end, but not both"
        if not 0 <= start < float("inf"):
            return f"it cannot start at {start} s"
        if not start < end < float("inf"):
            return f"it ends at {end:g} s, not after its start at {start:g} s"
        return None


@dataclass(frozen=True)
class Shard:
    """One recording, and what is to be cut from it.

    Attributes:
        root: The project folder, absolute.
        media: The recording, as the table of utterances has it.
        path: Its file.
        wanted: Its utterances, in the order of the table.
        recipe: How they are cut.
        threads: How many threads decode; the result does not depend on it.
    """

    root: Path
    media: str
    path: Path
    wanted: tuple[Wanted, ...]
    recipe: Recipe
    threads: int = 1

    @property
    def folder(self) -> str:
        """The folder of its segments, as a path in the project."""
        return segments_folder(self.media)

    @property
    def table(self) -> str:
        """Its table of segments, as a path in the project."""
        return f"{self.folder}/{SEGMENTS_FILE}"

    def provenance(self) -> Provenance:
        """Return what its segments are made from, as it is now."""
        wanted = hashlib.sha256(json.dumps([asdict(one) for one in self.wanted]).encode()).hexdigest()
        libraries = {name: ".".join(map(str, version)) for name, version in av.library_versions.items()}
        inputs = {self.media: fingerprint(self.path), folder.UTTERANCES: wanted}
        return Provenance(STEP, VERSION, inputs, {**asdict(self.recipe), "libraries": libraries})

    def changed(self) -> list[str]:
        """Return what has changed since its segments were made; its own folder, if they are not all there."""
        path = self.root / self.table
        known = read_provenance(path) if path.exists() else None
        now = self.provenance()
        if known is None or not _complete(self.root, path):
            return [self.folder]
        if known.to_json() == now.to_json():
            return []
        return [one for one in now.inputs if known.inputs.get(one) != now.inputs[one]] or ["the recipe"]


def segments_folder(media: str) -> str:
    """Return the folder of the segments of a recording: as that stands in ``media/``."""
    parts = PurePosixPath(media).parts
    return "/".join((CLIPS, *(parts[1:] if parts[:1] == (MEDIA,) else parts)))


def _complete(root: Path, table: Path) -> bool:
    rows = read_table(table, ["audio", "clip"])
    files = (name for column in rows.columns for name in column.to_pylist() if name is not None)
    return all((root / name).is_file() for name in files)


def fingerprint(path: Path) -> str:
    """Return a hash of a recording: of its size, and of 32 blocks spread over it.

    A film is gigabytes; its index, which differs where anything does, is at one of its ends.
    """
    size = path.stat().st_size
    total = hashlib.sha256(str(size).encode())
    with path.open("rb") as file:
        for number in range(_BLOCKS if size > _BLOCK * _BLOCKS else 1):
            file.seek(number * (size - _BLOCK) // (_BLOCKS - 1) if size > _BLOCK * _BLOCKS else 0)
            total.update(file.read(_BLOCK if size > _BLOCK * _BLOCKS else -1))
    return total.hexdigest()


def recordings(project: Project) -> dict[str, tuple[Wanted, ...]]:
    """Return the utterances of every recording, both in the order of the table of utterances.

    Raises:
        InputError: There is no table of utterances.
    """
    path = project.require(folder.UTTERANCES, "corpus import")
    rows = read_table(path, ["media", "utterance_id", "start", "end"])
    found: dict[str, list[Wanted]] = {}
    for media, *row in zip(*(column.to_pylist() for column in rows.columns), strict=True):
        if media is not None:
            found.setdefault(media, []).append(Wanted(*row))
    return {media: tuple(wanted) for media, wanted in found.items()}


def shards(project: Project, recipe: Recipe) -> tuple[list[Shard], list[Issue]]:
    """Return a shard for every recording, and an issue for every one that is not there.

    A recording's path is that in the table, in the project or in its ``media/``.
    """
    root = project.root.resolve()
    found, issues = [], []
    for media, wanted in recordings(project).items():
        parts = PurePosixPath(media).parts
        paths = [root / media, root / MEDIA / media]
        path = next((one for one in paths if one.is_file()), None)
        if not parts or media.startswith("/") or ".." in parts:
            message = "a recording stands in the project folder (it may be a link)"
            issues.append(Issue(message, folder.UTTERANCES, column="media", value=media))
        elif path is None:
            message = f"this recording is not there; {len(wanted)} utterances wait for it"
            issues.append(Issue(message, folder.UTTERANCES, column="media", value=media))
        else:
            found.append(Shard(root, media, path, wanted, recipe))
    return found, issues


def known_recipe(project: Project, tables: Iterable[str]) -> Recipe | None:
    """Return how the segments of a project were cut; None where there are none."""
    for table in tables:
        known = read_provenance(project.path(table))
        if known is not None and known.step == STEP:
            return Recipe(**{name: known.parameters[name] for name in asdict(Recipe())})
    return None


def check_recipe(recipe: Recipe) -> None:
    """Refuse a recipe that cannot be followed.

    Raises:
        InputError: With every fault.
    """
    if not 0 < recipe.rate <= 100:
        raise InputError(Issue("frames a second are between 0 and 100", column="--rate", value=recipe.rate))
