"""What a saved model needs of utterances that are in no dataset, made by the recipes that it carries."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from baselines.clips import without_recordings
from baselines.data import Split
from baselines.features import Features
from baselines.seen import AUDIO, READ, TEXT, seen_by
from corpus.features import inputs
from corpus.features.extractor import Absent, Extractor, Item, Modality, lacks, results
from corpus.features.remaking import remake
from corpus.features.text_encoder import TextEncoder
from schemas.errors import InputError, Issue
from schemas.project import Project

Items = Callable[[Modality], Iterator[Item]]
"""Gives utterances with what they have of a modality."""
_FEATURES = "features"


def modalities(streams: Mapping[str, Mapping[str, Any]]) -> list[Modality]:
    """Return what the inputs of a model look at."""
    told = [one.get("made_by", {}).get("modality") for one in streams.values() if one["kind"] == _FEATURES]
    own = {"sound-encoder": Modality.AUDIO, "picture-encoder": Modality.FRAMES}
    found = [Modality(one) for one in told if one in set(Modality)]
    return found + [own[one["kind"]] for one in streams.values() if one["kind"] in own]


def items_of(split: Split, project: Project | None) -> Items:
    """Return a way to get the utterances of a transcript, or of recordings that were cut into a project."""

    def items(modality: Modality) -> Iterator[Item]:
        if modality is Modality.TEXT or project is None:
            return (Item(one, text) for one, text in zip(split.utterance_ids, split.texts, strict=True))
        return inputs.items(project, modality, 0, len(split), project.root.name)

    return items


def with_inputs(
    split: Split, config: Mapping[str, Any], items: Items, models: Sequence[str] = ()
) -> tuple[Split, dict[str, int]]:
    """Give utterances the features that a model wants; those without the modality are masked.

    Args:
        split: The utterances.
        config: The ``config.json`` of the model.
        items: Gives them to extractors.
        models: Folders and files in which models of extractors may be found.

    Returns:
        The utterances with features, and by input of the model how many utterances lack it.

    Raises:
        InputError: Features cannot be made here, or the model sees nothing of these utterances; all at once.
    """
    streams = config.get("streams") or {}
    features, missing, issues = {}, {}, []
    for name, recipe in streams.items():
        if recipe["kind"] != _FEATURES:
            missing[name] = _lacking(split, READ[recipe["kind"]])
            continue
        try:
            features[name] = _features(name, recipe, items, len(split), models)
            missing[name] = int((~features[name].present).sum())
        except InputError as error:
            issues += error.issues
    if issues:
        raise InputError(issues)
    if streams and all(one == len(split) for one in missing.values()):
        choices = seen_by(config).kinds or list(streams)
        raise InputError(Issue("the model sees nothing of these utterances", choices=choices))
    return dataclasses.replace(split, features=features), missing


def _lacking(split: Split, kind: str) -> int:
    """Count the utterances that have nothing of what a model reads itself."""
    if kind == TEXT:
        return sum(not one.strip() for one in split.texts)
    clips = split.clips or without_recordings(split.utterance_ids)
    return sum(one.sound() is None if kind == AUDIO else not one.pictures(1) for one in clips)


def _features(
    name: str, recipe: Mapping[str, Any], items: Items, rows: int, models: Sequence[str]
) -> Features:
    made_by, width = recipe.get("made_by", {}), recipe["width"]
    values = np.zeros((rows, width), np.float32)
    present = np.zeros(rows, np.bool_)
    told = made_by.get("modality")
    if told in set(Modality) and told != Modality.FILES:
        modality = Modality(told)
        if all(lacks(modality, one) for one in items(modality)):
            return Features(values, present, made_by)  # whatever the recipe, there is nothing to make it of
    extractor = remake(name, made_by, models)
    for row, one in enumerate(results(extractor, _in_language(items(extractor.modality), extractor))):
        if not isinstance(one, Absent):
            values[row] = one.mean(axis=0) if one.ndim > 1 else one
            present[row] = True
    return Features(values, present, made_by)


def _in_language(items: Iterator[Item], extractor: Extractor) -> Iterator[Item]:
    """Say the language of utterances where there is a model a language: Chinese by its characters.

    Raises:
        InputError: An utterance may be of several of the languages.
    """
    languages = [one for one, _ in extractor.models] if isinstance(extractor, TextEncoder) else [None]
    if None in languages:
        yield from items
        return
    others = [one for one in languages if one != "zh"]
    for item in items:
        chinese = any("\u4e00" <= one <= "\u9fff" for one in item.text)
        if chinese and "zh" in languages:
            yield dataclasses.replace(item, language="zh")
        elif len(others) == 1:
            yield dataclasses.replace(item, language=others[0])
        else:
            message = "the language of this utterance is not known, and the features have a model a language"
            raise InputError(Issue(message, value=item.utterance_id, choices=languages))
