"""The project folder: lock, staging, what a kill or a full disk leaves, settings, staleness."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pytest

import schemas
from schemas import InputError
from schemas.definition import definition_text, load_schema
from schemas.project import Project, parse_settings
from schemas.tables import read_table, write_table

ROOT = Path(schemas.__file__).parents[1]
NUMBERS = pa.schema([("a", pa.int64())])


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Return a project that holds a table, a dataset and a report."""
    made = Project.create(tmp_path / "my", "meld")
    with made.writing("corpus test") as staging:
        write_numbers(staging / "splits.parquet", 1)
        write_numbers(staging / "labels/published.parquet", 1)
        write_numbers(staging / "dataset/data/train.parquet", 1)
        write_numbers(staging / "dataset/data/test.parquet", 1)
    return made


def write_numbers(path: Path, *numbers: int) -> None:
    write_table(path, pa.table({"a": numbers}, schema=NUMBERS), NUMBERS)


def contents(project: Project) -> dict[str, bytes]:
    """Return every file of a project but the lock's own."""
    files = (path for path in project.root.rglob("*") if path.is_file() and path.name != ".lock")
    return {path.relative_to(project.root).as_posix(): path.read_bytes() for path in files}


def numbers(project: Project, name: str) -> list[int]:
    found: list[int] = read_table(project.path(name))["a"].to_pylist()
    return found


PRELUDE = """
import os, resource, signal, sys
from pathlib import Path
import pyarrow as pa
from schemas.project import Project
from schemas.tables import write_table

schema = pa.schema([("a", pa.int64())])
project = Project(sys.argv[1])

def write_numbers(path, *numbers):
    write_table(path, pa.table({"a": numbers}, schema=schema), schema)

def kill():
    os.kill(os.getpid(), signal.SIGKILL)
"""


def start(project: Project, code: str) -> subprocess.Popen[str]:
    """Run code on a project in another process."""
    return subprocess.Popen(
        [sys.executable, "-c", PRELUDE + textwrap.dedent(code), str(project.root)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


# -- writing -----------------------------------------------------------------------------------------------


def test_what_a_block_writes_takes_its_place_when_it_ends(project: Project) -> None:
    with project.writing("corpus build") as staging:
        write_numbers(staging / "splits.parquet", 2)
        write_numbers(staging / "dataset/data/train.parquet", 2)
        write_numbers(staging / "reports/new.parquet", 2)
        assert numbers(project, "splits.parquet") == [1]
        assert not project.has("reports/new.parquet")
    assert numbers(project, "splits.parquet") == [2]
    assert numbers(project, "reports/new.parquet") == [2]
    assert numbers(project, "labels/published.parquet") == [1]
    # The dataset is replaced as a whole.
    assert [path.name for path in project.path("dataset").rglob("*.parquet")] == ["train.parquet"]
    assert not project.has(".staging")
    assert not project.has(".lock-holder")


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, InputError])
def test_a_block_that_raises_leaves_every_file_as_it_was(
    project: Project, error: type[BaseException]
) -> None:
    before = contents(project)

    def fail() -> None:
        with project.writing("corpus build") as staging:
            write_numbers(staging / "splits.parquet", 2)
            write_numbers(staging / "dataset/data/train.parquet", 2)
            raise error("no")

    with pytest.raises(error):
        fail()
    assert contents(project) == before
    with project.writing("corpus build") as staging:
        assert list(staging.iterdir()) == []


def test_a_second_writer_in_another_process_gets_a_clear_message(project: Project) -> None:
    other = start(
        project,
        """
        with project.writing("corpus import") as staging:
            write_numbers(staging / "splits.parquet", 2)
            print("ready", flush=True)
            sys.stdin.read()
        """,
    )
    assert other.stdout is not None
    assert other.stdout.readline() == "ready\n"
    before = contents(project)
    with pytest.raises(InputError) as caught, project.writing("corpus split"):
        pass
    assert str(caught.value) == (
        f"{project.root}: 'corpus import' (process {other.pid}) is writing to this project; "
        "run this again when it is done"
    )
    assert contents(project) == before
    assert other.communicate("")[1] == ""
    assert numbers(project, "splits.parquet") == [2]
    with project.writing("corpus split") as staging:
        write_numbers(staging / "splits.parquet", 3)
    assert numbers(project, "splits.parquet") == [3]


def test_a_writer_that_died_holds_nothing(project: Project) -> None:
    other = start(project, "with project.writing('corpus import'): kill()")
    assert other.wait() == -signal.SIGKILL
    with project.writing("corpus split") as staging:
        write_numbers(staging / "splits.parquet", 3)
    assert numbers(project, "splits.parquet") == [3]


