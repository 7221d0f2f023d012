"""The agreement report as tables: for a terminal, as CSV and as LaTeX.

All three are made from the JSON of the report, so that one that stands in a project is shown without
measuring again.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich import box
from rich.markup import escape
from rich.table import Table

from annotation.agreement.content import ALL_VALUES, GWET, MEASURES, gwet_of, shown_measures, titles
from schemas.errors import InputError, Issue

Content = Mapping[str, Any]

RELATION_ROWS = {"applicable": "where it applies", "given_parts": "given its parts"}
SHORT = {
    "prevalence": "preva-\nlence",
    "positive": "positive",
    "negative": "negative",
    "retest": "retest",
    "split_half": "split-\nhalf",
    "ceiling": "ceiling",
}
"""Titles of measures in a terminal, where eight of them stand beside each other."""


def only(content: Content, fields: Sequence[str]) -> dict[str, Any]:
    """Return the part of a report that is about some fields.

    Raises:
        InputError: A field is not in it.
    """
    known = list(content["fields"])
    issues = [Issue("no such field", value=name, choices=known) for name in fields if name not in known]
    if issues:
        raise InputError(issues)
    by_field = ("fields", "relations", "summary", "unanswered")
    return {
        key: {name: part[name] for name in fields if name in part} if key in by_field else part
        for key, part in content.items()
    }


def missing_share(field: Content) -> float:
    """Share of the table items x raters without a rating, 0 to 1."""
    return float(field["missing"] / max(field["missing"] + field["ratings"], 1))


def overview(content: Content) -> Table:
    """A row a field; under a relation, where it applies and given agreement on its parts."""
    heads = ("level", "alpha", "95%\ninterval", "Gwet", "items", "raters", "missing", "cannot\ntell")
    table = _table("field", *heads)
    table.columns[1].justify = "left"
    for name, field in content["fields"].items():
        untold = content["unanswered"][name].get("cannot_tell")
        table.add_row(escape(name), field["level"], *_counts(field), "" if untold is None else f"{untold:,}")
        for key, words in RELATION_ROWS.items():
            if name in content["relations"]:
                part = content["relations"][name][key]
                table.add_row(f" {words}", "", *_counts(part), "", style="dim")
    return table


def _table(name: str, *heads: str, title: str | None = None) -> Table:
    """A table that fits 80 columns: no vertical lines, numbers to the right."""
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, padding=0, show_edge=False)
    table.add_column(name, no_wrap=True)
    for head in heads:
        table.add_column(head, justify="right", overflow="fold")
    return table


def _counts(field: Content) -> Iterator[str]:
    alpha = field["coefficients"]["alpha"]
    yield _bare(alpha["value"])
    yield _ends(alpha)
    gwet = gwet_of(field["level"])
    yield f"{GWET[gwet]} {_bare(field['coefficients'][gwet]['value']):>5}"
    yield f"{field['items']:,}"
    yield f"{field['raters']:,}"
    yield f"{missing_share(field):.1%}"


def _bare(value: float | None, digits: int = 3) -> str:
    """A number without the zero before its point: ``.328``, ``-.03``, ``1.000``."""
    text = _number(value, digits)
    return text.replace("0.", ".", 1) if text.startswith(("0.", "-0.")) else text


def _ends(one: Content, digits: int = 3) -> str:
    return "–" if one["low"] is None else f"{_bare(one['low'], digits)}–{_bare(one['high'], digits)}"


def reasons(content: Content) -> list[str]:
    """Why numbers of the overview are missing, in words."""
    found = []
    for name, field in content["fields"].items():
        gwet = gwet_of(field["level"])
        for key, title in (("alpha", "alpha"), (gwet, GWET[gwet])):
            reason = field["coefficients"][key]["reason"]
            if reason:
                found.append(f"{name}: {title}: {reason}")
    return found


def field_table(content: Content, name: str) -> Table:
    """The table of one field, a row for all values and a row a value; intervals under their numbers."""
    rows = content["summary"][name]
    shown = _measures(content["fields"][name]["level"], rows)
    words = titles(content["fields"][name]["level"])
    short = {key: SHORT.get(key, word) if word == MEASURES[key] else word for key, word in words.items()}
    table = _table("value", "ratings", *(short[key] for key in shown), title=escape(name))
    for row in rows:
        cells = []
        for key in shown:
            one = row["measures"].get(key)
            known = one is not None and one["low"] is not None
            text = "" if one is None else _bare(one["value"])
            cells.append(f"{text}\n[dim]{_ends(one, 2)}[/]" if known else text)
        table.add_row(escape(_value(row)), f"{row['ratings']:,}", *cells)
    return table


def _value(row: Content) -> str:
    return "all values" if row["value"] == ALL_VALUES else str(row["value"])


def _measures(level: str, rows: Sequence[Content]) -> list[str]:
    """Measures of which there is any number."""
    return shown_measures(
        level, {key for row in rows for key, one in row["measures"].items() if one["value"] is not None}
    )


def _number(value: float | None, digits: int = 3) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def _estimate(one: Content | None, between: str) -> str:
    if one is None:
        return ""
    if one["low"] is None:
        return _number(one["value"])
    return f"{_number(one['value'])}{between}[{_number(one['low'])}, {_number(one['high'])}]"


def csv_text(content: Content) -> str:
    """The tables of all fields as one CSV: a row a value, numbers in full, with definitions and reasons."""
    columns = ["field", "level", "value", "items", "raters", "ratings", "missing_share", "ratings_of_value"]
    for key in MEASURES:
        columns += [key, f"{key}_se", f"{key}_low", f"{key}_high", f"{key}_definition", f"{key}_reason"]
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    for name, rows in content["summary"].items():
        field = content["fields"][name]
        about = [field["items"], field["raters"], field["ratings"], round(missing_share(field), 12)]
        for row in rows:
            cells = [name, field["level"], row["value"], *about, row["ratings"]]
            for key in MEASURES:
                one = row["measures"].get(key, {})
                parts = ("value", "se", "low", "high", "definition", "reason")
                cells += ["" if one.get(part) is None else one[part] for part in parts]
            writer.writerow(cells)
    return out.getvalue()


_LATEX = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "_": r"\_",
    "%": r"\%", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}",
    ">": r"\textgreater{}", "|": r"\textbar{}", "\n": " ",
    "[": "{[}",  # after a line end it would begin a length
}  # fmt: skip


def latex(text: str) -> str:
    """Return a text as LaTeX shows it."""
    return "".join(_LATEX.get(letter, letter) for letter in text)


def latex_text(content: Content) -> str:
    """A LaTeX table a field, for the package booktabs."""
    parts = ["% Needs \\usepackage{booktabs}; Chinese values need a document class or package for Chinese.\n"]
    if content["simulated_raters"]:
        parts.append("% SIMULATED RATERS: these numbers do not come from people.\n")
    for name, rows in content["summary"].items():
        field = content["fields"][name]
        shown = _measures(field["level"], rows)
        simulated = " Simulated raters." if content["simulated_raters"] else ""
        about = (
            f"Agreement on {name} ({field['level']}): {field['items']:,} items, {field['raters']:,} raters, "
            f"{field['ratings']:,} ratings, {missing_share(field):.1%} of the cells missing; "
            f"95% intervals in brackets.{simulated}"
        )
        words = titles(field["level"])
        head = " & ".join(latex(title) for title in ("value", "ratings", *(words[key] for key in shown)))
        lines = [
            r"\begin{table}",
            r"\centering",
            rf"\caption{{{latex(about)}}}",
            rf"\label{{tab:agreement-{''.join(c if c.isalnum() and c.isascii() else '-' for c in name)}}}",
            rf"\begin{{tabular}}{{l{'r' * (len(shown) + 1)}}}",
            r"\toprule",
            head + r" \\",
            r"\midrule",
        ]
        for row in rows:
            cells = [_estimate(row["measures"].get(key), " ").replace("–", "--") for key in shown]
            lines.append(" & ".join([latex(_value(row)), f"{row['ratings']:,}", *cells]) + r" \\")
        notes = [rf"% {words[key]}: {_definition(rows, key)}" for key in shown]
        parts.append("\n".join([*notes, *lines, r"\bottomrule", r"\end{tabular}", r"\end{table}"]) + "\n")
    return "\n".join(parts)


def _definition(rows: Sequence[Content], key: str) -> str:
    """The definition of the first number of a measure, on one line."""
    first = next(row["measures"][key] for row in rows if key in row["measures"])
    return " ".join(str(first["definition"]).split())
