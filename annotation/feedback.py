"""Feedback on a training round: for each item the rater's own answer, the known one, and the reason.

A self-contained page for each rater in ``private/feedback/``, in the rater's language; and the same beside
the item on the labeling server, where a rater who opens a task again reads it under the dialogue.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from xml.etree.ElementTree import Element, tostring

from annotation.answer_key import Answer, AnswerKey, KnownItem, read_answer_key
from annotation.client import Client
from annotation.key_scores import MEASURES
from annotation.page import Cell, Column, Page, element, number, paragraph, table, text_in
from annotation.qualification import Attempt, training_items
from annotation.roster import write_private
from annotation.rounds import Round, read_round
from annotation.tasks import Dialogue, read_dialogues
from annotation.wordings import MISSING_WORDINGS
from schemas.fields import Field, Missing, MultilabelField, Text
from schemas.label_schema import LabelSchema
from schemas.project import Project

FOLDER = "private/feedback"
MARK = "feedback"
"""Where the data of a task says that it shows feedback."""

_WORDS: Mapping[str, Text] = {
    "title": Text("Feedback: {round}", "训练反馈：{round}"),
    "lead": Text(
        "Your answers beside the agreed ones, with the reasons. Talk to the lead where a reason does not "
        "convince you: keys have faults too.",
        "您的回答与参考答案及其理由。若不认同某个理由，请与负责人讨论：参考答案也可能有误。",
    ),
    "summary": Text("Summary", "概览"),
    "score_why": Text(
        "The score is corrected for chance: 1 is the key itself, 0 is what answering without looking gives.",
        "得分已校正随机一致：1 表示与参考答案完全相同，0 表示相当于不看内容随意作答。",
    ),
    "field": Text("field", "字段"),
    "same": Text("same as the key", "与参考答案相同"),
    "score": Text("score", "得分"),
    "measure": Text("measure", "指标"),
    "threshold": Text("needed", "要求"),
    "passed": Text("All thresholds are reached.", "各项均已达到要求。"),
    "not_yet": Text("Not reached yet: {fields}.", "尚未达到要求：{fields}。"),
    "items": Text("Items", "逐条反馈"),
    "yours": Text("your answer", "您的回答"),
    "known": Text("agreed answer", "参考答案"),
    "reason": Text("Why: ", "理由："),
    "beside": Text("Feedback: your answer → agreed answer", "反馈：您的回答 → 参考答案"),
    "empty": Text("none of them", "以上皆无"),
}


def write_feedback(project: Project, found: list[Attempt]) -> list[str]:
    """Write a page for each closed attempt.

    Args:
        project: The project.
        found: Attempts.

    Returns:
        The paths of the pages in the project.
    """
    key, dialogues = read_answer_key(project), read_dialogues(project)
    names = []
    for one in found:
        if one.closed:
            made = read_round(project, one.round)
            text = feedback_page(one, made, key, dialogues, project.schema)
            name = f"{FOLDER}/{one.round}-{one.rater.rpartition(':')[2]}-{made.languages[one.rater]}.html"
            write_private(project.path(name), text)
            names.append(name)
    return names


def feedback_page(
    one: Attempt, made: Round, key: AnswerKey, dialogues: list[Dialogue], schema: LabelSchema
) -> str:
    """Return the feedback of an attempt as one HTML page, items in the order of the rater's queue."""
    language = made.languages[one.rater]

    def say(word: str, **values: str) -> str:
        return _WORDS[word].get(language).format(**values)

    page = Page(say("title", round=one.round), language, lead=say("lead"))
    below = [schema[name].title.get(language) for name in one.below()]
    if one.threshold:
        verdict = say("not_yet", fields=", ".join(below)) if below else say("passed")
        page.notice(verdict)
    columns = [Column(say("field")), Column(say("same"), numeric=True), Column(say("score"), numeric=True)]
    columns += [Column(say("threshold"), numeric=True), Column(say("measure"), words=True)]
    rows: list[list[Cell]] = [
        [
            schema[name].title.get(language),
            f"{found.same} / {found.items}",
            number(found.value, 2),
            number(one.threshold.get(name), 2),
            MEASURES[schema[name].type].get(language),
        ]
        for name, found in one.scores.items()
    ]
    page.section(say("summary"), say("score_why"), table(one.round, columns, rows, sortable=False))
    items = training_items(made, one.rater, key)
    by_name = {each.dialogue_id: each for each in dialogues}
    parts: list[Element] = []
    for stop in made.queues[one.rater]:
        dialogue = by_name[stop.dialogue]
        for place, turn in enumerate(dialogue.turns):
            if turn.utterance_id in items:
                parts += _item(one, items[turn.utterance_id], dialogue, place, schema, language)
    page.section(say("items"), *parts)
    return page.html()


