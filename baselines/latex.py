r"""A comparison as LaTeX: tables for a paper, with ``\usepackage{booktabs}``.

The best value of a column is bold among the models; floors, people and bounds are not in that race.
"""

from __future__ import annotations

import re

from baselines.comparison import Comparison, Estimate
from baselines.comparison_tables import Cell, Table, tables
from baselines.comparison_text import METRICS, note_text
from baselines.groups import FLOOR

RACES = ("results", "ratings")
LOWER_IS_BETTER = {METRICS[name].en for name in ("mae", "ece", "brier")}
_SPECIAL = re.compile(r"[\\{}$&#^_%~<>]")
_WRITTEN = {
    "\\": r"\textbackslash{}",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
}


def latex(comparison: Comparison) -> str:
    """Return the tables of a comparison as LaTeX, one ``table`` each."""
    racing = {group.name for group in comparison.groups if group.kind != FLOOR}
    notes = [f"% {note_text(note)}" for note in comparison.notes]
    made = [_table(one, racing) for one in tables(comparison)]
    return "\n".join(["% Needs \\usepackage{booktabs}.", *notes, "", "\n\n".join(made), ""])


def _table(one: Table, racing: set[str]) -> str:
    best = _best(one, racing) if one.key in RACES else {}
    lines = [
        " & ".join(_cell(cell, bold=best.get(place) == number) for place, cell in enumerate(row)) + r" \\"
        for number, row in enumerate(one.rows)
    ]
    kinds = "".join(
        "l" if place == 0 or all(isinstance(row[place], str) for row in one.rows) else "r"
        for place in range(len(one.columns))
    )
    caption = ". ".join([escape(one.title), *filter(None, [escape(f"{one.note} {one.about}".strip())])])
    return "\n".join(
        [
            r"\begin{table}",
            r"\centering",
            rf"\caption{{{caption}}}",
            rf"\begin{{tabular}}{{{kinds}}}",
            r"\toprule",
            " & ".join(map(escape, one.columns)) + r" \\",
            r"\midrule",
            *lines,
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
        ]
    )


def _best(one: Table, racing: set[str]) -> dict[int, int]:
    """Return the row of the best value of each column."""
    best = {}
    for place, head in enumerate(one.columns[1:], 1):
        values = [
            (cell.value, number)
            for number, row in enumerate(one.rows)
            if row[0] in racing and isinstance(cell := row[place], Estimate) and cell.value is not None
        ]
        if len(values) > 1:
            best[place] = (min if head in LOWER_IS_BETTER else max)(values)[1]
    return best


def _cell(cell: Cell, *, bold: bool) -> str:
    if isinstance(cell, Estimate):
        text = _estimate(cell)
    elif isinstance(cell, float):
        text = _number(cell)
    else:
        text = "--" if cell is None else escape(cell)
    return rf"\textbf{{{text}}}" if bold else text


def _estimate(one: Estimate) -> str:
    if one.value is None:
        return "--"
    deviation = "" if one.sd is None else rf" $\pm$ {one.sd:.3f}"
    if one.low is None or one.high is None:
        return _number(one.value) + deviation
    return f"{_number(one.value)}{deviation} [{_number(one.low)}, {_number(one.high)}]"


def _number(value: float) -> str:
    return f"${value:.3f}$" if value < 0 else f"{value:.3f}"


def escape(text: str) -> str:
    """Write a text so that LaTeX prints it as it stands."""
    text = _SPECIAL.sub(lambda found: _WRITTEN.get(found[0], "\\" + found[0]), text)
    return text.replace("±", r"$\pm$").replace("\N{MINUS SIGN}", "$-$")
