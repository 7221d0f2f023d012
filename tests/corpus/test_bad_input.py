"""Bad input through the real command: a clear message, exit status 2, and the project as it was before."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from corpus.importers import import_source
from schemas.project import Project
from schemas.tables import read_table

COMMAND = Path(sys.executable).with_name("corpus")
HEAD = "dialogue_id,utterance_id,speaker,text,start,end,sentiment\n"
SOUND = f"{HEAD}d1,u1,Ann,Hello,0,1,positive\nd1,u2,Bo,你好,1,2,neutral\n"

pytestmark = pytest.mark.skipif(not COMMAND.exists(), reason="the command is not installed here")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a sound project, to be copied."""
    folder = tmp_path_factory.mktemp("model")
    project = Project.create(folder / "project", "affect")
    (folder / "base.csv").write_text(SOUND.replace("d1,u", "base,base_u"), "utf-8")
    import_source(project, "table", [folder / "base.csv"], name="base")
    return project.root


@pytest.fixture
def place(model: Path, tmp_path: Path) -> Path:
    """Return a working directory that holds the sound project."""
    shutil.copytree(model, tmp_path / "project")
    return tmp_path


def state(project: Path) -> dict[str, bytes]:
    """Return every file of a project but its lock."""
    return {
        path.relative_to(project).as_posix(): path.read_bytes()
        for path in sorted(project.rglob("*"))
        if path.is_file() and path.name != ".lock"
    }


