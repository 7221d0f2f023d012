"""Making features: shards of utterances through the engine, each written by itself; a rerun does the rest."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from corpus.engine import Engine, run
from corpus.features import inputs, table
from corpus.features.extractor import Absent, Extractor, Item, results
from corpus.features.table import FOLDER, RECIPE
from schemas.errors import InputError, Issue
from schemas.project import Project
from schemas.tables import Provenance, read_provenance

STEP = "corpus features"
VERSION = 1
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")


@dataclass(frozen=True)
class Shard:
    """Utterances whose features are made together.

    Attributes:
        root: The project.
        name: Name of the features.
        number: Number of the shard.
        size: Utterances of a shard; the last has fewer.
        extractor: What makes them.
        identity: What they are made of and how: `Provenance.parameters` as JSON.
        run: A name for the state of the project.
    """

    root: str
    name: str
    number: int
    size: int
    extractor: Extractor
    identity: str
    run: str

    @property
    def path(self) -> Path:
        """Its file."""
        return table.part_path(table.folder_of(Project(self.root), self.name), self.number)


@dataclass(frozen=True)
class Made:
    """What was made.

    Attributes:
        name: Name of the features.
        changed: Whether anything was done.
        utterances: How many utterances there are.
        missing: How many have no features, by reason.
        width: Numbers in a vector; None where no utterance has features.
        failed: Why shards are not there, by the utterances that they hold.
    """

    name: str
    changed: bool
    utterances: int
    missing: Mapping[str, int]
    width: int | None
    failed: Mapping[str, str]


def make(
    project: Project,
    extractor: Extractor,
    name: str | None = None,
    *,
    engine: str = Engine.LOCAL,
    workers: int | None = None,
    address: str | None = None,
) -> Made:
    """Make features of all utterances of a project.

    Args:
        project: The project.
        extractor: What makes them.
        name: Name of the features; by default the extractor's.
        engine: Where the work is done: ``local``, ``ray`` or ``dask``.
        workers: How many shards are made at once.
        address: Of the cluster.

    Returns:
        What was made. Shards that failed are named there; the others are done and stay.

    Raises:
        InputError: A bad name, a library, model or step that is missing, or features of this name that were
            imported.
    """
    name = name or extractor.name
    refuse_name(project, name)
    known = table.read_recipe(project, name)
    if known is not None and known.get("made_by") != STEP:
        message = "features of this name were not made by 'corpus features'; choose another name with --as"
        raise InputError(Issue(message, f"{FOLDER}/{name}", value=known.get("made_by")))
    recipe = extractor.recipe()
    shards = plan(project, extractor, name, recipe)
    with table.writing(project, name) as folder:
        waiting = [shard for shard in shards if not is_current(shard)]
        surplus = table.parts(project, name)[len(shards) :]
        failed: dict[str, str] = {}
        if waiting or surplus or known is None:
            (folder / RECIPE).unlink(missing_ok=True)
            for path in surplus:
                path.unlink()
            outcomes = run(
                extract, waiting, engine=engine, workers=workers, address=address, label=f"features {name}"
            )
            failed = {_span(one.task): one.error for one in outcomes if one.error is not None}
        about = summary(shard.path for shard in shards if shard.path.exists())
        if len(about["widths"]) > 1:
            message = "vectors have different widths; give models of one width, or make features of each"
            raise InputError(Issue(message, f"{FOLDER}/{name}", value=about["widths"]))
        width = about["widths"][0] if about["widths"] else None
        changed = bool(waiting or surplus or known is None)
        if changed and not failed:
            found = {key: about[key] for key in ("libraries", "computed_in", "utterances", "missing")}
            digest = hashlib.sha256("".join(shard.identity for shard in shards).encode()).hexdigest()
            whole = {
                "name": name,
                "made_by": STEP,
                **recipe,
                "width": width,
                **found,
                "made_from_sha256": digest,
            }
            table.write_recipe(folder, whole)
    return Made(name, changed, about["utterances"], about["missing"], width, failed)


def refuse_name(project: Project, name: str) -> None:
    """Refuse a name that cannot be a folder, or whose columns could be taken for a label's.

    Raises:
        InputError: It is such a name.
    """
    if not _NAME.fullmatch(name):
        message = "a name of features is made of a-z, 0-9, - and _"
        raise InputError(Issue(message, value=name))
    if name in {field.name for field in project.schema}:
        raise InputError(Issue("a label has this name, which features cannot have", value=name))


def plan(project: Project, extractor: Extractor, name: str, recipe: Mapping[str, Any]) -> list[Shard]:
    """Return all shards of features, done or not.

    Raises:
        InputError: Utterances or segments are not there yet.
    """
    digests = inputs.digests(project, extractor.modality)
    state = hashlib.sha256("".join(digests).encode()).hexdigest()
    root, size = str(project.root.resolve()), inputs.shard_rows(extractor.modality)
    return [
        Shard(root, name, number, size, extractor, _identity(recipe, digest), state)
        for number, digest in enumerate(digests)
    ]


def _identity(recipe: Mapping[str, Any], digest: str) -> str:
    return json.dumps({"recipe": recipe, "utterances_sha256": digest}, sort_keys=True)


def is_current(shard: Shard) -> bool:
    """Say whether a shard was made in this way from what is there now."""
    known = _known(shard.path)
    return known is not None and json.dumps(known["identity"], sort_keys=True) == shard.identity


def _known(path: Path) -> dict[str, Any] | None:
    provenance = read_provenance(path) if path.exists() else None
    if provenance is None or provenance.step != STEP or provenance.version != VERSION:
        return None
    return dict(provenance.parameters)


def extract(shard: Shard) -> int:
    """Make and write the features of a shard; runs on a worker.

    Returns:
        How many utterances have features.

    Raises:
        InputError: Utterances have vectors of different widths, or segments cannot be read.
    """
    project, extractor = Project(shard.root), shard.extractor
    first = shard.number * shard.size
    ids: list[str] = []

    def counted() -> Iterable[Item]:
        for item in inputs.items(project, extractor.modality, first, shard.size, shard.run):
            ids.append(item.utterance_id)
            yield item

    # One thread, since the engine runs a process a core; sums over threads would also round differently.
    with threadpool_limits(1):
        found = results(extractor, counted())
    widths = sorted({one.shape[-1] for one in found if not isinstance(one, Absent)})
    reasons = Counter(one.reason for one in found if isinstance(one, Absent))
    parameters = {
        "identity": json.loads(shard.identity),
        "utterances": len(ids),
        "missing": dict(sorted(reasons.items())),
        "widths": widths,
        "libraries": extractor.libraries(),
        "computed_in": extractor.computed_in(),
    }
    if len(widths) > 1:
        raise InputError(Issue("vectors have different widths; give models of one width", value=widths))
    provenance = Provenance(STEP, VERSION, {}, parameters)
    table.write_part(shard.path, ids, found, sequence=extractor.sequence, provenance=provenance)
    return len(ids) - reasons.total()


def _span(shard: Shard) -> str:
    return f"utterances {shard.number * shard.size + 1:,} to {(shard.number + 1) * shard.size:,}"


def summary(paths: Iterable[Path]) -> dict[str, Any]:
    """Add up what the parts say of themselves."""
    found = [known for path in paths if (known := _known(path)) is not None]
    missing: Counter[str] = Counter()
    for known in found:
        missing.update(known["missing"])
    versions = sorted({(package, one) for known in found for package, one in known["libraries"].items()})
    libraries: dict[str, list[str]] = {}
    for package, one in versions:
        libraries.setdefault(package, []).append(one)
    return {
        "utterances": sum(known["utterances"] for known in found),
        "missing": dict(sorted(missing.items())),
        "widths": sorted({width for known in found for width in known["widths"]}),
        "libraries": {package: ", ".join(each) for package, each in libraries.items()},
        "computed_in": sorted({known["computed_in"] for known in found}),
    }
