"""Making features: shards, reruns, what is stale, faults, engines."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from filelock import FileLock

from corpus.engine import Outcome
from corpus.features import inputs, making, table
from corpus.features.catalogue import Options, create
from corpus.features.command import made_by_command
from corpus.features.extractor import Absent, Extractor, Floats, Item, Modality, results
from corpus.features.making import make
from corpus.features.mfcc import Mfcc
from corpus.features.ngrams import Ngrams, hashed
from corpus.features.published import outdated
from corpus.media.plan import Recipe
from corpus.media.segments import Segments
from schemas.errors import InputError
from schemas.project import Project
from schemas.records import UTTERANCES
from schemas.tables import read_provenance, read_table, write_table
from tests.corpus.features.conftest import cut, tone, utterances, write_project, write_wav


def rows(project: Project, name: str) -> list[dict[str, Any]]:
    return [row for path in table.parts(project, name) for row in read_table(path).to_pylist()]


def content(project: Project, name: str) -> dict[str, bytes]:
    folder = table.folder_of(project, name)
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.fixture
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four utterances a shard."""
    monkeypatch.setattr(inputs, "shard_rows", lambda modality: 4)


@pytest.fixture
def text_project(tmp_path: Path) -> Project:
    return write_project(tmp_path / "text", [{"text": f"number {n} {'!' * (n % 3)}"} for n in range(10)])


@dataclass(frozen=True)
class Length(Extractor):
    """The length of a text, and faults where a text asks for them."""

    name: str = field(default="length", init=False)
    modality: Modality = field(default=Modality.TEXT, init=False)
    sequence: bool = False
    folder: str = ""

    def parameters(self) -> dict[str, Any]:
        return {}

    def extract(self, items: Iterable[Item]) -> Iterator[Floats | Absent]:
        for item in items:
            if "raise" in item.text:
                raise OSError("No space left on device")
            width = 2 if "wide" in item.text else 1
            yield np.full(width, len(item.text), np.float32)


@dataclass(frozen=True)
class Dies(Length):
    """Kills its process where a text asks for it; with "once", only the first time."""

    def extract(self, items: Iterable[Item]) -> Iterator[Floats | Absent]:
        deaths = Path(self.folder) / "deaths"
        for item in items:
            if "kill me" in item.text and not ("once" in item.text and deaths.exists()):
                with deaths.open("a") as file:
                    file.write("x")
                os.kill(os.getpid(), signal.SIGKILL)
            yield np.full(1, len(item.text), np.float32)


def set_text(project: Project, place: int, text: str) -> None:
    known = read_table(project.path("utterances.parquet")).to_pylist()
    known[place]["text"] = text
    write_table(project.path("utterances.parquet"), utterances(known), UTTERANCES)


@pytest.mark.usefixtures("inline", "small_shards")
def test_a_row_an_utterance_in_their_order(text_project: Project) -> None:
    made = make(text_project, Ngrams())
    assert (made.utterances, made.missing, made.width, made.changed) == (10, {}, 1024, True)
    found = rows(text_project, "ngrams")
    known = read_table(text_project.path("utterances.parquet")).to_pylist()
    assert [row["utterance_id"] for row in found] == [row["utterance_id"] for row in known]
    assert np.array_equal([row["features"] for row in found], hashed([row["text"] for row in known]))
    assert len(table.parts(text_project, "ngrams")) == 3
    recipe = table.read_recipe(text_project, "ngrams")
    assert recipe is not None
    assert recipe["parameters"]["buckets"] == 512
    assert recipe["libraries"].keys() == {"scikit-learn"}
    known_of_part = read_provenance(table.parts(text_project, "ngrams")[0])
    assert known_of_part is not None
    assert known_of_part.parameters["identity"]["recipe"]["parameters"] == recipe["parameters"]


@pytest.mark.usefixtures("inline", "small_shards")
def test_a_rerun_does_only_what_has_changed(text_project: Project) -> None:
    make(text_project, Ngrams())
    before = content(text_project, "ngrams")
    assert not make(text_project, Ngrams()).changed
    assert content(text_project, "ngrams") == before

    times = [path.stat().st_mtime_ns for path in table.parts(text_project, "ngrams")]
    set_text(text_project, 5, "something else")  # of the second shard
    assert outdated(text_project, "ngrams", table.read_recipe(text_project, "ngrams") or {})
    assert make(text_project, Ngrams()).changed
    changed = [path.stat().st_mtime_ns for path in table.parts(text_project, "ngrams")]
    assert [one != other for one, other in zip(times, changed, strict=True)] == [False, True, False]
    assert np.array_equal(rows(text_project, "ngrams")[5]["features"], hashed(["something else"])[0])

    set_text(text_project, 5, "number 5 !!")  # as it was
    make(text_project, Ngrams())
    assert content(text_project, "ngrams") == before


