"""What ``corpus features`` does: make some features, or take in those that exist."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pyarrow.compute as pc

from corpus.engine import Engine
from corpus.features.catalogue import Options, create
from corpus.features.imported import import_features
from corpus.features.making import Made, make
from corpus.features.text_encoder import DEFAULTS, primary
from schemas import project as folder
from schemas.errors import InputError, Issue
from schemas.project import Project
from schemas.tables import read_table


def made_by_command(
    project: Project,
    names: Sequence[str],
    options: Options,
    name: str | None = None,
    source: tuple[str, Path] | None = None,
    recipe: Path | None = None,
    *,
    engine: str = Engine.LOCAL,
    workers: int | None = None,
    address: str | None = None,
) -> list[Made]:
    """Make features with some extractors, one after the other, or import one file of features.

    Args:
        project: The project.
        names: The extractors.
        options: What is said about them; models and pictures are for one extractor alone.
        name: Name of the features, of one extractor.
        source: Name and file of features to import.
        recipe: How these were made.
        engine: Where the work is done.
        workers: How many shards are made at once.
        address: Of the cluster.

    Raises:
        InputError: Both or unfitting things are asked for; or as `make` and `import_features`.
    """
    if source is not None:
        if names or name or options != Options():
            raise InputError(Issue("--import takes no extractor and none of their options"))
        return [import_features(project, *source, recipe)]
    if recipe is not None:
        raise InputError(Issue("a recipe is for features that are imported", column="--recipe"))
    if name is not None and len(names) > 1:
        raise InputError(Issue("one name is for one extractor", column="--as", value=name))
    issues: list[Issue] = []
    extractors = []
    for one in names:
        try:
            extractor = create(one, _with_models(project, options) if one == "bert" else options)
            extractor.recipe()  # now, and not when the first one has been made for hours
            extractors.append(extractor)
        except InputError as error:
            issues += error.issues
    if issues:
        raise InputError(issues)
    return [
        make(project, extractor, name, engine=engine, workers=workers, address=address)
        for extractor in extractors
    ]


def _with_models(project: Project, options: Options) -> Options:
    """Name the usual models of the languages that the project has, unless others are given."""
    if options.models:
        return options
    path = project.require(folder.UTTERANCES, "corpus import")
    found = pc.unique(read_table(path, ["language"]).column("language")).to_pylist()
    languages = sorted({primary(language) or "unknown" for language in found})
    models = tuple(f"{one}={DEFAULTS[one]}" for one in languages if one in DEFAULTS)
    if not models:
        message = "there is no usual model for the languages of the utterances; name one with --model"
        raise InputError(Issue(message, value=", ".join(languages), choices=list(DEFAULTS)))
    return replace(options, models=models)
