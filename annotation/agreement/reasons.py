"""Why a number does not exist, and the sizes beyond which it is not computed."""

from __future__ import annotations

MOST_CATEGORIES = 100  # a field of numbers with more distinct ones is taken as continuous
MOST_COMPARED = 4096  # values of which every two are compared; the matrix takes 128 MB
MOST_PAIRS = 20_000_000  # pairs of ratings that are looked at one by one

ONE_VALUE = "every rating that can be compared has the same value, so chance agreement is complete"
NO_PAIRS = "no item has two ratings"
SINGLE_ITEM = "a single item has two ratings: its agreement cannot be told from chance"
UNKNOWN_RATERS = "raters are unknown"
ONE_RATER = "there is only one rater"
REPEATED = "raters rated items twice and both ratings are kept"
TOO_LARGE = "too many distinct values for the number of items to keep the sums of every item"
TOO_MANY_VALUES = f"more than {MOST_COMPARED} distinct values: it compares every two of them"
TOO_MANY_PAIRS = f"items have so many raters that there are more than {MOST_PAIRS:,} pairs of ratings"


def pair_reason(pairable: bool, otherwise: str = ONE_VALUE) -> str:
    """The reason when a coefficient of pairs of ratings does not exist."""
    return otherwise if pairable else NO_PAIRS
