"""A comparison in the terminal: what fits 80 columns; the page and JSON hold all of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

from rich import box
from rich.markup import escape
from rich.table import Table as RichTable

from baselines.comparison import Comparison, Estimate
from baselines.comparison_tables import Cell, Table, tables
from baselines.comparison_text import METRICS, WORDS, note_text

MOST_TESTS = 40
"""Paired tests that are printed."""
LEFT_OUT = ("ratings", "by_rater", "ceiling")
NARROW = {METRICS[name].en for name in ("uar", "micro_f1", "brier", "pearson")}
"""Metrics that are left out of tables of more than `MOST_METRICS`."""
MOST_METRICS = 5
LONGEST_INTERVAL = len("1.00 to 2.00")
"""The widest number; a head that is longer takes lines, and no width from the names."""


def terminal_tables(comparison: Comparison) -> Iterator[RichTable | str]:
    """Give what is printed, in order: texts with markup, and tables."""
    for note in comparison.notes:
        yield f"[yellow]{escape(note_text(note))}[/]"
    made = tables(comparison)
    for place, one in enumerate(made):
        if one.key in LEFT_OUT:
            continue
        if one.key == "tests" and len(one.rows) > MOST_TESTS:
            yield f"{len(one.rows):,} paired tests: see --html or --json"
            continue
        yield thin_table(_narrowed(one))
        is_last = place + 1 == len(made) or made[place + 1].key != one.key
        told = [text for text in (one.about, one.note if is_last else "") if text]
        if told:
            yield "\n".join(f"[dim]{escape(text)}[/]" for text in told) + "\n"
    if any(one.key in LEFT_OUT for one in made):
        yield f"[dim]{WORDS['more'].en}[/]"


def _narrowed(one: Table) -> Table:
    """Leave out metrics of a field where there are many."""
    if one.key != "results" or len(one.columns) <= MOST_METRICS + 1:
        return one
    kept = [place for place, head in enumerate(one.columns) if head not in NARROW]
    rows = tuple(tuple(row[place] for place in kept) for row in one.rows)
    return Table(one.key, one.title, tuple(one.columns[place] for place in kept), rows, one.note, one.about)


def thin_table(one: Table) -> RichTable:
    """Return a table with as few lines as can be."""
    made = RichTable(
        title=escape(one.title),
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        collapse_padding=True,
    )
    for place, head in enumerate(one.columns):
        numeric = place > 0 and any(not isinstance(row[place], str) for row in one.rows)
        justify: Literal["right", "left"] = "right" if numeric else "left"
        # Names give way before numbers do, and heads of numbers before names.
        shown = head.replace(" ", "\n") if numeric and len(head) > LONGEST_INTERVAL else head
        made.add_column(escape(shown), justify=justify, overflow="fold", no_wrap=numeric, min_width=6)
    for row in _without_repeats(one.rows):
        made.add_row(*map(_cell, row))
    return made


def _without_repeats(rows: Sequence[tuple[Cell, ...]]) -> Iterator[tuple[Cell, ...]]:
    """Name a row only where the name changes."""
    last: Cell = None
    for row in rows:
        yield ("", *row[1:]) if row[0] == last else row
        last = row[0]


def _cell(cell: Cell) -> str:
    if isinstance(cell, Estimate):
        return _estimate(cell)
    if isinstance(cell, float):
        return f"{cell:.3f}"
    return "-" if cell is None else escape(cell)


def _estimate(one: Estimate) -> str:
    """Write an estimate on two lines: value and deviation, and the interval."""
    if one.value is None:
        return "-"
    value = f"{one.value:.3f}" + ("" if one.sd is None else f"±{one.sd:.3f}".replace("±0.", "±."))
    return value if one.low is None or one.high is None else f"{value}\n[dim]{short_interval(one)}[/]"


def short_interval(one: Estimate) -> str:
    """Write an interval in ten letters, such as ``.40 to .73``; empty without one."""
    if one.low is None or one.high is None:
        return ""
    ends = (round(end, 2) + 0.0 for end in (one.low, one.high))  # no minus before zero
    return " to ".join(f"{end:.2f}".replace("0.", ".", 1) for end in ends)
