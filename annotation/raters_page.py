"""The page about raters: how each compares with the others, in words that shame nobody."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from xml.etree.ElementTree import Element

from annotation import page, pictures
from annotation.rater_measures import FieldMeasures, Interval
from annotation.rater_report import WORDS, Look, RaterMeasures, RaterReport, Why
from schemas.fields import Field, MultilabelField, Text
from schemas.label_schema import LabelSchema

DIALOGUES_SHOWN = 5
MANY = 30
"""More raters than these are not all shown one by one."""
BINS = 20
FEWEST_IN_DIALOGUE = 10
"""Compared answers that a dialogue needs to be worth talking about."""

_WORDS: Mapping[str, Text] = {
    "title": Text("Raters", "标注者"),
    "lead": Text(
        "Where raters see the same utterances differently, and what to look at together.",
        "标注者对同一话语看法不同之处，供共同讨论。",
    ),
    "how": Text(
        "Each answer is compared with what the other raters of the utterance mostly say. A difference can "
        "come from the utterances, from the guidelines or from a way of seeing; it is a reason to look at "
        "examples together, not a judgement of a person. Raters stand in the order of their names.",
        "每个回答都与同一话语其他标注者的多数意见比较。差异可能来自话语本身、标注指南或个人的理解角度，"
        "应据此一起讨论实例，而不是对人的评判。标注者按名称排序。",
    ),
    "simulated": Text("Simulated raters.", "模拟标注者。"),
    "simulated_why": Text(
        "{some} of the {all} raters are simulated, not people.",
        "{all} 名标注者中有 {some} 名为程序模拟，并非真人。",
    ),
    "unknown": Text(
        "{n} ratings have no rater; they count among the others only.",
        "{n} 条标注没有标注者信息，仅计入“其他人”。",
    ),
    "overview": Text("Overview", "概览"),
    "all": Text("All {n} raters", "全部 {n} 名标注者"),
    "many": Text(
        "There are many raters: the sections below show those who are worth looking at together, most "
        "answers first. All stand in the table here and in raters.json.",
        "标注者较多：下文仅显示值得一起查看的标注者，回答最多的在前。全部标注者见此处表格及 raters.json。",
    ),
    "look": Text("Worth looking at together", "值得一起查看"),
    "look_why": Text(
        "Where there are most answers first. With many raters some stand here by chance: look at examples.",
        "回答最多的在前。标注者众多时，有些仅因偶然出现在此：请结合实例查看。",
    ),
    "what": Text("what", "情况"),
    "spread": Text("agreement with the others, number of raters", "与其他人的一致程度（标注者人数）"),
    "rater": Text("rater", "标注者"),
    "ratings": Text("utterances", "话语"),
    "period": Text("from, to", "起止"),
    "seconds": Text("seconds a rating", "每条用时（秒）"),
    "quartiles": Text("Median with quartiles.", "中位数及四分位数。"),
    "accuracy": Text("Agreement with the others", "与其他人的一致程度"),
    "accuracy_why": Text(
        "0 to 1: share of the same values; of sets the shared part, of numbers 1 - distance / range. The "
        "lines are 95% intervals that resample dialogues.",
        "0 到 1：取值相同的比例；集合取重合部分，数值取 1 - 距离/量程。线段为按对话计算的 95% 区间。",
    ),
    "drift": Text("Last third against first third", "后三分之一与前三分之一之差"),
    "drift_why": Text(
        "Agreement with the others in the last third of a rater's answers less that in the first. An "
        "interval below 0 can mean tiredness, or harder utterances; a break may help.",
        "标注者后三分之一回答与前三分之一回答的一致程度之差。"
        "区间完全低于 0 可能是疲劳，也可能是话语更难；可考虑休息。",
    ),
    "untimed": Text(
        "Not all ratings say when they were given: first and last are those of the tables.",
        "并非所有标注都有时间：先后按表中顺序。",
    ),
    "answers": Text("answers", "回答"),
    "compared": Text("compared", "可比较"),
    "cannot_tell": Text("cannot tell", "无法判断"),
    "bias": Text("tends to", "倾向"),
    "bias_why": Text(
        "Mean signed distance from the others in shares of the scale: above 0 towards its upper end.",
        "与其他人的平均有向距离（占量程的比例），大于 0 表示偏向高端。",
    ),
    "guessing": Text("answers not tied to the item", "与话语无关的回答"),
    "guessing_why": Text(
        "Estimated share of answers that do not follow the utterance. It also rises where a field "
        "is hard or its rule is unclear.",
        "估计与话语无关的回答比例；字段较难或规则不清时也会升高。",
    ),
    "no_information": Text("no relation to the others", "与他人无关的概率"),
    "no_information_why": Text(
        "Probability that the answers have nothing to do with those of the others; one half says that there "
        "is too little to tell.",
        "回答与其他人完全无关的概率；一半表示数据不足以判断。",
    ),
    "confusion": Text(
        "Consensus of the others (rows) and own answers (columns)", "其他人的共识（行）与本人回答（列）"
    ),
    "sets": Text("values chosen by the others and by this rater", "其他人与本人所选的取值"),
    "value": Text("value", "取值"),
    "both": Text("by both", "双方都选"),
    "others_only": Text("by the others only", "仅其他人选"),
    "rater_only": Text("by this rater only", "仅本人选"),
    "neither": Text("by neither", "双方都未选"),
    "use": Text("more or less often", "选用多少之差"),
    "languages": Text("By language", "按语言"),
    "dialogue": Text("dialogue", "对话"),
    "dialogues": Text("Dialogues worth looking at together", "值得一起查看的对话"),
    "dialogues_why": Text(
        "Where this rater and the others differ most, over all fields.",
        "该标注者与其他人在所有字段上差异最大的对话。",
    ),
    "nothing": Text(
        "Nothing to compare: nobody else rated these utterances.", "无从比较：没有其他人标注这些话语。"
    ),
    "agreement": Text("agreement", "一致程度"),
    "field": Text("field", "字段"),
}  # fmt: skip

_WHY: Mapping[Why, Text] = {
    Why.DIFFERS: Text(WORDS[Why.DIFFERS], "与其他人的差异大于多数标注者"),
    Why.DRIFTS: Text(WORDS[Why.DRIFTS], "后期与其他人的差距变大"),
    Why.UNRELATED: Text(WORDS[Why.UNRELATED], "回答未显示出与他人的关联"),
}

Say = Callable[..., str]


def raters_page(report: RaterReport, schema: LabelSchema, language: str = "en") -> str:
    """Return the page as HTML.

    Args:
        report: What was measured.
        schema: The label schema.
        language: ``en`` or ``zh``.
    """

    def say(key: str, **values: object) -> str:
        return _WORDS[key].get(language).format(**values)

    sheet = page.Page(f"{say('title')}: {report.title}", language, lead=say("lead"))
    simulated = sum(one.simulated for one in report.raters)
    if simulated:
        sheet.notice(say("simulated"), say("simulated_why", some=simulated, all=len(report.raters)))
    looks = report.looks()
    many = len(report.raters) > MANY
    shown = list(dict.fromkeys(look.rater for look in looks))[:MANY] if many else None
    raters = [one for one in report.raters if shown is None or one.rater in shown]
    sheet.section(say("overview"), say("how"), *_overview(report, schema, language, say))
    if looks:
        sheet.section(say("look"), say("look_why"), _looks(looks, schema, language, say))
    spreads = _spreads(report, schema, language, say) if many else ()
    accuracies = _forests(raters, schema, language, "accuracy")
    sheet.section(say("accuracy"), say("accuracy_why"), *spreads, *accuracies)
    order = () if report.timed else (page.paragraph(say("untimed"), class_="muted"),)
    sheet.section(say("drift"), say("drift_why"), *order, *_forests(raters, schema, language, "drift"))
    for one in raters:
        sheet.section(one.rater, *_rater(one, report, schema, language, say))
    return sheet.html()


def _overview(report: RaterReport, schema: LabelSchema, language: str, say: Say) -> Iterator[Element]:
    columns = [page.Column(say("rater")), page.Column(say("ratings"), numeric=True)]
    columns += [page.Column(say("period")), page.Column(say("seconds"), numeric=True)]
    columns += [page.Column(field.title.get(language), numeric=True) for field in schema]
    rows: list[list[page.Cell]] = [
        [
            one.rater,
            one.ratings,
            page.NO_VALUE if one.first is None else f"{one.first}, {one.last}",
            page.estimate(one.seconds.median, one.seconds.low, one.seconds.high, 1),
            *(page.number(one.fields[field.name].accuracy.value, 2) for field in schema),
        ]
        for one in report.raters
    ]
    table = page.table(say("overview"), columns, rows, note=say("quartiles"))
    if len(report.raters) > MANY:
        yield page.paragraph(say("many"))
        yield page.details(say("all", n=f"{len(report.raters):,}"), table)
    else:
        yield table
    if report.unknown:
        yield page.paragraph(say("unknown", n=f"{report.unknown:,}"), class_="muted")


def _looks(looks: Sequence[Look], schema: LabelSchema, language: str, say: Say) -> Element:
    columns = [page.Column(say("rater")), page.Column(say("field"))]
    columns += [page.Column(say(key), numeric=True) for key in ("compared", "agreement")]
    columns.append(page.Column(say("what"), words=True))
    rows: list[list[page.Cell]] = [
        [
            look.rater,
            schema[look.field].title.get(language),
            look.measures.compared,
            page.estimate(
                look.measures.accuracy.value, look.measures.accuracy.low, look.measures.accuracy.high, 2
            ),
            {"en": "; ", "zh": "；"}[language].join(_WHY[why].get(language) for why in look.why),
        ]
        for look in looks
    ]
    return page.table(say("look"), columns, rows)


def _spreads(report: RaterReport, schema: LabelSchema, language: str, say: Say) -> Iterator[Element]:
    """How the agreement of all raters is spread, by field."""
    edges = [place / BINS for place in range(BINS + 1)]
    for field in schema:
        counts = [0] * BINS
        for one in report.raters:
            value = one.fields[field.name].accuracy.value
            if value is not None:
                counts[min(int(value * BINS), BINS - 1)] += 1
        if any(counts):
            yield pictures.histogram(_name(field, language), edges, counts, note=say("spread"))


def _forests(
    raters: Sequence[RaterMeasures], schema: LabelSchema, language: str, what: str
) -> Iterator[Element]:
    for field in schema:
        marks = []
        for one in raters:
            found: Interval = getattr(one.fields[field.name], what)
            marks.append(pictures.Mark(one.rater, found.value, found.low, found.high))
        if any(mark.value is not None for mark in marks):
            yield pictures.forest(_name(field, language), marks)


def _name(field: Field, language: str) -> str:
    return f"{field.title.get(language)} ({field.name})"


def _rater(
    one: RaterMeasures, report: RaterReport, schema: LabelSchema, language: str, say: Say
) -> Iterator[Element]:
    if not any(found.compared for found in one.fields.values()):
        yield page.paragraph(say("nothing"))
        return
    yield _fields(one, schema, language, say)
    for key in ("bias_why", "guessing_why", "no_information_why"):
        yield page.paragraph(say(key), class_="muted")
    differing = [
        (name, close, count)
        for name, (close, count) in one.by_dialogue.items()
        if count >= FEWEST_IN_DIALOGUE
    ]
    if differing:
        first = sorted(differing, key=lambda row: (row[1], row[0]))[:DIALOGUES_SHOWN]
        columns = [page.Column(say("dialogue")), page.Column(say("agreement"), numeric=True)]
        columns.append(page.Column(say("compared"), numeric=True))
        yield page.table(say("dialogues"), columns, [list(row) for row in first], note=say("dialogues_why"))
    for field in schema:
        found = one.fields[field.name]
        if found.compared and found.confusion:
            is_set = isinstance(field, MultilabelField)
            title = f"{_name(field, language)}: {say('sets' if is_set else 'confusion')}"
            options = report.options[field.name]
            shown = _values(found, say) if is_set else _confusion(field, found, options, say)
            yield page.details(title, shown)


def _fields(one: RaterMeasures, schema: LabelSchema, language: str, say: Say) -> Element:
    heads = ("answers", "compared", "cannot_tell", "agreement", "bias", "guessing", "no_information")
    columns = [page.Column(say("field")), *(page.Column(say(key), numeric=True) for key in heads)]
    columns.append(page.Column(say("languages"), words=True))
    rows: list[list[page.Cell]] = []
    for field in schema:
        found = one.fields[field.name]
        languages = (
            f"{name} {page.number(close, 2)} ({n:,})" for name, (close, n) in found.by_language.items()
        )
        rows.append(
            [
                _name(field, language),
                found.answers,
                found.compared,
                page.percent(found.cannot_tell),
                page.estimate(found.accuracy.value, found.accuracy.low, found.accuracy.high, 2),
                page.estimate(found.bias.value, found.bias.low, found.bias.high, 2),
                page.percent(found.guessing, 0),
                page.percent(found.no_information, 0),
                ", ".join(languages),
            ]
        )
    return page.table(one.rater, columns, rows)


def _values(found: FieldMeasures, say: Say) -> Element:
    """The confusion of each value of a set, a row a value."""
    columns = [page.Column(say("value"))]
    heads = ("both", "others_only", "rater_only", "neither", "use")
    columns += [page.Column(say(head), numeric=True) for head in heads]
    rows: list[list[page.Cell]] = [
        [name, both, others_only, rater_only, neither, page.percent(found.use[name])]
        for name, ((neither, rater_only), (others_only, both)) in found.confusion.items()
    ]
    return page.table(say("sets"), columns, rows)


def _confusion(field: Field, found: FieldMeasures, options: tuple[str, ...], say: Say) -> Element:
    table = found.confusion[field.name]
    squares = [
        [pictures.Square(f"{cell:,}" if cell else "", cell / sum(row) if sum(row) else 0.0) for cell in row]
        for row in table
    ]
    return pictures.heat_map(say("confusion"), options, options, squares)