# Every step of the commit at which a command may be killed: the note of what is to be moved takes its name
# (1), then the old dataset moves away (2), the new one comes (3), labels (4) and splits (5) come, the note
# goes (6).
@pytest.mark.parametrize("step", [0, 1, 2, 3, 4, 5, 6])
def test_a_killed_command_is_undone_or_finished_by_the_next_writer(project: Project, step: int) -> None:
    before = contents(project)
    other = start(
        project,
        f"""
        steps = 0

        def counted(function):
            def call(path, *rest, **more):
                global steps
                steps += ".staging" in path.parts or "dataset" == path.name
                if steps == {step}:
                    kill()
                return function(path, *rest, **more)
            return call

        with project.writing("corpus build") as staging:
            write_numbers(staging / "splits.parquet", 2)
            write_numbers(staging / "labels/published.parquet", 2)
            write_numbers(staging / "dataset/data/train.parquet", 2)
            if {step} == 0:
                kill()
            Path.rename = counted(Path.rename)
            Path.unlink = counted(Path.unlink)
        """,
    )
    assert other.communicate()[1] == ""
    assert other.returncode == -signal.SIGKILL
    with project.writing("corpus status"):
        pass
    after = contents(project)
    if step < 2:
        assert after == before
    else:
        for name in ("splits.parquet", "labels/published.parquet", "dataset/data/train.parquet"):
            assert numbers(project, name) == [2]
        assert after.keys() == before.keys() - {"dataset/data/test.parquet"}


@pytest.mark.parametrize("moment", ["while a table is written", "when all is written"])
def test_a_full_disk_leaves_the_project_as_it_was(project: Project, moment: str) -> None:
    before = contents(project)
    other = start(
        project,
        f"""
        import errno
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

        def fill(size):
            resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

        try:
            with project.writing("corpus build") as staging:
                write_numbers(staging / "splits.parquet", 2)
                if {moment == "while a table is written"}:
                    fill(50_000)
                    many = (n * 7919 % 1_000_003 for n in range(200_000))
                    write_numbers(staging / "utterances.parquet", *many)
                fill(0)
        except OSError as error:
            sys.exit(3 if error.errno == errno.EFBIG else f"{{error.errno}} {{error}}")
        """,
    )
    errors = other.communicate()[1]
    assert (other.returncode, errors) == (3, "")
    assert contents(project) == before
    with project.writing("corpus build") as staging:
        write_numbers(staging / "splits.parquet", 4)
    assert numbers(project, "splits.parquet") == [4]


# -- what is a project -------------------------------------------------------------------------------------


def test_a_new_project_has_its_schema_settings_and_ignored_files(tmp_path: Path) -> None:
    made = Project.create(tmp_path / "语料 one", "affect")
    assert made.path("schema.yaml").read_text("utf-8") == definition_text("affect")[0]
    assert made.schema == load_schema("affect")
    assert made.settings.name == "语料 one"
    assert "/private/" in made.path(".gitignore").read_text().splitlines()
    assert made.annotation_files() == made.label_files() == []


def test_a_project_is_made_in_a_new_or_empty_folder_only(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    Project.create(tmp_path / "empty")
    with pytest.raises(InputError, match="a project is made in a new or empty folder"):
        Project.create(tmp_path / "empty")
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="a project is made in a new or empty folder"):
        Project.create(tmp_path / "file")
    with pytest.raises(InputError, match="there is no shipped schema"):
        Project.create(tmp_path / "new", "afect")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("lacking", ["corpus.yaml", "schema.yaml"])
def test_another_folder_is_not_a_project(project: Project, tmp_path: Path, lacking: str) -> None:
    project.path(lacking).unlink()
    with pytest.raises(InputError) as caught:
        Project(project.root)
    assert str(caught.value) == (
        f"{project.root}: this folder is not a project: {lacking} missing; "
        "make one with 'corpus init DIR', or name one with --project DIR"
    )
    for place in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(InputError, match=r"corpus\.yaml and schema\.yaml missing"):
            Project(place)


def test_what_a_step_needs_names_the_command_that_makes_it(project: Project) -> None:
    assert project.require("splits.parquet", "corpus split") == project.root / "splits.parquet"
    with pytest.raises(InputError, match=r"utterances\.parquet is not there yet; 'corpus import' makes it"):
        project.require("utterances.parquet", "corpus import")


# -- settings ----------------------------------------------------------------------------------------------

BROKEN = """\
title: A corpus
licenze: mit
version: [1, 0]
languages: zh
sources:
  cmma:
    licence: cc-by-4.0
    right: none
    ethics: [a, b]
  meld: gpl
name:
"""

MESSAGES = """\
corpus.yaml:2: unknown setting, got 'licenze'; did you mean 'licence'? valid: name, version, title, description, languages, licence, citation, labels, media, sources, rounds
corpus.yaml:3, version: a text is expected here, got ['1', '0']
corpus.yaml:4, languages: a list is expected here, such as [zh, en], got 'zh'
corpus.yaml:8: unknown key of a source, got 'right'; did you mean 'rights'? valid: licence, rights, ethics, citation
corpus.yaml:9, ethics: a text is expected here, got ['a', 'b']
corpus.yaml:10, meld: what is known of a source is a mapping, got 'gpl'; valid: licence, rights, ethics, citation
corpus.yaml:11, name: the corpus needs a name
"""  # noqa: E501 - messages are one line each