@pytest.mark.usefixtures("inline", "small_shards")
def test_parts_that_are_gone_or_too_many(text_project: Project) -> None:
    make(text_project, Ngrams())
    before = content(text_project, "ngrams")
    table.parts(text_project, "ngrams")[1].unlink()
    make(text_project, Ngrams())
    assert content(text_project, "ngrams") == before

    known = read_table(text_project.path("utterances.parquet"))
    write_table(text_project.path("utterances.parquet"), known.slice(0, 4), UTTERANCES)
    assert make(text_project, Ngrams()).utterances == 4
    assert len(rows(text_project, "ngrams")) == 4


@pytest.mark.usefixtures("small_shards")
def test_a_shard_that_fails_costs_only_itself(text_project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(work: Callable[[Any], Any], tasks: list[Any], **_: object) -> Iterator[Outcome[Any, Any]]:
        for task in tasks:
            try:
                yield Outcome(task, work(task), None)
            except OSError as error:
                yield Outcome(task, None, str(error))

    monkeypatch.setattr(making, "run", run)
    set_text(text_project, 5, "raise")
    made = make(text_project, Length())
    assert made.failed == {"utterances 5 to 8": "No space left on device"}
    assert table.read_recipe(text_project, "length") is None  # not complete
    assert [path.name for path in table.parts(text_project, "length")] == [
        "part-00000.parquet",
        "part-00002.parquet",
    ]
    set_text(text_project, 5, "fine")
    assert not make(text_project, Length()).failed
    assert [row["features"] for row in rows(text_project, "length")[4:6]] == [[10.0], [4.0]]


@pytest.mark.usefixtures("inline", "small_shards")
def test_vectors_of_different_widths_are_refused(text_project: Project) -> None:
    set_text(text_project, 0, "wide")
    with pytest.raises(InputError, match="different widths"):
        make(text_project, Length())
    for place in range(4):
        set_text(text_project, place, "wide")
    with pytest.raises(InputError, match="different widths"):
        make(text_project, Length())
    assert table.read_recipe(text_project, "length") is None


@pytest.mark.usefixtures("inline")
def test_names_locks_and_left_files(text_project: Project) -> None:
    for name in ("../x", "A", "", "sentiment", "a b"):
        with pytest.raises(InputError):
            make(text_project, Ngrams(), name or " ")
    folder = table.folder_of(text_project, "mine")
    folder.mkdir(parents=True)
    (folder / ".part-00000.parquet.tmp").touch()
    with (
        FileLock(text_project.path(".lock-features-mine")),
        pytest.raises(InputError, match="another command"),
    ):
        make(text_project, Ngrams(), "mine")
    assert make(text_project, Ngrams(), "mine").name == "mine"
    assert sorted(path.name for path in folder.iterdir()) == ["part-00000.parquet", "recipe.json"]
    (folder / "recipe.json").write_text(json.dumps({"made_by": "somebody"}))
    with pytest.raises(InputError, match="choose another name"):
        make(text_project, Ngrams(), "mine")


def test_steps_that_are_missing(tmp_path: Path, text_project: Project) -> None:
    with pytest.raises(InputError, match="corpus import"):
        make(Project.create(tmp_path / "empty"), Ngrams())
    with pytest.raises(InputError, match="corpus media"):
        make(text_project, Mfcc())


@pytest.mark.usefixtures("inline")
@pytest.mark.parametrize("sequence", [False, True])
def test_sound_of_a_project(sound_project: Project, sequence: bool) -> None:
    made = make(sound_project, Mfcc(sequence=sequence))
    assert made.missing == {"there is no sound": 1}
    found = rows(sound_project, "mfcc")
    assert [row["missing"] for row in found] == [None, None, None, "there is no sound", None]
    assert found[3]["features"] is None
    audio = Segments(sound_project).audio("u1")
    assert audio is not None
    (expected,) = results(Mfcc(sequence=sequence), [Item("u1", audio=audio)])
    np.testing.assert_array_equal(np.asarray(found[1]["features"], np.float32), expected)


@pytest.mark.usefixtures("inline")
def test_sound_features_outlive_a_new_text_but_not_a_new_sound(sound_project: Project) -> None:
    make(sound_project, Mfcc())
    set_text(sound_project, 0, "better spelled")
    assert not make(sound_project, Mfcc()).changed
    write_wav(sound_project.path("media/high.wav"), tone(200, 0.8))
    cut(sound_project)
    assert outdated(sound_project, "mfcc", table.read_recipe(sound_project, "mfcc") or {}) == ["clips"]
    assert make(sound_project, Mfcc()).changed


@pytest.mark.usefixtures("small_shards")
def test_any_number_of_workers_gives_the_same_bytes(sound_project: Project) -> None:
    for name, workers in (("one", 1), ("two", 2)):
        made = make(sound_project, Mfcc(), name, workers=workers)
        assert made.missing == {"there is no sound": 1}
    one, two = (
        {path.name: path.read_bytes() for path in table.parts(sound_project, name)} for name in ("one", "two")
    )
    assert len(one) == 2
    assert one == two
    found = rows(sound_project, "two")
    assert [row["utterance_id"] for row in found] == [f"u{number}" for number in range(5)]


@pytest.mark.usefixtures("small_shards")
def test_a_killed_worker_costs_its_shard_one_more_try(text_project: Project, tmp_path: Path) -> None:
    set_text(text_project, 1, "kill me once")
    set_text(text_project, 5, "kill me")
    made = make(text_project, Dies(folder=str(tmp_path)), workers=1)
    assert list(made.failed) == ["utterances 5 to 8"]
    assert "killed twice" in made.failed["utterances 5 to 8"]
    assert (tmp_path / "deaths").read_text() == "xxx"
    found = {row["utterance_id"]: row["features"] for row in rows(text_project, "length")}
    assert found["u1"] == [12.0]
    assert sorted(found) == ["u0", "u1", "u2", "u3", "u8", "u9"]


@pytest.mark.usefixtures("inline")
def test_the_command_looks_before_it_starts(text_project: Project, tmp_path: Path) -> None:
    nothing = str(tmp_path / "nothing")
    with pytest.raises(InputError) as caught:
        made_by_command(text_project, ["ngrams", "mfcc", "audio-encoder"], Options(models=[nothing]))
    assert len(caught.value.issues) == 3  # two that take no model, and one whose model is not there
    for names, more in (
        (["ngrams", "mfcc"], {"name": "x"}),
        (["ngrams"], {"recipe": tmp_path}),
        (["ngrams"], {"source": ("x", tmp_path)}),
    ):
        with pytest.raises(InputError):
            made_by_command(text_project, names, Options(), **more)
    assert table.names(text_project) == []


@pytest.mark.usefixtures("inline")
def test_bert_takes_the_models_of_the_languages_that_are_there(
    text_project: Project, small_model: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    defaults = {"en": str(small_model("bert")), "zh": "/not/here"}
    monkeypatch.setattr("corpus.features.command.DEFAULTS", defaults)
    (made,) = made_by_command(text_project, ["bert"], Options())
    assert made.width == 32
    known = read_table(text_project.path("utterances.parquet")).to_pylist()
    foreign = [replace_language(row) for row in known]
    write_table(text_project.path("utterances.parquet"), utterances(foreign), UTTERANCES)
    with pytest.raises(InputError, match="no usual model"):
        made_by_command(text_project, ["bert"], Options())


def replace_language(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "language": "pl"}


# -- real recordings ----------------------------------------------------------------------------------------


@pytest.mark.usefixtures("inline")
def test_real_recordings(shared: Path, tmp_path: Path, small_model: Callable[[str], Path]) -> None:
    """Speech at 24 kHz, a film with six channels, and faces without sound, through segments to features."""
    data = shared / "data"
    speech = sorted((data / "nEMO/samples").glob("*.wav"))[:2]
    paths = [*speech, data / "av_clip/big_buck_bunny_small.mp4", data / "fer_video/test.mp4"]
    project = write_project(
        tmp_path / "p", [{"media": f"media/{path.name}", "start": 0.2, "end": 1.4} for path in paths]
    )
    project.path("media").mkdir()
    for path in paths:
        project.path(f"media/{path.name}").symlink_to(path)
    cut(project, Recipe(rate=2.0, clips=False))
    made = make(project, Mfcc())
    assert made.missing == {"there is no sound": 1}
    assert [row["features"] is None for row in rows(project, "mfcc")] == [False, False, False, True]
    pictures = create("mobilenetv2", Options(models=[str(small_model("mobilenetv2"))], sequence=True))
    made = make(project, replace(pictures, name="pictures"))
    assert made.missing == {"there is no picture": 2}
    found = [row["features"] for row in rows(project, "pictures")]
    assert [one and (len(one), len(one[0])) for one in found] == [None, None, (3, 1280), (3, 1280)]
