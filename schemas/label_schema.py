"""The label schema: the single source of truth, declared once in YAML.

Pages, tables, coefficients, dataset features and model heads are all derived from a `LabelSchema`.
``definition.py`` reads one from YAML; ``definitions/`` holds the shipped ones; docs/schema.md the format.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from schemas.errors import InputError, Issue
from schemas.fields import AppliesWhen, Field, RelationField, Text


@dataclass(frozen=True)
class LabelSchema:
    """A set of fields that are asked for every utterance.

    Attributes:
        name: Short name, as in ``corpus init --schema NAME``.
        version: Version of the definition; stands on every rating.
        title: Title in both languages.
        description: What the schema is for.
        source: Where the label set was published.
        fields: The fields in the order in which they are asked.
        digest: SHA-256 of the definition's meaning (not of its comments or layout).
    """

    name: str
    version: str
    title: Text
    description: Text
    source: str | None
    fields: tuple[Field, ...]
    digest: str

    @cached_property
    def by_name(self) -> Mapping[str, Field]:
        """The fields by name, in order."""
        return {one.name: one for one in self.fields}

    def __iter__(self) -> Iterator[Field]:
        return iter(self.fields)

    def __contains__(self, name: object) -> bool:
        return name in self.by_name

    def __getitem__(self, name: str) -> Field:
        """Return the field called ``name``.

        Raises:
            InputError: There is none.
        """
        if name not in self.by_name:
            raise InputError(
                Issue(f"schema {self.name!r} has no such field", value=name, choices=list(self.by_name))
            )
        return self.by_name[name]

    @property
    def relations(self) -> tuple[RelationField, ...]:
        """The relation fields."""
        return tuple(one for one in self.fields if isinstance(one, RelationField))

    def applies(self, relation: RelationField, record: Mapping[str, object]) -> bool | None:
        """Say whether ``relation`` is to be rated, given the answers to its parts.

        Args:
            relation: A relation of this schema.
            record: Answers by field name.

        Returns:
            True or False; None when that cannot be known: a part has no answer, the other is absent.
        """
        if relation.applies_when is AppliesWhen.ALWAYS:
            return True
        parts = [self.by_name[relation.source], self.by_name[relation.target]]
        answers = [record.get(part.name) for part in parts]
        known = [
            not part.is_absent(answer)
            for part, answer in zip(parts, answers, strict=True)
            if answer is not None
        ]
        if any(known):
            return True
        return False if len(known) == len(parts) else None
