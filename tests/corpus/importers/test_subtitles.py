"""Subtitle files of all kinds, sound and damaged."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.importers import subtitles
from corpus.importers.lines import Transcript
from corpus.importers.spoken import take_spoken
from corpus.importers.two_speakers import shared_out, two_speakers
from schemas.errors import InputError
from tests.corpus.importers.talk import srt

Write = Callable[..., Path]

CHINESE = srt([(1, 2, "太好了！楼下早点铺六点就开门。"), (3, 4.5, "这么多年了，厨房你看过了吗？")] * 3)
TRADITIONAL = srt([(1, 2, "樓下早點鋪六點就開門，真是太好了"), (3, 4.5, "這麼多年了，廚房你看過了嗎")] * 3)


def said(transcript: Transcript) -> list[tuple[int, str | None, str]]:
    return [(line.row, line.speaker, line.text) for line in transcript.lines]


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (CHINESE, "utf-8"),
        (CHINESE, "utf-8-sig"),
        (CHINESE, "gb18030"),
        (TRADITIONAL, "big5"),
        (TRADITIONAL, "gb18030"),
        (CHINESE, "utf-16"),
        (CHINESE, "utf-16-le"),
        (TRADITIONAL, "utf-16-be"),
    ],
)
def test_encodings(write: Write, text: str, encoding: str) -> None:
    found = subtitles.read(write(text.encode(encoding), "a.srt"))
    assert (found.read, len(found.lines), found.faults) == (6, 6, [])
    assert {line.original for line in found.lines} <= set(text.split("\n"))
    assert [(line.start, line.end) for line in found.lines[:2]] == [(1.0, 2.0), (3.0, 4.5)]


def test_a_timing_line_that_is_none_is_set_apart_and_costs_its_neighbours_nothing(write: Write) -> None:
    text = srt([(1, 2, "one")])
    for times in (
        "00:00:0x,000 --> 00:00:04,000",
        "-00:00:01,000 --> 00:00:02,000",
        "00:00:05,0x0 --> 00:00:06,000",
        "00:00:07,000 -> 00:00:08,000",
        "00:00:07,000 --> ",
    ):
        text += f"\n9\n{times}\nbad\n"
    found = subtitles.read(write(text + f"\n{srt([(9, 10, 'last')])}", "a.srt"))
    assert found.read == 7
    assert said(found) == [(1, None, "one"), (7, None, "last")]
    assert [fault.row for fault in found.faults] == [2, 3, 4, 5, 6]
    assert [fault.reason == subtitles.NEGATIVE for fault in found.faults] == [
        False,
        True,
        False,
        False,
        False,
    ]
    assert found.faults[0].original == "00:00:0x,000 --> 00:00:04,000\nbad"


def test_webvtt_notes_names_voices_and_settings(write: Write) -> None:
    text = """WEBVTT Kind: captions

STYLE
::cue { color: red }

intro
00:01.000 --> 00:03.000 align:start position:0%
<v Dana>Hi &amp; <i>bye</i>
<v.loud Ruth>Yo <00:00:01.500>there

NOTE this is no text
of a cue

00:00:xx.000 --> 00:03.000
bad

01:00:03.000 --> 01:00:04.000
last
"""
    found = subtitles.read(write(text, "a.vtt"))
    assert said(found) == [(1, "Dana", "Hi & bye"), (1, "Ruth", "Yo there"), (3, None, "last")]
    assert [(line.start, line.end) for line in found.lines] == [(1, 1.833), (1.833, 3), (3603, 3604)]
    assert [fault.row for fault in found.faults] == [2]


ASS = """[Script Info]
ScriptType: v4.00+

[V4+ Styles]
Format: Name, Fontname
Style: Default,Arial,&HZZZZ
Style: 阿强,Arial

