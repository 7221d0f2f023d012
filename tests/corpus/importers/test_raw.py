"""Raw material becomes a project: from recordings and transcripts to tables that can be annotated."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from corpus.cli import app
from corpus.importers import Imported, import_source, read_raw, speakers
from corpus.importers.raw import Rules
from schemas.errors import InputError
from schemas.project import Project
from schemas.tables import content_hash
from tests.corpus.importers.talk import speech, srt, write_wav

SAMPLE = Path(__file__).resolve().parents[3] / "corpus/sample/packaged/media"
FIELDS = ("utterance_id", "dialogue_id", "speaker_id", "text", "text_original", "start", "end", "media")

Write = Callable[..., Path]
RowsOf = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "in"
    path.mkdir()
    return path


def take(project: Project, format_name: str, *paths: Path, **options: Any) -> Imported:
    """Import, and check that no row is lost."""
    imported = import_source(project, format_name, paths, **options)
    assert imported is not None
    rows = imported.rows_imported + imported.rows_quarantined + sum(imported.rows_ignored.values())
    assert imported.rows_read == rows
    return imported


def apart(rows_of: RowsOf) -> list[tuple[Any, ...]]:
    found = rows_of("reports/quarantine.parquet")
    return [(one["file"], one["row"], one["column"], one["action"], one["reason"]) for one in found]


def test_a_folder_of_episodes(project: Project, folder: Path, rows_of: RowsOf) -> None:
    for name in ("zh_s01e01", "zh_s01e02"):
        shutil.copy(SAMPLE / f"{name}.mp4", folder)
        shutil.copy(SAMPLE / f"{name}.srt", folder / f"{name}.zh-CN.srt")
    imported = take(project, "srt", folder, rules=Rules(pause=1.5))
    assert (imported.rows_read, imported.tables["dialogues"].num_rows) == (69, 8)
    rows = rows_of("utterances.parquet")
    assert {one["media"] for one in rows} == {"media/zh_s01e01.mp4", "media/zh_s01e02.mp4"}
    assert {one["language"] for one in rows} == {"zh"}
    first = rows[0]
    assert first["utterance_id"] == "srt_zh_s01e01_00001920-00006480"
    assert first["dialogue_id"] == "srt_zh_s01e01_00001920"
    assert (first["speaker_id"], first["text"]) == ("srt:阿强", "太好了！楼下早点铺六点就开门。")
    assert first["text_original"] == "阿强: 太好了！楼下早点铺六点就开门。"
    assert (first["start"], first["end"]) == (1.92, 6.48)
    linked = project.path("media/zh_s01e01.mp4")
    assert linked.samefile(folder / "zh_s01e01.mp4")
    account = json.loads(project.path("reports/import.json").read_text("utf-8"))["srt"]["recordings"][0]
    assert (account["alignment"]["verdict"], account["utterances"]) == ("in step", 34)
    assert import_source(project, "srt", [folder], rules=Rules(pause=1.5)) is None


def test_subtitles_out_of_step_come_back_to_a_tenth_of_a_second(
    project: Project, folder: Path, rows_of: RowsOf
) -> None:
    shutil.copy(SAMPLE / "en_s01e02.mp4", folder)
    shutil.copy(SAMPLE / "en_s01e02.ass", folder)
    take(project, "ass", folder, name="true")
    true = rows_of("utterances.parquet", *FIELDS)
    wrong = srt(
        [(1.04 * one["start"] + 1.5, 1.04 * one["end"] + 1.5, one["text"].replace("!", "！")) for one in true]
    )
    (folder / "en_s01e02.srt").write_text(wrong, "utf-8")
    take(project, "srt", folder)
    found = rows_of("utterances.parquet", *FIELDS)[len(true) :]
    assert len(found) == len(true)
    for one, other in zip(found, true, strict=True):
        assert abs(one["start"] - other["start"]) < 0.1
        assert abs(one["end"] - other["end"]) < 0.1


@pytest.fixture
def talk(folder: Path) -> Path:
    """A recording of 20 s in which somebody speaks twice."""
    return write_wav(folder / "ep1.wav", speech([(1, 4), (10, 14)], 20))


def test_times_that_cannot_be_are_set_apart_with_their_reasons(
    project: Project, folder: Path, talk: Path, rows_of: RowsOf
) -> None:
    cues = [(1, 2, "one."), (4, 4, "no length."), (3, 2.5, "backwards."), (5, 8, "long."), (6, 7, "within.")]
    cues += [(19, 23, "over the end."), (20.5, 22, "beyond."), (500, 501, "far beyond.")]
    (folder / "ep1.srt").write_text(srt(cues) + "\n9\n00:00:xx --> 00:00:09,000\nbad\n", "utf-8")
    imported = take(project, "srt", folder)
    assert (imported.rows_imported, imported.rows_quarantined) == (6, 3)
    assert apart(rows_of) == [
        (
            "ep1.srt",
            9,
            None,
            "row set apart",
            "no readable times: start and end such as 00:01:02,345 --> 00:01:04,000",
        ),
        ("ep1.srt", 7, None, "row set apart", "begins after the end of the recording (20 s)"),
        ("ep1.srt", 8, None, "row set apart", "begins after the end of the recording (20 s)"),
        ("ep1.srt", 3, "end", "cell set to null", "ends where it begins or before"),
        ("ep1.srt", 2, "end", "cell set to null", "ends where it begins or before"),
        ("ep1.srt", 6, "end", "time cut", "ends after the end of the recording; cut there"),
    ]
    ends = {one["text"]: one["end"] for one in rows_of("utterances.parquet", "text", "end")}
    assert (ends["no length."], ends["over the end."]) == (None, 20.0)
    assert any("1 line(s) begin before the one before ends" in note for note in imported.notes)


def test_a_broken_file_costs_itself_alone(
    project: Project, folder: Path, talk: Path, rows_of: RowsOf
) -> None:
    (folder / "ep1.srt").write_text(srt([(1, 2, "hello")]), "utf-8")
    (folder / "ep2.srt").write_bytes(b"")
    (folder / "ep3.srt").write_bytes(b"\x7fELF" + bytes(range(256)) * 20)
    (folder / "ep4.srt").write_text(srt([(1, 2, "a recording that is none")]), "utf-8")
    (folder / "ep4.mp4").write_bytes(b"not a film")
    (folder / "ep5.srt").write_text(srt([(1, 2, "an empty recording")]), "utf-8")
    (folder / "ep5.mp4").write_bytes(b"")
    (folder / "ep1.rttm").write_text("nothing of the kind\n", "utf-8")
    (folder / "readme.doc").write_text("hello", "utf-8")
    imported = take(project, "srt", folder)
    assert [one["text"] for one in rows_of("utterances.parquet", "text")] == [
        "hello",
        "a recording that is none",
        "an empty recording",
    ]
    broken = [(file, action) for file, _, _, action, _ in apart(rows_of)]
    names = ["ep1.rttm", "ep2.srt", "ep3.srt", "ep4.mp4", "ep5.mp4"]
    assert sorted(broken) == [(name, "file set apart") for name in names]
    assert [one["media"] for one in rows_of("utterances.parquet", "media")] == ["media/ep1.wav", None, None]
    assert any("readme.doc" in note for note in imported.notes)


def test_nothing_that_can_be_read_leaves_the_project_as_it_was(project: Project, folder: Path) -> None:
    (folder / "ep1.srt").write_bytes(b"")
    with pytest.raises(InputError, match="this file is empty"):
        import_source(project, "srt", [folder])
    assert not project.has("utterances.parquet")


def test_speakers_come_from_rttm_and_scenes_from_a_table(
    project: Project, folder: Path, talk: Path, rows_of: RowsOf
) -> None:
    (folder / "ep1.srt").write_text(
        srt([(1, 2, "one,"), (2.1, 4, "two"), (10, 12, "- three\n- four")]), "utf-8"
    )
    turns = [
        "SPEAKER ep1 1 0.9 3.2 <NA> <NA> Dana <NA> <NA>",
        "SPEAKER ep1 1 10 0.8 <NA> <NA> Dana <NA> <NA>",
    ]
    turns += [
        "SPEAKER ep1 1 10.9 3 <NA> <NA> Ruth <NA> <NA>",
        "SPEAKER ep1 1 zero 3 <NA> <NA> Ruth <NA> <NA>",
    ]
    (folder / "ep1.rttm").write_text("\n".join(turns), "utf-8")
    (folder / "ep1.scenes.csv").write_text("start,name\n0,kitchen\n9,street\n", "utf-8")
    take(project, "srt", folder / "ep1.srt")  # the others lie beside it
    rows = rows_of("utterances.parquet")
    assert [(one["speaker_id"], one["text"]) for one in rows] == [
        ("srt:Dana", "one, two"),
        ("srt:Dana", "three"),
        ("srt:Ruth", "four"),
    ]
    assert [one["topic"] for one in rows_of("dialogues.parquet")] == ["kitchen", "street"]
    assert [(file, row) for file, row, *_ in apart(rows_of)] == [("ep1.rttm", 4)]
    with pytest.raises(InputError, match="RTTM says who speaks when, and not what"):
        import_source(project, "rttm", [folder])


def test_other_formats_are_taken_as_they_were_made(
    project: Project, folder: Path, talk: Path, rows_of: RowsOf
) -> None:
    segments = [{"start": 1, "end": 2, "text": "I said,", "speaker": "A"}]
    segments += [{"start": 2, "end": 4, "text": "hello", "speaker": "A"}]
    (folder / "ep1.json").write_text(json.dumps({"segments": segments, "language": "en"}), "utf-8")
    imported = take(project, "whisperx", folder)
    assert imported.recordings[0]["alignment"] is None
    assert [one["text"] for one in rows_of("utterances.parquet")] == ["I said,", "hello"]
    take(project, "whisperx", folder, rules=Rules(gap=0.2))
    assert [one["text"] for one in rows_of("utterances.parquet")] == ["I said, hello"]
    (folder / "all.csv").write_text("media,begin,end,text\nep1.wav,1,2,hi\nep9.wav,3,4,bye\n", "utf-8")
    take(project, "manifest", folder / "all.csv", folder / "ep1.wav", columns=["start=begin"])
    rows = rows_of("utterances.parquet", "utterance_id", "media")[1:]
    assert rows == [
        {"utterance_id": "manifest_ep1_00001000-00002000", "media": "media/ep1.wav"},
        {"utterance_id": "manifest_ep9_00003000-00004000", "media": None},
    ]


def test_a_manifest_says_where_its_recordings_are(
    project: Project, folder: Path, talk: Path, rows_of: RowsOf
) -> None:
    """From its own folder on; a path that leads out of it is none."""
    (folder / "lists").mkdir()
    (folder / "lists" / "sound").mkdir()
    (folder / "ep1.wav").rename(folder / "lists" / "sound" / "ep1.wav")
    (folder / "secret.wav").write_bytes((folder / "lists" / "sound" / "ep1.wav").read_bytes())
    lines = "media,start,end,text\nsound/ep1.wav,1,2,hi\n../secret.wav,1,2,no\nsound/ep7.wav,3,4,bye\n"
    (folder / "lists" / "all.csv").write_text(lines, "utf-8")
    imported = take(project, "manifest", folder / "lists" / "all.csv")
    assert [row["media"] for row in rows_of("utterances.parquet", "media")] == ["media/ep1.wav", None, None]
    assert [note for note in imported.notes if "not here" in note] == [
        "all.csv: 2 recordings are not here: secret.wav, ep7.wav",
    ]


def test_recordings_of_one_name_are_told_apart_by_their_folders(
    project: Project, folder: Path, talk: Path, rows_of: RowsOf
) -> None:
    """Each keeps its own sound; one that comes later is taken in by the same import."""
    (folder / "ep1.wav").unlink()
    lines = ["media,start,end,text", "train/1.wav,0.1,0.4,hi", "dev/1.wav,0.1,0.4,bye", "../1.wav,0,1,no"]
    (folder / "data.csv").write_text("\n".join([*lines, "train/2.wav,0,1,two"]), "utf-8")
    for name, seconds in (("train", 1), ("dev", 2)):
        (folder / name).mkdir()
        write_wav(folder / name / "1.wav", np.zeros(seconds * 16_000))
    write_wav(folder / "data.wav", np.zeros(16_000))
    take(project, "manifest", folder)
    columns = ("utterance_id", "media", "text")
    assert [tuple(row.values()) for row in rows_of("utterances.parquet", *columns)] == [
        ("manifest_train_1_00000100-00000400", "media/train/1.wav", "hi"),
        ("manifest_dev_1_00000100-00000400", "media/dev/1.wav", "bye"),
        ("manifest_.._1_00000000-00001000", None, "no"),
        ("manifest_2_00000000-00001000", None, "two"),
    ]
    for name in ("train", "dev"):
        assert project.path(f"media/{name}/1.wav").samefile(folder / name / "1.wav")
    assert import_source(project, "manifest", [folder]) is None
    write_wav(folder / "train" / "2.wav", np.zeros(16_000))
    take(project, "manifest", folder)
    assert [row["media"] for row in rows_of("utterances.parquet", "media")][2:] == [None, "media/2.wav"]


def test_two_names_of_one_recording_are_refused(project: Project, folder: Path, talk: Path) -> None:
    (folder / "data.csv").write_text("media,start,end,text\nep1.wav,1,2,a\n./x/ep1.wav,3,4,b\n", "utf-8")
    (folder / "x").mkdir()
    (folder / "x" / "ep1.wav").symlink_to("../ep1.wav")
    with pytest.raises(InputError, match=r"named in several ways: ep1.wav, x/ep1.wav"):
        import_source(project, "manifest", [folder])
    (folder / "data.csv").write_text("media,start,end,text\nep1.wav,1,2,a\nep1.mp4,3,4,b\n", "utf-8")
    with pytest.raises(InputError, match=r"differ by their ending alone: ep1.wav, ep1.mp4"):
        import_source(project, "manifest", [folder])


def test_rows_of_a_table_of_clips_are_whole_recordings(
    project: Project, folder: Path, talk: Path, rows_of: RowsOf
) -> None:
    """Their ids stay when their words are corrected; what two people say is not shared out."""
    shutil.copy(talk, folder / "ep2.wav")
    lines = ["file,words,who", "ep1.wav,- Ready for it? - Yes!,A", "ep2.wav,Good morning to you all,B"]
    (folder / "data.csv").write_text("\n".join(lines), "utf-8")
    columns = ["media=file", "text=words", "speaker=who"]
    take(project, "manifest", folder, columns=columns, rules=Rules(align=True, pause=0))
    rows = rows_of("utterances.parquet", "utterance_id", "speaker_id", "text", "start", "end", "media")
    assert [tuple(row.values()) for row in rows] == [
        (
            "manifest_ep1_00000000-00000000",
            "manifest:A",
            "- Ready for it? - Yes!",
            None,
            None,
            "media/ep1.wav",
        ),
        (
            "manifest_ep2_00000000-00000000",
            "manifest:B",
            "Good morning to you all",
            None,
            None,
            "media/ep2.wav",
        ),
    ]
    (folder / "data.csv").write_text("\n".join(lines).replace("you all", "you all!"), "utf-8")
    take(project, "manifest", folder, columns=columns)
    again = rows_of("utterances.parquet", "utterance_id")
    assert [row["utterance_id"] for row in again] == [row["utterance_id"] for row in rows]


def test_traditional_and_full_width_texts_stand_side_by_side_with_normal_ones(
    project: Project, folder: Path, rows_of: RowsOf
) -> None:
    cues = [
        (1, 2, "這個電視機裏，ＡＢＣ１２３"),
        (3, 4, "乾隆皇帝的后妃"),
        (5, 6, "学校でデジタル機器を見る"),
    ]
    (folder / "ep1.srt").write_bytes(srt(cues).encode("gb18030"))
    imported = take(project, "srt", folder)
    rows = rows_of("utterances.parquet")
    assert [one["text"] for one in rows] == ["这个电视机里，ABC123", "乾隆皇帝的后妃", cues[2][2]]
    assert [one["text_original"] for one in rows] == [text for _, _, text in cues]
    assert any("1 text(s) in traditional Chinese" in note for note in imported.notes)
    take(project, "srt", folder, rules=Rules(simplify=False))
    assert rows_of("utterances.parquet")[0]["text"] == "這個電視機裏，ABC123"


def test_ids_outlive_corrections_retiming_and_other_rules(
    project: Project, folder: Path, rows_of: RowsOf
) -> None:
    cues = [(1, 2, "A: I thought"), (2.1, 3, "A: you knew."), (4, 5, "B: Knew what?"), (20, 21, "A: That.")]
    path = folder / "ep1.srt"

    def ids(rules: Rules | None = None) -> dict[str, tuple[str, str]]:
        take(project, "srt", path, rules=rules)
        rows = rows_of("utterances.parquet", *FIELDS)
        return {one["text"]: (one["utterance_id"], one["dialogue_id"]) for one in rows}

    path.write_text(srt(cues), "utf-8")
    first = ids()
    assert list(first) == ["I thought you knew.", "Knew what?", "That."]
    separate = ids(Rules(gap=0))
    assert separate["Knew what?"] == first["Knew what?"]
    assert not {separate["I thought"], separate["you knew."]} & set(first.values())
    assert ids() == first
    moved = [(start + 1.7, end + 1.7, text.replace("Knew what?", "Knew that?")) for start, end, text in cues]
    path.write_text(srt([(0.5, 1.0, "B: Hm."), *moved]), "utf-8")
    again = ids()
    assert again["I thought you knew."] == first["I thought you knew."]
    assert again["Knew that?"] == first["Knew what?"]
    assert again["That."] == first["That."]
    assert again["Hm."][0] == "srt_ep1_00000500-00001000"


def test_the_same_files_give_the_same_bytes(tmp_path: Path, folder: Path) -> None:
    shutil.copy(SAMPLE / "en_s01e03.mp4", folder)
    shutil.copy(SAMPLE / "en_s01e03.srt", folder)
    written = []
    for name in ("one", "two"):
        made = Project.create(tmp_path / name, "affect")
        take(made, "srt", folder)
        tables = ("utterances", "dialogues", "speakers", "reports/quarantine")
        written.append([made.path(f"{table}.parquet").read_bytes() for table in tables])
        written[-1].append(made.path("reports/import.json").read_bytes())
    assert written[0] == written[1]


def test_two_transcripts_of_one_recording_are_refused(project: Project, folder: Path, talk: Path) -> None:
    for language in ("zh", "en"):
        (folder / f"ep1.{language}.srt").write_text(srt([(1, 2, "hello")]), "utf-8")
    with pytest.raises(InputError, match=r"several transcripts: ep1.en.srt, ep1.zh.srt"):
        import_source(project, "srt", [folder])
    take(project, "srt", folder / "ep1.en.srt")


def test_recordings_that_ids_cannot_tell_apart_are_refused(project: Project, folder: Path) -> None:
    for name in ("ep 1", "ep_1"):
        write_wav(folder / f"{name}.wav", np.zeros(16_000))
        (folder / f"{name}.srt").write_text(srt([(0.1, 0.5, name)]), "utf-8")
    with pytest.raises(InputError, match="tell these recordings apart: 'ep 1', 'ep_1'"):
        import_source(project, "srt", [folder])


def test_another_recording_of_the_same_name_is_refused(
    project: Project, tmp_path: Path, folder: Path
) -> None:
    write_wav(folder / "ep1.wav", np.zeros(16_000))
    (folder / "ep1.srt").write_text(srt([(0.1, 0.5, "hello")]), "utf-8")
    take(project, "srt", folder)
    other = tmp_path / "other"
    other.mkdir()
    write_wav(other / "ep1.wav", np.ones(32_000))
    (other / "ep1.srt").write_text(srt([(0.1, 0.5, "hello")]), "utf-8")
    with pytest.raises(InputError, match="another recording of this name is in media/ already"):
        import_source(project, "srt", [other], name="other")


def test_recordings_that_were_deleted_from_the_project_come_back(
    project: Project, folder: Path, talk: Path
) -> None:
    (folder / "ep1.srt").write_text(srt([(1, 2, "one")]), "utf-8")
    take(project, "srt", folder)
    assert import_source(project, "srt", [folder]) is None
    project.path("media/ep1.wav").unlink()
    take(project, "srt", folder)
    assert project.path("media/ep1.wav").samefile(talk)


def test_a_preview_changes_nothing(project: Project, folder: Path, talk: Path) -> None:
    (folder / "ep1.srt").write_text(
        srt(
            [
                (1, 2, "one,"),
                (2.1, 4, "two"),
                (5, 6, "[music]"),
                (10, 12, "- three\n- four"),
                (30, 31, "late"),
            ]
        ),
        "utf-8",
    )
    before = sorted(project.root.rglob("*"))
    arguments = ["import", "srt", str(folder), "--project", str(project.root), "--preview"]
    shown = CliRunner().invoke(app, [*arguments, "--json"])
    content = json.loads(shown.stdout)
    (one,) = content["recordings"]
    assert (one["rows"], one["utterances"], one["merged"], one["split"]) == (3, 3, 1, 1)
    assert [(change["change"], change["rows"], change["texts"]) for change in one["changes"]] == [
        ("merged", [1, 2], ["one,", "two"]),
        ("split", [4], ["three", "four"]),
    ]
    assert one["changes"][0]["pauses"] == [0.1]
    people = CliRunner().invoke(app, arguments).stdout
    assert "merged" in people
    assert "1: begins after the end of the recording (20 s)" in people
    assert "1 ignored: sounds only" in people
    assert "Nothing was changed" in people
    assert sorted(project.root.rglob("*")) == before
    with pytest.raises(InputError, match="only raw material has a preview"):
        read_raw("cmma", [folder])
    with pytest.raises(InputError, match="belong to raw material"):
        import_source(project, "cmma", [folder], rules=Rules())


def filled(sheet: Path, names: dict[str, str], encoding: str = "utf-8-sig", delimiter: str = ",") -> Path:
    """Fill in a sheet as a spreadsheet does."""
    lines = sheet.read_text("utf-8-sig").split("\n")
    for text, name in names.items():
        place = next(n for n, line in enumerate(lines) if text in line)
        cells = lines[place].split(",")
        cells[4] = name
        lines[place] = ",".join(cells)
    sheet.write_bytes("\n".join(lines).replace(",", delimiter).encode(encoding))
    return sheet


@pytest.mark.parametrize(("encoding", "delimiter"), [("utf-8-sig", ","), ("gb18030", ";"), ("utf-16", "\t")])
def test_speakers_are_filled_in_by_hand(
    project: Project, folder: Path, tmp_path: Path, rows_of: RowsOf, encoding: str, delimiter: str
) -> None:
    cues = [(1, 2, "你好啊朋友"), (3, 4, "=1+1"), (5, 6, "今天天气真好"), (7, 8, "我们走吧")]
    (folder / "ep1.srt").write_text(srt(cues), "utf-8")
    take(project, "srt", folder)
    sheet = tmp_path / "speakers.csv"
    assert speakers.write_sheet(project, sheet) == 4
    assert sheet.read_bytes().startswith(b"\xef\xbb\xbfutterance_id,dialogue_id,start,end,speaker,text\r\n")
    assert ",'=1+1\r\n" in sheet.read_text("utf-8-sig").replace("\n", "\r\n")
    with pytest.raises(InputError, match="this file is there already"):
        speakers.write_sheet(project, sheet)
    assert speakers.read_sheet(project, sheet) == 0
    filled(sheet, {"你好啊": "小明", "走吧": "路人"}, encoding, delimiter)
    assert speakers.read_sheet(project, sheet) == 2
    assert [one["speaker_id"] for one in rows_of("utterances.parquet")] == [
        "srt:小明",
        None,
        None,
        "srt:路人",
    ]
    assert [(one["name"], one["generic"]) for one in rows_of("speakers.parquet")] == [
        ("小明", False),
        ("路人", True),
    ]
    before = content_hash(project.path("speakers.parquet"))
    cues[2] = (5, 6, "今天天气真好啊")
    (folder / "ep1.srt").write_text(srt(cues), "utf-8")
    take(project, "srt", folder)  # what was filled in stays
    assert [one["speaker_id"] for one in rows_of("utterances.parquet")] == [
        "srt:小明",
        None,
        None,
        "srt:路人",
    ]
    assert content_hash(project.path("speakers.parquet")) == before
    second = tmp_path / "second.csv"
    speakers.write_sheet(project, second)
    assert speakers.read_sheet(project, filled(second, {"你好啊": "小红", "走吧": ""})) == 2
    assert [one["speaker_id"] for one in rows_of("utterances.parquet")] == ["srt:小红", None, None, None]
    changes = rows_of("speaker_changes.parquet")
    assert [(one["change"], one["before"], one["after"]) for one in changes] == [
        (1, None, "小明"),
        (1, None, "路人"),
        (2, "小明", "小红"),
        (2, "路人", None),
    ]


def test_a_sheet_that_does_not_fit_changes_nothing(project: Project, folder: Path, write: Write) -> None:
    (folder / "ep1.srt").write_text(srt([(1, 2, "hello")]), "utf-8")
    take(project, "srt", folder)
    key = "srt_ep1_00001000-00002000"
    path = write(f"utterance_id,speaker\n{key},A\n{key},B\nnobody,C\n", "s.csv")
    with pytest.raises(InputError) as caught:
        speakers.read_sheet(project, path)
    assert [(issue.row, issue.value) for issue in caught.value.issues] == [(2, key), (3, "nobody")]
    with pytest.raises(InputError, match="this file lacks a column"):
        speakers.read_sheet(project, write("id,speaker\n1,A\n", "t.csv"))
    assert not project.has(speakers.CHANGES)


def test_real_speech_with_subtitles_out_of_step(
    shared: Path, project: Project, folder: Path, rows_of: RowsOf
) -> None:
    import soundfile
    from scipy.signal import resample_poly

    rng = np.random.Generator(np.random.PCG64(2))
    pieces, cues, at = [np.zeros(32_000)], [], 2.0
    for path in sorted((shared / "data/nEMO/samples").glob("*.wav"))[:40]:
        sound = resample_poly(soundfile.read(path)[0], 2, 3)
        loud = np.flatnonzero(np.abs(sound) > 0.02 * np.abs(sound).max())
        sound = sound[loud[0] : loud[-1]]
        pause = round(16_000 * rng.uniform(0.2, 1.2))
        cues.append((at, at + len(sound) / 16_000, path.stem))
        pieces += [sound, np.zeros(pause)]
        at += (len(sound) + pause) / 16_000
    write_wav(folder / "talk.wav", np.concatenate(pieces) + rng.normal(0, 1e-4, sum(map(len, pieces))))
    (folder / "talk.srt").write_text(
        srt([(1.04 * s + 1.5, 1.04 * e + 1.5, text) for s, e, text in cues]), "utf-8"
    )
    imported = take(project, "srt", folder)
    assert imported.recordings[0]["alignment"]["verdict"] == "corrected"  # type: ignore[index]
    found = {one["text"]: one["start"] for one in rows_of("utterances.parquet")}
    assert max(abs(found[text] - start) for start, _, text in cues) < 0.1


def test_recordings_without_usable_sound(shared: Path, project: Project, folder: Path) -> None:
    shutil.copy(shared / "data/fer_video/test.mp4", folder / "faces.mp4")
    shutil.copy(shared / "data/av_clip/big_buck_bunny_small.mp4", folder / "rabbit.mp4")
    for name in ("faces", "rabbit"):
        cues = [(0.1 * n, 0.1 * n + 0.05, f"word {n}") for n in range(12)]
        (folder / f"{name}.srt").write_text(srt(cues), "utf-8")
    imported = take(project, "srt", folder)
    notes = "\n".join(imported.notes)
    assert "faces.srt: times as they stand: this recording has no sound (faces.mp4)" in notes
    assert "rabbit.srt: " in notes
    assert {one["media"] for one in imported.tables["utterances"].to_pylist()} == {
        "media/faces.mp4",
        "media/rabbit.mp4",
    }
