"""From lines to utterances: a subtitle line is as much as fits on a screen, and not what somebody says.

Two neighbouring lines become one utterance if all of this holds:

- the same speaker says them; where no speaker is known, the text itself shows that it goes on: it ends in a
  comma or dash, or the next line goes on in a small letter;
- the first does not end a sentence;
- the pause between them is at most `MergeRule.gap`, and together they last at most `MergeRule.longest`;
- no scene begins in between.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from corpus.importers.lines import Line
from corpus.importers.spoken import joined

_ENDED = re.compile(r"[.!?。！？…~～][\s\"'”’」』）)\]】]*$")
_GOES_ON = re.compile(r"[,，、;；:：\-–—][\s\"'”’]*$")


@dataclass(frozen=True)
class MergeRule:
    """When neighbouring lines are one utterance.

    Attributes:
        gap: Seconds between them, at most; 0 and below: lines are never merged.
        longest: Seconds that the utterance may last.
    """

    gap: float = 0.2
    longest: float = 15.0


@dataclass(frozen=True)
class Utterance:
    """What somebody says at a stretch.

    Attributes:
        lines: The lines that it was made of, in their order.
        scene: Number of its scene, None where none is marked.
    """

    lines: tuple[Line, ...]
    scene: int | None = None

    @property
    def start(self) -> float:
        """Where it begins, in seconds."""
        return self.lines[0].start

    @property
    def whole(self) -> bool:
        """Whether it is its whole recording."""
        return self.lines[0].whole

    @property
    def end(self) -> float | None:
        """Where it ends, in seconds; None where no line says."""
        ends = [line.end for line in self.lines if line.end is not None]
        return max(ends) if ends else None

    @property
    def speaker(self) -> str | None:
        """Who says it."""
        return self.lines[0].speaker

    @property
    def text(self) -> str:
        """What is said."""
        return joined(line.text for line in self.lines)

    @property
    def original(self) -> str:
        """The lines as they stand in the file."""
        return "\n".join(line.original for line in self.lines)


def merged(lines: Sequence[Line], scenes: Sequence[int | None], rule: MergeRule) -> list[Utterance]:
    """Merge lines by the rule.

    Args:
        lines: In the order of their starts.
        scenes: The number of the scene of each.
        rule: The rule.
    """
    utterances: list[Utterance] = []
    for line, scene in zip(lines, scenes, strict=True):
        before = utterances[-1] if utterances else None
        if before is not None and before.scene == scene and _goes_on(before, line, rule):
            utterances[-1] = Utterance((*before.lines, line), scene)
        else:
            utterances.append(Utterance((line,), scene))
    return utterances


def _goes_on(before: Utterance, line: Line, rule: MergeRule) -> bool:
    last = before.lines[-1]
    if rule.gap <= 0 or last.end is None or line.end is None or last.row == line.row:
        return False
    if not -rule.gap <= line.start - last.end <= rule.gap or line.end - before.start > rule.longest:
        return False
    text = last.text.strip()
    if last.speaker != line.speaker or _ENDED.search(text):
        return False
    return last.speaker is not None or bool(_GOES_ON.search(text)) or line.text.strip()[:1].islower()
