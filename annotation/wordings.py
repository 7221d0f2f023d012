"""What the labeling page and the handbook say besides the schema, in both languages."""

from __future__ import annotations

import re

from schemas.fields import Flag, Missing, Text

WORDS: dict[str, Text] = {
    "cannot_tell": Text("Cannot tell", "无法判断"),
    "none_of_them": Text("None of them", "以上皆无"),
    "flags": Text("Item fault", "条目问题"),
    "choose": Text("Please answer “{title}” (keys {keys})", "请选择“{title}”（按键 {keys}）"),
    "play": Text("play", "播放"),
    "plain": Text("nothing stands out", "一切平淡"),
    "submit": Text("submit", "提交"),
    "skip": Text("skip", "跳过"),
    "undo": Text("undo", "撤销"),
    "next": Text("next turn", "下一句"),
    "listen": Text("(listen)", "（请听）"),
    "watch": Text("(watch)", "（请看）"),
    "unknown_speaker": Text("Speaker", "说话人"),
    "starts_here": Text("(the dialogue starts here)", "（对话由此开始）"),
    "ends_here": Text("(the dialogue ends here)", "（对话到此结束）"),
    "colon": Text(": ", "："),
    "pick_turn": Text("Press Tab to go to the first turn.", "按 Tab 键选中第一句。"),
}

FLAG_WORDINGS: dict[Flag, Text] = {
    Flag.BAD_CUT: Text("Badly cut", "切分错误"),
    Flag.WRONG_SPEAKER: Text("Wrong speaker", "说话人错误"),
    Flag.INAUDIBLE: Text("Inaudible", "听不清"),
    Flag.WRONG_TEXT: Text("Wrong text", "文本错误"),
}

MISSING_WORDINGS: dict[Missing, Text] = {
    Missing.NOT_RATED: Text("(no answer)", "（未作答）"),
    Missing.NOT_APPLICABLE: Text("(not asked)", "（不适用）"),
    Missing.CANNOT_TELL: WORDS["cannot_tell"],
    Missing.CONTEXT_ONLY: Text("(only context)", "（仅作上下文）"),
    Missing.UNDECIDED: Text("(undecided)", "（未定）"),
}

_LONGEST = 14


def short(wording: str) -> str:
    """Return the head of an anchor's wording (``slight: you notice it when ...`` gives ``slight``)."""
    head = re.split(r"[:：;；,，(（。]", wording, maxsplit=1)[0].strip()
    return head if len(head) <= _LONGEST else ""
