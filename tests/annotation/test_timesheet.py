"""Working time: hand-made days with known sums, and what spreadsheets must not run."""

from __future__ import annotations

import csv
import io
import stat
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from annotation.cli import app
from annotation.rounds import TRAINING
from annotation.timesheet import WORK_HEAD, csv_text, timesheet, works, write_timesheet
from corpus.sample.packaged import create_sample
from schemas.errors import InputError
from schemas.tables import read_table, write_table

DAY = datetime(2026, 3, 5, 8, 0, tzinfo=UTC).timestamp()


def table(rows: list[tuple[str, str, float, float | None]], status: list[str] | None = None) -> pa.Table:
    """Ratings: rater, utterance, minutes after 8:00 UTC on 5 March 2026, seconds."""
    moments = [round(1000 * (DAY + 60 * minutes)) for _, _, minutes, _ in rows]
    kind = pa.timestamp("ms", tz="UTC")
    return pa.table(
        {
            "annotation_id": pa.array([f"a{n}" for n in range(len(rows))], pa.string()),
            "rater": pa.array([row[0] for row in rows], pa.string()),
            "round": pa.array(["main"] * len(rows), pa.string()),
            "utterance_id": pa.array([row[1] for row in rows], pa.string()),
            "status": pa.array(status or ["submitted"] * len(rows), pa.string()),
            "created": pa.array(moments, kind),
            "updated": pa.array(moments, kind),
            "seconds": pa.array([row[3] for row in rows], pa.float32()),
        }
    )


def test_a_morning_with_a_break() -> None:
    rows = [("a", "u1", 1, 60), ("a", "u2", 3, 90), ("a", "u3", 40, 120), ("a", "u4", 41, 30)]
    done = works(table(rows))
    # 60 s; 90 s and 30 s between; a break of 35 min before the third; 30 s and 30 s between.
    assert [one.active for one in done] == pytest.approx([60, 120, 120, 60])
    assert [one.idle for one in done] == pytest.approx([0, 0, 35 * 60, 0])
    assert [(one.sitting, one.position) for one in done] == [(1, 1), (1, 2), (2, 1), (2, 2)]
    day, month = timesheet(table(rows))
    assert (day.period, month.period) == ("2026-03-05", "2026-03")
    assert (day.items, day.sittings, day.longest_sitting_items) == (4, 2, 2)
    assert (day.active_minutes, day.idle_minutes) == (6.0, 35.0)
    assert (day.first, day.last) == ("2026-03-05 08:01", "2026-03-05 08:41")


def test_a_page_left_open_is_idle_and_nothing_is_counted_twice() -> None:
    left_open = works(table([("a", "u1", 60, 3000)]))
    assert (left_open[0].active, left_open[0].idle) == (300, 2700)
    # The second says 600 s, but only 60 s have passed since the first.
    assert [one.active for one in works(table([("a", "u1", 1, 10), ("a", "u2", 2, 600)]))] == [10, 60]
    # Nor where midnight, which stands 960 minutes after eight, lies between.
    assert [one.active for one in works(table([("a", "u1", 959, 10), ("a", "u2", 961, 600)]))] == [10, 120]


def test_ratings_of_one_page_are_one_submission() -> None:
    done = works(table([("a", f"u{n}", 10, 40) for n in range(10)]))
    assert sum(one.active for one in done) == pytest.approx(400)
    assert [one.position for one in done] == list(range(1, 11))
    assert {one.sitting for one in done} == {1}


def test_skipped_and_superseded_ratings_are_work() -> None:
    rows = [("a", "u1", 1, 30), ("a", "u1", 2, 30), ("a", "u2", 3, 30)]
    day = timesheet(table(rows, ["superseded", "submitted", "skipped"]))[0]
    assert (day.items, day.skipped, day.active_minutes) == (1, 1, 2.5)


def test_an_edit_is_charged_with_what_it_adds_when_it_was_made() -> None:
    rows = table([("a", "u1", 60, 60), ("a", "u1", 180, 90)], ["superseded", "submitted"])
    kept = pa.array([rows["created"][0].as_py()] * 2, rows["created"].type)  # every version keeps it
    rows = rows.set_column(rows.column_names.index("created"), "created", kept)
    rows = rows.set_column(0, "annotation_id", pa.array(["7@1", "7@2"]))
    done = works(rows)
    assert [(one.submitted.hour, one.active) for one in done] == [(9, 60), (11, 30)]
    # A version that says less than the one before it adds nothing.
    less = rows.set_column(rows.column_names.index("seconds"), "seconds", pa.array([60, 50], pa.float32()))
    assert [one.active for one in works(less)] == [60, 0]


def test_days_are_local_and_months_are_chosen() -> None:
    rows = [("a", "u1", 0, 30), ("a", "u2", 16 * 60 + 30, 30), ("a", "u3", 60 * 24 * 30, 30)]
    assert [one.period for one in timesheet(table(rows))] == [
        "2026-03-05", "2026-03-06", "2026-03", "2026-04-04", "2026-04",
    ]  # fmt: skip
    shanghai = timesheet(table([("a", "u1", 0, 30), ("a", "u2", 8 * 60 + 30, 30)]), zone="Asia/Shanghai")
    assert [one.period for one in shanghai] == ["2026-03-05", "2026-03-06", "2026-03"]
    assert [one.period for one in timesheet(table(rows), "2026-04")] == ["2026-04-04", "2026-04"]
    assert timesheet(table(rows), "2025-01") == []


