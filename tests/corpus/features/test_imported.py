"""Features that exist already."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from corpus.features import table
from corpus.features.imported import import_features
from corpus.features.published import outdated
from schemas.errors import InputError
from schemas.project import Project
from schemas.records import UTTERANCES
from schemas.tables import read_table, write_table
from tests.corpus.features.conftest import write_project

RANDOM = np.random.default_rng(4)
IDS = [f"u{number}" for number in range(6)]
Arrays = dict[str, np.ndarray]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return write_project(tmp_path / "p", [{} for _ in IDS])


def vectors() -> Arrays:
    return {one: RANDOM.standard_normal(4).astype(np.float32) for one in IDS}


def sequences() -> Arrays:
    return {one: RANDOM.standard_normal((n + 1, 3)).astype(np.float32) for n, one in enumerate(IDS)}


def as_parquet(path: Path, arrays: Arrays) -> Path:
    columns = {"utterance_id": list(arrays), "emb": [one.tolist() for one in arrays.values()]}
    pq.write_table(pa.table(columns), path.with_suffix(".parquet"))
    return path.with_suffix(".parquet")


def as_npz(path: Path, arrays: Arrays) -> Path:
    np.savez(path.with_suffix(".npz"), **arrays)
    return path.with_suffix(".npz")


def as_hdf5(path: Path, arrays: Arrays) -> Path:
    h5py = pytest.importorskip("h5py")
    with h5py.File(path.with_suffix(".h5"), "w") as file:
        for one, values in arrays.items():
            file[one] = values
    return path.with_suffix(".h5")


def as_csd(path: Path, arrays: Arrays) -> Path:
    """As CMU's toolkit writes it: groups around the utterances, and times beside the features."""
    h5py = pytest.importorskip("h5py")
    with h5py.File(path.with_suffix(".csd"), "w") as file:
        for one, values in arrays.items():
            file[f"covarep/data/{one}/features"] = values
            file[f"covarep/data/{one}/intervals"] = np.zeros((len(values), 2))
    return path.with_suffix(".csd")


def as_hdf5_rows(path: Path, arrays: Arrays) -> Path:
    h5py = pytest.importorskip("h5py")
    with h5py.File(path.with_suffix(".hdf5"), "w") as file:
        file["utterance_id"] = np.array(list(arrays), "S")
        file["features"] = np.stack(list(arrays.values()))
    return path.with_suffix(".hdf5")


def test_hdf5_may_hold_a_row_an_utterance(project: Project, tmp_path: Path) -> None:
    arrays = vectors()
    import_features(project, "mine", as_hdf5_rows(tmp_path / "file", arrays))
    found = {row["utterance_id"]: row["features"] for row in imported(project, "mine")}
    assert found == {one: values.tolist() for one, values in arrays.items()}


def imported(project: Project, name: str) -> list[object]:
    return [row for path in table.parts(project, name) for row in read_table(path).to_pylist()]


@pytest.mark.parametrize("write", [as_parquet, as_npz, as_hdf5, as_csd])
@pytest.mark.parametrize("draw", [vectors, sequences])
def test_every_value_comes_in(
    project: Project, tmp_path: Path, write: Callable[[Path, Arrays], Path], draw: Callable[[], Arrays]
) -> None:
    arrays = draw()
    shuffled = {one: arrays[one] for one in reversed(IDS)}
    path = write(tmp_path / "file", shuffled)
    made = import_features(project, "mine", path)
    assert (made.utterances, made.missing, made.changed) == (6, {}, True)
    found = imported(project, "mine")
    assert [row["utterance_id"] for row in found] == IDS
    for row in found:
        np.testing.assert_array_equal(np.asarray(row["features"], np.float32), arrays[row["utterance_id"]])
    recipe = table.read_recipe(project, "mine")
    assert recipe is not None
    assert (recipe["recipe"], recipe["file"], recipe["width"]) == ("unknown", path.name, made.width)
    assert not import_features(project, "mine", path).changed


def test_other_layouts(project: Project, tmp_path: Path) -> None:
    matrix = RANDOM.standard_normal((6, 3))
    np.savez(tmp_path / "two.npz", utterance_id=np.array(IDS), features=matrix)
    import_features(project, "two", tmp_path / "two.npz")
    columns = {
        "utterance_id": IDS,
        "a": matrix[:, 0],
        "b": matrix[:, 1],
        "c": matrix[:, 2],
        "note": ["x"] * 6,
    }
    pq.write_table(pa.table(columns), tmp_path / "wide.parquet")
    import_features(project, "wide", tmp_path / "wide.parquet")
    assert imported(project, "two") == imported(project, "wide")
    np.testing.assert_allclose([row["features"] for row in imported(project, "two")], matrix, rtol=1e-6)


def test_utterances_that_are_not_in_the_file(project: Project, tmp_path: Path) -> None:
    arrays = vectors()
    columns = {
        "utterance_id": IDS[:4],
        "features": [*(one.tolist() for one in list(arrays.values())[:3]), None],
    }
    pq.write_table(pa.table(columns), tmp_path / "some.parquet")
    made = import_features(project, "some", tmp_path / "some.parquet")
    assert made.missing == {"it is not in the imported file": 2, "it is null in the imported file": 1}
    assert [row["features"] is None for row in imported(project, "some")] == [False] * 3 + [True] * 3


