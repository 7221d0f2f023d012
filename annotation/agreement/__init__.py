"""Agreement between raters: coefficients, standard errors and intervals of every field of a schema."""

from annotation.agreement.measure import agreement, measure
from annotation.agreement.patterns import OrderedPatterns, Patterns
from annotation.agreement.reading import Ratings, read_ratings
from annotation.agreement.results import Agreement, Coefficient
from annotation.agreement.streaming import read_table

__all__ = [
    "Agreement",
    "Coefficient",
    "OrderedPatterns",
    "Patterns",
    "Ratings",
    "agreement",
    "measure",
    "read_ratings",
    "read_table",
]
