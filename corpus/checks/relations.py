"""Rated relations: whether they are told by their parts, and where raters cannot have meant the same."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from corpus.checks.columns import Codes, Mask, codes, examples, located, mask, read
from corpus.checks.decided import read_labels
from corpus.checks.finding import Finding, Severity
from schemas.answers import present
from schemas.fields import IntervalField, RelationField
from schemas.project import QUARANTINE, Project

PUBLISHED = "labels/published.parquet"
MIN_UTTERANCES = 50
"""Combinations of parts with fewer rated utterances are not looked at for opposite signs."""
MIN_RARER_SHARE = 0.1
"""From which share of a combination on the rarer sign is reported."""


@dataclass(frozen=True)
class _Rated:
    """The labels of one relation and of its parts, a row an utterance."""

    relation: RelationField
    ids: pa.Array
    values: NDArray[np.float64]
    """nan where the relation has no label."""
    set_apart: Mask
    """Where the import set a number other than 0 apart, so that there is no label."""
    source: pa.Array
    target: pa.Array
    source_present: pa.Array
    target_present: pa.Array


def check_relations(project: Project, labels: str | None) -> Iterator[Finding]:
    """Check every relation of the schema in the decided labels.

    - ``relations.rated_without_parts``: of the utterances in which both parts are absent, those with a value
      other than 0. In published labels a number other than 0 that the import set apart, because it is not
      on the scale or because nothing was to be rated, counts as such a value.
    - ``relations.target_without_source``: of the utterances without the source, those with the target.
    - ``relations.opposite_signs``: combinations of two present parts with at least 50 rated utterances, in
      which the rarer sign makes at least a tenth; one finding each. Zeros belong to the denominator.
    - ``relations.told_by_parts``: of the rated utterances in which both parts have a label, those that one
      hits by naming for each combination of parts its commonest value (fitted and counted on the same
      utterances), against those that one hits by always naming the commonest value of all.

    The last two take categories as parts: a relation with an interval part has neither.

    Args:
        project: The project.
        labels: The table of decided labels, if there is one.
    """
    if labels is None:
        return
    for relation in project.schema.relations:
        parts = [project.schema[relation.source], project.schema[relation.target]]
        table = read_labels(project, labels, "utterance_id", relation.name, relation.source, relation.target)
        if table is None:
            continue
        ids, values, source, target = table.columns
        rated = _Rated(
            relation,
            ids,
            np.asarray(pc.cast(values, pa.float64()), dtype=np.float64),
            _set_apart(project, relation, ids) if labels == PUBLISHED else np.zeros(len(ids), dtype=bool),
            source,
            target,
            present(parts[0], source),
            present(parts[1], target),
        )
        yield from _without_parts(rated)
        if not any(isinstance(part, IntervalField) for part in parts):
            yield from _told_by_parts(rated)


def _set_apart(project: Project, relation: RelationField, ids: pa.Array) -> Mask:
    """Say for which utterances the import set a number other than 0 apart."""
    if not project.has(QUARANTINE):
        return np.zeros(len(ids), dtype=bool)
    cells = read(project, QUARANTINE, "utterance_id", "column", "original")
    cells = cells.filter(pc.equal(cells.column("column"), relation.name))
    known = {text: _is_not_zero(text) for text in pc.unique(cells.column("original")).to_pylist()}
    not_zero = pa.array([text for text, found in known.items() if found], pa.string())
    hit = cells.filter(pc.is_in(cells.column("original"), value_set=not_zero)).column("utterance_id")
    return mask(pc.is_in(ids, value_set=hit))


def _is_not_zero(text: str) -> bool:
    try:
        return float(text) != 0
    except ValueError:
        return False


def _without_parts(rated: _Rated) -> Iterator[Finding]:
    relation = rated.relation
    no_source, no_target = (mask(pc.invert(one)) for one in (rated.source_present, rated.target_present))
    neither = no_source & no_target
    not_zero = rated.set_apart | (~np.isnan(rated.values) & (rated.values != 0))
    yield from located(
        "relations.rated_without_parts",
        Severity.WARNING,
        neither & not_zero,
        int(neither.sum()),
        f"utterances in which {relation.source} and {relation.target} are both absent have a value of "
        f"{relation.name} other than 0",
        rated.ids,
        relation.name,
    )
    yield from located(
        "relations.target_without_source",
        Severity.INFO,
        no_source & mask(rated.target_present),
        int(no_source.sum()),
        f"utterances in which {relation.source} is absent have {relation.target} present",
        rated.ids,
        relation.name,
    )


def _told_by_parts(rated: _Rated) -> Iterator[Finding]:
    sources, source_names = codes(rated.source)
    targets, target_names = codes(rated.target)
    known = (sources >= 0) & (targets >= 0) & ~np.isnan(rated.values)
    if not known.any():
        return
    scale = rated.relation.categories
    # How often each value of the scale stands with each combination of source and target.
    cell = (sources[known] * len(target_names) + targets[known]) * len(scale)
    value = rated.values[known].astype(np.int64) - scale[0]
    on_scale = (value >= 0) & (value < len(scale))  # others are labels.invalid
    size = len(source_names) * len(target_names) * len(scale)
    table = np.bincount((cell + value)[on_scale], minlength=size).reshape(-1, len(scale))
    names = source_names.to_pylist(), target_names.to_pylist()
    yield from _opposite_signs(rated, table, sources, targets, *names)
    hits, mode, of = int(table.max(axis=1).sum()), int(table.sum(axis=0).max()), int(table.sum())
    name = rated.relation.name
    message = (
        f"Knowing {rated.relation.source} and {rated.relation.target} tells {name} for {hits:,} of {of:,} "
        f"utterances ({hits / of:.0%}); guessing the commonest value, for {mode:,} ({mode / of:.0%})."
    )
    yield Finding("relations.told_by_parts", Severity.INFO, message, hits, of, name)


def _opposite_signs(
    rated: _Rated,
    table: Codes,
    sources: Codes,
    targets: Codes,
    source_names: list[str],
    target_names: list[str],
) -> Iterator[Finding]:
    scale = np.array(rated.relation.categories)
    both = mask(pc.and_kleene(rated.source_present, rated.target_present))
    is_present = np.zeros(len(table), dtype=bool)
    is_present[np.unique(sources[both] * len(target_names) + targets[both])] = True
    reverse, same = table[:, scale < 0].sum(axis=1), table[:, scale > 0].sum(axis=1)
    total, rarer = table.sum(axis=1), np.minimum(reverse, same)
    name = rated.relation.name
    found = is_present & (total >= MIN_UTTERANCES) & (rarer >= MIN_RARER_SHARE * total)
    for cell in np.flatnonzero(found).tolist():
        source, target = divmod(cell, len(target_names))
        is_reverse = bool(reverse[cell] <= same[cell])
        words = ("reverse", "in the same direction") if is_reverse else ("in the same direction", "reverse")
        parts = f"{source_names[source]} + {target_names[target]}"
        count, of, other = int(rarer[cell]), int(total[cell]), int(max(reverse[cell], same[cell]))
        signed = rated.values < 0 if is_reverse else rated.values > 0
        where = (sources == source) & (targets == target) & signed
        message = (
            f"Of the {of:,} utterances with {parts}, {count:,} are rated {words[0]} in {name} "
            f"and {other:,} {words[1]}."
        )
        yield Finding(
            "relations.opposite_signs",
            Severity.WARNING,
            message,
            count,
            of,
            f"{name}: {parts}",
            examples(rated.ids, where),
        )
