"""The labeling page in Label Studio's XML, from any schema: a pure function for each design.

``utterance``: the exact clip, what was said before, the controls. ``dialogue``: the whole transcript, a
region a turn, the controls of the selected turn. The order of controls, their conditions and keys come from
`controls`; here they only get their form.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib.resources import files
from itertools import groupby
from xml.etree.ElementTree import Element, SubElement, tostring

from annotation import hotkeys
from annotation.controls import Condition, Control, Role, keyed_as, page_controls
from annotation.page import writable
from annotation.sheet import Design, Sheet
from annotation.wordings import WORDS
from schemas.fields import IntervalField, MultilabelField, RelationField
from schemas.label_schema import LabelSchema
from schemas.records import Condition as Modality
from schemas.records import Context

TURN = "turn"
"""Name of the control whose regions are the turns of a dialogue."""


def labeling_config(schema: LabelSchema, sheet: Sheet, whole: LabelSchema | None = None) -> str:
    """Write the labeling page of a project.

    Args:
        schema: The label schema.
        sheet: Design, condition, context and language of the page.
        whole: The schema with all its fields, where ``schema`` has only some: keys are those of its page.

    Raises:
        InputError: The schema needs more keys than there are, or a dialogue page is to hide later turns.
    """
    sheet.require_possible()
    controls = page_controls(schema, sheet.language)
    if whole is not None:
        controls = keyed_as(controls, page_controls(whole, sheet.language))
    if sheet.design is Design.UTTERANCE:
        return _utterance_page(schema, controls, sheet.condition, sheet.context, sheet.language)
    return _dialogue_page(schema, controls, sheet.condition, sheet.language, sheet.turns)


def _utterance_page(
    schema: LabelSchema, controls: Sequence[Control], condition: Modality, context: Context, language: str
) -> str:
    """Write the page for one utterance.

    Its tasks have ``text`` (what is rated, as far as the condition shows it), ``context`` and, with full
    context, ``later`` (HTML: what was said before and after) and, unless the condition is ``text``, ``media``
    (URL of the exact clip), as `tasks.utterance_task` makes them.
    """
    page, left, right = _page(language, controls, [hotkeys.PLAY] if condition is not Modality.TEXT else [])
    if condition is not Modality.TEXT:
        left.append(_player("media", condition, "0"))
    full = context is Context.FULL
    box = _add(left, "View", className="ctx past")
    _add(box, "HyperText", name="said", value="$context", inline="true")
    _add(_add(left, "View", className="cur"), "Text", name="utterance", value="$text")
    if full:
        _add(_add(left, "View", className="ctx"), "HyperText", name="after", value="$later", inline="true")
    _fill(right, schema, controls, language, "utterance", per_region=False)
    return _written(page)


def _dialogue_page(
    schema: LabelSchema, controls: Sequence[Control], condition: Modality, language: str, turns: int
) -> str:
    """Write the page for a whole dialogue of at most ``turns`` turns.

    Its tasks have ``turn_01``, ``turn_02``, ... (each turn as the condition shows it), ``transcript`` (HTML,
    or plain text in the condition ``text``) and, unless the condition is ``text``, ``media``; a region a
    turn, called ``T01``, ``T02``, ..., is made beforehand, as `tasks.dialogue_task` does.
    """
    keys = [hotkeys.NEXT_TURN] + ([hotkeys.PLAY] if condition is not Modality.TEXT else [])
    page, left, right = _page(language, controls, keys)
    # Label Studio lists regions from the last to the first.
    style = page.find("Style")
    if style is not None and style.text is not None:
        style.text += "".join(
            f'.lsf-keypoints[data-id="{turn_label(number)}"]{{order:{number}}}'
            for number in range(1, turns + 1)
        )
    target, labels = {
        Modality.TEXT: ("transcript", "Labels"),
        Modality.AUDIO: ("media", "Labels"),
    }.get(condition, ("media", "TimelineLabels"))
    if condition is Modality.TEXT:
        # The transcript itself carries the regions, so it is one text and not HTML.
        box = _add(left, "View", className="ctx")
        _add(box, "Text", name="transcript", value="$transcript")
    else:
        left.append(_player("media", condition, "40"))
        box = _add(left, "View", className="ctx")
        _add(box, "HyperText", name="transcript", value="$transcript", inline="true")
    names = _add(_add(left, "View", className="hid"), labels, name=TURN, toName=target)
    for number in range(1, turns + 1):
        key = hotkeys.LABEL_KEYS[number % (len(hotkeys.LABEL_KEYS) - 1)]
        _add(names, "Label", value=turn_label(number), hotkey=key)
    for number in range(1, turns + 1):
        only = {"visibleWhen": "region-selected", "whenTagName": TURN, "whenLabelValue": turn_label(number)}
        one = _add(_add(left, "View", **only), "View", className="cur")
        _add(one, "Text", name=turn_column(number), value=f"${turn_column(number)}")
    _heading(_add(right, "View", visibleWhen="no-region-selected"), WORDS["pick_turn"].get(language))
    selected = _add(right, "View", visibleWhen="region-selected", whenTagName=TURN)
    _fill(selected, schema, controls, language, target, per_region=True)
    return _written(page)


def turn_label(number: int) -> str:
    """Return the label of a turn's region; the first turn is 1."""
    return f"T{number:02d}"


def turn_column(number: int) -> str:
    """Return the column of a task that holds a turn; the first turn is 1."""
    return f"turn_{number:02d}"