@pytest.mark.parametrize(("month", "zone"), [("March", "UTC"), ("2026-13", "UTC"), (None, "Mars/Base")])
def test_no_such_month_or_zone(month: str | None, zone: str) -> None:
    with pytest.raises(InputError):
        timesheet(table([("a", "u1", 1, 30)]), month, zone)


def test_without_times_or_raters_there_is_nothing() -> None:
    rows = table([("a", "u1", 1, None)])
    assert works(rows)[0].active == 0
    empty = rows.set_column(rows.column_names.index("rater"), "rater", pa.nulls(1, pa.string()))
    assert timesheet(empty) == []
    assert csv_text([]).startswith("\ufeffrater,")


@given(
    st.lists(
        st.tuples(
            st.sampled_from("ab"), st.sampled_from(["u1", "u2"]), st.integers(0, 3000), st.floats(0, 4000)
        ),
        max_size=12,
    )
)
def test_no_more_time_than_the_clock_shows(rows: list[Any]) -> None:
    for line in timesheet(table(rows)):
        if len(line.period) == 10:
            clock = datetime.fromisoformat(line.last) - datetime.fromisoformat(line.first)
            mine = [row for row in rows if row[0] == line.rater]
            first = max((row[3] for row in mine), default=0) * len(mine) / 60
            assert line.active_minutes + line.idle_minutes <= clock.total_seconds() / 60 + first + 2


def test_csv_opens_in_excel_and_runs_nothing() -> None:
    names = ["王小明", "=HYPERLINK(1)", "+1", "-1", "@SUM(A1)", " =1", "\t=1", 'a,"b"']
    text = csv_text(timesheet(table([(name, "u1", 1, 30) for name in names])))
    assert text.encode().startswith(b"\xef\xbb\xbf")
    rows = list(csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline="")))
    assert {row[0] for row in rows[1:]} == {
        "王小明", "'=HYPERLINK(1)", "'+1", "'-1", "'@SUM(A1)", "' =1", "'\t=1", 'a,"b"',
    }  # fmt: skip


def test_each_rating_is_written_with_sitting_and_position() -> None:
    done = works(table([("a", "u1", 1, 60), ("a", "u2", 40, 120.25)]))
    rows = list(csv.reader(io.StringIO(csv_text(done, WORK_HEAD).removeprefix("\ufeff"), newline="")))
    assert rows == [
        list(WORK_HEAD),
        ["a", "main", "u1", "False", "2026-03-05 08:01:00", "60.0", "0.0", "1", "1"],
        ["a", "main", "u2", "False", "2026-03-05 08:40:00", "120.2", "2219.8", "2", "1"],
    ]


def test_names_stand_whole_on_a_narrow_terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project, _ = create_sample(tmp_path / "p")
    rated = read_table(project.path("annotations/sample.parquet")).slice(0, 2)
    moment = pa.array([datetime(2026, 3, 5, 8, tzinfo=UTC)] * 2, pa.timestamp("ms", tz="UTC"))
    names = ["标注员" * 12 + "甲", "标注员" * 12 + "乙"]
    for name, column in (("updated", moment), ("rater", pa.array(names))):
        rated = rated.set_column(rated.column_names.index(name), name, column)
    write_table(project.path("annotations/sample.parquet"), rated, rated.schema)
    monkeypatch.setenv("COLUMNS", "80")
    shown = CliRunner().invoke(app, ["timesheet", "--project", str(project.root)], catch_exceptions=False)
    assert "甲" in shown.stdout
    assert "乙" in shown.stdout


def test_training_is_work_too(tmp_path: Path) -> None:
    project, _ = create_sample(tmp_path / "p")
    rated = read_table(project.path("annotations/sample.parquet")).slice(0, 1)
    moment = pa.array([datetime(2026, 3, 5, 8, tzinfo=UTC)], pa.timestamp("ms", tz="UTC"))
    for name in ("created", "updated"):
        rated = rated.set_column(rated.column_names.index(name), name, moment)
    project.path("private").mkdir(exist_ok=True)
    write_table(project.path(TRAINING), rated, rated.schema)
    lines, _ = write_timesheet(project)
    assert [(one.period, one.items) for one in lines] == [("2026-03-05", 1), ("2026-03", 1)]
    work = project.path("private/work-all.csv")
    assert stat.S_IMODE(work.stat().st_mode) == 0o600
    assert len(work.read_text("utf-8-sig").splitlines()) == 2


def test_a_project(tmp_path: Path) -> None:
    project, _ = create_sample(tmp_path / "p")
    lines, name = write_timesheet(project, "2026-03", "Asia/Shanghai")
    assert name == "private/timesheet-2026-03.csv"
    assert stat.S_IMODE(project.path(name).stat().st_mode) == 0o600
    assert lines == []  # the sample's ratings have no times