def test_all_faults_at_once(project: Project, tmp_path: Path) -> None:
    arrays = vectors()
    arrays["u1"][2] = np.nan
    arrays["u2"] = np.zeros(7, np.float32)
    arrays["u3"] = np.array(["a", "b"])
    arrays["u4"] = np.zeros(0, np.float32)
    arrays["stranger"] = arrays["another"] = np.zeros(4, np.float32)
    del arrays["u5"]
    with pytest.raises(InputError) as caught:
        import_features(project, "mine", as_npz(tmp_path / "file", arrays))
    found = {issue.message.split(",")[0]: (issue.value, issue.count) for issue in caught.value.issues}
    assert found == {
        "these features hold values that are not finite numbers": ("u1", 1),
        "these features have another shape than most": ("u2", 1),
        "features are numbers": ("u3", 2),
        "there is no such utterance in the project": ("stranger", 2),
        "this utterance is not in the file (no fault in itself: it would have no features)": ("u5", 1),
    }
    assert table.names(project) == []


def test_ids_that_stand_twice_and_ragged_lists(project: Project, tmp_path: Path) -> None:
    columns = {
        "utterance_id": ["u0", "u0", "u1"],
        "features": [[[1.0, 2.0]], [[1.0, 2.0]], [[1.0], [1.0, 2.0]]],
    }
    pq.write_table(pa.table(columns), tmp_path / "file.parquet")
    with pytest.raises(InputError) as caught:
        import_features(project, "mine", tmp_path / "file.parquet")
    messages = [issue.message for issue in caught.value.issues]
    assert any("stands twice" in one for one in messages)
    assert any("of the shape" in one for one in messages)


def test_pickles_are_not_read(project: Project, tmp_path: Path) -> None:
    np.savez(tmp_path / "file.npz", u0=np.array([{"a": 1}], object))
    with pytest.raises(InputError, match="features are numbers"):
        import_features(project, "mine", tmp_path / "file.npz")


@pytest.mark.parametrize("name", ["file.pkl", "file.parquet", "file.npz", "file.h5", "none.npz"])
def test_files_that_cannot_be_read(project: Project, tmp_path: Path, name: str) -> None:
    if not name.startswith("none"):
        (tmp_path / name).write_bytes(b"neither this nor that")
    with pytest.raises(InputError):
        import_features(project, "mine", tmp_path / name)


def test_a_file_that_is_damaged_in_the_middle(project: Project, tmp_path: Path) -> None:
    path = as_npz(tmp_path / "file", {one: np.arange(100.0) for one in IDS})
    content = bytearray(path.read_bytes())
    content[content.find(b"\x93NUMPY") + 500] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(InputError, match="these features cannot be read: the file is damaged, got 'u0'"):
        import_features(project, "mine", path)


@pytest.mark.parametrize("shape", [(10**13,), ()])
def test_arrays_that_cannot_be(project: Project, tmp_path: Path, shape: tuple[int, ...]) -> None:
    """A header that asks for more memory than there is; and one number for all."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f8", "fortran_order": False, "shape": shape})
    ids = io.BytesIO()
    np.save(ids, np.array(IDS))
    with zipfile.ZipFile(tmp_path / "file.npz", "w") as file:
        file.writestr("features.npy", header.getvalue() + bytes(8))
        file.writestr("utterance_id.npy", ids.getvalue())
    with pytest.raises(InputError, match=r"cannot be read|different lengths"):
        import_features(project, "mine", tmp_path / "file.npz")


def test_tables_without_features(project: Project, tmp_path: Path) -> None:
    for columns in (
        {"id": IDS},
        {"utterance_id": IDS, "text": IDS},
        {"utterance_id": IDS, "a": [[1.0]] * 6, "b": [[1.0]] * 6},
    ):
        pq.write_table(pa.table(columns), tmp_path / "file.parquet")
        with pytest.raises(InputError):
            import_features(project, "mine", tmp_path / "file.parquet")


def test_the_recipe_comes_along(project: Project, tmp_path: Path) -> None:
    path = as_npz(tmp_path / "file", vectors())
    (tmp_path / "how.json").write_text(json.dumps({"model": "covarep 1.4.2"}))
    import_features(project, "mine", path)
    assert import_features(project, "mine", path, tmp_path / "how.json").changed
    recipe = table.read_recipe(project, "mine")
    assert recipe is not None
    assert recipe["recipe"] == {"model": "covarep 1.4.2"}
    for text in ("", "[]", "{}", "no JSON"):
        (tmp_path / "how.json").write_text(text)
        with pytest.raises(InputError):
            import_features(project, "mine", path, tmp_path / "how.json")


def test_new_utterances_make_them_stale(project: Project, tmp_path: Path) -> None:
    import_features(project, "mine", as_npz(tmp_path / "file", vectors()))
    recipe = table.read_recipe(project, "mine") or {}
    assert outdated(project, "mine", recipe) == []
    known = read_table(project.path("utterances.parquet"))
    write_table(project.path("utterances.parquet"), known.slice(0, 5), UTTERANCES)
    assert outdated(project, "mine", recipe) == ["utterances.parquet"]
