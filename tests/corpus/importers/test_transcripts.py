"""Praat, ELAN, WhisperX, RTTM and manifests; and XML that would do harm."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from praatio import textgrid as praat
from pympi import Eaf

from corpus.importers import elan, manifest, rttm, textgrid, whisperx
from corpus.importers.lines import Line
from corpus.importers.rttm import Turn
from schemas.errors import InputError

Write = Callable[..., Path]


@pytest.mark.parametrize("style", ["short_textgrid", "long_textgrid", "json"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_textgrids_of_praat(tmp_path: Path, style: str, encoding: str) -> None:
    grid = praat.Textgrid()
    tiers = {"小明": [(1, 2, '你好 "朋友"')], "Dana": [(2.5, 3, "Hi")], "words": [(1, 1.5, "你好")]}
    tiers |= {"scene": [(0, 4, "kitchen")]}
    for name, entries in tiers.items():
        grid.addTier(praat.IntervalTier(name, entries, 0, 4))
    grid.addTier(praat.PointTier("clicks", [(1, "x")], 0, 4))
    path = tmp_path / "a.TextGrid"
    grid.save(str(path), format=style, includeBlankSpaces=True)
    path.write_bytes(path.read_text("utf-8").encode(encoding))
    found = textgrid.read(path)
    assert [(one.start, one.end, one.text, one.speaker) for one in found.lines] == [
        (1, 2, '你好 "朋友"', "小明"),
        (2.5, 3, "Hi", "Dana"),
    ]
    assert [(one.start, one.end, one.name) for one in found.scenes] == [(0, 4, "kitchen")]
    assert found.read == 4 == len(found.lines) + sum(found.ignored.values())
    assert [line.text for line in textgrid.read(path, ["words"]).lines] == ["你好"]
    with pytest.raises(InputError, match="no such tier, got 'x'"):
        textgrid.read(path, ["x"])


@pytest.mark.parametrize(
    "content",
    [
        "no grid",
        'File type = "ooTextFile"\nObject class = "TextGrid"\n\nxmin = 0\nxmax = x\nitem []:\n',
        'File type = "ooTextFile"\nObject class = "TextGrid"\n\nxmin = 0\nxmax = 1\nitem []:\n item [1]:\n c',
        'File type = "ooTextFile"\nObject class = "TextGrid"\n\nxmin = -2.5\nxmax = 1\nitem []:\n',
        '{"tiers": 3}',
        '{"start": 0, "end": 1, "tiers": {"a": {"type": "interval", "entries": [[1]]}}}',
    ],
)
def test_broken_textgrids_are_refused(write: Write, content: str) -> None:
    with pytest.raises(InputError):
        textgrid.read(write(content, "a.TextGrid"))


def eaf(path: Path) -> Path:
    made = Eaf(author="")
    made.add_linked_file("file:///somewhere/ep%2001.mp4", relpath="./ep%2001.mp4", mimetype="video/mp4")
    made.remove_tier("default")
    made.add_tier("utterances", part="Dana")
    made.add_tier("小明")
    made.add_tier("scene")
    made.add_linguistic_type("child", constraints="Symbolic_Association")
    made.add_tier("notes of Dana", ling="child", parent="utterances")
    made.add_annotation("utterances", 1000, 2000, "Hi")
    made.add_annotation("小明", 2500, 3000, "你好")
    made.add_annotation("scene", 0, 5000, "kitchen")
    made.add_ref_annotation("notes of Dana", "utterances", 1500, "waves")
    made.to_file(str(path))
    return path


def test_elan(tmp_path: Path) -> None:
    found = elan.read(eaf(tmp_path / "a.eaf"))
    assert [(one.start, one.end, one.text, one.speaker) for one in found.lines] == [
        (1, 2, "Hi", "Dana"),
        (2.5, 3, "你好", "小明"),
    ]
    assert found.media == "ep 01.mp4"
    assert [scene.name for scene in found.scenes] == ["kitchen"]
    assert found.read == 4 == len(found.lines) + sum(found.ignored.values())
    only = elan.read(tmp_path / "a.eaf", ["notes of Dana"])
    assert [(one.start, one.text) for one in only.lines] == [(1, "waves")]


def test_an_annotation_without_a_time_is_set_apart(tmp_path: Path) -> None:
    path = eaf(tmp_path / "a.eaf")
    path.write_text(path.read_text("utf-8").replace(' TIME_VALUE="3000"', ""), "utf-8")
    found = elan.read(path)
    assert [line.text for line in found.lines] == ["Hi"]
    assert [(fault.original, fault.column) for fault in found.faults] == [("你好", None)]


LAUGHS = '<!DOCTYPE d [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
OUTSIDE = '<!DOCTYPE d [<!ENTITY x SYSTEM "file:///etc/hostname">]>'


@pytest.mark.parametrize(
    ("doctype", "text"),
    [(LAUGHS, "&b;"), (OUTSIDE, "&x;"), ('<!DOCTYPE d SYSTEM "http://127.0.0.1:9/d.dtd">', "x")],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_entities_and_document_types_are_refused(
    tmp_path: Path, doctype: str, text: str, encoding: str
) -> None:
    path = eaf(tmp_path / "a.eaf")
    _, body = path.read_text("utf-8").split("?>", 1)
    assert "你好" in body
    harm = f'<?xml version="1.0" encoding="{encoding}"?>{doctype}{body.replace("你好", text)}'
    path.write_bytes(harm.encode(encoding))
    with pytest.raises(InputError, match="declares a document type or entities"):
        elan.read(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text[: len(text) // 2], "broken XML"),
        (lambda text: "", "broken XML"),
        (lambda text: "\0\1\2" * 100, "broken XML"),
        (lambda text: "<html/>", "no annotation document"),
        (
            lambda text: text.replace("TIME_SLOT_ID=", "ID="),
            "this ELAN file is broken: it lacks 'TIME_SLOT_ID'",
        ),
        (
            lambda text: text.replace("<HEADER>", '<HEADER TIME_UNITS="PAL-frames">'),
            "milliseconds, got 'PAL-frames'",
        ),
    ],
)
def test_broken_elan_files_are_refused(tmp_path: Path, change: Callable[[str], str], message: str) -> None:
    path = eaf(tmp_path / "a.eaf")
    path.write_text(change(path.read_text("utf-8")), "utf-8")
    with pytest.raises(InputError, match=message):
        elan.read(path)


def test_whisperx(write: Write) -> None:
    segments = [
        {"start": 1.5, "end": 2.25, "text": " 你好 ", "speaker": "SPEAKER_00"},
        {"start": 3, "end": None, "text": "no end"},
        {"end": 5, "text": "no start"},
        {"start": "6", "end": 7, "text": "a text for a time"},
        "no segment",
        {"start": 8, "end": 9},
    ]
    found = whisperx.read(write(json.dumps({"segments": segments, "language": "zh"}), "a.json"))
    assert [(one.row, one.start, one.end, one.text, one.speaker) for one in found.lines] == [
        (1, 1.5, 2.25, "你好", "SPEAKER_00"),
        (2, 3.0, None, "no end", None),
    ]
    assert [(fault.row, fault.column) for fault in found.faults] == [
        (2, "end"),
        (3, None),
        (4, None),
        (5, None),
        (6, None),
    ]
    assert (found.language, found.read) == ("zh", 6)


@pytest.mark.parametrize("content", ["[]", "{}", '{"segments": 3}', "{", ""])
def test_other_json_is_refused(write: Write, content: str) -> None:
    with pytest.raises(InputError):
        whisperx.read(write(content, "a.json"))


RTTM = """;; a comment
SPEAKER ep1 1 0.00 2.00 <NA> <NA> 小明 <NA> <NA>
SPEAKER ep1 1 1.50 3.00 <NA> <NA> Dana <NA> <NA>
SPKR-INFO ep1 1 <NA> <NA> <NA> unknown Dana <NA> <NA>
SPEAKER ep2 1 0.00 9.00 <NA> <NA> "Ruth" <NA>
SPEAKER ep1 1 x 3.00 <NA> <NA> Dana <NA> <NA>
SPEAKER ep1 1 3.00 -1 <NA> <NA> Dana <NA> <NA>
SPEAKER ep1 1
SPEAKER ep1 1 6 1 <NA> <NA> Dana <NA> <NA> more cells
"""


def test_rttm(write: Write) -> None:
    found = rttm.read(write(RTTM, "all.rttm"))
    assert found.turns == {
        "ep1": [Turn(0, 2, "小明"), Turn(1.5, 4.5, "Dana"), Turn(6, 7, "Dana")],
        "ep2": [Turn(0, 9, '"Ruth"')],
    }
    assert [fault.row for fault in found.faults] == [6, 7, 8]
    assert found.read == 7
    assert rttm.turns_of([found], "ep3") == []
    with pytest.raises(InputError, match="no line of this file is one of RTTM"):
        rttm.read(write("hello\n", "b.rttm"))


def test_the_majority_of_the_overlap_speaks() -> None:
    lines = [
        Line(1, 0, 1.9, "a", "a"),
        Line(2, 1.6, 3, "b", "b"),
        Line(3, 5, 6, "c", "c"),
        Line(4, 0, 1, "d", "d", "X"),
    ]
    turns = [Turn(0, 2, "A"), Turn(1.5, 4.5, "B")]
    assert [line.speaker for line in rttm.with_speakers(lines, turns)] == ["A", "B", None, "X"]


_spans = st.tuples(st.integers(0, 60), st.integers(1, 20), st.sampled_from("ABC"))


@given(st.lists(_spans, max_size=12), st.integers(0, 60), st.integers(1, 20))
def test_overlap_majority_agrees_with_counting_seconds(
    drawn: list[tuple[int, int, str]], start: int, length: int
) -> None:
    turns = sorted((Turn(s, s + d, who) for s, d, who in drawn), key=lambda turn: turn.start)
    (line,) = rttm.with_speakers([Line(1, start, start + length, "a", "a")], turns)
    seconds = {
        who: sum(max(0, min(start + length, t.end) - max(start, t.start)) for t in turns if t.speaker == who)
        for who in "ABC"
    }
    most = max(seconds.values())
    assert (
        line.speaker in {who for who, count in seconds.items() if count == most}
        if most
        else line.speaker is None
    )


def test_a_manifest_names_recordings_scenes_and_speakers(write: Write) -> None:
    rows = [
        {"media": "in/ep1.wav", "start": 1, "end": 2.5, "text": "你好", "who": "A", "scene": "one"},
        {"media": "in/ep1.wav", "start": "00:00:03,5", "end": "x", "text": "hm", "scene": "two"},
        {"media": "ep2.wav", "start": "bad", "text": "lost"},
    ]
    text = "\n".join(json.dumps(row, ensure_ascii=False) for row in rows) + "\nno json\n"
    one, two = manifest.read(write(text, "m.jsonl"), manifest.parse_map(["speaker=who"]))
    assert [(line.start, line.end, line.speaker) for line in one.lines] == [(1, 2.5, "A"), (3.5, None, None)]
    assert [scene.name for scene in one.scenes] == ["one", "two"]
    assert [(fault.row, fault.column) for fault in (*one.faults, *two.faults)] == [
        (2, "end"),
        (4, None),
        (3, None),
    ]
    assert (one.media, two.media, one.read + two.read) == ("ep1.wav", "ep2.wav", 4)
    with pytest.raises(InputError, match="unknown target of a map entry, got 'x'"):
        manifest.parse_map(["x=y"])
    with pytest.raises(InputError, match="no column says where rows are"):
        manifest.read(write("text\nhello\n", "m.csv"), {})


def test_a_row_without_times_is_its_whole_recording(write: Write) -> None:
    rows = ["a.wav,,,- Yes? - No!", "b.wav,NA,,one", "b.wav,1,2,two", "c.wav,,2,late", ",,,nowhere"]
    whole, other, *rest = manifest.read(write("\n".join(["media,start,end,text", *rows]), "m.csv"), {})
    assert [(line.start, line.end, line.whole) for line in whole.lines] == [(0, None, True)]
    assert [line.text for line in other.lines] == ["two"]
    assert [[(fault.row, fault.reason) for fault in one.faults] for one in (other, *rest)] == [
        [(2, "it has no times, and its recording has other rows: it is not all of it")],
        [(4, "it has an end and no start")],
        [(5, "it has neither times nor a recording that it could be the whole of")],
    ]
    assert "1 row(s) without times" in whole.notes[-1]


def test_readers_do_not_depend_on_the_order_of_files(write: Write) -> None:
    turns = [Turn(float(n), n + 0.5, "A") for n in np.arange(3)]
    found = rttm.Diarization(Path("x.rttm"), {"x": turns[::-1]}, 3, [])
    assert rttm.turns_of([found], "x") == turns