def run(
    place: Path, *words: str, before: Callable[[], None] | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run ``corpus`` in the working directory."""
    return subprocess.run(
        [COMMAND, *words],
        cwd=place,
        env={**os.environ, "COLUMNS": "200", **environment},
        preexec_fn=before,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )


def refused(place: Path, *words: str, **options: Any) -> list[str]:
    """Run a command that must fail and leave the project as it was; return its messages."""
    was = state(place / "project")
    done = run(place, *words, **options)
    assert done.returncode == 2, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert state(place / "project") == was
    assert not (place / "project" / ".staging").exists()
    return done.stderr.splitlines()


def refused_import(place: Path, content: str | bytes, *words: str, name: str = "t.csv") -> list[str]:
    """Import a table that must be refused."""
    (place / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return refused(place, "import", "table", name, "--project", "project", *words)


def test_missing_files_are_told_at_once(place: Path) -> None:
    assert refused(place, "import", "table", "one.csv", "two", "--project", "project") == [
        "error: one.csv: there is no such file or folder",
        "error: two: there is no such file or folder",
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "error: t.csv: this file is empty"),
        (HEAD, "error: t.csv: this file holds a header and no row"),
        (bytes(range(256)) * 9, "error: t.csv: this text is in no known encoding; valid: utf-8, gb18030"),
        (
            b"ab\0\0" * 500,
            "error: t.csv: this is not a text file: it holds many NUL bytes",
        ),
        (
            SOUND.replace(",", ":"),
            "error: t.csv: no column says what 'dialogue_id' is; map one with --map dialogue_id=COLUMN; "
            "valid: dialogue_id:utterance_id:speaker:text",
        ),
        (
            SOUND + "d1,u3,Ann,Bye,3,4,\nd1,u1,Ann,again,4,5,\n",
            "error: table: t.csv, row 4, column 'utterance_id': "
            "this utterance id stands in row 1 of t.csv too, got 'u1'",
        ),
        (
            SOUND.replace("d1,u", "base,base_u"),
            "error: table, dialogue_id: another source of this project has this id, got 'base'",
        ),
        (
            HEAD + 'd1,u1,Ann,"Hello,0,1,\nd1,u2,Bo,Hi,1,2,\n',
            "error: t.csv, row 1: a quotation mark opens in this row and is never closed",
        ),
        (
            HEAD + "d1,u1\nd1,u2\n,,,,,,\n",
            "error: table: no row of this source has an identity and a text; 2 x ",
        ),
    ],
    ids="empty header binary nul delimiter duplicate collision quote broken".split(),
)
def test_a_file_that_cannot_be_imported(place: Path, content: str | bytes, message: str) -> None:
    assert refused_import(place, content)[0].startswith(message)


def test_faults_of_a_map_name_what_would_be_valid(place: Path) -> None:
    messages = refused_import(place, SOUND, "--map", "txt=text", "--map", "emotion=Emotion")
    assert len(messages) == 1
    assert messages[0].startswith(
        "error: --map: unknown target of a map entry, got 'txt'; did you mean 'text'?"
    )
    messages = refused_import(place, SOUND, "--map", "emotion=Emotion")
    assert messages == [
        "error: t.csv: this file lacks a column, got 'Emotion'; "
        "valid: dialogue_id, utterance_id, speaker, text, start, end, sentiment"
    ]


def test_bad_cells_do_not_stop_an_import_and_are_told(place: Path) -> None:
    (place / "t.csv").write_text(f"{HEAD}d1,u1,Ann,Hello,soon,1,positiv\n", "utf-8")
    done = run(place, "import", "table", "t.csv", "--project", "project")
    assert done.returncode == 0
    assert (
        "1 sentiment: not one of negative, neutral, positive (first: 'positiv' in t.csv, row 1)"
        in done.stdout
    )
    assert "1 start: not a time, such as" in done.stdout


def test_many_faults_are_cut_short_for_people_and_not_for_programs(place: Path) -> None:
    rows = "".join(f"d1,u{number},Ann,Hello,,,\n" for number in [*range(60), *range(60)])
    messages = refused_import(place, HEAD + rows)
    assert len(messages) == 41
    assert messages[-1] == "error: and 20 more; --json lists them all"
    (line,) = refused_import(place, HEAD + rows, "--json")
    errors = json.loads(line)["errors"]
    assert len(errors) == 60
    assert (errors[0]["row"], errors[0]["column"], errors[0]["value"]) == (61, "utterance_id", "u0")
    assert errors[0]["text"].startswith("table: t.csv, row 61")


@pytest.mark.parametrize("words", [["check"], ["build"], ["import", "table", "t.csv"]])
def test_a_folder_that_is_no_project(place: Path, words: list[str]) -> None:
    (place / "t.csv").write_text(SOUND, "utf-8")
    (message,) = refused(place, *words)
    assert message.startswith("error: .: this folder is not a project: corpus.yaml and schema.yaml missing")
    assert sorted(path.name for path in place.iterdir()) == ["project", "t.csv"]


def test_a_broken_schema_is_told_with_all_its_faults(place: Path) -> None:
    path = place / "project" / "schema.yaml"
    path.write_text(path.read_text("utf-8").replace("type: ordinal", "type: ordnal", 1), "utf-8")
    messages = refused_import(place, SOUND)
    assert any("schema.yaml:" in one and "ordnal" in one and "ordinal" in one for one in messages)


def test_a_format_that_does_not_exist(place: Path) -> None:
    assert refused(place, "import", "cma", "t.csv", "--project", "project") == [
        "error: unknown format, got 'cma'; did you mean 'cmma'? valid: cmma, meld, lewidi, table, "
        "srt, vtt, ass, textgrid, eaf, whisperx, manifest"
    ]


def test_a_damaged_table_of_the_project(place: Path) -> None:
    (place / "project" / "utterances.parquet").write_bytes(b"PAR1")
    (message,) = refused_import(place, SOUND)
    assert "utterances.parquet: this is not a readable Parquet file" in message


def _small_files_only() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))


def test_a_full_disk(place: Path) -> None:
    rows = "".join(f"d{number},x{number},Ann,{os.urandom(30).hex()},,,\n" for number in range(2000))
    (place / "t.csv").write_text(HEAD + rows, "utf-8")
    words = ("import", "table", "t.csv", "--project", "project")
    (message,) = refused(place, *words, before=_small_files_only)
    assert message.endswith("(is the disk full?)")
    assert run(place, *words).returncode == 0


def test_a_project_that_may_not_be_written(place: Path) -> None:
    (place / "t.csv").write_text(SOUND, "utf-8")
    setpriv = shutil.which("setpriv")
    as_root = os.geteuid() == 0
    if as_root and not setpriv:
        pytest.skip("root may write everywhere")
    project = place / "project"
    (project / ".lock").unlink(missing_ok=True)
    project.chmod(0o555)
    # Root without this capability is a user like others.
    dropped = [setpriv, "--bounding-set=-dac_override", "--inh-caps=-dac_override"] if as_root else []
    was = state(project)
    try:
        done = subprocess.run(
            [*dropped, COMMAND, "import", "table", "t.csv", "--project", "project"],
            cwd=place,
            capture_output=True,
            text=True,
            check=False,
        )
    finally:
        project.chmod(0o755)
    assert done.returncode == 2, done.stderr
    assert done.stderr.endswith("project/.lock: Permission denied\n")
    assert state(project) == was


def test_two_commands_at_once(place: Path) -> None:
    project = Project(place / "project")
    (place / "t.csv").write_text(SOUND, "utf-8")
    with project.writing("corpus build"):
        done = run(place, "import", "table", "t.csv", "--project", "project")
    assert done.returncode == 2
    assert done.stderr == (
        f"error: project: 'corpus build' (process {os.getpid()}) is writing to this project; "
        "run this again when it is done\n"
    )
    assert not run(place, "import", "table", "t.csv", "--project", "project").returncode


def test_several_imports_started_together_lose_nothing(place: Path) -> None:
    """Each succeeds or says that another one is writing; what succeeded is there."""
    words = []
    for number in range(3):
        (place / f"t{number}.csv").write_text(SOUND.replace("d1,u", f"d{number},v{number}_"), "utf-8")
        words.append(
            [COMMAND, "import", "table", f"t{number}.csv", "--name", f"s{number}", "--project", "project"]
        )
    running = [
        subprocess.Popen(one, cwd=place, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        for one in words
    ]
    errors = [one.communicate()[1] for one in running]
    done = {f"s{number}" for number, one in enumerate(running) if one.returncode == 0}
    assert done
    assert all(not error or "is writing to this project" in error for error in errors)
    account = json.loads((place / "project" / "reports" / "import.json").read_text("utf-8"))
    assert set(account) == {"base", *done}
    sources = read_table(place / "project" / "dialogues.parquet")["source"].to_pylist()
    assert set(sources) == {"base", *done}


def test_an_interrupted_import(place: Path) -> None:
    rows = "".join(f"d{number},x{number},Ann,{number},,,\n" for number in range(60_000))
    (place / "t.csv").write_text(HEAD + rows, "utf-8")
    project = place / "project"
    was = state(project)
    running = subprocess.Popen(
        [COMMAND, "import", "table", "t.csv", "--project", "project"],
        cwd=place,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A shell's background jobs ignore Ctrl-C, and so would this one.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    while running.poll() is None and not (project / ".lock-holder").exists():
        time.sleep(0.005)
    running.send_signal(signal.SIGINT)
    _, errors = running.communicate()
    assert running.returncode == 2, errors
    assert errors.strip() == "error: interrupted; a step writes all of its files or none"
    assert not (project / ".staging").exists()
    assert state(project) == was
    assert not run(place, "status", "--project", "project").returncode


def test_the_reader_of_a_pipe_may_go_away(place: Path) -> None:
    for words in (["check"], ["status", "--json"], ["--help"]):
        running = subprocess.Popen(
            [COMMAND, *words, *([] if "--help" in words else ["--project", "project"])],
            cwd=place,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert running.stdout
        running.stdout.close()
        assert running.stderr
        assert running.stderr.read() == ""
        # Help is written by typer, which takes a closed pipe for a failure.
        assert running.wait() in ({0, 1} if "--help" in words else {0})
        running.stderr.close()


def test_a_terminal_without_chinese_letters(place: Path) -> None:
    (place / "t.csv").write_text(SOUND.replace("neutral", "中"), "utf-8")
    terminal = {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    for option in ([], ["--json"]):
        words = ["import", "table", "t.csv", "--name", f"n{len(option)}", "--project", "project", *option]
        done = run(place, *words, **terminal)
        assert "Traceback" not in done.stderr
        assert done.returncode == (2 if option else 0)  # the second one has ids of the first


def test_unknown_options_and_missing_arguments(place: Path) -> None:
    calls: Mapping[str, list[str]] = {
        "--colour": ["check", "--colour"],
        "FORMAT": ["import"],
        "imprt": ["imprt", "table", "t.csv"],
    }
    for shown, words in calls.items():
        done = run(place, *words)
        assert done.returncode == 2
        assert shown in done.stderr
        assert "Traceback" not in done.stderr


def test_square_brackets_in_names_are_shown_as_they_are(tmp_path: Path) -> None:
    """Rich would take [b] for bold, and show a path that is not there."""
    name = "p [b]"
    (tmp_path / "[x].csv").write_text(SOUND)
    steps = {
        "init": ["init", name],
        "import": ["import", "table", "[x].csv", "--name", "[red]s", "--project", name],
        "split": ["split", "--ratios", "1,0,0", "--project", name],
        "build": ["build", "--project", name],
        "report": ["report", "--project", name],
        "publish": ["publish", "--to", "out [i]", "--project", name],
    }
    done = {step: run(tmp_path, *words) for step, words in steps.items()}
    assert [one.stderr for one in done.values()] == [""] * len(steps)
    assert f"Project {name} made" in done["init"].stdout
    assert "[x].csv: utf-8" in done["import"].stdout
    assert "Source [red]s" in done["import"].stdout
    assert f'load_dataset("{name}/dataset")' in done["build"].stdout
    assert f"Report: {name}/reports/report.html" in done["report"].stdout
    assert "Published to out [i]: " in done["publish"].stdout


def test_findings_are_not_torn_on_a_narrow_terminal(place: Path) -> None:
    printed = run(place, "check", "--project", "project", COLUMNS="80").stdout.splitlines()
    assert max(map(len, printed)) <= 80
    severities = {"error", "warning", "info"}
    # What goes on in the next line stands under the sentence, not under the severity.
    assert all(line.split()[0] in severities or line.startswith("        ") for line in printed[:-1])


def test_a_table_that_lacks_a_field_of_an_edited_schema(place: Path) -> None:
    schema = place / "project" / "schema.yaml"
    field = (
        "  irony:\n    type: nominal\n    title: {en: Irony, zh: 反语}\n    absent: []\n"
        "    values: {a: {title: {en: A, zh: 甲}}, b: {title: {en: B, zh: 乙}}}\n"
    )
    assert not run(place, "split", "--ratios", "1,0,0", "--project", "project").returncode
    schema.write_text(schema.read_text("utf-8").replace("\nfields:\n", f"\nfields:\n{field}"), "utf-8")
    (message,) = refused(place, "build", "--project", "project")
    assert message.startswith("error: project: labels/published.parquet was made before schema.yaml changed;")
    assert message.endswith("run 'corpus import' again")


def test_the_sample_has_a_schema_of_its_own(tmp_path: Path) -> None:
    done = run(tmp_path, "init", "s", "--sample", "--schema", "cmma")
    assert done.returncode == 2
    assert "the sample has the schema affect; leave --schema out, got 'cmma'" in done.stderr
    assert not (tmp_path / "s").exists()