def test_broken_settings_get_every_fault_at_once() -> None:
    with pytest.raises(InputError) as caught:
        parse_settings(BROKEN, "corpus.yaml")
    text = "\n".join(str(issue) for issue in caught.value.issues)
    assert text == MESSAGES.strip(), f"the messages are now:\n{text}"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "a mapping of settings is expected here"),
        (b"- a", "a mapping of settings is expected here"),
        (b"name: [x", "this is not valid YAML"),
        (b"name: a\nname: b", "corpus.yaml:2: this key stands here twice"),
        (b"name: \xff", "this is not UTF-8 text"),
        (b"name: ''", "the corpus needs a name"),
        (b"name: a\nlanguages: [[zh]]", "a list is expected here"),
        (b"name: a\nsources: [a]", "a mapping of sources is expected here"),
    ],
)
def test_settings_that_cannot_be_read(project: Project, content: bytes, message: str) -> None:
    project.path("corpus.yaml").write_bytes(content)
    again = Project(project.root)
    with pytest.raises(InputError) as caught:
        _ = again.settings
    assert message in str(caught.value)
    assert str(project.path("corpus.yaml")) in str(caught.value)


def test_settings_are_read_as_texts() -> None:
    settings = parse_settings(
        "name: '007'\nversion: 1.10\nlanguages: [zh, no]\nlicence:\nsources: {a: {rights: yes}}", "c"
    )
    assert (settings.name, settings.version, settings.languages) == ("007", "1.10", ("zh", "no"))
    assert settings.licence == "other"
    assert settings.sources == {"a": {"rights": "yes"}}


def test_which_labels_are_built(project: Project) -> None:
    assert project.labels_built() == "labels/published.parquet"
    shutil.copy(project.path("labels/published.parquet"), project.path("labels/majority.parquet"))
    with pytest.raises(InputError, match=r"which labels to build; valid: majority, published"):
        project.labels_built()
    settings = project.path("corpus.yaml").read_text("utf-8")
    for name, problem in (("majority", None), ("majorty", "did you mean 'majority'")):
        project.path("corpus.yaml").write_text(settings.replace('labels: ""', f"labels: {name}"), "utf-8")
        again = Project(project.root)
        if problem is None:
            assert again.labels_built() == "labels/majority.parquet"
        else:
            with pytest.raises(InputError, match=problem):
                again.labels_built()
    shutil.rmtree(project.path("labels"))
    with pytest.raises(InputError, match="there are no decided labels yet"):
        project.labels_built()


# -- staleness ---------------------------------------------------------------------------------------------


@contextmanager
def derived(project: Project) -> Iterator[Path]:
    """Open the project for a step that makes splits from labels and the schema."""
    made = project.provenance("corpus split", 1, ["schema.yaml", "labels/published.parquet"], {"seed": 0})
    with project.writing("corpus split") as staging:
        write_table(staging / "splits.parquet", pa.table({"a": [5]}, schema=NUMBERS), NUMBERS, made)
        yield staging


def test_a_table_is_stale_when_an_input_changed_or_is_gone(project: Project) -> None:
    assert project.stale_inputs("splits.parquet") == []  # nothing is known of what it was made from
    with derived(project):
        pass
    assert project.stale_inputs("splits.parquet") == []
    write_numbers(project.path("labels/published.parquet"), 9)
    assert project.stale_inputs("splits.parquet") == ["labels/published.parquet"]
    write_numbers(project.path("labels/published.parquet"), 1)
    assert project.stale_inputs("splits.parquet") == []
    project.path("labels/published.parquet").unlink()
    assert project.stale_inputs("splits.parquet") == ["labels/published.parquet"]


def test_the_schema_is_an_input_by_its_meaning(project: Project) -> None:
    with derived(project):
        pass
    text = project.path("schema.yaml").read_text("utf-8")
    project.path("schema.yaml").write_text("# a comment\n" + text, "utf-8")
    assert Project(project.root).stale_inputs("splits.parquet") == []
    project.path("schema.yaml").write_text(text.replace("version: ", "version: 9."), "utf-8")
    assert Project(project.root).stale_inputs("splits.parquet") == ["schema.yaml"]


def test_a_table_is_current_for_the_same_step_inputs_and_parameters(project: Project) -> None:
    inputs = ["labels/published.parquet", "schema.yaml"]
    with derived(project):
        pass
    assert project.is_current("splits.parquet", project.provenance("corpus split", 1, inputs, {"seed": 0}))
    for step, version, names, parameters in (
        ("corpus build", 1, inputs, {"seed": 0}),
        ("corpus split", 2, inputs, {"seed": 0}),
        ("corpus split", 1, inputs[:1], {"seed": 0}),
        ("corpus split", 1, inputs, {"seed": 1}),
        ("corpus split", 1, inputs, None),
    ):
        assert not project.is_current("splits.parquet", project.provenance(step, version, names, parameters))
    assert not project.is_current("none.parquet", project.provenance("corpus split", 1, []))
