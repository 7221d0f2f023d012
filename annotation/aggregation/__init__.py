"""Deciding labels from ratings: every method takes the same table and gives the same columns.

``answers`` and ``votes`` code the ratings; a file a method estimates; ``deciding`` makes labels of estimates;
``methods`` says which method decides which type of field; ``outcome`` keeps how it was done.
"""

from annotation.aggregation.adjudication import adjudicated, adjudication_queue
from annotation.aggregation.labels import aggregate, decide
from annotation.aggregation.methods import METHODS
from annotation.aggregation.outcome import Decided, FieldOutcome, Note, NoteKind
from annotation.aggregation.project import aggregate_project, decide_project, notes_of, spread

__all__ = [
    "METHODS",
    "Decided",
    "FieldOutcome",
    "Note",
    "NoteKind",
    "adjudicated",
    "adjudication_queue",
    "aggregate",
    "aggregate_project",
    "decide",
    "decide_project",
    "notes_of",
    "spread",
]