_ROW_CLASSES = {Role.VALUE: "f open", Role.ALONE: "f set"}
"""Rows that are marked while their question is open; of a set, the row and the one after it answer it."""


# -- parts ------------------------------------------------------------------------------------------------


def _add(parent: Element, tag: str, **attributes: str) -> Element:
    return SubElement(parent, tag, attributes)


def _heading(parent: Element, wording: str, class_name: str | None = None) -> None:
    box = parent if class_name is None else _add(parent, "View", className=class_name)
    _add(box, "Header", value=_safe(wording), size="6")


def _safe(wording: str) -> str:
    """Return a wording as an attribute can hold it; after a dollar sign a column of the task is expected."""
    return writable(wording).replace("$", "\N{FULLWIDTH DOLLAR SIGN}")


def _player(name: str, condition: Modality, timeline: str) -> Element:
    """The clip: sound alone, pictures alone (muted; Label Studio has no button to undo that), or both."""
    if condition is Modality.AUDIO:
        return Element("Audio", {"name": name, "value": f"${name}", "height": "64", "zoom": "false"})
    player = {
        "name": name,
        "value": f"${name}",
        "height": "216",
        "timelineHeight": timeline,
        "frameRate": "$fps",
    }
    if condition is Modality.VIDEO:
        player["muted"] = "true"
    return Element("Video", player)


def _page(
    language: str, controls: Sequence[Control], keys: Iterable[str]
) -> tuple[Element, Element, Element]:
    """Make a page with its style, a left and a right column, and a line that explains its keys."""
    page = Element("View")
    SubElement(page, "Style").text = (files("annotation") / "labeling_page.css").read_text("utf-8")
    columns = _add(page, "View", className="g")
    left, right = (_add(columns, "View", className=name) for name in ("left", "right"))
    names = {hotkeys.PLAY: "play", hotkeys.NEXT_TURN: "next"}
    explained = [(key, names[key]) for key in keys]
    if any(control.role is Role.PLAIN for control in controls):
        explained.append((hotkeys.PLAIN_CASE, "plain"))
    explained += [(hotkeys.SUBMIT, "submit"), (hotkeys.SKIP, "skip"), (hotkeys.UNDO, "undo")]
    line = " · ".join(f"{key} = {WORDS[word].get(language)}" for key, word in explained)
    _heading(left, line, "keys")
    return page, left, right


def _fill(
    parent: Element,
    schema: LabelSchema,
    controls: Sequence[Control],
    language: str,
    target: str,
    *,
    per_region: bool,
) -> None:
    """Put all controls into a column."""
    for (name, role), group in groupby(controls, key=lambda control: (control.field, control.role)):
        field = schema.by_name.get(name or "")
        if role is Role.INTENSITY and isinstance(field, MultilabelField):
            grid = _add(parent, "View", className="emo")
            for control in group:
                row = _add(grid, "View", className="f")
                _heading(row, control.title)
                inner = _nested(row, control.conditions[:-1])
                inner.append(_choices(control, language, target, per_region, control.conditions[-1:]))
            continue
        for control in group:
            if control.hidden:
                # A required control inside nested views cannot be kept to the selected turn.
                if control.role is Role.NEEDED and per_region:
                    continue
                box = _add(_nested(parent, control.conditions), "View", className="hid")
                box.append(_choices(control, language, target, per_region))
                continue
            box = _nested(parent, control.conditions)
            if isinstance(field, RelationField) and field.question:
                _heading(box, field.question.get(language), "note ask")
            row = _add(box, "View", className=_ROW_CLASSES.get(control.role, "f"))
            _heading(row, control.title)
            row.append(_choices(control, language, target, per_region))
            if isinstance(field, IntervalField) and field.anchors:
                anchors = (f"{point:g} {wording.get(language)}" for point, wording in field.anchors)
                _heading(box, " · ".join(anchors), "note under")


def _nested(parent: Element, conditions: Iterable[Condition]) -> Element:
    """Views inside each other: all conditions hold where the innermost is shown."""
    for condition in conditions:
        parent = _add(parent, "View", **_when(condition))
    return parent


def _when(condition: Condition) -> dict[str, str]:
    return {
        "visibleWhen": "choice-selected" if condition.selected else "choice-unselected",
        "whenTagName": condition.control,
        "whenChoiceValue": ",".join(condition.aliases),
    }


def _choices(
    control: Control, language: str, target: str, per_region: bool, conditions: Iterable[Condition] = ()
) -> Element:
    made = Element("Choices", name=control.name, toName=target)
    made.set("choice", "multiple" if control.multiple else "single")
    made.set("showInline", "true")
    if per_region:
        made.set("perRegion", "true")
    for condition in conditions:
        made.attrib.update(_when(condition))
    if control.required and not (per_region and control.conditions):
        made.set("required", "true")
        keys = " ".join(choice.keys[0] for choice in control.choices)
        if control.role is Role.NEEDED:
            keys = "…"
        message = WORDS["choose"].get(language).format(title=control.title, keys=keys)
        made.set("requiredMessage", _safe(message))
    for choice in control.choices:
        one = SubElement(made, "Choice", value=_safe(choice.wording), alias=choice.alias)
        one.set("hotkey", ",".join(choice.keys))
        if choice.hint and choice.hint != choice.wording:
            one.set("hint", _safe(choice.hint))
    return made


def _written(page: Element) -> str:
    return tostring(page, encoding="unicode")
