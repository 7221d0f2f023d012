"""What the agreement page says about one field."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from xml.etree.ElementTree import Element

import numpy as np
from numpy.typing import NDArray

from annotation.agreement.confusions import Confusions
from annotation.agreement.content import ALL_VALUES, Report, rows, shown_measures, titles
from annotation.agreement.field_report import FieldReport
from annotation.agreement.html_text import COLUMNS, SCORES
from annotation.agreement.results import Agreement, Coefficient
from annotation.page import (
    Cell,
    Column,
    Content,
    definitions,
    details,
    element,
    estimate,
    heading,
    number,
    paragraph,
    percent,
    side_by_side,
    table,
    text_in,
)
from annotation.pictures import Mark, Square, bars, forest, heat_map, histogram
from schemas.fields import Field

MOST_NAMED = 12
"""Values of a confusion matrix and simulated raters named at the top."""
MOST_RATERS = 40
FEW_RATERS = 6
"""Raters whose heat map leaves room for another picture beside it."""
FEW_NUMBERS = 9
BINS = 16


def resampled(report: Report) -> str:
    """Say what the intervals are."""
    if report.options.n_boot < 2:
        return f"95% intervals from standard errors over {report.cluster}."
    return f"95% intervals: {report.options.n_boot:,} resamples of {report.cluster}."


def mark_of(label: str, one: Coefficient) -> Mark:
    """A coefficient as a row of a forest plot."""
    return Mark(label, one.value, one.low, one.high)


def cell_of(one: Coefficient | None) -> Cell:
    """A coefficient with its interval as a cell; empty where it has no meaning."""
    return "" if one is None else estimate(one.value, one.low, one.high)


def share_cell(share: float) -> Element:
    """A share as a cell that sorts by it."""
    return element("span", percent(share), data_sort=repr(share))


def field_content(report: Report, one: FieldReport) -> Iterator[Content]:
    """Everything about one field, from the table that reviewers ask for to the plan."""
    yield from _question(one)
    yield paragraph(_facts(report, one), class_="muted")
    yield _values(report, one)
    yield forest("Coefficients", _marks(one.agreement), note=resampled(report))
    yield details("Definitions, standard errors and reasons", _coefficients(one.agreement))
    matrices = list(_matrices(one))
    if len(one.pairs.raters) > FEW_RATERS:
        yield from matrices
    elif matrices:
        yield side_by_side(*matrices)
    yield from _confused(one.confusions)
    if not one.specific:
        yield _numbers(one)
    yield from _relation(report, one)
    yield from _raters(one)
    yield from _groups(report, one)
    yield from _disputed(report, one)
    yield from _plan(report, one)


def _question(one: FieldReport) -> Iterator[Content]:
    if not isinstance(one.field, Field):
        return
    yield paragraph(element("strong", one.field.title.en), " ", text_in(one.field.title.zh, "zh"))
    if one.field.question is not None:
        yield paragraph(one.field.question.en, " ", text_in(one.field.question.zh, "zh"))


def _facts(report: Report, one: FieldReport) -> str:
    found = one.agreement
    known = "raters" if one.names.raters else "ratings at most an item, raters unknown"
    parts = [
        f"Level {found.level}",
        f"{found.items:,} {report.item}",
        f"{found.raters:,} {known}",
        f"{found.ratings:,} ratings ({number(found.ratings / max(found.items, 1), 1)} an item)",
        f"{percent(found.missing_share)} of the cells {report.item} × raters missing",
    ]
    if found.clusters is not None:
        parts.append(f"{found.clusters:,} {report.cluster}")
    parts += [f"{kind.replace('_', ' ')}: {count:,}" for kind, count in one.unanswered.items()]
    return "; ".join(parts) + "."


def _values(report: Report, one: FieldReport) -> Element:
    """The table that reviewers ask for."""
    lines = list(rows(one))
    known = {key for line in lines for key, found in line.measures.items() if found.value is not None}
    shown = shown_measures(one.agreement.level, known)
    words = titles(one.agreement.level)
    columns = [
        Column("value"),
        Column("ratings", numeric=True),
        *(Column(words[key], numeric=True) for key in shown),
    ]
    cells: list[list[Cell]] = [
        [
            "all values" if line.value == ALL_VALUES else line.value,
            line.ratings,
            *(cell_of(line.measures.get(key)) for key in shown),
        ]
        for line in lines
    ]
    reasons = [
        f"No {words[key]}: {found.reason}." for key, found in lines[0].measures.items() if found.value is None
    ]
    score = "ccc" if "ccc" in one.ceiling.scores else "macro_f1"
    note = f"{resampled(report)} Human ceiling: {SCORES[score]} of each rater against the others. "
    return table("Value by value", columns, cells, note=note + " ".join(reasons), sortable=False)


def _marks(found: Agreement) -> list[Mark]:
    return [
        mark_of(COLUMNS[key], one) for key, one in found.coefficients.items() if one.value is not None
    ] or [Mark("alpha", None)]


def _coefficients(found: Agreement) -> Element:
    columns = [
        Column("coefficient"),
        Column("value", numeric=True),
        Column("standard error", numeric=True),
        Column("definition, and why a number is missing", words=True),
    ]
    cells: list[list[Cell]] = [
        [COLUMNS[key], cell_of(one), one.se, _definition(one)] for key, one in found.coefficients.items()
    ]
    about = f"{found.items:,} items, {found.raters:,} raters, {percent(found.missing_share)} missing."
    return table(f"Coefficients of {found.field}", columns, cells, note=about)


def _definition(one: Coefficient) -> Cell:
    if one.reason is None:
        return one.definition
    return element("span", f"{one.definition}. ", element("strong", f"Missing: {one.reason}."))


def _matrices(one: FieldReport) -> Iterator[Element]:
    pairs = one.pairs
    if pairs.reason is None:
        names = [one.names.raters[code] for code in pairs.raters]
        left_out = one.agreement.raters - len(names)
        few = f" The {len(names)} raters with most ratings; {left_out:,} are not shown." if left_out else ""
        squares = [
            [None if value is None else Square(number(value, 2), value) for value in line]
            for line in pairs.kappa
        ]
        yield heat_map("Rater by rater", names, names, squares, note=f"{pairs.definition}.{few}")
    else:
        yield paragraph(f"No rater-by-rater table: {pairs.reason}.", class_="muted")
    if one.confusions.coincidences is not None:
        yield _confusion_matrix(one.confusions, np.array(one.confusions.coincidences))


def _confusion_matrix(found: Confusions, coincidences: NDArray[Any]) -> Element:
    totals = coincidences.sum(axis=1)
    used = np.flatnonzero(totals)
    shown = np.sort(used[np.argsort(-totals[used], kind="stable")[:MOST_NAMED]])
    names = [found.values[place] for place in shown]
    squares = [
        [Square(percent(share, 0), share) for share in (coincidences[line, shown] / totals[line]).tolist()]
        for line in shown
    ]
    few = f" The {len(names)} most used of {len(used)} values." if len(names) < len(used) else ""
    note = "Where one rater gave the value of the row: how often another gave the value of the column."
    return heat_map("Confusion of values", names, names, squares, note=note + few)


def _confused(found: Confusions) -> Iterator[Element]:
    if not found.pairs:
        return
    columns = [
        Column("one value"),
        Column("the other"),
        Column("pairs of ratings", numeric=True),
        Column("share of all pairs", numeric=True),
        Column("by chance", numeric=True),
        Column("times chance", numeric=True),
    ]
    cells: list[list[Cell]] = [
        [pair.first, pair.second, pair.count, share_cell(pair.share), share_cell(pair.expected), pair.ratio]
        for pair in found.pairs[:MOST_NAMED]
    ]
    sets = "" if found.coincidences is not None else " Of sets: each rater chose one of them, not the other."
    note = f"Above 1 time chance: confused more often than chance would.{sets}"
    yield details("Most confused values", table("Most confused values", columns, cells, note=note))


def _numbers(one: FieldReport) -> Element:
    """How the ratings of a field of numbers are spread."""
    mean, deviation = one.prevalence.get("mean"), one.prevalence.get("sd")
    about = f"{one.agreement.ratings:,} ratings"
    if mean is not None and deviation is not None:
        about += f", mean {number(mean.value, 2)}, standard deviation {number(deviation.value, 2)}"
    if len(one.counts) <= FEW_NUMBERS:
        lines = [(value, float(count), number(count)) for value, count in one.counts.items()]
        return bars("Ratings", lines, note=f"{about}.")
    values = np.array([float(value) for value in one.counts])
    ends = (getattr(one.field, "low", values.min()), getattr(one.field, "high", values.max()))
    counts, edges = np.histogram(values, BINS, range=ends, weights=np.array(list(one.counts.values())))
    return histogram("Ratings", edges.round(6).tolist(), counts.astype(int).tolist(), note=f"{about}.")


def _relation(report: Report, one: FieldReport) -> Iterator[Content]:
    if one.relation is None:
        return
    parts = {
        "all ratings": one.relation.rated,
        "where it applies": one.relation.applicable,
        "given the same answer to both parts": one.relation.given_parts,
    }
    yield heading("Agreement on the relation")
    marks = [
        mark_of(f"{name} ({found.items:,} units)", found.coefficients["alpha"])
        for name, found in parts.items()
    ]
    yield forest("Alpha of the relation", marks, note=resampled(report))
    reasons = [
        (name, found.coefficients["alpha"].reason or "")
        for name, found in parts.items()
        if found.coefficients["alpha"].reason
    ]
    if reasons:
        yield definitions(reasons)
    if one.told is None:
        return
    gain = one.told.gain
    words = (
        f"Knowing both parts tells the value of {percent(one.told.held_out_by_parts.value)} of "
        f"{one.told.ratings:,} ratings; guessing the most frequent value tells "
        f"{percent(one.told.held_out_by_mode.value)}, both guesses made on the other {report.cluster}. "
        f"Gain {number(gain.value)}"
    )
    if gain.low is not None:
        words += f", 95% interval {number(gain.low)} to {number(gain.high)}"
    yield paragraph(one.told.reason or f"{words}.")


def _raters(one: FieldReport) -> Iterator[Content]:
    if not one.influence.units:
        yield paragraph(f"No influence of raters: {one.influence.reason}.", class_="muted")
        return
    scores = list(one.ceiling.scores)
    columns = [
        Column("rater"),
        Column("ratings", numeric=True),
        Column("alpha without", numeric=True),
        Column("change", numeric=True),
        *(Column(SCORES[name], numeric=True) for name in scores),
    ]
    ranked = sorted(one.influence.units, key=lambda unit: -abs(unit.change or 0.0))[:MOST_RATERS]
    cells: list[list[Cell]] = [
        [
            one.names.raters[unit.unit],
            unit.ratings,
            unit.without,
            unit.change,
            *(one.ceiling.by_rater.get(unit.unit, {}).get(name) for name in scores),
        ]
        for unit in ranked
    ]
    few = len(one.influence.units) - len(ranked)
    note = (
        "Alpha of the other raters, and how much higher it is than that of all; then each rater against the "
        f"consensus of the others ({one.ceiling.scored:,} ratings scored, {one.ceiling.undecided:,} "
        "without a consensus)."
        + (f" The {len(ranked)} with most influence; {few:,} are not shown." if few else "")
    )
    yield table("Influence of raters", columns, cells, note=note)


def _groups(report: Report, one: FieldReport) -> Iterator[Element]:
    pictures = [
        forest(
            f"Alpha by {column.replace('_', ' ')}",
            [
                mark_of(f"{name} ({found.items:,})", found.coefficients["alpha"])
                for name, found in groups.items()
            ],
            note=f"Ratings of one group are compared with each other. {resampled(report)}",
        )
        for column, groups in one.groups.items()
    ]
    if one.hours:
        marks = [mark_of(f"{hour}:00", found) for hour, found in one.hours.items()]
        note = f"Ratings of each hour (UTC) against all others of their {report.item}. {resampled(report)}"
        pictures.append(forest("Alpha by hour of the day", marks, note=note))
    if one.retest.by_rater:
        marks = [mark_of(name, found.coefficients["alpha"]) for name, found in one.retest.by_rater.items()]
        pictures.append(forest("Test-retest alpha of each rater", marks, note=resampled(report)))
    if pictures:
        yield side_by_side(*pictures)


def _disputed(report: Report, one: FieldReport) -> Iterator[Content]:
    title = f"Most disputed {report.item}"
    if not one.disputed:
        yield paragraph(
            f"{title}: none{f' ({one.disputed_reason})' if one.disputed_reason else ''}.", class_="muted"
        )
        return
    with_text = any("text" in item.about for item in one.disputed)
    columns = [
        Column("text" if with_text else report.item, words=True),
        Column("answers", words=True),
        Column("costs", numeric=True),
    ]
    cells: list[list[Cell]] = [
        [_about(item.item, item.about), _answers(item.answers), estimate(item.change, digits=4)]
        for item in one.disputed
    ]
    note = f"Costs: how much higher alpha would be without it. The {len(cells)} that cost most."
    yield details(title, table(title, columns, cells, note=note))


def _about(name: str, about: Mapping[str, str]) -> Cell:
    if "text" not in about:
        return name
    speaker = f"{about['speaker_id']} · " if "speaker_id" in about else ""
    return element(
        "span",
        text_in(about["text"], about.get("language")),
        element("br"),
        element("small", f"{speaker}{name}"),
    )


def _answers(answers: Mapping[str, tuple[str, ...]]) -> Element:
    lines: list[Content] = []
    for value, raters in answers.items():
        named = ", ".join(filter(None, raters))
        lines += [element("br")] if lines else []
        lines += [element("strong", value), f" ×{len(raters)} ", element("small", named)]
    return element("span", *lines)


def _plan(report: Report, one: FieldReport) -> Iterator[Content]:
    found = one.plan
    if found.reason is not None:
        return
    unit = report.cluster
    words = [
        f"Planning. The 95% interval of alpha is ±{number(found.half_width)} with {found.units:,} {unit}."
    ]
    if found.units_needed is not None:
        words.append(
            f"For ±{number(found.target, 2)} it takes {found.units_needed:,} {unit} with these raters"
        )
    else:
        words.append(f"No number of {unit} gives ±{number(found.target, 2)}")
    raters = (
        f"or {found.raters_needed:,} raters of every item."
        if found.raters_needed is not None
        else f"more raters alone do not do it: {found.raters_reason}."
    )
    yield paragraph(f"{words[0]} {words[1]}, {raters} Assumed: {found.assumptions}.", class_="muted")