def _item(
    one: Attempt, item: KnownItem, dialogue: Dialogue, place: int, schema: LabelSchema, language: str
) -> Iterator[Element]:
    before = dialogue.turns[:place][-2:]
    for turn in before:
        yield paragraph(text_in(f"{turn.speaker or '?'}: {turn.text}", dialogue.language), class_="muted")
    turn = dialogue.turns[place]
    said = text_in(f"{turn.speaker or '?'}: {turn.text}", dialogue.language)
    yield element("h3", said)
    columns = [Column(_WORDS[word].get(language)) for word in ("field", "yours", "known")]
    mine = one.answers.get(turn.utterance_id, {})
    rows: list[list[Cell]] = [
        [name, element("strong", f"≠ {given}") if given != right else given, right]
        for name, given, right in _compared(mine, item, schema, language)
    ]
    yield table(turn.utterance_id, columns, rows, sortable=False)
    if item.reason is not None:
        yield paragraph(element("strong", _WORDS["reason"].get(language)), item.reason.get(language))


def _compared(
    mine: Mapping[str, Answer], item: KnownItem, schema: LabelSchema, language: str
) -> Iterator[tuple[str, str, str]]:
    """Yield each field with a known answer, the rater's answer and the known one, in words of the page."""
    for one in schema:
        if one.name in item.answers:
            given = mine.get(one.name, Missing.NOT_RATED)
            right = item.answers[one.name]
            yield one.title.get(language), _shown(one, given, language), _shown(one, right, language)


def _shown(one: Field, answer: Answer, language: str) -> str:
    """Write an answer in the words of the page."""
    if isinstance(answer, Missing):
        return MISSING_WORDINGS[answer].get(language)
    titles = {value.name: value.title.get(language) for value in getattr(one, "values", ()) if value.title}
    if isinstance(one, MultilabelField) and isinstance(answer, frozenset):
        names = [titles[name] for name in one.categories if name in answer]
        return ", ".join(names) or _WORDS["empty"].get(language)
    if isinstance(answer, float):
        return f"{answer:g}"
    wording = titles.get(str(answer), "")
    return f"{answer}: {wording}" if isinstance(answer, int) and wording else wording or str(answer)


# -- beside the item on the server ---------------------------------------------------------------------------


def show_feedback(project: Project, found: list[Attempt], client: Client) -> int:
    """Show the feedback of closed attempts in their tasks, for utterance pages; return how many are new.

    Raises:
        InputError: The server fails; the next run continues.
    """
    key, new = read_answer_key(project), 0
    for one in found:
        made = read_round(project, one.round)
        number_ = made.projects.get(one.rater)
        if not one.closed or made.server != client.name or number_ is None:
            continue
        items, language = training_items(made, one.rater, key), made.languages[one.rater]
        for task in client.tasks(number_):
            data = task["data"]
            item = items.get(data.get("utterance_id"))
            if item is None or data.get(MARK):
                continue
            mine = one.answers.get(data["utterance_id"], {})
            shown = data["context"] + feedback_html(mine, item, project.schema, language)
            client.update_task(int(task["id"]), {**data, "context": shown, MARK: "shown"})
            new += 1
    return new


def feedback_html(mine: Mapping[str, Answer], item: KnownItem, schema: LabelSchema, language: str) -> str:
    """Write the feedback on one item as the HTML that a task holds."""
    lines = [
        element("p", element("b", f"{'=' if given == right else '≠'} {name}: "), f"{given} → {right}")
        for name, given, right in _compared(mine, item, schema, language)
    ]
    if item.reason is not None:
        reason = item.reason.get(language)
        lines.append(element("p", element("b", _WORDS["reason"].get(language)), reason))
    head = element("p", element("b", _WORDS["beside"].get(language)))
    return tostring(element("div", element("hr"), head, *lines), encoding="unicode", method="html")
