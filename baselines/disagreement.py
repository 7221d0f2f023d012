"""How well predicted probabilities match the spread of the raters' answers, where one label hides it.

The measures of the LeWiDi shared tasks (Leonardelli et al. 2023, 2025): cross-entropy, Manhattan distance,
and for ordered values the Wasserstein distance. All utterances with ratings count, those whose raters do not
decide a label, too.
"""

from __future__ import annotations

import numpy as np

from baselines.data import Floats, Integers
from baselines.dialogue_sums import DialogueSums, Measure, ratio, sum_dialogues
from schemas.fields import Field, IntervalField, MultilabelField, OrdinalField, RelationField

SMALLEST = 1e-7
"""Probabilities below this one are taken for it: one certain mistake would make the mean infinite."""


def soft_names(field: Field) -> tuple[str, ...]:
    """Return the names of the measures of a field; none of interval fields, see `spread_sums`."""
    if isinstance(field, IntervalField):
        return ()
    ordered = isinstance(field, OrdinalField | RelationField)
    return ("cross_entropy", "label_entropy", "manhattan", *(("wasserstein",) if ordered else ()))


def soft_measure(field: Field) -> Measure:
    """Return the means over utterances as a function of sums.

    ``label_entropy`` is the entropy of the soft labels, the least that the cross-entropy can be.
    """
    names = ("wasserstein",) if isinstance(field, IntervalField) else soft_names(field)
    return Measure(names, _means)


def _means(sums: Floats) -> Floats:
    return ratio(sums[:, :-1], sums[:, -1:])


def soft_sums(field: Field, dialogue: Integers, soft: Floats, scores: Floats) -> DialogueSums:
    """Compare probabilities with soft labels.

    Of multilabel fields every value is a yes-or-no distribution of its own, and the mean over the values is
    taken. Cross-entropy and entropy are in nats; the Manhattan distance goes from 0 to 2; the Wasserstein
    distance is in steps of the scale.

    Args:
        field: A categorical or relation field.
        dialogue: The dialogue of each utterance, any numbers.
        soft: Shares of the raters who gave each value, shape (rows, values).
        scores: Predicted probabilities, of the same shape.
    """
    if isinstance(field, MultilabelField):
        wanted, given = (np.stack([1 - one, one], axis=-1) for one in (soft, scores))
    else:
        wanted, given = soft[:, None, :], scores[:, None, :]  # (rows, distributions, values)
    distances = [
        -(wanted * _log(given)).sum(axis=2).mean(axis=1),
        -(wanted * _log(wanted)).sum(axis=2).mean(axis=1),
        np.abs(wanted - given).sum(axis=2).mean(axis=1),
    ]
    if isinstance(field, OrdinalField | RelationField):
        # In one dimension the distance is the area between the cumulative distributions (Vallender 1974).
        distances.append(np.abs(np.cumsum(soft - scores, axis=1))[:, :-1].sum(axis=1))
    return sum_dialogues(soft_measure(field), dialogue, np.column_stack([*distances, np.ones(len(soft))]))


def spread_sums(
    field: IntervalField, dialogue: Integers, ratings: Floats, of: Integers, predicted: Floats
) -> DialogueSums:
    """Compare one predicted number with all numbers that raters gave: their Wasserstein distance.

    From a single point that is the mean distance to the raters' numbers, in units of the scale.

    Args:
        field: The field.
        dialogue: The dialogue of each utterance, any numbers, shape (rows,).
        ratings: The raters' numbers, shape (ratings,).
        of: The utterance of each of them, a row number, shape (ratings,).
        predicted: The predicted number of each utterance, shape (rows,).
    """
    rated, place = np.unique(of, return_inverse=True)
    far = np.bincount(place, weights=np.abs(ratings - predicted[of]), minlength=len(rated))
    mean = far / np.maximum(np.bincount(place, minlength=len(rated)), 1)
    return sum_dialogues(soft_measure(field), dialogue[rated], np.column_stack([mean, np.ones(len(rated))]))


def _log(probabilities: Floats) -> Floats:
    return np.asarray(np.log(np.clip(probabilities, SMALLEST, 1.0)))
