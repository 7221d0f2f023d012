"""The agreement report as one self-contained HTML page."""

from __future__ import annotations

from collections.abc import Iterator

from annotation.agreement.content import GWET, Report, gwet_of
from annotation.agreement.html_field import cell_of, field_content, mark_of, resampled, share_cell
from annotation.agreement.html_text import HOW_TO_READ, landis_koch
from annotation.page import (
    Cell,
    Column,
    Content,
    Page,
    definitions,
    element,
    table,
)
from annotation.pictures import forest

MOST_NAMED = 12
"""Simulated raters named at the top."""


def agreement_page(report: Report) -> str:
    """Return the report as an HTML page."""
    page = Page(f"Agreement: {report.title}", lead=_lead(report))
    if report.simulated:
        named = ", ".join(report.simulated[:MOST_NAMED])
        more = len(report.simulated) - MOST_NAMED
        page.notice(
            "SIMULATED RATERS",
            f"{len(report.simulated)} of these raters are simulated: {named}"
            + (f" and {more} more" if more > 0 else "")
            + ". Their numbers try out the toolkit; they say nothing about people.",
        )
    page.section("Overview", *_overview(report))
    for one in report.fields:
        page.section(one.name, *field_content(report, one))
    page.section("How to read this", definitions(HOW_TO_READ))
    page.footer(*_footer(report))
    return page.html()


def _lead(report: Report) -> str:
    raters = len({name for one in report.fields for name in one.names.raters})
    items = len({name for one in report.fields for name in one.names.items})
    known = f"{raters:,} raters" if raters else "unknown raters"
    where = f", only ratings with {' and '.join(report.options.where)}" if report.options.where else ""
    return f"{_fields(len(report.fields))}, {items:,} {report.item} rated by {known}{where}."


def _fields(count: int) -> str:
    return "1 field" if count == 1 else f"{count} fields"


def _footer(report: Report) -> Iterator[Content]:
    made = report.made_from
    yield f"Made by {made['step']}, version {made['version']}, with "
    yield ", ".join(f"{key} {value}" for key, value in made["parameters"].items() if value not in ([], None))
    yield ", from "
    for place, (name, digest) in enumerate(made["inputs"].items()):
        yield ("" if place == 0 else ", ") + name + " "
        yield element("code", digest[:12], title=digest)
    yield "."


# -- all fields ---------------------------------------------------------------------------------------


def _overview(report: Report) -> Iterator[Content]:
    marks = [mark_of(one.name, one.agreement.coefficients["alpha"]) for one in report.fields]
    yield forest("Krippendorff's alpha of every field", marks, note=resampled(report))
    columns = [
        Column("field"),
        Column("level"),
        Column("alpha", numeric=True),
        Column("AC1 or AC2", numeric=True),
        Column("which"),
        Column("Landis and Koch (1977)"),
        Column(report.item, numeric=True),
        Column("raters", numeric=True),
        Column("ratings", numeric=True),
        Column("missing", numeric=True),
        Column("cannot tell", numeric=True),
    ]
    lines: list[list[Cell]] = []
    for one in report.fields:
        found = one.agreement
        lines.append(
            [
                one.name,
                found.level,
                cell_of(found.coefficients["alpha"]),
                cell_of(found.coefficients[gwet_of(found.level)]),
                GWET[gwet_of(found.level)],
                landis_koch(found.coefficients["alpha"].value),
                found.items,
                found.raters,
                found.ratings,
                share_cell(found.missing_share),
                one.unanswered.get("cannot_tell", 0),
            ]
        )
    note = (
        f"{resampled(report)} Missing: share of the cells {report.item} × raters without a rating. "
        "The words of Landis and Koch were made for kappa, here they are put to alpha."
    )
    yield table("Fields", columns, lines, note=note)
    reasons = [
        (f"{one.name}: {key}", coefficient.reason)
        for one in report.fields
        for key, coefficient in one.agreement.coefficients.items()
        if key in ("alpha", gwet_of(one.agreement.level)) and coefficient.reason is not None
    ]
    if reasons:
        yield definitions(reasons)