[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
"""


def test_substation_alpha(write: Write) -> None:
    events = [
        "Comment: 0,0:00:00.00,0:00:00.00,Default,,0,0,0,scene,厨房",
        "Dialogue: 0,0:00:01.00,0:00:02.00,Default,老周,0,0,0,,{\\i1}你好，{\\i0}再见\\N走吧",
        "Dialogue: 0,0:00:03.00,0:00:04.00,阿强,,0,0,0,,好",
        "Dialogue: 0,0:00:03.00,0:00:04.00,Default,,0,0,0,,{\\pos(20,20)}招牌",
        "Dialogue: 0,0:00:03.00,0:00:04.00,Default,,0,0,0,,{\\k20}啦{\\kf30}啦",
        "Dialogue: 0,0:00:03.00,0:00:04.00,Default,,0,0,0,,{\\p1}m 0 0 l 1 1{\\p0}",
        "Comment: 0,0:00:03.00,0:00:04.00,Default,,0,0,0,,translator: check",
        "Dialogue: 0,0:00:0x.00,0:00:04.00,Default,,0,0,0,,bad time",
        "Dialogue: 0,-0:00:03.00,0:00:04.00,Default,,0,0,0,,negative",
        "Dialogue: too few",
        "Dialogue: 1,0:00:01.00,0:00:02.00,Default,老周,0,0,0,,你好，再见\\N走吧",
    ]
    path = write(ASS + "\n".join(events), "a.ass")
    found = subtitles.read(path)
    take_spoken(found)
    assert said(found) == [(2, "老周", "你好，再见 走吧"), (3, None, "好")]
    assert [scene.name for scene in found.scenes] == ["厨房"]
    assert [fault.row for fault in found.faults] == [8, 9, 10]
    assert found.read == len(events) == 2 + 3 + sum(found.ignored.values())
    assert len(found.ignored) == 6
    assert said(subtitles.read(path, speaker_is_style=True))[1] == (3, "阿强", "好")


def test_where_most_lines_are_placed_they_are_what_is_said(write: Write) -> None:
    line = "Dialogue: 0,0:00:0{}.00,0:00:0{}.50,Default,,0,0,0,,{{\\pos(1,2)}}line {}\n"
    found = subtitles.read(write(ASS + "".join(line.format(n, n, n) for n in range(5)), "a.ass"))
    assert len(found.lines) == 5


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "this file is empty"),
        (
            b"\xff\xd8\xff\xe0\x00\x10JFIF" + bytes(range(256)) * 40,
            "this text is in no known encoding|NUL bytes",
        ),
        (b"Dear diary,\ntoday it rained.\n", "this is no subtitle file"),
        (b"WEBVTT\n\n", "there is no subtitle in this file"),
        (ASS.replace("Layer, Start", "Start, Layer").encode(), "other columns"),
    ],
)
def test_what_is_no_subtitle_file_is_refused(write: Write, content: bytes, message: str) -> None:
    with pytest.raises(InputError, match=message):
        subtitles.read(write(content, "a.srt"))


def test_the_content_decides_and_not_the_ending(write: Write) -> None:
    found = subtitles.read(write("WEBVTT\n\n00:01.000 --> 00:02.000\nhello\n", "a.srt"))
    assert said(found) == [(1, None, "hello")]
    assert found.notes[-1] == "a.srt: the name ends in '.srt', the content is VTT"


@pytest.mark.parametrize(
    ("cues", "expected", "ignored"),
    [
        (["[music]", "(laughs) Hello", "♪ la la ♪", "……", "【音乐】", "（笑）好的"], ["Hello", "好的"], 4),
        (["（我真的不知道该怎么办才好）"], ["我真的不知道该怎么办才好"], 0),
        (["*sighs* Well, then."], ["Well, then."], 0),
        (["MAN #2: Stop!", "She said: go.", "At 12:30"], ["Stop!", "She said: go.", "At 12:30"], 0),
        (["阿强: 太好了！", "老周：是的"], ["太好了！", "是的"], 0),
        (["Dana: One:\nRuth: Two", "Dana: Three"], ["One:", "Two", "Three"], 0),
        (["- Ready?\n- Yes!"], ["Ready?", "Yes!"], 0),
        (["- [door slams]\n- Yes!"], ["Yes!"], 0),
        (["one\ntwo", "你好，\n再见", "你好\n再见"], ["one two", "你好，再见", "你好 再见"], 0),
    ],
)
def test_what_is_said(write: Write, cues: list[str], expected: list[str], ignored: int) -> None:
    path = write(srt([(2 * n, 2 * n + 1, cue) for n, cue in enumerate(cues)]), "a.srt")
    found = subtitles.read(path)
    take_spoken(found)
    assert [line.text for line in found.lines] == expected
    assert sum(found.ignored.values()) == ignored
    assert len({line.row for line in found.lines}) + ignored == found.read


def test_speakers_before_a_colon(write: Write) -> None:
    cues = ["阿强: 太好了！", "老周：是的", "比如说，这样：好", "Dr. Smith: Hm."]
    found = subtitles.read(write(srt([(n, n + 0.5, cue) for n, cue in enumerate(cues)]), "a.srt"))
    take_spoken(found)
    assert [line.speaker for line in found.lines] == ["阿强", "老周", None, "Dr. Smith"]
    assert [line.original for line in found.lines] == cues


def test_a_dash_within_a_sentence_makes_no_second_speaker() -> None:
    assert two_speakers("yes - no") == ["yes - no"]
    assert two_speakers("- only one") == ["- only one"]
    assert two_speakers("-你好 -再见") == ["你好", "再见"]
    assert two_speakers("- 走吧？-好！") == ["走吧？", "好！"]
    assert two_speakers("——他说：走吧！——好。") == ["——他说：走吧！——好。"]
    assert two_speakers("－ A well-known man.\n－ Who?") == ["A well-known man.", "Who?"]


@given(
    st.floats(0, 1000), st.floats(0.001, 100), st.lists(st.text("ab ,", min_size=0, max_size=30), min_size=1)
)
def test_time_is_shared_out_without_gaps(start: float, length: float, texts: list[str]) -> None:
    times = shared_out(start, start + length, texts)
    assert len(times) == len(texts)
    assert times[0][0] == pytest.approx(start, abs=1e-3)
    assert times[-1][1] == pytest.approx(start + length, abs=1e-3)
    assert all(first[1] == second[0] for first, second in pairwise(times))
    assert all(first <= last for first, last in times)
