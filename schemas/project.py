"""The project folder: its paths, its settings, its lock, and which of its tables are stale.

Every step reads tables, and writes through `Project.writing`: the new files are put aside, and take their
places together when the step is done. A step that fails or is killed leaves the project as it was.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from schemas.definition import definition_text, parse_schema
from schemas.errors import InputError, Issue, ProjectBusy
from schemas.label_schema import LabelSchema
from schemas.located_yaml import load_located
from schemas.round_settings import RoundSettings, read_rounds_part, round_faults
from schemas.tables import Provenance, content_hash, read_provenance

SETTINGS = "corpus.yaml"
SCHEMA = "schema.yaml"
DIALOGUES = "dialogues.parquet"
UTTERANCES = "utterances.parquet"
SPEAKERS = "speakers.parquet"
RATERS = "raters.parquet"
SPLITS = "splits.parquet"
QUARANTINE = "reports/quarantine.parquet"
DATASET = "dataset"

_STAGING = ".staging"
_COMMIT = "commit.json"
_GITIGNORE = "/private/\n/.lock*\n/.staging/\n"


class Variant(StrEnum):
    """How much of the recordings goes into a dataset; each allows what stands before it."""

    POINTERS = "pointers"  # where utterances are
    FEATURES = "features"  # what was calculated of them
    FULL = "full"  # sound and clips


@dataclass(frozen=True)
class Settings:
    """What ``corpus.yaml`` says.

    Attributes:
        name: Name of the corpus, also of the published dataset.
        version: Version of the corpus.
        title: One line for people.
        description: A paragraph for the dataset card.
        languages: Language codes (``zh``, ``en``).
        licence: Licence identifier of the annotations, as Hugging Face names it (``cc-by-nc-4.0``).
        citation: How to cite the corpus.
        labels: Which decided labels are built: a name under ``labels/``.
        media: How much of the recordings is published: ``full``, ``features`` or ``pointers``.
        sources: Licence, rights and ethics of each imported source, in the owner's words.
        rounds: What the rounds of annotation are for and ask of raters, by name.
    """

    name: str
    version: str = "0.1.0"
    title: str = ""
    description: str = ""
    languages: tuple[str, ...] = ()
    licence: str = "other"
    citation: str = ""
    labels: str = ""
    media: str = ""
    sources: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    rounds: Mapping[str, RoundSettings] = field(default_factory=dict)


_SOURCE_KEYS = ("licence", "rights", "ethics", "citation")


def parse_settings(text: str, where: str) -> Settings:
    """Read ``corpus.yaml``.

    Raises:
        InputError: With every fault, each with its line.
    """
    data, lines = load_located(text, where)
    keys = list(Settings.__dataclass_fields__)
    issues = []
    if not isinstance(data, dict):
        raise InputError(Issue("a mapping of settings is expected here", where, 1, choices=keys))
    for key, value in data.items():
        line = lines[(key,)]
        if key not in keys:
            issues.append(Issue("unknown setting", where, line, value=key, choices=keys))
        elif key == "languages":
            if value is not None and not (
                isinstance(value, list) and all(isinstance(code, str) for code in value)
            ):
                issues.append(
                    Issue("a list is expected here, such as [zh, en]", where, line, None, key, value)
                )
        elif key == "sources":
            issues += _source_faults(value, lines, where)
        elif key == "rounds":
            issues += round_faults(value, lines, where)
        elif not isinstance(value, str | None):
            issues.append(Issue("a text is expected here", where, line, None, key, value))
        elif key == "media" and value and value not in list(Variant):
            message = "this says how much of the recordings is published"
            issues.append(Issue(message, where, line, None, key, value, list(Variant)))
    if not data.get("name"):
        issues.append(Issue("the corpus needs a name", where, lines.get(("name",), 1), column="name"))
    if issues:
        raise InputError(issues)
    given = {key: value for key, value in data.items() if value is not None}
    rounds = read_rounds_part(given.get("rounds"))
    return Settings(**{**given, "languages": tuple(given.get("languages", ())), "rounds": rounds})


def _source_faults(value: object, lines: Mapping[tuple[str, ...], int], where: str) -> Iterator[Issue]:
    if not isinstance(value, dict | None):
        yield Issue("a mapping of sources is expected here", where, lines[("sources",)], value=value)
        return
    for name, about in (value or {}).items():
        if not isinstance(about, dict):
            line = lines[("sources", name)]
            message = "what is known of a source is a mapping"
            yield Issue(message, where, line, None, name, about, _SOURCE_KEYS)
            continue
        for key, text in about.items():
            line = lines[("sources", name, key)]
            if key not in _SOURCE_KEYS:
                yield Issue("unknown key of a source", where, line, value=key, choices=_SOURCE_KEYS)
            elif not isinstance(text, str | None):
                yield Issue("a text is expected here", where, line, None, key, text)


class Project:
    """A corpus under construction.

    Args:
        path: The project folder.

    Raises:
        InputError: The folder is not a project.
    """

    def __init__(self, path: str | Path) -> None:
        self.root = Path(path)
        lacking = [name for name in (SETTINGS, SCHEMA) if not (self.root / name).is_file()]
        if lacking:
            raise InputError(
                Issue(
                    f"this folder is not a project: {' and '.join(lacking)} missing; "
                    "make one with 'corpus init DIR', or name one with --project DIR",
                    str(self.root),
                )
            )

    @classmethod
    def create(cls, path: str | Path, schema: str | Path = "affect") -> Project:
        """Make a new project.

        Args:
            path: A folder that is not there yet or is empty.
            schema: Name of a shipped definition or path of a YAML file; it is copied.

        Raises:
            InputError: The folder holds something, or the schema has faults.
        """
        root = Path(path)
        text, where = definition_text(schema)
        found = parse_schema(text, where)
        if root.exists() and (not root.is_dir() or any(root.iterdir())):
            raise InputError(
                Issue("a project is made in a new or empty folder; this one is neither", str(root))
            )
        texts = {
            SCHEMA: text,
            ".gitignore": _GITIGNORE,
            SETTINGS: _settings_template(root.resolve().name, found),
        }
        root.mkdir(parents=True, exist_ok=True)
        try:
            for name, content in texts.items():
                (root / name).write_text(content, "utf-8")
        except OSError:  # a full disk: leave no half of a project
            for name in texts:
                (root / name).unlink(missing_ok=True)
            raise
        return cls(root)

    @cached_property
    def settings(self) -> Settings:
        """What ``corpus.yaml`` says."""
        return parse_settings(_read_text(self.root / SETTINGS), str(self.root / SETTINGS))

    @cached_property
    def schema(self) -> LabelSchema:
        """The project's label schema."""
        return parse_schema(_read_text(self.root / SCHEMA), str(self.root / SCHEMA))

    def path(self, name: str) -> Path:
        """Return the path of a file of the project."""
        return self.root / name

    def has(self, name: str) -> bool:
        """Say whether the project has a file."""
        return (self.root / name).exists()

    def require(self, name: str, made_by: str) -> Path:
        """Return the path of a file that a step needs.

        Raises:
            InputError: It is not there; the message says which command makes it.
        """
        if not self.has(name):
            raise InputError(Issue(f"{name} is not there yet; '{made_by}' makes it", str(self.root)))
        return self.path(name)

    def annotation_files(self) -> list[str]:
        """Return the rating tables by name."""
        return self._tables("annotations")

    def label_files(self) -> list[str]:
        """Return the tables of decided labels by name."""
        return self._tables("labels")

    def _tables(self, folder: str) -> list[str]:
        return sorted(f"{folder}/{path.name}" for path in self.path(folder).glob("*.parquet"))

    def labels_built(self) -> str:
        """Return the table of decided labels that ``corpus.yaml`` names, or the only one there is.

        Raises:
            InputError: None is there, several are and none is named, or the named one is not there.
        """
        names = [Path(name).stem for name in self.label_files()]
        chosen = self.settings.labels or (names[0] if len(names) == 1 else "")
        if chosen in names:
            return f"labels/{chosen}.parquet"
        if not names:
            raise InputError(
                Issue("there are no decided labels yet; 'annotation aggregate' makes them", str(self.root))
            )
        what = (
            "corpus.yaml names labels that are not there"
            if chosen
            else "say in corpus.yaml which labels to build"
        )
        raise InputError(Issue(what, str(self.path(SETTINGS)), None, None, "labels", chosen or None, names))

    # -- writing --------------------------------------------------------------------------------------

    @contextmanager
    def writing(self, command: str) -> Iterator[Path]:
        """Take the project's lock and open a staging folder.

        What the block writes there, under the project's own relative paths, replaces the project's files
        (``dataset`` as a whole) when the block ends well.

        Args:
            command: Who holds the lock, for the message that another command gets.

        Yields:
            The staging folder.

        Raises:
            ProjectBusy: Another command is writing.
        """
        lock = FileLock(self.path(".lock"))
        try:
            lock.acquire(timeout=0)
        except Timeout:
            message = f"{self._holder()} is writing to this project; run this again when it is done"
            raise ProjectBusy(Issue(message, str(self.root))) from None
        try:
            self.path(".lock-holder").write_text(f"'{command}' (process {os.getpid()})", "utf-8")
            self._recover()
            staging = self.path(_STAGING)
            staging.mkdir()
            yield staging
            names = sorted(_staged(staging))
            _write_synced(staging / _COMMIT, json.dumps(names))
            self._commit()
        finally:
            if not self.path(f"{_STAGING}/{_COMMIT}").exists():
                shutil.rmtree(self.path(_STAGING), ignore_errors=True)
            self.path(".lock-holder").unlink(missing_ok=True)
            lock.release()

    def _holder(self) -> str:
        try:
            return self.path(".lock-holder").read_text("utf-8") or "another command"
        except FileNotFoundError:  # it has just taken the lock, or is just giving it back
            return "another command"

    def _recover(self) -> None:
        """Finish or undo what a killed command left: its files were complete, or they were not."""
        if self.path(f"{_STAGING}/{_COMMIT}").exists():
            self._commit()
        elif self.has(_STAGING):
            shutil.rmtree(self.path(_STAGING))

    def _commit(self) -> None:
        staging = self.path(_STAGING)
        for name in json.loads((staging / _COMMIT).read_text("utf-8")):
            staged, target = staging / name, self.path(name)
            if not staged.exists():
                continue  # moved before the command was killed
            target.parent.mkdir(parents=True, exist_ok=True)
            if target.is_dir():
                target.rename(staging / f".old-{target.name}")
            staged.rename(target)
        (staging / _COMMIT).unlink()
        shutil.rmtree(staging)

    # -- provenance -----------------------------------------------------------------------------------

    def provenance(
        self,
        step: str,
        version: int,
        inputs: Iterable[str],
        parameters: Mapping[str, Any] | None = None,
    ) -> Provenance:
        """Return the provenance of a table made now from files of this project."""
        hashes = {name: self.hash(name) for name in sorted(inputs)}
        return Provenance(step, version, hashes, dict(parameters or {}))

    def hash(self, name: str) -> str:
        """Return the content hash of a file; of the schema: of what it means, not of its layout."""
        return self.schema.digest if name == SCHEMA else content_hash(self.path(name))

    def is_current(self, name: str, provenance: Provenance) -> bool:
        """Say whether a table was made by the same step from the same inputs."""
        known = read_provenance(self.path(name)) if self.has(name) else None
        return known is not None and known.to_json() == provenance.to_json()

    def read_report(self, name: str, made_by: str, *parts: str) -> dict[str, Any]:
        """Read a JSON report that a step wrote.

        Args:
            name: Its path in the project.
            made_by: The command that makes it.
            parts: What it must have.

        Raises:
            InputError: It is damaged.
        """
        try:
            found = json.loads(self.path(name).read_text("utf-8"))
        except ValueError:
            found = None
        if not isinstance(found, dict) or not found.keys() >= set(parts):
            raise InputError(Issue(f"this report is damaged; delete it and run '{made_by}' again", name))
        return found

    def stale_inputs(self, name: str) -> list[str]:
        """Return the inputs of a derived table that are gone or have changed since it was made."""
        provenance = read_provenance(self.path(name))
        return self.changed(provenance.inputs) if provenance else []

    def changed(self, inputs: Mapping[str, str]) -> list[str]:
        """Return which files are gone or have another content hash than the known one."""
        return [name for name, known in inputs.items() if not self.has(name) or self.hash(name) != known]


