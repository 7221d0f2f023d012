"""The status says who did what, who drifts, who answers the same whatever is asked, and what is confused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from io import StringIO

import pyarrow as pa
import pytest
from rich.cells import cell_len
from rich.console import Console

from annotation import differences, progress_page, rounds
from annotation.assignment import Stop
from annotation.differences import Confused, Example, Examples, FieldProgress, field_progress, most_confused
from annotation.progress import RaterProgress, Status, project_status
from annotation.progress_page import status_page
from annotation.progress_text import status_parts
from annotation.pushing import Clips
from annotation.rounds import Round
from annotation.sheet import Design
from schemas import InputError
from schemas import project as folder
from schemas.project import Project
from schemas.records import RATERS, Condition, Context, annotations_schema
from schemas.tables import from_rows, read_table, write_table
from tests.annotation.served import SCHEMA, small_project

VALUES = ("negative", "neutral", "positive")
START = datetime(2026, 3, 2, 9, tzinfo=UTC)


def rating(rater, utterance, place, value, *, status="submitted", name="main", seconds=10.0):
    moment = START + timedelta(seconds=20 * place)
    return {
        "annotation_id": f"{rater}-{utterance}-{name}-{status}",
        "utterance_id": utterance,
        "rater": rater,
        "condition": "text",
        "context": "past",
        "round": name,
        "status": status,
        "created": moment,
        "updated": moment,
        "seconds": seconds,
        "sentiment": value,
        "sentiment_missing": None if value else "not_rated",
        "sarcasm": None,
        "sarcasm_missing": "not_rated",
    }


def ratings_of(project, answer):
    """Three raters rate everything; ``answer`` says what, from rater, place and the truth."""
    ids = read_table(project.path(folder.UTTERANCES)).column("utterance_id").to_pylist()
    return [
        rating(rater, utterance, place, answer(rater, place, len(ids), VALUES[place % 3]))
        for rater in ("r1", "r2", "r3")
        for place, utterance in enumerate(ids)
    ]


@pytest.fixture
def project(tmp_path):
    return small_project(tmp_path / "p", dialogues=8, schema=SCHEMA)


def measured(project, rows):
    table = from_rows(rows, annotations_schema(project.schema))
    found = field_progress(table, project.schema, Examples({}, Clips(project)))
    return {(one.rater, one.field): one for one in found}


def test_raters_who_agree_have_full_agreement_and_no_drift(project):
    found = measured(project, ratings_of(project, lambda rater, place, of, truth: truth))
    for rater in ("r1", "r2", "r3"):
        one = found[rater, "sentiment"]
        assert (one.agreement, one.drift, one.tiring, one.constant) == (1.0, 0.0, 0.0, False)
        assert one.run[1] == 1
        assert (rater, "sarcasm") not in found, "nobody was asked"


def test_a_rater_who_tires_and_drifts_is_seen_and_the_others_are_not(project):
    def answer(rater, place, of, truth):
        return VALUES[(VALUES.index(truth) + 1) % 3] if rater == "r2" and place > of / 2 else truth

    found = measured(project, ratings_of(project, answer))
    assert found["r2", "sentiment"].drift == pytest.approx(-1.0)
    assert found["r2", "sentiment"].tiring < -0.9
    assert found["r1", "sentiment"].agreement > found["r2", "sentiment"].agreement


def test_a_constant_rater_is_seen_though_a_common_value_is_none(project):
    found = measured(
        project, ratings_of(project, lambda rater, place, of, truth: "neutral" if rater == "r3" else truth)
    )
    assert found["r3", "sentiment"].constant
    assert found["r3", "sentiment"].run[0] == "neutral"
    ids = read_table(project.path(folder.UTTERANCES)).column("utterance_id").to_pylist()
    assert [one.utterance_id for one in found["r3", "sentiment"].examples] == ids[:5]
    assert found["r1", "sentiment"].examples == ()
    assert not found["r1", "sentiment"].constant
    same = measured(project, ratings_of(project, lambda *_: "neutral"))
    assert same["r1", "sentiment"].run[1] > differences.LONG_RUN
    assert not any(one.constant for one in same.values())


def test_the_confused_definitions_come_with_utterances_to_look_at(project):
    def answer(rater, place, of, truth):
        return "neutral" if rater == "r1" and truth == "negative" and place < 30 else truth

    rows = ratings_of(project, answer)
    (project.root / "clips").mkdir()
    names = [row["utterance_id"] for row in rows if row["rater"] == "r1"][:30:3]
    (project.root / "clips" / f"{names[0]}.mp4").write_bytes(b"")
    table = from_rows(rows, annotations_schema(project.schema))
    examples = Examples({names[0]: "words"}, Clips(project))
    found = list(most_confused(table, project.schema["sentiment"], examples))
    assert [(one.first, one.second, one.count) for one in found] == [("negative", "neutral", 20)]
    assert found[0].examples[0] == Example(names[0], "words", f"clips/{names[0]}.mp4")
    assert [one.utterance_id for one in found[0].examples] == names[:5]


def test_the_whole_status_counts_and_is_written(project):
    utterances = read_table(project.path(folder.UTTERANCES)).to_pylist()
    ids = [row["utterance_id"] for row in utterances]
    dialogues = list(dict.fromkeys(row["dialogue_id"] for row in utterances))
    queue = (*(Stop(name) for name in dialogues), Stop(dialogues[0], 2))
    asked = sum(not row["context_only"] for row in utterances)
    twice = sum(not row["context_only"] for row in utterances if row["dialogue_id"] == dialogues[0])
    made = Round(
        "main", 1, "http://x", ("sentiment", "sarcasm"), "1.0.0", "1.0.0", Design.UTTERANCE, Condition.TEXT,
        Context.PAST, 20, 3, 0.1, 0, None, {"r1": "en", "r2": "en"}, {"r1": queue, "r2": queue},
    )  # fmt: skip
    rounds.write_round(project, made)
    rows = [rating("r1", name, place, "neutral") for place, name in enumerate(ids[:12])]
    rows += [rating("r1", name, 500 + place, "neutral") for place, name in enumerate(ids[12:15])]
    rows += [rating("r1", ids[15], 1000, None, status="skipped")]
    rows += [rating("r1", ids[0], 0, "positive", status="superseded")]
    rows += [rating("r1", ids[0], 1010, "neutral", name="main-repeat")]
    rows += [rating("r2", name, place, "negative") for place, name in enumerate(ids[:6])]
    table = from_rows(rows, annotations_schema(project.schema))
    (project.root / "annotations").mkdir()
    write_table(project.path("annotations/label-studio.parquet"), table, annotations_schema(project.schema))
    status = project_status(project)
    first, second = status.raters
    assert (first.assigned, first.done, first.skipped) == (asked + twice, 16, 1)
    assert (second.assigned, second.done, second.skipped, second.sittings) == (asked + twice, 6, 0, 1)
    assert first.sittings == 3
    assert first.idle_minutes > 60 > first.active_minutes > 1
    written = progress_page.write_status(project)
    page = project.path(progress_page.HTML_FILE).read_text("utf-8")
    assert page == status_page(written)
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert "label-studio" not in page
    paths = [project.path(name) for name in (progress_page.HTML_FILE, progress_page.JSON_FILE)]
    before = [path.read_bytes() for path in paths]
    progress_page.write_status(project)
    assert [path.read_bytes() for path in paths] == before

    assert not written.simulated
    people = [{"rater": "r2", "source": "sample", "attributes": [("simulated", "true")]}]
    write_table(project.path(folder.RATERS), from_rows(people, RATERS), RATERS)
    status = project_status(project)
    assert status.simulated == ("r2",)
    assert "SIMULATED RATERS" in status_page(status)
    assert any("SIMULATED RATERS" in str(part) for part in status_parts(status))


EXAMPLE = Example("第三集-场景02-话17", "你可真行啊，这都能忘！ " * 5, "clips/第三集/话17.mp4")
LONG = Status(
    "p",
    (RaterProgress("main-with-a-long-name", "label-studio:r1", 12000, 9000, 120, 3, 14, 4321.0, 99.0, 31,
                   (EXAMPLE,)),),
    (
        FieldProgress("label-studio:r1", "perceived_emotion_of_the_speaker", 12345, 0.51, -0.21, -0.1,
                      ("表面恭维实则讽刺", 31), constant=True, examples=(EXAMPLE,)),
        FieldProgress("label-studio:r10", "perceived_emotion_of_the_speaker", 345, None, None, None,
                      ("[]", 3), constant=False),
    ),
    (Confused("perceived_emotion_of_the_speaker", "[bold]", "表面恭维实则讽刺", 31, 2.4, (EXAMPLE,)),),
)  # fmt: skip


def test_the_status_can_be_read_at_80_columns():
    """Chinese letters take two columns; names go on in the next line, numbers stand whole in one."""
    console = Console(width=80, file=StringIO(), legacy_windows=False)
    for part in status_parts(LONG):
        console.print(part)
    shown = console.file.getvalue()
    assert max(cell_len(line) for line in shown.splitlines()) <= 80
    for text in ("9,000/12,000", " 75% ", "72:01", " 1:39 ", "12,345", "−0.21", " 31! ", "r10", "2.40"):
        assert text in shown, shown
    folded = "".join(shown.split())
    assert "main-with-a-long-name" in folded
    assert "[bold]/表面恭维实则讽刺" in folded
    assert "…" in shown, "a long text is cut"
    assert "label-studio" not in shown
    findings = shown.partition("Look at\n")[2].splitlines()
    assert [line.partition("  ")[0] for line in findings[:3]] == [
        "r1, perceived_emotion_of_the_speaker: 31 × 表面恭维实则讽刺 in a row",
        "r1, round main-with-a-long-name: 14 faster than anybody can",
        "perceived_emotion_of_the_speaker: [bold] or 表面恭维实则讽刺?",
    ]
    assert findings[3].startswith("  clips/第三集/话17.mp4  你可真行啊"), "findings name utterances"


def test_the_page_links_the_clips_to_look_at():
    page = status_page(LONG)
    assert page.count('href="../clips/%E7%AC%AC%E4%B8%89%E9%9B%86/%E8%AF%9D17.mp4"') == 3
    assert "31 × 表面恭维实则讽刺 in a row" in page
    assert "14 faster than anybody can" in page


def test_before_the_first_round_and_before_the_first_pull(tmp_path):
    project = Project.create(tmp_path / "q")
    with pytest.raises(InputError, match="no round was set up"):
        project_status(project)
    other = small_project(tmp_path / "p", dialogues=2)
    ids = read_table(other.path(folder.DIALOGUES)).column("dialogue_id").to_pylist()
    queue = tuple(Stop(name) for name in ids)
    made = Round(
        "main", 1, "http://x", ("sentiment",), "1", "1", Design.UTTERANCE, Condition.TEXT, Context.PAST, 9, 1,
        0.0, 0, None, {"r1": "en"}, {"r1": queue},
    )  # fmt: skip
    rounds.write_round(other, made)
    status = project_status(other)
    assert isinstance(read_table(other.path(folder.UTTERANCES)), pa.Table)
    assert [(one.done, one.skipped, one.active_minutes) for one in status.raters] == [(0, 0, 0.0)]
    assert (status.fields, status.confused) == ((), ())
    assert "main" in status_page(status)
