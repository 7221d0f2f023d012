"""What all tasks of one Label Studio project have in common."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from schemas.errors import InputError, Issue
from schemas.records import Condition, Context


class Design(StrEnum):
    """What one page shows."""

    UTTERANCE = "utterance"
    DIALOGUE = "dialogue"


@dataclass(frozen=True)
class Sheet:
    """What is rated and how, the same for all tasks of a project; it stands on every rating.

    Attributes:
        round: Name of the round (``pilot``).
        schema_version: Version of the label schema.
        guideline_version: Version of the handbook, see `guidelines.guideline_version`.
        design: What one page shows.
        condition: Which modalities of the utterance are shown.
        context: How much of the dialogue is shown; a dialogue page always shows all of it.
        language: Language of the annotators, ``zh`` or ``en``.
        turns: For dialogue pages: the most turns to be rated that a dialogue of the project has.
    """

    round: str
    schema_version: str
    guideline_version: str
    design: Design = Design.UTTERANCE
    condition: Condition = Condition.FULL
    context: Context = Context.PAST
    language: str = "zh"
    turns: int = 0

    def key(self, item: str) -> str:
        """Return the key of the task of an utterance or dialogue, the same whenever it is made."""
        return "/".join((self.round, self.design, self.condition, self.context, item))

    def require_possible(self) -> None:
        """Refuse a dialogue page that is to hide later turns.

        Raises:
            InputError: It is one.
        """
        if self.design is Design.DIALOGUE and self.context is Context.PAST:
            message = "a dialogue page shows later turns; past context needs the utterance design"
            raise InputError(
                Issue(message, column="context", value=str(self.context), choices=[str(Context.FULL)])
            )
