"""What the annotators' handbook says besides the schema, in both languages."""

from __future__ import annotations

from schemas.fields import Flag, Text

HANDBOOK = Text("Annotator handbook", "标注手册")
VERSION = Text(
    "Version {version}. It stands on every rating.", "版本 {version}。每条标注都会记录这个版本号。"
)

BASICS = Text("How to rate", "怎样标注")
BASICS_TEXT: tuple[Text, ...] = (
    Text(
        "You say what you perceive in the speaker of one utterance. There is no answer to be guessed: "
        "people differ, and the difference is part of the result. Rate on your own; do not talk about "
        "items until the round is over.",
        "请写下你从这句话的说话人身上感知到了什么。没有标准答案可猜：人与人的判断会不同，这种差异本身就是"
        "结果的一部分。请独立标注，一轮结束之前不要与他人讨论具体条目。",
    ),
    Text(
        "Play the clip to its end before you answer, as often as you need. Read what was said before. "
        "Judge with all that the page shows, and with nothing else: not with how the story goes on, not "
        "with what you know of the show.",
        "作答前先把片段完整播放一遍，需要时可多次重播，并读一读上文。只依据页面给出的内容判断，不要依据之"
        "后的剧情或你对该剧的了解。",
    ),
    Text(
        "“Cannot tell” means that you looked and what is shown does not suffice. It is not the same as "
        "“none” or “neutral”, which mean that there is nothing. Use it when it is true, not to save time.",
        "“无法判断”表示看过、听过之后，现有内容仍不足以判断。它不同于“无”或“中性”，后者表示确实没有。确实"
        "无法判断时才用，不要为了省时间。",
    ),
    Text(
        "If the item itself is broken, mark the fault and still answer what you can. Skip only what "
        "cannot be rated at all.",
        "条目本身有问题时，请勾选相应问题，能回答的仍请回答；只有完全无法标注时才跳过。",
    ),
    Text(
        "Some of this may be hard to hear or watch. You may stop at any time and may skip an item without "
        "giving a reason.",
        "有些内容可能令人不适。你随时可以停下，也可以跳过某条而无须说明理由。",
    ),
)

RULE = Text("How to decide", "如何判定")
WHAT = Text("Value", "取值")
KEY = Text("Key", "按键")
MEANING = Text("Meaning", "含义")
YES = Text("Examples", "例")
NO = Text("Looks like it, but is not", "貌似而非")
STRENGTH = Text("How strong", "强度")
CHOOSE = {
    "nominal": Text("Choose exactly one value.", "只选一项。"),
    "ordinal": Text("Choose exactly one value; they are in order.", "只选一项；各项有高低次序。"),
    "multilabel": Text("Choose every value that holds.", "凡符合的都选。"),
    "interval": Text("Choose a point from {low} to {high}.", "在 {low} 到 {high} 之间选一个点。"),
    "relation": Text("Choose a number from {low} to {high}.", "在 {low} 到 {high} 之间选一个整数。"),
}
ALONE = Text("These exclude all others: {names}.", "以下各项不与其他项并存：{names}。")
ASKED = Text(
    "It is asked only when “{source}” or “{target}” is there.",
    "只有当“{source}”或“{target}”存在时才会问到。",
)
ALWAYS = Text("It is asked for every utterance.", "每句话都要标。")

PAGE = Text("The page and its keys", "页面与按键")
PAGE_TEXT: tuple[Text, ...] = (
    Text(
        "On the left: the clip, what was said before (or the whole dialogue), and in the blue frame the "
        "utterance that you rate. On the right: a line of buttons for each question. Every button shows "
        "its key in brackets; the mouse works too. Rest the mouse on a button to read what it means. An "
        "orange bar marks a question that is still open: on the page of a dialogue, look for bars before you "
        "go to the next turn.",
        "左边是片段、上文（或整段对话），蓝框里是要标的那句话。右边每个问题一行按钮。每个按钮的方括号里是"
        "它的按键，也可以用鼠标。把鼠标停在按钮上可以看到它的含义。橙色竖条表示该题还没有回答；在整段对话的页面"
        "上，转到下一句之前请先看看有没有竖条。",
    ),
    Text(
        "A key pressed twice takes the answer back. Capital and small letters are the same key; “shift+4” "
        "means to hold Shift and press 4. Switch your Chinese input method off. Some questions appear "
        "only after another answer; an answer that excludes others hides them until its key is pressed "
        "again.",
        "同一个键按两次等于取消。大小写字母是同一个键；“shift+4”表示按住 Shift 再按 4。请先关闭中文输入法。"
        "有些问题在回答了别的问题之后才会出现；与其他项不并存的答案会把它们隐藏，再按一次该答案的键即可恢"
        "复。",
    ),
    Text(
        "After submitting, wait until the next item stands there: keys typed within half a second are lost.",
        "提交后请等下一条出现：半秒之内的按键会丢失。",
    ),
)
KEYS = Text("Keys of the page", "页面按键")
ALL_KEYS = Text("Keys of the answers", "答案按键")
QUESTION = Text("Question", "问题")
ANSWERS = Text("Answers", "答案")
DOES = Text("What it does", "作用")
PLAY = Text("Plays the clip; at its end, again", "播放片段；播完后再按则重播")
NEXT = Text("Dialogue page: goes to the next turn", "对话页面：转到下一句")
PLAIN = Text(
    "Answers everything at once for an utterance in which nothing stands out: {answers}. Check the rest "
    "of the page before you submit.",
    "一键填好“一切平淡”的话语：{answers}。提交前请看一遍其余各项。",
)
SUBMIT = Text("Submits and shows the next item", "提交并显示下一条")
SKIP = Text("Skips the item", "跳过本条")
UNDO = Text("Takes the last answer back", "撤销上一步")

BUTTONS = Text("Label Studio's own buttons", "Label Studio 自带的按钮")
BUTTON = Text("Button", "按钮")
BUTTON_TEXT: dict[str, Text] = {
    "submit": Text(
        "Submit. A message in red says which answer is missing.",
        "提交（Submit）。缺少答案时会提示缺的是哪一项。",
    ),
    "skip": Text(
        "Skip: you will not be asked again unless the lead asks.",
        "跳过（Skip）：除非负责人要求，不会再问到。",
    ),
    "undo": Text("Undo the last answer.", "撤销上一步。"),
    "reset": Text("Take all answers of this item back.", "清空本条的全部答案。"),
    "history": Text(
        "Back to the items you submitted; change an answer there and press Update. Forward again to go on.",
        "回到已提交的条目；在那里修改后按 Update。再向前即可继续。",
    ),
    "player": Text("Play, and one frame back or forth.", "播放，以及前后移动一帧。"),
}

FLAGS = Text("Faults of an item", "条目本身的问题")
FLAG_TEXT: dict[Flag, Text] = {
    Flag.BAD_CUT: Text(
        "The clip starts too late, ends too early, or holds another utterance too.",
        "片段开头或结尾被截掉，或混入了别的话语。",
    ),
    Flag.WRONG_SPEAKER: Text("Somebody else says it than the page shows.", "说这句话的不是页面所示的人。"),
    Flag.INAUDIBLE: Text("It cannot be understood.", "听不清说的是什么。"),
    Flag.WRONG_TEXT: Text(
        "The text differs from what is said in a way that matters.", "文字与所说的有实质出入。"
    ),
}
