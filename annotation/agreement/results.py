"""What the engine answers: typed results, with a reason where a number does not exist."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from annotation.agreement.intervals import DECIMALS
from annotation.agreement.reading import Ratings

COEFFICIENTS = (
    "alpha", "fleiss_kappa", "conger_kappa", "scott_pi", "cohen_kappa", "gwet_ac1", "gwet_ac2",
    "brennan_prediger", "percent_agreement", "icc_1_1", "icc_2_1", "icc_2_k",
)  # fmt: skip
"""Names of the coefficients in the stable JSON, in their order."""


@dataclass(frozen=True)
class Coefficient:
    """One coefficient.

    Attributes:
        value: The coefficient, at most 1; None where it does not exist.
        se: Standard error.
        low: Lower end of the 95% interval.
        high: Upper end of the 95% interval.
        definition: Which definition, standard error and interval these are.
        reason: Why a number is missing; None when all are there.
    """

    value: float | None
    se: float | None
    low: float | None
    high: float | None
    definition: str
    reason: str | None = None


def number(value: float | None) -> float | None:
    """A finite number at twelve decimals (the same on every machine), or None."""
    if value is None or not math.isfinite(value):
        return None
    return round(float(value), DECIMALS) + 0.0


@dataclass(frozen=True)
class Agreement:
    """Agreement on one field.

    Attributes:
        field: Name of the field.
        level: Level of measurement.
        items: Items with at least one rating.
        raters: Raters with at least one rating; with unknown raters, the most ratings of an item.
        ratings: Number of ratings.
        missing: Cells of the table items x raters without a rating.
        coefficients: By the names of the stable JSON.
        clusters: Number of clusters that the intervals resample; None when they resample items.
        per_category: Alpha of "this value or not", by value (for sets, by label).
    """

    field: str
    level: str
    items: int
    raters: int
    ratings: int
    missing: int
    coefficients: Mapping[str, Coefficient]
    clusters: int | None = None
    per_category: Mapping[str, Coefficient] = dataclasses.field(default_factory=dict)

    @classmethod
    def of(
        cls,
        ratings: Ratings,
        coefficients: Mapping[str, Coefficient],
        per_category: Mapping[str, Coefficient] | None = None,
    ) -> Agreement:
        """Coefficients of coded ratings, with what the ratings are."""
        return cls(
            field=ratings.field,
            level=str(ratings.level),
            items=ratings.items,
            raters=ratings.raters,
            ratings=len(ratings.item),
            missing=ratings.items * ratings.raters - len(ratings.item) if not ratings.repeated else 0,
            coefficients=coefficients,
            clusters=ratings.clusters if ratings.cluster is not None else None,
            per_category=per_category or {},
        )

    @property
    def missing_share(self) -> float:
        """Share of the table items x raters without a rating, 0 to 1."""
        return self.missing / max(self.missing + self.ratings, 1)

    def to_dict(self) -> dict[str, object]:
        """The field's part of the stable JSON of ``annotation agreement --json``."""
        return {
            "level": self.level,
            "items": self.items,
            "raters": self.raters,
            "ratings": self.ratings,
            "missing": self.missing,
            "coefficients": {name: asdict(one) for name, one in self.coefficients.items()},
        }
