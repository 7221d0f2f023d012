"""All recordings of a project: those are cut whose segments are missing or out of date."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace

from corpus.engine import Engine, cores, run
from corpus.media.plan import (
    STEP,
    Recipe,
    Shard,
    check_recipe,
    known_recipe,
    recordings,
    segments_folder,
    shards,
)
from corpus.media.segmenting import PART, segment
from corpus.media.segments import CLIPS, SEGMENTS_FILE, Segments, Status
from schemas.errors import Issue
from schemas.project import Project
from schemas.tables import read_provenance, read_table

REPORT = "reports/media.json"


@dataclass(frozen=True)
class Failure:
    """A recording, or an utterance of it, that could not be cut.

    Attributes:
        media: The recording.
        utterance_id: The utterance; None: all of the recording.
        reason: Why.
    """

    media: str
    utterance_id: str | None
    reason: str


@dataclass(frozen=True)
class Account:
    """What is cut and what is not.

    Attributes:
        recordings: How many recordings the project has.
        cut: Those that were cut just now.
        utterances: How many utterances are cut by now.
        failures: What could not be, in the order of the table of utterances.
    """

    recordings: int
    cut: tuple[str, ...]
    utterances: int
    failures: tuple[Failure, ...]


def cut_recordings(
    project: Project,
    recipe: Recipe,
    *,
    engine: str = Engine.LOCAL,
    workers: int | None = None,
    address: str | None = None,
) -> Account:
    """Cut the utterances of all recordings of a project into ``clips/``.

    A recording that cannot be cut, and an utterance that cannot, stand in the account with their reason; the
    rest is done. Run again, it does what is missing or out of date. The account is also written to
    ``reports/media.json``.

    Args:
        project: The project.
        recipe: How they are cut.
        engine: See `corpus.engine.run`.
        workers: See `corpus.engine.run`.
        address: See `corpus.engine.run`.

    Raises:
        InputError: The recipe cannot be followed, or the engine not be used.
    """
    check_recipe(recipe)
    with project.writing(STEP) as staging:
        _clear(project)
        planned, absent = shards(project, recipe)
        _forget_others(project)
        missing = [shard for shard in planned if shard.changed()]
        size = min(workers or cores(), max(1, len(missing)))
        threads = max(1, cores() // size) if engine == Engine.LOCAL else 1
        # The longest first, so that the last to be done is a short one.
        tasks = sorted(
            (replace(shard, threads=threads) for shard in missing), key=lambda one: -one.path.stat().st_size
        )
        try:
            outcomes = run(segment, tasks, engine=engine, workers=workers, address=address, label="cutting")
            undone = {one.task.media: one.error for one in outcomes if one.error is not None}
        finally:
            _clear(project)
        account = _account(project, planned, absent, missing, undone)
        path = staging / REPORT
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(asdict(account), ensure_ascii=False, indent=1) + "\n", "utf-8")
    return account


def _clear(project: Project) -> None:
    """Remove what shards left that were killed."""
    for path in project.path(CLIPS).rglob(f".*{PART}"):
        shutil.rmtree(path, ignore_errors=True)


def _forget_others(project: Project) -> None:
    """Remove the segments of recordings that no utterance names any more."""
    known = {f"{segments_folder(media)}/{SEGMENTS_FILE}" for media in recordings(project)}
    for table in Segments(project).tables:
        provenance = read_provenance(project.path(table))
        if table not in known and provenance is not None and provenance.step == STEP:
            shutil.rmtree(project.path(table).parent)


def _account(
    project: Project,
    planned: Sequence[Shard],
    absent: Sequence[Issue],
    missing: Sequence[Shard],
    undone: Mapping[str, str],
) -> Account:
    failures = [Failure(str(issue.value), None, issue.message) for issue in absent]
    utterances = 0
    for shard in planned:
        if shard.media in undone:
            failures.append(Failure(shard.media, None, undone[shard.media]))
            continue
        for row in read_table(project.path(shard.table), ["utterance_id", "status", "reason"]).to_pylist():
            if row["status"] == Status.FAILED:
                failures.append(Failure(shard.media, row["utterance_id"], row["reason"]))
            else:
                utterances += 1
    cut = tuple(shard.media for shard in missing if shard.media not in undone)
    return Account(len(planned) + len(absent), cut, utterances, tuple(failures))


def stale(project: Project) -> list[str]:
    """Return what has changed since the recordings of a project were cut, as they were cut.

    Raises:
        InputError: There is no table of utterances.
    """
    recipe = known_recipe(project, Segments(project).tables) or Recipe()
    planned, _ = shards(project, recipe)
    changed = dict.fromkeys(one for shard in planned for one in shard.changed())
    return list(changed)