def _staged(staging: Path) -> Iterator[str]:
    """Name what is to be moved: each file, but a dataset as one folder."""
    for entry in staging.iterdir():
        if entry.is_dir() and entry.name != DATASET:
            yield from (path.relative_to(staging).as_posix() for path in entry.rglob("*") if path.is_file())
        else:
            yield entry.name


def _write_synced(path: Path, text: str) -> None:
    """Write a file that is there with all of its text, or not at all."""
    part = path.with_name(f"{path.name}.part")
    with part.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    part.rename(path)


def _read_text(path: Path) -> str:
    try:
        return path.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(Issue(f"this is not UTF-8 text (byte {error.start})", str(path))) from None


def _settings_template(name: str, schema: LabelSchema) -> str:
    quoted = json.dumps(name, ensure_ascii=False)
    return f"""# What this corpus is. Its labels are declared in schema.yaml ({schema.name} {schema.version}).
name: {quoted}
version: 0.1.0
title: ""
description: ""
languages: []            # such as [zh, en]; empty: those of the dialogues
licence: other           # of the annotations, as Hugging Face names it: cc-by-nc-4.0
citation: ""
labels: ""               # which table of labels/ is built; empty: the only one
media: ""                # of the recordings: full, features (none of their own), pointers (where they are)
sources: {{}}              # NAME: {{licence: ..., rights: ..., ethics: ..., citation: ...}}
rounds: {{}}               # NAME: {{kind: main, pilot or training; threshold, control, daily_limit}}
"""
