"""Some rows of a split, and splits one after the other."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from baselines.data import Integers, Labels, Mask, Split
from baselines.features import Features


def take(split: Split, rows: Integers) -> Split:
    """Return some rows of a split, in the given order; whole dialogues, or what is left of them.

    Args:
        split: The split.
        rows: Row numbers, those of a dialogue side by side.
    """
    _, first, dialogue = np.unique(split.dialogue[rows], return_index=True, return_inverse=True)
    in_order = np.argsort(np.argsort(first))  # dialogues are numbered in the order in which they come
    return dataclasses.replace(
        split,
        utterance_ids=[split.utterance_ids[row] for row in rows],
        dialogue=in_order[dialogue].astype(np.int64),
        speakers=[split.speakers[row] for row in rows],
        texts=[split.texts[row] for row in rows],
        labels={name: _rows_of_labels(one, rows) for name, one in split.labels.items()},
        features={
            name: dataclasses.replace(one, values=one.values[rows], present=one.present[rows])
            for name, one in split.features.items()
        },
        clips=[split.clips[row] for row in rows] if split.clips else (),
    )


def _rows_of_labels(labels: Labels, rows: Integers) -> Labels:
    soft = None if labels.soft is None else labels.soft[rows]
    return Labels(labels.values[rows], labels.known[rows], soft)


def join(name: str, splits: Sequence[Split]) -> Split:
    """Return splits of one dataset one after the other, their dialogues numbered on.

    Args:
        name: Name of the whole.
        splits: Splits with the same fields and features; no dialogue is in two of them.
    """
    starts = np.cumsum([0, *(int(one.dialogue.max(initial=-1)) + 1 for one in splits)])
    return Split(
        name,
        [one for split in splits for one in split.utterance_ids],
        np.concatenate([split.dialogue + start for split, start in zip(splits, starts, strict=False)]),
        [one for split in splits for one in split.speakers],
        [one for split in splits for one in split.texts],
        {field: _join_labels([split.labels[field] for split in splits]) for field in splits[0].labels},
        {one: _join_features([split.features[one] for split in splits]) for one in splits[0].features},
        [one for split in splits for one in split.clips],
    )


def _join_labels(parts: Sequence[Labels]) -> Labels:
    soft = [one.soft for one in parts]
    width = next((one.shape[1] for one in soft if one is not None), None)
    joined = None
    if width is not None:
        joined = np.concatenate(
            [
                np.full((len(part.known), width), np.nan) if one is None else one
                for part, one in zip(parts, soft, strict=True)
            ]
        )
    values, known = (np.concatenate([getattr(one, name) for one in parts]) for name in ("values", "known"))
    return Labels(values, known, joined)


def _join_features(parts: Sequence[Features]) -> Features:
    values, present = (
        np.concatenate([getattr(one, name) for one in parts]) for name in ("values", "present")
    )
    return dataclasses.replace(parts[0], values=values, present=present)


def keep_labels(split: Split, where: Mask) -> Split:
    """Return a split whose labels, soft ones included, are hidden but where they are to count.

    Args:
        split: The split.
        where: The utterances whose labels stay, shape (rows,). The others stay as context.
    """
    hidden: Mapping[str, Labels] = {
        name: dataclasses.replace(
            one,
            known=one.known & where,
            soft=None if one.soft is None else np.where(where[:, None], one.soft, np.nan),
        )
        for name, one in split.labels.items()
    }
    return dataclasses.replace(split, labels=hidden)
