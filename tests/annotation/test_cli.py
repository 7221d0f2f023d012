"""The annotation command: what it prints, writes and refuses, and its exit status."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from typer.testing import CliRunner

from annotation.cli import app
from corpus.sample.packaged import create_sample
from schemas.errors import InputError
from schemas.project import Project
from schemas.tables import read_table, write_table

RUN = "import sys, affect_corpus; sys.argv[0] = 'annotation'; affect_corpus.annotation()"
TABLE = "i,r,d,v,e\nx,a,1,1,p|q\nx,b,1,2,p\ny,a,1,2,[]\ny,b,1,2,[]\nz,a,2,3,\nz,b,2,1,q\n"


def run(*words: object) -> str:
    result = CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout


def command(*words: object) -> subprocess.CompletedProcess[str]:
    """The command as a process of its own."""
    return subprocess.run(
        [sys.executable, "-c", RUN, *map(str, words)], capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return create_sample(tmp_path_factory.mktemp("cli") / "sample")[0]


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "r.csv"
    path.write_text(TABLE, "utf-8")
    return path


def test_help_loads_nothing_heavy():
    code = (
        "import sys, annotation.cli;"
        "print([m for m in ('numpy', 'pandas', 'pyarrow', 'scipy', 'datasets') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    for words in (["--help"], ["agreement", "--help"], ["aggregate", "--help"]):
        assert "Usage" in run(*words)


def test_agreement_of_a_project(sample):
    first = run("agreement", "--project", sample.root, "--n-boot", 20)
    assert "SIMULATED RATERS" in first
    assert all(field.name in first for field in sample.schema)
    assert "where it applies" in first
    assert "given its parts" in first
    written = sample.path("reports/agreement.json").stat().st_mtime_ns
    again = run("agreement", "--project", sample.root, "--n-boot", 20)
    assert "Nothing to do" in again
    assert sample.path("reports/agreement.json").stat().st_mtime_ns == written
    assert [line for line in first.splitlines() if "." in line][:5] == [
        line for line in again.splitlines() if "." in line
    ][:5]


def test_json_is_the_report_and_nothing_else(sample):
    content = json.loads(run("agreement", "--project", sample.root, "--n-boot", 20, "--json"))
    assert content == json.loads(sample.path("reports/agreement.json").read_text("utf-8"))
    some = json.loads(
        run("agreement", "--project", sample.root, "--n-boot", 20, "--field", "humor", "--json")
    )
    assert list(some["fields"]) == ["humor"]
    assert some["fields"]["humor"] == content["fields"]["humor"]


def test_a_condition_writes_nothing_into_the_project(sample):
    run("agreement", "--project", sample.root, "--n-boot", 20)
    before = sample.path("reports/agreement.json").read_bytes()
    out = run("agreement", "--project", sample.root, "--n-boot", 20, "--where", "language=zh", "--json")
    assert json.loads(out)["fields"]["humor"]["items"] < json.loads(before)["fields"]["humor"]["items"]
    assert sample.path("reports/agreement.json").read_bytes() == before


def test_files_are_written_where_asked_the_second_time_too(sample, tmp_path):
    for _ in range(2):
        out = run(
            "agreement", "--project", sample.root, "--n-boot", 20, "--field", "humor",
            "--csv", tmp_path / "a.csv", "--latex", tmp_path / "a.tex", "--html", tmp_path / "a.html",
        )  # fmt: skip
        assert out.count("wrote") >= 3
        assert (tmp_path / "a.csv").read_text("utf-8").startswith("field,level,value")
        assert "\\toprule" in (tmp_path / "a.tex").read_text("utf-8")
        assert (tmp_path / "a.html").read_bytes() == sample.path("reports/agreement.html").read_bytes()
        for path in tmp_path.iterdir():
            path.unlink()


def test_agreement_of_a_table(table):
    out = run(
        "agreement", "--ratings", table, "--item", "i", "--rater", "r", "--cluster", "d",
        "--field", "v:ordinal", "--field", "e:set", "--n-boot", 20,
    )  # fmt: skip
    assert "ordinal" in out
    assert "set" in out
    content = json.loads(run("agreement", "--ratings", table, "--item", "i", "--field", "e:set", "--json"))
    assert content["fields"]["e"]["ratings"] == 5
    assert content["fields"]["e"]["coefficients"]["cohen_kappa"]["reason"] == "raters are unknown"
    assert content["made_from"]["inputs"].keys() == {"r.csv"}


def test_reasons_are_said_in_words(tmp_path):
    path = tmp_path / "r.csv"
    path.write_text("i,r,v\nx,a,1\ny,a,1\n", "utf-8")
    out = run("agreement", "--ratings", path, "--item", "i", "--rater", "r", "--field", "v:nominal")
    assert "v: alpha: no item has two ratings" in out


@pytest.mark.parametrize(
    ("words", "messages"),
    [
        (["--ratings", "r.csv"], ["needs --item", "needs --field"]),
        (["--item", "i", "--rater", "r"], ["--item belongs to --ratings", "--rater belongs to --ratings"]),
        (["--ratings", "r.csv", "--item", "i", "--field", "v:level"], ["a field is COLUMN:LEVEL"]),
        (["--ratings", "no.csv", "--item", "i", "--field", "v:nominal"], ["no such file"]),
        (["--ratings", "r.csv", "--item", "I", "--field", "V:nominal"], ["'I'", "'V'"]),
        (
            ["--ratings", "r.csv", "--item", "i", "--field", "v:nominal", "--where", "d=9", "--where", "x"],
            ["no row has this value, got '9'; valid: 1, 2", "a condition is COLUMN=VALUE, got 'x'"],
        ),
        ([], ["not a project"]),
    ],
)
def test_wrong_usage_is_told_at_once(table, monkeypatch, words, messages):
    monkeypatch.chdir(table.parent)
    with pytest.raises(InputError) as found:
        CliRunner().invoke(app, ["agreement", *words], catch_exceptions=False)
    said = str(found.value)
    assert all(message in said for message in messages), said


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["pull", "--watch", "--json"], "without --json"),
        (["pull", "exported.json", "--watch"], "without files"),
        (["serve", "--backup", "a.tar", "--restore", "b.tar"], "not both"),
    ],
)
def test_options_that_exclude_each_other(sample, words, message):
    with pytest.raises(InputError, match=message):
        run(*words, "--project", sample.root)


def test_unknown_fields_of_a_project(sample):
    with pytest.raises(InputError) as found:
        run("agreement", "--project", sample.root, "--field", "mood", "--field", "tone")
    assert len(found.value.issues) == 2


def test_exit_statuses(table, tmp_path):
    bad = tmp_path / "bad.csv"
    bad.write_text("i,r,v\nx,a,1\nx,b,two\nx,b,inf\n", "utf-8")
    done = command("agreement", "--ratings", bad, "--item", "i", "--rater", "r", "--field", "v:interval")
    assert done.returncode == 2
    assert done.stderr.count("error:") == 2
    assert f"{bad}, row 2, column 'v': not a number, got 'two'" in done.stderr
    assert "Traceback" not in done.stderr
    done = command(
        "agreement", "--ratings", table, "--item", "i", "--field", "v:nominal", "--duplicates", "first"
    )
    assert done.returncode == 2
    assert command("agreement", "--ratings", table, "--item", "i", "--field", "v:nominal").returncode == 0
    nowhere = tmp_path / "no" / "x.csv"
    done = command("agreement", "--ratings", table, "--item", "i", "--field", "v:nominal", "--csv", nowhere)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_aggregate(sample):
    out = run("aggregate", "--project", sample.root)
    assert "undecided" in out
    counts = json.loads(run("aggregate", "--project", sample.root, "--json"))
    assert counts["changed"] is False
    for one in counts["fields"].values():
        assert sum(one.values()) == 198
    assert counts["fields"]["sarcasm_humor"]["not_applicable"] > 0
    assert "Nothing to do" in run("aggregate", "--project", sample.root)
    with pytest.raises(InputError, match="unknown method"):
        run("aggregate", "--project", sample.root, "--method", "coin")


def test_other_methods_and_a_threshold(sample):
    decided = json.loads(
        run(
            "aggregate",
            "--project",
            sample.root,
            "--method",
            "dawid_skene",
            "--min-agreement",
            "0.4",
            "--json",
        )
    )
    assert decided["labels"] == "labels/dawid_skene.parquet"
    assert decided["fields"]["sarcasm"]["undecided"] > 0
    used = "dawid_skene does not decide interval fields: gaussian_raters was used"
    assert f"valence, arousal, dominance: {used}" in decided["notes"]


def test_folders_may_have_any_name(sample, tmp_path):
    odd = tmp_path / "a[/b]"
    shutil.copytree(sample.root, odd)
    assert f"wrote {odd}/private/raters.html" in run("raters", "--project", odd)


def test_raters_timesheet_and_guidelines(sample):
    table = run("raters", "--project", sample.root)
    assert "simulated" in table
    assert sample.path("private/raters.html").stat().st_mode & 0o777 == 0o600
    assert json.loads(run("timesheet", "--project", sample.root, "--json"))["file"].startswith("private/")
    assert "No rating in 2026-03 says both who made it and when" in run(
        "timesheet", "--project", sample.root, "--month", "2026-03"
    )
    pages = [sample.path(f"reports/guidelines-{language}.html") for language in ("en", "zh")]
    run("guidelines", "--project", sample.root, "--language", "zh")
    assert [page.exists() for page in pages] == [False, True]
    assert json.loads(run("guidelines", "--project", sample.root, "--json"))["guidelines"] == [
        str(page) for page in pages
    ]
    assert all(page.stat().st_size > 20_000 for page in pages)


def test_notes_and_counts_are_the_same_the_second_time(sample):
    words = ("aggregate", "--project", sample.root, "--method", "glad")
    first, again = (json.loads(run(*words, "--json")) for _ in range(2))
    assert (first.pop("changed"), again.pop("changed")) == (True, False)
    assert first == again
    used = "glad does not decide interval fields: gaussian_raters was used"
    assert f"valence, arousal, dominance: {used}" in first["notes"]
    out = run(*words)
    assert all(note in out for note in first["notes"])
    assert "Nothing to do" in out


def test_names_of_fields_stand_in_one_line_beside_all_kinds(tmp_path, monkeypatch):
    project = create_sample(tmp_path / "p")[0]
    ratings = project.path("annotations/sample.parquet")
    table = read_table(ratings)
    alone = table.filter(pa.array([rater == "simulated-r1" for rater in table.column("rater").to_pylist()]))
    write_table(ratings, alone, alone.schema)
    monkeypatch.setattr("schemas.command_line.console._width", 80)
    out = run("aggregate", "--project", project.root)
    assert max(len(line) for line in out.splitlines() if line[:1] in "┏┡│└") <= 80
    assert all(f"│ {field.name} " in out for field in project.schema)
    assert "applicable" in out


def test_long_names_of_fields_are_whole_on_a_narrow_terminal(tmp_path, monkeypatch):
    project = create_sample(tmp_path / "p")[0]
    long = "how_far_the_speaker_seems_to_be_at_ease_with_the_others_in_the_room"
    schema = project.path("schema.yaml")
    schema.write_text(schema.read_text("utf-8").replace("arousal", long), "utf-8")
    ratings = project.path("annotations/sample.parquet")
    table = read_table(ratings)
    table = table.rename_columns([name.replace("arousal", long) for name in table.column_names])
    write_table(ratings, table, table.schema)
    monkeypatch.setattr("schemas.command_line.console._width", 80)
    out = run("aggregate", "--project", project.root)
    assert max(len(line) for line in out.splitlines() if line[:1] in "┏┡│└") <= 80
    cells = [line.split("│")[1].strip() for line in out.splitlines() if line.startswith("│")]
    assert long in "".join(cells)


def test_the_timesheet_shows_each_rater_s_month(tmp_path):
    project = create_sample(tmp_path / "p")[0]
    path = project.path("annotations/sample.parquet")
    table = read_table(path)
    start = datetime(2026, 3, 5, 1, tzinfo=UTC)
    times = [start + timedelta(minutes=place) for place in range(table.num_rows)]
    place = table.column_names.index("updated")
    field = table.schema.field("updated")
    write_table(path, table.set_column(place, field, pa.array(times, field.type)), table.schema)
    out = run("timesheet", "--project", project.root, "--month", "2026-03", "--zone", "Asia/Shanghai")
    rows = [line for line in out.splitlines() if "simulated-r" in line]
    assert len(rows) == 5
    assert all("2026-03" in line and "198" in line for line in rows)
