"""The report of a corpus: what is in it, how its labels are distributed, what the checks found.

One self-contained HTML page, in English or Chinese, for people who will annotate, use or review the corpus.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from annotation import page, pictures
from annotation.ratings import simulated_raters
from corpus.checks import Severity, check
from schemas import project as folder
from schemas.errors import InputError, Issue
from schemas.fields import (
    LANGUAGES,
    CategoricalField,
    Field,
    IntervalField,
    MultilabelField,
    RelationField,
    Text,
)
from schemas.project import Project
from schemas.records import SPLIT_NAMES
from schemas.tables import read_table

REPORT = "reports/report.html"
AGREEMENT = "reports/agreement.json"
BINS = 16

Say = Callable[..., str]
"""Gives a wording in the language of the page by its key, with the values that stand in it."""

_WORDS: Mapping[str, Text] = {
    "lead": Text("What is in the corpus, and what is known of its quality.", "语料内容与质量概览。"),
    "simulated": Text("Simulated raters.", "模拟标注者。"),
    "simulated_why": Text(
        "{simulated} of the {all} raters are simulated, not people.",
        "{all} 名标注者中有 {simulated} 名为程序模拟，并非真人。",
    ),
    "perceived": Text(
        "Labels say what people perceive in an utterance, not what its speaker feels.",
        "标签记录的是旁人感知到的内容，而非说话人的真实感受。",
    ),
    "size": Text("Size", "规模"),
    "labels": Text("Decided labels", "确定标签"),
    "labels_from": Text("They are those of {name}.", "取自 {name}。"),
    "by_source": Text("By source", "按来源"),
    "by_severity": Text(
        "{error} errors, {warning} warnings, {info} remarks",
        "{error} 个错误，{warning} 个警告，{info} 条提示",
    ),
    "findings": Text("Findings of the checks", "检查结果"),
    "no_findings": Text("The checks found nothing.", "检查未发现问题。"),
    "agreement": Text("Agreement", "标注一致性"),
    "agreement_why": Text(
        "Krippendorff's alpha with a 95% interval that resamples dialogues; agreement.html has the rest.",
        "Krippendorff α 及按对话重采样的 95% 区间；详见 agreement.html。",
    ),
    "agreement_old": Text(
        "What was measured is out of date; run 'annotation agreement' again.",
        "已有的一致性结果已过期，请重新运行 annotation agreement。",
    ),
    "source": Text("source", "来源"),
    "dialogues": Text("dialogues", "对话"),
    "utterances": Text("utterances", "话语"),
    "rated": Text("asked for", "需标注"),
    "speakers": Text("speakers", "说话人"),
    "hours": Text("hours", "小时"),
    "split": Text("split", "划分"),
    "share": Text("share", "占比"),
    "severity": Text("severity", "级别"),
    "check": Text("check", "检查项"),
    "finding": Text("finding", "结果"),
    "of_answers": Text(
        "Share of the {n} utterances with a decided label.", "占 {n} 条已确定标签话语的比例。"
    ),
    "unanswered": Text("Without a decided label", "无确定标签"),
    "mean": Text("mean {mean}, standard deviation {sd}", "均值 {mean}，标准差 {sd}"),
}


def report(project: Project, language: str = "en") -> Path:
    """Write ``reports/report.html``.

    Args:
        project: The project.
        language: Language of the page, one of `LANGUAGES`.

    Returns:
        The path of the page.

    Raises:
        InputError: Nothing is imported yet, or the language is another one.
    """
    if language not in LANGUAGES:
        raise InputError(
            Issue("the report is written in one of two languages", value=language, choices=LANGUAGES)
        )
    project.require(folder.UTTERANCES, "corpus import")

    def say(key: str, **values: object) -> str:
        return _WORDS[key].get(language).format(**values)

    title = project.settings.title or project.settings.name
    sheet = page.Page(title, language, lead=project.settings.description or say("lead"))
    simulated, raters = simulated_raters(project)
    if simulated:
        sheet.notice(say("simulated"), say("simulated_why", simulated=len(simulated), all=raters))
    sheet.section(say("size"), *_size(project, say))
    if project.label_files():
        name = project.labels_built()
        about = [say("labels_from", name=name), say("perceived")]
        sheet.section(say("labels"), " ".join(about), *_labels(project, name, language, say))
    if project.has(AGREEMENT):
        sheet.section(say("agreement"), *_agreement(project, language, say))
    sheet.section(say("findings"), *_findings(project, say))
    with project.writing("corpus report") as staging:
        path = staging / REPORT
        path.parent.mkdir(exist_ok=True)
        path.write_text(sheet.html(), "utf-8")
    return project.path(REPORT)


def _size(project: Project, say: Say) -> Iterator[Element]:
    columns = ["dialogue_id", "speaker_id", "start", "end", "context_only"]
    utterances = read_table(project.path(folder.UTTERANCES), columns)
    dialogues = read_table(project.path(folder.DIALOGUES), ["dialogue_id", "source", "language"])
    place = pc.index_in(utterances.column("dialogue_id"), value_set=dialogues.column("dialogue_id"))
    source = dialogues.column("source").take(place)
    rows = []
    for name in pc.unique(dialogues.column("source")).to_pylist():
        mine = utterances.filter(pc.equal(source, name))
        spoken = pc.sum(pc.subtract(mine.column("end"), mine.column("start"))).as_py()
        rows.append(
            [
                name,
                int(pc.sum(pc.equal(dialogues.column("source"), name)).as_py()),
                mine.num_rows,
                int(pc.sum(pc.invert(mine.column("context_only"))).as_py()),
                int(pc.count_distinct(mine.column("speaker_id")).as_py()),
                page.estimate(None if spoken is None else spoken / 3600, digits=1),
            ]
        )
    heads = [say(key) for key in ("source", "dialogues", "utterances", "rated", "speakers", "hours")]
    yield page.table(
        say("by_source"),
        [page.Column(heads[0]), *(page.Column(one, numeric=True) for one in heads[1:])],
        rows,
    )
    if project.has(folder.SPLITS):
        yield _splits(project, utterances, say)


def _splits(project: Project, utterances: pa.Table, say: Say) -> Element:
    splits = read_table(project.path(folder.SPLITS), ["dialogue_id", "split"])
    place = pc.index_in(utterances.column("dialogue_id"), value_set=splits.column("dialogue_id"))
    of_utterance = splits.column("split").take(place)
    counts = {name: int(pc.sum(pc.equal(of_utterance, name)).as_py() or 0) for name in SPLIT_NAMES}
    total = max(sum(counts.values()), 1)
    rows = [(name, n / total, f"{n:,} ({page.percent(n / total)})") for name, n in counts.items() if n]
    return pictures.bars(say("split"), rows, highest=1.0)


def _labels(project: Project, name: str, language: str, say: Say) -> Iterator[Element]:
    for one in project.schema:
        labels = read_table(project.path(name), [one.name, f"{one.name}_missing"])
        values = labels.column(one.name).combine_chunks().drop_null()
        title = f"{one.title.get(language)} ({one.name})"
        yield page.heading(title)
        if one.question:
            yield page.paragraph(one.question.get(language), class_="muted")
        note = say("of_answers", n=f"{len(values):,}")
        if isinstance(one, IntervalField):
            yield _numbers(one, values, title, say)
        else:
            yield pictures.bars(title, _shares(one, values, language), note=note, highest=1.0)
        reasons = pc.value_counts(labels.column(f"{one.name}_missing").drop_null()).to_pylist()
        if reasons:
            listed = ", ".join(f"{reason['values']} {reason['counts']:,}" for reason in reasons)
            yield page.paragraph(f"{say('unanswered')}: {listed}", class_="muted")


def _shares(one: Field, values: pa.Array, language: str) -> list[tuple[str, float | None, str]]:
    """Return a bar for every value of a categorical, set or relation field."""
    flat = values.flatten() if isinstance(one, MultilabelField) else values
    counts = {row["values"]: row["counts"] for row in pc.value_counts(flat).to_pylist()}
    total = max(len(values), 1)
    bars = []
    listed: Sequence[Any] = one.values if isinstance(one, CategoricalField | RelationField) else ()
    for value in listed:
        count = counts.get(int(value.name) if isinstance(one, RelationField) else value.name, 0)
        title = value.title.get(language)
        label = title if title.casefold() == value.name else f"{title} ({value.name})"
        bars.append((label, count / total, f"{count:,} ({page.percent(count / total)})"))
    if isinstance(one, MultilabelField):
        empty = int(pc.sum(pc.equal(pc.list_value_length(values), 0)).as_py() or 0)
        bars.append(("[]", empty / total, f"{empty:,} ({page.percent(empty / total)})"))
    return bars


def _numbers(one: IntervalField, values: pa.Array, title: str, say: Say) -> Element:
    numbers = values.to_numpy(zero_copy_only=False).astype(np.float64)
    counts, edges = np.histogram(numbers, bins=BINS, range=(one.low, one.high))
    mean, sd = (numbers.mean(), numbers.std()) if len(numbers) else (None, None)
    note = say("mean", mean=page.number(mean, 2), sd=page.number(sd, 2))
    return pictures.histogram(title, edges.tolist(), counts.tolist(), note=note)


def _agreement(project: Project, language: str, say: Say) -> Iterator[page.Content]:
    known = project.read_report(AGREEMENT, "annotation agreement", "made_from", "fields")
    if project.changed(known["made_from"]["inputs"]):
        yield say("agreement_old")
        return
    yield say("agreement_why")
    marks = []
    for name, one in known["fields"].items():
        alpha = one["coefficients"]["alpha"]
        title = project.schema[name].title.get(language) if name in project.schema else name
        marks.append(pictures.Mark(f"{title}", alpha["value"], alpha["low"], alpha["high"]))
    yield pictures.forest("Krippendorff's alpha", marks)


def _findings(project: Project, say: Say) -> Iterator[Element]:
    findings = check(project)
    if not findings:
        yield page.paragraph(say("no_findings"))
        return
    columns = [
        page.Column(say("severity")),
        page.Column(say("check")),
        page.Column(say("finding"), words=True),
    ]
    rows = [[str(one.severity), one.check, one.message] for one in findings]
    counts = {str(level): sum(one.severity is level for one in findings) for level in Severity}
    yield page.table(say("by_severity", **counts), columns, rows)
